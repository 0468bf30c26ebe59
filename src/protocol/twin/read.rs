//! From an HTTP request to the `d` of its op: path, query, body and `Idempotency-Key` become one object.
//!
//! What is in the wrong place, twice, or not declared is refused by name. What a value means is the decoder's: a
//! parameter that is not of its declared form goes on as text, so that the decoder refuses it in its own words.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use actors::id::NUMBER_MAX;

use super::shape::{KEY, Kind, Row};
use crate::protocol::codec::shortened;
use crate::protocol::error::{Code, WireError};
use crate::protocol::json;
use crate::protocol::value::Value;

/// The parameters of a query, decoded, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Of the part of a URL behind `?`.
    pub fn read(query: &str) -> Result<Self, WireError> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                return Err(WireError::with(Code::Malformed, "the query is not percent-encoded UTF-8"));
            };
            if found.iter().any(|(known, _)| *known == name) {
                return Err(WireError::validation(shortened(&name), "stands twice in the query"));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// Takes one out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Refuses whatever is left.
    pub fn end(&self) -> Result<(), WireError> {
        let unknown = |(name, _): &(String, String)| WireError::validation(shortened(name), "is not a parameter of this path");
        self.0.first().map_or(Ok(()), |left| Err(unknown(left)))
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Where the fields of a request come from.
#[derive(Debug, Default)]
pub struct Sources<'v> {
    /// The parts of the path, decoded, by the names in the template.
    pub path: Vec<(String, String)>,
    /// The query.
    pub query: Parameters,
    /// The body; `None` if there is none.
    pub body: Option<&'v [u8]>,
    /// The header `Idempotency-Key`.
    pub key: Option<String>,
}

/// The `d` that a request of this row's op is.
pub fn content<'v>(row: &Row, sources: Sources<'v>) -> Result<Value<'v>, WireError> {
    let Sources { path, query, body, key } = sources;
    let in_body = row.route().is_some_and(|route| route.verb.has_body());
    let mut fields: Vec<(Cow<'v, str>, Value<'v>)> = match (in_body, body) {
        (true, Some(body)) => match json::read(body)? {
            Value::Map(fields) => fields,
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Unsafe
            | Value::Float(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::List(_) => return Err(WireError::with(Code::Malformed, "the body must be a JSON object")),
        },
        (false, Some(_)) => return Err(WireError::with(Code::Malformed, "this method takes no body")),
        (_, None) => Vec::new(),
    };
    let of_path = |name: &str| path.iter().any(|(known, _)| known == name);
    if let Some((name, _)) = fields.iter().find(|(name, _)| of_path(name)) {
        return Err(WireError::validation(shortened(name), "stands in the path already"));
    }
    if in_body {
        query.end()?;
    }
    if let Some((name, _)) = query.0.iter().find(|(name, _)| of_path(name)) {
        return Err(WireError::validation(shortened(name), "stands in the path already"));
    }
    for (name, text) in path.into_iter().chain(query.0) {
        let value = value(row.kind(&name), text);
        fields.push((Cow::Owned(name), value));
    }
    if let Some(key) = key.filter(|_| row.is_keyed()) {
        put_key(&mut fields, key)?;
    }
    Ok(Value::Map(fields))
}

/// The header counts; a key in the body or query beside it must be the same.
fn put_key(fields: &mut Vec<(Cow<'_, str>, Value<'_>)>, key: String) -> Result<(), WireError> {
    let same = match fields.iter().find(|(name, _)| name == KEY) {
        None | Some((_, Value::Null)) => true,
        Some((_, Value::Text(text))) => *text == key,
        Some(_) => true, // not a text: the decoder says so
    };
    if !same {
        return Err(WireError::validation(KEY, "is not the key of the header Idempotency-Key"));
    }
    fields.retain(|(name, value)| name != KEY || !matches!(value, Value::Null | Value::Text(_)));
    if !fields.iter().any(|(name, _)| name == KEY) {
        fields.push((Cow::Borrowed(KEY), Value::Text(Cow::Owned(key))));
    }
    Ok(())
}

/// The key of an `Idempotency-Key` header: a structured string (`"abc"`), or the bare text.
pub fn key(header: &str) -> Result<String, WireError> {
    let unfit = || WireError::validation(KEY, "the header Idempotency-Key must be one quoted text");
    let text = header.trim();
    let Some(inner) = text.strip_prefix('"') else {
        return if text.contains(['"', '\\']) || text.is_empty() { Err(unfit()) } else { Ok(text.to_owned()) };
    };
    let inner = inner.strip_suffix('"').ok_or_else(unfit)?;
    let mut key = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        key.push(match c {
            '"' => return Err(unfit()),
            '\\' => chars.next().filter(|escaped| matches!(escaped, '"' | '\\')).ok_or_else(unfit)?,
            plain => plain,
        });
    }
    Ok(key)
}

fn value(kind: Option<Kind>, text: String) -> Value<'static> {
    kind.and_then(|kind| of_form(kind, &text)).unwrap_or(Value::Text(Cow::Owned(text)))
}

/// The value that a text is in this form; `None` if it stays a text.
fn of_form(kind: Kind, text: &str) -> Option<Value<'static>> {
    match kind {
        Kind::Number(..) | Kind::User => number(text),
        Kind::Flag => flag(text),
        Kind::List(item) => Some(list(text, |text| of_form(*item, text))),
        Kind::Cursor => pair(text),
        Kind::Cursors => Some(list(text, place)),
        Kind::Text(..) | Kind::Email | Kind::Word(_) | Kind::Hex | Kind::Picture | Kind::Conv | Kind::Object(_) | Kind::Any => None,
    }
}

/// A whole number as JSON writes one.
fn number(text: &str) -> Option<Value<'static>> {
    let canonical = text == "0" || (!text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = text.parse::<u64>().ok().filter(|number| canonical && *number <= NUMBER_MAX)?;
    Some(Value::from_u64(number))
}

fn flag(text: &str) -> Option<Value<'static>> {
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// Items between commas; one that cannot be read stays text, so that the decoder names its place.
fn list(text: &str, item: impl Fn(&str) -> Option<Value<'static>>) -> Value<'static> {
    if text.is_empty() {
        return Value::List(Vec::new());
    }
    let read = |text: &str| item(text).unwrap_or_else(|| Value::Text(Cow::Owned(text.to_owned())));
    Value::List(text.split(',').map(read).collect())
}

fn pair(text: &str) -> Option<Value<'static>> {
    let (incarnation, seq) = text.split_once('.')?;
    Some(Value::List(vec![number(incarnation)?, number(seq)?]))
}

fn place(text: &str) -> Option<Value<'static>> {
    let (conversation, cursor) = text.split_once('.')?;
    let (incarnation, seq) = cursor.split_once('.')?;
    Some(Value::List(vec![Value::Text(Cow::Owned(conversation.to_owned())), number(incarnation)?, number(seq)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::twin::table::TABLE;

    fn of(op: &str) -> &'static Row {
        TABLE.iter().find(|row| row.op == op && row.route().is_some()).expect("an op with a route")
    }

    fn sources<'v>(path: &[(&str, &str)], query: &str, body: Option<&'v str>, key: Option<&str>) -> Sources<'v> {
        Sources {
            path: path.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
            query: Parameters::read(query).expect("a query"),
            body: body.map(str::as_bytes),
            key: key.map(str::to_owned),
        }
    }

    fn field(op: &str, sources: Sources<'_>) -> Option<String> {
        content(of(op), sources).expect_err("refused").field.map(Cow::into_owned)
    }

    #[test]
    fn path_query_and_header_become_one_object() {
        let d = content(of("msg.history"), sources(&[("conv", "d1-2")], "before=7&limit=x", None, None)).expect("read");
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let expected = vec![("conv".into(), text("d1-2")), ("before".into(), Value::Int(7)), ("limit".into(), text("x"))];
        assert_eq!(d, Value::Map(expected));
        let d = content(of("sync"), sources(&[], "user=3.4&convs=d1-2.5.6,g7.8.9", None, None)).expect("read");
        let numbers = |one, other| [Value::Int(one), Value::Int(other)];
        let place = |conv, one, other| Value::List([text(conv)].into_iter().chain(numbers(one, other)).collect());
        let convs = Value::List(vec![place("d1-2", 5, 6), place("g7", 8, 9)]);
        assert_eq!(d, Value::Map(vec![("user".into(), Value::List(numbers(3, 4).to_vec())), ("convs".into(), convs)]));
    }

    #[test]
    fn what_stands_twice_or_in_the_wrong_place_is_refused() {
        assert_eq!(Parameters::read("a=1&a=2").expect_err("twice").field.as_deref(), Some("a"));
        assert_eq!(Parameters::read("a=%zz").expect_err("not encoded").code, Code::Malformed);
        assert_eq!(field("msg.send", sources(&[("conv", "d1-2")], "", Some(r#"{"conv":"d1-2"}"#), None)).as_deref(), Some("conv"));
        assert_eq!(field("msg.history", sources(&[("conv", "d1-2")], "conv=d1-2", None, None)).as_deref(), Some("conv"));
        assert_eq!(field("msg.send", sources(&[("conv", "d1-2")], "body=x", Some("{}"), None)).as_deref(), Some("body"));
        assert_eq!(content(of("conv.list"), sources(&[], "", Some("{}"), None)).expect_err("a body").code, Code::Malformed);
    }

    #[test]
    fn the_header_is_the_key_and_must_not_contradict_the_body() {
        let with = |body, key| content(of("group.create"), sources(&[], "", Some(body), Some(key)));
        let keyed = Value::Map(vec![("client_key".into(), Value::Text("k".into()))]);
        assert_eq!(with("{}", "k"), Ok(keyed.clone()));
        assert_eq!(with(r#"{"client_key":"k"}"#, "k"), Ok(keyed.clone()));
        assert_eq!(with(r#"{"client_key":null}"#, "k"), Ok(keyed));
        assert_eq!(with(r#"{"client_key":"other"}"#, "k").expect_err("two keys").field.as_deref(), Some("client_key"));
        assert_eq!(key("\"a b\\\"c\""), Ok("a b\"c".to_owned()));
        assert_eq!(key(" abc "), Ok("abc".to_owned()));
        for wrong in ["", "\"", "\"a", "a\"b", "\"a\"b\"", "\"a\\b\""] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_in_a_query_are_spelled_as_in_json() {
        assert_eq!(number("0"), Some(Value::Int(0)));
        assert_eq!(number("9007199254740991"), Some(Value::Int(9_007_199_254_740_991)));
        for wrong in ["", "00", "01", "+1", "-1", "1.0", "9007199254740992", "1e3", " 1"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
