//! Power cuts: the store is opened on what a cut leaves, at the edges of syncs and in between.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use actors::testkit::clock::SeededRandom;
use tempfile::TempDir;

use crate::disk::{Disk, Unsynced};
use crate::judge::{Said, goes_on, judge, open};
use crate::trace::{self, Event};
use crate::workload::Plan;

/// Cut points of the test run; `PARLANCE_POWER_CUTS` asks for more, `PARLANCE_POWER_SEED` for other tears at them.
const CUTS: usize = 100;

/// A scratch folder, in memory if the machine has one there.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a scratch folder")
}

/// Compiles the shim.
pub(crate) fn shim(into: &Path) -> PathBuf {
    let library = into.join("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/shim.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().expect("a C compiler named cc").success(), "the shim does not compile");
    library
}

/// What a child did to its files, and the folder that it left.
pub(crate) struct Recorded {
    pub(crate) scratch: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) events: Vec<Event>,
    inode: u64,
}

impl Recorded {
    /// The disk before anything has happened.
    pub(crate) fn disk(&self) -> Disk {
        Disk::new(&self.root, self.inode)
    }
}

/// Runs a plan under the shim, with a failure if one is given.
pub(crate) fn record(plan: Plan, failure: Option<&str>) -> Recorded {
    let scratch = scratch();
    let root = scratch.path().join("root");
    std::fs::create_dir(&root).expect("made");
    let (root, trace) = (root.canonicalize().expect("it is there"), scratch.path().join("trace"));
    let inode = std::fs::metadata(&root).expect("it is there").ino();
    let mut child = plan.child(&root);
    child.env("LD_PRELOAD", shim(scratch.path())).env("POWER_FOLDER", &root).env("POWER_TRACE", &trace);
    child.envs(failure.map(|failure| ("POWER_FAIL", failure)));
    assert!(child.status().expect("started").success(), "the child failed");
    let events = trace::read(&trace);
    std::fs::remove_file(trace).expect("it was read");
    assert_eq!(events.last(), Some(&Event::Mark("done 0 0\n".to_owned())), "the child did not finish its plan");
    Recorded { scratch, root, events, inode }
}

/// Places in the trace where the power is cut: before and after syncs and in between. A quarter of them lie around the
/// moment `about`, a quarter at files and folders that are rarely synced, the rest where the journal is synced.
fn places(events: &[Event], cuts: usize, about: usize) -> Vec<usize> {
    let mut times = HashMap::new();
    for (_, inode) in syncs(events) {
        *times.entry(inode).or_insert(0) += 1;
    }
    let (often, mut rarely): (Vec<_>, Vec<_>) = syncs(events).partition(|(_, inode)| times[inode] > 100);
    let spread = |of: &[(usize, u64)], count: usize| -> Vec<usize> {
        let count = count.min(of.len());
        (0..count).map(|n| of[n * of.len() / count].0).collect()
    };
    let mut places = BTreeSet::from_iter(spread(&rarely, cuts / 4));
    rarely.sort_by_key(|(place, _)| place.abs_diff(about));
    places.extend(spread(&rarely[..rarely.len().min(cuts / 4)], cuts / 4));
    places.extend(spread(&often, cuts - places.len()));
    let places: Vec<_> = places.into_iter().collect();
    let edges = places.iter().enumerate().map(|(n, place)| match (n % 3, places.get(n + 1)) {
        (1, _) => place + 1,
        (2, Some(next)) => usize::midpoint(*place, *next),
        _ => *place,
    });
    edges.collect()
}

/// Where something was synced, and what.
fn syncs(events: &[Event]) -> impl Iterator<Item = (usize, u64)> {
    events.iter().enumerate().filter_map(|(place, event)| match event {
        Event::Sync { inode } => Some((place, *inode)),
        _ => None,
    })
}

/// Cuts a plan in so many places; its trace must make a file that ends with `makes`.
#[expect(clippy::print_stderr, reason = "the figures are worth a look")]
async fn cut_all(plan: Plan, cuts: usize, makes: &str) {
    let recorded = record(plan, None);
    let events = &recorded.events;
    let made = events.iter().position(|event| matches!(event, Event::Create { path, .. } if path.ends_with(makes)));
    let places = places(events, cuts, made.expect("the plan makes such a file"));
    assert!(places.len() >= cuts, "the trace has {} syncs only", places.len());
    let (mut disk, mut said, mut played) = (recorded.disk(), Said::default(), 0);
    let (seed, mut torn) = (asked_for("PARLANCE_POWER_SEED", 0), 0);
    for (n, place) in places.into_iter().enumerate() {
        for event in &events[played..place] {
            disk.play(event);
            said.hear(event);
        }
        played = place;
        let chance = SeededRandom::new((seed * 1_000_000 + n) as u64);
        for unsynced in [Unsynced::Lost, Unsynced::Chance(&chance)] {
            let folder = scratch();
            disk.build(folder.path(), &unsynced);
            let verdict = after_the_cut(folder.path(), &said, plan.padding, n % 4 == 0).await;
            torn += usize::from(folder.path().join("data/store/parlance.torn").exists());
            let how = if matches!(unsynced, Unsynced::Lost) { "lost" } else { "kept by chance" };
            assert_eq!(verdict, Ok(()), "cut {n} of seed {seed} at event {place} of {}, what was not synced {how}", events.len());
        }
    }
    eprintln!("{cuts} cuts around {makes}, each with what was not synced lost and by chance: {torn} torn ends of a journal cut off");
}

pub(crate) async fn after_the_cut(folder: &Path, said: &Said, padding: usize, go_on: bool) -> Result<(), String> {
    let store = open(folder).map_err(|error| error.to_string())?;
    judge(&store, said, padding).await?;
    if go_on { goes_on(folder, store, padding).await } else { Ok(()) }
}

/// A number that the environment may set.
pub(crate) fn asked_for(name: &str, default: usize) -> usize {
    let asked = std::env::var_os(name);
    asked.map_or(default, |asked| asked.to_str().and_then(|asked| asked.parse().ok()).expect("a number of rounds"))
}

fn cuts() -> usize {
    asked_for("PARLANCE_POWER_CUTS", CUTS)
}

/// Four starts, half of them after no stop; the witness is written while it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_power_cut() {
    let plan = Plan { starts: 4, batches: 40, padding: 0, pause: Duration::from_millis(8), memtable_bytes: 32 << 20 };
    cut_all(plan, cuts() * 7 / 10, "parlance.witness").await;
}

/// Some thirty tables are written and compacted.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_power_cut_while_tables_are_written() {
    let plan = Plan { starts: 2, batches: 120, padding: 2_000, pause: Duration::ZERO, memtable_bytes: 256 << 10 };
    cut_all(plan, cuts() * 2 / 10, "tables/9").await;
}

/// A journal is full at 64 MB and followed by the next.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_power_cut_while_journals_change() {
    let plan = Plan { starts: 1, batches: 260, padding: 30_000, pause: Duration::ZERO, memtable_bytes: 4 << 20 };
    cut_all(plan, cuts() / 10, "store/1.jnl").await;
}

/// The proof of the proof: were the journal not synced, these cuts would find it.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_not_synced_would_be_found() {
    let plan = Plan { starts: 1, batches: 30, padding: 0, pause: Duration::ZERO, memtable_bytes: 32 << 20 };
    let recorded = record(plan, None);
    let (mut disk, mut said, events) = (recorded.disk(), Said::default(), &recorded.events);
    let begun = events.iter().position(|event| matches!(event, Event::Mark(_))).expect("it says that it opened");
    for (place, event) in events.iter().enumerate() {
        said.hear(event);
        if place < begun || !matches!(event, Event::Sync { .. }) {
            disk.play(event);
        }
    }
    let folder = scratch();
    disk.build(folder.path(), &Unsynced::Lost);
    let verdict = after_the_cut(folder.path(), &said, plan.padding, false).await;
    assert!(verdict.clone().is_err_and(|found| found.contains("the tail is not between acked and sent")), "{verdict:?}");
}
