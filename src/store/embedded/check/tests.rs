//! A folder that a node has written is well; each kind of damage that is planted is found, and named.

use std::path::Path;
use std::sync::Arc;

use actors::account::{Account, AccountField, Login};
use actors::archive::{Archive, Record, Section};
use actors::bits::Bits;
use actors::content::{AboutText, ClientKey, Content, GroupName};
use actors::entry::{Act, Amendment, Digest, Entry, Erased, GroupRow, Head, Invitation, Membership, Notice, Preferences, Role};
use actors::id::{Bucket, DirectNumber, GroupId, Incarnation, LogId, MessageId, Pair, Pos, Segment, Seq};
use actors::store::{Mark, Marks, Sequence, Versioned};
use actors::testkit::contract::archive::everything;
use actors::testkit::contract::samples::{direct, group, message, of_group, reaction, seq, user};
use actors::testkit::memory::MemoryStore;
use actors::testkit::story;
use actors::time::Timestamp;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Fault, Problem, Report, RowKind, Subject, check};
use crate::store::embedded::archive::{Archived, archived, record, rows};
use crate::store::embedded::folder::Folder;
use crate::store::embedded::keys::{Key, Kind, Space};
use crate::store::embedded::records::{Projected, Stored};
use crate::store::embedded::{EmbeddedStore, Options};

/// A folder with the story in it.
async fn told() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(EmbeddedStore::open(Options::new(folder.path(), Box::new(|why| unreachable!("{why}")))).expect("it opens"));
    story::tell(Arc::clone(&store) as _, 20).await;
    store.close().await;
    drop(store);
    while check(folder.path(), &mut |_| {}).is_err() {
        tokio::task::yield_now().await; // an actor that ends holds the store a moment longer
    }
    folder
}

/// A folder with the story taken into it: the same rows, in one commit.
async fn retold() -> TempDir {
    static STORY: OnceCell<Vec<Record>> = OnceCell::const_new();
    let told = async || {
        let store = Arc::new(MemoryStore::new());
        story::tell(Arc::clone(&store) as _, 20).await;
        everything(&*store).await
    };
    let records = STORY.get_or_init(told).await.clone();
    let folder = tempfile::tempdir().expect("a folder");
    let store = EmbeddedStore::open(Options::new(folder.path(), Box::new(|why| unreachable!("{why}")))).expect("it opens");
    store.admit(records).await.expect("taken in");
    drop(store);
    folder
}

fn checked(folder: &Path) -> (Report, Vec<Problem>) {
    let mut problems = Vec::new();
    let report = check(folder, &mut |problem| problems.push(problem.clone())).expect("it opens");
    assert_eq!(report.problems, problems.len() as u64);
    (report, problems)
}

/// Changes the folder past all rules.
fn change(folder: &Path, change: impl FnOnce(&Folder)) {
    let opened = Folder::look(folder, 1024 * 1024).expect("it opens");
    change(&opened);
    opened.database().persist(fjall::PersistMode::SyncAll).expect("synced");
}

fn get<T: Stored>(folder: &Folder, key: Key<'_>) -> T {
    let bytes = folder.bytes(key.space(), &key.bytes()).expect("readable").expect("it is there");
    T::unseal(&key.bytes(), &bytes).expect("well")
}

fn put<T: Stored>(folder: &Folder, key: Key<'_>, value: &T) {
    let bytes = key.bytes();
    folder.keyspace(key.space()).insert(&bytes, value.seal(&bytes)).expect("written");
}

fn edit<T: Stored>(folder: &Folder, key: Key<'_>, edit: impl FnOnce(&mut T)) {
    let mut value = get(folder, key);
    edit(&mut value);
    put(folder, key, &value);
}

fn remove(folder: &Folder, key: Key<'_>) {
    folder.keyspace(key.space()).remove(key.bytes()).expect("removed");
}

/// Plants one damage in a copy of the story and expects these faults, no fewer and no others.
async fn expect(damage: impl FnOnce(&Folder), expected: Vec<(Subject, Fault)>) {
    let folder = retold().await;
    change(folder.path(), damage);
    let (_, problems) = checked(folder.path());
    let found: Vec<_> = problems.into_iter().map(|problem| (problem.subject, problem.fault)).collect();
    assert_eq!(found, expected);
}

fn chat() -> LogId {
    direct(1, 2).into()
}

fn entry(value: u64) -> Key<'static> {
    Key::Entry(chat(), seq(value))
}

fn in_chat(fault: Fault) -> Vec<(Subject, Fault)> {
    vec![(Subject::Log(chat()), fault)]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_has_written_is_well() {
    let folder = told().await;
    let (report, problems) = checked(folder.path());
    assert_eq!(problems, []);
    every_kind_is_archived_as_it_is_said(folder.path());
    let count = |name| report.rows.get(name).copied();
    assert_eq!((count("accounts"), count("usernames"), count("groups"), count("memberships")), (Some(4), Some(4), Some(1), Some(4)));
    assert_eq!(count("entries").map(|entries| entries > 30), Some(true), "{report:?}");
    assert_eq!(checked(folder.path()).0, report, "a check changes nothing");
}

/// Of every kind there is something; and what is said to be a record is one, of that section, and nothing else is:
/// neither a check nor an export of this folder leaves a kind out unseen.
fn every_kind_is_archived_as_it_is_said(folder: &Path) {
    let opened = Folder::look(folder, 1024 * 1024).expect("it opens");
    let at = opened.database().snapshot();
    for kind in Kind::ALL {
        let mut found = 0;
        for row in rows(&opened, &at, kind) {
            let (key, value) = row.into_inner().expect("readable");
            let section = record(kind, &key, &value).expect("well").map(|record| record.section());
            let said = match archived(kind) {
                Archived::In(section) => Some(section),
                Archived::With(_) | Archived::Not => None,
            };
            assert_eq!(section, said, "{kind:?}");
            found += 1;
        }
        assert!(found > 0, "the story has no row of {kind:?}");
    }
}

#[test]
fn every_section_has_its_kinds() {
    for section in Section::ALL {
        assert!(Kind::ALL.into_iter().any(|kind| archived(kind) == Archived::In(section)), "{section:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_those_written_are_found() {
    let key = Key::Username(&actors::account::Username::new("ann").expect("valid")).bytes();
    let folder = retold().await;
    change(folder.path(), |folder| folder.keyspace(Space::Rows).insert(&key, "no record").expect("written"));
    change(folder.path(), |folder| folder.keyspace(Space::Rows).insert([99, 1], "?").expect("written"));
    let (_, problems) = checked(folder.path());
    let sentences: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3, "{sentences:#?}");
    assert!(sentences[0].contains(r"unknown key c\x01; check it with the program that wrote it"), "{sentences:#?}");
    assert_eq!(problems[1].fault, Fault::NotReserved(AccountField::Username));
    assert!(sentences[2].contains("cannot be read: the checksum of the record is wrong; keep a copy"), "{sentences:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_to_the_entries_of_a_log_is_found() {
    expect(|folder| remove(folder, entry(7)), in_chat(Fault::Hole { from: 7, to: 7 })).await;
    expect(|folder| remove(folder, entry(12)), in_chat(Fault::Hole { from: 12, to: 12 })).await;
    expect(|folder| edit(folder, entry(7), |row: &mut Entry| row.at = Timestamp(5)), in_chat(Fault::Time(7))).await;
    let wrong = Fault::Position { seq: 7, found: 9, expected: 7 };
    expect(|folder| edit(folder, entry(7), |row: &mut Entry| row.pos = Pos(9)), in_chat(wrong)).await;
    let strange = MessageId::new(999_999).expect("valid");
    let wrong = Fault::Number { seq: 7, found: 999_999 };
    expect(|folder| edit(folder, entry(7), |row: &mut Entry| row.id = strange), in_chat(wrong)).await;
    let wrong = Fault::KeyTwice { first: 6, second: 7 };
    expect(
        |folder| {
            let before: Entry = get(folder, entry(6));
            edit(folder, entry(7), |row: &mut Entry| row.client_key = before.client_key);
        },
        in_chat(wrong),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_that_cannot_stand_there_are_found() {
    // The last entry of the chat is Ben's 20th message; what follows from it is asked for as well.
    let own = (Subject::Place(user(2), direct(1, 2)), Fault::RowWrong(RowKind::Own));
    let stray = (Subject::Place(user(2), direct(1, 2)), Fault::RowStray(RowKind::Own));
    let head = |field, head, rows| (Subject::Log(chat()), Fault::Head { field, head, rows });
    expect(
        |folder| edit(folder, entry(23), |row: &mut Entry| (row.act, row.pos) = (Act::Left { member: user(1) }, Pos(22))),
        vec![(Subject::Log(chat()), Fault::Misplaced(23)), head("count", 23, 22), head("last_change", 0, 23), own.clone(), stray.clone()],
    )
    .await;
    expect(
        |folder| edit(folder, entry(23), |row: &mut Entry| row.author = user(4)),
        vec![
            (Subject::Log(chat()), Fault::Stranger(23)),
            own,
            (Subject::Place(user(4), direct(1, 2)), Fault::RowMissing(RowKind::Own)),
            stray,
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_not_of_its_entries_is_found() {
    let head = Key::Head(chat());
    expect(|folder| edit(folder, head, |row: &mut Head| row.tail = seq(25)), in_chat(Fault::Hole { from: 24, to: 25 })).await;
    let wrong = |field, head, rows| in_chat(Fault::Head { field, head, rows });
    expect(|folder| edit(folder, head, |row: &mut Head| row.count = Pos(50)), wrong("count", 50, 23)).await;
    expect(|folder| edit(folder, head, |row: &mut Head| row.last_change = seq(5)), wrong("last_change", 5, 0)).await;
    expect(|folder| edit(folder, head, |row: &mut Head| row.incarnation = Incarnation(0)), wrong("incarnation", 0, 1)).await;
    expect(|folder| edit(folder, head, |row: &mut Head| row.tail = seq(22)), wrong("tail", 22, 23)).await;
    let expected = vec![(Subject::Log(user(4).into()), Fault::NoHead)];
    expect(|folder| remove(folder, Key::Head(user(4).into())), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_leads_elsewhere_is_found() {
    let folder = retold().await;
    let mut segment = 0;
    change(folder.path(), |folder| {
        segment = get::<Head>(folder, Key::Head(chat())).segment.0;
        put(folder, Key::Segment(Segment(segment)), &(chat(), Bucket(3)));
    });
    let (_, problems) = checked(folder.path());
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].fault, Fault::Unbound { segment, bucket: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_follow_from_the_log_are_found() {
    let at = |number| Subject::Place(user(number), of_group(65));
    let row = Key::Group(group(65));
    let wrong = |kind| Fault::RowWrong(kind);
    expect(
        |folder| edit(folder, row, |row: &mut Projected<GroupRow>| row.row.members = 9),
        vec![(Subject::Group(group(65)), wrong(RowKind::Group))],
    )
    .await;
    expect(|folder| remove(folder, row), vec![(Subject::Group(group(65)), Fault::RowMissing(RowKind::Group))]).await;
    expect(
        |folder| edit(folder, Key::Member(group(65), user(3)), |row: &mut Projected<Membership>| row.row.until = None),
        vec![(at(3), wrong(RowKind::Member))],
    )
    .await;
    expect(
        |folder| edit(folder, Key::Member(group(65), user(2)), |row: &mut Projected<Membership>| row.row.role = Role::Owner),
        vec![(at(2), wrong(RowKind::Member))],
    )
    .await;
    let place = Projected { version: seq(2), row: Membership { role: Role::Member, since: seq(2), until: None } };
    expect(|folder| put(folder, Key::Member(group(65), user(50)), &place), vec![(at(50), Fault::RowStray(RowKind::Member))]).await;
    let named = GroupName::new("nobody's").expect("valid");
    let stray = Projected {
        version: seq(1),
        row: GroupRow {
            name: named,
            members: 1,
            created_at: Timestamp(0),
            about: AboutText::default(),
            picture: None,
            open: false,
            updated_at: Timestamp(0),
        },
    };
    let nobodys = GroupId::new(60).expect("valid");
    expect(|folder| put(folder, Key::Group(nobodys), &stray), vec![(Subject::Group(nobodys), Fault::RowStray(RowKind::Group))]).await;
    expect(
        |folder| remove(folder, Key::Listed(user(2), of_group(65))),
        vec![(at(2), Fault::NotListed), (at(2), Fault::RowMissing(RowKind::Listed))],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_the_log_does_not_allow_are_found() {
    let key = Key::Marks(user(2), direct(1, 2));
    let at = |fault: &'static str| (Subject::Place(user(2), direct(1, 2)), Fault::Mark(fault));
    let mark = |value: u64, pos| Mark { seq: seq(value), pos: Pos(pos), at: Timestamp(1) };
    expect(|folder| edit(folder, key, |row: &mut Marks| row.delivered = mark(24, 24)), vec![at("delivered")]).await;
    expect(|folder| edit(folder, key, |row: &mut Marks| row.delivered = mark(3, 2)), vec![at("delivered")]).await;
    expect(|folder| edit(folder, key, |row: &mut Marks| row.read = mark(3, 3)), vec![at("read"), at("badge")]).await;
    expect(|folder| edit(folder, key, |row: &mut Marks| row.badge = Pos(24)), vec![at("badge")]).await;
    let stray = (Subject::Place(user(50), of_group(65)), Fault::MarksStray);
    expect(|folder| put(folder, Key::Marks(user(50), of_group(65)), &Marks::default()), vec![stray]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_names_and_logins_that_contradict_each_other_are_found() {
    let ann = Key::Account(user(1));
    let renamed = |folder: &Folder| {
        edit(folder, ann, |row: &mut Versioned<Account>| row.row.username = actors::account::Username::new("anna").expect("valid"));
    };
    let at = |fault| (Subject::Account(user(1)), fault);
    let expected = vec![
        at(Fault::NotReserved(AccountField::Username)),
        at(Fault::WordsWrong),
        at(Fault::ReservedAstray(AccountField::Username)),
        at(Fault::WordsWrong),
    ];
    expect(renamed, expected).await;
    expect(
        |folder| remove(folder, ann),
        vec![
            at(Fault::ReservedAstray(AccountField::Username)),
            at(Fault::ReservedAstray(AccountField::Email)),
            at(Fault::LoginStray),
            at(Fault::WordsWrong),
            at(Fault::WordsWrong),
            at(Fault::WordsWrong),
        ],
    )
    .await;
    let login = Key::Login(actors::id::LoginId(1));
    expect(
        |folder| edit(folder, login, |row: &mut Versioned<Login>| row.row.user = user(9)),
        vec![(Subject::Account(user(9)), Fault::LoginStray), (Subject::Account(user(9)), Fault::LoginsWrong), at(Fault::LoginsWrong)],
    )
    .await;
    expect(|folder| remove(folder, Key::Word("ann", user(1))), vec![at(Fault::WordsWrong)]).await;
    expect(|folder| put(folder, Key::Handle("bob", user(1)), &user(1)), vec![at(Fault::WordsWrong)]).await;
    expect(|folder| remove(folder, Key::LoginOf(user(1), actors::id::LoginId(1))), vec![at(Fault::LoginsWrong)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_one_way_only_is_found() {
    let pair = |one, other| Pair::new(user(one), user(other)).expect("two users");
    let half = vec![(Subject::Pair(pair(1, 2)), Fault::BondHalf)];
    expect(|folder| remove(folder, Key::BondOf(pair(1, 2))), half.clone()).await;
    expect(|folder| remove(folder, Key::Bond(pair(1, 2))), half).await;
    let number = DirectNumber::new(1).expect("valid");
    let astray = vec![(Subject::Pair(pair(1, 2)), Fault::NumberAstray(1))];
    expect(|folder| remove(folder, Key::DirectOf(number)), astray.clone()).await;
    expect(|folder| remove(folder, Key::Direct(pair(1, 2))), astray).await;
    let again = vec![(Subject::Folder, Fault::Sequence { sequence: Sequence::Directs, last: 0, used: 65 })];
    expect(|folder| remove(folder, Key::Sequence(Sequence::Directs)), again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_became_something_else_than_the_log_says_are_found() {
    let conversation = direct(1, 4);
    let log = LogId::from(conversation);
    let chat = |fault| vec![(Subject::Log(log), fault)];
    let amended = Key::Amended(conversation, seq(1));
    let wrong = chat(Fault::RowWrong(RowKind::Amendment));
    expect(|folder| edit(folder, amended, |row: &mut Projected<Amendment>| row.row.edited = None), wrong.clone()).await;
    let undeleted = |folder: &Folder| {
        edit(folder, Key::Amended(conversation, seq(2)), |row: &mut Projected<Amendment>| row.row.deleted = None);
    };
    expect(undeleted, wrong).await;
    expect(|folder| remove(folder, amended), chat(Fault::RowMissing(RowKind::Amendment))).await;
    let gone = Key::Gone(conversation, Bucket(0));
    let more = |folder: &Folder| edit(folder, gone, |row: &mut Projected<Bits>| row.row = row.row.clone().with(0));
    expect(more, chat(Fault::RowWrong(RowKind::Gone))).await;
    expect(|folder| remove(folder, gone), chat(Fault::RowMissing(RowKind::Gone))).await;
    // What was deleted is still there, or is gone without a deletion.
    let back = |folder: &Folder| edit(folder, Key::Entry(log, seq(2)), |row: &mut Entry| row.act = message("back"));
    expect(back, chat(Fault::NotErased(2))).await;
    let erased = Act::Erased(Erased { message: true, digest: Digest(1, 2) });
    expect(|folder| edit(folder, Key::Entry(log, seq(1)), |row: &mut Entry| row.act = erased), chat(Fault::ErasedStray(1))).await;
    let edit_back = Act::Edited { target: seq(2), content: Content::default() };
    expect(|folder| edit(folder, Key::Entry(log, seq(5)), |row: &mut Entry| row.act = edit_back), chat(Fault::NotErased(2))).await;
    let reactions = Projected { version: seq(1), row: vec![reaction("+1")] };
    let stray = vec![(Subject::Place(user(1), conversation), Fault::RowStray(RowKind::Reactions))];
    expect(|folder| put(folder, Key::Reactions(conversation, seq(1), user(1)), &reactions), stray).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_want_and_are_told_follows_from_their_logs() {
    let at = |fault| vec![(Subject::Place(user(1), direct(1, 4)), fault)];
    let preferences = Key::Preferences(user(1), direct(1, 4));
    let loud = |folder: &Folder| edit(folder, preferences, |row: &mut Projected<Preferences>| row.row.muted_until = None);
    expect(loud, at(Fault::RowWrong(RowKind::Preferences))).await;
    let hidden = Key::Hidden(user(1), direct(1, 4), Bucket(0));
    expect(|folder| remove(folder, hidden), at(Fault::RowMissing(RowKind::Hidden))).await;
    let cid = |fault| vec![(Subject::Account(user(3)), fault)];
    let read = |folder: &Folder| edit(folder, Key::NoticesRead(user(3)), |row: &mut Projected<Seq>| row.version = seq(1));
    expect(read, [cid(Fault::RowWrong(RowKind::NoticesRead)), cid(Fault::RowStray(RowKind::NoticesRead))].concat()).await;
    let stray = Projected { version: seq(1), row: None::<Notice> };
    expect(|folder| put(folder, Key::Notice(user(3), seq(90)), &stray), cid(Fault::RowStray(RowKind::Notice))).await;
    let invited = Key::Invited(group(65), user(3));
    let uninvited = |folder: &Folder| edit(folder, invited, |row: &mut Projected<Option<Invitation>>| row.row = None);
    let in_group = |fault| (Subject::Place(user(3), of_group(65)), fault);
    let expected = vec![in_group(Fault::RowWrong(RowKind::Invitation)), in_group(Fault::RowStray(RowKind::Invitation))];
    expect(uninvited, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_would_be_given_out_again_are_found() {
    let fault = |sequence, last, used| vec![(Subject::Folder, Fault::Sequence { sequence, last, used })];
    let principals = Key::Sequence(Sequence::Principals);
    expect(|folder| put(folder, principals, &64_u64), fault(Sequence::Principals, 64, 65)).await;
    expect(|folder| remove(folder, principals), fault(Sequence::Principals, 0, 65)).await;
    let folder = retold().await;
    change(folder.path(), |folder| put(folder, Key::Sequence(Sequence::Segments), &1_u64));
    let (_, problems) = checked(folder.path());
    assert!(matches!(problems[..], [Problem { fault: Fault::Sequence { sequence: Sequence::Segments, last: 1, .. }, .. }]), "{problems:?}");
    expect(|folder| put(folder, Key::Start, &10_000_u64), vec![(Subject::Folder, Fault::Counts)]).await;
}

#[tokio::test]
async fn a_client_key_may_come_back_after_its_promise() {
    let mut replay = super::replay::Replay::of(chat());
    let mut of = |value: u64, key: &str, days: i64| {
        replay.entry(&Entry {
            seq: seq(value),
            pos: Pos(value),
            id: MessageId::at(Segment(value.div_ceil(4_096)), seq(value)),
            author: user(1),
            client_key: ClientKey::new(key).expect("valid"),
            at: Timestamp(days * 86_400_000_000 + i64::try_from(value).expect("small")),
            act: message("x"),
        });
    };
    of(1, "k", 0);
    of(2, "k", 2);
    for value in 3..=5_000 {
        of(value, &value.to_string(), 2);
    }
    of(5_001, "k", 2);
    of(5_002, "4990", 2);
    let (followed, faults) = replay.finish(None);
    assert_eq!(faults, [Fault::KeyTwice { first: 4_990, second: 5_002 }, Fault::NoHead]);
    assert_eq!(followed.own.get(&user(1)), Some(&(Seq::new(5_002).expect("valid"), Pos(5_002))));
}
