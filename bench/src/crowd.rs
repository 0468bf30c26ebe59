//! Authenticated users of one Parlance server, all in this thread: [`crate::client`] speaking [`crate::native`].
//!
//! They answer heartbeats by themselves. Invariant: a connection that ends, a refused request and a notice of the
//! server fail the run; no figure is made of a crowd that has shrunk.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::client::{Fleet, Seen};
use crate::frame;
use crate::native::{self, Encoding, Heard};

/// The request that authenticates; all others have higher numbers.
const AUTH: u32 = 1;
/// For connecting and authenticating all that come at once.
const PATIENCE: Duration = Duration::from_mins(3);
/// The longest single wait for something to come in.
const TURN: Duration = Duration::from_millis(20);

/// What a connection tells whoever measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// An entry was delivered to it.
    Entry,
    /// Its request with this number was done.
    Done(u32),
    /// It was told how many members a group has; what that took on the wire, the frame's head included.
    Members(usize),
    /// It was told something else, heartbeats left out; what that took on the wire.
    Other(usize),
}

/// Users, each with one connection, named by the order in which they came.
#[derive(Debug)]
pub struct Crowd {
    fleet: Fleet,
    ears: Ears,
}

/// Makes frames of requests.
#[derive(Debug, Clone, Copy)]
pub struct Framer(Encoding);

impl Framer {
    /// A frame that asks for the first page of the list of conversations.
    pub fn list(self, id: u32) -> Vec<u8> {
        self.framed(&native::list(self.0, id))
    }

    /// A frame that asks for everything new, of a client that knows nothing.
    pub fn sync(self, id: u32) -> Vec<u8> {
        self.framed(&native::sync(self.0, id))
    }

    fn framed(self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame::write(&mut out, self.0.opcode(), payload);
        out
    }

    /// Puts a frame that sends a text behind what is in `out`.
    pub fn send(self, out: &mut Vec<u8>, id: u32, conversation: &str, client_key: &str, text: &str) {
        frame::write(out, self.0.opcode(), &native::send(self.0, id, conversation, client_key, text));
    }
}

/// What is needed to understand any connection.
#[derive(Debug)]
struct Ears {
    encoding: Encoding,
    beat: Vec<u8>,
    /// Frames that authenticate the newcomers, and the first of them.
    introductions: Vec<Vec<u8>>,
    newcomer: usize,
    arrived: usize,
    trouble: Option<String>,
    /// What one delivery took on the wire, newest.
    entry_bytes: usize,
}

impl Ears {
    fn take(&mut self, who: usize, seen: Seen<'_>, say: &mut Vec<u8>, tell: &mut impl FnMut(usize, Told, &mut Vec<u8>)) {
        let payload = match seen {
            Seen::Opened => return,
            Seen::Ended(why) => return self.complain(format!("connection {who} ended: {why}")),
            Seen::Frame(payload) => payload,
        };
        match native::hear(self.encoding, payload) {
            Some(Heard::Entry) => {
                self.entry_bytes = wire_bytes(payload);
                tell(who, Told::Entry, say);
            }
            Some(Heard::Reply(AUTH, Ok(()))) => self.arrived += 1,
            Some(Heard::Reply(id, Ok(()))) => tell(who, Told::Done(id), say),
            Some(Heard::Reply(id, Err(why))) => self.complain(format!("request {id} of connection {who} was refused: {why}")),
            Some(Heard::Trouble(why)) => self.complain(format!("connection {who} was told {why}")),
            Some(Heard::Beat) => say.extend_from_slice(&self.beat),
            Some(Heard::Hello) => {
                if let Some(introduction) = who.checked_sub(self.newcomer).and_then(|place| self.introductions.get(place)) {
                    say.extend_from_slice(introduction);
                }
            }
            Some(Heard::Members) => tell(who, Told::Members(wire_bytes(payload)), say),
            Some(Heard::Other) => tell(who, Told::Other(wire_bytes(payload)), say),
            None => self.complain(format!("connection {who} got a frame that cannot be read")),
        }
    }

    /// The first trouble explains the others.
    fn complain(&mut self, why: String) {
        self.trouble.get_or_insert(why);
    }
}

/// What a short payload takes in a frame without a mask.
fn wire_bytes(payload: &[u8]) -> usize {
    payload.len() + if payload.len() < 126 { 2 } else { 4 }
}

impl Crowd {
    /// Nobody yet.
    pub fn new(server: SocketAddr, encoding: Encoding) -> Result<Self> {
        let fleet = Fleet::new(server, "/v1/ws", Some(encoding.subprotocol()), encoding.opcode())?;
        let beat = fleet.framed(&native::beat(encoding));
        let ears = Ears { encoding, beat, introductions: vec![], newcomer: 0, arrived: 0, trouble: None, entry_bytes: 0 };
        Ok(Self { fleet, ears })
    }

    /// Connects and authenticates one more user for each token; returns when all of them are in.
    pub fn join(&mut self, tokens: &[String]) -> Result<()> {
        let Self { fleet, ears } = self;
        ears.newcomer = fleet.open_count();
        ears.introductions = tokens.iter().map(|token| fleet.framed(&native::auth(ears.encoding, AUTH, token))).collect();
        let (goal, until) = (ears.arrived + tokens.len(), Instant::now() + PATIENCE);
        let opened = fleet.open(tokens.len(), PATIENCE, &mut |who, seen, say| ears.take(who, seen, say, &mut |_, _, _| {}));
        self.check()?;
        opened?;
        while self.ears.arrived < goal {
            self.turn(&mut |_, _, _| {})?;
            ensure!(Instant::now() < until, "{} connections were not authenticated in time", goal - self.ears.arrived);
        }
        self.ears.introductions = vec![];
        Ok(())
    }

    /// Handles what came in; `tell` may answer on the same connection at once.
    pub fn turn(&mut self, tell: &mut impl FnMut(usize, Told, &mut Vec<u8>)) -> Result<()> {
        let Self { fleet, ears } = self;
        fleet.turn(TURN, &mut |who, seen, say| ears.take(who, seen, say, tell))?;
        self.check()
    }

    fn check(&self) -> Result<()> {
        match &self.ears.trouble {
            Some(why) => bail!("{why}"),
            None => Ok(()),
        }
    }

    /// Stays connected and silent for so long.
    pub fn rest(&mut self, span: Duration) -> Result<()> {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.turn(&mut |_, _, _| {})?;
        }
        Ok(())
    }

    /// Lets everybody go who came as number `first` or later, without a word.
    pub fn part(&mut self, first: usize) {
        self.fleet.drop_from(first);
        self.ears.arrived = self.fleet.open_count();
    }

    /// What makes frames for these connections.
    pub fn framer(&self) -> Framer {
        Framer(self.ears.encoding)
    }

    /// Writes frames on one connection.
    pub fn say(&mut self, who: usize, frames: &[u8]) {
        self.fleet.say(who, frames);
    }

    /// How many are connected.
    pub fn size(&self) -> usize {
        self.fleet.open_count()
    }

    /// How they write.
    pub fn encoding(&self) -> Encoding {
        self.ears.encoding
    }

    /// Bytes that the newest delivery took on the wire, its frame's head included; 0 before the first.
    pub fn entry_bytes(&self) -> usize {
        self.ears.entry_bytes
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use serde_json::{Value, json};
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

    use super::*;

    type Socket = WebSocket<std::net::TcpStream>;

    /// A server of one connection that plays its part and returns what it heard.
    fn server(play: fn(&mut Socket) -> Vec<Value>) -> (SocketAddr, JoinHandle<Vec<Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let serving = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client comes");
            #[expect(clippy::result_large_err, reason = "the library's callback has this shape")]
            let negotiate = |request: &Request, mut response: Response| {
                let offered = request.headers().get("sec-websocket-protocol").expect("one is offered").clone();
                response.headers_mut().insert("sec-websocket-protocol", offered);
                Ok(response)
            };
            let mut socket = tungstenite::accept_hdr(stream, negotiate).expect("a handshake");
            tell(&mut socket, &json!({"ev": "hello", "d": {}}));
            play(&mut socket)
        });
        (address, serving)
    }

    fn tell(socket: &mut Socket, value: &Value) {
        socket.send(Message::text(value.to_string())).expect("the client reads");
    }

    fn heard(socket: &mut Socket) -> Value {
        let text = socket.read().expect("the client speaks").into_text().expect("text");
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn users_come_in_answer_heartbeats_and_hear_entries() {
        let (address, serving) = server(|socket| {
            let auth = heard(socket);
            tell(socket, &json!({"id": 1, "ok": {"user": {"id": 3}}}));
            tell(socket, &json!({"ev": "hb", "d": {"s": 0}}));
            let beat = heard(socket);
            tell(socket, &json!({"ev": "entry", "d": {"seq": 1}}));
            let sent = heard(socket);
            tell(socket, &json!({"id": 2, "ok": {"seq": 2}}));
            vec![auth, beat, sent]
        });
        let mut crowd = Crowd::new(address, Encoding::Json).expect("a crowd");
        crowd.join(&["secret".to_owned()]).expect("comes in");
        let (framer, mut told) = (crowd.framer(), vec![]);
        while told.len() < 2 {
            let turned = crowd.turn(&mut |who, what, say| {
                told.push((who, what));
                if what == Told::Entry {
                    framer.send(say, 2, "g7", "k", "hi");
                }
            });
            assert!(turned.is_ok() || told.len() == 2, "{turned:?}");
        }
        assert_eq!(told, [(0, Told::Entry), (0, Told::Done(2))]);
        assert!(crowd.entry_bytes() > 10);
        let heard = serving.join().expect("the server played its part");
        assert_eq!(heard[0]["d"]["token"], "secret");
        assert_eq!(heard[1]["op"], "hb");
        assert_eq!(heard[2]["d"]["conv"], "g7");
    }

    #[test]
    fn a_refusal_fails_the_run_with_its_reason() {
        let (address, serving) = server(|socket| {
            let auth = heard(socket);
            tell(socket, &json!({"id": 1, "err": {"code": 2002, "name": "token_invalid", "msg": "no", "retry": "never", "ref": "r"}}));
            vec![auth]
        });
        let mut crowd = Crowd::new(address, Encoding::Json).expect("a crowd");
        let refused = crowd.join(&["bad".to_owned()]).expect_err("refused");
        assert!(refused.to_string().contains("token_invalid"), "{refused}");
        serving.join().expect("the server played its part");
    }
}
