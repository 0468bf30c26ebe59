//! The command line: one file per subcommand. Without arguments it serves, on this machine alone.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod serve;
pub mod config;
pub mod token;
pub mod export;
pub mod import;
pub mod check;
pub mod account;
mod node;
mod progress;
pub mod version;

/// A realtime chat server: durable before it acknowledges.
#[derive(Debug, Parser)]
#[command(name = "parlance", disable_version_flag = true)]
pub struct Arguments {
    /// What to do; without one a node starts on this machine alone and says how to talk to it.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node.
    Serve(serve::Arguments),
    /// Show settings.
    Config(config::Arguments),
    /// Make access tokens with a node's key.
    Token(token::Arguments),
    /// Write everything that is stored into one file.
    Export(export::Arguments),
    /// Take an export into a data folder.
    Import(import::Arguments),
    /// Show, ban, unban or delete an account of a running node.
    Account(account::Arguments),
    /// Read a data folder to its last row and say whether it is whole.
    Check(check::Arguments),
    /// Show the version.
    Version,
}

impl Arguments {
    /// Does it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(Command::Check(arguments)) => return check::run(&arguments),
            None => serve::run_bare(),
            Some(Command::Serve(arguments)) => serve::run(&arguments),
            Some(Command::Config(arguments)) => config::run(&arguments),
            Some(Command::Token(arguments)) => token::run(&arguments),
            Some(Command::Export(arguments)) => export::run(&arguments),
            Some(Command::Import(arguments)) => import::run(&arguments),
            Some(Command::Account(arguments)) => account::run(&arguments),
            Some(Command::Version) => version::run(),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
