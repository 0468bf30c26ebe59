//! Files that people send: what is known of one, and what of it travels in a message. The bytes are elsewhere.
//!
//! A file's name is 128 random bits, so a path that carries it is a capability; the client's name for it is data only.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use uuid::Uuid;

use crate::id::{InvalidId, UserId};
use crate::time::Timestamp;

/// The most bytes of a file's name as its sender gave it.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// The name of a stored file: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaId(pub u128);

/// 32 hex digits.
impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Uuid::from_u128(self.0).as_simple())
    }
}

/// It opens the file, so no log shows it.
impl fmt::Debug for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaId([redacted])")
    }
}

impl FromStr for MediaId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match Uuid::try_parse(text) {
            Ok(uuid) => Ok(Self(uuid.as_u128())),
            Err(_) => Err(InvalidId),
        }
    }
}

/// What a file was found to be, by its content and never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
    /// PDF.
    Pdf,
    /// MP4 video or audio.
    Mp4,
    /// MP3 audio.
    Mp3,
    /// Ogg audio or video.
    Ogg,
    /// WebM video.
    Webm,
    /// WAV audio.
    Wav,
    /// Text without markup.
    Text,
    /// Anything else: stored and given back byte for byte, never shown inline.
    Other,
}

/// A file as a message names it: everything that shows it, so that nothing must be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Which file.
    pub id: MediaId,
    /// The name that its sender gave it.
    pub name: Box<str>,
    /// What it is.
    pub kind: MediaKind,
    /// How many bytes it has.
    pub bytes: u64,
    /// Width and height in pixels, of an image.
    pub pixels: Option<(u32, u32)>,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// When it is erased, if it is.
    pub expires_at: Option<Timestamp>,
}

impl Attachment {
    /// A file of which nothing is known but its name.
    pub fn named(id: MediaId) -> Self {
        Self { id, name: "".into(), kind: MediaKind::Other, bytes: 0, pixels: None, uploaded_at: Timestamp::default(), expires_at: None }
    }
}

/// A file is known by its name: so a request that names one can be compared with the message that it was stored as.
impl Hash for Attachment {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To be attached to messages: read through the message, or by its uploader.
    Attachment,
    /// A picture of a user or group: whoever has its name may read it.
    Picture,
}

/// The stored record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What messages show of it.
    pub attachment: Attachment,
    /// Who uploaded it; the bytes count against this user's quota.
    pub owner: UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// When its bytes were erased: from then on it is gone (410), not unknown.
    pub erased_at: Option<Timestamp>,
}
