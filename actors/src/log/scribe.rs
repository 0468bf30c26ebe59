//! Performs an owner's orders against the store, for the actor that owns the log. It decides nothing: see [`super::owner`].

use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorRef, Message};
use tokio::sync::OwnedSemaphorePermit;

use crate::command::Command;
use crate::content::ClientKey;
use crate::entry::{Entry, Head, Row};
use crate::id::{LogId, Segment, Seq, SessionId, UserId};
use crate::limits::Limit;
use crate::log::keys::Keys;
use crate::log::owner::{self, LogMail, Order, Owner, Step};
use crate::node::Node;
use crate::session::Reply;
use crate::store::{AppendError, Sequence, StoreError};
use crate::task;
use crate::telemetry::{Count, Measure};
use crate::time::Timestamp;

/// Who waits for a draft.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// The session that asked: it gets the reply, not the announcement.
    pub origin: Option<SessionId>,
    /// The way back, and those of repetitions that came while it was on its way.
    pub replies: Vec<Reply>,
    /// Its place in the mailbox's budget, given back when the draft is settled.
    pub permit: Option<OwnedSemaphorePermit>,
    /// The command that asked for it; `None` for a post, which says the same as its act, and where nobody asked.
    pub command: Option<Box<Command>>,
}

/// A draft of a conversation or a home.
pub(crate) type Draft = owner::Draft<Waiter>;
/// What the actor must act on.
pub(crate) type Outcome = owner::Outcome<Waiter>;

/// The owner's hand.
pub(crate) struct Scribe<M: Message> {
    node: Node,
    id: LogId,
    actor: ActorRef<M>,
    wrap: fn(LogMail) -> M,
    owner: Owner<Waiter>,
    sent_at: Timestamp,
}

impl<M: Message> Scribe<M> {
    /// A scribe that knows nothing yet; `wrap` makes the actor's mail of the store's answers.
    pub(crate) fn new(node: Node, id: LogId, actor: ActorRef<M>, wrap: fn(LogMail) -> M) -> Self {
        let owner = Owner::new(&node.world().limits);
        Self { node, id, actor, wrap, owner, sent_at: Timestamp::default() }
    }

    /// See [`Owner::head`].
    pub(crate) fn head(&self) -> &Head {
        self.owner.head()
    }
    /// See [`Owner::keys`].
    pub(crate) fn keys(&mut self) -> &mut Keys {
        self.owner.keys()
    }
    /// See [`Owner::is_busy`].
    pub(crate) fn is_busy(&self) -> bool {
        self.owner.is_busy()
    }
    /// See [`Owner::is_in_flight`].
    pub(crate) fn is_in_flight(&self) -> bool {
        self.owner.is_in_flight()
    }
    /// See [`Owner::is_loaded`].
    pub(crate) fn is_loaded(&self) -> bool {
        self.owner.is_loaded()
    }
    /// See [`Owner::is_frozen`].
    pub(crate) fn is_frozen(&self) -> bool {
        self.owner.is_frozen()
    }
    /// See [`Owner::fate_span`].
    pub(crate) fn fate_span(&self) -> Option<(Seq, Seq)> {
        self.owner.fate_span()
    }

    /// See [`Owner::open`].
    pub(crate) fn open(&mut self) -> Vec<Outcome> {
        let steps = self.owner.open(self.node.now());
        self.perform(steps)
    }

    /// See [`Owner::loaded`].
    pub(crate) fn loaded(&mut self, recent: &[Entry], fate: &[Entry]) -> Vec<Outcome> {
        let steps = self.owner.loaded(recent, fate, self.node.now());
        self.perform(steps)
    }

    /// See [`Owner::not_loaded`].
    pub(crate) fn not_loaded(&mut self) -> (Vec<Draft>, Vec<Draft>) {
        self.owner.not_loaded(self.node.now())
    }

    /// See [`Owner::offer`].
    pub(crate) fn offer(&mut self, draft: Draft) {
        self.owner.offer(draft);
    }

    /// Adds the reply of a repetition to the draft that is on its way (R20).
    pub(crate) fn join(&mut self, author: UserId, key: &ClientKey, reply: Reply) {
        match self.owner.waiter(author, key) {
            Some(waiter) => waiter.replies.push(reply),
            None => drop(reply), // answers unknown: the reservation has no draft, so its fate is open
        }
    }

    /// See [`Owner::expire`].
    pub(crate) fn expire(&mut self, before: Timestamp) -> Vec<Draft> {
        self.owner.expire(before)
    }

    /// See [`Owner::handle`].
    pub(crate) fn handle(&mut self, mail: LogMail) -> Vec<Outcome> {
        let now = self.node.now();
        if let LogMail::Appended(_) = &mail {
            self.node.world().telemetry.measure(Measure::AppendSeconds, now.since(self.sent_at).as_secs_f64());
        }
        let steps = self.owner.handle(mail, now);
        self.perform(steps)
    }

    /// See [`Owner::pump`].
    pub(crate) fn pump(&mut self, project: impl Fn(&Entry) -> Vec<Row>) -> Vec<Outcome> {
        let world = self.node.world();
        let steps = self.owner.pump(&world.limits, self.node.now(), || world.random.draw(), project);
        self.perform(steps)
    }

    fn perform(&mut self, steps: Vec<Step<Waiter>>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for step in steps {
            match step {
                Step::Order(order) => self.order(order),
                Step::Count(what) => self.count(what),
                Step::Outcome(outcome) => {
                    if let owner::Outcome::Frozen(why, _) = &outcome {
                        tracing::error!(log = ?self.id, why, "the log is frozen: nothing is written to it until an operator has looked");
                    }
                    outcomes.push(outcome);
                }
            }
        }
        outcomes
    }

    fn count(&self, what: Count) {
        self.node.world().telemetry.count(what, 1);
        if what == Count::ConflictsSameEpoch {
            tracing::error!(log = ?self.id, "a batch that is not ours was written under our own epoch");
        }
    }

    fn order(&mut self, order: Order) {
        let (store, id) = (Arc::clone(&self.node.world().store), self.id);
        let deadline = self.node.world().limits.time(Limit::StoreDeadline);
        match order {
            Order::ReadHead => {
                self.tie(LogMail::HeadRead(Err(lost())), async move { LogMail::HeadRead(within(deadline, store.head(id)).await) });
            }
            Order::Claim(seen) => self.tie(LogMail::Claimed(Err(silence())), async move {
                let answer = tokio::time::timeout(deadline, store.claim(id, seen)).await;
                LogMail::Claimed(answer.unwrap_or_else(|_| Err(silence())))
            }),
            Order::Append(batch) => {
                self.sent_at = self.node.now();
                self.node.world().telemetry.measure(Measure::BatchRows, batch.entries.len() as f64);
                self.tie(LogMail::Appended(Err(silence())), async move {
                    let answer = tokio::time::timeout(deadline, store.append(id, batch)).await;
                    LogMail::Appended(answer.unwrap_or_else(|_| Err(silence())))
                });
            }
            Order::Number { bucket, above } => {
                let node = self.node.clone();
                self.tie(LogMail::Numbered(Err(lost())), async move {
                    let work = async {
                        let segment = Segment(node.numbers().take(Sequence::Segments, above.0).await?);
                        store.bind_segment(segment, id, bucket).await?;
                        Ok(segment)
                    };
                    LogMail::Numbered(within(deadline, work).await)
                });
            }
            Order::RestFor(pause) => {
                let pause = self.node.jittered(pause);
                self.tie(LogMail::Rested, async move {
                    tokio::time::sleep(pause).await;
                    LogMail::Rested
                });
            }
        }
    }

    fn tie(&self, lost: LogMail, work: impl Future<Output = LogMail> + Send + 'static) {
        let wrap = self.wrap;
        task::tie(&self.actor, wrap(lost), async move { wrap(work.await) });
    }
}

fn lost() -> StoreError {
    StoreError::Unknown("the call was lost".to_owned())
}

/// A write that was not answered: it may have been done.
fn silence() -> AppendError {
    AppendError::Unknown("no answer in time".to_owned())
}

/// The answer of a store call, or *unavailable* if it does not come in time: for calls that change nothing, or whose
/// change is harmless when it is repeated.
pub(crate) async fn within<T>(deadline: Duration, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::Unavailable("no answer in time".to_owned())),
    }
}
