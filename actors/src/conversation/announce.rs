//! Telling an audience: from the conversation straight into the outbound queues of its members' sessions.
//!
//! An announcement is encoded at most once per rendering, by the first connection that needs it. A slow session never
//! holds up the others. Announcements to a large audience are held while another batch is on its way, so that
//! messages that come together leave together; nothing else delays them.

use std::sync::Arc;

use crate::event::{Announcement, Event};
use crate::id::{SessionId, UserId};
use crate::node::Node;
use crate::outbound::Pushed;
use crate::telemetry::{Count, Measure};

/// An announcement and the session that must not get it: the one that asked gets the reply instead.
pub(crate) struct Held {
    /// What.
    pub announcement: Arc<Announcement>,
    /// By whom: only this user's sessions are looked at for the exception.
    pub author: UserId,
    /// Not to this session.
    pub except: Option<SessionId>,
}

impl Held {
    /// An announcement of an event.
    pub(crate) fn new(event: Event, author: UserId, except: Option<SessionId>) -> Self {
        Self { announcement: Announcement::new(event), author, except }
    }
}

/// Announces to every session of these users on this node; empties `held`.
pub(crate) fn announce(node: &Node, audience: &[UserId], held: &mut Vec<Held>) {
    if held.is_empty() {
        return;
    }
    let started = node.now();
    let all: Vec<_> = held.iter().map(|held| Arc::clone(&held.announcement)).collect();
    let mut tally = Tally::default();
    for user in audience {
        let sessions = node.directory().sessions(*user);
        let except = held.iter().any(|held| held.author == *user && held.except.is_some());
        for session in sessions.iter() {
            tally.sessions += 1;
            if except {
                for one in held.iter().filter(|held| held.except != Some(session.id)) {
                    tally.add(session.queue.push(&one.announcement));
                }
            } else {
                session.queue.push_all(&all, |pushed| tally.add(pushed));
            }
        }
    }
    node.world().relay.announce(audience, &all);
    tally.report(node, all[0].event());
    let telemetry = &node.world().telemetry;
    telemetry.measure(Measure::FanoutRecipients, tally.sessions as f64);
    telemetry.measure(Measure::FanoutSeconds, node.now().since(started).as_secs_f64());
    held.clear();
}

/// Announces one event to these users' sessions, except one.
pub(crate) fn announce_one(node: &Node, audience: &[UserId], event: Event, author: UserId, except: Option<SessionId>) {
    announce(node, audience, &mut vec![Held::new(event, author, except)]);
}

#[derive(Default)]
struct Tally {
    sessions: u64,
    queued: u64,
    gaps: u64,
    shed: u64,
}

impl Tally {
    fn add(&mut self, pushed: Pushed) {
        match pushed {
            Pushed::Queued => self.queued += 1,
            Pushed::Gap => self.gaps += 1,
            Pushed::Shed(_) => self.shed += 1,
            Pushed::Closed => {}
        }
    }

    /// All announcements of one call are of one class: a call announces entries, or one event.
    fn report(&self, node: &Node, event: &Event) {
        let telemetry = &node.world().telemetry;
        for (what, n) in
            [(Count::Deliveries(event.class()), self.queued), (Count::GapMarks, self.gaps), (Count::Shed(event.class()), self.shed)]
        {
            if n > 0 {
                telemetry.count(what, n);
            }
        }
    }
}
