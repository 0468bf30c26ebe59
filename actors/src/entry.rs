//! What stands at one seq of a log and never changes, and the batch that brings entries into the log.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::account::Picture;
use crate::bits::Bits;
use crate::content::{AboutText, ClientKey, Content, GroupName, Reaction};
use crate::id::{BatchId, Bucket, ConversationId, DirectNumber, Epoch, GroupId, Incarnation, LogId, MessageId, Pos, Segment, Seq, UserId};
use crate::media::MediaId;
use crate::time::Timestamp;

/// A member's rights in a group; the order is the order of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May read and post.
    Member,
    /// May also add and remove members.
    Admin,
    /// The one who may do everything.
    Owner,
}

/// What happened at one seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Something that people read. The only act that has a position of its own.
    Message(Content),
    /// The first entry of a group: its name and members, the author as owner.
    Created {
        /// The name.
        name: GroupName,
        /// The first members, without the author.
        members: Vec<UserId>,
        /// Whether anybody may join.
        open: bool,
    },
    /// Users became members.
    Joined {
        /// Who.
        members: Vec<UserId>,
    },
    /// A member is one no longer; the author is the member, or who removed him.
    Left {
        /// Who.
        member: UserId,
    },
    /// A message says something else from now on. What it answers, forwards and carries with it stays.
    Edited {
        /// Which message.
        target: Seq,
        /// What it says now.
        content: Content,
    },
    /// A message is gone. What it said, and what it was edited to, is erased with this entry.
    Deleted {
        /// Which message.
        target: Seq,
    },
    /// What stands where a content was erased.
    Erased(Erased),
    /// Somebody reacts to a message, or does so no longer.
    Reacted {
        /// To which message.
        target: Seq,
        /// How.
        reaction: Reaction,
        /// Whether it stands from now on.
        on: bool,
    },
    /// The group is called, looks or opens otherwise.
    Changed(GroupChange),
    /// A member has another role.
    RoleSet {
        /// Who.
        member: UserId,
        /// Which; never owner.
        role: Role,
    },
    /// The owner, the author, has made another member the owner, and is an admin from now on.
    HandedOver {
        /// The new owner.
        to: UserId,
    },
    /// Users may join.
    Invited {
        /// Who.
        users: Vec<UserId>,
        /// Until when.
        expires_at: Timestamp,
    },
    /// An invitation stands no longer: the author declined it, or took it back.
    Declined {
        /// Whose it was.
        user: UserId,
    },
    /// In a user's own log: a conversation became findable for the user (design D11). It may never come to be.
    Appeared {
        /// Which.
        conversation: ConversationId,
    },
    /// In a user's own log: the user is no longer a member of a conversation.
    Vanished {
        /// Which.
        conversation: ConversationId,
    },
    /// In a user's own log: how the user wants a conversation.
    Set {
        /// Which.
        conversation: ConversationId,
        /// How.
        setting: Setting,
    },
    /// In a user's own log: something that the user is to know of.
    Noticed(Notice),
    /// In a user's own log: a notice means nothing any more.
    Withdrawn {
        /// Which.
        notice: Seq,
    },
    /// In a user's own log: the notices up to here were read.
    NoticesRead {
        /// The last one.
        up_to: Seq,
    },
    /// In a user's own log: the bond with another user is another one.
    Related {
        /// With whom.
        peer: UserId,
    },
    /// In a user's own log: the account or its logins have changed.
    AccountChanged,
}

/// What is left of an erased message, or of an edit of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Whether it was a message, and so has a position of its own.
    pub message: bool,
    /// What the content was compared by: a repeated post of a deleted message is still the same post.
    pub digest: Digest,
}

/// What becomes of a group; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GroupChange {
    /// Its name.
    pub name: Option<GroupName>,
    /// What it says of itself.
    pub about: Option<AboutText>,
    /// Its picture; `Some(None)` takes it away.
    pub picture: Option<Option<Picture>>,
    /// Whether anybody may join.
    pub open: Option<bool>,
}

impl GroupChange {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a user wants one conversation, seen by nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// No notification until then; `None` ends it.
    Mute(Option<Timestamp>),
    /// Out of the way, or back.
    Archive(bool),
    /// Everything up to this seq, and its position, is not shown to this user any more.
    Clear(Seq, Pos),
    /// This one entry is not shown to this user any more.
    Hide(Seq),
}

/// Something that a user is to know of until it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notice {
    /// Somebody asks for friendship.
    FriendRequest {
        /// Who.
        from: UserId,
    },
    /// Somebody invites to a group.
    GroupInvitation {
        /// Who.
        from: UserId,
        /// To which.
        group: GroupId,
        /// Until when.
        expires_at: Timestamp,
    },
}

/// What a notice is about: at most one stands for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// An open request for friendship.
    FriendRequest {
        /// Whose.
        from: UserId,
    },
    /// An invitation to a group.
    GroupInvitation {
        /// To which.
        group: GroupId,
    },
}

impl Notice {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        match self {
            Self::FriendRequest { from } => Topic::FriendRequest { from: *from },
            Self::GroupInvitation { group, .. } => Topic::GroupInvitation { group: *group },
        }
    }

    /// Who caused it.
    pub fn from(&self) -> UserId {
        match self {
            Self::FriendRequest { from } | Self::GroupInvitation { from, .. } => *from,
        }
    }

    /// Whether it is past its time.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        match self {
            Self::FriendRequest { .. } => false,
            Self::GroupInvitation { expires_at, .. } => *expires_at <= now,
        }
    }
}

/// What a content is compared by: 128 bits, of the whole act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub u64, pub u64);

impl Digest {
    /// The digest of an act.
    pub fn of(act: &Act) -> Self {
        if let Act::Erased(erased) = act {
            return erased.digest;
        }
        Self::over(|hasher| act.fingerprint(hasher))
    }

    /// The digest of a text.
    pub fn of_text(text: &str) -> Self {
        Self::over(|hasher| text.hash(hasher))
    }

    fn over(write: impl Fn(&mut DefaultHasher)) -> Self {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            write(&mut hasher);
            hasher.finish()
        };
        Self(half(0), half(1))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

impl Act {
    /// Whether this is a message: then, and only then, the log's count rises with it.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Message(_) | Self::Erased(Erased { message: true, .. }))
    }
    /// About how many bytes it takes, for batches and queues.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Message(content) => content.bytes(),
            Self::Created { name, members, .. } => name.as_str().len() + members.len() * 8,
            Self::Joined { members } => members.len() * 8,
            Self::Edited { content, .. } => 16 + content.bytes(),
            Self::Changed(change) => {
                64 + change.name.as_ref().map_or(0, |name| name.as_str().len())
                    + change.about.as_ref().map_or(0, |about| about.as_str().len())
            }
            Self::Invited { users, .. } => 16 + users.len() * 8,
            Self::Left { .. } | Self::Deleted { .. } | Self::Erased(_) | Self::Reacted { .. } | Self::RoleSet { .. } => 48,
            Self::HandedOver { .. } | Self::Declined { .. } | Self::Appeared { .. } | Self::Vanished { .. } | Self::Set { .. } => 48,
            Self::Noticed(_) | Self::Withdrawn { .. } | Self::NoticesRead { .. } | Self::Related { .. } | Self::AccountChanged => 48,
        }
    }

    fn fingerprint(&self, hasher: &mut DefaultHasher) {
        match self {
            // What is forwarded may be edited between two tries of one forwarding.
            Self::Message(Content { forwarded: Some(forwarded), .. }) => (20_u8, forwarded.id).hash(hasher),
            Self::Message(content) => (0_u8, content).hash(hasher),
            Self::Created { name, members, open } => (1_u8, name, members, open).hash(hasher),
            Self::Joined { members } => (2_u8, members).hash(hasher),
            Self::Left { member } => (3_u8, member).hash(hasher),
            Self::Appeared { conversation } => (4_u8, conversation).hash(hasher),
            Self::Vanished { conversation } => (5_u8, conversation).hash(hasher),
            Self::Edited { target, content } => (6_u8, target, content).hash(hasher),
            Self::Deleted { target } => (7_u8, target).hash(hasher),
            Self::Erased(erased) => erased.digest.hash(hasher),
            Self::Reacted { target, reaction, on } => (8_u8, target, reaction, on).hash(hasher),
            Self::Changed(GroupChange { name, about, picture, open }) => {
                // A picture is known by its name, as the request says it.
                (9_u8, name, about, picture.map(|picture| picture.map(|picture| picture.id)), open).hash(hasher);
            }
            Self::RoleSet { member, role } => (10_u8, member, role).hash(hasher),
            Self::HandedOver { to } => (11_u8, to).hash(hasher),
            Self::Invited { users, .. } => (12_u8, users).hash(hasher), // the time is the server's
            Self::Declined { user } => (13_u8, user).hash(hasher),
            Self::Set { conversation, setting } => (14_u8, conversation, setting).hash(hasher),
            Self::Noticed(notice) => (15_u8, notice).hash(hasher),
            Self::Withdrawn { notice } => (16_u8, notice).hash(hasher),
            Self::NoticesRead { up_to } => (17_u8, up_to).hash(hasher),
            Self::Related { peer } => (18_u8, peer).hash(hasher),
            Self::AccountChanged => 19_u8.hash(hasher),
        }
    }
}

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log.
    pub seq: Seq,
    /// The position of the newest message at or before this entry; a message's own position.
    pub pos: Pos,
    /// The public number.
    pub id: MessageId,
    /// Who did it; in a user's own log the user.
    pub author: UserId,
    /// The author's idempotency key (R18).
    pub client_key: ClientKey,
    /// When it was appended; rises strictly within a log. It orders nothing: seq does.
    pub at: Timestamp,
    /// What happened.
    pub act: Act,
}

/// The state of a log, kept beside its entries and changed in the same conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Head {
    /// The highest committed seq.
    pub tail: Seq,
    /// The highest position: the number of messages.
    pub count: Pos,
    /// The seq of the last entry that is no plain message (design D10).
    pub last_change: Seq,
    /// The epoch of the last append or claim.
    pub epoch: Epoch,
    /// The last batch.
    pub last_batch: BatchId,
    /// The identity of the log's life.
    pub incarnation: Incarnation,
    /// The segment of the tail's bucket.
    pub segment: Segment,
    /// The time of the last entry.
    pub last_at: Timestamp,
}

impl Head {
    /// Whether nobody has ever written to this log.
    pub fn is_new(&self) -> bool {
        self.tail == Seq::ZERO
    }
}

/// One group commit: entries that enter the log together or not at all.
///
/// The store applies it if, and only if, the log's tail is `base` and no newer epoch has written (R1, R4). The same
/// batch again is the same success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its identity.
    pub id: BatchId,
    /// The tail that it goes on from.
    pub base: Seq,
    /// The owner's epoch.
    pub epoch: Epoch,
    /// The head that stands after it; `after.tail` is `base` plus the number of entries.
    pub after: Head,
    /// The entries at `base + 1` and on, at least one, all within one bucket (R2). Shared: they are announced as well.
    pub entries: Vec<Arc<Entry>>,
    /// What follows from the entries for rows outside the log (design D10); in one commit with them where the store
    /// can, otherwise after the append and before the ack.
    pub projections: Vec<Projection>,
}

impl Batch {
    /// Whether the batch is the first of its bucket, so that it brings the bucket's segment (N2, R9).
    pub fn opens_bucket(&self) -> bool {
        self.base.offset_of_next() == 0
    }

    /// Whether the batch says one thing throughout, for this log: a store may rely on it, and asserts it.
    pub fn is_whole(&self, log: LogId) -> bool {
        let dense = self.entries.iter().zip(1..).all(|(entry, n)| entry.seq == self.base.plus(n));
        !self.entries.is_empty()
            && dense
            && self.after.tail == self.base.plus(self.entries.len() as u64)
            && self.base.next().bucket() == self.after.tail.bucket()
            && self.after.epoch == self.epoch
            && self.after.last_batch == self.id
            && self.projections.iter().all(|projection| projection.version <= self.after.tail && projection.row.fits(log))
    }
}

impl Seq {
    /// The place within its bucket of the seq that follows.
    pub fn offset_of_next(self) -> u64 {
        self.next().offset()
    }
}

/// What a group is at the moment: its name and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    /// The name.
    pub name: GroupName,
    /// How many members it has.
    pub members: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it says of itself; may be empty.
    pub about: AboutText,
    /// Its picture.
    pub picture: Option<Picture>,
    /// Whether anybody may join; otherwise by invitation.
    pub open: bool,
    /// When its name, text, picture or openness last changed.
    pub updated_at: Timestamp,
}

/// A user's place in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The rights.
    pub role: Role,
    /// The seq of the entry that made the user a member.
    pub since: Seq,
    /// The seq of the entry that ended it: nothing above it may reach the user.
    pub until: Option<Seq>,
}

impl Membership {
    /// Whether the user is a member now.
    pub fn is_current(&self) -> bool {
        self.until.is_none()
    }
    /// Whether the entry at `seq` may be shown to this user.
    pub fn may_read(&self, seq: Seq) -> bool {
        self.until.is_none_or(|until| seq <= until)
    }
}

/// What became of a message after it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Amendment {
    /// What it says now, and since when; nothing if it says what it said.
    pub edited: Option<(Content, Timestamp)>,
    /// The entries that edited it, oldest first: they are erased with it.
    pub edits: Vec<Seq>,
    /// Who deleted it, and when.
    pub deleted: Option<(UserId, Timestamp)>,
    /// How many react to it how, in the order in which the reactions came.
    pub reactions: Vec<(Reaction, u64)>,
}

/// An invitation that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// Who invited.
    pub by: UserId,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// How a user wants one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// No notification until then.
    pub muted_until: Option<Timestamp>,
    /// Out of the way.
    pub archived: bool,
    /// Nothing up to this seq, and its position, is shown.
    pub cleared: (Seq, Pos),
}

/// A row that follows from the log: idempotent, and versioned by the seq of the entry that made it, so that an older
/// one never replaces a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// The seq of the entry that it follows from.
    pub version: Seq,
    /// The row.
    pub row: Row,
}

/// The kinds of projected row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// What the group of this log is.
    Group(GroupRow),
    /// A user's place in the group of this log.
    Member(UserId, Membership),
    /// The author's own newest message in this conversation: what is older is not unread to its author.
    Own(UserId, Pos),
    /// A conversation in the list of the user whose log this is; `false` takes it out.
    Listed(ConversationId, bool),
    /// The integer form of this direct conversation; found by either name.
    Direct(DirectNumber),
    /// What became of the message at a seq.
    Amended(Seq, Amendment),
    /// How a user reacts to the message at a seq.
    Reactions(Seq, UserId, Vec<Reaction>),
    /// Which positions of a span of 4,096 are deleted: places count from its first position.
    Gone(Bucket, Bits),
    /// The entry at its seq, without its content, in place of the one with it.
    Erased(Arc<Entry>),
    /// A file that nothing shows any more: it expires at this moment, unless it has before. It has no version of its own.
    Expired(MediaId, Timestamp),
    /// A user's invitation to the group of this log; `None` takes it away.
    Invited(UserId, Option<Invitation>),
    /// How the user whose log this is wants a conversation.
    Preferences(ConversationId, Preferences),
    /// Which entries of a bucket of a conversation the user whose log this is does not want to see.
    Hidden(ConversationId, Bucket, Bits),
    /// The notice at this seq of the user's log; `None` takes it away.
    Notice(Seq, Option<Notice>),
    /// The notices of the user whose log this is were read up to here.
    NoticesRead(Seq),
}

impl Row {
    /// Whether a row of this kind may follow from this log.
    pub fn fits(&self, log: LogId) -> bool {
        match self {
            Self::Group(_) | Self::Member(..) => matches!(log, LogId::Conversation(ConversationId::Group(_))),
            Self::Invited(..) => matches!(log, LogId::Conversation(ConversationId::Group(_))),
            Self::Direct(_) => matches!(log, LogId::Conversation(ConversationId::Direct(_))),
            Self::Own(..) | Self::Amended(..) | Self::Reactions(..) | Self::Gone(..) | Self::Erased(_) | Self::Expired(..) => {
                matches!(log, LogId::Conversation(_))
            }
            Self::Listed(..) | Self::Preferences(..) | Self::Hidden(..) | Self::Notice(..) | Self::NoticesRead(_) => {
                matches!(log, LogId::User(_))
            }
        }
    }
}
