//! What must be true of stored data, each rule once. Pure: the walk that feeds them is in `check`.
//!
//! The replay of a log is written for itself, simply, and shares nothing with the code that writes rows: two mistakes
//! would have to agree. Invariant: a folder that only nodes and imports have written has no fault.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use actors::account::AccountField;
use actors::archive::Record;
use actors::content::ClientKey;
use actors::entry::{Act, Entry, GroupRow, Head, Membership, Role};
use actors::id::{Bucket, ConversationId, GroupId, LogId, MessageId, Pos, Segment, Seq, UserId};
use actors::store::{Mark, Marks, Sequence};
use actors::time::Timestamp;

/// A client key must not come back within this time and this many entries (G3).
const KEY_LIFE: Duration = Duration::from_hours(24);
const KEY_ENTRIES: u64 = 4_096;

/// What a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The folder as a whole.
    Folder,
    /// A log.
    Log(LogId),
    /// A group.
    Group(GroupId),
    /// A user in a conversation.
    Place(UserId, ConversationId),
    /// An account.
    Account(UserId),
    /// A segment.
    Segment(Segment),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => f.write_str("the folder"),
            Self::Log(LogId::Conversation(conversation)) => write!(f, "conversation {conversation}"),
            Self::Log(LogId::User(user)) => write!(f, "the log of user {}", user.get()),
            Self::Group(group) => write!(f, "group {}", group.get()),
            Self::Place(user, conversation) => write!(f, "user {} in {conversation}", user.get()),
            Self::Account(user) => write!(f, "account {}", user.get()),
            Self::Segment(segment) => write!(f, "segment {}", segment.0),
        }
    }
}

/// A row that follows from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// What the group is.
    Group,
    /// A place in the group.
    Member,
    /// A user's own newest message.
    Own,
    /// A conversation in a list.
    Listed,
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group row",
            Self::Member => "membership",
            Self::Own => "own position",
            Self::Listed => "list row",
        })
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A record, or a part of the database, cannot be read.
    #[error("the record under the key {key} cannot be read: {why}")]
    Unreadable {
        /// The bytes of its key, escaped.
        key: String,
        /// What the reader said.
        why: String,
    },
    /// The walk could not go on.
    #[error("the rest of the {part} cannot be read: {why}")]
    Broken {
        /// Which part.
        part: &'static str,
        /// What the database said.
        why: String,
    },
    /// A row that this program does not know.
    #[error("there is a row under the unknown key {0}")]
    Unknown(String),
    /// Entries are not dense.
    #[error("entries {from} to {to} are missing")]
    Hole {
        /// The first that is missing.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Times do not rise.
    #[error("the time of entry {0} is not later than that of the one before")]
    Time(u64),
    /// The position is not the number of messages.
    #[error("entry {seq} has position {found} and must have {expected}")]
    Position {
        /// The entry.
        seq: u64,
        /// What it has.
        found: u64,
        /// What it must have.
        expected: u64,
    },
    /// The number does not lie in the segment of the bucket.
    #[error("entry {seq} has number {found}, which does not belong there")]
    Number {
        /// The entry.
        seq: u64,
        /// What it has.
        found: u64,
    },
    /// A bucket's segment is not above the one before (N4).
    #[error("bucket {0} has a segment that is not above that of the one before")]
    SegmentFell(u64),
    /// A bucket's segment is not bound to it (N3).
    #[error("segment {segment} of bucket {bucket} leads elsewhere or nowhere: messages are not found by their numbers")]
    Unbound {
        /// The segment.
        segment: u64,
        /// The bucket.
        bucket: u64,
    },
    /// A client key was stored twice (G3).
    #[error("entries {first} and {second} have one client key of one author")]
    KeyTwice {
        /// The first.
        first: u64,
        /// The second.
        second: u64,
    },
    /// An act that cannot stand there.
    #[error("entry {0} cannot stand in this log, or not there")]
    Misplaced(u64),
    /// Somebody wrote who was no member.
    #[error("the author of entry {0} was no member")]
    Stranger(u64),
    /// There are entries and no head.
    #[error("there are entries and no head")]
    NoHead,
    /// The head is not that of these entries.
    #[error("the head has {field} {head}, and the entries have {rows}")]
    Head {
        /// Which field.
        field: &'static str,
        /// What the head has.
        head: i128,
        /// What follows from the entries.
        rows: i128,
    },
    /// A row that follows from the log is not there.
    #[error("the {0} that follows from the log is missing")]
    RowMissing(RowKind),
    /// A row says another thing than the log.
    #[error("the {0} says another thing than the log")]
    RowWrong(RowKind),
    /// A row that no entry made.
    #[error("there is a {0} that no entry has made")]
    RowStray(RowKind),
    /// A conversation is not in the list of one who is in it (D11).
    #[error("the conversation is not in the user's list")]
    NotListed,
    /// Marks above the log, or that contradict themselves.
    #[error("the {0} mark is not one that the log allows")]
    Mark(&'static str),
    /// Marks of one who was never there.
    #[error("there are marks of a user who was never a member")]
    MarksStray,
    /// An account's name is not reserved for it.
    #[error("its {} leads to no account or to another one", name_of_field(*.0))]
    NotReserved(AccountField),
    /// A name is reserved for an account that has another.
    #[error("a reserved {} is not the one that the account has", name_of_field(*.0))]
    ReservedAstray(AccountField),
    /// A login of no account.
    #[error("there is a login of an account that is not there")]
    LoginStray,
    /// A file that falls due stands at no moment, or at a wrong one.
    #[error("a file of the user stands at another time than that at which it falls due, or at none")]
    DueWrong,
    /// The sum of a user's files is another.
    #[error("the user's files are said to have {said} bytes and have {found}")]
    UsedWrong {
        /// What stands there.
        said: u64,
        /// What they have.
        found: u64,
    },
    /// Numbers would be given out a second time.
    #[error("the sequence of {} stands at {last}, and number {used} is in use: it would be given out again", name_of_sequence(*.sequence))]
    Sequence {
        /// Which sequence.
        sequence: Sequence,
        /// Where it stands.
        last: u64,
        /// The highest number in use.
        used: u64,
    },
    /// The folder's own counts contradict each other.
    #[error("the counts of starts and commits contradict each other")]
    Counts,
}

impl Fault {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::Broken { .. } | Self::Hole { .. } | Self::NoHead | Self::Head { .. } => {
                "keep a copy of the folder and restore it from a backup or an export"
            }
            Self::Unknown(_) => "check it with the program that wrote it, or a later one",
            Self::Time(_) | Self::Position { .. } | Self::Number { .. } | Self::SegmentFell(_) | Self::Misplaced(_) => {
                "keep a copy of the folder and report it; restore it from a backup or an export"
            }
            Self::KeyTwice { .. } | Self::Stranger(_) => "nothing is lost; keep a copy of the folder and report it",
            Self::Unbound { .. } | Self::RowMissing(_) | Self::RowWrong(_) | Self::RowStray(_) | Self::NotListed => {
                "the log is whole; keep a copy of the folder, report it, and restore it from a backup or an export"
            }
            Self::Mark(_) | Self::MarksStray => "messages are not touched; keep a copy of the folder and report it",
            Self::NotReserved(_) | Self::ReservedAstray(_) => "export the folder and import it into another: names are reserved anew",
            Self::LoginStray => "nobody can use it; it does no harm",
            Self::DueWrong | Self::UsedWrong { .. } => "export the folder and import it into another: these rows are made anew",
            Self::Sequence { .. } => "export the folder and import it into another: sequences are raised",
            Self::Counts => "keep a copy of the folder and restore it from a backup or an export",
        }
    }
}

fn name_of_field(field: AccountField) -> &'static str {
    match field {
        AccountField::Username => "username",
        AccountField::Email => "address",
        AccountField::Password => "password",
        AccountField::Name => "name",
    }
}

fn name_of_sequence(sequence: Sequence) -> &'static str {
    match sequence {
        Sequence::Principals => "users and groups",
        Sequence::Segments => "segments",
    }
}

/// A log that is being replayed, entry by entry.
pub(super) struct Replay {
    log: LogId,
    faults: Vec<Fault>,
    tail: u64,
    count: u64,
    last_change: u64,
    last_at: Option<Timestamp>,
    segment: Segment,
    keys: HashMap<(UserId, ClientKey), (u64, Timestamp)>,
    keys_order: VecDeque<(UserId, ClientKey, u64)>,
    followed: Followed,
}

/// The rows that follow from a log, each with the seq that made it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    pub(super) segments: Vec<(Bucket, Segment)>,
    pub(super) group: Option<(Seq, GroupRow)>,
    pub(super) members: BTreeMap<UserId, (Seq, Membership)>,
    pub(super) own: BTreeMap<UserId, (Seq, Pos)>,
    pub(super) listed: BTreeMap<ConversationId, (Seq, bool)>,
}

impl Followed {
    /// Who must find the conversation in his list.
    pub(super) fn must_find(&self, log: LogId) -> Vec<UserId> {
        match log {
            LogId::Conversation(ConversationId::Direct(pair)) => vec![pair.low(), pair.high()],
            LogId::Conversation(ConversationId::Group(_)) => {
                self.members.iter().filter(|(_, (_, place))| place.is_current()).map(|(user, _)| *user).collect()
            }
            LogId::User(_) => Vec::new(),
        }
    }
}

impl Replay {
    pub(super) fn of(log: LogId) -> Self {
        Self {
            log,
            faults: Vec::new(),
            tail: 0,
            count: 0,
            last_change: 0,
            last_at: None,
            segment: Segment(0),
            keys: HashMap::new(),
            keys_order: VecDeque::new(),
            followed: Followed::default(),
        }
    }

    /// The next entry, in the order of seqs.
    pub(super) fn entry(&mut self, entry: &Entry) {
        let seq = entry.seq.get();
        if seq != self.tail + 1 {
            self.faults.push(Fault::Hole { from: self.tail + 1, to: seq.saturating_sub(1) });
            // What is missing is told once: positions are believed from here on.
            self.count = entry.pos.0.saturating_sub(u64::from(entry.act.is_message()));
        }
        self.tail = seq;
        if self.last_at.is_some_and(|last| entry.at <= last) {
            self.faults.push(Fault::Time(seq));
        }
        self.last_at = Some(entry.at);
        if entry.act.is_message() {
            self.count += 1;
        } else {
            self.last_change = seq;
        }
        if entry.pos.0 != self.count {
            self.faults.push(Fault::Position { seq, found: entry.pos.0, expected: self.count });
        }
        self.number(entry);
        self.key(entry);
        self.follow(entry);
    }

    fn number(&mut self, entry: &Entry) {
        let (seq, segment, bucket) = (entry.seq.get(), entry.id.segment(), entry.seq.bucket());
        let known = self.followed.segments.last().copied();
        if known.is_none_or(|(last, _)| last != bucket) {
            if segment <= self.segment {
                self.faults.push(Fault::SegmentFell(bucket.0));
            }
            self.segment = segment;
            self.followed.segments.push((bucket, segment));
        }
        if entry.id != MessageId::at(self.segment, entry.seq) {
            self.faults.push(Fault::Number { seq, found: entry.id.get() });
        }
    }

    fn key(&mut self, entry: &Entry) {
        let seq = entry.seq.get();
        while self.keys_order.front().is_some_and(|(.., first)| seq - first >= KEY_ENTRIES) {
            if let Some((author, key, first)) = self.keys_order.pop_front()
                && self.keys.get(&(author, key.clone())).is_some_and(|(stands, _)| *stands == first)
            {
                self.keys.remove(&(author, key));
            }
        }
        let before = self.keys.insert((entry.author, entry.client_key.clone()), (seq, entry.at));
        self.keys_order.push_back((entry.author, entry.client_key.clone(), seq));
        if let Some((first, at)) = before
            && entry.at.since(at) < KEY_LIFE
        {
            self.faults.push(Fault::KeyTwice { first, second: seq });
        }
    }

    fn follow(&mut self, entry: &Entry) {
        let seq = entry.seq;
        match (self.log, &entry.act) {
            (LogId::Conversation(conversation), Act::Message(_)) => {
                if !self.is_member(conversation, entry.author) {
                    self.faults.push(Fault::Stranger(seq.get()));
                }
                self.followed.own.insert(entry.author, (seq, entry.pos));
            }
            (LogId::Conversation(ConversationId::Group(_)), Act::Created { name, members }) if seq.get() == 1 => {
                let place = |role| (seq, Membership { role, since: seq, until: None });
                self.followed.members = members.iter().map(|user| (*user, place(Role::Member))).collect();
                self.followed.members.insert(entry.author, place(Role::Owner));
                let members = self.followed.members.len() as u64;
                self.followed.group = Some((seq, GroupRow { name: name.clone(), members, created_at: entry.at }));
            }
            (LogId::Conversation(ConversationId::Group(_)), Act::Joined { members }) if self.followed.group.is_some() => {
                for user in members {
                    let is_current = self.followed.members.get(user).is_some_and(|(_, place)| place.is_current());
                    if !is_current {
                        self.followed.members.insert(*user, (seq, Membership { role: Role::Member, since: seq, until: None }));
                    }
                }
                self.resize(seq);
            }
            (LogId::Conversation(ConversationId::Group(_)), Act::Left { member }) if self.followed.group.is_some() => {
                if let Some((version, place)) = self.followed.members.get_mut(member) {
                    (*version, place.until) = (seq, Some(seq));
                }
                self.resize(seq);
            }
            (LogId::User(user), Act::Appeared { conversation } | Act::Vanished { conversation }) if entry.author == user => {
                self.followed.listed.insert(*conversation, (seq, matches!(entry.act, Act::Appeared { .. })));
            }
            (
                LogId::Conversation(_) | LogId::User(_),
                Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Appeared { .. } | Act::Vanished { .. },
            ) => self.faults.push(Fault::Misplaced(seq.get())),
        }
    }

    fn is_member(&self, conversation: ConversationId, user: UserId) -> bool {
        match conversation {
            ConversationId::Direct(pair) => pair.has(user),
            ConversationId::Group(_) => self.followed.members.get(&user).is_some_and(|(_, place)| place.is_current()),
        }
    }

    fn resize(&mut self, seq: Seq) {
        let current = self.followed.members.values().filter(|(_, place)| place.is_current()).count() as u64;
        if let Some((version, row)) = &mut self.followed.group {
            (*version, row.members) = (seq, current);
        }
    }

    /// The last entry was there: what follows, and what is wrong.
    pub(super) fn finish(mut self, head: Option<&Head>) -> (Followed, Vec<Fault>) {
        match head {
            None => self.faults.push(Fault::NoHead),
            Some(head) => {
                if head.tail.get() > self.tail {
                    self.faults.push(Fault::Hole { from: self.tail + 1, to: head.tail.get() });
                } else {
                    self.compare(head);
                }
                if self.tail > 0 && head.incarnation.0 == 0 {
                    self.faults.push(Fault::Head { field: "incarnation", head: 0, rows: 1 });
                }
            }
        }
        (self.followed, self.faults)
    }

    fn compare(&mut self, head: &Head) {
        let last_at = self.last_at.unwrap_or_default();
        let fields = [
            ("tail", i128::from(head.tail.get()), i128::from(self.tail)),
            ("count", i128::from(head.count.0), i128::from(self.count)),
            ("last_change", i128::from(head.last_change.get()), i128::from(self.last_change)),
            ("segment", i128::from(head.segment.0), i128::from(self.segment.0)),
            ("last_at", i128::from(head.last_at.0), i128::from(last_at.0)),
        ];
        let wrong = fields.into_iter().filter(|(_, head, rows)| head != rows);
        self.faults.extend(wrong.map(|(field, head, rows)| Fault::Head { field, head, rows }));
    }
}

/// Whether this entry made this row: rows are looked at from both sides.
pub(super) fn made(entry: &Entry, record: &Record) -> bool {
    match record {
        Record::Group { .. } => matches!(entry.act, Act::Created { .. } | Act::Joined { .. } | Act::Left { .. }),
        Record::Member { user, .. } => match &entry.act {
            Act::Created { members, .. } => entry.author == *user || members.contains(user),
            Act::Joined { members } => members.contains(user),
            Act::Left { member } => member == user,
            Act::Message(_) | Act::Appeared { .. } | Act::Vanished { .. } => false,
        },
        Record::Own { user, pos, .. } => entry.author == *user && entry.act.is_message() && entry.pos == *pos,
        Record::Listed { conversation, listed, .. } => match &entry.act {
            Act::Appeared { conversation: named } => named == conversation && *listed,
            Act::Vanished { conversation: named } => named == conversation && !*listed,
            Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } => false,
        },
        Record::Sequence { .. } | Record::Account(_) | Record::Login(_) | Record::Segment { .. } | Record::Media(_) => true,
        Record::Head { .. } | Record::Entry { .. } | Record::Marks { .. } => true,
    }
}

/// What is wrong with a member's marks; `pos_at` says the position of the entry at a seq, if it is there.
pub(super) fn marks(marks: &Marks, head: &Head, pos_at: impl Fn(Seq) -> Option<Pos>) -> Vec<Fault> {
    let wrong = |mark: Mark| mark.seq > head.tail || (mark.seq > Seq::ZERO && pos_at(mark.seq) != Some(mark.pos));
    let mut faults = Vec::new();
    if wrong(marks.delivered) {
        faults.push(Fault::Mark("delivered"));
    }
    if wrong(marks.read) || marks.read.seq > marks.delivered.seq {
        faults.push(Fault::Mark("read"));
    }
    if marks.badge > head.count || marks.badge < marks.read.pos {
        faults.push(Fault::Mark("badge"));
    }
    faults
}

/// Whether numbers in use lie above what was drawn.
pub(super) fn drawn(sequence: Sequence, last: u64, used: u64) -> Option<Fault> {
    (used > last).then_some(Fault::Sequence { sequence, last, used })
}

/// Whether a bucket's segment is bound to it.
pub(super) fn bound(log: LogId, bucket: Bucket, segment: Segment, binding: Option<(LogId, Bucket)>) -> Option<Fault> {
    (binding != Some((log, bucket))).then_some(Fault::Unbound { segment: segment.0, bucket: bucket.0 })
}
