//! Child processes of the bench: pinned to a core where that is possible, and never left behind.
//!
//! Invariant: a [`Child`] ends with its owner, also when the bench fails half-way.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child as StdChild, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A server under measurement.
#[derive(Debug)]
pub struct Child {
    process: StdChild,
}

impl Child {
    /// Starts a program on core 0, if `taskset` exists and there are two cores. Its id is the program's own, since
    /// `taskset` becomes the program.
    pub fn start(mut command: Command) -> Result<Self> {
        let process = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { process })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its standard input, if that is ours.
    pub fn input(&mut self) -> Option<std::process::ChildStdin> {
        self.process.stdin.take()
    }

    /// The first line that the program prints, as an address.
    pub fn address(&mut self) -> Result<SocketAddr> {
        let output = self.process.stdout.take().context("its output is not ours")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        line.trim().parse().with_context(|| format!("{line:?} is no address"))
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Asks it to end in order, and waits for that.
    pub fn stop(mut self, patience: Duration) -> Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().context("no kill")?;
        let until = Instant::now() + patience;
        while self.is_alive() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Whether servers and generator get a core each.
pub fn can_pin() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let known = Command::new("taskset").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    cores > 1 && known.is_ok_and(|status| status.success())
}

/// The program, to be run on core 0 if that is possible.
pub fn pinned(program: &std::path::Path, pin: bool) -> Command {
    if !pin {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// Moves this process, the generator, to core 1.
pub fn pin_generator() -> Result<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-a", "-c", "-p", "1", &pid]).stdout(Stdio::null()).status();
    anyhow::ensure!(status.context("no taskset")?.success(), "taskset failed");
    Ok(())
}
