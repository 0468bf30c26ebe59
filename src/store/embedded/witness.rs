//! The count of commits in a file of its own, so that a journal that lost its end is noticed (KF8).
//!
//! Two slots are written in turn, so that a torn write leaves the other one. The count is written about once a second
//! and at a clean stop: what was cut off behind the last count cannot be told from a write that was never finished.
//! Without the file nothing is checked: deleting it is how an operator accepts a loss.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The file's name in the data folder.
pub(super) const NAME: &str = "parlance.witness";

/// Far enough apart for a torn write to hit one only.
const SLOT_BYTES: usize = 512;
const RECORD_BYTES: usize = 20;

/// How far the store had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sighting {
    /// Commits in the store's life.
    pub(super) commits: u64,
    /// The start that wrote it.
    pub(super) start: u64,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    turn: bool,
}

/// The last count, if the file is there; an error if the file is there and holds none.
pub(super) fn read(folder: &Path) -> io::Result<Option<Sighting>> {
    let bytes = match std::fs::read(folder.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let slots = [bytes.get(..RECORD_BYTES), bytes.get(SLOT_BYTES..SLOT_BYTES + RECORD_BYTES)];
    let sightings = slots.into_iter().flatten().filter_map(parse);
    match sightings.max_by_key(|sighting| sighting.commits) {
        Some(sighting) => Ok(Some(sighting)),
        None if bytes.is_empty() => Ok(None),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, format!("the file {NAME} cannot be read"))),
    }
}

impl Witness {
    /// Opens the file, makes it if it is missing, and writes this count into both slots.
    pub(super) fn begin(folder: &Path, sighting: Sighting) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(NAME))?;
        let mut witness = Self { file, turn: false };
        witness.write(sighting)?;
        witness.write(sighting)?;
        File::open(folder)?.sync_all()?;
        Ok(witness)
    }

    /// Writes and syncs a count.
    pub(super) fn write(&mut self, sighting: Sighting) -> io::Result<()> {
        let offset = if self.turn { SLOT_BYTES as u64 } else { 0 };
        self.file.write_all_at(&bytes(sighting), offset)?;
        self.file.sync_data()?;
        self.turn = !self.turn;
        Ok(())
    }
}

fn bytes(sighting: Sighting) -> [u8; RECORD_BYTES] {
    let mut out = [0; RECORD_BYTES];
    out[..8].copy_from_slice(&sighting.commits.to_be_bytes());
    out[8..16].copy_from_slice(&sighting.start.to_be_bytes());
    let sum = crc32fast::hash(&out[..16]);
    out[16..].copy_from_slice(&sum.to_be_bytes());
    out
}

fn parse(slot: &[u8]) -> Option<Sighting> {
    let (commits, rest) = slot.split_first_chunk::<8>()?;
    let (start, sum) = rest.split_first_chunk::<8>()?;
    let right = crc32fast::hash(slot.get(..16)?).to_be_bytes() == *sum;
    right.then(|| Sighting { commits: u64::from_be_bytes(*commits), start: u64::from_be_bytes(*start) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_is_read_back_and_a_torn_slot_leaves_the_other() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(folder.path()).expect("readable"), None);
        let at = |commits| Sighting { commits, start: 3 };
        let mut witness = Witness::begin(folder.path(), at(1)).expect("writable");
        witness.write(at(2)).expect("writable");
        witness.write(at(3)).expect("writable");
        assert_eq!(read(folder.path()).expect("readable"), Some(at(3)));
        let path = folder.path().join(NAME);
        let mut bytes = std::fs::read(&path).expect("readable");
        bytes[SLOT_BYTES + 3] ^= 1;
        std::fs::write(&path, &bytes).expect("writable");
        assert_eq!(read(folder.path()).expect("readable"), Some(at(2)));
        bytes[3] ^= 1;
        std::fs::write(&path, &bytes).expect("writable");
        assert!(read(folder.path()).is_err());
    }
}
