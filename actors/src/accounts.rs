//! Signups, logins, refreshes and logouts: the rules of [`crate::account`] over the ports.
//!
//! No answer tells whether an account exists, in words or in time (A8). Passwords are hashed behind the gate of the
//! credentials port; what a login may try how often is the edge's admission.

use std::time::Duration;

use crate::account::{Account, AccountField, DisplayName, Email, Login, Password, RefreshVerdict, Username};
use crate::credential::{HashesBusy, Identity, PasswordVerdict, TokenFault};
use crate::id::{Door, LoginId, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::{AccountKey, PutError, Sequence, StoreError, Versioned};
use crate::view::{Tokens, UserView};

/// When to try again where the store or the hashes are busy.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How often a change of a row that somebody else changed meanwhile is tried anew.
const PUT_TRIES: usize = 4;

/// By what a login names its account.
#[derive(Debug, Clone)]
pub enum LogInBy {
    /// The username.
    Username(String),
    /// The e-mail address.
    Email(String),
}

/// The accounts, as one node's façade.
#[derive(Clone, Copy)]
pub struct Accounts<'a>(&'a Node);

impl<'a> Accounts<'a> {
    pub(crate) fn of(node: &'a Node) -> Self {
        Self(node)
    }

    /// Makes an account and logs it in.
    pub async fn sign_up(&self, username: &str, email: &str, password: &str, name: &str) -> Result<Tokens, Rejected> {
        let invalid = |field| Rejected::InvalidAccount { field };
        let username = Username::new(username).ok_or(invalid(AccountField::Username))?;
        let email = Email::new(email).ok_or(invalid(AccountField::Email))?;
        let name = DisplayName::new(name).ok_or(invalid(AccountField::Name))?;
        let password = Password::new(password).ok_or(invalid(AccountField::Password))?;
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
        let account = Account::new(id, username, email, name, Some(hash), self.0.now());
        match world.store.put_account(account.clone(), 0).await {
            Ok(()) => self.begin_login(&account).await,
            Err(PutError::Taken(field)) => Err(Rejected::Taken { field }),
            Err(PutError::Changed) => Err(Rejected::Unavailable { after: RETRY_AFTER }),
            Err(PutError::Store(error)) => Err(unavailable(error)),
        }
    }

    /// Begins a login.
    pub async fn log_in(&self, by: LogInBy, password: &str) -> Result<Tokens, Rejected> {
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
        match verdict {
            PasswordVerdict::Wrong => return Err(Rejected::WrongPassword),
            _ if !account.is_active() => return Err(Rejected::AccountDisabled),
            PasswordVerdict::Right => {}
            PasswordVerdict::Rehashed(hash) => {
                account.password = Some(hash);
                // If it fails, the next login tries again.
                if let Err(error) = self.0.world().store.put_account(account.clone(), version).await {
                    tracing::warn!(%error, "a stronger hash could not be stored");
                }
            }
        }
        self.begin_login(&account).await
    }

    /// Draws new tokens; the refresh token that was given is used up. One that was used before ends the login.
    pub async fn refresh(&self, token: &str) -> Result<Tokens, Rejected> {
        let world = self.0.world();
        let (id, presented) = world.credentials.read_refresh(token).ok_or(Rejected::InvalidRefresh)?;
        for _ in 0..PUT_TRIES {
            let Some(Versioned { version, row: login }) = world.store.login(id).await.map_err(unavailable)? else {
                return Err(Rejected::InvalidRefresh);
            };
            let now = self.0.now();
            match login.judge(presented, now) {
                RefreshVerdict::Current | RefreshVerdict::JustReplaced => {}
                RefreshVerdict::Invalid => return Err(Rejected::InvalidRefresh),
                RefreshVerdict::Reused => {
                    tracing::warn!(user = login.user.get(), login = %id, "a used refresh token came back: the login ends");
                    self.end(login, version).await?;
                    return Err(Rejected::InvalidRefresh);
                }
            }
            let account = self.account(AccountKey::Id(login.user)).await?.map(|account| account.row);
            let account = account.filter(|account| account.is_active()).ok_or(Rejected::InvalidRefresh)?;
            let (secret, hash) = world.credentials.draw_refresh(id);
            let renewed = Login { refresh: hash, replaced: Some((login.refresh, now)), expires_at: now.plus(self.refresh_life()), ..login };
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

    /// Whom an access token proves: its form, its life, its login and its account are all good.
    pub async fn identify(&self, access_token: &str) -> Result<Identity, Rejected> {
        let world = self.0.world();
        let identity = world.credentials.judge(access_token, self.0.now()).map_err(|fault| match fault {
            TokenFault::Invalid => Rejected::InvalidCredential,
            TokenFault::Expired => Rejected::ExpiredCredential,
        })?;
        let login = world.store.login(identity.login).await.map_err(unavailable)?.map(|login| login.row);
        if !login.is_some_and(|login| login.user == identity.user && login.ended_at.is_none()) {
            return Err(Rejected::InvalidCredential);
        }
        let account = self.me(identity.user).await?;
        if account.is_active() { Ok(identity) } else { Err(Rejected::AccountDisabled) }
    }

    /// The account of a user.
    pub async fn me(&self, user: UserId) -> Result<Account, Rejected> {
        self.account(AccountKey::Id(user)).await?.map(|account| account.row).ok_or(Rejected::InvalidCredential)
    }

    async fn account(&self, key: AccountKey) -> Result<Option<Versioned<Account>>, Rejected> {
        self.0.world().store.account(key).await.map_err(unavailable)
    }

    /// Ends a login and its sessions. False if the row has changed meanwhile.
    async fn end(&self, login: Login, version: u64) -> Result<bool, Rejected> {
        let (user, id) = (login.user, login.id);
        match self.0.world().store.put_login(Login { ended_at: Some(self.0.now()), ..login }, version).await {
            Ok(()) => {
                self.0.end_login(user, id);
                Ok(true)
            }
            Err(PutError::Changed | PutError::Taken(_)) => Ok(false),
            Err(PutError::Store(error)) => Err(unavailable(error)),
        }
    }

    async fn begin_login(&self, account: &Account) -> Result<Tokens, Rejected> {
        let world = self.0.world();
        let id = LoginId(world.random.draw());
        let (secret, refresh) = world.credentials.draw_refresh(id);
        let now = self.0.now();
        let expires_at = now.plus(self.refresh_life());
        let login = Login {
            id,
            user: account.id,
            refresh,
            replaced: None,
            created_at: now,
            expires_at,
            ended_at: None,
            used_at: now,
            device: "".into(),
            door: Door::default(),
        };
        match world.store.put_login(login, 0).await {
            Ok(()) => Ok(self.tokens(account, id, secret)),
            Err(PutError::Store(error)) => Err(unavailable(error)),
            Err(PutError::Changed | PutError::Taken(_)) => Err(Rejected::Internal),
        }
    }

    fn refresh_life(&self) -> Duration {
        self.0.world().limits.time(Limit::RefreshLife)
    }

    fn tokens(&self, account: &Account, login: LoginId, refresh: crate::view::Secret) -> Tokens {
        let world = self.0.world();
        let now = self.0.now();
        let access_life = world.limits.time(Limit::AccessLife);
        let identity = Identity { user: account.id, login, expires_at: now.plus(access_life) };
        let access = world.credentials.issue(&identity, now);
        Tokens { user: UserView::from(account), access, access_life, refresh, refresh_life: self.refresh_life() }
    }
}

fn busy(_: HashesBusy) -> Rejected {
    Rejected::Busy { after: RETRY_AFTER }
}

fn unavailable(error: StoreError) -> Rejected {
    tracing::warn!(%error, "accounts or logins could not be read or written");
    Rejected::Unavailable { after: RETRY_AFTER }
}
