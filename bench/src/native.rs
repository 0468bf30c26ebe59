//! The native protocol as far as the bench speaks it: a few requests, and what a frame is about.
//!
//! Only what must be known is read; an entry is told by its first bytes, all else by its envelope.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::frame::Opcode;

/// How frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    /// Text frames.
    Json,
    /// Binary frames.
    Msgpack,
}

impl Encoding {
    /// What is offered in the handshake.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "parlance.v1+json",
            Self::Msgpack => "parlance.v1+msgpack",
        }
    }

    /// The kind of its frames.
    pub fn opcode(self) -> Opcode {
        match self {
            Self::Json => Opcode::Text,
            Self::Msgpack => Opcode::Binary,
        }
    }
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Msgpack => "MessagePack",
        })
    }
}

/// What a frame of the server is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The first push: the client may authenticate.
    Hello,
    /// A heartbeat to be answered.
    Beat,
    /// An entry of a conversation.
    Entry,
    /// The answer to a request, and what went wrong if something did.
    Reply(u32, Result<(), String>),
    /// The server gives notice of a fault or of its end.
    Trouble(String),
    /// How many members a group has now.
    Members,
    /// Any other push.
    Other,
}

#[derive(Deserialize)]
struct Envelope {
    id: Option<u32>,
    err: Option<Fault>,
    ev: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Fault {
    code: u32,
    name: String,
    msg: String,
}

/// What the frame is about; `None` if it cannot be read.
pub fn hear(encoding: Encoding, payload: &[u8]) -> Option<Heard> {
    let envelope: Envelope = match encoding {
        Encoding::Json if payload.starts_with(b"{\"ev\":\"entry\"") => return Some(Heard::Entry),
        Encoding::Msgpack if payload.starts_with(b"\x82\xa2ev\xa5entry") => return Some(Heard::Entry),
        Encoding::Json => serde_json::from_slice(payload).ok()?,
        Encoding::Msgpack => rmp_serde::from_slice(payload).ok()?,
    };
    Some(match (envelope.ev.as_deref(), envelope.id) {
        (Some("hello"), _) => Heard::Hello,
        (Some("hb"), _) => Heard::Beat,
        (Some("entry"), _) => Heard::Entry,
        (Some("members"), _) => Heard::Members,
        (Some("bye" | "error"), _) => Heard::Trouble(excerpt(payload)),
        (None, Some(id)) => {
            Heard::Reply(id, envelope.err.map_or(Ok(()), |fault| Err(format!("{} {}: {}", fault.code, fault.name, fault.msg))))
        }
        (Some(_) | None, _) => Heard::Other,
    })
}

/// The start of a frame as people can read it.
fn excerpt(payload: &[u8]) -> String {
    payload.iter().take(200).fold(String::new(), |mut text, byte| {
        let shown = if (32..127).contains(byte) { char::from(*byte) } else { '.' };
        text.write_char(shown).expect("writing to a text does not fail");
        text
    })
}

#[derive(Serialize)]
struct Request<'a, D> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    op: &'a str,
    d: D,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Auth<'a> {
    token: &'a str,
}

#[derive(Serialize)]
struct Send<'a> {
    conv: &'a str,
    client_key: &'a str,
    body: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    text: &'a str,
}

fn write(encoding: Encoding, request: &impl Serialize) -> Vec<u8> {
    match encoding {
        Encoding::Json => serde_json::to_vec(request).expect("plain maps and texts always encode"),
        Encoding::Msgpack => rmp_serde::to_vec_named(request).expect("plain maps and texts always encode"),
    }
}

/// `auth` with an access token.
pub fn auth(encoding: Encoding, id: u32, token: &str) -> Vec<u8> {
    write(encoding, &Request { id: Some(id), op: "auth", d: Auth { token } })
}

/// The answer to a heartbeat; it needs no reply.
pub fn beat(encoding: Encoding) -> Vec<u8> {
    write(encoding, &Request { id: None, op: "hb", d: Nothing {} })
}

/// `conv.list`: the first page.
pub fn list(encoding: Encoding, id: u32) -> Vec<u8> {
    write(encoding, &Request { id: Some(id), op: "conv.list", d: Nothing {} })
}

/// `sync` without a cursor: of a client that knows nothing.
pub fn sync(encoding: Encoding, id: u32) -> Vec<u8> {
    write(encoding, &Request { id: Some(id), op: "sync", d: Nothing {} })
}

/// `msg.send` of a text.
pub fn send(encoding: Encoding, id: u32, conversation: &str, client_key: &str, text: &str) -> Vec<u8> {
    write(encoding, &Request { id: Some(id), op: "msg.send", d: Send { conv: conversation, client_key, body: Body { text } } })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(value: &serde_json::Value) -> [Option<Heard>; 2] {
        let (json, msgpack) = (value.to_string(), rmp_serde::to_vec_named(value).expect("encodes"));
        [hear(Encoding::Json, json.as_bytes()), hear(Encoding::Msgpack, &msgpack)]
    }

    fn both(heard: Heard) -> [Option<Heard>; 2] {
        [Some(heard.clone()), Some(heard)]
    }

    #[test]
    fn frames_are_told_apart_in_both_encodings() {
        assert_eq!(heard(&json!({"ev": "hello", "d": {"time": 1}})), both(Heard::Hello));
        assert_eq!(heard(&json!({"ev": "hb", "d": {"s": 3}})), both(Heard::Beat));
        assert_eq!(heard(&json!({"ev": "entry", "d": {"conv": "g1", "body": {"text": "x"}}})), both(Heard::Entry));
        assert_eq!(heard(&json!({"ev": "receipts", "d": {}})), both(Heard::Other));
        assert_eq!(heard(&json!({"ev": "members", "d": {}})), both(Heard::Members));
        assert_eq!(heard(&json!({"id": 7, "ok": {"seq": 1}})), both(Heard::Reply(7, Ok(()))));
        let refused = heard(&json!({"id": 7, "err": {"code": 4001, "name": "malformed", "msg": "no", "retry": "never", "ref": "r"}}));
        for heard in refused {
            assert!(matches!(heard, Some(Heard::Reply(7, Err(why))) if why.contains("malformed")));
        }
        assert_eq!(hear(Encoding::Json, b"nonsense"), None);
    }

    #[test]
    fn requests_have_the_shape_of_the_contract() {
        let sent: serde_json::Value = serde_json::from_slice(&send(Encoding::Json, 3, "d1-2", "k1", "hello")).expect("JSON");
        assert_eq!(sent, json!({"id": 3, "op": "msg.send", "d": {"conv": "d1-2", "client_key": "k1", "body": {"text": "hello"}}}));
        let beat: serde_json::Value = rmp_serde::from_slice(&beat(Encoding::Msgpack)).expect("MessagePack");
        assert_eq!(beat, json!({"op": "hb", "d": {}}));
        let auth: serde_json::Value = serde_json::from_slice(&auth(Encoding::Json, 1, "t")).expect("JSON");
        assert_eq!(auth, json!({"id": 1, "op": "auth", "d": {"token": "t"}}));
    }
}
