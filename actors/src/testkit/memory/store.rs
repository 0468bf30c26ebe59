//! The store itself: its faults, and its logs.
//!
//! A claim raises the epoch here, as in the CQL store, so that tests see fencing by a mere claim. Nothing is durable;
//! a restart of actors is simulated by keeping the store. Invariant: every call is one critical section, so each has
//! happened wholly or not at all when it answers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use super::rows::Rows;
use crate::entry::{Batch, Entry, Head};
use crate::id::{Bucket, Epoch, LogId, Segment, Seq};
use crate::store::{Answer, AppendError, Block, LogStore, Sequence, Store, StoreError};

/// The calls that a fault can hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`LogStore::head`] and [`LogStore::heads`].
    Head,
    /// [`LogStore::claim`].
    Claim,
    /// [`LogStore::append`].
    Append,
    /// [`LogStore::range`].
    Range,
    /// [`LogStore::draw`].
    Draw,
    /// [`LogStore::bind_segment`].
    Bind,
    /// [`MemberStore::raise`](crate::store::MemberStore::raise).
    Raise,
    /// [`AccountStore::put_account`](crate::store::AccountStore::put_account), `put_login`,
    /// [`RelationStore::put_bond`](crate::store::RelationStore::put_bond) and
    /// [`MediaStore::put_media`](crate::store::MediaStore::put_media).
    Put,
    /// [`AccountStore::touch`](crate::store::AccountStore::touch).
    Touch,
    /// Every other call: they read rows that are no log's.
    Read,
}

/// What goes wrong with a call. Writes answer *unknown* in both cases, reads *unavailable*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done.
    Before,
    /// It is done all the same.
    After,
}

/// Decides for each call whether it goes wrong.
pub type Faults = Box<dyn FnMut(Call) -> Option<Fault> + Send>;

/// A store that forgets everything when it is dropped.
pub struct MemoryStore {
    rows: Mutex<Rows>,
    planned: Mutex<VecDeque<(Call, Fault)>>,
    faults: Mutex<Option<Faults>>,
    held: watch::Sender<bool>,
    ready: Mutex<Result<(), String>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            planned: Mutex::default(),
            faults: Mutex::default(),
            held: watch::Sender::new(false),
            ready: Mutex::new(Ok(())),
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
    /// The next call of this kind goes wrong; faults of one kind are used up in the order they were planned.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        self.planned.lock().expect("planning cannot panic").push_back((call, fault));
    }
    /// Asks this for each call that no fault was planned for.
    pub fn set_faults(&self, faults: Faults) {
        *self.faults.lock().expect("a fault must not panic") = Some(faults);
    }
    /// From now on appends wait, not yet done, until [`Self::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }
    /// Lets waiting appends go on.
    pub fn release(&self) {
        self.held.send_replace(false);
    }
    /// What [`Store::readiness`] answers from now on.
    pub fn set_readiness(&self, ready: Result<(), String>) {
        *self.ready.lock().expect("setting cannot panic") = ready;
    }
    /// Writes a batch without any condition, over whatever stands there: to begin a log where a test wants it, and to
    /// play a store that does not compare.
    pub fn overwrite(&self, log: LogId, batch: &Batch) {
        self.rows().overwrite(log, batch);
    }
    /// Which bucket a segment was bound to.
    pub fn bound(&self, segment: Segment) -> Option<(LogId, Bucket)> {
        self.rows().segments.get(&segment).copied()
    }

    pub(super) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no call panics halfway")
    }

    fn fault(&self, call: Call) -> Option<Fault> {
        let mut planned = self.planned.lock().expect("planning cannot panic");
        if let Some(index) = planned.iter().position(|(which, _)| *which == call) {
            return planned.remove(index).map(|(_, fault)| fault);
        }
        drop(planned);
        let mut faults = self.faults.lock().expect("a fault must not panic");
        faults.as_mut().and_then(|decide| decide(call))
    }

    pub(super) fn read<T>(&self, call: Call, read: impl FnOnce(&Rows) -> T) -> Result<T, StoreError> {
        match self.fault(call) {
            Some(Fault::Before | Fault::After) => Err(StoreError::Unavailable("a planned fault".to_owned())),
            None => Ok(read(&self.rows())),
        }
    }

    pub(super) fn write<T, E>(&self, call: Call, unknown: E, write: impl FnOnce(&mut Rows) -> Result<T, E>) -> Result<T, E> {
        match self.fault(call) {
            Some(Fault::Before) => Err(unknown),
            Some(Fault::After) => {
                drop(write(&mut self.rows()));
                Err(unknown)
            }
            None => write(&mut self.rows()),
        }
    }
}

pub(super) fn planned() -> String {
    "a planned fault".to_owned()
}

impl LogStore for MemoryStore {
    fn head(&self, log: LogId) -> Answer<'_, Head> {
        Box::pin(async move { self.read(Call::Head, |rows| rows.head(log)) })
    }

    fn heads<'a>(&'a self, logs: &'a [LogId]) -> Answer<'a, Vec<Head>> {
        Box::pin(async move { self.read(Call::Head, |rows| logs.iter().map(|log| rows.head(*log)).collect()) })
    }

    fn claim(&self, log: LogId, seen: Head) -> Answer<'_, Epoch, AppendError> {
        Box::pin(async move { self.write(Call::Claim, AppendError::Unknown(planned()), |rows| rows.claim(log, seen)) })
    }

    fn append(&self, log: LogId, batch: Arc<Batch>) -> Answer<'_, (), AppendError> {
        Box::pin(async move {
            assert!(batch.is_whole(log), "a batch that contradicts itself: {batch:?}");
            let mut held = self.held.subscribe();
            if held.wait_for(|held| !held).await.is_err() {
                unreachable!("the store outlives its calls");
            }
            self.write(Call::Append, AppendError::Unknown(planned()), |rows| rows.append(log, &batch))
        })
    }

    fn range(&self, log: LogId, from: Seq, to: Seq, limit: usize, newest_first: bool) -> Answer<'_, Vec<Entry>> {
        Box::pin(async move {
            self.read(Call::Range, |rows| match rows.logs.get(&log) {
                Some(log) if from <= to => {
                    let entries = log.entries.range(from..=to).map(|(_, entry)| entry.clone());
                    if newest_first { entries.rev().take(limit).collect() } else { entries.take(limit).collect() }
                }
                Some(_) | None => Vec::new(),
            })
        })
    }

    fn draw(&self, sequence: Sequence, count: u64) -> Answer<'_, Block> {
        Box::pin(async move {
            self.write(Call::Draw, StoreError::Unknown(planned()), |rows| {
                let last = rows.sequences.entry(sequence).or_default();
                let first = *last + 1;
                *last += count;
                Ok(Block { first, count })
            })
        })
    }

    fn bind_segment(&self, segment: Segment, log: LogId, bucket: Bucket) -> Answer<'_, ()> {
        Box::pin(async move {
            self.write(Call::Bind, StoreError::Unknown(planned()), |rows| {
                let stands = rows.segments.entry(segment).or_insert((log, bucket));
                if *stands == (log, bucket) { Ok(()) } else { Err(StoreError::Corrupt(format!("{segment:?} is bound to {stands:?}"))) }
            })
        })
    }

    fn bucket_of(&self, segment: Segment) -> Answer<'_, Option<(LogId, Bucket)>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.segments.get(&segment).copied()) })
    }
}

impl Store for MemoryStore {
    fn readiness(&self) -> Result<(), String> {
        self.ready.lock().expect("setting cannot panic").clone()
    }
}
