//! Time and randomness as arguments: the caller owns them, which is what makes simulation possible.

use std::time::Duration;

/// A moment in UTC, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole milliseconds since the Unix epoch, as the native protocol shows times.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
    /// Whole seconds since the Unix epoch.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// The moment that lies `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
    /// This moment, or one microsecond after `last` if it is not later: times rise strictly within a log.
    #[must_use]
    pub fn after(self, last: Self) -> Self {
        if self > last { self } else { Self(last.0.saturating_add(1)) }
    }
}

/// Where the time comes from. It may jump in both directions; nothing that must be ordered relies on it.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Where unguessable numbers come from.
pub trait Random: Send + Sync + 'static {
    /// 128 fresh random bits.
    fn draw(&self) -> u128;
}
