//! The records of an archive out of the folder's rows and back. One walk over one snapshot, in the canonical order: the
//! order of the keys is the order of places, so nothing is held but a row.
//!
//! What each kind of key means for an archive is said once, in [`archived`], and every walk goes through it: a kind
//! that is added does not compile until it is decided, and a row under a key of no known kind stops an export.

use std::path::Path;
use std::sync::Arc;

use actors::account::{Account, Login, Seen};
use actors::archive::{Archive, Record, Section, Snapshot};
use actors::bits::Bits;
use actors::content::Reaction;
use actors::entry::{Amendment, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences};
use actors::id::{Bucket, DirectNumber, GroupId, LogId, Pos, Segment, Seq, UserId};
use actors::media::Media;
use actors::relation::Bond;
use actors::store::{Answer, Marks, PutError, StoreError, Versioned};
use fjall::{Iter, Readable, Slice};
use tokio::sync::oneshot;

use super::folder::Folder;
use super::group::{Group, Request};
use super::keys::{self, Key, Kind, Space};
use super::records::{Damage, Projected, Stored};
use super::{EmbeddedStore, OpenError, reads};

/// Bytes of values on one page of a snapshot.
const PAGE_BYTES: usize = 1024 * 1024;

/// What a kind of key is to an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archived {
    /// It is a record of this section.
    In(Section),
    /// It follows from a record of this section and is made again with it.
    With(Section),
    /// It is about this folder alone: another store has its own.
    Not,
}

/// What this kind is to an archive.
pub(super) fn archived(kind: Kind) -> Archived {
    match kind {
        Kind::Entry | Kind::Head => Archived::In(Section::Logs),
        Kind::Format | Kind::Start | Kind::Commits => Archived::Not,
        Kind::Sequence => Archived::In(Section::Sequences),
        Kind::Segment => Archived::In(Section::Segments),
        Kind::Group => Archived::In(Section::Groups),
        Kind::Member => Archived::In(Section::Members),
        Kind::Own => Archived::In(Section::Own),
        Kind::Marks => Archived::In(Section::Marks),
        Kind::Listed => Archived::In(Section::Listed),
        Kind::Account => Archived::In(Section::Accounts),
        Kind::Username | Kind::Email => Archived::With(Section::Accounts),
        Kind::Login => Archived::In(Section::Logins),
        Kind::LoginOf => Archived::With(Section::Logins),
        Kind::Word | Kind::Handle => Archived::With(Section::Accounts),
        Kind::Seen => Archived::In(Section::Seen),
        Kind::Bond => Archived::In(Section::Bonds),
        Kind::BondOf => Archived::With(Section::Bonds),
        Kind::Direct => Archived::In(Section::Directs),
        Kind::DirectOf => Archived::With(Section::Directs),
        Kind::Amended => Archived::In(Section::Amendments),
        Kind::Reactions => Archived::In(Section::Reactions),
        Kind::Gone => Archived::In(Section::Gone),
        Kind::Invited => Archived::In(Section::Invitations),
        Kind::Preferences => Archived::In(Section::Preferences),
        Kind::Hidden => Archived::In(Section::Hidden),
        Kind::Notice => Archived::In(Section::Notices),
        Kind::NoticesRead => Archived::In(Section::NoticesRead),
        Kind::Media => Archived::In(Section::Media),
        Kind::MediaUsed | Kind::MediaDue | Kind::MediaOf => Archived::With(Section::Media),
    }
}

/// A row as it lies there.
pub(super) type RawRow = (Slice, Slice);

/// All rows of a kind at one moment.
pub(super) fn rows(folder: &Folder, at: &fjall::Snapshot, kind: Kind) -> Iter {
    let keyspace = folder.keyspace(kind.space());
    match kind.tag() {
        Some(tag) => at.prefix(keyspace, [tag]),
        None => at.iter(keyspace),
    }
}

/// Rows under keys that this program does not know: those between the tags that it knows.
pub(super) fn strangers(folder: &Folder, at: &fjall::Snapshot) -> impl Iterator<Item = fjall::Result<RawRow>> + use<> {
    let mut tags: Vec<_> = Kind::ALL.into_iter().filter_map(Kind::tag).collect();
    tags.sort_unstable();
    let keyspace = folder.keyspace(Space::Rows);
    let last = tags.last().map_or(0, |last| last + 1);
    let mut unknown = vec![at.range(keyspace, vec![last]..)];
    let mut from = 0;
    for tag in tags {
        if tag > from {
            unknown.push(at.range(keyspace, vec![from]..vec![tag]));
        }
        from = tag + 1;
    }
    unknown.push(at.range(keyspace, ..vec![0]));
    unknown.into_iter().flatten().map(fjall::Guard::into_inner)
}

/// The record that a row is; `None` for a row that is none.
#[expect(clippy::too_many_lines, reason = "a row for each kind of key")]
pub(super) fn record(kind: Kind, key: &[u8], value: &[u8]) -> Result<Option<Record>, Damage> {
    let wrong = Damage::Value("key");
    Ok(Some(match kind {
        Kind::Format | Kind::Start | Kind::Commits | Kind::Username | Kind::Email => return Ok(None),
        Kind::LoginOf | Kind::Word | Kind::Handle | Kind::BondOf | Kind::DirectOf => return Ok(None),
        Kind::MediaUsed | Kind::MediaDue | Kind::MediaOf => return Ok(None),
        Kind::Entry => {
            let (log, _) = keys::entry_of(key).ok_or(wrong)?;
            Record::Entry { log, entry: Box::new(Entry::unseal(key, value)?) }
        }
        Kind::Head => Record::Head { log: keys::log_of(key).ok_or(wrong)?, head: Head::unseal(key, value)? },
        Kind::Sequence => Record::Sequence { sequence: keys::sequence_of(key).ok_or(wrong)?, last: u64::unseal(key, value)? },
        Kind::Segment => {
            let (log, bucket) = <(LogId, Bucket)>::unseal(key, value)?;
            Record::Segment { segment: Segment(keys::number_of(key).ok_or(wrong)?), log, bucket }
        }
        Kind::Group => {
            let group = keys::number_of(key).and_then(|number| GroupId::new(number).ok()).ok_or(wrong)?;
            let Projected { version, row } = Projected::<GroupRow>::unseal(key, value)?;
            Record::Group { group, version, row }
        }
        Kind::Member => {
            let (group, user) = keys::place_of(key).ok_or(wrong)?;
            let Projected { version, row: place } = Projected::<Membership>::unseal(key, value)?;
            Record::Member { group, user, version, place }
        }
        Kind::Own => {
            let (user, conversation) = keys::user_and_conversation_of(key).ok_or(wrong)?;
            let Projected { version, row: pos } = Projected::<Pos>::unseal(key, value)?;
            Record::Own { user, conversation, version, pos }
        }
        Kind::Marks => {
            let (user, conversation) = keys::user_and_conversation_of(key).ok_or(wrong)?;
            Record::Marks { user, conversation, marks: Marks::unseal(key, value)? }
        }
        Kind::Listed => {
            let (user, conversation) = keys::user_and_conversation_of(key).ok_or(wrong)?;
            let Projected { version, row: listed } = Projected::<bool>::unseal(key, value)?;
            Record::Listed { user, conversation, version, listed }
        }
        Kind::Account => {
            let account = Versioned::<Account>::unseal(key, value)?;
            if keys::number_of(key) != Some(account.row.id.get()) {
                return Err(Damage::Value("id"));
            }
            Record::Account(account)
        }
        Kind::Login => {
            let login = Versioned::<Login>::unseal(key, value)?;
            if keys::login_of(key) != Some(login.row.id) {
                return Err(Damage::Value("id"));
            }
            Record::Login(login)
        }
        Kind::Seen => {
            let user = keys::number_of(key).and_then(|number| UserId::new(number).ok()).ok_or(wrong)?;
            Record::Seen { user, seen: Seen::unseal(key, value)? }
        }
        Kind::Bond => {
            let bond = Versioned::<Bond>::unseal(key, value)?;
            if keys::pair_of(key) != Some(bond.row.pair) {
                return Err(Damage::Value("pair"));
            }
            Record::Bond(bond)
        }
        Kind::Direct => {
            let Projected { version, row: number } = Projected::<DirectNumber>::unseal(key, value)?;
            Record::Direct { pair: keys::pair_of(key).ok_or(wrong)?, version, number }
        }
        Kind::Amended => {
            let (conversation, [seq]) = keys::in_conversation(key).ok_or(wrong.clone())?;
            let Projected { version, row } = Projected::<Amendment>::unseal(key, value)?;
            Record::Amendment { conversation, seq: Seq::new(seq).or(Err(wrong))?, version, amendment: Box::new(row) }
        }
        Kind::Reactions => {
            let (conversation, [seq, user]) = keys::in_conversation(key).ok_or(wrong.clone())?;
            let Projected { version, row: reactions } = Projected::<Vec<Reaction>>::unseal(key, value)?;
            let (seq, user) = (Seq::new(seq).or(Err(wrong.clone()))?, UserId::new(user).or(Err(wrong))?);
            Record::Reactions { conversation, seq, user, version, reactions }
        }
        Kind::Gone => {
            let (conversation, [span]) = keys::in_conversation(key).ok_or(wrong)?;
            let Projected { version, row: bits } = Projected::<Bits>::unseal(key, value)?;
            Record::Gone { conversation, span: Bucket(span), version, bits }
        }
        Kind::Invited => {
            let (group, user) = keys::place_of(key).ok_or(wrong)?;
            let Projected { version, row: invitation } = Projected::<Option<Invitation>>::unseal(key, value)?;
            Record::Invitation { group, user, version, invitation }
        }
        Kind::Preferences => {
            let (user, conversation) = keys::user_and_conversation_of(key).ok_or(wrong)?;
            let Projected { version, row: preferences } = Projected::<Preferences>::unseal(key, value)?;
            Record::Preferences { user, conversation, version, preferences }
        }
        Kind::Hidden => {
            let (user, conversation, bucket) = keys::hidden_of(key).ok_or(wrong)?;
            let Projected { version, row: bits } = Projected::<Bits>::unseal(key, value)?;
            Record::Hidden { user, conversation, bucket, version, bits }
        }
        Kind::Notice => {
            let (user, seq) = keys::notice_of(key).ok_or(wrong)?;
            let Projected { version, row: notice } = Projected::<Option<Notice>>::unseal(key, value)?;
            Record::Notice { user, seq, version, notice }
        }
        Kind::NoticesRead => {
            let user = keys::number_of(key).and_then(|number| UserId::new(number).ok()).ok_or(wrong)?;
            let Projected { version, row: up_to } = Projected::<Seq>::unseal(key, value)?;
            Record::NoticesRead { user, version, up_to }
        }
        Kind::Media => {
            let media = Versioned::<Media>::unseal(key, value)?;
            if keys::media_of(key) != Some(media.row.attachment.id) {
                return Err(Damage::Value("id"));
            }
            Record::Media(media)
        }
    }))
}

/// Heads, each with the entries of its log behind it; entries without a head come where the head would.
pub(super) struct Logs {
    heads: Iter,
    entries: Iter,
    /// Rows that were taken and not given yet.
    next_head: Option<fjall::Result<RawRow>>,
    next_entry: Option<fjall::Result<RawRow>>,
}

impl Logs {
    pub(super) fn new(folder: &Folder, at: &fjall::Snapshot) -> Self {
        Self { heads: rows(folder, at, Kind::Head), entries: rows(folder, at, Kind::Entry), next_head: None, next_entry: None }
    }
}

impl Iterator for Logs {
    type Item = (Kind, fjall::Result<RawRow>);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.next_head.take().or_else(|| self.heads.next().map(fjall::Guard::into_inner));
        let entry = self.next_entry.take().or_else(|| self.entries.next().map(fjall::Guard::into_inner));
        // An entry's key begins with its log's, which is the head's key: the head comes first.
        let head_first = match (&head, &entry) {
            (Some(Ok((head, _))), Some(Ok((entry, _)))) => head <= entry,
            (Some(_), _) => true,
            (None, _) => false,
        };
        if head_first {
            self.next_entry = entry;
            head.map(|head| (Kind::Head, head))
        } else {
            self.next_head = head;
            entry.map(|entry| (Kind::Entry, entry))
        }
    }
}

/// Every record at one moment, in the canonical order, and then an error if there are rows that nobody knows.
type Records = Box<dyn Iterator<Item = Result<Record, StoreError>> + Send>;

/// One walk over a snapshot.
pub(super) struct Walk {
    /// `None` while a page is at work, after an error and at the end.
    records: Option<Records>,
    /// Keeps the folder open, and locked, as long as the walk lives.
    _folder: Arc<Folder>,
}

impl Walk {
    /// Over the folder as it stands now.
    pub(super) fn new(folder: Arc<Folder>) -> Self {
        let at = folder.database().snapshot();
        let unknown = strangers(&folder, &at).map(|row| match row {
            Ok((key, _)) => Err(StoreError::Corrupt(format!("a row under the unknown key {}", key.escape_ascii()))),
            Err(error) => Err(reads::failed(&error)),
        });
        let walked = Arc::clone(&folder);
        let all = Section::ALL.into_iter().flat_map(move |section| of_section(&walked, &at, section));
        Self { records: Some(Box::new(all.chain(unknown))), _folder: folder }
    }
}

fn of_section(folder: &Folder, at: &fjall::Snapshot, section: Section) -> Records {
    let decoded = |(kind, row): (Kind, fjall::Result<RawRow>)| match row {
        Ok((key, value)) => match record(kind, &key, &value) {
            Ok(record) => record.map(Ok),
            Err(damage) => Some(Err(StoreError::Corrupt(format!("{damage}, under the key {}", key.escape_ascii())))),
        },
        Err(error) => Some(Err(reads::failed(&error))),
    };
    if section == Section::Logs {
        return Box::new(Logs::new(folder, at).filter_map(decoded));
    }
    let kinds = Kind::ALL.into_iter().filter(|kind| archived(*kind) == Archived::In(section));
    let walks: Vec<_> = kinds.map(|kind| rows(folder, at, kind).map(move |row| (kind, row.into_inner()))).collect();
    Box::new(walks.into_iter().flatten().filter_map(decoded))
}

/// The next records of a walk, and whether there may be more.
fn page(records: &mut Records, limit: usize) -> Result<Vec<Record>, StoreError> {
    let (mut some, mut bytes) = (Vec::new(), 0);
    while some.len() < limit && bytes < PAGE_BYTES {
        let Some(record) = records.next().transpose()? else { break };
        bytes += record.bytes();
        some.push(record);
    }
    Ok(some)
}

impl Snapshot for Walk {
    fn next(&mut self, limit: usize) -> Answer<'_, Vec<Record>> {
        Box::pin(async move {
            let Some(mut records) = self.records.take() else { return Ok(Vec::new()) };
            let read = tokio::task::spawn_blocking(move || page(&mut records, limit).map(|some| (records, some)));
            let (records, some) = match read.await {
                Ok(read) => read?,
                Err(panic) => return Err(StoreError::Unavailable(format!("the read was not finished: {panic}"))),
            };
            self.records = (!some.is_empty()).then_some(records);
            Ok(some)
        })
    }
}

/// A folder that no node uses, opened to be read: its starts are not counted, and no thread writes.
pub struct Offline {
    folder: Arc<Folder>,
}

/// For blocks that were read; a walk reads each once.
const OFFLINE_CACHE_BYTES: u64 = 16 * 1024 * 1024;

impl Offline {
    /// Opens the store that must be in this folder.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { folder: Arc::new(Folder::look(path, OFFLINE_CACHE_BYTES)?) })
    }

    /// Everything in it.
    pub fn snapshot(&self) -> Box<dyn Snapshot> {
        Box::new(Walk::new(Arc::clone(&self.folder)))
    }

    /// The open folder.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl Archive for EmbeddedStore {
    fn is_blank(&self) -> Answer<'_, bool> {
        Box::pin(async move {
            let mut walk = Walk::new(Arc::clone(&self.shared.folder));
            Ok(walk.next(1).await?.is_empty())
        })
    }

    fn snapshot(&self) -> Answer<'_, Box<dyn Snapshot>> {
        Box::pin(async move { Ok(Box::new(Walk::new(Arc::clone(&self.shared.folder))) as Box<dyn Snapshot>) })
    }

    fn admit(&self, records: Vec<Record>) -> Answer<'_, ()> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let unknown = || StoreError::Unknown("the store is closed or has stopped".to_owned());
            self.requests().send(Request::Admit(records, answer)).await.or(Err(unknown()))?;
            answered.await.or(Err(unknown()))?
        })
    }
}

impl Group<'_> {
    /// Takes in records under the names that they carry.
    pub(super) fn admit(&mut self, records: Vec<Record>) -> Result<(), StoreError> {
        records.into_iter().try_for_each(|record| self.admit_one(record))
    }

    fn admit_one(&mut self, record: Record) -> Result<(), StoreError> {
        match record {
            Record::Sequence { sequence, last } => {
                let key = Key::Sequence(sequence);
                let stands = self.get::<u64>(key)?.unwrap_or(0);
                self.set(key, &last.max(stands));
            }
            Record::Account(account) => {
                let before = self.get::<Versioned<Account>>(Key::Account(account.row.id))?;
                match self.set_account(before.as_ref().map(|before| &before.row), &account) {
                    Ok(()) => {}
                    Err(PutError::Store(error)) => return Err(error),
                    Err(PutError::Taken(_) | PutError::Changed) => {
                        return Err(StoreError::Corrupt(format!("the names of account {} are another's", account.row.id.get())));
                    }
                }
            }
            Record::Login(login) => self.set_login(&login),
            Record::Segment { segment, log, bucket } => self.set(Key::Segment(segment), &(log, bucket)),
            Record::Head { log, head } => self.set_head(log, head),
            Record::Entry { log, entry } => self.set(Key::Entry(log, entry.seq), &*entry),
            Record::Group { group, version, row } => self.set(Key::Group(group), &Projected { version, row }),
            Record::Member { group, user, version, place } => self.set(Key::Member(group, user), &Projected { version, row: place }),
            Record::Own { user, conversation, version, pos } => {
                self.set(Key::Own(user, conversation), &Projected { version, row: pos });
            }
            Record::Listed { user, conversation, version, listed } => {
                self.set(Key::Listed(user, conversation), &Projected { version, row: listed });
            }
            Record::Marks { user, conversation, marks } => self.set(Key::Marks(user, conversation), &marks),
            Record::Direct { pair, version, number } => {
                self.set(Key::Direct(pair), &Projected { version, row: number });
                self.set(Key::DirectOf(number), &pair);
            }
            Record::Amendment { conversation, seq, version, amendment } => {
                self.set(Key::Amended(conversation, seq), &Projected { version, row: *amendment });
            }
            Record::Reactions { conversation, seq, user, version, reactions } => {
                self.set(Key::Reactions(conversation, seq, user), &Projected { version, row: reactions });
            }
            Record::Gone { conversation, span, version, bits } => {
                self.set(Key::Gone(conversation, span), &Projected { version, row: bits });
            }
            Record::Invitation { group, user, version, invitation } => {
                self.set(Key::Invited(group, user), &Projected { version, row: invitation });
            }
            Record::Preferences { user, conversation, version, preferences } => {
                self.set(Key::Preferences(user, conversation), &Projected { version, row: preferences });
            }
            Record::Hidden { user, conversation, bucket, version, bits } => {
                self.set(Key::Hidden(user, conversation, bucket), &Projected { version, row: bits });
            }
            Record::Notice { user, seq, version, notice } => self.set(Key::Notice(user, seq), &Projected { version, row: notice }),
            Record::NoticesRead { user, version, up_to } => self.set(Key::NoticesRead(user), &Projected { version, row: up_to }),
            Record::Bond(bond) => self.set_bond(&bond),
            Record::Seen { user, seen } => self.set(Key::Seen(user), &seen),
            Record::Media(media) => self.set_media(&media)?,
        }
        Ok(())
    }
}
