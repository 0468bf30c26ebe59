//! The conversation's actor: loads the log, judges requests, sends what may be sent. The rules are in [`super::state`];
//! what follows an append is in [`super::commit`], marks and typing in [`super::signals`], reading in [`super::load`].
//!
//! Requests that cannot be served yet (the log is being loaded, a change of members is on its way) wait in a backlog,
//! in order. The backlog is bounded by the permits that travel in the requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::cards::Card;
use crate::command::Command;
use crate::entry::{Act, Entry, Head};
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::log::scribe::{self, Draft, Outcome, Scribe, within};
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::StoreError;
use crate::task;
use crate::telemetry::{ActorKind, Count, Measure};
use crate::time::Timestamp;

use super::announce::Held;
use super::crowd::Untold;
use super::errand::Errand;
use super::load::{load, newest};
use super::mail::{Loaded, Mail, Request};
use super::marks::Gathered;
use super::state::Conversation;

/// How long a client should wait before it tries again when the store does not answer.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The shell.
pub(crate) struct ConversationActor;

/// What the actor is started with.
pub(crate) struct Arguments {
    pub node: Node,
    pub id: ConversationId,
}

/// What holds up the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// Nothing.
    No,
    /// The state is being read.
    Loading,
    /// More client keys are being read.
    LoadingKeys,
    /// A request is being made findable, or checked with the accounts.
    Preparing,
    /// A change of members is on its way; it must be settled before anything else is judged.
    Changing,
}

/// A request for which an errand is run.
pub(super) struct Preparing {
    pub request: Box<Request>,
    /// What it comes to, where that is known already.
    pub act: Option<Act>,
    /// The load of the log that it was judged by.
    pub loads: u64,
}

/// The actor while it runs.
pub(crate) struct Running {
    pub(super) node: Node,
    pub(super) id: ConversationId,
    pub(super) myself: ActorRef<Mail>,
    pub(super) scribe: Scribe<Mail>,
    pub(super) state: Option<Conversation>,
    pub(super) busy: Busy,
    pub(super) backlog: VecDeque<Box<Request>>,
    /// The request for which an errand is run.
    pub(super) preparing: Option<Preparing>,
    /// How often a load was begun; an answer to an earlier one is of no use.
    pub(super) loads: u64,
    /// The tail that the state was loaded at: what stands up to there is in it.
    pub(super) loaded_at: Seq,
    /// Whether the users of a direct conversation know of it.
    pub(super) introduced: bool,
    pub(super) marks: Gathered,
    pub(super) held: Vec<Held>,
    /// Entries that a large group was not told of yet.
    pub(super) untold: Option<Untold>,
    /// Whether the bond of the two may be another one than is known: the answer of the store was lost.
    pub(super) bond_is_unsure: bool,
    /// The cards of those who write here.
    pub(super) cards: BTreeMap<UserId, Arc<Card>>,
    pub(super) draining: Vec<oneshot::Sender<()>>,
    pub(super) asleep: bool,
    pub(super) used_at: Timestamp,
    pub(super) opened_at: Timestamp,
}

impl Actor for ConversationActor {
    type Msg = Mail;
    type State = Running;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Mail>, arguments: Arguments) -> Result<Running, ActorProcessingErr> {
        let Arguments { node, id } = arguments;
        node.world().telemetry.count(Count::ActorStarted(ActorKind::Conversation), 1);
        let now = node.now();
        Ok(Running {
            scribe: Scribe::new(node.clone(), LogId::Conversation(id), myself.clone(), Mail::Log),
            node,
            id,
            myself,
            state: None,
            busy: Busy::No,
            backlog: VecDeque::new(),
            preparing: None,
            loads: 0,
            loaded_at: Seq::ZERO,
            introduced: false,
            marks: Gathered::default(),
            held: Vec::new(),
            untold: None,
            bond_is_unsure: false,
            cards: BTreeMap::new(),
            draining: Vec::new(),
            asleep: false,
            used_at: now,
            opened_at: now,
        })
    }

    async fn handle(&self, _: ActorRef<Mail>, mail: Mail, running: &mut Running) -> Result<(), ActorProcessingErr> {
        match mail {
            Mail::Request(request) if running.asleep => running.pass_on(request),
            Mail::Request(request) => running.request(request),
            Mail::Log(mail) => {
                let outcomes = running.scribe.handle(mail);
                running.act_on(outcomes);
            }
            Mail::Loaded(nth, answer) => running.loaded(nth, answer),
            Mail::KeysLoaded(tail, answer) => running.keys_loaded(tail, answer),
            Mail::Prepared(answer) => running.prepared(answer),
            Mail::Positioned(request, answer) => running.positioned(request, answer),
            Mail::FlushMarks => running.flush_marks(),
            Mail::Raised(flushed, answer) => running.raised(flushed, answer),
            Mail::TellMembers => running.tell_members(),
            Mail::Tick => running.tick(),
            Mail::Drain(done) => running.draining.push(done),
            #[expect(clippy::panic, reason = "the hook that tests recovery: it must look like a bug")]
            Mail::Die => panic!("the conversation was told to die"),
        }
        running.advance();
        Ok(())
    }
}

impl Running {
    fn request(&mut self, request: Box<Request>) {
        self.used_at = request.arrived;
        self.backlog.push_back(request);
    }

    /// A request that came while the actor was going to sleep belongs to its successor.
    fn pass_on(&self, request: Box<Request>) {
        self.node.directory().send_conversation(&self.node, self.id, *request);
    }

    /// Serves what can be served, then sends what can be sent.
    fn advance(&mut self) {
        while self.busy == Busy::No && !self.backlog.is_empty() {
            if self.state.is_none() || !self.scribe.is_loaded() {
                self.open();
                break;
            }
            let request = self.backlog.pop_front().expect("the backlog is not empty");
            self.serve(request);
        }
        self.pump();
        self.announce_held();
        self.finish_drain();
    }

    fn open(&mut self) {
        if self.scribe.is_frozen() {
            for request in self.backlog.drain(..) {
                request.reply.settle(Err(Rejected::Frozen));
            }
            return;
        }
        self.busy = Busy::Loading;
        self.opened_at = self.node.now();
        let outcomes = self.scribe.open();
        self.act_on(outcomes);
    }

    fn pump(&mut self) {
        let Some(state) = &self.state else { return };
        let outcomes = self.scribe.pump(|entry| state.project(entry));
        self.act_on(outcomes);
    }

    fn act_on(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Opened(head) => self.load(head),
                Outcome::Committed(batch, drafts) => self.committed(&batch, drafts),
                Outcome::GaveUp(drafts) => {
                    self.forget();
                    settle_all(drafts, &Rejected::Unknown);
                    // What was sent later must not be stored before it (P20).
                    for request in self.backlog.drain(..) {
                        request.reply.settle(Err(Rejected::Unknown));
                    }
                }
                Outcome::Frozen(_, drafts) => {
                    self.forget();
                    settle_all(drafts, &Rejected::Frozen);
                }
                Outcome::Again(drafts) => self.again(drafts),
                Outcome::Unnumbered(drafts) => {
                    self.unblock(Busy::Changing);
                    settle_all(drafts, &Rejected::Unavailable { after: RETRY_AFTER });
                }
            }
        }
    }

    /// Another owner may have stored what these ask for, or changed who may: they are the requests again that they were,
    /// repetitions too, before all others.
    fn again(&mut self, drafts: Vec<Draft>) {
        self.unblock(Busy::Changing);
        for draft in drafts.into_iter().rev() {
            let Draft { author: user, client_key, act, arrived, waiter } = draft;
            let scribe::Waiter { origin, replies, mut permit, command } = waiter;
            let command = match (command, act) {
                (Some(command), _) => *command,
                (None, Act::Message(content)) => {
                    let media = content.attachments.iter().map(|file| file.id).collect();
                    Command::Post { conversation: self.id, client_key, content, media }
                }
                (None, act) => {
                    tracing::error!(conversation = %self.id, ?act, "a draft that is no post has lost its command");
                    continue; // its replies answer unknown
                }
            };
            let requests: Vec<_> = replies
                .into_iter()
                .map(|reply| Box::new(Request { user, origin, command: command.clone(), arrived, permit: permit.take(), reply }))
                .collect();
            for request in requests.into_iter().rev() {
                self.backlog.push_front(request);
            }
        }
    }

    /// What was known of the log holds no more; the next request opens it again.
    fn forget(&mut self) {
        self.state = None;
        self.unblock(Busy::Changing);
        self.unblock(Busy::Loading);
    }

    pub(super) fn unblock(&mut self, by: Busy) {
        if self.busy == by {
            self.busy = Busy::No;
        }
    }

    // ── loading ──

    fn load(&mut self, head: Head) {
        match self.busy {
            Busy::No | Busy::Loading | Busy::Changing => self.busy = Busy::Loading,
            Busy::LoadingKeys | Busy::Preparing => {} // its end finds the log loaded anew, or waits for that
        }
        self.loads += 1;
        let (node, id, fate, nth) = (self.node.clone(), self.id, self.scribe.fate_span(), self.loads);
        let lost = Mail::Loaded(nth, Err(StoreError::Unavailable("the load was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let deadline = node.world().limits.time(Limit::StoreDeadline);
            Mail::Loaded(nth, within(deadline, load(&node, id, head, fate)).await.map(Box::new))
        });
    }

    fn loaded(&mut self, nth: u64, answer: Result<Box<Loaded>, StoreError>) {
        if nth != self.loads {
            return; // the log was opened anew meanwhile: what was read then may be older than what is known now
        }
        self.unblock(Busy::Loading);
        match answer {
            Ok(loaded) => {
                let Loaded { members, gone, cards, recent, fate } = *loaded;
                self.loaded_at = self.scribe.head().tail;
                self.introduced = !self.scribe.head().is_new();
                self.state = Some(Conversation::new(self.id, members, &self.node.world().limits).with_gone(gone));
                self.cards.extend(cards);
                let took = self.node.now().since(self.opened_at);
                self.node.world().telemetry.measure(Measure::ActivationSeconds, took.as_secs_f64());
                let outcomes = self.scribe.loaded(&recent, &fate);
                self.act_on(outcomes);
                self.tell_members();
            }
            Err(error) => {
                tracing::warn!(conversation = %self.id, %error, "the conversation could not be loaded");
                let unavailable = Rejected::Unavailable { after: RETRY_AFTER };
                let (undone, unknown) = self.scribe.not_loaded();
                settle_all(undone, &unavailable);
                settle_all(unknown, &Rejected::Unknown);
                for request in self.backlog.drain(..) {
                    request.reply.settle(Err(unavailable.clone()));
                }
            }
        }
    }

    pub(super) fn load_keys(&mut self) {
        self.busy = Busy::LoadingKeys;
        let store = Arc::clone(&self.node.world().store);
        let limits = &self.node.world().limits;
        let (id, tail, window, deadline) =
            (self.id, self.scribe.head().tail, limits.count(Limit::KeyWindow), limits.time(Limit::StoreDeadline));
        let lost = Mail::KeysLoaded(tail, Err(StoreError::Unavailable("the load was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let call = newest(&*store, LogId::Conversation(id), tail, window);
            Mail::KeysLoaded(tail, within(deadline, call).await)
        });
    }

    fn keys_loaded(&mut self, tail: Seq, answer: Result<Vec<Entry>, StoreError>) {
        self.unblock(Busy::LoadingKeys);
        match answer {
            Ok(_) if !self.scribe.is_loaded() || self.scribe.head().tail != tail => {} // of a state that has passed: asked for again
            Ok(rows) => {
                self.node.world().telemetry.count(Count::KeysLoaded, rows.len() as u64);
                let now = self.node.now();
                self.scribe.keys().load(&rows, true, now);
            }
            Err(_) => {
                if let Some(request) = self.backlog.pop_front() {
                    request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER }));
                }
            }
        }
    }

    // ── requests ──

    fn serve(&mut self, request: Box<Request>) {
        if self.bond_is_unsure
            && let ConversationId::Direct(pair) = self.id
        {
            return self.send_out(request, None, Errand::Bond(pair));
        }
        match &request.command {
            Command::Post { .. } => self.post(request),
            Command::Forward { .. } => self.forward(request),
            Command::Edit { .. } | Command::Delete { .. } | Command::React { .. } => self.change(request),
            Command::CreateGroup { .. } | Command::AddMembers { .. } | Command::RemoveMember { .. } => self.change(request),
            Command::ChangeGroup { .. } | Command::SetRole { .. } | Command::HandOver { .. } => self.change(request),
            Command::Invite { .. } | Command::Join { .. } | Command::Decline { .. } => self.change(request),
            Command::Mark { .. } => self.mark(request),
            Command::Type { .. } => self.typing(request),
            Command::Relate { .. } => self.relate(request),
            // A user's own affairs never come here.
            Command::Set { .. } | Command::ReadNotices { .. } | Command::Watch { .. } => request.reply.settle(Err(Rejected::Internal)),
        }
    }

    pub(super) fn state(&mut self) -> &mut Conversation {
        self.state.as_mut().expect("requests are served only when the state is loaded")
    }

    // ── sleep and drain ──

    fn tick(&mut self) {
        let limits = Arc::clone(&self.node.world().limits);
        let now = self.node.now();
        let before = Timestamp(now.0.saturating_sub(i64::try_from(limits.time(Limit::UnknownRetry).as_micros()).unwrap_or(i64::MAX)));
        settle_all(self.scribe.expire(before), &Rejected::Unavailable { after: RETRY_AFTER });
        // Also what waits for a log that cannot be opened: it was never sent, and must be answered in time (R6).
        let (late, rest): (Vec<_>, Vec<_>) = self.backlog.drain(..).partition(|request| request.arrived < before);
        self.backlog = rest.into();
        for request in late {
            request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER }));
        }
        if !self.scribe.is_busy() {
            self.unblock(Busy::Changing); // what it was waiting for may just have been given up
        }
        let idle = self.is_settled() && now.since(self.used_at) >= limits.time(Limit::IdleSleep);
        if idle && !self.asleep {
            self.asleep = true;
            self.node.directory().forget_conversation(self.id, self.myself.get_id());
            self.node.world().telemetry.count(Count::ActorSlept(ActorKind::Conversation), 1);
            // What is in the mailbox already is passed on; what is sent later finds the successor.
            if let Err(error) = self.myself.drain() {
                tracing::warn!(conversation = %self.id, %error, "the conversation could not go to sleep");
            }
        }
    }

    fn is_settled(&self) -> bool {
        let is_told = self.held.is_empty() && self.untold.is_none();
        self.busy == Busy::No
            && self.backlog.is_empty()
            && !self.scribe.is_busy()
            && self.marks.is_clean()
            && !self.marks.pending
            && is_told
            && self.untold.is_none()
    }

    fn finish_drain(&mut self) {
        if !self.draining.is_empty() && self.is_settled() {
            for done in self.draining.drain(..) {
                if done.send(()).is_err() {
                    tracing::debug!("the drain was given up before everything was settled");
                }
            }
        }
    }
}

fn settle_all(drafts: Vec<Draft>, rejected: &Rejected) {
    for reply in drafts.into_iter().flat_map(|draft| draft.waiter.replies) {
        reply.settle(Err(rejected.clone()));
    }
}
