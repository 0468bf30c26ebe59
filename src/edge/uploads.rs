//! Who may send a file now: a pace for each user, and places for each user and for the node.
//!
//! A place is given back when its guard is dropped, on every way out. Nothing is remembered of a user who sends nothing
//! and whose pace has recovered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::id::UserId;
use actors::limits::{Limit, Limits};

use crate::edge::bucket::{Bucket, Rate};

/// Users that are remembered before those whose pace has recovered are forgotten.
const REMEMBERED: usize = 4_096;
/// When to come back where all places are taken.
const LATER: Duration = Duration::from_secs(1);

/// The places and the paces.
#[derive(Debug)]
pub struct Uploads {
    rate: Rate,
    user_max: usize,
    node_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    node: usize,
    users: BTreeMap<UserId, Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    at_once: usize,
    pace: Bucket,
}

/// Which bound was met; the names of the metric's buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPlace {
    /// `uploads`, `uploads_user` or `uploads_node`.
    pub bucket: &'static str,
    /// When to come back.
    pub after: Duration,
}

impl Uploads {
    /// With these limits.
    pub fn new(limits: &Limits) -> Arc<Self> {
        let per_minute = limits.get(Limit::UploadsRate);
        Arc::new(Self {
            rate: Rate::new(per_minute, Duration::from_mins(1), per_minute),
            user_max: limits.count(Limit::UploadsUser),
            node_max: limits.count(Limit::UploadsNode),
            taken: Mutex::default(),
        })
    }

    /// A place for a file of this user, at this moment in microseconds.
    pub fn begin(self: &Arc<Self>, user: UserId, now: u64) -> Result<Place, NoPlace> {
        let mut taken = self.taken();
        if taken.node >= self.node_max {
            return Err(NoPlace { bucket: "uploads_node", after: LATER });
        }
        if taken.users.len() >= REMEMBERED {
            taken.users.retain(|_, desk| desk.at_once > 0 || !desk.pace.is_full(now));
        }
        let desk = taken.users.entry(user).or_default();
        if desk.at_once >= self.user_max {
            return Err(NoPlace { bucket: "uploads_user", after: LATER });
        }
        if let Err(after) = desk.pace.take(self.rate, 1, now) {
            return Err(NoPlace { bucket: "uploads", after });
        }
        desk.at_once += 1;
        taken.node += 1;
        Ok(Place { uploads: Arc::clone(self), user })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner) // counts are whole at any time
    }
}

/// A place; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Place {
    uploads: Arc<Uploads>,
    user: UserId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.uploads.taken();
        taken.node -= 1;
        if let Some(desk) = taken.users.get_mut(&self.user) {
            desk.at_once -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    fn uploads() -> Arc<Uploads> {
        let mut limits = Limits::default();
        limits.set(Limit::UploadsUser, 2);
        limits.set(Limit::UploadsNode, 3);
        limits.set(Limit::UploadsRate, 4);
        Uploads::new(&limits)
    }

    fn bucket(answer: Result<Place, NoPlace>) -> Option<&'static str> {
        answer.err().map(|none| none.bucket)
    }

    #[test]
    fn places_are_few_and_come_back() {
        let uploads = uploads();
        let held = [uploads.begin(user(1), 0), uploads.begin(user(1), 0)];
        assert_eq!(bucket(uploads.begin(user(1), 0)), Some("uploads_user"));
        let other = uploads.begin(user(2), 0);
        assert_eq!(bucket(uploads.begin(user(3), 0)), Some("uploads_node"));
        drop((held, other));
        assert_eq!(bucket(uploads.begin(user(1), 0)), None);
    }

    #[test]
    fn a_user_has_a_pace() {
        let uploads = uploads();
        for _ in 0..4 {
            assert_eq!(bucket(uploads.begin(user(1), 0)), None);
        }
        let refused = uploads.begin(user(1), 0).expect_err("too fast");
        assert_eq!((refused.bucket, refused.after), ("uploads", Duration::from_secs(15)));
        assert_eq!(bucket(uploads.begin(user(2), 0)), None);
        assert_eq!(bucket(uploads.begin(user(1), 15_000_000)), None);
    }
}
