//! The export: every record of a store as lines of JSON, with counts and hashes, for another store to take in.
//!
//! | file | what |
//! |---|---|
//! | [`wire`], `act`, `rows` | the lines, and records as lines |
//! | [`writer`] | records to bytes |
//! | [`reader`] | lines to records, and the proof that nothing is missing and nothing was altered |
//!
//! Pure: no file, no socket, no store. `docs/export-format.md` describes the bytes.
//! Invariant: what is read to its end without an error is, byte for byte, what was written.

pub mod wire;
mod act;
mod rows;
pub mod writer;
pub mod reader;
#[cfg(test)]
mod tests;
