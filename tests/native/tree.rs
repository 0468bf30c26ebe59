//! A value of either encoding, written and read by serde alone: the tests' own opinion of what the bytes say.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// An object.
pub(crate) fn map<const N: usize>(entries: [(&str, Tree); N]) -> Tree {
    Tree::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// An object without the entries that are not there.
pub(crate) fn some<const N: usize>(entries: [(&str, Option<Tree>); N]) -> Tree {
    Tree::Map(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}

/// A text.
pub(crate) fn text(text: impl fmt::Display) -> Tree {
    Tree::Text(text.to_string())
}

/// A whole number.
pub(crate) fn int(number: u64) -> Tree {
    Tree::Int(i64::try_from(number).expect("the tests' numbers are small"))
}

/// A list of whole numbers.
pub(crate) fn ints(numbers: impl IntoIterator<Item = u64>) -> Tree {
    Tree::List(numbers.into_iter().map(int).collect())
}

impl Tree {
    /// As JSON text.
    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a tree is JSON")
    }
    /// As `MessagePack`.
    pub(crate) fn msgpack(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("a tree is MessagePack")
    }
    /// From JSON text.
    pub(crate) fn of_json(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).expect("valid JSON")
    }
    /// From exactly one `MessagePack` value.
    pub(crate) fn of_msgpack(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let tree = rmp_serde::from_read(&mut rest).expect("valid MessagePack");
        assert!(rest.is_empty(), "bytes after the value");
        tree
    }
    /// What stands under a key of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }
    /// Whether every number in it is exact in JavaScript.
    pub(crate) fn is_safe(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::Bytes(_) => true,
            Self::Int(number) => number.unsigned_abs() < 1 << 53,
            Self::Float(number) => number.is_finite(),
            Self::List(items) => items.iter().all(Self::is_safe),
            Self::Map(entries) => entries.iter().all(|(_, value)| value.is_safe()),
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) if serializer.is_human_readable() => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$bytes", &URL_SAFE_NO_PAD.encode(bytes))?;
                map.end()
            }
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Tree;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(flag))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Int(number))
    }
    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Tree, E> {
        i64::try_from(number).map(Tree::Int).map_err(E::custom)
    }
    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Float(number))
    }
    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Tree, E> {
        Ok(Tree::Bytes(bytes.to_vec()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries: Vec<(String, Tree)> = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        if let [(key, Tree::Text(text))] = entries.as_slice()
            && key == "$bytes"
        {
            return URL_SAFE_NO_PAD.decode(text).map(Tree::Bytes).map_err(serde::de::Error::custom);
        }
        Ok(Tree::Map(entries))
    }
}
