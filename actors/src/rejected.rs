//! What the core answers when it says no, or when it cannot know: one closed list for every door.

use std::time::Duration;

use crate::account::AccountField;
use crate::id::{Seq, UserId};
use crate::kind::Kind;

/// Why a command or query was not carried out. Nothing has changed, except perhaps for [`Rejected::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// A field is not of the form that it must have.
    Field {
        /// Which field, as the native protocol spells it.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The message has neither text nor data.
    EmptyMessage,
    /// The body is larger than the limit.
    BodyTooLarge {
        /// The limit in bytes.
        max: u64,
    },
    /// More members, mentions, conversations or watched users than one request may name.
    TooManyItems {
        /// Which field.
        field: &'static str,
        /// The limit.
        max: u64,
    },
    /// The credential proves nothing.
    InvalidCredential,
    /// The credential was good once.
    ExpiredCredential,
    /// Username or address and password do not belong together; also for an account that does not exist (A8).
    WrongPassword,
    /// The account may not be used.
    AccountDisabled,
    /// The refresh token has ended, or was used before.
    InvalidRefresh,
    /// The username, address or password is not acceptable.
    InvalidAccount {
        /// Which.
        field: AccountField,
    },
    /// The username or address is taken.
    Taken {
        /// Which.
        field: AccountField,
    },
    /// There is no such user.
    NoSuchUser,
    /// There is no such conversation, or the one who asks is no member of it.
    NoSuchConversation,
    /// The message to be answered is not there.
    NoSuchEntry {
        /// The seq that was named.
        seq: Seq,
    },
    /// The entry is no message, or one that this cannot be done with.
    NotAMessage {
        /// The seq that was named.
        seq: Seq,
    },
    /// The message was deleted.
    MessageDeleted {
        /// The seq that was named.
        seq: Seq,
    },
    /// Only who wrote a message may do that.
    NotTheAuthor,
    /// The message was edited, or has different reactions, as often as it may be.
    MessageFull {
        /// Edits, or kinds of reaction.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// There is no such file, it is somebody else's, or it is gone.
    NoSuchMedia,
    /// A block stands between the two.
    Blocked {
        /// Whose.
        by: UserId,
    },
    /// The two are friends already.
    AlreadyFriends,
    /// A request is open already.
    AlreadyRequested {
        /// Who asked.
        from: UserId,
    },
    /// There is a relation already, though somebody said no to it.
    RelationExists,
    /// There is no request to answer, or no relation to change.
    NoSuchRequest,
    /// The two are no friends.
    NotFriends,
    /// One of the two has as many relations as one may have.
    TooManyRelations {
        /// The limit.
        max: u64,
    },
    /// The user joins groups by invitation alone.
    InvitationNeeded,
    /// There is no such login.
    NoSuchLogin,
    /// The role does not allow it.
    RoleTooLow,
    /// The owner cannot leave his group.
    OwnerCannotLeave,
    /// A direct conversation has no members to add or remove.
    NotAGroup,
    /// The group is full.
    GroupFull {
        /// The limit.
        max: u64,
    },
    /// The client key was used for another content.
    KeyReused {
        /// Where the first one stands.
        seq: Seq,
    },
    /// The seq lies above the tail.
    AheadOfLog {
        /// The tail.
        tail: Seq,
    },
    /// Too often.
    TooFast {
        /// Which bucket ran empty; a closed list, it is a metric's label.
        bucket: &'static str,
        /// When to try again.
        after: Duration,
    },
    /// Too much is waiting already.
    Busy {
        /// When to try again.
        after: Duration,
    },
    /// The store or an actor cannot be reached; nothing was done.
    Unavailable {
        /// When to try again.
        after: Duration,
    },
    /// The node is going away; connect again.
    Draining,
    /// It may have been done. The same request with the same client key settles it (R6).
    Unknown,
    /// The log is frozen: stored data contradicts itself and an operator must look (F13).
    Frozen,
    /// A mistake of ours.
    Internal,
}

impl Rejected {
    /// The class that doors map.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Field { .. } | Self::EmptyMessage | Self::InvalidAccount { .. } | Self::AheadOfLog { .. } => Kind::Malformed,
            Self::NotAGroup => Kind::Malformed,
            Self::BodyTooLarge { .. } => Kind::TooLarge,
            Self::NotAMessage { .. } => Kind::Malformed,
            Self::NotTheAuthor | Self::Blocked { .. } | Self::InvitationNeeded => Kind::Forbidden,
            Self::MessageDeleted { .. } | Self::NoSuchMedia | Self::NoSuchRequest | Self::NotFriends | Self::NoSuchLogin => Kind::NotFound,
            Self::AlreadyFriends | Self::AlreadyRequested { .. } | Self::RelationExists => Kind::Conflict,
            Self::MessageFull { .. } | Self::TooManyRelations { .. } => Kind::Conflict,
            Self::TooManyItems { .. } => Kind::TooLarge,
            Self::InvalidCredential | Self::ExpiredCredential | Self::WrongPassword | Self::InvalidRefresh => Kind::Unauthenticated,
            Self::AccountDisabled | Self::RoleTooLow | Self::OwnerCannotLeave => Kind::Forbidden,
            Self::NoSuchUser | Self::NoSuchConversation | Self::NoSuchEntry { .. } => Kind::NotFound,
            Self::Taken { .. } | Self::GroupFull { .. } | Self::KeyReused { .. } => Kind::Conflict,
            Self::TooFast { .. } => Kind::TooMany,
            Self::Busy { .. } | Self::Unavailable { .. } | Self::Draining | Self::Unknown | Self::Frozen => Kind::Unavailable,
            Self::Internal => Kind::Internal,
        }
    }
}
