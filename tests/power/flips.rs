//! Bit rot: one bit of a closed folder flips, in any file and anywhere in it.
//!
//! The answer is then the right one, or an error, or a page that leaves out what cannot be read and says so in a count;
//! never another answer and never a panic. A flip in the last write could pass for a torn one if the witness had not
//! counted it; after a clean stop, as here, it has.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actors::id::{ConversationId, Seq};
use actors::store::{AccountKey, AccountStore, LogStore, MemberStore, Sequence, StoreError};
use actors::testkit::clock::SeededRandom;
use actors::testkit::contract::samples::{account, group, seq, user};
use actors::time::Random;
use parlance::store::embedded::{EmbeddedStore, Options};

use crate::cuts::{asked_for, scratch};
use crate::workload::{ACCOUNTS, LOGS, Plan, conversation, log};

/// Flips of the test run; `PARLANCE_POWER_FLIPS` asks for more.
const FLIPS: usize = 240;

/// The files of a folder: what they hold up to their last byte that is not zero, and their length.
struct Files(BTreeMap<PathBuf, (Vec<u8>, u64)>);

impl Files {
    fn read(folder: &Path) -> Self {
        let (mut files, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
        while let Some(at) = open.pop() {
            for entry in std::fs::read_dir(&at).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let mut bytes = std::fs::read(&path).expect("readable");
                let length = bytes.len() as u64;
                bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
                files.insert(path.strip_prefix(folder).expect("below").to_owned(), (bytes, length));
            }
        }
        Self(files)
    }

    fn write(&self, folder: &Path) {
        for (name, (bytes, length)) in &self.0 {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            let file = std::fs::File::create(path).expect("made");
            file.write_all_at(bytes, 0).expect("there is room");
            file.set_len(*length).expect("there is room");
        }
    }
}

/// What one question is answered: the right way to say it is by its `Debug` form.
type Answers = BTreeMap<String, Result<String, StoreError>>;

fn note<T: Debug>(answers: &mut Answers, question: String, answer: Result<T, StoreError>) {
    answers.insert(question, answer.map(|answer| format!("{answer:?}")));
}

/// Asks for everything that the workload has stored.
async fn ask_all(store: &EmbeddedStore) -> Answers {
    let mut answers = Answers::new();
    for n in 0..LOGS {
        note(&mut answers, format!("head {n}"), store.head(log(n)).await);
        match store.range(log(n), Seq::ZERO, seq(1_000_000), usize::MAX, false).await {
            // Each entry by itself, so that one that is left out leaves the others to be compared.
            Ok(entries) => entries.into_iter().for_each(|entry| note(&mut answers, format!("entry {n} {}", entry.seq.get()), Ok(entry))),
            Err(error) => note(&mut answers, format!("range {n}"), Err::<(), _>(error)),
        }
        match conversation(n) {
            Some(conversation) => {
                note(&mut answers, format!("marks {n}"), store.marks(user(1), &[conversation]).await);
                note(&mut answers, format!("read {n}"), store.marks(user(2), &[conversation]).await);
                if let ConversationId::Group(_) = conversation {
                    note(&mut answers, format!("group {n}"), store.group(group(n + 1)).await);
                    note(&mut answers, format!("members {n}"), store.members(group(n + 1), None, 100).await);
                }
            }
            None => note(&mut answers, format!("list {n}"), store.listed(user(100 + n), None, usize::MAX).await),
        }
    }
    for k in 1..=ACCOUNTS {
        let stored = account(k, &format!("user{k}"), &format!("u{k}@b.c"));
        note(&mut answers, format!("account {k}"), store.account(AccountKey::Id(user(k))).await);
        note(&mut answers, format!("username {k}"), store.account(AccountKey::Username(stored.username)).await);
        note(&mut answers, format!("email {k}"), store.account(AccountKey::Email(stored.email)).await);
    }
    note(&mut answers, "numbers".to_owned(), store.draw(Sequence::Segments, 1).await);
    answers
}

#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    detected: usize,
    harmless: usize,
}

/// Opens a folder and compares every answer with the right one.
async fn compare(folder: &Path, right: &Arc<Answers>, tally: &mut Tally) -> Result<(), String> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stops = Arc::clone(&stopped);
    let options = Options::new(folder, Box::new(move |_| stops.store(true, Ordering::Relaxed)));
    let Ok(store) = EmbeddedStore::open(options) else {
        tally.refused += 1;
        return Ok(());
    };
    let right = Arc::clone(right);
    let asked = tokio::spawn(async move {
        let answers = ask_all(&store).await;
        let counted = store.stats().bad_records.load(Ordering::Relaxed) > 0
            || stopped.load(Ordering::Relaxed)
            || answers.iter().any(|(question, answer)| question.starts_with("range") && answer.is_err());
        let wrong = right.iter().find_map(|(question, right)| match answers.get(question) {
            Some(Ok(answer)) if Ok(answer) != right.as_ref() => Some(format!("{question}: {answer}")),
            None if !counted => Some(format!("{question}: left out, and nobody was told")),
            Some(_) | None => None,
        });
        let invented = answers.iter().find(|(question, answer)| answer.is_ok() && !right.contains_key(*question));
        let invented = invented.map(|(question, _)| format!("{question}: invented"));
        let is_same = answers == *right;
        wrong.or(invented).map_or(Ok(is_same), Err)
    });
    match asked.await {
        Ok(Ok(is_same)) => {
            tally.harmless += usize::from(is_same);
            tally.detected += usize::from(!is_same);
            Ok(())
        }
        Ok(Err(wrong)) => Err(wrong),
        Err(panic) => Err(format!("a panic: {panic}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "the figures are worth a look")]
async fn a_flipped_bit_is_refused_detected_or_harmless() {
    let made = scratch();
    let plan = Plan { starts: 3, batches: 30, padding: 1_000, pause: Duration::ZERO, memtable_bytes: 128 << 10 };
    assert!(plan.child(made.path()).status().expect("started").success());
    let files = Files::read(&made.path().join("data/store"));
    let intact = scratch();
    files.write(intact.path());
    let store = EmbeddedStore::open(Options::new(intact.path(), Box::new(|why| unreachable!("{why}")))).expect("it opens");
    let right = Arc::new(ask_all(&store).await);
    drop(store);
    assert!(right.values().all(Result::is_ok) && right.len() > 500, "{} answers", right.len());

    let (random, mut tally, mut done) = (SeededRandom::new(7), Tally::default(), 0);
    let flips = asked_for("PARLANCE_POWER_FLIPS", FLIPS);
    let names: Vec<_> = files.0.iter().filter(|(_, (bytes, _))| !bytes.is_empty()).map(|(name, _)| name.clone()).collect();
    for (name, n) in (0..).flat_map(|n| names.iter().map(move |name| (name, n))).take(flips.max(names.len() * 3)) {
        let mut flipped = Files(files.0.clone());
        let (bytes, _) = flipped.0.get_mut(name).expect("it is there");
        // The first and the last bytes of a file say the most; elsewhere chance decides.
        let at = match n {
            0 => 0,
            1 => bytes.len() - 1,
            _ => usize::try_from(random.draw() % bytes.len() as u128).expect("in the file"),
        };
        let bit = u32::try_from(random.draw() % 8).expect("below 8");
        bytes[at] ^= 1 << bit;
        let whole = bytes.len();
        let folder = scratch();
        flipped.write(folder.path());
        let verdict = compare(folder.path(), &right, &mut tally).await;
        assert_eq!(verdict, Ok(()), "bit {bit} of byte {at} of {whole} in {}", name.display());
        done += 1;
    }
    eprintln!("{done} bits flipped in {} files: {tally:?}", names.len());
    assert!(done >= 200 && tally.refused > 0 && tally.detected > 0 && tally.harmless > 0, "{tally:?}");
}
