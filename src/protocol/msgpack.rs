//! Strict reading of `MessagePack`: a cursor over borrowed bytes that gives one token at a time.
//!
//! It knows no ops and no fields. Every read is checked against what is left, so a header that claims more than there
//! is costs nothing. Extension types, keys that are no text, text that is not UTF-8 and more than 32 levels are faults.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use crate::protocol::codec::{Fault, distinct};
use crate::protocol::value::{DEPTH_MAX, Value};

/// A position in `MessagePack` bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// One step: a plain value, or the head of a list or map whose items follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// nil
    Null,
    /// true or false
    Bool(bool),
    /// A whole number within ±(2^53 − 1).
    Int(i64),
    /// A whole number beyond that.
    Unsafe,
    /// A float of either width.
    Float(f64),
    /// str
    Text(&'a str),
    /// bin
    Bytes(&'a [u8]),
    /// The head of an array of so many items.
    List(usize),
    /// The head of a map of so many keys and values.
    Map(usize),
}

impl<'a> Reader<'a> {
    /// At the start of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }
    fn u8(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }
    fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }
    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }
    fn bytes(&mut self, count: u32) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(count).ok();
        let (bytes, rest) = count.and_then(|count| self.rest.split_at_checked(count)).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }
    fn text(&mut self, count: u32) -> Result<Token<'a>, Fault> {
        std::str::from_utf8(self.bytes(count)?).ok().map(Token::Text).ok_or(Fault::Utf8)
    }
    /// A head may not promise more items than there are bytes left.
    fn count(&self, count: u32) -> Result<usize, Fault> {
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(Fault::Truncated),
        }
    }

    /// The next token.
    pub fn token(&mut self) -> Result<Token<'a>, Fault> {
        let marker = self.u8()?;
        Ok(match marker {
            0x00..=0x7f => Token::Int(i64::from(marker)),
            0x80..=0x8f => Token::Map(self.count(u32::from(marker & 0x0f))?),
            0x90..=0x9f => Token::List(self.count(u32::from(marker & 0x0f))?),
            0xa0..=0xbf => self.text(u32::from(marker & 0x1f))?,
            0xc0 => Token::Null,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 => {
                let count = u32::from(self.u8()?);
                Token::Bytes(self.bytes(count)?)
            }
            0xc5 => {
                let count = u32::from(self.u16()?);
                Token::Bytes(self.bytes(count)?)
            }
            0xc6 => {
                let count = self.u32()?;
                Token::Bytes(self.bytes(count)?)
            }
            0xca => Token::Float(f64::from(f32::from_be_bytes(self.array()?))),
            0xcb => Token::Float(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Int(i64::from(self.u8()?)),
            0xcd => Token::Int(i64::from(self.u16()?)),
            0xce => Token::Int(i64::from(self.u32()?)),
            0xcf => whole(Value::from_u64(u64::from_be_bytes(self.array()?))),
            0xd0 => Token::Int(i64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => Token::Int(i64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => Token::Int(i64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => whole(Value::from_i64(i64::from_be_bytes(self.array()?))),
            0xd9 => {
                let count = u32::from(self.u8()?);
                self.text(count)?
            }
            0xda => {
                let count = u32::from(self.u16()?);
                self.text(count)?
            }
            0xdb => {
                let count = self.u32()?;
                self.text(count)?
            }
            0xdc => {
                let count = u32::from(self.u16()?);
                Token::List(self.count(count)?)
            }
            0xdd => {
                let count = self.u32()?;
                Token::List(self.count(count)?)
            }
            0xde => {
                let count = u32::from(self.u16()?);
                Token::Map(self.count(count)?)
            }
            0xdf => {
                let count = self.u32()?;
                Token::Map(self.count(count)?)
            }
            0xe0..=0xff => Token::Int(i64::from(i8::from_be_bytes([marker]))),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => return Err(Fault::Extension),
        })
    }

    /// The next key of a map.
    pub fn key(&mut self) -> Result<&'a str, Fault> {
        match self.token()? {
            Token::Text(key) => Ok(key),
            Token::Null
            | Token::Bool(_)
            | Token::Int(_)
            | Token::Unsafe
            | Token::Float(_)
            | Token::Bytes(_)
            | Token::List(_)
            | Token::Map(_) => Err(Fault::Key),
        }
    }

    /// The next whole value; `depth` levels lie around it.
    pub fn value(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        let deeper = depth.saturating_add(1);
        let token = self.token()?;
        if matches!(token, Token::Bytes(_) | Token::List(_) | Token::Map(_)) && deeper > DEPTH_MAX {
            return Err(Fault::Depth);
        }
        Ok(match token {
            Token::Null => Value::Null,
            Token::Bool(flag) => Value::Bool(flag),
            Token::Int(number) => Value::Int(number),
            Token::Unsafe => Value::Unsafe,
            Token::Float(number) => Value::Float(number),
            Token::Text(text) => Value::Text(Cow::Borrowed(text)),
            Token::Bytes(bytes) => Value::Bytes(bytes),
            Token::List(count) => {
                let mut items = Vec::new(); // grows with what is really there
                for _ in 0..count {
                    items.push(self.value(deeper)?);
                }
                Value::List(items)
            }
            Token::Map(count) => {
                let mut entries = Vec::new();
                for _ in 0..count {
                    let key = Cow::Borrowed(self.key()?);
                    entries.push((key, self.value(deeper)?));
                }
                distinct(&entries)?;
                Value::Map(entries)
            }
        })
    }

    /// Passes over the next value, whatever it is and however deep, as long as its frame can be followed.
    pub fn skip(&mut self) -> Result<(), Fault> {
        let mut left: u64 = 1;
        while left > 0 {
            left = left.saturating_sub(1);
            left = left.saturating_add(self.skip_one()?);
        }
        Ok(())
    }

    /// Passes over one token, also one that is a fault otherwise; how many values follow that belong to it.
    fn skip_one(&mut self) -> Result<u64, Fault> {
        let mut ahead = *self;
        let marker = ahead.u8()?;
        let extension = match marker {
            0xd4 => Some(1),
            0xd5 => Some(2),
            0xd6 => Some(4),
            0xd7 => Some(8),
            0xd8 => Some(16),
            0xc7 => Some(u32::from(ahead.u8()?)),
            0xc8 => Some(u32::from(ahead.u16()?)),
            0xc9 => Some(ahead.u32()?),
            _ => None,
        };
        if let Some(count) = extension {
            ahead.u8()?; // the extension's type
            ahead.bytes(count)?;
            *self = ahead;
            return Ok(0);
        }
        match self.token() {
            Ok(Token::List(count)) => Ok(u64::try_from(count).unwrap_or(u64::MAX)),
            Ok(Token::Map(count)) => Ok(u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(2)),
            Ok(_) | Err(Fault::Utf8) => Ok(0), // the cursor already stands behind a text that is not UTF-8
            Err(fault) => Err(fault),
        }
    }

    /// The number under the key `id` of the next value, if it is a map that has exactly one: for answering a request
    /// that is broken elsewhere.
    pub fn peek_id(mut self) -> Option<u32> {
        let Ok(Token::Map(count)) = self.token() else { return None };
        let mut found = None;
        for _ in 0..count {
            let mut ahead = self;
            if ahead.key() == Ok("id") {
                let id = match ahead.token() {
                    Ok(Token::Int(number)) => u32::try_from(number).ok(),
                    _ => None,
                };
                if found.is_some() || id.is_none() {
                    return None;
                }
                found = id;
            }
            if self.skip().is_err() || self.skip().is_err() {
                return found;
            }
        }
        found
    }
}

fn whole<'a>(value: Value<'_>) -> Token<'a> {
    match value {
        Value::Int(number) => Token::Int(number),
        Value::Null
        | Value::Bool(_)
        | Value::Unsafe
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_) => Token::Unsafe,
    }
}
