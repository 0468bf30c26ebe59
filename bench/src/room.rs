//! The big group on a Parlance server: one member who speaks, the others listening.

use anyhow::{Context, Result};

use crate::crowd::{Crowd, Told};
use crate::fan_out_to_8000_connections::{Side, TEXT_BYTES};
use crate::native::Encoding;
use crate::server::Server;
use crate::stage::Stage;

/// A crowd in one group; the first one speaks.
#[derive(Debug)]
pub struct Room {
    crowd: Crowd,
    pid: u32,
    group: String,
    text: String,
    next: u32,
    delivered: u64,
}

impl Room {
    /// Connects the group's owner and `receivers` of its members.
    pub fn enter(stage: &Stage, server: &Server, receivers: usize, encoding: Encoding) -> Result<Self> {
        let mut crowd = Crowd::new(server.clients, encoding)?;
        crowd.join(stage.tokens().get(..=receivers).context("more receivers than users")?)?;
        let text = "x".repeat(TEXT_BYTES);
        Ok(Self { crowd, pid: server.pid(), group: stage.group(), text, next: 2, delivered: 0 })
    }

    /// Bytes of a delivery on the wire.
    pub fn entry_bytes(&self) -> usize {
        self.crowd.entry_bytes()
    }

    /// How everybody in here writes.
    pub fn encoding(&self) -> Encoding {
        self.crowd.encoding()
    }
}

impl Side for Room {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn shout(&mut self, burst: usize) -> Result<()> {
        let mut frames = Vec::new();
        for _ in 0..burst {
            self.crowd.framer().send(&mut frames, self.next, &self.group, &format!("k{:07}", self.next), &self.text);
            self.next += 1;
        }
        self.crowd.say(0, &frames);
        Ok(())
    }

    fn turn(&mut self) -> Result<u64> {
        let mut heard = 0;
        self.crowd.turn(&mut |_, told, _| heard += u64::from(told == Told::Entry))?;
        self.delivered += heard;
        Ok(self.delivered)
    }
}
