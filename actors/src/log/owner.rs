//! What the owner of a log is doing: the drafts that wait, the batch in flight, the client keys, the machine.
//!
//! Pure, and the whole of it: what is written, when it may be written, and what those who wait are told. The model,
//! the simulation and production run this code; [`super::scribe`] performs its orders in production. It gathers drafts
//! while a batch is in flight (group commit) and hands every draft back exactly once: committed, given up as unknown,
//! or refused.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::content::ClientKey;
use crate::entry::{Act, Batch, Digest, Entry, Head, Projection, Row};
use crate::id::{BUCKET_SEQS, BatchId, Bucket, Epoch, Incarnation, MessageId, NUMBER_MAX, Pos, Segment, Seq, UserId};
use crate::limits::{Limit, Limits};
use crate::log::keys::{Keys, Known};
use crate::log::machine::{Effect, Input, Log};
use crate::store::{AppendError, StoreError};
use crate::telemetry::Count;
use crate::time::Timestamp;

/// A wish to append one entry; `waiter` is whatever those who wait for it need.
#[derive(Debug, Clone)]
pub struct Draft<W> {
    /// Who.
    pub author: UserId,
    /// Under which key.
    pub client_key: ClientKey,
    /// What.
    pub act: Act,
    /// When it arrived.
    pub arrived: Timestamp,
    /// Who waits, and how they are told.
    pub waiter: W,
}

/// What is to be done outside; each is answered by [`Owner::handle`].
#[derive(Debug, Clone)]
pub enum Order {
    /// Read the head at serial consistency.
    ReadHead,
    /// Claim the log if this is still its head.
    Claim(Head),
    /// Append this batch.
    Append(Arc<Batch>),
    /// Draw a segment above this one and bind it to this bucket, before the bucket's first batch (N2, N3).
    Number {
        /// The bucket that opens next.
        bucket: Bucket,
        /// The segment must be greater (N4).
        above: Segment,
    },
    /// Answer after about this time.
    RestFor(Duration),
}

/// Answers to orders.
#[derive(Debug, Clone)]
pub enum LogMail {
    /// The head was read.
    HeadRead(Result<Head, StoreError>),
    /// The claim was answered.
    Claimed(Result<Epoch, AppendError>),
    /// A segment was drawn and bound.
    Numbered(Result<Segment, StoreError>),
    /// The batch in flight was answered.
    Appended(Result<(), AppendError>),
    /// A pause is over.
    Rested,
}

/// What those who wait are to be told, or the actor must act on.
#[derive(Debug)]
pub enum Outcome<W> {
    /// The head is known: load what depends on it and call [`Owner::loaded`].
    Opened(Head),
    /// These are durable, in this order: acknowledge, then announce.
    Committed(Arc<Batch>, Vec<Draft<W>>),
    /// Nobody knows whether the first of these are stored, and the others must not overtake them: say so to all.
    GaveUp(Vec<Draft<W>>),
    /// The log is frozen, for this reason; these were refused.
    Frozen(String, Vec<Draft<W>>),
    /// No number could be drawn; these were refused and surely not stored.
    Unnumbered(Vec<Draft<W>>),
    /// The log was lost to another owner, who may have stored these under the same keys, or changed who may post:
    /// judge them anew, first and in this order. They are surely not stored by this owner.
    Again(Vec<Draft<W>>),
}

/// One thing that follows from an input.
#[derive(Debug)]
pub enum Step<W> {
    /// To be done.
    Order(Order),
    /// To be told.
    Outcome(Outcome<W>),
    /// To be counted.
    Count(Count),
}

/// The owner of one log.
#[derive(Debug, Clone)]
pub struct Owner<W> {
    log: Log,
    keys: Keys,
    waiting: VecDeque<Draft<W>>,
    flying: Vec<Draft<W>>,
    /// A fenced batch whose rows have not been looked up yet (F3).
    fate: Option<Arc<Batch>>,
    /// A segment for the bucket that opens next.
    segment: Option<(Bucket, Segment)>,
    /// For which bucket a segment is being drawn.
    numbering: Option<Bucket>,
    loaded: bool,
}

impl<W> Owner<W> {
    /// An owner that knows nothing of its log yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            log: Log::new(limits.time(Limit::UnknownRetry)),
            keys: Keys::new(limits.count(Limit::KeyWindow)),
            waiting: VecDeque::new(),
            flying: Vec::new(),
            fate: None,
            segment: None,
            numbering: None,
            loaded: false,
        }
    }

    /// The log's head: everything up to its tail is durable.
    pub fn head(&self) -> &Head {
        self.log.head()
    }
    /// The client keys.
    pub fn keys(&mut self) -> &mut Keys {
        &mut self.keys
    }
    /// Whether something waits or is in flight.
    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || !self.flying.is_empty()
    }
    /// Whether a batch is on its way.
    pub fn is_in_flight(&self) -> bool {
        self.log.is_in_flight()
    }
    /// Whether what depends on the head is known.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }
    /// Whether an operator must look before anything is written.
    pub fn is_frozen(&self) -> bool {
        self.log.is_frozen()
    }
    /// The span of seqs of a fenced batch, to be loaded with the rest.
    pub fn fate_span(&self) -> Option<(Seq, Seq)> {
        self.fate.as_ref().map(|batch| (batch.base.next(), batch.after.tail))
    }

    /// Everything that decides what this owner will do next, for a search that must recognise a state that it has
    /// seen; of the client keys those that are named.
    pub fn fingerprint(&self, named: &[(UserId, ClientKey)], hasher: &mut impl Hasher) {
        self.log.fingerprint(hasher);
        for draft in self.waiting.iter().chain(&self.flying) {
            (draft.author, &draft.client_key).hash(hasher);
        }
        for (author, key) in named {
            self.keys.look_up(*author, key).hash(hasher);
        }
        (self.waiting.len(), self.fate.as_ref().map(|batch| batch.id), self.segment, self.numbering, self.loaded).hash(hasher);
    }

    /// Asks for the log's head.
    pub fn open(&mut self, now: Timestamp) -> Vec<Step<W>> {
        self.step(Input::Open, now)
    }

    /// What depends on the head is loaded: the newest rows, oldest first, and the rows at a fenced batch's seqs.
    /// Drafts of a fenced batch that is in the log after all are committed; whatever else waited is to be judged again.
    pub fn loaded(&mut self, recent: &[Entry], fate: &[Entry], now: Timestamp) -> Vec<Step<W>> {
        self.keys.load(recent, false, now);
        self.loaded = true;
        let (mut steps, mut again) = (Vec::new(), std::mem::take(&mut self.flying));
        if let Some(batch) = self.fate.take()
            && batch.entries.len() == fate.len()
            && batch.entries.iter().zip(fate).all(|(ours, theirs)| **ours == *theirs)
        {
            for entry in &batch.entries {
                if let Known::Reserved(_) = self.keys.look_up(entry.author, &entry.client_key) {
                    self.keys.settle(entry);
                }
            }
            steps.push(Step::Outcome(Outcome::Committed(batch, std::mem::take(&mut again))));
        }
        again.extend(self.waiting.drain(..));
        if !again.is_empty() {
            self.release(&again);
            steps.push(Step::Outcome(Outcome::Again(again)));
        }
        steps
    }

    /// What depends on the head could not be loaded: lets go of the log and hands back what waits (surely not stored)
    /// and what was fenced (unknown).
    pub fn not_loaded(&mut self, now: Timestamp) -> (Vec<Draft<W>>, Vec<Draft<W>>) {
        self.log.step(Input::LetGo, now);
        self.fate = None;
        let unknown = std::mem::take(&mut self.flying);
        let undone: Vec<_> = self.waiting.drain(..).collect();
        self.release(&unknown);
        self.release(&undone);
        (undone, unknown)
    }

    /// Takes in a draft; its key is reserved from now on. [`Owner::pump`] sends it.
    pub fn offer(&mut self, draft: Draft<W>) {
        self.keys.reserve(draft.author, &draft.client_key, Digest::of(&draft.act));
        self.waiting.push_back(draft);
    }

    /// Who waits for the draft under this key that is on its way (R20).
    pub fn waiter(&mut self, author: UserId, key: &ClientKey) -> Option<&mut W> {
        let mut drafts = self.flying.iter_mut().chain(self.waiting.iter_mut());
        drafts.find(|draft| draft.author == author && draft.client_key == *key).map(|draft| &mut draft.waiter)
    }

    /// Hands back drafts that have waited since before `before` for a log that cannot be opened; surely not stored.
    pub fn expire(&mut self, before: Timestamp) -> Vec<Draft<W>> {
        let (expired, kept): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|draft| draft.arrived < before);
        self.waiting = kept.into();
        self.release(&expired);
        expired
    }

    /// Takes an answer.
    pub fn handle(&mut self, mail: LogMail, now: Timestamp) -> Vec<Step<W>> {
        match mail {
            LogMail::HeadRead(answer) => self.step(Input::HeadRead(answer), now),
            LogMail::Claimed(answer) => self.step(Input::Claimed(answer), now),
            LogMail::Appended(answer) => self.step(Input::Appended(answer), now),
            LogMail::Rested => self.step(Input::Rested, now),
            LogMail::Numbered(answer) => {
                let bucket = self.numbering.take();
                if let (Ok(segment), Some(bucket)) = (&answer, bucket) {
                    self.segment = Some((bucket, *segment));
                    return vec![];
                }
                let refused: Vec<_> = self.waiting.drain(..).collect();
                self.release(&refused);
                vec![Step::Outcome(Outcome::Unnumbered(refused))]
            }
        }
    }

    /// Sends the next batch if one can be sent. `project` says what rows follow from an entry, `draw` gives 128 random
    /// bits.
    pub fn pump(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        draw: impl FnMut() -> u128,
        project: impl Fn(&Entry) -> Vec<Row>,
    ) -> Vec<Step<W>> {
        if self.waiting.is_empty() || !self.loaded {
            return vec![];
        }
        if !self.log.may_append() {
            return if self.log.is_in_flight() { vec![] } else { self.step(Input::Want, now) };
        }
        let next = self.head().tail.next();
        let above = self.head().segment;
        // One that was drawn before another owner went on may be another bucket's, or too low by now (N4).
        self.segment = self.segment.filter(|(bucket, segment)| *bucket == next.bucket() && *segment > above);
        if next.offset() == 0 && self.segment.is_none() {
            if self.numbering.is_some() {
                return vec![];
            }
            self.numbering = Some(next.bucket());
            return vec![Step::Order(Order::Number { bucket: next.bucket(), above })];
        }
        let batch = self.next_batch(limits, now, draw, project);
        self.step(Input::Propose(Arc::new(batch)), now)
    }

    fn next_batch(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        mut draw: impl FnMut() -> u128,
        project: impl Fn(&Entry) -> Vec<Row>,
    ) -> Batch {
        let base = *self.log.head();
        let offset = base.tail.next().offset();
        let rows_max = limits.count(Limit::BatchRows).min(usize::try_from(BUCKET_SEQS - offset).unwrap_or(1));
        let bytes_max = limits.count(Limit::BatchBytes);
        let mut head = base;
        if offset == 0 {
            (_, head.segment) = self.segment.take().expect("a bucket is opened only with a segment");
        }
        if base.is_new() {
            head.incarnation = incarnation(draw());
        }
        let (mut entries, mut projections, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(draft) = self.waiting.pop_front() {
            bytes += draft.act.bytes();
            if entries.len() >= rows_max || (!entries.is_empty() && bytes > bytes_max) {
                self.waiting.push_front(draft);
                break;
            }
            let entry = next_entry(&mut head, now, &draft);
            projections.extend(project(&entry).into_iter().map(|row| Projection { version: entry.seq, row }));
            entries.push(Arc::new(entry));
            self.flying.push(draft);
        }
        head.epoch = self.log.epoch();
        head.last_batch = BatchId(draw());
        Batch { id: head.last_batch, base: base.tail, epoch: head.epoch, after: head, entries, projections }
    }

    fn step(&mut self, input: Input, now: Timestamp) -> Vec<Step<W>> {
        let mut steps = Vec::new();
        for effect in self.log.step(input, now) {
            self.follow(effect, now, &mut steps);
        }
        steps
    }

    fn follow(&mut self, effect: Effect, now: Timestamp, steps: &mut Vec<Step<W>>) {
        match effect {
            Effect::ReadHead => steps.push(Step::Order(Order::ReadHead)),
            Effect::Claim(seen) => steps.push(Step::Order(Order::Claim(seen))),
            Effect::Append => steps.push(Step::Order(Order::Append(self.in_flight()))),
            Effect::RestFor(pause) => steps.push(Step::Order(Order::RestFor(pause))),
            Effect::Granted => steps.push(Step::Count(Count::ClaimsGranted)),
            Effect::ClaimLost => steps.push(Step::Count(Count::ClaimsLost)),
            Effect::Unknown => steps.push(Step::Count(Count::AppendsUnknown)),
            Effect::ConflictSameEpoch => steps.push(Step::Count(Count::ConflictsSameEpoch)),
            Effect::Opened(head) => {
                self.lose();
                steps.push(Step::Outcome(Outcome::Opened(head)));
            }
            Effect::Committed => {
                let batch = self.in_flight();
                for entry in &batch.entries {
                    self.keys.settle(entry);
                }
                steps.push(Step::Outcome(Outcome::Committed(batch, std::mem::take(&mut self.flying))));
            }
            Effect::Fenced => {
                steps.push(Step::Count(Count::Fenced));
                self.fate = Some(self.in_flight());
                self.lose();
                for effect in self.log.step(Input::Open, now) {
                    self.follow(effect, now, steps);
                }
            }
            Effect::GaveUp => {
                let mut drafts = std::mem::take(&mut self.flying);
                drafts.extend(self.waiting.drain(..));
                self.lose();
                self.release(&drafts);
                steps.push(Step::Outcome(Outcome::GaveUp(drafts)));
            }
            Effect::Frozen(why) => {
                steps.push(Step::Count(Count::Frozen));
                let mut drafts = std::mem::take(&mut self.flying);
                drafts.extend(self.waiting.drain(..));
                self.release(&drafts);
                steps.push(Step::Outcome(Outcome::Frozen(why, drafts)));
            }
        }
    }

    fn in_flight(&self) -> Arc<Batch> {
        Arc::clone(self.log.proposed().expect("the machine speaks of a batch only after one was proposed"))
    }

    /// Nothing that was learned of the log holds any more.
    fn lose(&mut self) {
        self.loaded = false;
        self.segment = None;
        self.keys.forget();
    }

    fn release(&mut self, drafts: &[Draft<W>]) {
        for draft in drafts {
            self.keys.release(draft.author, &draft.client_key);
        }
    }
}

/// The entry that a draft becomes; `head` moves on with it.
fn next_entry<W>(head: &mut Head, now: Timestamp, draft: &Draft<W>) -> Entry {
    head.tail = head.tail.next();
    head.last_at = now.after(head.last_at);
    if draft.act.is_message() {
        head.count = Pos(head.count.0 + 1);
    } else {
        head.last_change = head.tail;
    }
    Entry {
        seq: head.tail,
        pos: head.count,
        id: MessageId::at(head.segment, head.tail),
        author: draft.author,
        client_key: draft.client_key.clone(),
        at: head.last_at,
        act: draft.act.clone(),
    }
}

/// A fresh incarnation: 53 random bits, never 0.
pub(crate) fn incarnation(random: u128) -> Incarnation {
    Incarnation(u64::try_from(random % u128::from(NUMBER_MAX)).unwrap_or(0) + 1)
}
