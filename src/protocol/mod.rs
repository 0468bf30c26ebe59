//! The native protocol: bytes to commands and queries, answers and events to bytes, in JSON and `MessagePack`.
//!
//! A pure translator. It opens no socket, reads no clock and asks no store; it does not know who is asking, except
//! where a request names a conversation by its other user. `docs/protocol.md` is its public description, and
//! `tests/vectors/native.json` holds one example of everything, in both encodings.
//!
//! Read in this order: [`codec`] (the two encodings, and how a frame becomes requests), [`value`] (any value, and the
//! application's opaque `data`), [`json`] and [`msgpack`] (strict reading), [`fields`] (typed reading that names the
//! field), [`request`] (what a client may ask), [`wire`] (the words that the server says), [`socket`] (rendering),
//! [`rest`] and [`routes`] (accounts over HTTP), [`media`] (files over HTTP), [`registry`] and [`error`] (every refusal and its words), [`close`] (close codes).
#![warn(clippy::wildcard_enum_match_arm)]

pub mod codec;
pub mod value;
pub mod json;
pub mod msgpack;
pub mod fields;
pub mod request;
pub mod wire;
pub mod socket;
pub mod sse;
pub mod rest;
pub mod media;
pub mod routes;
pub mod twin;
pub mod registry;
pub mod error;
pub mod close;
pub mod schemas;
pub mod openapi;
pub mod asyncapi;
