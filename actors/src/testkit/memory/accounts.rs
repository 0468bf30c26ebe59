//! Accounts, logins, search, and when users were here. Search looks at every account: it is the order that counts here.

use std::collections::BTreeSet;

use super::rows::Rows;
use super::store::{Call, MemoryStore, planned};
use crate::account::{Account, AccountField, Login, Seen, Standing};
use crate::id::{LoginId, UserId};
use crate::search;
use crate::store::{AccountKey, AccountStore, Answer, PutError, StoreError, Versioned};
use crate::time::Timestamp;

impl Rows {
    fn account(&self, key: &AccountKey) -> Option<Versioned<Account>> {
        let id = match key {
            AccountKey::Id(id) => id,
            AccountKey::Username(username) => self.usernames.get(username)?,
            AccountKey::Email(email) => self.emails.get(&email.folded())?,
        };
        self.accounts.get(id).cloned()
    }

    fn put_account(&mut self, account: Account, version: u64) -> Result<(), PutError> {
        if self.accounts.get(&account.id).map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.hold(Versioned { version: version + 1, row: account }).map_err(PutError::Taken)
    }

    /// Writes an account with its names, and lets go of those that it had; a deleted one has none.
    pub(super) fn hold(&mut self, account: Versioned<Account>) -> Result<(), AccountField> {
        let Account { id, username, email, standing, .. } = &account.row;
        let (id, username, email, named) = (*id, username.clone(), email.folded(), *standing != Standing::Deleted);
        if named && self.usernames.get(&username).is_some_and(|owner| *owner != id) {
            return Err(AccountField::Username);
        }
        if named && self.emails.get(&email).is_some_and(|owner| *owner != id) {
            return Err(AccountField::Email);
        }
        self.usernames.retain(|_, owner| *owner != id);
        self.emails.retain(|_, owner| *owner != id);
        if named {
            self.usernames.insert(username, id);
            self.emails.insert(email, id);
        }
        self.accounts.insert(id, account);
        Ok(())
    }

    fn put_login(&mut self, login: Login, version: u64) -> Result<(), PutError> {
        if self.logins.get(&login.id).map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.logins.insert(login.id, Versioned { version: version + 1, row: login });
        Ok(())
    }

    fn search(&self, prefix: &str, limit: usize) -> Vec<UserId> {
        let accounts = || self.accounts.values().map(|account| &account.row);
        let exact = accounts().filter(|account| search::handle(account).as_deref() == Some(prefix)).map(|account| account.id);
        let mut words = BTreeSet::new();
        for account in accounts() {
            words.extend(search::words(account).into_iter().filter(|word| word.starts_with(prefix)).map(|word| (word, account.id)));
        }
        let mut found = Vec::new();
        for user in exact.chain(words.into_iter().map(|(_, user)| user)) {
            if found.len() < limit && !found.contains(&user) {
                found.push(user);
            }
        }
        found
    }

    pub(super) fn touch(&mut self, user: UserId, seen: Seen) {
        let stands = self.seen.entry(user).or_default();
        *stands = Seen { here: stands.here.max(seen.here), login: stands.login.max(seen.login) };
    }
}

impl AccountStore for MemoryStore {
    fn account(&self, key: AccountKey) -> Answer<'_, Option<Versioned<Account>>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.account(&key)) })
    }

    fn accounts<'a>(&'a self, ids: &'a [UserId]) -> Answer<'a, Vec<Option<Account>>> {
        Box::pin(
            async move { self.read(Call::Read, |rows| ids.iter().map(|id| rows.accounts.get(id).map(|row| row.row.clone())).collect()) },
        )
    }

    fn put_account(&self, account: Account, version: u64) -> Answer<'_, (), PutError> {
        let unknown = PutError::Store(StoreError::Unknown(planned()));
        Box::pin(async move { self.write(Call::Put, unknown, |rows| rows.put_account(account, version)) })
    }

    fn erasing(&self, limit: usize) -> Answer<'_, Vec<UserId>> {
        let erasing =
            move |rows: &Rows| rows.accounts.values().map(|row| &row.row).filter(|row| row.erasing).map(|row| row.id).take(limit).collect();
        Box::pin(async move { self.read(Call::Read, erasing) })
    }

    fn login(&self, id: LoginId) -> Answer<'_, Option<Versioned<Login>>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.logins.get(&id).cloned()) })
    }

    fn put_login(&self, login: Login, version: u64) -> Answer<'_, (), PutError> {
        let unknown = PutError::Store(StoreError::Unknown(planned()));
        Box::pin(async move { self.write(Call::Put, unknown, |rows| rows.put_login(login, version)) })
    }

    fn logins(&self, user: UserId, now: Timestamp, limit: usize) -> Answer<'_, Vec<Versioned<Login>>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let open = |login: &Login| login.user == user && login.ended_at.is_none() && now < login.expires_at;
                rows.logins.values().filter(|login| open(&login.row)).take(limit).cloned().collect()
            })
        })
    }

    fn search<'a>(&'a self, prefix: &'a str, limit: usize) -> Answer<'a, Vec<UserId>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.search(prefix, limit)) })
    }

    fn seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<Seen>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| users.iter().map(|user| rows.seen.get(user).copied().unwrap_or_default()).collect())
        })
    }

    fn touch(&self, user: UserId, seen: Seen) -> Answer<'_, ()> {
        Box::pin(async move {
            self.write(Call::Touch, StoreError::Unknown(planned()), |rows| {
                rows.touch(user, seen);
                Ok(())
            })
        })
    }
}
