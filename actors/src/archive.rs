//! Everything that a store keeps, as records in one order, so that it can be taken out of one store and into another.
//!
//! The words and the port; in which bytes records travel is not said here. What one store alone needs for itself (its
//! format, its count of starts) is no record, and neither is what follows from another record (whose a username is).
//! The order is canonical: two stores that hold the same give the same records in the same order.

use crate::account::{Account, Login};
use crate::entry::{Entry, GroupRow, Head, Membership};
use crate::id::{Bucket, ConversationId, GroupId, LogId, LoginId, Pos, Segment, Seq, UserId};
use crate::media::{Media, MediaId};
use crate::store::{Answer, Marks, Sequence, Versioned};

/// The parts of an archive, in their order: what names something comes before what uses the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// The last number drawn of each sequence.
    Sequences,
    /// Accounts, by number.
    Accounts,
    /// Logins, by id.
    Logins,
    /// Which bucket a segment belongs to, by segment.
    Segments,
    /// Logs: of each the head and then its entries, by seq. Direct conversations, then groups, then users.
    Logs,
    /// What each group is.
    Groups,
    /// Members and former members, by group.
    Members,
    /// Each user's own newest message in a conversation, by user.
    Own,
    /// Conversations in users' lists, by user.
    Listed,
    /// How far members have come, by user.
    Marks,
    /// What is known of files, by id; their bytes are elsewhere.
    Media,
}

impl Section {
    /// All, in their order.
    pub const ALL: [Self; 11] = [
        Self::Sequences,
        Self::Accounts,
        Self::Logins,
        Self::Segments,
        Self::Logs,
        Self::Groups,
        Self::Members,
        Self::Own,
        Self::Listed,
        Self::Marks,
        Self::Media,
    ];

    /// Its name in an export.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequences => "sequences",
            Self::Accounts => "accounts",
            Self::Logins => "logins",
            Self::Segments => "segments",
            Self::Logs => "logs",
            Self::Groups => "groups",
            Self::Members => "members",
            Self::Own => "own",
            Self::Listed => "listed",
            Self::Marks => "marks",
            Self::Media => "media",
        }
    }
}

/// One thing that is stored. A `version` is the seq of the entry that the row follows from (design D10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The last number that was drawn.
    Sequence {
        /// Of which sequence.
        sequence: Sequence,
        /// The number.
        last: u64,
    },
    /// An account; its username and address are its own.
    Account(Versioned<Account>),
    /// A login.
    Login(Versioned<Login>),
    /// The bucket of a segment.
    Segment {
        /// The segment.
        segment: Segment,
        /// The log.
        log: LogId,
        /// The bucket of that log.
        bucket: Bucket,
    },
    /// The head of a log; its entries follow.
    Head {
        /// Which log.
        log: LogId,
        /// Its head.
        head: Head,
    },
    /// An entry of the log whose head came last.
    Entry {
        /// Which log.
        log: LogId,
        /// The entry.
        entry: Box<Entry>,
    },
    /// What a group is.
    Group {
        /// Which group.
        group: GroupId,
        /// Made by this entry.
        version: Seq,
        /// Name and size.
        row: GroupRow,
    },
    /// A user's place in a group.
    Member {
        /// Which group.
        group: GroupId,
        /// Who.
        user: UserId,
        /// Made by this entry.
        version: Seq,
        /// The place.
        place: Membership,
    },
    /// A user's own newest message in a conversation.
    Own {
        /// Who.
        user: UserId,
        /// Where.
        conversation: ConversationId,
        /// Made by this entry.
        version: Seq,
        /// Its position.
        pos: Pos,
    },
    /// A conversation in a user's list.
    Listed {
        /// Whose list.
        user: UserId,
        /// Which conversation.
        conversation: ConversationId,
        /// Made by this entry of the user's log.
        version: Seq,
        /// Whether it is in the list; `false` remembers that it was.
        listed: bool,
    },
    /// How far a member has come.
    Marks {
        /// Who.
        user: UserId,
        /// Where.
        conversation: ConversationId,
        /// How far.
        marks: Marks,
    },
    /// What is known of a file.
    Media(Versioned<Media>),
}

/// A record's place in the order of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Of a sequence.
    Sequence(Sequence),
    /// Of an account.
    Account(UserId),
    /// Of a login.
    Login(LoginId),
    /// Of a segment.
    Segment(Segment),
    /// Of a head (seq 0) or an entry.
    Log(LogId, Seq),
    /// Of a group.
    Group(GroupId),
    /// Of a member.
    Member(GroupId, UserId),
    /// Of an own position.
    Own(UserId, ConversationId),
    /// Of a listed conversation.
    Listed(UserId, ConversationId),
    /// Of marks.
    Marks(UserId, ConversationId),
    /// Of a file.
    Media(MediaId),
}

impl Record {
    /// The part of an archive that it belongs to.
    pub fn section(&self) -> Section {
        match self {
            Self::Sequence { .. } => Section::Sequences,
            Self::Account(_) => Section::Accounts,
            Self::Login(_) => Section::Logins,
            Self::Segment { .. } => Section::Segments,
            Self::Head { .. } | Self::Entry { .. } => Section::Logs,
            Self::Group { .. } => Section::Groups,
            Self::Member { .. } => Section::Members,
            Self::Own { .. } => Section::Own,
            Self::Listed { .. } => Section::Listed,
            Self::Marks { .. } => Section::Marks,
            Self::Media(_) => Section::Media,
        }
    }

    /// Its place: in an archive places rise strictly.
    pub fn place(&self) -> Place {
        match self {
            Self::Sequence { sequence, .. } => Place::Sequence(*sequence),
            Self::Account(account) => Place::Account(account.row.id),
            Self::Login(login) => Place::Login(login.row.id),
            Self::Segment { segment, .. } => Place::Segment(*segment),
            Self::Head { log, .. } => Place::Log(*log, Seq::ZERO),
            Self::Entry { log, entry } => Place::Log(*log, entry.seq),
            Self::Group { group, .. } => Place::Group(*group),
            Self::Member { group, user, .. } => Place::Member(*group, *user),
            Self::Own { user, conversation, .. } => Place::Own(*user, *conversation),
            Self::Listed { user, conversation, .. } => Place::Listed(*user, *conversation),
            Self::Marks { user, conversation, .. } => Place::Marks(*user, *conversation),
            Self::Media(media) => Place::Media(media.row.attachment.id),
        }
    }

    /// About how many bytes it takes, for batches.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Entry { entry, .. } => 160 + entry.act.bytes(),
            Self::Account(_) | Self::Login(_) | Self::Media(_) => 512,
            Self::Sequence { .. } | Self::Segment { .. } | Self::Head { .. } | Self::Group { .. } | Self::Member { .. } => 160,
            Self::Own { .. } | Self::Listed { .. } | Self::Marks { .. } => 160,
        }
    }
}

/// A store that can be emptied into another and filled from another.
pub trait Archive: Send + Sync + 'static {
    /// Whether no record would come out.
    fn is_blank(&self) -> Answer<'_, bool>;

    /// The store as it stands now: everything that was acknowledged before the call is in it, no batch is in it
    /// halfway, and nothing that comes later changes it.
    fn snapshot(&self) -> Answer<'_, Box<dyn Snapshot>>;

    /// Writes records under the names that they carry, durably; a number that was drawn is only ever raised. For a
    /// store that no node uses. Idempotent. What was taken in before a failure stays.
    fn admit(&self, records: Vec<Record>) -> Answer<'_, ()>;
}

/// The records of one moment.
pub trait Snapshot: Send {
    /// The next records, in their order, at most `limit`; fewer may come before the end, none only at the end. After
    /// an error nothing more comes.
    fn next(&mut self, limit: usize) -> Answer<'_, Vec<Record>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_sections_is_the_order_of_places() {
        let mut sections = Section::ALL;
        sections.sort();
        assert_eq!(sections, Section::ALL);
    }
}
