//! What people write: the content of a message, and the small texts around it, valid by type.
//!
//! Sizes are checked against [`crate::limits`] by whoever makes a value from foreign bytes, through the constructors here.

use std::fmt;

use bytes::Bytes;

use crate::id::{Door, MessageId, Seq, UserId};
use crate::media::Attachment;

/// A value is longer than its limit, or empty where it must not be, or has characters that it must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Nothing is there.
    #[error("must not be empty")]
    Empty,
    /// More bytes than the limit.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// A character that is not allowed there.
    #[error("has a character that is not allowed")]
    Character,
}

/// The most bytes of a client key.
pub const CLIENT_KEY_BYTES_MAX: usize = 64;
/// The most bytes of a group's name.
pub const GROUP_NAME_BYTES_MAX: usize = 255;
/// The most bytes of what a group or a person says of itself.
pub const ABOUT_BYTES_MAX: usize = 2_048;
/// The most bytes of a reaction: a sequence of emoji is longer than it looks.
pub const REACTION_BYTES_MAX: usize = 32;

/// The client's idempotency key of one post: 1 to 64 bytes of the client's choosing (append rule R18).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(Box<str>);

impl ClientKey {
    /// A key of 1 to 64 bytes.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        match text.len() {
            0 => Err(InvalidText::Empty),
            1..=CLIENT_KEY_BYTES_MAX => Ok(Self(text.into())),
            _ => Err(InvalidText::TooLong { max: CLIENT_KEY_BYTES_MAX }),
        }
    }
    /// The key as the client gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({} bytes)", self.0.len())
    }
}

/// The name of a group: 1 to 255 bytes without control characters, not only blanks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName(Box<str>);

impl GroupName {
    /// A name.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        if text.trim().is_empty() {
            return Err(InvalidText::Empty);
        }
        if text.len() > GROUP_NAME_BYTES_MAX {
            return Err(InvalidText::TooLong { max: GROUP_NAME_BYTES_MAX });
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidText::Character);
        }
        Ok(Self(text.into()))
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a group or a person says of itself: at most 2,048 bytes, no control characters but line breaks; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AboutText(Box<str>);

impl AboutText {
    /// A text.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        if text.len() > ABOUT_BYTES_MAX {
            return Err(InvalidText::TooLong { max: ABOUT_BYTES_MAX });
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(InvalidText::Character);
        }
        Ok(Self(text.into()))
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What somebody answers a message with instead of words: 1 to 32 bytes without blanks and control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reaction(Box<str>);

impl Reaction {
    /// A reaction.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        match text.len() {
            0 => Err(InvalidText::Empty),
            1..=REACTION_BYTES_MAX if text.chars().any(|c| c.is_control() || c.is_whitespace()) => Err(InvalidText::Character),
            1..=REACTION_BYTES_MAX => Ok(Self(text.into())),
            _ => Err(InvalidText::TooLong { max: REACTION_BYTES_MAX }),
        }
    }
    /// The reaction as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a forwarded message comes from. Its conversation is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Forwarded {
    /// Who wrote it first, however often it was forwarded since.
    pub author: UserId,
    /// The number of the message that was forwarded.
    pub id: MessageId,
}

/// The application's own part of a message: a MessagePack value that the server stores and never looks into (P11).
/// Doors that speak another encoding translate it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Opaque(pub Bytes);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.len())
    }
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Content {
    /// The text; may be empty.
    pub text: Box<str>,
    /// The application's own part.
    pub data: Option<Opaque>,
    /// The message that this one answers.
    pub reply_to: Option<Seq>,
    /// Users whom the text names, without doubles, in the order given.
    pub mentions: Vec<UserId>,
    /// Files, in the order given.
    pub attachments: Vec<Attachment>,
    /// The message that this one repeats.
    pub forwarded: Option<Forwarded>,
    /// The door that it came in by.
    pub door: Door,
}

impl Content {
    /// The bytes that count against the body limit.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.data.as_ref().map_or(0, |data| data.0.len()) + self.mentions.len() * 8 + self.attachments.len() * 128
    }
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.data.is_none() && self.attachments.is_empty()
    }
}

/// Texts never reach a log: the debug form is sizes alone.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("text_bytes", &self.text.len())
            .field("data", &self.data)
            .field("reply_to", &self.reply_to)
            .field("mentions", &self.mentions.len())
            .field("attachments", &self.attachments.len())
            .finish_non_exhaustive()
    }
}
