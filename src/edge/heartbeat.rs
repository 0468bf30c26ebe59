//! One wheel for all sockets: heartbeats, silence, expired tokens and stalled writes, with no timer per socket (KW11).
//!
//! The wheel turns once a second and looks only at the sockets in that second's slot; each look says when the next one
//! is due. It never writes: it asks the socket's task to.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use actors::outbound::CloseReason;
use actors::session::Session;
use futures_util::task::AtomicWaker;
use metrics::Counter;

const SLOTS: u32 = 128;
/// How long a socket outlives its token, for a refresh that is on its way (P5).
const EXPIRY_GRACE: u32 = 30;
/// The longest time between two looks at a socket that cannot be written to.
const STALL_LOOK: u32 = 2;

const ASK_EXPIRING: u8 = 1;
const ASK_ABORT: u8 = 2;

/// What the wheel asks of a socket's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Tell the client that its token ends soon.
    Expiring,
    /// End at once, without waiting for the client.
    Abort,
}

/// What the wheel knows of one socket. Times are the wheel's seconds.
#[derive(Debug)]
pub struct Pulse {
    session: Arc<Session>,
    interval: u32,
    last_seen: AtomicU32,
    next_beat: AtomicU32,
    stalled_since: AtomicU32,
    warn_at: AtomicU32,
    expires_at: AtomicU32,
    asks: AtomicU8,
    stalled: AtomicWaker,
}

impl Pulse {
    /// A frame came.
    pub fn seen(&self, now: u32) {
        self.last_seen.store(now, Ordering::Relaxed);
    }

    /// The kernel takes nothing: wake this task if it is asked something meanwhile.
    pub fn stall(&self, now: u32, waker: &Waker) {
        self.stalled.register(waker);
        if self.stalled_since.load(Ordering::Relaxed) == 0 {
            self.stalled_since.store(now.max(1), Ordering::Relaxed);
        }
    }

    /// The kernel takes bytes again.
    pub fn flow(&self) {
        self.stalled_since.store(0, Ordering::Relaxed);
    }

    /// The token was renewed, and lives this long.
    pub fn renew(&self, now: u32, life: Duration) {
        let (warn_at, expires_at) = moments(now, life);
        self.warn_at.store(warn_at, Ordering::Relaxed);
        self.expires_at.store(expires_at, Ordering::Relaxed);
    }

    /// How long the token still lives.
    pub fn life_left(&self, now: u32) -> Duration {
        Duration::from_secs(self.expires_at.load(Ordering::Relaxed).saturating_sub(now).into())
    }

    /// What is asked, once.
    pub fn take_ask(&self) -> Option<Ask> {
        if self.asks.load(Ordering::Acquire) == 0 {
            return None; // the common case costs no write
        }
        let asks = self.asks.swap(0, Ordering::AcqRel);
        if asks & ASK_ABORT != 0 { Some(Ask::Abort) } else { Some(Ask::Expiring) }
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Ends the socket without waiting for the client.
    pub fn abort(&self) {
        self.ask(ASK_ABORT);
    }

    fn ask(&self, what: u8) {
        self.asks.fetch_or(what, Ordering::AcqRel);
        self.session.queue.nudge();
        self.stalled.wake();
    }
}

fn moments(now: u32, life: Duration) -> (u32, u32) {
    let life = u32::try_from(life.as_secs()).unwrap_or(u32::MAX / 2);
    (now.saturating_add(life / 5 * 4 + life % 5 * 4 / 5), now.saturating_add(life))
}

/// The wheel.
#[derive(Debug)]
pub struct Wheel {
    slots: Box<[Mutex<Vec<Weak<Pulse>>>]>,
    now: AtomicU32,
    stall: u32,
}

/// How a socket is watched.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// How long the token lives from now.
    pub life: Duration,
}

impl Wheel {
    /// A wheel at second 1 that lets a socket's writes stall this long.
    pub fn new(stall: Duration) -> Self {
        let slots = (0..SLOTS).map(|_| Mutex::default()).collect();
        Self { slots, now: AtomicU32::new(1), stall: seconds(stall) }
    }

    /// The second.
    pub fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Watches a session's socket until the pulse is dropped. Its first beat is jittered by the session's id, which is
    /// random.
    pub fn watch(&self, session: Arc<Session>, watch: Watch) -> Arc<Pulse> {
        let now = self.now();
        let interval = seconds(watch.heartbeat);
        let jitter = u32::try_from(session.id.0 % u128::from(interval)).unwrap_or(0);
        let (warn_at, expires_at) = moments(now, watch.life);
        let pulse = Arc::new(Pulse {
            session,
            interval,
            last_seen: AtomicU32::new(now),
            next_beat: AtomicU32::new(now + 1 + jitter),
            stalled_since: AtomicU32::new(0),
            warn_at: AtomicU32::new(warn_at),
            expires_at: AtomicU32::new(expires_at),
            asks: AtomicU8::new(0),
            stalled: AtomicWaker::new(),
        });
        self.place(Arc::downgrade(&pulse), now, now + 1);
        pulse
    }

    /// Turns on by one second and asks what is due.
    pub fn turn(&self, heartbeat_timeouts: &Counter) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let due = std::mem::take(&mut *self.slot(now));
        for weak in due {
            if let Some(pulse) = weak.upgrade()
                && let Some(next) = self.look(&pulse, now, heartbeat_timeouts)
            {
                self.place(weak, now, next);
            }
        }
    }

    /// Everything that is watched now, for a drain.
    pub fn all(&self) -> Vec<Arc<Pulse>> {
        let slots = 0..SLOTS;
        slots.flat_map(|slot| self.slot(slot).iter().filter_map(Weak::upgrade).collect::<Vec<_>>()).collect()
    }

    fn slot(&self, second: u32) -> MutexGuard<'_, Vec<Weak<Pulse>>> {
        let slot = &self.slots[(second % SLOTS) as usize];
        slot.lock().unwrap_or_else(PoisonError::into_inner) // a list of pointers is whole at any time
    }

    fn place(&self, pulse: Weak<Pulse>, now: u32, next: u32) {
        self.slot(next.clamp(now + 1, now + SLOTS - 1)).push(pulse);
    }

    /// Looks at one socket; the second of the next look, or `None` if it is being ended.
    fn look(&self, pulse: &Pulse, now: u32, heartbeat_timeouts: &Counter) -> Option<u32> {
        let queue = &pulse.session.queue;
        let stalled_since = pulse.stalled_since.load(Ordering::Relaxed);
        if stalled_since != 0 && now.saturating_sub(stalled_since) >= self.stall {
            queue.close(CloseReason::Slow);
            pulse.abort();
            return None;
        }
        let dead_at = pulse.last_seen.load(Ordering::Relaxed).saturating_add(pulse.interval * 5 / 2 + pulse.interval % 2);
        if now >= dead_at {
            heartbeat_timeouts.increment(1);
            queue.close(CloseReason::Heartbeat);
            pulse.abort_if_stalled();
            return None;
        }
        let ends_at = pulse.expires_at.load(Ordering::Relaxed).saturating_add(EXPIRY_GRACE);
        if now >= ends_at {
            queue.close(CloseReason::TokenExpired);
            pulse.abort_if_stalled();
            return None;
        }
        let mut warn_at = pulse.warn_at.load(Ordering::Relaxed);
        if now >= warn_at {
            pulse.ask(ASK_EXPIRING);
            // Once for each token: a renewal sets a new moment.
            let told = pulse.warn_at.compare_exchange(warn_at, u32::MAX, Ordering::Relaxed, Ordering::Relaxed);
            warn_at = told.map_or_else(|renewed| renewed, |_| u32::MAX);
        }
        let mut next_beat = pulse.next_beat.load(Ordering::Relaxed);
        if now >= next_beat {
            queue.beat();
            next_beat = now + pulse.interval;
            pulse.next_beat.store(next_beat, Ordering::Relaxed);
        }
        let stall_look = if stalled_since == 0 { now + pulse.interval.min(self.stall) } else { now + STALL_LOOK };
        Some(next_beat.min(dead_at).min(ends_at).min(warn_at).min(stall_look))
    }
}

impl Pulse {
    fn abort_if_stalled(&self) {
        if self.stalled_since.load(Ordering::Relaxed) != 0 {
            self.abort();
        }
    }
}

fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX / 8).max(1)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use actors::credential::Identity;
    use actors::id::{LoginId, SessionId, UserId};
    use actors::outbound::{OutboundQueue, Taken};
    use actors::time::Timestamp;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn session(id: u128) -> Arc<Session> {
        let identity = Identity { user: UserId::new(1).expect("valid"), login: LoginId(1), expires_at: Timestamp(0) };
        Session::new(SessionId(id), identity, OutboundQueue::new(8, 1_024), 8)
    }

    fn wheel() -> Wheel {
        Wheel::new(Duration::from_secs(30))
    }

    fn turn(wheel: &Wheel) {
        wheel.turn(&Counter::noop());
    }

    fn taken(pulse: &Pulse) -> Option<Taken> {
        match pulse.session().queue.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken),
            Poll::Pending => None,
        }
    }

    fn watched(wheel: &Wheel, id: u128, heartbeat: u64, life: Duration) -> Arc<Pulse> {
        wheel.watch(session(id), Watch { heartbeat: Duration::from_secs(heartbeat), life })
    }

    #[test]
    fn a_socket_that_answers_is_beaten_at_its_interval_for_ever() {
        let wheel = wheel();
        let pulse = watched(&wheel, 7, 25, HOUR * 10);
        let mut beats = Vec::new();
        for _ in 0..200 {
            turn(&wheel);
            if let Some(taken) = taken(&pulse) {
                assert_eq!(taken.close, None);
                assert!(taken.beat);
                beats.push(wheel.now());
                pulse.seen(wheel.now());
            }
        }
        assert_eq!(beats[0], 2 + 7, "jittered by the id");
        assert!(beats.windows(2).all(|pair| pair[1] - pair[0] == 25), "{beats:?}");
        assert_eq!(beats.len(), 8);
    }

    #[test]
    fn silence_of_two_and_a_half_intervals_ends_it() {
        let wheel = wheel();
        let pulse = watched(&wheel, 0, 10, HOUR);
        let mut closed = None;
        for _ in 0..60 {
            turn(&wheel);
            if let Some(reason) = taken(&pulse).and_then(|taken| taken.close) {
                closed = Some((wheel.now(), reason));
                break;
            }
        }
        assert_eq!(closed, Some((1 + 25, CloseReason::Heartbeat)));
    }

    #[test]
    fn an_expiring_token_is_told_at_four_fifths_and_ends_after_the_grace() {
        let wheel = wheel();
        let pulse = watched(&wheel, 0, 5, Duration::from_secs(100));
        let (mut told, mut closed) = (Vec::new(), None);
        while closed.is_none() && wheel.now() < 300 {
            turn(&wheel);
            pulse.seen(wheel.now());
            if pulse.take_ask() == Some(Ask::Expiring) {
                told.push(wheel.now());
            }
            closed = taken(&pulse).and_then(|taken| taken.close).map(|reason| (wheel.now(), reason));
        }
        assert_eq!(told, [81]);
        assert_eq!(closed, Some((131, CloseReason::TokenExpired)));
    }

    #[test]
    fn a_renewed_token_goes_on() {
        let wheel = wheel();
        let pulse = watched(&wheel, 0, 5, Duration::from_secs(100));
        let mut told = 0;
        for _ in 0..400 {
            turn(&wheel);
            pulse.seen(wheel.now());
            if pulse.take_ask() == Some(Ask::Expiring) {
                told += 1;
                pulse.renew(wheel.now(), Duration::from_secs(100));
            }
            assert_eq!(taken(&pulse).and_then(|taken| taken.close), None);
        }
        assert_eq!(told, 5);
    }

    #[test]
    fn a_stalled_socket_is_aborted_and_one_that_flows_again_is_not() {
        let wheel = wheel();
        let (stuck, freed) = (watched(&wheel, 0, 20, HOUR), watched(&wheel, 1, 20, HOUR));
        stuck.stall(wheel.now(), Waker::noop());
        freed.stall(wheel.now(), Waker::noop());
        let mut aborted = None;
        for _ in 0..40 {
            turn(&wheel);
            stuck.seen(wheel.now());
            freed.seen(wheel.now());
            if wheel.now() == 20 {
                freed.flow();
            }
            if stuck.take_ask() == Some(Ask::Abort) {
                aborted = Some(wheel.now());
            }
            assert_eq!(freed.take_ask(), None);
        }
        let at = aborted.expect("aborted");
        assert!((31..=31 + STALL_LOOK + 20).contains(&at), "{at}");
        assert_eq!(taken(&stuck).and_then(|taken| taken.close), Some(CloseReason::Slow));
    }

    #[test]
    fn what_has_left_is_forgotten() {
        let wheel = wheel();
        drop(watched(&wheel, 0, 10, HOUR));
        let kept = watched(&wheel, 1, 10, HOUR);
        assert_eq!(wheel.all().len(), 1);
        for _ in 0..SLOTS {
            turn(&wheel);
            kept.seen(wheel.now());
        }
        let watched: usize = (0..SLOTS).map(|slot| wheel.slot(slot).len()).sum();
        assert_eq!(watched, 1);
    }
}
