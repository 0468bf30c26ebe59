//! Credentials for tests without tokens and passwords: nobody asks for them.

use crate::account::{Password, PasswordHash, RefreshHash};
use crate::credential::{Credentials, Hashing, Identity, PasswordVerdict, TokenFault};
use crate::id::LoginId;
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
