//! A small reader of server-sent events over HTTP/1.1: what arrives, event by event.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::server::Person;
use crate::within;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub data: Value,
}

/// An open stream of events.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
    /// Bytes of the body that are not taken apart yet, and of chunks that are not whole yet.
    raw: Vec<u8>,
    body: Vec<u8>,
    waiting: VecDeque<Event>,
    /// Heartbeats heard.
    pub beats: usize,
    ended: bool,
}

impl Events {
    /// Opens a stream; `hello` was received.
    pub async fn open(to: SocketAddr, person: &Person) -> Self {
        let mut events = Self::shake(to, person, None).await;
        let hello = events.next().await.expect("hello comes first");
        assert_eq!(hello.name, "hello", "{hello:?}");
        assert!(hello.data["session"].is_string(), "{hello:?}");
        events
    }

    /// The same, with a receive buffer of the kernel's, and nothing read but the head.
    pub async fn shake(to: SocketAddr, person: &Person, receive_buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).expect("the buffer can be set");
        }
        let mut stream = socket.connect(to).await.expect("the server takes connections");
        let head = format!("GET /v1/events HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {}\r\n\r\n", person.access);
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        let mut events = Self { stream, raw: Vec::new(), body: Vec::new(), waiting: VecDeque::new(), beats: 0, ended: false };
        let head = within("the stream begins", async {
            loop {
                if let Some(end) = events.raw.windows(4).position(|four| four == b"\r\n\r\n") {
                    return events.raw.drain(..end + 4).collect::<Vec<u8>>();
                }
                assert!(events.fill().await, "an answer comes: {:?}", String::from_utf8_lossy(&events.raw));
            }
        })
        .await;
        let head = String::from_utf8(head).expect("a head is text").to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        events
    }

    async fn fill(&mut self) -> bool {
        let mut bytes = vec![0; 4_096];
        match self.stream.read(&mut bytes).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.raw.extend_from_slice(&bytes[..count]);
                true
            }
        }
    }

    /// The next event; nothing at the end of the stream.
    pub async fn next(&mut self) -> Option<Event> {
        within("an event, or the end", async {
            loop {
                if let Some(event) = self.waiting.pop_front() {
                    return Some(event);
                }
                if self.ended || (!self.take_apart() && !self.fill().await) {
                    return None;
                }
            }
        })
        .await
    }

    /// The next event of this name; others are passed over.
    pub async fn named(&mut self, name: &str) -> Value {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("{name} comes before the end"));
            if event.name == name {
                return event.data;
            }
        }
    }

    /// Waits for a heartbeat.
    pub async fn beat(&mut self) {
        let before = self.beats;
        within("a heartbeat", async {
            while self.beats == before {
                assert!(self.take_apart() || self.fill().await, "the stream goes on");
            }
        })
        .await;
    }

    /// Takes one chunk apart, if there is a whole one.
    fn take_apart(&mut self) -> bool {
        let Some(line) = self.raw.windows(2).position(|two| two == b"\r\n") else { return false };
        let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..line]).expect("a size is text"), 16).expect("a size is hex");
        if self.raw.len() < line + 2 + size + 2 {
            return false;
        }
        self.body.extend_from_slice(&self.raw[line + 2..line + 2 + size]);
        self.raw.drain(..line + 2 + size + 2);
        self.ended = size == 0;
        while let Some(end) = self.body.windows(2).position(|two| two == b"\n\n") {
            let text: Vec<u8> = self.body.drain(..end + 2).collect();
            self.sort(std::str::from_utf8(&text).expect("events are UTF-8"));
        }
        true
    }

    fn sort(&mut self, text: &str) {
        let text = text.trim_end_matches('\n');
        if text.starts_with(':') {
            self.beats += 1;
            return;
        }
        let (name, data) = text.split_once('\n').expect("two lines");
        let name = name.strip_prefix("event: ").expect("an event has a name").to_owned();
        let data = serde_json::from_str(data.strip_prefix("data: ").expect("an event has data")).expect("data is JSON");
        self.waiting.push_back(Event { name, data });
    }
}
