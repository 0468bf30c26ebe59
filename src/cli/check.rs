//! `parlance check`: reads a data folder that no node uses, to its last row, and says whether it is whole.
//!
//! The exit code is the verdict: 0 all is well, 1 there are problems, 2 the folder could not be read.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::{STORE_FOLDER, cannot_open};
use crate::store::embedded::{Problem, check};

const PROBLEMS: u8 = 1;
const CANNOT_OPEN: u8 = 2;

/// `parlance check`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Checks and says what it found.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut said = Ok(());
    let mut tell = |problem: &Problem| {
        if said.is_ok() {
            said = writeln!(out, "problem: {problem}");
        }
    };
    let report = match check(&arguments.data.join(STORE_FOLDER), &mut tell) {
        Ok(report) => report,
        Err(error) => {
            writeln!(io::stderr(), "parlance: {}: {error}", cannot_open(&arguments.data))?;
            return Ok(ExitCode::from(CANNOT_OPEN));
        }
    };
    said?;
    for (kind, count) in &report.rows {
        writeln!(out, "{count:>12} {kind}")?;
    }
    match report.problems {
        0 => writeln!(out, "all is well")?,
        1 => writeln!(out, "1 problem was found")?,
        problems => writeln!(out, "{problems} problems were found")?,
    }
    Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(PROBLEMS) })
}
