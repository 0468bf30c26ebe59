//! Every record comes back as it was, any damage is noticed, and any bytes at all give an answer.

use std::fmt::Debug;

use actors::account::{Account, DisplayName, Email, Login, PasswordHash, Privacy, RefreshHash, Seen, Standing, Username};
use actors::bits::Bits;
use actors::content::{AboutText, ClientKey, Content, Forwarded, GroupName, Opaque, Reaction};
use actors::entry::{Act, Amendment, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences, Role};
use actors::id::{
    BatchId, Bucket, ConversationId, DirectNumber, Door, Epoch, GroupId, Incarnation, LogId, LoginId, MessageId, NUMBER_MAX, Pair, Pos,
    Segment, Seq, UserId,
};
use actors::relation::{Bond, Relation, Side};
use actors::store::{Mark, Marks, Sequence, Versioned};
use actors::testkit::contract::samples::{attachment, every_act, invited, picture, reaction};
use actors::time::Timestamp;
use bytes::Bytes;
use proptest::prelude::*;

use super::{Damage, Projected, Stored, checksum};
use crate::store::embedded::keys::Key;

fn user() -> impl Strategy<Value = UserId> {
    (1..=NUMBER_MAX).prop_map(|number| UserId::new(number).expect("valid"))
}

fn seq() -> impl Strategy<Value = Seq> {
    (0..=NUMBER_MAX).prop_map(|value| Seq::new(value).expect("valid"))
}

fn at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn conversation() -> impl Strategy<Value = ConversationId> {
    prop_oneof![
        (1..=NUMBER_MAX).prop_map(|number| ConversationId::Group(GroupId::new(number).expect("valid"))),
        (user(), user()).prop_filter_map("a pair", |(one, other)| Pair::new(one, other).ok().map(ConversationId::Direct)),
    ]
}

fn log() -> impl Strategy<Value = LogId> {
    prop_oneof![user().prop_map(LogId::User), conversation().prop_map(LogId::Conversation)]
}

fn name() -> impl Strategy<Value = GroupName> {
    "[a-zé🙂 ]{1,40}".prop_filter_map("not only blanks", |text| GroupName::new(&text).ok())
}

fn content() -> impl Strategy<Value = Content> {
    let data = prop::option::of(prop::collection::vec(any::<u8>(), 0..60));
    let forwarded = prop::option::of((user(), 1..=NUMBER_MAX));
    (".{0,80}", data, prop::option::of(seq()), prop::collection::vec(user(), 0..5), 0_usize..3, forwarded, any::<u8>()).prop_map(
        |(text, data, reply_to, mentions, attachments, forwarded, door)| Content {
            text: text.into(),
            data: data.map(|data| Opaque(Bytes::from(data))),
            reply_to,
            mentions,
            attachments: vec![attachment(); attachments],
            forwarded: forwarded.map(|(author, id)| Forwarded { author, id: MessageId::new(id).expect("valid") }),
            door: Door(door),
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let members = || prop::collection::vec(user(), 0..5);
    prop_oneof![
        content().prop_map(Act::Message),
        (name(), members(), any::<bool>()).prop_map(|(name, members, open)| Act::Created { name, members, open }),
        members().prop_map(|members| Act::Joined { members }),
        user().prop_map(|member| Act::Left { member }),
        conversation().prop_map(|conversation| Act::Appeared { conversation }),
        (seq(), content()).prop_map(|(target, content)| Act::Edited { target, content }),
        prop::sample::select(every_act()),
    ]
}

fn bits() -> impl Strategy<Value = Bits> {
    prop::collection::vec(0_u64..4_096, 0..20).prop_map(|places| places.into_iter().fold(Bits::default(), Bits::with))
}

fn amendment() -> impl Strategy<Value = Amendment> {
    let edited = prop::option::of((content(), at()));
    let reactions = prop::collection::vec(("[!-~]{1,8}", any::<u64>()), 0..4);
    (edited, prop::collection::vec(seq(), 0..4), prop::option::of((user(), at())), reactions).prop_map(
        |(edited, edits, deleted, reactions)| {
            let reactions = reactions.into_iter().map(|(text, count)| (reaction(&text), count)).collect();
            Amendment { edited, edits, deleted, reactions }
        },
    )
}

fn bond() -> impl Strategy<Value = Bond> {
    let side = || prop::sample::select(vec![Side::Pending, Side::Accepted, Side::Rejected]);
    let relation = prop::option::of((side(), side(), at(), at()));
    (user(), user(), relation, prop::option::of(at()), prop::option::of(at())).prop_filter_map(
        "a pair",
        |(one, other, relation, low_blocks, high_blocks)| {
            let relation = relation.map(|(status_from, status_to, created_at, updated_at)| Relation {
                from: one,
                status_from,
                status_to,
                created_at,
                updated_at,
            });
            Some(Bond { pair: Pair::new(one, other).ok()?, relation, low_blocks, high_blocks })
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    (seq(), any::<u64>(), 1..=NUMBER_MAX, user(), "[!-~]{1,64}", at(), act()).prop_map(|(seq, pos, id, author, key, at, act)| Entry {
        seq,
        pos: Pos(pos),
        id: MessageId::new(id).expect("valid"),
        author,
        client_key: ClientKey::new(&key).expect("valid"),
        at,
        act,
    })
}

fn head() -> impl Strategy<Value = Head> {
    (seq(), any::<u64>(), seq(), any::<u64>(), any::<u128>(), any::<u64>(), any::<u64>(), at()).prop_map(
        |(tail, count, last_change, epoch, last_batch, incarnation, segment, last_at)| Head {
            tail,
            count: Pos(count),
            last_change,
            epoch: Epoch(epoch),
            last_batch: BatchId(last_batch),
            incarnation: Incarnation(incarnation),
            segment: Segment(segment),
            last_at,
        },
    )
}

fn mark() -> impl Strategy<Value = Mark> {
    (seq(), any::<u64>(), at()).prop_map(|(seq, pos, at)| Mark { seq, pos: Pos(pos), at })
}

fn standing() -> impl Strategy<Value = Standing> {
    prop::sample::select(vec![Standing::Active, Standing::Deactivated, Standing::Banned, Standing::Deleted])
}

fn account() -> impl Strategy<Value = Account> {
    let names = ("[a-zA-Z0-9@.+_-]{1,40}", "[a-zA-Z]{1,9}@[a-z]{1,9}\\.[a-z]{2}", ".{0,40}", ".{0,40}");
    (user(), names, any::<bool>(), any::<bool>(), standing(), at(), at()).prop_filter_map(
        "a name without control characters",
        |(id, (username, email, name, about), full, staff, standing, created_at, updated_at)| {
            let (username, email) = (Username::new(&username)?, Email::new(&email)?);
            let hash = full.then(|| PasswordHash(username.as_str().into()));
            let bare = Account::new(id, username, email, DisplayName::new(&name)?, hash, created_at);
            Some(Account {
                first_name: DisplayName::new(if full { "A" } else { "" })?,
                last_name: DisplayName::new(if staff { "B" } else { "" })?,
                about: AboutText::new(&about).ok()?,
                picture: full.then(picture),
                privacy: Privacy { searchable: !staff, receipts: full, ..Privacy::default() },
                standing,
                staff,
                updated_at,
                ..bare
            })
        },
    )
}

fn login() -> impl Strategy<Value = Login> {
    let replaced = prop::option::of((any::<[u8; 32]>(), at()));
    let times = (at(), at(), prop::option::of(at()), at());
    (any::<u128>(), user(), any::<[u8; 32]>(), replaced, times, ".{0,30}", any::<u8>()).prop_map(
        |(id, user, refresh, replaced, (created_at, expires_at, ended_at, used_at), device, door)| Login {
            id: LoginId(id),
            user,
            refresh: RefreshHash(refresh),
            replaced: replaced.map(|(hash, at)| (RefreshHash(hash), at)),
            created_at,
            expires_at,
            ended_at,
            used_at,
            device: device.into(),
            door: Door(door),
        },
    )
}

/// It comes back; no flipped bit, no cut and no other key goes unnoticed.
fn check<T: Stored + PartialEq + Debug>(key: Key<'_>, value: &T, flip: usize) -> Result<(), TestCaseError> {
    let key = key.bytes();
    let bytes = value.seal(&key);
    let back = T::unseal(&key, &bytes);
    prop_assert_eq!(back.as_ref(), Ok(value));
    let mut flipped = bytes.clone();
    flipped[flip / 8 % bytes.len()] ^= 1 << (flip % 8);
    prop_assert!(T::unseal(&key, &flipped).is_err());
    prop_assert!(T::unseal(&key, &bytes[..flip % bytes.len()]).is_err());
    let mut other = key.clone();
    other[flip / 8 % key.len()] ^= 1 << (flip % 8);
    prop_assert_eq!(T::unseal(&other, &bytes), Err(Damage::Checksum));
    Ok(())
}

/// Neither any bytes nor any fields under a right checksum do harm.
fn survives<T: Stored>(key: Key<'_>, bytes: &[u8]) {
    let key = key.bytes();
    drop(T::unseal(&key, bytes));
    for version in [1, 2] {
        let mut sealed = [&[version], bytes].concat();
        sealed.extend(checksum(&key, &sealed));
        assert_ne!(T::unseal(&key, &sealed).err(), Some(Damage::Checksum));
    }
}

const USER: u64 = 7;

fn any_user() -> UserId {
    UserId::new(USER).expect("valid")
}

fn any_group() -> GroupId {
    GroupId::new(9).expect("valid")
}

proptest! {
    #[test]
    fn an_entry_comes_back(log in log(), entry in entry(), flip: usize) {
        check(Key::Entry(log, entry.seq), &entry, flip)?;
    }

    #[test]
    fn a_head_comes_back(log in log(), head in head(), flip: usize) {
        check(Key::Head(log), &head, flip)?;
    }

    #[test]
    fn projected_rows_come_back(
        version in seq(), name in name(), members: u64, times in (at(), at()), since in seq(), until in prop::option::of(seq()), pos: u64, listed: bool, flip: usize,
        role in prop::sample::select(vec![Role::Member, Role::Admin, Role::Owner]), conversation in conversation(),
    ) {
        let group = Key::Group(any_group());
        let row = GroupRow {
            name,
            members,
            created_at: times.0,
            about: AboutText::default(),
            picture: listed.then(picture),
            open: listed,
            updated_at: times.1,
        };
        check(group, &Projected { version, row }, flip)?;
        check(Key::Member(any_group(), any_user()), &Projected { version, row: Membership { role, since, until } }, flip)?;
        check(Key::Own(any_user(), conversation), &Projected { version, row: Pos(pos) }, flip)?;
        check(Key::Listed(any_user(), conversation), &Projected { version, row: listed }, flip)?;
        let (key, row) = (group.bytes(), Projected { version, row: Pos(pos) });
        prop_assert_eq!(super::projected_version(&key, &row.seal(&key)), Ok(version));
    }

    #[test]
    fn what_became_of_messages_comes_back(
        version in seq(), conversation in conversation(), seq in seq(), amendment in amendment(), bits in bits(), number in 1..=NUMBER_MAX,
        reactions in prop::collection::vec("[!-~]{1,8}", 0..4), bond in bond(), flip: usize,
    ) {
        let amended = Key::Amended(conversation, seq);
        check(amended, &Projected { version, row: amendment.clone() }, flip)?;
        let reactions: Vec<_> = reactions.iter().map(|text| reaction(text)).collect();
        check(Key::Reactions(conversation, seq, any_user()), &Projected { version, row: reactions }, flip)?;
        check(Key::Gone(conversation, Bucket(3)), &Projected { version, row: bits.clone() }, flip)?;
        check(Key::Hidden(any_user(), conversation, Bucket(3)), &Projected { version, row: bits }, flip)?;
        check(Key::Direct(bond.pair), &Projected { version, row: DirectNumber::new(number).expect("valid") }, flip)?;
        check(Key::DirectOf(DirectNumber::new(number).expect("valid")), &bond.pair, flip)?;
        check(Key::Bond(bond.pair), &Versioned { version: number, row: bond }, flip)?;
        let (key, row) = (amended.bytes(), Projected { version, row: amendment });
        prop_assert_eq!(super::projected_version(&key, &row.seal(&key)), Ok(version));
    }

    #[test]
    fn what_concerns_one_user_comes_back(
        version in seq(), conversation in conversation(), cleared in seq(), until in prop::option::of(at()), by in user(), archived: bool,
        flip: usize,
    ) {
        let preferences = Preferences { muted_until: until, archived, cleared: (cleared, Pos(7)) };
        check(Key::Preferences(any_user(), conversation), &Projected { version, row: preferences }, flip)?;
        let invitation = until.map(|expires_at| Invitation { by, expires_at });
        check(Key::Invited(any_group(), any_user()), &Projected { version, row: invitation }, flip)?;
        for notice in [None, Some(Notice::FriendRequest { from: by }), Some(invited())] {
            check(Key::Notice(any_user(), cleared), &Projected { version, row: notice }, flip)?;
        }
        check(Key::NoticesRead(any_user()), &Projected { version, row: cleared }, flip)?;
        check(Key::Seen(any_user()), &Seen { here: until, login: archived.then_some(Timestamp(3)) }, flip)?;
    }

    #[test]
    fn marks_come_back(conversation in conversation(), delivered in mark(), read in mark(), badge: u64, flip: usize) {
        check(Key::Marks(any_user(), conversation), &Marks { delivered, read, badge: Pos(badge) }, flip)?;
    }

    #[test]
    fn accounts_and_logins_come_back(version: u64, account in account(), login in login(), flip: usize) {
        check(Key::Account(account.id), &Versioned { version, row: account }, flip)?;
        check(Key::Login(login.id), &Versioned { version, row: login }, flip)?;
    }

    #[test]
    fn numbers_come_back(number: u64, user in user(), log in log(), bucket: u64, flip: usize) {
        check(Key::Sequence(Sequence::Segments), &number, flip)?;
        check(Key::Account(user), &user, flip)?;
        check(Key::Segment(Segment(number)), &(log, Bucket(bucket)), flip)?;
    }

    #[test]
    fn any_bytes_give_an_answer(bytes: Vec<u8>, log in log(), seq in seq()) {
        survives::<Entry>(Key::Entry(log, seq), &bytes);
        survives::<Head>(Key::Head(log), &bytes);
        survives::<Projected<GroupRow>>(Key::Format, &bytes);
        survives::<Projected<Membership>>(Key::Format, &bytes);
        survives::<Projected<Pos>>(Key::Format, &bytes);
        survives::<Projected<bool>>(Key::Format, &bytes);
        survives::<Marks>(Key::Format, &bytes);
        survives::<Versioned<Account>>(Key::Format, &bytes);
        survives::<Versioned<Login>>(Key::Format, &bytes);
        survives::<u64>(Key::Format, &bytes);
        survives::<UserId>(Key::Format, &bytes);
        survives::<(LogId, Bucket)>(Key::Format, &bytes);
        survives::<Projected<Amendment>>(Key::Format, &bytes);
        survives::<Projected<Vec<Reaction>>>(Key::Format, &bytes);
        survives::<Projected<Bits>>(Key::Format, &bytes);
        survives::<Projected<DirectNumber>>(Key::Format, &bytes);
        survives::<Projected<Preferences>>(Key::Format, &bytes);
        survives::<Projected<Option<Invitation>>>(Key::Format, &bytes);
        survives::<Projected<Option<Notice>>>(Key::Format, &bytes);
        survives::<Projected<Seq>>(Key::Format, &bytes);
        survives::<Versioned<Bond>>(Key::Format, &bytes);
        survives::<Pair>(Key::Format, &bytes);
        survives::<Seen>(Key::Format, &bytes);
    }
}

#[test]
fn a_record_of_an_unknown_version_is_told_from_a_damaged_one() {
    let key = Key::Start.bytes();
    let mut bytes = vec![9, 0x80];
    bytes.extend(checksum(&key, &bytes));
    assert_eq!(u64::unseal(&key, &bytes), Err(Damage::Version(9)));
    assert_eq!(u64::unseal(&key, &[]), Err(Damage::Short));
}

#[test]
fn the_bytes_of_version_1_are_fixed_for_ever() {
    let log = LogId::User(any_user());
    let entry = Entry {
        seq: Seq::new(5).expect("valid"),
        pos: Pos(4),
        id: MessageId::new(4_100).expect("valid"),
        author: any_user(),
        client_key: ClientKey::new("k").expect("valid"),
        at: Timestamp(1_767_225_600_000_000),
        act: Act::Message(Content { text: "hi".into(), reply_to: Seq::new(2).ok(), ..Content::default() }),
    };
    let key = Key::Entry(log, entry.seq).bytes();
    let bytes = entry.seal(&key);
    let (fields, sum) = bytes.split_at(bytes.len() - 4);
    let stored = b"\x01\x86\xa1p\x04\xa1i\xcd\x10\x04\xa1u\x07\xa1k\xa1k\xa1t\xcf\x00\x06\x47\x48\x46\x20\x40\x00\xa1a\x81\xa1m\x82\xa1t\xa2hi\xa1r\x02";
    assert_eq!(fields.escape_ascii().to_string(), stored.escape_ascii().to_string());
    assert_eq!(sum, checksum(&key, stored));

    let head = Head { tail: entry.seq, epoch: Epoch(3), last_batch: BatchId(1), ..Head::default() };
    let key = Key::Head(log).bytes();
    let bytes = head.seal(&key);
    let stored = b"\x01\x88\xa1t\x05\xa1c\x00\xa1l\x00\xa1e\x03\xa1b\xc4\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xa1i\x00\xa1s\x00\xa1a\x00";
    assert_eq!(bytes[..bytes.len() - 4].escape_ascii().to_string(), stored.escape_ascii().to_string());
}
