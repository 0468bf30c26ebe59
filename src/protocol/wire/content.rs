//! What a message says and carries.

use actors::content::{Content, Forwarded};
use actors::id::UserId;
use actors::media::{Attachment, MediaKind};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::protocol::value::Data;
use crate::protocol::wire::frame::moment;

/// What a message says.
#[derive(Debug, Serialize, ToSchema)]
pub struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Data<'a>>,
}

impl<'a> From<&'a Content> for Body<'a> {
    fn from(content: &'a Content) -> Self {
        Self { text: &content.text, data: content.data.as_ref().and_then(Data::new) }
    }
}

/// Users by number.
#[derive(Debug)]
pub struct Numbers<'a>(pub &'a [UserId]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|user| user.get()))
    }
}

/// The message that this one repeats.
#[derive(Debug, Serialize, ToSchema)]
pub struct Origin {
    from: u64,
    id: u64,
}

impl From<&Forwarded> for Origin {
    fn from(forwarded: &Forwarded) -> Self {
        Self { from: forwarded.author.get(), id: forwarded.id.get() }
    }
}

/// A file of a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct File<'a> {
    id: String,
    url: String,
    name: &'a str,
    r#type: &'static str,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> From<&'a Attachment> for File<'a> {
    fn from(file: &'a Attachment) -> Self {
        let id = file.id.to_string();
        Self {
            url: format!("/v1/media/{id}"),
            id,
            name: &file.name,
            r#type: media_type(file.kind),
            bytes: file.bytes,
            width: file.pixels.map(|(width, _)| width),
            height: file.pixels.map(|(_, height)| height),
            at: moment(file.uploaded_at),
            expires_at: file.expires_at.map(moment),
        }
    }
}

fn media_type(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Jpeg => "image/jpeg",
        MediaKind::Png => "image/png",
        MediaKind::Gif => "image/gif",
        MediaKind::Webp => "image/webp",
        MediaKind::Pdf => "application/pdf",
        MediaKind::Mp4 => "video/mp4",
        MediaKind::Mp3 => "audio/mpeg",
        MediaKind::Ogg => "audio/ogg",
        MediaKind::Webm => "video/webm",
        MediaKind::Wav => "audio/wav",
        MediaKind::Text => "text/plain",
        MediaKind::Other => "application/octet-stream",
    }
}
