//! WebSocket frames as a client sees them: masked ones out, unmasked ones in.
//!
//! Only what a load client needs: whole frames from the server (fragments are told apart, not joined), a fixed mask
//! (a server cannot tell it from a drawn one), no extensions. Nothing here does I/O.

/// The mask of every frame that we send. A load client has no proxy to protect, so it need not be drawn anew.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A later part of a message; the servers measured here never send one.
    Continuation,
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
    /// The end.
    Close,
    /// To be answered by a pong.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Opcode {
    fn read(nibble: u8) -> Option<Self> {
        match nibble {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

/// The server sent what is no unmasked frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFrame;

/// One frame at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub opcode: Opcode,
    /// What it carries.
    pub payload: &'a [u8],
    /// Bytes that it takes in the buffer, its head included.
    pub bytes: usize,
}

/// The frame at the start of the buffer; `None` if it is not there in whole yet.
pub fn read(buffer: &[u8]) -> Result<Option<Frame<'_>>, BadFrame> {
    let [first, second, rest @ ..] = buffer else { return Ok(None) };
    let opcode = Opcode::read(first & 0x0f).ok_or(BadFrame)?;
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Err(BadFrame);
    }
    let (length, head) = match (second & 0x7f, rest) {
        (126, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 4),
        (126, _) => return Ok(None),
        (127, _) => match rest.first_chunk::<8>() {
            Some(length) => (usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX), 10),
            None => return Ok(None),
        },
        (short, _) => (usize::from(short), 2),
    };
    let bytes = length.checked_add(head).ok_or(BadFrame)?;
    Ok(buffer.get(head..bytes).map(|payload| Frame { opcode, payload, bytes }))
}

/// Writes one whole, masked frame behind what is in `out`.
pub fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    out.push(0x80 | opcode.bits());
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => out.push(0x80 + short),
        (_, Ok(medium)) => {
            out.push(0x80 + 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(0x80 + 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send: the same frame without its mask.
    fn unmasked(frame: &[u8], head: usize, payload: &[u8]) -> Vec<u8> {
        let mut bytes = frame[..head].to_vec();
        bytes[1] &= 0x7f;
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_frame_is_read_as_it_was_written_whatever_its_length() {
        for (length, head) in [(0, 2), (1, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let payload: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).expect("small")).collect();
            let mut out = Vec::new();
            write(&mut out, Opcode::Binary, &payload);
            assert_eq!(out.len(), head + 4 + length);
            let served = unmasked(&out, head, &payload);
            let frame = read(&served).expect("a frame").expect("whole");
            assert_eq!((frame.opcode, frame.payload, frame.bytes), (Opcode::Binary, &payload[..], head + length));
            for cut in [0, 1, head - 1, served.len() - 1] {
                assert_eq!(read(&served[..cut]), if cut == served.len() { Ok(Some(frame)) } else { Ok(None) });
            }
        }
    }

    #[test]
    fn the_mask_is_undone_by_itself() {
        let mut out = Vec::new();
        write(&mut out, Opcode::Text, b"hello");
        let plain: Vec<u8> = out[6..].iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(plain, b"hello");
        assert_eq!(out[..2], [0x81, 0x85]);
    }

    #[test]
    fn masked_or_unknown_frames_of_a_server_are_refused() {
        assert_eq!(read(&[0x81, 0x80, 1, 2, 3, 4]), Err(BadFrame));
        assert_eq!(read(&[0x83, 0x00]), Err(BadFrame));
        assert_eq!(read(&[0xc1, 0x00]), Err(BadFrame));
    }
}
