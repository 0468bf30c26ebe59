//! The names of things: numbers, their version-8 UUID forms and their text forms.
//!
//! Every number is between 1 and 2^53 − 1, so that it is exact in JavaScript; a value that exists is valid.
//! Users and groups draw from one sequence, messages from segments (see [`MessageId`]), and a direct
//! conversation *is* its unordered pair of users. Nothing here is looked up: each form is computed from the other.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The highest number that any id may have: 2^53 − 1, the highest exact integer of JavaScript.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;
/// Seqs in one bucket of a log; a bucket draws one segment, and a segment names 4,096 messages.
pub const BUCKET_SEQS: u64 = 4_096;

/// A text or number that names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

/// The number of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(u64);

/// The number of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u64);

/// The public number of a message: `segment × 4096 + offset`, unique over all conversations (append rules N1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

fn checked(number: u64) -> Result<u64, InvalidId> {
    if (1..=NUMBER_MAX).contains(&number) { Ok(number) } else { Err(InvalidId) }
}

impl UserId {
    /// The user with this number.
    pub fn new(number: u64) -> Result<Self, InvalidId> {
        checked(number).map(Self)
    }
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl GroupId {
    /// The group with this number.
    pub fn new(number: u64) -> Result<Self, InvalidId> {
        checked(number).map(Self)
    }
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl MessageId {
    /// The message with this number.
    pub fn new(number: u64) -> Result<Self, InvalidId> {
        checked(number).map(Self)
    }
    /// The number of the message at `seq` of a bucket that drew `segment`.
    pub fn at(segment: Segment, seq: Seq) -> Self {
        Self(segment.0 * BUCKET_SEQS + seq.offset())
    }
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
    /// The segment that the number lies in.
    pub fn segment(self) -> Segment {
        Segment(self.0 / BUCKET_SEQS)
    }
    /// The seq that the number has in a bucket.
    pub fn seq_in(self, bucket: Bucket) -> Seq {
        Seq(bucket.0 * BUCKET_SEQS + self.0 % BUCKET_SEQS + 1)
    }
}

/// A dense position in one log: 1, 2, 3 …; 0 stands for "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(u64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The seq with this value; values above 2^53 − 1 are invalid.
    pub fn new(value: u64) -> Result<Self, InvalidId> {
        if value <= NUMBER_MAX { Ok(Self(value)) } else { Err(InvalidId) }
    }
    /// The value.
    pub fn get(self) -> u64 {
        self.0
    }
    /// The next seq.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }
    /// The seq that lies `n` further on; a log is never that long, so the sum is capped.
    #[must_use]
    pub fn plus(self, n: u64) -> Self {
        Self(self.0.saturating_add(n).min(NUMBER_MAX))
    }
    /// The seq `n` before, at least zero.
    #[must_use]
    pub fn minus(self, n: u64) -> Self {
        Self(self.0.saturating_sub(n))
    }
    /// The bucket that this seq lies in; zero counts to the first.
    pub fn bucket(self) -> Bucket {
        Bucket(self.0.saturating_sub(1) / BUCKET_SEQS)
    }
    /// The place within the bucket, 0 to 4,095.
    pub fn offset(self) -> u64 {
        self.0.saturating_sub(1) % BUCKET_SEQS
    }
}

/// The index of 4,096 seqs of a log, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bucket(pub u64);

/// A drawn number that a bucket's messages are numbered by; 0 is never drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Segment(pub u64);

/// The position of a message among the messages of its conversation: 1, 2, 3 …; 0 stands for "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos(pub u64);

/// The owner's fencing number; it never leaves the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// The identity of a log's life, drawn with its first batch: it changes only when seqs can no longer be trusted
/// (restore, import). 0 stands for a log that nobody has written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Incarnation(pub u64);

/// The identity of one batch of entries; the same batch again is the same success (append rule R4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BatchId(pub u128);

/// One authenticated connection, for as long as its node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u128);

/// What one signup or login began: its refresh family and the access tokens drawn from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginId(pub u128);

/// The door that something came in by: a number that its door chose; the core knows no door. 0 is the native protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Door(pub u8);

/// The integer form of a direct conversation, drawn when its first message is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectNumber(u64);

impl DirectNumber {
    /// The direct conversation with this number.
    pub fn new(number: u64) -> Result<Self, InvalidId> {
        checked(number).map(Self)
    }
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Uuid::from_u128(self.0).as_simple())
    }
}

impl fmt::Display for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Uuid::from_u128(self.0).as_simple())
    }
}

impl FromStr for LoginId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match Uuid::try_parse(text) {
            Ok(uuid) => Ok(Self(uuid.as_u128())),
            Err(_) => Err(InvalidId),
        }
    }
}

/// Two different users without an order: the identity of a direct conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    low: UserId,
    high: UserId,
}

impl Pair {
    /// The pair of two users; nobody is a pair with himself.
    pub fn new(one: UserId, other: UserId) -> Result<Self, InvalidId> {
        match one.cmp(&other) {
            std::cmp::Ordering::Less => Ok(Self { low: one, high: other }),
            std::cmp::Ordering::Greater => Ok(Self { low: other, high: one }),
            std::cmp::Ordering::Equal => Err(InvalidId),
        }
    }
    /// The user with the smaller number.
    pub fn low(self) -> UserId {
        self.low
    }
    /// The user with the greater number.
    pub fn high(self) -> UserId {
        self.high
    }
    /// Whether the user is one of the two.
    pub fn has(self, user: UserId) -> bool {
        self.low == user || self.high == user
    }
    /// The other one of the two, if the user is one.
    pub fn other(self, user: UserId) -> Option<UserId> {
        if user == self.low {
            Some(self.high)
        } else if user == self.high {
            Some(self.low)
        } else {
            None
        }
    }
}

/// A conversation: a pair of users, or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationId {
    /// Between two users; it needs no creation.
    Direct(Pair),
    /// A group; created by its first entry.
    Group(GroupId),
}

/// `d7-9` for the direct conversation of users 7 and 9 (smaller first), `g12` for group 12.
impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(pair) => write!(f, "d{}-{}", pair.low.0, pair.high.0),
            Self::Group(group) => write!(f, "g{}", group.0),
        }
    }
}

impl FromStr for ConversationId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if let Some(number) = text.strip_prefix('g') {
            return Ok(Self::Group(GroupId::new(plain_number(number)?)?));
        }
        let (low, high) = text.strip_prefix('d').and_then(|pair| pair.split_once('-')).ok_or(InvalidId)?;
        let (low, high) = (UserId::new(plain_number(low)?)?, UserId::new(plain_number(high)?)?);
        if low < high { Ok(Self::Direct(Pair { low, high })) } else { Err(InvalidId) }
    }
}

/// Digits without sign or leading zero, so that each id has exactly one spelling.
fn plain_number(text: &str) -> Result<u64, InvalidId> {
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidId);
    }
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => Err(InvalidId),
    }
}

/// Whatever has a log: a conversation, or a user (what concerns the user outside any conversation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogId {
    /// A conversation's log.
    Conversation(ConversationId),
    /// A user's own log.
    User(UserId),
}

impl From<ConversationId> for LogId {
    fn from(id: ConversationId) -> Self {
        Self::Conversation(id)
    }
}

impl From<UserId> for LogId {
    fn from(id: UserId) -> Self {
        Self::User(id)
    }
}

/// The kinds of thing that have a UUID form. The ordinals are part of every UUID ever given out: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum UuidKind {
    User = 1,
    Group = 2,
    Message = 3,
    Direct = 4,
    Status = 5,
}

/// What a UUID of ours names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A user.
    User(UserId),
    /// A group.
    Group(GroupId),
    /// A message.
    Message(MessageId),
    /// A direct conversation, which is also the id of the pair's relation.
    Direct(Pair),
    /// How far a message has come: what some doors name apart from the message.
    Status(MessageId),
}

// A version-8 UUID has 122 free bits: 48 before the version, 12 after it, 62 after the variant.
// We use them, from the top, as: kind (8), first number (53), second number (53), zero (8).
impl Named {
    /// The version-8 UUID that carries the kind and the number or numbers.
    pub fn to_uuid(self) -> Uuid {
        let (kind, first, second) = match self {
            Self::User(user) => (UuidKind::User, user.0, 0),
            Self::Group(group) => (UuidKind::Group, group.0, 0),
            Self::Message(message) => (UuidKind::Message, message.0, 0),
            Self::Direct(pair) => (UuidKind::Direct, pair.low.0, pair.high.0),
            Self::Status(message) => (UuidKind::Status, message.0, 0),
        };
        let bits = (u128::from(kind as u8) << 114) | (u128::from(first) << 61) | (u128::from(second) << 8);
        let (top, middle, low) = (bits >> 74, (bits >> 62) & 0xfff, bits & ((1 << 62) - 1));
        Uuid::from_u128((top << 80) | (8 << 76) | (middle << 64) | (2 << 62) | low)
    }

    /// What the UUID names; `None` if it is none of ours.
    pub fn from_uuid(uuid: Uuid) -> Option<Self> {
        let value = uuid.as_u128();
        if (value >> 76) & 0xf != 8 || (value >> 62) & 0x3 != 2 {
            return None;
        }
        let bits = ((value >> 80) << 74) | (((value >> 64) & 0xfff) << 62) | (value & ((1 << 62) - 1));
        let number = |shift: u32| u64::try_from((bits >> shift) & u128::from(NUMBER_MAX)).ok();
        let (kind, first, second, rest) = (bits >> 114, number(61)?, number(8)?, bits & 0xff);
        if rest != 0 || (kind != UuidKind::Direct as u128 && second != 0) {
            return None;
        }
        match kind {
            1 => UserId::new(first).ok().map(Self::User),
            2 => GroupId::new(first).ok().map(Self::Group),
            3 => MessageId::new(first).ok().map(Self::Message),
            4 => {
                let (low, high) = (UserId::new(first).ok()?, UserId::new(second).ok()?);
                (low < high).then_some(Self::Direct(Pair { low, high }))
            }
            5 => MessageId::new(first).ok().map(Self::Status),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("a valid number")
    }

    proptest! {
        #[test]
        fn a_uuid_form_is_reversible(low in 1..NUMBER_MAX, high in 1..=NUMBER_MAX) {
            let mut all = vec![
                Named::User(user(low)),
                Named::Group(GroupId::new(low).expect("valid")),
                Named::Message(MessageId::new(high).expect("valid")),
                Named::Status(MessageId::new(low).expect("valid")),
            ];
            all.extend(Pair::new(user(low), user(high)).ok().map(Named::Direct));
            for named in all {
                let uuid = named.to_uuid();
                prop_assert_eq!(uuid.get_version_num(), 8);
                prop_assert_eq!(Named::from_uuid(uuid), Some(named));
            }
        }

        #[test]
        fn any_uuid_that_names_something_is_the_one_form_of_it(bits: u128) {
            if let Some(named) = Named::from_uuid(Uuid::from_u128(bits)) {
                prop_assert_eq!(named.to_uuid().as_u128(), bits);
            }
        }

        #[test]
        fn a_conversation_has_one_spelling(text in "[dg][0-9]{1,17}(-[0-9]{1,17})?") {
            if let Ok(id) = text.parse::<ConversationId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn a_message_number_leads_back_to_its_seq(segment in 1..(1_u64 << 41), seq in 1..NUMBER_MAX) {
            let seq = Seq::new(seq).expect("valid");
            let id = MessageId::at(Segment(segment), seq);
            prop_assert!(id.get() <= NUMBER_MAX);
            prop_assert_eq!(id.segment(), Segment(segment));
            prop_assert_eq!(id.seq_in(seq.bucket()), seq);
        }
    }

    #[test]
    fn nobody_is_a_pair_with_himself() {
        assert_eq!(Pair::new(user(3), user(3)), Err(InvalidId));
    }
}
