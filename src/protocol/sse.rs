//! The pushes of a socket as server-sent events: the very `d`, under the push's name.
//!
//! An event is made from the push's JSON, so a push that is added needs nothing here.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use actors::event::RenderingKey;

/// The media type.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// Which cell of an announcement holds its event.
pub const RENDERING: RenderingKey = RenderingKey::new(2);
/// Says that the server is alive; clients pass over it.
pub const BEAT: &[u8] = b": hb\n\n";

const HEAD: &[u8] = b"{\"ev\":\"";
const MIDDLE: &[u8] = b"\",\"d\":";

/// The event that a push is, as rendered in JSON by [`crate::protocol::socket`].
pub fn event(push: &[u8]) -> Vec<u8> {
    let parts = push.strip_prefix(HEAD).and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (name, rest) = rest.split_at_checked(end)?;
        Some((name, rest.strip_prefix(MIDDLE)?.strip_suffix(b"}")?))
    });
    let (name, d) = parts.expect("a push is {\"ev\":…,\"d\":…}, in this order, and JSON has no line breaks");
    [b"event: ", name, b"\ndata: ", d, b"\n\n"].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::codec::Encoding;
    use crate::protocol::socket::render_expiring;

    #[test]
    fn an_event_says_what_the_push_says() {
        let push = render_expiring(Encoding::Json, Duration::from_secs(3));
        assert_eq!(event(&push), b"event: auth.expiring\ndata: {\"in_ms\":3000}\n\n");
    }
}
