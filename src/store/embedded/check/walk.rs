//! The walk of `parlance check`: every row of a folder that no node uses is read, and the rules are asked about it.
//!
//! It writes nothing. What it holds is one log's members and newest keys, and one number for each user who has files; rows that belong together are looked up.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use actors::account::{Account, AccountField, Login, Standing};
use actors::archive::Record;
use actors::bits::Bits;
use actors::entry::{Amendment, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences};
use actors::id::{Bucket, ConversationId, DirectNumber, GroupId, LogId, Pair, Pos, Seq, UserId};
use actors::media::Media;
use actors::relation::Bond;
use actors::store::{Sequence, Versioned};
use fjall::{Readable, Snapshot};

use super::replay::{Amended, Followed, Replay};
use super::rules::{self, Fault, RowKind, Subject};
use super::{Problem, Report};
use crate::store::embedded::OpenError;
use crate::store::embedded::archive::{self, Logs, Offline};
use crate::store::embedded::folder::{FORMAT, Folder};
use crate::store::embedded::keys::{self, Key, Kind, Space};
use crate::store::embedded::people::{found_by, is_open};
use crate::store::embedded::records::{Projected, Stored};

/// Reads everything in the store of this folder; `tell` hears of each problem as it is found.
pub fn check(folder: &Path, tell: &mut dyn FnMut(&Problem)) -> Result<Report, OpenError> {
    let offline = Offline::open(folder)?;
    let at = offline.folder().database().snapshot();
    let (folder, report, used) = (offline.folder(), Report::default(), BTreeMap::new());
    let mut check = Check { folder, at, report, tell, principals: 0, segments: 0, directs: 0, used };
    if catch_unwind(AssertUnwindSafe(|| check.all())).is_err() {
        let why = "the database cannot make sense of its files".to_owned();
        check.found(Subject::Folder, Fault::Broken { part: "store", why });
    }
    Ok(check.report)
}

struct Check<'a> {
    folder: &'a Folder,
    at: Snapshot,
    report: Report,
    tell: &'a mut dyn FnMut(&Problem),
    /// The highest numbers in use.
    principals: u64,
    segments: u64,
    directs: u64,
    /// The bytes of each user's files.
    used: BTreeMap<UserId, u64>,
}

impl Check<'_> {
    fn all(&mut self) {
        for row in archive::strangers(self.folder, &self.at) {
            let key = row.map_or_else(|error| error.to_string(), |(key, _)| key.escape_ascii().to_string());
            self.found(Subject::Folder, Fault::Unknown(key));
        }
        self.logs();
        for kind in Kind::ALL {
            match kind {
                Kind::Entry | Kind::Head => {}
                Kind::Username => self.names(kind, AccountField::Username),
                Kind::Email => self.names(kind, AccountField::Email),
                Kind::Format | Kind::Start | Kind::Commits => self.numbers(kind),
                Kind::Sequence | Kind::Segment | Kind::Group | Kind::Member | Kind::Own => self.records(kind),
                Kind::Seen | Kind::Bond | Kind::Direct | Kind::Amended | Kind::Reactions | Kind::Gone => self.records(kind),
                Kind::Invited | Kind::Preferences | Kind::Hidden | Kind::Notice | Kind::NoticesRead => self.records(kind),
                Kind::LoginOf | Kind::Word | Kind::Handle | Kind::BondOf | Kind::MediaOf => self.leads(kind),
                Kind::DirectOf => self.direct_numbers(),
                Kind::Marks | Kind::Listed | Kind::Account | Kind::Login | Kind::Media => self.records(kind),
                Kind::MediaUsed => self.used(kind),
                Kind::MediaDue => self.due(kind),
            }
        }
        self.counts();
        for (sequence, used) in
            [(Sequence::Principals, self.principals), (Sequence::Segments, self.segments), (Sequence::Directs, self.directs)]
        {
            let last = self.get::<u64>(Key::Sequence(sequence)).unwrap_or(0);
            self.extend(Subject::Folder, rules::drawn(sequence, last, used));
        }
    }

    fn found(&mut self, subject: Subject, fault: Fault) {
        self.report.problems += 1;
        (self.tell)(&Problem { subject, fault });
    }

    fn extend(&mut self, subject: Subject, faults: impl IntoIterator<Item = Fault>) {
        faults.into_iter().for_each(|fault| self.found(subject, fault));
    }

    /// A row that must agree with another; one that cannot be read is told of by its own walk.
    fn get<T: Stored>(&self, key: Key<'_>) -> Option<T> {
        let bytes = key.bytes();
        let value = self.at.get(self.folder.keyspace(key.space()), &bytes).ok().flatten()?;
        T::unseal(&bytes, &value).ok()
    }

    fn saw_user(&mut self, user: UserId) {
        self.principals = self.principals.max(user.get());
    }

    fn saw_group(&mut self, group: GroupId) {
        self.principals = self.principals.max(group.get());
    }

    fn logs(&mut self) {
        let mut open: Option<(LogId, Option<Head>, Replay)> = None;
        for (kind, row) in Logs::new(self.folder, &self.at) {
            let (key, value) = match row {
                Ok(row) => row,
                Err(error) => {
                    self.found(Subject::Folder, Fault::Broken { part: "logs", why: error.to_string() });
                    return;
                }
            };
            *self.report.rows.entry(kind_name(kind)).or_default() += 1;
            let log = if kind == Kind::Head { keys::log_of(&key) } else { keys::entry_of(&key).map(|(log, _)| log) };
            if let Some((done, head, replay)) = open.take_if(|(of, ..)| Some(*of) != log) {
                self.log(done, head, replay);
            }
            let record = archive::record(kind, &key, &value);
            let Some(log) = log else {
                self.found(Subject::Folder, Fault::Unknown(key.escape_ascii().to_string()));
                continue;
            };
            let (_, head, replay) = open.get_or_insert_with(|| (log, None, Replay::of(log)));
            match record {
                Ok(Some(Record::Head { head: found, .. })) => *head = Some(found),
                Ok(Some(Record::Entry { entry, .. })) => replay.entry(&entry),
                Ok(_) => {}
                Err(damage) => {
                    let fault = Fault::Unreadable { key: key.escape_ascii().to_string(), why: damage.to_string() };
                    self.found(Subject::Log(log), fault);
                }
            }
        }
        if let Some((done, head, replay)) = open {
            self.log(done, head, replay);
        }
    }

    /// A log was read to its end.
    fn log(&mut self, log: LogId, head: Option<Head>, replay: Replay) {
        let (followed, faults) = replay.finish(head.as_ref());
        self.extend(Subject::Log(log), faults);
        for (bucket, segment) in &followed.segments {
            self.segments = self.segments.max(segment.0);
            let binding = self.get::<(LogId, Bucket)>(Key::Segment(*segment));
            self.extend(Subject::Log(log), rules::bound(log, *bucket, *segment, binding));
        }
        match log {
            LogId::Conversation(ConversationId::Group(group)) => self.saw_group(group),
            LogId::Conversation(ConversationId::Direct(pair)) => self.saw_user(pair.high()),
            LogId::User(user) => self.saw_user(user),
        }
        self.rows_of(log, &followed);
    }

    /// The rows that follow from the log are there, and say what it says.
    fn rows_of(&mut self, log: LogId, followed: &Followed) {
        match log {
            LogId::User(user) => self.rows_of_user(user, followed),
            LogId::Conversation(conversation) => {
                if let (ConversationId::Group(group), Some((version, expected))) = (conversation, &followed.group) {
                    let row = self.get::<Projected<GroupRow>>(Key::Group(group));
                    self.compare(Subject::Group(group), RowKind::Group, *version, expected, row);
                    for (user, (version, place)) in &followed.members {
                        let row = self.get::<Projected<Membership>>(Key::Member(group, *user));
                        self.compare(Subject::Place(*user, conversation), RowKind::Member, *version, place, row);
                    }
                    for (user, (version, stands)) in &followed.invitations {
                        let row = self.get::<Projected<Option<Invitation>>>(Key::Invited(group, *user));
                        self.compare(Subject::Place(*user, conversation), RowKind::Invitation, *version, stands, row);
                    }
                }
                for (user, (version, pos)) in &followed.own {
                    let row = self.get::<Projected<Pos>>(Key::Own(*user, conversation));
                    self.compare(Subject::Place(*user, conversation), RowKind::Own, *version, pos, row);
                }
                for (span, (version, bits)) in &followed.gone {
                    let row = self.get::<Projected<Bits>>(Key::Gone(conversation, *span));
                    self.compare(Subject::Log(log), RowKind::Gone, *version, bits, row);
                }
                for (seq, expected) in &followed.amended {
                    let row = self.get::<Projected<Amendment>>(Key::Amended(conversation, *seq));
                    self.amended(log, expected, row);
                }
                for user in followed.must_find(log) {
                    let listed = self.get::<Projected<bool>>(Key::Listed(user, conversation)).is_some_and(|row| row.row);
                    self.extend(Subject::Place(user, conversation), (!listed).then_some(Fault::NotListed));
                }
            }
        }
    }

    fn rows_of_user(&mut self, user: UserId, followed: &Followed) {
        for (conversation, (version, listed)) in &followed.listed {
            let row = self.get::<Projected<bool>>(Key::Listed(user, *conversation));
            self.compare(Subject::Place(user, *conversation), RowKind::Listed, *version, listed, row);
        }
        for (conversation, (version, preferences)) in &followed.preferences {
            let row = self.get::<Projected<Preferences>>(Key::Preferences(user, *conversation));
            self.compare(Subject::Place(user, *conversation), RowKind::Preferences, *version, preferences, row);
        }
        for ((conversation, bucket), (version, bits)) in &followed.hidden {
            let row = self.get::<Projected<Bits>>(Key::Hidden(user, *conversation, *bucket));
            self.compare(Subject::Place(user, *conversation), RowKind::Hidden, *version, bits, row);
        }
        for (seq, (version, notice)) in &followed.notices {
            let row = self.get::<Projected<Option<Notice>>>(Key::Notice(user, *seq));
            self.compare(Subject::Account(user), RowKind::Notice, *version, notice, row);
        }
        if let Some((version, up_to)) = &followed.notices_read {
            let row = self.get::<Projected<Seq>>(Key::NoticesRead(user));
            self.compare(Subject::Account(user), RowKind::NoticesRead, *version, up_to, row);
        }
    }

    /// What an amendment says of edits and of a deletion; reactions are not added up.
    fn amended(&mut self, log: LogId, expected: &Amended, row: Option<Projected<Amendment>>) {
        let fault = row.map_or(Some(Fault::RowMissing(RowKind::Amendment)), |row| {
            let edited = row.row.edited.map(|(content, at)| (content.text, at));
            let same = edited == expected.edited && row.row.deleted == expected.deleted;
            (!same).then_some(Fault::RowWrong(RowKind::Amendment))
        });
        self.extend(Subject::Log(log), fault);
    }

    fn compare<T: PartialEq>(&mut self, subject: Subject, kind: RowKind, version: Seq, expected: &T, row: Option<Projected<T>>) {
        let fault = match row {
            None => Some(Fault::RowMissing(kind)),
            Some(row) if row.version != version || row.row != *expected => Some(Fault::RowWrong(kind)),
            Some(_) => None,
        };
        self.extend(subject, fault);
    }

    /// Every row of a kind, if its bytes are right.
    fn each(&mut self, kind: Kind, mut judge: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), String>) {
        for row in archive::rows(self.folder, &self.at, kind) {
            let (key, value) = match row.into_inner() {
                Ok(row) => row,
                Err(error) => {
                    self.found(Subject::Folder, Fault::Broken { part: kind_name(kind), why: error.to_string() });
                    return;
                }
            };
            *self.report.rows.entry(kind_name(kind)).or_default() += 1;
            if let Err(why) = judge(self, &key, &value) {
                self.found(Subject::Folder, Fault::Unreadable { key: key.escape_ascii().to_string(), why });
            }
        }
    }

    fn records(&mut self, kind: Kind) {
        self.each(kind, |check, key, value| {
            let record = archive::record(kind, key, value).map_err(|damage| damage.to_string())?;
            if let Some(record) = record {
                check.record(&record);
            }
            Ok(())
        });
    }

    fn record(&mut self, record: &Record) {
        match record {
            Record::Sequence { .. } | Record::Head { .. } | Record::Entry { .. } => {}
            Record::Segment { segment, .. } => self.segments = self.segments.max(segment.0),
            Record::Group { group, version, .. } => {
                self.saw_group(*group);
                self.stray(Subject::Group(*group), RowKind::Group, ConversationId::Group(*group).into(), *version, record);
            }
            Record::Member { group, user, version, .. } => {
                let conversation = ConversationId::Group(*group);
                self.saw_user(*user);
                self.stray(Subject::Place(*user, conversation), RowKind::Member, conversation.into(), *version, record);
            }
            Record::Own { user, conversation, version, .. } => {
                self.stray(Subject::Place(*user, *conversation), RowKind::Own, (*conversation).into(), *version, record);
            }
            Record::Listed { user, conversation, version, .. } => {
                self.stray(Subject::Place(*user, *conversation), RowKind::Listed, (*user).into(), *version, record);
            }
            Record::Marks { user, conversation, marks } => {
                let log = LogId::from(*conversation);
                let head = self.get::<Head>(Key::Head(log)).unwrap_or_default();
                let pos_at = |seq| self.get::<Entry>(Key::Entry(log, seq)).map(|entry| entry.pos);
                let faults = rules::marks(marks, &head, pos_at);
                self.extend(Subject::Place(*user, *conversation), faults);
                let was_there = match conversation {
                    ConversationId::Direct(pair) => pair.has(*user),
                    ConversationId::Group(group) => self.get::<Projected<Membership>>(Key::Member(*group, *user)).is_some(),
                };
                self.extend(Subject::Place(*user, *conversation), (!was_there).then_some(Fault::MarksStray));
            }
            Record::Account(account) => self.account(&account.row),
            Record::Login(login) => {
                let (user, id) = (login.row.user, login.row.id);
                let owner = self.get::<Versioned<Account>>(Key::Account(user));
                self.extend(Subject::Account(user), owner.is_none().then_some(Fault::LoginStray));
                let led = self.get::<UserId>(Key::LoginOf(user, id)).is_some() || self.lacks_leads();
                self.extend(Subject::Account(user), (is_open(&login.row) && !led).then_some(Fault::LoginsWrong));
            }
            Record::Amendment { .. } | Record::Reactions { .. } | Record::Gone { .. } | Record::Invitation { .. } => self.amending(record),
            Record::Preferences { user, conversation, version, .. } => {
                self.stray(Subject::Place(*user, *conversation), RowKind::Preferences, (*user).into(), *version, record);
            }
            Record::Hidden { user, conversation, version, .. } => {
                self.stray(Subject::Place(*user, *conversation), RowKind::Hidden, (*user).into(), *version, record);
            }
            Record::Notice { user, version, .. } => {
                self.stray(Subject::Account(*user), RowKind::Notice, (*user).into(), *version, record);
            }
            Record::NoticesRead { user, version, .. } => {
                self.stray(Subject::Account(*user), RowKind::NoticesRead, (*user).into(), *version, record);
            }
            Record::Direct { pair, version, number } => {
                self.directs = self.directs.max(number.get());
                let (subject, conversation) = (Subject::Pair(*pair), ConversationId::Direct(*pair));
                self.stray(subject, RowKind::Direct, conversation.into(), *version, record);
                let back = self.get::<Pair>(Key::DirectOf(*number)) == Some(*pair);
                self.extend(subject, (!back).then_some(Fault::NumberAstray(number.get())));
            }
            Record::Bond(bond) => {
                self.saw_user(bond.row.pair.high());
                let both = self.get::<UserId>(Key::BondOf(bond.row.pair)).is_some();
                self.extend(Subject::Pair(bond.row.pair), (!both).then_some(Fault::BondHalf));
            }
            Record::Seen { user, .. } => self.saw_user(*user),
            Record::Media(media) => self.media(&media.row),
        }
    }

    /// Rows on messages and invitations: an entry has made each.
    fn amending(&mut self, record: &Record) {
        match record {
            Record::Amendment { conversation, version, .. } => {
                self.stray(Subject::Log((*conversation).into()), RowKind::Amendment, (*conversation).into(), *version, record);
            }
            Record::Reactions { user, conversation, version, .. } => {
                self.stray(Subject::Place(*user, *conversation), RowKind::Reactions, (*conversation).into(), *version, record);
            }
            Record::Gone { conversation, version, .. } => {
                self.stray(Subject::Log((*conversation).into()), RowKind::Gone, (*conversation).into(), *version, record);
            }
            Record::Invitation { group, user, version, .. } => {
                self.saw_user(*user);
                let conversation = ConversationId::Group(*group);
                self.stray(Subject::Place(*user, conversation), RowKind::Invitation, conversation.into(), *version, record);
            }
            Record::Sequence { .. } | Record::Head { .. } | Record::Entry { .. } | Record::Segment { .. } => {}
            Record::Group { .. } | Record::Member { .. } | Record::Own { .. } | Record::Listed { .. } | Record::Marks { .. } => {}
            Record::Account(_) | Record::Login(_) | Record::Preferences { .. } | Record::Hidden { .. } => {}
            Record::Notice { .. } | Record::NoticesRead { .. } => {}
            Record::Direct { .. } | Record::Bond(_) | Record::Seen { .. } | Record::Media(_) => {}
        }
    }

    /// Whether the folder was never opened since rows that lead to others are kept: then there are none.
    fn lacks_leads(&self) -> bool {
        self.folder.format < FORMAT
    }

    fn account(&mut self, account: &Account) {
        self.saw_user(account.id);
        let names = [(Key::Username(&account.username), AccountField::Username), (Key::Email(&account.email), AccountField::Email)];
        for (name, field) in names.into_iter().filter(|_| account.standing != Standing::Deleted) {
            let reserved = self.get::<UserId>(name) == Some(account.id);
            self.extend(Subject::Account(account.id), (!reserved).then_some(Fault::NotReserved(field)));
        }
        let rows = self.folder.keyspace(Space::Rows);
        let found = found_by(account).iter().all(|key| matches!(self.at.get(rows, key), Ok(Some(_))));
        self.extend(Subject::Account(account.id), (!found && !self.lacks_leads()).then_some(Fault::WordsWrong));
    }

    /// Rows that lead to another: each to one that it belongs to.
    fn leads(&mut self, kind: Kind) {
        self.each(kind, |check, key, value| {
            let named = UserId::unseal(key, value).map_err(|damage| damage.to_string())?;
            let (subject, right, fault) = if kind == Kind::LoginOf {
                let (user, id) = keys::login_of_user(key).ok_or("the key names no login")?;
                let login = check.get::<Versioned<Login>>(Key::Login(id)).map(|login| login.row);
                let right = login.is_some_and(|login| login.user == user && is_open(&login));
                (Subject::Account(user), right && named == user, Fault::LoginsWrong)
            } else if kind == Kind::MediaOf {
                let (user, id) = keys::media_of_user(key).ok_or("the key names no file")?;
                let media = check.get::<Versioned<Media>>(Key::Media(id)).map(|media| media.row);
                let right = media.is_some_and(|media| media.owner == user && media.erased_at.is_none());
                (Subject::Account(user), right && named == user, Fault::FilesWrong)
            } else if kind == Kind::BondOf {
                let pair = keys::pair_of(key).ok_or("the key names no pair")?;
                let right = named == pair.low() && check.get::<Versioned<Bond>>(Key::Bond(pair)).is_some();
                (Subject::Pair(pair), right, Fault::BondHalf)
            } else {
                let (_, user) = keys::word_of(key).ok_or("the key names no user")?;
                let account = check.get::<Versioned<Account>>(Key::Account(user));
                let right = account.is_some_and(|account| found_by(&account.row).contains(key));
                (Subject::Account(user), right && named == user, Fault::WordsWrong)
            };
            check.extend(subject, (!right).then_some(fault));
            Ok(())
        });
    }

    /// Integer forms of direct conversations, each of the one that has it.
    fn direct_numbers(&mut self) {
        self.each(Kind::DirectOf, |check, key, value| {
            let pair = Pair::unseal(key, value).map_err(|damage| damage.to_string())?;
            let number = keys::number_of(key).ok_or("the key names no number")?;
            let has = check.get::<Projected<DirectNumber>>(Key::Direct(pair)).map(|row| row.row.get()) == Some(number);
            check.extend(Subject::Pair(pair), (!has).then_some(Fault::NumberAstray(number)));
            Ok(())
        });
    }

    fn media(&mut self, media: &Media) {
        self.saw_user(media.owner);
        let sum = self.used.entry(media.owner).or_default();
        *sum = sum.saturating_add(media.counted_bytes());
        let stands = media.due_at().is_none_or(|at| self.get::<u64>(Key::MediaDue(at, media.attachment.id)).is_some());
        self.extend(Subject::Account(media.owner), (!stands).then_some(Fault::DueWrong));
        let led = self.get::<UserId>(Key::MediaOf(media.owner, media.attachment.id)).is_some();
        self.extend(Subject::Account(media.owner), (led != media.erased_at.is_none()).then_some(Fault::FilesWrong));
    }

    /// The sums of users' files; asked after the files.
    fn used(&mut self, kind: Kind) {
        self.each(kind, |check, key, value| {
            let said = u64::unseal(key, value).map_err(|damage| damage.to_string())?;
            let user = keys::number_of(key).and_then(|number| UserId::new(number).ok()).ok_or("the key names no user")?;
            let found = check.used.remove(&user).unwrap_or(0);
            check.extend(Subject::Account(user), (said != found).then_some(Fault::UsedWrong { said, found }));
            Ok(())
        });
        for (user, found) in std::mem::take(&mut self.used) {
            self.extend(Subject::Account(user), (found != 0).then_some(Fault::UsedWrong { said: 0, found }));
        }
    }

    /// Files that fall due, each at the moment that it has.
    fn due(&mut self, kind: Kind) {
        self.each(kind, |check, key, value| {
            u64::unseal(key, value).map_err(|damage| damage.to_string())?;
            let (at, id) = keys::due_of(key).ok_or("the key names no file")?;
            let media = check.get::<Versioned<Media>>(Key::Media(id)).map(|media| media.row);
            let subject = media.as_ref().map_or(Subject::Folder, |media| Subject::Account(media.owner));
            let right = media.and_then(|media| media.due_at()) == Some(at);
            check.extend(subject, (!right).then_some(Fault::DueWrong));
            Ok(())
        });
    }

    /// A row that no entry has made.
    fn stray(&mut self, subject: Subject, kind: RowKind, log: LogId, version: Seq, record: &Record) {
        let made = self.get::<Entry>(Key::Entry(log, version)).is_some_and(|entry| rules::made(&entry, record));
        self.extend(subject, (!made).then_some(Fault::RowStray(kind)));
    }

    /// Names that are reserved, each for the account that has it.
    fn names(&mut self, kind: Kind, field: AccountField) {
        self.each(kind, |check, key, value| {
            let owner = UserId::unseal(key, value).map_err(|damage| damage.to_string())?;
            let account = check.get::<Versioned<Account>>(Key::Account(owner)).map(|account| account.row);
            let has = account.filter(|account| account.standing != Standing::Deleted).is_some_and(|account| {
                let name = if field == AccountField::Email {
                    Key::Email(&account.email).bytes()
                } else {
                    Key::Username(&account.username).bytes()
                };
                name == key
            });
            check.extend(Subject::Account(owner), (!has).then_some(Fault::ReservedAstray(field)));
            Ok(())
        });
    }

    fn numbers(&mut self, kind: Kind) {
        self.each(kind, |_, key, value| u64::unseal(key, value).map(drop).map_err(|damage| damage.to_string()));
    }

    fn counts(&mut self) {
        let (start, commits) = (self.get::<u64>(Key::Start), self.get::<u64>(Key::Commits));
        let is_right = match (start, commits) {
            (Some(start), Some(commits)) => start >= 1 && commits >= start,
            // A folder that was made and never opened wholly holds nothing.
            (None, None) => self.report.rows.is_empty(),
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.extend(Subject::Folder, (!is_right).then_some(Fault::Counts));
    }
}

/// What the report calls the rows of a kind.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Entry => "entries",
        Kind::Head => "logs",
        Kind::Format | Kind::Start | Kind::Commits => "counts",
        Kind::Sequence => "sequences",
        Kind::Segment => "segments",
        Kind::Group => "groups",
        Kind::Member => "memberships",
        Kind::Own => "own positions",
        Kind::Marks => "marks",
        Kind::Listed => "list rows",
        Kind::Account => "accounts",
        Kind::Username => "usernames",
        Kind::Email => "addresses",
        Kind::Login => "logins",
        Kind::LoginOf => "users' logins",
        Kind::Word => "words of names",
        Kind::Handle => "whole usernames",
        Kind::Seen => "times of users",
        Kind::Bond => "bonds",
        Kind::BondOf => "bonds from the other side",
        Kind::Direct => "direct conversations' numbers",
        Kind::DirectOf => "numbers' direct conversations",
        Kind::Amended => "amendments",
        Kind::Reactions => "reactions",
        Kind::Gone => "deleted positions",
        Kind::Invited => "invitations",
        Kind::Preferences => "preferences",
        Kind::Hidden => "hidden entries",
        Kind::Notice => "notices",
        Kind::NoticesRead => "marks of read notices",
        Kind::Media => "files",
        Kind::MediaUsed => "sums of files",
        Kind::MediaDue => "files that fall due",
        Kind::MediaOf => "users' files",
    }
}
