//! What happens at the moment: marks, signals, comings and goings, and what was left out.

use actors::id::{ConversationId, UserId};
use actors::store::Marks;
use actors::view::PresenceView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::wire::frame::{conv, moment};

/// Where a mark stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Marked {
    /// The seq.
    pub seq: u64,
    /// Messages that are not read.
    pub unread: u64,
}

/// Whether a user has a live session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Presence {
    /// Who.
    pub user: u64,
    /// Whether.
    pub online: bool,
    /// When the last session ended, where none is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<i64>,
}

impl From<&PresenceView> for Presence {
    fn from(view: &PresenceView) -> Self {
        Self { user: view.user.get(), online: view.online, last_seen: view.last_seen.map(moment) }
    }
}

/// The users now watched.
#[derive(Debug, Serialize, ToSchema)]
pub struct Watching {
    /// Each of them.
    pub users: Vec<Presence>,
}

/// How far one member has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receipt {
    /// Who.
    pub user: u64,
    /// Everything up to here has arrived.
    pub delivered: u64,
    /// Everything up to here was read.
    pub read: u64,
}

impl From<&(UserId, Marks)> for Receipt {
    fn from((user, marks): &(UserId, Marks)) -> Self {
        Self { user: user.get(), delivered: marks.delivered.seq.get(), read: marks.read.seq.get() }
    }
}

/// Members have come further.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receipts {
    /// Where.
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    pub conv: ConversationId,
    /// Who, and how far.
    pub marks: Vec<Receipt>,
    /// Whether the list was cut.
    pub more: bool,
}

/// The user has read on another device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unread {
    /// Where.
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    pub conv: ConversationId,
    /// Up to where.
    pub read: u64,
    /// Messages that are not read.
    pub unread: u64,
    /// Of how many.
    pub count: u64,
    /// Messages that are not read, over all conversations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// A member is writing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Typing {
    /// Where.
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    pub conv: ConversationId,
    /// Who.
    pub user: u64,
    /// For how long that holds.
    pub hold_ms: u64,
}

/// Entries that were left out, to be read from the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Gap {
    /// Which conversation; without it the user's own log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conv: Option<String>,
    /// The first one.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// Entries that change the members of a large group alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembersMoved {
    /// Where.
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    pub conv: ConversationId,
    /// The life of its log.
    pub inc: u64,
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
    /// How many members there are now.
    pub members: u64,
}
