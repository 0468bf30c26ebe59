//! Performs the append machine's effects against the store, for the actor that owns the log.
//!
//! It gathers drafts while a batch is in flight (group commit), makes the next batch of them, keeps the client keys,
//! and hands every draft back exactly once: committed, given up as unknown, or refused. It acknowledges nothing itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorRef, Message};
use tokio::sync::OwnedSemaphorePermit;

use crate::content::ClientKey;
use crate::entry::{Act, Batch, Entry, Head, Projection, Row};
use crate::id::{BUCKET_SEQS, BatchId, Epoch, Incarnation, LogId, MessageId, NUMBER_MAX, Pos, Segment, Seq, SessionId, UserId};
use crate::limits::Limit;
use crate::log::keys::{Digest, Keys};
use crate::log::machine::{Effect, Input, Log};
use crate::node::Node;
use crate::session::Reply;
use crate::store::{AppendError, Sequence, StoreError};
use crate::task;
use crate::telemetry::{Count, Measure};
use crate::time::Timestamp;

/// A wish to append one entry.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Who.
    pub author: UserId,
    /// Under which key.
    pub client_key: ClientKey,
    /// What.
    pub act: Act,
    /// The session that asked: it gets the reply, not the announcement.
    pub origin: Option<SessionId>,
    /// When it arrived.
    pub arrived: Timestamp,
    /// The way back, and those of repetitions that came while it was on its way.
    pub replies: Vec<Reply>,
    /// Its place in the mailbox's budget, given back when the draft is settled.
    #[expect(dead_code, reason = "held, not read")]
    pub permit: Option<OwnedSemaphorePermit>,
}

/// Answers of the store and of timers.
#[derive(Debug)]
pub(crate) enum LogMail {
    /// The head was read.
    HeadRead(Result<Head, StoreError>),
    /// The claim was answered.
    Claimed(Result<Epoch, AppendError>),
    /// A segment was drawn and bound to the bucket that opens next.
    Numbered(Result<Segment, StoreError>),
    /// The batch in flight was answered.
    Appended(Result<(), AppendError>),
    /// A pause is over.
    Rested,
}

/// What the owner must act on.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The head is known: load what depends on it and call [`Scribe::loaded`].
    Opened(Head),
    /// These are durable, in this order: acknowledge, then announce.
    Committed(Arc<Batch>, Vec<Draft>),
    /// Nobody knows whether these are stored: say so.
    GaveUp(Vec<Draft>),
    /// The log is frozen; these were refused.
    Frozen(Vec<Draft>),
    /// No number could be drawn; these were refused and surely not stored.
    Unnumbered(Vec<Draft>),
}

/// The owner's hand.
pub(crate) struct Scribe<M: Message> {
    node: Node,
    id: LogId,
    owner: ActorRef<M>,
    wrap: fn(LogMail) -> M,
    log: Log,
    keys: Keys,
    waiting: VecDeque<Draft>,
    flying: Vec<Draft>,
    /// A fenced batch whose rows have not been looked up yet (F3).
    fate: Option<Arc<Batch>>,
    segment: Option<Segment>,
    numbering: bool,
    loaded: bool,
    sent_at: Timestamp,
}

impl<M: Message> Scribe<M> {
    /// A scribe that knows nothing yet; `wrap` makes the owner's mail of the store's answers.
    pub(crate) fn new(node: Node, id: LogId, owner: ActorRef<M>, wrap: fn(LogMail) -> M) -> Self {
        let limits = &node.world().limits;
        let log = Log::new(limits.time(Limit::UnknownRetry));
        let keys = Keys::new(limits.count(Limit::KeyWindow));
        Self {
            node,
            id,
            owner,
            wrap,
            log,
            keys,
            waiting: VecDeque::new(),
            flying: Vec::new(),
            fate: None,
            segment: None,
            numbering: false,
            loaded: false,
            sent_at: Timestamp::default(),
        }
    }

    /// The log's head: everything up to its tail is durable.
    pub(crate) fn head(&self) -> &Head {
        self.log.head()
    }
    /// The client keys.
    pub(crate) fn keys(&mut self) -> &mut Keys {
        &mut self.keys
    }
    /// Whether something waits or is in flight.
    pub(crate) fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || !self.flying.is_empty()
    }
    /// Whether a batch is on its way.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.log.is_in_flight()
    }
    /// Whether what depends on the head is known.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded
    }
    /// Whether an operator must look before anything is written.
    pub(crate) fn is_frozen(&self) -> bool {
        self.log.is_frozen()
    }

    /// The span of seqs of a fenced batch, to be loaded with the rest.
    pub(crate) fn fate_span(&self) -> Option<(Seq, Seq)> {
        self.fate.as_ref().map(|batch| (batch.base.next(), batch.after.tail))
    }

    /// Asks for the log's head.
    pub(crate) fn open(&mut self) -> Vec<Outcome> {
        self.step(Input::Open)
    }

    /// What depends on the head is loaded: the newest rows, oldest first, and the rows at a fenced batch's seqs.
    /// Drafts of a fenced batch that is in the log after all are committed; the others go first into the next batch,
    /// in their order.
    pub(crate) fn loaded(&mut self, recent: &[Entry], fate: &[Entry]) -> Vec<Outcome> {
        self.keys.load(recent, false, self.node.now());
        self.loaded = true;
        let Some(batch) = self.fate.take() else { return vec![] };
        let landed = batch.entries.len() == fate.len() && batch.entries.iter().zip(fate).all(|(ours, theirs)| **ours == *theirs);
        let drafts = std::mem::take(&mut self.flying);
        if landed {
            return vec![Outcome::Committed(batch, drafts)];
        }
        for draft in drafts.into_iter().rev() {
            self.waiting.push_front(draft);
        }
        vec![]
    }

    /// What depends on the head could not be loaded: lets go of the log and hands back what waits, which is surely not
    /// stored unless it was fenced.
    pub(crate) fn not_loaded(&mut self) -> (Vec<Draft>, Vec<Draft>) {
        self.log.step(Input::LetGo, self.node.now());
        self.fate = None;
        let unknown = std::mem::take(&mut self.flying);
        let undone: Vec<_> = self.waiting.drain(..).collect();
        self.release(&unknown);
        self.release(&undone);
        (undone, unknown)
    }

    /// Takes in a draft; its key is reserved from now on. [`Scribe::pump`] sends it.
    pub(crate) fn offer(&mut self, draft: Draft) {
        self.keys.reserve(draft.author, &draft.client_key, Digest::of(&draft.act));
        self.waiting.push_back(draft);
    }

    /// Adds the reply of a repetition to the draft that is on its way (R20).
    pub(crate) fn join(&mut self, author: UserId, key: &ClientKey, reply: Reply) {
        let mut drafts = self.flying.iter_mut().chain(self.waiting.iter_mut());
        match drafts.find(|draft| draft.author == author && draft.client_key == *key) {
            Some(draft) => draft.replies.push(reply),
            None => drop(reply), // answers unknown: the reservation has no draft, so its fate is open
        }
    }

    /// Hands back drafts that have waited since before `before` for a log that cannot be opened; surely not stored.
    pub(crate) fn expire(&mut self, before: Timestamp) -> Vec<Draft> {
        let (expired, kept): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|draft| draft.arrived < before);
        self.waiting = kept.into();
        self.release(&expired);
        expired
    }

    /// Takes an answer of the store or of a timer.
    pub(crate) fn handle(&mut self, mail: LogMail) -> Vec<Outcome> {
        match mail {
            LogMail::HeadRead(answer) => self.step(Input::HeadRead(answer)),
            LogMail::Claimed(answer) => self.step(Input::Claimed(answer)),
            LogMail::Appended(answer) => {
                let telemetry = &self.node.world().telemetry;
                telemetry.measure(Measure::AppendSeconds, self.node.now().since(self.sent_at).as_secs_f64());
                self.step(Input::Appended(answer))
            }
            LogMail::Rested => self.step(Input::Rested),
            LogMail::Numbered(answer) => {
                self.numbering = false;
                match answer {
                    Ok(segment) => {
                        self.segment = Some(segment);
                        vec![]
                    }
                    Err(_) => {
                        let refused: Vec<_> = self.waiting.drain(..).collect();
                        self.release(&refused);
                        vec![Outcome::Unnumbered(refused)]
                    }
                }
            }
        }
    }

    /// Sends the next batch if one can be sent; `project` says what rows follow from an entry.
    pub(crate) fn pump(&mut self, project: impl Fn(&Entry) -> Vec<Row>) -> Vec<Outcome> {
        if self.waiting.is_empty() || !self.loaded {
            return vec![];
        }
        if !self.log.may_append() {
            return if self.log.is_in_flight() { vec![] } else { self.step(Input::Want) };
        }
        let opens = self.head().tail.offset_of_next() == 0;
        if opens && self.segment.is_none() {
            self.number();
            return vec![];
        }
        let batch = Arc::new(self.next_batch(project));
        self.node.world().telemetry.measure(Measure::BatchRows, batch.entries.len() as f64);
        self.step(Input::Propose(batch))
    }

    /// Draws a segment for the bucket that opens next and binds it, before the bucket's first batch (N2, N3).
    fn number(&mut self) {
        if std::mem::replace(&mut self.numbering, true) {
            return;
        }
        let (node, log, bucket, above) = (self.node.clone(), self.id, self.head().tail.next().bucket(), self.head().segment.0);
        let deadline = self.deadline();
        self.tie(LogMail::Numbered(Err(lost())), async move {
            let work = async {
                let segment = Segment(node.numbers().take(Sequence::Segments, above).await?);
                node.world().store.bind_segment(segment, log, bucket).await?;
                Ok(segment)
            };
            LogMail::Numbered(within(deadline, work).await)
        });
    }

    fn next_batch(&mut self, project: impl Fn(&Entry) -> Vec<Row>) -> Batch {
        let limits = &self.node.world().limits;
        let base = *self.log.head();
        let opens = base.tail.offset_of_next() == 0;
        let rows_max = limits.count(Limit::BatchRows).min(usize::try_from(BUCKET_SEQS - base.tail.offset_of_next()).unwrap_or(1));
        let bytes_max = limits.count(Limit::BatchBytes);
        let mut head = base;
        if opens {
            head.segment = self.segment.take().expect("a bucket is opened only with a segment");
        }
        if base.is_new() {
            head.incarnation = self.node.draw_incarnation();
        }
        let now = self.node.now();
        let (mut entries, mut projections, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(draft) = self.waiting.front() {
            bytes += draft.act.bytes();
            if entries.len() >= rows_max || (!entries.is_empty() && bytes > bytes_max) {
                break;
            }
            head.tail = head.tail.next();
            head.last_at = now.after(head.last_at);
            if draft.act.is_message() {
                head.count = Pos(head.count.0 + 1);
            } else {
                head.last_change = head.tail;
            }
            let draft = self.waiting.pop_front().expect("the front is there");
            let entry = Arc::new(Entry {
                seq: head.tail,
                pos: head.count,
                id: MessageId::at(head.segment, head.tail),
                author: draft.author,
                client_key: draft.client_key.clone(),
                at: head.last_at,
                act: draft.act.clone(),
            });
            projections.extend(project(&entry).into_iter().map(|row| Projection { version: entry.seq, row }));
            entries.push(entry);
            self.flying.push(draft);
        }
        head.epoch = self.log.epoch();
        head.last_batch = BatchId(self.node.world().random.draw());
        Batch { id: head.last_batch, base: base.tail, epoch: head.epoch, after: head, entries, projections }
    }

    fn step(&mut self, input: Input) -> Vec<Outcome> {
        let effects = self.log.step(input, self.node.now());
        effects.into_iter().filter_map(|effect| self.perform(effect)).collect()
    }

    fn perform(&mut self, effect: Effect) -> Option<Outcome> {
        let telemetry = Arc::clone(&self.node.world().telemetry);
        match effect {
            Effect::ReadHead => self.read_head(),
            Effect::Claim(seen) => self.claim(seen),
            Effect::Append => self.append(),
            Effect::RestFor(pause) => {
                let pause = self.node.jittered(pause);
                self.tie(LogMail::Rested, async move {
                    tokio::time::sleep(pause).await;
                    LogMail::Rested
                });
            }
            Effect::Granted => telemetry.count(Count::ClaimsGranted, 1),
            Effect::ClaimLost => telemetry.count(Count::ClaimsLost, 1),
            Effect::Unknown => telemetry.count(Count::AppendsUnknown, 1),
            Effect::ConflictSameEpoch => {
                telemetry.count(Count::ConflictsSameEpoch, 1);
                tracing::error!(log = ?self.id, "a batch that is not ours was written under our own epoch");
            }
            Effect::Opened(head) => return Some(Outcome::Opened(head)),
            Effect::Committed => {
                let batch = Arc::clone(self.log.proposed().expect("a committed batch was proposed"));
                for entry in &batch.entries {
                    self.keys.settle(entry);
                }
                return Some(Outcome::Committed(batch, std::mem::take(&mut self.flying)));
            }
            Effect::Fenced => {
                telemetry.count(Count::Fenced, 1);
                tracing::warn!(log = ?self.id, "another owner wrote to this log");
                self.fate = self.log.proposed().cloned();
                self.lose();
                return self.step(Input::Open).into_iter().next();
            }
            Effect::GaveUp => {
                let drafts = std::mem::take(&mut self.flying);
                self.lose();
                self.release(&drafts);
                return Some(Outcome::GaveUp(drafts));
            }
            Effect::Frozen(why) => {
                telemetry.count(Count::Frozen, 1);
                tracing::error!(log = ?self.id, why, "the log is frozen: run the check command before anything is written to it");
                let mut drafts = std::mem::take(&mut self.flying);
                drafts.extend(self.waiting.drain(..));
                self.release(&drafts);
                return Some(Outcome::Frozen(drafts));
            }
        }
        None
    }

    /// Nothing that was learned of the log holds any more.
    fn lose(&mut self) {
        self.loaded = false;
        self.segment = None;
        self.keys.forget();
    }

    fn release(&mut self, drafts: &[Draft]) {
        for draft in drafts {
            self.keys.release(draft.author, &draft.client_key);
        }
    }

    fn deadline(&self) -> Duration {
        self.node.world().limits.time(Limit::StoreDeadline)
    }

    fn tie(&self, mail: LogMail, work: impl Future<Output = LogMail> + Send + 'static) {
        let wrap = self.wrap;
        task::tie(&self.owner, wrap(mail), async move { wrap(work.await) });
    }

    fn read_head(&self) {
        let (store, id, deadline) = (Arc::clone(&self.node.world().store), self.id, self.deadline());
        self.tie(LogMail::HeadRead(Err(lost())), async move { LogMail::HeadRead(within(deadline, store.head(id)).await) });
    }

    fn claim(&self, seen: Head) {
        let (store, id, deadline) = (Arc::clone(&self.node.world().store), self.id, self.deadline());
        let unknown = || AppendError::Unknown("no answer in time".to_owned());
        self.tie(LogMail::Claimed(Err(unknown())), async move {
            let answer = tokio::time::timeout(deadline, store.claim(id, seen)).await;
            LogMail::Claimed(answer.unwrap_or_else(|_| Err(unknown())))
        });
    }

    fn append(&mut self) {
        self.sent_at = self.node.now();
        let batch = Arc::clone(self.log.proposed().expect("an append has a batch"));
        let (store, id, deadline) = (Arc::clone(&self.node.world().store), self.id, self.deadline());
        let unknown = || AppendError::Unknown("no answer in time".to_owned());
        self.tie(LogMail::Appended(Err(unknown())), async move {
            let answer = tokio::time::timeout(deadline, store.append(id, batch)).await;
            LogMail::Appended(answer.unwrap_or_else(|_| Err(unknown())))
        });
    }
}

fn lost() -> StoreError {
    StoreError::Unknown("the call was lost".to_owned())
}

/// The answer of a store call, or *unavailable* if it does not come in time: for calls that change nothing, or whose
/// change is harmless when it is repeated.
pub(crate) async fn within<T>(deadline: Duration, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::Unavailable("no answer in time".to_owned())),
    }
}

/// A fresh incarnation: 53 random bits, never 0.
pub(crate) fn incarnation(random: u128) -> Incarnation {
    Incarnation(u64::try_from(random % u128::from(NUMBER_MAX)).unwrap_or(0) + 1)
}
