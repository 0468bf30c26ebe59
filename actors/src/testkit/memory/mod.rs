//! The store in memory: the contract and nothing else, with real epochs, and faults on request.
//!
//! | file | what |
//! |---|---|
//! | `store` | the store, its faults, and its logs |
//! | `rows` | what it holds, and how a batch becomes rows |
//! | `accounts` | accounts, logins, search, when users were here |
//! | `members` | members, lists and marks, and what a list shows of a conversation |
//! | `media` | what is known of files |
//! | `messages` | what became of messages, and what follows from users' own logs |
//! | `relations` | bonds |
//! | `archive` | everything, as records |

mod store;
mod rows;
mod accounts;
mod members;
mod media;
mod messages;
mod relations;
mod archive;

pub use store::{Call, Fault, Faults, MemoryStore};
