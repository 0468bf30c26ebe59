//! A connection that waits for its peer to take something, and not for ever: a write that stands still for `write_stall`
//! ends it. Whatever is answered over HTTP goes through here; sockets have a wheel of their own.
//!
//! Invariant: no timer runs while the peer takes what it is given.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream whose writes may stand still for so long.
#[derive(Debug)]
pub struct Patient<S> {
    stream: S,
    stall: Duration,
    /// Set when it has stood still for too long.
    stalled: Arc<AtomicBool>,
    /// Runs since a write stands still.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// A stream whose writes may stand still for `stall`; `stalled` is set before it ends for that.
    pub fn new(stream: S, stall: Duration, stalled: Arc<AtomicBool>) -> Self {
        Self { stream, stall, stalled, patience: None }
    }

    /// The stream itself.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// The outcome of a write, unless it has stood still for too long.
    fn within<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.patience = None;
            return written;
        }
        let stall = self.stall;
        ready!(self.patience.get_or_insert_with(|| Box::pin(sleep(stall))).as_mut().poll(context));
        self.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within(written, context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.within(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // A flush of a stream that buffers nothing says nothing of its peer: it must not stop the clock of a write.
        if flushed.is_ready() { flushed } else { self.within(flushed, context) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.within(shut, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_stands_still_ends_it_and_a_slow_one_does_not() {
        let (ours, mut theirs) = duplex(4);
        let mut patient = Patient::new(ours, Duration::from_secs(30), Arc::default());
        let began = Instant::now();
        let reading = async {
            for _ in 0..5 {
                sleep(Duration::from_secs(20)).await;
                theirs.read_exact(&mut [0; 4]).await.expect("it is sent");
            }
        };
        let (written, ()) = tokio::join!(patient.write_all(&[7; 20]), reading);
        assert!(written.is_ok() && began.elapsed() >= Duration::from_secs(80), "a slow peer is waited for");
        patient.write_all(&[7; 4]).await.expect("there is room");
        let began = Instant::now();
        let stalled = patient.write_all(&[7; 4]).await.expect_err("nobody reads");
        assert_eq!((stalled.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
        assert!(patient.stalled.load(Ordering::Relaxed), "and says why");
    }
}
