//! A user's home: the only writer of the user's own log on this node (design D6, D11).
//!
//! It stands in the log what concerns the user and no conversation: which conversations appeared and went, how the user
//! wants them, notices, and that bonds or the account have changed. It wakes on demand, also for users who are not
//! connected, and sleeps when there is nothing to do.
//!
//! | | |
//! | --- | --- |
//! | owns | the tail and keys of the user's log while awake |
//! | supervised by | one of the node's shard supervisors; the next note brings it back from the store |
//! | limits | one note per membership, never per message; `notices_user`; batches as for conversations |
//! | forgets when it dies | nothing that was answered |

pub(crate) mod notices;
pub(crate) mod settings;
mod project;
pub(crate) mod mail;
pub(crate) mod actor;
mod notes;
mod wishes;
mod creations;
