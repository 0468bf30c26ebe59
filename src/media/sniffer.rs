//! What a file is, by its content alone, told while it comes; no name and no declared type is believed (M1).
//!
//! The list is short on purpose: what is not on it is kept and given back as it is, and never shown inline. Text is
//! valid UTF-8 from end to end, without control characters and without anything that a browser could take for markup.

use actors::media::MediaKind;

/// As much of the beginning as is looked at.
const HEAD_BYTES: usize = 256;

/// Looks at a file while it comes.
#[derive(Debug)]
pub struct Sniffer {
    head: Vec<u8>,
    text: TextJudge,
}

impl Default for Sniffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Sniffer {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self { head: Vec::new(), text: TextJudge::default() }
    }

    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend(bytes.iter().take(room));
        self.text.push(bytes);
    }

    /// What it was.
    pub fn kind(&self) -> MediaKind {
        match by_head(&self.head) {
            Some(kind) => kind,
            None if !self.head.is_empty() && self.text.is_text() => MediaKind::Text,
            None => MediaKind::Other,
        }
    }
}

fn by_head(head: &[u8]) -> Option<MediaKind> {
    let at = |place: usize, mark: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(mark));
    if at(0, b"\x89PNG\r\n\x1a\n") && at(12, b"IHDR") {
        return Some(MediaKind::Png);
    }
    if at(0, b"\xff\xd8\xff") {
        return Some(MediaKind::Jpeg);
    }
    if at(0, b"GIF87a") || at(0, b"GIF89a") {
        return Some(MediaKind::Gif);
    }
    if at(0, b"RIFF") && at(8, b"WEBPVP8") {
        return Some(MediaKind::Webp);
    }
    if at(0, b"RIFF") && at(8, b"WAVE") {
        return Some(MediaKind::Wav);
    }
    if at(0, b"%PDF-") {
        return Some(MediaKind::Pdf);
    }
    if at(0, b"OggS\0") {
        return Some(MediaKind::Ogg);
    }
    if at(4, b"ftyp") {
        return MP4_BRANDS.iter().any(|brand| at(8, *brand)).then_some(MediaKind::Mp4);
    }
    if at(0, b"\x1a\x45\xdf\xa3") {
        let doctype = b"\x42\x82\x84webm";
        return head.windows(doctype.len()).any(|some| some == doctype).then_some(MediaKind::Webm);
    }
    (at(0, b"ID3") && head.get(3).is_some_and(|version| (2..=4).contains(version)) || is_mp3_frame(head)).then_some(MediaKind::Mp3)
}

/// Brands of MP4 that browsers play; images in the same container are none of them.
const MP4_BRANDS: &[&[u8; 4]] =
    &[b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"M4A ", b"M4V ", b"M4VH", b"MSNV"];

/// The head of a frame of layer III with a bitrate and a sample rate that exist.
fn is_mp3_frame(head: &[u8]) -> bool {
    match head {
        [0xff, second, third, ..] => {
            let (layer_iii, sync) = (second & 0b0000_0110 == 0b0000_0010, second & 0b1110_0000 == 0b1110_0000);
            let (version, bitrate, rate) = (second >> 3 & 0b11, third >> 4, third >> 2 & 0b11);
            sync && layer_iii && version != 1 && !matches!(bitrate, 0 | 15) && rate != 3
        }
        _ => false,
    }
}

/// Whether all bytes so far are text.
#[derive(Debug, Default)]
struct TextJudge {
    /// The beginning of a character whose rest has not come.
    open: Vec<u8>,
    /// The last byte was `<`.
    angle: bool,
    spoiled: bool,
}

impl TextJudge {
    fn push(&mut self, bytes: &[u8]) {
        if self.spoiled {
            return;
        }
        for byte in bytes {
            let markup = self.angle && (byte.is_ascii_alphabetic() || matches!(byte, b'!' | b'/' | b'?' | b'%'));
            let control = byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
            if markup || control {
                self.spoiled = true;
                return;
            }
            self.angle = *byte == b'<';
        }
        self.characters(bytes);
    }

    fn characters(&mut self, bytes: &[u8]) {
        let joined;
        let bytes = if self.open.is_empty() {
            bytes
        } else {
            joined = [&self.open[..], bytes].concat();
            &joined[..]
        };
        match std::str::from_utf8(bytes) {
            Ok(_) => self.open = Vec::new(),
            // The last character may be cut off here and go on in the next bytes.
            Err(error) if error.error_len().is_none() => self.open = bytes[error.valid_up_to()..].to_vec(),
            Err(_) => self.spoiled = true,
        }
    }

    fn is_text(&self) -> bool {
        !self.spoiled && self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(bytes: &[u8]) -> MediaKind {
        let mut sniffer = Sniffer::new();
        sniffer.push(bytes);
        sniffer.kind()
    }

    #[test]
    fn a_file_is_what_it_holds() {
        let webm = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm\x42\x87\x81\x02";
        let matroska = b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska";
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], MediaKind::Png),
            (b"\x89PNG\r\n\x1a\n<html>", MediaKind::Other),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", MediaKind::Jpeg),
            (b"GIF89a\x01\0\x01\0", MediaKind::Gif),
            (b"GIF88a\x01\0\x01\0", MediaKind::Other),
            (b"RIFF\x24\0\0\0WEBPVP8 ", MediaKind::Webp),
            (b"RIFF\x24\0\0\0WAVEfmt ", MediaKind::Wav),
            (b"RIFF\x24\0\0\0AVI LIST", MediaKind::Other),
            (b"%PDF-1.7\n\xe2\xe3", MediaKind::Pdf),
            (b"\n%PDF-1.7\n\xe2\xe3", MediaKind::Other),
            (b"OggS\0\x02", MediaKind::Ogg),
            (b"\0\0\0\x20ftypisom\0\0\x02\0", MediaKind::Mp4),
            (b"\0\0\0\x20ftypheic\0\0\x02\0", MediaKind::Other),
            (b"\0\0\0\x20ftypavif\0\0\x02\0", MediaKind::Other),
            (webm, MediaKind::Webm),
            (matroska, MediaKind::Other),
            (b"ID3\x04\0\0\0\0\0\0", MediaKind::Mp3),
            (b"ID3 is a tag", MediaKind::Text),
            (b"\xff\xfb\x90\x64\0", MediaKind::Mp3),
            (b"\xff\xfb\xf0\x64\0", MediaKind::Other),
            (b"hello, world\n", MediaKind::Text),
            ("你好 🙂".as_bytes(), MediaKind::Text),
            (b"1 < 2 and 3 > 2, <- and <3", MediaKind::Text),
            (b"<html><script>", MediaKind::Other),
            (b"  \n<!DOCTYPE html>", MediaKind::Other),
            (b"<?xml version=\"1.0\"?><svg/>", MediaKind::Other),
            (b"text and then <svg onload=x>", MediaKind::Other),
            (b"text\0", MediaKind::Other),
            (b"\x1b[2J", MediaKind::Other),
            (b"\xff\xfet\0e\0", MediaKind::Other),
            (b"caf\xe9", MediaKind::Other),
            (b"caf\xc3", MediaKind::Other),
            (b"PK\x03\x04\x14", MediaKind::Other),
            (b"MZ\x90\0", MediaKind::Other),
            (b"", MediaKind::Other),
        ] {
            assert_eq!(kind(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn how_it_is_cut_makes_no_difference(bytes: Vec<u8>, text in ".{0,40}", cut in 1_usize..9) {
            for bytes in [&bytes[..], text.as_bytes()] {
                let mut sniffer = Sniffer::new();
                bytes.chunks(cut).for_each(|some| sniffer.push(some));
                prop_assert_eq!(sniffer.kind(), kind(bytes));
            }
        }
    }
}
