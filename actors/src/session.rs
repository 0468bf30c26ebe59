//! What the node knows of one authenticated connection, and the way back for answers.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::credential::Identity;
use crate::id::{SessionId, UserId};
use crate::outbound::{CloseReason, OutboundQueue};
use crate::rejected::Rejected;
use crate::view::View;

/// How many places a query takes of a connection's requests in flight: its answer may be a whole page.
pub const QUERY_PLACES: u32 = 8;

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
    starved: AtomicBool,
    watching: Mutex<Box<[UserId]>>,
    /// Its login has ended: the user is not merely away.
    logged_out: AtomicBool,
}

impl Session {
    /// A session with nothing in flight.
    pub fn new(id: SessionId, identity: Identity, queue: OutboundQueue, in_flight_max: u32) -> Arc<Self> {
        Arc::new(Self {
            id,
            identity,
            queue,
            in_flight: AtomicU32::new(0),
            in_flight_max,
            starved: AtomicBool::new(false),
            watching: Mutex::default(),
            logged_out: AtomicBool::new(false),
        })
    }

    /// A permit for one more request that takes so many places; `None` while it does not fit beside those that await
    /// their answer. Whoever is refused is nudged when places come back. A request that is alone always fits.
    pub fn admit(self: &Arc<Self>, places: u32) -> Option<InFlight> {
        if self.try_take(places) || (self.starve() && self.try_take(places)) {
            return Some(InFlight { session: Arc::clone(self), places });
        }
        None
    }

    fn try_take(&self, places: u32) -> bool {
        let taken = self.in_flight.fetch_add(places, Ordering::SeqCst);
        if taken == 0 || taken.saturating_add(places) <= self.in_flight_max {
            return true;
        }
        self.in_flight.fetch_sub(places, Ordering::SeqCst);
        false
    }

    /// From now on whoever gives back a place nudges the queue; the caller looks once more after it.
    fn starve(&self) -> bool {
        self.starved.store(true, Ordering::SeqCst);
        true
    }

    /// Replaces the list of users whose presence this session hears of; answers the one before.
    pub(crate) fn watch(&self, users: Box<[UserId]>) -> Box<[UserId]> {
        std::mem::replace(&mut *self.watching.lock().unwrap_or_else(PoisonError::into_inner), users)
    }

    /// Closes it because its login, or the account, has ended.
    pub(crate) fn log_out(&self, reason: CloseReason) {
        self.logged_out.store(true, Ordering::Relaxed);
        self.queue.close(reason);
    }

    /// Whether its login has ended.
    pub(crate) fn is_logged_out(&self) -> bool {
        self.logged_out.load(Ordering::Relaxed)
    }

    /// Whether one more request may be taken in.
    pub fn has_room(&self) -> bool {
        let has_room = || self.in_flight.load(Ordering::SeqCst) < self.in_flight_max;
        has_room() || (self.starve() && has_room())
    }
}

/// The right to have one request in flight; travels with the request and its reply, and comes back when dropped.
#[derive(Debug)]
#[must_use]
pub struct InFlight {
    session: Arc<Session>,
    places: u32,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.session.in_flight.fetch_sub(self.places, Ordering::SeqCst);
        if self.session.starved.swap(false, Ordering::SeqCst) {
            self.session.queue.nudge();
        }
    }
}

/// The way back for one answer. It is given exactly once: a reply that is dropped unsettled (an actor died with it in
/// its mailbox) answers *unknown*, because the command may have been done (I10).
#[derive(Debug)]
#[must_use]
pub struct Reply {
    to: Option<To>,
    /// What is answered if it is lost.
    lost: Rejected,
}

#[derive(Debug)]
enum To {
    Session { session: Arc<Session>, request: Option<u32>, permit: InFlight },
    Waiting(oneshot::Sender<Result<View, Rejected>>),
}

impl Reply {
    /// Into the outbound queue of a connection; without a request number only refusals are dropped silently too.
    pub fn to_session(session: &Arc<Session>, request: Option<u32>, permit: InFlight) -> Self {
        Self::over(To::Session { session: Arc::clone(session), request, permit })
    }
    /// To a caller that waits.
    pub fn waiting() -> (Self, oneshot::Receiver<Result<View, Rejected>>) {
        let (sender, receiver) = oneshot::channel();
        (Self::over(To::Waiting(sender)), receiver)
    }
    fn over(to: To) -> Self {
        Self { to: Some(to), lost: Rejected::Unknown }
    }
    /// For a question that changes nothing: if it is lost it was not done, and may be asked again.
    pub(crate) fn of_query(mut self) -> Self {
        self.lost = Rejected::Internal;
        self
    }
    /// Gives the answer.
    pub fn settle(mut self, answer: Result<View, Rejected>) {
        self.give(answer);
    }

    fn give(&mut self, answer: Result<View, Rejected>) {
        match self.to.take() {
            Some(To::Session { session, request: request @ Some(_), permit }) => session.queue.reply(request, answer, permit),
            Some(To::Session { request: None, permit, .. }) => drop(permit),
            Some(To::Waiting(sender)) => drop(sender.send(answer)), // nobody waits any more: nothing to tell
            None => {}
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let lost = self.lost.clone();
        self.give(Err(lost));
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
    async fn a_question_that_is_lost_was_not_done() {
        let (reply, answer) = Reply::waiting();
        drop(reply.of_query());
        assert_eq!(answer.await, Ok(Err(Rejected::Internal)));
    }

    #[test]
    fn places_are_taken_and_come_back() {
        let identity =
            Identity { user: UserId::new(1).expect("valid"), login: crate::id::LoginId(1), expires_at: crate::time::Timestamp(0) };
        let session = Session::new(SessionId(1), identity, OutboundQueue::new(4, 4), 10);
        let page = session.admit(QUERY_PLACES).expect("there is room");
        assert!(session.admit(QUERY_PLACES).is_none(), "a second page does not fit");
        let posts: Vec<_> = (0..2).map(|_| session.admit(1).expect("there is room")).collect();
        assert!(!session.has_room());
        drop(page);
        assert!(session.has_room());
        drop(posts);
        assert!(session.admit(64).is_some(), "what is alone always fits");
    }

    #[tokio::test]
    async fn a_reply_is_given_once() {
        let (reply, answer) = Reply::waiting();
        reply.settle(Ok(View::Done));
        assert_eq!(answer.await, Ok(Ok(View::Done)));
    }
}
