//! The home's actor: appends notes and wishes to the user's log, in the order in which they come. Notes are in
//! [`super::notes`], the user's own wishes in [`super::wishes`], groups begin in [`super::creations`].
//!
//! What depends on what stands (notices, settings) is judged only while nothing is on its way: so what the store says
//! is what stands, and nothing must be undone when a batch is lost.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::answer::presence;
use crate::content::ClientKey;
use crate::conversation::announce::announce_one;
use crate::conversation::load::newest;
use crate::conversation::mail::Request;
use crate::entry::{Act, Batch, Entry, Head};
use crate::event::Event;
use crate::id::{LogId, Seq, UserId};
use crate::limits::Limit;
use crate::log::scribe::{Draft, Outcome, Scribe, within};
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::StoreError;
use crate::task;
use crate::telemetry::{ActorKind, Count};
use crate::time::Timestamp;

use super::mail::{Mail, Note, Noted, What};
use super::notices::Notices;
use super::project::project;
use super::wishes::InHand;

/// How long a client should wait before it tries again when the store does not answer.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The shell.
pub(crate) struct HomeActor;

/// What the actor is started with.
pub(crate) struct Arguments {
    pub node: Node,
    pub user: UserId,
}

/// Work that waits until the log is loaded, in order.
pub(super) enum Wish {
    /// See [`Mail::Note`].
    Note(Note, Option<Noted>),
    /// See [`Mail::Create`].
    Create(Box<Request>),
    /// See [`Mail::Set`].
    Set(Box<Request>),
    /// See [`Mail::ReadNotices`].
    ReadNotices(Box<Request>),
}

impl Wish {
    /// Whether it is judged by what stands, so that nothing may be on its way.
    fn needs_quiet(&self) -> bool {
        match self {
            Self::Note(note, _) => note.needs_quiet(),
            Self::Create(_) => false,
            Self::Set(_) | Self::ReadNotices(_) => true,
        }
    }
}

/// The actor while it runs.
pub(crate) struct Running {
    pub(super) node: Node,
    pub(super) user: UserId,
    pub(super) myself: ActorRef<Mail>,
    pub(super) scribe: Scribe<Mail>,
    /// Something is being read; nothing else is judged meanwhile.
    pub(super) loading: bool,
    /// How often a load was begun; an answer to an earlier one is of no use.
    loads: u64,
    pub(super) backlog: VecDeque<Wish>,
    /// Who waits for the entry under a key.
    pub(super) noted: HashMap<ClientKey, Vec<Noted>>,
    /// Creations whose number is being drawn or stored, by the key in this log.
    pub(super) creating: HashMap<ClientKey, Vec<Request>>,
    /// The wish of the user that is on its way.
    pub(super) in_hand: Option<InHand>,
    /// What stands, once it was read.
    pub(super) notices: Option<Notices>,
    draining: Vec<oneshot::Sender<()>>,
    asleep: bool,
    used_at: Timestamp,
}

impl Actor for HomeActor {
    type Msg = Mail;
    type State = Running;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Mail>, arguments: Arguments) -> Result<Running, ActorProcessingErr> {
        let Arguments { node, user } = arguments;
        node.world().telemetry.count(Count::ActorStarted(ActorKind::Home), 1);
        Ok(Running {
            scribe: Scribe::new(node.clone(), LogId::User(user), myself.clone(), Mail::Log),
            used_at: node.now(),
            node,
            user,
            myself,
            loading: false,
            loads: 0,
            backlog: VecDeque::new(),
            noted: HashMap::new(),
            creating: HashMap::new(),
            in_hand: None,
            notices: None,
            draining: Vec::new(),
            asleep: false,
        })
    }

    async fn handle(&self, _: ActorRef<Mail>, mail: Mail, running: &mut Running) -> Result<(), ActorProcessingErr> {
        match mail {
            mail @ (Mail::Note(..) | Mail::Create(_) | Mail::Set(_) | Mail::ReadNotices(_)) if running.asleep => {
                running.node.directory().send_home(&running.node, running.user, mail);
            }
            Mail::Note(note, noted) => running.wish(Wish::Note(note, noted)),
            Mail::Create(request) => running.wish(Wish::Create(request)),
            Mail::Set(request) => running.wish(Wish::Set(request)),
            Mail::ReadNotices(request) => running.wish(Wish::ReadNotices(request)),
            Mail::Weighed(request, answer) => running.weighed(request, answer),
            Mail::NoticesLoaded(answer) => running.notices_loaded(answer),
            Mail::Drawn(key, answer) => running.drawn(key, answer),
            Mail::Found(request, answer) => running.found(request, answer),
            Mail::Log(mail) => {
                let outcomes = running.scribe.handle(mail);
                running.act_on(outcomes);
            }
            Mail::Loaded(nth, answer) => running.loaded(nth, answer),
            Mail::KeysLoaded(tail, answer) => running.keys_loaded(tail, answer),
            Mail::Tick => running.tick(),
            Mail::Drain(done) => running.draining.push(done),
            #[expect(clippy::panic, reason = "the hook that tests recovery: it must look like a bug")]
            Mail::Die => panic!("the home was told to die"),
        }
        running.advance();
        Ok(())
    }
}

impl Running {
    fn wish(&mut self, wish: Wish) {
        self.used_at = self.node.now();
        self.backlog.push_back(wish);
    }

    fn advance(&mut self) {
        while !self.loading && !self.backlog.is_empty() {
            if self.scribe.is_frozen() {
                self.refuse_backlog(&Rejected::Frozen);
                break;
            }
            if !self.scribe.is_loaded() {
                self.loading = true;
                let outcomes = self.scribe.open();
                self.act_on(outcomes);
                break;
            }
            if self.scribe.is_busy() && self.backlog.front().is_some_and(Wish::needs_quiet) {
                break;
            }
            match self.backlog.pop_front().expect("the backlog is not empty") {
                Wish::Note(note, noted) => self.note(note, noted),
                Wish::Create(request) => self.create(request),
                Wish::Set(request) => self.weigh(request),
                Wish::ReadNotices(request) => self.read_notices(request),
            }
        }
        let in_hand = &self.in_hand;
        let outcomes = self.scribe.pump(|entry| project(entry, in_hand.as_ref()));
        self.act_on(outcomes);
        if !self.draining.is_empty() && self.is_settled() {
            for done in self.draining.drain(..) {
                if done.send(()).is_err() {
                    tracing::debug!("the drain was given up before everything was settled");
                }
            }
        }
    }

    pub(super) fn refuse_backlog(&mut self, rejected: &Rejected) {
        for wish in std::mem::take(&mut self.backlog) {
            match wish {
                Wish::Note(note, noted) => {
                    self.refuse_note(&note.client_key, noted, rejected);
                    self.refuse_creations(&note.client_key, rejected);
                }
                Wish::Create(request) | Wish::Set(request) | Wish::ReadNotices(request) => request.reply.settle(Err(rejected.clone())),
            }
        }
    }

    /// Tells all who wait for the note under a key, and this one.
    pub(super) fn refuse_note(&mut self, key: &ClientKey, noted: Option<Noted>, rejected: &Rejected) {
        for noted in self.noted.remove(key).into_iter().flatten().chain(noted) {
            drop(noted.send(Err(rejected.clone())));
        }
    }

    // ── the log ──

    fn act_on(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Opened(head) => self.load(head),
                Outcome::Committed(batch, _) => self.committed(&batch),
                Outcome::GaveUp(drafts) => self.refuse(&drafts, &Rejected::Unknown),
                Outcome::Frozen(_, drafts) => {
                    self.loading = false;
                    self.refuse(&drafts, &Rejected::Frozen);
                }
                // Another owner may have stored the same: they are wishes again, before all others.
                Outcome::Again(drafts) => {
                    self.notices = None;
                    for Draft { client_key, act, .. } in drafts.into_iter().rev() {
                        let in_hand = self.in_hand.take_if(|in_hand| in_hand.key == client_key);
                        let wish = match in_hand {
                            Some(in_hand) => in_hand.back(),
                            None => Wish::Note(Note { what: What::Act(act), client_key }, None),
                        };
                        self.backlog.push_front(wish);
                    }
                }
                Outcome::Unnumbered(drafts) => self.refuse(&drafts, &Rejected::Unavailable { after: RETRY_AFTER }),
            }
        }
    }

    fn committed(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            for noted in self.noted.remove(&entry.client_key).into_iter().flatten() {
                drop(noted.send(Ok(entry.seq)));
            }
            if let Act::Appeared { conversation } = entry.act {
                for request in self.creating.remove(&entry.client_key).into_iter().flatten() {
                    self.node.directory().send_conversation(&self.node, conversation, request);
                }
            }
            if let Some(notices) = &mut self.notices {
                notices.settle(entry);
            }
            let in_hand = self.in_hand.take_if(|in_hand| in_hand.key == entry.client_key);
            let asking = in_hand.as_ref().and_then(|in_hand| in_hand.request.origin);
            if let Some(in_hand) = in_hand {
                in_hand.request.reply.settle(Ok(in_hand.answer));
            }
            if let Act::Related { peer } = entry.act {
                self.reconsider_presence(peer);
            }
            let event = Event::Own { incarnation: batch.after.incarnation, entry: Arc::clone(entry) };
            announce_one(&self.node, &[self.user], event, self.user, asking);
        }
    }

    /// What two are to each other has changed: perhaps one may no longer see the other come and go. Of a block only the
    /// log of who made it speaks.
    fn reconsider_presence(&self, peer: UserId) {
        for (viewer, watched) in [(self.user, peer), (peer, self.user)] {
            if !self.node.directory().watchers(watched).is_empty() {
                let node = self.node.clone();
                crate::node::spawn(async move { presence::reconsider(&node, viewer, watched).await });
            }
        }
    }

    fn refuse(&mut self, drafts: &[Draft], rejected: &Rejected) {
        self.notices = None; // what is unknown may stand
        for draft in drafts {
            if let Some(in_hand) = self.in_hand.take_if(|in_hand| in_hand.key == draft.client_key) {
                in_hand.request.reply.settle(Err(rejected.clone()));
            }
            self.refuse_note(&draft.client_key, None, rejected);
            self.refuse_creations(&draft.client_key, rejected);
        }
    }

    fn load(&mut self, head: Head) {
        self.loading = true;
        self.loads += 1;
        let (node, log, fate, nth) = (self.node.clone(), LogId::User(self.user), self.scribe.fate_span(), self.loads);
        let lost = Mail::Loaded(nth, Err(StoreError::Unavailable("the load was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let (store, limits) = (&node.world().store, &node.world().limits);
            let call = async {
                let recent = newest(&**store, log, head.tail, limits.count(Limit::KeysAtActivation)).await?;
                let fate = match fate {
                    Some((from, to)) => store.range(log, from, to, limits.count(Limit::BatchRows), false).await?,
                    None => vec![],
                };
                Ok((recent, fate))
            };
            Mail::Loaded(nth, within(limits.time(Limit::StoreDeadline), call).await)
        });
    }

    fn loaded(&mut self, nth: u64, answer: Result<(Vec<Entry>, Vec<Entry>), StoreError>) {
        if nth != self.loads {
            return; // the log was opened anew meanwhile
        }
        self.loading = false;
        match answer {
            Ok((recent, fate)) => {
                let outcomes = self.scribe.loaded(&recent, &fate);
                self.act_on(outcomes);
            }
            Err(error) => {
                tracing::warn!(user = self.user.get(), %error, "the home could not be loaded");
                let unavailable = Rejected::Unavailable { after: RETRY_AFTER };
                let (undone, unknown) = self.scribe.not_loaded();
                self.refuse(&undone, &unavailable);
                self.refuse(&unknown, &Rejected::Unknown);
                self.refuse_backlog(&unavailable);
            }
        }
    }

    pub(super) fn load_keys(&mut self) {
        self.loading = true;
        let (store, log, tail) = (Arc::clone(&self.node.world().store), LogId::User(self.user), self.scribe.head().tail);
        let limits = &self.node.world().limits;
        let (window, deadline) = (limits.count(Limit::KeyWindow), limits.time(Limit::StoreDeadline));
        let lost = Mail::KeysLoaded(tail, Err(StoreError::Unavailable("the load was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let call = newest(&*store, log, tail, window);
            Mail::KeysLoaded(tail, within(deadline, call).await)
        });
    }

    fn keys_loaded(&mut self, tail: Seq, answer: Result<Vec<Entry>, StoreError>) {
        self.loading = false;
        match answer {
            Ok(_) if !self.scribe.is_loaded() || self.scribe.head().tail != tail => {} // of a state that has passed: asked for again
            Ok(rows) => {
                let now = self.node.now();
                self.scribe.keys().load(&rows, true, now);
            }
            Err(_) => self.refuse_backlog(&Rejected::Unavailable { after: RETRY_AFTER }),
        }
    }

    // ── sleep ──

    fn tick(&mut self) {
        let limits = &self.node.world().limits;
        let now = self.node.now();
        let before = Timestamp(now.0.saturating_sub(i64::try_from(limits.time(Limit::UnknownRetry).as_micros()).unwrap_or(i64::MAX)));
        let expired = self.scribe.expire(before);
        self.refuse(&expired, &Rejected::Unavailable { after: RETRY_AFTER });
        // Who waits for a note gives up by himself; a wish must be answered in time (R6).
        for wish in std::mem::take(&mut self.backlog) {
            match wish {
                Wish::Create(request) | Wish::Set(request) | Wish::ReadNotices(request) if request.arrived < before => {
                    request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER }));
                }
                wish => self.backlog.push_back(wish),
            }
        }
        let idle = self.is_settled() && now.since(self.used_at) >= self.node.world().limits.time(Limit::IdleSleep);
        if idle && !self.asleep {
            self.asleep = true;
            self.node.directory().forget_home(self.user, self.myself.get_id());
            self.node.world().telemetry.count(Count::ActorSlept(ActorKind::Home), 1);
            if let Err(error) = self.myself.drain() {
                tracing::warn!(user = self.user.get(), %error, "the home could not go to sleep");
            }
        }
    }

    fn is_settled(&self) -> bool {
        !self.loading && self.backlog.is_empty() && !self.scribe.is_busy() && self.creating.is_empty()
    }
}
