//! Files that people send: what is known of one, and what of it travels in a message. The bytes are elsewhere.
//!
//! A file's name is 128 random bits, so a path that carries it is a capability; the client's name for it is data only.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::id::{InvalidId, UserId};
use crate::kind::Kind;
use crate::store::Answer;
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
    /// `WebP`.
    Webp,
    /// PDF.
    Pdf,
    /// MP4 video or audio.
    Mp4,
    /// MP3 audio.
    Mp3,
    /// Ogg audio or video.
    Ogg,
    /// `WebM` video.
    Webm,
    /// WAV audio.
    Wav,
    /// Text without markup.
    Text,
    /// Anything else: stored and given back byte for byte, never shown inline.
    Other,
}

impl MediaKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Jpeg,
        Self::Png,
        Self::Gif,
        Self::Webp,
        Self::Pdf,
        Self::Mp4,
        Self::Mp3,
        Self::Ogg,
        Self::Webm,
        Self::Wav,
        Self::Text,
        Self::Other,
    ];

    /// Its media type (RFC 6838).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Mp4 => "video/mp4",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Webm => "video/webm",
            Self::Wav => "audio/wav",
            Self::Text => "text/plain",
            Self::Other => "application/octet-stream",
        }
    }

    /// The kind of this media type, as [`Self::media_type`] spells it.
    pub fn of_media_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == text)
    }

    /// Whether it is an image that is looked into.
    pub fn is_image(self) -> bool {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::Webp => true,
            Self::Pdf | Self::Mp4 | Self::Mp3 | Self::Ogg | Self::Webm | Self::Wav | Self::Text | Self::Other => false,
        }
    }

    /// Whether a browser may show it in place (M1); a PDF may carry programs.
    pub fn is_inline(self) -> bool {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::Webp => true,
            Self::Mp4 | Self::Mp3 | Self::Ogg | Self::Webm | Self::Wav | Self::Text => true,
            Self::Pdf | Self::Other => false,
        }
    }
}

/// What a file is called that was given no usable name.
pub const NAMELESS: &str = "file";

/// The most bytes of an ending that is kept where a name is cut.
const ENDING_BYTES_MAX: usize = 16;

/// A file's name out of whatever its sender gave (M2): the part behind the last slash or backslash, without control
/// characters and without those that turn the direction of writing, at most [`FILE_NAME_BYTES_MAX`] bytes, the ending
/// kept. Data only: nothing is ever stored under it.
pub fn file_name(given: &str) -> Box<str> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last.chars().filter(|c| !c.is_control() && !turns_direction(*c)).collect();
    let name = visible.trim();
    if name.is_empty() || name == "." || name == ".." {
        return NAMELESS.into();
    }
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name.into();
    }
    let ending = name.rfind('.').map_or("", |at| &name[at..]);
    let ending = if ending.len() <= ENDING_BYTES_MAX { ending } else { "" };
    let mut cut = FILE_NAME_BYTES_MAX - ending.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{ending}", &name[..cut]).into()
}

/// Marks, embeddings, overrides and isolates of bidirectional text, separators of lines, and what takes no room.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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

impl Media {
    /// The bytes that count against the owner's quota.
    pub fn counted_bytes(&self) -> u64 {
        if self.erased_at.is_some() { 0 } else { self.attachment.bytes }
    }

    /// When its bytes are to be erased; `None` if never, or if they are.
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.erased_at.is_some() { None } else { self.attachment.expires_at }
    }

    /// The same file if it expires at this moment; `None` if it is erased, or expires no later already.
    pub fn expired(&self, at: Timestamp) -> Option<Self> {
        let stands = self.erased_at.is_some() || self.attachment.expires_at.is_some_and(|before| before <= at);
        (!stands).then(|| Self { attachment: Attachment { expires_at: Some(at), ..self.attachment.clone() }, ..self.clone() })
    }

    /// Whether its bytes are gone, or ought to be.
    pub fn is_gone(&self, now: Timestamp) -> bool {
        self.erased_at.is_some() || self.attachment.expires_at.is_some_and(|at| at <= now)
    }
}

/// Bytes on their way, some at a time.
pub trait Chunks: Send {
    /// The next bytes; `None` at the end. After an error nothing more comes.
    fn next(&mut self) -> Answer<'_, Option<Bytes>, Broken>;
}

/// Why bytes on their way did not come to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// They ended early.
    #[error("the bytes broke off")]
    Off,
    /// None came in time.
    #[error("the bytes came too slowly")]
    Slow,
}

/// A file that is about to come.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who sends it.
    pub owner: UserId,
    /// The name that it was given, as [`file_name`] leaves it.
    pub name: Box<str>,
    /// What it is for.
    pub purpose: Purpose,
    /// For how long it is kept; `None`: until it is erased.
    pub life: Option<Duration>,
    /// How many bytes were announced; more are refused before they come, fewer when they end.
    pub length: Option<u64>,
}

/// Why a file was not taken in or not given out. Nothing is left of one that was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MediaRejected {
    /// Larger than a file may be.
    #[error("larger than {max} bytes")]
    TooLarge {
        /// The limit in bytes.
        max: u64,
    },
    /// The owner's files would be larger than they may be together.
    #[error("all files of the user together may have {max} bytes")]
    QuotaExceeded {
        /// The limit in bytes.
        max: u64,
    },
    /// A picture must be an image that can be decoded.
    #[error("no image that can be read")]
    NotAPicture,
    /// A picture declares more pixels than are decoded.
    #[error("more than {max} pixels")]
    TooManyPixels {
        /// The limit.
        max: u64,
    },
    /// The bytes did not come to their end.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// There is no such file, or the one who asks may not know of it.
    #[error("no such file")]
    NotFound,
    /// Its bytes were erased.
    #[error("the file is gone")]
    Gone,
    /// Too much is being done already.
    #[error("too much is being done already")]
    Busy {
        /// When to try again.
        after: Duration,
    },
    /// There is no room for its bytes.
    #[error("there is no room for files")]
    Full,
    /// What keeps the bytes, or the store, cannot be reached.
    #[error("files cannot be reached")]
    Unavailable {
        /// When to try again.
        after: Duration,
    },
}

impl MediaRejected {
    /// The class that doors map.
    pub fn kind(&self) -> Kind {
        match self {
            Self::TooLarge { .. } | Self::TooManyPixels { .. } => Kind::TooLarge,
            Self::QuotaExceeded { .. } => Kind::Conflict,
            Self::NotAPicture | Self::Broken(_) => Kind::Malformed,
            Self::NotFound | Self::Gone => Kind::NotFound,
            Self::Busy { .. } => Kind::TooMany,
            Self::Full | Self::Unavailable { .. } => Kind::Unavailable,
        }
    }
}

/// An answer of the library that is still to come.
pub type Served<'a, T> = Pin<Box<dyn Future<Output = Result<T, MediaRejected>> + Send + 'a>>;

/// Where the bytes of files are, and what is known of each. Whoever asks has judged whether the one behind may.
pub trait Library: Send + Sync + 'static {
    /// Takes a file in while it comes; it is there, durably, when this answers. A call that is dropped leaves nothing.
    fn take_in(&self, arrival: Arrival, bytes: Box<dyn Chunks>) -> Served<'_, Attachment>;

    /// What is known of a file, also of one that is gone.
    fn find(&self, id: MediaId) -> Served<'_, Media>;

    /// These bytes of a file; the range lies within it.
    fn open<'a>(&'a self, media: &'a Media, range: Range<u64>) -> Served<'a, Box<dyn Chunks>>;

    /// The small image of an image, with its kind; not found for what has none.
    fn thumbnail<'a>(&'a self, media: &'a Media) -> Served<'a, (MediaKind, Bytes)>;

    /// Erases the bytes of a file; what is known of it stays. Idempotent.
    fn erase(&self, id: MediaId) -> Served<'_, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_its_path_and_what_cannot_be_seen() {
        for (given, name) in [
            ("a.png", "a.png"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/", NAMELESS),
            ("", NAMELESS),
            ("..", NAMELESS),
            (" . ", NAMELESS),
            ("a\0b\r\nc.txt", "abc.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("你好 🙂.pdf", "你好 🙂.pdf"),
            ("..%2f..%2fx", "..%2f..%2fx"),
            ("\"quoted\"; x=1", "\"quoted\"; x=1"),
        ] {
            assert_eq!(&*file_name(given), name, "{given:?}");
        }
        let long = format!("{}.jpeg", "🙂".repeat(300));
        assert!(file_name(&long).len() <= FILE_NAME_BYTES_MAX && file_name(&long).ends_with(".jpeg"));
        assert_eq!(file_name(&"x".repeat(300)).len(), FILE_NAME_BYTES_MAX);
        assert_eq!(file_name(&format!("x.{}", "y".repeat(300))).len(), FILE_NAME_BYTES_MAX);
    }

    #[test]
    fn each_kind_has_a_media_type_of_its_own() {
        for kind in MediaKind::ALL {
            assert_eq!(MediaKind::of_media_type(kind.media_type()), Some(kind));
        }
        assert!(MediaKind::ALL.into_iter().filter(|kind| kind.is_image()).all(MediaKind::is_inline));
        assert!(!MediaKind::Other.is_inline() && !MediaKind::Pdf.is_inline());
    }
}
