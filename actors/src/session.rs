//! What the node knows of one authenticated connection, and the way back for answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::credential::Identity;
use crate::id::{SessionId, UserId};
use crate::outbound::OutboundQueue;
use crate::rejected::Rejected;
use crate::view::View;

/// One authenticated connection: who it is, and its outbound queue. Shared by the socket's task, the user's actor and
/// whoever announces to it.
#[derive(Debug)]
pub struct Session {
    /// Which one.
    pub id: SessionId,
    /// Who speaks, and by which login.
    pub identity: Identity,
    /// What is on its way to the client.
    pub queue: OutboundQueue,
    in_flight: AtomicU32,
    in_flight_max: u32,
    watching: Mutex<Box<[UserId]>>,
}

impl Session {
    /// A session with nothing in flight.
    pub fn new(id: SessionId, identity: Identity, queue: OutboundQueue, in_flight_max: u32) -> Arc<Self> {
        Arc::new(Self { id, identity, queue, in_flight: AtomicU32::new(0), in_flight_max, watching: Mutex::default() })
    }

    /// A permit for one more request; `None` while as many as allowed await their answer. The queue is nudged when
    /// one comes back.
    pub fn admit(self: &Arc<Self>) -> Option<InFlight> {
        let taken = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if taken >= self.in_flight_max {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(InFlight(Arc::clone(self)))
    }

    /// Replaces the list of users whose presence this session hears of; answers the one before.
    pub(crate) fn watch(&self, users: Box<[UserId]>) -> Box<[UserId]> {
        std::mem::replace(&mut *self.watching.lock().unwrap_or_else(PoisonError::into_inner), users)
    }

    /// Whether one more request may be taken in.
    pub fn has_room(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) < self.in_flight_max
    }
}

/// The right to have one request in flight; travels with the request and its reply, and comes back when dropped.
#[derive(Debug)]
#[must_use]
pub struct InFlight(Arc<Session>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::Relaxed) >= self.0.in_flight_max {
            self.0.queue.nudge();
        }
    }
}

/// The way back for one answer. It is given exactly once: a reply that is dropped unsettled (an actor died with it in
/// its mailbox) answers *unknown*, because the command may have been done (I10).
#[derive(Debug)]
#[must_use]
pub struct Reply(Option<To>);

#[derive(Debug)]
enum To {
    Session { session: Arc<Session>, request: Option<u32>, permit: InFlight },
    Waiting(oneshot::Sender<Result<View, Rejected>>),
}

impl Reply {
    /// Into the outbound queue of a connection; without a request number only refusals are dropped silently too.
    pub fn to_session(session: &Arc<Session>, request: Option<u32>, permit: InFlight) -> Self {
        Self(Some(To::Session { session: Arc::clone(session), request, permit }))
    }
    /// To a caller that waits.
    pub fn waiting() -> (Self, oneshot::Receiver<Result<View, Rejected>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(To::Waiting(sender))), receiver)
    }
    /// Gives the answer.
    pub fn settle(mut self, answer: Result<View, Rejected>) {
        self.give(answer);
    }

    fn give(&mut self, answer: Result<View, Rejected>) {
        match self.0.take() {
            Some(To::Session { session, request: request @ Some(_), permit }) => session.queue.reply(request, answer, permit),
            Some(To::Session { request: None, permit, .. }) => drop(permit),
            Some(To::Waiting(sender)) => drop(sender.send(answer)), // nobody waits any more: nothing to tell
            None => {}
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.give(Err(Rejected::Unknown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reply_that_is_lost_says_unknown() {
        let (reply, answer) = Reply::waiting();
        drop(reply);
        assert_eq!(answer.await, Ok(Err(Rejected::Unknown)));
    }

    #[tokio::test]
    async fn a_reply_is_given_once() {
        let (reply, answer) = Reply::waiting();
        reply.settle(Ok(View::Done));
        assert_eq!(answer.await, Ok(Ok(View::Done)));
    }
}
