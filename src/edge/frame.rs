//! Complete WebSocket frames of the server: header and payload in one piece, unmasked, so that one rendering serves
//! every socket and goes to the kernel as it is (KW4).

use bytes::Bytes;

/// Which kind of payload a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

impl Payload {
    fn first_byte(self) -> u8 {
        match self {
            Self::Text => 0x81,
            Self::Binary => 0x82,
        }
    }
}

/// The payload as one final frame.
pub fn whole(kind: Payload, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(payload.len() + HEADER_BYTES_MAX);
    append(&mut frame, kind, payload);
    frame.into()
}

/// The longest header of an unmasked frame.
pub const HEADER_BYTES_MAX: usize = 10;

/// Appends the payload as one final frame.
pub fn append(to: &mut Vec<u8>, kind: Payload, payload: &[u8]) {
    to.push(kind.first_byte());
    match payload.len() {
        length @ 0..126 => to.push(u8::try_from(length).expect("below 126")),
        length @ 126..65_536 => {
            to.push(126);
            to.extend_from_slice(&u16::try_from(length).expect("below 65,536").to_be_bytes());
        }
        length => {
            to.push(127);
            to.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    to.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    use super::*;

    #[test]
    fn frames_of_every_header_size_are_read_back() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = "x".repeat(length);
            let mut bytes = whole(Payload::Text, payload.as_bytes()).to_vec();
            append(&mut bytes, Payload::Binary, payload.as_bytes());
            let mut client = WebSocket::from_raw_socket(Cursor::new(bytes), Role::Client, None);
            assert_eq!(client.read().expect("a frame"), Message::text(payload.clone()));
            assert_eq!(client.read().expect("a frame"), Message::binary(payload.into_bytes()));
        }
    }
}
