//! An exhaustive search over the append rules: two owners of one log, two messages, every order of events.
//!
//! It drives the owner that production runs (`actors::log::owner`), with lost replies, late writes, crashes, claims and
//! the roll-over to a new bucket. Nothing may be lost, doubled or renumbered in any reachable state. The wrong ways to
//! append are planted and must be found; the shortest trace is printed.

#![expect(clippy::print_stdout, reason = "the figures and the shortest traces are what this test is for")]

mod world;
mod search;

use search::{Verdict, search};
use world::{Setting, Variant};

/// Where the searches begin and how much may go wrong in them; more with `PARLANCE_MODEL=long`.
fn settings() -> Vec<Setting> {
    let mut settings = vec![
        Setting { name: "a fresh log, a fault and a crash", tail: 0, faults: 1, crashes: 1 },
        Setting { name: "the last seq of a bucket", tail: 4_095, faults: 1, crashes: 0 },
        Setting { name: "the first seq of a bucket", tail: 4_096, faults: 1, crashes: 0 },
    ];
    if std::env::var_os("PARLANCE_MODEL").is_some_and(|wish| wish == "long") {
        settings.push(Setting { name: "a fresh log, two faults and a crash", tail: 0, faults: 2, crashes: 1 });
        settings.push(Setting { name: "the last seq of a bucket, two faults", tail: 4_095, faults: 2, crashes: 0 });
    }
    settings
}

/// The fewest states that the search of the right rules must visit over all settings.
const STATES_MIN: usize = 400_000;

#[test]
fn the_append_rules_hold_in_every_reachable_state() {
    let mut states = 0;
    for setting in settings() {
        let found = search(setting, Variant::Right);
        println!("{}: {} states, {:?}", setting.name, found.states, found.verdict);
        assert_eq!(found.verdict, Verdict::Holds, "{:#?}", found.trace);
        states += found.states;
    }
    println!("in all {states} states, 0 violations");
    assert!(states >= STATES_MIN, "only {states} states");
}

#[test]
fn the_tail_alone_is_enough_the_epoch_only_makes_fencing_quick() {
    let found = search(Setting { name: "a fresh log", tail: 0, faults: 1, crashes: 0 }, Variant::TailOnly);
    println!("tail only: {} states, {:?}", found.states, found.verdict);
    assert_eq!(found.verdict, Verdict::Holds, "{:#?}", found.trace);
}

#[test]
fn every_wrong_way_is_found() {
    for (variant, tail, expected) in [
        (Variant::RenumberOnUnknown, 0, Verdict::Doubled),
        (Variant::FreeTheSlotOnAbsence, 0, Verdict::FailedButStored),
        (Variant::PlainRowsWithEpoch, 0, Verdict::Lost),
        (Variant::PlainRowsVerified, 0, Verdict::Lost),
        (Variant::PlainAtRollOver, 4_096, Verdict::Lost),
        (Variant::AckBeforeCommit, 0, Verdict::Lost),
        (Variant::NoKeys, 0, Verdict::Doubled),
    ] {
        let found = search(Setting { name: "planted", tail, faults: 2, crashes: 1 }, variant);
        println!("{variant:?}: {:?} in {} steps after {} states", found.verdict, found.trace.len(), found.states);
        for step in &found.trace {
            println!("    {step}");
        }
        assert_eq!(found.verdict, expected, "{variant:?}");
    }
}
