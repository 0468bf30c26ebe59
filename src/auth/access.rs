//! Access tokens: short-lived JWTs, HS256 with one key, whose claims are all required and all checked.
//!
//! The key alone fixes the algorithm and the rules; the token's own `alg` is only compared (A1). Time comes in as an
//! argument, so the library's own reading of the clock is off and `exp` and `nbf` are compared here.

use std::time::Duration;

use actors::credential::{Identity, TokenFault};
use actors::id::UserId;
use actors::time::Timestamp;
use actors::view::Secret;
use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::keys::SigningKey;

/// A longer token is refused before it is parsed (A3).
pub const TOKEN_BYTES_MAX: usize = 8_192;
/// How far two clocks may differ.
const LEEWAY_SECONDS: i64 = 5;
const ISSUER: &str = "parlance";
const AUDIENCE: &str = "parlance";
const KIND: &str = "access";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    typ: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Signs and verifies access tokens.
pub struct AccessTokens {
    header: Header,
    sign: EncodingKey,
    verify: DecodingKey,
    rules: Validation,
}

/// Chooses the one crypto provider of the process; to be called before any token is made, any number of times.
pub fn install_provider() {
    if aws_lc::DEFAULT_PROVIDER.install_default().is_err() {
        // One is already chosen, and there is only this one in the build (KJ1).
    }
}

impl AccessTokens {
    /// Tokens signed by this key.
    pub fn new(key: &SigningKey) -> Self {
        install_provider();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.kid().to_owned());
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_required_spec_claims(&["exp", "nbf", "sub", "aud", "iss"]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        rules.validate_exp = false; // compared below, with the caller's time
        rules.validate_nbf = false;
        Self { header, sign: EncodingKey::from_secret(key.bytes()), verify: DecodingKey::from_secret(key.bytes()), rules }
    }

    /// A token that says this, from now until the identity's end.
    pub fn issue(&self, identity: &Identity, now: Timestamp) -> Secret {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: identity.user.get().to_string(),
            sid: identity.login.to_string(),
            typ: KIND.into(),
            jti: Uuid::new_v4().as_simple().to_string(),
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: identity.expires_at.seconds(),
        };
        Secret(jsonwebtoken::encode(&self.header, &claims, &self.sign).expect("plain claims and an HS256 key always encode"))
    }

    /// What a token proves at this time.
    pub fn judge(&self, token: &str, now: Timestamp) -> Result<Identity, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Invalid);
        }
        let invalid = |_| TokenFault::Invalid;
        let header = jsonwebtoken::decode_header(token).map_err(invalid)?;
        if header.kid != self.header.kid {
            return Err(TokenFault::Invalid);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verify, &self.rules).map_err(invalid)?.claims;
        if claims.typ != KIND || claims.nbf > now.seconds().saturating_add(LEEWAY_SECONDS) {
            return Err(TokenFault::Invalid);
        }
        let user = claims.sub.parse().ok().and_then(|number| UserId::new(number).ok()).ok_or(TokenFault::Invalid)?;
        let login = claims.sid.parse().ok().ok_or(TokenFault::Invalid)?;
        if now.seconds() >= claims.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenFault::Expired);
        }
        Ok(Identity { user, login, expires_at: Timestamp(claims.exp.saturating_mul(1_000_000)) })
    }
}

/// The end of an identity that begins now, on the whole second that a token can say.
pub fn expiry(now: Timestamp, life: Duration) -> Timestamp {
    Timestamp(now.plus(life).seconds() * 1_000_000)
}

#[cfg(test)]
mod tests {
    use actors::id::LoginId;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn key(seed: u8) -> SigningKey {
        SigningKey::new((0..32).map(|byte| byte ^ seed).collect()).expect("long enough")
    }

    fn identity() -> Identity {
        Identity { user: UserId::new(42).expect("valid"), login: LoginId(7), expires_at: expiry(NOW, Duration::from_mins(15)) }
    }

    fn claims() -> Value {
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "42", "sid": LoginId(7).to_string(), "typ": KIND, "jti": "x",
            "iat": NOW.seconds(), "nbf": NOW.seconds(), "exp": NOW.seconds() + 900})
    }

    fn signed(header: &Header, claims: &Value, key: &SigningKey) -> String {
        install_provider();
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(key.bytes())).expect("encodes")
    }

    fn header(algorithm: Algorithm) -> Header {
        let mut header = Header::new(algorithm);
        header.kid = Some(key(1).kid().to_owned());
        header
    }

    #[test]
    fn what_is_issued_is_proved_until_it_expires() {
        let tokens = AccessTokens::new(&key(1));
        let token = tokens.issue(&identity(), NOW);
        assert_eq!(tokens.judge(&token.0, NOW), Ok(identity()));
        let end = identity().expires_at;
        let late = |seconds: u64| end.plus(Duration::from_secs(seconds));
        assert_eq!(tokens.judge(&token.0, late(4)), Ok(identity()));
        assert_eq!(tokens.judge(&token.0, late(5)), Err(TokenFault::Expired));
        assert_eq!(tokens.judge(&token.0, Timestamp(NOW.0 - 6_000_000)), Err(TokenFault::Invalid), "not valid before its time");
    }

    #[test]
    fn the_claims_of_the_forgeries_would_pass_unforged() {
        let tokens = AccessTokens::new(&key(1));
        assert!(tokens.judge(&signed(&header(Algorithm::HS256), &claims(), &key(1)), NOW).is_ok());
    }

    #[test]
    fn every_claim_is_required_and_checked() {
        let tokens = AccessTokens::new(&key(1));
        for claim in ["iss", "aud", "sub", "sid", "typ", "nbf", "exp", "iat", "jti"] {
            let mut changed = claims();
            changed.as_object_mut().expect("a map").remove(claim);
            let token = signed(&header(Algorithm::HS256), &changed, &key(1));
            assert_eq!(tokens.judge(&token, NOW), Err(TokenFault::Invalid), "without {claim}");
        }
        let others = [
            ("iss", json!("else")),
            ("aud", json!("else")),
            ("aud", json!([])),
            ("typ", json!("refresh")),
            ("sub", json!("0")),
            ("sub", json!("x")),
            ("sub", json!(42)),
            ("sid", json!("no")),
            ("exp", json!("soon")),
        ];
        for (claim, value) in others {
            let mut changed = claims();
            changed[claim] = value;
            let token = signed(&header(Algorithm::HS256), &changed, &key(1));
            assert_eq!(tokens.judge(&token, NOW), Err(TokenFault::Invalid), "{claim}: {}", changed[claim]);
        }
    }

    #[test]
    fn neither_another_key_nor_another_algorithm_passes() {
        let tokens = AccessTokens::new(&key(1));
        let forged = [
            signed(&header(Algorithm::HS256), &claims(), &key(2)),
            signed(&header(Algorithm::HS384), &claims(), &key(1)),
            signed(&header(Algorithm::HS512), &claims(), &key(1)),
            signed(&Header::new(Algorithm::HS256), &claims(), &key(1)), // no kid
            signed(&Header { kid: Some("../../etc/passwd".into()), ..header(Algorithm::HS256) }, &claims(), &key(1)),
        ];
        for token in forged {
            assert_eq!(tokens.judge(&token, NOW), Err(TokenFault::Invalid), "{token}");
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for algorithm in ["none", "None", "NONE", "nOnE"] {
            let head = json!({"alg": algorithm, "typ": "JWT", "kid": key(1).kid()});
            for signature in ["", "AAAA"] {
                let token = format!("{}.{}.{signature}", part(&head), part(&claims()));
                assert_eq!(tokens.judge(&token, NOW), Err(TokenFault::Invalid), "{algorithm}");
            }
        }
        for garbage in ["", ".", "..", "a.b.c", "\u{0}", "eyJ.eyJ.", &"x".repeat(500)] {
            assert_eq!(tokens.judge(garbage, NOW), Err(TokenFault::Invalid), "{garbage}");
        }
    }

    #[test]
    fn a_changed_token_does_not_pass() {
        let tokens = AccessTokens::new(&key(1));
        let token = tokens.issue(&identity(), NOW).0;
        let (head, rest) = token.split_once('.').expect("three parts");
        let (_, signature) = rest.split_once('.').expect("three parts");
        let mut other = claims();
        other["sub"] = json!("43");
        let forged = format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(other.to_string()));
        assert_eq!(tokens.judge(&forged, NOW), Err(TokenFault::Invalid));
    }

    #[test]
    fn a_token_above_eight_kib_is_not_even_parsed() {
        let tokens = AccessTokens::new(&key(1));
        let padded = |bytes: usize| {
            let mut padded = claims();
            padded["pad"] = json!("");
            let bare = signed(&header(Algorithm::HS256), &padded, &key(1)).len();
            // Three bytes of text are four of base64; what is left over is found by trying.
            let about = (bytes - bare) * 3 / 4;
            (about.saturating_sub(4)..about + 4)
                .map(|length| {
                    padded["pad"] = json!("x".repeat(length));
                    signed(&header(Algorithm::HS256), &padded, &key(1))
                })
                .find(|token| token.len() == bytes)
        };
        let fits = [TOKEN_BYTES_MAX, TOKEN_BYTES_MAX - 1].into_iter().find_map(padded).expect("one of two lengths exists");
        assert!(tokens.judge(&fits, NOW).is_ok());
        let over = [TOKEN_BYTES_MAX + 1, TOKEN_BYTES_MAX + 2].into_iter().find_map(padded).expect("one of two lengths exists");
        assert_eq!(tokens.judge(&over, NOW), Err(TokenFault::Invalid));
    }
}
