//! One conversation: its rules, and the actor that is its only writer on this node.
//!
//! | | |
//! | --- | --- |
//! | owns | the log's tail, client keys, members and roles while awake |
//! | written by | its own mail alone |
//! | supervised by | one of the node's shard supervisors; the next command brings it back from the store |
//! | limits | `posts_waiting` (permits that travel in the mail), `batch_rows`, `batch_bytes`, `members`, rates |
//! | forgets when it dies | marks not yet stored (nobody was shown them), announcements not yet made (a resume finds them) |
//!
//! [`state`] is pure; [`actor`] judges and appends, [`load`] reads before it, [`commit`] acknowledges and announces after
//! it; [`marks`] gathers watermarks and [`signals`] shows them.

pub mod state;
pub(crate) mod marks;
pub mod mail;
pub(crate) mod announce;
pub(crate) mod load;
pub(crate) mod commit;
pub(crate) mod signals;
pub(crate) mod actor;
