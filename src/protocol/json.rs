//! Strict reading of JSON into a [`Value`]: `serde_json` with our own limits on top.
//!
//! It knows no ops and no fields. A key twice in one object, more than 32 levels, half of a surrogate pair and bytes
//! after the value are faults.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::codec::{Fault, distinct};
use crate::protocol::value::{DEPTH_MAX, Value};

/// One whole value.
pub fn read(payload: &[u8]) -> Result<Value<'_>, Fault> {
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let value = Strict { depth: 0, fault: &fault }.deserialize(&mut deserializer);
    match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(fault.take().unwrap_or_else(|| Fault::Syntax(error.to_string()))),
    }
}

/// The items of a list, each still as its bytes; `None` if the payload is no list.
pub fn split(payload: &[u8]) -> Option<Result<Vec<&[u8]>, Fault>> {
    if payload.trim_ascii_start().first() != Some(&b'[') {
        return None;
    }
    Some(match serde_json::from_slice::<Vec<&RawValue>>(payload) {
        Ok(items) => Ok(items.into_iter().map(|item| item.get().as_bytes()).collect()),
        Err(error) => Err(Fault::Syntax(error.to_string())),
    })
}

/// The number under the key `id`, if the payload is an object that has exactly one as far as it can be followed: for
/// answering a request that is broken elsewhere.
pub fn peek_id(payload: &[u8]) -> Option<u32> {
    let found = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    match (&mut deserializer).deserialize_map(Id(&found)) {
        Ok(()) => found.get(),
        Err(error) if error.is_data() => None,
        Err(_) => found.get(),
    }
}

struct Strict<'c> {
    depth: usize,
    fault: &'c Cell<Option<Fault>>,
}

impl Strict<'_> {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > DEPTH_MAX {
            return Err(self.fail(Fault::Depth));
        }
        Ok(Self { depth, fault: self.fault })
    }
    fn fail<E: Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(flag))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::from_u64(number))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::from_i64(number))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Float(number))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_string<E>(self, text: String) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let Self { depth, fault } = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            entries.push((key, map.next_value_seed(Self { depth, fault })?));
        }
        distinct(&entries).map_err(|fault| self.fail(fault))?;
        Ok(Value::Map(entries))
    }
}

/// A key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Looks for the one `id` and passes over everything else without looking into it.
struct Id<'c>(&'c Cell<Option<u32>>);

impl<'de> Visitor<'de> for Id<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            if key != "id" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let id = map.next_value::<u32>()?;
            if self.0.replace(Some(id)).is_some() {
                return Err(A::Error::custom("two of them"));
            }
        }
        Ok(())
    }
}
