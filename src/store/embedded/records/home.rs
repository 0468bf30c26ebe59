//! The stored forms of what concerns one user: preferences, notices, invitations.

use actors::entry::{Invitation, Notice, Preferences};
use actors::id::{GroupId, Pos, Seq};
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::user;
use super::projected::{seal_row, unseal_row};
use super::{Damage, Projected, Stored, valid};

#[derive(Serialize, Deserialize)]
struct PreferencesRecord {
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    muted_until: Option<i64>,
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    archived: bool,
    #[serde(rename = "c")]
    cleared: (u64, u64),
}

impl Stored for Projected<Preferences> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let record = PreferencesRecord {
            muted_until: self.row.muted_until.map(|until| until.0),
            archived: self.row.archived,
            cleared: (self.row.cleared.0.get(), self.row.cleared.1.0),
        };
        seal_row(key, self.version, record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, record): (_, PreferencesRecord) = unseal_row(key, bytes)?;
        let row = Preferences {
            muted_until: record.muted_until.map(Timestamp),
            archived: record.archived,
            cleared: (valid(Seq::new(record.cleared.0), "cleared")?, Pos(record.cleared.1)),
        };
        Ok(Self { version, row })
    }
}

/// Part of entries as well.
#[derive(Serialize, Deserialize)]
pub(super) enum NoticeRecord {
    #[serde(rename = "f")]
    FriendRequest {
        #[serde(rename = "u")]
        from: u64,
    },
    #[serde(rename = "g")]
    GroupInvitation {
        #[serde(rename = "u")]
        from: u64,
        #[serde(rename = "g")]
        group: u64,
        #[serde(rename = "x")]
        expires_at: i64,
    },
}

pub(super) fn notice_record(notice: Notice) -> NoticeRecord {
    match notice {
        Notice::FriendRequest { from } => NoticeRecord::FriendRequest { from: from.get() },
        Notice::GroupInvitation { from, group, expires_at } => {
            NoticeRecord::GroupInvitation { from: from.get(), group: group.get(), expires_at: expires_at.0 }
        }
    }
}

pub(super) fn notice(record: &NoticeRecord) -> Result<Notice, Damage> {
    Ok(match record {
        NoticeRecord::FriendRequest { from } => Notice::FriendRequest { from: user(*from)? },
        NoticeRecord::GroupInvitation { from, group, expires_at } => {
            Notice::GroupInvitation { from: user(*from)?, group: valid(GroupId::new(*group), "group")?, expires_at: Timestamp(*expires_at) }
        }
    })
}

/// One that was taken away remembers its version.
impl Stored for Projected<Option<Notice>> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_row(key, self.version, self.row.map(notice_record))
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, record): (_, Option<NoticeRecord>) = unseal_row(key, bytes)?;
        Ok(Self { version, row: record.as_ref().map(notice).transpose()? })
    }
}

/// Up to where the notices were read.
impl Stored for Projected<Seq> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_row(key, self.version, self.row.get())
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, up_to) = unseal_row(key, bytes)?;
        Ok(Self { version, row: valid(Seq::new(up_to), "up_to")? })
    }
}

/// By whom, and until when; one that was taken away remembers its version.
impl Stored for Projected<Option<Invitation>> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_row(key, self.version, self.row.map(|invitation| (invitation.by.get(), invitation.expires_at.0)))
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, record): (_, Option<(u64, i64)>) = unseal_row(key, bytes)?;
        let row = record.map(|(by, expires_at)| Ok(Invitation { by: user(by)?, expires_at: Timestamp(expires_at) }));
        Ok(Self { version, row: row.transpose()? })
    }
}
