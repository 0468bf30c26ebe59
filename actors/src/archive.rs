//! Everything that a store keeps, as records in one order, so that it can be taken out of one store and into another.
//!
//! The words and the port; in which bytes records travel is not said here. What one store alone needs for itself (its
//! format, its count of starts) is no record, and neither is what follows from another record (whose a username is).
//! The order is canonical: two stores that hold the same give the same records in the same order.

use crate::account::{Account, Login, Seen};
use crate::bits::Bits;
use crate::content::Reaction;
use crate::entry::{Amendment, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences};
use crate::id::{Bucket, ConversationId, DirectNumber, GroupId, LogId, LoginId, Pair, Pos, Segment, Seq, UserId};
use crate::media::{Media, MediaId};
use crate::relation::Bond;
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
    /// The integer forms of direct conversations, by pair.
    Directs,
    /// What became of messages, by conversation.
    Amendments,
    /// Who reacts how to messages, by conversation.
    Reactions,
    /// Deleted positions, by conversation.
    Gone,
    /// Invitations, by group; also those that were settled.
    Invitations,
    /// How users want their conversations, by user.
    Preferences,
    /// What users have hidden, by user.
    Hidden,
    /// What users are to know of, by user; also what was settled.
    Notices,
    /// Up to where users have read their notices.
    NoticesRead,
    /// Bonds, by pair.
    Bonds,
    /// When users were last here.
    Seen,
    /// What is known of files, by id; their bytes are elsewhere.
    Media,
}

impl Section {
    /// All, in their order.
    pub const ALL: [Self; 22] = [
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
        Self::Directs,
        Self::Amendments,
        Self::Reactions,
        Self::Gone,
        Self::Invitations,
        Self::Preferences,
        Self::Hidden,
        Self::Notices,
        Self::NoticesRead,
        Self::Bonds,
        Self::Seen,
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
            Self::Directs => "directs",
            Self::Amendments => "amendments",
            Self::Reactions => "reactions",
            Self::Gone => "gone",
            Self::Invitations => "invitations",
            Self::Preferences => "preferences",
            Self::Hidden => "hidden",
            Self::Notices => "notices",
            Self::NoticesRead => "notices_read",
            Self::Bonds => "bonds",
            Self::Seen => "seen",
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
    /// The integer form of a direct conversation; it leads back as well.
    Direct {
        /// Whose.
        pair: Pair,
        /// Made by this entry.
        version: Seq,
        /// The number.
        number: DirectNumber,
    },
    /// What became of a message.
    Amendment {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        seq: Seq,
        /// Made by this entry.
        version: Seq,
        /// What.
        amendment: Box<Amendment>,
    },
    /// How a user reacts to a message.
    Reactions {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        seq: Seq,
        /// Who.
        user: UserId,
        /// Made by this entry.
        version: Seq,
        /// How; none remembers that it was.
        reactions: Vec<Reaction>,
    },
    /// Which positions of a span are deleted.
    Gone {
        /// Where.
        conversation: ConversationId,
        /// Which span of 4,096 positions.
        span: Bucket,
        /// Made by this entry.
        version: Seq,
        /// Which places of it.
        bits: Bits,
    },
    /// A user's invitation to a group.
    Invitation {
        /// Which group.
        group: GroupId,
        /// Who.
        user: UserId,
        /// Made by this entry.
        version: Seq,
        /// The invitation; `None` remembers that it was.
        invitation: Option<Invitation>,
    },
    /// How a user wants a conversation.
    Preferences {
        /// Who.
        user: UserId,
        /// Which conversation.
        conversation: ConversationId,
        /// Made by this entry of the user's log.
        version: Seq,
        /// How.
        preferences: Preferences,
    },
    /// Which entries of a bucket a user has hidden.
    Hidden {
        /// Who.
        user: UserId,
        /// Where.
        conversation: ConversationId,
        /// Which bucket.
        bucket: Bucket,
        /// Made by this entry of the user's log.
        version: Seq,
        /// Which places of it.
        bits: Bits,
    },
    /// Something that a user is to know of.
    Notice {
        /// Who.
        user: UserId,
        /// The entry of the user's log that told it.
        seq: Seq,
        /// Made by this entry of the user's log.
        version: Seq,
        /// What; `None` remembers that it was.
        notice: Option<Notice>,
    },
    /// Up to where a user has read the notices.
    NoticesRead {
        /// Who.
        user: UserId,
        /// Made by this entry of the user's log.
        version: Seq,
        /// Up to here.
        up_to: Seq,
    },
    /// What two users are to each other.
    Bond(Versioned<Bond>),
    /// When a user was last here.
    Seen {
        /// Who.
        user: UserId,
        /// When.
        seen: Seen,
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
    /// Of the integer form of a direct conversation.
    Direct(Pair),
    /// Of an amendment.
    Amendment(ConversationId, Seq),
    /// Of reactions.
    Reactions(ConversationId, Seq, UserId),
    /// Of deleted positions.
    Gone(ConversationId, Bucket),
    /// Of an invitation.
    Invitation(GroupId, UserId),
    /// Of preferences.
    Preferences(UserId, ConversationId),
    /// Of hidden entries.
    Hidden(UserId, ConversationId, Bucket),
    /// Of a notice.
    Notice(UserId, Seq),
    /// Of read notices.
    NoticesRead(UserId),
    /// Of a bond.
    Bond(Pair),
    /// Of when a user was last here.
    Seen(UserId),
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
            Self::Direct { .. } => Section::Directs,
            Self::Amendment { .. } => Section::Amendments,
            Self::Reactions { .. } => Section::Reactions,
            Self::Gone { .. } => Section::Gone,
            Self::Invitation { .. } => Section::Invitations,
            Self::Preferences { .. } => Section::Preferences,
            Self::Hidden { .. } => Section::Hidden,
            Self::Notice { .. } => Section::Notices,
            Self::NoticesRead { .. } => Section::NoticesRead,
            Self::Bond(_) => Section::Bonds,
            Self::Seen { .. } => Section::Seen,
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
            Self::Direct { pair, .. } => Place::Direct(*pair),
            Self::Amendment { conversation, seq, .. } => Place::Amendment(*conversation, *seq),
            Self::Reactions { conversation, seq, user, .. } => Place::Reactions(*conversation, *seq, *user),
            Self::Gone { conversation, span, .. } => Place::Gone(*conversation, *span),
            Self::Invitation { group, user, .. } => Place::Invitation(*group, *user),
            Self::Preferences { user, conversation, .. } => Place::Preferences(*user, *conversation),
            Self::Hidden { user, conversation, bucket, .. } => Place::Hidden(*user, *conversation, *bucket),
            Self::Notice { user, seq, .. } => Place::Notice(*user, *seq),
            Self::NoticesRead { user, .. } => Place::NoticesRead(*user),
            Self::Bond(bond) => Place::Bond(bond.row.pair),
            Self::Seen { user, .. } => Place::Seen(*user),
            Self::Media(media) => Place::Media(media.row.attachment.id),
        }
    }

    /// About how many bytes it takes, for batches.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Entry { entry, .. } => 160 + entry.act.bytes(),
            Self::Amendment { amendment, .. } => 160 + amendment.edited.as_ref().map_or(0, |(content, _)| content.bytes()),
            Self::Account(_) | Self::Login(_) | Self::Media(_) | Self::Group { .. } | Self::Reactions { .. } => 512,
            Self::Gone { .. } | Self::Hidden { .. } => 640,
            Self::Sequence { .. } | Self::Segment { .. } | Self::Head { .. } | Self::Member { .. } => 160,
            Self::Own { .. } | Self::Listed { .. } | Self::Marks { .. } | Self::Direct { .. } | Self::Invitation { .. } => 160,
            Self::Preferences { .. } | Self::Notice { .. } | Self::NoticesRead { .. } | Self::Bond(_) | Self::Seen { .. } => 160,
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
