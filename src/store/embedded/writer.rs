//! The one thread that writes: it takes whatever waits, commits it with one sync, and only then answers (KF3). When
//! nothing but touches waits, which may be lost with the machine, it spares the sync.
//!
//! While a sync runs the next requests gather, so the load itself makes the groups. A commit that fails is never
//! answered: those who wait learn that the outcome is unknown, and the node stops (KF7). A commit that hangs is
//! noticed by the watchdog, and should it come back it is not answered either.

use std::sync::Arc;
use std::time::Instant;

use fjall::PersistMode;
use tokio::sync::mpsc::Receiver;

use super::Committed;
use super::group::{Group, HeadCache, Request};
use super::keys::Key;
use super::records::Stored;
use super::stats::add;
use super::store::Shared;

/// The writer, before its thread.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) requests: Receiver<Request>,
    pub(super) rows_max: usize,
    pub(super) bytes_max: usize,
    /// Heads that are remembered.
    pub(super) heads_max: usize,
    pub(super) observe: Box<dyn Fn(&Committed) + Send + Sync>,
}

impl Writer {
    /// Serves requests until the store is closed or dropped, or a commit fails.
    pub(super) fn run(mut self) {
        let _panicked = Panicked(Arc::clone(&self.shared));
        let mut heads = HeadCache::new(self.heads_max);
        let mut carried = None;
        while let Some(first) = carried.take().or_else(|| self.requests.blocking_recv()) {
            let shared = Arc::clone(&self.shared);
            let mut group = Group::new(&shared, &mut heads);
            carried = self.gather(&mut group, first);
            if !self.commit(group) {
                self.requests.close();
                return; // what waits is dropped: its outcome is unknown to those who asked
            }
        }
    }

    /// Fills the group with what waits; what no longer fits is given back.
    fn gather(&mut self, group: &mut Group<'_>, first: Request) -> Option<Request> {
        let (mut rows, mut bytes) = first.weight();
        self.admit(group, first);
        while let Ok(request) = self.requests.try_recv() {
            let weight = request.weight();
            (rows, bytes) = (rows + weight.0, bytes + weight.1);
            if rows > self.rows_max || bytes > self.bytes_max {
                return Some(request);
            }
            self.admit(group, request);
        }
        None
    }

    fn admit(&mut self, group: &mut Group<'_>, request: Request) {
        if matches!(request, Request::Close(_)) {
            self.requests.close();
        }
        group.take(request);
    }

    /// Commits and answers; whether the store can go on.
    fn commit(&self, mut group: Group<'_>) -> bool {
        let shared = &self.shared;
        let (requests, rows, durable) = (group.requests(), group.rows(), group.is_durable());
        if !rows.is_empty() {
            let started = Instant::now();
            shared.commit_begins();
            let written = self.write(rows, durable);
            shared.commit_ended();
            match written {
                Ok((rows, bytes)) => self.count(&Committed { requests, rows, bytes, took: started.elapsed() }, durable),
                Err(error) => {
                    shared.stop(&format!("a commit failed: {error}"));
                    return false;
                }
            }
        }
        if shared.stopped().is_some() {
            return false;
        }
        add(&shared.stats.requests, requests);
        group.answer();
        true
    }

    /// What need not be durable is given to the operating system and not counted: the witness would take its loss for
    /// that of a journal's end.
    fn write(&self, rows: Vec<(super::keys::Space, Vec<u8>, Option<Vec<u8>>)>, durable: bool) -> fjall::Result<(u64, u64)> {
        let folder = &self.shared.folder;
        let (mut count, mut bytes) = (u64::from(durable), 0);
        let mode = if durable { PersistMode::SyncData } else { PersistMode::Buffer };
        let mut batch = fjall::OwnedWriteBatch::with_capacity(folder.database().clone(), rows.len() + 1).durability(Some(mode));
        for (space, key, value) in rows {
            count += 1;
            bytes += (key.len() + value.as_ref().map_or(0, Vec::len)) as u64;
            match value {
                Some(value) => batch.insert(folder.keyspace(space), key, value),
                None => batch.remove(folder.keyspace(space), key),
            }
        }
        if durable {
            let key = Key::Commits.bytes();
            let value = (self.shared.commits() + 1).seal(&key);
            batch.insert(folder.keyspace(Key::Commits.space()), key, value);
        }
        #[cfg(test)]
        if self.shared.broken.load(std::sync::atomic::Ordering::Acquire) {
            return Err(fjall::Error::Poisoned);
        }
        batch.commit()?;
        Ok((count, bytes))
    }

    fn count(&self, committed: &Committed, durable: bool) {
        if durable {
            self.shared.count_commit();
        }
        self.shared.stats.committed(committed);
        (self.observe)(committed);
    }
}

/// A writer that panics stops the node as a failed commit does.
struct Panicked(Arc<Shared>);

impl Drop for Panicked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("the writer panicked");
        }
    }
}
