//! Files over HTTP: what is asked for in a query, a range and a name, and what is said of a file.
//!
//! A client's name for a file is data: it is shown in `Content-Disposition` alone, encoded so that nothing in it can end
//! the header or name a path (RFC 6266, RFC 8187).
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;

use actors::id::{ConversationId, Seq};
use actors::media::{Attachment, MediaId, MediaKind, NAMELESS, Purpose, file_name};
use actors::time::Timestamp;
use serde::Serialize;

use crate::protocol::codec::Encoding;
use crate::protocol::error::{Code, WireError};

/// The longest life that can be asked for: ten years.
pub const LIFE_SECONDS_MAX: u64 = 315_360_000;

/// What is wished of a file that comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its name.
    pub name: Option<Box<str>>,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// For how long it is kept.
    pub life: Option<Duration>,
}

impl Wish {
    /// What a query says; unknown fields and doubles are refused.
    pub fn decode(query: &str) -> Result<Self, WireError> {
        let mut wish = Self { name: None, purpose: None, life: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (field, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = unescaped(value).ok_or_else(|| WireError::with(Code::Malformed, "the query is not UTF-8, escaped as in a form"))?;
            wish.set(field, &value)?;
        }
        Ok(wish)
    }

    /// One field, of a query or of a part.
    pub fn set(&mut self, field: &str, value: &str) -> Result<(), WireError> {
        let doubled = |field: &'static str| Err(WireError::validation(field, "stands twice"));
        match field {
            "name" if self.name.is_some() => doubled("name"),
            "name" => {
                self.name = Some(file_name(value));
                Ok(())
            }
            "purpose" if self.purpose.is_some() => doubled("purpose"),
            "purpose" => {
                self.purpose = Some(match value {
                    "attachment" => Purpose::Attachment,
                    "picture" => Purpose::Picture,
                    _ => return Err(WireError::validation("purpose", "must be attachment or picture")),
                });
                Ok(())
            }
            "expires_in" if self.life.is_some() => doubled("expires_in"),
            "expires_in" => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                let seconds = value.parse().ok().filter(|seconds| digits && (1..=LIFE_SECONDS_MAX).contains(seconds));
                let seconds =
                    seconds.ok_or_else(|| WireError::validation("expires_in", "must be a number of seconds from 1 to 315360000"))?;
                self.life = Some(Duration::from_secs(seconds));
                Ok(())
            }
            _ => Err(WireError::with(Code::Validation, "there is no such field; there are name, purpose and expires_in")),
        }
    }

    /// The name, or the one that stands for none.
    pub fn name(&self) -> Box<str> {
        self.name.clone().unwrap_or_else(|| NAMELESS.into())
    }
}

/// The text of an escaped value.
fn unescaped(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
                high.checked_mul(16)?.checked_add(low)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The file that a path names: 32 hexadecimal digits and nothing else.
pub fn file_of(text: &str) -> Result<MediaId, WireError> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.parse().ok().filter(|_| digits).ok_or(WireError::new(Code::NoSuchFile))
}

/// Where a file of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The conversation.
    pub conversation: ConversationId,
    /// The message.
    pub seq: Seq,
    /// Which of its files, counted from 0.
    pub nth: usize,
}

impl Place {
    /// The place that a path names; what cannot be one is none.
    pub fn of(path: &[(String, String)]) -> Result<Self, WireError> {
        let none = WireError::new(Code::NoSuchFile);
        let text = |wanted: &str| path.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str());
        let number = |wanted| text(wanted).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u64>().ok();
        let conversation = text("conv").and_then(|text| text.parse().ok());
        let seq = number("seq").and_then(|number| Seq::new(number).ok());
        let nth = number("n").and_then(|number| usize::try_from(number).ok());
        match (conversation, seq, nth) {
            (Some(conversation), Some(seq), Some(nth)) => Ok(Self { conversation, seq, nth }),
            (None, _, _) | (_, None, _) | (_, _, None) => Err(none),
        }
    }
}

/// A file as the native protocol shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AttachmentBody<'a> {
    id: String,
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

impl<'a> From<&'a Attachment> for AttachmentBody<'a> {
    fn from(attachment: &'a Attachment) -> Self {
        Self {
            id: attachment.id.to_string(),
            name: &attachment.name,
            r#type: attachment.kind.media_type(),
            bytes: attachment.bytes,
            width: attachment.pixels.map(|(width, _)| width),
            height: attachment.pixels.map(|(_, height)| height),
            at: attachment.uploaded_at.millis(),
            expires_at: attachment.expires_at.map(Timestamp::millis),
        }
    }
}

/// A file that was taken in.
pub fn attachment(attachment: &Attachment) -> Vec<u8> {
    Encoding::Json.encode(&AttachmentBody::from(attachment))
}

/// The value of `Content-Type`.
pub fn content_type(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Text => "text/plain; charset=utf-8",
        MediaKind::Jpeg | MediaKind::Png | MediaKind::Gif | MediaKind::Webp | MediaKind::Pdf | MediaKind::Mp4 => kind.media_type(),
        MediaKind::Mp3 | MediaKind::Ogg | MediaKind::Webm | MediaKind::Wav | MediaKind::Other => kind.media_type(),
    }
}

/// The value of `Content-Disposition`: shown in place only where that is harmless.
pub fn content_disposition(kind: MediaKind, name: &str) -> String {
    let mut text = String::from(if kind.is_inline() { "inline; filename=\"" } else { "attachment; filename=\"" });
    text.extend(name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-') { c } else { '_' }));
    text.push_str("\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a string takes all text");
        }
    }
    text
}

/// Which bytes are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    Whole,
    /// These; within the file, at least one.
    Part(Range<u64>),
    /// None that there are.
    Nothing,
}

/// What a header `Range` asks for of so many bytes. Several ranges, other units and what cannot be read ask for all.
pub fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some((first, last)) = header.and_then(|text| text.trim().strip_prefix("bytes=")).and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::Whole;
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (first, last) {
        ("", suffix) => match number(suffix) {
            None => Wanted::Whole,
            Some(0) => Wanted::Nothing,
            Some(_) if length == 0 => Wanted::Nothing,
            Some(count) => Wanted::Part(length.saturating_sub(count)..length),
        },
        (first, last) => match (number(first), if last.is_empty() { Some(u64::MAX) } else { number(last) }) {
            (Some(first), Some(last)) if last < first => Wanted::Whole,
            (Some(first), Some(_)) if first >= length => Wanted::Nothing,
            (Some(first), Some(last)) => Wanted::Part(first..last.saturating_add(1).min(length)),
            (_, None) | (None, _) => Wanted::Whole,
        },
    }
}

/// Whether a header `If-None-Match` names this tag.
pub fn names_tag(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_part_or_everything() {
        for (header, expected) in [
            ("bytes=0-9", Wanted::Part(0..10)),
            ("bytes=5-", Wanted::Part(5..100)),
            ("bytes=-5", Wanted::Part(95..100)),
            ("bytes=-500", Wanted::Part(0..100)),
            ("bytes=99-99", Wanted::Part(99..100)),
            ("bytes=50-4000", Wanted::Part(50..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=18446744073709551615-", Wanted::Nothing),
            ("bytes=0-18446744073709551615", Wanted::Part(0..100)),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-0", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-5", Wanted::Whole),
            ("lines=0-9", Wanted::Whole),
            ("bytes=99999999999999999999-", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 100), expected, "{header}");
        }
        assert_eq!(wanted(None, 100), Wanted::Whole);
        assert_eq!([wanted(Some("bytes=0-"), 0), wanted(Some("bytes=-1"), 0)], [Wanted::Nothing, Wanted::Nothing]);
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_header() {
        for (name, expected) in [
            ("a.png", "inline; filename=\"a.png\"; filename*=UTF-8''a.png"),
            ("x\"; filename=y.exe", "inline; filename=\"x__ filename_y.exe\"; filename*=UTF-8''x%22%3B%20filename%3Dy.exe"),
            ("日本 🙂", "inline; filename=\"__ _\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%20%F0%9F%99%82"),
            ("a\r\nset-cookie: x", "inline; filename=\"a__set-cookie_ x\"; filename*=UTF-8''a%0D%0Aset-cookie%3A%20x"),
        ] {
            assert_eq!(content_disposition(MediaKind::Png, name), expected);
        }
        assert!(content_disposition(MediaKind::Pdf, "a").starts_with("attachment;"));
    }

    #[test]
    fn a_wish_is_read_strictly() {
        let wish = Wish::decode("name=..%2F%C3%A9+1.png&purpose=picture&expires_in=60").expect("good");
        assert_eq!((&*wish.name(), wish.purpose, wish.life), ("é 1.png", Some(Purpose::Picture), Some(Duration::from_mins(1))));
        assert_eq!(&*Wish::decode("").expect("good").name(), NAMELESS);
        for wrong in [
            "name=%ff",
            "name=%4",
            "name=%zz",
            "name=a&name=b",
            "purpose=avatar",
            "expires_in=0",
            "expires_in=315360001",
            "expires_in=-1",
            "expires_in=%2B5",
            "expires_in=",
            "owner=7",
            "x",
        ] {
            assert!(Wish::decode(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_is_named_by_its_digits_alone() {
        let digits = "0123456789abcdef0123456789abcdef";
        assert_eq!(file_of(digits).map(|id| id.to_string()), Ok(digits.to_owned()));
        for wrong in
            ["", "1", "01234567-89ab-cdef-0123-456789abcdef", "..", "0123456789abcdef0123456789abcdeg", "{0123456789abcdef0123456789abcd}"]
        {
            assert!(file_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_of_a_file_is_read_whole() {
        let path = |conv: &str, seq: &str, n: &str| {
            let words = [("conv", conv), ("seq", seq), ("n", n)];
            Place::of(&words.map(|(name, text)| (name.to_owned(), text.to_owned())))
        };
        let place = path("g12", "42", "9").expect("good");
        assert_eq!((place.conversation.to_string(), place.seq.get(), place.nth), ("g12".to_owned(), 42, 9));
        for wrong in
            [("g0", "1", "0"), ("x", "1", "0"), ("g1", "-1", "0"), ("g1", "+1", "0"), ("g1", "1", ""), ("g1", "1", "99999999999999999999")]
        {
            assert!(path(wrong.0, wrong.1, wrong.2).is_err(), "{wrong:?}");
        }
        assert!(Place::of(&[]).is_err());
    }

    #[test]
    fn a_tag_is_found_in_a_list() {
        assert!(names_tag("\"a\", W/\"b\"", "\"b\"") && names_tag("*", "\"b\"") && !names_tag("\"a\"", "\"b\""));
    }
}
