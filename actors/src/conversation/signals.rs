//! Watermarks and typing: gathered, stored together, then shown. The arithmetic is in [`super::marks`].

use std::sync::Arc;
use std::time::Duration;

use crate::command::{Command, MarkKind};
use crate::event::Event;
use crate::id::{ConversationId, LogId, Pos, Seq, UserId};
use crate::limits::Limit;
use crate::log::scribe::within;
use crate::policy::Deed;
use crate::rejected::Rejected;
use crate::store::{Mark, Marks, StoreError};
use crate::task;
use crate::telemetry::Count;
use crate::view::View;

use super::actor::{RETRY_AFTER, Running};
use super::announce::announce_one;
use super::mail::{Mail, Request};
use super::marks::{Flushed, Waiter};
use super::state::Conversation;

/// The most members of whom one receipt event tells.
const RECEIPTS_SHOWN: usize = 50;
/// A group's receipts are gathered longer the larger it is, up to this many times the configured time.
const RECEIPTS_STRETCH: u32 = 5;

impl Running {
    pub(super) fn mark(&mut self, request: Box<Request>) {
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
        let lost = Mail::Tick; // the request went with the task: its reply has answered
        task::tie(&self.myself, lost, async move {
            let entries = within(deadline, store.range(LogId::Conversation(id), seq, seq, 1, false)).await;
            Mail::Positioned(request, entries.map(|entries| entries.first().map_or(Pos(0), |entry| entry.pos)))
        });
    }

    pub(super) fn positioned(&mut self, request: Box<Request>, answer: Result<Pos, StoreError>) {
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
        let (store, id, deadline) = (Arc::clone(&self.node.world().store), self.id, self.node.world().limits.time(Limit::StoreDeadline));
        let lost = Mail::Raised(Flushed::default(), Err(StoreError::Unknown("the call was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let answer = within(deadline, store.raise(id, marks)).await;
            Mail::Raised(flushed, answer)
        });
    }

    /// Stored: answer, then show. Marks that arrived meanwhile are the next flush.
    pub(super) fn raised(&mut self, flushed: Flushed, answer: Result<Vec<Marks>, StoreError>) {
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

    pub(super) fn answer_marks(&self, user: UserId, marks: &Marks, waiters: Vec<Waiter>) {
        let unread = self.unread(marks);
        let read_by = waiters.iter().find(|waiter| waiter.kind == MarkKind::Read).map(|waiter| waiter.origin);
        for waiter in waiters {
            waiter.reply.settle(Ok(View::Marked { seq: of_kind(marks, waiter.kind), unread }));
        }
        if let Some(origin) = read_by {
            let event = Event::Unread { conversation: self.id, read: marks.read.seq, unread, count: self.scribe.head().count, total: None };
            announce_one(&self.node, &[user], event, user, origin);
        }
    }

    pub(super) fn show_receipts(&self, mut marks: Vec<(UserId, Marks)>) {
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

    pub(super) fn unread(&self, marks: &Marks) -> u64 {
        self.scribe.head().count.0.saturating_sub(marks.badge.0)
    }

    pub(super) fn typing(&mut self, request: Box<Request>) {
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
}

fn of_kind(marks: &Marks, kind: MarkKind) -> Seq {
    match kind {
        MarkKind::Delivered => marks.delivered.seq,
        MarkKind::Read => marks.read.seq,
    }
}
