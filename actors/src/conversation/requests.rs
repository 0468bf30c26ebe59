//! What is asked of a conversation's log: known by its key or judged, readied by an errand, offered to the log.

use std::sync::Arc;

use crate::account::Standing;
use crate::command::Command;
use crate::content::{ClientKey, Content};
use crate::entry::{Act, Digest, Entry, GroupChange};
use crate::id::{Seq, UserId};
use crate::limits::Limit;
use crate::log::keys::{Known, Stored};
use crate::log::scribe::{self, Draft};
use crate::policy::Deed;
use crate::rejected::Rejected;
use crate::task;
use crate::telemetry::Count;
use crate::view::{Appended, View};

use super::actor::{Busy, Preparing, RETRY_AFTER, Running};
use super::errand::{self, Done, Errand, Post, Ready, Source, forwarding};
use super::groups::{asked, carrying};
use super::mail::{Mail, Request};

/// What a change of members or of a message needs.
enum Proposal {
    /// It may be stored as it is.
    Append(Act),
    /// This, before it is stored or can be judged.
    After(Errand, Act),
}

impl Running {
    pub(super) fn post(&mut self, request: Box<Request>) {
        let Command::Post { client_key, content, media, .. } = &request.command else { return };
        let (user, key, head, content) = (request.user, client_key.clone(), *self.scribe.head(), carrying(content, media));
        let known = self.scribe.keys().look_up(user, &key);
        if matches!(known, Known::Reserved(_) | Known::Stored(_)) {
            // Before any rule: what was stored once is answered, also when the poster is no member any more.
            let digest = Digest::of(&Act::Message(content));
            return self.repeated(request, &key, digest, known);
        }
        let limits = Arc::clone(&self.node.world().limits);
        let proposed = self.state().propose_post(user, &content, &head, request.arrived, &limits);
        if let Err(rejected) = proposed.and_then(|()| self.has_reader(user)) {
            return request.reply.settle(Err(rejected));
        }
        if known == Known::Unsure {
            self.backlog.push_front(request);
            return self.load_keys();
        }
        let act = Act::Message(content);
        match self.goes_with(&request) {
            Some(post) => self.send_out(request, Some(act), Errand::Post(post)),
            None => self.offer_post(request, act, key),
        }
    }

    /// A direct message needs somebody who could read it: an account that is gone never will.
    fn has_reader(&self, user: UserId) -> Result<(), Rejected> {
        let peer = self.state.as_ref().and_then(|state| state.direct()).and_then(|direct| direct.pair.other(user));
        let standing = peer.and_then(|peer| self.cards.get(&peer)).and_then(|card| card.view()).map(|view| view.standing);
        if standing == Some(Standing::Deleted) { Err(Rejected::NoSuchUser) } else { Ok(()) }
    }

    /// What must be readied before a message of this user is stored; mostly nothing.
    fn goes_with(&self, request: &Request) -> Option<Post> {
        let (media, answers) =
            if let Command::Post { media, content, .. } = &request.command { (media.clone(), content.reply_to) } else { (vec![], None) };
        let post = Post {
            author: request.user,
            introduce: !self.introduced,
            number: self.state.as_ref().and_then(|state| state.direct()).is_some_and(|direct| direct.number.is_none()),
            card: !self.cards.contains_key(&request.user),
            media,
            answers,
        };
        (post.introduce || post.number || post.card || !post.media.is_empty() || post.answers.is_some()).then_some(post)
    }

    fn offer_post(&mut self, request: Box<Request>, act: Act, key: ClientKey) {
        match self.admit(&request) {
            Ok(()) => self.offer(request, act, key),
            Err(rejected) => request.reply.settle(Err(rejected)),
        }
    }

    /// Takes the conversation's share for one message.
    fn admit(&mut self, request: &Request) -> Result<(), Rejected> {
        let admitted = self.state().admit_post(request.arrived);
        if admitted.is_err() {
            self.node.world().telemetry.count(Count::RateLimited("posts_conversation"), 1);
        }
        admitted
    }

    pub(super) fn forward(&mut self, request: Box<Request>) {
        let Command::Forward { client_key, from, target, .. } = &request.command else { return };
        if self.scribe.keys().look_up(request.user, client_key) == Known::Unsure {
            self.backlog.push_front(request);
            return self.load_keys();
        }
        let known = self.scribe.keys().look_up(request.user, client_key);
        if known == Known::New
            && let Err(rejected) = self.state.as_ref().map_or(Ok(()), |state| state.may(request.user, Deed::Post, request.arrived))
        {
            return request.reply.settle(Err(rejected));
        }
        // What was stored once is known by where it came from, which must be looked up.
        let post = if known == Known::New { self.goes_with(&request) } else { None };
        let post = post.unwrap_or_else(|| Post::of(request.user));
        let errand = Errand::Forward(*from, *target, post);
        self.send_out(request, None, errand);
    }

    fn forwarded(&mut self, request: Box<Request>, source: Source, ready: Ready) {
        let Some(key) = request.command.client_key().cloned() else { return };
        let known = self.scribe.keys().look_up(request.user, &key);
        if known == Known::Unsure {
            return self.backlog.push_front(request);
        }
        if known != Known::New {
            return self.repeated(request, &key, Digest::of(&forwarding(source.forwarded)), known);
        }
        let (head, limits) = (*self.scribe.head(), Arc::clone(&self.node.world().limits));
        let judged = source.content.and_then(|content| {
            self.state().propose_post(request.user, &content, &head, request.arrived, &limits)?;
            self.has_reader(request.user)?;
            Ok(content)
        });
        match judged {
            Ok(content) => {
                self.take_ready(&request, ready);
                self.offer_post(request, Act::Message(content), key);
            }
            Err(rejected) => request.reply.settle(Err(rejected)),
        }
    }

    fn take_ready(&mut self, request: &Request, ready: Ready) {
        self.introduced = true;
        if let Some(number) = ready.number {
            self.state().number(number);
        }
        if let Some(card) = ready.card {
            self.cards.insert(request.user, card);
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
        let Request { user, origin, arrived, permit, reply, command } = *request;
        let command = (!matches!(command, Command::Post { .. })).then(|| Box::new(command));
        let waiter = scribe::Waiter { origin, replies: vec![reply], permit, command };
        self.scribe.offer(Draft { author: user, client_key, act, arrived, waiter });
    }

    /// A change of members or of a message: alone in its batch, after everything before it, before everything after it.
    pub(super) fn change(&mut self, request: Box<Request>) {
        let (Some(key), Some(act)) = (request.command.client_key().cloned(), asked(request.user, &request.command)) else {
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
        match self.propose(&request, act) {
            Err(rejected) => request.reply.settle(Err(rejected)),
            Ok(Proposal::After(errand, act)) => self.send_out(request, Some(act), errand),
            Ok(Proposal::Append(act)) => {
                self.busy = Busy::Changing;
                self.offer(request, act, key);
            }
        }
    }

    fn propose(&mut self, request: &Request, act: Act) -> Result<Proposal, Rejected> {
        let limits = Arc::clone(&self.node.world().limits);
        let (user, now, tail) = (request.user, request.arrived, self.scribe.head().tail);
        let state = self.state();
        match &request.command {
            // Judged before the message is read as well, so that a stranger learns nothing, and costs nothing.
            Command::Edit { target, .. } => {
                state.may(user, Deed::Edit { own: true }, now)?;
                reading(*target, tail, Errand::Read(user, *target, false), act)
            }
            Command::React { target, .. } => {
                state.may(user, Deed::React, now)?;
                reading(*target, tail, Errand::React(user, *target), act)
            }
            Command::Delete { target, .. } => {
                state.may(user, Deed::Delete { own: true, author: state.role(user) }, now)?;
                reading(*target, tail, Errand::Read(user, *target, true), act)
            }
            Command::CreateGroup { name, members, open, .. } => {
                let act = state.propose_creation(user, name, members, *open, &limits)?;
                let Act::Created { members, .. } = &act else { return Err(Rejected::Internal) };
                Ok(Proposal::After(Errand::Add(user, members.clone()), act))
            }
            Command::AddMembers { members, .. } => {
                let act = state.propose_addition(user, members, now, &limits)?;
                Ok(Proposal::After(Errand::Add(user, state.fresh(members)), act))
            }
            Command::RemoveMember { member, .. } => state.propose_removal(user, *member, now).map(Proposal::Append),
            Command::ChangeGroup { .. } => {
                let Act::Changed(change) = &act else { return Err(Rejected::Internal) };
                match (state.propose_change(user, change, now)?, change.picture) {
                    (act, Some(Some(picture))) => Ok(Proposal::After(Errand::Picture(user, picture.id), act)),
                    (act, Some(None) | None) => Ok(Proposal::Append(act)),
                }
            }
            Command::SetRole { member, role, .. } => state.propose_role(user, *member, *role, now).map(Proposal::Append),
            Command::HandOver { to, .. } => state.propose_hand_over(user, *to, now).map(Proposal::Append),
            Command::Invite { users, .. } => {
                let act = state.propose_invitation(user, users, now, &limits)?;
                let Act::Invited { expires_at, .. } = &act else { return Err(Rejected::Internal) };
                Ok(Proposal::After(Errand::Invite(user, state.fresh(users), *expires_at), act))
            }
            Command::Join { .. } => match state.propose_joining(user, now, &limits)? {
                Ok(act) => Ok(Proposal::After(Errand::Join(user), act)),
                Err(since) => Ok(Proposal::After(Errand::Find(since), act)),
            },
            Command::Decline { user: of, .. } => state.propose_declining(user, *of, now).map(Proposal::Append),
            Command::Post { .. } | Command::Forward { .. } | Command::Mark { .. } | Command::Type { .. } => Err(Rejected::Internal),
            Command::Relate { .. } | Command::Set { .. } | Command::ReadNotices { .. } | Command::Watch { .. } => Err(Rejected::Internal),
        }
    }

    /// Runs an errand for a request; nothing else is judged until it is back.
    pub(super) fn send_out(&mut self, request: Box<Request>, act: Option<Act>, errand: Errand) {
        self.busy = Busy::Preparing;
        self.preparing = Some(Preparing { request, act, loads: self.loads });
        let (node, id, tail) = (self.node.clone(), self.id, self.scribe.head().tail);
        let is_relation = matches!(errand, Errand::Relate(_));
        // A bond may have been written by an errand that was lost; everything else is harmless.
        let lost = if is_relation { Rejected::Unknown } else { Rejected::Unavailable { after: RETRY_AFTER } };
        let late = lost.clone();
        task::tie(&self.myself, Mail::Prepared(Err(lost)), async move {
            // Each call has its own deadline; all of them together have that of a post.
            let deadline = node.world().limits.time(Limit::UnknownRetry);
            let done = tokio::time::timeout(deadline, errand::run(&node, id, tail, errand)).await;
            Mail::Prepared(done.unwrap_or(Err(late)))
        });
    }

    pub(super) fn prepared(&mut self, answer: Result<Done, Rejected>) {
        self.unblock(Busy::Preparing);
        let Some(Preparing { request, act, loads }) = self.preparing.take() else { return };
        let done = match answer {
            Ok(done) => done,
            Err(rejected) => {
                if rejected == Rejected::Unknown {
                    self.bond_is_unsure = true;
                }
                return request.reply.settle(Err(rejected));
            }
        };
        if loads != self.loads || self.state.is_none() || !self.scribe.is_loaded() {
            if let Done::Related(related) = done {
                // It is stored, and what was loaded since may be older.
                self.bond_is_unsure = true;
                return request.reply.settle(related.answer.and(Err(Rejected::Unknown)));
            }
            // Another owner may have written since it was judged.
            return self.backlog.push_front(request);
        }
        let key = request.command.client_key().cloned();
        match (done, act, key) {
            (Done::Post(ready), Some(Act::Message(content)), Some(key)) => {
                let content = Content { attachments: ready.attachments.clone(), ..content };
                self.take_ready(&request, ready);
                self.offer_post(request, Act::Message(content), key);
            }
            (Done::Picture(picture), Some(Act::Changed(change)), Some(key)) => {
                self.busy = Busy::Changing;
                self.offer(request, Act::Changed(GroupChange { picture: Some(Some(picture)), ..change }), key);
            }
            (Done::Forward(source, ready), _, _) => self.forwarded(request, *source, ready),
            (Done::Known, Some(act), Some(key)) => {
                self.busy = Busy::Changing;
                self.offer(request, act, key);
            }
            (Done::Read(target), Some(act), Some(key)) => {
                let limits = Arc::clone(&self.node.world().limits);
                let judged = self.state().propose_amendment(request.user, &act, &target, request.arrived, &limits);
                if judged.is_ok() && target.stands(&act) {
                    let Entry { seq, pos, id, at, .. } = *target.entry;
                    let message = Appended { conversation: self.id, seq, pos, id, at, duplicate: true };
                    return request.reply.settle(Ok(View::Appended(message)));
                }
                if let Err(rejected) = judged.and_then(|()| self.admit(&request)) {
                    return request.reply.settle(Err(rejected));
                }
                self.state().amend(*target);
                self.busy = Busy::Changing;
                self.offer(request, act, key);
            }
            (Done::Found(appended), _, _) => request.reply.settle(Ok(View::Appended(appended))),
            (Done::Bond(bond), _, _) => {
                self.bond_is_unsure = false;
                self.state().bind(bond);
                self.backlog.push_front(request);
            }
            (Done::Related(related), _, _) => self.related(request, *related),
            (Done::Post(_) | Done::Picture(_) | Done::Known | Done::Read(_), _, _) => request.reply.settle(Err(Rejected::Internal)),
        }
    }
}

/// A message must be read before a change of it can be judged.
fn reading(target: Seq, tail: Seq, errand: Errand, act: Act) -> Result<Proposal, Rejected> {
    if target == Seq::ZERO || target > tail {
        return Err(Rejected::NoSuchEntry { seq: target });
    }
    Ok(Proposal::After(errand, act))
}
