//! A full disk and a disk that fails: the store stops acknowledging, says so, and loses nothing that it acknowledged.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cuts::{after_the_cut, record};
use crate::disk::Unsynced;
use crate::judge::{Said, goes_on, judge, open};
use crate::trace::Event;
use crate::workload::Plan;

const PLAN: Plan = Plan { starts: 1, batches: 80, padding: 2_000, pause: Duration::ZERO, memtable_bytes: 256 << 10 };
const NO_SPACE: i32 = 28;
const IO_ERROR: i32 = 5;

/// Runs the plan with a failure, and judges what is left, also if the power fails on top of it.
async fn fail(failure: &str) -> Said {
    let recorded = record(PLAN, Some(failure));
    let (mut disk, mut said, mut late) = (recorded.disk(), Said::default(), None::<BTreeSet<String>>);
    for event in &recorded.events {
        disk.play(event);
        said.hear(event);
        let Event::Mark(text) = event else { continue };
        assert!(!text.contains("is damaged"), "{failure}: {text}");
        if text.starts_with("stopped") {
            late.get_or_insert_default();
        }
        // An answer given before the stop may be said after it; what is asked for after it is not answered.
        if let (Some(late), Some(sent)) = (&mut late, text.strip_prefix("sent")) {
            late.insert(sent.to_owned());
        }
        let is_late = text.strip_prefix("acked").is_some_and(|acked| late.as_ref().is_some_and(|late| late.contains(acked)));
        assert!(!is_late, "{failure}: asked for after it had stopped, and acknowledged: {text}");
    }
    let folder = crate::cuts::scratch();
    disk.build(folder.path(), &Unsynced::Lost);
    let cut = if said.has("opened") { after_the_cut(folder.path(), &said, PLAN.padding, true).await } else { Ok(()) };
    assert_eq!(cut, Ok(()), "{failure}, and then the power");
    // There is room again: the same folder goes on.
    let store = open(&recorded.root).unwrap_or_else(|error| unreachable!("{failure}: {error}"));
    assert_eq!(judge(&store, &said, PLAN.padding).await, Ok(()), "{failure}");
    assert_eq!(goes_on(&recorded.root, store, PLAN.padding).await, Ok(()), "{failure}");
    drop(recorded.scratch);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_store_and_loses_nothing() {
    for call in [30, 150, 400, 700] {
        let said = fail(&format!("write:{call}:{NO_SPACE}:on")).await;
        assert!(said.has("stopped") || said.has("closed-door"), "write {call} did not fail");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_once_stops_the_store_and_loses_nothing() {
    for call in [20, 90, 200, 350] {
        fail(&format!("sync:{call}:{IO_ERROR}:once")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_stops_the_store_and_loses_nothing() {
    for call in [60, 300, 600] {
        let said = fail(&format!("write:{call}:{IO_ERROR}:on")).await;
        assert!(said.has("stopped") || said.has("closed-door"), "write {call} did not fail");
    }
}
