//! Over TCP: the accept loop's limits and deadlines, HTTP's answers, the upgrade, the ops listener, the drain.

use std::net::SocketAddr;
use std::sync::Arc;

use actors::limits::Limit;
use actors::testkit::contract::archive::{everything, write_every_kind};
use actors::testkit::memory::MemoryStore;
use actors::time::Timestamp;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::archive::reader::Reader;
use crate::config::Start;
use crate::edge::doors::Doors;
use crate::edge::export::{Exports, Peer};
use crate::edge::tests::{account, doors, doors_of};
use crate::edge::{accept, drain, ops};

const HANDSHAKE: &str = "GET /v1/ws HTTP/1.1\r\nhost: parlance\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: parlance.v1+json\r\n\r\n";

fn listen(doors: &Arc<Doors>) -> SocketAddr {
    let listener = accept::listen("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(tokio::spawn(accept::accept(listener, Arc::clone(doors))));
    address
}

/// What is answered to these bytes until the server closes.
async fn ask(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(bytes.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an end");
    answer
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: parlance\r\nconnection: close\r\n{headers}\r\n")).await
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test]
async fn an_address_with_too_many_connections_is_told_so_until_one_leaves() {
    let doors = doors_of(Start::Told, &[(Limit::ConnectionsAddress, 1)]).await;
    let address = listen(&doors);
    let mut first = TcpStream::connect(address).await.expect("connected");
    first.write_all(b"GET /nowhere HTTP/1.1\r\nhost: parlance\r\n\r\n").await.expect("sent");
    assert!(head(&mut first).await.starts_with("HTTP/1.1 404"));
    let refused = ask(address, "").await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after"), "{refused}");
    drop(first);
    doors.admission.emptied().await;
    assert!(get(address, "/nowhere", "").await.starts_with("HTTP/1.1 404"));
    assert!(doors.metrics.render().contains("parlance_edge_rejected_total{reason=\"address_full\"} 1"));
}

#[tokio::test]
async fn a_full_node_says_so_to_trusted_addresses_too() {
    let doors = doors(&[(Limit::ConnectionsNode, 1)]).await;
    let address = listen(&doors);
    let mut first = TcpStream::connect(address).await.expect("connected");
    first.write_all(b"GET /nowhere HTTP/1.1\r\nhost: parlance\r\n\r\n").await.expect("sent");
    head(&mut first).await;
    assert!(ask(address, "").await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn who_sends_no_head_or_a_huge_one_is_ended() {
    let doors = doors(&[(Limit::HeadDeadline, 30)]).await;
    let address = listen(&doors);
    ask(address, "GET / HT").await;
    let huge = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    assert!(ask(address, &huge).await.starts_with("HTTP/1.1 431"));
    doors.admission.emptied().await;
    let text = doors.metrics.render();
    assert!(text.contains("parlance_edge_rejected_total{reason=\"head_deadline\"} 1"), "{text}");
    assert!(text.contains("parlance_edge_rejected_total{reason=\"head_bytes\"} 1"), "{text}");
}

#[tokio::test]
async fn refusals_are_problems_with_a_reference_and_the_headers_of_an_api() {
    let doors = doors(&[]).await;
    let address = listen(&doors);
    for (path, status, name) in [
        ("/v1/me", 401, "unauthenticated"),
        ("/v1/login", 405, "method_not_allowed"),
        ("/v1/ws", 400, "unknown_subprotocol"),
        ("/metrics", 404, "no_such_path"),
    ] {
        let answer = get(address, path, "").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {head}");
        for header in ["application/problem+json", "nosniff", "no-store", "default-src 'none'", "x-request-id"] {
            assert!(head.contains(header), "{path}: no {header} in {head}");
        }
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["name"], name, "{path}");
        assert!(head.contains(body["ref"].as_str().expect("a reference")));
    }
}

#[tokio::test]
async fn passwords_of_one_account_are_checked_at_a_pace() {
    let doors = doors_of(Start::Told, &[(Limit::LoginsAccount, 2)]).await;
    account(&doors, "ann").await;
    let address = listen(&doors);
    let body = json!({"username": "ann", "password": "wrong horse"}).to_string();
    let request = format!("POST /v1/login HTTP/1.1\r\nhost: parlance\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for _ in 0..2 {
        assert!(ask(address, &request).await.starts_with("HTTP/1.1 401"));
    }
    let refused = ask(address, &request).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 30"), "{refused}");
}

#[tokio::test]
async fn frames_sent_with_the_handshake_are_not_lost() {
    let doors = doors(&[]).await;
    let (_, token) = account(&doors, "ann").await;
    let address = listen(&doors);
    let mut early = WebSocketStream::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Client, None).await;
    let auth = json!({"id": 1, "op": "auth", "d": {"token": token}});
    early.send(Message::text(auth.to_string())).await.expect("written to memory");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(&[HANDSHAKE.as_bytes(), early.get_ref().get_ref()].concat()).await.expect("sent");
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101") && head.matches("sec-websocket-protocol: parlance.v1+json").count() == 1, "{head}");
    let mut client = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    let words = |message: Message| serde_json::from_str::<Value>(message.to_text().expect("text")).expect("JSON");
    assert_eq!(words(client.next().await.expect("a frame").expect("whole"))["ev"], "hello");
    assert!(words(client.next().await.expect("a frame").expect("whole"))["ok"]["user"].is_object());
}

#[tokio::test]
async fn a_drain_tells_every_socket_and_ends_when_they_have_left() {
    let doors = doors(&[(Limit::DrainSpread, 1)]).await;
    let (_, token) = account(&doors, "ann").await;
    let address = listen(&doors);
    let mut clients = Vec::new();
    for protocols in ["parlance.v1+json".to_owned(), format!("parlance.v1+json, bearer.{token}")] {
        let mut request = format!("ws://{address}/v1/ws").into_client_request().expect("a request");
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().expect("a header"));
        let stream = TcpStream::connect(address).await.expect("connected");
        let (mut client, _) = tokio_tungstenite::client_async(request, stream).await.expect("upgraded");
        assert!(client.next().await.expect("hello").expect("whole").is_text());
        clients.push(client);
    }
    let draining = tokio::spawn({
        let doors = Arc::clone(&doors);
        async move { drain::drain(&doors).await }
    });
    for client in &mut clients {
        let bye = client.next().await.expect("bye").expect("whole");
        assert!(bye.to_text().expect("text").contains("4000"), "{bye}");
        assert!(client.next().await.expect("a close frame").expect("whole").is_close());
    }
    drop(clients);
    draining.await.expect("no panic");
    assert_eq!((doors.admission.open(), doors.node.sessions()), (0, 0));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn operators_see_health_readiness_and_metrics() {
    let doors = doors(&[]).await;
    let listener = accept::listen("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = listener.local_addr().expect("bound");
    let refreshed = Arc::clone(&doors);
    let refresh = Arc::new(move || refreshed.metrics.take_over(crate::metrics::StoreFigures::default(), 7));
    let served = ops::serve(listener, Arc::clone(&doors), refresh, Arc::new(MemoryStore::new()), crate::config::TestConfig::default());
    drop(tokio::spawn(served));
    assert!(get(address, "/healthz", "").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/readyz", "").await.starts_with("HTTP/1.1 200"));
    let metrics = get(address, "/metrics", "").await;
    assert!(metrics.contains("text/plain; version=0.0.4") && metrics.contains("parlance_auth_hashes_waiting 7"), "{metrics}");
    assert!(get(address, "/v1/me", "").await.starts_with("HTTP/1.1 404"), "clients are not served here");
    doors.shut();
    let answer = get(address, "/readyz", "").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("draining"), "{answer}");
    assert!(get(address, "/healthz", "").await.starts_with("HTTP/1.1 200"), "a draining node is alive");
}

#[tokio::test]
async fn an_export_is_given_to_this_machine_alone_one_at_a_time_and_left_with_its_reader() {
    let store = Arc::new(MemoryStore::new());
    write_every_kind(&*store).await;
    let exports = Exports::of(Arc::<MemoryStore>::clone(&store));
    let here = Peer("127.0.0.1".parse().expect("an address"));
    for there in ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1"] {
        let answer = exports.give(Peer(there.parse().expect("an address")), Timestamp(1)).await;
        assert_eq!(answer.status(), 403, "{there}");
    }
    let first = exports.give(here, Timestamp(1)).await;
    assert_eq!((first.status(), exports.give(here, Timestamp(1)).await.status()), (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS));
    drop(first); // its reader went in the middle
    let again = loop {
        let again = exports.give(here, Timestamp(1)).await;
        if again.status() == StatusCode::OK {
            break again;
        }
        tokio::task::yield_now().await;
    };
    let bytes = again.into_body().collect().await.expect("to its end").to_bytes();
    let mut reader = Reader::new();
    assert!(reader.read(&bytes).expect("whole") == everything(&*store).await);
    reader.finish().expect("whole");
}
