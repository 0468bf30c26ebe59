//! Makes what a folder of an earlier format lacks, when it is opened to be written.
//!
//! | from | what |
//! |---|---|
//! | 1 | the rows by which accounts are searched for and a user's logins are found |
//!
//! Invariant: each step may be done again, and the new format is written with the last of them. So a crash at any
//! moment leaves a folder of the old format that the next open begins anew, and a folder of the new format is whole.
//! At most [`ROWS_AT_ONCE`] rows are held; what cannot be read is left out, as everywhere (X4).

use actors::account::{Account, Login};
use actors::store::Versioned;
use fjall::PersistMode;

use super::archive;
use super::folder::{FORMAT, Folder};
use super::keys::{Key, Kind, Space};
use super::people::{found_by, is_open};
use super::records::{Damage, Stored};

/// Rows of one commit.
const ROWS_AT_ONCE: usize = 10_000;

/// A key and what stands under it.
type Row = (Vec<u8>, Vec<u8>);

/// Brings the folder to today's format.
pub(super) fn run(folder: &Folder) -> fjall::Result<()> {
    if folder.format == FORMAT {
        return Ok(());
    }
    tracing::info!(from = folder.format, to = FORMAT, "the folder is brought to a new format");
    let mut rows = Vec::new();
    for kind in [Kind::Account, Kind::Login] {
        for row in archive::rows(folder, &folder.database().snapshot(), kind) {
            let (key, value) = row.into_inner()?;
            match lacks(kind, &key, &value) {
                Ok(lacking) => rows.extend(lacking),
                Err(damage) => tracing::error!(%damage, key = %key.escape_ascii(), "a row cannot be read and is left as it is"),
            }
            if rows.len() >= ROWS_AT_ONCE {
                commit(folder, &mut rows, PersistMode::Buffer)?;
            }
        }
    }
    let key = Key::Format.bytes();
    let value = FORMAT.seal(&key);
    rows.push((key, value));
    commit(folder, &mut rows, PersistMode::SyncAll)
}

/// The rows that lead to this one.
fn lacks(kind: Kind, key: &[u8], value: &[u8]) -> Result<Vec<Row>, Damage> {
    let (user, keys) = if kind == Kind::Account {
        let account = Versioned::<Account>::unseal(key, value)?.row;
        (account.id, found_by(&account).into_iter().collect())
    } else {
        let login = Versioned::<Login>::unseal(key, value)?.row;
        let open = is_open(&login).then(|| Key::LoginOf(login.user, login.id).bytes());
        (login.user, Vec::from_iter(open))
    };
    let with_value = |key: Vec<u8>| {
        let value = user.seal(&key);
        (key, value)
    };
    Ok(keys.into_iter().map(with_value).collect())
}

fn commit(folder: &Folder, rows: &mut Vec<Row>, mode: PersistMode) -> fjall::Result<()> {
    let mut batch = folder.database().batch().durability(Some(mode));
    for (key, value) in rows.drain(..) {
        batch.insert(folder.keyspace(Space::Rows), key, value);
    }
    batch.commit()
}
