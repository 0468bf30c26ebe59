//! What all questions about Parlance stand on: a seeded data folder on a real disk, tokens, and servers over it.

use std::fs;
use std::path::{Path, PathBuf};

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
        Self::furnish(pin, users, |data| seed::make(data, users as u64, members))
    }

    /// A data folder that `seed` fills, and tokens for the first `tokens` users.
    pub fn furnish(pin: bool, tokens: usize, seed: impl FnOnce(&Path) -> Result<Seeded>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(beside()?)?;
        let data = folder.path().join("data");
        let seeded = seed(&data)?;
        let tokens = seed::mint(&server::binary()?, &data, seeded.users.get(..tokens).context("more tokens than users")?)?;
        Ok(Self { folder, seeded, tokens, pin })
    }

    /// A fresh server over the folder. One at a time.
    pub fn serve(&self) -> Result<Server> {
        Server::start(self.folder.path(), self.pin, &[])
    }

    /// The same with limits of its own, beside those that are lifted for every question.
    pub fn serve_with(&self, limits: &[(&str, &str)]) -> Result<Server> {
        Server::start(self.folder.path(), self.pin, limits)
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

    /// All users, by number.
    pub fn users(&self) -> &[UserId] {
        &self.seeded.users
    }
}

/// Beside the binary, not in the temporary folder: that is often kept in memory, where a sync costs nothing.
fn beside() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.parent().context("the binary lies in a folder")?.to_owned())
}

/// The file system that the data folders lie on.
pub fn file_system() -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let here = beside().unwrap_or_default();
    let of_line = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    let over = mounts.lines().filter_map(of_line).filter(|(point, _)| here.starts_with(point));
    over.max_by_key(|(point, _)| point.len()).map_or_else(|| "unknown".to_owned(), |(_, kind)| kind)
}
