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
    fn a_clock_that_jumps_back_gives_nothing_away() {
        let mut bucket = TokenBucket::new(1, 1);
        assert!(bucket.take(1, Timestamp(10_000_000)).is_ok());
        assert!(bucket.take(1, Timestamp(0)).is_err());
        assert!(bucket.take(1, Timestamp(1_000_000)).is_ok());
    }
}
