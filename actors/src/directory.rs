//! This node's map from ids to actors and sessions. Values are cloned out; no guard outlives a call.
//!
//! It is also the way to an actor: mail for one that sleeps or has died starts a new one, and the mail goes there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as Slot;
use ractor::{Actor, ActorId, ActorRef, ActorStatus, Message, MessagingErr};
use tokio::sync::Semaphore;

use crate::command::Command;
use crate::conversation::actor::{self as conversation_actor, ConversationActor};
use crate::conversation::mail::{Mail as ConversationMail, Request};
use crate::home;
use crate::id::{ConversationId, SessionId, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::session::Session;
use crate::telemetry::{ActorKind, Count};
use crate::user;

/// How often mail is sent to an actor that turns out to be gone before the command is refused.
const SEND_TRIES: usize = 8;
/// One unit of a mailbox's budget, in bytes.
const PERMIT_BYTES: usize = 1_024;
/// When to try again where a mailbox is full.
const BUSY_AFTER: Duration = Duration::from_millis(200);

/// The sessions of one user, as one value.
pub(crate) type Sessions = Arc<[Arc<Session>]>;

struct UserSlot {
    actor: Option<ActorRef<user::mail::Mail>>,
    sessions: Sessions,
}

#[derive(Clone)]
struct ConversationSlot {
    actor: ActorRef<ConversationMail>,
    permits: Arc<Semaphore>,
}

/// The map.
pub(crate) struct Directory {
    users: DashMap<UserId, UserSlot>,
    conversations: DashMap<ConversationId, ConversationSlot>,
    homes: DashMap<UserId, ActorRef<home::mail::Mail>>,
    watchers: DashMap<UserId, Sessions>,
    nobody: Sessions,
    sessions: AtomicUsize,
}

impl Directory {
    /// Nobody is here.
    pub(crate) fn new() -> Self {
        Self {
            users: DashMap::new(),
            conversations: DashMap::new(),
            homes: DashMap::new(),
            watchers: DashMap::new(),
            nobody: Arc::new([]),
            sessions: AtomicUsize::new(0),
        }
    }

    // ── sessions ──

    /// The live sessions of a user on this node.
    pub(crate) fn sessions(&self, user: UserId) -> Sessions {
        self.users.get(&user).map_or_else(|| Arc::clone(&self.nobody), |slot| Arc::clone(&slot.sessions))
    }

    /// Whether a user is here: has a session, or had one, or logged in, a moment ago.
    pub(crate) fn is_here(&self, user: UserId) -> bool {
        let lives = |actor: &ActorRef<user::mail::Mail>| actor.get_status() < ActorStatus::Stopping;
        self.users.get(&user).is_some_and(|slot| !slot.sessions.is_empty() || slot.actor.as_ref().is_some_and(lives))
    }

    /// How many sessions there are in all.
    pub(crate) fn session_count(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Takes in a session unless the user has `max` already.
    pub(crate) fn add_session(&self, user: UserId, session: &Arc<Session>, max: usize) -> bool {
        let mut slot = self.users.entry(user).or_insert_with(|| UserSlot { actor: None, sessions: Arc::clone(&self.nobody) });
        if slot.sessions.len() >= max {
            return false;
        }
        slot.sessions = slot.sessions.iter().chain([session]).cloned().collect();
        self.sessions.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Takes out a session. True if it was there.
    pub(crate) fn remove_session(&self, user: UserId, session: SessionId) -> bool {
        let Some(mut slot) = self.users.get_mut(&user) else { return false };
        let before = slot.sessions.len();
        slot.sessions = slot.sessions.iter().filter(|other| other.id != session).cloned().collect();
        let removed = before > slot.sessions.len();
        if removed {
            self.sessions.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// Every session, for a drain; by user, so that the order is no chance.
    pub(crate) fn all_sessions(&self) -> Vec<Arc<Session>> {
        by_key(self.users.iter().map(|slot| (*slot.key(), slot.sessions.to_vec()))).into_iter().flatten().collect()
    }

    // ── presence ──

    /// The sessions that watch a user.
    pub(crate) fn watchers(&self, user: UserId) -> Sessions {
        self.watchers.get(&user).map_or_else(|| Arc::clone(&self.nobody), |watchers| Arc::clone(&watchers))
    }

    /// Adds a watcher unless there are `max` already.
    pub(crate) fn watch(&self, user: UserId, session: &Arc<Session>, max: usize) -> bool {
        let mut watchers = self.watchers.entry(user).or_insert_with(|| Arc::clone(&self.nobody));
        if watchers.len() >= max {
            return false;
        }
        *watchers = watchers.iter().filter(|other| other.id != session.id).chain([session]).cloned().collect();
        true
    }

    /// Takes out a watcher.
    pub(crate) fn unwatch(&self, user: UserId, session: SessionId) {
        if let Slot::Occupied(mut slot) = self.watchers.entry(user) {
            let rest: Sessions = slot.get().iter().filter(|other| other.id != session).cloned().collect();
            if rest.is_empty() {
                slot.remove();
            } else {
                slot.insert(rest);
            }
        }
    }

    // ── users ──

    /// Sends mail to the user's actor, which is started if need be.
    pub(crate) fn send_user(&self, node: &Node, user: UserId, mail: user::mail::Mail) {
        let mut mail = mail;
        for _ in 0..SEND_TRIES {
            let actor = self.user(node, user);
            let Some(actor) = actor else { return };
            match send(&actor, mail) {
                Ok(()) => return,
                Err(back) => {
                    mail = back;
                    self.forget_dead_user(user, actor.get_id());
                }
            }
        }
    }

    fn user(&self, node: &Node, user: UserId) -> Option<ActorRef<user::mail::Mail>> {
        let mut slot = self.users.entry(user).or_insert_with(|| UserSlot { actor: None, sessions: Arc::clone(&self.nobody) });
        if slot.actor.is_none() {
            let arguments = user::actor::Arguments { node: node.clone(), user };
            slot.actor = start(node, ActorKind::User, user.get(), user::actor::UserActor, arguments);
        }
        slot.actor.clone()
    }

    fn forget_dead_user(&self, user: UserId, actor: ActorId) {
        if let Some(mut slot) = self.users.get_mut(&user)
            && slot.actor.as_ref().is_some_and(|ours| ours.get_id() == actor)
        {
            slot.actor = None;
        }
    }

    /// Lets go of a user's actor that wants to stop, if no session is there. True if it may.
    pub(crate) fn forget_user(&self, user: UserId, actor: ActorId) -> bool {
        let ours = |slot: &UserSlot| slot.actor.as_ref().is_some_and(|ours| ours.get_id() == actor);
        self.users.remove_if(&user, |_, slot| slot.sessions.is_empty() && ours(slot)).is_some()
    }

    // ── conversations ──

    /// Sends a request to the conversation's actor, on its node, which is woken if need be. A full mailbox refuses.
    pub(crate) fn send_conversation(&self, node: &Node, id: ConversationId, request: Request) {
        let Some(mut request) = node.world().relay.carry(id, request) else { return };
        for _ in 0..SEND_TRIES {
            let Some(slot) = self.conversation(node, id) else { break };
            let Ok(permit) = slot.permits.try_acquire_many_owned(permits(&request.command)) else {
                node.world().telemetry.count(Count::RateLimited("posts_waiting"), 1);
                return request.reply.settle(Err(Rejected::Busy { after: BUSY_AFTER }));
            };
            request.permit = Some(permit);
            match send(&slot.actor, ConversationMail::Request(Box::new(request))) {
                Ok(()) => return,
                Err(ConversationMail::Request(back)) => {
                    request = *back;
                    self.forget_conversation(id, slot.actor.get_id());
                }
                Err(_) => return,
            }
        }
        request.reply.settle(Err(Rejected::Unavailable { after: BUSY_AFTER }));
    }

    fn conversation(&self, node: &Node, id: ConversationId) -> Option<ConversationSlot> {
        if let Some(slot) = self.conversations.get(&id) {
            return Some(slot.clone());
        }
        match self.conversations.entry(id) {
            Slot::Occupied(slot) => Some(slot.get().clone()),
            Slot::Vacant(vacant) => {
                let number = match id {
                    ConversationId::Direct(pair) => pair.low().get() ^ pair.high().get(),
                    ConversationId::Group(group) => group.get(),
                };
                let arguments = conversation_actor::Arguments { node: node.clone(), id };
                let actor = start(node, ActorKind::Conversation, number, ConversationActor, arguments)?;
                let waiting = node.world().limits.count(Limit::PostsWaiting).min(Semaphore::MAX_PERMITS);
                let slot = ConversationSlot { actor, permits: Arc::new(Semaphore::new(waiting)) };
                vacant.insert(slot.clone());
                Some(slot)
            }
        }
    }

    /// Lets go of a conversation's actor, if it is still this one.
    pub(crate) fn forget_conversation(&self, id: ConversationId, actor: ActorId) {
        self.conversations.remove_if(&id, |_, slot| slot.actor.get_id() == actor);
    }

    /// The actors of all awake conversations, in the order of their ids.
    pub(crate) fn conversations(&self) -> Vec<ActorRef<ConversationMail>> {
        by_key(self.conversations.iter().map(|slot| (*slot.key(), slot.actor.clone())))
    }

    /// The actor of a conversation, if it is awake.
    pub(crate) fn awake_conversation(&self, id: ConversationId) -> Option<ActorRef<ConversationMail>> {
        self.conversations.get(&id).map(|slot| slot.actor.clone())
    }

    // ── homes ──

    /// Sends mail to a user's home, which is woken if need be.
    pub(crate) fn send_home(&self, node: &Node, user: UserId, mail: home::mail::Mail) {
        let mut mail = mail;
        for _ in 0..SEND_TRIES {
            let Some(actor) = self.home(node, user) else { return };
            match send(&actor, mail) {
                Ok(()) => return,
                Err(back) => {
                    mail = back;
                    self.forget_home(user, actor.get_id());
                }
            }
        }
    }

    fn home(&self, node: &Node, user: UserId) -> Option<ActorRef<home::mail::Mail>> {
        match self.homes.entry(user) {
            Slot::Occupied(slot) => Some(slot.get().clone()),
            Slot::Vacant(vacant) => {
                let arguments = home::actor::Arguments { node: node.clone(), user };
                let actor = start(node, ActorKind::Home, user.get(), home::actor::HomeActor, arguments)?;
                vacant.insert(actor.clone());
                Some(actor)
            }
        }
    }

    /// Lets go of a home's actor, if it is still this one.
    pub(crate) fn forget_home(&self, user: UserId, actor: ActorId) {
        self.homes.remove_if(&user, |_, ours| ours.get_id() == actor);
    }

    /// The actors of all awake homes, in the order of their users.
    pub(crate) fn homes(&self) -> Vec<ActorRef<home::mail::Mail>> {
        by_key(self.homes.iter().map(|slot| (*slot.key(), slot.value().clone())))
    }

    /// A user's actor, if there is one.
    pub(crate) fn live_user(&self, user: UserId) -> Option<ActorRef<user::mail::Mail>> {
        self.users.get(&user).and_then(|slot| slot.actor.clone())
    }

    /// A user's home, if it is awake.
    pub(crate) fn awake_home(&self, user: UserId) -> Option<ActorRef<home::mail::Mail>> {
        self.homes.get(&user).map(|slot| slot.value().clone())
    }

    /// How many actors of each kind live.
    pub(crate) fn actors(&self) -> [(ActorKind, usize); 3] {
        [(ActorKind::User, self.users.len()), (ActorKind::Conversation, self.conversations.len()), (ActorKind::Home, self.homes.len())]
    }
}

/// Values in the order of their keys: a map's own order differs from run to run.
fn by_key<K: Ord, V>(pairs: impl Iterator<Item = (K, V)>) -> Vec<V> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    pairs.into_iter().map(|(_, value)| value).collect()
}

/// Starts an actor under the supervisor of its shard; `None` while the node stops.
fn start<A: Actor>(node: &Node, kind: ActorKind, number: u64, actor: A, arguments: A::Arguments) -> Option<ActorRef<A::Msg>> {
    let supervisor = node.supervisor(kind, number);
    match ractor::ActorRuntime::spawn_linked_instant(None, actor, arguments, supervisor) {
        Ok((actor, _started)) => Some(actor),
        Err(error) => {
            tracing::error!(?kind, %error, "an actor could not be started");
            None
        }
    }
}

/// Sends mail, or gives it back if the actor is gone.
fn send<M: Message>(actor: &ActorRef<M>, mail: M) -> Result<(), M> {
    match actor.send_message(mail) {
        Ok(()) => Ok(()),
        Err(MessagingErr::SendErr(mail)) => Err(mail),
        Err(error) => {
            tracing::error!(%error, "mail could not be sent and is lost");
            Ok(())
        }
    }
}

/// What a request takes of a mailbox's budget: one unit for each KiB begun.
fn permits(command: &Command) -> u32 {
    let bytes = match command {
        Command::Post { content, media, .. } => content.bytes() + media.len() * 128,
        Command::Edit { content, .. } => content.bytes(),
        Command::CreateGroup { members, .. } | Command::AddMembers { members, .. } => members.len() * 8,
        Command::Invite { users, .. } => users.len() * 8,
        Command::Delete { .. }
        | Command::React { .. }
        | Command::Forward { .. }
        | Command::ChangeGroup { .. }
        | Command::SetRole { .. }
        | Command::HandOver { .. }
        | Command::Join { .. }
        | Command::Decline { .. }
        | Command::RemoveMember { .. }
        | Command::Mark { .. }
        | Command::Relate { .. }
        | Command::Set { .. }
        | Command::ReadNotices { .. }
        | Command::Type { .. }
        | Command::Watch { .. } => 0,
    };
    u32::try_from(bytes.div_ceil(PERMIT_BYTES).max(1)).unwrap_or(u32::MAX)
}
