//! Whether an account may be used: its owner closes or deletes it, an operator bans it. Whatever closes it ends its
//! logins and sessions at once.

use crate::account::{Account, Standing, Username};
use crate::id::UserId;
use crate::rejected::Rejected;
use crate::store::AccountKey;

use super::Accounts;

impl Accounts<'_> {
    /// The account with this username, for an operator.
    pub async fn named(&self, username: &str) -> Result<Account, Rejected> {
        let key = Username::new(username).map(AccountKey::Username).ok_or(Rejected::NoSuchUser)?;
        self.account(key).await?.map(|account| account.row).ok_or(Rejected::NoSuchUser)
    }

    /// Bans an account, or opens one that was banned or closed; for an operator. A deleted one stays so.
    pub async fn set_banned(&self, user: UserId, banned: bool) -> Result<Account, Rejected> {
        if banned {
            return self.close(user, Standing::Banned).await;
        }
        self.stand(user, Standing::Active).await
    }

    /// Whether a user may change other accounts, where a door has that; for an operator.
    pub async fn set_staff(&self, user: UserId, staff: bool) -> Result<Account, Rejected> {
        let set = self.change(user, |account| match account.standing {
            Standing::Deleted => Err(Rejected::NoSuchUser),
            Standing::Active | Standing::Deactivated | Standing::Banned => {
                account.staff = staff;
                Ok(())
            }
        });
        set.await
    }

    /// Deletes an account. Its names are free at once; what else goes with it is erased in its own time, also after a
    /// crash.
    pub async fn delete(&self, user: UserId) -> Result<Account, Rejected> {
        let now = self.0.now();
        let deleted = self.change(user, |account| {
            if account.standing != Standing::Deleted {
                *account = account.deleted(now);
            }
            Ok(())
        });
        let deleted = deleted.await?;
        self.0.end_user(user);
        self.0.erasures().wake();
        // Nothing depends on it: they prove nothing any more, and the erasure ends those that are left.
        if let Err(rejected) = self.end_logins(user, |_| true).await {
            tracing::warn!(user = user.get(), ?rejected, "not all logins of a deleted account could be ended yet");
        }
        Ok(deleted)
    }

    /// Closes an account.
    pub(super) async fn close(&self, user: UserId, standing: Standing) -> Result<Account, Rejected> {
        let account = self.stand(user, standing).await?;
        self.0.end_user(user);
        self.end_logins(user, |_| true).await?;
        Ok(account)
    }

    async fn stand(&self, user: UserId, standing: Standing) -> Result<Account, Rejected> {
        let stood = self.change(user, |account| match account.standing {
            Standing::Deleted => Err(Rejected::NoSuchUser),
            // Its owner cannot turn a ban into something that a login ends.
            Standing::Banned if standing == Standing::Deactivated => Err(Rejected::AccountDisabled),
            Standing::Active | Standing::Deactivated | Standing::Banned => {
                account.standing = standing;
                Ok(())
            }
        });
        stood.await
    }
}
