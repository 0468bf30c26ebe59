//! Accounts over HTTP: bodies to typed requests, tokens and accounts to JSON, refusals to problem+json (RFC 9457).
//!
//! Bodies are JSON objects read as strictly as a frame. Nothing here hashes, compares or stores.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use actors::account::{Account, AccountField, DisplayName, Email, Password, Username};
use actors::store::AccountKey;
use actors::view::{Secret, Tokens};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::codec::Encoding;
use crate::protocol::error::{Code, WireError, account_field};
use crate::protocol::fields::Fields;
use crate::protocol::json;
use crate::protocol::value::Value;
use crate::protocol::wire::{self, User, millis};

/// The media type of answers.
pub const JSON: &str = "application/json";
/// The media type of refusals.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A wish for an account.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The unique name.
    pub username: Username,
    /// The unique address.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// The name as people show it; the username's text if none was given.
    pub name: DisplayName,
}

/// A wish to log in.
#[derive(Debug, Clone)]
pub struct LogIn {
    /// By username or by address.
    pub account: AccountKey,
    /// The password to compare.
    pub password: Password,
}

/// `POST /v1/accounts`
pub fn decode_sign_up(body: &[u8]) -> Result<SignUp, WireError> {
    let mut fields = object(body)?;
    let username = account_text(&mut fields, AccountField::Username, Username::new)?;
    let email = account_text(&mut fields, AccountField::Email, Email::new)?;
    let password = account_text(&mut fields, AccountField::Password, Password::new)?;
    let name = match fields.text("name")? {
        None => DisplayName::new(username.as_str()).unwrap_or_default(),
        Some(text) => DisplayName::new(&text).ok_or_else(|| unfit(AccountField::Name))?,
    };
    fields.end()?;
    Ok(SignUp { username, email, password, name })
}

/// `POST /v1/login`
pub fn decode_log_in(body: &[u8]) -> Result<LogIn, WireError> {
    let mut fields = object(body)?;
    let account = match (fields.text("username")?, fields.text("email")?) {
        (Some(text), None) => AccountKey::Username(Username::new(&text).ok_or_else(|| unfit(AccountField::Username))?),
        (None, Some(text)) => AccountKey::Email(Email::new(&text).ok_or_else(|| unfit(AccountField::Email))?),
        (None, None) => return Err(WireError::validation("username", "is missing; or give email")),
        (Some(_), Some(_)) => return Err(WireError::validation("email", "cannot stand beside username")),
    };
    let password = fields.text("password")?;
    let password = Password::given(&fields.needed("password", password)?);
    fields.end()?;
    Ok(LogIn { account, password })
}

/// `POST /v1/refresh`: the refresh token.
pub fn decode_refresh(body: &[u8]) -> Result<Secret, WireError> {
    let mut fields = object(body)?;
    let token = fields.short_text("refresh_token", usize::MAX)?; // the body's limit bounds it
    let token = fields.needed("refresh_token", token)?;
    fields.end()?;
    Ok(Secret(token))
}

/// `POST /v1/logout`: the refresh token of the login to be ended.
pub fn decode_log_out(body: &[u8]) -> Result<Secret, WireError> {
    decode_refresh(body)
}

fn object(body: &[u8]) -> Result<Fields<'_>, WireError> {
    match json::read(body)? {
        object @ Value::Map(_) => Fields::of(object, "", ""),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Unsafe
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_) => Err(WireError::with(Code::Malformed, "the body must be a JSON object")),
    }
}

fn account_text<T>(fields: &mut Fields<'_>, field: AccountField, valid: impl Fn(&str) -> Option<T>) -> Result<T, WireError> {
    let (name, _) = account_field(field);
    let text: Option<Cow<'_, str>> = fields.text(name)?;
    valid(&fields.needed(name, text)?).ok_or_else(|| unfit(field))
}

fn unfit(field: AccountField) -> WireError {
    let (name, why) = account_field(field);
    WireError::validation(name, why)
}

/// What a signup, login or refresh gives.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub struct TokensBody<'a> {
    user: User<'a>,
    access_token: &'a str,
    expires_in_ms: u64,
    refresh_token: &'a str,
    refresh_expires_in_ms: u64,
}

/// What a signup, login or refresh gives.
pub fn tokens(tokens: &Tokens) -> Vec<u8> {
    Encoding::Json.encode(&TokensBody {
        user: User::from(&tokens.user),
        access_token: &tokens.access.0,
        expires_in_ms: millis(tokens.access_life),
        refresh_token: &tokens.refresh.0,
        refresh_expires_in_ms: millis(tokens.refresh_life),
    })
}

/// The own account.
pub fn me(account: &Account) -> Vec<u8> {
    Encoding::Json.encode(&wire::Account::from(account))
}

/// A refusal (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemDetails)]
pub struct ProblemBody<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: u16,
    name: &'static str,
    detail: &'a str,
    retry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(rename = "ref")]
    reference: &'a str,
}

/// A refusal as problem+json with its status; `reference` is found in the server's log.
pub fn problem(error: impl Into<WireError>, reference: &str) -> (StatusCode, Vec<u8>) {
    let error = error.into();
    let row = error.code.row();
    let body = Encoding::Json.encode(&ProblemBody {
        r#type: format!("urn:parlance:error:{}", row.name),
        title: row.title,
        status: row.status,
        code: row.number,
        name: row.name,
        detail: &error.message,
        retry: row.retry.as_str(),
        after_ms: error.after_millis(),
        field: error.field.as_deref(),
        reference,
    });
    (error.code.status(), body)
}
