//! The binary: arguments, then the subcommand. jemalloc because it gives memory back after a storm (KA1).

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use parlance::cli::Arguments;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // The log may not be set up yet, and whoever started us reads this.
            if writeln!(io::stderr(), "parlance: {error:#}").is_err() {
                return ExitCode::from(2);
            }
            ExitCode::FAILURE
        }
    }
}
