//! The stored form of what is known of a file, with the version that a change must name (design D12).

use std::borrow::Cow;

use actors::id::UserId;
use actors::media::{Attachment, FILE_NAME_BYTES_MAX, Media, MediaId, MediaKind, Purpose};
use actors::store::Versioned;
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Damage, Stored, seal_fields, unseal_fields, valid};

/// Version 1; the first, it has no predecessor.
const VERSION: u8 = 1;

const ATTACHMENT: u8 = 1;
const PICTURE: u8 = 2;

#[derive(Serialize, Deserialize)]
struct MediaRecord<'a> {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "i", with = "serde_bytes")]
    id: [u8; 16],
    #[serde(rename = "o")]
    owner: u64,
    #[serde(rename = "p")]
    purpose: u8,
    #[serde(rename = "n", borrow)]
    name: Cow<'a, str>,
    /// A media type.
    #[serde(rename = "k", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "b")]
    bytes: u64,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pixels: Option<(u32, u32)>,
    #[serde(rename = "t")]
    uploaded_at: i64,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<i64>,
}

impl Stored for Versioned<Media> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let Media { attachment, owner, purpose, erased_at } = &self.row;
        let record = MediaRecord {
            version: self.version,
            id: attachment.id.0.to_be_bytes(),
            owner: owner.get(),
            purpose: match purpose {
                Purpose::Attachment => ATTACHMENT,
                Purpose::Picture => PICTURE,
            },
            name: Cow::Borrowed(&attachment.name),
            kind: attachment.kind.media_type().into(),
            bytes: attachment.bytes,
            pixels: attachment.pixels,
            uploaded_at: attachment.uploaded_at.0,
            expires_at: attachment.expires_at.map(|at| at.0),
            erased_at: erased_at.map(|at| at.0),
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: MediaRecord<'_> = unseal_fields(key, VERSION, bytes)?;
        let attachment = Attachment {
            id: MediaId(u128::from_be_bytes(record.id)),
            name: Some(&*record.name).filter(|name| name.len() <= FILE_NAME_BYTES_MAX).ok_or(Damage::Value("name"))?.into(),
            kind: MediaKind::of_media_type(&record.kind).ok_or(Damage::Value("kind"))?,
            bytes: record.bytes,
            pixels: record.pixels,
            uploaded_at: Timestamp(record.uploaded_at),
            expires_at: record.expires_at.map(Timestamp),
        };
        let purpose = match record.purpose {
            ATTACHMENT => Purpose::Attachment,
            PICTURE => Purpose::Picture,
            0 | 3.. => return Err(Damage::Value("purpose")),
        };
        let row =
            Media { attachment, owner: valid(UserId::new(record.owner), "owner")?, purpose, erased_at: record.erased_at.map(Timestamp) };
        Ok(Self { version: record.version, row })
    }
}
