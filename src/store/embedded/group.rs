//! What one commit gathers: requests are judged against the store and against what earlier requests of the same
//! group will have changed, and their rows are collected. Nothing here writes, and nothing is answered before the
//! commit: also a refusal may rest on a row that is not durable yet.

use std::collections::{BTreeMap, HashMap};

use actors::account::{Account, Login, Seen};
use actors::archive::Record;
use actors::entry::{Batch, Head, Row};
use actors::id::{Bucket, ConversationId, DirectNumber, Epoch, LogId, Pair, Pos, Segment, Seq, UserId};
use actors::media::{Media, MediaId};
use actors::relation::Bond;
use actors::search;
use actors::store::{AppendError, Block, Marks, PutError, Sequence, StoreError, Versioned};
use actors::time::Timestamp;
use tokio::sync::oneshot::Sender;

use super::keys::{Key, Space};
use super::reads;
use super::records::{Projected, Stored};
use super::store::Shared;

/// A write that waits for the writer, with the way back for its answer.
pub(super) enum Request {
    Append(Box<Append>, Sender<Result<(), AppendError>>),
    Raise(ConversationId, Vec<(UserId, Marks)>, Sender<Result<Vec<Marks>, StoreError>>),
    Draw(Sequence, u64, Sender<Result<Block, StoreError>>),
    Bind(Segment, (LogId, Bucket), Sender<Result<(), StoreError>>),
    PutAccount(Box<Account>, u64, Sender<Result<(), PutError>>),
    PutLogin(Box<Login>, u64, Sender<Result<(), PutError>>),
    PutBond(Bond, u64, Sender<Result<(), PutError>>),
    /// Alone in a commit it is not synced.
    Touch(UserId, Seen, Sender<Result<(), StoreError>>),
    PutMedia(Box<Media>, u64, Sender<Result<(), PutError>>),
    /// Records of an archive.
    Admit(Vec<Record>, Sender<Result<(), StoreError>>),
    /// Nothing comes after this; answered when all before it is durable and the writer is done.
    Close(Sender<()>),
}

impl Request {
    /// What it counts against a commit's rows and bytes.
    pub(super) fn weight(&self) -> (usize, usize) {
        match self {
            Self::Append(append, _) => (append.entries.len(), append.bytes),
            Self::Raise(_, marks, _) => (marks.len(), marks.len() * 128),
            Self::Draw(..) | Self::Bind(..) | Self::Touch(..) => (1, 128),
            Self::PutLogin(..) | Self::PutBond(..) => (2, 256),
            Self::PutAccount(..) => (4 + search::WORDS_MAX, 1_024),
            Self::PutMedia(..) => (4, 640),
            Self::Admit(records, _) => (records.len(), records.iter().map(Record::bytes).sum()),
            Self::Close(_) => (0, 0),
        }
    }
}

/// A batch of entries with its rows encoded already, in the caller's task: the writer's time is everybody's.
pub(super) struct Append {
    log: LogId,
    base: Seq,
    epoch: Epoch,
    after: Head,
    entries: Vec<Sealed>,
    projections: Vec<(Seq, Follows)>,
    bytes: usize,
}

/// What follows from an entry.
enum Follows {
    /// A row with a version.
    Row(Sealed),
    /// The number of a direct conversation: a row from either side.
    Direct(Pair, DirectNumber),
    /// An entry in place of the one that stood there.
    Erased(Sealed),
    /// A file that expires.
    Expired(MediaId, Timestamp),
}

/// A key and what stands under it from now on.
type Change = (Vec<u8>, Option<Vec<u8>>);

/// The bytes of a row.
struct Sealed {
    key: Vec<u8>,
    value: Vec<u8>,
}

fn sealed(key: Key<'_>, value: &impl Stored) -> Sealed {
    let key = key.bytes();
    let value = value.seal(&key);
    Sealed { key, value }
}

impl Append {
    /// Encodes a batch.
    pub(super) fn new(log: LogId, batch: &Batch) -> Self {
        assert!(batch.is_whole(log), "a batch that contradicts itself: {batch:?}");
        let entries: Vec<_> = batch.entries.iter().map(|entry| sealed(Key::Entry(log, entry.seq), &**entry)).collect();
        let mut projections: Vec<_> = batch.projections.iter().map(|row| (row.version, projected(log, row.version, &row.row))).collect();
        projections.sort_by_key(|(version, _)| *version);
        let following = projections.iter().filter_map(|(_, follows)| match follows {
            Follows::Row(row) | Follows::Erased(row) => Some(row),
            Follows::Direct(..) | Follows::Expired(..) => None,
        });
        let bytes = entries.iter().chain(following).map(|row| row.key.len() + row.value.len()).sum();
        Self { log, base: batch.base, epoch: batch.epoch, after: batch.after, entries, projections, bytes }
    }
}

fn projected(log: LogId, version: Seq, row: &Row) -> Follows {
    match log {
        LogId::Conversation(conversation) => projected_on(conversation, version, row),
        LogId::User(user) => Follows::Row(projected_of(user, version, row)),
    }
}

fn projected_on(conversation: ConversationId, version: Seq, row: &Row) -> Follows {
    Follows::Row(match (row, conversation) {
        (Row::Group(row), ConversationId::Group(group)) => sealed(Key::Group(group), &Projected { version, row: row.clone() }),
        (Row::Member(user, place), ConversationId::Group(group)) => sealed(Key::Member(group, *user), &Projected { version, row: *place }),
        (Row::Invited(user, invitation), ConversationId::Group(group)) => {
            sealed(Key::Invited(group, *user), &Projected { version, row: *invitation })
        }
        (Row::Direct(number), ConversationId::Direct(pair)) => return Follows::Direct(pair, *number),
        (Row::Own(user, pos), _) => sealed(Key::Own(*user, conversation), &Projected { version, row: *pos }),
        (Row::Amended(seq, amendment), _) => sealed(Key::Amended(conversation, *seq), &Projected { version, row: amendment.clone() }),
        (Row::Reactions(seq, user, reactions), _) => {
            sealed(Key::Reactions(conversation, *seq, *user), &Projected { version, row: reactions.clone() })
        }
        (Row::Gone(span, bits), _) => sealed(Key::Gone(conversation, *span), &Projected { version, row: bits.clone() }),
        (Row::Erased(entry), _) => return Follows::Erased(sealed(Key::Entry(conversation.into(), entry.seq), &**entry)),
        (Row::Expired(file, at), _) => return Follows::Expired(*file, *at),
        (Row::Group(_) | Row::Member(..) | Row::Invited(..) | Row::Direct(_), _) => unreachable!("the batch is whole"),
        (Row::Listed(..) | Row::Preferences(..) | Row::Hidden(..) | Row::Notice(..) | Row::NoticesRead(_), _) => {
            unreachable!("the batch is whole")
        }
    })
}

fn projected_of(user: UserId, version: Seq, row: &Row) -> Sealed {
    match row {
        Row::Listed(conversation, listed) => sealed(Key::Listed(user, *conversation), &Projected { version, row: *listed }),
        Row::Preferences(conversation, preferences) => {
            sealed(Key::Preferences(user, *conversation), &Projected { version, row: *preferences })
        }
        Row::Hidden(conversation, bucket, bits) => {
            sealed(Key::Hidden(user, *conversation, *bucket), &Projected { version, row: bits.clone() })
        }
        Row::Notice(seq, notice) => sealed(Key::Notice(user, *seq), &Projected { version, row: *notice }),
        Row::NoticesRead(up_to) => sealed(Key::NoticesRead(user), &Projected { version, row: *up_to }),
        Row::Group(_) | Row::Member(..) | Row::Own(..) | Row::Direct(_) | Row::Amended(..) | Row::Reactions(..) => {
            unreachable!("the batch is whole")
        }
        Row::Gone(..) | Row::Erased(_) | Row::Expired(..) | Row::Invited(..) => unreachable!("the batch is whole"),
    }
}

/// Heads that the writer has read or written, so that an append need not read: two generations, about 150 bytes a head.
pub(super) struct HeadCache {
    generation_max: usize,
    young: HashMap<LogId, Head>,
    old: HashMap<LogId, Head>,
}

impl HeadCache {
    pub(super) fn new(heads_max: usize) -> Self {
        Self { generation_max: (heads_max / 2).max(1), young: HashMap::new(), old: HashMap::new() }
    }

    fn get(&self, log: LogId) -> Option<Head> {
        self.young.get(&log).or_else(|| self.old.get(&log)).copied()
    }

    fn put(&mut self, log: LogId, head: Head) {
        if self.young.len() >= self.generation_max && !self.young.contains_key(&log) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(log, head);
    }
}

/// The requests of one commit.
pub(super) struct Group<'a> {
    shared: &'a Shared,
    heads: &'a mut HeadCache,
    rows: Vec<(Space, Vec<u8>, Option<Vec<u8>>)>,
    places: HashMap<(Space, Vec<u8>), usize>,
    /// Whether anybody asked for more than a touch.
    durable: bool,
    answers: Vec<Box<dyn FnOnce() + Send>>,
}

impl<'a> Group<'a> {
    pub(super) fn new(shared: &'a Shared, heads: &'a mut HeadCache) -> Self {
        Self { shared, heads, rows: Vec::new(), places: HashMap::new(), durable: false, answers: Vec::new() }
    }

    /// Judges a request and collects its rows.
    pub(super) fn take(&mut self, request: Request) {
        self.durable |= !matches!(request, Request::Touch(..));
        match request {
            Request::Append(append, answer) => {
                let result = self.append(*append);
                self.later(answer, result);
            }
            Request::Raise(conversation, marks, answer) => {
                let result = self.raise(conversation, marks);
                self.later(answer, result);
            }
            Request::Draw(sequence, count, answer) => {
                let result = self.draw(sequence, count);
                self.later(answer, result);
            }
            Request::Bind(segment, bucket, answer) => {
                let result = self.bind(segment, bucket);
                self.later(answer, result);
            }
            Request::PutAccount(account, version, answer) => {
                let result = self.put_account(*account, version);
                self.later(answer, result);
            }
            Request::PutLogin(login, version, answer) => {
                let result = self.put_login(*login, version);
                self.later(answer, result);
            }
            Request::PutBond(bond, version, answer) => {
                let result = self.put_bond(bond, version);
                self.later(answer, result);
            }
            Request::Touch(user, seen, answer) => {
                let result = self.touch(user, seen);
                self.later(answer, result);
            }
            Request::PutMedia(media, version, answer) => {
                let result = self.put_media(*media, version);
                self.later(answer, result);
            }
            Request::Admit(records, answer) => {
                let result = self.admit(records);
                self.later(answer, result);
            }
            Request::Close(answer) => self.later(answer, ()),
        }
    }

    /// The rows to be committed, each key once; `None` takes one away.
    pub(super) fn rows(&mut self) -> Vec<(Space, Vec<u8>, Option<Vec<u8>>)> {
        std::mem::take(&mut self.rows)
    }

    /// Whether its rows must be on the disk before the answers.
    pub(super) fn is_durable(&self) -> bool {
        self.durable
    }

    /// How many requests there are.
    pub(super) fn requests(&self) -> u64 {
        self.answers.len() as u64
    }

    /// Gives the answers; only after the commit.
    pub(super) fn answer(self) {
        for answer in self.answers {
            answer();
        }
    }

    /// Keeps an answer until the commit; nobody may be waiting for it any more.
    fn later<T: Send + 'static>(&mut self, answer: Sender<T>, result: T) {
        self.answers.push(Box::new(move || drop(answer.send(result))));
    }

    fn append(&mut self, append: Append) -> Result<(), AppendError> {
        let head = self.head(append.log)?;
        if head.last_batch == append.after.last_batch && head.tail == append.after.tail {
            return Ok(());
        }
        if head.tail != append.base || head.epoch > append.epoch {
            return Err(AppendError::Stale { head });
        }
        // What is above the tail is newer than any row of this log; only an older one has to be compared. All are read
        // before the first is set: an append that is refused halfway must leave nothing behind.
        let (mut newest, mut erased, mut expired) = (Vec::with_capacity(append.projections.len()), Vec::new(), Vec::new());
        for (version, follows) in append.projections {
            match follows {
                Follows::Row(row) => {
                    if version > append.base || self.version(&row.key)?.is_none_or(|stands| stands <= version) {
                        newest.push((row.key, Some(row.value)));
                    }
                }
                Follows::Direct(pair, number) => newest.extend(self.numbered(pair, version, number).map_err(refused)?),
                Follows::Erased(row) => erased.push(row),
                Follows::Expired(file, at) => expired.push((file, at)),
            }
        }
        for (key, value) in newest {
            self.set_bytes(Space::Rows, key, value);
        }
        self.rows.extend(append.entries.into_iter().map(|row| (Space::Entries, row.key, Some(row.value))));
        for row in erased {
            self.erase(row);
        }
        for (file, at) in expired {
            if let Err(error) = self.expire(file, at) {
                // A damaged row must not keep a message from being deleted.
                tracing::error!(%error, "the file of a deleted message cannot be let go");
            }
        }
        self.set_head(append.log, append.after);
        Ok(())
    }

    /// The rows that give a pair a number: a pair has one number, and a number one pair.
    fn numbered(&self, pair: Pair, version: Seq, number: DirectNumber) -> Result<Vec<Change>, StoreError> {
        let stands = self.get::<Projected<DirectNumber>>(Key::Direct(pair))?;
        if stands.as_ref().is_some_and(|stands| stands.version > version) {
            return Ok(Vec::new());
        }
        let old = stands.filter(|stands| stands.row != number).map(|stands| (Key::DirectOf(stands.row).bytes(), None));
        let rows = [sealed(Key::Direct(pair), &Projected { version, row: number }), sealed(Key::DirectOf(number), &pair)];
        Ok(old.into_iter().chain(rows.into_iter().map(|row| (row.key, Some(row.value)))).collect())
    }

    /// Puts an entry without its content in place of the one with it, which may be of this very commit.
    fn erase(&mut self, erased: Sealed) {
        let same = |row: &&mut (Space, Vec<u8>, Option<Vec<u8>>)| row.0 == Space::Entries && row.1 == erased.key;
        match self.rows.iter_mut().rev().find(same) {
            Some(row) => row.2 = Some(erased.value),
            None => self.rows.push((Space::Entries, erased.key, Some(erased.value))),
        }
    }

    pub(super) fn set_head(&mut self, log: LogId, head: Head) {
        self.set(Key::Head(log), &head);
        self.heads.put(log, head);
    }

    fn head(&mut self, log: LogId) -> Result<Head, AppendError> {
        if let Some(head) = self.heads.get(log) {
            return Ok(head);
        }
        match self.get::<Head>(Key::Head(log)) {
            Ok(head) => {
                let head = head.unwrap_or_default();
                self.heads.put(log, head);
                Ok(head)
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// The version of a projected row, whatever its kind.
    fn version(&self, key: &[u8]) -> Result<Option<Seq>, AppendError> {
        let Some(bytes) = self.bytes(Space::Rows, key).map_err(refused)? else { return Ok(None) };
        let found = super::records::projected_version(key, &bytes);
        found.map(Some).map_err(|damage| refused(reads::damaged(self.shared, &damage)))
    }

    fn raise(&mut self, conversation: ConversationId, raised: Vec<(UserId, Marks)>) -> Result<Vec<Marks>, StoreError> {
        let mut stand = BTreeMap::new();
        for (user, _) in &raised {
            let marks = self.get::<Marks>(Key::Marks(*user, conversation))?.unwrap_or_default();
            let own = self.get::<Projected<Pos>>(Key::Own(*user, conversation))?;
            stand.insert(*user, (marks, own.map(|own| own.row).unwrap_or_default()));
        }
        let mut after = Vec::with_capacity(raised.len());
        for (user, marks) in raised {
            let (stands, own) = stand.get_mut(&user).expect("it was read above");
            let before = std::mem::replace(stands, stands.raise_to(marks));
            after.push(Marks { badge: stands.badge.max(*own), ..*stands });
            if *stands != before {
                self.set(Key::Marks(user, conversation), stands);
            }
        }
        Ok(after)
    }

    fn draw(&mut self, sequence: Sequence, count: u64) -> Result<Block, StoreError> {
        let key = Key::Sequence(sequence);
        let last = self.get::<u64>(key)?.unwrap_or(0);
        let Some(next) = last.checked_add(count) else {
            return Err(StoreError::Unavailable(format!("{sequence:?} has no {count} numbers left")));
        };
        self.set(key, &next);
        Ok(Block { first: last + 1, count })
    }

    fn bind(&mut self, segment: Segment, bucket: (LogId, Bucket)) -> Result<(), StoreError> {
        let key = Key::Segment(segment);
        match self.get::<(LogId, Bucket)>(key)? {
            Some(stands) if stands == bucket => {}
            Some(stands) => return Err(StoreError::Corrupt(format!("{segment:?} is bound to {stands:?} already"))),
            None => self.set(key, &bucket),
        }
        Ok(())
    }

    fn put_media(&mut self, media: Media, version: u64) -> Result<(), PutError> {
        let before = self.get::<Versioned<Media>>(Key::Media(media.attachment.id))?;
        if before.map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.set_media(&Versioned { version: version + 1, row: media })?;
        Ok(())
    }

    /// A file that nothing shows any more; one that is not known here, or is gone already, stays as it is.
    fn expire(&mut self, id: MediaId, at: Timestamp) -> Result<(), StoreError> {
        let Some(stands) = self.get::<Versioned<Media>>(Key::Media(id))? else { return Ok(()) };
        match stands.row.expired(at) {
            Some(row) => self.set_media(&Versioned { version: stands.version + 1, row }),
            None => Ok(()),
        }
    }

    /// What is known of a file, in place of what was known, with the rows that follow from it.
    pub(super) fn set_media(&mut self, media: &Versioned<Media>) -> Result<(), StoreError> {
        let (id, row) = (media.row.attachment.id, &media.row);
        let before = self.get::<Versioned<Media>>(Key::Media(id))?.map(|before| before.row);
        let used = self.get::<u64>(Key::MediaUsed(row.owner))?.unwrap_or(0);
        if let Some(at) = before.as_ref().and_then(Media::due_at) {
            self.set_bytes(Space::Rows, Key::MediaDue(at, id).bytes(), None);
        }
        if let Some(at) = row.due_at() {
            self.set(Key::MediaDue(at, id), &media.version);
        }
        let of = Key::MediaOf(row.owner, id);
        if row.erased_at.is_some() {
            self.set_bytes(Space::Rows, of.bytes(), None);
        } else {
            self.set(of, &row.owner);
        }
        let others = used.saturating_sub(before.as_ref().map_or(0, Media::counted_bytes));
        self.set(Key::MediaUsed(row.owner), &others.saturating_add(row.counted_bytes()));
        self.set(Key::Media(id), media);
        Ok(())
    }

    pub(super) fn get<T: Stored>(&self, key: Key<'_>) -> Result<Option<T>, StoreError> {
        let bytes = key.bytes();
        let value = self.bytes(key.space(), &bytes)?;
        value.map(|value| T::unseal(&bytes, &value).map_err(|damage| reads::damaged(self.shared, &damage))).transpose()
    }

    /// What will stand under a key when what was collected so far is committed.
    fn bytes(&self, space: Space, key: &[u8]) -> Result<Option<fjall::Slice>, StoreError> {
        if let Some(place) = self.places.get(&(space, key.to_vec())) {
            return Ok(self.rows[*place].2.as_deref().map(fjall::Slice::from));
        }
        self.shared.folder.bytes(space, key).map_err(|error| reads::failed(&error))
    }

    pub(super) fn set<T: Stored>(&mut self, key: Key<'_>, value: &T) {
        let Sealed { key: bytes, value } = sealed(key, value);
        self.set_bytes(key.space(), bytes, Some(value));
    }

    /// A row that leads to a user and says nothing else.
    pub(super) fn set_index(&mut self, key: &[u8], user: UserId) {
        self.set_bytes(Space::Rows, key.to_vec(), Some(user.seal(key)));
    }

    pub(super) fn set_bytes(&mut self, space: Space, key: Vec<u8>, value: Option<Vec<u8>>) {
        let place = *self.places.entry((space, key.clone())).or_insert(self.rows.len());
        match self.rows.get_mut(place) {
            Some(row) => row.2 = value,
            None => self.rows.push((space, key, value)),
        }
    }
}

/// A read that failed while an append was judged: the append was not done, and the port has a word for damage alone.
fn refused(error: StoreError) -> AppendError {
    match error {
        StoreError::Corrupt(what) => AppendError::Corrupt(what),
        StoreError::Unavailable(why) | StoreError::Unknown(why) => AppendError::Unknown(why),
    }
}
