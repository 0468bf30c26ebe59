//! The ports of the store: what the domain needs of a database, said in the domain's words.
//!
//! Small ports by aggregate, each implemented by the memory store of the testkit, the embedded store and later
//! CQL, and held to one contract suite (`testkit::contract`). All calls may be dropped by the caller at any time; a
//! call that was dropped may still be done. Nothing here caches: what is remembered is an actor's state.

use std::pin::Pin;

use crate::account::{Account, AccountField, Email, Login, Seen, Username};
use crate::bits::Bits;
use crate::content::Reaction;
use crate::entry::{Amendment, Batch, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences};
use crate::id::{Bucket, ConversationId, DirectNumber, Epoch, GroupId, LogId, LoginId, Pair, Pos, Segment, Seq, UserId};
use crate::media::{Media, MediaId};
use crate::relation::Bond;
use crate::time::Timestamp;

/// An answer of the store that is still to come.
pub type Answer<'a, T, E = StoreError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// The store is not well. No variant says that a write was refused by a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It was surely not done; trying again may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It may have been done.
    #[error("the outcome could not be learned: {0}")]
    Unknown(String),
    /// Stored data contradicts itself; trying again does not help.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
}

/// Why an append or a claim did not answer "applied".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The condition did not hold. `head` was read after the refusal, so it proves the batch's fate (R5).
    #[error("the log has moved on to {head:?}")]
    Stale {
        /// The log's head as it stands.
        head: Head,
    },
    /// The outcome could not be learned: only the identical batch or a new claim settles it (R4).
    #[error("the outcome could not be learned: {0}")]
    Unknown(String),
    /// Stored data contradicts itself: nothing may be written to this log (F13).
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
}

/// The numbers that a node reserves blocks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sequence {
    /// Users and groups together.
    Principals,
    /// Segments of message numbers.
    Segments,
    /// Integer forms of direct conversations.
    Directs,
}

/// Reserved numbers: `first`, `first + 1` … up to `first + count − 1`. Whoever drew the block is its only user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The first number; at least 1.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// A log and its entries. Log partitions are written through this port alone (R1).
pub trait LogStore: Send + Sync + 'static {
    /// The log's head as the store decides it (serial); the default head for a log that nobody has written to.
    fn head(&self, log: LogId) -> Answer<'_, Head>;

    /// The heads of several logs in one call, in the order asked for; not serial, for lists.
    fn heads<'a>(&'a self, logs: &'a [LogId]) -> Answer<'a, Vec<Head>>;

    /// Claims the log for appending if its head is still `seen`: the epoch returned is at least as great as every
    /// epoch that has written to it. Idempotent; an unknown outcome is repaired by reading the head again (R7).
    fn claim(&self, log: LogId, seen: Head) -> Answer<'_, Epoch, AppendError>;

    /// Applies the batch if the tail is its base and no newer epoch has written, or if it was applied before.
    /// Durable before it answers. A dropped call may still be done.
    fn append(&self, log: LogId, batch: std::sync::Arc<Batch>) -> Answer<'_, (), AppendError>;

    /// The entries with `from ≤ seq ≤ to`, at most `limit` of them: from the lowest, or from the highest if
    /// `newest_first`, in that order. What cannot be read is left out and counted by the store (X4).
    fn range(&self, log: LogId, from: Seq, to: Seq, limit: usize, newest_first: bool) -> Answer<'_, Vec<Entry>>;

    /// Reserves `count` numbers that nobody was given before.
    fn draw(&self, sequence: Sequence, count: u64) -> Answer<'_, Block>;

    /// Records which bucket a segment belongs to, before the bucket's first batch (N3). Idempotent.
    fn bind_segment(&self, segment: Segment, log: LogId, bucket: Bucket) -> Answer<'_, ()>;

    /// Which bucket a segment belongs to: so a number finds its message.
    fn bucket_of(&self, segment: Segment) -> Answer<'_, Option<(LogId, Bucket)>>;
}

/// What became of messages: rows that follow from the logs of conversations.
pub trait MessageStore: Send + Sync + 'static {
    /// The amendments of the messages with `from ≤ seq ≤ to`, at most `limit`, by seq.
    fn amendments(&self, conversation: ConversationId, from: Seq, to: Seq, limit: usize) -> Answer<'_, Vec<(Seq, Amendment)>>;

    /// How one user reacts to several messages, in the order asked for.
    fn reactions_of<'a>(&'a self, conversation: ConversationId, user: UserId, messages: &'a [Seq]) -> Answer<'a, Vec<Vec<Reaction>>>;

    /// Who reacts how to a message, by number, after `after`, at most `limit`.
    fn reactions(
        &self,
        conversation: ConversationId,
        message: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<(UserId, Vec<Reaction>)>>;

    /// The deleted positions, in spans of 4,096, from this span to that one; spans without any are left out.
    fn gone(&self, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>>;

    /// The integer forms of direct conversations, in the order asked for.
    fn direct_numbers<'a>(&'a self, pairs: &'a [Pair]) -> Answer<'a, Vec<Option<DirectNumber>>>;

    /// The direct conversation with this integer form.
    fn direct(&self, number: DirectNumber) -> Answer<'_, Option<Pair>>;
}

/// Rows that follow from users' own logs.
pub trait HomeStore: Send + Sync + 'static {
    /// How a user wants several conversations, in the order asked for.
    fn preferences<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Preferences>>;

    /// Which entries of a conversation a user has hidden, from this bucket to that one; buckets without any are left out.
    fn hidden(&self, user: UserId, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>>;

    /// Notices that stand, newest first, below `before`, at most `limit`.
    fn notices(&self, user: UserId, before: Option<Seq>, limit: usize) -> Answer<'_, Vec<(Seq, Notice)>>;

    /// Up to which seq a user has read the notices.
    fn notices_read(&self, user: UserId) -> Answer<'_, Seq>;
}

/// Bonds between users: one versioned row for each pair (design D12), found from both sides.
pub trait RelationStore: Send + Sync + 'static {
    /// The bond of a pair; that of strangers, at version 0, where there is no row.
    fn bond(&self, pair: Pair) -> Answer<'_, Versioned<Bond>>;

    /// Writes a bond if its version is still `version` (0: it must not exist). Durable before it answers.
    fn put_bond(&self, bond: Bond, version: u64) -> Answer<'_, (), PutError>;

    /// The bonds of a user, by the other's number, after `after`, at most `limit`.
    fn bonds(&self, user: UserId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<Bond>>;

    /// The bonds of a user with several others, never with himself, in the order asked for.
    fn bonds_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<Bond>>;
}

/// Everything that a list shows of one conversation to one user, read in one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overview {
    /// The head of its log.
    pub head: Head,
    /// The user's place, in a group.
    pub place: Option<Membership>,
    /// What the group is.
    pub group: Option<GroupRow>,
    /// The other's account, of a direct conversation.
    pub peer: Option<Account>,
    /// The other's marks, of a direct conversation.
    pub peer_marks: Marks,
    /// What the two are to each other; strangers where there is no row, nothing for a group.
    pub bond: Option<Bond>,
    /// The integer form, of a direct conversation.
    pub number: Option<DirectNumber>,
    /// The user's marks, as [`MemberStore::marks`] answers them.
    pub marks: Marks,
    /// How the user wants it.
    pub preferences: Preferences,
    /// The last entry.
    pub last: Option<Entry>,
    /// What became of it, if it is a message.
    pub last_amendment: Option<Amendment>,
    /// Whether the user has hidden it.
    pub last_hidden: bool,
    /// Deleted positions above the user's badge, of the newest two spans of 4,096; spans without any are left out.
    pub gone: Vec<(Bucket, Bits)>,
}

/// How far a member has come in a conversation. Each part only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Everything up to here has reached one of the member's devices.
    pub delivered: Mark,
    /// Everything up to here was read.
    pub read: Mark,
    /// Everything up to this position counts as read for the member's own badge: `read`, and what the member wrote.
    pub badge: Pos,
}

/// A watermark: a seq, its position, and when it last rose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Mark {
    /// The seq.
    pub seq: Seq,
    /// The position of the newest message at or before that seq.
    pub pos: Pos,
    /// When it rose to this value.
    pub at: Timestamp,
}

impl Mark {
    /// This mark, or the other one if that is higher.
    #[must_use]
    pub fn raise_to(self, other: Self) -> Self {
        if other.seq > self.seq { other } else { self }
    }
}

impl Marks {
    /// Each part raised to the other's; read implies delivered and moves the badge.
    #[must_use]
    pub fn raise_to(self, other: Self) -> Self {
        let read = self.read.raise_to(other.read);
        Self { delivered: self.delivered.raise_to(other.delivered).raise_to(read), read, badge: self.badge.max(other.badge).max(read.pos) }
    }
}

/// Rows that follow from the logs, and the marks of members.
pub trait MemberStore: Send + Sync + 'static {
    /// What a group is; `None` if there is no such group.
    fn group(&self, group: GroupId) -> Answer<'_, Option<GroupRow>>;

    /// A user's place in a group, also a former one; `None` if there never was one.
    fn membership(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Membership>>;

    /// Members of a group, former ones included, by number, after `after`, at most `limit`.
    fn members(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Membership)>>;

    /// The conversations in a user's list, in the order of their ids, after `after`, at most `limit`. Some may not
    /// exist yet, and of groups the user may no longer be a member (design D11): readers ask the conversation.
    fn listed(&self, user: UserId, after: Option<ConversationId>, limit: usize) -> Answer<'_, Vec<ConversationId>>;

    /// Marks of one user in several conversations, in the order asked for; default marks where there are none. The
    /// badge covers the user's own messages.
    fn marks<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Marks>>;

    /// Raises marks of members of one conversation to at least these, all in one durable write, and answers what
    /// stands after it, in the order given. Idempotent, commutative, never lowers (R13).
    fn raise(&self, conversation: ConversationId, marks: Vec<(UserId, Marks)>) -> Answer<'_, Vec<Marks>>;

    /// Marks of several members of one conversation, in the order asked for; without their own messages.
    fn marks_of<'a>(&'a self, conversation: ConversationId, users: &'a [UserId]) -> Answer<'a, Vec<Marks>>;

    /// What a list shows a user of several conversations, in the order asked for, each as of one moment.
    fn overviews<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Overview>>;

    /// Invitations of a group, expired ones included, by number, after `after`, at most `limit`.
    fn invitations(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Invitation)>>;

    /// A user's invitation to a group, also an expired one.
    fn invitation(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Invitation>>;
}

/// A row and the version that it was read at: a change names the version that it goes on from (design D12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// 0 for a row that does not exist yet.
    pub version: u64,
    /// The row.
    pub row: T,
}

/// By what an account can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountKey {
    /// Its number.
    Id(UserId),
    /// Its username, exactly.
    Username(Username),
    /// Its address, without regard to case.
    Email(Email),
}

/// Why an account or login was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// Another account has this username or address.
    #[error("{0:?} is taken")]
    Taken(AccountField),
    /// The row was changed by somebody else; read it again.
    #[error("the row has changed")]
    Changed,
    /// The store is not well.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Accounts and logins.
pub trait AccountStore: Send + Sync + 'static {
    /// An account.
    fn account(&self, key: AccountKey) -> Answer<'_, Option<Versioned<Account>>>;

    /// Accounts by number, in the order asked for.
    fn accounts<'a>(&'a self, ids: &'a [UserId]) -> Answer<'a, Vec<Option<Account>>>;

    /// Writes an account if its version is still `version` (0: it must not exist), holding its username and address
    /// unique. Durable before it answers.
    fn put_account(&self, account: Account, version: u64) -> Answer<'_, (), PutError>;

    /// Deleted accounts of which something is still to be erased, by number, at most `limit`.
    fn erasing(&self, limit: usize) -> Answer<'_, Vec<UserId>>;

    /// A login.
    fn login(&self, id: LoginId) -> Answer<'_, Option<Versioned<Login>>>;

    /// Writes a login if its version is still `version` (0: it must not exist). Durable before it answers.
    fn put_login(&self, login: Login, version: u64) -> Answer<'_, (), PutError>;

    /// A user's logins, those left out that have ended or expired by now, at most `limit`, in any order.
    fn logins(&self, user: UserId, now: Timestamp, limit: usize) -> Answer<'_, Vec<Versioned<Login>>>;

    /// Users of whom a word of the username or names begins with this folded text, at most `limit`: exact usernames
    /// first, then by the word, then by number. Only active accounts that want to be found ([`crate::search`]), each
    /// once; who does not want to be found by the start of a name is found by the whole username.
    fn search<'a>(&'a self, prefix: &'a str, limit: usize) -> Answer<'a, Vec<UserId>>;

    /// When users were last here, in the order asked for.
    fn seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<Seen>>;

    /// Raises when a user was last here or logged in; what is `None` stays. Need not survive a crash of the machine.
    fn touch(&self, user: UserId, seen: Seen) -> Answer<'_, ()>;
}

/// What is known of files; their bytes are elsewhere.
pub trait MediaStore: Send + Sync + 'static {
    /// What is known of a file.
    fn media(&self, id: MediaId) -> Answer<'_, Option<Versioned<Media>>>;

    /// Writes what is known of a file if its version is still `version` (0: it must not exist). Owner and size never
    /// change. In the same commit it keeps the owner's sum, and the file's place among the owner's and among those that
    /// fall due. Durable before it answers.
    fn put_media(&self, media: Media, version: u64) -> Answer<'_, (), PutError>;

    /// The bytes of all files of a user that were not erased.
    fn media_used(&self, user: UserId) -> Answer<'_, u64>;

    /// A user's files that were not erased, by name, after this one, at most `limit`.
    fn media_of(&self, owner: UserId, after: Option<MediaId>, limit: usize) -> Answer<'_, Vec<MediaId>>;

    /// Files that were to be erased by `now` and were not, the longest due first, at most `limit`.
    fn media_due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<MediaId>>;
}

/// Everything that a node needs of its store.
pub trait Store: LogStore + MessageStore + MemberStore + HomeStore + RelationStore + AccountStore + MediaStore {
    /// Whether writes can be taken now; the reason if not.
    fn readiness(&self) -> Result<(), String>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark() -> impl Strategy<Value = Mark> {
        (0_u64..50, 0_u64..50).prop_map(|(seq, at)| Mark {
            seq: Seq::new(seq).expect("small"),
            pos: Pos(seq / 2),
            at: Timestamp(i64::try_from(at).expect("small")),
        })
    }

    fn marks() -> impl Strategy<Value = Marks> {
        (mark(), mark(), 0_u64..50).prop_map(|(delivered, read, badge)| Marks { delivered, read, badge: Pos(badge) })
    }

    proptest! {
        #[test]
        fn marks_never_fall_and_the_order_does_not_matter(a in marks(), b in marks(), c in marks()) {
            let one = a.raise_to(b).raise_to(c);
            let other = a.raise_to(c).raise_to(b);
            prop_assert_eq!((one.delivered.seq, one.read.seq, one.badge), (other.delivered.seq, other.read.seq, other.badge));
            prop_assert!(one.read.seq >= a.read.seq && one.delivered.seq >= a.delivered.seq && one.badge >= a.badge);
            prop_assert!(one.delivered.seq >= one.read.seq);
            prop_assert_eq!(one.raise_to(b), one);
        }
    }
}
