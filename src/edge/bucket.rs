//! A token bucket in eight bytes: the generic cell rate algorithm, for one connection, account or address.

use std::time::Duration;

/// How fast, and how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds that one token takes to come back, times 1,024.
    token_fraction: u64,
    /// How far ahead of time a bucket may run, in microseconds.
    ahead: u64,
}

const FRACTION: u64 = 1_024;

impl Rate {
    /// So many tokens in this time, and at most `burst` at once.
    pub fn new(tokens: u64, every: Duration, burst: u64) -> Self {
        let every = u64::try_from(every.as_micros()).unwrap_or(u64::MAX).saturating_mul(FRACTION);
        let token_fraction = every / tokens.max(1);
        Self { token_fraction, ahead: token_fraction.saturating_mul(burst.max(1)) / FRACTION }
    }
}

/// A bucket; full when it is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The moment, in microseconds, at which the bucket is full again.
    full_at: u64,
}

impl Bucket {
    /// Takes tokens out at this moment (microseconds of any clock that does not fall); or says when they will be there.
    pub fn take(&mut self, rate: Rate, tokens: u64, now: u64) -> Result<(), Duration> {
        let cost = rate.token_fraction.saturating_mul(tokens) / FRACTION;
        let full_at = self.full_at.max(now).saturating_add(cost);
        let over = full_at.saturating_sub(now).saturating_sub(rate.ahead);
        if over > 0 {
            return Err(Duration::from_micros(over));
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Whether it is full, so that it may be forgotten.
    pub fn is_full(&self, now: u64) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::new(50, Duration::from_secs(1), 100);
        let mut bucket = Bucket::default();
        let passed = |bucket: &mut Bucket, now| (0..1_000).filter(|_| bucket.take(rate, 1, now).is_ok()).count();
        assert_eq!(passed(&mut bucket, SECOND), 100);
        assert_eq!(passed(&mut bucket, 2 * SECOND), 50);
        assert_eq!(passed(&mut bucket, 100 * SECOND), 100);
    }

    #[test]
    fn it_says_when_to_come_back() {
        let rate = Rate::new(5, Duration::from_mins(1), 5);
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(rate, 5, 0), Ok(()));
        let pause = bucket.take(rate, 1, 0).expect_err("empty");
        assert_eq!(pause, Duration::from_secs(12));
        assert_eq!(bucket.take(rate, 1, 12 * SECOND), Ok(()));
        assert!(!bucket.is_full(12 * SECOND) && bucket.is_full(120 * SECOND));
    }

    #[test]
    fn many_small_tokens_keep_their_rate() {
        let rate = Rate::new(262_144, Duration::from_secs(1), 262_144);
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(rate, 262_144, 0), Ok(()));
        assert!(bucket.take(rate, 65_536, SECOND / 8).is_err());
        assert_eq!(bucket.take(rate, 65_536, SECOND / 4), Ok(()));
    }
}
