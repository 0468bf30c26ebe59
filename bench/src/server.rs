//! The server under measurement: the real binary, over a seeded folder, with the limits lifted that would throttle a bench.
//!
//! Invariant: the process ends with its [`Server`], also when the bench fails.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::counts::{self, Counts};
use crate::process::{self, Child};

/// What the bench lifts, as it stands in the server's configuration file; the table names them.
///
/// Rates are those of a person and would throttle one process that plays thousands; the address limits assume many
/// addresses; people join a group that is at its limit. Nothing here is a buffer, a batch or a coalescing time: those are as
/// everybody gets them.
pub const LIFTED: &[(&str, &str)] = &[
    ("connections_address", "1000000"),
    ("unauthenticated_address", "1000000"),
    ("frames_rate", "1000000"),
    ("frames_burst", "1000000"),
    ("inbound_bytes_rate", "1000000000"),
    ("posts_rate_user", "1000000"),
    ("posts_burst_user", "1000000"),
    ("posts_rate_conversation", "1000000"),
    ("posts_burst_conversation", "1000000"),
    ("members", "20000"),
];

/// For the start, which replays the journal.
const START: Duration = Duration::from_mins(1);

/// The binary, beside this one.
pub fn binary() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("parlance");
    ensure!(path.exists(), "{} is not there: run `cargo build --release` first", path.display());
    Ok(path)
}

/// Brings the binary up to date where Cargo started us: `cargo run -p bench` alone builds only the bench.
pub fn build() -> Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let mut command = Command::new(cargo);
    command.args(["build", "--locked", "--bin", "parlance", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    ensure!(command.status()?.success(), "the server could not be built");
    Ok(())
}

/// Writes the configuration file, with more limits if there are such, and returns its path.
pub fn configure(folder: &Path, more: &[(&str, &str)]) -> Result<PathBuf> {
    let limits: Vec<_> = LIFTED.iter().chain(more).map(|(name, value)| format!("{name} = {value}\n")).collect();
    let text = format!("[edge]\ntrusted_addresses = [\"127.0.0.0/8\"]\n\n[limits]\n{}", limits.concat());
    let path = folder.join("bench.toml");
    fs::write(&path, text)?;
    Ok(path)
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where clients connect.
    pub clients: SocketAddr,
    /// Where operators look.
    pub ops: SocketAddr,
}

impl Server {
    /// Starts it over `folder/data` with `folder/bench.toml`, and returns when it is ready.
    pub fn start(folder: &Path, pin: bool, limits: &[(&str, &str)]) -> Result<Self> {
        let log = folder.join("server.log");
        let output = File::create(&log)?;
        let mut command: Command = process::pinned(&binary()?, pin);
        command.arg("serve").arg("--data").arg(folder.join("data")).arg("--config").arg(configure(folder, limits)?);
        command.args(["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut child = Child::start(command)?;
        let until = Instant::now() + START;
        loop {
            let text = fs::read_to_string(&log)?;
            if let (Some(clients), Some(ops)) = (address(&text, "clients"), address(&text, "operations")) {
                let server = Self { child, clients, ops };
                server.wait_until_ready(until)?;
                return Ok(server);
            }
            if !child.is_alive() || Instant::now() > until {
                bail!("the server did not start:\n{text}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_until_ready(&self, until: Instant) -> Result<()> {
        while !matches!(counts::get(self.ops, "/readyz"), Ok((200, _))) {
            ensure!(Instant::now() < until, "the server did not become ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Its counters now.
    pub fn counts(&self) -> Result<Counts> {
        Counts::read(self.ops)
    }

    /// Ends it in order.
    pub fn stop(self) -> Result<()> {
        self.child.stop(Duration::from_secs(40))
    }
}

/// The address on the line of the greeting that begins with this word.
fn address(text: &str, word: &str) -> Option<SocketAddr> {
    let rest = text.lines().find_map(|line| line.trim_start().strip_prefix(word)?.split_once("http://"))?.1;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:[]".contains(c)))?;
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_among_other_words() {
        let text = "parlance is ready\n  clients     http://127.0.0.1:8080   (sockets)\n  operations  http://127.0.0.1:81/healthz\n";
        assert_eq!(address(text, "clients"), Some("127.0.0.1:8080".parse().expect("an address")));
        assert_eq!(address(text, "operations"), Some("127.0.0.1:81".parse().expect("an address")));
        assert_eq!(address("  clients http://127.0.0.1:80", "clients"), None, "the line is not whole yet");
    }

    #[test]
    fn every_lifted_limit_has_that_name() {
        for (name, _) in LIFTED {
            assert!(actors::limits::TABLE.iter().any(|row| row.name == *name), "{name}");
        }
    }
}
