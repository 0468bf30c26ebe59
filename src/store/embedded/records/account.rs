//! The stored forms of accounts and logins, each with the version that a change must name (design D12).

use std::borrow::Cow;

use actors::account::{Account, DisplayName, Email, Login, PasswordHash, RefreshHash, Username};
use actors::id::{LoginId, UserId};
use actors::store::Versioned;
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Damage, Stored, seal_fields, unseal_fields, valid};

/// Version 1 of each; the first, they have no predecessors.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct AccountRecord<'a> {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "i")]
    id: u64,
    #[serde(rename = "u", borrow)]
    username: Cow<'a, str>,
    #[serde(rename = "e", borrow)]
    email: Cow<'a, str>,
    #[serde(rename = "n", borrow)]
    name: Cow<'a, str>,
    #[serde(rename = "p", borrow, default, skip_serializing_if = "Option::is_none")]
    password: Option<Cow<'a, str>>,
    #[serde(rename = "a")]
    active: bool,
    #[serde(rename = "t")]
    created_at: i64,
}

impl Stored for Versioned<Account> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let account = &self.row;
        let record = AccountRecord {
            version: self.version,
            id: account.id.get(),
            username: account.username.as_str().into(),
            email: account.email.as_str().into(),
            name: account.name.as_str().into(),
            password: account.password.as_ref().map(|hash| Cow::Borrowed(&*hash.0)),
            active: account.active,
            created_at: account.created_at.0,
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: AccountRecord<'_> = unseal_fields(key, VERSION, bytes)?;
        let row = Account {
            id: valid(UserId::new(record.id), "id")?,
            username: Username::new(&record.username).ok_or(Damage::Value("username"))?,
            email: Email::new(&record.email).ok_or(Damage::Value("email"))?,
            name: DisplayName::new(&record.name).ok_or(Damage::Value("name"))?,
            password: record.password.map(|hash| PasswordHash(hash.into())),
            active: record.active,
            created_at: Timestamp(record.created_at),
        };
        Ok(Self { version: record.version, row })
    }
}

#[derive(Serialize, Deserialize)]
struct LoginRecord {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "i", with = "serde_bytes")]
    id: [u8; 16],
    #[serde(rename = "u")]
    user: u64,
    #[serde(rename = "r", with = "serde_bytes")]
    refresh: [u8; 32],
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    replaced: Option<ReplacedRecord>,
    #[serde(rename = "t")]
    created_at: i64,
    #[serde(rename = "x")]
    expires_at: i64,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct ReplacedRecord {
    #[serde(rename = "r", with = "serde_bytes")]
    refresh: [u8; 32],
    #[serde(rename = "t")]
    at: i64,
}

impl Stored for Versioned<Login> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let login = &self.row;
        let record = LoginRecord {
            version: self.version,
            id: login.id.0.to_be_bytes(),
            user: login.user.get(),
            refresh: login.refresh.0,
            replaced: login.replaced.map(|(refresh, at)| ReplacedRecord { refresh: refresh.0, at: at.0 }),
            created_at: login.created_at.0,
            expires_at: login.expires_at.0,
            ended_at: login.ended_at.map(|at| at.0),
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: LoginRecord = unseal_fields(key, VERSION, bytes)?;
        let row = Login {
            id: LoginId(u128::from_be_bytes(record.id)),
            user: valid(UserId::new(record.user), "user")?,
            refresh: RefreshHash(record.refresh),
            replaced: record.replaced.map(|replaced| (RefreshHash(replaced.refresh), Timestamp(replaced.at))),
            created_at: Timestamp(record.created_at),
            expires_at: Timestamp(record.expires_at),
            ended_at: record.ended_at.map(Timestamp),
        };
        Ok(Self { version: record.version, row })
    }
}
