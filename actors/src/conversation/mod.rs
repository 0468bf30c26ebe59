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
//! [`state`], [`groups`], [`amend`] and [`gone`] are pure; [`actor`] runs, [`requests`] judges and appends, [`load`] and
//! [`errand`] read before it, [`commit`] acknowledges and announces after it, [`crowd`] does so in large groups; [`marks`]
//! gathers watermarks and [`signals`] shows them; [`relate`] changes what the two of a direct conversation are to each other.

pub mod state;
pub mod groups;
pub mod amend;
pub mod gone;
pub(crate) mod marks;
pub mod mail;
pub(crate) mod announce;
pub(crate) mod load;
pub(crate) mod errand;
pub(crate) mod requests;
pub(crate) mod relate;
pub(crate) mod crowd;
pub(crate) mod commit;
pub(crate) mod signals;
pub(crate) mod actor;
