//! The data folder: its lock, the database in it, and the checks before anything is served.
//!
//! ```text
//! <folder>/parlance.lock       held exclusively while the store is open
//! <folder>/parlance.witness    the count of commits (see `witness`)
//! <folder>/parlance.torn       what was last cut off the end of a journal (see `journal`)
//! <folder>/store/              the database
//! <folder>/store.begun/        a database that is being made; what a crash left of one is made anew
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Slice};

use super::OpenError;
use super::journal::{self, Behind};
use super::keys::{Key, Space};
use super::manifest;
use super::records::{Damage, Stored};
use super::upgrade;
use super::witness::{self, Sighting};

/// The version of everything in the folder. A newer one is not opened; what an older one lacks is made when it is
/// opened to be written (see `upgrade`).
pub(super) const FORMAT: u64 = 2;

const LOCK: &str = "parlance.lock";
const STORE: &str = "store";
const BEGUN: &str = "store.begun";
const MIB: u64 = 1024 * 1024;
/// KF5: the journals are read again at each start.
const JOURNALS_BYTES: u64 = 128 * MIB;
/// The entries' memtable unless somebody asks otherwise; the others get half (KF5).
pub(super) const MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;
const ENTRIES_BLOCK_BYTES: u32 = 16 * 1024;
const OTHER_BLOCK_BYTES: u32 = 4 * 1024;
/// Flushing and compacting; the machine's own cores are for the node.
const WORKER_THREADS: usize = 2;

/// The open database. The lock is given back last.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The format that it was found in.
    pub(super) format: u64,
    database: Database,
    entries: Keyspace,
    heads: Keyspace,
    rows: Keyspace,
    /// The number of the last write in the journals, if there was one, when the folder was opened.
    journaled: Option<u64>,
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
    pub(super) fn open(path: &Path, cache_bytes: u64, memtable_bytes: u64) -> Result<Opened, OpenError> {
        // Messages and secrets lie here: a folder that is made is its owner's alone.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| OpenError::Io { folder: path.to_owned(), source })?;
        let folder = Self::locked(path, cache_bytes, memtable_bytes)?;
        let held = folder.check_commits()?;
        upgrade::run(&folder).map_err(|error| Fault::from(error).sentence(path))?;
        folder.count_start(held)
    }

    /// Locks the folder, opens the database that must be in it and checks both; counts nothing.
    pub(super) fn look(path: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { folder: path.to_owned(), source };
        if !path.join(STORE).join("version").try_exists().map_err(io)? && witness::read(path).map_err(io)?.is_none() {
            return Err(OpenError::Missing { folder: path.to_owned() });
        }
        let folder = Self::locked(path, cache_bytes, MEMTABLE_BYTES)?;
        folder.check_commits()?;
        Ok(folder)
    }

    fn locked(path: &Path, cache_bytes: u64, memtable_bytes: u64) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { folder: path.to_owned(), source };
        let lock = lock(path)?;
        if !path.join(STORE).try_exists().map_err(io)? {
            if witness::read(path).map_err(io)?.is_some() {
                return Err(damaged(path, format!("the database is gone, though {} remembers one", witness::NAME)));
            }
            begin(path, cache_bytes, memtable_bytes)?;
        }
        if !path.join(STORE).join("version").try_exists().map_err(io)? {
            return Err(damaged(path, "a part of the database is missing".to_owned()));
        }
        if let Some(what) = manifest::damage(&path.join(STORE)).map_err(|error| Fault::from(fjall::Error::Io(error)).sentence(path))? {
            return Err(damaged(path, what));
        }
        let journaled = mend(path)?;
        let database = database(path, STORE, cache_bytes)?;
        if Space::ALL.iter().any(|space| !database.keyspace_exists(space.name())) {
            return Err(damaged(path, "a part of the database is missing".to_owned()));
        }
        let mut folder = Self {
            path: path.to_owned(),
            format: 0,
            entries: keyspace(path, &database, Space::Entries, memtable_bytes)?,
            heads: keyspace(path, &database, Space::Heads, memtable_bytes)?,
            rows: keyspace(path, &database, Space::Rows, memtable_bytes)?,
            database,
            journaled,
            _lock: lock,
        };
        folder.format = folder.check_format()?;
        Ok(folder)
    }

    fn check_format(&self) -> Result<u64, OpenError> {
        match self.row::<u64>(Key::Format) {
            Ok(Some(format @ 1..=FORMAT)) => Ok(format),
            Ok(Some(found)) => Err(self.format(found.to_string())),
            Ok(None) => Err(damaged(&self.path, "its format is missing".to_owned())),
            Err(error) => Err(error),
        }
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
            Some(_) if self.tables_are_ahead() => {
                let what = "its tables hold a later write than its journals".to_owned();
                return Err(OpenError::Broken { folder: self.path.clone(), what, witness: witness::NAME });
            }
            Some(_) => {}
            None if held > 0 => tracing::warn!(held, "no witness of earlier commits is there: a loss would not be noticed"),
            None => {}
        }
        Ok(held)
    }

    /// Whether the journals end before the tables do. A write goes into a journal, is synced, and only then can come into
    /// a table, so the journals have lost what was acknowledged; the count of commits may stand in the table.
    fn tables_are_ahead(&self) -> bool {
        let tables = Space::ALL.into_iter().filter_map(|space| self.keyspace(space).tree.get_highest_persisted_seqno()).max();
        self.journaled.is_some_and(|journaled| tables.is_some_and(|tables| tables > journaled))
    }

    fn count_start(self, held: u64) -> Result<Opened, OpenError> {
        let (start, commits) = (self.row::<u64>(Key::Start)?.unwrap_or(0) + 1, held + 1);
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (key, number) in [(Key::Start, start), (Key::Commits, commits)] {
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

/// Makes a database under another name and renames it when it is whole and synced: a database that is there was made
/// to its end, and what a crash left of one that was not is nobody's.
fn begin(path: &Path, cache_bytes: u64, memtable_bytes: u64) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { folder: path.to_owned(), source };
    let begun = path.join(BEGUN);
    if begun.try_exists().map_err(io)? {
        fs::remove_dir_all(&begun).map_err(io)?;
    }
    let database = database(path, BEGUN, cache_bytes)?;
    let [entries, heads, rows] = Space::ALL.map(|space| keyspace(path, &database, space, memtable_bytes));
    let spaces = (entries?, heads?, rows?);
    let key = Key::Format.bytes();
    let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
    batch.insert(&spaces.2, key.clone(), FORMAT.seal(&key));
    batch.commit().map_err(|error| Fault::from(error).sentence(path))?;
    drop((spaces, database));
    sync_below(&begun).map_err(io)?;
    fs::rename(begun, path.join(STORE)).map_err(io)?;
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io)?;
    // The folder's own name, and those of folders that were made with it, must last as well.
    for ancestor in path.canonicalize().map_err(io)?.ancestors().skip(1) {
        if let Err(error) = File::open(ancestor).and_then(|folder| folder.sync_all()) {
            tracing::debug!(?ancestor, %error, "a folder above the store cannot be synced");
        }
    }
    Ok(())
}

/// Cuts an unfinished write off the end of the journals and answers the number of the last one that is left; refuses
/// journals that lack more than that.
fn mend(path: &Path) -> Result<Option<u64>, OpenError> {
    let io = |source| OpenError::Io { folder: path.to_owned(), source };
    let journals = journal::read(&path.join(STORE)).map_err(io)?;
    let Some(broken) = journals.broken else { return Ok(journals.last) };
    let (journal, at, bytes) = (broken.journal.display(), broken.at, broken.bytes.len());
    match broken.behind {
        Some(Behind::Journal) => {
            return Err(damaged(path, format!("{journal} cannot be read from byte {at} on, and a later journal holds more")));
        }
        Some(Behind::Batches) if witness::read(path).map_err(io)?.is_some() => {
            let what = format!("{journal} cannot be read at byte {at}, and whole writes follow there");
            return Err(OpenError::Broken { folder: path.to_owned(), what, witness: witness::NAME });
        }
        Some(Behind::Batches) => tracing::warn!(%journal, at, bytes, kept = journal::TORN, "a damaged journal is cut off"),
        None => tracing::warn!(%journal, at, bytes, kept = journal::TORN, "a write that was not finished is cut off its journal"),
    }
    broken.cut(path).map_err(io)?;
    Ok(journals.last)
}

/// Syncs everything in a folder, and the folder.
fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_below(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

fn database(path: &Path, name: &str, cache_bytes: u64) -> Result<Database, OpenError> {
    let builder =
        Database::builder(path.join(name)).cache_size(cache_bytes).max_journaling_size(JOURNALS_BYTES).worker_threads(WORKER_THREADS);
    guarded(|| builder.open()).map_err(|fault| fault.sentence(path))
}

fn keyspace(path: &Path, database: &Database, space: Space, memtable_bytes: u64) -> Result<Keyspace, OpenError> {
    guarded(|| database.keyspace(space.name(), || options(space, memtable_bytes))).map_err(|fault| fault.sentence(path))
}

fn options(space: Space, memtable_bytes: u64) -> KeyspaceCreateOptions {
    let (memtable, block) = match space {
        Space::Entries => (memtable_bytes, ENTRIES_BLOCK_BYTES),
        Space::Heads | Space::Rows => (memtable_bytes / 2, OTHER_BLOCK_BYTES),
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
                fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => match source.kind() {
                    kind if is_damage(kind) => damaged(path, source.to_string()),
                    _ => OpenError::Io { folder, source },
                },
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
