//! The stored forms of rows that follow from logs, each with the seq of the entry that made it (design D10).

use std::borrow::Cow;

use actors::content::{AboutText, GroupName};
use actors::entry::{GroupRow, Membership, Role};
use actors::id::{Pos, Seq};
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::{PictureRecord, picture, picture_record};
use super::{Damage, Stored, seal_fields, unseal_fields, valid};

/// Version 1 of each; the first, they have no predecessors.
const VERSION: u8 = 1;

/// A row and the seq of the entry that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::embedded) struct Projected<T> {
    /// The seq; a row of a lower one never replaces this.
    pub(in crate::store::embedded) version: Seq,
    /// The row.
    pub(in crate::store::embedded) row: T,
}

#[derive(Serialize, Deserialize)]
struct GroupRecord<'a> {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "n", borrow)]
    name: Cow<'a, str>,
    #[serde(rename = "m")]
    members: u64,
    #[serde(rename = "t")]
    created_at: i64,
    #[serde(rename = "b", borrow, default, skip_serializing_if = "str::is_empty")]
    about: Cow<'a, str>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    picture: Option<PictureRecord>,
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    open: bool,
    /// Nothing where it never changed.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
}

impl Stored for Projected<GroupRow> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let record = GroupRecord {
            version: self.version.get(),
            name: self.row.name.as_str().into(),
            members: self.row.members,
            created_at: self.row.created_at.0,
            about: self.row.about.as_str().into(),
            picture: self.row.picture.map(picture_record),
            open: self.row.open,
            updated_at: (self.row.updated_at != self.row.created_at).then_some(self.row.updated_at.0),
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: GroupRecord<'_> = unseal_fields(key, VERSION, bytes)?;
        let row = GroupRow {
            name: valid(GroupName::new(&record.name), "name")?,
            members: record.members,
            created_at: Timestamp(record.created_at),
            about: valid(AboutText::new(&record.about), "about")?,
            picture: record.picture.as_ref().map(picture).transpose()?,
            open: record.open,
            updated_at: Timestamp(record.updated_at.unwrap_or(record.created_at)),
        };
        Ok(Self { version: version(record.version)?, row })
    }
}

#[derive(Serialize, Deserialize)]
struct MemberRecord {
    #[serde(rename = "v")]
    version: u64,
    /// 1 member, 2 admin, 3 owner.
    #[serde(rename = "r")]
    role: u8,
    #[serde(rename = "s")]
    since: u64,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

impl Stored for Projected<Membership> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let record = MemberRecord {
            version: self.version.get(),
            role: role_number(self.row.role),
            since: self.row.since.get(),
            until: self.row.until.map(Seq::get),
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: MemberRecord = unseal_fields(key, VERSION, bytes)?;
        let until = record.until.map(|seq| valid(Seq::new(seq), "until")).transpose()?;
        let row = Membership { role: role(record.role)?, since: valid(Seq::new(record.since), "since")?, until };
        Ok(Self { version: version(record.version)?, row })
    }
}

pub(super) fn role_number(role: Role) -> u8 {
    match role {
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

pub(super) fn role(number: u8) -> Result<Role, Damage> {
    match number {
        1 => Ok(Role::Member),
        2 => Ok(Role::Admin),
        3 => Ok(Role::Owner),
        0 | 4.. => Err(Damage::Value("role")),
    }
}

#[derive(Serialize, Deserialize)]
struct OwnRecord {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "p")]
    pos: u64,
}

impl Stored for Projected<Pos> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_fields(key, VERSION, &OwnRecord { version: self.version.get(), pos: self.row.0 })
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: OwnRecord = unseal_fields(key, VERSION, bytes)?;
        Ok(Self { version: version(record.version)?, row: Pos(record.pos) })
    }
}

#[derive(Serialize, Deserialize)]
struct ListedRecord {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "l")]
    listed: bool,
}

/// Whether the conversation is in the list: a row that says no remembers its version.
impl Stored for Projected<bool> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_fields(key, VERSION, &ListedRecord { version: self.version.get(), listed: self.row })
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: ListedRecord = unseal_fields(key, VERSION, bytes)?;
        Ok(Self { version: version(record.version)?, row: record.listed })
    }
}

#[derive(Serialize, Deserialize)]
struct RowRecord<R> {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "r")]
    row: R,
}

/// The bytes of a row whose fields are one value.
pub(super) fn seal_row(key: &[u8], version: Seq, row: impl Serialize) -> Vec<u8> {
    seal_fields(key, VERSION, &RowRecord { version: version.get(), row })
}

/// The version and the fields of a row whose fields are one value.
pub(super) fn unseal_row<'a, R: Deserialize<'a>>(key: &[u8], bytes: &'a [u8]) -> Result<(Seq, R), Damage> {
    let record: RowRecord<R> = unseal_fields(key, VERSION, bytes)?;
    Ok((version(record.version)?, record.row))
}

fn version(seq: u64) -> Result<Seq, Damage> {
    valid(Seq::new(seq), "version")
}

#[derive(Deserialize)]
struct VersionRecord {
    #[serde(rename = "v")]
    version: u64,
}

/// The version of a projected row of any kind: all have it in the same field.
pub(in crate::store::embedded) fn projected_version(key: &[u8], bytes: &[u8]) -> Result<Seq, Damage> {
    let record: VersionRecord = unseal_fields(key, VERSION, bytes)?;
    version(record.version)
}
