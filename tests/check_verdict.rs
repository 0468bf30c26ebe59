//! A folder with one entry missing: the check names it, says what to do, and its exit code is 1.

use std::process::Command;
use std::sync::Arc;

use actors::archive::Record;
use actors::testkit::contract::archive::everything;
use actors::testkit::contract::samples::direct;
use actors::testkit::memory::MemoryStore;
use actors::testkit::story;
use actors::time::Timestamp;
use parlance::archive::wire::Origin;
use parlance::archive::writer::Writer;

#[tokio::test]
async fn a_hole_in_a_log_is_named_and_the_exit_code_is_1() {
    let store = Arc::new(MemoryStore::new());
    story::tell(Arc::clone(&store) as _, 20).await;
    let folder = tempfile::tempdir().expect("a folder");
    let [out, data] = ["out.jsonl", "data"].map(|name| folder.path().join(name));
    let mut writer = Writer::begin("0.1.0", Timestamp(1), Origin::Folder);
    for record in everything(&*store).await {
        let is_lost = matches!(&record, Record::Entry { log, entry } if *log == direct(1, 2).into() && entry.seq.get() == 9);
        if !is_lost {
            writer.record(&record);
        }
    }
    writer.finish();
    std::fs::write(&out, writer.take()).expect("written");
    let run = |arguments: &[&std::ffi::OsStr]| Command::new(env!("CARGO_BIN_EXE_parlance")).args(arguments).output().expect("it runs");
    let imported = run(&["import".as_ref(), out.as_os_str(), "--data".as_ref(), data.as_os_str(), "--quiet".as_ref()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let checked = run(&["check".as_ref(), "--data".as_ref(), data.as_os_str()]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("problem: conversation d1-2: entries 9 to 9 are missing; keep a copy of the folder"), "{said}");
    assert!(said.ends_with("1 problem was found\n"), "{said}");
}
