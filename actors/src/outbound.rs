//! The outbound queue of one connection: bounded in frames and bytes, never in the way of who announces.
//!
//! At half its size ephemeral events are shed; at its size receipts are shed and messages become one gap mark for
//! their conversation, which the client fills from the log (P33, P44). Replies are not counted here: they are bounded
//! by the connection's requests in flight, whose permits they carry. An idle queue holds no memory beyond itself.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::event::{Announcement, Class, Event};
use crate::id::{LogId, Seq};
use crate::rejected::Rejected;
use crate::session::InFlight;
use crate::view::View;

/// Why a connection is ended by the server, and so what the client should do (the code ranges of the native protocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The node is going away: come back after this time.
    Drain {
        /// This client's own moment.
        after: Duration,
    },
    /// No frame came for two and a half heartbeats.
    Heartbeat,
    /// The client does not read.
    Slow,
    /// The node has no room.
    Overloaded,
    /// A mistake of ours.
    Internal,
    /// The access token has ended: refresh it.
    TokenExpired,
    /// Nobody authenticated in time.
    AuthTimeout,
    /// Requests went on after the refusals.
    RateLimited,
    /// A frame that cannot be understood, again and again.
    BadFrame,
    /// The token proves nothing.
    InvalidToken,
    /// The login was ended.
    Revoked,
    /// The account is disabled.
    Disabled,
    /// The user has too many sessions.
    TooManySessions,
}

/// One thing to write.
#[derive(Debug)]
pub enum Outbound {
    /// An event.
    Announcement(Arc<Announcement>),
    /// The answer to a request of this connection.
    Reply {
        /// The request's number; `None` if no answer is wanted.
        request: Option<u32>,
        /// The answer.
        answer: Result<View, Rejected>,
        /// Comes back when the reply has been written.
        permit: InFlight,
    },
}

/// Everything that was waiting.
#[derive(Debug, Default)]
pub struct Taken {
    /// In the order to be written.
    pub items: VecDeque<Outbound>,
    /// Written after the items: seqs from, to that were left out of a log.
    pub gaps: Vec<(LogId, Seq, Seq)>,
    /// Whether a heartbeat is due.
    pub beat: bool,
    /// Whether, and why, the connection is to be ended after these.
    pub close: Option<CloseReason>,
}

/// What became of an announcement that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is queued.
    Queued,
    /// It became part of a gap mark.
    Gap,
    /// It was given up.
    Shed(Class),
    /// The connection has ended.
    Closed,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Outbound>,
    announcements: usize,
    bytes: usize,
    #[expect(clippy::box_collection, reason = "a queue without gaps, as nearly all are, pays eight bytes for them")]
    gaps: Option<Box<BTreeMap<LogId, (Seq, Seq)>>>,
    beat: bool,
    close: Option<CloseReason>,
    closed: bool,
    waker: Option<Waker>,
}

/// The queue. Whoever announces pushes; the socket's task alone takes.
#[derive(Debug)]
pub struct OutboundQueue {
    frames_max: usize,
    bytes_max: usize,
    waiting: Mutex<Waiting>,
}

impl OutboundQueue {
    /// A queue of at most so many announcements and bytes.
    pub fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self { frames_max, bytes_max, waiting: Mutex::new(Waiting::default()) }
    }

    /// Nothing in here can panic while it is locked, so a poisoned lock is still whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an announcement, or gives it up as its class allows.
    pub fn push(&self, announcement: &Arc<Announcement>) -> Pushed {
        let mut waiting = self.lock();
        let pushed = self.place(&mut waiting, announcement);
        wake(waiting);
        pushed
    }

    /// Queues several announcements and wakes the connection once.
    pub fn push_all(&self, announcements: &[Arc<Announcement>], mut outcome: impl FnMut(Pushed)) {
        let mut waiting = self.lock();
        for announcement in announcements {
            outcome(self.place(&mut waiting, announcement));
        }
        wake(waiting);
    }

    fn place(&self, waiting: &mut Waiting, announcement: &Arc<Announcement>) -> Pushed {
        if waiting.closed {
            return Pushed::Closed;
        }
        let class = announcement.event().class();
        let full = waiting.announcements >= self.frames_max || waiting.bytes + announcement.weight() > self.bytes_max;
        let half = waiting.announcements >= self.frames_max / 2 || waiting.bytes > self.bytes_max / 2;
        match class {
            Class::Ephemeral if half => return Pushed::Shed(class),
            Class::Annotation if full => return Pushed::Shed(class),
            Class::Message => {
                if let Some((log, seq)) = position(announcement.event())
                    && waiting.in_gap(log, seq, full)
                {
                    return Pushed::Gap;
                }
            }
            Class::Annotation | Class::Ephemeral => {}
        }
        waiting.announcements += 1;
        waiting.bytes += announcement.weight();
        waiting.items.push_back(Outbound::Announcement(Arc::clone(announcement)));
        Pushed::Queued
    }

    /// Queues the answer to a request.
    pub fn reply(&self, request: Option<u32>, answer: Result<View, Rejected>, permit: InFlight) {
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.items.push_back(Outbound::Reply { request, answer, permit });
            wake(waiting);
        }
    }

    /// Asks for a heartbeat.
    pub fn beat(&self) {
        let mut waiting = self.lock();
        waiting.beat = true;
        wake(waiting);
    }

    /// Asks the connection to end; the first reason counts.
    pub fn close(&self, reason: CloseReason) {
        let mut waiting = self.lock();
        waiting.close.get_or_insert(reason);
        wake(waiting);
    }

    /// Wakes the connection, so that it looks at its permits again.
    pub fn nudge(&self) {
        wake(self.lock());
    }

    /// Takes everything that waits. A reason to close is handed out again at every call.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Taken> {
        let mut waiting = self.lock();
        if waiting.items.is_empty() && waiting.gaps.is_none() && !waiting.beat && waiting.close.is_none() {
            match &mut waiting.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        waiting.announcements = 0;
        waiting.bytes = 0;
        Poll::Ready(Taken {
            items: mem::take(&mut waiting.items),
            gaps: waiting.gaps.take().map_or_else(Vec::new, |gaps| gaps.into_iter().map(|(log, (from, to))| (log, from, to)).collect()),
            beat: mem::take(&mut waiting.beat),
            close: waiting.close,
        })
    }

    /// Ends the queue: what waits is dropped, and nothing is taken in any more.
    pub fn end(&self) {
        let left = {
            let mut waiting = self.lock();
            mem::replace(&mut *waiting, Waiting { closed: true, ..Waiting::default() })
        };
        drop(left); // outside the lock: a dropped reply gives back its permit, which nudges this queue
    }

    /// How many announcements wait.
    pub fn depth(&self) -> usize {
        self.lock().announcements
    }
}

impl Waiting {
    /// Whether the entry at `seq` belongs to a gap: one that is open for its log, or one that begins because the queue is full.
    fn in_gap(&mut self, log: LogId, seq: Seq, full: bool) -> bool {
        if let Some(gap) = self.gaps.as_mut().and_then(|gaps| gaps.get_mut(&log)) {
            gap.1 = gap.1.max(seq);
            return true;
        }
        if full {
            self.gaps.get_or_insert_default().insert(log, (seq, seq));
        }
        full
    }
}

fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let waker = waiting.waker.take();
    drop(waiting);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The log and seq of an event that stands in a log.
fn position(event: &Event) -> Option<(LogId, Seq)> {
    match event {
        Event::Entry { conversation, entry, .. } => Some((LogId::Conversation(*conversation), entry.seq)),
        Event::Own { entry, .. } => Some((LogId::User(entry.author), entry.seq)),
        Event::Members { conversation, to, .. } => Some((LogId::Conversation(*conversation), *to)),
        Event::Bond { .. } | Event::Receipts { .. } | Event::Unread { .. } | Event::Typing { .. } | Event::Presence { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{ClientKey, Content};
    use crate::entry::{Act, Entry};
    use crate::id::{ConversationId, Incarnation, MessageId, Pair, Pos, UserId};
    use crate::time::Timestamp;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    fn conversation() -> ConversationId {
        ConversationId::Direct(Pair::new(user(1), user(2)).expect("two users"))
    }

    fn message(seq: u64) -> Arc<Announcement> {
        let entry = Entry {
            seq: Seq::new(seq).expect("valid"),
            pos: Pos(seq),
            id: MessageId::new(4_096 + seq).expect("valid"),
            author: user(1),
            client_key: ClientKey::new("k").expect("valid"),
            at: Timestamp(0),
            act: Act::Message(Content { text: "x".into(), ..Content::default() }),
        };
        Announcement::new(Event::Entry { conversation: conversation(), incarnation: Incarnation(1), entry: Arc::new(entry), scene: None })
    }

    fn take(queue: &OutboundQueue) -> Taken {
        match queue.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => taken,
            Poll::Pending => Taken::default(),
        }
    }

    #[test]
    fn what_does_not_fit_becomes_one_gap_and_later_messages_extend_it() {
        let queue = OutboundQueue::new(4, 1 << 20);
        let pushed: Vec<_> = (1..=7).map(|seq| queue.push(&message(seq))).collect();
        assert_eq!(pushed[..4], [Pushed::Queued; 4]);
        assert_eq!(pushed[4..], [Pushed::Gap; 3]);
        let taken = take(&queue);
        assert_eq!(taken.items.len(), 4);
        assert_eq!(taken.gaps, [(LogId::Conversation(conversation()), Seq::new(5).expect("valid"), Seq::new(7).expect("valid"))]);
        assert_eq!(queue.push(&message(8)), Pushed::Queued, "after the gap was told the queue goes on");
    }

    #[test]
    fn ephemeral_events_are_shed_at_half() {
        let queue = OutboundQueue::new(4, 1 << 20);
        let typing = Announcement::new(Event::Typing { conversation: conversation(), user: user(1) });
        assert_eq!(queue.push(&typing), Pushed::Queued);
        assert_eq!(queue.push(&message(1)), Pushed::Queued);
        assert_eq!(queue.push(&typing), Pushed::Shed(Class::Ephemeral));
        assert_eq!(queue.depth(), 2);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let queue = OutboundQueue::new(1_000, 400);
        let outcomes: Vec<_> = (1..=4).map(|seq| queue.push(&message(seq))).collect();
        assert_eq!(outcomes, [Pushed::Queued, Pushed::Queued, Pushed::Gap, Pushed::Gap]);
    }

    #[test]
    fn an_ended_queue_takes_nothing() {
        let queue = OutboundQueue::new(4, 1 << 20);
        queue.end();
        assert_eq!(queue.push(&message(1)), Pushed::Closed);
        assert_eq!(queue.depth(), 0);
    }

    #[test]
    fn a_rendering_is_made_once() {
        use bytes::Bytes;

        use crate::event::RenderingKey;
        let announcement = message(1);
        let mut made = 0;
        for _ in 0..3 {
            announcement.rendering(RenderingKey::new(0), |_| {
                made += 1;
                Bytes::from_static(b"x")
            });
        }
        assert_eq!(made, 1);
    }
}
