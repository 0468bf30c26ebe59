//! HTTP on the client listener: hyper for the connection, a router built from the protocol's route table for the rest.
//!
//! No handler decides anything: bodies go to the translator, what it read to the node, and the answer back. Every
//! answer carries the headers of an API (H5) and every refusal a code and a reference (H6).

use std::convert::Infallible;
use std::sync::Arc;

use actors::account::{Device, Email, Username};
use actors::accounts::{LogInBy, SignUp};
use actors::credential::Identity;
use actors::id::Door;
use actors::limits::Limit;
use actors::rejected::Rejected;
use actors::store::AccountKey;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

use crate::edge::connection::Visitor;
use crate::edge::cors::{self, Page};
use crate::edge::doors::Doors;
use crate::edge::greeting::count_refused;
use crate::edge::patient::Patient;
use crate::edge::{forwarded, media, rest as twins, sse, upgrade};
use crate::metrics::Refusal;
use crate::protocol::error::{Code, WireError};
use crate::protocol::routes::{Endpoint, Needs, Route, routes};
use crate::protocol::{asyncapi, openapi, rest};

const HEADERS_MAX: usize = 64;
/// hyper reads at least this much at once.
const HEAD_BYTES_MIN: usize = 8_192;

const API_HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Speaks HTTP on a connection until it ends or becomes a socket.
pub async fn converse(stream: TcpStream, visitor: Visitor, router: Router, doors: &Arc<Doors>) {
    let stalled = Arc::clone(visitor.stalled());
    let service = TowerToHyperService::new(router);
    let (counting, limits) = (Arc::clone(doors), Arc::clone(&doors.limits));
    let guest = visitor.clone();
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let doors = Arc::clone(&counting);
        let address = forwarded::client(&doors.proxies, doors.proxy_header, guest.address, request.headers());
        request.extensions_mut().insert(guest.clone().from(address));
        let page = Page::of(&doors.origins, request.headers());
        let early = cors::is_preflight(request.method(), request.headers()).then(|| preflight(&doors, &page));
        let answer = early.is_none().then(|| service.call(request));
        async move {
            let response = match (early, answer) {
                (Some(response), _) => response,
                (None, Some(answer)) => answer.await?,
                (None, None) => refused(&doors, &WireError::new(Code::Internal)), // one of the two is there
            };
            Ok::<_, Infallible>(dressed(&doors, &page, response))
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.time(Limit::HeadDeadline))
        .max_headers(HEADERS_MAX)
        .max_buf_size(limits.count(Limit::HttpHeadBytes).max(HEAD_BYTES_MIN));
    let stream = TokioIo::new(Patient::new(stream, limits.time(Limit::WriteStall), stalled));
    let connection = builder.serve_connection(stream, service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = visitor.hung_up() => Ok(()),
        () = doors.shutting() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = visitor.hung_up() => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        if error.is_timeout() {
            doors.metrics.rejected(Refusal::HeadDeadline);
        } else if error.is_parse_too_large() {
            doors.metrics.rejected(Refusal::HeadBytes);
        }
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// The router of the native protocol; one serves all connections.
pub fn router(doors: &Arc<Doors>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        router = router.route(route.path, endpoint(doors, route));
    }
    router = twins::routes(doors, router);
    let (nowhere, wrong_method) = (Arc::clone(doors), Arc::clone(doors));
    router
        .fallback(async move || refused(&nowhere, &WireError::new(Code::NoSuchPath)))
        .method_not_allowed_fallback(async move || refused(&wrong_method, &WireError::new(Code::MethodNotAllowed)))
}

fn endpoint(doors: &Arc<Doors>, route: Route) -> MethodRouter {
    let doors = Arc::clone(doors);
    let filter = MethodFilter::try_from(route.method).expect("the route table names plain methods");
    on(filter, async move |request: Request| {
        let answered = match route.endpoint {
            Endpoint::Socket => upgrade::accept(&doors, request),
            Endpoint::Events => sse::open(&doors, request).await,
            Endpoint::OpenApi => Ok(json(StatusCode::OK, openapi::document().as_bytes().to_vec())),
            Endpoint::AsyncApi => Ok(json(StatusCode::OK, asyncapi::document().as_bytes().to_vec())),
            Endpoint::SignUp | Endpoint::LogIn | Endpoint::Refresh | Endpoint::LogOut | Endpoint::Me => {
                account(&doors, route.endpoint, route.needs, request).await
            }
            Endpoint::Upload => media::upload(&doors, request).await,
            Endpoint::Attached | Endpoint::AttachedThumbnail => media::attached(&doors, route.endpoint, request).await,
            Endpoint::File | Endpoint::Thumbnail | Endpoint::EraseFile => media::stored(&doors, route.endpoint, request).await,
        };
        answered.unwrap_or_else(|error| refused(&doors, &error))
    })
}

async fn account(doors: &Doors, endpoint: Endpoint, needs: Needs, request: Request) -> Result<Response, WireError> {
    let (parts, body) = request.into_parts();
    let visitor = parts.extensions.get::<Visitor>().cloned().ok_or(WireError::new(Code::Internal))?;
    let identity = match needs {
        Needs::Nothing => None,
        Needs::Bearer => Some(authenticated(doors, &parts.headers).await?),
    };
    if parts.method != http::Method::GET && !is_json(&parts.headers) {
        return Err(WireError::new(Code::UnsupportedMediaType));
    }
    let body = read(doors, body).await?;
    let device = device(&parts.headers);
    let accounts = doors.node.accounts();
    let no_answer = |rejected: Rejected| {
        count_refused(doors, &rejected);
        WireError::from(&rejected)
    };
    match endpoint {
        Endpoint::SignUp => {
            let wish = rest::decode_sign_up(&body)?;
            pace(doors, &visitor, None)?;
            let signed = accounts.sign_up(of_wish(&wish), &device).await;
            signed.map(|tokens| json(StatusCode::CREATED, rest::tokens(&tokens))).map_err(no_answer)
        }
        Endpoint::LogIn => {
            let wish = rest::decode_log_in(&body)?;
            let by = log_in_by(&wish.account).ok_or(WireError::new(Code::Internal))?;
            pace(doors, &visitor, Some(login_name(&by)))?;
            let tokens = accounts.log_in(by, wish.password.expose(), &device).await;
            tokens.map(|tokens| json(StatusCode::OK, rest::tokens(&tokens))).map_err(no_answer)
        }
        Endpoint::Refresh => {
            let token = rest::decode_refresh(&body)?;
            accounts.refresh(&token.0, &device).await.map(|tokens| json(StatusCode::OK, rest::tokens(&tokens))).map_err(no_answer)
        }
        Endpoint::LogOut => {
            let token = rest::decode_log_out(&body)?;
            accounts.log_out(&token.0).await.map(|()| bare(StatusCode::NO_CONTENT)).map_err(no_answer)
        }
        Endpoint::Me => {
            let identity = identity.ok_or(WireError::new(Code::Unauthenticated))?;
            accounts.me(identity.user).await.map(|account| json(StatusCode::OK, rest::me(&account))).map_err(no_answer)
        }
        // These are answered before it comes here.
        Endpoint::Socket | Endpoint::Events | Endpoint::OpenApi | Endpoint::AsyncApi => Err(WireError::new(Code::Internal)),
        Endpoint::Attached | Endpoint::AttachedThumbnail => Err(WireError::new(Code::Internal)),
        Endpoint::Upload | Endpoint::File | Endpoint::Thumbnail | Endpoint::EraseFile => Err(WireError::new(Code::Internal)),
    }
}

/// Whom the token of a request proves.
pub async fn authenticated(doors: &Doors, headers: &HeaderMap) -> Result<Identity, WireError> {
    let token = bearer(headers).ok_or(WireError::new(Code::Unauthenticated))?;
    let identified = doors.node.accounts().identify(token).await;
    identified.inspect_err(|rejected| count_refused(doors, rejected)).map_err(|rejected| WireError::from(&rejected))
}

fn of_wish(wish: &rest::SignUp) -> SignUp<'_> {
    let (username, email) = (wish.username.as_str(), wish.email.as_str());
    SignUp { username, email, password: wish.password.expose(), name: wish.name.as_str(), ..SignUp::default() }
}

/// What the client says of itself, for the list of logins.
fn device(headers: &HeaderMap) -> Device {
    let says = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Device::new(says.unwrap_or_default(), Door::default())
}

fn log_in_by(account: &AccountKey) -> Option<LogInBy> {
    match account {
        AccountKey::Username(username) => Some(LogInBy::Username(Username::as_str(username).to_owned())),
        AccountKey::Email(email) => Some(LogInBy::Email(Email::as_str(email).to_owned())),
        AccountKey::Id(_) => None, // nobody logs in by number
    }
}

fn login_name(by: &LogInBy) -> &str {
    match by {
        LogInBy::Username(name) | LogInBy::Email(name) => name,
    }
}

/// Password checks and signups have a pace, since each costs a hash (A9).
fn pace(doors: &Doors, visitor: &Visitor, account: Option<&str>) -> Result<(), WireError> {
    let Err(too_fast) = doors.admission.check_login(visitor.address, account, doors.micros()) else { return Ok(()) };
    doors.metrics.rate_limited(too_fast.bucket);
    Err(WireError::from(&Rejected::TooFast { bucket: too_fast.bucket, after: too_fast.after }))
}

/// A request's body, within its limits of bytes and time.
pub async fn read(doors: &Doors, body: Body) -> Result<Bytes, WireError> {
    let limited = Limited::new(body, doors.limits.count(Limit::HttpBodyBytes));
    match tokio::time::timeout(doors.limits.time(Limit::BodyDeadline), limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(WireError::new(Code::TooLarge)),
        Ok(Err(_)) => Err(WireError::with(Code::Malformed, "the body broke off")),
        Err(_) => Err(WireError::new(Code::BodyTimeout)),
    }
}

/// Whether the body is declared as JSON; parameters such as a charset carry no meaning.
pub fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(rest::JSON)))
}

/// The token of `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// A refusal as problem+json.
pub fn refused(doors: &Doors, error: &WireError) -> Response {
    let reference = doors.reference();
    doors.metrics.refused(error.code.name());
    tracing::debug!(reference, error = error.code.name(), "request refused");
    if error.code == Code::Internal {
        tracing::error!(reference, "a request met a mistake of ours");
    }
    let (status, body) = rest::problem(error, &reference);
    let mut response = bare(status);
    *response.body_mut() = body.into();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(rest::PROBLEM_JSON));
    if let Ok(reference) = HeaderValue::from_str(&reference) {
        headers.insert("x-request-id", reference);
    }
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// An answer in JSON.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = bare(status);
    *response.body_mut() = body.into();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(rest::JSON));
    response
}

/// An answer without a body.
pub fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer with the headers of an API, counted.
fn dressed(doors: &Doors, page: &Page, mut response: Response) -> Response {
    doors.metrics.responded(response.status().as_u16());
    page.mark(response.headers_mut());
    for (name, value) in API_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn preflight(doors: &Doors, page: &Page) -> Response {
    if *page == Page::Stranger {
        doors.metrics.rejected(Refusal::Origin);
        return refused(doors, &WireError::new(Code::OriginRefused));
    }
    cors::preflight()
}

/// A service never fails: every outcome is an answer.
const _: fn(Infallible) = |never| match never {};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_and_nothing_else() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of("Bearer abc"), Some("abc".into()));
        assert_eq!(of("bearer  abc "), Some("abc".into()));
        for wrong in ["Basic abc", "Bearer", "Bearer ", "abc"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
