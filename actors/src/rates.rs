//! How often a user may do what passes by no actor: searches, and changes of the account. A row for each user who did so
//! a moment ago; one that says nothing any more is forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;

use crate::bucket::{TokenBucket, Window};
use crate::id::UserId;
use crate::limits::{Limit, Limits};
use crate::rejected::Rejected;
use crate::time::Timestamp;

/// When to try again where no more users can be counted.
const FULL_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Shares {
    searches: TokenBucket,
    profiles: Window,
    passwords: Window,
}

impl Shares {
    fn are_whole(&self, now: Timestamp) -> bool {
        self.searches.is_full(now) && self.profiles.is_over(now) && self.passwords.is_over(now)
    }
}

/// The shares of all users who took some.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    shares: DashMap<UserId, Shares>,
    count: AtomicUsize,
}

impl Rates {
    /// Takes a user's share for one search.
    pub(crate) fn admit_search(&self, user: UserId, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        let take = |shares: &mut Shares| shares.searches.take(1, now).map_err(|after| Rejected::TooFast { bucket: "searches", after });
        self.with(user, limits, take)
    }

    /// Takes a user's share for one change of the account.
    pub(crate) fn admit_profile(&self, user: UserId, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        let max = limits.get(Limit::ProfilesPerHour);
        let take = |shares: &mut Shares| shares.profiles.take(max, now).map_err(|after| Rejected::TooFast { bucket: "profiles", after });
        self.with(user, limits, take)
    }

    /// Takes a user's share for one try of the account's password by somebody who is logged in already: as many a minute
    /// as logins (A9).
    pub(crate) fn admit_password(&self, user: UserId, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        let max = limits.get(Limit::LoginsAccount);
        let take = |shares: &mut Shares| shares.passwords.take(max, now).map_err(|after| Rejected::TooFast { bucket: "passwords", after });
        self.with(user, limits, take)
    }

    fn with(&self, user: UserId, limits: &Limits, take: impl Fn(&mut Shares) -> Result<(), Rejected>) -> Result<(), Rejected> {
        if let Some(mut shares) = self.shares.get_mut(&user) {
            return take(&mut shares);
        }
        if self.count.load(Ordering::Relaxed) >= limits.count(Limit::RatesTracked) {
            return Err(Rejected::TooFast { bucket: "rates", after: FULL_AFTER });
        }
        let mut shares = self.shares.entry(user).or_insert_with(|| {
            self.count.fetch_add(1, Ordering::Relaxed);
            let searches = TokenBucket::new(limits.get(Limit::SearchesRate), limits.get(Limit::SearchesBurst));
            Shares { searches, profiles: Window::of_an_hour(), passwords: Window::of_a_minute() }
        });
        take(&mut shares)
    }

    /// Forgets the users whose shares are whole again. To be called from time to time.
    pub(crate) fn forget_whole(&self, now: Timestamp) {
        self.shares.retain(|_, shares| {
            let whole = shares.are_whole(now);
            if whole {
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
            !whole
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    #[test]
    fn each_user_and_each_kind_has_a_share() {
        let (rates, limits, now) = (Rates::default(), Limits::default(), Timestamp(1));
        assert!((0..limits.get(Limit::SearchesBurst)).all(|_| rates.admit_search(user(1), now, &limits).is_ok()));
        assert!(matches!(rates.admit_search(user(1), now, &limits), Err(Rejected::TooFast { bucket: "searches", .. })));
        assert_eq!(rates.admit_profile(user(1), now, &limits), Ok(()));
        assert_eq!(rates.admit_search(user(2), now, &limits), Ok(()));
    }

    #[test]
    fn who_has_been_quiet_is_forgotten_and_no_more_are_counted_than_may_be() {
        let mut limits = Limits::default();
        limits.set(Limit::RatesTracked, 1);
        let (rates, now) = (Rates::default(), Timestamp(1));
        assert_eq!(rates.admit_search(user(1), now, &limits), Ok(()));
        assert!(matches!(rates.admit_search(user(2), now, &limits), Err(Rejected::TooFast { bucket: "rates", .. })));
        rates.forget_whole(now);
        assert!(rates.admit_search(user(2), now, &limits).is_err(), "its share is not whole yet");
        let later = now.plus(Duration::from_secs(10));
        rates.forget_whole(later);
        assert_eq!(rates.admit_search(user(2), later, &limits), Ok(()));
    }
}
