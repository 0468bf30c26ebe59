//! What a row of the table says of an op: its fields and their form, its answer, and where it is found over HTTP.
//!
//! The forms describe; they do not judge. The decoder alone says what is right, and a test compares the two.

use std::borrow::Cow;

use actors::limits::Limit;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The form of a field.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text of so many characters.
    Text(usize, usize),
    /// An e-mail address.
    Email,
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// Yes or no.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The name of a file or login: 32 hexadecimal digits.
    Hex,
    /// The name of a file, or the empty text for none.
    Picture,
    /// A conversation's id.
    Conv,
    /// A user's number.
    User,
    /// A list of values of this form; in a query separated by commas.
    List(&'static Self),
    /// A place in a log: `[inc, seq]`; in a query `inc.seq`.
    Cursor,
    /// Places in conversations: `[[conv, inc, seq], …]`; in a query `conv.inc.seq`, separated by commas.
    Cursors,
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// Any JSON.
    Any,
}

/// One field of `d`.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its form.
    pub kind: Kind,
    /// Whether it must be there.
    pub needed: bool,
}

/// A field that must be there.
pub const fn need(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, needed: true }
}

/// A field that may be left out.
pub const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, needed: false }
}

/// The schema of an answer's `ok`, by its wire type.
#[derive(Clone, Copy)]
pub struct Answer {
    /// Its name among the schemas.
    pub name: fn() -> Cow<'static, str>,
    /// The schema.
    pub schema: fn() -> RefOr<Schema>,
    /// The schemas that it refers to.
    pub others: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Answer {
    /// Of this wire type.
    pub const fn of<T: ToSchema>() -> Self {
        Self { name: T::name, schema: <T as PartialSchema>::schema, others: T::schemas }
    }
}

/// A method that a twin is asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// A question; its fields are in path and query.
    Get,
    /// Something new; the fields beyond the path are in the body.
    Post,
    /// Something is as told; the fields beyond the path are in the body.
    Put,
    /// Something changes in part; the fields beyond the path are in the body.
    Patch,
    /// Something ends; its fields are in path and query.
    Delete,
}

impl Verb {
    /// Its name in HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
    /// Whether fields beyond the path are in the body; else they are in the query.
    pub fn has_body(self) -> bool {
        match self {
            Self::Post | Self::Put | Self::Patch => true,
            Self::Get | Self::Delete => false,
        }
    }
}

/// A rate that an op is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The bucket's name, as refusals say it.
    pub bucket: &'static str,
    /// How many at once.
    pub quota: Limit,
    /// In which time so many come back.
    pub window: Window,
}

/// The time in which a quota comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// So many seconds.
    Seconds(u64),
    /// As many come back each second as this limit says.
    Rate(Limit),
}

/// Where an op is found over HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub verb: Verb,
    /// The path; `{name}` is the field of that name.
    pub path: &'static str,
    /// The status of an answer; 204 has no body.
    pub status: u16,
    /// Whether it waits for news when there is none (`wait_ms`).
    pub waits: bool,
    /// The rates that it is held to.
    pub paces: &'static [Pace],
}

impl Route {
    /// The same route, waiting for news.
    #[must_use]
    pub const fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }
    /// The same route, held to these rates.
    #[must_use]
    pub const fn paced(self, paces: &'static [Pace]) -> Self {
        Self { paces, ..self }
    }
    /// The fields that are in the path.
    pub fn in_path(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

const fn route(verb: Verb, path: &'static str, status: u16) -> Rest {
    Rest::Route(Route { verb, path, status, waits: false, paces: &[] })
}

/// A question at this path.
pub const fn get(path: &'static str) -> Rest {
    route(Verb::Get, path, 200)
}
/// Something new at this path.
pub const fn post(path: &'static str, status: u16) -> Rest {
    route(Verb::Post, path, status)
}
/// Something that is as told at this path.
pub const fn put(path: &'static str, status: u16) -> Rest {
    route(Verb::Put, path, status)
}
/// A change of a part of what is at this path.
pub const fn patch(path: &'static str, status: u16) -> Rest {
    route(Verb::Patch, path, status)
}
/// An end of what is at this path.
pub const fn delete(path: &'static str, status: u16) -> Rest {
    route(Verb::Delete, path, status)
}

/// Whether an op is found over HTTP.
#[derive(Debug, Clone, Copy)]
pub enum Rest {
    /// Here.
    Route(Route),
    /// Not at all, for this reason.
    None(&'static str),
}

impl Rest {
    /// The same, waiting for news.
    #[must_use]
    pub const fn waiting(self) -> Self {
        match self {
            Self::Route(route) => Self::Route(route.waiting()),
            Self::None(_) => self,
        }
    }
    /// The same, held to these rates.
    #[must_use]
    pub const fn paced(self, paces: &'static [Pace]) -> Self {
        match self {
            Self::Route(route) => Self::Route(route.paced(paces)),
            Self::None(_) => self,
        }
    }
}

/// How many of the fields that may be left out must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// None of them.
    Free,
    /// One or more.
    Some,
    /// Exactly one.
    One,
}

/// One row: an op in one of its forms.
#[derive(Clone, Copy)]
pub struct Row {
    /// The op.
    pub op: &'static str,
    /// What it does, as a sentence.
    pub summary: &'static str,
    /// The fields of `d`.
    pub fields: &'static [Field],
    /// How many of those that may be left out must be there.
    pub rule: Rule,
    /// What `ok` is.
    pub answer: Answer,
    /// Where it is over HTTP.
    pub rest: Rest,
}

/// A row.
pub const fn row(op: &'static str, summary: &'static str, fields: &'static [Field], answer: Answer, rest: Rest) -> Row {
    Row { op, summary, fields, rule: Rule::Free, answer, rest }
}

/// The name of the field that the header `Idempotency-Key` stands for.
pub const KEY: &str = "client_key";

impl Row {
    /// The same row, with one or more of the fields that may be left out.
    #[must_use]
    pub const fn some(self) -> Self {
        Self { rule: Rule::Some, ..self }
    }
    /// The same row, with exactly one of the fields that may be left out.
    #[must_use]
    pub const fn one(self) -> Self {
        Self { rule: Rule::One, ..self }
    }
    /// Where it is over HTTP, if it is there.
    pub fn route(&self) -> Option<&Route> {
        match &self.rest {
            Rest::Route(route) => Some(route),
            Rest::None(_) => None,
        }
    }
    /// The form of a field.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.kind)
    }
    /// Whether it takes the header `Idempotency-Key`.
    pub fn is_keyed(&self) -> bool {
        self.kind(KEY).is_some()
    }
    /// The fields beyond the path.
    pub fn beyond_path(&self) -> impl Iterator<Item = &'static Field> {
        let path: Vec<_> = self.route().map(|route| route.in_path().collect()).unwrap_or_default();
        self.fields.iter().filter(move |field| !path.contains(&field.name))
    }
    /// The name of the operation, distinct for each row: the op, and what tells it from other rows of the op.
    pub fn operation(&self) -> String {
        let Some(route) = self.route() else { return self.op.to_owned() };
        let same = super::table::TABLE.iter().filter(|row| row.op == self.op && row.route().is_some());
        let is_first = same.map(|row| row.route().map(|route| (route.verb, route.path))).next() == Some(Some((route.verb, route.path)));
        if is_first { self.op.to_owned() } else { format!("{}.{}{}", self.op, route.verb.as_str().to_lowercase(), plain(route.path)) }
    }
}

fn plain(path: &str) -> String {
    path.split('/').skip(2).flat_map(|part| [".", part.trim_matches(['{', '}'])]).collect()
}
