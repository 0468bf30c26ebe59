//! `parlance token --make`: access tokens with a node's key, one or many, for tools and load tests.
//!
//! A token is good only while its login stands, so a login is written for each; the data folder must not be in use.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::account::{Account, Login, RefreshHash};
use actors::credential::Identity;
use actors::id::{Door, LoginId, UserId};
use actors::limits::Limit;
use actors::store::AccountStore;
use actors::time::{Clock, Random, Timestamp};
use anyhow::{Context, bail};
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Runtime;

use crate::app::{STORE_FOLDER, SystemClock, SystemRandom, cannot_open};
use crate::auth::access::{AccessTokens, expiry};
use crate::auth::{keys, refresh};
use crate::config::{Config, Flags, Start, environment};
use crate::store::embedded::{EmbeddedStore, Options};

/// Logins written at once: enough for the store to commit them in groups.
const AT_ONCE: usize = 512;

/// `parlance token`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Make tokens.
    #[arg(long, required = true)]
    make: bool,
    /// For this user.
    #[arg(long, value_name = "NUMBER", required_unless_present = "users", conflicts_with = "users")]
    user: Option<u64>,
    /// For these users: `FROM..TO` with both ends, or a file with a number on each line; prints `number token`.
    #[arg(long, value_name = "FROM..TO|FILE")]
    users: Option<String>,
    /// How many seconds the tokens live; the limit `access_life` unless told.
    #[arg(long, value_name = "SECONDS")]
    life: Option<u64>,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The settings' file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Makes and prints them.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let flags = Flags { data: arguments.data.clone(), ..Flags::default() };
    let config = Config::load(Start::Told, arguments.config.as_deref(), environment(), &flags)?;
    let users = match (arguments.user, &arguments.users) {
        (Some(user), _) => vec![user_id(user)?],
        (None, Some(users)) => listed(users)?,
        (None, None) => bail!("name --user or --users"),
    };
    let life = arguments.life.map_or_else(|| config.limits.time(Limit::AccessLife), Duration::from_secs);
    let made = Runtime::new()?.block_on(make(&config.node.data, &users, life))?;
    let mut out = BufWriter::new(io::stdout().lock());
    for (user, token) in made {
        match arguments.user {
            Some(_) => writeln!(out, "{token}")?,
            None => writeln!(out, "{} {token}", user.get())?,
        }
    }
    out.flush()?;
    Ok(())
}

fn user_id(number: u64) -> anyhow::Result<UserId> {
    UserId::new(number).with_context(|| format!("{number} is no user's number"))
}

fn listed(text: &str) -> anyhow::Result<Vec<UserId>> {
    if let Some((from, to)) = text.split_once("..")
        && let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>())
    {
        return (from..=to).map(user_id).collect();
    }
    let lines = fs::read_to_string(text).with_context(|| format!("`{text}` is neither FROM..TO nor a file that can be read"))?;
    let number = |line: &str| line.trim().parse().with_context(|| format!("`{line}` in {text} is no user's number"));
    lines.lines().filter(|line| !line.trim().is_empty()).map(|line| user_id(number(line)?)).collect()
}

/// Tokens for these users, in their order, each with a login of its own.
async fn make(data: &Path, users: &[UserId], life: Duration) -> anyhow::Result<Vec<(UserId, String)>> {
    if !data.join(STORE_FOLDER).exists() {
        bail!("there is no data in {}: start the node once, or name its folder with --data", data.display());
    }
    let options = Options::new(data.join(STORE_FOLDER), Box::new(|why| tracing::error!(why, "the store cannot go on")));
    let store = EmbeddedStore::open(options).with_context(|| cannot_open(data))?;
    let tokens = AccessTokens::new(&keys::load_or_draw(data)?);
    let now = SystemClock.now();
    for some in users.chunks(AT_ONCE) {
        let accounts = store.accounts(some).await?;
        if let Some((user, _)) = some.iter().zip(&accounts).find(|(_, account)| !account.as_ref().is_some_and(usable)) {
            bail!("there is no account {} that can be used", user.get());
        }
    }
    let (store, tokens) = (&store, &tokens);
    let made = stream::iter(users.iter().copied())
        .map(|user| async move {
            let identity = Identity { user, login: LoginId(SystemRandom.draw()), expires_at: expiry(now, life) };
            store.put_login(login(&identity, now), 0).await?;
            anyhow::Ok((user, tokens.issue(&identity, now).0))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await;
    store.close().await;
    made
}

fn usable(account: &Account) -> bool {
    account.is_active()
}

/// A login whose refresh token nobody has.
fn login(identity: &Identity, now: Timestamp) -> Login {
    let (_, RefreshHash(hash)) = refresh::draw(identity.login);
    Login {
        id: identity.login,
        user: identity.user,
        refresh: RefreshHash(hash),
        replaced: None,
        created_at: now,
        expires_at: identity.expires_at,
        ended_at: None,
        used_at: now,
        device: "".into(),
        door: Door::default(),
    }
}

#[cfg(test)]
mod tests {
    use actors::account::{DisplayName, Email, Username};

    use super::*;

    fn ann() -> Account {
        let (username, email) = (Username::new("ann").expect("valid"), Email::new("ann@example.org").expect("valid"));
        Account::new(UserId::new(7).expect("valid"), username, email, DisplayName::default(), None, Timestamp(0))
    }

    fn open(data: &Path) -> EmbeddedStore {
        EmbeddedStore::open(Options::new(data.join(STORE_FOLDER), Box::new(|_| {}))).expect("opened")
    }

    #[tokio::test]
    async fn each_token_has_a_login_that_stands() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, users, life) = (folder.path(), [ann().id; 3], Duration::from_mins(1));
        assert!(make(data, &users, life).await.expect_err("no data yet").to_string().contains("start the node once"));
        let store = open(data);
        store.put_account(ann(), 0).await.expect("written");
        let in_use = make(data, &users, life).await.expect_err("the folder is in use");
        assert!(format!("{in_use:#}").contains("in use"), "{in_use:#}");
        drop(store);

        let made = make(data, &users, life).await.expect("made");
        let unknown = UserId::new(8).expect("valid");
        assert!(make(data, &[unknown], life).await.expect_err("no such account").to_string().contains("no account 8"));
        let (store, tokens) = (open(data), AccessTokens::new(&keys::load_or_draw(data).expect("the key")));
        let mut logins = Vec::new();
        for (user, token) in made {
            let identity = tokens.judge(&token, SystemClock.now()).expect("proved");
            let login = store.login(identity.login).await.expect("read").expect("there").row;
            assert_eq!((login.user, login.ended_at, identity.user), (user, None, user));
            logins.push(login.id);
        }
        logins.sort_unstable();
        logins.dedup();
        assert_eq!(logins.len(), 3, "each has its own");
    }

    #[test]
    fn users_are_a_range_or_a_file() {
        let numbers = |text: &str| listed(text).map(|users| users.iter().map(|user| user.get()).collect::<Vec<_>>());
        assert_eq!(numbers("3..5").expect("a range"), [3, 4, 5]);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users");
        fs::write(&path, "7\n 9 \n\n").expect("written");
        assert_eq!(numbers(&path.to_string_lossy()).expect("a file"), [7, 9]);
        for wrong in ["0..3", "x..y", "/does/not/exist"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }
}
