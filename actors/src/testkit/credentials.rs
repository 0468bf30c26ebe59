//! Credentials for tests: none at all where nobody asks for them, and plain ones for what happens around accounts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::account::{Password, PasswordHash, RefreshHash};
use crate::credential::{Credentials, Hashing, Identity, PasswordVerdict, TokenFault};
use crate::id::{LoginId, UserId};
use crate::time::Timestamp;
use crate::view::Secret;

/// Credentials that prove nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCredentials;

impl Credentials for NoCredentials {
    fn hash(&self, _: Password) -> Hashing<'_, PasswordHash> {
        Box::pin(async { Ok(PasswordHash("x".into())) })
    }
    fn compare(&self, _: Password, _: Option<PasswordHash>) -> Hashing<'_, PasswordVerdict> {
        Box::pin(async { Ok(PasswordVerdict::Wrong) })
    }
    fn issue(&self, _: &Identity, _: Timestamp) -> Secret {
        Secret(String::new())
    }
    fn judge(&self, _: &str, _: Timestamp) -> Result<Identity, TokenFault> {
        Err(TokenFault::Invalid)
    }
    fn draw_refresh(&self, _: LoginId) -> (Secret, RefreshHash) {
        (Secret(String::new()), RefreshHash([0; 32]))
    }
    fn read_refresh(&self, _: &str) -> Option<(LoginId, RefreshHash)> {
        None
    }
}

/// Credentials that anybody could make: everything works as with real ones, and nothing is kept secret.
#[derive(Debug, Default)]
pub struct PlainCredentials {
    drawn: AtomicU64,
}

impl PlainCredentials {
    fn text(hash: &PasswordHash) -> &str {
        hash.0.strip_prefix("plain:").unwrap_or_default()
    }
}

impl Credentials for PlainCredentials {
    fn hash(&self, password: Password) -> Hashing<'_, PasswordHash> {
        Box::pin(async move { Ok(PasswordHash(format!("plain:{}", password.expose()).into())) })
    }
    fn compare(&self, password: Password, hash: Option<PasswordHash>) -> Hashing<'_, PasswordVerdict> {
        let right = hash.is_some_and(|hash| Self::text(&hash) == password.expose());
        Box::pin(async move { Ok(if right { PasswordVerdict::Right } else { PasswordVerdict::Wrong }) })
    }
    fn issue(&self, identity: &Identity, _: Timestamp) -> Secret {
        Secret(format!("{}.{}.{}", identity.user.get(), identity.login.0, identity.expires_at.0))
    }
    fn judge(&self, token: &str, now: Timestamp) -> Result<Identity, TokenFault> {
        let mut parts = token.split('.').map(|part| part.parse::<u128>().ok());
        let mut next = || parts.next().flatten().ok_or(TokenFault::Invalid);
        let (user, login, expires_at) = (next()?, next()?, next()?);
        let user = u64::try_from(user).ok().and_then(|user| UserId::new(user).ok()).ok_or(TokenFault::Invalid)?;
        let expires_at = i64::try_from(expires_at).ok().map(Timestamp).ok_or(TokenFault::Invalid)?;
        if now >= expires_at { Err(TokenFault::Expired) } else { Ok(Identity { user, login: LoginId(login), expires_at }) }
    }
    fn draw_refresh(&self, login: LoginId) -> (Secret, RefreshHash) {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(self.drawn.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes());
        (Secret(format!("{}.{}", login.0, u64::from_be_bytes(hash[..8].try_into().expect("eight bytes")))), RefreshHash(hash))
    }
    fn read_refresh(&self, token: &str) -> Option<(LoginId, RefreshHash)> {
        let (login, number) = token.split_once('.')?;
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.parse::<u64>().ok()?.to_be_bytes());
        Some((LoginId(login.parse().ok()?), RefreshHash(hash)))
    }
}
