//! Logins: they are renewed, ended one by one or all, and listed for their owner.

use std::cmp::Reverse;

use crate::account::{Account, Device, Login, RefreshVerdict};
use crate::credential::Identity;
use crate::home::mail::Note;
use crate::id::{LoginId, UserId};
use crate::limits::Limit;
use crate::rejected::Rejected;
use crate::store::{AccountKey, PutError, Versioned};
use crate::view::{LoginView, Tokens, View};

use super::{Accounts, PUT_TRIES, RETRY_AFTER, unavailable, unsure};

/// Logins that one call of the store answers.
const READ: usize = 100;

impl Accounts<'_> {
    /// Draws new tokens; the refresh token that was given is used up. One that was used before ends the login.
    /// What the device says of itself replaces what it said before, if it says anything.
    pub async fn refresh(&self, token: &str, device: &Device) -> Result<Tokens, Rejected> {
        let world = self.0.world();
        let (id, presented) = world.credentials.read_refresh(token).ok_or(Rejected::InvalidRefresh)?;
        for _ in 0..PUT_TRIES {
            let Some(Versioned { version, row: login }) = world.store.login(id).await.map_err(unavailable)? else {
                return Err(Rejected::InvalidRefresh);
            };
            let now = self.0.now();
            let replaced = match login.judge(presented, now) {
                RefreshVerdict::Current => Some((login.refresh, now)),
                // The grace stays that of the token that was repeated, and ends when it did: further tabs may repeat it too.
                // The token of the repetition before has been overtaken.
                RefreshVerdict::JustReplaced => login.replaced,
                RefreshVerdict::Invalid => return Err(Rejected::InvalidRefresh),
                RefreshVerdict::Reused => {
                    tracing::warn!(user = login.user.get(), login = %id, "a used refresh token came back: the login ends");
                    self.end(login, version).await?;
                    return Err(Rejected::InvalidRefresh);
                }
            };
            let account = self.account(AccountKey::Id(login.user)).await?.map(|account| account.row);
            let account = account.filter(Account::is_active).ok_or(Rejected::InvalidRefresh)?;
            let (secret, hash) = world.credentials.draw_refresh(id);
            let says = if device.says().is_empty() { login.device } else { device.says().into() };
            let renewed = Login {
                refresh: hash,
                replaced,
                expires_at: now.plus(world.limits.time(Limit::RefreshLife)),
                used_at: now,
                device: says,
                ..login
            };
            match world.store.put_login(renewed, version).await {
                Ok(()) => return Ok(self.tokens(&account, id, secret)),
                Err(PutError::Changed | PutError::Taken(_)) => {} // somebody refreshed at the same time: judge anew
                Err(PutError::Store(error)) => return Err(unavailable(error)),
            }
        }
        Err(Rejected::Unavailable { after: RETRY_AFTER })
    }

    /// Ends the login of a refresh token, and its sessions. A token that has ended already is a success as well.
    pub async fn log_out(&self, refresh_token: &str) -> Result<(), Rejected> {
        let world = self.0.world();
        let (id, presented) = world.credentials.read_refresh(refresh_token).ok_or(Rejected::InvalidRefresh)?;
        for _ in 0..PUT_TRIES {
            let Some(Versioned { version, row: login }) = world.store.login(id).await.map_err(unavailable)? else {
                return Err(Rejected::InvalidRefresh);
            };
            let known = presented == login.refresh || login.replaced.is_some_and(|(hash, _)| hash == presented);
            if !known {
                return Err(Rejected::InvalidRefresh);
            }
            if login.ended_at.is_some() || self.end(login, version).await? {
                return Ok(());
            }
        }
        Err(Rejected::Unavailable { after: RETRY_AFTER })
    }

    /// The logins of a user, newest first.
    pub(super) async fn logins(&self, asking: &Identity) -> Result<View, Rejected> {
        let sessions = self.0.directory().sessions(asking.user);
        let mut logins = self.0.world().store.logins(asking.user, self.0.now(), READ).await.map_err(unavailable)?;
        logins.sort_unstable_by_key(|login| (Reverse(login.row.created_at), login.row.id));
        let view = |Login { id, device, door, created_at, used_at, .. }| {
            let sessions = sessions.iter().filter(|session| session.identity.login == id).count() as u64;
            LoginView { id, current: id == asking.login, device, door, created_at, used_at, sessions }
        };
        Ok(View::Logins(logins.into_iter().map(|login| view(login.row)).collect()))
    }

    /// Ends one of the user's own logins.
    pub(super) async fn end_login(&self, user: UserId, id: LoginId) -> Result<View, Rejected> {
        for _ in 0..PUT_TRIES {
            let login = self.0.world().store.login(id).await.map_err(unavailable)?;
            let Some(Versioned { version, row }) = login.filter(|login| login.row.user == user && login.row.ended_at.is_none()) else {
                return Err(Rejected::NoSuchLogin);
            };
            if self.end(row, version).await? {
                return Ok(View::Done);
            }
        }
        Err(Rejected::Unavailable { after: RETRY_AFTER })
    }

    /// Ends those logins of a user for which `which` holds.
    pub(super) async fn end_logins(&self, user: UserId, which: impl Fn(LoginId) -> bool) -> Result<(), Rejected> {
        for _ in 0..PUT_TRIES * 4 {
            let logins = self.0.world().store.logins(user, self.0.now(), READ).await.map_err(unavailable)?;
            let full = logins.len() == READ;
            let mut again = false;
            for login in logins.into_iter().filter(|login| which(login.row.id)) {
                again |= !self.end(login.row, login.version).await?;
            }
            if !again && !full {
                return Ok(());
            }
        }
        Err(Rejected::Unavailable { after: RETRY_AFTER })
    }

    /// Ends a login and its sessions. False if the row has changed meanwhile.
    pub(super) async fn end(&self, login: Login, version: u64) -> Result<bool, Rejected> {
        let (user, id) = (login.user, login.id);
        match self.0.world().store.put_login(Login { ended_at: Some(self.0.now()), ..login }, version).await {
            Ok(()) => {
                self.0.end_login(user, id);
                self.0.note(user, Note::account_changed(version + 1, Some(id)));
                Ok(true)
            }
            Err(PutError::Changed | PutError::Taken(_)) => Ok(false),
            Err(PutError::Store(error)) => Err(unsure(error)),
        }
    }
}
