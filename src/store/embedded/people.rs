//! What one commit writes of people: accounts with their names and words, logins, bonds, when somebody was here.
//!
//! Invariant: a row that leads to another is written and taken away in the commit of the row that it leads to.

use std::collections::BTreeSet;

use actors::account::{Account, AccountField, Login, Seen, Standing};
use actors::id::UserId;
use actors::relation::Bond;
use actors::search;
use actors::store::{PutError, StoreError, Versioned};

use super::group::Group;
use super::keys::{Key, Space};

/// In place of a username, what deleted accounts of which something is still to be erased are found by. No username, and
/// no text that is searched for, has a blank in front.
pub(super) const ERASING: &str = " erasing";

/// The rows by which an account is found by whoever looks for a name, or for what is to be erased.
pub(super) fn found_by(account: &Account) -> BTreeSet<Vec<u8>> {
    let words = search::words(account);
    let handle = search::handle(account).or_else(|| account.erasing.then(|| ERASING.to_owned()));
    let handle = handle.iter().map(|username| Key::Handle(username, account.id).bytes());
    words.iter().map(|word| Key::Word(word, account.id).bytes()).chain(handle).collect()
}

/// Whether a login is among those of its user; whether it has expired is for the reader to say.
pub(super) fn is_open(login: &Login) -> bool {
    login.ended_at.is_none()
}

impl Group<'_> {
    pub(super) fn put_account(&mut self, account: Account, version: u64) -> Result<(), PutError> {
        let before = self.get::<Versioned<Account>>(Key::Account(account.id))?;
        if before.as_ref().map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.set_account(before.as_ref().map(|row| &row.row), &Versioned { version: version + 1, row: account })
    }

    /// An account in place of what it was; a deleted one has no names.
    pub(super) fn set_account(&mut self, before: Option<&Account>, account: &Versioned<Account>) -> Result<(), PutError> {
        let (id, row) = (account.row.id, &account.row);
        let names = if row.standing == Standing::Deleted { Vec::new() } else { names(row) };
        for (name, field) in &names {
            if self.get::<UserId>(*name)?.is_some_and(|owner| owner != id) {
                return Err(PutError::Taken(*field));
            }
        }
        if let Some(before) = before.filter(|before| before.standing != Standing::Deleted) {
            for (name, _) in self::names(before) {
                self.set_bytes(Space::Rows, name.bytes(), None);
            }
        }
        for (name, _) in names {
            self.set(name, &id);
        }
        let (old, new) = (before.map(found_by).unwrap_or_default(), found_by(row));
        for gone in old.difference(&new) {
            self.set_bytes(Space::Rows, gone.clone(), None);
        }
        for key in new.difference(&old) {
            self.set_index(key, id);
        }
        self.set(Key::Account(id), account);
        Ok(())
    }

    pub(super) fn put_login(&mut self, login: Login, version: u64) -> Result<(), PutError> {
        if self.get::<Versioned<Login>>(Key::Login(login.id))?.map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.set_login(&Versioned { version: version + 1, row: login });
        Ok(())
    }

    pub(super) fn set_login(&mut self, login: &Versioned<Login>) {
        let (id, user) = (login.row.id, login.row.user);
        if is_open(&login.row) {
            self.set(Key::LoginOf(user, id), &user);
        } else {
            self.set_bytes(Space::Rows, Key::LoginOf(user, id).bytes(), None);
        }
        self.set(Key::Login(id), login);
    }

    pub(super) fn put_bond(&mut self, bond: Bond, version: u64) -> Result<(), PutError> {
        if self.get::<Versioned<Bond>>(Key::Bond(bond.pair))?.map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.set_bond(&Versioned { version: version + 1, row: bond });
        Ok(())
    }

    pub(super) fn set_bond(&mut self, bond: &Versioned<Bond>) {
        let pair = bond.row.pair;
        self.set(Key::BondOf(pair), &pair.low());
        self.set(Key::Bond(pair), bond);
    }

    pub(super) fn touch(&mut self, user: UserId, seen: Seen) -> Result<(), StoreError> {
        let stands = self.get::<Seen>(Key::Seen(user))?.unwrap_or_default();
        let raised = Seen { here: stands.here.max(seen.here), login: stands.login.max(seen.login) };
        if raised != stands {
            self.set(Key::Seen(user), &raised);
        }
        Ok(())
    }
}

fn names(account: &Account) -> Vec<(Key<'_>, AccountField)> {
    vec![(Key::Username(&account.username), AccountField::Username), (Key::Email(&account.email), AccountField::Email)]
}
