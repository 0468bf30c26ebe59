//! Refresh tokens: opaque, `<login>.<32 random bytes>`, stored only as their SHA-256 (A5).
//!
//! The login's id in front finds the row; it proves nothing. Only the random part's hash does.

use actors::account::RefreshHash;
use actors::id::LoginId;
use actors::view::Secret;
use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const SECRET_BYTES: usize = 32;
const LOGIN_CHARS: usize = 32;

/// A fresh token of this login, and the hash that is stored.
pub fn draw(login: LoginId) -> (Secret, RefreshHash) {
    let mut secret = [0; SECRET_BYTES];
    rand::fill(&mut secret).expect("the system's randomness does not run out");
    (Secret(format!("{login}.{}", URL_SAFE_NO_PAD.encode(secret))), hash(&secret))
}

/// The login and hash of a token that was presented; `None` if it cannot be one of ours.
pub fn read(token: &str) -> Option<(LoginId, RefreshHash)> {
    let (login, secret) = token.split_once('.')?;
    let plain = login.len() == LOGIN_CHARS && login.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !plain || secret.len() > 2 * SECRET_BYTES {
        return None;
    }
    let secret: [u8; SECRET_BYTES] = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
    Some((login.parse().ok()?, hash(&secret)))
}

fn hash(secret: &[u8; SECRET_BYTES]) -> RefreshHash {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
    RefreshHash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_token_reads_as_its_login_and_hash() {
        let (token, stored) = draw(LoginId(0xabc));
        assert_eq!(read(&token.0), Some((LoginId(0xabc), stored)));
        assert_ne!(draw(LoginId(0xabc)).1.0, stored.0, "each is different");
    }

    #[test]
    fn what_cannot_be_one_is_none() {
        let (token, _) = draw(LoginId(0xabc));
        let token = token.0;
        let upper = format!("{}{}", token[..32].to_uppercase(), &token[32..]);
        for text in ["", ".", "a.b", &token[1..], &token[..token.len() - 1], &format!("{token}A"), &upper, &token.replace('.', "")] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
