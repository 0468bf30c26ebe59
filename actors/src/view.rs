//! What one viewer may be shown: the answers to commands and queries, in no dialect.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, DisplayName, Email, Picture, Standing, Username};
use crate::command::Cursor;
use crate::content::{AboutText, Reaction};
use crate::entry::{Amendment, Entry, GroupRow, Invitation, Membership, Notice, Preferences, Role};
use crate::id::{ConversationId, DirectNumber, Door, LoginId, MessageId, Pos, Seq, UserId};
use crate::relation::{Bond, BondChange};
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
    /// Users, best match first.
    Users(Vec<UserView>),
    /// Who is here.
    Presence(Vec<PresenceView>),
    /// What two users are to each other now, and what became of a step.
    Bond(Box<BondView>, BondChange),
    /// A page of bonds.
    Bonds {
        /// Newest first.
        page: Vec<BondView>,
        /// How many there are in all.
        total: u64,
        /// For the next page; `None` at the end.
        cursor: Option<String>,
    },
    /// How the viewer has a conversation now.
    Preferences(ConversationId, Preferences),
    /// A page of notices.
    Notices(NoticesView),
    /// One message, where it stands.
    Message(ConversationId, Cursor, Shown),
    /// How far members have come with a message.
    ReadBy {
        /// By number: when it was delivered and read; `None` where it was not, or where its reader keeps that private.
        page: Vec<(UserId, Option<Timestamp>, Option<Timestamp>)>,
        /// Whether there are more members.
        more: bool,
    },
    /// Who reacts how.
    Reactions {
        /// By number.
        page: Vec<(UserId, Vec<Reaction>)>,
        /// Whether there are more.
        more: bool,
    },
    /// Invitations that stand.
    Invitations {
        /// By number.
        page: Vec<(UserId, Invitation)>,
        /// Whether there are more.
        more: bool,
    },
    /// Messages that are not read.
    Unread {
        /// How many.
        messages: u64,
        /// In how many conversations; muted and archived ones count.
        conversations: u64,
    },
    /// The own account.
    Account(Box<Account>),
    /// Logins that have not ended, the newest first.
    Logins(Vec<LoginView>),
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
    /// Whether the client key was stored before: then these are the first values (G3). Also where a reaction changes
    /// nothing: then these are the message's.
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
    /// The first name; may be empty.
    pub first_name: DisplayName,
    /// The last name; may be empty.
    pub last_name: DisplayName,
    /// What the user says of himself.
    pub about: AboutText,
    /// The picture.
    pub picture: Option<Picture>,
    /// The address. For doors whose contract shows it; the native protocol does not.
    pub email: Email,
    /// Whether the account may be used.
    pub standing: Standing,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<&Account> for UserView {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id,
            username: account.username.clone(),
            name: account.name.clone(),
            first_name: account.first_name.clone(),
            last_name: account.last_name.clone(),
            about: account.about.clone(),
            picture: account.picture,
            email: account.email.clone(),
            standing: account.standing,
            created_at: account.created_at,
        }
    }
}

/// What two users are to each other, as one of them sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct BondView {
    /// The other one; `None` if the account is gone.
    pub peer: Option<UserView>,
    /// Everything between the two.
    pub bond: Bond,
}

/// A login as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginView {
    /// Which.
    pub id: LoginId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// What the client said of its device.
    pub device: Box<str>,
    /// The door that it began at.
    pub door: Door,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last drew an access token.
    pub used_at: Timestamp,
    /// How many sessions of it are open on this node.
    pub sessions: u64,
}

/// Notices that stand.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticesView {
    /// Newest first.
    pub page: Vec<NoticeView>,
    /// Up to which seq they were read.
    pub read: Seq,
    /// How many stand in all.
    pub total: u64,
    /// How many of them are not read.
    pub unread: u64,
    /// Whether there are older ones.
    pub more: bool,
    /// Conversations with messages that are not read, latest first, on the first page alone: they are derived from the
    /// marks, since a record for each message and member would break G6.
    pub conversations: Vec<(ConversationId, u64)>,
}

/// One notice.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeView {
    /// Its seq in the user's own log.
    pub seq: Seq,
    /// Its number.
    pub id: MessageId,
    /// Since when it stands.
    pub at: Timestamp,
    /// What it says.
    pub notice: Notice,
    /// Who caused it; `None` if the account is gone.
    pub from: Option<UserView>,
}

/// An entry as one viewer is shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The entry; that of a message as it was written.
    pub entry: Arc<Entry>,
    /// What became of the message since; boxed, since it is rare.
    pub amendment: Option<Box<Amendment>>,
    /// The viewer's own reactions to it.
    pub own_reactions: Vec<Reaction>,
    /// Whether the viewer has hidden it: then only its place is shown.
    pub hidden: bool,
}

impl From<Arc<Entry>> for Shown {
    fn from(entry: Arc<Entry>) -> Self {
        Self { entry, amendment: None, own_reactions: Vec::new(), hidden: false }
    }
}

/// Whether a user has a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceView {
    /// Who.
    pub user: UserId,
    /// Whether.
    pub online: bool,
    /// When the last session ended, where none is open and it may be known.
    pub last_seen: Option<Timestamp>,
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
    /// The last entry, if there is one that the viewer is shown.
    pub last: Option<Shown>,
    /// How the viewer wants it.
    pub preferences: Preferences,
    /// What depends on its kind.
    pub about: About,
}

/// What a conversation is to its viewer.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most conversations are direct ones")]
pub enum About {
    /// Direct: the other user, and how far that user has come.
    Direct {
        /// The other one; `None` if the account is gone.
        peer: Option<UserView>,
        /// The other one's marks; default marks if they are kept private.
        peer_marks: Marks,
        /// Everything between the two.
        bond: Bond,
        /// Its integer form, once it has a message.
        number: Option<DirectNumber>,
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
    pub entries: Vec<Shown>,
    /// Nothing up to here is shown to this viewer: he has cleared it.
    pub floor: Seq,
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
    Complete(Vec<Shown>),
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
