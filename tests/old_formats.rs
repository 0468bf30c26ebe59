//! Data folders of earlier formats are opened, checked and read for ever.
//!
//! `tests/fixtures/format-N.tar.gz` is a folder of format N with a small history in it: every kind of record, every act
//! (`actors::testkit::story`), a log of two buckets, most of it in tables and some in the journal. A fixture is never
//! written again. When the format changes, make the one of the new format with
//!
//! ```text
//! PARLANCE_FIXTURE=tests/fixtures/format-2.tar.gz cargo test --lib a_fixture_is_made_when_asked_for
//! ```
//!
//! and name it in [`FORMATS`] with the number of records that `parlance export` counts in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use actors::archive::Section;
use actors::command::{Command as Ask, MarkKind};
use actors::content::{ClientKey, Content};
use actors::entry::{Act, Role};
use actors::id::Seq;
use actors::store::Store;
use actors::testkit::contract::archive::everything;
use actors::testkit::contract::samples::{direct, group, of_group, seq, user};
use actors::testkit::story::Teller;
use actors::time::Timestamp;
use actors::view::View;
use parlance::store::embedded::{EmbeddedStore, Options, check};
use tempfile::TempDir;

/// Every format that there was, with how many records its fixture has.
const FORMATS: &[(&str, usize)] = &[("format-1", 4_310), ("format-2", 4_358)];
/// Messages in the fixtures beyond the story's own: enough for a second bucket, and those in the journal.
const MESSAGES: u64 = 4_200;
const IN_JOURNAL: u64 = 50;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn tar(arguments: &[&str]) {
    let done = Command::new("tar").args(arguments).status().expect("tar can be run");
    assert!(done.success(), "tar {arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// A copy of a fixture.
fn copy(format: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    tar(&["-xzf", text(&fixtures().join(format!("{format}.tar.gz"))), "-C", text(folder.path())]);
    folder
}

fn open(folder: &Path) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(Options::new(folder, Box::new(|why| unreachable!("{why}")))).expect("it opens"))
}

fn is_well(folder: &Path) {
    let mut problems = Vec::new();
    check(folder, &mut |problem| problems.push(problem.to_string())).expect("it opens");
    assert_eq!(problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn opens_format_1() {
    let (format, records) = FORMATS[0];
    let folder = copy(format);
    is_well(folder.path());
    let store = open(folder.path());
    let all = everything(&*store).await;
    assert_eq!(all.len(), records);
    for section in Section::ALL.into_iter().filter(|section| *section <= Section::Marks) {
        assert!(all.iter().any(|record| record.section() == section), "{section:?}");
    }
    is_found(&*store).await;
    reads(Arc::clone(&store) as _).await;
    writes(Arc::clone(&store) as _).await;
    store.close().await;
    drop(store);
    while check(folder.path(), &mut |_| {}).is_err() {
        tokio::task::yield_now().await; // an actor that ends holds the store a moment longer
    }
    is_well(folder.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn opens_format_2() {
    let (format, records) = FORMATS[1];
    let folder = copy(format);
    is_well(folder.path());
    let store = open(folder.path());
    let all = everything(&*store).await;
    for section in Section::ALL {
        assert!(all.iter().any(|record| record.section() == section), "{section:?}");
    }
    assert_eq!(all.len(), records);
    writes(Arc::clone(&store) as _).await;
    store.close().await;
    drop(store);
    while check(folder.path(), &mut |_| {}).is_err() {
        tokio::task::yield_now().await; // an actor that ends holds the store a moment longer
    }
    is_well(folder.path());
}

/// What the format did not have is made when the folder is opened: accounts are found, and so are logins.
async fn is_found(store: &dyn Store) {
    for (text, found) in [("ann", vec![user(1), user(4)]), ("d", vec![user(4)]), ("man", vec![user(4)]), ("x", vec![])] {
        assert_eq!(store.search(text, 9).await, Ok(found), "{text}");
    }
    for number in 1..=4 {
        let logins = store.logins(user(number), Timestamp(0), 9).await.expect("readable");
        assert_eq!(logins.iter().map(|login| login.row.id.0).collect::<Vec<_>>(), if number == 4 { vec![] } else { vec![number.into()] });
    }
}

/// What the story tells is what a node answers today.
async fn reads(store: Arc<dyn Store>) {
    let place = store.membership(group(65), user(3)).await.expect("readable").expect("a former member");
    assert_eq!((place.role, place.since, place.until), (Role::Member, seq(1), Some(seq(4))));
    assert_eq!(store.listed(user(2), None, 9).await, Ok(vec![direct(1, 2), of_group(65)]));
    let renamed = store.accounts(&[user(4)]).await.expect("readable").remove(0).expect("an account");
    assert_eq!((renamed.username.as_str(), renamed.email.as_str()), ("dan.the-man", "Dan@example.org"));
    let marks = store.marks(user(2), &[direct(1, 2)]).await.expect("readable")[0];
    assert_eq!((marks.read.seq, marks.delivered.seq), (seq(2), seq(2)));

    let teller = Teller::over(store, 2).await;
    let first = teller.history(user(1), direct(1, 2), 0).await;
    let texts: Vec<_> = first.entries.iter().take(3).map(|entry| text_of(&entry.entry.act)).collect();
    assert_eq!(texts, ["hello, 你好 🙂", "hi", "how are you?"]);
    let Act::Message(Content { data, reply_to, mentions, .. }) = &first.entries[1].entry.act else { unreachable!("a message") };
    assert_eq!((data.is_some(), *reply_to, &mentions[..]), (true, Some(seq(1)), &[user(1)][..]));
    let in_group = teller.history(user(3), of_group(65), 0).await;
    assert_eq!(in_group.tail.seq, seq(4), "who was removed reads up to there");
    assert!(matches!(&in_group.entries[0].entry.act, Act::Created { name, .. } if name.as_str() == "the “first” group"));
    teller.stop().await;
}

fn text_of(act: &Act) -> &str {
    match act {
        Act::Message(content) => &content.text,
        other => unreachable!("no message: {other:?}"),
    }
}

/// And it goes on from there: client keys are known, the next entry is the next seq.
async fn writes(store: Arc<dyn Store>) {
    let conversation = direct(1, 2);
    let tail = 3 + MESSAGES + IN_JOURNAL;
    let teller = Teller::over(store, 3).await;
    let ben = teller.connect(user(2)).await;
    let post = |key: &str, text: &str| Ask::Post {
        conversation,
        client_key: ClientKey::new(key).expect("valid"),
        content: Content { text: text.into(), ..Content::default() },
        media: vec![],
    };
    let last = format!("this is message {} of {MESSAGES} in {conversation}, and nobody will miss it", MESSAGES - 1);
    let again = teller.ask(&ben, post(&format!("n{}", MESSAGES - 1), &last)).await;
    assert!(matches!(&again, Ok(View::Appended(appended)) if appended.duplicate && appended.seq == seq(tail - IN_JOURNAL)), "{again:?}");
    let next = teller.ask(&ben, post("new", "a word of today")).await;
    assert!(matches!(&next, Ok(View::Appended(appended)) if !appended.duplicate && appended.seq == seq(tail + 1)), "{next:?}");
    let mark = Ask::Mark { conversation, mark: MarkKind::Read, seq: Seq::new(tail + 1).expect("valid"), private: false };
    assert!(teller.ask(&ben, mark).await.is_ok());
    teller.stop().await;
}

/// Each fixture stays what it was: an export of it has every record, and its folder is small.
#[test]
fn every_format_has_its_fixture() {
    let mut names: Vec<_> = std::fs::read_dir(fixtures())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("format-"))
        .collect();
    names.sort();
    let expected: Vec<_> = FORMATS.iter().map(|(format, _)| format!("{format}.tar.gz")).collect();
    assert_eq!(names, expected);
    for name in names {
        let bytes = std::fs::metadata(fixtures().join(&name)).expect("it is there").len();
        assert!(bytes < 300 * 1_024, "{name} has {bytes} bytes");
    }
}
