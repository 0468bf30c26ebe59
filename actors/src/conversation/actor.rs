//! The conversation's actor: propose, append, commit, acknowledge, announce. The rules are in [`super::state`].
//!
//! Requests that cannot be served yet (the log is being loaded, a change of members is on its way) wait in a backlog,
//! in order. The backlog is bounded by the permits that travel in the requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::command::{Command, MarkKind};
use crate::content::ClientKey;
use crate::entry::{Act, Batch, Entry, Head};
use crate::event::Event;
use crate::home;
use crate::id::{ConversationId, LogId, Pos, Seq, UserId};
use crate::limits::Limit;
use crate::log::keys::{Digest, Known, Stored};
use crate::log::owner::LogMail;
use crate::log::scribe::{self, Draft, Outcome, Scribe, within};
use crate::node::Node;
use crate::policy::Deed;
use crate::rejected::Rejected;
use crate::store::{Mark, Marks, Store, StoreError};
use crate::task;
use crate::telemetry::{ActorKind, Count, Measure};
use crate::time::Timestamp;
use crate::view::{Appended, View};

use super::announce::{Held, announce, announce_one};
use super::mail::{Loaded, Mail, Request};
use super::marks::{Flushed, Gathered, Waiter};
use super::state::{self, Conversation, Members};

/// How long a client should wait before it tries again when the store does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The most members of whom one receipt event tells.
const RECEIPTS_SHOWN: usize = 50;
/// A group's receipts are gathered longer the larger it is, up to this many times the configured time.
const RECEIPTS_STRETCH: u32 = 5;

/// The shell.
pub(crate) struct ConversationActor;

/// What the actor is started with.
pub(crate) struct Arguments {
    pub node: Node,
    pub id: ConversationId,
}

/// What holds up the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Busy {
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

/// The actor while it runs.
pub(crate) struct Running {
    node: Node,
    id: ConversationId,
    myself: ActorRef<Mail>,
    scribe: Scribe<Mail>,
    state: Option<Conversation>,
    busy: Busy,
    backlog: VecDeque<Box<Request>>,
    /// The request that is being prepared, and which load of the log it was judged by.
    preparing: Option<(Box<Request>, u64)>,
    /// How often a load was begun; an answer to an earlier one is of no use.
    loads: u64,
    /// The tail that the state was loaded at: what stands up to there is in it.
    loaded_at: Seq,
    /// Whether the users of a direct conversation know of it.
    introduced: bool,
    marks: Gathered,
    held: Vec<Held>,
    draining: Vec<oneshot::Sender<()>>,
    asleep: bool,
    used_at: Timestamp,
    opened_at: Timestamp,
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
            let Some(command) = state::command(self.id, client_key, act) else { continue };
            let scribe::Waiter { origin, replies, mut permit } = waiter;
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

    fn unblock(&mut self, by: Busy) {
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
                let Loaded { members, recent, fate } = *loaded;
                self.loaded_at = self.scribe.head().tail;
                self.introduced = !self.scribe.head().is_new();
                self.state = Some(Conversation::new(self.id, members, &self.node.world().limits));
                let took = self.node.now().since(self.opened_at);
                self.node.world().telemetry.measure(Measure::ActivationSeconds, took.as_secs_f64());
                let outcomes = self.scribe.loaded(&recent, &fate);
                self.act_on(outcomes);
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

    fn load_keys(&mut self) {
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
        match &request.command {
            Command::Post { .. } => self.post(request),
            Command::CreateGroup { .. } | Command::AddMembers { .. } | Command::RemoveMember { .. } => self.change(request),
            Command::Mark { .. } => self.mark(request),
            Command::Type { .. } => self.typing(request),
            Command::Watch { .. } => request.reply.settle(Err(Rejected::Internal)),
        }
    }

    fn state(&mut self) -> &mut Conversation {
        self.state.as_mut().expect("requests are served only when the state is loaded")
    }

    fn post(&mut self, request: Box<Request>) {
        let Command::Post { client_key, content, .. } = &request.command else { return };
        let (user, key, head) = (request.user, client_key.clone(), *self.scribe.head());
        let known = self.scribe.keys().look_up(user, &key);
        if matches!(known, Known::Reserved(_) | Known::Stored(_)) {
            // Before any rule: what was stored once is answered, also when the poster is no member any more.
            let digest = Digest::of(&Act::Message(content.clone()));
            return self.repeated(request, &key, digest, known);
        }
        let limits = Arc::clone(&self.node.world().limits);
        if let Err(rejected) = self.state().propose_post(user, content, &head, &limits) {
            return request.reply.settle(Err(rejected));
        }
        if known == Known::Unsure {
            self.backlog.push_front(request);
            return self.load_keys();
        }
        if !self.introduced {
            return self.prepare(request, vec![]);
        }
        let act = Act::Message(content.clone());
        match self.state().admit_post(request.arrived) {
            Ok(()) => self.offer(request, act, key),
            Err(rejected) => {
                self.node.world().telemetry.count(Count::RateLimited("posts_conversation"), 1);
                request.reply.settle(Err(rejected));
            }
        }
    }

    /// The same key again: the first answer for the same content, a refusal for another (G3).
    fn repeated(&mut self, request: Box<Request>, key: &ClientKey, digest: Digest, known: Known) {
        let telemetry = &self.node.world().telemetry;
        match known {
            Known::Stored(stored) if stored.digest == digest => {
                telemetry.count(Count::DuplicatesSuppressed, 1);
                request.reply.settle(Ok(View::Appended(self.appended(stored))));
            }
            Known::Stored(stored) => {
                telemetry.count(Count::KeyConflicts, 1);
                request.reply.settle(Err(Rejected::KeyReused { seq: stored.seq }));
            }
            Known::Reserved(first) if first == digest => {
                telemetry.count(Count::DuplicatesSuppressed, 1);
                self.scribe.join(request.user, key, request.reply);
            }
            Known::Reserved(_) => {
                telemetry.count(Count::KeyConflicts, 1);
                request.reply.settle(Err(Rejected::KeyReused { seq: self.scribe.head().tail.next() }));
            }
            Known::New | Known::Unsure => request.reply.settle(Err(Rejected::Internal)),
        }
    }

    fn appended(&self, stored: Stored) -> Appended {
        Appended { conversation: self.id, seq: stored.seq, pos: stored.pos, id: stored.id, at: stored.at, duplicate: true }
    }

    fn offer(&mut self, request: Box<Request>, act: Act, client_key: ClientKey) {
        let Request { user, origin, arrived, permit, reply, .. } = *request;
        let waiter = scribe::Waiter { origin, replies: vec![reply], permit };
        self.scribe.offer(Draft { author: user, client_key, act, arrived, waiter });
    }

    /// A change of members: alone in its batch, after everything before it, before everything after it.
    fn change(&mut self, request: Box<Request>) {
        let limits = Arc::clone(&self.node.world().limits);
        let (Some(key), Some(act)) = (change_key(&request.command), state::change(request.user, &request.command)) else {
            return request.reply.settle(Err(Rejected::Internal));
        };
        match self.scribe.keys().look_up(request.user, &key) {
            Known::Unsure => {
                self.backlog.push_front(request);
                return self.load_keys();
            }
            known @ (Known::Stored(_) | Known::Reserved(_)) => return self.repeated(request, &key, Digest::of(&act), known),
            Known::New => {}
        }
        if self.scribe.is_busy() {
            // Everything before it must be settled first; the commit brings us back here.
            self.backlog.push_front(request);
            self.busy = Busy::Changing;
            return;
        }
        let state = self.state();
        let proposed = match &request.command {
            Command::CreateGroup { name, members, .. } => state.propose_creation(request.user, name, members, &limits),
            Command::AddMembers { members, .. } => state.propose_addition(request.user, members, &limits),
            Command::RemoveMember { member, .. } => state.propose_removal(request.user, *member),
            Command::Post { .. } | Command::Mark { .. } | Command::Type { .. } | Command::Watch { .. } => Err(Rejected::Internal),
        };
        match proposed {
            Err(rejected) => request.reply.settle(Err(rejected)),
            Ok(Act::Created { members, .. } | Act::Joined { members }) => self.prepare(request, members),
            Ok(act @ Act::Left { .. }) => {
                self.busy = Busy::Changing;
                self.offer(request, act, key);
            }
            Ok(Act::Message(_) | Act::Appeared { .. } | Act::Vanished { .. }) => request.reply.settle(Err(Rejected::Internal)),
        }
    }

    /// Makes the conversation findable for whom it concerns, before the entry that makes it true (design D11).
    fn prepare(&mut self, request: Box<Request>, members: Vec<UserId>) {
        self.busy = Busy::Preparing;
        let users = match self.id {
            ConversationId::Direct(pair) => vec![pair.low(), pair.high()],
            ConversationId::Group(_) => members,
        };
        self.preparing = Some((request, self.loads));
        let (node, id, tail) = (self.node.clone(), self.id, self.scribe.head().tail);
        task::tie(&self.myself, Mail::Prepared(Err(Rejected::Unavailable { after: RETRY_AFTER })), async move {
            Mail::Prepared(introduce(&node, id, tail, users).await)
        });
    }

    fn prepared(&mut self, answer: Result<(), Rejected>) {
        self.unblock(Busy::Preparing);
        let Some((request, loads)) = self.preparing.take() else { return };
        if let Err(rejected) = answer {
            return request.reply.settle(Err(rejected));
        }
        if loads != self.loads || self.state.is_none() || !self.scribe.is_loaded() {
            // Another owner may have written since it was judged.
            return self.backlog.push_front(request);
        }
        if let Command::Post { client_key, content, .. } = &request.command {
            self.introduced = true;
            let (act, key) = (Act::Message(content.clone()), client_key.clone());
            return self.offer(request, act, key);
        }
        let limits = Arc::clone(&self.node.world().limits);
        let state = self.state();
        let proposed = match &request.command {
            Command::CreateGroup { name, members, .. } => state.propose_creation(request.user, name, members, &limits),
            Command::AddMembers { members, .. } => state.propose_addition(request.user, members, &limits),
            Command::RemoveMember { .. } | Command::Post { .. } | Command::Mark { .. } | Command::Type { .. } | Command::Watch { .. } => {
                Err(Rejected::Internal)
            }
        };
        match (proposed, change_key(&request.command)) {
            (Ok(act), Some(key)) => {
                self.busy = Busy::Changing;
                self.offer(request, act, key);
            }
            (Err(rejected), _) => request.reply.settle(Err(rejected)),
            (Ok(_), None) => request.reply.settle(Err(Rejected::Internal)),
        }
    }

    // ── commit: acknowledge, then announce ──

    fn committed(&mut self, batch: &Batch, drafts: Vec<Draft>) {
        let telemetry = Arc::clone(&self.node.world().telemetry);
        let now = self.node.now();
        let mut origins = Vec::with_capacity(drafts.len());
        for (entry, draft) in batch.entries.iter().zip(drafts) {
            telemetry.measure(Measure::PostSeconds, now.since(draft.arrived).as_secs_f64());
            origins.push(draft.waiter.origin);
            for (nth, reply) in draft.waiter.replies.into_iter().enumerate() {
                reply.settle(Ok(View::Appended(Appended {
                    conversation: self.id,
                    seq: entry.seq,
                    pos: entry.pos,
                    id: entry.id,
                    at: entry.at,
                    duplicate: nth > 0,
                })));
            }
        }
        telemetry.count(Count::PostsAcked, batch.entries.len() as u64);
        for (entry, origin) in batch.entries.iter().zip(origins) {
            self.take_in(entry, batch, origin);
        }
        if !self.scribe.is_busy() {
            self.unblock(Busy::Changing);
        }
    }

    /// One durable entry: members first where it changes them, and the announcement to who hears of it.
    fn take_in(&mut self, entry: &Arc<Entry>, batch: &Batch, origin: Option<crate::id::SessionId>) {
        let event = Event::Entry { conversation: self.id, incarnation: batch.after.incarnation, entry: Arc::clone(entry) };
        let held = Held::new(event, entry.author, origin);
        let Some(state) = &mut self.state else { return };
        // A batch of ours that had landed before the log was loaded anew is in the state, and what came after it too.
        let is_news = entry.seq > self.loaded_at;
        match &entry.act {
            Act::Left { member } if !is_news => {
                let member = *member;
                self.held.push(held);
                self.vanish(member, entry.seq);
            }
            Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Appeared { .. } | Act::Vanished { .. } if !is_news => {
                self.held.push(held);
            }
            Act::Message(_) => {
                self.marks.wrote(entry.author, entry.pos);
                self.held.push(held);
            }
            Act::Left { member } => {
                // The one who goes hears of it, and of nothing after it.
                self.held.push(held);
                announce(&self.node, state.audience(), &mut self.held);
                state.commit(entry);
                self.vanish(*member, entry.seq);
            }
            Act::Created { .. } | Act::Joined { .. } | Act::Appeared { .. } | Act::Vanished { .. } => {
                // Those who come hear of it, and of nothing before it.
                announce(&self.node, state.audience(), &mut self.held);
                state.commit(entry);
                self.held.push(held);
            }
        }
    }

    /// The end of a membership stands in the user's own log as well; if this is lost, readers still ask the group.
    fn vanish(&self, user: UserId, seq: Seq) {
        let note = home::mail::Note::vanished(self.id, seq);
        self.node.directory().send_home(&self.node, user, home::mail::Mail::Note(note, None));
    }

    /// Announces what is held, unless the audience is large and another batch is already on its way: then they leave
    /// together (messages that come together cost one write a session).
    fn announce_held(&mut self) {
        let Some(state) = &self.state else { return };
        let limits = &self.node.world().limits;
        let large = state.audience().len() > limits.count(Limit::CoalesceAudience);
        let room = self.held.len() < limits.count(Limit::OutboundFrames) / 4;
        if large && room && self.scribe.is_in_flight() {
            return;
        }
        announce(&self.node, state.audience(), &mut self.held);
    }

    // ── marks and signals ──

    fn mark(&mut self, request: Box<Request>) {
        let Command::Mark { seq, .. } = request.command else { return };
        if let Err(rejected) = self.state().may(request.user, Deed::Mark) {
            return request.reply.settle(Err(rejected));
        }
        let head = *self.scribe.head();
        if seq > head.tail {
            return request.reply.settle(Err(Rejected::AheadOfLog { tail: head.tail }));
        }
        if let Some(pos) = Conversation::position_of(&head, seq) {
            return self.positioned(request, Ok(pos));
        }
        let (store, id, deadline) = (Arc::clone(&self.node.world().store), self.id, self.node.world().limits.time(Limit::StoreDeadline));
        let lost = Mail::Log(LogMail::Rested); // the request went with the task: its reply has answered
        task::tie(&self.myself, lost, async move {
            let entries = within(deadline, store.range(LogId::Conversation(id), seq, seq, 1, false)).await;
            Mail::Positioned(request, entries.map(|entries| entries.first().map_or(Pos(0), |entry| entry.pos)))
        });
    }

    fn positioned(&mut self, request: Box<Request>, answer: Result<Pos, StoreError>) {
        let Command::Mark { mark, seq, .. } = request.command else { return };
        let Ok(pos) = answer else { return request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER })) };
        let Request { user, origin, reply, .. } = *request;
        if let Some(stored) = self.marks.stored(user) {
            let stands = of_kind(&stored, mark);
            if stands >= seq {
                return reply.settle(Ok(View::Marked { seq: stands, unread: self.unread(&stored) }));
            }
        }
        self.marks.raise(user, Mark { seq, pos, at: self.node.now() }, Waiter { kind: mark, origin, reply });
        if !self.marks.pending {
            self.marks.pending = true;
            task::tie(&self.myself, Mail::FlushMarks, {
                let after = self.receipts_interval();
                async move {
                    tokio::time::sleep(after).await;
                    Mail::FlushMarks
                }
            });
        }
    }

    fn receipts_interval(&self) -> Duration {
        let limits = &self.node.world().limits;
        match (self.id, &self.state) {
            (ConversationId::Direct(_), _) | (ConversationId::Group(_), None) => limits.time(Limit::ReceiptsDirect),
            (ConversationId::Group(_), Some(state)) => {
                let stretch = u32::try_from(state.audience().len() / 500).unwrap_or(RECEIPTS_STRETCH);
                limits.time(Limit::ReceiptsGroup) * (1 + stretch).min(RECEIPTS_STRETCH)
            }
        }
    }

    fn flush_marks(&mut self) {
        if self.marks.is_clean() {
            self.marks.pending = false;
            return;
        }
        let (marks, flushed) = self.marks.take();
        let telemetry = &self.node.world().telemetry;
        telemetry.count(Count::WatermarkWrites, 1);
        telemetry.count(Count::WatermarksRaised, marks.len() as u64);
        let (store, id, deadline) = (Arc::clone(&self.node.world().store), self.id, self.node.world().limits.time(Limit::StoreDeadline));
        let lost = Mail::Raised(Flushed::default(), Err(StoreError::Unknown("the call was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let answer = within(deadline, store.raise(id, marks)).await;
            Mail::Raised(flushed, answer)
        });
    }

    /// Stored: answer, then show. Marks that arrived meanwhile are the next flush.
    fn raised(&mut self, flushed: Flushed, answer: Result<Vec<Marks>, StoreError>) {
        let mut shown = Vec::new();
        match answer {
            Err(_) => {
                for waiter in flushed.0.into_iter().flat_map(|(_, waiters)| waiters) {
                    waiter.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER }));
                }
            }
            Ok(stored) => {
                for ((user, waiters), marks) in flushed.0.into_iter().zip(stored) {
                    if self.marks.store(user, marks) {
                        shown.push((user, marks));
                    }
                    self.answer_marks(user, &marks, waiters);
                }
            }
        }
        self.show_receipts(shown);
        self.flush_marks();
    }

    fn answer_marks(&self, user: UserId, marks: &Marks, waiters: Vec<Waiter>) {
        let unread = self.unread(marks);
        let read_by = waiters.iter().find(|waiter| waiter.kind == MarkKind::Read).map(|waiter| waiter.origin);
        for waiter in waiters {
            waiter.reply.settle(Ok(View::Marked { seq: of_kind(marks, waiter.kind), unread }));
        }
        if let Some(origin) = read_by {
            let event = Event::Unread { conversation: self.id, read: marks.read.seq, unread, count: self.scribe.head().count };
            announce_one(&self.node, &[user], event, user, origin);
        }
    }

    fn show_receipts(&self, mut marks: Vec<(UserId, Marks)>) {
        let Some(state) = &self.state else { return };
        if marks.is_empty() {
            return;
        }
        let more = marks.len() > RECEIPTS_SHOWN;
        marks.truncate(RECEIPTS_SHOWN);
        let audience = match (self.id, marks.as_slice()) {
            // Of two, the other one is told.
            (ConversationId::Direct(pair), [(user, _)]) => pair.other(*user).into_iter().collect(),
            (ConversationId::Direct(_) | ConversationId::Group(_), _) => state.audience().to_vec(),
        };
        let author = marks[0].0;
        announce_one(&self.node, &audience, Event::Receipts { conversation: self.id, marks, more }, author, None);
    }

    fn unread(&self, marks: &Marks) -> u64 {
        self.scribe.head().count.0.saturating_sub(marks.badge.0)
    }

    fn typing(&mut self, request: Box<Request>) {
        if let Err(rejected) = self.state().may(request.user, Deed::Type) {
            return request.reply.settle(Err(rejected));
        }
        let Some(state) = &self.state else { return };
        let telemetry = &self.node.world().telemetry;
        if state.audience().len() > self.node.world().limits.count(Limit::TypingAudience) {
            telemetry.count(Count::PresenceShed, 1);
        } else {
            telemetry.count(Count::Typing, 1);
            let others: Vec<_> = state.audience().iter().copied().filter(|user| *user != request.user).collect();
            let event = Event::Typing { conversation: self.id, user: request.user };
            announce_one(&self.node, &others, event, request.user, None);
        }
        request.reply.settle(Ok(View::Done));
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
        self.busy == Busy::No && self.backlog.is_empty() && !self.scribe.is_busy() && self.marks.is_clean() && !self.marks.pending
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

fn of_kind(marks: &Marks, kind: MarkKind) -> Seq {
    match kind {
        MarkKind::Delivered => marks.delivered.seq,
        MarkKind::Read => marks.read.seq,
    }
}

fn change_key(command: &Command) -> Option<ClientKey> {
    match command {
        Command::CreateGroup { client_key, .. } | Command::AddMembers { client_key, .. } | Command::RemoveMember { client_key, .. } => {
            Some(client_key.clone())
        }
        Command::Post { .. } | Command::Mark { .. } | Command::Type { .. } | Command::Watch { .. } => None,
    }
}

fn settle_all(drafts: Vec<Draft>, rejected: &Rejected) {
    for reply in drafts.into_iter().flat_map(|draft| draft.waiter.replies) {
        reply.settle(Err(rejected.clone()));
    }
}

/// The newest rows of a log, oldest first.
pub(crate) async fn newest(store: &dyn Store, log: LogId, tail: Seq, count: usize) -> Result<Vec<Entry>, StoreError> {
    let mut rows = store.range(log, Seq::ZERO, tail, count, true).await?;
    rows.reverse();
    Ok(rows)
}

async fn load(node: &Node, id: ConversationId, head: Head, fate: Option<(Seq, Seq)>) -> Result<Loaded, StoreError> {
    let (store, limits) = (&node.world().store, &node.world().limits);
    let members = match id {
        ConversationId::Direct(pair) => Members::Direct(pair),
        ConversationId::Group(_) if head.is_new() => Members::NoGroup,
        ConversationId::Group(group) => {
            let row = store.group(group).await?;
            let row = row.ok_or_else(|| StoreError::Corrupt(format!("{id} has entries but is no group")))?;
            let mut places = std::collections::BTreeMap::new();
            let page_size = limits.count(Limit::Members);
            loop {
                let after = places.last_key_value().map(|(user, _)| *user);
                let page = store.members(group, after, page_size).await?;
                let last = page.len() < page_size;
                places.extend(page);
                if last {
                    break Members::Group { row, places };
                }
            }
        }
    };
    let recent = newest(&**store, LogId::Conversation(id), head.tail, limits.count(Limit::KeysAtActivation)).await?;
    let fate = match fate {
        Some((from, to)) => store.range(LogId::Conversation(id), from, to, limits.count(Limit::BatchRows), false).await?,
        None => vec![],
    };
    Ok(Loaded { members, recent, fate })
}

/// Checks that the users exist and writes the conversation into their lists and own logs. Idempotent: the key of the
/// note is made of the conversation and the tail that it will go on from.
async fn introduce(node: &Node, id: ConversationId, tail: Seq, users: Vec<UserId>) -> Result<(), Rejected> {
    let deadline = node.world().limits.time(Limit::StoreDeadline);
    let unavailable = Rejected::Unavailable { after: RETRY_AFTER };
    let accounts = within(deadline, node.world().store.accounts(&users)).await;
    let accounts = accounts.map_err(|error| {
        tracing::warn!(%error, "accounts could not be read");
        unavailable.clone()
    })?;
    if accounts.iter().any(|account| !account.as_ref().is_some_and(|account| account.active)) {
        return Err(Rejected::NoSuchUser);
    }
    let mut answers = Vec::with_capacity(users.len());
    for user in users {
        let (sender, answer) = oneshot::channel();
        let note = home::mail::Note::appeared(id, tail);
        node.directory().send_home(node, user, home::mail::Mail::Note(note, Some(sender)));
        answers.push(answer);
    }
    for answer in answers {
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(rejected))) => return Err(rejected),
            Ok(Err(_)) | Err(_) => return Err(unavailable),
        }
    }
    Ok(())
}
