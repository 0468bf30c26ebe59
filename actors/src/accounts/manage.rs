//! What a user may do with his own account. Who asks comes from a verified credential.
//!
//! Whatever could take the account from its owner needs the password; a wrong one is a failed login to whoever counts
//! those.

use crate::account::{Account, AccountField, Email, Password, Picture, Standing, Username};
use crate::answer::presence;
use crate::command::{Manage, ProfileChange};
use crate::credential::{Identity, PasswordVerdict};
use crate::files;
use crate::id::UserId;
use crate::rejected::Rejected;
use crate::view::View;

use super::{Accounts, busy};

impl Accounts<'_> {
    /// Carries out a wish about one's own account.
    pub(crate) async fn manage(&self, asking: &Identity, wish: Manage) -> Result<View, Rejected> {
        // Only what is shown to others is limited by it: whoever holds a stolen token could otherwise use the share up, and
        // keep the owner from ending that login.
        if let Manage::Profile(_) = wish {
            self.0.rates().admit_profile(asking.user, self.0.now(), &self.0.world().limits)?;
        }
        if let Manage::Password { .. } | Manage::Email { .. } | Manage::Deactivate { .. } | Manage::Delete { .. } = wish {
            self.0.rates().admit_password(asking.user, self.0.now(), &self.0.world().limits)?;
        }
        // The token may have been proved a while ago: nothing is changed by a login that has ended.
        self.verify(asking).await?;
        let user = asking.user;
        match wish {
            Manage::Show => Ok(View::Account(Box::new(self.me(user).await?))),
            Manage::Profile(change) => self.change_profile(user, &change).await,
            Manage::Password { old, new } => self.change_password(asking, old, new).await,
            Manage::Email { password, email } => self.change_email(user, password, email).await,
            Manage::Logins => self.logins(asking).await,
            Manage::EndLogin(id) => self.end_login(user, id).await,
            Manage::EndOtherLogins => {
                self.end_logins(user, |login| login != asking.login).await?;
                Ok(View::Done)
            }
            Manage::EndAllLogins => {
                self.end_logins(user, |_| true).await?;
                Ok(View::Done)
            }
            Manage::Deactivate { password } => {
                self.check(user, password).await?;
                self.close(user, Standing::Deactivated).await?;
                Ok(View::Done)
            }
            Manage::Delete { password } => {
                self.check(user, password).await?;
                self.delete(user).await?;
                Ok(View::Done)
            }
        }
    }

    async fn change_profile(&self, user: UserId, change: &ProfileChange) -> Result<View, Rejected> {
        if change.username.as_ref().is_some_and(Username::is_of_deleted) {
            return Err(Rejected::InvalidAccount { field: AccountField::Username });
        }
        let picture = match change.picture {
            Some(Some(file)) => Show::This(files::picture(self.0, user, file).await?),
            Some(None) => Show::None,
            None => Show::AsBefore,
        };
        let (before, changed) = self.change_open(user, |account| profile(account, change, picture)).await?;
        if let Some(replaced) = before.picture.filter(|before| changed.picture.is_none_or(|picture| picture.id != before.id)) {
            files::let_go(self.0, replaced.id).await;
        }
        if before.privacy.presence != changed.privacy.presence {
            let node = self.0.clone();
            crate::node::spawn(async move { presence::reconsider_watchers(&node, user).await });
        }
        Ok(View::Account(Box::new(changed)))
    }

    async fn change_password(&self, asking: &Identity, old: Password, new: Password) -> Result<View, Rejected> {
        let differs = old != new;
        self.check(asking.user, old).await?;
        if differs {
            let hash = self.0.world().credentials.hash(new).await.map_err(busy)?;
            self.change_open(asking.user, |account| account.password = Some(hash.clone())).await?;
            self.end_logins(asking.user, |login| login != asking.login).await?;
        }
        Ok(View::Done)
    }

    async fn change_email(&self, user: UserId, password: Password, email: Email) -> Result<View, Rejected> {
        self.check(user, password).await?;
        let (_, changed) = self.change_open(user, |account| account.email = email.clone()).await?;
        Ok(View::Account(Box::new(changed)))
    }

    /// Changes an account that its owner may use: it may have been closed a moment ago. What it was, and what it is.
    async fn change_open(&self, user: UserId, apply: impl Fn(&mut Account)) -> Result<(Account, Account), Rejected> {
        let changed = self.change_from(user, |account| {
            if !account.is_active() {
                return Err(Rejected::AccountDisabled);
            }
            apply(account);
            Ok(())
        });
        changed.await
    }

    /// Whether this is the user's password.
    async fn check(&self, user: UserId, password: Password) -> Result<(), Rejected> {
        let hash = self.me(user).await?.password;
        match self.0.world().credentials.compare(password, hash).await.map_err(busy)? {
            PasswordVerdict::Wrong => Err(Rejected::WrongPassword),
            PasswordVerdict::Right | PasswordVerdict::Rehashed(_) => Ok(()),
        }
    }
}

/// Which picture an account shows from now on.
#[derive(Clone, Copy)]
enum Show {
    AsBefore,
    None,
    This(Picture),
}

/// Puts a change into an account.
fn profile(account: &mut Account, change: &ProfileChange, picture: Show) {
    let ProfileChange { username, name, first_name, last_name, about, picture: _, privacy } = change.clone();
    account.username = username.unwrap_or_else(|| account.username.clone());
    account.name = name.unwrap_or_else(|| account.name.clone());
    account.first_name = first_name.unwrap_or_else(|| account.first_name.clone());
    account.last_name = last_name.unwrap_or_else(|| account.last_name.clone());
    account.about = about.unwrap_or_else(|| account.about.clone());
    account.picture = match picture {
        Show::AsBefore => account.picture,
        Show::None => None,
        Show::This(picture) => Some(picture),
    };
    account.privacy = privacy.unwrap_or(account.privacy);
}
