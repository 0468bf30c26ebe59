//! Makes the fixture of the format in force, for the test of old formats to keep; here because only the store itself can
//! say what goes to its tables and what stays in its journal.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use actors::testkit::contract::samples::{direct, user};
use actors::testkit::story::{self, Teller};

use super::folder::Folder;
use super::keys::Space;
use super::{EmbeddedStore, Options, check};

/// Where to make it, from the repository's root.
const ASKED: &str = "PARLANCE_FIXTURE";
/// Messages beyond the story's own: enough for a second bucket; and those that come behind the tables.
const MESSAGES: u64 = 4_200;
const IN_JOURNAL: u64 = 50;

fn open(folder: &Path) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(Options::new(folder, Box::new(|why| unreachable!("{why}")))).expect("it opens"))
}

/// Without the variable there is nothing to make; a fixture that is there is never written again.
#[tokio::test(flavor = "multi_thread")]
async fn a_fixture_is_made_when_asked_for() {
    let Some(path) = std::env::var_os(ASKED) else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(!path.exists(), "{} is there already", path.display());
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    story::tell(Arc::clone(&store) as _, MESSAGES).await;
    store.close().await;
    drop(store);
    into_tables(folder.path()).await;
    let store = open(folder.path());
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
