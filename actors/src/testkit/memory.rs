//! The store in memory: the contract and nothing else, with real epochs, and faults on request.
//!
//! A claim raises the epoch here, as in the CQL store, so that tests see fencing by a mere claim. Nothing is durable;
//! a restart of actors is simulated by keeping the store. Invariant: every call is one critical section, so each has
//! happened wholly or not at all when it answers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::account::{Account, AccountField, Login, Username};
use crate::entry::{Batch, Entry, GroupRow, Head, Membership, Projection, Row};
use crate::id::{Bucket, ConversationId, Epoch, GroupId, LogId, LoginId, Pos, Segment, Seq, UserId};
use crate::media::{Media, MediaId};
use crate::store::{
    AccountKey, AccountStore, Answer, AppendError, Block, LogStore, Marks, MediaStore, MemberStore, PutError, Sequence, Store, StoreError,
    Versioned,
};
use crate::time::Timestamp;

/// The calls that a fault can hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`LogStore::head`] and [`LogStore::heads`].
    Head,
    /// [`LogStore::claim`].
    Claim,
    /// [`LogStore::append`].
    Append,
    /// [`LogStore::range`].
    Range,
    /// [`LogStore::draw`].
    Draw,
    /// [`LogStore::bind_segment`].
    Bind,
    /// [`MemberStore::raise`].
    Raise,
    /// [`AccountStore::put_account`], [`AccountStore::put_login`] and [`MediaStore::put_media`].
    Put,
}

/// What goes wrong with a call. Writes answer *unknown* in both cases, reads *unavailable*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done.
    Before,
    /// It is done all the same.
    After,
}

/// Decides for each call whether it goes wrong.
pub type Faults = Box<dyn FnMut(Call) -> Option<Fault> + Send>;

/// A store that forgets everything when it is dropped.
pub struct MemoryStore {
    rows: Mutex<Rows>,
    planned: Mutex<VecDeque<(Call, Fault)>>,
    faults: Mutex<Option<Faults>>,
    held: watch::Sender<bool>,
    ready: Mutex<Result<(), String>>,
}

#[derive(Default)]
pub(super) struct Rows {
    pub(super) logs: BTreeMap<LogId, Log>,
    pub(super) sequences: BTreeMap<Sequence, u64>,
    pub(super) segments: BTreeMap<Segment, (LogId, Bucket)>,
    pub(super) groups: BTreeMap<GroupId, (Seq, GroupRow)>,
    pub(super) members: BTreeMap<(GroupId, UserId), (Seq, Membership)>,
    pub(super) own: BTreeMap<(UserId, ConversationId), (Seq, Pos)>,
    pub(super) listed: BTreeMap<(UserId, ConversationId), (Seq, bool)>,
    pub(super) marks: BTreeMap<(UserId, ConversationId), Marks>,
    pub(super) accounts: BTreeMap<UserId, Versioned<Account>>,
    pub(super) usernames: BTreeMap<Username, UserId>,
    pub(super) emails: BTreeMap<String, UserId>,
    pub(super) logins: BTreeMap<LoginId, Versioned<Login>>,
    pub(super) media: BTreeMap<MediaId, Versioned<Media>>,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) head: Head,
    pub(super) entries: BTreeMap<Seq, Entry>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            planned: Mutex::default(),
            faults: Mutex::default(),
            held: watch::Sender::new(false),
            ready: Mutex::new(Ok(())),
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
    /// The next call of this kind goes wrong; faults of one kind are used up in the order they were planned.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        self.planned.lock().expect("planning cannot panic").push_back((call, fault));
    }
    /// Asks this for each call that no fault was planned for.
    pub fn set_faults(&self, faults: Faults) {
        *self.faults.lock().expect("a fault must not panic") = Some(faults);
    }
    /// From now on appends wait, not yet done, until [`Self::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }
    /// Lets waiting appends go on.
    pub fn release(&self) {
        self.held.send_replace(false);
    }
    /// What [`Store::readiness`] answers from now on.
    pub fn set_readiness(&self, ready: Result<(), String>) {
        *self.ready.lock().expect("setting cannot panic") = ready;
    }
    /// Writes a batch without any condition, over whatever stands there: to begin a log where a test wants it, and to
    /// play a store that does not compare.
    pub fn overwrite(&self, log: LogId, batch: &Batch) {
        self.rows().overwrite(log, batch);
    }
    /// Which bucket a segment was bound to.
    pub fn bound(&self, segment: Segment) -> Option<(LogId, Bucket)> {
        self.rows().segments.get(&segment).copied()
    }

    pub(super) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no call panics halfway")
    }

    fn fault(&self, call: Call) -> Option<Fault> {
        let mut planned = self.planned.lock().expect("planning cannot panic");
        if let Some(index) = planned.iter().position(|(which, _)| *which == call) {
            return planned.remove(index).map(|(_, fault)| fault);
        }
        drop(planned);
        let mut faults = self.faults.lock().expect("a fault must not panic");
        faults.as_mut().and_then(|decide| decide(call))
    }

    fn read<T>(&self, call: Call, read: impl FnOnce(&Rows) -> T) -> Result<T, StoreError> {
        match self.fault(call) {
            Some(Fault::Before | Fault::After) => Err(StoreError::Unavailable("a planned fault".to_owned())),
            None => Ok(read(&self.rows())),
        }
    }

    fn write<T, E>(&self, call: Call, unknown: E, write: impl FnOnce(&mut Rows) -> Result<T, E>) -> Result<T, E> {
        match self.fault(call) {
            Some(Fault::Before) => Err(unknown),
            Some(Fault::After) => {
                drop(write(&mut self.rows()));
                Err(unknown)
            }
            None => write(&mut self.rows()),
        }
    }
}

fn planned() -> String {
    "a planned fault".to_owned()
}

impl Rows {
    fn head(&self, log: LogId) -> Head {
        self.logs.get(&log).map(|log| log.head).unwrap_or_default()
    }

    fn claim(&mut self, log: LogId, seen: Head) -> Result<Epoch, AppendError> {
        let head = &mut self.logs.entry(log).or_default().head;
        if (head.tail, head.epoch) != (seen.tail, seen.epoch) {
            return Err(AppendError::Stale { head: *head });
        }
        head.epoch = Epoch(head.epoch.0 + 1);
        Ok(head.epoch)
    }

    fn append(&mut self, log: LogId, batch: &Batch) -> Result<(), AppendError> {
        let stored = self.logs.entry(log).or_default();
        if stored.head.last_batch == batch.id && stored.head.tail == batch.after.tail {
            return Ok(());
        }
        if stored.head.tail != batch.base || stored.head.epoch > batch.epoch {
            return Err(AppendError::Stale { head: stored.head });
        }
        self.overwrite(log, batch);
        Ok(())
    }

    fn overwrite(&mut self, log: LogId, batch: &Batch) {
        let stored = self.logs.entry(log).or_default();
        stored.head = batch.after;
        stored.entries.extend(batch.entries.iter().map(|entry| (entry.seq, Entry::clone(entry))));
        for projection in &batch.projections {
            self.project(log, projection);
        }
    }

    fn project(&mut self, log: LogId, projection: &Projection) {
        let version = projection.version;
        match (&projection.row, log) {
            (Row::Group(row), LogId::Conversation(ConversationId::Group(group))) => {
                put(&mut self.groups, group, version, row.clone());
            }
            (Row::Member(user, place), LogId::Conversation(ConversationId::Group(group))) => {
                put(&mut self.members, (group, *user), version, *place);
            }
            (Row::Own(user, pos), LogId::Conversation(conversation)) => put(&mut self.own, (*user, conversation), version, *pos),
            (Row::Listed(conversation, listed), LogId::User(user)) => put(&mut self.listed, (user, *conversation), version, *listed),
            (Row::Group(_) | Row::Member(..) | Row::Own(..) | Row::Listed(..), _) => unreachable!("the batch is whole"),
        }
    }

    fn marks(&self, user: UserId, conversation: ConversationId) -> Marks {
        let mut marks = self.marks.get(&(user, conversation)).copied().unwrap_or_default();
        let own = self.own.get(&(user, conversation)).map(|(_, pos)| *pos).unwrap_or_default();
        marks.badge = marks.badge.max(own);
        marks
    }

    fn raise(&mut self, conversation: ConversationId, raised: &[(UserId, Marks)]) -> Vec<Marks> {
        for (user, marks) in raised {
            let stands = self.marks.entry((*user, conversation)).or_default();
            *stands = stands.raise_to(*marks);
        }
        raised.iter().map(|(user, _)| self.marks(*user, conversation)).collect()
    }

    fn account(&self, key: &AccountKey) -> Option<Versioned<Account>> {
        let id = match key {
            AccountKey::Id(id) => id,
            AccountKey::Username(username) => self.usernames.get(username)?,
            AccountKey::Email(email) => self.emails.get(&email.folded())?,
        };
        self.accounts.get(id).cloned()
    }

    fn put_account(&mut self, account: Account, version: u64) -> Result<(), PutError> {
        let before = self.accounts.get(&account.id);
        if before.map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        if self.usernames.get(&account.username).is_some_and(|owner| *owner != account.id) {
            return Err(PutError::Taken(AccountField::Username));
        }
        if self.emails.get(&account.email.folded()).is_some_and(|owner| *owner != account.id) {
            return Err(PutError::Taken(AccountField::Email));
        }
        if let Some(before) = before {
            self.usernames.remove(&before.row.username);
            self.emails.remove(&before.row.email.folded());
        }
        self.usernames.insert(account.username.clone(), account.id);
        self.emails.insert(account.email.folded(), account.id);
        self.accounts.insert(account.id, Versioned { version: version + 1, row: account });
        Ok(())
    }

    fn put_login(&mut self, login: Login, version: u64) -> Result<(), PutError> {
        if self.logins.get(&login.id).map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.logins.insert(login.id, Versioned { version: version + 1, row: login });
        Ok(())
    }

    fn put_media(&mut self, media: Media, version: u64) -> Result<(), PutError> {
        let id = media.attachment.id;
        if self.media.get(&id).map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.media.insert(id, Versioned { version: version + 1, row: media });
        Ok(())
    }

    fn media_due(&self, now: Timestamp, limit: usize) -> Vec<MediaId> {
        let due = self.media.values().filter_map(|row| Some((row.row.due_at()?, row.row.attachment.id)));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).take(limit).collect()
    }
}

/// Writes a projected row unless a newer one stands there.
fn put<K: Ord, V>(rows: &mut BTreeMap<K, (Seq, V)>, key: K, version: Seq, row: V) {
    if rows.get(&key).is_none_or(|(stands, _)| *stands <= version) {
        rows.insert(key, (version, row));
    }
}

impl LogStore for MemoryStore {
    fn head(&self, log: LogId) -> Answer<'_, Head> {
        Box::pin(async move { self.read(Call::Head, |rows| rows.head(log)) })
    }

    fn heads<'a>(&'a self, logs: &'a [LogId]) -> Answer<'a, Vec<Head>> {
        Box::pin(async move { self.read(Call::Head, |rows| logs.iter().map(|log| rows.head(*log)).collect()) })
    }

    fn claim(&self, log: LogId, seen: Head) -> Answer<'_, Epoch, AppendError> {
        Box::pin(async move { self.write(Call::Claim, AppendError::Unknown(planned()), |rows| rows.claim(log, seen)) })
    }

    fn append(&self, log: LogId, batch: Arc<Batch>) -> Answer<'_, (), AppendError> {
        Box::pin(async move {
            assert!(batch.is_whole(log), "a batch that contradicts itself: {batch:?}");
            let mut held = self.held.subscribe();
            if held.wait_for(|held| !held).await.is_err() {
                unreachable!("the store outlives its calls");
            }
            self.write(Call::Append, AppendError::Unknown(planned()), |rows| rows.append(log, &batch))
        })
    }

    fn range(&self, log: LogId, from: Seq, to: Seq, limit: usize, newest_first: bool) -> Answer<'_, Vec<Entry>> {
        Box::pin(async move {
            self.read(Call::Range, |rows| match rows.logs.get(&log) {
                Some(log) if from <= to => {
                    let entries = log.entries.range(from..=to).map(|(_, entry)| entry.clone());
                    if newest_first { entries.rev().take(limit).collect() } else { entries.take(limit).collect() }
                }
                Some(_) | None => Vec::new(),
            })
        })
    }

    fn draw(&self, sequence: Sequence, count: u64) -> Answer<'_, Block> {
        Box::pin(async move {
            self.write(Call::Draw, StoreError::Unknown(planned()), |rows| {
                let last = rows.sequences.entry(sequence).or_default();
                let first = *last + 1;
                *last += count;
                Ok(Block { first, count })
            })
        })
    }

    fn bind_segment(&self, segment: Segment, log: LogId, bucket: Bucket) -> Answer<'_, ()> {
        Box::pin(async move {
            self.write(Call::Bind, StoreError::Unknown(planned()), |rows| {
                let stands = rows.segments.entry(segment).or_insert((log, bucket));
                if *stands == (log, bucket) { Ok(()) } else { Err(StoreError::Corrupt(format!("{segment:?} is bound to {stands:?}"))) }
            })
        })
    }
}

impl MemberStore for MemoryStore {
    fn group(&self, group: GroupId) -> Answer<'_, Option<GroupRow>> {
        Box::pin(async move { Ok(self.rows().groups.get(&group).map(|(_, row)| row.clone())) })
    }

    fn membership(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Membership>> {
        Box::pin(async move { Ok(self.rows().members.get(&(group, user)).map(|(_, place)| *place)) })
    }

    fn members(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Membership)>> {
        Box::pin(async move {
            let rows = self.rows();
            let of_group = rows.members.iter().filter(|((of, user), _)| *of == group && after.is_none_or(|after| *user > after));
            Ok(of_group.map(|((_, user), (_, place))| (*user, *place)).take(limit).collect())
        })
    }

    fn listed(&self, user: UserId, after: Option<ConversationId>, limit: usize) -> Answer<'_, Vec<ConversationId>> {
        Box::pin(async move {
            let rows = self.rows();
            let of_user = rows.listed.iter().filter(|((of, _), (_, listed))| *of == user && *listed);
            let ids = of_user.map(|((_, conversation), _)| *conversation);
            Ok(ids.filter(|id| after.is_none_or(|after| *id > after)).take(limit).collect())
        })
    }

    fn marks<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Marks>> {
        Box::pin(async move {
            let rows = self.rows();
            Ok(conversations.iter().map(|conversation| rows.marks(user, *conversation)).collect())
        })
    }

    fn raise(&self, conversation: ConversationId, marks: Vec<(UserId, Marks)>) -> Answer<'_, Vec<Marks>> {
        Box::pin(async move { self.write(Call::Raise, StoreError::Unknown(planned()), |rows| Ok(rows.raise(conversation, &marks))) })
    }
}

impl AccountStore for MemoryStore {
    fn account(&self, key: AccountKey) -> Answer<'_, Option<Versioned<Account>>> {
        Box::pin(async move { Ok(self.rows().account(&key)) })
    }

    fn accounts<'a>(&'a self, ids: &'a [UserId]) -> Answer<'a, Vec<Option<Account>>> {
        Box::pin(async move {
            let rows = self.rows();
            Ok(ids.iter().map(|id| rows.accounts.get(id).map(|row| row.row.clone())).collect())
        })
    }

    fn put_account(&self, account: Account, version: u64) -> Answer<'_, (), PutError> {
        let unknown = PutError::Store(StoreError::Unknown(planned()));
        Box::pin(async move { self.write(Call::Put, unknown, |rows| rows.put_account(account, version)) })
    }

    fn login(&self, id: LoginId) -> Answer<'_, Option<Versioned<Login>>> {
        Box::pin(async move { Ok(self.rows().logins.get(&id).cloned()) })
    }

    fn put_login(&self, login: Login, version: u64) -> Answer<'_, (), PutError> {
        let unknown = PutError::Store(StoreError::Unknown(planned()));
        Box::pin(async move { self.write(Call::Put, unknown, |rows| rows.put_login(login, version)) })
    }
}

impl MediaStore for MemoryStore {
    fn media(&self, id: MediaId) -> Answer<'_, Option<Versioned<Media>>> {
        Box::pin(async move { Ok(self.rows().media.get(&id).cloned()) })
    }

    fn put_media(&self, media: Media, version: u64) -> Answer<'_, (), PutError> {
        let unknown = PutError::Store(StoreError::Unknown(planned()));
        Box::pin(async move { self.write(Call::Put, unknown, |rows| rows.put_media(media, version)) })
    }

    fn media_used(&self, user: UserId) -> Answer<'_, u64> {
        Box::pin(async move {
            let rows = self.rows();
            Ok(rows.media.values().filter(|row| row.row.owner == user).map(|row| row.row.counted_bytes()).sum())
        })
    }

    fn media_due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<MediaId>> {
        Box::pin(async move { Ok(self.rows().media_due(now, limit)) })
    }
}

impl Store for MemoryStore {
    fn readiness(&self) -> Result<(), String> {
        self.ready.lock().expect("setting cannot panic").clone()
    }
}
