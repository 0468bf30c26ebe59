//! Crashes between writes over the embedded store: the script and the judge of `actors/tests/node/crash_points.rs`.
//! A node that has died leaves its store as it was; another node takes it over.
//!
//! Every seventh crash point; the memory store is crashed at all of them.

#[expect(dead_code, reason = "the actors' own tests use the rest")]
#[path = "../../actors/tests/node/world.rs"]
mod world;
#[path = "../../actors/tests/node/crash_points.rs"]
mod crash_points;

use std::path::Path;
use std::sync::Arc;

use crash_points::{End, crash};
use parlance::store::embedded::{EmbeddedStore, Options};

fn open(folder: &Path) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(Options::new(folder, Box::new(|why| unreachable!("{why}")))).expect("it opens"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_writes_of_the_embedded_store_leaves_rows_that_agree_with_the_logs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (end, writes) = crash(open(folder.path()), usize::MAX, End::Answered).await;
    for life in (0..=writes).step_by(7) {
        for how in [End::Unanswered, End::Answered] {
            let folder = tempfile::tempdir().expect("a folder");
            let (ended, _) = crash(open(folder.path()), life, how).await;
            assert_eq!(ended, end, "crash after write {life} of {writes}, {how:?}");
        }
    }
}
