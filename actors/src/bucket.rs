//! A token bucket: so many at once, so many a second. Pure; the caller brings the time.

use std::time::Duration;

use crate::time::Timestamp;

/// Tokens are kept in millionths, so that slow rates lose nothing to rounding.
const WHOLE: u64 = 1_000_000;

/// A bucket. One that was never used is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBucket {
    burst: u64,
    rate: u64,
    left: u64,
    filled_at: Option<Timestamp>,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens, refilled by `rate` tokens a second.
    pub fn new(rate: u64, burst: u64) -> Self {
        let burst = burst.max(1).saturating_mul(WHOLE);
        Self { burst, rate: rate.max(1), left: burst, filled_at: None }
    }

    /// Takes `count` tokens, or says how long to wait until so many are there. A wish for more than a full bucket
    /// holds is granted by a full bucket.
    pub fn take(&mut self, count: u64, now: Timestamp) -> Result<(), Duration> {
        if let Some(then) = self.filled_at {
            let micros = u64::try_from(now.since(then).as_micros()).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(micros.saturating_mul(self.rate)).min(self.burst);
        }
        self.filled_at = Some(now);
        let wanted = count.saturating_mul(WHOLE).min(self.burst);
        if self.left >= wanted {
            self.left -= wanted;
            return Ok(());
        }
        Err(Duration::from_micros((wanted - self.left).div_ceil(self.rate)))
    }

    /// Whether it is full, so that nothing is lost with it.
    pub fn is_full(&self, now: Timestamp) -> bool {
        let since = self.filled_at.map_or(0, |then| u64::try_from(now.since(then).as_micros()).unwrap_or(u64::MAX));
        self.left.saturating_add(since.saturating_mul(self.rate)) >= self.burst
    }
}

/// So many in a span of time, counted from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    span: Duration,
    since: Timestamp,
    taken: u64,
}

impl Window {
    /// Of an hour; nothing was taken yet.
    pub fn of_an_hour() -> Self {
        Self { span: Duration::from_hours(1), since: Timestamp::default(), taken: 0 }
    }

    /// Of a minute; nothing was taken yet.
    pub fn of_a_minute() -> Self {
        Self { span: Duration::from_mins(1), ..Self::of_an_hour() }
    }

    /// Takes one of `max`, or says how long to wait until there are some again.
    pub fn take(&mut self, max: u64, now: Timestamp) -> Result<(), Duration> {
        self.take_many(1, max, now)
    }

    /// Takes `count` of `max`, or none at all. A wish for more than `max` is granted while none was taken.
    pub fn take_many(&mut self, count: u64, max: u64, now: Timestamp) -> Result<(), Duration> {
        if self.is_over(now) {
            *self = Self { since: now, taken: 0, ..*self };
        }
        if self.taken > 0 && self.taken.saturating_add(count) > max || max == 0 {
            return Err(self.span.saturating_sub(now.since(self.since)));
        }
        self.taken = self.taken.saturating_add(count);
        Ok(())
    }

    /// Whether the span has passed, so that nothing is lost with it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.taken == 0 || now.since(self.since) >= self.span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = TokenBucket::new(10, 3);
        let now = Timestamp(0);
        assert!((0..3).all(|_| bucket.take(1, now).is_ok()));
        assert_eq!(bucket.take(1, now), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(1, Timestamp(100_000)), Ok(()));
        assert_eq!(bucket.take(1, Timestamp(100_000)), Err(Duration::from_millis(100)));
    }

    #[test]
    fn so_many_an_hour() {
        let hour = |value: i64| Timestamp(value * 3_600_000_000);
        let mut count = Window::of_an_hour();
        assert!((0..3).all(|_| count.take(3, hour(5)).is_ok()));
        assert_eq!(count.take(3, hour(5)), Err(Duration::from_hours(1)));
        assert!(!count.is_over(hour(5)));
        assert!(count.is_over(hour(6)));
        assert_eq!(count.take_many(2, 3, hour(6)), Ok(()));
        assert!(count.take_many(2, 3, hour(6)).is_err());
        assert_eq!(count.take(3, hour(6)), Ok(()), "what was refused took nothing");
        assert!(Window::of_an_hour().take(0, hour(5)).is_err());
    }

    #[test]
    fn a_clock_that_jumps_back_gives_nothing_away() {
        let mut bucket = TokenBucket::new(1, 1);
        assert!(bucket.take(1, Timestamp(10_000_000)).is_ok());
        assert!(bucket.take(1, Timestamp(0)).is_err());
        assert!(bucket.take(1, Timestamp(1_000_000)).is_ok());
    }
}
