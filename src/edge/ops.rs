//! The ops listener: health, readiness and metrics for operators, never on the clients' port (Z6).
//!
//! With `test.hooks` it also kills actors, so that tests can see them come back; off unless configured.

use std::sync::Arc;
use std::time::Duration;

use actors::archive::Archive;
use actors::id::UserId;
use actors::node::Victim;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::{HeaderMap, StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::config::TestConfig;
use crate::edge::doors::Doors;
use crate::edge::export::{Exports, Peer};
use crate::edge::operator;

/// Connections of operators and their scrapers.
const CONNECTIONS_MAX: usize = 64;
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
const ERROR_PAUSE: Duration = Duration::from_millis(100);
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Brings the figures that are only read, not counted, up to date before they are shown.
pub type Refresh = Arc<dyn Fn() + Send + Sync>;

/// Serves operators for as long as the task lives: they watch a drain too.
pub async fn serve(listener: TcpListener, doors: Arc<Doors>, refresh: Refresh, archive: Arc<dyn Archive>, test: TestConfig) {
    let router = router(doors, refresh, Exports::of(archive), test);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the places are never closed");
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an operator's connection; trying again");
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(Peer(peer.ip()))));
        drop(tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_DEADLINE)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an operator's connection ended early");
            }
            drop(place);
        }));
    }
}

fn router(doors: Arc<Doors>, refresh: Refresh, exports: Arc<Exports>, test: TestConfig) -> Router {
    let (watched, node, accounts) = (Arc::clone(&doors), Arc::clone(&doors), Arc::clone(&doors));
    let hooks = if test.hooks { hooks(Arc::clone(&doors)) } else { Router::new() };
    hooks
        .route("/healthz", get(async || "the process runs\n"))
        .route("/readyz", get(async move || ready(&watched)))
        .route("/metrics", get(async move || expose(doors, refresh).await))
        .route(
            "/account",
            post(async move |Extension(Peer(peer)): Extension<Peer>, headers: HeaderMap, body: Body| {
                operator::answer(&accounts.node, peer, &headers, body).await
            }),
        )
        .route("/export", get(async move |Extension(peer)| exports.give(peer, node.node.world().clock.now()).await))
}

/// `POST /test/kill?log=`: a conversation (`d1-2`, `g12`), a user's home (`user:7`) or a connected user's actor (`online:7`).
fn hooks(doors: Arc<Doors>) -> Router {
    let kill = async move |RawQuery(query): RawQuery| {
        let log = query.as_deref().and_then(|query| query.strip_prefix("log=")).unwrap_or_default();
        let Some(victim) = victim(log) else { return StatusCode::BAD_REQUEST };
        tracing::warn!(log, alive = doors.node.kill(victim), "told to kill an actor");
        StatusCode::NO_CONTENT // one that is asleep is as good as dead
    };
    Router::new().route("/test/kill", post(kill))
}

fn victim(log: &str) -> Option<Victim> {
    let user = |number: &str| number.parse().ok().and_then(|number| UserId::new(number).ok());
    match log.split_once(':') {
        Some(("user", number)) => user(number).map(Victim::Home),
        Some(("online", number)) => user(number).map(Victim::User),
        Some(_) => None,
        None => log.parse().ok().map(Victim::Conversation),
    }
}

fn ready(doors: &Doors) -> (StatusCode, String) {
    let missing = if doors.is_shut() { Err("the node is draining".to_owned()) } else { doors.node.readiness() };
    match missing {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
    }
}

async fn expose(doors: Arc<Doors>, refresh: Refresh) -> impl IntoResponse {
    let rendered = tokio::task::spawn_blocking(move || {
        refresh();
        doors.metrics.render()
    });
    let (status, text) = rendered.await.map_or_else(|_| (StatusCode::INTERNAL_SERVER_ERROR, String::new()), |text| (StatusCode::OK, text));
    (status, [(header::CONTENT_TYPE, EXPOSITION)], text)
}
