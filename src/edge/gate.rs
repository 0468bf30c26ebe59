//! How many requests over HTTP are answered at once, for one user and for the node.
//!
//! A socket bounds its requests by itself; HTTP has no session to do it. A place is given back when its guard is
//! dropped, on every way out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::id::UserId;
use actors::limits::{Limit, Limits};
use actors::rejected::Rejected;

/// How long to wait before another try.
const AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    users: HashMap<UserId, usize>,
}

/// The gate of a node.
#[derive(Debug)]
pub struct Gate {
    user_max: usize,
    node_max: usize,
    inside: Mutex<Inside>,
}

impl Gate {
    /// With these limits.
    pub fn new(limits: &Limits) -> Arc<Self> {
        let (user_max, node_max) = (limits.count(Limit::RestInFlightUser), limits.count(Limit::RestInFlightNode));
        Arc::new(Self { user_max, node_max, inside: Mutex::default() })
    }

    /// A place for one request of this user; or which bucket is full, and the refusal.
    pub fn enter(self: &Arc<Self>, user: UserId) -> Result<Place, (&'static str, Rejected)> {
        let mut inside = self.inside();
        if inside.all >= self.node_max {
            return Err(("rest_node", Rejected::Busy { after: AFTER }));
        }
        let of_user = inside.users.entry(user).or_default();
        if *of_user >= self.user_max {
            return Err(("rest_user", Rejected::TooFast { bucket: "rest_user", after: AFTER }));
        }
        *of_user += 1;
        inside.all += 1;
        Ok(Place { gate: Arc::clone(self), user })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner) // counts are whole at any time
    }
}

/// A request's place; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Place {
    gate: Arc<Gate>,
    user: UserId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
        inside.all -= 1;
        if let Some(of_user) = inside.users.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                inside.users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_the_node_have_so_many_places_and_get_them_back() {
        let mut limits = Limits::default();
        limits.set(Limit::RestInFlightUser, 2);
        limits.set(Limit::RestInFlightNode, 3);
        let gate = Gate::new(&limits);
        let user = |number| UserId::new(number).expect("valid");
        let bucket = |entered: Result<Place, (&'static str, Rejected)>| entered.err().map(|(bucket, _)| bucket);
        let places = [gate.enter(user(1)), gate.enter(user(1))];
        assert_eq!(bucket(gate.enter(user(1))), Some("rest_user"));
        let third = gate.enter(user(2));
        assert_eq!(bucket(gate.enter(user(3))), Some("rest_node"));
        drop(third);
        assert!(gate.enter(user(3)).is_ok());
        drop(places);
        assert!(gate.enter(user(1)).is_ok());
        assert!(gate.inside().users.is_empty() && gate.inside().all == 0, "nothing is remembered of who has left");
    }
}
