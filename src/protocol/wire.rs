//! The words that the server says, as types that serialise alike in both encodings; they borrow what they show.
//!
//! A field here is a promise to every client (P49: fields may be added, never changed). Conversions from the core's
//! views are written out below; nothing is decided in them.

use std::time::Duration;

use actors::content::Content;
use actors::entry::{self, Act, Membership, Role};
use actors::id::{ConversationId, Incarnation, NUMBER_MAX, UserId};
use actors::limits::{Limit, Limits};
use actors::view::{About, Appended, ConversationView, PresenceView, ResetReason, Resumed, UserView};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::protocol::error::WireError;
use crate::protocol::value::Data;

/// The answer to a request.
#[derive(Debug, Serialize)]
pub struct Reply<T> {
    /// The request's number.
    pub id: u32,
    /// What was asked for.
    pub ok: T,
}

/// The refusal of a request.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    /// The request's number.
    pub id: u32,
    /// Why.
    pub err: Problem<'a>,
}

/// Something that nobody asked for.
#[derive(Debug, Serialize)]
pub struct Push<T> {
    /// What it is, from [`PUSHES`].
    pub ev: &'static str,
    /// The content.
    pub d: T,
}

/// Every push, in the order of the documentation.
pub const PUSHES: [&str; 12] =
    ["hello", "hb", "entry", "own", "receipts", "unread", "typing", "presence", "gap", "auth.expiring", "error", "bye"];

/// A refusal (P38).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem<'a> {
    code: u16,
    name: &'static str,
    msg: &'a str,
    retry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(rename = "ref")]
    reference: &'a str,
}

impl<'a> Problem<'a> {
    /// This refusal under this reference.
    pub fn new(error: &'a WireError, reference: &'a str) -> Self {
        let row = error.code.row();
        Self {
            code: row.number,
            name: row.name,
            msg: &error.message,
            retry: row.retry.as_str(),
            after_ms: error.after_millis(),
            field: error.field.as_deref(),
            reference,
        }
    }
}

/// Milliseconds of a span, exact in JavaScript.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(NUMBER_MAX)
}

fn conv<S: Serializer>(id: &ConversationId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Nothing but success.
#[derive(Debug, Serialize, ToSchema)]
pub struct Empty {}

/// A user as others see one.
#[derive(Debug, Serialize, ToSchema)]
pub struct User<'a> {
    id: u64,
    username: &'a str,
    name: &'a str,
}

impl<'a> From<&'a UserView> for User<'a> {
    fn from(user: &'a UserView) -> Self {
        Self { id: user.id.get(), username: user.username.as_str(), name: user.name.as_str() }
    }
}

/// The connection is authenticated.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthOk<'a> {
    /// Who.
    pub user: User<'a>,
    /// The session.
    pub session: String,
    /// How long the token still lives.
    pub expires_in_ms: u64,
}

/// The new token is in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefreshOk {
    /// How long it lives.
    pub expires_in_ms: u64,
}

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
            at: appended.at.millis(),
            dup: appended.duplicate,
        }
    }
}

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
}

impl From<&PresenceView> for Presence {
    fn from(view: &PresenceView) -> Self {
        Self { user: view.user.get(), online: view.online }
    }
}

/// The users now watched.
#[derive(Debug, Serialize, ToSchema)]
pub struct Watching {
    /// Each of them.
    pub users: Vec<Presence>,
}

/// What a message says.
#[derive(Debug, Serialize, ToSchema)]
pub struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Data<'a>>,
}

/// An entry of a conversation. Which of the last fields are there depends on `kind`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry<'a> {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    inc: u64,
    seq: u64,
    pos: u64,
    id: u64,
    from: u64,
    at: i64,
    key: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Body<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>)]
    mentions: Option<Numbers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>)]
    members: Option<Numbers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<u64>,
}

/// Users by number.
#[derive(Debug)]
pub struct Numbers<'a>(&'a [UserId]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|user| user.get()))
    }
}

fn kind(act: &Act) -> &'static str {
    match act {
        Act::Message(_) => "message",
        Act::Created { .. } => "created",
        Act::Joined { .. } => "joined",
        Act::Left { .. } => "left",
        Act::Appeared { .. } => "appeared",
        Act::Vanished { .. } => "vanished",
    }
}

impl<'a> Entry<'a> {
    /// An entry of this log.
    pub fn new(conversation: ConversationId, incarnation: Incarnation, entry: &'a entry::Entry) -> Self {
        let plain = Self {
            conv: conversation,
            inc: incarnation.0,
            seq: entry.seq.get(),
            pos: entry.pos.0,
            id: entry.id.get(),
            from: entry.author.get(),
            at: entry.at.millis(),
            key: entry.client_key.as_str(),
            kind: kind(&entry.act),
            body: None,
            reply_to: None,
            mentions: None,
            name: None,
            members: None,
            user: None,
        };
        match &entry.act {
            Act::Message(Content { text, data, reply_to, mentions }) => Self {
                body: Some(Body { text, data: data.as_ref().and_then(Data::new) }),
                reply_to: reply_to.map(actors::id::Seq::get),
                mentions: (!mentions.is_empty()).then_some(Numbers(mentions)),
                ..plain
            },
            Act::Created { name, members } => Self { name: Some(name.as_str()), members: Some(Numbers(members)), ..plain },
            Act::Joined { members } => Self { members: Some(Numbers(members)), ..plain },
            Act::Left { member } => Self { user: Some(member.get()), ..plain },
            Act::Appeared { .. } | Act::Vanished { .. } => plain, // of users' own logs only
        }
    }
}

/// An entry of the user's own log.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnEntry {
    inc: u64,
    seq: u64,
    at: i64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conv: Option<String>,
}

impl OwnEntry {
    /// An entry of a user's own log.
    pub fn new(incarnation: Incarnation, entry: &entry::Entry) -> Self {
        let conversation = match &entry.act {
            Act::Appeared { conversation } | Act::Vanished { conversation } => Some(conversation.to_string()),
            Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } => None, // of conversations only
        };
        Self { inc: incarnation.0, seq: entry.seq.get(), at: entry.at.millis(), kind: kind(&entry.act), conv: conversation }
    }
}

/// A conversation as one member sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation<'a> {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    kind: &'static str,
    inc: u64,
    tail: u64,
    count: u64,
    at: i64,
    read: u64,
    delivered: u64,
    unread: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_read: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_delivered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

impl<'a> From<&'a ConversationView> for Conversation<'a> {
    fn from(view: &'a ConversationView) -> Self {
        let plain = Self {
            conv: view.id,
            kind: "",
            inc: view.tail.incarnation.0,
            tail: view.tail.seq.get(),
            count: view.count.0,
            at: view.last_at.millis(),
            read: view.marks.read.seq.get(),
            delivered: view.marks.delivered.seq.get(),
            unread: view.unread,
            last: view.last.as_deref().map(|entry| Entry::new(view.id, view.tail.incarnation, entry)),
            peer: None,
            peer_read: None,
            peer_delivered: None,
            name: None,
            members: None,
            role: None,
        };
        match &view.about {
            About::Direct { peer, peer_marks } => Self {
                kind: "direct",
                peer: peer.as_ref().map(User::from),
                peer_read: Some(peer_marks.read.seq.get()),
                peer_delivered: Some(peer_marks.delivered.seq.get()),
                ..plain
            },
            About::Group { group, role: own } => {
                Self { kind: "group", name: Some(group.name.as_str()), members: Some(group.members), role: Some(role(*own)), ..plain }
            }
        }
    }
}

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversations<'a> {
    /// Latest activity first.
    pub convs: Vec<Conversation<'a>>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<&'a str>,
}

/// A member of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    user: u64,
    role: &'static str,
    since: u64,
}

impl From<&(UserId, Membership)> for Member {
    fn from((user, membership): &(UserId, Membership)) -> Self {
        Self { user: user.get(), role: role(membership.role), since: membership.since.get() }
    }
}

/// A page of members.
#[derive(Debug, Serialize, ToSchema)]
pub struct Members {
    /// By number.
    pub members: Vec<Member>,
    /// Whether there are more.
    pub more: bool,
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
    /// Whether there are more in the direction asked for.
    pub more: bool,
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
    pub fn new(cursor: actors::command::Cursor, resumed: &Resumed) -> Self {
        let Outcome { state, from, to, reason, floor } = resumed.into();
        let entries = match resumed {
            Resumed::Complete(entries) => Some(entries.iter().map(|entry| OwnEntry::new(cursor.incarnation, entry)).collect()),
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
    pub fn new(conv: ConversationId, cursor: actors::command::Cursor, resumed: &'a Resumed) -> Self {
        let Outcome { state, from, to, reason, floor } = resumed.into();
        let entries = match resumed {
            Resumed::Complete(entries) => Some(entries.iter().map(|entry| Entry::new(conv, cursor.incarnation, entry)).collect()),
            Resumed::Gap { .. } | Resumed::Reset(_) | Resumed::TooLong { .. } => None,
        };
        Self { conv, inc: cursor.incarnation.0, tail: cursor.seq.get(), state, entries, from, to, reason, floor }
    }
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

/// The server is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Beat {
    /// How many pushes were written since `hello`.
    pub s: u64,
}

/// The token is about to end.
#[derive(Debug, Serialize, ToSchema)]
pub struct Expiring {
    /// When.
    pub in_ms: u64,
}

/// The connection is about to be closed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bye {
    /// The close code.
    pub code: u16,
    /// Its text.
    pub reason: &'static str,
    /// When to come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// The server's first word.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hello<'a> {
    /// The server's time.
    pub time: i64,
    /// The session.
    pub session: String,
    /// The build.
    pub build: &'a str,
    /// How often the server sends a heartbeat.
    pub hb_ms: u64,
    /// How long it waits for `auth`.
    pub auth_ms: u64,
    /// What it can.
    pub features: &'static [&'static str],
    /// What a client must keep to.
    pub limits: HelloLimits,
}

/// What a client must keep to (P13).
#[derive(Debug, Serialize, ToSchema)]
pub struct HelloLimits {
    frame_bytes: u64,
    body_bytes: u64,
    page: u64,
    frame_requests: u64,
    requests_in_flight: u64,
    sync_conversations: u64,
    members_per_request: u64,
    client_key_bytes: usize,
}

impl From<&Limits> for HelloLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            frame_bytes: limits.get(Limit::FrameBytes),
            body_bytes: limits.get(Limit::BodyBytes),
            page: limits.get(Limit::Page),
            frame_requests: limits.get(Limit::FrameRequests),
            requests_in_flight: limits.get(Limit::RequestsInFlight),
            sync_conversations: limits.get(Limit::SyncConversations),
            members_per_request: limits.get(Limit::MembersPerRequest),
            client_key_bytes: actors::content::CLIENT_KEY_BYTES_MAX,
        }
    }
}
