//! The one contract, run whole on both stores that need nothing installed.

#![expect(clippy::print_stderr, reason = "the captured output names the sentence that failed")]

use std::sync::{Arc, Mutex};

use actors::store::Store;
use actors::testkit::contract::{self, archive};
use actors::testkit::memory::MemoryStore;
use parlance::store::embedded::{EmbeddedStore, Options};

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    contract::run_all(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>, |sentence| eprintln!("{sentence}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_keeps_the_contract() {
    let folders = Mutex::new(Vec::new());
    let make = async || {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options::new(folder.path(), Box::new(|why| unreachable!("{why}")));
        folders.lock().expect("no panic").push(folder);
        Arc::new(EmbeddedStore::open(options).expect("a new store")) as Arc<dyn Store>
    };
    contract::run_all(make, |sentence| eprintln!("{sentence}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_store_holds_goes_over_to_the_other_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let open =
        |name: &str| EmbeddedStore::open(Options::new(folder.path().join(name), Box::new(|why| unreachable!("{why}")))).expect("new");
    archive::everything_goes_over(&open("a"), &MemoryStore::new()).await;
    archive::everything_goes_over(&MemoryStore::new(), &open("b")).await;
    archive::everything_goes_over(&open("c"), &open("d")).await;
    archive::a_snapshot_stands_still(&open("e")).await;
    archive::a_sequence_is_only_raised(&open("f")).await;
}
