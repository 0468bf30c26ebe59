//! Answers on people: who has a name, whose logins stand, who is found, who is what to whom, who was here when.

use std::collections::HashSet;

use actors::account::{Account, Login, Seen};
use actors::id::{LoginId, Pair, UserId};
use actors::relation::Bond;
use actors::search;
use actors::store::{AccountKey, StoreError, Versioned};
use actors::time::Timestamp;

use super::keys::{self, Key};
use super::people::{ERASING, is_open};
use super::reads::{row, row_at, scan};
use super::store::Shared;

pub(super) fn account(shared: &Shared, key: &AccountKey) -> Result<Option<Versioned<Account>>, StoreError> {
    let at = shared.folder.database().snapshot();
    let id = match key {
        AccountKey::Id(id) => Some(*id),
        AccountKey::Username(username) => row_at::<UserId>(shared, &at, Key::Username(username))?,
        AccountKey::Email(email) => row_at::<UserId>(shared, &at, Key::Email(email))?,
    };
    id.map_or(Ok(None), |id| row_at(shared, &at, Key::Account(id)))
}

pub(super) fn accounts(shared: &Shared, ids: &[UserId]) -> Result<Vec<Option<Account>>, StoreError> {
    let at = shared.folder.database().snapshot();
    let one = |id: &UserId| Ok(row_at::<Versioned<Account>>(shared, &at, Key::Account(*id))?.map(|row| row.row));
    ids.iter().map(one).collect()
}

pub(super) fn login(shared: &Shared, id: LoginId) -> Result<Option<Versioned<Login>>, StoreError> {
    row(shared, Key::Login(id))
}

pub(super) fn logins(shared: &Shared, user: UserId, now: Timestamp, limit: usize) -> Result<Vec<Versioned<Login>>, StoreError> {
    let prefix = keys::logins_prefix(user);
    let (mut found, mut failed) = (Vec::new(), None);
    if limit == 0 {
        return Ok(found);
    }
    scan(shared, &prefix, &prefix, |key, _: UserId| {
        let Some((_, id)) = keys::login_of_user(key) else { return true };
        match login(shared, id) {
            Ok(login) => found.extend(login.filter(|login| is_open(&login.row) && now < login.row.expires_at)),
            Err(error) => failed = Some(error),
        }
        failed.is_none() && found.len() < limit
    })?;
    failed.map_or(Ok(found), Err)
}

/// Whole usernames first, then words, in the order of their keys. A user has so many words at most, so this many rows
/// hold `limit` users if there are so many.
pub(super) fn search(shared: &Shared, text: &str, limit: usize) -> Result<Vec<UserId>, StoreError> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    if limit == 0 {
        return Ok(found);
    }
    for prefix in [keys::handles_prefix(text), keys::words_prefix(text)] {
        let mut rows = limit.saturating_mul(search::WORDS_MAX);
        if found.len() == limit {
            break;
        }
        scan(shared, &prefix, &prefix, |_, user: UserId| {
            if seen.insert(user) {
                found.push(user);
            }
            rows -= 1;
            rows > 0 && found.len() < limit
        })?;
    }
    Ok(found)
}

/// Deleted accounts of which something is still to be erased, by number.
pub(super) fn erasing(shared: &Shared, limit: usize) -> Result<Vec<UserId>, StoreError> {
    let (prefix, mut found) = (keys::handles_prefix(ERASING), Vec::new());
    if limit > 0 {
        scan(shared, &prefix, &prefix, |_, user: UserId| {
            found.push(user);
            found.len() < limit
        })?;
    }
    Ok(found)
}

pub(super) fn seen(shared: &Shared, users: &[UserId]) -> Result<Vec<Seen>, StoreError> {
    let at = shared.folder.database().snapshot();
    users.iter().map(|user| row_at(shared, &at, Key::Seen(*user)).map(Option::unwrap_or_default)).collect()
}

pub(super) fn bond(shared: &Shared, pair: Pair) -> Result<Versioned<Bond>, StoreError> {
    let row = row(shared, Key::Bond(pair))?;
    Ok(row.unwrap_or_else(|| Versioned { version: 0, row: Bond::new(pair) }))
}

pub(super) fn bonds_with(shared: &Shared, pairs: &[Pair]) -> Result<Vec<Bond>, StoreError> {
    let at = shared.folder.database().snapshot();
    let one = |pair: &Pair| {
        let row = row_at::<Versioned<Bond>>(shared, &at, Key::Bond(*pair))?;
        Ok(row.map_or_else(|| Bond::new(*pair), |row| row.row))
    };
    pairs.iter().map(one).collect()
}

/// Those with smaller numbers are found from the one side, those with greater ones from the other: each user's bonds
/// by the other's number.
pub(super) fn bonds(shared: &Shared, user: UserId, after: Option<UserId>, limit: usize) -> Result<Vec<Bond>, StoreError> {
    let after_pair = after.and_then(|after| Pair::new(user, after).ok());
    let mut pairs = Vec::new();
    if limit > 0 && after.is_none_or(|after| after < user) {
        let prefix = keys::bonds_of_prefix(user);
        let after = after_pair.map_or_else(|| prefix.clone(), |pair| Key::BondOf(pair).bytes());
        scan(shared, &prefix, &after, |key, _: UserId| {
            pairs.extend(keys::pair_of(key));
            pairs.len() < limit
        })?;
    }
    let mut found = bonds_with(shared, &pairs)?;
    if found.len() < limit {
        let prefix = keys::bonds_prefix(user);
        let after = after_pair.filter(|pair| pair.low() == user);
        let after = after.map_or_else(|| prefix.clone(), |pair| Key::Bond(pair).bytes());
        scan(shared, &prefix, &after, |_, bond: Versioned<Bond>| {
            found.push(bond.row);
            found.len() < limit
        })?;
    }
    Ok(found)
}
