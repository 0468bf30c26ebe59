//! The store of a single node: everything in one folder, nothing to install (fjall).
//!
//! | file | what |
//! |---|---|
//! | [`store`] | opening, closing, and the ways to the writer and to reads |
//! | `ports` | what the domain asks for, each a line |
//! | `upgrade` | what a folder of an earlier format lacks |
//! | `folder` | what lies in the data folder, its lock, and opening the database in it |
//! | `manifest` | checks the database's lists of tables, which it does not |
//! | `journal` | reads its journals before it does, and cuts an unfinished write off their end |
//! | `witness` | the count of commits outside the database: notices a journal that lost its end |
//! | `keys` | every key and its bytes |
//! | `records` | every stored value and its bytes |
//! | `writer`, `group`, `people` | the one thread that writes; what one commit gathers, and of people |
//! | `reads`, `messages`, `lookups`, `overview` | answers from a snapshot: logs and members, messages, people, lists |
//! | `archive` | everything as records, out and in |
//! | `check` | what must be true of a folder, and whether it is |
//! | [`stats`], [`calls`] | what the metrics show: what was done, and how often each port was called |
//! | [`error`] | why a folder cannot be opened |
//!
//! Invariants: one process per folder. One thread writes, so a condition that it has checked holds until its commit.
//! An answer is given only after the commit's sync; a commit that fails or hangs is never answered and stops the node.
//! The epoch is the number of the start, so a claim writes nothing: there is no second owner on one node.

pub mod calls;
pub mod error;
pub mod stats;
pub mod store;
mod archive;
mod check;
mod folder;
mod group;
mod journal;
mod keys;
mod lookups;
mod manifest;
mod messages;
mod overview;
mod people;
mod ports;
mod reads;
mod records;
mod upgrade;
mod witness;
mod writer;
#[cfg(test)]
mod tests;

pub use archive::Offline;
pub use check::{Fault, Problem, Report, RowKind, Subject, check};
pub use error::OpenError;
pub use folder::discard;
pub use stats::{Committed, Stats};
pub use store::{EmbeddedStore, Options};
