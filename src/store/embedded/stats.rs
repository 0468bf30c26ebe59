//! What the embedded store counts, for the metrics to read: plain numbers, this part knows no exporter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::calls::Calls;

/// Counts since the store was opened. Each only rises, but `waiting`, which is what stands now.
#[derive(Debug, Default)]
pub struct Stats {
    /// Commits that are durable.
    pub commits: AtomicU64,
    /// Syncs of the journal.
    pub fsyncs: AtomicU64,
    /// Rows written, each key once in a commit.
    pub rows: AtomicU64,
    /// Bytes of their keys and values.
    pub bytes: AtomicU64,
    /// Requests answered by the writer, refusals included.
    pub requests: AtomicU64,
    /// Stored records that could not be read.
    pub bad_records: AtomicU64,
    /// Requests that wait for the writer or for the commit at work.
    pub waiting: AtomicU64,
    /// Microseconds spent in commits.
    pub commit_micros: AtomicU64,
    /// Commits that failed or hung; the node stops at the first.
    pub failures: AtomicU64,
    /// Calls of the ports, by kind.
    pub calls: Calls,
}

/// One commit that became durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Requests in it.
    pub requests: u64,
    /// Rows of it.
    pub rows: u64,
    /// Bytes of it.
    pub bytes: u64,
    /// How long the commit took, its sync included.
    pub took: Duration,
}

impl Stats {
    pub(super) fn committed(&self, commit: &Committed) {
        add(&self.commits, 1);
        add(&self.fsyncs, 1);
        add(&self.rows, commit.rows);
        add(&self.bytes, commit.bytes);
        add(&self.commit_micros, u64::try_from(commit.took.as_micros()).unwrap_or(u64::MAX));
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
