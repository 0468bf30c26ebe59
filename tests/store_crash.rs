//! kill -9 while appends are acknowledged: what was acknowledged is there, at its place, and nothing has a hole.
//!
//! The child is this test binary again. It says each acknowledgement on its standard output; the parent kills it
//! somewhere in the middle, opens the folder and compares. Each round goes on from what the last one left.

#![expect(clippy::print_stdout, reason = "the child tells its parent what was acknowledged")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use actors::id::{BUCKET_SEQS, LogId, Seq};
use actors::store::{LogStore, MemberStore};
use actors::testkit::contract::samples::{batch_with, direct, head, marks, user, whole};
use parlance::store::embedded::{EmbeddedStore, Options};

const FOLDER: &str = "PARLANCE_CRASH_FOLDER";
const ROUNDS: usize = 20;
const LOGS: u64 = 8;

fn log(n: u64) -> LogId {
    direct(1, n + 2).into()
}

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(Options::new(folder, Box::new(|why| unreachable!("{why}")))).expect("it opens again")
}

/// Appends one, two or three entries at a time, and raises marks, until it is killed.
async fn append_for_ever(store: Arc<EmbeddedStore>, n: u64) {
    let mut stands = head(&*store, log(n)).await;
    let epoch = store.claim(log(n), stands).await.expect("nobody else claims");
    loop {
        let room = BUCKET_SEQS - stands.tail.offset_of_next();
        let count = (1 + (stands.tail.get() + n) % 3).min(room);
        let batch = Arc::new(batch_with(stands, epoch, u128::from(stands.tail.get()) + 1, count, Vec::new()));
        stands = batch.after;
        store.append(log(n), batch).await.expect("the tail is ours");
        println!("\nacked {n} {}", stands.tail.get());
        let tail = stands.tail.get();
        store.raise(direct(1, n + 2), vec![(user(1), marks(tail, tail))]).await.expect("raised");
        println!("\nraised {n} {tail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Arc::new(open(Path::new(&folder)));
    let tasks: Vec<_> = (0..LOGS).map(|n| tokio::spawn(append_for_ever(Arc::clone(&store), n))).collect();
    for task in tasks {
        task.await.expect("it never ends");
    }
}

/// Starts the child, kills it after so many acknowledgements, and answers the highest of each log, and of its marks.
fn kill_after(folder: &Path, acks: usize) -> BTreeMap<(String, u64), u64> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_child_appends_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (mut highest, mut seen) = (BTreeMap::new(), 0);
    for line in lines {
        let line = line.expect("readable");
        let words: Vec<_> = line.split(' ').collect();
        let [what @ ("acked" | "raised"), n, tail] = words[..] else { continue };
        highest.insert((what.to_owned(), n.parse().expect("a log")), tail.parse().expect("a seq"));
        seen += 1;
        if seen == acks {
            child.kill().expect("killed"); // SIGKILL; what is still in the pipe was acknowledged as well
        }
    }
    assert!(!child.wait().expect("ended").success() && seen >= acks, "{seen} acknowledgements");
    highest
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acked = BTreeMap::new();
    for round in 0..ROUNDS {
        acked.extend(kill_after(folder.path(), 60 + 37 * round));
        let store = open(folder.path());
        for n in 0..LOGS {
            let promised = |what: &str| acked.get(&(what.to_owned(), n)).copied().unwrap_or(0);
            let (stands, entries) = (head(&store, log(n)).await, whole(&store, log(n)).await);
            let tail = stands.tail.get();
            assert!((promised("acked")..=promised("acked") + 3).contains(&tail), "round {round}, log {n}: {tail}, {acked:?}");
            let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
            assert_eq!(seqs, (1..=tail).map(|value| Seq::new(value).expect("valid")).collect::<Vec<_>>(), "round {round}, log {n}");
            assert_eq!(entries.last().map(|entry| (entry.at, entry.pos)), (tail > 0).then_some((stands.last_at, stands.count)));
            let read = store.marks(user(1), &[direct(1, n + 2)]).await.expect("marks")[0].read.seq.get();
            assert!(read >= promised("raised") && read <= tail, "round {round}, log {n}: read {read} of {tail}");
        }
    }
}
