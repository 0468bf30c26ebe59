//! Export and import hold no more for more messages: the peak of their memory is bounded, whatever the store holds.
//!
//! ```text
//! PARLANCE_ARCHIVE_MESSAGES=1000000 cargo test --release --test archive_memory -- --nocapture
//! ```
//!
//! prints the figures of a million. Without the variable it is 40,000, so that every test run proves it a little.
#![expect(clippy::print_stdout, reason = "the figures are what this is for")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::archive::{Archive, Record};
use actors::entry::Head;
use actors::id::{BUCKET_SEQS, Epoch, LogId, Segment};
use actors::store::Sequence;
use actors::testkit::contract::samples::{batch_with, direct};
use parlance::store::embedded::{EmbeddedStore, Options};

/// What is asked for by the environment.
const ASKED: &str = "PARLANCE_ARCHIVE_MESSAGES";
const MESSAGES: u64 = 40_000;
/// Messages in one conversation.
const OF_ONE: u64 = 10_000;
/// The most memory that a command may take, in MiB: the database's memtables and caches, and a page or a batch.
const PEAK_MIB_MAX: u64 = 320;

/// As many messages in conversations of 10,000, as fast as they can be written.
async fn write(folder: &Path, messages: u64) {
    let store = Arc::new(EmbeddedStore::open(Options::new(folder, Box::new(|why| unreachable!("{why}")))).expect("it opens"));
    let mut segment = 0;
    for n in 0..messages.div_ceil(OF_ONE) {
        let log = LogId::from(direct(1, n + 2));
        let (mut head, mut records) = (Head::default(), Vec::new());
        while head.tail.get() < OF_ONE.min(messages - n * OF_ONE) {
            if head.tail.offset_of_next() == 0 {
                segment += 1;
                head.segment = Segment(segment - 1);
                records.push(Record::Segment { segment: Segment(segment), log, bucket: head.tail.next().bucket() });
            }
            let room = (BUCKET_SEQS - head.tail.offset_of_next()).min(OF_ONE - head.tail.get()).min(1_000);
            let batch = batch_with(head, Epoch(1), u128::from(head.tail.get()) + 1, room, Vec::new());
            let entries = batch.entries.iter().map(|entry| Record::Entry { log, entry: Box::new(padded(entry)) });
            records.extend(entries);
            head = batch.after;
        }
        records.push(Record::Head { log, head });
        for some in records.chunks(4_000) {
            store.admit(some.to_vec()).await.expect("taken in");
        }
    }
    store.admit(vec![Record::Sequence { sequence: Sequence::Segments, last: segment }]).await.expect("taken in");
    store.close().await;
}

/// A message of about 200 bytes.
fn padded(entry: &actors::entry::Entry) -> actors::entry::Entry {
    let mut entry = entry.clone();
    if let actors::entry::Act::Message(content) = &mut entry.act {
        content.text = format!("{} {:x<180}", entry.seq.get(), entry.id.get()).into();
    }
    entry
}

/// Runs a command of the binary and answers the peak of its memory in MiB, as the kernel counts it.
fn peak(arguments: &[&str]) -> u64 {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_parlance")).args(arguments).stdout(Stdio::null()).spawn().expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let mut kib = 0;
    let ended = loop {
        let read = std::fs::read_to_string(&status).unwrap_or_default();
        let high = read.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib = kib.max(high.unwrap_or(0));
        if let Some(ended) = child.try_wait().expect("it can be waited for") {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5)); // the kernel keeps the peak; this only reads it now and then
    };
    println!("{:>8} {:>5} MiB at its peak, {:.1} s", arguments[0], kib / 1_024, started.elapsed().as_secs_f64());
    assert!(ended.success(), "{arguments:?}");
    kib / 1_024
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_export_import_and_check_does_not_grow_with_the_messages() {
    let messages = std::env::var_os(ASKED).map_or(MESSAGES, |asked| asked.to_str().and_then(|asked| asked.parse().ok()).expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let [data, out, fresh] = ["data", "out.jsonl", "fresh"].map(|name| folder.path().join(name).to_str().expect("letters").to_owned());
    write(&Path::new(&data).join("store"), messages).await;
    let peaks = [
        peak(&["export", "--data", &data, "--out", &out, "--quiet"]),
        peak(&["import", &out, "--data", &fresh, "--quiet"]),
        peak(&["export", "--data", &fresh, "--out", &format!("{out}.again"), "--quiet"]),
    ];
    println!("{messages} messages, {} MiB exported", std::fs::metadata(&out).expect("it is there").len() / 1_048_576);
    assert!(peaks.iter().all(|peak| *peak <= PEAK_MIB_MAX), "{peaks:?} MiB of at most {PEAK_MIB_MAX}");
}
