//! Parts of a log, and what came of a resume.

use actors::command::Cursor;
use actors::id::{ConversationId, Seq};
use actors::view::{Appended, HistoryView, ResetReason, Resumed, SyncView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::wire::conversation::Conversation;
use crate::protocol::wire::entry::Entry;
use crate::protocol::wire::frame::{conv, moment};
use crate::protocol::wire::own::OwnEntry;

/// An entry is durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stored {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    seq: u64,
    pos: u64,
    id: u64,
    at: i64,
    dup: bool,
}

impl From<&Appended> for Stored {
    fn from(appended: &Appended) -> Self {
        Self {
            conv: appended.conversation,
            seq: appended.seq.get(),
            pos: appended.pos.0,
            id: appended.id.get(),
            at: moment(appended.at),
            dup: appended.duplicate,
        }
    }
}

/// A part of a log.
#[derive(Debug, Serialize, ToSchema)]
pub struct History<'a> {
    /// Which log.
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    pub conv: ConversationId,
    /// Its life.
    pub inc: u64,
    /// Its end.
    pub tail: u64,
    /// Oldest first.
    pub entries: Vec<Entry<'a>>,
    /// Nothing up to here is shown: the user has cleared it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<u64>,
    /// Whether there are more in the direction asked for.
    pub more: bool,
}

impl<'a> From<&'a HistoryView> for History<'a> {
    fn from(view: &'a HistoryView) -> Self {
        let incarnation = view.tail.incarnation;
        Self {
            conv: view.conversation,
            inc: incarnation.0,
            tail: view.tail.seq.get(),
            entries: view.entries.iter().map(|shown| Entry::shown(view.conversation, incarnation, shown)).collect(),
            floor: (view.floor > Seq::ZERO).then(|| view.floor.get()),
            more: view.more,
        }
    }
}

/// What happened while the client was away.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sync<'a> {
    /// In the user's own log.
    pub user: OwnResumed,
    /// In each conversation that was named.
    pub convs: Vec<ConversationResumed<'a>>,
    /// Conversations that are new to the client.
    pub appeared: Vec<Conversation<'a>>,
}

impl<'a> From<&'a SyncView> for Sync<'a> {
    fn from(view: &'a SyncView) -> Self {
        let (cursor, resumed) = &view.user;
        let conversations = view.conversations.iter();
        Self {
            user: OwnResumed::new(*cursor, resumed),
            convs: conversations.map(|(conv, cursor, resumed)| ConversationResumed::new(*conv, *cursor, resumed)).collect(),
            appeared: view.appeared.iter().map(Into::into).collect(),
        }
    }
}

/// The outcome of one log, less its entries.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    state: &'static str,
    from: Option<u64>,
    to: Option<u64>,
    reason: Option<&'static str>,
    floor: Option<u64>,
}

impl From<&Resumed> for Outcome {
    fn from(resumed: &Resumed) -> Self {
        let plain = |state| Self { state, from: None, to: None, reason: None, floor: None };
        match resumed {
            Resumed::Complete(_) => plain("complete"),
            Resumed::Gap { from, to } => Self { from: Some(from.get()), to: Some(to.get()), ..plain("gap") },
            Resumed::Reset(reason) => Self { reason: Some(reset(*reason)), ..plain("reset") },
            Resumed::TooLong { floor } => Self { floor: Some(floor.get()), ..plain("too_long") },
        }
    }
}

fn reset(reason: ResetReason) -> &'static str {
    match reason {
        ResetReason::Incarnation => "incarnation",
        ResetReason::Ahead => "ahead",
        ResetReason::NotAMember => "not_a_member",
    }
}

/// What happened in the user's own log.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnResumed {
    inc: u64,
    seq: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<OwnEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<u64>,
}

impl OwnResumed {
    /// The new cursor and what led to it.
    pub fn new(cursor: Cursor, resumed: &Resumed) -> Self {
        let Outcome { state, from, to, reason, floor } = resumed.into();
        let entries = match resumed {
            Resumed::Complete(entries) => Some(entries.iter().map(|shown| OwnEntry::new(cursor.incarnation, &shown.entry)).collect()),
            Resumed::Gap { .. } | Resumed::Reset(_) | Resumed::TooLong { .. } => None,
        };
        Self { inc: cursor.incarnation.0, seq: cursor.seq.get(), state, entries, from, to, reason, floor }
    }
}

/// What happened in one conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversationResumed<'a> {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    inc: u64,
    tail: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<Entry<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<u64>,
}

impl<'a> ConversationResumed<'a> {
    /// The new cursor and what led to it.
    pub fn new(conv: ConversationId, cursor: Cursor, resumed: &'a Resumed) -> Self {
        let Outcome { state, from, to, reason, floor } = resumed.into();
        let entries = match resumed {
            Resumed::Complete(entries) => Some(entries.iter().map(|shown| Entry::shown(conv, cursor.incarnation, shown)).collect()),
            Resumed::Gap { .. } | Resumed::Reset(_) | Resumed::TooLong { .. } => None,
        };
        Self { conv, inc: cursor.incarnation.0, tail: cursor.seq.get(), state, entries, from, to, reason, floor }
    }
}
