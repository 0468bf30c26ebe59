//! An own, small MessagePack codec, so that the server is judged by a second reading of the format.
//!
//! Values are JSON values in the tests; a `bin` is the JSON form of bytes, `{"$bytes": "<base64url>"}`, both ways.
//! Integers are written in the shortest form, maps with text keys. It knows no extension types: they are a failure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Number, Value, json};

/// Which encoding a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Json,
    MessagePack,
}

/// Both, for tests that run once per encoding.
pub const BOTH: [Encoding; 2] = [Encoding::Json, Encoding::MessagePack];

impl Encoding {
    /// The subprotocol that asks for it.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "parlance.v1+json",
            Self::MessagePack => "parlance.v1+msgpack",
        }
    }

    /// One value as bytes.
    pub fn encode(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Json => value.to_string().into_bytes(),
            Self::MessagePack => to_msgpack(value),
        }
    }

    /// The one value that these bytes are.
    pub fn decode(self, bytes: &[u8]) -> Value {
        match self {
            Self::Json => serde_json::from_slice(bytes).expect("the server sends well-formed JSON"),
            Self::MessagePack => {
                let (value, rest) = from_msgpack(bytes).expect("the server sends well-formed MessagePack");
                assert!(rest.is_empty(), "the server sends one value per frame, {} bytes were left", rest.len());
                value
            }
        }
    }
}

/// Bytes as they stand in a body.
pub fn bytes(content: &[u8]) -> Value {
    json!({ "$bytes": URL_SAFE_NO_PAD.encode(content) })
}

/// A value in MessagePack.
pub fn to_msgpack(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(b) => out.push(if *b { 0xc3 } else { 0xc2 }),
        Value::Number(n) => write_number(n, out),
        Value::String(s) => {
            head(out, s.len(), (0xa0, 32), [0xd9, 0xda, 0xdb]);
            out.extend_from_slice(s.as_bytes());
        }
        Value::Array(items) => {
            head(out, items.len(), (0x90, 16), [0, 0xdc, 0xdd]);
            for item in items {
                write(item, out);
            }
        }
        Value::Object(map) => {
            if let (1, Some(Value::String(text))) = (map.len(), map.get("$bytes")) {
                let content = URL_SAFE_NO_PAD.decode(text).expect("the test's bytes are base64url");
                head(out, content.len(), (0, 0), [0xc4, 0xc5, 0xc6]);
                out.extend_from_slice(&content);
                return;
            }
            head(out, map.len(), (0x80, 16), [0, 0xde, 0xdf]);
            for (key, value) in map {
                write(&Value::String(key.clone()), out);
                write(value, out);
            }
        }
    }
}

/// The head of a text, bin, array or map: the short form below `short.1`, then by 1 (if there is one), 2 or 4 bytes.
fn head(out: &mut Vec<u8>, len: usize, short: (u8, usize), marks: [u8; 3]) {
    let len = u32::try_from(len).expect("a test sends less than 4 GiB");
    if (len as usize) < short.1 {
        out.push(short.0 | u8::try_from(len).expect("below 32"));
    } else if let (Ok(n), true) = (u8::try_from(len), marks[0] != 0) {
        out.extend_from_slice(&[marks[0], n]);
    } else if let Ok(n) = u16::try_from(len) {
        out.push(marks[1]);
        out.extend_from_slice(&n.to_be_bytes());
    } else {
        out.push(marks[2]);
        out.extend_from_slice(&len.to_be_bytes());
    }
}

fn write_number(n: &Number, out: &mut Vec<u8>) {
    if let Some(u) = n.as_u64() {
        match u {
            0..=0x7f => out.push(u8::try_from(u).expect("below 128")),
            0x80..=0xff => out.extend_from_slice(&[0xcc, u8::try_from(u).expect("below 256")]),
            0x100..=0xffff => {
                out.push(0xcd);
                out.extend_from_slice(&u16::try_from(u).expect("below 2^16").to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                out.push(0xce);
                out.extend_from_slice(&u32::try_from(u).expect("below 2^32").to_be_bytes());
            }
            _ => {
                out.push(0xcf);
                out.extend_from_slice(&u.to_be_bytes());
            }
        }
    } else if let Some(i) = n.as_i64() {
        if i >= -32 {
            out.extend_from_slice(&i8::try_from(i).expect("above -33").to_be_bytes());
        } else {
            out.push(0xd3);
            out.extend_from_slice(&i.to_be_bytes());
        }
    } else {
        out.push(0xcb);
        out.extend_from_slice(&n.as_f64().expect("a JSON number is u64, i64 or f64").to_be_bytes());
    }
}

/// The first value of these bytes, and what is left; `None` if they are no MessagePack of the kinds that the protocol uses.
pub fn from_msgpack(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let (&mark, rest) = bytes.split_first()?;
    match mark {
        0x00..=0x7f => Some((json!(mark), rest)),
        0xe0..=0xff => Some((json!(i8::from_be_bytes([mark])), rest)),
        0x80..=0x8f => map(usize::from(mark & 0x0f), rest),
        0x90..=0x9f => array(usize::from(mark & 0x0f), rest),
        0xa0..=0xbf => text(usize::from(mark & 0x1f), rest),
        0xc0 => Some((Value::Null, rest)),
        0xc2 | 0xc3 => Some((json!(mark == 0xc3), rest)),
        0xc4 | 0xd9 | 0xcc => sized(mark, 1, rest),
        0xc5 | 0xda | 0xcd | 0xdc | 0xde => sized(mark, 2, rest),
        0xc6 | 0xdb | 0xce | 0xdd | 0xdf => sized(mark, 4, rest),
        0xcf => sized(mark, 8, rest),
        0xca => rest.split_at_checked(4).map(|(n, rest)| (json!(f32::from_be_bytes(n.try_into().expect("four"))), rest)),
        0xcb => rest.split_at_checked(8).map(|(n, rest)| (json!(f64::from_be_bytes(n.try_into().expect("eight"))), rest)),
        0xd0 => rest.split_at_checked(1).map(|(n, rest)| (json!(i8::from_be_bytes(n.try_into().expect("one"))), rest)),
        0xd1 => rest.split_at_checked(2).map(|(n, rest)| (json!(i16::from_be_bytes(n.try_into().expect("two"))), rest)),
        0xd2 => rest.split_at_checked(4).map(|(n, rest)| (json!(i32::from_be_bytes(n.try_into().expect("four"))), rest)),
        0xd3 => rest.split_at_checked(8).map(|(n, rest)| (json!(i64::from_be_bytes(n.try_into().expect("eight"))), rest)),
        _ => None,
    }
}

fn sized(mark: u8, width: usize, rest: &[u8]) -> Option<(Value, &[u8])> {
    let (number, rest) = rest.split_at_checked(width)?;
    let number = number.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    if matches!(mark, 0xcc..=0xcf) {
        return Some((json!(number), rest));
    }
    let len = usize::try_from(number).ok()?;
    match mark {
        0xc4..=0xc6 => rest.split_at_checked(len).map(|(content, rest)| (self::bytes(content), rest)),
        0xd9..=0xdb => text(len, rest),
        0xdc | 0xdd => array(len, rest),
        _ => map(len, rest),
    }
}

fn text(len: usize, rest: &[u8]) -> Option<(Value, &[u8])> {
    let (content, rest) = rest.split_at_checked(len)?;
    Some((json!(std::str::from_utf8(content).ok()?), rest))
}

fn array(len: usize, mut rest: &[u8]) -> Option<(Value, &[u8])> {
    let mut items = Vec::new();
    for _ in 0..len {
        let (item, after) = from_msgpack(rest)?;
        items.push(item);
        rest = after;
    }
    Some((Value::Array(items), rest))
}

fn map(len: usize, mut rest: &[u8]) -> Option<(Value, &[u8])> {
    let mut fields = Map::new();
    for _ in 0..len {
        let (Value::String(key), after) = from_msgpack(rest)? else { return None };
        let (value, after) = from_msgpack(after)?;
        assert!(fields.insert(key.clone(), value).is_none(), "the server wrote the key {key} twice in one map");
        rest = after;
    }
    Some((Value::Object(fields), rest))
}

#[test]
fn the_tests_own_codec_gives_back_what_it_was_given() {
    let long = "ä".repeat(70_000);
    let value = json!({"a": [null, true, 0, 127, 128, 65_536, 9_007_199_254_740_991_u64, -1, -33, 0.5], "b": bytes(&[0, 255]), "c": long});
    let encoded = to_msgpack(&value);
    let (back, rest) = from_msgpack(&encoded).unwrap();
    assert_eq!((back, rest.len()), (value, 0));
}
