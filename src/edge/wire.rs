//! The stream under a WebSocket: what the kernel does not take at once is kept, whole and in order.
//!
//! Announcements are written here directly and the WebSocket writes its pongs and its close through the same place, so
//! frames never interleave: a write is taken in whole, or not at all. Nothing stays allocated while nothing is kept.
//! It is synchronous on purpose: one waker, the task's own, serves both directions.

use std::io::{self, Read, Write};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The WebSocket's own frames are refused while more than this is kept: a client that pings and never reads.
const KEPT_BYTES_MAX: usize = 64 * 1_024;

/// What was written, for the counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Calls that took bytes.
    pub calls: u64,
    /// Bytes taken.
    pub bytes: u64,
}

/// A stream and what it has not taken yet.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    kept: Vec<u8>,
    waker: Waker,
    written: Written,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Nothing kept yet.
    pub fn new(stream: S) -> Self {
        Self { stream, kept: Vec::new(), waker: Waker::noop().clone(), written: Written::default() }
    }

    /// From now on this task is woken when the stream can go on.
    pub fn arm(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    /// Whether something is kept that the kernel did not take.
    pub fn is_blocked(&self) -> bool {
        !self.kept.is_empty()
    }

    /// What was written since the last call.
    pub fn take_written(&mut self) -> Written {
        mem::take(&mut self.written)
    }

    /// Whether anything was written since the last [`Wire::take_written`].
    pub fn made_progress(&self) -> bool {
        self.written.bytes > 0
    }

    /// Writes whole frames after everything that is kept; what the kernel does not take now is kept too.
    pub fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        let taken = if self.kept.is_empty() { self.push(frames)? } else { 0 };
        self.kept.extend_from_slice(frames.split_at(taken).1);
        Ok(())
    }

    /// Writes what is kept; `true` when nothing is left. Otherwise the task is woken.
    pub fn flush_kept(&mut self) -> io::Result<bool> {
        if self.kept.is_empty() {
            return Ok(true);
        }
        let kept = mem::take(&mut self.kept);
        let taken = self.push(&kept)?;
        if taken == kept.len() {
            return Ok(true);
        }
        self.kept = kept;
        drop(self.kept.drain(..taken));
        Ok(false)
    }

    /// How many of these bytes the kernel takes now; if not all, the task is woken when it takes more.
    fn push(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut context = Context::from_waker(&self.waker);
        let mut taken = 0;
        while taken < bytes.len() {
            match Pin::new(&mut self.stream).poll_write(&mut context, bytes.split_at(taken).1) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    taken += count;
                    self.written.calls += 1;
                    self.written.bytes += count as u64;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(taken)
    }

    /// Tells the peer that nothing more comes; `true` when that is done.
    pub fn poll_shutdown(&mut self) -> io::Result<bool> {
        match Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(done) => done.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }
}

impl<S: AsyncRead + Unpin> Read for Wire<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut into = ReadBuf::new(into);
        match Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(&self.waker), &mut into) {
            Poll::Ready(Ok(())) => Ok(into.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Wire<S> {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        if self.kept.len() > KEPT_BYTES_MAX {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.send(frame)?;
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // what is kept is flushed by the loop, not by the WebSocket
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
    use tokio_tungstenite::tungstenite::{Error, Message};

    use super::*;
    use crate::edge::frame::{self, Payload};

    /// Takes only as many bytes at a time as it is told, and hands in what was prepared.
    struct Throttled {
        allowed: usize,
        taken: Vec<u8>,
        input: Cursor<Vec<u8>>,
    }

    impl AsyncRead for Throttled {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let mut byte = [0; 7];
            match self.input.read(&mut byte) {
                Ok(0) => Poll::Pending,
                Ok(count) => {
                    let count = count.min(into.remaining());
                    into.put_slice(&byte[..count]);
                    Poll::Ready(Ok(()))
                }
                Err(error) => Poll::Ready(Err(error)),
            }
        }
    }

    impl AsyncWrite for Throttled {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.allowed);
            if count == 0 {
                return Poll::Pending;
            }
            self.allowed -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Announce(Vec<u8>),
        Allow(usize),
        Read,
        Flush,
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300).prop_map(Act::Announce),
            (0_usize..200).prop_map(Act::Allow),
            Just(Act::Read),
            Just(Act::Flush),
        ];
        prop::collection::vec(act, 1..60)
    }

    /// Pings of a client, masked as they must be.
    fn pings(count: u8) -> Vec<u8> {
        let mut client = WebSocket::from_raw_socket(Cursor::new(Vec::new()), Role::Client, None);
        for number in 0..count {
            client.send(Message::Ping(vec![number; 3].into())).expect("written to memory");
        }
        client.into_inner().into_inner()
    }

    proptest! {
        #[test]
        fn frames_come_out_whole_and_in_order_among_pongs(acts in acts(), count in 0_u8..9) {
            let stream = Throttled { allowed: 0, taken: Vec::new(), input: Cursor::new(pings(count)) };
            let mut server = WebSocket::from_raw_socket(Wire::new(stream), Role::Server, None);
            let mut announced = Vec::new();
            for act in acts {
                match act {
                    Act::Announce(payload) => {
                        server.get_mut().send(&frame::whole(Payload::Binary, &payload)).expect("kept");
                        announced.push(payload);
                    }
                    Act::Allow(more) => server.get_mut().stream.allowed += more,
                    Act::Flush => drop(server.get_mut().flush_kept().expect("no fault")),
                    Act::Read => match server.read() {
                        Ok(message) => prop_assert!(message.is_ping()),
                        Err(Error::Io(error)) => prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                        Err(error) => prop_assert!(false, "{error}"),
                    },
                }
            }
            server.get_mut().stream.allowed = usize::MAX;
            while server.read().is_ok() {}
            prop_assert!(server.get_mut().flush_kept().expect("no fault"));
            prop_assert!(!server.get_ref().is_blocked());
            prop_assert_eq!(server.get_ref().kept.capacity(), 0, "nothing stays allocated");
            let written = server.get_mut().take_written();
            prop_assert_eq!(written.bytes, server.get_ref().stream.taken.len() as u64);

            let taken = server.get_ref().stream.taken.clone();
            let mut client = WebSocket::from_raw_socket(Cursor::new(taken), Role::Client, None);
            let (mut seen, mut last_pong) = (Vec::new(), None);
            loop {
                match client.read() {
                    Ok(Message::Binary(payload)) => seen.push(payload.to_vec()),
                    Ok(Message::Pong(payload)) => {
                        prop_assert!(Some(payload[0]) > last_pong, "pongs in the order of the pings");
                        last_pong = Some(payload[0]);
                    }
                    Ok(other) => prop_assert!(false, "{other:?}"),
                    Err(_) => break,
                }
            }
            prop_assert_eq!(seen, announced);
            prop_assert_eq!(last_pong, count.checked_sub(1), "the last ping is answered");
        }
    }

    #[test]
    fn what_is_ready_together_is_one_write() {
        let stream = Throttled { allowed: usize::MAX, taken: Vec::new(), input: Cursor::default() };
        let mut wire = Wire::new(stream);
        wire.send(&[7; 5_000]).expect("taken");
        assert_eq!(wire.take_written(), Written { calls: 1, bytes: 5_000 });
        assert!(!wire.is_blocked());
    }

    #[test]
    fn a_client_that_pings_and_never_reads_is_not_buffered_for_ever() {
        let stream = Throttled { allowed: 0, taken: Vec::new(), input: Cursor::default() };
        let mut wire = Wire::new(stream);
        wire.send(&vec![7; KEPT_BYTES_MAX + 1]).expect("kept");
        assert_eq!(wire.write(&[1]).expect_err("refused").kind(), io::ErrorKind::WouldBlock);
    }
}
