//! What writers were told, and a judge that compares it with the log: acknowledged is there, once, where it was said,
//! and the log is dense. It is a simple model of its own, not a copy of the server's.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::mpsc::error::TrySendError;

use crate::client::{Client, Refusal};

/// What one message was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub seq: u64,
    pub id: u64,
    pub at: u64,
}

/// What a set of writers sent, by conversation and key.
#[derive(Debug, Default)]
pub struct Ledger {
    acks: BTreeMap<(String, String), Ack>,
    open: BTreeMap<(String, String), String>,
}

impl Ack {
    /// What an `ok` of `msg.send` says.
    pub fn read(ok: &Value) -> Self {
        let number = |name: &str| ok[name].as_u64().unwrap_or_else(|| panic!("an ack has {name}: {ok}"));
        Self { seq: number("seq"), id: number("id"), at: number("at") }
    }
}

impl Ledger {
    /// A message was sent.
    pub fn sent(&mut self, conv: &str, key: &str, text: &str) {
        self.open.insert((conv.to_owned(), key.to_owned()), text.to_owned());
    }

    /// It was acknowledged. A repeated one must be answered as before (G3).
    pub fn acked(&mut self, conv: &str, key: &str, ok: &Value) {
        let place = (conv.to_owned(), key.to_owned());
        self.open.remove(&place);
        let ack = Ack::read(ok);
        let before = self.acks.insert(place, ack.clone());
        assert!(before.is_none_or(|before| before == ack), "{conv} {key} was answered differently before: {ok}");
    }

    /// How many were acknowledged.
    pub fn count(&self) -> usize {
        self.acks.len()
    }

    /// Takes over what another one holds.
    pub fn absorb(&mut self, other: Self) {
        self.acks.extend(other.acks);
        self.open.extend(other.open);
    }

    /// Sends again, with its key, whatever was never answered: the outcome is unknown until then (P21).
    pub async fn settle(&mut self, client: &mut Client, mine: &str) {
        let open: Vec<_> =
            self.open.iter().filter(|((_, key), _)| key.starts_with(mine)).map(|(at, text)| (at.clone(), text.clone())).collect();
        for ((conv, key), text) in open {
            let ok = client.ask("msg.send", json!({"conv": conv, "client_key": key, "body": {"text": text}})).await;
            self.acked(&conv, &key, &ok);
        }
    }

    /// Compares everything with the whole log of a conversation.
    pub fn judge(&self, conv: &str, log: &[Value]) {
        let mut at: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for entry in log {
            at.entry(entry["key"].as_str().unwrap_or_default()).or_default().push(entry);
        }
        for ((_, key), ack) in self.acks.iter().filter(|((of, _), _)| of == conv) {
            let found = at.get(key.as_str()).map(Vec::as_slice).unwrap_or_default();
            assert_eq!(found.len(), 1, "{conv} {key} was acknowledged as {ack:?} and is stored once: {found:?}");
            assert_eq!(&Ack::read(found[0]), ack, "{conv} {key} stands where it was said");
        }
        for (key, found) in at {
            let stored = found.iter().map(|entry| entry["from"].as_u64()).collect::<std::collections::BTreeSet<_>>().len();
            assert_eq!(found.len(), stored, "{conv} {key} is stored once for each sender: {found:?}");
        }
    }
}

/// The whole log of a conversation, read page by page from its beginning; dense, in order, ids and times rising (G2).
pub async fn whole_log(client: &mut Client, conv: &str) -> Vec<Value> {
    let mut log: Vec<Value> = Vec::new();
    loop {
        let page = client.ask("msg.history", json!({"conv": conv, "after": log.len(), "limit": 200})).await;
        log.extend(page["entries"].as_array().expect("a page has entries").iter().cloned());
        if page["more"] == false {
            assert_eq!(page["tail"], log.len(), "the log ends at its tail");
            break;
        }
    }
    check_dense(conv, 1, &log);
    log
}

/// Entries that follow each other from `first` on without a gap; ids and times rise, positions count messages.
pub fn check_dense(conv: &str, first: u64, entries: &[Value]) {
    let mut before: Option<&Value> = None;
    for (seq, entry) in (first..).zip(entries) {
        assert_eq!(entry["seq"], seq, "{conv} is dense (G2): {entry}");
        assert_eq!(entry["conv"], conv, "{entry}");
        if let Some(before) = before {
            let number = |entry: &Value, name: &str| entry[name].as_u64().unwrap_or_else(|| panic!("{name} is a number: {entry}"));
            assert!(number(entry, "id") > number(before, "id"), "ids rise within a conversation (N4): {before} {entry}");
            assert!(number(entry, "at") >= number(before, "at"), "times do not fall: {before} {entry}");
            let step = u64::from(entry["kind"] == "message");
            assert_eq!(number(entry, "pos"), number(before, "pos") + step, "positions count messages (D9): {before} {entry}");
        }
        before = Some(entry);
    }
}

/// Sends messages to conversations in turn, several in flight, until told to stop or until the connection ends.
///
/// `acked` is told of each acknowledgement, so that a test can act in the midst of the load.
pub async fn write_until_the_end(
    mut client: Client,
    mine: String,
    convs: Vec<String>,
    acked: tokio::sync::mpsc::Sender<()>,
) -> (Ledger, Client) {
    const IN_FLIGHT: usize = 8;
    let mut ledger = Ledger::default();
    let mut waiting = std::collections::VecDeque::new();
    for number in 0_u64.. {
        let conv = convs[usize::try_from(number).expect("64 bits") % convs.len()].clone();
        let (key, text) = (format!("{mine}{number}"), format!("message {number} of {mine}"));
        ledger.sent(&conv, &key, &text);
        let id = client.send("msg.send", json!({"conv": conv, "client_key": key, "body": {"text": text}})).await;
        waiting.push_back((id, conv, key));
        if waiting.len() < IN_FLIGHT {
            continue;
        }
        let (id, conv, key) = waiting.pop_front().expect("several wait");
        let Some(reply) = client.reply_or_end(id).await else { break };
        if take(&mut ledger, &conv, &key, reply) {
            // A full channel means that the test has heard enough, a closed one that it has ended.
            if matches!(acked.try_send(()), Err(TrySendError::Closed(()))) {
                break;
            }
        }
    }
    for (id, conv, key) in waiting {
        if let Some(reply) = client.reply_or_end(id).await {
            take(&mut ledger, &conv, &key, reply);
        }
    }
    (ledger, client)
}

/// Books a reply; a refusal must be one that a dying server may give.
fn take(ledger: &mut Ledger, conv: &str, key: &str, reply: Result<Value, Refusal>) -> bool {
    match reply {
        Ok(ok) => {
            ledger.acked(conv, key, &ok);
            true
        }
        Err(refusal) => {
            assert!(matches!(refusal.range(), 6 | 7), "a good message meets at most \"try again\": {refusal:?}");
            false
        }
    }
}

/// The judge is tested itself: what it must find, it finds.
#[test]
fn the_judge_finds_a_lost_a_doubled_and_a_moved_message_and_a_gap() {
    let entry = |seq: u64, key: &str| json!({"conv": "d1-2", "seq": seq, "id": 4_095 + seq, "at": 7, "pos": seq, "kind": "message", "from": 1, "key": key});
    let mut ledger = Ledger::default();
    ledger.acked("d1-2", "a", &entry(1, "a"));
    ledger.acked("d1-2", "b", &entry(2, "b"));
    let passes = |log: &[Value]| {
        let judged = std::panic::catch_unwind(|| {
            check_dense("d1-2", 1, log);
            ledger.judge("d1-2", log);
        });
        judged.is_ok()
    };
    assert!(passes(&[entry(1, "a"), entry(2, "b"), entry(3, "never acknowledged")]), "a sound log");
    assert!(!passes(&[entry(1, "a")]), "lost");
    assert!(!passes(&[entry(1, "a"), entry(2, "b"), entry(3, "b")]), "doubled");
    assert!(!passes(&[entry(1, "b"), entry(2, "a")]), "moved");
    assert!(!passes(&[entry(1, "a"), entry(3, "b")]), "a gap");
    assert!(!passes(&[entry(1, "a"), entry(2, "b"), entry(3, "c"), entry(4, "c")]), "doubled without an ack");
}
