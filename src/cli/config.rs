//! `parlance config`: what is in force, what the defaults are, and the documents generated from the code.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Flags, Start, environment, limits_document};
use crate::metrics;

/// `parlance config`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one flag for each thing to print, of which one is given")]
#[group(required = true, multiple = false, args = ["print", "default", "limits", "metrics"])]
pub struct Arguments {
    /// Print what is in force with this file and the environment, secrets hidden.
    #[arg(long)]
    print: bool,
    /// Print the defaults, as a file.
    #[arg(long)]
    default: bool,
    /// Print the document of all limits.
    #[arg(long)]
    limits: bool,
    /// Print the document of all metrics.
    #[arg(long)]
    metrics: bool,
    /// The settings' file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints what was asked for.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = if arguments.default {
        Config::of(Start::Told).print()
    } else if arguments.limits {
        limits_document()
    } else if arguments.metrics {
        metrics::document()
    } else {
        Config::load(Start::Told, arguments.config.as_deref(), environment(), &Flags::default())?.print()
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
