//! The world of the search: a log in a store, two owners, two clients with one message each, and calls that may be
//! answered, lost, or done late.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use actors::content::{ClientKey, Content};
use actors::entry::{Act, Batch, Entry, Head};
use actors::id::{BatchId, Epoch, Incarnation, Pos, Segment, Seq, UserId};
use actors::limits::Limits;
use actors::log::keys::Known;
use actors::log::owner::{Draft, LogMail, Order, Outcome, Owner, Step};
use actors::store::{AppendError, StoreError};
use actors::time::Timestamp;

use crate::search::Verdict;

/// The moment at which everything happens.
const NOW: Timestamp = Timestamp(1);
/// A moment so late that an unknown batch is given up.
const LATE: Timestamp = Timestamp(60_000_000);
/// How often the log is claimed; the start counts as one.
const CLAIMS_MAX: u64 = 4;
/// How often a client sends its message.
const SENDS_MAX: u8 = 2;

/// Where a search begins and how much may go wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// The tail at the start; the entries up to it are somebody else's.
    pub(crate) tail: u64,
    /// How many replies may be lost or late.
    pub(crate) faults: u8,
    /// How many owners may crash.
    pub(crate) crashes: u8,
}

/// The right rules, and wrong ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Variant {
    /// As in production.
    Right,
    /// The store compares the tail, not the epoch. Right as well.
    TailOnly,
    /// An unknown batch is made anew from a fresh look at the head.
    RenumberOnUnknown,
    /// After an unknown append the rows are read, and if they are not there the client is told that it failed.
    FreeTheSlotOnAbsence,
    /// The store checks the epoch when a write begins, and writes rows without a condition.
    PlainRowsWithEpoch,
    /// As before, and the owner acknowledges only after a read that shows its row and its epoch; after a time-out a
    /// read that shows nothing frees the slot.
    PlainRowsVerified,
    /// The first batch of a bucket is written without a condition.
    PlainAtRollOver,
    /// The client is answered when the batch is sent.
    AckBeforeCommit,
    /// Keys are not looked up.
    NoKeys,
}

/// A call that an owner waits for.
#[derive(Debug, Clone)]
enum Call {
    ReadHead,
    Claim(Head),
    Append(Arc<Batch>),
    Rest,
}

/// What a client knows of its message. It may send it again at any time: its own time-out says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Client {
    sent: u8,
    acked: Option<Seq>,
    failed: bool,
}

#[derive(Debug, Clone)]
struct Desk {
    owner: Owner<u8>,
    call: Option<Call>,
    /// The call that has just been answered.
    flying: Option<Call>,
    /// Whether a batch in flight was begun while its epoch was the newest (for the plain variants).
    allowed: bool,
    /// Messages that wait until the log is loaded.
    backlog: Vec<u8>,
}

/// The store: the head and the rows, which are what counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Rows {
    head: Head,
    /// Which message stands at which seq, with the batch that brought it.
    rows: BTreeMap<Seq, (u8, BatchId)>,
}

/// One state of the world.
#[derive(Debug, Clone)]
pub(crate) struct State {
    variant: Variant,
    start: Seq,
    store: Rows,
    bodies: BTreeMap<Seq, Arc<Entry>>,
    desks: [Desk; 2],
    clients: [Client; 2],
    late: Vec<(Arc<Batch>, bool)>,
    faults: u8,
    crashes: u8,
    limits: Arc<Limits>,
}

fn author(message: u8) -> UserId {
    UserId::new(u64::from(message) + 1).expect("valid")
}

fn key(message: u8) -> ClientKey {
    ClientKey::new(&format!("k{message}")).expect("valid")
}

fn desk(limits: &Limits) -> Desk {
    Desk { owner: Owner::new(limits), call: None, flying: None, allowed: true, backlog: vec![] }
}

impl State {
    pub(crate) fn first(setting: Setting, variant: Variant) -> Self {
        let limits = Arc::new(Limits::default());
        let start = Seq::new(setting.tail).expect("valid");
        let head = if setting.tail == 0 {
            Head::default()
        } else {
            Head {
                tail: start,
                count: Pos(setting.tail),
                incarnation: Incarnation(1),
                segment: Segment(1),
                epoch: Epoch(1),
                ..Head::default()
            }
        };
        Self {
            variant,
            start,
            store: Rows { head, rows: BTreeMap::new() },
            bodies: BTreeMap::new(),
            desks: [desk(&limits), desk(&limits)],
            clients: [Client::default(); 2],
            late: Vec::new(),
            faults: setting.faults,
            crashes: setting.crashes,
            limits,
        }
    }

    pub(crate) fn fingerprint(&self) -> u128 {
        let named = [(author(0), key(0)), (author(1), key(1))];
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (salt, &self.store, self.clients, self.faults, self.crashes).hash(&mut hasher);
            for (batch, allowed) in &self.late {
                (batch.id, batch.base, batch.epoch, allowed).hash(&mut hasher);
            }
            for desk in &self.desks {
                desk.owner.fingerprint(&named, &mut hasher);
                (desk.allowed, &desk.backlog).hash(&mut hasher);
                match &desk.call {
                    None => 0_u8.hash(&mut hasher),
                    Some(Call::ReadHead) => 1_u8.hash(&mut hasher),
                    Some(Call::Claim(seen)) => (2_u8, seen).hash(&mut hasher),
                    Some(Call::Append(batch)) => (3_u8, batch.id).hash(&mut hasher),
                    Some(Call::Rest) => 4_u8.hash(&mut hasher),
                }
            }
            hasher.finish()
        };
        (u128::from(half(1)) << 64) | u128::from(half(2)) | 1
    }

    pub(crate) fn verdict(&self) -> Verdict {
        for message in 0..2_u8 {
            let places: Vec<_> = self.store.rows.iter().filter(|(_, (stored, _))| *stored == message).map(|(seq, _)| *seq).collect();
            let client = self.clients[usize::from(message)];
            if client.acked.is_some_and(|seq| self.store.rows.get(&seq).map(|row| row.0) != Some(message)) {
                return Verdict::Lost;
            }
            if client.failed && !places.is_empty() {
                return Verdict::FailedButStored;
            }
            if places.len() > 1 {
                return Verdict::Doubled;
            }
        }
        // Dense: every row up to the tail is there, and none is above it.
        let dense = (self.start.get() + 1..=self.store.head.tail.get())
            .all(|seq| Seq::new(seq).is_ok_and(|seq| self.store.rows.contains_key(&seq)));
        if dense { Verdict::Holds } else { Verdict::Lost }
    }

    /// Every state that may come next, with what happened.
    pub(crate) fn successors(&self) -> Vec<(String, Self)> {
        let mut next = Vec::new();
        for message in 0..2_u8 {
            let client = self.clients[usize::from(message)];
            let may_send = client.sent < SENDS_MAX && client.acked.is_none() && !client.failed;
            if may_send {
                for at in 0..2_u8 {
                    self.branch(&mut next, format!("client {message} posts to owner {at}"), |state| state.post(message, at));
                }
            }
        }
        for at in 0..2_u8 {
            self.answers(at, &mut next);
            if self.crashes > 0 && self.desks[usize::from(at)].call.is_some() {
                self.branch(&mut next, format!("owner {at} crashes"), |state| state.crash(at));
            }
        }
        for place in 0..self.late.len() {
            self.branch(&mut next, "a late write lands".to_owned(), |state| {
                let (batch, allowed) = state.late.remove(place);
                drop(state.apply(&batch, allowed));
            });
        }
        next
    }

    fn branch(&self, next: &mut Vec<(String, Self)>, step: String, change: impl FnOnce(&mut Self)) {
        let mut state = self.clone();
        change(&mut state);
        next.push((step, state));
    }

    fn answers(&self, at: u8, next: &mut Vec<(String, Self)>) {
        let desk = usize::from(at);
        let unknown = || Err(AppendError::Unknown(String::new()));
        match self.desks[desk].call.clone() {
            None => {}
            Some(Call::ReadHead) => {
                self.branch(next, format!("owner {at} reads the head"), |state| {
                    state.tell(at, LogMail::HeadRead(Ok(state.store.head)), NOW);
                });
                self.fault(next, format!("owner {at} cannot read the head"), |state| {
                    state.tell(at, LogMail::HeadRead(Err(StoreError::Unavailable(String::new()))), NOW);
                });
            }
            // Two owners may take the log from each other for ever (F12): beyond this nothing new can happen.
            Some(Call::Claim(_)) if self.store.head.epoch.0 >= CLAIMS_MAX => {}
            Some(Call::Claim(seen)) => {
                self.branch(next, format!("owner {at} claims"), |state| {
                    let answer = state.claim(seen);
                    state.tell(at, LogMail::Claimed(answer), NOW);
                });
                self.fault(next, format!("owner {at} claims, the reply is lost"), |state| {
                    drop(state.claim(seen));
                    state.tell(at, LogMail::Claimed(Err(AppendError::Unknown(String::new()))), NOW);
                });
            }
            Some(Call::Append(batch)) => {
                let allowed = self.desks[desk].allowed;
                self.branch(next, format!("owner {at}'s batch is answered"), |state| {
                    let answer = state.apply(&batch, allowed);
                    state.tell(at, LogMail::Appended(answer), NOW);
                });
                for (what, now) in [("unknown", NOW), ("unknown for too long", LATE)] {
                    self.fault(next, format!("owner {at}'s batch lands, its outcome is {what}"), |state| {
                        drop(state.apply(&batch, allowed));
                        state.tell(at, LogMail::Appended(unknown()), now);
                    });
                    self.fault(next, format!("owner {at}'s batch is on its way, its outcome is {what}"), |state| {
                        state.late.push((Arc::clone(&batch), allowed));
                        state.tell(at, LogMail::Appended(unknown()), now);
                    });
                    self.fault(next, format!("owner {at}'s batch is lost, its outcome is {what}"), |state| {
                        state.tell(at, LogMail::Appended(unknown()), now);
                    });
                }
            }
            Some(Call::Rest) => self.branch(next, format!("owner {at} has rested"), |state| state.tell(at, LogMail::Rested, NOW)),
        }
    }

    fn fault(&self, next: &mut Vec<(String, Self)>, step: String, change: impl FnOnce(&mut Self)) {
        if self.faults > 0 {
            self.branch(next, step, |state| {
                state.faults -= 1;
                change(state);
            });
        }
    }

    // ── the store ──

    fn claim(&mut self, seen: Head) -> Result<Epoch, AppendError> {
        if self.store.head != seen {
            return Err(AppendError::Stale { head: self.store.head });
        }
        self.store.head.epoch = Epoch(self.store.head.epoch.0 + 1);
        Ok(self.store.head.epoch)
    }

    fn apply(&mut self, batch: &Batch, allowed: bool) -> Result<(), AppendError> {
        let head = self.store.head;
        if head.last_batch == batch.id {
            return Ok(());
        }
        let same_tail = head.tail == batch.base;
        let same_epoch = head.epoch == batch.epoch;
        let holds = match self.variant {
            Variant::TailOnly => same_tail,
            Variant::PlainRowsWithEpoch | Variant::PlainRowsVerified => allowed,
            Variant::PlainAtRollOver if batch.opens_bucket() => true,
            Variant::Right
            | Variant::RenumberOnUnknown
            | Variant::FreeTheSlotOnAbsence
            | Variant::PlainAtRollOver
            | Variant::AckBeforeCommit
            | Variant::NoKeys => same_tail && same_epoch,
        };
        if !holds {
            return Err(AppendError::Stale { head });
        }
        for entry in &batch.entries {
            let message = u8::from(entry.author == author(1));
            self.store.rows.insert(entry.seq, (message, batch.id));
            self.bodies.insert(entry.seq, Arc::clone(entry));
        }
        if self.variant == Variant::PlainRowsVerified && !same_epoch {
            return Err(AppendError::Stale { head }); // the verifying read shows another epoch: no ack, but the rows are written
        }
        let epoch = head.epoch.max(batch.epoch);
        self.store.head = Head { epoch, ..if head.tail > batch.after.tail { head } else { batch.after } };
        Ok(())
    }

    // ── the owners ──

    fn post(&mut self, message: u8, at: u8) {
        self.clients[usize::from(message)].sent += 1;
        self.desks[usize::from(at)].backlog.push(message);
        self.settle(at);
    }

    /// The actor's part: a request is judged by the keys, when the log is loaded.
    fn serve(&mut self, message: u8, at: u8) {
        let owner = &mut self.desks[usize::from(at)].owner;
        let act = Act::Message(Content { text: format!("m{message}").into(), ..Content::default() });
        let draft = Draft { author: author(message), client_key: key(message), act, arrived: NOW, waiter: message };
        match owner.keys().look_up(draft.author, &draft.client_key) {
            Known::Stored(stored) if self.variant != Variant::NoKeys => self.clients[usize::from(message)].acked = Some(stored.seq),
            Known::Reserved(_) => {} // it joins the draft that is on its way (R20)
            Known::Stored(_) | Known::New | Known::Unsure => owner.offer(draft),
        }
    }

    fn tell(&mut self, at: u8, mail: LogMail, now: Timestamp) {
        let desk = usize::from(at);
        self.desks[desk].flying = self.desks[desk].call.take();
        let unknown = matches!(mail, LogMail::Appended(Err(AppendError::Unknown(_))));
        if unknown && self.variant == Variant::RenumberOnUnknown {
            return self.renumber(at);
        }
        if unknown && self.variant == Variant::FreeTheSlotOnAbsence && self.free_slot(at, true) {
            return;
        }
        if unknown && self.variant == Variant::PlainRowsVerified && self.free_slot(at, false) {
            return;
        }
        let steps = self.desks[desk].owner.handle(mail, now);
        self.follow(at, steps);
        self.settle(at);
    }

    /// The messages that this owner has taken in and not answered.
    fn held(&self, at: u8) -> Vec<u8> {
        let Some(Call::Append(batch)) = &self.desks[usize::from(at)].flying else { return vec![] };
        batch.entries.iter().map(|entry| u8::from(entry.author == author(1))).collect()
    }

    /// The wrong way: forget the batch, look at the head afresh, and append the message again.
    fn renumber(&mut self, at: u8) {
        let held = self.held(at);
        self.desks[usize::from(at)] = Desk { backlog: held, ..desk(&self.limits) };
        self.settle(at);
    }

    /// The wrong way: a read that does not show the row is taken for a failure, and the slot for free.
    fn free_slot(&mut self, at: u8, tell: bool) -> bool {
        let absent: Vec<_> =
            self.held(at).into_iter().filter(|message| !self.store.rows.values().any(|(stored, _)| stored == message)).collect();
        if absent.is_empty() {
            return false;
        }
        for message in absent {
            self.clients[usize::from(message)].failed |= tell && self.clients[usize::from(message)].acked.is_none();
        }
        self.desks[usize::from(at)] = desk(&self.limits);
        true
    }

    fn crash(&mut self, at: u8) {
        self.crashes -= 1;
        let crashed = std::mem::replace(&mut self.desks[usize::from(at)], desk(&self.limits));
        if let Some(Call::Append(batch)) = crashed.call {
            self.late.push((batch, crashed.allowed));
        }
    }

    /// The actor's part: whatever was offered is pumped, and what the owner wants to know is loaded.
    fn settle(&mut self, at: u8) {
        let desk = usize::from(at);
        if !self.desks[desk].owner.is_loaded() {
            let steps = self.desks[desk].owner.open(NOW);
            self.follow(at, steps);
        }
        if self.desks[desk].owner.is_loaded() {
            for message in std::mem::take(&mut self.desks[desk].backlog) {
                self.serve(message, at);
            }
        }
        let limits = Arc::clone(&self.limits);
        let head = *self.desks[desk].owner.head();
        // An id that no other batch has: who, on what, under which epoch, after how many rows.
        let mut drawn = (u128::from(at) << 120) | (u128::from(head.tail.get()) << 40) | u128::from(head.epoch.0 + 1);
        let draw = || {
            drawn += 1 << 100;
            drawn
        };
        let steps = self.desks[desk].owner.pump(&limits, NOW, draw, |_| vec![]);
        self.follow(at, steps);
    }

    fn follow(&mut self, at: u8, steps: Vec<Step<u8>>) {
        for step in steps {
            match step {
                Step::Order(order) => self.order(at, order),
                Step::Outcome(outcome) => self.outcome(at, outcome),
                Step::Count(_) => {}
            }
        }
    }

    fn order(&mut self, at: u8, order: Order) {
        let desk = usize::from(at);
        let call = match order {
            Order::ReadHead => Call::ReadHead,
            Order::Claim(seen) => Call::Claim(seen),
            Order::Append(batch) => {
                self.desks[desk].allowed = batch.epoch == self.store.head.epoch;
                if self.variant == Variant::AckBeforeCommit {
                    self.ack(&batch);
                }
                Call::Append(batch)
            }
            Order::RestFor(_) => Call::Rest,
            // Numbers come from another row; drawing one never fails here.
            Order::Number { above, .. } => {
                let number = LogMail::Numbered(Ok(Segment(above.0 + 2 + u64::from(at))));
                let steps = self.desks[desk].owner.handle(number, NOW);
                self.follow(at, steps);
                return self.settle(at);
            }
        };
        self.desks[desk].call = Some(call);
    }

    fn outcome(&mut self, at: u8, outcome: Outcome<u8>) {
        match outcome {
            Outcome::Opened(head) => self.load(at, head),
            Outcome::Committed(batch, _) => self.ack(&batch),
            Outcome::Again(drafts) => {
                let backlog = &mut self.desks[usize::from(at)].backlog;
                backlog.splice(0..0, drafts.into_iter().map(|draft| draft.waiter));
            }
            Outcome::GaveUp(_) | Outcome::Frozen(..) | Outcome::Unnumbered(_) => {} // the client may send it again
        }
    }

    fn ack(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            let message = usize::from(entry.author == author(1));
            self.clients[message].acked.get_or_insert(entry.seq);
        }
    }

    /// What the actor loads when the head is known: the newest rows and those of a fenced batch.
    fn load(&mut self, at: u8, head: Head) {
        let upto = |from: Seq, to: Seq| -> Vec<Entry> { self.bodies.range(from..=to).map(|(_, entry)| Entry::clone(entry)).collect() };
        let desk = usize::from(at);
        let span = self.desks[desk].owner.fate_span();
        let fate = span.map_or_else(Vec::new, |(from, to)| upto(from, to));
        let keyless = matches!(self.variant, Variant::NoKeys | Variant::RenumberOnUnknown);
        let recent = if keyless { vec![] } else { upto(Seq::ZERO, head.tail) };
        let steps = self.desks[desk].owner.loaded(&recent, &fate, NOW);
        self.follow(at, steps);
    }
}
