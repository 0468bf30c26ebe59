//! The append state machine (rules R1–R10, R16): what an owner does for every answer of the store, and every silence.
//!
//! Pure: no clock, no store, no randomness. One `step` takes what has happened and says what to do next; the model,
//! the simulation and production run this very code. The invariant: a batch leaves as [`Effect::Committed`] only if
//! the store said so, or proved so; a batch whose outcome is unknown is only ever sent again unchanged.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::entry::{Batch, Head};
use crate::id::{BatchId, Epoch};
use crate::store::{AppendError, StoreError};
use crate::time::Timestamp;

/// The pause before the first repetition; it doubles up to [`RESEND_MAX`].
const RESEND_FIRST: Duration = Duration::from_millis(20);
/// The longest pause between two repetitions.
const RESEND_MAX: Duration = Duration::from_secs(1);
/// How often the pause is doubled.
const DOUBLINGS: u32 = 6;

/// Where the owner stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Nothing is known of the log.
    Unowned,
    /// The head is being read.
    Reading,
    /// The head is known; nobody wants to write yet.
    Idle,
    /// The claim is under way, with this head as its condition.
    Claiming,
    /// Owned; nothing is in flight.
    Ready,
    /// One batch is in flight; its outcome is open.
    InFlight(InFlight),
    /// Stored data contradicts itself: nothing is written until an operator has looked (F13).
    Frozen,
}

/// A batch whose outcome is open.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct InFlight {
    batch: BatchId,
    /// When it was first sent: unknown for too long is given up (F7).
    since: Timestamp,
    /// How often it was sent again.
    resent: u32,
    /// Whether its answer came and was unknown, so that a timer runs.
    resting: bool,
}

/// What has happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Somebody wants to know the log's head.
    Open,
    /// Somebody wants to append.
    Want,
    /// The answer to [`Effect::ReadHead`].
    HeadRead(Result<Head, StoreError>),
    /// The answer to [`Effect::Claim`].
    Claimed(Result<Epoch, AppendError>),
    /// A batch that goes on from [`Log::head`] was made; only while [`Log::may_append`].
    Propose(Arc<Batch>),
    /// The answer to [`Effect::Append`].
    Appended(Result<(), AppendError>),
    /// The timer of [`Effect::RestFor`] has run out.
    Rested,
    /// The owner lets go of the log, because it could not load what it needs; nothing is in flight.
    LetGo,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read the head at serial consistency.
    ReadHead,
    /// Claim the log if this is still its head.
    Claim(Head),
    /// Send the batch in flight, unchanged.
    Append,
    /// Step again with [`Input::Rested`] after about this time; the shell adds jitter.
    RestFor(Duration),
    /// The head is known for the first time, or anew after the log was lost.
    Opened(Head),
    /// The log is owned: a batch may be proposed.
    Granted,
    /// The batch in flight is durable: acknowledge, then announce.
    Committed,
    /// Another owner wrote. The batch in flight is in the log, or dead for ever: its rows tell (F3).
    Fenced,
    /// The outcome of the batch in flight could not be learned in time: say so to those who wait (F7).
    GaveUp,
    /// The store contradicts what this owner knows: nothing is written any more (F13).
    Frozen(String),
    /// The claim was lost or not learned; for the counters.
    ClaimLost,
    /// Our own epoch wrote something that we do not know; must never happen (F4). For the counters.
    ConflictSameEpoch,
    /// The outcome of an append was not learned; for the counters.
    Unknown,
}

/// One log, as its owner knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    phase: Phase,
    head: Head,
    epoch: Epoch,
    proposed: Option<Arc<Batch>>,
    /// Somebody waits to append.
    wanted: bool,
    give_up_after: Duration,
    tries: u32,
}

impl Log {
    /// A log of which nothing is known; unknown batches are given up after this time.
    pub fn new(give_up_after: Duration) -> Self {
        Self {
            phase: Phase::Unowned,
            head: Head::default(),
            epoch: Epoch::default(),
            proposed: None,
            wanted: false,
            give_up_after,
            tries: 0,
        }
    }

    /// The head as this owner knows it: everything up to its tail is durable.
    pub fn head(&self) -> &Head {
        &self.head
    }
    /// The epoch to write with.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// Whether a batch may be proposed now.
    pub fn may_append(&self) -> bool {
        self.phase == Phase::Ready
    }
    /// Whether a batch is in flight.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.phase, Phase::InFlight(_))
    }
    /// Whether nothing may be written until an operator has looked.
    pub fn is_frozen(&self) -> bool {
        self.phase == Phase::Frozen
    }
    /// Whether the head is known.
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Unowned | Phase::Reading)
    }
    /// The batch whose outcome is open, or has just been settled.
    pub fn proposed(&self) -> Option<&Arc<Batch>> {
        self.proposed.as_ref()
    }

    /// Everything that decides what this log will do next.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        (&self.phase, self.head, self.epoch, self.proposed.as_ref().map(|batch| batch.id), self.wanted, self.tries).hash(hasher);
    }

    /// Takes what has happened and says what to do, in order. Inputs that do not fit the phase are late answers of an
    /// earlier one and change nothing.
    pub fn step(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        match input {
            Input::Open => self.open(),
            Input::Want => {
                self.wanted = true;
                match self.phase {
                    Phase::Unowned => self.open(),
                    Phase::Idle => self.claim(),
                    Phase::Reading | Phase::Claiming | Phase::Ready | Phase::InFlight(_) | Phase::Frozen => vec![],
                }
            }
            Input::HeadRead(answer) => self.head_read(answer),
            Input::Claimed(answer) => self.claimed(answer),
            Input::Propose(batch) => self.propose(batch, now),
            Input::Appended(answer) => self.appended(answer, now),
            Input::Rested => self.rested(now),
            Input::LetGo => {
                if matches!(self.phase, Phase::Idle | Phase::Claiming | Phase::Ready) {
                    self.phase = Phase::Unowned;
                    self.wanted = false;
                }
                vec![]
            }
        }
    }

    fn open(&mut self) -> Vec<Effect> {
        if self.phase != Phase::Unowned {
            return vec![];
        }
        self.phase = Phase::Reading;
        vec![Effect::ReadHead]
    }

    fn claim(&mut self) -> Vec<Effect> {
        self.phase = Phase::Claiming;
        vec![Effect::Claim(self.head)]
    }

    fn head_read(&mut self, answer: Result<Head, StoreError>) -> Vec<Effect> {
        if self.phase != Phase::Reading {
            return vec![];
        }
        match answer {
            // What was durable cannot be gone: the tail only rises, and a log's life does not change under its owner.
            Ok(head) if head.tail < self.head.tail => {
                self.freeze(format!("the tail fell from {} to {}", self.head.tail.get(), head.tail.get()))
            }
            Ok(head) if !self.head.is_new() && head.incarnation != self.head.incarnation => {
                self.freeze("the log began another life".to_owned())
            }
            Ok(head) => {
                self.head = head;
                self.tries = 0;
                self.phase = Phase::Idle;
                let mut effects = vec![Effect::Opened(head)];
                if self.wanted {
                    effects.extend(self.claim());
                }
                effects
            }
            Err(StoreError::Corrupt(why)) => self.freeze(why),
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => self.rest(),
        }
    }

    fn claimed(&mut self, answer: Result<Epoch, AppendError>) -> Vec<Effect> {
        if self.phase != Phase::Claiming {
            return vec![];
        }
        match answer {
            Ok(epoch) => {
                self.epoch = epoch;
                self.phase = Phase::Ready;
                self.wanted = false;
                vec![Effect::Granted]
            }
            // Refused or not learned: only a fresh look at the head can tell (R7).
            Err(AppendError::Stale { .. } | AppendError::Unknown(_)) => {
                self.phase = Phase::Reading;
                let mut effects = vec![Effect::ClaimLost];
                effects.extend(self.rest());
                effects
            }
            Err(AppendError::Corrupt(why)) => self.freeze(why),
        }
    }

    fn propose(&mut self, batch: Arc<Batch>, now: Timestamp) -> Vec<Effect> {
        assert!(self.may_append(), "a batch was proposed in phase {:?}", self.phase);
        assert_eq!(batch.base, self.head.tail, "a batch must go on from the tail");
        assert_eq!(batch.epoch, self.epoch, "a batch must carry the owner's epoch");
        self.phase = Phase::InFlight(InFlight { batch: batch.id, since: now, resent: 0, resting: false });
        self.proposed = Some(batch);
        vec![Effect::Append]
    }

    fn appended(&mut self, answer: Result<(), AppendError>, now: Timestamp) -> Vec<Effect> {
        let Phase::InFlight(flight) = &mut self.phase else { return vec![] };
        if flight.resting {
            return vec![]; // a late answer to a batch that is about to be sent again: the repetition will tell
        }
        match answer {
            Ok(()) => self.committed(),
            // An earlier try landed (F2).
            Err(AppendError::Stale { head }) if head.last_batch == flight.batch => self.committed(),
            Err(AppendError::Stale { head }) => self.fenced(head.epoch),
            Err(AppendError::Unknown(_)) => {
                if now.since(flight.since) >= self.give_up_after {
                    return self.give_up();
                }
                flight.resting = true;
                let pause = pause(flight.resent);
                vec![Effect::Unknown, Effect::RestFor(pause)]
            }
            Err(AppendError::Corrupt(why)) => self.freeze(why),
        }
    }

    fn rested(&mut self, now: Timestamp) -> Vec<Effect> {
        match &mut self.phase {
            Phase::InFlight(flight) if flight.resting => {
                if now.since(flight.since) >= self.give_up_after {
                    return self.give_up();
                }
                flight.resting = false;
                flight.resent = (flight.resent + 1).min(DOUBLINGS);
                vec![Effect::Append]
            }
            Phase::Reading => vec![Effect::ReadHead],
            Phase::Unowned | Phase::Idle | Phase::Claiming | Phase::Ready | Phase::InFlight(_) | Phase::Frozen => vec![],
        }
    }

    fn committed(&mut self) -> Vec<Effect> {
        self.head = self.proposed.as_ref().expect("a batch is in flight").after;
        self.phase = Phase::Ready;
        vec![Effect::Committed]
    }

    fn fenced(&mut self, epoch: Epoch) -> Vec<Effect> {
        let conflict = epoch == self.epoch;
        self.phase = Phase::Unowned;
        self.wanted = false;
        if conflict { vec![Effect::ConflictSameEpoch, Effect::Fenced] } else { vec![Effect::Fenced] }
    }

    /// The fate of the batch is sealed only by a new epoch, so the log is left and claimed again with the next wish.
    fn give_up(&mut self) -> Vec<Effect> {
        self.phase = Phase::Unowned;
        self.wanted = false;
        vec![Effect::GaveUp]
    }

    fn freeze(&mut self, why: String) -> Vec<Effect> {
        self.phase = Phase::Frozen;
        vec![Effect::Frozen(why)]
    }

    fn rest(&mut self) -> Vec<Effect> {
        let pause = pause(self.tries);
        self.tries = (self.tries + 1).min(DOUBLINGS);
        vec![Effect::RestFor(pause)]
    }
}

/// The pause before a repetition: doubling, capped.
fn pause(tries: u32) -> Duration {
    RESEND_FIRST.saturating_mul(1 << tries.min(DOUBLINGS)).min(RESEND_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Incarnation, Seq};

    const T0: Timestamp = Timestamp(0);

    fn batch(log: &Log, id: u128) -> Arc<Batch> {
        let after =
            Head { tail: log.head().tail.next(), last_batch: BatchId(id), epoch: log.epoch(), incarnation: Incarnation(7), ..*log.head() };
        Arc::new(Batch { id: BatchId(id), base: log.head().tail, epoch: log.epoch(), after, entries: vec![], projections: vec![] })
    }

    fn owned() -> Log {
        let mut log = Log::new(Duration::from_secs(10));
        assert_eq!(log.step(Input::Want, T0), [Effect::ReadHead]);
        let opened = log.step(Input::HeadRead(Ok(Head::default())), T0);
        assert_eq!(opened, [Effect::Opened(Head::default()), Effect::Claim(Head::default())]);
        assert_eq!(log.step(Input::Claimed(Ok(Epoch(3))), T0), [Effect::Granted]);
        log
    }

    fn in_flight() -> (Log, Arc<Batch>) {
        let mut log = owned();
        let sent = batch(&log, 1);
        assert_eq!(log.step(Input::Propose(Arc::clone(&sent)), T0), [Effect::Append]);
        (log, sent)
    }

    fn unknown() -> Input {
        Input::Appended(Err(AppendError::Unknown("time-out".to_owned())))
    }

    #[test]
    fn an_applied_batch_is_committed_and_moves_the_tail() {
        let (mut log, _) = in_flight();
        assert_eq!(log.step(Input::Appended(Ok(())), T0), [Effect::Committed]);
        assert_eq!(log.head().tail.get(), 1);
        assert!(log.may_append());
    }

    #[test]
    fn an_unknown_batch_is_sent_again_and_nothing_passes_it() {
        let (mut log, _) = in_flight();
        assert_eq!(log.step(unknown(), T0), [Effect::Unknown, Effect::RestFor(RESEND_FIRST)]);
        assert!(!log.may_append());
        assert_eq!(log.step(Input::Rested, T0), [Effect::Append]);
        assert_eq!(log.step(unknown(), T0), [Effect::Unknown, Effect::RestFor(RESEND_FIRST * 2)]);
    }

    #[test]
    fn an_earlier_try_that_landed_is_success() {
        let (mut log, sent) = in_flight();
        log.step(unknown(), T0);
        log.step(Input::Rested, T0);
        let stale = Input::Appended(Err(AppendError::Stale { head: sent.after }));
        assert_eq!(log.step(stale, T0), [Effect::Committed]);
    }

    #[test]
    fn a_newer_owner_fences() {
        let (mut log, _) = in_flight();
        let head = Head { tail: Seq::new(1).expect("valid"), epoch: Epoch(4), last_batch: BatchId(9), ..Head::default() };
        assert_eq!(log.step(Input::Appended(Err(AppendError::Stale { head })), T0), [Effect::Fenced]);
        assert!(!log.is_open());
        assert_eq!(log.step(Input::Want, T0), [Effect::ReadHead]);
    }

    #[test]
    fn a_stranger_under_our_own_epoch_is_counted() {
        let (mut log, _) = in_flight();
        let head = Head { tail: Seq::new(1).expect("valid"), epoch: Epoch(3), last_batch: BatchId(9), ..Head::default() };
        let effects = log.step(Input::Appended(Err(AppendError::Stale { head })), T0);
        assert_eq!(effects, [Effect::ConflictSameEpoch, Effect::Fenced]);
    }

    #[test]
    fn after_ten_seconds_the_batch_is_given_up_not_failed() {
        let (mut log, _) = in_flight();
        let late = T0.plus(Duration::from_secs(10));
        assert_eq!(log.step(unknown(), late), [Effect::GaveUp]);
        assert_eq!(log.step(Input::Want, late), [Effect::ReadHead]);
    }

    #[test]
    fn a_fallen_tail_freezes() {
        let (mut log, _) = in_flight();
        log.step(Input::Appended(Ok(())), T0);
        let second = batch(&log, 2);
        log.step(Input::Propose(second), T0);
        log.step(unknown(), T0.plus(Duration::from_secs(11)));
        log.step(Input::Want, T0);
        let effects = log.step(Input::HeadRead(Ok(Head::default())), T0);
        assert!(matches!(effects[..], [Effect::Frozen(_)]), "{effects:?}");
        assert!(log.is_frozen());
        assert_eq!(log.step(Input::Want, T0), []);
    }

    #[test]
    fn a_lost_claim_looks_again() {
        let mut log = Log::new(Duration::from_secs(10));
        log.step(Input::Want, T0);
        log.step(Input::HeadRead(Ok(Head::default())), T0);
        let lost = log.step(Input::Claimed(Err(AppendError::Unknown("time-out".to_owned()))), T0);
        assert_eq!(lost, [Effect::ClaimLost, Effect::RestFor(RESEND_FIRST)]);
        assert_eq!(log.step(Input::Rested, T0), [Effect::ReadHead]);
    }

    #[test]
    fn late_answers_change_nothing() {
        let mut log = owned();
        let before = log.clone();
        assert_eq!(log.step(Input::Appended(Ok(())), T0), []);
        assert_eq!(log.step(Input::HeadRead(Ok(Head::default())), T0), []);
        assert_eq!(log.step(Input::Rested, T0), []);
        assert_eq!(log, before);
    }
}
