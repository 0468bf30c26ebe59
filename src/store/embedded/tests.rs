//! What the contract cannot say: starts and stops, damage, groups, and the node that stops rather than lie.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actors::account::{Login, Seen};
use actors::entry::Row;
use actors::id::{Epoch, LogId, LoginId, Pos, Seq};
use actors::limits::{Limit, Limits};
use actors::store::{AccountKey, AccountStore, AppendError, LogStore, MemberStore, Sequence, Store, StoreError};
use actors::testkit::contract::samples::{
    account, batch_with, claim, direct, fill, head, login, marks, of_group, seq, together, user, whole, write,
};
use actors::testkit::story::{self, Teller};
use actors::time::Timestamp;
use tokio::sync::mpsc;

use super::folder::Folder;
use super::keys::{Key, Space};
use super::records::Stored;
use super::{EmbeddedStore, OpenError, Options, check, witness};

fn options(folder: &Path) -> Options {
    Options::new(folder, Box::new(|why| unreachable!("{why}")))
}

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(options(folder)).expect("it opens")
}

fn refused(folder: &Path) -> OpenError {
    EmbeddedStore::open(options(folder)).expect_err("it must not open")
}

/// Writes bytes past all rules.
fn plant(folder: &Path, key: Key<'_>, value: Vec<u8>) {
    let opened = Folder::open(folder, 1024 * 1024, 1024 * 1024).expect("it opens");
    opened.folder.keyspace(key.space()).insert(key.bytes(), value).expect("written");
    opened.folder.database().persist(fjall::PersistMode::SyncAll).expect("synced");
}

async fn write_some_of_each(store: &EmbeddedStore) {
    fill(store, direct(1, 2).into(), 30).await;
    write(store, user(1).into(), 1, 2, vec![(2, Row::Listed(direct(1, 2), true))]).await;
    write(store, direct(1, 2).into(), 99, 1, vec![(31, Row::Own(user(1), Pos(31)))]).await;
    store.raise(direct(1, 2), vec![(user(2), marks(5, 3))]).await.expect("raised");
    store.put_account(account(1, "ann", "a@b.c"), 0).await.expect("written");
    store.draw(Sequence::Principals, 10).await.expect("drawn");
}

async fn expect_some_of_each(store: &EmbeddedStore) {
    assert_eq!(whole(store, direct(1, 2).into()).await.len(), 31);
    assert_eq!(head(store, direct(1, 2).into()).await.tail, seq(31));
    assert_eq!(store.listed(user(1), None, 9).await, Ok(vec![direct(1, 2)]));
    assert_eq!(store.marks(user(2), &[direct(1, 2)]).await, Ok(vec![marks(5, 3)]));
    assert_eq!(store.marks(user(1), &[direct(1, 2)]).await.expect("marks")[0].badge, Pos(31));
    assert!(store.account(AccountKey::Id(user(1))).await.expect("readable").is_some());
}

#[tokio::test]
async fn everything_is_there_again_after_a_clean_stop_and_after_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    write_some_of_each(&store).await;
    store.close().await;
    drop(store);
    let store = open(folder.path());
    expect_some_of_each(&store).await;
    fill(&store, of_group(1).into(), 7).await;
    drop(store);
    let store = open(folder.path());
    expect_some_of_each(&store).await;
    assert_eq!(whole(&store, of_group(1).into()).await.len(), 7);
    assert_eq!(store.draw(Sequence::Principals, 1).await.expect("drawn").first, 11);
}

#[tokio::test]
async fn the_epoch_is_the_number_of_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = LogId::from(direct(1, 2));
    for start in 1..=3 {
        let store = open(folder.path());
        assert_eq!((store.start(), claim(&store, log).await), (Epoch(start), Epoch(start)));
        write(&store, log, u128::from(start), 1, Vec::new()).await;
        assert_eq!(head(&store, log).await.epoch, Epoch(start));
    }
}

#[tokio::test]
async fn a_claim_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for n in 2..50 {
        claim(&store, direct(1, n).into()).await;
    }
    assert_eq!(store.stats().commits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_folder_in_use_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let sentence = refused(folder.path()).to_string();
    assert!(sentence.contains("in use by another process") && sentence.contains("--data"), "{sentence}");
    drop(store);
    drop(open(folder.path()));
}

#[tokio::test]
async fn a_newer_format_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    plant(folder.path(), Key::Format, 3_u64.seal(&Key::Format.bytes()));
    let refusal = refused(folder.path());
    assert!(matches!(&refusal, OpenError::Format { found, known: 2, .. } if found == "3"), "{refusal}");
    assert!(refusal.to_string().contains("run the program that wrote it"), "{refusal}");
}

/// As a crash before the last step of an upgrade leaves it: some of what was lacking is there, the format is the old one.
#[tokio::test]
async fn an_upgrade_that_was_cut_off_is_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    store.draw(Sequence::Principals, 10).await.expect("drawn");
    for number in 1..=3 {
        let name = format!("ann{number}");
        store.put_account(account(number, &name, &format!("{name}@example.org")), 0).await.expect("written");
    }
    store.put_login(Login { ended_at: None, ..login(1) }, 0).await.expect("written");
    store.put_login(login(2), 0).await.expect("written");
    drop(store);
    let opened = Folder::look(folder.path(), 1024 * 1024).expect("it opens");
    for key in [Key::Word("ann2", user(2)), Key::Handle("ann3", user(3)), Key::LoginOf(user(4), LoginId(1))] {
        opened.keyspace(key.space()).remove(key.bytes()).expect("removed");
    }
    let key = Key::Format.bytes();
    opened.keyspace(Key::Format.space()).insert(&key, 1_u64.seal(&key)).expect("written");
    opened.database().persist(fjall::PersistMode::SyncAll).expect("synced");
    drop(opened);
    let store = open(folder.path());
    assert_eq!(store.search("ann", 9).await, Ok(vec![user(1), user(2), user(3)]));
    assert_eq!(store.search("ann3", 9).await, Ok(vec![user(3)]));
    assert_eq!(store.logins(user(4), Timestamp(0), 9).await.map(|logins| logins.len()), Ok(1));
    drop(store);
    let (mut problems, at) = (Vec::new(), folder.path());
    check(at, &mut |problem| problems.push(problem.to_string())).expect("it opens");
    // The samples' logins are of a user without an account.
    assert!(problems.iter().all(|problem| problem.contains("login of an account")), "{problems:?}");
}

/// It is given to the operating system and not synced: the commits that are counted are those that were.
#[tokio::test]
async fn a_touch_alone_is_no_commit_that_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let before = store.shared.commits();
    let seen = Seen { here: Some(Timestamp(5)), login: None };
    store.touch(user(1), seen).await.expect("touched");
    assert_eq!((store.shared.commits(), store.seen(&[user(1)]).await), (before, Ok(vec![seen])));
    store.put_account(account(1, "ann", "a@b.c"), 0).await.expect("written");
    assert_eq!(store.shared.commits(), before + 1);
    drop(store);
    assert_eq!(open(folder.path()).seen(&[user(1)]).await, Ok(vec![seen]), "the end of the process loses nothing");
}

#[tokio::test]
async fn a_format_that_is_damaged_or_gone_says_so() {
    for value in [Some(b"no record".to_vec()), None] {
        let folder = tempfile::tempdir().expect("a folder");
        drop(open(folder.path()));
        match value {
            Some(value) => plant(folder.path(), Key::Format, value),
            None => {
                let opened = Folder::open(folder.path(), 1024 * 1024, 1024 * 1024).expect("it opens");
                opened.folder.keyspace(Key::Format.space()).remove(Key::Format.bytes()).expect("removed");
            }
        }
        let refusal = refused(folder.path());
        assert!(matches!(refusal, OpenError::Damaged { .. }), "{refusal}");
        assert!(refusal.to_string().contains("restore the folder from a backup"), "{refusal}");
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_not_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    std::fs::remove_dir_all(folder.path().join("store")).expect("removed");
    for _ in 0..2 {
        let refusal = refused(folder.path());
        assert!(matches!(refusal, OpenError::Damaged { .. }), "{refusal}");
        assert!(refusal.to_string().contains("the database is gone"), "{refusal}");
    }
}

#[tokio::test]
async fn a_database_whose_making_was_cut_off_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = folder.path().join("store.begun");
    std::fs::create_dir_all(begun.join("keyspaces/1")).expect("made");
    std::fs::write(begun.join("0.jnl"), b"half a jour").expect("written");
    let store = open(folder.path());
    write_some_of_each(&store).await;
    drop(store);
    expect_some_of_each(&open(folder.path())).await;
    assert!(!begun.exists());
}

#[tokio::test]
async fn a_database_that_lost_a_part_is_not_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    std::fs::remove_file(folder.path().join(witness::NAME)).expect("removed");
    std::fs::remove_file(folder.path().join("store/version")).expect("removed");
    let refusal = refused(folder.path());
    assert!(matches!(refusal, OpenError::Damaged { .. }), "{refusal}");
}

/// Every file of the folder but the lock, by turns gone, cut short or overwritten: never a panic, and never a store
/// that forgot its messages without saying so.
#[tokio::test]
async fn damaged_files_are_refused_or_harmless() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    write_some_of_each(&store).await;
    store.close().await;
    drop(store);
    let mut refusals = 0;
    for file in files(folder.path()) {
        let bytes = used(&folder.path().join(&file));
        std::fs::write(folder.path().join(&file), &bytes).expect("written");
        if bytes.is_empty() || file.ends_with(witness::NAME) {
            continue;
        }
        let garbled: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x5a).collect();
        for damage in [None, Some(bytes[..bytes.len() / 2].to_vec()), Some(garbled)] {
            let copy = tempfile::tempdir().expect("a folder");
            for other in files(folder.path()) {
                std::fs::create_dir_all(copy.path().join(&other).parent().expect("a parent")).expect("made");
                std::fs::copy(folder.path().join(&other), copy.path().join(&other)).expect("copied");
            }
            match damage {
                None => std::fs::remove_file(copy.path().join(&file)).expect("removed"),
                Some(bytes) => std::fs::write(copy.path().join(&file), bytes).expect("written"),
            }
            match EmbeddedStore::open(options(copy.path())) {
                Ok(store) => expect_some_of_each(&store).await,
                Err(refusal) => {
                    refusals += 1;
                    assert!(refusal.to_string().contains("data folder"), "{file:?}: {refusal}");
                }
            }
        }
    }
    assert!(refusals > 3, "{refusals}");
}

/// A file without the zeros that a journal is made with.
fn used(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).expect("readable");
    let written = bytes.chunks(4_096).take_while(|chunk| **chunk != [0; 4_096][..chunk.len()]).map(<[u8]>::len).sum();
    bytes.truncate(written);
    bytes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below").to_owned());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_journal_that_lost_its_end_is_noticed_by_the_witness() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    fill_one_by_one(&store, 40).await;
    store.close().await;
    drop(store);
    let journal = files(folder.path()).into_iter().find(|file| file.extension().is_some_and(|kind| kind == "jnl")).expect("a journal");
    let path = folder.path().join(journal);
    let bytes = used(&path);
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
    let refusal = refused(folder.path());
    assert!(matches!(refusal, OpenError::Lost { held, witnessed: 41, .. } if held < 40), "{refusal:?}");
    assert!(refusal.to_string().contains("has lost acknowledged messages"), "{refusal}");
    std::fs::remove_file(folder.path().join(witness::NAME)).expect("removed");
    let store = open(folder.path());
    let log = LogId::from(direct(1, 2));
    let left = whole(&store, log).await;
    assert!(!left.is_empty() && left.len() < 40);
    assert_eq!(head(&store, log).await.tail.get(), left.len() as u64);
}

async fn fill_one_by_one(store: &EmbeddedStore, count: u64) {
    for n in 1..=count {
        write(store, direct(1, 2).into(), u128::from(n), 1, Vec::new()).await;
    }
}

#[tokio::test]
async fn a_damaged_entry_is_left_out_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = LogId::from(direct(1, 2));
    let store = open(folder.path());
    fill(&store, log, 10).await;
    drop(store);
    plant(folder.path(), Key::Entry(log, seq(4)), b"nonsense".to_vec());
    let store = open(folder.path());
    let seqs: Vec<_> = whole(&store, log).await.iter().map(|entry| entry.seq.get()).collect();
    assert_eq!(seqs, [1, 2, 3, 5, 6, 7, 8, 9, 10]);
    assert_eq!(store.stats().bad_records.load(Ordering::Relaxed), 1);
    let page = store.range(log, Seq::ZERO, seq(5), 3, true).await.expect("a page");
    assert_eq!(page.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>(), [5, 3, 2]);
    assert_eq!(store.stats().bad_records.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_damaged_head_freezes_its_log_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, other) = (LogId::from(direct(1, 2)), LogId::from(direct(1, 3)));
    let store = open(folder.path());
    let first = write(&store, log, 1, 1, Vec::new()).await;
    drop(store);
    plant(folder.path(), Key::Head(log), vec![1, 2, 3, 4, 5, 6]);
    let store = open(folder.path());
    assert!(matches!(store.head(log).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.heads(&[other, log]).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.claim(log, first.after).await, Err(AppendError::Corrupt(_))));
    let next = Arc::new(batch_with(first.after, store.start(), 2, 1, Vec::new()));
    assert!(matches!(store.append(log, next).await, Err(AppendError::Corrupt(_))));
    write(&store, other, 1, 1, Vec::new()).await;
    assert!(store.stats().bad_records.load(Ordering::Relaxed) >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_appends_share_few_syncs() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let mut appends = Vec::new();
    for n in 0..1_000 {
        let log = LogId::from(direct(1, n + 2));
        appends.push(store.append(log, Arc::new(batch_with(head(&store, log).await, store.start(), 1, 1, Vec::new()))));
    }
    assert!(together(appends).await.iter().all(Result::is_ok));
    let (fsyncs, requests) = (store.stats().fsyncs.load(Ordering::Relaxed), store.stats().requests.load(Ordering::Relaxed));
    assert_eq!((requests, store.stats().waiting.load(Ordering::Relaxed)), (1_000, 0));
    assert!(fsyncs <= 100, "{fsyncs} syncs for 1,000 appends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_makes_callers_wait_and_a_full_commit_starts_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut limits = Limits::default();
    limits.set(Limit::CommitsWaiting, 3);
    limits.set(Limit::CommitRows, 4);
    let store = EmbeddedStore::open(Options { limits, ..options(folder.path()) }).expect("it opens");
    let logs: Vec<_> = (0..100).map(|n| LogId::from(direct(1, n + 2))).collect();
    let append = |log: &LogId| store.append(*log, Arc::new(batch_with(actors::entry::Head::default(), store.start(), 1, 2, Vec::new())));
    assert!(together(logs.iter().map(append).collect()).await.iter().all(Result::is_ok));
    assert!(store.stats().commits.load(Ordering::Relaxed) >= 50, "two batches of two rows fill a commit");
    assert!(store.heads(&logs).await.expect("heads").iter().all(|head| head.tail == seq(2)));
}

/// A store that must stop, and what it says when it does.
fn fragile(folder: &Path, limits: Limits) -> (EmbeddedStore, mpsc::Receiver<String>) {
    let (said, heard) = mpsc::channel(1);
    let fatal = Box::new(move |why| said.try_send(why).expect("it says so once"));
    (EmbeddedStore::open(Options { limits, ..Options::new(folder, fatal) }).expect("it opens"), heard)
}

async fn expect_stopped(store: &EmbeddedStore, log: LogId) {
    let next = Arc::new(batch_with(actors::entry::Head::default(), store.start(), 2, 1, Vec::new()));
    assert!(matches!(store.append(log, next).await, Err(AppendError::Unknown(_))));
    assert!(matches!(store.draw(Sequence::Segments, 1).await, Err(StoreError::Unavailable(_))));
    assert!(store.readiness().is_err());
    assert_eq!(store.stats().failures.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_failed_commit_is_never_acknowledged_and_stops_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, mut heard) = fragile(folder.path(), Limits::default());
    let log = LogId::from(direct(1, 2));
    store.shared.broken.store(true, Ordering::Release);
    let first = Arc::new(batch_with(actors::entry::Head::default(), store.start(), 1, 1, Vec::new()));
    assert!(matches!(store.append(log, first).await, Err(AppendError::Unknown(_))));
    assert!(heard.recv().await.expect("said").contains("a commit failed"));
    expect_stopped(&store, log).await;
    drop(store);
    assert_eq!(whole(&open(folder.path()), log).await, []);
}

#[tokio::test]
async fn a_commit_that_hangs_stops_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut limits = Limits::default();
    limits.set(Limit::CommitWatchdog, 20);
    let (store, mut heard) = fragile(folder.path(), limits);
    store.shared.commit_begins();
    let why = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.expect("the watchdog watches");
    assert!(why.expect("said").contains("has not come back"));
    let first = Arc::new(batch_with(actors::entry::Head::default(), store.start(), 1, 1, Vec::new()));
    let log = LogId::from(direct(1, 2));
    assert!(matches!(store.append(log, first).await, Err(AppendError::Unknown(_))), "it came back, and is not acknowledged");
    expect_stopped(&store, log).await;
}

#[tokio::test]
async fn a_writer_that_panics_stops_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let (said, mut heard) = mpsc::channel(1);
    let fatal = Box::new(move |why| said.try_send(why).expect("it says so once"));
    let observe = Box::new(|_: &super::Committed| unreachable!("a planted bug"));
    let store = EmbeddedStore::open(Options { observe, ..Options::new(folder.path(), fatal) }).expect("it opens");
    let log = LogId::from(direct(1, 2));
    let first = Arc::new(batch_with(actors::entry::Head::default(), store.start(), 1, 1, Vec::new()));
    assert!(matches!(store.append(log, first).await, Err(AppendError::Unknown(_))));
    assert_eq!(heard.recv().await.expect("said"), "the writer panicked");
    expect_stopped(&store, log).await;
}

#[tokio::test]
async fn a_closed_store_refuses_writes_and_still_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    write_some_of_each(&store).await;
    let commits = 1 + store.stats().commits.load(Ordering::Relaxed);
    store.close().await;
    store.close().await;
    assert_eq!(store.readiness(), Err("the store is closed".to_owned()));
    assert!(matches!(store.draw(Sequence::Segments, 1).await, Err(StoreError::Unavailable(_))));
    expect_some_of_each(&store).await;
    let seen = witness::read(folder.path()).expect("readable").expect("written");
    assert_eq!((seen.commits, seen.start), (commits, 1));
}

#[tokio::test]
async fn a_list_of_tables_that_was_changed_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = EmbeddedStore::open(Options { memtable_bytes: 4_096, ..options(folder.path()) }).expect("it opens");
    fill(&store, direct(1, 2).into(), 2_000).await;
    drop(store);
    for current in files(folder.path()).into_iter().filter(|file| file.ends_with("current")) {
        let number = std::fs::read(folder.path().join(&current)).expect("readable")[0];
        let list = current.with_file_name(format!("v{number}"));
        let whole = std::fs::read(folder.path().join(&list)).expect("readable");
        let mut changed = whole.clone();
        changed[whole.len() / 4] ^= 8;
        std::fs::write(folder.path().join(&list), changed).expect("written");
        let refusal = refused(folder.path());
        assert!(matches!(refusal, OpenError::Damaged { .. }), "{refusal}");
        std::fs::write(folder.path().join(&list), whole).expect("written");
    }
    assert_eq!(whole(&open(folder.path()), direct(1, 2).into()).await.len(), 2_000);
}

// The fixture of the format in force, for the test of old formats to keep. It is made here because only the store itself
// can say what goes to its tables and what stays in its journal.

/// Where to make it, from the repository's root.
const ASKED: &str = "PARLANCE_FIXTURE";
/// Messages beyond the story's own: enough for a second bucket; and those that come behind the tables.
const MESSAGES: u64 = 4_200;
const IN_JOURNAL: u64 = 50;

/// Without the variable there is nothing to make; a fixture that is there is never written again.
#[tokio::test(flavor = "multi_thread")]
async fn a_fixture_is_made_when_asked_for() {
    let Some(path) = std::env::var_os(ASKED) else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(!path.exists(), "{} is there already", path.display());
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(open(folder.path()));
    story::tell(Arc::clone(&store) as _, MESSAGES).await;
    store.close().await;
    drop(store);
    into_tables(folder.path()).await;
    let store = Arc::new(open(folder.path()));
    let teller = Teller::over(Arc::clone(&store) as _, 9).await;
    let ann = teller.connect(user(1)).await;
    teller.chatter(&ann, direct(1, 2), IN_JOURNAL).await;
    teller.stop().await;
    store.close().await;
    drop(store);
    while check(folder.path(), &mut |problem| unreachable!("{problem}")).is_err() {
        tokio::task::yield_now().await; // an actor that ends holds the store a moment longer
    }
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let packed = Command::new("tar").arg("-czf").arg(&path).arg("-C").arg(folder.path()).arg(".").status();
    assert!(packed.expect("tar can be run").success());
}

/// Everything so far leaves the journal.
async fn into_tables(path: &Path) {
    let folder = loop {
        match Folder::look(path, 1024 * 1024) {
            Ok(folder) => break folder,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    for space in Space::ALL {
        folder.keyspace(space).rotate_memtable_and_wait().expect("written");
    }
}
