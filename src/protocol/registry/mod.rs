//! The one registry of refusals: number, name, HTTP status, advice and documentation of every code (P40).
//!
//! The socket's `err`, problem+json, the metric's label and `docs/errors.md` are made from it. Numbers and names are for
//! ever: a code may be added, never changed or reused. The ranges (P39) are in [`RANGES`]; they have nothing to do with
//! the close codes of a WebSocket, which have four digits as well. The rows are in `table.rs`.

mod table;

use std::fmt::Write as _;

use crate::protocol::error::Code;

/// What a client should do with a refused request (P38).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not again as it is.
    Never,
    /// Again at once.
    Now,
    /// Again after `after_ms`.
    After,
    /// Again after drawing a new access token.
    Refresh,
    /// `sync` first; what the client believes about the log is wrong.
    Resync,
    /// It may have been done: again with the same client key.
    Unknown,
}

impl Retry {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Now => "now",
            Self::After => "after",
            Self::Refresh => "refresh",
            Self::Resync => "resync",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a refusal is decided; each origin has a test that its codes really occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This module, while it reads a request.
    Reading,
    /// The core, as a [`actors::rejected::Rejected`].
    Core,
    /// The edge: what depends on the connection.
    Edge,
}

/// One refusal and all that is said about it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which one.
    pub code: Code,
    /// Its number.
    pub number: u16,
    /// Its name; also the metric's label and the anchor in the documentation.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The advice.
    pub retry: Retry,
    /// Who decides it.
    pub origin: Origin,
    /// What one sees, in a few words; the title of problem+json.
    pub title: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

pub use table::REGISTRY;

/// The thousands of the numbers, and what they are about.
pub const RANGES: [(u16, &str); 7] = [
    (1, "the protocol"),
    (2, "authentication"),
    (3, "permission"),
    (4, "validation, not found, conflict"),
    (5, "rates"),
    (6, "state of the server"),
    (7, "dependencies and overload"),
];

fn meaning(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "not again as it is",
        Retry::Now => "again at once, on a new connection",
        Retry::After => "again after `after_ms`",
        Retry::Refresh => "again with a new access token",
        Retry::Resync => "`sync` first",
        Retry::Unknown => "again, identical, with the same `client_key`: it may have been done",
    }
}

/// `docs/errors.md`: an anchor for each code, with what one sees, why, and what to do.
pub fn document() -> String {
    let mut text = String::from(
        "# Errors\n\nGenerated from the registry in `src/protocol/registry.rs`; a test compares the two.\n\n\
         A refused request is answered with `err` on a socket and with problem+json over HTTP. `code` and `name` never change \
         their meaning; `msg` (`detail`) is for people and may change. `retry` says what to do, `after_ms` when, `field` names \
         what was wrong, and `ref` is found in the server's log. These numbers are not the close codes of a WebSocket; those \
         are in [protocol.md](protocol.md#closing).\n",
    );
    for (thousand, about) in RANGES {
        line(&mut text, format_args!("\n## {thousand}xxx: {about}\n\n| code | name | HTTP | retry |\n| --- | --- | --- | --- |"));
        let rows = || REGISTRY.iter().filter(|row| row.number / 1_000 == thousand);
        for Row { number, name, status, retry, .. } in rows() {
            line(&mut text, format_args!("| {number} | [`{name}`](#{name}) | {status} | {} |", retry.as_str()));
        }
        for Row { number, name, status, title, retry, why, remedy, .. } in rows() {
            line(&mut text, format_args!("\n### <a id=\"{name}\"></a>{number} `{name}`\n"));
            line(&mut text, format_args!("**What you see.** `{name}`: {title}. Over HTTP: {status}.\n\n**Why.** {why}\n"));
            line(&mut text, format_args!("**What to do.** {remedy} Retry: {}.", meaning(*retry)));
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a String takes every line");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_registry_has_the_order_of_the_codes_and_each_number_and_name_once() {
        for (index, row) in REGISTRY.iter().enumerate() {
            assert_eq!(row.code as usize, index, "{}", row.name);
            assert_eq!(row.code.status().as_u16(), row.status);
            assert!(RANGES.iter().any(|(thousand, _)| *thousand == row.number / 1_000), "{} lies in no range", row.name);
            assert!(row.status >= 400 && !row.title.ends_with('.') && row.why.ends_with('.') && row.remedy.ends_with('.'), "{}", row.name);
        }
        assert_eq!(REGISTRY.iter().map(|row| row.number).collect::<BTreeSet<_>>().len(), REGISTRY.len());
        assert_eq!(REGISTRY.iter().map(|row| row.name).collect::<BTreeSet<_>>().len(), REGISTRY.len());
    }
}
