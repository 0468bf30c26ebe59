//! The words that the server says, as types that serialise alike in both encodings; they borrow what they show.
//!
//! A field here is a promise to every client (P49: fields may be added, never changed). Conversions from the core's
//! views are written out; nothing is decided in them, and no door and no number of a door is ever shown.
//!
//! Read in this order: [`frame`] (envelopes, refusals, the connection), [`people`] and [`account`], [`content`] and
//! [`entry`] (messages and what else stands in a conversation), [`own`] (a user's own log), [`conversation`],
//! [`log`](mod@log) (histories and resumes), [`live`] (marks and signals), [`lists`] (pages of the rest).

pub mod frame;
pub mod people;
pub mod account;
pub mod content;
pub mod entry;
pub mod own;
pub mod conversation;
pub mod log;
pub mod live;
pub mod lists;

pub use account::{Account, Login, Logins};
pub use conversation::{Conversation, Conversations, Member, Members, Prefs};
pub use entry::Entry;
pub use frame::{AuthOk, Beat, Bye, Empty, Expiring, Hello, HelloLimits, PUSHES, Problem, Push, RefreshOk, Refusal, Reply, millis};
pub use lists::{Invitations, Notices, Reactions, ReadBy, UnreadTotal};
pub use live::{Gap, Marked, MembersMoved, Presence, Receipt, Receipts, Typing, Unread, Watching};
pub use log::{History, Stored, Sync};
pub use own::OwnEntry;
pub use people::{Relation, RelationPush, Relations, User, Users};
