//! Watermarks and typing: gathered, stored together, then shown. The arithmetic is in [`super::marks`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::command::{Command, MarkKind};
use crate::event::Event;
use crate::id::{ConversationId, LogId, Pos, Seq, UserId};
use crate::limits::Limit;
use crate::log::scribe::within;
use crate::node::Node;
use crate::policy::Deed;
use crate::rejected::Rejected;
use crate::relation;
use crate::store::{Mark, Marks, StoreError};
use crate::task;
use crate::telemetry::Count;
use crate::totals::{self, HasRead};
use crate::view::View;

use super::actor::{RETRY_AFTER, Running};
use super::announce::announce_one;
use super::mail::{Mail, Request};
use super::marks::{Flushed, Waiter, private};
use super::state::Conversation;

/// The most members of whom one receipt event tells.
const RECEIPTS_SHOWN: usize = 50;
/// A group's receipts are gathered longer the larger it is, up to this many times the configured time.
const RECEIPTS_STRETCH: u32 = 5;

impl Running {
    pub(super) fn mark(&mut self, request: Box<Request>) {
        let Command::Mark { seq, .. } = request.command else { return };
        if let Err(rejected) = self.state().may(request.user, Deed::Mark, request.arrived) {
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
        let lost = Mail::Tick; // the request went with the task: its reply has answered
        task::tie(&self.myself, lost, async move {
            let entries = within(deadline, store.range(LogId::Conversation(id), seq, seq, 1, false)).await;
            Mail::Positioned(request, entries.map(|entries| entries.first().map_or(Pos(0), |entry| entry.pos)))
        });
    }

    pub(super) fn positioned(&mut self, request: Box<Request>, answer: Result<Pos, StoreError>) {
        let Command::Mark { mark, seq, private, .. } = request.command else { return };
        let Ok(pos) = answer else { return request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER })) };
        let Request { user, origin, reply, .. } = *request;
        if let Some(stored) = self.marks.stored(user) {
            let stands = of_kind(&stored, mark);
            if stands >= seq {
                return reply.settle(Ok(View::Marked { seq: stands, unread: self.unread(&stored) }));
            }
        }
        self.marks.raise(user, Mark { seq, pos, at: self.node.now() }, private, Waiter { kind: mark, seq, origin, reply });
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

    pub(super) fn receipts_interval(&self) -> Duration {
        let limits = &self.node.world().limits;
        match (self.id, &self.state) {
            (ConversationId::Direct(_), _) | (ConversationId::Group(_), None) => limits.time(Limit::ReceiptsDirect),
            (ConversationId::Group(_), Some(state)) => {
                let stretch = u32::try_from(state.audience().len() / 500).unwrap_or(RECEIPTS_STRETCH);
                limits.time(Limit::ReceiptsGroup) * (1 + stretch).min(RECEIPTS_STRETCH)
            }
        }
    }

    pub(super) fn flush_marks(&mut self) {
        if self.marks.is_clean() {
            self.marks.pending = false;
            return;
        }
        let (marks, flushed) = self.marks.take();
        let telemetry = &self.node.world().telemetry;
        telemetry.count(Count::WatermarkWrites, 1);
        telemetry.count(Count::WatermarksRaised, marks.len() as u64);
        let (node, id) = (self.node.clone(), self.id);
        let lost = Mail::Raised(Flushed::default(), Err(StoreError::Unknown("the call was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let deadline = node.world().limits.time(Limit::StoreDeadline);
            let answer = within(deadline, raise(&node, id, marks)).await;
            Mail::Raised(flushed, answer)
        });
    }

    /// Stored: answer, then show. Marks that arrived meanwhile are the next flush.
    pub(super) fn raised(&mut self, flushed: Flushed, answer: Result<Vec<(Marks, bool)>, StoreError>) {
        let mut shown = Vec::new();
        match answer {
            Err(_) => {
                for waiter in flushed.0.into_iter().flat_map(|(_, waiters)| waiters) {
                    waiter.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER }));
                }
            }
            Ok(stored) => {
                for ((user, waiters), (marks, may_be_shown)) in flushed.0.into_iter().zip(stored) {
                    if self.marks.store(user, marks) && may_be_shown {
                        shown.push((user, marks));
                    }
                    self.answer_marks(user, &marks, waiters);
                }
            }
        }
        self.show_receipts(shown);
        self.flush_marks();
    }

    pub(super) fn answer_marks(&self, user: UserId, marks: &Marks, waiters: Vec<Waiter>) {
        let unread = self.unread(marks);
        let reads = waiters.iter().filter(|waiter| waiter.kind == MarkKind::Read);
        let read_by = reads.max_by_key(|waiter| waiter.seq).map(|waiter| (waiter.origin, waiter.seq));
        for waiter in waiters {
            // A mark that is kept private stands where its owner put it, as far as he is told.
            let seq = of_kind(marks, waiter.kind).max(waiter.seq);
            waiter.reply.settle(Ok(View::Marked { seq, unread }));
        }
        if let Some((origin, seq)) = read_by {
            let (read, count) = (marks.read.seq.max(seq), self.scribe.head().count);
            totals::tell(&self.node, user, HasRead { conversation: self.id, read, unread, count, origin });
        }
    }

    pub(super) fn show_receipts(&self, mut marks: Vec<(UserId, Marks)>) {
        let Some(state) = &self.state else { return };
        // Across a block nothing is shown.
        if marks.is_empty() || !self.is_activity_shown() {
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

    pub(super) fn unread(&self, marks: &Marks) -> u64 {
        let head = self.scribe.head();
        self.state.as_ref().map_or(head.count.0.saturating_sub(marks.badge.0), |state| state.unread(head, marks))
    }

    /// Whether the two of a direct conversation are shown what the other does right now.
    fn is_activity_shown(&self) -> bool {
        self.state.as_ref().and_then(|state| state.direct()).is_none_or(|direct| relation::may_see_activity(&direct.bond.row))
    }

    pub(super) fn typing(&mut self, request: Box<Request>) {
        match self.state().may(request.user, Deed::Type, request.arrived) {
            Ok(()) => {}
            // Typing is a hint: who may not be told is not told, and nobody hears why.
            Err(Rejected::Blocked { .. }) => return request.reply.settle(Ok(View::Done)),
            Err(rejected) => return request.reply.settle(Err(rejected)),
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
}

/// Raises marks in the store; those of users who keep theirs private move the own badge alone. Answers what stands, and
/// whether others may see that it moved.
async fn raise(node: &Node, id: ConversationId, mut marks: Vec<(UserId, Marks)>) -> Result<Vec<(Marks, bool)>, StoreError> {
    let (store, cards) = (&node.world().store, node.cards());
    let public = |marks: &Marks| marks.read.seq > Seq::ZERO || marks.delivered.seq > Seq::ZERO;
    let unsure: Vec<_> =
        marks.iter().filter(|(user, raised)| public(raised) && cards.privacy(*user).is_none()).map(|(user, _)| *user).collect();
    let accounts = if unsure.is_empty() { vec![] } else { store.accounts(&unsure).await? };
    let read: BTreeMap<_, _> = accounts.into_iter().flatten().map(|account| (account.id, account.privacy.receipts)).collect();
    for (user, raised) in &mut marks {
        let shows = cards.privacy(*user).map(|privacy| privacy.receipts).or_else(|| read.get(user).copied());
        if !shows.unwrap_or(true) {
            *raised = private(raised);
        }
    }
    let shown: Vec<_> = marks.iter().map(|(_, raised)| public(raised)).collect();
    Ok(store.raise(id, marks).await?.into_iter().zip(shown).collect())
}

fn of_kind(marks: &Marks, kind: MarkKind) -> Seq {
    match kind {
        MarkKind::Delivered => marks.delivered.seq,
        MarkKind::Read => marks.read.seq,
    }
}
