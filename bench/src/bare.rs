//! The calibrator from outside: its process, its connections, and one who speaks.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::client::{Fleet, Seen};
use crate::fan_out_to_8000_connections::Side;
use crate::frame::Opcode;
use crate::process::{self, Child};

/// A running calibrator with connections; the first one speaks.
#[derive(Debug)]
pub struct Bare {
    child: Child,
    fleet: Fleet,
    frame: Vec<u8>,
    delivered: u64,
    input: std::process::ChildStdin,
}

impl Bare {
    /// Starts it with one connection more than `receivers`; deliveries are frames of `bytes`, heads included.
    pub fn start(receivers: usize, bytes: usize, threads: usize, pin: bool) -> Result<Self> {
        let mut command = process::pinned(&std::env::current_exe()?, pin);
        command.args(["--threads", &threads.to_string(), "calibrator"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::start(command)?;
        let (address, input) = (child.address()?, child.input().context("no way to end it")?);
        let mut fleet = Fleet::new(address, "/", None, Opcode::Text)?;
        fleet.open(receivers + 1, Duration::from_mins(1), &mut |_, _, _| {})?;
        let head = if bytes < 128 { 2 } else { 4 };
        let frame = fleet.framed(&vec![b'x'; bytes - head]);
        Ok(Self { child, fleet, frame, delivered: 0, input })
    }

    /// Bytes that all deliveries so far took on the wire.
    pub fn received_bytes(&self) -> u64 {
        self.fleet.received_bytes()
    }

    /// Ends it in order.
    pub fn stop(self) -> Result<()> {
        drop(self.input);
        self.child.stop(Duration::from_secs(5))
    }
}

impl Side for Bare {
    fn pid(&self) -> u32 {
        self.child.pid()
    }

    fn shout(&mut self, burst: usize) -> Result<()> {
        self.fleet.say(0, &self.frame.repeat(burst));
        Ok(())
    }

    fn turn(&mut self) -> Result<u64> {
        let (mut seen, mut ended) = (0, None);
        self.fleet.turn(Duration::from_millis(20), &mut |_, what, _| match what {
            Seen::Frame(_) => seen += 1,
            Seen::Ended(why) => ended = Some(why),
            Seen::Opened => {}
        })?;
        if let Some(why) = ended {
            bail!("a connection of the calibrator ended: {why}");
        }
        self.delivered += seen;
        Ok(self.delivered)
    }
}
