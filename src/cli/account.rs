//! `parlance account`: what an operator may do with an account of a running node. Logins and open sockets of a banned or
//! deleted account end at once.

use std::io::{self, Write as _};

use anyhow::bail;
use clap::{Args, Subcommand};
use http::{Request, Uri};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use tokio::runtime::Runtime;

use super::node;
use crate::edge::operator::OPERATOR_HEADER;

/// `parlance account`
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    deed: Deed,
    /// The operators' address of the node, on this machine.
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    at: Uri,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Show an account.
    Show(Whose),
    /// Close an account: its logins and sockets end, and no login opens it.
    Ban(Whose),
    /// Open an account that was banned, or that its owner has closed.
    Unban(Whose),
    /// Let a user change other accounts, where an API has that.
    Staff(Whose),
    /// Let him no longer.
    Unstaff(Whose),
    /// Delete an account. Nothing brings it back.
    Delete {
        /// The username.
        username: String,
        /// Yes, for ever.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Whose {
    /// The username.
    username: String,
}

/// Does it, and shows the account as it is then.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (name, username) = match &arguments.deed {
        Deed::Show(whose) => ("show", &whose.username),
        Deed::Ban(whose) => ("ban", &whose.username),
        Deed::Unban(whose) => ("unban", &whose.username),
        Deed::Staff(whose) => ("staff", &whose.username),
        Deed::Unstaff(whose) => ("unstaff", &whose.username),
        Deed::Delete { username, yes: true } => ("delete", username),
        Deed::Delete { username, yes: false } => bail!("`{username}` would be gone for ever: say --yes if that is meant"),
    };
    let text = Runtime::new()?.block_on(async {
        let request = Request::post("/account").header(OPERATOR_HEADER, "cli");
        let body = node::ask(&arguments.at, "refuses", request, Bytes::from(format!("{name} {username}"))).await?;
        anyhow::Ok(body.collect().await?.to_bytes())
    })?;
    io::stdout().write_all(&text)?;
    Ok(())
}
