//! How far an export or import has come, on standard error: a bar on a terminal, a line a second elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

const EVERY: Duration = Duration::from_secs(1);

/// Shows how far something has come.
pub(super) struct Progress {
    shown: Shown,
    started: Instant,
    verb: &'static str,
}

enum Shown {
    Not,
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Progress {
    /// Nothing was done yet; `bytes` is how much there is to do, if that is known. `verb` says what is done, as in
    /// "exported".
    pub(super) fn new(verb: &'static str, bytes: Option<u64>, quiet: bool) -> Self {
        let now = Instant::now();
        let shown = if quiet {
            Shown::Not
        } else if io::stderr().is_terminal() {
            Shown::Bar(bar(bytes))
        } else {
            Shown::Lines { last: now }
        };
        Self { shown, started: now, verb }
    }

    /// So much was done.
    pub(super) fn at(&mut self, records: u64, bytes: u64) {
        match &mut self.shown {
            Shown::Not => {}
            Shown::Bar(bar) => {
                bar.set_message(format!("{} records", HumanCount(records)));
                bar.set_position(bytes);
            }
            Shown::Lines { last } if last.elapsed() >= EVERY => {
                *last = Instant::now();
                say(&format!("{} {} records, {}", self.verb, HumanCount(records), HumanBytes(bytes)));
            }
            Shown::Lines { .. } => {}
        }
    }

    /// All was done.
    pub(super) fn done(&mut self, records: u64, bytes: u64) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        if !matches!(self.shown, Shown::Not) {
            let took = self.started.elapsed().as_secs_f64();
            say(&format!("{} {} records, {} in {took:.1} s", self.verb, HumanCount(records), HumanBytes(bytes)));
        }
    }
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let template = match bytes {
        Some(_) => "{wide_bar} {bytes}/{total_bytes} ({bytes_per_sec}, {eta}) {msg}",
        None => "{spinner} {bytes} ({bytes_per_sec}) {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.set_style(style);
    bar
}

/// Progress is a courtesy: where nobody can be told, the work goes on.
fn say(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}
