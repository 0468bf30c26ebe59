//! The envelopes, refusals, and what the server says of the connection itself.
//!
//! Nothing here is about people or messages.

use std::time::Duration;

use actors::id::{ConversationId, NUMBER_MAX};
use actors::limits::{Limit, Limits};
use actors::time::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::protocol::error::WireError;
use crate::protocol::wire::people::User;

/// The answer to a request.
#[derive(Debug, Serialize)]
pub struct Reply<T> {
    /// The request's number.
    pub id: u32,
    /// What was asked for.
    pub ok: T,
}

/// The refusal of a request.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    /// The request's number.
    pub id: u32,
    /// Why.
    pub err: Problem<'a>,
}

/// Something that nobody asked for.
#[derive(Debug, Serialize)]
pub struct Push<T> {
    /// What it is, from [`PUSHES`].
    pub ev: &'static str,
    /// The content.
    pub d: T,
}

/// Every push, in the order of the documentation.
pub const PUSHES: [&str; 14] = [
    "hello",
    "hb",
    "entry",
    "members",
    "own",
    "relation",
    "receipts",
    "unread",
    "typing",
    "presence",
    "gap",
    "auth.expiring",
    "error",
    "bye",
];

/// A refusal (P38).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem<'a> {
    code: u16,
    name: &'static str,
    msg: &'a str,
    retry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(rename = "ref")]
    reference: &'a str,
}

impl<'a> Problem<'a> {
    /// This refusal under this reference.
    pub fn new(error: &'a WireError, reference: &'a str) -> Self {
        let row = error.code.row();
        Self {
            code: row.number,
            name: row.name,
            msg: &error.message,
            retry: row.retry.as_str(),
            after_ms: error.after_millis(),
            field: error.field.as_deref(),
            reference,
        }
    }
}

/// Milliseconds of a span, exact in JavaScript.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(NUMBER_MAX)
}

/// Milliseconds of a moment, exact in JavaScript: one beyond that, such as "for ever", is the last exact one.
pub(super) fn moment(at: Timestamp) -> i64 {
    let last = i64::try_from(NUMBER_MAX).unwrap_or(i64::MAX);
    at.millis().clamp(-last, last)
}

/// Whether a flag that is mostly unset need not be said.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(super) fn unset(flag: &bool) -> bool {
    !*flag
}

/// A conversation's id.
pub(super) fn conv<S: Serializer>(id: &ConversationId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Nothing but success.
#[derive(Debug, Serialize, ToSchema)]
pub struct Empty {}

/// The connection is authenticated.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthOk<'a> {
    /// Who.
    pub user: User<'a>,
    /// The session.
    pub session: String,
    /// How long the token still lives.
    pub expires_in_ms: u64,
}

/// The new token is in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefreshOk {
    /// How long it lives.
    pub expires_in_ms: u64,
}

/// The server is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Beat {
    /// How many pushes were written since `hello`.
    pub s: u64,
}

/// The token is about to end.
#[derive(Debug, Serialize, ToSchema)]
pub struct Expiring {
    /// When.
    pub in_ms: u64,
}

/// The connection is about to be closed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bye {
    /// The close code.
    pub code: u16,
    /// Its text.
    pub reason: &'static str,
    /// When to come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// The server's first word.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hello<'a> {
    /// The server's time.
    pub time: i64,
    /// The session.
    pub session: String,
    /// The build.
    pub build: &'a str,
    /// How often the server sends a heartbeat.
    pub hb_ms: u64,
    /// How long it waits for `auth`.
    pub auth_ms: u64,
    /// What it can.
    pub features: &'static [&'static str],
    /// What a client must keep to.
    pub limits: HelloLimits,
}

/// What a client must keep to (P13).
#[derive(Debug, Serialize, ToSchema)]
pub struct HelloLimits {
    frame_bytes: u64,
    body_bytes: u64,
    page: u64,
    frame_requests: u64,
    requests_in_flight: u64,
    sync_conversations: u64,
    members_per_request: u64,
    client_key_bytes: usize,
}

impl From<&Limits> for HelloLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            frame_bytes: limits.get(Limit::FrameBytes),
            body_bytes: limits.get(Limit::BodyBytes),
            page: limits.get(Limit::Page),
            frame_requests: limits.get(Limit::FrameRequests),
            requests_in_flight: limits.get(Limit::RequestsInFlight),
            sync_conversations: limits.get(Limit::SyncConversations),
            members_per_request: limits.get(Limit::MembersPerRequest),
            client_key_bytes: actors::content::CLIENT_KEY_BYTES_MAX,
        }
    }
}
