//! Signups, logins, refreshes and logouts, and what becomes of an account: the rules of [`crate::account`] over the ports.
//!
//! No answer tells whether an account exists, in words or in time (A8). Passwords are hashed behind the gate of the
//! credentials port; what a login may try how often is the edge's admission. Whatever changes an account goes through
//! [`Accounts::change`]: it is written by the version that it was read at, and its owner's log says so afterwards.

mod enter;
mod logins;
mod identity;
mod manage;
mod standing;
pub mod erasure;

use std::time::Duration;

pub use self::enter::{LogInBy, SignUp};
use crate::account::Account;
use crate::credential::HashesBusy;
use crate::home::mail::Note;
use crate::id::UserId;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::{AccountKey, PutError, StoreError, Versioned};

/// When to try again where the store or the hashes are busy.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How often a change of a row that somebody else changed meanwhile is tried anew.
const PUT_TRIES: usize = 4;

/// The accounts, as one node's façade.
#[derive(Clone, Copy)]
pub struct Accounts<'a>(&'a Node);

impl<'a> Accounts<'a> {
    pub(crate) fn of(node: &'a Node) -> Self {
        Self(node)
    }

    async fn account(&self, key: AccountKey) -> Result<Option<Versioned<Account>>, Rejected> {
        self.0.world().store.account(key).await.map_err(unavailable)
    }

    /// Changes an account, and says so in its owner's log. `apply` is asked again where somebody else was faster; what
    /// it leaves as it was is not written.
    async fn change(&self, user: UserId, apply: impl Fn(&mut Account) -> Result<(), Rejected>) -> Result<Account, Rejected> {
        self.change_from(user, apply).await.map(|(_, changed)| changed)
    }

    /// The same, with what the account was before.
    async fn change_from(
        &self,
        user: UserId,
        apply: impl Fn(&mut Account) -> Result<(), Rejected>,
    ) -> Result<(Account, Account), Rejected> {
        for _ in 0..PUT_TRIES {
            let stands = self.account(AccountKey::Id(user)).await?.ok_or(Rejected::NoSuchUser)?;
            let mut account = stands.row.clone();
            apply(&mut account)?;
            if account == stands.row {
                return Ok((stands.row, account));
            }
            account.updated_at = self.0.now();
            match self.0.world().store.put_account(account.clone(), stands.version).await {
                Ok(()) => {
                    self.0.note(user, Note::account_changed(stands.version + 1, None));
                    self.0.renew_card(&account);
                    return Ok((stands.row, account));
                }
                Err(PutError::Changed) => {}
                Err(PutError::Taken(field)) => return Err(Rejected::Taken { field }),
                Err(PutError::Store(error)) => return Err(unsure(error)),
            }
        }
        Err(Rejected::Unavailable { after: RETRY_AFTER })
    }
}

fn busy(_: HashesBusy) -> Rejected {
    Rejected::Busy { after: RETRY_AFTER }
}

/// A read that failed, or a write that may be repeated without harm.
fn unavailable(error: StoreError) -> Rejected {
    tracing::warn!(%error, "accounts or logins could not be read or written");
    Rejected::Unavailable { after: RETRY_AFTER }
}

/// A write that may have been done.
fn unsure(error: StoreError) -> Rejected {
    match &error {
        StoreError::Unknown(_) => {
            tracing::warn!(%error, "it is not known whether an account or login was written");
            Rejected::Unknown
        }
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => unavailable(error),
    }
}
