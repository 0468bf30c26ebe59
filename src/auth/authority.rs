//! The port's implementation: one key, one gate for passwords, and fresh randomness.

use actors::account::{Password, PasswordHash, RefreshHash};
use actors::credential::{Credentials, Hashing, Identity, PasswordVerdict, TokenFault};
use actors::id::LoginId;
use actors::limits::{Limit, Limits};
use actors::time::Timestamp;
use actors::view::Secret;

use crate::auth::access::AccessTokens;
use crate::auth::keys::SigningKey;
use crate::auth::passwords::{HashCost, Passwords};
use crate::auth::refresh;

/// Signs and judges everything that is presented to this node.
pub struct Authority {
    access: AccessTokens,
    passwords: Passwords,
}

impl Authority {
    /// With this key, and the gate's size from the limits.
    pub fn new(key: &SigningKey, cost: HashCost, limits: &Limits) -> Self {
        let passwords = Passwords::new(cost, limits.count(Limit::HashesAtWork), limits.count(Limit::HashesWaiting));
        Self { access: AccessTokens::new(key), passwords }
    }

    /// How many passwords wait to be hashed.
    pub fn hashes_waiting(&self) -> usize {
        self.passwords.waiting()
    }
}

impl Credentials for Authority {
    fn hash(&self, password: Password) -> Hashing<'_, PasswordHash> {
        Box::pin(self.passwords.hash(password))
    }

    fn compare(&self, password: Password, hash: Option<PasswordHash>) -> Hashing<'_, PasswordVerdict> {
        Box::pin(self.passwords.compare(password, hash))
    }

    fn issue(&self, identity: &Identity, now: Timestamp) -> Secret {
        self.access.issue(identity, now)
    }

    fn judge(&self, token: &str, now: Timestamp) -> Result<Identity, TokenFault> {
        self.access.judge(token, now)
    }

    fn draw_refresh(&self, login: LoginId) -> (Secret, RefreshHash) {
        refresh::draw(login)
    }

    fn read_refresh(&self, token: &str) -> Option<(LoginId, RefreshHash)> {
        refresh::read(token)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actors::id::UserId;

    use super::*;
    use crate::auth::access::expiry;

    #[test]
    fn a_refresh_token_is_no_access_token_and_the_other_way_round() {
        let key = SigningKey::draw().expect("drawn");
        let authority = Authority::new(&key, HashCost { memory_kib: 8, passes: 1 }, &Limits::default());
        let now = Timestamp(1_800_000_000_000_000);
        let login = LoginId(9);
        let identity = Identity { user: UserId::new(3).expect("valid"), login, expires_at: expiry(now, Duration::from_mins(1)) };
        assert_eq!(authority.judge(&authority.draw_refresh(login).0.0, now), Err(TokenFault::Invalid));
        assert_eq!(authority.read_refresh(&authority.issue(&identity, now).0), None);
    }
}
