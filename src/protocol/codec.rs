//! The two encodings, and how a frame comes apart into requests that stand or fall each for itself (P8–P10, P14).
//!
//! It reads structure alone; what a request means is [`crate::protocol::request`]. One request that is broken does not
//! spoil the others of its frame as long as the frame can be followed beyond it.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::fmt;

use actors::event::RenderingKey;
use serde::Serialize;

use crate::protocol::error::{Code, WireError};
use crate::protocol::json;
use crate::protocol::msgpack::Reader;
use crate::protocol::value::{DEPTH_MAX, Value};

/// How a connection spells everything, for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text frames.
    Json,
    /// Binary frames.
    MessagePack,
}

/// The subprotocols, in the order of preference.
pub const SUBPROTOCOLS: [&str; 2] = ["parlance.v1+json", "parlance.v1+msgpack"];

impl Encoding {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Json, Self::MessagePack];

    /// The encoding that a WebSocket subprotocol stands for.
    pub fn of_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.subprotocol() == name)
    }
    /// The WebSocket subprotocol.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "parlance.v1+json",
            Self::MessagePack => "parlance.v1+msgpack",
        }
    }
    /// Which cell of an announcement holds its rendering.
    pub fn rendering_key(self) -> RenderingKey {
        match self {
            Self::Json => const { RenderingKey::new(0) },
            Self::MessagePack => const { RenderingKey::new(1) },
        }
    }
    /// Whether frames are text.
    pub fn is_text(self) -> bool {
        match self {
            Self::Json => true,
            Self::MessagePack => false,
        }
    }

    /// The bytes of a value of ours.
    pub(crate) fn encode<T: Serialize + ?Sized>(self, value: &T) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        let done = match self {
            Self::Json => serde_json::to_writer(&mut bytes, value).map_err(|error| error.to_string()),
            Self::MessagePack => {
                let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
                value.serialize(&mut serializer).map_err(|error| error.to_string())
            }
        };
        done.expect("wire types have text keys, and stored data is checked before it is written");
        bytes
    }
}

/// Why bytes are no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No JSON; where and why.
    Syntax(String),
    /// The bytes end within a value.
    Truncated,
    /// A text is not UTF-8.
    Utf8,
    /// A key stands twice in one object.
    Twice(String),
    /// Too many levels.
    Depth,
    /// A `MessagePack` extension type or the unused marker.
    Extension,
    /// A key that is no text.
    Key,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(why) => write!(f, "not valid JSON: {why}"),
            Self::Truncated => f.write_str("the MessagePack value is not complete"),
            Self::Utf8 => f.write_str("a MessagePack text is not UTF-8"),
            Self::Twice(_) => f.write_str("a key stands twice in one object"),
            Self::Depth => write!(f, "more than {DEPTH_MAX} levels"),
            Self::Extension => f.write_str("MessagePack extension types are not used"),
            Self::Key => f.write_str("a MessagePack key is not a text"),
        }
    }
}

impl From<Fault> for WireError {
    fn from(fault: Fault) -> Self {
        let error = Self::with(Code::Malformed, fault.to_string());
        match fault {
            Fault::Twice(key) => error.at(key),
            Fault::Syntax(_) | Fault::Truncated | Fault::Utf8 | Fault::Depth | Fault::Extension | Fault::Key => error,
        }
    }
}

/// Objects of at most so many keys, which is every request, need no sorting; a frame has room for ten thousand keys.
const COMPARED_EACH_WITH_EACH: usize = 8;

/// Refuses an object that has a key twice.
pub(crate) fn distinct(entries: &[(Cow<'_, str>, Value<'_>)]) -> Result<(), Fault> {
    let twice = if entries.len() <= COMPARED_EACH_WITH_EACH {
        let mut earlier = entries.iter().enumerate();
        earlier.find(|(at, (key, _))| entries.iter().take(*at).any(|(other, _)| other == key)).map(|(_, (key, _))| key.as_ref())
    } else {
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        keys.array_windows().find(|[one, other]| one == other).map(|[key, _]| *key)
    };
    twice.map_or(Ok(()), |key| Err(Fault::Twice(shortened(key))))
}

/// A client's own word, short enough to be told back.
pub(crate) fn shortened(word: &str) -> String {
    word.chars().take(48).collect()
}

/// One request of a frame: its value, or its number as far as known and what is wrong.
pub(crate) type Piece<'a> = Result<Value<'a>, (Option<u32>, WireError)>;

/// Takes a frame apart; `requests_max` bounds how many requests it may hold.
pub(crate) fn pieces(encoding: Encoding, payload: &[u8], requests_max: usize) -> Vec<Piece<'_>> {
    let pieces = match encoding {
        Encoding::Json => json_pieces(payload, requests_max),
        Encoding::MessagePack => messagepack_pieces(payload, requests_max),
    };
    match pieces {
        Ok(pieces) if pieces.is_empty() => vec![Err((None, WireError::with(Code::Malformed, "the frame holds no request")))],
        Ok(pieces) => pieces,
        Err(error) => vec![Err((None, error))],
    }
}

fn json_pieces(payload: &[u8], requests_max: usize) -> Result<Vec<Piece<'_>>, WireError> {
    let read = |item| json::read(item).map_err(|fault| (json::peek_id(item), fault.into()));
    match json::split(payload) {
        None => Ok(vec![read(payload)]),
        Some(items) => {
            let items = items?;
            if items.len() > requests_max {
                return Err(too_many(requests_max));
            }
            Ok(items.into_iter().map(read).collect())
        }
    }
}

fn messagepack_pieces(payload: &[u8], requests_max: usize) -> Result<Vec<Piece<'_>>, WireError> {
    let mut reader = Reader::new(payload);
    let mut pieces = Vec::new();
    while !reader.is_at_end() {
        if pieces.len() == requests_max {
            return Err(too_many(requests_max));
        }
        let start = reader;
        match reader.value(0) {
            Ok(value) => pieces.push(Ok(value)),
            Err(fault) => {
                pieces.push(Err((start.peek_id(), fault.into())));
                reader = start;
                if reader.skip().is_err() {
                    break; // the frame cannot be followed any further
                }
            }
        }
    }
    Ok(pieces)
}

fn too_many(max: usize) -> WireError {
    WireError::with(Code::BatchTooLarge, format!("more than {max} requests in one frame"))
}
