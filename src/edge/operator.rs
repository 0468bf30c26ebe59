//! `POST /account` on the operators' listener: what an operator may do with an account while the node runs.
//!
//! The body is a deed and a username, `ban ann`. It is taken from this machine alone, and only with a header that a page
//! of another origin cannot send, so that a browser on this machine is no way in. Every change is logged by number.

use std::net::IpAddr;

use actors::account::{Account, Standing};
use actors::kind::Kind;
use actors::node::Node;
use actors::rejected::Rejected;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};

/// The header that says that an operator's tool asks; any value.
pub const OPERATOR_HEADER: &str = "parlance-operator";
/// The most bytes of a request: a deed and a username.
const BODY_BYTES: usize = 1_024;

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Show,
    Ban,
    Unban,
    Staff,
    Unstaff,
    Delete,
}

fn deed(name: &str) -> Option<Deed> {
    match name {
        "show" => Some(Deed::Show),
        "ban" => Some(Deed::Ban),
        "unban" => Some(Deed::Unban),
        "staff" => Some(Deed::Staff),
        "unstaff" => Some(Deed::Unstaff),
        "delete" => Some(Deed::Delete),
        _ => None,
    }
}

/// The answer to one request.
pub async fn answer(node: &Node, peer: IpAddr, headers: &HeaderMap, body: Body) -> Response {
    if !peer.to_canonical().is_loopback() || !headers.contains_key(OPERATOR_HEADER) {
        return refuse(StatusCode::FORBIDDEN, "accounts are changed on this machine alone: run `parlance account` there");
    }
    let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
        return refuse(StatusCode::BAD_REQUEST, "the request is too long or broke off");
    };
    let bytes = body.to_bytes();
    let wish = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().split_once(' '));
    let Some((deed, username)) = wish.and_then(|(name, username)| Some((deed(name)?, username))) else {
        return refuse(StatusCode::BAD_REQUEST, "expected a deed (show, ban, unban, staff, unstaff, delete) and a username");
    };
    match perform(node, deed, username).await {
        Ok(account) => {
            tracing::info!(user = account.id.get(), ?deed, "an operator has looked at or changed an account");
            (StatusCode::OK, describe(&account)).into_response()
        }
        Err(Rejected::NoSuchUser) => refuse(StatusCode::NOT_FOUND, "no account has this username"),
        Err(rejected) if rejected.kind() == Kind::Unavailable => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer: try again, the same command does no harm")
        }
        Err(rejected) => refuse(StatusCode::CONFLICT, &format!("refused: {rejected:?}")),
    }
}

async fn perform(node: &Node, deed: Deed, username: &str) -> Result<Account, Rejected> {
    let accounts = node.accounts();
    let account = accounts.named(username).await?;
    match deed {
        Deed::Show => Ok(account),
        Deed::Ban => accounts.set_banned(account.id, true).await,
        Deed::Unban => accounts.set_banned(account.id, false).await,
        Deed::Staff => accounts.set_staff(account.id, true).await,
        Deed::Unstaff => accounts.set_staff(account.id, false).await,
        Deed::Delete => accounts.delete(account.id).await,
    }
}

/// An account as its operator reads it: a line for each field.
fn describe(account: &Account) -> String {
    let standing = match account.standing {
        Standing::Active => "active",
        Standing::Deactivated => "deactivated",
        Standing::Banned => "banned",
        Standing::Deleted => "deleted",
    };
    let Account { id, username, email, name, staff, created_at, updated_at, .. } = account;
    format!(
        "number    {}\nusername  {}\ne-mail    {}\nname      {}\nstanding  {standing}\nstaff     {}\ncreated   {} (ms since 1970)\nchanged   {} (ms since 1970)\n",
        id.get(),
        username.as_str(),
        email.as_str(),
        name.as_str(),
        if *staff { "yes" } else { "no" },
        created_at.millis(),
        updated_at.millis(),
    )
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}
