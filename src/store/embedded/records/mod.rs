//! Every stored value: a version, its fields as a `MessagePack` map, and a checksum over key, version and fields.
//!
//! | file | value | version | predecessor |
//! |---|---|---|---|
//! | `entry`, with `content` | an entry of a log, and what a message says | 1 | none |
//! | `head` | the head of a log | 1 | none |
//! | `projected` | group, membership, own position, list row: each with the seq that made it | 1 | none |
//! | `message` | amendments, reactions, deleted or hidden places, direct conversations' numbers | 1 | none |
//! | `home` | preferences, notices, invitations: each with the seq that made it | 1 | none |
//! | `relation` | a bond, with its version | 1 | none |
//! | `marks` | a member's marks | 1 | none |
//! | `account` | accounts and logins, each with its version; when a user was here | 1 | none |
//! | `account` | accounts and logins, each with its version | 1 | none |
//! | `media` | what is known of a file, with its version | 1 | none |
//! | `number` | counters, whose a name is, which bucket a segment is of | 1 | none |
//!
//! A field may be added (a reader knows its default); any other change is a new version whose record names the old
//! one and converts from it. The checksum covers the key, so that a value under a wrong key is noticed as well.

#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

mod content;
mod entry;
mod head;
mod projected;
mod message;
mod home;
mod relation;
mod marks;
mod account;
mod media;
mod number;
#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests;

use serde::{Deserialize, Serialize};

pub(super) use projected::{Projected, projected_version};

/// Why stored bytes are no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    /// Too short to hold anything.
    #[error("the record is too short")]
    Short,
    /// The bytes are not those that were written.
    #[error("the checksum of the record is wrong")]
    Checksum,
    /// Written by a version of this program that is not known here.
    #[error("the record has the unknown version {0}")]
    Version(u8),
    /// The fields cannot be read.
    #[error("the fields of the record cannot be read: {0}")]
    Fields(String),
    /// A field holds what it must not hold.
    #[error("the field {0} of the record is not valid")]
    Value(&'static str),
}

/// A domain value that can be stored.
pub(super) trait Stored: Sized {
    /// The bytes to be stored under this key.
    fn seal(&self, key: &[u8]) -> Vec<u8>;

    /// The value that these bytes hold; any bytes give an answer.
    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage>;
}

const CHECKSUM_BYTES: usize = 4;

fn checksum(key: &[u8], covered: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(covered);
    hasher.finalize().to_be_bytes()
}

/// Version, fields, checksum.
fn seal_fields(key: &[u8], version: u8, fields: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.push(version);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    fields.serialize(&mut serializer).expect("memory takes all bytes, and stored types have no form that MessagePack lacks");
    let sum = checksum(key, &bytes);
    bytes.extend(sum);
    bytes
}

/// The version and the bytes of the fields, if the checksum is right.
fn opened<'a>(key: &[u8], bytes: &'a [u8]) -> Result<(u8, &'a [u8]), Damage> {
    let (covered, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damage::Short)?;
    let (version, fields) = covered.split_first().ok_or(Damage::Short)?;
    if checksum(key, covered) != *sum {
        return Err(Damage::Checksum);
    }
    Ok((*version, fields))
}

/// The fields of a record whose only version is this one.
fn unseal_fields<'a, T: Deserialize<'a>>(key: &[u8], version: u8, bytes: &'a [u8]) -> Result<T, Damage> {
    let (found, bytes) = opened(key, bytes)?;
    if found != version {
        return Err(Damage::Version(found));
    }
    rmp_serde::from_slice(bytes).map_err(|error| Damage::Fields(error.to_string()))
}

/// A value, or the name of the field that does not hold one.
fn valid<T, E>(result: Result<T, E>, field: &'static str) -> Result<T, Damage> {
    result.ok().ok_or(Damage::Value(field))
}
