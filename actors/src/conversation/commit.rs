//! After the append: acknowledge, take in, announce; in this order, and the audience changes exactly at its entry.

use std::sync::Arc;

use crate::entry::{Act, Batch, Entry};
use crate::event::Event;
use crate::home;
use crate::id::{Seq, SessionId, UserId};
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
        let event = Event::Entry { conversation: self.id, incarnation: batch.after.incarnation, entry: Arc::clone(entry), scene: None };
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
            _ if !is_news => {
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
            _ => {
                // Those who come hear of it, and of nothing before it.
                announce(&self.node, state.audience(), &mut self.held);
                state.commit(entry);
                self.held.push(held);
            }
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
