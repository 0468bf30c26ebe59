//! What a client asks to change, or to know, in no dialect.

use crate::account::{DisplayName, Email, Password, Privacy, Username};
use crate::content::{AboutText, ClientKey, Content, GroupName, Reaction};
use crate::entry::{GroupChange, Role};
use crate::id::{ConversationId, Door, Incarnation, LoginId, MessageId, Seq, UserId};
use crate::media::MediaId;
use crate::relation::Step;

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
        /// The files that it carries, in this order: whoever stores it looks up what they are.
        media: Vec<MediaId>,
    },
    /// Say something else in a message of one's own: text, data and mentions.
    Edit {
        /// Where.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Which message.
        target: Seq,
        /// What it says from now on; what it answers, forwards and carries stays as it is.
        content: Content,
    },
    /// Delete a message for everyone.
    Delete {
        /// Where.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Which message.
        target: Seq,
    },
    /// React to a message, or take a reaction back.
    React {
        /// Where.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Which message.
        target: Seq,
        /// How.
        reaction: Reaction,
        /// Whether it is to stand.
        on: bool,
    },
    /// Post a message again elsewhere.
    Forward {
        /// Where to.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Where from.
        from: ConversationId,
        /// Which message there.
        target: Seq,
    },
    /// Create a group with the one who asks as its owner.
    CreateGroup {
        /// The creator's idempotency key.
        client_key: ClientKey,
        /// The name.
        name: GroupName,
        /// The other members.
        members: Vec<UserId>,
        /// Whether anybody may join.
        open: bool,
    },
    /// Call a group otherwise, or make it look or open otherwise.
    ChangeGroup {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// What changes.
        change: GroupChange,
        /// The file to be its picture, `Some(None)` for none: whoever stores it looks up what it is.
        picture: Option<Option<MediaId>>,
    },
    /// Give a member another role.
    SetRole {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Who.
        member: UserId,
        /// Which; never owner.
        role: Role,
    },
    /// Make another member the owner.
    HandOver {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// The new owner.
        to: UserId,
    },
    /// Invite users to a group.
    Invite {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Whom.
        users: Vec<UserId>,
    },
    /// Join a group that is open, or that one is invited to.
    Join {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
    },
    /// Decline one's invitation, or take another's back.
    Decline {
        /// The group.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// Whose invitation.
        user: UserId,
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
        /// Whether only the own unread count moves, and nobody is told (P26).
        private: bool,
    },
    /// Change what one is to another user.
    Relate {
        /// To whom.
        peer: UserId,
        /// How.
        step: Step,
        /// The door that it came in by.
        door: Door,
    },
    /// Have a conversation otherwise, for oneself alone.
    Set {
        /// Which.
        conversation: ConversationId,
        /// The idempotency key.
        client_key: ClientKey,
        /// How.
        setting: Wish,
    },
    /// Take the notices up to here for read.
    ReadNotices {
        /// The last one.
        up_to: Seq,
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

impl Command {
    /// The conversation that it is for; `None` for what is the user's own affair.
    pub fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::Post { conversation, .. }
            | Self::Edit { conversation, .. }
            | Self::Delete { conversation, .. }
            | Self::React { conversation, .. }
            | Self::Forward { conversation, .. }
            | Self::AddMembers { conversation, .. }
            | Self::RemoveMember { conversation, .. }
            | Self::ChangeGroup { conversation, .. }
            | Self::SetRole { conversation, .. }
            | Self::HandOver { conversation, .. }
            | Self::Invite { conversation, .. }
            | Self::Join { conversation, .. }
            | Self::Decline { conversation, .. }
            | Self::Mark { conversation, .. }
            | Self::Type { conversation } => Some(*conversation),
            Self::CreateGroup { .. } | Self::Relate { .. } | Self::Set { .. } | Self::ReadNotices { .. } | Self::Watch { .. } => None,
        }
    }

    /// Its idempotency key, if it is to be stored.
    pub fn client_key(&self) -> Option<&ClientKey> {
        match self {
            Self::Post { client_key, .. }
            | Self::Edit { client_key, .. }
            | Self::Delete { client_key, .. }
            | Self::React { client_key, .. }
            | Self::Forward { client_key, .. }
            | Self::CreateGroup { client_key, .. }
            | Self::AddMembers { client_key, .. }
            | Self::RemoveMember { client_key, .. }
            | Self::ChangeGroup { client_key, .. }
            | Self::SetRole { client_key, .. }
            | Self::HandOver { client_key, .. }
            | Self::Invite { client_key, .. }
            | Self::Join { client_key, .. }
            | Self::Decline { client_key, .. }
            | Self::Set { client_key, .. } => Some(client_key),
            Self::Mark { .. } | Self::Relate { .. } | Self::ReadNotices { .. } | Self::Type { .. } | Self::Watch { .. } => None,
        }
    }
}

/// How a user wants a conversation: a [`Setting`](crate::entry::Setting) before it is known what stands where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// No notification until then; `None` ends it.
    Mute(Option<crate::time::Timestamp>),
    /// Out of the way, or back.
    Archive(bool),
    /// Everything up to this seq is not to be shown any more.
    Clear(Seq),
    /// This one entry is not to be shown any more.
    Hide(Seq),
}

/// A wish about one's own account, or its logins. Each is judged with the login that it came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manage {
    /// The own account.
    Show,
    /// Change what others see, and who may see it.
    Profile(Box<ProfileChange>),
    /// Change the password; all other logins end.
    Password {
        /// The one in force.
        old: Password,
        /// The new one.
        new: Password,
    },
    /// Change the address.
    Email {
        /// The password, since the address can win back the account.
        password: Password,
        /// The new address.
        email: Email,
    },
    /// All logins that have not ended.
    Logins,
    /// End a login and its sessions.
    EndLogin(LoginId),
    /// End all logins but the one that asks.
    EndOtherLogins,
    /// End all logins.
    EndAllLogins,
    /// Close the account until the next login.
    Deactivate {
        /// The password.
        password: Password,
    },
    /// Delete the account.
    Delete {
        /// The password.
        password: Password,
    },
}

/// What becomes of an account; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileChange {
    /// The unique name.
    pub username: Option<Username>,
    /// The name as people show it.
    pub name: Option<DisplayName>,
    /// The first name.
    pub first_name: Option<DisplayName>,
    /// The last name.
    pub last_name: Option<DisplayName>,
    /// What the user says of himself.
    pub about: Option<AboutText>,
    /// The file to be the picture; `Some(None)` takes it away.
    pub picture: Option<Option<MediaId>>,
    /// What the user shows of himself.
    pub privacy: Option<Privacy>,
}

/// Which of a user's bonds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BondFilter {
    /// Friends.
    Friends,
    /// Open requests of others.
    Incoming,
    /// Own open requests.
    Outgoing,
    /// Whom the user blocks.
    Blocked,
    /// Everybody with whom there is a relation, rejected ones included.
    Related,
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
    /// Users whose username or name begins with this text, in any case.
    SearchUsers {
        /// The text.
        prefix: String,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Who of these users is here, as far as the one who asks may know.
    Presence {
        /// Whom.
        users: Vec<UserId>,
    },
    /// The bond with another user.
    Bond {
        /// With whom.
        peer: UserId,
    },
    /// Bonds of the one who asks, newest first.
    Bonds {
        /// Which.
        filter: BondFilter,
        /// From where the last page ended.
        cursor: Option<String>,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Notices that stand, newest first, and conversations with unread messages.
    Notices {
        /// Only older ones.
        before: Option<Seq>,
        /// How many at most.
        limit: Option<u64>,
    },
    /// One message by its number.
    Message {
        /// Which.
        id: MessageId,
    },
    /// Who has read, or been delivered, a message; by number of the user.
    ReadBy {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        target: Seq,
        /// Only users with a higher number.
        after: Option<UserId>,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Who reacts how to a message; by number of the user.
    Reactions {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        target: Seq,
        /// Only users with a higher number.
        after: Option<UserId>,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Invitations of a group that stand; by number of the user.
    Invitations {
        /// Which group.
        conversation: ConversationId,
        /// Only users with a higher number.
        after: Option<UserId>,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Messages that are not read, over all conversations.
    Unread,
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
