//! Checks the database's lists of tables before it opens them.
//!
//! The database keeps, for each keyspace, a file that lists its tables, and in the file `current` that file's number and
//! checksum; at an open it reads the list and not the checksum (lsm-tree 3.1.10). With a flipped bit in the list it
//! would leave out a table, with everything acknowledged in it, and delete that table's file.

use std::fs;
use std::io;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

/// Where the keyspaces lie in the database.
const KEYSPACES: &str = "keyspaces";
/// A number of 8 bytes, a checksum of 16, the kind of checksum.
const CURRENT_BYTES: usize = 25;
const XXH3: u8 = 0;

/// What is wrong with the lists of a database, if anything is.
pub(super) fn damage(database: &Path) -> io::Result<Option<String>> {
    for keyspace in fs::read_dir(database.join(KEYSPACES))? {
        let keyspace = keyspace?;
        if keyspace.file_type()?.is_dir() && !is_intact(&keyspace.path())? {
            return Ok(Some(format!("the list of tables of keyspace {} was changed", keyspace.file_name().display())));
        }
    }
    Ok(None)
}

fn is_intact(keyspace: &Path) -> io::Result<bool> {
    let current = match fs::read(keyspace.join("current")) {
        Ok(current) => current,
        // A keyspace that was not made to its end; the database begins it again, or says what is missing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let Ok(current) = <[u8; CURRENT_BYTES]>::try_from(current) else { return Ok(false) };
    let (number, rest) = current.split_first_chunk::<8>().expect("25 bytes");
    let (sum, kind) = rest.split_first_chunk::<16>().expect("17 bytes");
    let list = match fs::read(keyspace.join(format!("v{}", u64::from_le_bytes(*number)))) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(*kind == [XXH3] && xxh3_128(&list) == u128::from_le_bytes(*sum))
}
