//! The planted bugs: what the checker must find. Five are lies of a store, three are hooks inside the rules
//! (feature `planted-bugs`), because they are no store's to commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use actors::account::{Account, Login, Seen};
use actors::bits::Bits;
use actors::content::Reaction;
use actors::entry::{Amendment, Batch, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences};
use actors::id::{
    BatchId, Bucket, ConversationId, DirectNumber, Epoch, GroupId, LogId, LoginId, MessageId, Pair, Pos, Segment, Seq, UserId,
};
use actors::media::{Media, MediaId};
use actors::planted::Plant;
use actors::relation::Bond;
use actors::store::{
    AccountKey, AccountStore, Answer, AppendError, Block, HomeStore, LogStore, Marks, MediaStore, MemberStore, MessageStore, Overview,
    PutError, RelationStore, Sequence, Store, Versioned,
};
use actors::testkit::memory::MemoryStore;
use actors::time::Timestamp;

use crate::faults::detach;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// An append whose outcome is unknown is made anew on the tail that a read shows.
    RenumberOnUnknown,
    /// The first batch of a bucket is written without a condition.
    PlainInsertAtRollOver,
    /// An append is answered before it is done.
    AckBeforeCommit,
    /// An append is written whatever tail and epoch stand in the log.
    NoEpochCheck,
    /// A client key is never found.
    KeyCheckOff,
    /// A mark replaces the one before, also a higher one.
    ReceiptOverwrite,
    /// A resume leaves out the first entry after the cursor.
    ResumeOffByOne,
    /// Entries are announced to whoever ever was a member.
    FanOutBeforeMembership,
}

impl Bug {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::RenumberOnUnknown,
        Self::PlainInsertAtRollOver,
        Self::AckBeforeCommit,
        Self::NoEpochCheck,
        Self::KeyCheckOff,
        Self::ReceiptOverwrite,
        Self::ResumeOffByOne,
        Self::FanOutBeforeMembership,
    ];

    /// The hook inside the rules, if it is one.
    pub(crate) fn hook(self) -> Option<Plant> {
        match self {
            Self::KeyCheckOff => Some(Plant::KeyCheckOff),
            Self::ResumeOffByOne => Some(Plant::ResumeOffByOne),
            Self::FanOutBeforeMembership => Some(Plant::FanOutUnchecked),
            Self::RenumberOnUnknown | Self::PlainInsertAtRollOver | Self::AckBeforeCommit | Self::NoEpochCheck | Self::ReceiptOverwrite => {
                None
            }
        }
    }

    /// Whether it is a lie of the store itself, behind the faults, and not one of a node's way to it.
    pub(crate) fn is_in_store(self) -> bool {
        matches!(self, Self::PlainInsertAtRollOver | Self::NoEpochCheck | Self::ReceiptOverwrite)
    }
}

/// A store that has one of the bugs.
pub(crate) struct LyingStore {
    bug: Bug,
    inner: Arc<dyn Store>,
    memory: Arc<MemoryStore>,
    /// What stands where marks are overwritten.
    marks: Arc<Mutex<BTreeMap<(UserId, ConversationId), Marks>>>,
}

impl LyingStore {
    /// A store with this bug over an honest one; `memory` is where the rows are in the end.
    pub(crate) fn new(bug: Bug, inner: Arc<dyn Store>, memory: Arc<MemoryStore>) -> Self {
        Self { bug, inner, memory, marks: Arc::default() }
    }

    async fn renumber(&self, log: LogId, batch: Arc<Batch>) -> Result<(), AppendError> {
        let answer = self.inner.append(log, Arc::clone(&batch)).await;
        let Err(AppendError::Unknown(_)) = &answer else { return answer };
        let Ok(head) = self.inner.head(log).await else { return answer };
        match renumbered(&batch, &head) {
            Some(fresh) if fresh.is_whole(log) => self.inner.append(log, Arc::new(fresh)).await,
            Some(_) | None => answer,
        }
    }
}

/// The entries of a batch as a new one that goes on from `head`; none where a bucket would begin.
fn renumbered(batch: &Batch, head: &Head) -> Option<Batch> {
    if head.segment != batch.after.segment || head.tail < batch.base {
        return None;
    }
    let by = head.tail.get() - batch.base.get();
    let count_by = head.count.0 - (batch.after.count.0 - batch.entries.iter().filter(|entry| entry.act.is_message()).count() as u64);
    let shift = |seq: Seq| if seq > batch.base { seq.plus(by) } else { seq };
    let entries = batch.entries.iter().map(|entry| {
        let seq = shift(entry.seq);
        Arc::new(Entry { seq, pos: Pos(entry.pos.0 + count_by), id: MessageId::at(head.segment, seq), ..Entry::clone(entry) })
    });
    let id = BatchId(batch.id.0.wrapping_add(1));
    let (tail, count) = (shift(batch.after.tail), Pos(batch.after.count.0 + count_by));
    let after = Head { tail, count, last_change: shift(batch.after.last_change), last_batch: id, ..batch.after };
    let projections = batch.projections.iter().map(|row| actors::entry::Projection { version: shift(row.version), row: row.row.clone() });
    Some(Batch { id, base: head.tail, after, entries: entries.collect(), projections: projections.collect(), ..batch.clone() })
}

impl LogStore for LyingStore {
    fn head(&self, log: LogId) -> Answer<'_, Head> {
        self.inner.head(log)
    }
    fn heads<'a>(&'a self, logs: &'a [LogId]) -> Answer<'a, Vec<Head>> {
        self.inner.heads(logs)
    }
    fn claim(&self, log: LogId, seen: Head) -> Answer<'_, Epoch, AppendError> {
        self.inner.claim(log, seen)
    }

    fn append(&self, log: LogId, batch: Arc<Batch>) -> Answer<'_, (), AppendError> {
        match self.bug {
            Bug::RenumberOnUnknown => Box::pin(self.renumber(log, batch)),
            Bug::AckBeforeCommit => {
                let inner = Arc::clone(&self.inner);
                detach(async move { drop(inner.append(log, batch).await) });
                Box::pin(async { Ok(()) })
            }
            Bug::NoEpochCheck => Box::pin(async move {
                self.memory.overwrite(log, &batch);
                Ok(())
            }),
            Bug::PlainInsertAtRollOver if batch.opens_bucket() => Box::pin(async move {
                self.memory.overwrite(log, &batch);
                Ok(())
            }),
            Bug::PlainInsertAtRollOver | Bug::KeyCheckOff | Bug::ReceiptOverwrite | Bug::ResumeOffByOne | Bug::FanOutBeforeMembership => {
                self.inner.append(log, batch)
            }
        }
    }

    fn range(&self, log: LogId, from: Seq, to: Seq, limit: usize, newest_first: bool) -> Answer<'_, Vec<Entry>> {
        self.inner.range(log, from, to, limit, newest_first)
    }
    fn draw(&self, sequence: Sequence, count: u64) -> Answer<'_, Block> {
        self.inner.draw(sequence, count)
    }
    fn bind_segment(&self, segment: Segment, log: LogId, bucket: Bucket) -> Answer<'_, ()> {
        self.inner.bind_segment(segment, log, bucket)
    }
    fn bucket_of(&self, segment: Segment) -> Answer<'_, Option<(LogId, Bucket)>> {
        self.inner.bucket_of(segment)
    }
}

impl MemberStore for LyingStore {
    fn group(&self, group: GroupId) -> Answer<'_, Option<GroupRow>> {
        self.inner.group(group)
    }
    fn membership(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Membership>> {
        self.inner.membership(group, user)
    }
    fn members(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Membership)>> {
        self.inner.members(group, after, limit)
    }
    fn listed(&self, user: UserId, after: Option<ConversationId>, limit: usize) -> Answer<'_, Vec<ConversationId>> {
        self.inner.listed(user, after, limit)
    }

    fn marks<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Marks>> {
        if self.bug != Bug::ReceiptOverwrite {
            return self.inner.marks(user, conversations);
        }
        let rows = self.marks.lock().expect("no call panics halfway");
        let marks = conversations.iter().map(|conversation| rows.get(&(user, *conversation)).copied().unwrap_or_default()).collect();
        Box::pin(async { Ok(marks) })
    }

    fn raise(&self, conversation: ConversationId, marks: Vec<(UserId, Marks)>) -> Answer<'_, Vec<Marks>> {
        if self.bug != Bug::ReceiptOverwrite {
            return self.inner.raise(conversation, marks);
        }
        Box::pin(async move {
            let mut rows = self.marks.lock().expect("no call panics halfway");
            rows.extend(marks.iter().map(|(user, marks)| ((*user, conversation), *marks)));
            Ok(marks.into_iter().map(|(_, marks)| marks).collect())
        })
    }
    fn marks_of<'a>(&'a self, conversation: ConversationId, users: &'a [UserId]) -> Answer<'a, Vec<Marks>> {
        self.inner.marks_of(conversation, users)
    }
    fn overviews<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Overview>> {
        self.inner.overviews(user, conversations)
    }
    fn invitations(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Invitation)>> {
        self.inner.invitations(group, after, limit)
    }
    fn invitation(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Invitation>> {
        self.inner.invitation(group, user)
    }
}

impl AccountStore for LyingStore {
    fn account(&self, key: AccountKey) -> Answer<'_, Option<Versioned<Account>>> {
        self.inner.account(key)
    }
    fn accounts<'a>(&'a self, ids: &'a [UserId]) -> Answer<'a, Vec<Option<Account>>> {
        self.inner.accounts(ids)
    }
    fn put_account(&self, account: Account, version: u64) -> Answer<'_, (), PutError> {
        self.inner.put_account(account, version)
    }
    fn login(&self, id: LoginId) -> Answer<'_, Option<Versioned<Login>>> {
        self.inner.login(id)
    }
    fn put_login(&self, login: Login, version: u64) -> Answer<'_, (), PutError> {
        self.inner.put_login(login, version)
    }
    fn erasing(&self, limit: usize) -> Answer<'_, Vec<UserId>> {
        self.inner.erasing(limit)
    }
    fn logins(&self, user: UserId, now: Timestamp, limit: usize) -> Answer<'_, Vec<Versioned<Login>>> {
        self.inner.logins(user, now, limit)
    }
    fn search<'a>(&'a self, prefix: &'a str, limit: usize) -> Answer<'a, Vec<UserId>> {
        self.inner.search(prefix, limit)
    }
    fn seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<Seen>> {
        self.inner.seen(users)
    }
    fn touch(&self, user: UserId, seen: Seen) -> Answer<'_, ()> {
        self.inner.touch(user, seen)
    }
}

impl MessageStore for LyingStore {
    fn amendments(&self, conversation: ConversationId, from: Seq, to: Seq, limit: usize) -> Answer<'_, Vec<(Seq, Amendment)>> {
        self.inner.amendments(conversation, from, to, limit)
    }
    fn reactions_of<'a>(&'a self, conversation: ConversationId, user: UserId, messages: &'a [Seq]) -> Answer<'a, Vec<Vec<Reaction>>> {
        self.inner.reactions_of(conversation, user, messages)
    }
    fn reactions(
        &self,
        conversation: ConversationId,
        message: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<(UserId, Vec<Reaction>)>> {
        self.inner.reactions(conversation, message, after, limit)
    }
    fn gone(&self, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        self.inner.gone(conversation, from, to)
    }
    fn direct_numbers<'a>(&'a self, pairs: &'a [Pair]) -> Answer<'a, Vec<Option<DirectNumber>>> {
        self.inner.direct_numbers(pairs)
    }
    fn direct(&self, number: DirectNumber) -> Answer<'_, Option<Pair>> {
        self.inner.direct(number)
    }
}

impl HomeStore for LyingStore {
    fn preferences<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Preferences>> {
        self.inner.preferences(user, conversations)
    }
    fn hidden(&self, user: UserId, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        self.inner.hidden(user, conversation, from, to)
    }
    fn notices(&self, user: UserId, before: Option<Seq>, limit: usize) -> Answer<'_, Vec<(Seq, Notice)>> {
        self.inner.notices(user, before, limit)
    }
    fn notices_read(&self, user: UserId) -> Answer<'_, Seq> {
        self.inner.notices_read(user)
    }
}

impl RelationStore for LyingStore {
    fn bond(&self, pair: Pair) -> Answer<'_, Versioned<Bond>> {
        self.inner.bond(pair)
    }
    fn put_bond(&self, bond: Bond, version: u64) -> Answer<'_, (), PutError> {
        self.inner.put_bond(bond, version)
    }
    fn bonds(&self, user: UserId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<Bond>> {
        self.inner.bonds(user, after, limit)
    }
    fn bonds_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<Bond>> {
        self.inner.bonds_with(user, others)
    }
}

impl MediaStore for LyingStore {
    fn media(&self, id: MediaId) -> Answer<'_, Option<Versioned<Media>>> {
        self.inner.media(id)
    }
    fn put_media(&self, media: Media, version: u64) -> Answer<'_, (), PutError> {
        self.inner.put_media(media, version)
    }
    fn media_used(&self, user: UserId) -> Answer<'_, u64> {
        self.inner.media_used(user)
    }
    fn media_of(&self, owner: UserId, after: Option<MediaId>, limit: usize) -> Answer<'_, Vec<MediaId>> {
        self.inner.media_of(owner, after, limit)
    }
    fn media_due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<MediaId>> {
        self.inner.media_due(now, limit)
    }
}

impl Store for LyingStore {
    fn readiness(&self) -> Result<(), String> {
        self.inner.readiness()
    }
}
