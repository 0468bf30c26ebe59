//! Any value that a client may send, and the application's opaque `data` in its stored and shown forms (P11).
//!
//! Stored, `data` is `MessagePack` in one canonical spelling: the shortest integers, 64-bit floats, keys in the order
//! given. Shown to a JSON connection, bytes become `{"$bytes": "<base64url, no padding>"}`; for that to be reversible
//! `$bytes` is reserved, and an application's object with that key is refused. Numbers are JSON-safe: whole ones up to
//! 2^53 − 1 on both sides of zero, floats finite. Nothing here looks at what the data means.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use actors::content::Opaque;
use actors::id::NUMBER_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serializer;
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _};

use crate::protocol::codec::Fault;
use crate::protocol::msgpack::{Reader, Token};

/// The most levels of lists and objects, one within the other; bytes count as one, because they are one in JSON.
pub const DEPTH_MAX: usize = 32;
/// The key that marks bytes in JSON.
pub const BYTES_KEY: &str = "$bytes";

/// A value of either encoding.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number that JavaScript holds exactly.
    Int(i64),
    /// A whole number beyond that: readable, but allowed nowhere.
    Unsafe,
    /// Any other number; not finite only from `MessagePack`, and then allowed nowhere.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes; from `MessagePack` only.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Self>),
    /// An object; keys are distinct and in the order given.
    Map(Vec<(Cow<'a, str>, Self)>),
}

impl Value<'_> {
    /// The number, or [`Value::Unsafe`].
    pub fn from_u64(number: u64) -> Self {
        match i64::try_from(number) {
            Ok(small) if number <= NUMBER_MAX => Self::Int(small),
            _ => Self::Unsafe,
        }
    }
    /// The number, or [`Value::Unsafe`].
    pub fn from_i64(number: i64) -> Self {
        if number.unsigned_abs() <= NUMBER_MAX { Self::Int(number) } else { Self::Unsafe }
    }
}

/// Why a value cannot be an application's `data`.
pub type Unfit = &'static str;

/// The stored form of a value that came as `data`.
pub fn to_opaque(value: &Value<'_>) -> Result<Opaque, Unfit> {
    fit(value)?;
    let mut bytes = Vec::with_capacity(64);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes);
    match Canonical(value).serialize(&mut serializer) {
        Ok(()) => Ok(Opaque(bytes.into())),
        Err(_) => Err("cannot be stored"), // a fit value always can: only the memory could refuse it
    }
}

fn fit(value: &Value<'_>) -> Result<(), Unfit> {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Bytes(_) => Ok(()),
        Value::Unsafe => Err("has a number beyond 2^53 - 1; send it as text"),
        Value::Float(number) if number.is_finite() => Ok(()),
        Value::Float(_) => Err("has a number that is not finite"),
        Value::List(items) => items.iter().try_for_each(fit),
        Value::Map(entries) => match bytes_of(entries)? {
            Some(_) => Ok(()),
            None => entries.iter().try_for_each(|(_, item)| fit(item)),
        },
    }
}

/// The bytes that an object stands for; `None` if it is an object of the application.
fn bytes_of(entries: &[(Cow<'_, str>, Value<'_>)]) -> Result<Option<Vec<u8>>, Unfit> {
    if !entries.iter().any(|(key, _)| key == BYTES_KEY) {
        return Ok(None);
    }
    match entries {
        [(_, Value::Text(text))] => match URL_SAFE_NO_PAD.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err("has a $bytes that is not base64url without padding"),
        },
        _ => Err("has the key $bytes, which is reserved for bytes in JSON: {\"$bytes\": \"<base64url>\"} and nothing beside it"),
    }
}

/// A fit value in its stored spelling.
struct Canonical<'v>(&'v Value<'v>);

impl Serialize for Canonical<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Unsafe => Err(S::Error::custom("not fit")),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::List(items) => serializer.collect_seq(items.iter().map(Canonical)),
            Value::Map(entries) => match bytes_of(entries) {
                Ok(Some(bytes)) => serializer.serialize_bytes(&bytes),
                Ok(None) => serializer.collect_map(entries.iter().map(|(key, item)| (key, Canonical(item)))),
                Err(why) => Err(S::Error::custom(why)),
            },
        }
    }
}

/// Stored `data` on its way to a client: it writes itself straight from the stored bytes into either encoding.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a>(&'a [u8]);

impl<'a> Data<'a> {
    /// What is stored; `None` if the bytes are not what this protocol stores. Then it is left out rather than sent in
    /// part, because a message that cannot be shown must not keep the others from being shown.
    pub fn new(opaque: &'a Opaque) -> Option<Self> {
        let mut reader = Reader::new(&opaque.0);
        match check(&mut reader, 0) {
            Ok(()) if reader.is_at_end() => Some(Self(&opaque.0)),
            _ => None,
        }
    }
}

fn check(reader: &mut Reader<'_>, depth: usize) -> Result<(), Fault> {
    let deeper = depth.saturating_add(1);
    match reader.token()? {
        Token::Null | Token::Bool(_) | Token::Int(_) | Token::Text(_) => Ok(()),
        Token::Float(number) if number.is_finite() => Ok(()),
        Token::Float(_) | Token::Unsafe => Err(Fault::Depth),
        Token::Bytes(_) | Token::List(_) | Token::Map(_) if deeper > DEPTH_MAX => Err(Fault::Depth),
        Token::Bytes(_) => Ok(()),
        Token::List(count) => (0..count).try_for_each(|_| check(reader, deeper)),
        Token::Map(count) => (0..count).try_for_each(|_| {
            reader.key()?;
            check(reader, deeper)
        }),
    }
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Next(&std::cell::RefCell::new(Reader::new(self.0))).serialize(serializer)
    }
}

/// The next value of a reader. The cell is there because serde hands out shared references alone.
struct Next<'c, 'a>(&'c std::cell::RefCell<Reader<'a>>);

impl Serialize for Next<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token = self.0.borrow_mut().token().map_err(S::Error::custom)?;
        match token {
            Token::Null => serializer.serialize_unit(),
            Token::Bool(flag) => serializer.serialize_bool(flag),
            Token::Int(number) => serializer.serialize_i64(number),
            Token::Unsafe => Err(S::Error::custom("a number beyond 2^53 - 1")),
            Token::Float(number) => serializer.serialize_f64(number),
            Token::Text(text) => serializer.serialize_str(text),
            Token::Bytes(bytes) if serializer.is_human_readable() => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(BYTES_KEY, &URL_SAFE_NO_PAD.encode(bytes))?;
                map.end()
            }
            Token::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Token::List(count) => {
                let mut list = serializer.serialize_seq(Some(count))?;
                for _ in 0..count {
                    list.serialize_element(self)?;
                }
                list.end()
            }
            Token::Map(count) => {
                let mut map = serializer.serialize_map(Some(count))?;
                for _ in 0..count {
                    let key = self.0.borrow_mut().key().map_err(S::Error::custom)?;
                    map.serialize_entry(key, self)?;
                }
                map.end()
            }
        }
    }
}
