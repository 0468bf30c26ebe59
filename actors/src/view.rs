//! What one viewer may be shown: the answers to commands and queries, in no dialect.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, DisplayName, Username};
use crate::command::Cursor;
use crate::entry::{Entry, GroupRow, Membership, Role};
use crate::id::{ConversationId, MessageId, Pos, Seq, UserId};
use crate::store::Marks;
use crate::time::Timestamp;

/// A successful answer.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// An entry is durable.
    Appended(Appended),
    /// A watermark stands here now; it may be higher than what was asked for.
    Marked {
        /// The seq.
        seq: Seq,
        /// Messages that are not read yet.
        unread: u64,
    },
    /// The presence of the users now watched.
    Watching(Vec<PresenceView>),
    /// An ephemeral signal was taken.
    Done,
    /// A user.
    User(UserView),
    /// A conversation.
    Conversation(Box<ConversationView>),
    /// A page of conversations.
    Conversations {
        /// Latest activity first.
        page: Vec<ConversationView>,
        /// For the next page; `None` at the end.
        cursor: Option<String>,
    },
    /// A page of members.
    Members {
        /// By number.
        page: Vec<(UserId, Membership)>,
        /// Whether there are more.
        more: bool,
    },
    /// A part of a log.
    History(HistoryView),
    /// What happened while the client was away.
    Sync(SyncView),
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The conversation, for those who did not know it yet.
    pub conversation: ConversationId,
    /// Its seq.
    pub seq: Seq,
    /// Its position, or that of the message before it.
    pub pos: Pos,
    /// Its public number.
    pub id: MessageId,
    /// When.
    pub at: Timestamp,
    /// Whether the client key was stored before: then these are the first values (G3).
    pub duplicate: bool,
}

/// A user as others see one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// The number.
    pub id: UserId,
    /// The username.
    pub username: Username,
    /// The name as people show it.
    pub name: DisplayName,
}

impl From<&Account> for UserView {
    fn from(account: &Account) -> Self {
        Self { id: account.id, username: account.username.clone(), name: account.name.clone() }
    }
}

/// Whether a user has a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceView {
    /// Who.
    pub user: UserId,
    /// Whether.
    pub online: bool,
}

/// A conversation as one member sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationView {
    /// Which.
    pub id: ConversationId,
    /// How far its log goes: incarnation and tail.
    pub tail: Cursor,
    /// How many messages it has.
    pub count: Pos,
    /// The time of its last entry.
    pub last_at: Timestamp,
    /// The viewer's marks.
    pub marks: Marks,
    /// Messages that the viewer has not read.
    pub unread: u64,
    /// The last entry, if there is one.
    pub last: Option<Arc<Entry>>,
    /// What depends on its kind.
    pub about: About,
}

/// What a conversation is to its viewer.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    /// Direct: the other user, and how far that user has come.
    Direct {
        /// The other one; `None` if the account is gone.
        peer: Option<UserView>,
        /// The other one's marks.
        peer_marks: Marks,
    },
    /// A group.
    Group {
        /// Name and size.
        group: GroupRow,
        /// The viewer's role.
        role: Role,
    },
}

/// A part of a log, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryView {
    /// Which log.
    pub conversation: ConversationId,
    /// Its incarnation, and the highest seq that this viewer may read.
    pub tail: Cursor,
    /// The entries.
    pub entries: Vec<Arc<Entry>>,
    /// Whether more lie beyond, in the direction asked for.
    pub more: bool,
}

/// What happened while a client was away.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncView {
    /// The new cursor in the user's own log, and what happened there.
    pub user: (Cursor, Resumed),
    /// For each conversation that was named, exactly one outcome.
    pub conversations: Vec<(ConversationId, Cursor, Resumed)>,
    /// Conversations that appeared meanwhile, as they stand.
    pub appeared: Vec<ConversationView>,
}

/// The outcome of a resume of one log (P30): never silence.
#[derive(Debug, Clone, PartialEq)]
pub enum Resumed {
    /// These entries, and nothing else, came after the cursor.
    Complete(Vec<Arc<Entry>>),
    /// More than is sent inline: page from `from` to `to`.
    Gap {
        /// The first missing seq.
        from: Seq,
        /// The last missing seq.
        to: Seq,
    },
    /// Forget what is cached of this log.
    Reset(ResetReason),
    /// What came after the cursor is partly gone; the log begins above `floor`.
    TooLong {
        /// The last seq that is gone.
        floor: Seq,
    },
}

/// Why a client must forget what it has cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The log began a new life.
    Incarnation,
    /// The client's cursor lies above the tail.
    Ahead,
    /// The user is no member.
    NotAMember,
}

/// What a signup, login or refresh gives.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Who.
    pub user: UserView,
    /// The short-lived token that opens the API.
    pub access: Secret,
    /// How long it lives.
    pub access_life: Duration,
    /// The token that draws new ones; single use.
    pub refresh: Secret,
    /// How long it lives.
    pub refresh_life: Duration,
}

/// A text that must never be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("user", &self.user.id).finish_non_exhaustive()
    }
}
