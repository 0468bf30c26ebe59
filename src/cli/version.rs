//! `parlance version`.

use std::io::{self, Write};

/// Prints the version.
pub fn run() -> anyhow::Result<()> {
    writeln!(io::stdout(), "parlance {}", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}
