//! The data folder: its lock, the database in it, and the checks before anything is served.
//!
//! ```text
//! <folder>/parlance.lock       held exclusively while the store is open
//! <folder>/parlance.witness    the count of commits (see `witness`)
//! <folder>/store/              the database
//! ```

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Slice};

use super::OpenError;
use super::keys::{Key, Space};
use super::records::{Damage, Stored};
use super::witness::{self, Sighting};

/// The version of everything in the folder. A newer one is not opened.
pub(super) const FORMAT: u64 = 1;

const LOCK: &str = "parlance.lock";
const STORE: &str = "store";
const MIB: u64 = 1024 * 1024;
/// KF5: the journals are read again at each start.
const JOURNALS_BYTES: u64 = 128 * MIB;
const ENTRIES_MEMTABLE_BYTES: u64 = 32 * MIB;
const OTHER_MEMTABLE_BYTES: u64 = 16 * MIB;
const ENTRIES_BLOCK_BYTES: u32 = 16 * 1024;
const OTHER_BLOCK_BYTES: u32 = 4 * 1024;
/// Flushing and compacting; the machine's own cores are for the node.
const WORKER_THREADS: usize = 2;

/// The open database. The lock is given back last.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    database: Database,
    entries: Keyspace,
    heads: Keyspace,
    rows: Keyspace,
    _lock: File,
}

/// What an open folder begins with.
pub(super) struct Opened {
    pub(super) folder: Folder,
    /// The number of this start, at least 1: the epoch.
    pub(super) start: u64,
    /// Commits so far, that of the start included.
    pub(super) commits: u64,
}

impl Folder {
    /// Locks the folder, makes the database or opens it, checks both and counts the start, durably.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Opened, OpenError> {
        // Messages and secrets lie here: a folder that is made is its owner's alone.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| OpenError::Io { folder: path.to_owned(), source })?;
        let folder = Self::locked(path, cache_bytes)?;
        let held = folder.check_commits()?;
        folder.count_start(held)
    }

    /// Locks the folder, opens the database that must be in it and checks both; counts nothing.
    pub(super) fn look(path: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { folder: path.to_owned(), source };
        if !path.join(STORE).join("version").try_exists().map_err(io)? && witness::read(path).map_err(io)?.is_none() {
            return Err(OpenError::Missing { folder: path.to_owned() });
        }
        let folder = Self::locked(path, cache_bytes)?;
        folder.check_commits()?;
        Ok(folder)
    }

    fn locked(path: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { folder: path.to_owned(), source };
        let lock = lock(path)?;
        let is_new = !path.join(STORE).join("version").try_exists().map_err(io)?;
        if is_new && witness::read(path).map_err(io)?.is_some() {
            return Err(damaged(path, format!("the database is gone, though {} remembers one", witness::NAME)));
        }
        let database = database(path, cache_bytes)?;
        if !is_new && database.keyspace_count() != 0 && Space::ALL.iter().any(|space| !database.keyspace_exists(space.name())) {
            return Err(damaged(path, "a part of the database is missing".to_owned()));
        }
        let keyspace = |space: Space| {
            let opened = guarded(|| database.keyspace(space.name(), || options(space)));
            opened.map_err(|fault| fault.sentence(path))
        };
        let folder = Self {
            path: path.to_owned(),
            entries: keyspace(Space::Entries)?,
            heads: keyspace(Space::Heads)?,
            rows: keyspace(Space::Rows)?,
            database,
            _lock: lock,
        };
        folder.check_format()?;
        Ok(folder)
    }

    fn check_format(&self) -> Result<(), OpenError> {
        match self.row::<u64>(Key::Format) {
            Ok(Some(FORMAT)) => Ok(()),
            Ok(Some(found)) => Err(self.format(found.to_string())),
            Ok(None) if self.is_empty()? => Ok(()),
            Ok(None) => Err(damaged(&self.path, "its format is missing".to_owned())),
            Err(error) => Err(error),
        }
    }

    fn is_empty(&self) -> Result<bool, OpenError> {
        let found = [&self.entries, &self.heads, &self.rows].map(Keyspace::is_empty);
        found
            .into_iter()
            .try_fold(true, |all, empty| empty.map(|empty| all && empty))
            .map_err(|error| Fault::from(error).sentence(&self.path))
    }

    /// The commits that are there, if they are all that were counted.
    fn check_commits(&self) -> Result<u64, OpenError> {
        let held = self.row::<u64>(Key::Commits)?.unwrap_or(0);
        let witnessed = witness::read(&self.path).map_err(|source| OpenError::Io { folder: self.path.clone(), source });
        match witnessed? {
            Some(Sighting { commits, .. }) if commits > held => {
                let folder = self.path.clone();
                return Err(OpenError::Lost { folder, held, witnessed: commits, witness: witness::NAME });
            }
            Some(_) => {}
            None if held > 0 => tracing::warn!(held, "no witness of earlier commits is there: a loss would not be noticed"),
            None => {}
        }
        Ok(held)
    }

    fn count_start(self, held: u64) -> Result<Opened, OpenError> {
        let (start, commits) = (self.row::<u64>(Key::Start)?.unwrap_or(0) + 1, held + 1);
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (key, number) in [(Key::Format, FORMAT), (Key::Start, start), (Key::Commits, commits)] {
            let key = key.bytes();
            let value = number.seal(&key);
            batch.insert(&self.rows, key, value);
        }
        match batch.commit() {
            Ok(()) => Ok(Opened { folder: self, start, commits }),
            Err(error) => Err(Fault::from(error).sentence(&self.path)),
        }
    }

    fn row<T: Stored>(&self, key: Key<'_>) -> Result<Option<T>, OpenError> {
        let bytes = key.bytes();
        let value = guarded(|| self.keyspace(key.space()).get(&bytes)).map_err(|fault| fault.sentence(&self.path))?;
        let row = value.map(|value| T::unseal(&bytes, &value)).transpose();
        row.map_err(|damage| match damage {
            Damage::Version(version) => self.format(format!("of a record version {version}")),
            Damage::Short | Damage::Checksum | Damage::Fields(_) | Damage::Value(_) => damaged(&self.path, damage.to_string()),
        })
    }

    fn format(&self, found: String) -> OpenError {
        OpenError::Format { folder: self.path.clone(), found, known: FORMAT }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn keyspace(&self, space: Space) -> &Keyspace {
        match space {
            Space::Entries => &self.entries,
            Space::Heads => &self.heads,
            Space::Rows => &self.rows,
        }
    }

    /// The bytes that stand under a key, as of the last commit.
    pub(super) fn bytes(&self, space: Space, key: &[u8]) -> fjall::Result<Option<Slice>> {
        self.keyspace(space).get(key)
    }
}

/// Takes away a folder that no process has open.
pub fn discard(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { folder: path.to_owned(), source };
    if !path.try_exists().map_err(io)? {
        return Ok(());
    }
    let _lock = lock(path)?;
    std::fs::remove_dir_all(path).map_err(io)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(LOCK));
    let file = file.map_err(|source| OpenError::Io { folder: path.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { folder: path.to_owned(), source }),
    }
}

fn database(path: &Path, cache_bytes: u64) -> Result<Database, OpenError> {
    let builder =
        Database::builder(path.join(STORE)).cache_size(cache_bytes).max_journaling_size(JOURNALS_BYTES).worker_threads(WORKER_THREADS);
    guarded(|| builder.open()).map_err(|fault| fault.sentence(path))
}

fn options(space: Space) -> KeyspaceCreateOptions {
    let (memtable, block) = match space {
        Space::Entries => (ENTRIES_MEMTABLE_BYTES, ENTRIES_BLOCK_BYTES),
        Space::Heads | Space::Rows => (OTHER_MEMTABLE_BYTES, OTHER_BLOCK_BYTES),
    };
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable)
        .data_block_size_policy(BlockSizePolicy::all(block))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
}

/// What the database said, or that it panicked: it expects its own files to be whole.
enum Fault {
    Refused(Box<fjall::Error>),
    Panicked,
}

impl From<fjall::Error> for Fault {
    fn from(error: fjall::Error) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl Fault {
    fn sentence(self, path: &Path) -> OpenError {
        let folder = path.to_owned();
        match self {
            Self::Panicked => damaged(path, "the database cannot make sense of its files".to_owned()),
            Self::Refused(error) => match *error {
                fjall::Error::Locked => OpenError::InUse { folder },
                fjall::Error::Io(source) if is_damage(source.kind()) => damaged(path, source.to_string()),
                fjall::Error::Io(source) => OpenError::Io { folder, source },
                fjall::Error::InvalidVersion(Some(version)) => {
                    OpenError::Format { folder, found: format!("of database version {version:?}"), known: FORMAT }
                }
                other => damaged(path, other.to_string()),
            },
        }
    }
}

/// Kinds that the operating system gives for files that are not what they should be.
fn is_damage(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

fn damaged(path: &Path, what: String) -> OpenError {
    OpenError::Damaged { folder: path.to_owned(), what }
}

fn guarded<T>(call: impl FnOnce() -> fjall::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(Fault::from),
        Err(panic) => {
            drop(panic);
            Err(Fault::Panicked)
        }
    }
}
