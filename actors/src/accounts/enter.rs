//! Ways in: a signup makes an account, a login begins with a password. Both give tokens.

use std::cmp::Reverse;

use crate::account::{Account, AccountField, Device, DisplayName, Email, Login, Password, Seen, Standing, Username};
use crate::answer::presence;
use crate::credential::{Identity, PasswordVerdict};
use crate::home::mail::Note;
use crate::id::{LoginId, UserId};
use crate::limits::Limit;
use crate::rejected::Rejected;
use crate::store::{AccountKey, PutError, Sequence, Versioned};
use crate::telemetry::Count;
use crate::view::{Secret, Tokens, UserView};

use super::{Accounts, RETRY_AFTER, busy, unavailable, unsure};

/// Logins beyond the limit that one login may end: more are there only after the limit was lowered.
const ENDED_AT_ONCE: usize = 16;

/// What a signup asks for, as it came.
#[derive(Clone, Copy, Default)]
pub struct SignUp<'a> {
    /// The username.
    pub username: &'a str,
    /// The e-mail address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// The name as people show it; may be empty.
    pub name: &'a str,
    /// The first name; may be empty.
    pub first_name: &'a str,
    /// The last name; may be empty.
    pub last_name: &'a str,
}

/// By what a login names its account.
#[derive(Debug, Clone)]
pub enum LogInBy {
    /// The username.
    Username(String),
    /// The e-mail address.
    Email(String),
}

impl Accounts<'_> {
    /// Makes an account and logs it in.
    pub async fn sign_up(&self, wish: SignUp<'_>, device: &Device) -> Result<Tokens, Rejected> {
        let invalid = |field| Rejected::InvalidAccount { field };
        let username = Username::new(wish.username).filter(|username| !username.is_of_deleted()).ok_or(invalid(AccountField::Username))?;
        let email = Email::new(wish.email).ok_or(invalid(AccountField::Email))?;
        let name = |text| DisplayName::new(text).ok_or(invalid(AccountField::Name));
        let (name, first_name, last_name) = (name(wish.name)?, name(wish.first_name)?, name(wish.last_name)?);
        let password = Password::new(wish.password).ok_or(invalid(AccountField::Password))?;
        // Looked up before the costly hash; the write decides.
        for (key, field) in
            [(AccountKey::Username(username.clone()), AccountField::Username), (AccountKey::Email(email.clone()), AccountField::Email)]
        {
            if self.account(key).await?.is_some() {
                return Err(Rejected::Taken { field });
            }
        }
        let world = self.0.world();
        let hash = world.credentials.hash(password).await.map_err(busy)?;
        let number = self.0.numbers().take(Sequence::Principals, 0).await.map_err(unavailable)?;
        let id = UserId::new(number).map_err(|error| {
            tracing::error!(%error, "the sequence of users is exhausted");
            Rejected::Internal
        })?;
        let account = Account { first_name, last_name, ..Account::new(id, username, email, name, Some(hash), self.0.now()) };
        match world.store.put_account(account.clone(), 0).await {
            Ok(()) => self.begin_login(&account, device).await,
            Err(PutError::Taken(field)) => Err(Rejected::Taken { field }),
            Err(PutError::Changed) => Err(Rejected::Unavailable { after: RETRY_AFTER }),
            Err(PutError::Store(error)) => Err(unsure(error)),
        }
    }

    /// Begins a login. It opens an account again that its owner had closed.
    pub async fn log_in(&self, by: LogInBy, password: &str, device: &Device) -> Result<Tokens, Rejected> {
        let key = match by {
            LogInBy::Username(text) => Username::new(&text).map(AccountKey::Username),
            LogInBy::Email(text) => Email::new(&text).map(AccountKey::Email),
        };
        let found = match key {
            Some(key) => self.account(key).await?,
            None => None,
        };
        let hash = found.as_ref().and_then(|found| found.row.password.clone());
        // Also without an account: the answer takes the same time.
        let verdict = self.0.world().credentials.compare(Password::given(password), hash).await.map_err(busy)?;
        let Some(Versioned { version, row: mut account }) = found else { return Err(Rejected::WrongPassword) };
        match (verdict, account.standing) {
            (PasswordVerdict::Wrong, _) => return Err(Rejected::WrongPassword),
            (_, Standing::Banned | Standing::Deleted) => return Err(Rejected::AccountDisabled),
            (PasswordVerdict::Right | PasswordVerdict::Rehashed(_), Standing::Deactivated) => account = self.reopen(account.id).await?,
            (PasswordVerdict::Right, Standing::Active) => {}
            (PasswordVerdict::Rehashed(hash), Standing::Active) => {
                account.password = Some(hash);
                // If it fails, the next login tries again.
                if let Err(error) = self.0.world().store.put_account(account.clone(), version).await {
                    tracing::warn!(%error, "a stronger hash could not be stored");
                }
            }
        }
        self.begin_login(&account, device).await
    }

    async fn reopen(&self, user: UserId) -> Result<Account, Rejected> {
        let reopened = self.change(user, |account| match account.standing {
            Standing::Active | Standing::Deactivated => {
                account.standing = Standing::Active;
                Ok(())
            }
            Standing::Banned | Standing::Deleted => Err(Rejected::AccountDisabled),
        });
        reopened.await
    }

    async fn begin_login(&self, account: &Account, device: &Device) -> Result<Tokens, Rejected> {
        let world = self.0.world();
        let id = LoginId(world.random.draw());
        let (secret, refresh) = world.credentials.draw_refresh(id);
        let now = self.0.now();
        let login = Login {
            id,
            user: account.id,
            refresh,
            replaced: None,
            created_at: now,
            expires_at: now.plus(world.limits.time(Limit::RefreshLife)),
            ended_at: None,
            used_at: now,
            device: device.says().into(),
            door: device.door,
        };
        match world.store.put_login(login, 0).await {
            Ok(()) => {}
            Err(PutError::Store(error)) => return Err(unavailable(error)), // nobody has its token
            Err(PutError::Changed | PutError::Taken(_)) => return Err(Rejected::Internal),
        }
        // The account may have been closed while the login was written: whoever closed it may not have seen this one.
        if !self.me(account.id).await?.is_active() {
            self.end_logins(account.id, |_| true).await?;
            return Err(Rejected::AccountDisabled);
        }
        self.end_oldest(account.id, id).await;
        presence::touch(self.0, account.id, Seen { here: Some(now), login: Some(now) }).await;
        self.0.note(account.id, Note::account_changed(1, Some(id)));
        self.0.logged_in(account.id);
        Ok(self.tokens(account, id, secret))
    }

    /// Ends the oldest logins beyond the limit; if that fails, the next login does it.
    async fn end_oldest(&self, user: UserId, fresh: LoginId) {
        let max = self.0.world().limits.count(Limit::LoginsUser).max(1);
        let Ok(mut logins) = self.0.world().store.logins(user, self.0.now(), max + ENDED_AT_ONCE).await else { return };
        logins.sort_unstable_by_key(|login| (login.row.id != fresh, Reverse(login.row.created_at), login.row.id));
        for login in logins.into_iter().skip(max) {
            self.0.world().telemetry.count(Count::RateLimited("logins_user"), 1);
            if let Err(rejected) = self.end(login.row, login.version).await {
                tracing::warn!(user = user.get(), ?rejected, "a login beyond the limit could not be ended");
            }
        }
    }

    pub(super) fn tokens(&self, account: &Account, login: LoginId, refresh: Secret) -> Tokens {
        let world = self.0.world();
        let now = self.0.now();
        let (access_life, refresh_life) = (world.limits.time(Limit::AccessLife), world.limits.time(Limit::RefreshLife));
        let identity = Identity { user: account.id, login, expires_at: now.plus(access_life) };
        let access = world.credentials.issue(&identity, now);
        Tokens { user: UserView::from(account), access, access_life, refresh, refresh_life }
    }
}
