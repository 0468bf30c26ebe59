//! The stored form of what a message says; part of entries and of amendments.

use std::borrow::Cow;

use actors::account::Picture;
use actors::content::{Content, Forwarded, Opaque};
use actors::id::{Door, MessageId, Seq, UserId};
use actors::media::{Attachment, MediaId, MediaKind};
use actors::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Damage, valid};

#[derive(Serialize, Deserialize)]
pub(super) struct ContentRecord<'a> {
    #[serde(rename = "t", borrow)]
    text: Cow<'a, str>,
    #[serde(rename = "d", with = "serde_bytes", borrow, default, skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'a, [u8]>>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<u64>,
    #[serde(rename = "f", borrow, default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentRecord<'a>>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    forwarded: Option<ForwardedRecord>,
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    door: u8,
}

#[derive(Serialize, Deserialize)]
struct ForwardedRecord {
    #[serde(rename = "u")]
    author: u64,
    #[serde(rename = "i")]
    id: u64,
}

#[derive(Serialize, Deserialize)]
struct AttachmentRecord<'a> {
    #[serde(rename = "i", with = "serde_bytes")]
    id: [u8; 16],
    #[serde(rename = "n", borrow)]
    name: Cow<'a, str>,
    #[serde(rename = "k")]
    kind: u8,
    #[serde(rename = "b")]
    bytes: u64,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pixels: Option<(u32, u32)>,
    #[serde(rename = "t")]
    uploaded_at: i64,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

/// The stored form of a picture.
#[derive(Serialize, Deserialize)]
pub(super) struct PictureRecord {
    #[serde(rename = "i", with = "serde_bytes")]
    id: [u8; 16],
    #[serde(rename = "k")]
    kind: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(door: &u8) -> bool {
    *door == 0
}

pub(super) fn content_record(content: &Content) -> ContentRecord<'_> {
    ContentRecord {
        text: Cow::Borrowed(&content.text),
        data: content.data.as_ref().map(|data| Cow::Borrowed(&data.0[..])),
        reply_to: content.reply_to.map(Seq::get),
        mentions: numbers(&content.mentions),
        attachments: content.attachments.iter().map(attachment_record).collect(),
        forwarded: content.forwarded.map(|forwarded| ForwardedRecord { author: forwarded.author.get(), id: forwarded.id.get() }),
        door: content.door.0,
    }
}

pub(super) fn content(record: ContentRecord<'_>) -> Result<Content, Damage> {
    let forwarded =
        |record: ForwardedRecord| Ok(Forwarded { author: user(record.author)?, id: valid(MessageId::new(record.id), "forwarded")? });
    Ok(Content {
        text: record.text.into(),
        data: record.data.map(|data| Opaque(Bytes::from(data.into_owned()))),
        reply_to: record.reply_to.map(|seq| valid(Seq::new(seq), "reply_to")).transpose()?,
        mentions: users(&record.mentions)?,
        attachments: record.attachments.into_iter().map(attachment).collect::<Result<_, _>>()?,
        forwarded: record.forwarded.map(forwarded).transpose()?,
        door: Door(record.door),
    })
}

fn attachment_record(attachment: &Attachment) -> AttachmentRecord<'_> {
    AttachmentRecord {
        id: attachment.id.0.to_be_bytes(),
        name: Cow::Borrowed(&attachment.name),
        kind: kind_number(attachment.kind),
        bytes: attachment.bytes,
        pixels: attachment.pixels,
        uploaded_at: attachment.uploaded_at.0,
        expires_at: attachment.expires_at.map(|at| at.0),
    }
}

fn attachment(record: AttachmentRecord<'_>) -> Result<Attachment, Damage> {
    Ok(Attachment {
        id: MediaId(u128::from_be_bytes(record.id)),
        name: record.name.into(),
        kind: kind(record.kind)?,
        bytes: record.bytes,
        pixels: record.pixels,
        uploaded_at: Timestamp(record.uploaded_at),
        expires_at: record.expires_at.map(Timestamp),
    })
}

pub(super) fn picture_record(picture: Picture) -> PictureRecord {
    PictureRecord { id: picture.id.0.to_be_bytes(), kind: kind_number(picture.kind) }
}

pub(super) fn picture(record: &PictureRecord) -> Result<Picture, Damage> {
    Ok(Picture { id: MediaId(u128::from_be_bytes(record.id)), kind: kind(record.kind)? })
}

/// The kinds of file by their numbers, which are fixed for ever: 1 is the first.
const KINDS: [MediaKind; 12] = [
    MediaKind::Jpeg,
    MediaKind::Png,
    MediaKind::Gif,
    MediaKind::Webp,
    MediaKind::Pdf,
    MediaKind::Mp4,
    MediaKind::Mp3,
    MediaKind::Ogg,
    MediaKind::Webm,
    MediaKind::Wav,
    MediaKind::Text,
    MediaKind::Other,
];

fn kind_number(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Jpeg => 1,
        MediaKind::Png => 2,
        MediaKind::Gif => 3,
        MediaKind::Webp => 4,
        MediaKind::Pdf => 5,
        MediaKind::Mp4 => 6,
        MediaKind::Mp3 => 7,
        MediaKind::Ogg => 8,
        MediaKind::Webm => 9,
        MediaKind::Wav => 10,
        MediaKind::Text => 11,
        MediaKind::Other => 12,
    }
}

fn kind(number: u8) -> Result<MediaKind, Damage> {
    KINDS.into_iter().find(|kind| kind_number(*kind) == number).ok_or(Damage::Value("kind"))
}

pub(super) fn numbers(users: &[UserId]) -> Vec<u64> {
    users.iter().map(|user| user.get()).collect()
}

pub(super) fn user(number: u64) -> Result<UserId, Damage> {
    valid(UserId::new(number), "user")
}

pub(super) fn users(numbers: &[u64]) -> Result<Vec<UserId>, Damage> {
    numbers.iter().map(|number| user(*number)).collect()
}
