//! What the kernel says of a process and of the machine: CPU by process and by thread, resident memory.
//!
//! CPU is that of the server's process alone, its kernel part included (`/proc/PID/stat`, all threads, also ended ones);
//! the kernel scales it to exact run time and shows it in ticks of 10 ms. Nothing here judges.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

/// Where the source lies, whatever folder the bench is started in.
const HERE: &str = env!("CARGO_MANIFEST_DIR");
/// Ticks of a second in `/proc`; fixed by the kernel's interface whatever its own clock is.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cpu {
    /// In the program itself.
    pub user: f64,
    /// In the kernel on its behalf.
    pub system: f64,
}

impl Cpu {
    /// Both parts.
    pub fn total(self) -> f64 {
        self.user + self.system
    }

    /// What was used since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// The CPU that a process has used so far.
pub fn cpu(pid: u32) -> Result<Cpu> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    parse_stat(&text).map(|(_, cpu)| cpu).context("/proc/PID/stat is not as expected")
}

/// The CPU of each live thread of a process, with its name.
pub fn threads(pid: u32) -> Result<Vec<(String, Cpu)>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the process has ended")? {
        let path = task?.path().join("stat");
        if let Ok(text) = fs::read_to_string(path) {
            found.push(parse_stat(&text).context("a thread's stat is not as expected")?);
        }
    }
    Ok(found)
}

/// Name, user and system time of a `stat` line. The name stands in parentheses and may hold anything.
fn parse_stat(text: &str) -> Option<(String, Cpu)> {
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_ascii_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    Some((name, Cpu { user: seconds()?, system: seconds()? }))
}

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// All of it.
    pub rss: u64,
    /// Without files and shared pages: heap and stacks.
    pub anonymous: u64,
}

/// The resident memory of a process.
pub fn memory(pid: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("the process has ended")?;
    parse_rollup(&text).context("/proc/PID/smaps_rollup is not as expected")
}

fn parse_rollup(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
    };
    Some(Memory { rss: bytes("Rss")?, anonymous: bytes("Anonymous")? })
}

/// What the figures were measured on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Processor and number of cores.
    pub processor: String,
    /// Memory in GiB.
    pub memory_gib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// The commit measured, and whether the tree had changes.
    pub commit: String,
    /// Open files that a process may have.
    pub descriptors: String,
}

impl Machine {
    /// Reads all of it; what cannot be read is "unknown".
    pub fn read() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = file("/proc/cpuinfo");
        let model = field(&cpuinfo, "model name");
        let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
        let kib: u64 = field(&file("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
        let dirty = if output("git", &["-C", HERE, "status", "--porcelain"]).is_empty() { "" } else { " with changes" };
        let limits = file("/proc/self/limits");
        let descriptors = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_ascii_whitespace().next());
        Self {
            processor: format!("{cores} × {model}"),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: output("rustc", &["--version"]),
            commit: format!("{}{dirty}", output("git", &["-C", HERE, "rev-parse", "--short=12", "HEAD"])),
            descriptors: descriptors.unwrap_or("unknown").to_owned(),
        }
    }
}

fn field(text: &str, name: &str) -> String {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    found.map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_error| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The middle of some figures: the mean of the two in the middle where their number is even; 0 for none.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (odd, middle) if odd % 2 == 1 => sorted[middle],
        (_, middle) => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The highest of some figures; 0 for none.
pub fn best(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_name_may_hold_blanks_and_parentheses() {
        let line = "26009 (tokio (rt) 1) R 26005 26005 23112 0 -1 4194304 103 0 0 0 250 75 0 0 20 0 1 0 147631 3133440 390";
        let (name, cpu) = parse_stat(line).expect("a stat line");
        assert_eq!(name, "tokio (rt) 1");
        assert_eq!(cpu, Cpu { user: 2.5, system: 0.75 });
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn the_rollup_is_read_by_name() {
        let text = "5581-7ffd ---p 00000000 00:00 0 [rollup]\nRss:                1588 kB\nPss:                 212 kB\nAnonymous:           100 kB\n";
        assert_eq!(parse_rollup(text), Some(Memory { rss: 1_588 * 1_024, anonymous: 102_400 }));
        assert_eq!(parse_rollup("Rss: many\n"), None);
    }

    #[test]
    fn this_process_can_be_measured() {
        let pid = std::process::id();
        assert!(memory(pid).expect("readable").rss > 0);
        assert!(cpu(pid).expect("readable").total() >= 0.0);
        assert!(!threads(pid).expect("readable").is_empty());
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((best(&[3.0, 9.0, 2.0]) - 9.0).abs() < 1e-9);
    }
}
