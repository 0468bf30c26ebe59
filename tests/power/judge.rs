//! Opens a folder as the next start would, reads everything, and says what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actors::entry::Entry;
use actors::id::{Bucket, ConversationId, LogId, Seq};
use actors::store::{AccountKey, AccountStore, LogStore, MemberStore, MessageStore, Sequence, Store};
use actors::testkit::contract::samples::{account, direct, head, user, whole};
use parlance::store::embedded::{EmbeddedStore, OpenError, Options};

use crate::trace::Event;
use crate::workload::{ACCOUNTS, LOGS, act, batch_size, conversation, deleted, erased, gone, group_row, log, next_batch};

/// What the child had said by the time of the cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// The highest number said of each thing: `("acked", 3)` → the tail.
    highest: BTreeMap<(String, u64), u64>,
}

impl Said {
    /// Takes in a mark.
    pub(crate) fn hear(&mut self, event: &Event) {
        if let Event::Mark(text) = event {
            self.hear_line(text.trim_end());
        }
    }

    fn hear_line(&mut self, line: &str) {
        let words: Vec<_> = line.splitn(3, ' ').collect();
        let [what, n, value] = words[..] else { unreachable!("{line}") };
        self.highest.insert((what.to_owned(), n.parse().expect("a number")), value.parse().unwrap_or(0));
    }

    /// Whether such a thing was said.
    pub(crate) fn has(&self, what: &str) -> bool {
        self.highest.keys().any(|(said, _)| said == what)
    }

    fn of(&self, what: &str, n: u64) -> u64 {
        self.highest.get(&(what.to_owned(), n)).copied().unwrap_or(0)
    }
}

/// Opens the store in a folder; nothing may fail later.
pub(crate) fn open(folder: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(Options::new(folder.join("data/store"), Box::new(|why| unreachable!("{why}"))))
}

fn ensure(holds: bool, what: &str, about: &impl Debug) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: {about:?}")) }
}

/// Everything acknowledged is there, batches are whole, and all rows agree with their logs.
pub(crate) async fn judge(store: &EmbeddedStore, said: &Said, padding: usize) -> Result<(), String> {
    for n in 0..LOGS {
        judge_log(store, said, n, padding).await?;
    }
    judge_accounts(store, said).await?;
    let drawn = store.draw(Sequence::Segments, 1).await.map_err(|error| error.to_string())?;
    ensure(drawn.first > said.of("drawn", 0), "a number was drawn twice", &drawn)?;
    ensure(store.stats().bad_records.load(Ordering::Relaxed) == 0, "records are damaged", &())?;
    store.readiness()
}

async fn judge_log(store: &EmbeddedStore, said: &Said, n: u64, padding: usize) -> Result<(), String> {
    let stands = head(store, log(n)).await;
    let tail = stands.tail.get();
    ensure((said.of("acked", n)..=said.of("sent", n)).contains(&tail), "the tail is not between acked and sent", &(n, tail, said))?;
    let mut boundary = Seq::ZERO;
    while boundary < stands.tail {
        boundary = boundary.plus(batch_size(n, boundary));
    }
    ensure(boundary == stands.tail, "a batch is not whole", &(n, tail))?;
    let entries = whole(store, log(n)).await;
    let gone: BTreeSet<_> = deleted(n, stands.tail).into_iter().collect();
    let right = |(entry, seq): (&Entry, u64)| {
        let expected = if gone.contains(&entry.seq) { erased(n, seq, padding) } else { act(n, seq, padding) };
        entry.seq.get() == seq && entry.act == expected
    };
    ensure(entries.len() as u64 == tail && entries.iter().zip(1..).all(right), "entries are missing or wrong", &(n, tail, entries.len()))?;
    let last = entries.last().map(|entry| (entry.pos, entry.at));
    ensure(last.is_none_or(|last| last == (stands.count, stands.last_at)), "head and last entry differ", &(n, stands))?;
    let Some(conversation) = conversation(n) else { return judge_list(store, n, tail).await };
    let own = store.marks(user(1), &[conversation]).await.map_err(|error| error.to_string())?[0];
    ensure(own.badge == stands.count, "the own position differs from the log", &(n, own, stands))?;
    let read = store.marks(user(2), &[conversation]).await.map_err(|error| error.to_string())?[0].read.seq.get();
    ensure(read >= said.of("raised", n) && read <= tail, "a mark fell or ran ahead", &(n, read, tail))?;
    judge_deletions(store, n, conversation, stands.tail).await?;
    if let ConversationId::Group(group) = conversation {
        let row = store.group(group).await.map_err(|error| error.to_string())?;
        let place = store.membership(group, user(1)).await.map_err(|error| error.to_string())?;
        ensure(row == (tail > 0).then(|| group_row(tail)), "the group's row differs from the log", &(n, row, tail))?;
        ensure(place.map(|place| place.since) == (tail > 0).then_some(stands.tail), "the member's row differs from the log", &(n, place))?;
    }
    Ok(())
}

/// What was deleted with the batches that are there is known to be, and nothing else.
async fn judge_deletions(store: &EmbeddedStore, n: u64, conversation: ConversationId, tail: Seq) -> Result<(), String> {
    let amended = store.amendments(conversation, Seq::ZERO, tail, usize::MAX).await.map_err(|error| error.to_string())?;
    let found: Vec<_> = amended.into_iter().filter(|(_, amendment)| amendment.deleted.is_some()).map(|(seq, _)| seq).collect();
    ensure(found == deleted(n, tail), "amendments and deletions differ", &(n, found, tail))?;
    let spans = store.gone(conversation, Bucket(0), tail.bucket()).await.map_err(|error| error.to_string())?;
    let right = spans.iter().all(|(span, bits)| *bits == gone(n, tail, *span));
    let count: u64 = spans.iter().map(|(_, bits)| bits.count()).sum();
    ensure(right && count == deleted(n, tail).len() as u64, "deleted positions and deletions differ", &(n, spans.len(), count))
}

async fn judge_list(store: &EmbeddedStore, n: u64, tail: u64) -> Result<(), String> {
    let listed = store.listed(user(100 + n), None, usize::MAX).await.map_err(|error| error.to_string())?;
    let expected: Vec<_> = (1..=tail).map(|seq| direct(100 + n, 1_000 + seq)).collect();
    ensure(listed == expected, "the list differs from the user's log", &(n, tail, listed.len()))
}

async fn judge_accounts(store: &EmbeddedStore, said: &Said) -> Result<(), String> {
    for k in 1..=ACCOUNTS {
        let expected = account(k, &format!("user{k}"), &format!("u{k}@b.c"));
        let keys = [AccountKey::Id(user(k)), AccountKey::Username(expected.username.clone()), AccountKey::Email(expected.email.clone())];
        let mut found = Vec::new();
        for key in keys {
            found.push(store.account(key).await.map_err(|error| error.to_string())?.map(|row| row.row));
        }
        let is_there = found.iter().all(|found| found.as_ref() == Some(&expected));
        let is_gone = found.iter().all(Option::is_none) && !said.highest.contains_key(&("account".to_owned(), k));
        ensure(is_there || is_gone, "an account is lost or half there", &(k, found))?;
    }
    Ok(())
}

/// The store can be written to, and what is written now is there after one more start.
pub(crate) async fn goes_on(folder: &Path, store: EmbeddedStore, padding: usize) -> Result<(), String> {
    let mut tails = Vec::new();
    for n in 0..LOGS {
        let stands = head(&store, log(n)).await;
        let epoch = store.claim(log(n), stands).await.map_err(|error| error.to_string())?;
        let batch = next_batch(n, stands, epoch, padding);
        tails.push(batch.after.tail);
        store.append(log(n), Arc::new(batch)).await.map_err(|error| error.to_string())?;
    }
    drop(store);
    let store = open(folder).map_err(|error| format!("the second start: {error}"))?;
    let logs: Vec<LogId> = (0..LOGS).map(log).collect();
    let heads = store.heads(&logs).await.map_err(|error| error.to_string())?;
    ensure(heads.iter().map(|head| head.tail).collect::<Vec<_>>() == tails, "what was written after the cut is gone", &tails)
}
