//! Opening and closing the embedded store, and the two ways into it: writes go to the writer, a few rows are read on the
//! spot, more on the runtime's threads for blocking work.
//!
//! It must be used within a tokio runtime. Dropping it ends its threads as closing does, and waits for them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc as signals};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actors::id::Epoch;
use actors::limits::{Limit, Limits};
use actors::store::{AppendError, PutError, Store, StoreError};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::calls::Call;
use super::folder::{Folder, MEMTABLE_BYTES};
use super::group::Request;
use super::stats::add;
use super::witness::{Sighting, Witness};
use super::writer::Writer;
use super::{Committed, OpenError, Stats};

/// Time between two counts in the witness.
const WITNESS_EVERY: Duration = Duration::from_secs(1);

/// How to open a store.
pub struct Options {
    /// The data folder; made if it is missing.
    pub folder: PathBuf,
    /// Bytes for blocks that were read.
    pub cache_bytes: u64,
    /// Bytes of entries that are gathered in memory for one table; half of it for each other kind of row. Taken over when
    /// a folder is made, and then fixed for it.
    pub memtable_bytes: u64,
    /// `Commits…`, `Commit…` and `Read…` are enforced here.
    pub limits: Limits,
    /// Called once, with the reason, when a commit failed or hung: the process must end without acknowledging more.
    pub fatal: Box<dyn Fn(String) + Send + Sync>,
    /// Called by the writer after each commit; must not take long.
    pub observe: Box<dyn Fn(&Committed) + Send + Sync>,
}

impl Options {
    /// A folder with default limits, a cache of 64 MiB, and nobody who observes.
    pub fn new(folder: impl Into<PathBuf>, fatal: Box<dyn Fn(String) + Send + Sync>) -> Self {
        Self {
            folder: folder.into(),
            cache_bytes: 64 * 1024 * 1024,
            memtable_bytes: MEMTABLE_BYTES,
            limits: Limits::default(),
            fatal,
            observe: Box::new(|_| {}),
        }
    }
}

/// What the store's threads and calls share.
pub(super) struct Shared {
    pub(super) folder: Arc<Folder>,
    pub(super) stats: Arc<Stats>,
    start: u64,
    commits: AtomicU64,
    opened: Instant,
    /// When the commit at work began, in microseconds since `opened`, plus one; 0 if none is at work.
    commit_since: AtomicU64,
    stopped: OnceLock<String>,
    fatal: Box<dyn Fn(String) + Send + Sync>,
    /// Makes the next commit fail.
    #[cfg(test)]
    pub(super) broken: std::sync::atomic::AtomicBool,
}

impl Shared {
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }
    pub(super) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Release);
    }
    pub(super) fn commit_begins(&self) {
        let now = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
        self.commit_since.store(now + 1, Ordering::Release);
    }
    pub(super) fn commit_ended(&self) {
        self.commit_since.store(0, Ordering::Release);
    }
    /// Why the store stopped, if it did.
    pub(super) fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }
    /// Stops acknowledging for good and says so once.
    pub(super) fn stop(&self, why: &str) {
        if self.stopped.set(why.to_owned()).is_ok() {
            add(&self.stats.failures, 1);
            tracing::error!(why, "the store stops");
            (self.fatal)(why.to_owned());
        }
    }

    fn sighting(&self) -> Sighting {
        Sighting { commits: self.commits(), start: self.start }
    }

    fn watch(&self, patience: Duration) {
        let since = self.commit_since.load(Ordering::Acquire);
        if since != 0 && self.opened.elapsed() > Duration::from_micros(since) + patience {
            self.stop(&format!("a commit has not come back for {patience:?}"));
        }
    }
}

/// The store of a single node.
pub struct EmbeddedStore {
    pub(super) shared: Arc<Shared>,
    /// Taken when the store is dropped.
    requests: Option<mpsc::Sender<Request>>,
    /// How many reads may wait for a permit is bounded by those who ask: queries of a node, actors awake.
    readers: Arc<Semaphore>,
    /// Reading a cached row takes 1.5 µs (measured), handing a read over to another thread 10 to 20.
    inline_rows: usize,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    /// Each ends when its signal is dropped.
    tickers: Vec<(signals::SyncSender<()>, JoinHandle<()>)>,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("folder", &self.shared.folder.path).field("start", &self.shared.start).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store, or makes one. Blocks until what the last run left in the journals was read again.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let opened = Folder::open(&options.folder, options.cache_bytes, options.memtable_bytes)?;
        let io = |source| OpenError::Io { folder: options.folder.clone(), source };
        let witness = Witness::begin(&options.folder, Sighting { commits: opened.commits, start: opened.start }).map_err(io)?;
        let shared = Arc::new(Shared {
            folder: Arc::new(opened.folder),
            stats: Arc::default(),
            start: opened.start,
            commits: AtomicU64::new(opened.commits),
            opened: Instant::now(),
            commit_since: AtomicU64::new(0),
            stopped: OnceLock::new(),
            fatal: options.fatal,
            #[cfg(test)]
            broken: std::sync::atomic::AtomicBool::new(false),
        });
        let (requests, waiting) = mpsc::channel(options.limits.count(Limit::CommitsWaiting).max(1));
        let writer = Writer {
            shared: Arc::clone(&shared),
            requests: waiting,
            rows_max: options.limits.count(Limit::CommitRows),
            bytes_max: options.limits.count(Limit::CommitBytes),
            heads_max: options.limits.count(Limit::CommitHeads),
            observe: options.observe,
        };
        let writer = std::thread::Builder::new().name("store-writer".to_owned()).spawn(|| writer.run()).map_err(io)?;
        let patience = options.limits.time(Limit::CommitWatchdog);
        let watched = Arc::clone(&shared);
        let watchdog =
            ticker("store-watchdog", (patience / 4).max(Duration::from_millis(1)), move |_| watched.watch(patience)).map_err(io)?;
        let witness = witness_thread(Arc::clone(&shared), witness).map_err(io)?;
        let threads = Mutex::new(Threads { writer: Some(writer), tickers: vec![watchdog, witness] });
        let readers = Arc::new(Semaphore::new(options.limits.count(Limit::ReadsAtWork).clamp(1, Semaphore::MAX_PERMITS)));
        let inline_rows = options.limits.count(Limit::ReadRowsInline);
        Ok(Self { shared, requests: Some(requests), readers, inline_rows, threads })
    }

    /// What the metrics show.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.shared.stats)
    }

    /// The number of this start, from 1.
    pub fn start(&self) -> Epoch {
        Epoch(self.shared.start)
    }

    /// Answers everything that waits, refuses what comes later, syncs the witness and ends the threads. The folder
    /// stays locked until the store is dropped.
    pub async fn close(&self) {
        let (answer, done) = oneshot::channel();
        if self.requests().send(Request::Close(answer)).await.is_ok() {
            drop(done.await); // an error is a writer that has stopped: it is done as well
        }
        let threads = std::mem::take(&mut *self.threads.lock().expect("taking cannot panic"));
        if tokio::task::spawn_blocking(move || threads.end()).await.is_err() {
            tracing::error!("a thread of the store ended by a panic");
        }
    }

    pub(super) fn count(&self, call: Call) {
        self.shared.stats.calls.count(call);
    }

    pub(super) fn requests(&self) -> &mpsc::Sender<Request> {
        self.requests.as_ref().expect("it is there until the store is dropped")
    }

    /// Gives a request to the writer and waits for its answer; `None` if it was not given, an error if it is not known
    /// what became of it.
    pub(super) async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Unanswered> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting::new(&self.shared.stats);
        let sent = self.requests().send(request(answer)).await;
        if sent.is_err() {
            return Err(Unanswered::NotDone);
        }
        let answer = answered.await;
        drop(waiting);
        answer.ok().ok_or(Unanswered::Unknown)
    }

    /// Reads a few rows on the spot, more on a thread for blocking work.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        rows: usize,
        read: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if rows <= self.inline_rows {
            return read(&self.shared);
        }
        let permit = Arc::clone(&self.readers).acquire_owned().await.expect("never closed");
        let shared = Arc::clone(&self.shared);
        let answer = tokio::task::spawn_blocking(move || {
            let answer = read(&shared);
            drop(permit);
            answer
        });
        match answer.await {
            Ok(answer) => answer,
            Err(panic) => Err(StoreError::Unavailable(format!("the read was not finished: {panic}"))),
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.requests = None;
        std::mem::take(self.threads.get_mut().expect("taking cannot panic")).end();
    }
}

impl Threads {
    /// Waits for the writer, then for the tickers: the witness comes last, it counts what the writer did.
    fn end(self) {
        let ended = self.writer.map_or(Ok(()), JoinHandle::join);
        for (signal, ticker) in self.tickers {
            drop(signal);
            if ticker.join().is_err() {
                tracing::error!("a thread of the store ended by a panic");
            }
        }
        if ended.is_err() {
            tracing::error!("the writer ended by a panic");
        }
    }
}

/// A request counts as waiting until it is answered or given up.
struct Waiting<'a>(&'a Stats);

impl<'a> Waiting<'a> {
    fn new(stats: &'a Stats) -> Self {
        add(&stats.waiting, 1);
        Self(stats)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unanswered {
    NotDone,
    Unknown,
}

const CLOSED: &str = "the store is closed or has stopped";

impl From<Unanswered> for StoreError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NotDone => Self::Unavailable(CLOSED.to_owned()),
            Unanswered::Unknown => Self::Unknown(CLOSED.to_owned()),
        }
    }
}

impl From<Unanswered> for AppendError {
    fn from(_: Unanswered) -> Self {
        Self::Unknown(CLOSED.to_owned())
    }
}

impl From<Unanswered> for PutError {
    fn from(unanswered: Unanswered) -> Self {
        Self::Store(unanswered.into())
    }
}

/// A thread that does something again and again, and once more (told `true`) when its signal is dropped.
fn ticker(
    name: &str,
    every: Duration,
    mut tick: impl FnMut(bool) + Send + 'static,
) -> std::io::Result<(signals::SyncSender<()>, JoinHandle<()>)> {
    let (signal, signalled) = signals::sync_channel(1);
    let run = move || {
        while signalled.recv_timeout(every) == Err(signals::RecvTimeoutError::Timeout) {
            tick(false);
        }
        tick(true);
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok((signal, thread))
}

fn witness_thread(shared: Arc<Shared>, mut witness: Witness) -> std::io::Result<(signals::SyncSender<()>, JoinHandle<()>)> {
    let mut last = shared.sighting();
    ticker("store-witness", WITNESS_EVERY, move |_| {
        let now = shared.sighting();
        if now != last {
            match witness.write(now) {
                Ok(()) => last = now,
                Err(error) => tracing::error!(%error, "the count of commits cannot be written"),
            }
        }
    })
}

impl Store for EmbeddedStore {
    fn readiness(&self) -> Result<(), String> {
        match self.shared.stopped() {
            Some(why) => Err(why.to_owned()),
            None if self.requests().is_closed() => Err("the store is closed".to_owned()),
            None => Ok(()),
        }
    }
}
