//! What all questions about Parlance stand on: a seeded data folder on a real disk, tokens, and servers over it.

use std::fs;
use std::path::PathBuf;

use actors::id::{ConversationId, Pair, UserId};
use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::seed::{self, Seeded};
use crate::server::{self, Server};

/// A data folder with users; it goes with this value.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    seeded: Seeded,
    tokens: Vec<String>,
    pin: bool,
}

impl Stage {
    /// Seeds `users` accounts, the first `members` of them in one group, and mints a token for each.
    pub fn set(users: usize, members: usize, pin: bool) -> Result<Self> {
        // Beside the binary, not in the temporary folder: that is often kept in memory, where a sync costs nothing.
        let beside = std::env::current_exe()?.parent().context("the binary lies in a folder")?.to_owned();
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?;
        let data = folder.path().join("data");
        let seeded = seed::make(&data, users as u64, members)?;
        let tokens = seed::mint(&server::binary()?, &data, &seeded)?;
        Ok(Self { folder, seeded, tokens, pin })
    }

    /// A fresh server over the folder. One at a time.
    pub fn serve(&self) -> Result<Server> {
        Server::start(self.folder.path(), self.pin)
    }

    /// Whether servers and generator have a core each.
    pub fn pin(&self) -> bool {
        self.pin
    }

    /// The tokens of all users, members of the group first.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The group's id, as the protocol writes it.
    pub fn group(&self) -> String {
        self.seeded.group.to_string()
    }

    /// The id of the direct conversation of two users.
    pub fn direct(&self, one: usize, other: usize) -> Result<String> {
        let user = |place: usize| -> Result<UserId> { self.seeded.users.get(place).copied().context("no such user") };
        Ok(ConversationId::Direct(Pair::new(user(one)?, user(other)?)?).to_string())
    }

    /// The file system that the data folder lies on.
    pub fn file_system(&self) -> String {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let here: PathBuf = self.folder.path().to_owned();
        let of_line = |line: &str| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
        };
        let over = mounts.lines().filter_map(of_line).filter(|(point, _)| here.starts_with(point));
        over.max_by_key(|(point, _)| point.len()).map_or_else(|| "unknown".to_owned(), |(_, kind)| kind)
    }
}
