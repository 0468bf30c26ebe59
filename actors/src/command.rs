//! What a client asks to change, or to know, in no dialect.

use crate::content::{ClientKey, Content, GroupName};
use crate::id::{ConversationId, Incarnation, Seq, UserId};

/// A wish to change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Store a message.
    Post {
        /// Where.
        conversation: ConversationId,
        /// The poster's idempotency key.
        client_key: ClientKey,
        /// What.
        content: Content,
    },
    /// Create a group with the one who asks as its owner.
    CreateGroup {
        /// The creator's idempotency key.
        client_key: ClientKey,
        /// The name.
        name: GroupName,
        /// The other members.
        members: Vec<UserId>,
    },
    /// Add members to a group.
    AddMembers {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Who.
        members: Vec<UserId>,
    },
    /// Remove a member from a group; oneself to leave.
    RemoveMember {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Who.
        member: UserId,
    },
    /// Raise a watermark of the one who asks.
    Mark {
        /// Where.
        conversation: ConversationId,
        /// Which.
        mark: MarkKind,
        /// Up to where.
        seq: Seq,
    },
    /// Tell the others that the one who asks is writing.
    Type {
        /// Where.
        conversation: ConversationId,
    },
    /// Replace the list of users whose presence this session hears of.
    Watch {
        /// Whom.
        users: Vec<UserId>,
    },
}

/// Which watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkKind {
    /// It has arrived.
    Delivered,
    /// It was read.
    Read,
}

/// A wish to know something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// A user by number.
    User {
        /// Whom.
        user: UserId,
    },
    /// A user by username, exactly.
    FindUser {
        /// The username.
        username: String,
    },
    /// One conversation as the one who asks sees it; a direct one needs no message yet.
    Conversation {
        /// Which.
        conversation: ConversationId,
    },
    /// The conversations of the one who asks, latest activity first.
    Conversations {
        /// From where the last page ended.
        cursor: Option<String>,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Members of a group, by number.
    Members {
        /// Which.
        conversation: ConversationId,
        /// Only those with a higher number.
        after: Option<UserId>,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Entries of a log, oldest first in the answer.
    History {
        /// Which.
        conversation: ConversationId,
        /// Which part.
        span: Span,
        /// How many at most.
        limit: Option<u64>,
    },
    /// How these users stand now, without hearing of changes.
    Presence {
        /// Whom.
        users: Vec<UserId>,
    },
    /// What happened since these cursors (P30).
    Sync {
        /// The cursor in the user's own log.
        user: Option<Cursor>,
        /// A cursor for each conversation that the client knows.
        conversations: Vec<(ConversationId, Cursor)>,
    },
}

/// Which part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The newest entries.
    Newest,
    /// The newest of those below this seq.
    Before(Seq),
    /// The oldest of those above this seq.
    After(Seq),
}

/// How far a client has come in one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the log that the seq belongs to.
    pub incarnation: Incarnation,
    /// Everything up to here is known.
    pub seq: Seq,
}
