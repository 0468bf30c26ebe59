//! What is done to the store while it is recorded, and kept in such a way that every state can be judged.
//!
//! The child is this test binary again. It says what it is about to do and what was acknowledged in the file `acks`,
//! which the shim turns into marks of the trace. Sizes of batches, texts and rows follow from log and seq alone.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actors::bits::Bits;
use actors::content::{AboutText, ClientKey, GroupName};
use actors::entry::{Act, Amendment, Batch, Digest, Entry, Erased, GroupRow, Head, Membership, Projection, Role, Row};
use actors::id::{BUCKET_SEQS, Bucket, ConversationId, Epoch, LogId, MessageId, Seq};
use actors::store::{AccountStore, LogStore, MemberStore, Sequence};
use actors::testkit::clock::SeededRandom;
use actors::testkit::contract::samples::{account, batch, direct, head, marks, message, of_group, user};
use actors::time::{Random, Timestamp};
use parlance::store::embedded::{EmbeddedStore, Options};

/// Names the folder to the child.
pub(crate) const FOLDER: &str = "PARLANCE_POWER_CHILD";
/// What the child does, see [`Plan`].
pub(crate) const PLAN: &str = "PARLANCE_POWER_PLAN";
/// How many logs are written to: direct conversations, groups and users' logs by turns.
pub(crate) const LOGS: u64 = 9;
/// The highest account.
pub(crate) const ACCOUNTS: u64 = 40;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Times the store is opened.
    pub(crate) starts: u64,
    /// Batches of each log in each start.
    pub(crate) batches: u64,
    /// Bytes added to each text; they do not compress.
    pub(crate) padding: usize,
    /// The pause between two batches of a log.
    pub(crate) pause: Duration,
    /// After how many bytes of entries a table is written.
    pub(crate) memtable_bytes: u64,
}

impl Plan {
    fn text(self) -> String {
        format!("{} {} {} {} {}", self.starts, self.batches, self.padding, self.pause.as_millis(), self.memtable_bytes)
    }

    fn parse(text: &str) -> Self {
        let numbers: Vec<u64> = text.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [starts, batches, padding, pause, memtable_bytes] = numbers[..] else { unreachable!("{text}") };
        let (padding, pause) = (usize::try_from(padding).expect("small"), Duration::from_millis(pause));
        Self { starts, batches, padding, pause, memtable_bytes }
    }

    /// The command line and environment of the child.
    pub(crate) fn child(self, folder: &Path) -> std::process::Command {
        let mut command = std::process::Command::new(std::env::current_exe().expect("this test"));
        command
            .args(["--exact", "workload::the_child_writes_until_its_plan_is_done", "--nocapture"])
            .env(FOLDER, folder)
            .env(PLAN, self.text())
            .stdout(std::process::Stdio::null());
        command
    }
}

/// The log with this number.
pub(crate) fn log(n: u64) -> LogId {
    conversation(n).map_or_else(|| user(100 + n).into(), LogId::from)
}

/// The conversation with this number; `None` where a user's log stands.
pub(crate) fn conversation(n: u64) -> Option<ConversationId> {
    match n % 3 {
        0 => Some(direct(1, n + 2)),
        1 => Some(of_group(n + 1)),
        _ => None,
    }
}

/// What stands at a seq.
pub(crate) fn act(n: u64, seq: u64, padding: usize) -> Act {
    match conversation(n) {
        Some(_) => {
            let from = usize::try_from((n + seq) * 31).expect("small") % NOISE;
            message(&format!("{n}/{seq} {}", &noise()[from..from + padding]))
        }
        None => Act::Appeared { conversation: direct(100 + n, 1_000 + seq) },
    }
}

const NOISE: usize = 32_768;

/// Letters that do not compress.
fn noise() -> &'static str {
    static LETTERS: OnceLock<String> = OnceLock::new();
    LETTERS.get_or_init(|| {
        let random = SeededRandom::new(1);
        (0..2 * NOISE).map(|_| char::from(b'A' + u8::try_from(random.draw() % 58).expect("below 58"))).collect()
    })
}

/// Entries of the batch that goes on from this tail.
pub(crate) fn batch_size(n: u64, base: Seq) -> u64 {
    (1 + (base.get() + n) % 3).min(BUCKET_SEQS - base.offset_of_next())
}

/// The group's row when its tail is this.
pub(crate) fn group_row(tail: u64) -> GroupRow {
    let created_at = Timestamp(i64::try_from(tail).expect("small"));
    let name = GroupName::new("the group").expect("a name");
    GroupRow { name, members: tail, created_at, about: AboutText::default(), picture: None, open: false, updated_at: created_at }
}

/// In a group each batch deletes the last message of the one before: where they stand, up to this tail.
pub(crate) fn deleted(n: u64, tail: Seq) -> Vec<Seq> {
    let mut boundaries = Vec::new();
    let mut boundary = Seq::ZERO.plus(batch_size(n, Seq::ZERO));
    while matches!(conversation(n), Some(ConversationId::Group(_))) && boundary < tail {
        boundaries.push(boundary);
        boundary = boundary.plus(batch_size(n, boundary));
    }
    boundaries
}

/// What stands at the seq of a deleted message.
pub(crate) fn erased(n: u64, seq: u64, padding: usize) -> Act {
    Act::Erased(Erased { message: true, digest: Digest::of(&act(n, seq, padding)) })
}

/// The row of a span of deleted positions, up to this tail: in a group every entry is a message.
pub(crate) fn gone(n: u64, tail: Seq, span: Bucket) -> Bits {
    let there = deleted(n, tail).into_iter().filter(|seq| seq.bucket() == span);
    there.fold(Bits::default(), |bits, seq| bits.with(seq.offset()))
}

/// The rows of the deletion of the last message before a batch that ends at `tail`.
fn deletion(n: u64, stands: Head, tail: Seq, padding: usize) -> Vec<Row> {
    let seq = stands.tail;
    if deleted(n, tail).last() != Some(&seq) {
        return vec![];
    }
    let entry = Entry {
        seq,
        pos: stands.count,
        id: MessageId::at(stands.segment, seq),
        author: user(1 + seq.get() % 3),
        client_key: ClientKey::new(&format!("key {}", seq.get())).expect("a short key"),
        at: stands.last_at,
        act: erased(n, seq.get(), padding),
    };
    let amendment = Amendment { deleted: Some((user(1), stands.last_at)), ..Amendment::default() };
    let span = Row::Gone(seq.bucket(), gone(n, tail, seq.bucket()));
    vec![Row::Erased(Arc::new(entry)), Row::Amended(seq, amendment), span]
}

fn rows(n: u64, after: &Head) -> Vec<Row> {
    match conversation(n) {
        Some(ConversationId::Direct(_)) => vec![Row::Own(user(1), after.count)],
        Some(ConversationId::Group(_)) => {
            let place = Membership { role: Role::Owner, since: after.tail, until: None };
            vec![Row::Own(user(1), after.count), Row::Group(group_row(after.tail.get())), Row::Member(user(1), place)]
        }
        None => vec![],
    }
}

/// The batch that goes on from a head.
pub(crate) fn next_batch(n: u64, stands: Head, epoch: Epoch, padding: usize) -> Batch {
    let seqs = (1..=batch_size(n, stands.tail)).map(|more| stands.tail.get() + more);
    let acts = seqs.map(|seq| act(n, seq, padding)).collect();
    let mut batch = batch(stands, epoch, u128::from(stands.tail.get()) + 1, acts);
    let version = batch.after.tail;
    let follow = rows(n, &batch.after).into_iter().chain(deletion(n, stands, version, padding));
    batch.projections = follow.map(|row| Projection { version, row }).collect();
    for entry in &batch.entries {
        if let Act::Appeared { conversation } = entry.act {
            batch.projections.push(Projection { version: entry.seq, row: Row::Listed(conversation, true) });
        }
    }
    batch
}

/// What the child says, one line a mark.
#[derive(Clone)]
struct Acks(Arc<File>);

impl Acks {
    fn say(&self, text: &str) {
        (&*self.0).write_all(format!("{text}\n").as_bytes()).expect("said");
    }
}

async fn write_log(store: Arc<EmbeddedStore>, acks: Acks, n: u64, plan: Plan) {
    let mut stands = head(&*store, log(n)).await;
    let epoch = store.claim(log(n), stands).await.expect("nobody else claims");
    for round in 0..plan.batches {
        let batch = next_batch(n, stands, epoch, plan.padding);
        stands = batch.after;
        let tail = stands.tail.get();
        acks.say(&format!("sent {n} {tail}"));
        if let Err(error) = store.append(log(n), Arc::new(batch)).await {
            return acks.say(&format!("refused {n} {error}"));
        }
        acks.say(&format!("acked {n} {tail}"));
        if let Some(conversation) = conversation(n).filter(|_| round % 4 == 0) {
            if let Err(error) = store.raise(conversation, vec![(user(2), marks(tail, tail))]).await {
                return acks.say(&format!("refused {n} {error}"));
            }
            acks.say(&format!("raised {n} {tail}"));
        }
        tokio::time::sleep(plan.pause).await;
    }
}

async fn write_the_rest(store: Arc<EmbeddedStore>, acks: Acks, start: u64, plan: Plan) {
    for k in (1..=ACCOUNTS).filter(|k| k % plan.starts == start) {
        if let Err(error) = store.put_account(account(k, &format!("user{k}"), &format!("u{k}@b.c")), 0).await {
            return acks.say(&format!("refused 0 {error}"));
        }
        acks.say(&format!("account {k} 0"));
        let block = match store.draw(Sequence::Segments, 3).await {
            Ok(block) => block,
            Err(error) => return acks.say(&format!("refused 0 {error}")),
        };
        acks.say(&format!("drawn 0 {}", block.first + block.count - 1));
        tokio::time::sleep(plan.pause).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_writes_until_its_plan_is_done() {
    let (Some(folder), Some(plan)) = (std::env::var_os(FOLDER), std::env::var_os(PLAN)) else { return };
    let (folder, plan) = (Path::new(&folder), Plan::parse(plan.to_str().expect("UTF-8")));
    let acks = Acks(Arc::new(File::create(folder.join("acks")).expect("a file for marks")));
    for start in 0..plan.starts {
        let failed = acks.clone();
        let mut options = Options::new(folder.join("data/store"), Box::new(move |why| failed.say(&format!("stopped 0 {why}"))));
        options.memtable_bytes = plan.memtable_bytes;
        let store = match EmbeddedStore::open(options) {
            Ok(store) => Arc::new(store),
            Err(error) => {
                acks.say(&format!("closed-door 0 {error}"));
                break;
            }
        };
        acks.say(&format!("opened {start} 0"));
        let mut tasks: Vec<_> = (0..LOGS).map(|n| tokio::spawn(write_log(Arc::clone(&store), acks.clone(), n, plan))).collect();
        tasks.push(tokio::spawn(write_the_rest(Arc::clone(&store), acks.clone(), start, plan)));
        for task in tasks {
            task.await.expect("no task panics");
        }
        if start % 2 == 0 {
            store.close().await;
        }
    }
    acks.say("done 0 0");
}
