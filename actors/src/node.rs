//! One node: starts and supervises everything in it, and is the way in for every door.
//!
//! Supervision: `shards` supervisors for each kind of actor, each the parent of the actors whose number falls to it. An
//! actor that dies is counted and left dead; the next command starts it again from the store. Supervisors do not end
//! because a child did. Beside the actors there are tasks for queries, bounded by `queries_node`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ractor::{Actor, ActorCell};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::account::Account;
use crate::accounts::Accounts;
use crate::accounts::erasure::{self, Erasures, MessagesOfDeleted};
use crate::answer;
use crate::cards::Cards;
use crate::command::{Command, Manage, Query};
use crate::conversation;
use crate::credential::{Credentials, Identity};
use crate::directory::Directory;
use crate::home;
use crate::id::{ConversationId, LoginId, Seq, SessionId, UserId};
use crate::limits::{Limit, Limits};
use crate::media::MediaId;
use crate::numbers::Numbers;
use crate::outbound::{CloseReason, OutboundQueue};
use crate::rates::Rates;
use crate::rejected::Rejected;
use crate::relay::Relay;
use crate::session::{Reply, Session};
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::telemetry::{ActorKind, Count, Telemetry};
use crate::time::{Clock, Random, Timestamp};
use crate::totals::Totals;
use crate::user;
use crate::view::View;

/// Supervisors for each kind of actor.
const SHARDS: usize = 16;
/// How often sleeping is considered and what waits too long is given up.
const TICK: Duration = Duration::from_secs(5);
/// How often it is looked for what of deleted accounts is to be erased, beside each deletion.
const ERASE_AGAIN: Duration = Duration::from_mins(1);
/// How long to wait before another try where the node cannot take a request.
const BUSY_AFTER: Duration = Duration::from_millis(500);
/// How often the attachment of a session is tried while its user's actor is stopping.
const ATTACH_TRIES: usize = 8;

/// What a node is given: time, chance, the store, credentials, the way to others, a place for counts, and its limits.
pub struct World {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where unguessable numbers come from.
    pub random: Arc<dyn Random>,
    /// Where everything durable is.
    pub store: Arc<dyn Store>,
    /// Tokens and passwords.
    pub credentials: Arc<dyn Credentials>,
    /// The way to other nodes.
    pub relay: Arc<dyn Relay>,
    /// Where counts go.
    pub telemetry: Arc<dyn Telemetry>,
    /// Every bound.
    pub limits: Arc<Limits>,
}

/// A node could not start.
#[derive(Debug, thiserror::Error)]
#[error("the supervisors could not be started: {0}")]
pub struct StartError(String);

/// An actor that a test wants to see die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// A connected user's actor.
    User(UserId),
    /// A user's home.
    Home(UserId),
    /// A conversation's actor.
    Conversation(ConversationId),
}

/// A running node; a clone is the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    world: World,
    directory: Directory,
    numbers: Numbers,
    cards: Cards,
    totals: Totals,
    users: Vec<ActorCell>,
    conversations: Vec<ActorCell>,
    homes: Vec<ActorCell>,
    queries: Arc<Semaphore>,
    rates: Rates,
    erasures: Erasures,
    draining: AtomicBool,
}

impl Node {
    /// Starts a node. It lives until [`Node::drain`] has ended.
    pub async fn start(world: World) -> Result<Self, StartError> {
        let supervisors = async |kind| {
            let mut shards = Vec::with_capacity(SHARDS);
            for _ in 0..SHARDS {
                let supervisor = Supervisor { kind, telemetry: Arc::clone(&world.telemetry) };
                let (actor, _joined) = Supervisor::spawn(None, supervisor, ()).await.map_err(|error| StartError(error.to_string()))?;
                shards.push(actor.get_cell());
            }
            Ok(shards)
        };
        let (users, conversations, homes) =
            (supervisors(ActorKind::User).await?, supervisors(ActorKind::Conversation).await?, supervisors(ActorKind::Home).await?);
        let node = Self(Arc::new(Inner {
            directory: Directory::new(),
            numbers: Numbers::new(Arc::clone(&world.store)),
            cards: Cards::default(),
            totals: Totals::default(),
            users,
            conversations,
            homes,
            queries: Arc::new(Semaphore::new(world.limits.count(Limit::QueriesNode).min(Semaphore::MAX_PERMITS))),
            rates: Rates::default(),
            erasures: Erasures::default(),
            draining: AtomicBool::new(false),
            world,
        }));
        spawn(tick(Arc::downgrade(&node.0)));
        Ok(node)
    }

    /// What the node was given.
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// Signups, logins, refreshes and logouts.
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts::of(self)
    }

    /// How many sessions live here.
    pub fn sessions(&self) -> usize {
        self.0.directory.session_count()
    }

    /// How many actors of each kind live here.
    pub fn actors(&self) -> [(ActorKind, usize); 3] {
        self.0.directory.actors()
    }

    /// Whether traffic can be taken; the reason if not.
    pub fn readiness(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("the node is draining".to_owned());
        }
        self.world().store.readiness()
    }

    /// A name for a connection, good for its session.
    pub fn name_session(&self) -> SessionId {
        SessionId(self.world().random.draw())
    }

    /// Takes in a connection that has authenticated, under a name from [`Node::name_session`].
    pub async fn connect(&self, id: SessionId, identity: Identity) -> Result<Arc<Session>, Rejected> {
        if self.is_draining() {
            return Err(Rejected::Draining);
        }
        let limits = &self.world().limits;
        let queue = OutboundQueue::new(limits.count(Limit::OutboundFrames), limits.count(Limit::OutboundBytes));
        let in_flight = u32::try_from(limits.get(Limit::RequestsInFlight)).unwrap_or(u32::MAX);
        let session = Session::new(id, identity, queue, in_flight);
        for _ in 0..ATTACH_TRIES {
            let (sender, answer) = oneshot::channel();
            self.directory().send_user(self, identity.user, user::mail::Mail::Attach(Arc::clone(&session), sender));
            match answer.await {
                Ok(Ok(())) => return Ok(session),
                Ok(Err(rejected)) => return Err(rejected),
                Err(_) => {} // the actor was stopping: the next one takes it
            }
        }
        Err(Rejected::Unavailable { after: BUSY_AFTER })
    }

    /// A connection has ended. To be called once for each that [`Node::connect`] took in.
    pub fn disconnect(&self, session: &Arc<Session>) {
        session.queue.end();
        for watched in session.watch(Box::default()) {
            self.directory().unwatch(watched, session.id);
        }
        let user = session.identity.user;
        if self.directory().remove_session(user, session.id) {
            let logged_out = session.is_logged_out();
            self.directory().send_user(self, user, user::mail::Mail::Detach { logged_out });
        }
    }

    /// Sends a command of a session on its way; the reply comes in its own time. Never waits.
    pub fn command(&self, session: &Arc<Session>, command: Command, reply: Reply) {
        if self.is_draining() {
            return reply.settle(Err(Rejected::Draining));
        }
        self.directory().send_user(self, session.identity.user, user::mail::Mail::Command(Arc::clone(session), Box::new(command), reply));
    }

    /// Sends a command of a user who has no session here, or none that asks, on its way: it is held to the same rates,
    /// and every session of the user hears of what it does. Never waits. Only a session can watch.
    pub fn command_by(&self, user: UserId, command: Command, reply: Reply) {
        if self.is_draining() {
            return reply.settle(Err(Rejected::Draining));
        }
        self.directory().send_user(self, user, user::mail::Mail::Visit(Box::new(command), reply));
    }

    /// Answers a query beside the caller; the reply comes in its own time. Never waits.
    pub fn query(&self, user: UserId, query: Query, reply: Reply) {
        let node = self.clone();
        self.ask(reply, async move { answer::answer(&node, user, query).await });
    }

    /// Which file the `nth` of a message is, counted from 0, if this user may read the message.
    pub async fn attachment(&self, user: UserId, conversation: ConversationId, seq: Seq, nth: usize) -> Result<MediaId, Rejected> {
        let Some(_permit) = self.query_permit() else {
            self.world().telemetry.count(Count::RateLimited("queries"), 1);
            return Err(Rejected::Busy { after: BUSY_AFTER });
        };
        let answer = answer::messages::attachment(self, user, conversation, seq, nth);
        let answer = tokio::time::timeout(self.world().limits.time(Limit::QueryDeadline), answer).await;
        answer.unwrap_or(Err(Rejected::Unavailable { after: BUSY_AFTER }))
    }

    /// Replaces whom a session watches.
    pub(crate) fn watch(&self, session: &Arc<Session>, users: Vec<UserId>, reply: Reply) {
        let (node, session) = (self.clone(), Arc::clone(session));
        self.ask(reply, async move { answer::presence::watch(&node, &session, users).await });
    }

    /// Carries out a wish about one's own account, or answers what is known of it; the reply comes in its own time. Never
    /// waits.
    pub fn manage(&self, identity: Identity, wish: Manage, reply: Reply) {
        if self.is_draining() {
            return reply.settle(Err(Rejected::Draining));
        }
        let node = self.clone();
        let deadline = self.world().limits.time(Limit::ManageDeadline);
        self.work(reply, deadline, Rejected::Unknown, async move { node.accounts().manage(&identity, wish).await });
    }

    fn ask(&self, reply: Reply, work: impl Future<Output = Result<View, Rejected>> + Send + 'static) {
        let deadline = self.world().limits.time(Limit::QueryDeadline);
        self.work(reply.of_query(), deadline, Rejected::Unavailable { after: BUSY_AFTER }, work);
    }

    /// Works beside the caller; `late` is answered at the deadline.
    fn work(&self, reply: Reply, deadline: Duration, late: Rejected, work: impl Future<Output = Result<View, Rejected>> + Send + 'static) {
        let Some(permit) = self.query_permit() else {
            self.world().telemetry.count(Count::RateLimited("queries"), 1);
            return reply.settle(Err(Rejected::Busy { after: BUSY_AFTER }));
        };
        let node = self.clone();
        spawn(async move {
            let answer = tokio::time::timeout(deadline, work).await.unwrap_or(Err(late));
            if let Err(Rejected::TooFast { bucket, .. }) = &answer {
                node.world().telemetry.count(Count::RateLimited(bucket), 1);
            }
            reply.settle(answer);
            drop(permit);
        });
    }

    /// Ends the sessions of a user that were begun by this login. Who has no other is gone at once.
    pub(crate) fn end_login(&self, user: UserId, login: LoginId) {
        self.end_sessions(user, CloseReason::Revoked, |session| session.identity.login == login);
    }

    /// Ends all sessions of a user, whose account was closed.
    pub(crate) fn end_user(&self, user: UserId) {
        self.end_sessions(user, CloseReason::Disabled, |_| true);
    }

    fn end_sessions(&self, user: UserId, reason: CloseReason, which: impl Fn(&Session) -> bool) {
        let sessions = self.directory().sessions(user);
        for session in sessions.iter().filter(|session| which(session)) {
            session.log_out(reason);
        }
        // He may be within a grace.
        if sessions.is_empty() && self.directory().live_user(user).is_some() {
            self.directory().send_user(self, user, user::mail::Mail::LoggedOut);
        }
    }

    /// A login has begun: the user counts as here for a while.
    pub(crate) fn logged_in(&self, user: UserId) {
        self.directory().send_user(self, user, user::mail::Mail::LoggedIn);
    }

    /// Stands something in a user's own log, when it can be done; nobody waits for it.
    pub(crate) fn note(&self, user: UserId, note: home::mail::Note) {
        self.directory().send_home(self, user, home::mail::Mail::Note(note, None));
    }

    /// What others see of an account has changed: whoever remembers it looks again.
    pub(crate) fn renew_card(&self, account: &Account) {
        self.0.cards.renew(account);
    }

    /// From now on what belongs to deleted accounts is erased; also what an earlier run left. To be called once, after
    /// the start.
    pub fn erase_deleted(&self, messages: MessagesOfDeleted) {
        if self.0.erasures.begin(messages) {
            spawn(erase(Arc::downgrade(&self.0)));
        }
    }

    pub(crate) fn erasures(&self) -> &Erasures {
        &self.0.erasures
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// Every live session, to tell each when to come back.
    pub fn all_sessions(&self) -> Vec<Arc<Session>> {
        self.directory().all_sessions()
    }

    /// From now on commands and connections are refused as draining.
    pub fn refuse_commands(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Takes no more commands, settles what is in flight, and stops the actors; all within the deadline.
    pub async fn drain(&self, deadline: Duration) {
        self.refuse_commands();
        let settle = async {
            let conversations = self.directory().conversations().into_iter().filter_map(|actor| {
                let (sender, done) = oneshot::channel();
                actor.send_message(conversation::mail::Mail::Drain(sender)).is_ok().then_some(done)
            });
            let homes = self.directory().homes().into_iter().filter_map(|actor| {
                let (sender, done) = oneshot::channel();
                actor.send_message(home::mail::Mail::Drain(sender)).is_ok().then_some(done)
            });
            let mut left = 0;
            for done in conversations.chain(homes).collect::<Vec<_>>() {
                left += usize::from(done.await.is_err());
            }
            left
        };
        match tokio::time::timeout(deadline, settle).await {
            Ok(0) => tracing::info!("everything in flight is settled"),
            Ok(left) => tracing::warn!(left, "actors ended while they were to settle"),
            Err(_) => tracing::warn!("not everything was settled in time; it is unknown to its senders"),
        }
        for supervisor in self.0.users.iter().chain(&self.0.conversations).chain(&self.0.homes) {
            supervisor.stop(Some("the node has drained".to_owned()));
        }
    }

    /// Kills an actor as a bug would. For tests of recovery. True if it was alive.
    pub fn kill(&self, victim: Victim) -> bool {
        let directory = self.directory();
        match victim {
            Victim::User(user) => directory.live_user(user).is_some_and(|actor| actor.send_message(user::mail::Mail::Die).is_ok()),
            Victim::Home(user) => directory.awake_home(user).is_some_and(|actor| actor.send_message(home::mail::Mail::Die).is_ok()),
            Victim::Conversation(id) => {
                directory.awake_conversation(id).is_some_and(|actor| actor.send_message(conversation::mail::Mail::Die).is_ok())
            }
        }
    }

    fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.0.numbers
    }

    /// What is known of people; to be renewed whenever an account has changed.
    pub(crate) fn cards(&self) -> &Cards {
        &self.0.cards
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.0.totals
    }

    /// A place among the queries at work, if there is one.
    pub(crate) fn query_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.queries).try_acquire_owned().ok()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world().clock.now()
    }

    /// Between half of this time and one and a half of it.
    pub(crate) fn jittered(&self, time: Duration) -> Duration {
        let thousandth = u32::try_from(self.world().random.draw() % 1_000).unwrap_or(0);
        time / 2 + time * thousandth / 1_000
    }

    pub(crate) fn supervisor(&self, kind: ActorKind, number: u64) -> ActorCell {
        let shards = match kind {
            ActorKind::User => &self.0.users,
            ActorKind::Conversation => &self.0.conversations,
            ActorKind::Home => &self.0.homes,
        };
        let shard = usize::try_from(number % SHARDS as u64).unwrap_or(0);
        shards[shard].clone()
    }
}

/// The tick of a node, for as long as somebody holds it.
async fn tick(node: Weak<Inner>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(inner) = node.upgrade() else { return };
        if inner.draining.load(Ordering::Relaxed) {
            return;
        }
        inner.rates.forget_whole(inner.world.clock.now());
        let conversations = inner.directory.conversations();
        let homes = inner.directory.homes();
        inner.cards.sweep();
        drop(inner);
        let mut gone = 0;
        for actor in conversations {
            gone += usize::from(actor.send_message(conversation::mail::Mail::Tick).is_err());
        }
        for actor in homes {
            gone += usize::from(actor.send_message(home::mail::Mail::Tick).is_err());
        }
        tracing::trace!(gone, "tick");
    }
}

/// Erases what belongs to deleted accounts, for as long as somebody holds the node.
async fn erase(node: Weak<Inner>) {
    loop {
        let Some(inner) = node.upgrade() else { return };
        let woken = inner.erasures.woken();
        let node = Node(inner);
        if node.is_draining() {
            return;
        }
        erasure::sweep(&node).await;
        drop(node);
        // A sweep that failed is tried again by itself.
        drop(tokio::time::timeout(ERASE_AGAIN, woken.notified()).await);
    }
}

#[expect(clippy::disallowed_methods, reason = "the node owns its queries and its tick")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
}
