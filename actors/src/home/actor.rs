//! The home's actor: appends notes to the user's log, and begins groups.
//!
//! A group begins here because its number must be found again when its creator repeats the command: the number stands
//! in the creator's own log, under the creator's key, before the group's first entry.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::command::Command;
use crate::content::ClientKey;
use crate::conversation::announce::announce_one;
use crate::conversation::load::newest;
use crate::conversation::mail::Request;
use crate::entry::{Act, Batch, Entry, Head, Row};
use crate::event::Event;
use crate::id::{ConversationId, GroupId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::log::keys::Known;
use crate::log::scribe::{Draft, Outcome, Scribe, Waiter, within};
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::{Sequence, StoreError};
use crate::task;
use crate::telemetry::{ActorKind, Count};
use crate::time::Timestamp;

use super::mail::{Mail, Note, Noted, creation_key};

/// How long a client should wait before it tries again when the store does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The shell.
pub(crate) struct HomeActor;

/// What the actor is started with.
pub(crate) struct Arguments {
    pub node: Node,
    pub user: UserId,
}

/// Work that waits until the log is loaded, in order.
enum Wish {
    Note(Note, Option<Noted>),
    Create(Box<Request>),
}

/// The actor while it runs.
pub(crate) struct Running {
    node: Node,
    user: UserId,
    myself: ActorRef<Mail>,
    scribe: Scribe<Mail>,
    loading: bool,
    /// How often a load was begun; an answer to an earlier one is of no use.
    loads: u64,
    backlog: VecDeque<Wish>,
    /// Who waits for the entry under a key.
    noted: HashMap<ClientKey, Vec<Noted>>,
    /// Creations whose number is being drawn or stored, by the key in this log.
    creating: HashMap<ClientKey, Vec<Request>>,
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
            draining: Vec::new(),
            asleep: false,
        })
    }

    async fn handle(&self, _: ActorRef<Mail>, mail: Mail, running: &mut Running) -> Result<(), ActorProcessingErr> {
        match mail {
            mail @ (Mail::Note(..) | Mail::Create(_)) if running.asleep => {
                running.node.directory().send_home(&running.node, running.user, mail);
            }
            Mail::Note(note, noted) => running.wish(Wish::Note(note, noted)),
            Mail::Create(request) => running.wish(Wish::Create(request)),
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

/// The rows that follow from an entry of a user's log.
fn project(entry: &Entry) -> Vec<Row> {
    match &entry.act {
        Act::Appeared { conversation } => vec![Row::Listed(*conversation, true)],
        Act::Vanished { conversation } => vec![Row::Listed(*conversation, false)],
        _ => vec![],
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
            match self.backlog.pop_front().expect("the backlog is not empty") {
                Wish::Note(note, noted) => self.note(note, noted),
                Wish::Create(request) => self.create(request),
            }
        }
        let outcomes = self.scribe.pump(project);
        self.act_on(outcomes);
        if !self.draining.is_empty() && self.is_settled() {
            for done in self.draining.drain(..) {
                if done.send(()).is_err() {
                    tracing::debug!("the drain was given up before everything was settled");
                }
            }
        }
    }

    fn refuse_backlog(&mut self, rejected: &Rejected) {
        for wish in std::mem::take(&mut self.backlog) {
            match wish {
                Wish::Note(note, noted) => {
                    self.refuse_note(&note.client_key, noted, rejected);
                    self.refuse_creations(&note.client_key, rejected);
                }
                Wish::Create(request) => request.reply.settle(Err(rejected.clone())),
            }
        }
    }

    /// Tells all who wait for the note under a key, and this one.
    fn refuse_note(&mut self, key: &ClientKey, noted: Option<Noted>, rejected: &Rejected) {
        for noted in self.noted.remove(key).into_iter().flatten().chain(noted) {
            drop(noted.send(Err(rejected.clone())));
        }
    }

    // ── notes ──

    fn note(&mut self, note: Note, noted: Option<Noted>) {
        match self.scribe.keys().look_up(self.user, &note.client_key) {
            Known::Stored(stored) => {
                let waiting = self.noted.remove(&note.client_key).into_iter().flatten();
                for noted in waiting.chain(noted) {
                    drop(noted.send(Ok(stored.seq)));
                }
                for request in self.creating.remove(&note.client_key).into_iter().flatten() {
                    self.find(Box::new(request), stored.seq);
                }
            }
            Known::Reserved(_) => self.noted.entry(note.client_key).or_default().extend(noted),
            Known::Unsure => {
                self.backlog.push_front(Wish::Note(note, noted));
                self.load_keys();
            }
            Known::New => {
                self.noted.entry(note.client_key.clone()).or_default().extend(noted);
                self.offer(note.act, note.client_key);
            }
        }
    }

    fn offer(&mut self, act: Act, client_key: ClientKey) {
        let arrived = self.node.now();
        let waiter = Waiter { origin: None, replies: vec![], permit: None };
        self.scribe.offer(Draft { author: self.user, client_key, act, arrived, waiter });
    }

    // ── creations ──

    fn create(&mut self, request: Box<Request>) {
        let Command::CreateGroup { client_key, .. } = &request.command else {
            return request.reply.settle(Err(Rejected::Internal));
        };
        let key = creation_key(client_key);
        if let Some(waiting) = self.creating.get_mut(&key) {
            return waiting.push(*request);
        }
        match self.scribe.keys().look_up(self.user, &key) {
            Known::Unsure => {
                self.backlog.push_front(Wish::Create(request));
                self.load_keys();
            }
            Known::Stored(stored) => self.find(request, stored.seq),
            Known::New | Known::Reserved(_) => {
                self.creating.insert(key.clone(), vec![*request]);
                let node = self.node.clone();
                let lost = Mail::Drawn(key.clone(), Err(StoreError::Unavailable("the draw was lost".to_owned())));
                task::tie(&self.myself, lost, async move {
                    let deadline = node.world().limits.time(Limit::StoreDeadline);
                    let number = within(deadline, node.numbers().take(Sequence::Principals, 0)).await;
                    let group = number.and_then(|number| {
                        GroupId::new(number).map_err(|error| StoreError::Corrupt(format!("the group sequence is exhausted: {error}")))
                    });
                    Mail::Drawn(key, group)
                });
            }
        }
    }

    fn drawn(&mut self, key: ClientKey, answer: Result<GroupId, StoreError>) {
        match answer {
            // Through the backlog: another owner may have stored the creation while the number was drawn.
            Ok(group) => {
                let note = Note { act: Act::Appeared { conversation: ConversationId::Group(group) }, client_key: key };
                self.backlog.push_front(Wish::Note(note, None));
            }
            Err(_) => self.refuse_creations(&key, &Rejected::Unavailable { after: RETRY_AFTER }),
        }
    }

    fn refuse_creations(&mut self, key: &ClientKey, rejected: &Rejected) {
        for request in self.creating.remove(key).into_iter().flatten() {
            request.reply.settle(Err(rejected.clone()));
        }
    }

    fn find(&self, request: Box<Request>, seq: Seq) {
        let (store, log) = (Arc::clone(&self.node.world().store), LogId::User(self.user));
        let deadline = self.node.world().limits.time(Limit::StoreDeadline);
        let lost = Mail::Tick; // the request went with the task: its reply has answered
        task::tie(&self.myself, lost, async move {
            let entries = within(deadline, store.range(log, seq, seq, 1, false)).await;
            Mail::Found(request, entries.map(|mut entries| entries.pop()))
        });
    }

    fn found(&self, request: Box<Request>, answer: Result<Option<Entry>, StoreError>) {
        match answer.map(|entry| entry.map(|entry| entry.act)) {
            Ok(Some(Act::Appeared { conversation })) => self.node.directory().send_conversation(&self.node, conversation, *request),
            Ok(_) => request.reply.settle(Err(Rejected::Internal)),
            Err(_) => request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER })),
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
                    for Draft { client_key, act, .. } in drafts.into_iter().rev() {
                        self.backlog.push_front(Wish::Note(Note { act, client_key }, None));
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
            let event = Event::Own { incarnation: batch.after.incarnation, entry: Arc::clone(entry) };
            announce_one(&self.node, &[self.user], event, self.user, None);
        }
    }

    fn refuse(&mut self, drafts: &[Draft], rejected: &Rejected) {
        for draft in drafts {
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

    fn load_keys(&mut self) {
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
        // Who waits for a note gives up by himself; a creation must be answered in time (R6).
        let is_late = |wish: &Wish| matches!(wish, Wish::Create(request) if request.arrived < before);
        let (late, rest): (Vec<_>, Vec<_>) = self.backlog.drain(..).partition(is_late);
        self.backlog = rest.into();
        for wish in late {
            if let Wish::Create(request) = wish {
                request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER }));
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
