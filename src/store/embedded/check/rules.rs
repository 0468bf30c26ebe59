//! What can be wrong with stored data, and the rules of single rows. Pure: what follows from a whole log is in
//! `replay`, the walk that feeds both in `walk`. Invariant: a folder that only nodes and imports have written has no fault.

use std::fmt;

use actors::account::AccountField;
use actors::archive::Record;
use actors::entry::{Act, Entry, Head};
use actors::id::{Bucket, ConversationId, GroupId, LogId, Pair, Pos, Segment, Seq, UserId};
use actors::store::{Mark, Marks, Sequence};

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
    /// Two users.
    Pair(Pair),
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
            Self::Pair(pair) => write!(f, "users {} and {}", pair.low().get(), pair.high().get()),
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
    /// The integer form of a direct conversation.
    Direct,
    /// What became of a message.
    Amendment,
    /// How a user reacts to a message.
    Reactions,
    /// Deleted positions.
    Gone,
    /// An invitation.
    Invitation,
    /// How a user wants a conversation.
    Preferences,
    /// What a user has hidden.
    Hidden,
    /// Something that a user is to know of.
    Notice,
    /// Up to where a user has read the notices.
    NoticesRead,
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group row",
            Self::Member => "membership",
            Self::Own => "own position",
            Self::Listed => "list row",
            Self::Direct => "number of a direct conversation",
            Self::Amendment => "amendment",
            Self::Reactions => "row of reactions",
            Self::Gone => "row of deleted positions",
            Self::Invitation => "invitation",
            Self::Preferences => "row of preferences",
            Self::Hidden => "row of hidden entries",
            Self::Notice => "notice",
            Self::NoticesRead => "mark of read notices",
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
    /// A message was deleted and not erased.
    #[error("the message at {0} was deleted, and what it said is still there")]
    NotErased(u64),
    /// An entry is erased and nobody deleted it.
    #[error("entry {0} is erased, and nobody has deleted it")]
    ErasedStray(u64),
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
    /// An account is not found by what it is called, or by what it is not called.
    #[error("the words by which it is searched for are not its own")]
    WordsWrong,
    /// A login is not among its user's, or one is that must not be.
    #[error("a login is not among the user's, or is and must not be")]
    LoginsWrong,
    /// A bond that is found from one side alone.
    #[error("what they are to each other is found from one side alone")]
    BondHalf,
    /// The integer form of a direct conversation that does not lead back.
    #[error("the number {0} does not lead to the conversation that has it")]
    NumberAstray(u64),
    /// A login of no account.
    #[error("there is a login of an account that is not there")]
    LoginStray,
    /// A file that falls due stands at no moment, or at a wrong one.
    #[error("a file of the user stands at another time than that at which it falls due, or at none")]
    DueWrong,
    /// A file that is not found by its owner, or is and must not be.
    #[error("a file is not among the user's, or is and must not be")]
    FilesWrong,
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
            Self::NotErased(_) | Self::ErasedStray(_) => "keep a copy of the folder and report it",
            Self::WordsWrong | Self::LoginsWrong | Self::BondHalf | Self::NumberAstray(_) => {
                "export the folder and import it into another: what leads to them is made anew"
            }
            Self::DueWrong | Self::FilesWrong | Self::UsedWrong { .. } => {
                "export the folder and import it into another: these rows are made anew"
            }
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
        Sequence::Directs => "direct conversations' numbers",
    }
}

/// Whether this entry made this row: rows are looked at from both sides.
pub(super) fn made(entry: &Entry, record: &Record) -> bool {
    match record {
        Record::Group { .. } => {
            matches!(entry.act, Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Changed(_))
        }
        Record::Member { user, .. } => made_place(entry, *user),
        Record::Own { user, pos, .. } => entry.author == *user && entry.act.is_message() && entry.pos == *pos,
        Record::Listed { conversation, listed, .. } => {
            let act = if *listed { Act::Appeared { conversation: *conversation } } else { Act::Vanished { conversation: *conversation } };
            entry.act == act
        }
        Record::Amendment { seq, .. } => amends(entry, *seq),
        Record::Reactions { seq, user, .. } => {
            let own = matches!(&entry.act, Act::Reacted { .. }) && entry.author == *user;
            amends(entry, *seq) && (own || matches!(&entry.act, Act::Deleted { .. }))
        }
        Record::Gone { .. } => matches!(entry.act, Act::Deleted { .. }),
        Record::Invitation { user, invitation, .. } => made_invitation(entry, *user, invitation.is_some()),
        Record::Preferences { conversation, .. } | Record::Hidden { conversation, .. } => {
            matches!(&entry.act, Act::Set { conversation: named, .. } if named == conversation)
        }
        Record::Notice { seq, notice, .. } => match (&entry.act, notice) {
            (Act::Noticed(told), Some(notice)) => told == notice && entry.seq == *seq,
            (Act::Withdrawn { notice: named }, None) => named == seq,
            (_, Some(_) | None) => false,
        },
        Record::NoticesRead { up_to, .. } => entry.act == Act::NoticesRead { up_to: *up_to },
        Record::Sequence { .. } | Record::Account(_) | Record::Login(_) | Record::Segment { .. } | Record::Media(_) => true,
        Record::Head { .. } | Record::Entry { .. } | Record::Marks { .. } => true,
        Record::Direct { .. } | Record::Bond(_) | Record::Seen { .. } => true,
    }
}

fn made_place(entry: &Entry, user: UserId) -> bool {
    match &entry.act {
        Act::Created { members, .. } => entry.author == user || members.contains(&user),
        Act::Joined { members } => members.contains(&user),
        Act::Left { member } | Act::RoleSet { member, .. } => *member == user,
        Act::HandedOver { to } => *to == user || entry.author == user,
        Act::Message(_) | Act::Appeared { .. } | Act::Vanished { .. } | Act::Edited { .. } | Act::Deleted { .. } => false,
        Act::Erased(_) | Act::Reacted { .. } | Act::Changed(_) | Act::Invited { .. } | Act::Declined { .. } => false,
        Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } | Act::NoticesRead { .. } => false,
        Act::Related { .. } | Act::AccountChanged => false,
    }
}

/// An invitation is made by an entry that invites, and settled by one that declines it or makes a member.
fn made_invitation(entry: &Entry, user: UserId, stands: bool) -> bool {
    match &entry.act {
        Act::Invited { users, .. } => stands && users.contains(&user),
        Act::Declined { user: named } => !stands && *named == user,
        Act::Joined { members } => !stands && members.contains(&user),
        Act::Left { .. } | Act::Message(_) | Act::Created { .. } | Act::Appeared { .. } | Act::Vanished { .. } => false,
        Act::Edited { .. } | Act::Deleted { .. } | Act::Erased(_) | Act::Reacted { .. } | Act::Changed(_) => false,
        Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } => false,
        Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => false,
    }
}

/// Whether an entry changes what becomes of the message at a seq.
fn amends(entry: &Entry, seq: Seq) -> bool {
    match &entry.act {
        Act::Edited { target, .. } | Act::Deleted { target } | Act::Reacted { target, .. } => *target == seq,
        // An edit of a message that was deleted later.
        Act::Erased(erased) => !erased.message,
        Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Changed(_) => false,
        Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Invited { .. } | Act::Declined { .. } => false,
        Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } => false,
        Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => false,
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
