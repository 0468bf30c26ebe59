//! Whole nodes over one store, with seeds: several owners of the same conversations, crashes, pauses, cut lines, clocks
//! that jump, actors that die, answers that are lost and writes that land late. Clients record what they were told;
//! a checker that is a separate, simple model judges it against the final log.
//!
//! `PARLANCE_SIM_SEEDS=20000 cargo test -p actors --release --test sim` plays more seeds; `PARLANCE_SIM_SEED=n` plays
//! one and prints its whole trace. The runs are repeatable: no wall clock, no thread of their own, no chance but the
//! seed's.

mod plan;
mod history;
mod faults;
mod bugs;
mod client;
mod checker;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bugs::Bug;
use checker::{Violation, judge, told};
use history::hash;
use plan::Plan;
use world::{COUNTED, DEATHS, Run, run};

/// How many seeds the test run plays.
const SEEDS: u64 = 200;
/// Within how many seeds each planted bug must be found.
const FOUND_WITHIN: u64 = 200;
/// How many lines of a failing seed's trace are printed.
const TAIL: usize = 60;

#[expect(clippy::disallowed_methods, reason = "the runner's own settings")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number of seeds"))
}

fn play(seed: u64, bug: Option<Bug>) -> (Run, Vec<Violation>) {
    let run = run(&Plan::of(seed), bug);
    let mut found = judge(&run.facts, &run.logs);
    if bug.is_none() {
        let deaths = run.tally.get(DEATHS);
        if deaths > run.kills {
            found.push(Violation {
                of: "F4",
                what: format!("{deaths} actors died and {} were killed: some broke by themselves", run.kills),
            });
        }
        for (index, name) in COUNTED.iter().enumerate().skip(DEATHS + 1) {
            if run.tally.get(index) > 0 {
                found.push(Violation { of: "F13", what: format!("{name}: {}", run.tally.get(index)) });
            }
        }
    }
    (run, found)
}

fn tail(run: &Run) -> String {
    run.trace[run.trace.len().saturating_sub(TAIL)..].join("\n")
}

fn each_next(next: &AtomicU64, seeds: u64, each: &(impl Fn(u64) -> bool + Sync)) -> bool {
    let seed = next.fetch_add(1, Ordering::Relaxed);
    let on = seed < seeds && each(seed);
    if !on {
        next.store(u64::MAX / 2, Ordering::Relaxed);
    }
    on
}

/// Plays seeds on two threads, each run on one of them; `each` says whether to go on.
fn for_each_seed(seeds: u64, each: impl Fn(u64) -> bool + Sync) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| while each_next(&next, seeds, &each) {});
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_stored_twice() {
    if let Some(seed) = number("PARLANCE_SIM_SEED") {
        let (run, found) = play(seed, None);
        let trace = run.trace.join("\n");
        assert!(found.is_empty(), "{trace}\nseed {seed} {:?}\n{}", Plan::of(seed), told(&found));
        return;
    }
    let seeds = number("PARLANCE_SIM_SEEDS").unwrap_or(SEEDS);
    let (sums, failed) = (Mutex::new([0_u64; COUNTED.len()]), Mutex::new(Vec::new()));
    for_each_seed(seeds, |seed| {
        let (run, found) = play(seed, None);
        for (index, sum) in sums.lock().expect("adding cannot panic").iter_mut().enumerate() {
            *sum += run.tally.get(index);
        }
        let mut failed = failed.lock().expect("noting cannot panic");
        if !found.is_empty() {
            failed.push(format!("seed {seed} (PARLANCE_SIM_SEED={seed} shows all):\n{}\n{}", tail(&run), told(&found)));
        }
        failed.len() < 10
    });
    let sums = sums.into_inner().expect("adding cannot panic");
    report(&format!("{seeds} seeds: {:?}", COUNTED.iter().zip(sums).collect::<Vec<_>>()));
    let failed = failed.into_inner().expect("noting cannot panic");
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), failed.join("\n"));
    // A simulation in which nothing went wrong would prove nothing.
    assert!(sums[..=DEATHS].iter().all(|sum| *sum > 0), "some kind of trouble never came: {sums:?}");
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for_each_seed(20, |seed| {
        let [one, other] = [(); 2].map(|()| play(seed, None).0.trace);
        if let Some(line) = one.iter().zip(&other).position(|(one, other)| one != other) {
            let from = line.saturating_sub(5);
            assert_eq!(one[from..=line], other[from..=line], "seed {seed} is two different runs from line {line}");
        }
        assert_eq!(hash(&one), hash(&other), "seed {seed} is two different runs");
        true
    });
}

#[test]
fn each_planted_bug_is_found() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let caught = Mutex::new(None);
        for_each_seed(FOUND_WITHIN, |seed| {
            let (_, found) = play(seed, Some(bug));
            if let Some(first) = found.first() {
                let mut caught = caught.lock().expect("noting cannot panic");
                if caught.as_ref().is_none_or(|(earlier, _)| *earlier > seed) {
                    *caught = Some((seed, first.clone()));
                }
            }
            found.is_empty()
        });
        match caught.into_inner().expect("noting cannot panic") {
            Some((seed, Violation { of, what })) => report(&format!("{bug:?}: caught by seed {seed}: {of}: {what}")),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found within {FOUND_WITHIN} seeds: {missed:?}");
}

#[expect(clippy::print_stderr, reason = "the figures are what a reader runs this for")]
fn report(text: &str) {
    eprintln!("{text}");
}
