//! Times that answers took, asked for one at a time: the next request is sent when the last one is answered, so there is
//! no queue, and no schedule to be late against.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Times, in the order in which they were taken.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Does something and keeps how long it took.
    pub fn time<T>(&mut self, what: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let answer = what()?;
        self.0.push(started.elapsed());
        Ok(answer)
    }

    /// The newest; zero for none.
    pub fn last(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    /// Takes in a time that was taken elsewhere.
    pub fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Takes in all of another's.
    pub fn take_in(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// So many in 100 took at most this long, in milliseconds; 0 for none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
    }

    /// In words.
    pub fn words(&self) -> String {
        format!("p99 {:.1} ms (p50 {:.1} ms, longest {:.1} ms)", self.percentile(99), self.percentile(50), self.percentile(100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_that_so_many_kept() {
        let latencies = Latencies((1..=200).rev().map(Duration::from_millis).collect());
        for (percent, millis) in [(50, 100.0), (99, 198.0), (100, 200.0)] {
            assert!((latencies.percentile(percent) - millis).abs() < 1e-6, "{percent}");
        }
        assert!(Latencies::default().percentile(99).abs() < 1e-9);
    }
}
