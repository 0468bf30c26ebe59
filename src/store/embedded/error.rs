//! Why a data folder cannot be opened, each in a sentence that says what to do.

use std::path::PathBuf;

/// Nothing was opened, and nothing in the folder was changed that a second try would miss.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no store in it.
    #[error("there is no store in {folder}: start the node once, or name its data folder with --data")]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process has it open.
    #[error("the data folder {folder} is in use by another process: stop that one, or choose another folder with --data")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// It was written by a newer program, or by none that is known.
    #[error(
        "the data folder {folder} has format {found}, and this program knows format {known}: \
         run the program that wrote it, or choose another folder with --data"
    )]
    Format {
        /// The folder.
        folder: PathBuf,
        /// The format found.
        found: String,
        /// The format of this program.
        known: u64,
    },
    /// What lies in it contradicts itself.
    #[error(
        "the data folder {folder} is damaged ({what}): keep a copy of it, then restore the folder from a backup \
         or choose another one with --data"
    )]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What was found.
        what: String,
    },
    /// It holds fewer commits than were acknowledged (KF8).
    #[error(
        "the data folder {folder} has lost acknowledged messages: it holds {held} commits of at least {witnessed}; \
         restore it from a backup, or, to go on without what is lost, delete the file {witness} in it"
    )]
    Lost {
        /// The folder.
        folder: PathBuf,
        /// Commits that are there.
        held: u64,
        /// Commits that were there.
        witnessed: u64,
        /// The name of the file that remembers.
        witness: &'static str,
    },
    /// Its journals lack what only acknowledged writes can have been.
    #[error(
        "the data folder {folder} has lost acknowledged messages ({what}); \
         restore it from a backup, or, to go on without what is lost, delete the file {witness} in it"
    )]
    Broken {
        /// The folder.
        folder: PathBuf,
        /// What was found.
        what: String,
        /// The name of the file that remembers.
        witness: &'static str,
    },
    /// The operating system refused.
    #[error("the data folder {folder} cannot be used ({source}): check that it exists, is writable and has space left")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}
