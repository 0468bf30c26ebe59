//! What a message says and carries.

use actors::content::{Content, Forwarded};
use actors::id::{ConversationId, Seq, UserId};
use actors::media::Attachment;
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

impl<'a> File<'a> {
    /// The file at this place of a message, counted from 0. It is read through the message, by whoever may read that.
    pub fn of(conversation: ConversationId, seq: Seq, nth: usize, file: &'a Attachment) -> Self {
        Self {
            url: format!("/v1/conversations/{conversation}/messages/{}/media/{nth}", seq.get()),
            id: file.id.to_string(),
            name: &file.name,
            r#type: file.kind.media_type(),
            bytes: file.bytes,
            width: file.pixels.map(|(width, _)| width),
            height: file.pixels.map(|(_, height)| height),
            at: moment(file.uploaded_at),
            expires_at: file.expires_at.map(moment),
        }
    }
}
