//! The stored forms of accounts and logins, each with the version that a change must name (design D12), and of when
//! users were last here.

use std::borrow::Cow;

use actors::account::{Account, Audience, DisplayName, Email, Login, PasswordHash, Privacy, RefreshHash, Seen, Standing, Username};
use actors::content::AboutText;
use actors::id::{Door, LoginId, UserId};
use actors::store::Versioned;
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::{PictureRecord, picture, picture_record};
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
    #[serde(rename = "f", borrow, default, skip_serializing_if = "str::is_empty")]
    first_name: Cow<'a, str>,
    #[serde(rename = "l", borrow, default, skip_serializing_if = "str::is_empty")]
    last_name: Cow<'a, str>,
    #[serde(rename = "b", borrow, default, skip_serializing_if = "str::is_empty")]
    about: Cow<'a, str>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    picture: Option<PictureRecord>,
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    privacy: Option<PrivacyRecord>,
    /// Beside `active`, which of the others; 1 deactivated, 2 banned, 3 deleted. Where it was not yet told apart, who
    /// was not active could not open the account again: banned.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    closed: Option<u8>,
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    staff: bool,
    #[serde(rename = "z", default, skip_serializing_if = "std::ops::Not::not")]
    erasing: bool,
    /// Nothing where it never changed.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct PrivacyRecord {
    #[serde(rename = "p")]
    presence: u8,
    #[serde(rename = "r")]
    receipts: bool,
    #[serde(rename = "s")]
    searchable: bool,
    #[serde(rename = "g")]
    groups: u8,
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
            active: account.is_active(),
            created_at: account.created_at.0,
            first_name: account.first_name.as_str().into(),
            last_name: account.last_name.as_str().into(),
            about: account.about.as_str().into(),
            picture: account.picture.map(picture_record),
            privacy: (account.privacy != Privacy::default()).then(|| privacy_record(account.privacy)),
            closed: match account.standing {
                Standing::Active => None,
                Standing::Deactivated => Some(1),
                Standing::Banned => Some(2),
                Standing::Deleted => Some(3),
            },
            staff: account.staff,
            erasing: account.erasing,
            updated_at: (account.updated_at != account.created_at).then_some(account.updated_at.0),
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
            first_name: DisplayName::new(&record.first_name).ok_or(Damage::Value("first_name"))?,
            last_name: DisplayName::new(&record.last_name).ok_or(Damage::Value("last_name"))?,
            about: valid(AboutText::new(&record.about), "about")?,
            picture: record.picture.as_ref().map(picture).transpose()?,
            privacy: record.privacy.as_ref().map(privacy).transpose()?.unwrap_or_default(),
            standing: match (record.active, record.closed) {
                (true, None) => Standing::Active,
                (false, Some(1)) => Standing::Deactivated,
                (false, None | Some(2)) => Standing::Banned,
                (false, Some(3)) => Standing::Deleted,
                (true, Some(_)) | (false, Some(0 | 4..)) => return Err(Damage::Value("standing")),
            },
            staff: record.staff,
            erasing: record.erasing,
            created_at: Timestamp(record.created_at),
            updated_at: Timestamp(record.updated_at.unwrap_or(record.created_at)),
        };
        Ok(Self { version: record.version, row })
    }
}

fn privacy_record(privacy: Privacy) -> PrivacyRecord {
    PrivacyRecord {
        presence: audience_number(privacy.presence),
        receipts: privacy.receipts,
        searchable: privacy.searchable,
        groups: audience_number(privacy.groups),
    }
}

fn privacy(record: &PrivacyRecord) -> Result<Privacy, Damage> {
    Ok(Privacy {
        presence: audience(record.presence)?,
        receipts: record.receipts,
        searchable: record.searchable,
        groups: audience(record.groups)?,
    })
}

fn audience_number(audience: Audience) -> u8 {
    match audience {
        Audience::Everyone => 1,
        Audience::Friends => 2,
        Audience::Nobody => 3,
    }
}

fn audience(number: u8) -> Result<Audience, Damage> {
    match number {
        1 => Ok(Audience::Everyone),
        2 => Ok(Audience::Friends),
        3 => Ok(Audience::Nobody),
        0 | 4.. => Err(Damage::Value("audience")),
    }
}

#[derive(Serialize, Deserialize)]
struct SeenRecord {
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    here: Option<i64>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    login: Option<i64>,
}

impl Stored for Seen {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_fields(key, VERSION, &SeenRecord { here: self.here.map(|at| at.0), login: self.login.map(|at| at.0) })
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: SeenRecord = unseal_fields(key, VERSION, bytes)?;
        Ok(Self { here: record.here.map(Timestamp), login: record.login.map(Timestamp) })
    }
}

#[derive(Serialize, Deserialize)]
struct LoginRecord<'a> {
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
    /// Nothing where it was used when it began and never since, and where that was not yet kept.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
    #[serde(rename = "n", borrow, default, skip_serializing_if = "str::is_empty")]
    device: Cow<'a, str>,
    #[serde(rename = "o", default)]
    door: u8,
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
            used_at: (login.used_at != login.created_at).then_some(login.used_at.0),
            device: Cow::Borrowed(&login.device),
            door: login.door.0,
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: LoginRecord<'_> = unseal_fields(key, VERSION, bytes)?;
        let row = Login {
            id: LoginId(u128::from_be_bytes(record.id)),
            user: valid(UserId::new(record.user), "user")?,
            refresh: RefreshHash(record.refresh),
            replaced: record.replaced.map(|replaced| (RefreshHash(replaced.refresh), Timestamp(replaced.at))),
            created_at: Timestamp(record.created_at),
            expires_at: Timestamp(record.expires_at),
            ended_at: record.ended_at.map(Timestamp),
            used_at: Timestamp(record.used_at.unwrap_or(record.created_at)),
            device: record.device.into(),
            door: Door(record.door),
        };
        Ok(Self { version: record.version, row })
    }
}
