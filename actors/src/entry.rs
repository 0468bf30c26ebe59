//! What stands at one seq of a log and never changes, and the batch that brings entries into the log.

use std::sync::Arc;

use crate::content::{ClientKey, Content, GroupName};
use crate::id::{BatchId, ConversationId, Epoch, Incarnation, LogId, MessageId, Pos, Segment, Seq, UserId};
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
}

impl Act {
    /// Whether this is a message: then, and only then, the log's count rises with it.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Message(_))
    }
    /// About how many bytes it takes, for batches and queues.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Message(content) => content.bytes(),
            Self::Created { name, members } => name.as_str().len() + members.len() * 8,
            Self::Joined { members } => members.len() * 8,
            Self::Left { .. } | Self::Appeared { .. } | Self::Vanished { .. } => 16,
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
}

impl Row {
    /// Whether a row of this kind may follow from this log.
    pub fn fits(&self, log: LogId) -> bool {
        match self {
            Self::Group(_) | Self::Member(..) => matches!(log, LogId::Conversation(ConversationId::Group(_))),
            Self::Own(..) => matches!(log, LogId::Conversation(_)),
            Self::Listed(..) => matches!(log, LogId::User(_)),
        }
    }
}
