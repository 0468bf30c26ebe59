//! A client of the native protocol for tests: requests and their replies, awaited pushes, raw frames, closes.
//!
//! Every frame that arrives is checked against the three envelope shapes, so each scenario checks them too. A client has
//! no task of its own: it reads while the test waits for something, and keeps what it was not asked for.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::server::Person;
use crate::wire::Encoding;
use crate::within;

/// A typed error, as replies and `error` pushes carry it.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: u64,
    pub name: String,
    pub retry: String,
    pub after_ms: Option<u64>,
    pub field: Option<String>,
}

/// A push and what it says.
#[derive(Debug, Clone)]
pub struct Push {
    pub ev: String,
    pub d: Value,
}

/// How a connection ended.
#[derive(Debug)]
pub struct Ended {
    /// The close code; `None` if the connection broke without one.
    pub code: Option<u16>,
    /// What the `bye` before it said.
    pub bye: Option<Value>,
}

/// What was read at the end of a connection.
#[derive(Debug, Clone, Copy)]
enum Closed {
    /// A close frame, with or without a code.
    Said(Option<u16>),
    /// Nothing: the stream broke.
    Broken,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    encoding: Encoding,
    next_id: u32,
    replies: HashMap<u32, Result<Value, Refusal>>,
    pushes: VecDeque<Push>,
    ended: Option<Closed>,
    bye: Option<Value>,
    /// Pushes since `hello`, heartbeats not counted (P8).
    pub counted: u64,
    /// What `hello` said.
    pub hello: Value,
    /// Whether the test sends one number twice, so that it may be answered twice.
    pub repeats_numbers: bool,
}

/// How a handshake was refused.
#[derive(Debug)]
pub struct NotUpgraded {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// What goes beside the subprotocol of a handshake.
#[derive(Debug, Default)]
pub struct Handshake {
    pub subprotocol: Option<String>,
    pub bearer: Option<String>,
    /// Bytes of the kernel's receive buffer; small for a client that reads slowly.
    pub receive_buffer: Option<u32>,
}

impl Client {
    /// A connection that has said nothing yet; `hello` was received.
    pub async fn open(to: SocketAddr, encoding: Encoding) -> Self {
        let handshake = Handshake { subprotocol: Some(encoding.subprotocol().to_owned()), ..Handshake::default() };
        Self::shake(to, encoding, handshake).await.expect("the handshake is accepted")
    }

    /// The same with a handshake of one's own, which may be refused.
    pub async fn shake(to: SocketAddr, encoding: Encoding, handshake: Handshake) -> Result<Self, NotUpgraded> {
        let mut request = format!("ws://{to}/v1/ws").into_client_request().expect("the address makes a URL");
        let headers: &mut HeaderMap = request.headers_mut();
        if let Some(subprotocol) = &handshake.subprotocol {
            headers.insert("sec-websocket-protocol", HeaderValue::from_str(subprotocol).expect("a header's text"));
        }
        if let Some(token) = &handshake.bearer {
            headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).expect("a header's text"));
        }
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        if let Some(bytes) = handshake.receive_buffer {
            socket.set_recv_buffer_size(bytes).expect("the buffer's size can be set");
        }
        let stream = within("the server takes a connection", socket.connect(to)).await.expect("the server takes connections");
        stream.set_nodelay(true).expect("an option of every socket");
        let (socket, answer) = match within("the handshake is answered", tokio_tungstenite::client_async(request, stream)).await {
            Ok(done) => done,
            Err(Error::Http(answer)) => {
                let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
                return Err(NotUpgraded {
                    status: answer.status().as_u16(),
                    content_type: content_type.to_owned(),
                    body: String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned(),
                });
            }
            Err(error) => panic!("the handshake failed: {error}"),
        };
        let echoed: Vec<_> = answer.headers().get_all("sec-websocket-protocol").iter().collect();
        assert_eq!(echoed, [encoding.subprotocol()], "exactly the subprotocol is echoed, never a token (P4)");
        let mut client = Self {
            socket,
            encoding,
            next_id: 1,
            replies: HashMap::new(),
            pushes: VecDeque::new(),
            ended: None,
            bye: None,
            counted: 0,
            hello: Value::Null,
            repeats_numbers: false,
        };
        client.hello = within("the server speaks first (P2)", client.push("hello")).await;
        assert!(client.pushes.is_empty() && client.replies.is_empty(), "hello is the first frame (P2)");
        client.counted = 0;
        Ok(client)
    }

    /// Proves who this is.
    pub async fn authenticate(&mut self, person: &Person) {
        let ok = self.ask("auth", json!({"token": person.access})).await;
        assert_eq!(ok["user"]["id"], person.id, "{ok}");
    }

    /// Sends a request and gives its answer's `ok`.
    pub async fn ask(&mut self, op: &str, d: Value) -> Value {
        let text = format!("{op} {d}");
        self.try_ask(op, d).await.unwrap_or_else(|refusal| panic!("{text} is answered well, not by {refusal:?}"))
    }

    /// Sends a request and gives the refusal that it must meet.
    pub async fn refused(&mut self, op: &str, d: Value) -> Refusal {
        let text = format!("{op} {d}");
        match self.try_ask(op, d).await {
            Err(refusal) => refusal,
            Ok(ok) => panic!("{text} is refused, not answered by {ok}"),
        }
    }

    /// Sends a request and gives its answer.
    pub async fn try_ask(&mut self, op: &str, d: Value) -> Result<Value, Refusal> {
        let id = self.send(op, d).await;
        self.reply(id).await
    }

    /// Sends a request without waiting; its number.
    pub async fn send(&mut self, op: &str, d: Value) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.send_value(&json!({"id": id, "op": op, "d": d})).await;
        id
    }

    /// Sends a request that wants no reply.
    pub async fn tell(&mut self, op: &str, d: Value) {
        self.send_value(&json!({"op": op, "d": d})).await;
    }

    /// Sends one value in the connection's encoding.
    pub async fn send_value(&mut self, value: &Value) {
        let bytes = self.encoding.encode(value);
        self.send_bytes(bytes).await;
    }

    /// Sends bytes as one frame of the kind that the encoding uses; text that is not UTF-8 goes as binary.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        let message = match (self.encoding, String::from_utf8(bytes)) {
            (Encoding::Json, Ok(text)) => Message::Text(Utf8Bytes::from(text)),
            (_, Ok(text)) => Message::Binary(text.into_bytes().into()),
            (_, Err(error)) => Message::Binary(error.into_bytes().into()),
        };
        self.send_message(message).await;
    }

    /// Sends whatever it is told; a connection that has ended is noticed when something is awaited.
    pub async fn send_message(&mut self, message: Message) {
        let sent = within("the server takes what is sent", self.socket.send(message)).await;
        if let Err(error) = sent {
            assert!(is_an_end(&error), "sending failed: {error}");
        }
    }

    /// The answer to a request that was sent.
    pub async fn reply(&mut self, id: u32) -> Result<Value, Refusal> {
        let what = format!("request {id} is answered");
        within(&what, async {
            loop {
                if let Some(reply) = self.replies.remove(&id) {
                    return reply;
                }
                assert!(self.step().await, "{what} before the end ({:?}, {:?})", self.ended, self.bye);
            }
        })
        .await
    }

    /// The answer to a request, or nothing if the connection ended first.
    pub async fn reply_or_end(&mut self, id: u32) -> Option<Result<Value, Refusal>> {
        within(&format!("request {id} is answered, or the connection ends"), async {
            loop {
                if let Some(reply) = self.replies.remove(&id) {
                    return Some(reply);
                }
                if !self.step().await {
                    return None;
                }
            }
        })
        .await
    }

    /// The next push of this kind; what it says.
    pub async fn push(&mut self, ev: &str) -> Value {
        self.push_where(ev, |_| true).await
    }

    /// The next push of this kind that is as told; others of its kind are left.
    pub async fn push_where(&mut self, ev: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let what = format!("a push {ev}");
        within(&what, async {
            loop {
                if let Some(at) = self.pushes.iter().position(|push| push.ev == ev && fits(&push.d)) {
                    return self.pushes.remove(at).expect("it was found there").d;
                }
                assert!(self.step().await, "{what} before the end ({:?}, {:?})", self.ended, self.bye);
            }
        })
        .await
    }

    /// The pushes of this kind that have arrived and were not asked for, heard together with everything that the
    /// server wrote before it answered one more request.
    pub async fn arrived(&mut self, ev: &str) -> Vec<Value> {
        self.ask("hb", json!({})).await;
        let (found, others) = self.pushes.drain(..).partition(|push| push.ev == ev);
        self.pushes = others;
        let found: VecDeque<Push> = found;
        found.into_iter().map(|push| push.d).collect()
    }

    /// Reads until the server closes the connection.
    pub async fn ended(&mut self) -> Ended {
        within("the server closes the connection", async { while self.step().await {} }).await;
        let code = match self.ended {
            Some(Closed::Said(code)) => code,
            Some(Closed::Broken) | None => None,
        };
        Ended { code, bye: self.bye.take() }
    }

    /// Whether the server has ended the connection, as far as was read.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Closes from this side, as a client that leaves does.
    pub async fn close(mut self) {
        let closed = within("the close frame is taken", self.socket.close(None)).await;
        if let Err(error) = closed {
            assert!(is_an_end(&error), "closing failed: {error}");
        }
        within("the server closes as well", async { while self.step().await {} }).await;
    }

    /// Drops every reply and push that was not asked for.
    pub fn forget(&mut self) {
        self.replies.clear();
        self.pushes.clear();
    }

    /// Asks for a sign of life; everything that the server said before it has arrived then.
    pub async fn ask_fence(&mut self) {
        self.next_id = self.next_id.max(1_000);
        self.ask("hb", json!({})).await;
    }

    /// Whether a refusal has arrived: as the reply to this request, or as a push.
    pub fn took_a_refusal(&mut self, id: u32) -> bool {
        let replied = matches!(self.replies.remove(&id), Some(Err(_)));
        let pushed = self.pushes.iter().any(|push| push.ev == "error");
        self.forget();
        replied || pushed
    }

    /// The next entry or gap of a conversation: the seqs from and to.
    pub async fn entry_or_gap(&mut self, conv: &str) -> (u64, u64) {
        within("an entry or a gap", async {
            loop {
                let fits = |push: &Push| (push.ev == "entry" || push.ev == "gap") && push.d["conv"] == conv;
                if let Some(at) = self.pushes.iter().position(fits) {
                    return self.pushes.remove(at).expect("it was found there").seqs();
                }
                assert!(self.step().await, "before the end ({:?}, {:?})", self.ended, self.bye);
            }
        })
        .await
    }

    /// Reads one frame; `false` at the end of the connection.
    pub async fn step(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => {
                assert_eq!(self.encoding, Encoding::Json, "text frames are for JSON: {text}");
                let value = self.encoding.decode(text.as_bytes());
                self.sort(value);
            }
            Some(Ok(Message::Binary(bytes))) => {
                assert_eq!(self.encoding, Encoding::MessagePack, "binary frames are for MessagePack");
                let value = self.encoding.decode(&bytes);
                self.sort(value);
            }
            Some(Ok(Message::Close(frame))) => {
                self.ended = Some(Closed::Said(frame.map(|frame| frame.code.into())));
                // The close handshake is finished by the library's next read; its outcome says nothing any more.
                while let Some(Ok(_)) = self.socket.next().await {}
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => {
                assert!(is_an_end(&error), "reading failed: {error}");
                self.ended = Some(Closed::Broken);
            }
            None => self.ended = Some(Closed::Broken),
        }
        self.ended.is_none()
    }

    /// Puts an envelope where it belongs, and checks its form.
    fn sort(&mut self, value: Value) {
        let fields: Vec<&str> = value.as_object().expect("an envelope is a map").keys().map(String::as_str).collect();
        match fields[..] {
            ["id", "ok"] | ["ok", "id"] => {
                assert!(value["ok"].is_object(), "{value}");
                self.file(&value, Ok(value["ok"].clone()));
            }
            ["err", "id"] | ["id", "err"] => self.file(&value, Err(Refusal::read(&value["err"]))),
            ["d", "ev"] | ["ev", "d"] => {
                let ev = value["ev"].as_str().expect("an event's name is a text").to_owned();
                let d = value["d"].clone();
                assert!(d.is_object(), "{value}");
                match ev.as_str() {
                    "hb" => assert_eq!(d["s"], self.counted, "the server's count of pushes is ours (P8)"),
                    "error" => drop(Refusal::read(&d)),
                    "bye" => self.bye = Some(d.clone()),
                    _ => {}
                }
                self.counted += u64::from(!matches!(ev.as_str(), "hb" | "hello"));
                self.pushes.push_back(Push { ev, d });
            }
            _ => panic!("a frame is {{id, ok}}, {{id, err}} or {{ev, d}} (P8), not {value}"),
        }
    }

    fn file(&mut self, value: &Value, reply: Result<Value, Refusal>) {
        let id = value["id"].as_u64().and_then(|id| u32::try_from(id).ok()).expect("a reply names its request");
        let before = self.replies.insert(id, reply);
        assert!(before.is_none() || self.repeats_numbers, "request {id} is answered once (I10)");
    }
}

impl Push {
    /// From where to where an entry or a gap goes.
    fn seqs(&self) -> (u64, u64) {
        let number = |name: &str| self.d[name].as_u64().unwrap_or_else(|| panic!("{name}: {}", self.d));
        if self.ev == "entry" { (number("seq"), number("seq")) } else { (number("from"), number("to")) }
    }
}

impl Refusal {
    /// A typed error, with every field that it must have (P38).
    pub fn read(err: &Value) -> Self {
        let text = |name: &str| err[name].as_str().unwrap_or_else(|| panic!("an error has {name} (P38): {err}")).to_owned();
        for known in err.as_object().expect("an error is a map").keys() {
            assert!(["code", "name", "msg", "retry", "after_ms", "field", "ref"].contains(&known.as_str()), "{err}");
        }
        let retry = text("retry");
        assert!(["never", "now", "after", "refresh", "resync", "unknown"].contains(&retry.as_str()), "{err}");
        assert!(retry != "after" || err["after_ms"].is_u64(), "who is to wait is told how long: {err}");
        assert!(!text("msg").is_empty() && !text("ref").is_empty(), "{err}");
        Self {
            code: err["code"].as_u64().unwrap_or_else(|| panic!("an error has a code: {err}")),
            name: text("name"),
            retry,
            after_ms: err["after_ms"].as_u64(),
            field: err["field"].as_str().map(str::to_owned),
        }
    }

    /// The range that its code is in: 1 protocol, 2 auth, 3 permission, 4 content, 5 limits, 6 state, 7 overload (P39).
    pub fn range(&self) -> u64 {
        self.code / 1000
    }
}

/// Whether an error of the socket means that the connection is over, and not that the server sent nonsense.
fn is_an_end(error: &Error) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    matches!(
        error,
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
    ) || matches!(error, Error::Protocol(ProtocolError::SendAfterClosing))
}
