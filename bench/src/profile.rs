//! Where a process spends its CPU, by samples of `perf`, for as long as it is there; without it nothing is said.
//!
//! The clock of the kernel is sampled (`cpu-clock`), since machines in a cloud have no hardware counters. A sample in
//! the kernel counts to the system call that it was in, loopback delivery included; a sample in the program counts to
//! the crate or module of its function, and what cannot be told apart (allocation, copying, the runtime) counts as that.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

/// Samples in a second: no divisor of the tick, so that nothing beats with it; few, so that they cost below a percent.
const FREQUENCY: &str = "499";

/// What a sample was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The kernel's part of reading sockets.
    Read,
    /// Bytes to requests: the translator.
    Parse,
    /// Actors: users, conversations, homes, their mail.
    Actor,
    /// The store: its threads, and the calls into it.
    Store,
    /// Events into the queues of sessions.
    FanOut,
    /// Answers and events to bytes.
    Render,
    /// Frames to the socket, and the kernel's part of it.
    Write,
    /// Tasks, wake-ups, waiting for sockets.
    Runtime,
    /// Allocating and copying, for whomever.
    Memory,
    /// Hash tables, for whomever.
    Tables,
    /// Clocks and metrics.
    Counting,
    /// Anything else.
    Other,
}

impl Part {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "socket read",
            Self::Parse => "parse",
            Self::Actor => "actors",
            Self::Store => "store",
            Self::FanOut => "fan-out",
            Self::Render => "render",
            Self::Write => "socket write",
            Self::Runtime => "runtime",
            Self::Memory => "allocation and copying",
            Self::Tables => "hash tables",
            Self::Counting => "clocks and metrics",
            Self::Other => "other",
        }
    }
}

/// A running recording.
#[derive(Debug)]
pub struct Recording {
    perf: Child,
    file: tempfile::TempPath,
}

/// Samples a process for so long, beside whatever the caller does; `None` where `perf` cannot be started.
pub fn record(pid: u32, span: Duration) -> Option<Recording> {
    let file = tempfile::NamedTempFile::new().ok()?.into_temp_path();
    let perf = Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", FREQUENCY, "-g", "-p", &pid.to_string(), "-o"])
        .arg(&*file)
        .args(["--", "sleep", &span.as_secs_f64().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Some(Recording { perf: perf.ok()?, file })
}

impl Recording {
    /// The share of each part, the largest first; `None` if there are too few samples to speak of.
    pub fn shares(mut self) -> Result<Option<Vec<(Part, f64)>>> {
        if !self.perf.wait()?.success() {
            return Ok(None);
        }
        Ok(tally(&script(&self.file)?))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        drop(self.perf.kill());
        drop(self.perf.wait());
    }
}

fn script(file: &Path) -> Result<String> {
    let output = Command::new("perf").args(["script", "--no-inline", "-F", "comm,ip,sym,dso", "-i"]).arg(file).output();
    Ok(String::from_utf8_lossy(&output.context("no perf")?.stdout).into_owned())
}

fn tally(text: &str) -> Option<Vec<(Part, f64)>> {
    let mut counts: BTreeMap<Part, f64> = BTreeMap::new();
    for sample in text.split("\n\n").filter(|sample| !sample.trim().is_empty()) {
        let mut lines = sample.trim_start_matches('\n').lines();
        let thread = lines.next()?.trim();
        let frames: Vec<_> = lines.filter_map(Frame::read).collect();
        *counts.entry(part(thread, &frames)).or_default() += 1.0;
    }
    let all: f64 = counts.values().sum();
    let mut shares: Vec<_> = counts.into_iter().map(|(part, count)| (part, count / all)).collect();
    shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    (all >= 200.0).then_some(shares)
}

/// One function on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame<'a> {
    function: &'a str,
    in_kernel: bool,
}

impl<'a> Frame<'a> {
    /// Of a line such as `4a90e5 tokio::poll (/usr/bin/parlance)`.
    fn read(line: &'a str) -> Option<Self> {
        let (_, rest) = line.trim().split_once(' ')?;
        let (function, place) = rest.rsplit_once(" (")?;
        Some(Self { function, in_kernel: place.starts_with("[kernel") || place.starts_with("[guest.kernel") })
    }
}

/// Threads of the store, by the start of their names.
const STORE_THREADS: &[&str] = &["store-", "fjall"];

/// System calls, by a part of the kernel's name for them.
const CALLS: &[(&str, Part)] = &[
    ("sys_sendto", Part::Write),
    ("sys_sendmsg", Part::Write),
    ("sys_writev", Part::Write),
    ("sys_recvfrom", Part::Read),
    ("sys_recvmsg", Part::Read),
    ("sys_epoll", Part::Runtime),
    ("sys_futex", Part::Runtime),
    ("sys_write", Part::Runtime), // an event descriptor; the store writes on its own threads
    ("sys_pread", Part::Store),
    ("clock", Part::Counting),
    ("page_fault", Part::Memory),
    ("sys_m", Part::Memory), // mmap, munmap, madvise
];

/// Functions, by a part of their path; the first that fits counts.
const FUNCTIONS: &[(&str, Part)] = &[
    ("parlance::protocol::socket::render", Part::Render),
    ("parlance::protocol::wire", Part::Render),
    ("serde_json::ser", Part::Render),
    ("rmp_serde::encode", Part::Render),
    ("Serialize", Part::Render),
    ("itoa", Part::Render),
    ("core::fmt", Part::Render),
    ("parlance::protocol", Part::Parse),
    ("serde_json::de", Part::Parse),
    ("serde_json::read", Part::Parse),
    ("from_utf8", Part::Parse),
    ("parlance::store", Part::Store),
    ("fjall", Part::Store),
    ("lsm_tree", Part::Store),
    ("crossbeam_skiplist", Part::Store),
    ("lz4_flex", Part::Store),
    ("crc32fast", Part::Store),
    ("actors::conversation::announce", Part::FanOut),
    ("actors::outbound", Part::FanOut),
    ("actors::directory", Part::FanOut),
    ("actors::event", Part::FanOut),
    ("actors", Part::Actor),
    ("ractor", Part::Actor),
    ("parlance::edge", Part::Write),
    ("tungstenite", Part::Write),
    ("__send", Part::Write),
    ("__libc_recv", Part::Read),
    ("metrics", Part::Counting),
    ("quanta", Part::Counting),
    ("clock", Part::Counting),
    ("unix::time", Part::Counting),
    ("dashmap", Part::Tables),
    ("hash", Part::Tables),
    ("tokio", Part::Runtime),
    ("mio", Part::Runtime),
    ("future", Part::Runtime),
    ("mutex", Part::Runtime),
    ("jemalloc", Part::Memory),
    ("_rjem", Part::Memory),
    ("mem", Part::Memory), // memcpy, memmove, memset, core::mem
    ("alloc", Part::Memory),
    ("dealloc", Part::Memory),
    ("bytes", Part::Memory),
    ("arena_", Part::Memory),
    ("tcache", Part::Memory),
];

fn part(thread: &str, frames: &[Frame<'_>]) -> Part {
    if STORE_THREADS.iter().any(|name| thread.starts_with(name)) {
        return Part::Store;
    }
    let named = |table: &[(&str, Part)], function: &str| table.iter().find(|(name, _)| function.contains(name)).map(|(_, part)| *part);
    match frames.first() {
        Some(leaf) if leaf.in_kernel => {
            let calls = frames.iter().filter(|frame| frame.in_kernel);
            calls.filter_map(|frame| named(CALLS, frame.function)).next_back().unwrap_or(Part::Other)
        }
        Some(leaf) => named(FUNCTIONS, leaf.function).unwrap_or(Part::Other),
        None => Part::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "tokio-rt-worker \n\
        \tffffffff821ed511 tcp_sendmsg ([kernel.kallsyms])\n\
        \tffffffff81e2f330 __x64_sys_sendto ([kernel.kallsyms])\n\
        \tffffffff81000130 entry_SYSCALL_64_after_hwframe ([kernel.kallsyms])\n\
        \t          10aba4 __send (/usr/lib/libc.so.6)\n";

    #[test]
    fn a_sample_in_the_kernel_counts_to_its_system_call() {
        let frames: Vec<_> = SAMPLE.lines().skip(1).filter_map(Frame::read).collect();
        assert_eq!(frames.len(), 4);
        assert_eq!(part("tokio-rt-worker", &frames), Part::Write);
        assert_eq!(part("store-writer", &frames), Part::Store);
        assert_eq!(part("tokio-rt-worker", &frames[3..]), Part::Write);
    }

    #[test]
    fn a_sample_in_the_program_counts_to_its_module() {
        let of = |function| part("tokio-rt-worker", &[Frame { function, in_kernel: false }]);
        assert_eq!(of("parlance::protocol::json::read"), Part::Parse);
        assert_eq!(of("parlance::protocol::socket::render_event"), Part::Render);
        assert_eq!(of("<actors::conversation::actor::ConversationActor as ractor::actor::Actor>::handle"), Part::Actor);
        assert_eq!(of("actors::outbound::OutboundQueue::push"), Part::FanOut);
        assert_eq!(of("tokio_tungstenite::WebSocketStream<T>::poll"), Part::Write);
        assert_eq!(of("tokio::runtime::task::raw::poll"), Part::Runtime);
        assert_eq!(of("__memcpy_avx512_unaligned_erms"), Part::Memory);
        assert_eq!(of("main"), Part::Other);
    }

    #[test]
    fn shares_add_up_and_need_enough_samples() {
        assert_eq!(tally(SAMPLE), None);
        let many = format!("{}\n{}", format!("{SAMPLE}\n").repeat(150), "x \n\t 4a tokio::poll (/usr/bin/x)\n\n".repeat(50));
        let shares = tally(&many).expect("enough");
        assert_eq!(shares[0].0, Part::Write);
        assert!((shares[0].1 - 0.75).abs() < 1e-9 && (shares[1].1 - 0.25).abs() < 1e-9, "{shares:?}");
    }
}
