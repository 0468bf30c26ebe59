//! Tokens and passwords: the server's answer to [`actors::credential::Credentials`].
//!
//! Nothing here knows an account, a login's state or a transport: it signs, verifies, hashes and draws. Whether a
//! login has ended is the node's to say. Read [`keys`], then [`access`], [`refresh`], [`passwords`] and
//! [`authority`], which puts them together.

pub mod keys;
pub mod access;
pub mod refresh;
pub mod passwords;
pub mod authority;
