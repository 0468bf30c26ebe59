//! What is presented to prove who one is, and the port that judges it. Implemented by `auth` in the server package.

use std::pin::Pin;

use crate::account::{Password, PasswordHash, RefreshHash};
use crate::id::{LoginId, UserId};
use crate::time::Timestamp;
use crate::view::Secret;

/// What a good credential proves. It comes from a verified token only, never from the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub user: UserId,
    /// The login that the token was drawn from.
    pub login: LoginId,
    /// When the proof ends.
    pub expires_at: Timestamp,
}

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Bad form, signature, issuer, audience or algorithm.
    #[error("the token is invalid")]
    Invalid,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
}

/// Too many passwords are being hashed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are waiting")]
pub struct HashesBusy;

/// Whether a password is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is not.
    Wrong,
    /// It is.
    Right,
    /// It is, and the stored hash is of weaker parameters: store this one.
    Rehashed(PasswordHash),
}

/// An answer that takes CPU time elsewhere.
pub type Hashing<'a, T> = Pin<Box<dyn Future<Output = Result<T, HashesBusy>> + Send + 'a>>;

/// Tokens and passwords.
pub trait Credentials: Send + Sync + 'static {
    /// Hashes a new password, off the runtime and behind a gate.
    fn hash(&self, password: Password) -> Hashing<'_, PasswordHash>;

    /// Compares a password with a hash; without a hash it takes the same time and answers wrong (A8).
    fn compare(&self, password: Password, hash: Option<PasswordHash>) -> Hashing<'_, PasswordVerdict>;

    /// A short-lived access token that says this.
    fn issue(&self, identity: &Identity, now: Timestamp) -> Secret;

    /// What an access token proves.
    fn judge(&self, token: &str, now: Timestamp) -> Result<Identity, TokenFault>;

    /// A fresh refresh token of a login, and its hash.
    fn draw_refresh(&self, login: LoginId) -> (Secret, RefreshHash);

    /// The login and hash of a refresh token that was presented; `None` if it cannot be one.
    fn read_refresh(&self, token: &str) -> Option<(LoginId, RefreshHash)>;
}
