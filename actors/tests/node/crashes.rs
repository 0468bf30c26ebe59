//! Crashes at every write of the memory store; the script and the judge are in `crash_points`.

use std::sync::Arc;

use actors::testkit::memory::MemoryStore;
use tokio::task::JoinSet;

use crate::crash_points::{End, crash};

#[tokio::test(start_paused = true)]
async fn a_crash_between_any_two_writes_leaves_rows_that_agree_with_the_logs() {
    let (end, writes) = crash(Arc::new(MemoryStore::new()), usize::MAX, End::Answered).await;
    assert!(writes > 20, "{writes} writes");
    for life in 0..=writes {
        for how in [End::Unanswered, End::Answered] {
            let (ended, _) = crash(Arc::new(MemoryStore::new()), life, how).await;
            assert_eq!(ended, end, "crash after write {life} of {writes}, {how:?}");
        }
    }
}

/// The proof of the proof: an append whose rows are forgotten does not pass.
#[tokio::test(start_paused = true)]
async fn forgotten_rows_would_be_found() {
    let (_, writes) = crash(Arc::new(MemoryStore::new()), usize::MAX, End::Answered).await;
    let mut found = 0;
    for life in 1..=writes {
        let mut judged = JoinSet::new();
        judged.spawn(async move { crash(Arc::new(MemoryStore::new()), life, End::Planted).await });
        found += usize::from(judged.join_next().await.expect("it was spawned").is_err());
    }
    assert!(found >= 10, "{found} of {writes}");
}
