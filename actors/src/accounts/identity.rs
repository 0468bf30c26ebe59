//! Whom a token proves.

use crate::account::{Account, Standing};
use crate::credential::{Identity, TokenFault};
use crate::id::UserId;
use crate::rejected::Rejected;
use crate::store::AccountKey;

use super::{Accounts, unavailable};

impl Accounts<'_> {
    /// Whom an access token proves: its form, its life, its account and its login are all good.
    pub async fn identify(&self, access_token: &str) -> Result<Identity, Rejected> {
        let world = self.0.world();
        let identity = world.credentials.judge(access_token, self.0.now()).map_err(|fault| match fault {
            TokenFault::Invalid => Rejected::InvalidCredential,
            TokenFault::Expired => Rejected::ExpiredCredential,
        })?;
        self.verify(&identity).await?;
        Ok(identity)
    }

    /// Whether an identity that was proved a while ago still holds: for sockets that stay open (A6). Of a closed account
    /// that is said first, since its logins have ended as well.
    pub async fn verify(&self, identity: &Identity) -> Result<(), Rejected> {
        match self.me(identity.user).await?.standing {
            Standing::Active => {}
            Standing::Deactivated | Standing::Banned => return Err(Rejected::AccountDisabled),
            Standing::Deleted => return Err(Rejected::InvalidCredential),
        }
        let login = self.0.world().store.login(identity.login).await.map_err(unavailable)?.map(|login| login.row);
        let holds = login.is_some_and(|login| login.user == identity.user && login.ended_at.is_none());
        if holds { Ok(()) } else { Err(Rejected::InvalidCredential) }
    }

    /// The account of a user.
    pub async fn me(&self, user: UserId) -> Result<Account, Rejected> {
        self.account(AccountKey::Id(user)).await?.map(|account| account.row).ok_or(Rejected::InvalidCredential)
    }
}
