//! A very cheap load client: thousands of `WebSocket`s in one thread and one epoll set.
//!
//! It does not know what it speaks: frames go to whoever watches, who may answer at once. One read buffer serves all
//! connections; a connection keeps bytes of its own only while a frame is cut or the kernel takes no more. Source
//! addresses 127.0.0.2, .3 … spread the ports.
//! Invariant: nothing is dropped silently; a connection that ends is told to the watcher exactly once.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::frame::{self, Opcode};

/// Connections from one source address; the kernel has some 28,000 ports for each.
const PER_ADDRESS: usize = 4_000;
/// Handshakes under way at once: enough to keep the server busy, far below its backlog.
const OPENING_MAX: usize = 128;
/// What one read takes; larger than any delivery burst.
const SCRATCH_BYTES: usize = 128 * 1024;

/// What happened on a connection.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The upgrade succeeded.
    Opened,
    /// A text or binary frame.
    Frame(&'a [u8]),
    /// It has ended: the close code or the HTTP answer, as far as there was one.
    Ended(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Upgrading,
    Open,
    Closing,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    phase: Phase,
    /// The start of a frame or head that has not come in whole.
    partial: Vec<u8>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
    last_words: String,
}

/// Many connections to one server.
#[derive(Debug)]
pub struct Fleet {
    poll: Poll,
    events: Events,
    server: SocketAddr,
    request: Vec<u8>,
    opcode: Opcode,
    connections: Vec<Option<Connection>>,
    opening: usize,
    open: usize,
    /// Bytes that frames took on the wire, heads included.
    received_bytes: u64,
    scratch: Box<[u8]>,
}

impl Fleet {
    /// A fleet without connections. `subprotocol` is offered in the handshake; data frames are sent with `opcode`.
    pub fn new(server: SocketAddr, path: &str, subprotocol: Option<&str>, opcode: Opcode) -> Result<Self> {
        let protocol = subprotocol.map_or_else(String::new, |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n"
        );
        Ok(Self {
            poll: Poll::new().context("no epoll set")?,
            events: Events::with_capacity(4_096),
            server,
            request: request.into_bytes(),
            opcode,
            connections: Vec::new(),
            opening: 0,
            open: 0,
            received_bytes: 0,
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
        })
    }

    /// Opens `count` more connections and returns when all handshakes are done; the watcher sees everything meanwhile.
    pub fn open(&mut self, count: usize, deadline: Duration, watch: &mut impl FnMut(usize, Seen<'_>, &mut Vec<u8>)) -> Result<()> {
        let until = Instant::now() + deadline;
        let (mut left, goal) = (count, self.open + count);
        while left > 0 || self.opening > 0 {
            while left > 0 && self.opening < OPENING_MAX {
                self.connect()?;
                left -= 1;
            }
            self.turn(Duration::from_millis(100), watch)?;
            if Instant::now() > until {
                bail!("only {} of {goal} connections were open in time", self.open);
            }
        }
        if self.open < goal {
            bail!("only {} of {goal} connections came to be", self.open);
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<()> {
        let index = self.connections.len();
        let last = u8::try_from(2 + index / PER_ADDRESS).context("too many connections")?;
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .with_context(|| format!("no socket for connection {index}; is the descriptor limit too low?"))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if self.server.ip().is_loopback() {
            socket.bind(&SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0).into())?;
        }
        if let Err(error) = socket.connect(&self.server.into())
            && error.raw_os_error() != Some(EINPROGRESS)
        {
            return Err(error).context("the server does not accept");
        }
        let mut stream = TcpStream::from_std(socket.into());
        self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        let (partial, unsent) = (Vec::new(), Vec::new());
        self.connections.push(Some(Connection { stream, phase: Phase::Connecting, partial, unsent, last_words: String::new() }));
        self.opening += 1;
        Ok(())
    }

    /// Handles what is ready, waiting at most `wait` for something to be.
    pub fn turn(&mut self, wait: Duration, watch: &mut impl FnMut(usize, Seen<'_>, &mut Vec<u8>)) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result.context("epoll failed")?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Token(index) = event.token();
            if event.is_writable() {
                self.flush(index);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.receive(index, event.is_read_closed(), watch);
            }
        }
        self.events = events;
        Ok(())
    }

    /// Writes whole frames, made by [`frame::write`], on one connection.
    pub fn say(&mut self, index: usize, frames: &[u8]) {
        if let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) {
            connection.write(frames);
        }
    }

    /// Puts a payload into a frame of this fleet's kind.
    pub fn framed(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 16);
        frame::write(&mut out, self.opcode, payload);
        out
    }

    /// Closes connections without a word, as a client that lost its network.
    pub fn drop_from(&mut self, first: usize) {
        for place in self.connections.iter_mut().skip(first) {
            if let Some(connection) = place.take() {
                match connection.phase {
                    Phase::Connecting | Phase::Upgrading => self.opening -= 1,
                    Phase::Open | Phase::Closing => self.open -= 1,
                }
            }
        }
        self.connections.truncate(first);
    }

    /// How many connections are open.
    pub fn open_count(&self) -> usize {
        self.open
    }

    /// Bytes of all frames received so far, heads included.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    fn flush(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else { return };
        if connection.phase == Phase::Connecting {
            connection.phase = Phase::Upgrading;
            connection.write(&self.request);
        } else if !connection.unsent.is_empty() {
            let unsent = std::mem::take(&mut connection.unsent);
            connection.write(&unsent);
        }
    }

    fn receive(&mut self, index: usize, ending: bool, watch: &mut impl FnMut(usize, Seen<'_>, &mut Vec<u8>)) {
        let mut answer = Vec::new();
        loop {
            let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else { return };
            match connection.stream.read(&mut self.scratch) {
                Ok(0) => return self.end(index, "end of stream", watch),
                Ok(count) => {
                    let was = connection.phase;
                    let outcome = connection.digest(&self.scratch[..count], self.opcode, &mut self.received_bytes, &mut |seen| {
                        watch(index, seen, &mut answer);
                    });
                    if was == Phase::Upgrading && connection.phase == Phase::Open {
                        self.opening -= 1;
                        self.open += 1;
                    }
                    if !answer.is_empty() {
                        connection.write(&answer);
                        answer.clear();
                    }
                    if let Err(why) = outcome {
                        return self.end(index, &why, watch);
                    }
                    // Edge-triggered: a short read has emptied the socket, and what comes later is a new edge.
                    if count < self.scratch.len() && !ending {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.end(index, &error.to_string(), watch),
            }
        }
    }

    fn end(&mut self, index: usize, why: &str, watch: &mut impl FnMut(usize, Seen<'_>, &mut Vec<u8>)) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::take) else { return };
        match connection.phase {
            Phase::Connecting | Phase::Upgrading => self.opening -= 1,
            Phase::Open | Phase::Closing => self.open -= 1,
        }
        let words = if connection.last_words.is_empty() { why.to_owned() } else { connection.last_words };
        watch(index, Seen::Ended(words), &mut Vec::new());
    }
}

/// The errno of a connection that is on its way; the same on every Linux that we run on.
const EINPROGRESS: i32 = 115;

impl Connection {
    fn write(&mut self, bytes: &[u8]) {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.extend_from_slice(rest);
                    return;
                }
                Err(error) => return self.note(&error),
            }
        }
    }

    /// The read side tells the end; this only keeps the first reason.
    fn note(&mut self, error: &io::Error) {
        if self.last_words.is_empty() {
            self.last_words = error.to_string();
        }
    }

    fn digest(&mut self, fresh: &[u8], opcode: Opcode, received: &mut u64, see: &mut impl FnMut(Seen<'_>)) -> Result<(), String> {
        let joined;
        let mut rest = if self.partial.is_empty() {
            fresh
        } else {
            self.partial.extend_from_slice(fresh);
            joined = std::mem::take(&mut self.partial);
            &joined[..]
        };
        if matches!(self.phase, Phase::Connecting | Phase::Upgrading) {
            let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                self.partial = rest.to_vec();
                return Ok(());
            };
            if !rest.starts_with(b"HTTP/1.1 101") {
                return Err(String::from_utf8_lossy(rest).into_owned());
            }
            rest = &rest[end + 4..];
            self.phase = Phase::Open;
            see(Seen::Opened);
        }
        loop {
            match frame::read(rest) {
                Ok(None) => break,
                Err(frame::BadFrame) => return Err("a frame that cannot be read".to_owned()),
                Ok(Some(whole)) => {
                    *received += whole.bytes as u64;
                    rest = &rest[whole.bytes..];
                    self.take(whole, opcode, see)?;
                }
            }
        }
        if !rest.is_empty() {
            self.partial = rest.to_vec();
        }
        Ok(())
    }

    fn take(&mut self, whole: frame::Frame<'_>, opcode: Opcode, see: &mut impl FnMut(Seen<'_>)) -> Result<(), String> {
        match whole.opcode {
            Opcode::Text | Opcode::Binary if whole.opcode == opcode => see(Seen::Frame(whole.payload)),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => return Err("a frame of another kind".to_owned()),
            Opcode::Ping => {
                let mut pong = Vec::new();
                frame::write(&mut pong, Opcode::Pong, whole.payload);
                self.write(&pong);
            }
            Opcode::Pong => {}
            Opcode::Close => {
                self.phase = Phase::Closing;
                self.last_words = match whole.payload {
                    [a, b, text @ ..] => format!("close {} {}", u16::from_be_bytes([*a, *b]), String::from_utf8_lossy(text)),
                    _ => "close without a code".to_owned(),
                };
            }
        }
        Ok(())
    }
}
