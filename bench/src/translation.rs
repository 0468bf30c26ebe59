//! What translation alone costs, measured in this process: one request parsed, one ack and one event rendered.
//!
//! It needs no tool, so it is said on every machine; the same functions run in the server. A loop over hot data is the
//! best case: in the server they cost somewhat more.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use actors::content::{ClientKey, Content};
use actors::entry::{Act, Entry};
use actors::event::Event;
use actors::id::{ConversationId, Incarnation, MessageId, Pair, Pos, Seq, UserId};
use actors::limits::Limits;
use actors::time::Timestamp;
use actors::view::{Appended, View};
use anyhow::{Result, ensure};
use parlance::protocol::{codec, request, socket};

use crate::fan_out_to_8000_connections::TEXT_BYTES;
use crate::native::{self, Encoding};

/// Microseconds of each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// A `msg.send` from its frame's payload.
    pub parse: f64,
    /// The answer to it.
    pub render_ack: f64,
    /// The entry pushed to others.
    pub render_entry: f64,
}

/// Measures all steps in one encoding, each so many times.
pub fn costs(encoding: Encoding, times: u32) -> Result<Costs> {
    let spelled = match encoding {
        Encoding::Json => codec::Encoding::Json,
        Encoding::Msgpack => codec::Encoding::MessagePack,
    };
    let (one, other) = (UserId::new(1_007)?, UserId::new(1_009)?);
    let conversation = ConversationId::Direct(Pair::new(one, other)?);
    let text = "x".repeat(TEXT_BYTES);
    let frame = native::send(encoding, 77, &conversation.to_string(), "k77", &text);
    let limits = Limits::default();
    let incoming = request::decode(spelled, &frame, &limits, Some(one));
    ensure!(incoming.len() == 1, "the frame holds {} requests", incoming.len());
    let (seq, pos, id, at) = (Seq::new(77)?, Pos(77), MessageId::new(4_096_077)?, Timestamp(1_800_000_000_000_000));
    let act = Act::Message(Content { text: text.into(), ..Content::default() });
    let entry = Arc::new(Entry { seq, pos, id, author: one, client_key: ClientKey::new("k77")?, at, act });
    let event = Event::Entry { conversation, incarnation: Incarnation(1_234_567), entry, scene: None };
    let answer = Ok(View::Appended(Appended { conversation, seq, pos, id, at, duplicate: false }));
    Ok(Costs {
        parse: micros(times, || drop(black_box(request::decode(spelled, black_box(&frame), &limits, Some(one))))),
        render_ack: micros(times, || drop(black_box(socket::render_reply(spelled, 77, black_box(&answer), "")))),
        render_entry: micros(times, || drop(black_box(socket::render_event(spelled, black_box(&event), &limits)))),
    })
}

fn micros(times: u32, mut step: impl FnMut()) -> f64 {
    for _ in 0..times / 10 {
        step();
    }
    let start = Instant::now();
    for _ in 0..times {
        step();
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_can_be_measured() {
        for encoding in [Encoding::Json, Encoding::Msgpack] {
            let costs = costs(encoding, 100).expect("our frames are good");
            assert!(costs.parse > 0.0 && costs.render_ack > 0.0 && costs.render_entry > 0.0, "{costs:?}");
        }
    }
}
