//! `bench`: asks all questions, or one, and prints the answers as one Markdown table.

use std::io::Write as _;

use anyhow::Result;
use bench::fan_out_to_8000_connections::{self, Plan};
use bench::table::Markdown;
use bench::{calibrator, process};
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Figures of Parlance, as a Markdown table.
#[derive(Debug, Parser)]
struct Arguments {
    /// A few hundred connections and short rounds: proves that the bench works, its figures mean nothing.
    #[arg(long, global = true)]
    quick: bool,
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// The bare broadcaster alone: what this machine gives at this moment.
    Calibrate {
        /// Bytes of a delivery on the wire.
        #[arg(long, default_value_t = 420)]
        bytes: usize,
        /// Worker threads; 0 is the current-thread runtime.
        #[arg(long, default_value_t = 0)]
        threads: usize,
    },
    /// The bare broadcaster itself; started by the other commands.
    #[command(hide = true)]
    Calibrator {
        /// Worker threads; 0 is the current-thread runtime.
        #[arg(long, default_value_t = 0)]
        threads: usize,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = if arguments.quick { Plan::QUICK } else { Plan::FULL };
    let pin = process::can_pin();
    match arguments.question {
        Some(Question::Calibrator { threads }) => return calibrator::run(threads),
        Some(Question::Calibrate { bytes, threads }) => {
            if pin {
                process::pin_generator()?;
            }
            let rows = fan_out_to_8000_connections::calibrate(plan, bytes, threads, pin)?;
            writeln!(std::io::stdout(), "{}", Markdown(&rows))?;
        }
        None => {}
    }
    Ok(())
}
