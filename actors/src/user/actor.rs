//! The connected user's actor: admits sessions and commands, and sends commands on to whom they are about.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::account::Seen;
use crate::answer::presence;
use crate::command::Command;
use crate::conversation::mail::Request;
use crate::home;
use crate::id::{ConversationId, Pair, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::relation::Step;
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
}

impl Actor for UserActor {
    type Msg = Mail;
    type State = Running;
    type Arguments = Arguments;

    async fn pre_start(&self, _: ActorRef<Mail>, arguments: Arguments) -> Result<Running, ActorProcessingErr> {
        let Arguments { node, user } = arguments;
        node.world().telemetry.count(Count::ActorStarted(ActorKind::User), 1);
        let online = !node.directory().sessions(user).is_empty();
        Ok(Running { state: OnlineUser::new(online, &node.world().limits), node, user })
    }

    async fn handle(&self, myself: ActorRef<Mail>, mail: Mail, running: &mut Running) -> Result<(), ActorProcessingErr> {
        match mail {
            Mail::Attach(session, answer) => running.attach(&myself, &session, answer),
            Mail::Detach { logged_out } => running.detach(&myself, logged_out),
            Mail::LoggedIn => running.logged_in(&myself),
            Mail::LoggedOut => running.logged_out(&myself),
            Mail::Told => {}
            Mail::Command(session, command, reply) => running.command(&session, *command, reply),
            Mail::GraceOver(absence) => running.grace_over(&myself, absence),
            #[expect(clippy::panic, reason = "the hook that tests recovery: it must look like a bug")]
            Mail::Die => panic!("the user was told to die"),
        }
        Ok(())
    }
}

impl Running {
    fn attach(&mut self, myself: &ActorRef<Mail>, session: &Arc<Session>, answer: oneshot::Sender<Result<(), Rejected>>) {
        let max = self.node.world().limits.count(Limit::SessionsUser);
        if !self.node.directory().add_session(self.user, session, max) {
            drop(answer.send(Err(Rejected::TooFast { bucket: "sessions", after: Duration::ZERO })));
            return;
        }
        if self.state.arrive() {
            self.touch(myself);
            self.tell_presence(myself);
        }
        drop(answer.send(Ok(()))); // a connection that went meanwhile detaches itself
    }

    fn detach(&mut self, myself: &ActorRef<Mail>, logged_out: bool) {
        if !self.has_session() {
            self.touch(myself);
            if logged_out { self.logged_out(myself) } else { self.leave(myself, Limit::PresenceGrace) }
        }
    }

    /// A login counts as being here for a while, also without a session.
    fn logged_in(&mut self, myself: &ActorRef<Mail>) {
        if !self.has_session() {
            if self.state.arrive() {
                self.tell_presence(myself);
            }
            self.leave(myself, Limit::LoginPresence);
        }
    }

    /// Who has logged out is gone at once, unless another login has a session.
    fn logged_out(&mut self, myself: &ActorRef<Mail>) {
        if !self.has_session() {
            let was_here = self.state.go();
            self.stop(myself);
            if was_here {
                self.tell_presence(myself);
            }
        }
    }

    fn has_session(&self) -> bool {
        !self.node.directory().sessions(self.user).is_empty()
    }

    fn leave(&mut self, myself: &ActorRef<Mail>, grace: Limit) {
        let absence = self.state.leave();
        let grace = self.node.world().limits.time(grace);
        task::tie(myself, Mail::GraceOver(absence), async move {
            tokio::time::sleep(grace).await;
            Mail::GraceOver(absence)
        });
    }

    fn grace_over(&mut self, myself: &ActorRef<Mail>, absence: u32) {
        let gone = self.state.grace_over(absence);
        self.stop(myself);
        if gone {
            self.tell_presence(myself);
        }
    }

    /// Only while no session is there does the directory let go of this actor; mail that came meanwhile is handled first.
    fn stop(&self, myself: &ActorRef<Mail>) {
        if self.state.is_here() {
            return; // another grace is running
        }
        if self.node.directory().forget_user(self.user, myself.get_id())
            && let Err(error) = myself.drain()
        {
            tracing::warn!(user = self.user.get(), %error, "the user's actor could not stop");
        }
    }

    /// Remembers that the user was here until now.
    fn touch(&self, myself: &ActorRef<Mail>) {
        let (node, user, now) = (self.node.clone(), self.user, self.node.now());
        task::tie(myself, Mail::Told, async move {
            presence::touch(&node, user, Seen { here: Some(now), login: None }).await;
            Mail::Told
        });
    }

    /// Tells those who watch. Beside the actor: who may know it is read anew each time.
    fn tell_presence(&self, myself: &ActorRef<Mail>) {
        if self.node.directory().watchers(self.user).is_empty() {
            return;
        }
        let (node, user, now) = (self.node.clone(), self.user, self.node.now());
        task::tie(myself, Mail::Told, async move {
            presence::tell(&node, user, now).await;
            Mail::Told
        });
    }

    fn command(&mut self, session: &Arc<Session>, command: Command, reply: Reply) {
        let now = self.node.now();
        let limits = Arc::clone(&self.node.world().limits);
        let admitted = match &command {
            Command::Type { conversation } if !self.state.admit_typing(*conversation, now, &limits) => {
                self.node.world().telemetry.count(Count::PresenceShed, 1);
                return reply.settle(Ok(View::Done));
            }
            Command::Post { .. }
            | Command::Edit { .. }
            | Command::Delete { .. }
            | Command::React { .. }
            | Command::Forward { .. }
            | Command::Set { .. } => self.state.admit_post(now),
            Command::CreateGroup { .. } => self.state.admit_group(now, &limits),
            Command::Relate { step: Step::Request { .. }, .. } => self.state.admit_request(now, &limits),
            Command::Invite { users, .. } => self.state.admit_invites(users.len(), now, &limits),
            Command::ChangeGroup { .. }
            | Command::SetRole { .. }
            | Command::HandOver { .. }
            | Command::Join { .. }
            | Command::Decline { .. }
            | Command::AddMembers { .. }
            | Command::RemoveMember { .. }
            | Command::Mark { .. }
            | Command::Relate { .. }
            | Command::ReadNotices { .. }
            | Command::Type { .. }
            | Command::Watch { .. } => Ok(()),
        };
        if let Err(rejected) = admitted {
            if let Rejected::TooFast { bucket, .. } = &rejected {
                self.node.world().telemetry.count(Count::RateLimited(bucket), 1);
            }
            return reply.settle(Err(rejected));
        }
        self.send_on(session, command, reply);
    }

    /// Sends a command to whom it is about.
    fn send_on(&self, session: &Arc<Session>, command: Command, reply: Reply) {
        let goal = match &command {
            Command::Watch { users } => return self.node.watch(session, users.clone(), reply),
            Command::Relate { peer, .. } => match Pair::new(self.user, *peer) {
                Ok(pair) => Goal::Conversation(ConversationId::Direct(pair)),
                Err(_) => return reply.settle(Err(Rejected::NoSuchUser)),
            },
            Command::CreateGroup { .. } => Goal::Home(home::mail::Mail::Create),
            Command::Set { .. } => Goal::Home(home::mail::Mail::Set),
            Command::ReadNotices { .. } => Goal::Home(home::mail::Mail::ReadNotices),
            Command::Post { conversation, .. }
            | Command::Edit { conversation, .. }
            | Command::Delete { conversation, .. }
            | Command::React { conversation, .. }
            | Command::Forward { conversation, .. }
            | Command::ChangeGroup { conversation, .. }
            | Command::SetRole { conversation, .. }
            | Command::HandOver { conversation, .. }
            | Command::Invite { conversation, .. }
            | Command::Join { conversation, .. }
            | Command::Decline { conversation, .. }
            | Command::AddMembers { conversation, .. }
            | Command::RemoveMember { conversation, .. }
            | Command::Mark { conversation, .. }
            | Command::Type { conversation } => Goal::Conversation(*conversation),
        };
        let (user, origin, arrived) = (self.user, Some(session.id), self.node.now());
        let request = Request { user, origin, command, arrived, permit: None, reply };
        match goal {
            Goal::Conversation(id) => self.node.directory().send_conversation(&self.node, id, request),
            Goal::Home(mail) => self.node.directory().send_home(&self.node, self.user, mail(Box::new(request))),
        }
    }
}

/// Where a command goes.
enum Goal {
    /// To a conversation.
    Conversation(ConversationId),
    /// To the user's own home.
    Home(fn(Box<Request>) -> home::mail::Mail),
}
