//! Every key of the store, in one list, with its bytes. The ordinals are fixed for ever.
//!
//! A number is its length in bytes and then those bytes, highest first, without leading zeros: the order of the bytes
//! is the order of the numbers, so a range of seqs is a range of keys and a user's rows lie together; and most keys
//! take at most the 20 bytes that the database compares without following a pointer. What is rarely written lies
//! among what is often written (KF5).

use actors::account::{Email, Username};
use actors::id::{Bucket, ConversationId, DirectNumber, GroupId, LogId, LoginId, Pair, Segment, Seq, UserId};
use actors::media::MediaId;
use actors::store::Sequence;
use actors::time::Timestamp;

/// The keyspaces. Each is written often; a keyspace that is not would pin journals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Space {
    /// Entries of logs.
    Entries,
    /// Heads of logs.
    Heads,
    /// Everything else.
    Rows,
}

impl Space {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Entries, Self::Heads, Self::Rows];

    /// Its name on disk.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Heads => "heads",
            Self::Rows => "rows",
        }
    }
}

/// Every key there is. What stands under it is said in `records`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key<'a> {
    /// An entry of a log.
    Entry(LogId, Seq),
    /// The head of a log.
    Head(LogId),
    /// The version of this whole format.
    Format,
    /// How often the store was opened: the epoch.
    Start,
    /// How many commits there were.
    Commits,
    /// The last number drawn of a sequence.
    Sequence(Sequence),
    /// The bucket that a segment belongs to.
    Segment(Segment),
    /// A group.
    Group(GroupId),
    /// A user's place in a group.
    Member(GroupId, UserId),
    /// A user's own newest message in a conversation.
    Own(UserId, ConversationId),
    /// A user's marks in a conversation.
    Marks(UserId, ConversationId),
    /// A conversation in a user's list.
    Listed(UserId, ConversationId),
    /// An account.
    Account(UserId),
    /// Whose a username is.
    Username(&'a Username),
    /// Whose an address is, without regard to case.
    Email(&'a Email),
    /// A login.
    Login(LoginId),
    /// That a login is a user's and was not ended.
    LoginOf(UserId, LoginId),
    /// That an account is found by the start of this folded word.
    Word(&'a str, UserId),
    /// That an account is found by this whole folded username.
    Handle(&'a str, UserId),
    /// When a user was last here.
    Seen(UserId),
    /// What two users are to each other; found from the one with the smaller number.
    Bond(Pair),
    /// That there is a bond; found from the one with the greater number.
    BondOf(Pair),
    /// The integer form of a direct conversation.
    Direct(Pair),
    /// The direct conversation of an integer form.
    DirectOf(DirectNumber),
    /// What became of a message.
    Amended(ConversationId, Seq),
    /// How a user reacts to a message.
    Reactions(ConversationId, Seq, UserId),
    /// Which positions of a span are deleted.
    Gone(ConversationId, Bucket),
    /// A user's invitation to a group.
    Invited(GroupId, UserId),
    /// How a user wants a conversation.
    Preferences(UserId, ConversationId),
    /// Which entries of a bucket a user has hidden.
    Hidden(UserId, ConversationId, Bucket),
    /// Something that a user is to know of.
    Notice(UserId, Seq),
    /// Up to where a user has read the notices.
    NoticesRead(UserId),
    /// What is known of a file.
    Media(MediaId),
    /// The bytes of a user's files.
    MediaUsed(UserId),
    /// A file that falls due.
    MediaDue(Timestamp, MediaId),
    /// That a file is a user's and was not erased.
    MediaOf(UserId, MediaId),
}

/// The kinds of key. Whoever has to think about each of them matches on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Entry,
    Head,
    Format,
    Start,
    Commits,
    Sequence,
    Segment,
    Group,
    Member,
    Own,
    Marks,
    Listed,
    Account,
    Username,
    Email,
    Login,
    LoginOf,
    Word,
    Handle,
    Seen,
    Bond,
    BondOf,
    Direct,
    DirectOf,
    Amended,
    Reactions,
    Gone,
    Invited,
    Preferences,
    Hidden,
    Notice,
    NoticesRead,
    Media,
    MediaUsed,
    MediaDue,
    MediaOf,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 36] = [
        Self::Entry,
        Self::Head,
        Self::Format,
        Self::Start,
        Self::Commits,
        Self::Sequence,
        Self::Segment,
        Self::Group,
        Self::Member,
        Self::Own,
        Self::Marks,
        Self::Listed,
        Self::Account,
        Self::Username,
        Self::Email,
        Self::Login,
        Self::LoginOf,
        Self::Word,
        Self::Handle,
        Self::Seen,
        Self::Bond,
        Self::BondOf,
        Self::Direct,
        Self::DirectOf,
        Self::Amended,
        Self::Reactions,
        Self::Gone,
        Self::Invited,
        Self::Preferences,
        Self::Hidden,
        Self::Notice,
        Self::NoticesRead,
        Self::Media,
        Self::MediaUsed,
        Self::MediaDue,
        Self::MediaOf,
    ];

    /// The keyspace that its keys lie in.
    pub(super) fn space(self) -> Space {
        match self {
            Self::Entry => Space::Entries,
            Self::Head => Space::Heads,
            Self::Format | Self::Start | Self::Commits | Self::Sequence | Self::Segment => Space::Rows,
            Self::Group | Self::Member | Self::Own | Self::Marks | Self::Listed => Space::Rows,
            Self::Account | Self::Username | Self::Email | Self::Login => Space::Rows,
            Self::LoginOf | Self::Word | Self::Handle | Self::Seen | Self::Bond | Self::BondOf => Space::Rows,
            Self::Direct | Self::DirectOf | Self::Amended | Self::Reactions | Self::Gone | Self::Invited => Space::Rows,
            Self::Preferences | Self::Hidden | Self::Notice | Self::NoticesRead => Space::Rows,
            Self::Media | Self::MediaUsed | Self::MediaDue | Self::MediaOf => Space::Rows,
        }
    }

    /// What its keys begin with; what has a keyspace of its own needs nothing.
    pub(super) fn tag(self) -> Option<u8> {
        match self {
            Self::Entry | Self::Head => None,
            Self::Format => Some(FORMAT),
            Self::Start => Some(START),
            Self::Commits => Some(COMMITS),
            Self::Sequence => Some(SEQUENCE),
            Self::Segment => Some(SEGMENT),
            Self::Group => Some(GROUP),
            Self::Member => Some(MEMBER),
            Self::Own => Some(OWN),
            Self::Marks => Some(MARKS),
            Self::Listed => Some(LISTED),
            Self::Account => Some(ACCOUNT),
            Self::Username => Some(USERNAME),
            Self::Email => Some(EMAIL),
            Self::Login => Some(LOGIN),
            Self::LoginOf => Some(LOGIN_OF),
            Self::Word => Some(WORD),
            Self::Handle => Some(HANDLE),
            Self::Seen => Some(SEEN),
            Self::Bond => Some(BOND),
            Self::BondOf => Some(BOND_OF),
            Self::Direct => Some(DIRECT),
            Self::DirectOf => Some(DIRECT_OF),
            Self::Amended => Some(AMENDED),
            Self::Reactions => Some(REACTIONS),
            Self::Gone => Some(GONE),
            Self::Invited => Some(INVITED),
            Self::Preferences => Some(PREFERENCES),
            Self::Hidden => Some(HIDDEN),
            Self::Notice => Some(NOTICE),
            Self::NoticesRead => Some(NOTICES_READ),
            Self::Media => Some(MEDIA),
            Self::MediaUsed => Some(MEDIA_USED),
            Self::MediaDue => Some(MEDIA_DUE),
            Self::MediaOf => Some(MEDIA_OF),
        }
    }
}

const FORMAT: u8 = 1;
const START: u8 = 2;
const COMMITS: u8 = 3;
const SEQUENCE: u8 = 4;
const SEGMENT: u8 = 5;
const GROUP: u8 = 6;
const MEMBER: u8 = 7;
const OWN: u8 = 8;
const MARKS: u8 = 9;
const LISTED: u8 = 10;
const ACCOUNT: u8 = 11;
const USERNAME: u8 = 12;
const EMAIL: u8 = 13;
const LOGIN: u8 = 14;
const LOGIN_OF: u8 = 15;
const WORD: u8 = 16;
const HANDLE: u8 = 17;
const SEEN: u8 = 18;
const BOND: u8 = 19;
const BOND_OF: u8 = 20;
const DIRECT: u8 = 21;
const DIRECT_OF: u8 = 22;
const AMENDED: u8 = 23;
const REACTIONS: u8 = 24;
const GONE: u8 = 25;
const INVITED: u8 = 26;
const PREFERENCES: u8 = 27;
const HIDDEN: u8 = 28;
const NOTICE: u8 = 29;
const NOTICES_READ: u8 = 35;
const MEDIA: u8 = 30;
const MEDIA_USED: u8 = 31;
const MEDIA_DUE: u8 = 32;
const MEDIA_OF: u8 = 33;

const PRINCIPALS: u8 = 1;
const SEGMENTS: u8 = 2;
const DIRECTS: u8 = 3;

/// Behind a word.
const WORD_END: u8 = 0;

const DIRECT_LOG: u8 = 1;
const GROUP_LOG: u8 = 2;
const USER_LOG: u8 = 3;

impl Key<'_> {
    /// Its kind.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Entry(..) => Kind::Entry,
            Self::Head(_) => Kind::Head,
            Self::Format => Kind::Format,
            Self::Start => Kind::Start,
            Self::Commits => Kind::Commits,
            Self::Sequence(_) => Kind::Sequence,
            Self::Segment(_) => Kind::Segment,
            Self::Group(_) => Kind::Group,
            Self::Member(..) => Kind::Member,
            Self::Own(..) => Kind::Own,
            Self::Marks(..) => Kind::Marks,
            Self::Listed(..) => Kind::Listed,
            Self::Account(_) => Kind::Account,
            Self::Username(_) => Kind::Username,
            Self::Email(_) => Kind::Email,
            Self::Login(_) => Kind::Login,
            Self::LoginOf(..) => Kind::LoginOf,
            Self::Word(..) => Kind::Word,
            Self::Handle(..) => Kind::Handle,
            Self::Seen(_) => Kind::Seen,
            Self::Bond(_) => Kind::Bond,
            Self::BondOf(_) => Kind::BondOf,
            Self::Direct(_) => Kind::Direct,
            Self::DirectOf(_) => Kind::DirectOf,
            Self::Amended(..) => Kind::Amended,
            Self::Reactions(..) => Kind::Reactions,
            Self::Gone(..) => Kind::Gone,
            Self::Invited(..) => Kind::Invited,
            Self::Preferences(..) => Kind::Preferences,
            Self::Hidden(..) => Kind::Hidden,
            Self::Notice(..) => Kind::Notice,
            Self::NoticesRead(_) => Kind::NoticesRead,
            Self::Media(_) => Kind::Media,
            Self::MediaUsed(_) => Kind::MediaUsed,
            Self::MediaDue(..) => Kind::MediaDue,
            Self::MediaOf(..) => Kind::MediaOf,
        }
    }

    /// The keyspace that it lies in.
    pub(super) fn space(&self) -> Space {
        self.kind().space()
    }

    /// Its bytes within the keyspace.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(20);
        match self {
            Self::Entry(log, seq) => {
                put_log(&mut out, *log);
                put(&mut out, seq.get());
            }
            Self::Head(log) => put_log(&mut out, *log),
            Self::Format => out.push(FORMAT),
            Self::Start => out.push(START),
            Self::Commits => out.push(COMMITS),
            Self::Sequence(sequence) => out.extend([SEQUENCE, sequence_ordinal(*sequence)]),
            Self::Segment(segment) => tagged(&mut out, SEGMENT, &[segment.0]),
            Self::Group(group) => tagged(&mut out, GROUP, &[group.get()]),
            Self::Member(group, user) => tagged(&mut out, MEMBER, &[group.get(), user.get()]),
            Self::Own(user, conversation) => of_user(&mut out, OWN, *user, *conversation),
            Self::Marks(user, conversation) => of_user(&mut out, MARKS, *user, *conversation),
            Self::Listed(user, conversation) => of_user(&mut out, LISTED, *user, *conversation),
            Self::Account(user) => tagged(&mut out, ACCOUNT, &[user.get()]),
            Self::Username(username) => text(&mut out, USERNAME, username.as_str()),
            Self::Email(email) => text(&mut out, EMAIL, &email.folded()),
            Self::Login(login) => {
                out.push(LOGIN);
                out.extend(login.0.to_be_bytes());
            }
            Self::LoginOf(user, login) => {
                tagged(&mut out, LOGIN_OF, &[user.get()]);
                out.extend(login.0.to_be_bytes());
            }
            Self::Word(word, user) => worded(&mut out, WORD, word, *user),
            Self::Handle(username, user) => worded(&mut out, HANDLE, username, *user),
            Self::Seen(user) => tagged(&mut out, SEEN, &[user.get()]),
            Self::Bond(pair) => tagged(&mut out, BOND, &[pair.low().get(), pair.high().get()]),
            Self::BondOf(pair) => tagged(&mut out, BOND_OF, &[pair.high().get(), pair.low().get()]),
            Self::Direct(pair) => tagged(&mut out, DIRECT, &[pair.low().get(), pair.high().get()]),
            Self::DirectOf(number) => tagged(&mut out, DIRECT_OF, &[number.get()]),
            Self::Amended(conversation, seq) => of_conversation(&mut out, AMENDED, *conversation, &[seq.get()]),
            Self::Reactions(conversation, seq, user) => of_conversation(&mut out, REACTIONS, *conversation, &[seq.get(), user.get()]),
            Self::Gone(conversation, span) => of_conversation(&mut out, GONE, *conversation, &[span.0]),
            Self::Invited(group, user) => tagged(&mut out, INVITED, &[group.get(), user.get()]),
            Self::Preferences(user, conversation) => of_user(&mut out, PREFERENCES, *user, *conversation),
            Self::Hidden(user, conversation, bucket) => {
                of_user(&mut out, HIDDEN, *user, *conversation);
                put(&mut out, bucket.0);
            }
            Self::Notice(user, seq) => tagged(&mut out, NOTICE, &[user.get(), seq.get()]),
            Self::NoticesRead(user) => tagged(&mut out, NOTICES_READ, &[user.get()]),
            Self::Media(id) => {
                out.push(MEDIA);
                out.extend(id.0.to_be_bytes());
            }
            Self::MediaUsed(user) => tagged(&mut out, MEDIA_USED, &[user.get()]),
            Self::MediaDue(at, id) => {
                out.extend(due_until(*at));
                out.extend(id.0.to_be_bytes());
            }
            Self::MediaOf(user, id) => {
                tagged(&mut out, MEDIA_OF, &[user.get()]);
                out.extend(id.0.to_be_bytes());
            }
        }
        out
    }
}

/// What the keys of files that fall due at this moment begin with: the order of the bytes is that of time.
pub(super) fn due_until(at: Timestamp) -> Vec<u8> {
    let mut out = vec![MEDIA_DUE];
    out.extend((at.0 ^ i64::MIN).to_be_bytes());
    out
}

/// What the keys of all files that fall due begin with.
pub(super) fn due_prefix() -> [u8; 1] {
    [MEDIA_DUE]
}

/// The moment and the file of the key of one that falls due.
pub(super) fn due_of(key: &[u8]) -> Option<(Timestamp, MediaId)> {
    let (at, id) = key.strip_prefix(&[MEDIA_DUE])?.split_first_chunk()?;
    Some((Timestamp(i64::from_be_bytes(*at) ^ i64::MIN), MediaId(u128::from_be_bytes(id.try_into().ok()?))))
}

/// The id of a file's key.
pub(super) fn media_of(key: &[u8]) -> Option<MediaId> {
    Some(MediaId(u128::from_be_bytes(key.get(1..)?.try_into().ok()?)))
}

/// What all keys of a user's files begin with.
pub(super) fn media_of_prefix(user: UserId) -> Vec<u8> {
    prefix(MEDIA_OF, &[user.get()])
}

/// The user and the file of the key of a user's file.
pub(super) fn media_of_user(key: &[u8]) -> Option<(UserId, MediaId)> {
    let (user, id) = number(key.strip_prefix(&[MEDIA_OF])?)?;
    Some((UserId::new(user).ok()?, MediaId(u128::from_be_bytes(id.try_into().ok()?))))
}

/// What all keys of members of a group begin with.
pub(super) fn members_prefix(group: GroupId) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    tagged(&mut out, MEMBER, &[group.get()]);
    out
}

/// The user at the end of a member's key.
pub(super) fn member_of(key: &[u8]) -> Option<UserId> {
    let (_, rest) = number(key.strip_prefix(&[MEMBER])?)?;
    let (user, rest) = number(rest)?;
    UserId::new(user).ok().filter(|_| rest.is_empty())
}

/// What all keys of a user's list begin with.
pub(super) fn listed_prefix(user: UserId) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    tagged(&mut out, LISTED, &[user.get()]);
    out
}

/// The conversation at the end of the key of a row in a user's list.
pub(super) fn conversation_of(key: &[u8]) -> Option<ConversationId> {
    let (_, rest) = number(key.strip_prefix(&[LISTED])?)?;
    match log(rest)? {
        (LogId::Conversation(conversation), []) => Some(conversation),
        (LogId::Conversation(_) | LogId::User(_), _) => None,
    }
}

/// What the keys of all words begin with that begin so.
pub(super) fn words_prefix(prefix: &str) -> Vec<u8> {
    [&[WORD], prefix.as_bytes()].concat()
}

/// What the keys of all that have this whole folded username begin with.
pub(super) fn handles_prefix(username: &str) -> Vec<u8> {
    [&[HANDLE], username.as_bytes(), &[WORD_END]].concat()
}

/// The word and the user of the key of a word or a whole username.
pub(super) fn word_of(key: &[u8]) -> Option<(&str, UserId)> {
    let rest = key.get(1..)?;
    let end = rest.iter().position(|byte| *byte == WORD_END)?;
    let (user, left) = number(rest.get(end + 1..)?)?;
    let word = std::str::from_utf8(rest.get(..end)?).ok()?;
    Some((word, UserId::new(user).ok().filter(|_| left.is_empty())?))
}

/// What all keys of logins of a user begin with.
pub(super) fn logins_prefix(user: UserId) -> Vec<u8> {
    prefix(LOGIN_OF, &[user.get()])
}

/// The user and the login of the key that leads from one to the other.
pub(super) fn login_of_user(key: &[u8]) -> Option<(UserId, LoginId)> {
    let (user, rest) = number(key.get(1..)?)?;
    Some((UserId::new(user).ok()?, LoginId(u128::from_be_bytes(rest.try_into().ok()?))))
}

/// What all keys of bonds begin with that are found from the user with the smaller number.
pub(super) fn bonds_prefix(low: UserId) -> Vec<u8> {
    prefix(BOND, &[low.get()])
}

/// What all keys of bonds begin with that are found from the user with the greater number.
pub(super) fn bonds_of_prefix(high: UserId) -> Vec<u8> {
    prefix(BOND_OF, &[high.get()])
}

/// The pair of a key that has two users behind its tag, in either order.
pub(super) fn pair_of(key: &[u8]) -> Option<Pair> {
    let (one, rest) = number(key.get(1..)?)?;
    let (other, rest) = number(rest)?;
    Pair::new(UserId::new(one).ok()?, UserId::new(other).ok()?).ok().filter(|_| rest.is_empty())
}

/// What all keys of invitations to a group begin with.
pub(super) fn invitations_prefix(group: GroupId) -> Vec<u8> {
    prefix(INVITED, &[group.get()])
}

/// What all keys of reactions to a message begin with.
pub(super) fn reactions_prefix(conversation: ConversationId, message: Seq) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    of_conversation(&mut out, REACTIONS, conversation, &[message.get()]);
    out
}

/// What all keys of a user's notices begin with.
pub(super) fn notices_prefix(user: UserId) -> Vec<u8> {
    prefix(NOTICE, &[user.get()])
}

/// The conversation and the numbers behind it of the key of an amendment, of reactions or of deleted positions.
pub(super) fn in_conversation<const N: usize>(key: &[u8]) -> Option<(ConversationId, [u64; N])> {
    match log(key.get(1..)?)? {
        (LogId::Conversation(conversation), rest) => Some((conversation, numbers(rest)?)),
        (LogId::User(_), _) => None,
    }
}

/// The user, the conversation and the bucket of the key of hidden entries.
pub(super) fn hidden_of(key: &[u8]) -> Option<(UserId, ConversationId, Bucket)> {
    let (user, rest) = number(key.get(1..)?)?;
    match log(rest)? {
        (LogId::Conversation(conversation), rest) => Some((UserId::new(user).ok()?, conversation, Bucket(numbers::<1>(rest)?[0]))),
        (LogId::User(_), _) => None,
    }
}

/// The user and the seq of a notice's key.
pub(super) fn notice_of(key: &[u8]) -> Option<(UserId, Seq)> {
    let [user, seq] = numbers(key.get(1..)?)?;
    Some((UserId::new(user).ok()?, Seq::new(seq).ok()?))
}

/// The seq at the end of an entry's key.
pub(super) fn seq_of(key: &[u8]) -> Option<Seq> {
    let (_, rest) = log(key)?;
    let (seq, rest) = number(rest)?;
    Seq::new(seq).ok().filter(|_| rest.is_empty())
}

/// The log of a head's key.
pub(super) fn log_of(key: &[u8]) -> Option<LogId> {
    log(key).filter(|(_, rest)| rest.is_empty()).map(|(log, _)| log)
}

/// The log and the seq of an entry's key.
pub(super) fn entry_of(key: &[u8]) -> Option<(LogId, Seq)> {
    let (log, _) = log(key)?;
    Some((log, seq_of(key)?))
}

/// The sequence of the key of its last number.
pub(super) fn sequence_of(key: &[u8]) -> Option<Sequence> {
    [Sequence::Principals, Sequence::Segments, Sequence::Directs].into_iter().find(|sequence| Key::Sequence(*sequence).bytes() == key)
}

/// The one number of a key that has one behind its tag.
pub(super) fn number_of(key: &[u8]) -> Option<u64> {
    let (number, rest) = number(key.get(1..)?)?;
    rest.is_empty().then_some(number)
}

/// The group and the user of the key of a member or an invitation.
pub(super) fn place_of(key: &[u8]) -> Option<(GroupId, UserId)> {
    let [group, user] = numbers(key.get(1..)?)?;
    Some((GroupId::new(group).ok()?, UserId::new(user).ok()?))
}

/// The user and the conversation of the key of an own position, of marks, of preferences or of a row in a list.
pub(super) fn user_and_conversation_of(key: &[u8]) -> Option<(UserId, ConversationId)> {
    let (user, rest) = number(key.get(1..)?)?;
    match log(rest)? {
        (LogId::Conversation(conversation), []) => Some((UserId::new(user).ok()?, conversation)),
        (LogId::Conversation(_) | LogId::User(_), _) => None,
    }
}

/// The id of a login's key.
pub(super) fn login_of(key: &[u8]) -> Option<LoginId> {
    Some(LoginId(u128::from_be_bytes(key.get(1..)?.try_into().ok()?)))
}

/// The log that some bytes begin with, and what follows.
fn log(bytes: &[u8]) -> Option<(LogId, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (first, rest) = number(rest)?;
    match *kind {
        DIRECT_LOG => {
            let (second, rest) = number(rest)?;
            let pair = Pair::new(UserId::new(first).ok()?, UserId::new(second).ok()?).ok()?;
            Some((ConversationId::Direct(pair).into(), rest))
        }
        GROUP_LOG => Some((ConversationId::Group(GroupId::new(first).ok()?).into(), rest)),
        USER_LOG => Some((UserId::new(first).ok()?.into(), rest)),
        0 | 4.. => None,
    }
}

/// The number that some bytes begin with, and what follows.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (digits, rest) = rest.split_at_checked(usize::from(*length))?;
    let leads = usize::checked_sub(8, digits.len())?;
    let mut whole = [0; 8];
    whole.get_mut(leads..)?.copy_from_slice(digits);
    Some((u64::from_be_bytes(whole), rest))
}

/// As many numbers as these bytes hold, if they hold so many and nothing else.
fn numbers<const N: usize>(mut bytes: &[u8]) -> Option<[u64; N]> {
    let mut found = [0; N];
    for place in &mut found {
        (*place, bytes) = number(bytes)?;
    }
    bytes.is_empty().then_some(found)
}

fn sequence_ordinal(sequence: Sequence) -> u8 {
    match sequence {
        Sequence::Principals => PRINCIPALS,
        Sequence::Segments => SEGMENTS,
        Sequence::Directs => DIRECTS,
    }
}

fn put(out: &mut Vec<u8>, number: u64) {
    let digits = number.to_be_bytes().into_iter().skip_while(|digit| *digit == 0);
    let at = out.len();
    out.push(0);
    out.extend(digits);
    out[at] = u8::try_from(out.len() - at - 1).expect("a number has at most eight bytes");
}

fn tagged(out: &mut Vec<u8>, tag: u8, numbers: &[u64]) {
    out.push(tag);
    for number in numbers {
        put(out, *number);
    }
}

fn text(out: &mut Vec<u8>, tag: u8, text: &str) {
    out.push(tag);
    out.extend(text.as_bytes());
}

fn prefix(tag: u8, numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    tagged(&mut out, tag, numbers);
    out
}

/// A word ends with a zero, which no word has: so a word comes before those that it begins, and users by number.
fn worded(out: &mut Vec<u8>, tag: u8, word: &str, user: UserId) {
    text(out, tag, word);
    out.push(WORD_END);
    put(out, user.get());
}

fn of_conversation(out: &mut Vec<u8>, tag: u8, conversation: ConversationId, numbers: &[u64]) {
    out.push(tag);
    put_log(out, conversation.into());
    for number in numbers {
        put(out, *number);
    }
}

fn of_user(out: &mut Vec<u8>, tag: u8, user: UserId, conversation: ConversationId) {
    tagged(out, tag, &[user.get()]);
    put_log(out, conversation.into());
}

fn put_log(out: &mut Vec<u8>, log: LogId) {
    match log {
        LogId::Conversation(ConversationId::Direct(pair)) => tagged(out, DIRECT_LOG, &[pair.low().get(), pair.high().get()]),
        LogId::Conversation(ConversationId::Group(group)) => tagged(out, GROUP_LOG, &[group.get()]),
        LogId::User(user) => tagged(out, USER_LOG, &[user.get()]),
    }
}

#[cfg(test)]
mod tests {
    use actors::id::NUMBER_MAX;
    use proptest::prelude::*;

    use super::*;

    fn any_log() -> impl Strategy<Value = LogId> {
        let user = || (1..=NUMBER_MAX).prop_map(|number| UserId::new(number).expect("valid"));
        prop_oneof![
            user().prop_map(LogId::User),
            (1..=NUMBER_MAX).prop_map(|number| LogId::Conversation(ConversationId::Group(GroupId::new(number).expect("valid")))),
            (user(), user())
                .prop_filter_map("a pair", |(one, other)| Pair::new(one, other).ok().map(|pair| ConversationId::Direct(pair).into())),
        ]
    }

    proptest! {
        #[test]
        fn entries_of_a_log_lie_in_the_order_of_their_seqs(log in any_log(), a in 0..=NUMBER_MAX, b in 0..=NUMBER_MAX) {
            let key = |seq| Key::Entry(log, Seq::new(seq).expect("valid")).bytes();
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(seq_of(&key(a)), Seq::new(a).ok());
        }

        #[test]
        fn entries_of_another_log_lie_outside(one in any_log(), other in any_log(), seq in 0..=NUMBER_MAX) {
            prop_assume!(one != other);
            let key = |log, seq| Key::Entry(log, Seq::new(seq).expect("valid")).bytes();
            let between = key(one, 0)..=key(one, NUMBER_MAX);
            prop_assert!(!between.contains(&key(other, seq)));
            prop_assert_ne!(Key::Head(one).bytes(), Key::Head(other).bytes());
        }

        #[test]
        fn a_list_lies_in_the_order_of_conversations(user in 1..=NUMBER_MAX, one in any_log(), other in any_log()) {
            if let (LogId::Conversation(one), LogId::Conversation(other)) = (one, other) {
                let user = UserId::new(user).expect("valid");
                let (key, next) = (Key::Listed(user, one).bytes(), Key::Listed(user, other).bytes());
                prop_assert_eq!(key.cmp(&next), one.cmp(&other));
                prop_assert!(key.starts_with(&listed_prefix(user)));
                prop_assert_eq!(conversation_of(&key), Some(one));
            }
        }

        #[test]
        fn a_member_is_found_in_its_key(group in 1..=NUMBER_MAX, user in 1..=NUMBER_MAX) {
            let (group, user) = (GroupId::new(group).expect("valid"), UserId::new(user).expect("valid"));
            let key = Key::Member(group, user).bytes();
            prop_assert!(key.starts_with(&members_prefix(group)));
            prop_assert_eq!(member_of(&key), Some(user));
        }

        #[test]
        fn words_lie_in_their_order_and_then_by_user(one in "[a-zé9-]{0,4}", other in "[a-zé9-]{0,4}", a in 1..=NUMBER_MAX, b in 1..=NUMBER_MAX) {
            let (a, b) = (UserId::new(a).expect("valid"), UserId::new(b).expect("valid"));
            let (key, next) = (Key::Word(&one, a).bytes(), Key::Word(&other, b).bytes());
            prop_assert_eq!(key.cmp(&next), (&one, a).cmp(&(&other, b)));
            prop_assert_eq!(word_of(&key), Some((one.as_str(), a)));
            prop_assert_eq!(key.starts_with(&words_prefix(&other)), one.starts_with(&other));
            prop_assert_eq!(Key::Handle(&one, a).bytes().starts_with(&handles_prefix(&other)), one == other);
        }

        #[test]
        fn what_is_in_a_key_is_found_in_it(one in any_log(), user in 1..=NUMBER_MAX, seq in 0..=NUMBER_MAX, login: u128) {
            let (user, seq) = (UserId::new(user).expect("valid"), Seq::new(seq).expect("valid"));
            if let LogId::Conversation(conversation) = one {
                prop_assert_eq!(in_conversation(&Key::Amended(conversation, seq).bytes()), Some((conversation, [seq.get()])));
                let key = Key::Reactions(conversation, seq, user).bytes();
                prop_assert_eq!(in_conversation(&key), Some((conversation, [seq.get(), user.get()])));
                prop_assert!(key.starts_with(&reactions_prefix(conversation, seq)));
                let bucket = seq.bucket();
                prop_assert_eq!(hidden_of(&Key::Hidden(user, conversation, bucket).bytes()), Some((user, conversation, bucket)));
                prop_assert_eq!(user_and_conversation_of(&Key::Preferences(user, conversation).bytes()), Some((user, conversation)));
                if let ConversationId::Direct(pair) = conversation {
                    prop_assert_eq!(pair_of(&Key::Bond(pair).bytes()), Some(pair));
                    prop_assert_eq!(pair_of(&Key::BondOf(pair).bytes()), Some(pair));
                    prop_assert!(Key::BondOf(pair).bytes().starts_with(&bonds_of_prefix(pair.high())));
                }
            }
            prop_assert_eq!(notice_of(&Key::Notice(user, seq).bytes()), Some((user, seq)));
            prop_assert_eq!(login_of_user(&Key::LoginOf(user, LoginId(login)).bytes()), Some((user, LoginId(login))));
        }

        #[test]
        fn any_bytes_are_taken_apart_without_harm(bytes: Vec<u8>) {
            prop_assert!(seq_of(&bytes).is_none() || bytes.len() >= 4);
            prop_assert!(member_of(&bytes).is_none() || bytes.len() >= 5);
            prop_assert!(conversation_of(&bytes).is_none() || bytes.len() >= 6);
            prop_assert!(word_of(&bytes).is_none() || bytes.len() >= 4);
            prop_assert!(login_of_user(&bytes).is_none() || bytes.len() >= 19);
            prop_assert!(pair_of(&bytes).is_none() || bytes.len() >= 5);
            prop_assert!(in_conversation::<2>(&bytes).is_none() || bytes.len() >= 6);
            prop_assert!(hidden_of(&bytes).is_none() || bytes.len() >= 7);
            prop_assert!(notice_of(&bytes).is_none() || bytes.len() >= 4);
            prop_assert!(due_of(&bytes).is_none() || bytes.len() == 25);
            prop_assert!(media_of(&bytes).is_none() || bytes.len() == 17);
            prop_assert!(media_of_user(&bytes).is_none() || bytes.len() >= 19);
        }
    }

    /// What comes after a kind: a kind that is added must be named here, and so in the list of all.
    fn next(kind: Kind) -> Option<Kind> {
        Some(match kind {
            Kind::Entry => Kind::Head,
            Kind::Head => Kind::Format,
            Kind::Format => Kind::Start,
            Kind::Start => Kind::Commits,
            Kind::Commits => Kind::Sequence,
            Kind::Sequence => Kind::Segment,
            Kind::Segment => Kind::Group,
            Kind::Group => Kind::Member,
            Kind::Member => Kind::Own,
            Kind::Own => Kind::Marks,
            Kind::Marks => Kind::Listed,
            Kind::Listed => Kind::Account,
            Kind::Account => Kind::Username,
            Kind::Username => Kind::Email,
            Kind::Email => Kind::Login,
            Kind::Login => Kind::LoginOf,
            Kind::LoginOf => Kind::Word,
            Kind::Word => Kind::Handle,
            Kind::Handle => Kind::Seen,
            Kind::Seen => Kind::Bond,
            Kind::Bond => Kind::BondOf,
            Kind::BondOf => Kind::Direct,
            Kind::Direct => Kind::DirectOf,
            Kind::DirectOf => Kind::Amended,
            Kind::Amended => Kind::Reactions,
            Kind::Reactions => Kind::Gone,
            Kind::Gone => Kind::Invited,
            Kind::Invited => Kind::Preferences,
            Kind::Preferences => Kind::Hidden,
            Kind::Hidden => Kind::Notice,
            Kind::Notice => Kind::NoticesRead,
            Kind::NoticesRead => Kind::Media,
            Kind::Media => Kind::MediaUsed,
            Kind::MediaUsed => Kind::MediaDue,
            Kind::MediaDue => Kind::MediaOf,
            Kind::MediaOf => return None,
        })
    }

    #[test]
    fn the_list_of_kinds_is_whole_and_each_row_has_a_tag_of_its_own() {
        let chain: Vec<_> = std::iter::successors(Some(Kind::Entry), |kind| next(*kind)).collect();
        assert_eq!(chain, Kind::ALL);
        let mut tags: Vec<_> = Kind::ALL.into_iter().filter_map(Kind::tag).collect();
        assert_eq!(tags.len(), Kind::ALL.into_iter().filter(|kind| kind.space() == Space::Rows).count());
        tags.sort_unstable();
        tags.dedup();
        // 34 was never used.
        assert_eq!(tags, (FORMAT..=MEDIA_OF).chain([NOTICES_READ]).collect::<Vec<_>>());
    }

    #[test]
    fn the_bytes_of_keys_are_fixed_for_ever() {
        let user = UserId::new(0x0102).expect("valid");
        let group = ConversationId::Group(GroupId::new(3).expect("valid"));
        assert_eq!(Key::Head(LogId::User(user)).bytes(), [3, 2, 1, 2]);
        assert_eq!(Key::Entry(group.into(), Seq::ZERO).bytes(), [2, 1, 3, 0]);
        assert_eq!(Key::Entry(group.into(), Seq::new(0x01_0000).expect("valid")).bytes(), [2, 1, 3, 3, 1, 0, 0]);
        assert_eq!(Key::Marks(user, group).bytes(), [9, 2, 1, 2, 2, 1, 3]);
        assert_eq!([Key::Format, Key::Start, Key::Commits].map(|key| key.bytes()), [vec![1], vec![2], vec![3]]);
        assert_eq!(Key::Sequence(Sequence::Principals).bytes(), [4, 1]);
        assert_eq!(Key::Sequence(Sequence::Segments).bytes(), [4, 2]);
        assert_eq!(Key::Username(&Username::new("Ann").expect("valid")).bytes(), b"\x0cAnn");
        assert_eq!(Key::Email(&Email::new("A@b.C").expect("valid")).bytes(), b"\x0da@b.c");
        assert_eq!(Key::Login(LoginId(1)).bytes().len(), 17);
        assert_eq!(Key::Sequence(Sequence::Directs).bytes(), [4, 3]);
        assert_eq!(Key::LoginOf(user, LoginId(1)).bytes(), [&[15, 2, 1, 2][..], &1_u128.to_be_bytes()].concat());
        assert_eq!(Key::Word("é", user).bytes(), [16, 0xc3, 0xa9, 0, 2, 1, 2]);
        assert_eq!(Key::Handle("a", user).bytes(), [17, b'a', 0, 2, 1, 2]);
        let pair = Pair::new(user, UserId::new(3).expect("valid")).expect("two users");
        let direct = ConversationId::Direct(pair);
        assert_eq!(Key::Seen(user).bytes(), [18, 2, 1, 2]);
        assert_eq!(Key::Bond(pair).bytes(), [19, 1, 3, 2, 1, 2]);
        assert_eq!(Key::BondOf(pair).bytes(), [20, 2, 1, 2, 1, 3]);
        assert_eq!(Key::Direct(pair).bytes(), [21, 1, 3, 2, 1, 2]);
        assert_eq!(Key::DirectOf(DirectNumber::new(7).expect("valid")).bytes(), [22, 1, 7]);
        let seq = Seq::new(5).expect("valid");
        assert_eq!(Key::Amended(direct, seq).bytes(), [23, 1, 1, 3, 2, 1, 2, 1, 5]);
        assert_eq!(Key::Reactions(group, seq, user).bytes(), [24, 2, 1, 3, 1, 5, 2, 1, 2]);
        assert_eq!(Key::Gone(group, Bucket(0)).bytes(), [25, 2, 1, 3, 0]);
        assert_eq!(Key::Invited(GroupId::new(3).expect("valid"), user).bytes(), [26, 1, 3, 2, 1, 2]);
        assert_eq!(Key::Preferences(user, group).bytes(), [27, 2, 1, 2, 2, 1, 3]);
        assert_eq!(Key::Hidden(user, group, Bucket(4)).bytes(), [28, 2, 1, 2, 2, 1, 3, 1, 4]);
        assert_eq!(Key::Notice(user, seq).bytes(), [29, 2, 1, 2, 1, 5]);
        assert_eq!(Key::NoticesRead(user).bytes(), [35, 2, 1, 2]);
        assert_eq!(Key::Media(MediaId(1)).bytes(), [&[30][..], &1_u128.to_be_bytes()].concat());
        assert_eq!(Key::MediaUsed(user).bytes(), [31, 2, 1, 2]);
        let due = Key::MediaDue(Timestamp(1), MediaId(2)).bytes();
        assert_eq!(due, [&[32, 128, 0, 0, 0, 0, 0, 0, 1][..], &2_u128.to_be_bytes()].concat());
        assert_eq!(due_of(&due), Some((Timestamp(1), MediaId(2))));
        let of = Key::MediaOf(user, MediaId(2)).bytes();
        assert_eq!(of, [&[33, 2, 1, 2][..], &2_u128.to_be_bytes()].concat());
        assert_eq!(media_of_user(&of), Some((user, MediaId(2))));
        assert!(Key::MediaDue(Timestamp(-1), MediaId(u128::MAX)).bytes() < Key::MediaDue(Timestamp(0), MediaId(0)).bytes());
    }
}
