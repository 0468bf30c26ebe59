//! The twin of each op over HTTP: a router made from the table, one way for all.
//!
//! A request is read into the `d` of its op and goes the way of a frame: the same decoder, the same commands and
//! queries, the same rates of the user, the same words in the answer. Nothing here knows one op from another.

use std::sync::Arc;
use std::time::Duration;

use actors::credential::Identity;
use actors::limits::Limit;
use actors::rejected::Rejected;
use actors::session::Reply;
use actors::view::View;
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use http::request::Parts;
use hyper::body::Body as _;
use tokio::sync::oneshot;

use crate::edge::doors::Doors;
use crate::edge::gate::Place;
use crate::edge::http::{authenticated, bare, is_json, json, read, refused};
use crate::edge::poll;
use crate::protocol::error::{Code, WireError};
use crate::protocol::request::{Op, decode_op};
use crate::protocol::socket::render_answer;
use crate::protocol::twin::read::{Parameters, Sources, content, key};
use crate::protocol::twin::shape::{Pace, Route, Row, Verb, Window};
use crate::protocol::twin::table::TABLE;

/// When to ask again where an answer did not come in time.
const LATE_AFTER: Duration = Duration::from_secs(1);
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const RATE_LIMIT: &str = "ratelimit";
const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
/// The parameter by which a request waits for news.
pub const WAIT: &str = "wait_ms";

/// The router with every twin.
pub fn routes(doors: &Arc<Doors>, mut router: Router) -> Router {
    for (row, route) in TABLE.iter().filter_map(|row| Some((row, row.route()?))) {
        let doors = Arc::clone(doors);
        let policy = policy(&doors, route.paces);
        let answer = async move |request: Request| {
            let (mut response, spent) = match answer(&doors, row, route, request).await {
                Ok(response) => (response, None),
                Err(Refused { error, spent }) => (refused(&doors, &error.of_op(row.op)), spent),
            };
            let spent = spent.filter(|(bucket, _)| route.paces.iter().any(|pace| pace.bucket == *bucket));
            say_rates(response.headers_mut(), policy.as_ref(), spent);
            response
        };
        router = router.route(route.path, on(filter(route.verb), answer));
    }
    router
}

fn filter(verb: Verb) -> MethodFilter {
    match verb {
        Verb::Get => MethodFilter::GET,
        Verb::Post => MethodFilter::POST,
        Verb::Put => MethodFilter::PUT,
        Verb::Patch => MethodFilter::PATCH,
        Verb::Delete => MethodFilter::DELETE,
    }
}

/// A refusal, and the bucket that ran empty, if one did.
struct Refused {
    error: WireError,
    spent: Option<(&'static str, Duration)>,
}

impl From<WireError> for Refused {
    fn from(error: WireError) -> Self {
        Self { error, spent: None }
    }
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        let spent = if let Rejected::TooFast { bucket, after } = &rejected { Some((*bucket, *after)) } else { None };
        Self { error: WireError::from(&rejected), spent }
    }
}

async fn answer(doors: &Arc<Doors>, row: &'static Row, route: &Route, request: Request) -> Result<Response, Refused> {
    let began = doors.micros();
    let (mut parts, body) = request.into_parts();
    let identity = authenticated(doors, &parts.headers).await?;
    let place = doors.gate.enter(identity.user).map_err(|(bucket, rejected)| {
        doors.metrics.rate_limited(bucket);
        rejected
    })?;
    let mut query = Parameters::read(parts.uri.query().unwrap_or_default())?;
    let wait = if route.waits { wait(doors, &mut query)? } else { Duration::ZERO };
    let body = body_of(doors, &parts.headers, body).await?;
    let (path, key) = (path(&mut parts).await?, idempotency_key(&parts.headers)?);
    let d = content(row, Sources { path, query, body: body.as_deref(), key })?;
    let op = decode_op(row.op, d, &doors.limits, identity.user)?.op;
    let view = match op {
        Op::Query(query) if !wait.is_zero() => poll::wait(doors, identity, query, wait, place).await?,
        op => {
            let answered = ask(doors, identity, op, place).await;
            doors.metrics.answered(row.op, Duration::from_micros(doors.micros().saturating_sub(began)));
            answered?
        }
    };
    let status = StatusCode::from_u16(route.status).unwrap_or(StatusCode::OK);
    Ok(if status == StatusCode::NO_CONTENT { bare(status) } else { json(status, render_answer(&view)) })
}

/// Sends a request on its way and waits for its answer, within the deadline. Its place is kept until it is answered, also
/// when nobody waits any more.
pub async fn ask(doors: &Arc<Doors>, identity: Identity, op: Op, place: Place) -> Result<View, Rejected> {
    let (reply, answer) = Reply::waiting();
    let late = match op {
        Op::Command(command) => {
            doors.node.command_by(identity.user, command, reply);
            Rejected::Unknown
        }
        Op::Query(query) => {
            doors.node.query(identity.user, query, reply);
            Rejected::Unavailable { after: LATE_AFTER }
        }
        Op::Manage(manage) => {
            doors.node.manage(identity, manage, reply);
            Rejected::Unknown
        }
        Op::Auth(_) | Op::AuthRefresh { .. } | Op::Beat { .. } | Op::OpenWith { .. } => return Err(Rejected::Internal), // no row has these
    };
    let answered = tokio::spawn(async move { settled(answer, place).await });
    match tokio::time::timeout(doors.limits.time(Limit::RestDeadline), answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Rejected::Internal),
        Err(_) => Err(late),
    }
}

async fn settled(answer: oneshot::Receiver<Result<View, Rejected>>, place: Place) -> Result<View, Rejected> {
    let answer = answer.await;
    drop(place);
    answer.unwrap_or(Err(Rejected::Unknown)) // a reply is given when it is dropped, so this does not happen
}

fn wait(doors: &Doors, query: &mut Parameters) -> Result<Duration, WireError> {
    let Some(text) = query.take(WAIT) else { return Ok(Duration::ZERO) };
    let max = doors.limits.get(Limit::RestWait);
    let wish = text.parse().ok().filter(|wish| *wish <= max && text.bytes().all(|byte| byte.is_ascii_digit()));
    wish.map(Duration::from_millis).ok_or_else(|| WireError::validation(WAIT, format!("must be a whole number from 0 to {max}")))
}

/// The body, if there is one; it must be declared as JSON.
async fn body_of(doors: &Doors, headers: &HeaderMap, body: Body) -> Result<Option<bytes::Bytes>, WireError> {
    if body.is_end_stream() {
        return Ok(None);
    }
    let bytes = read(doors, body).await?;
    match (bytes.is_empty(), is_json(headers)) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(bytes)),
        (false, false) => Err(WireError::new(Code::UnsupportedMediaType)),
    }
}

/// What stands in the braces of a path.
pub async fn path(parts: &mut Parts) -> Result<Vec<(String, String)>, WireError> {
    let found = RawPathParams::from_request_parts(parts, &()).await;
    let found = found.ok().ok_or_else(|| WireError::with(Code::Malformed, "the path is not percent-encoded UTF-8"))?;
    Ok(found.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, WireError> {
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let text = line.to_str().ok().filter(|_| lines.next().is_none());
    let text = text.ok_or_else(|| WireError::validation("client_key", "the header Idempotency-Key must stand once, in ASCII"))?;
    key(text).map(Some)
}

/// `RateLimit-Policy`: the rates that a path is held to.
fn policy(doors: &Doors, paces: &[Pace]) -> Option<HeaderValue> {
    let one = |pace: &Pace| {
        let quota = doors.limits.get(pace.quota).max(1);
        let window = match pace.window {
            Window::Seconds(seconds) => seconds,
            Window::Rate(rate) => quota.div_ceil(doors.limits.get(rate).max(1)),
        };
        format!("\"{}\";q={quota};w={}", pace.bucket, window.max(1))
    };
    let text = paces.iter().map(one).collect::<Vec<_>>().join(", ");
    if text.is_empty() { None } else { HeaderValue::from_str(&text).ok() }
}

/// The rates of the path on every answer, and on a refusal what is left of the one that is used up. What is left of
/// the others is known to the user's actor alone and not said.
fn say_rates(headers: &mut HeaderMap, policy: Option<&HeaderValue>, spent: Option<(&'static str, Duration)>) {
    let Some(policy) = policy else { return };
    headers.insert(RATE_LIMIT_POLICY, policy.clone());
    if let Some((bucket, after)) = spent {
        let seconds = after.as_millis().div_ceil(1_000).max(1);
        if let Ok(left) = HeaderValue::from_str(&format!("\"{bucket}\";r=0;t={seconds}")) {
            headers.insert(RATE_LIMIT, left);
        }
    }
}
