//! The own account and its logins. The only place that shows an e-mail address, and its owner is the only one who sees it.

use actors::account::{self, Audience, Privacy};
use actors::view::LoginView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::wire::frame::moment;
use crate::protocol::wire::people::PicturePath;

/// The own account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account<'a> {
    id: u64,
    username: &'a str,
    name: &'a str,
    email: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    first_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    about: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    picture: Option<PicturePath>,
    privacy: Shows,
    created_at: i64,
    updated_at: i64,
}

/// What the user shows of himself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shows {
    presence: &'static str,
    receipts: bool,
    searchable: bool,
    groups: &'static str,
}

/// The words for whom something is for.
pub const AUDIENCES: [(&str, Audience); 3] =
    [("everyone", Audience::Everyone), ("friends", Audience::Friends), ("nobody", Audience::Nobody)];

fn audience(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "everyone",
        Audience::Friends => "friends",
        Audience::Nobody => "nobody",
    }
}

impl From<Privacy> for Shows {
    fn from(privacy: Privacy) -> Self {
        Self {
            presence: audience(privacy.presence),
            receipts: privacy.receipts,
            searchable: privacy.searchable,
            groups: audience(privacy.groups),
        }
    }
}

impl<'a> From<&'a account::Account> for Account<'a> {
    fn from(account: &'a account::Account) -> Self {
        Self {
            id: account.id.get(),
            username: account.username.as_str(),
            name: account.name.as_str(),
            email: account.email.as_str(),
            first_name: account.first_name.as_str(),
            last_name: account.last_name.as_str(),
            about: account.about.as_str(),
            picture: PicturePath::of(account.picture),
            privacy: account.privacy.into(),
            created_at: moment(account.created_at),
            updated_at: moment(account.updated_at),
        }
    }
}

/// A login as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Login<'a> {
    login: String,
    current: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    device: &'a str,
    created_at: i64,
    used_at: i64,
    sessions: u64,
}

impl<'a> From<&'a LoginView> for Login<'a> {
    fn from(view: &'a LoginView) -> Self {
        Self {
            login: view.id.to_string(),
            current: view.current,
            device: &view.device,
            created_at: moment(view.created_at),
            used_at: moment(view.used_at),
            sessions: view.sessions,
        }
    }
}

/// Logins that have not ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct Logins<'a> {
    /// The newest first.
    pub logins: Vec<Login<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_read_as_it_is_said() {
        for (word, read) in AUDIENCES {
            assert_eq!(audience(read), word);
        }
    }
}
