//! The connected user's actor: admits sessions and commands, and sends commands on to whom they are about.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::command::Command;
use crate::conversation::mail::Request;
use crate::event::Event;
use crate::home;
use crate::id::UserId;
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::session::{Reply, Session};
use crate::task;
use crate::telemetry::{ActorKind, Count};
use crate::view::View;

use super::mail::Mail;
use super::state::OnlineUser;

/// The shell.
pub(crate) struct UserActor;

/// What the actor is started with.
pub(crate) struct Arguments {
    pub node: Node,
    pub user: UserId,
}

/// The actor while it runs. Small: there is one for each connected user.
pub(crate) struct Running {
    node: Node,
    user: UserId,
    state: OnlineUser,
    /// Whether a command came without a session since the last look; `None` while nobody looks.
    visited: Option<bool>,
}

impl Actor for UserActor {
    type Msg = Mail;
    type State = Running;
    type Arguments = Arguments;

    async fn pre_start(&self, _: ActorRef<Mail>, arguments: Arguments) -> Result<Running, ActorProcessingErr> {
        let Arguments { node, user } = arguments;
        node.world().telemetry.count(Count::ActorStarted(ActorKind::User), 1);
        let online = !node.directory().sessions(user).is_empty();
        Ok(Running { state: OnlineUser::new(online, &node.world().limits), node, user, visited: None })
    }

    async fn handle(&self, myself: ActorRef<Mail>, mail: Mail, running: &mut Running) -> Result<(), ActorProcessingErr> {
        match mail {
            Mail::Attach(session, answer) => running.attach(&session, answer),
            Mail::Detach => running.detach(&myself),
            Mail::Command(session, command, reply) => running.command(Some(&session), *command, reply),
            Mail::Visit(command, reply) => {
                running.visited(&myself);
                running.command(None, *command, reply);
            }
            Mail::VisitOver => running.visit_over(&myself),
            Mail::GraceOver(absence) => running.grace_over(&myself, absence),
            #[expect(clippy::panic, reason = "the hook that tests recovery: it must look like a bug")]
            Mail::Die => panic!("the user was told to die"),
        }
        Ok(())
    }
}

impl Running {
    fn attach(&mut self, session: &Arc<Session>, answer: oneshot::Sender<Result<(), Rejected>>) {
        let max = self.node.world().limits.count(Limit::SessionsUser);
        if !self.node.directory().add_session(self.user, session, max) {
            drop(answer.send(Err(Rejected::TooFast { bucket: "sessions", after: Duration::ZERO })));
            return;
        }
        if self.state.arrive() {
            self.tell_presence(true);
        }
        drop(answer.send(Ok(()))); // a connection that went meanwhile detaches itself
    }

    fn detach(&mut self, myself: &ActorRef<Mail>) {
        if self.node.directory().sessions(self.user).is_empty() {
            let absence = self.state.leave();
            let grace = self.node.world().limits.time(Limit::PresenceGrace);
            task::tie(myself, Mail::GraceOver(absence), async move {
                tokio::time::sleep(grace).await;
                Mail::GraceOver(absence)
            });
        }
    }

    fn grace_over(&mut self, myself: &ActorRef<Mail>, absence: u32) {
        if self.state.grace_over(absence) {
            self.tell_presence(false);
        }
        self.leave(myself);
    }

    /// Somebody without a session asks: the actor stays for a while after the last such request, so that its rates hold.
    fn visited(&mut self, myself: &ActorRef<Mail>) {
        if self.visited.replace(true).is_none() {
            self.look_later(myself);
        }
    }

    fn look_later(&self, myself: &ActorRef<Mail>) {
        let idle = self.node.world().limits.time(Limit::VisitIdle);
        task::tie(myself, Mail::VisitOver, async move {
            tokio::time::sleep(idle).await;
            Mail::VisitOver
        });
    }

    fn visit_over(&mut self, myself: &ActorRef<Mail>) {
        if self.visited == Some(true) || self.state.counts_groups(self.node.now()) {
            self.visited = Some(false);
            self.look_later(myself);
        } else {
            self.visited = None;
            self.leave(myself);
        }
    }

    fn leave(&mut self, myself: &ActorRef<Mail>) {
        if self.visited.is_some() {
            return; // looked at again when the visit is over
        }
        // Only while no session is there does the directory let go of this actor; mail that came meanwhile is handled first.
        if self.node.directory().forget_user(self.user, myself.get_id())
            && let Err(error) = myself.drain()
        {
            tracing::warn!(user = self.user.get(), %error, "the user's actor could not stop");
        }
    }

    fn tell_presence(&self, online: bool) {
        let watchers = self.node.directory().watchers(self.user);
        let event = Event::Presence { user: self.user, online, last_seen: None };
        let announcement = crate::event::Announcement::new(event);
        for session in watchers.iter() {
            session.queue.push(&announcement);
        }
        self.node.world().telemetry.count(Count::PresenceEmitted, watchers.len() as u64);
    }

    fn command(&mut self, session: Option<&Arc<Session>>, command: Command, reply: Reply) {
        let now = self.node.now();
        let limits = Arc::clone(&self.node.world().limits);
        let admitted = match &command {
            Command::Post { .. } => self.state.admit_post(now),
            Command::CreateGroup { .. } => self.state.admit_group(now, &limits),
            Command::Type { conversation } if !self.state.admit_typing(*conversation, now, &limits) => {
                self.node.world().telemetry.count(Count::PresenceShed, 1);
                return reply.settle(Ok(View::Done));
            }
            _ => Ok(()),
        };
        if let Err(rejected) = admitted {
            if let Rejected::TooFast { bucket, .. } = &rejected {
                self.node.world().telemetry.count(Count::RateLimited(bucket), 1);
            }
            return reply.settle(Err(rejected));
        }
        if let Command::Watch { users } = &command {
            return match session {
                Some(session) => self.node.watch(session, users.clone(), reply),
                None => reply.settle(Err(Rejected::Internal)), // a door that has no session has no such request
            };
        }
        let conversation = command.conversation();
        let request = Request { user: self.user, origin: session.map(|session| session.id), command, arrived: now, permit: None, reply };
        match conversation {
            Some(id) => self.node.directory().send_conversation(&self.node, id, request),
            None => self.node.directory().send_home(&self.node, self.user, home::mail::Mail::Create(Box::new(request))),
        }
    }
}
