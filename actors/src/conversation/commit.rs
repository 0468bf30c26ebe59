//! After the append: acknowledge, take in, announce; in this order, and the audience changes exactly at its entry.

use std::sync::Arc;

use crate::entry::{Act, Batch, Entry, Topic};
use crate::event::{Event, Scene};
use crate::home;
use crate::id::{ConversationId, Seq, SessionId, UserId};
use crate::limits::Limit;
use crate::log::scribe::Draft;
use crate::telemetry::{Count, Measure};
use crate::view::{Appended, View};

use super::actor::{Busy, Running};
use super::announce::{Held, announce};

impl Running {
    pub(super) fn committed(&mut self, batch: &Batch, drafts: Vec<Draft>) {
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
    pub(super) fn take_in(&mut self, entry: &Arc<Entry>, batch: &Batch, origin: Option<SessionId>) {
        // A batch of ours that had landed before the log was loaded anew is in the state, and what came after it too.
        let is_news = entry.seq > self.loaded_at;
        let incarnation = batch.after.incarnation;
        let answered = self.state.as_ref().map(|state| state.answered(&entry.act)).unwrap_or_default();
        if is_news && self.is_told_later(entry) {
            self.announce_all();
            self.tell_later(entry, incarnation, origin);
            return self.settle_notes(entry, &answered);
        }
        self.tell_members();
        let scene = self.scene(entry.author);
        let event = Event::Entry { conversation: self.id, incarnation, entry: Arc::clone(entry), scene };
        let held = Held::new(event, entry.author, origin);
        let Some(state) = &mut self.state else { return };
        match &entry.act {
            Act::Message(_) if is_news => {
                self.marks.wrote(entry.author, entry.pos);
                state.commit(entry);
                self.held.push(held);
            }
            Act::Left { .. } if is_news => {
                // The one who goes hears of it, and of nothing after it.
                self.held.push(held);
                announce(&self.node, state.audience(), &mut self.held);
                state.commit(entry);
            }
            Act::Created { .. } | Act::Joined { .. } if is_news => {
                // Those who come hear of it, and of nothing before it.
                announce(&self.node, state.audience(), &mut self.held);
                state.commit(entry);
                self.held.push(held);
            }
            Act::Edited { .. } | Act::Deleted { .. } | Act::Reacted { .. } | Act::Erased(_) if is_news => {
                state.commit(entry);
                self.held.push(held);
            }
            Act::Changed(_) | Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Invited { .. } | Act::Declined { .. } if is_news => {
                state.commit(entry);
                self.held.push(held);
            }
            Act::Message(_) | Act::Left { .. } | Act::Created { .. } | Act::Joined { .. } | Act::Edited { .. } => self.held.push(held),
            Act::Deleted { .. } | Act::Reacted { .. } | Act::Erased(_) | Act::Changed(_) | Act::RoleSet { .. } => self.held.push(held),
            Act::HandedOver { .. } | Act::Invited { .. } | Act::Declined { .. } => self.held.push(held),
            Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } => {}
            Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => {}
        }
        self.settle_notes(entry, &answered);
    }

    /// What doors show beside an entry of this author.
    fn scene(&self, author: UserId) -> Option<Arc<Scene>> {
        let view = |user| self.cards.get(&user).and_then(|card| card.view());
        match self.state.as_ref()?.direct() {
            Some(direct) => {
                let (low, high) = (view(direct.pair.low())?, view(direct.pair.high())?);
                Some(Arc::new(Scene::Direct { number: direct.number, bond: direct.bond.row, low, high }))
            }
            None => Some(Arc::new(Scene::Group { author: view(author)? })),
        }
    }

    /// What an entry settles in users' own logs. If that is lost, readers still ask the group, and notices expire.
    fn settle_notes(&self, entry: &Entry, answered: &[UserId]) {
        if let Act::Left { member } = &entry.act {
            self.vanish(*member, entry.seq);
        }
        if let ConversationId::Group(group) = self.id {
            for user in answered {
                let note = home::mail::Note::withdrawn(Topic::GroupInvitation { group }, entry.seq.get());
                self.node.directory().send_home(&self.node, *user, home::mail::Mail::Note(note, None));
            }
        }
    }

    /// Announces what is held, whatever else is on its way.
    pub(super) fn announce_all(&mut self) {
        if let Some(state) = &self.state {
            announce(&self.node, state.audience(), &mut self.held);
        }
    }

    /// The end of a membership stands in the user's own log as well; if this is lost, readers still ask the group.
    pub(super) fn vanish(&self, user: UserId, seq: Seq) {
        let note = home::mail::Note::vanished(self.id, seq);
        self.node.directory().send_home(&self.node, user, home::mail::Mail::Note(note, None));
    }

    /// Announces what is held, unless the audience is large and another batch is already on its way: then they leave
    /// together (messages that come together cost one write a session).
    pub(super) fn announce_held(&mut self) {
        let Some(state) = &self.state else { return };
        let limits = &self.node.world().limits;
        let large = state.audience().len() > limits.count(Limit::CoalesceAudience);
        let room = self.held.len() < limits.count(Limit::OutboundFrames) / 4;
        if large && room && self.scribe.is_in_flight() {
            return;
        }
        announce(&self.node, state.audience(), &mut self.held);
    }
}
