//! Typed reading of an object: every mistake names its field, and what nobody asked for is refused (P14, P38).
//!
//! `null` counts as left out, because some `MessagePack` encoders write it for a missing value. It knows no op.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::collections::BTreeSet;

use actors::content::{ClientKey, InvalidText};
use actors::id::{ConversationId, Incarnation, LoginId, MessageId, NUMBER_MAX, Seq, UserId};
use actors::media::MediaId;

use crate::protocol::codec::shortened;
use crate::protocol::error::WireError;
use crate::protocol::value::Value;

/// The fields of one object that are still to be read. No `Debug`: tokens and texts pass through here.
pub struct Fields<'v> {
    prefix: &'static str,
    left: Vec<(Cow<'v, str>, Value<'v>)>,
}

const MISSING: &str = "is missing";
const NOT_WHOLE: &str = "must be a whole number from 0 to 2^53 - 1";
const NOT_USER: &str = "must be a user's number, from 1 to 2^53 - 1";
const NOT_HEX: &str = "must be 32 hex digits, in lower case";
const NOT_CONVERSATION: &str = "must be a conversation's id such as \"d7-9\" (smaller number first) or \"g12\"";

impl<'v> Fields<'v> {
    /// The fields of an object that stands at `name` (empty for the outermost); `prefix` is `name` with a dot.
    pub fn of(value: Value<'v>, name: &'static str, prefix: &'static str) -> Result<Self, WireError> {
        match value {
            Value::Map(left) => Ok(Self { prefix, left }),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Unsafe
            | Value::Float(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::List(_) => Err(WireError::validation(name, "must be an object")),
        }
    }

    /// No fields at all.
    pub fn none() -> Self {
        Self { prefix: "", left: Vec::new() }
    }

    /// Ends the reading: whatever is left was not asked for.
    pub fn end(self) -> Result<(), WireError> {
        self.nothing_left()
    }

    /// Refuses whatever is left, where it explains better what is wrong than what is missing.
    pub fn nothing_left(&self) -> Result<(), WireError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(WireError::validation(format!("{}{}", self.prefix, shortened(name)), "is not a field of this request")),
        }
    }

    fn wrong(&self, name: &'static str, why: &'static str) -> WireError {
        if self.prefix.is_empty() { WireError::validation(name, why) } else { WireError::validation(format!("{}{name}", self.prefix), why) }
    }

    /// Any value, if it is there and not null.
    pub fn value(&mut self, name: &'static str) -> Option<Value<'v>> {
        let at = self.left.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.left.remove(at);
        (value != Value::Null).then_some(value)
    }

    /// A value that must be there.
    pub fn needed<T>(&self, name: &'static str, value: Option<T>) -> Result<T, WireError> {
        value.ok_or_else(|| self.wrong(name, MISSING))
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<Cow<'v, str>>, WireError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a text")),
        }
    }

    /// A text of 1 to `max` bytes.
    pub fn short_text(&mut self, name: &'static str, max: usize) -> Result<Option<String>, WireError> {
        match self.text(name)? {
            None => Ok(None),
            Some(text) if text.is_empty() => Err(self.wrong(name, "must not be empty")),
            Some(text) if text.len() > max => Err(self.wrong(name, "is too long")),
            Some(text) => Ok(Some(text.into_owned())),
        }
    }

    /// A whole number from 0 to 2^53 − 1.
    pub fn number(&mut self, name: &'static str) -> Result<Option<u64>, WireError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => whole(&value).map(Some).ok_or_else(|| self.wrong(name, NOT_WHOLE)),
        }
    }

    /// How many at most; at least one. What is above the server's own limit is for the core to cut.
    pub fn limit(&mut self) -> Result<Option<u64>, WireError> {
        match self.number("limit")? {
            Some(0) => Err(self.wrong("limit", "must be at least 1")),
            other => Ok(other),
        }
    }

    /// A seq, 0 included.
    pub fn seq_or_zero(&mut self, name: &'static str) -> Result<Option<Seq>, WireError> {
        match self.number(name)? {
            None => Ok(None),
            Some(number) => Ok(Some(seq(number))),
        }
    }

    /// A seq that an entry can have.
    pub fn seq(&mut self, name: &'static str) -> Result<Option<Seq>, WireError> {
        match self.seq_or_zero(name)? {
            Some(Seq::ZERO) => Err(self.wrong(name, "must be at least 1")),
            other => Ok(other),
        }
    }

    /// A seq that must be there, and that an entry can have.
    pub fn needed_seq(&mut self, name: &'static str) -> Result<Seq, WireError> {
        let seq = self.seq(name)?;
        self.needed(name, seq)
    }

    /// Yes or no.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, WireError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// What one of these words stands for.
    pub fn word<T, const N: usize>(&mut self, name: &'static str, words: [(&'static str, T); N]) -> Result<Option<T>, WireError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let known = words.each_ref().map(|(word, _)| *word).join(", ");
        let found = words.into_iter().find(|(word, _)| *word == text).map(|(_, meant)| meant);
        let unknown = || WireError { message: format!("must be one of {known}").into(), ..self.wrong(name, "") };
        found.ok_or_else(unknown).map(Some)
    }

    /// A message's number.
    pub fn message(&mut self, name: &'static str) -> Result<Option<MessageId>, WireError> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        MessageId::new(number).ok().map(Some).ok_or_else(|| self.wrong(name, "must be a message's number, from 1 to 2^53 - 1"))
    }

    /// A login's name.
    pub fn login(&mut self, name: &'static str) -> Result<Option<LoginId>, WireError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        hex(&text).map(|number| Some(LoginId(number))).ok_or_else(|| self.wrong(name, NOT_HEX))
    }

    /// A file to be the picture, or the empty text for none.
    pub fn picture(&mut self, name: &'static str) -> Result<Option<Option<MediaId>>, WireError> {
        match self.text(name)? {
            None => Ok(None),
            Some(text) if text.is_empty() => Ok(Some(None)),
            Some(text) => hex(&text).map(|number| Some(Some(MediaId(number)))).ok_or_else(|| self.wrong(name, NOT_HEX)),
        }
    }

    /// A list of files' names, without doubles, in the order given.
    pub fn media_list(&mut self, name: &'static str) -> Result<Option<Vec<MediaId>>, WireError> {
        let read = |item: &Value<'_>| match item {
            Value::Text(text) => hex(text).map(MediaId),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Unsafe
            | Value::Float(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Map(_) => None,
        };
        self.distinct(name, ["must be a list of files' names", NOT_HEX], read)
    }

    /// A user's number that must be there.
    pub fn needed_user(&mut self, name: &'static str) -> Result<UserId, WireError> {
        let user = self.user(name)?;
        self.needed(name, user)
    }

    /// A user's number.
    pub fn user(&mut self, name: &'static str) -> Result<Option<UserId>, WireError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => user(&value).map(Some).ok_or_else(|| self.wrong(name, NOT_USER)),
        }
    }

    /// A list of users' numbers, without doubles, in the order given.
    pub fn users(&mut self, name: &'static str) -> Result<Option<Vec<UserId>>, WireError> {
        self.distinct(name, ["must be a list of users' numbers", NOT_USER], user)
    }

    /// A list without doubles, in the order given; `why` is what is wrong with a value that is no list, and with an item.
    fn distinct<T: Copy + Ord>(
        &mut self,
        name: &'static str,
        why: [&'static str; 2],
        read: impl Fn(&Value<'_>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, WireError> {
        let [no_list, no_item] = why;
        let items = match self.value(name) {
            None => return Ok(None),
            Some(Value::List(items)) => items,
            Some(_) => return Err(self.wrong(name, no_list)),
        };
        let mut seen = BTreeSet::new();
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let item = read(item).ok_or_else(|| WireError::validation(format!("{}{name}[{index}]", self.prefix), no_item))?;
            if seen.insert(item) {
                list.push(item);
            }
        }
        Ok(Some(list))
    }

    /// A conversation's id, if it is there.
    pub fn conversation_if_any(&mut self, name: &'static str) -> Result<Option<ConversationId>, WireError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => conversation(&value).map(Some).ok_or_else(|| self.wrong(name, NOT_CONVERSATION)),
        }
    }

    /// The conversation that the request is about.
    pub fn conversation(&mut self) -> Result<ConversationId, WireError> {
        let conversation = self.conversation_if_any("conv")?;
        self.needed("conv", conversation)
    }

    /// The idempotency key of a change.
    pub fn client_key(&mut self) -> Result<ClientKey, WireError> {
        let text = self.text("client_key")?;
        let text = self.needed("client_key", text)?;
        ClientKey::new(&text).map_err(|fault| self.unfit("client_key", fault))
    }

    /// The refusal of a text that its own rules refuse.
    pub fn unfit(&self, name: &'static str, fault: InvalidText) -> WireError {
        let error = self.wrong(name, "");
        WireError { message: fault.to_string().into(), ..error }
    }
}

/// A whole number from 0 to 2^53 − 1.
pub fn whole(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Null
        | Value::Bool(_)
        | Value::Unsafe
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_) => None,
    }
}

/// A seq of a number that [`whole`] has read.
fn seq(number: u64) -> Seq {
    Seq::new(number.min(NUMBER_MAX)).expect("it is within the range of seqs")
}

/// A number as 32 hex digits.
fn hex(text: &str) -> Option<u128> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

fn user(value: &Value<'_>) -> Option<UserId> {
    whole(value).and_then(|number| UserId::new(number).ok())
}

/// A conversation's id.
pub fn conversation(value: &Value<'_>) -> Option<ConversationId> {
    match value {
        Value::Text(text) => text.parse().ok(),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Unsafe
        | Value::Float(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_) => None,
    }
}

/// An incarnation and a seq, as the two numbers of a cursor.
pub fn cursor(incarnation: &Value<'_>, at: &Value<'_>) -> Option<actors::command::Cursor> {
    Some(actors::command::Cursor { incarnation: Incarnation(whole(incarnation)?), seq: seq(whole(at)?) })
}
