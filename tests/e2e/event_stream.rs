//! Server-sent events: the very pushes of a socket, their gaps, and everything that ends a stream.

use serde_json::json;

use crate::events::Events;
use crate::rest;
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;
use crate::within;

/// P47: what a socket is told, a stream is told in the same words.
#[tokio::test]
async fn a_stream_says_what_a_socket_says() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut events = Events::open(server.clients, &bob).await;
    let mut socket = server.connect(&bob, Encoding::Json).await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = ada.with(&bob);
    for n in 1..=3 {
        let body = json!({"text": "line one\nline two", "data": {"n": n}});
        a.ask("msg.send", json!({"conv": conv, "client_key": format!("k{n}"), "body": body})).await;
        assert_eq!(events.named("entry").await, socket.push("entry").await);
    }
    a.tell("typing", json!({"conv": conv})).await;
    assert_eq!(events.named("typing").await, socket.push("typing").await);
    socket.ask("read", json!({"conv": conv, "seq": 3})).await;
    assert_eq!(events.named("unread").await["read"], 3, "the stream is another device of the one who read");
    let watched = a.ask("presence.watch", json!({"users": [bob.id]})).await;
    assert_eq!(watched["users"][0]["online"], true);
    socket.close().await;
    assert_eq!(a.ask("presence.get", json!({"users": [bob.id]})).await["users"][0]["online"], true, "a stream is presence");
    assert!(server.metric("parlance_edge_connections").await > 1.5, "it is counted among the connections");
}

/// It is read-only, and takes what it takes.
#[tokio::test]
async fn a_stream_needs_a_token_and_a_place() {
    let server = Options::default().limit("sessions_user", "1").start().await;
    let ada = server.sign_up("ada").await;
    rest::get("/v1/events").send(server.clients).await.problem(401);
    rest::get("/v1/events").bearer("a.b.c").send(server.clients).await.problem(401);
    rest::get(&format!("/v1/events?token={}", ada.access)).send(server.clients).await.problem(401);
    rest::get("/v1/events?since=1").bearer(&ada.access).send(server.clients).await.problem(400);
    rest::with("POST", "/v1/events", &json!({})).bearer(&ada.access).send(server.clients).await.problem(405);
    let stream = Events::open(server.clients, &ada).await;
    let refused = rest::get("/v1/events").bearer(&ada.access).send(server.clients).await;
    assert_eq!(refused.problem(429)["name"], "rate_limited");
    drop(stream);
    within("a client that leaves gives its place back", async { while server.metric("parlance_edge_connections").await > 0.5 {} }).await;
    drop(Events::open(server.clients, &ada).await);
}

/// P5, A6: the token's end and the login's end are the stream's end, and it says so.
#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_its_login() {
    let server = Options::default().limit("access_life", "2s").start().await;
    let ada = server.sign_up("ada").await;
    let mut events = Events::open(server.clients, &ada).await;
    assert_eq!(events.named("bye").await["code"], 4200);
    assert_eq!(events.next().await, None, "nothing comes after bye");
    let tokens = server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.json(200);
    let ada = Person::new(&tokens, &ada.email, &ada.password);
    drop(Events::open(server.clients, &ada).await);

    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut events = Events::open(server.clients, &ada).await;
    let began = std::time::Instant::now();
    assert_eq!(server.post("/v1/logout", &json!({"refresh_token": ada.refresh})).await.status, 204);
    assert_eq!(events.named("bye").await["code"], 4401);
    assert_eq!(events.next().await, None);
    assert!(began.elapsed().as_secs() < 2, "within two seconds");
}

/// P42: who is told to leave is told when to come back, and what came meanwhile is in a sync.
#[tokio::test]
async fn a_drain_says_bye_and_a_sync_tells_what_was_missed() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut events = Events::open(server.clients, &bob).await;
    a.ask("msg.send", json!({"conv": conv, "client_key": "k1", "body": {"text": "x"}})).await;
    let heard = events.named("entry").await;
    server.signal("TERM");
    let bye = events.named("bye").await;
    assert_eq!(bye["code"], 4000, "{bye}");
    assert!(bye["after_ms"].is_u64(), "{bye}");
    assert_eq!(events.next().await, None);
    assert!(server.ended().await.success());

    let server = server.restart().await;
    let body = json!({"client_key": "k2", "body": {"text": "while away"}});
    rest::with("POST", &format!("/v1/conversations/{conv}/messages"), &body).bearer(&ada.access).send(server.clients).await.json(201);
    let _events = Events::open(server.clients, &bob).await;
    let path = format!("/v1/sync?convs={conv}.{}.{}", heard["inc"], heard["seq"]);
    let missed = rest::get(&path).bearer(&bob.access).send(server.clients).await.json(200);
    assert_eq!(missed["convs"][0]["entries"][0]["key"], "k2", "{missed}");
}

/// Something is heard at every heartbeat, as a comment that clients pass over.
#[tokio::test]
async fn a_stream_has_heartbeats() {
    let server = Options::default().limit("heartbeat", "1s").start().await;
    let ada = server.sign_up("ada").await;
    let mut events = Events::open(server.clients, &ada).await;
    for _ in 0..3 {
        events.beat().await;
    }
}

/// P33, G7: who reads slowly gets a gap mark for what did not fit, and is put out when nothing is taken at all.
#[tokio::test]
async fn a_slow_reader_gets_a_gap_and_one_that_takes_nothing_is_put_out() {
    let server = Options::default().limit("outbound_frames", "16").limit("write_stall", "3s").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut slow = Events::shake(server.clients, &bob, Some(4_096)).await;
    let mut stuck = Events::shake(server.clients, &bob, Some(4_096)).await;
    let text = "x".repeat(30_000);
    let mut seq = 0;
    within("the queues are full", async {
        while server.metric("parlance_delivery_gap_marks_total").await < 3.0 {
            seq += 1;
            a.ask("msg.send", json!({"conv": conv, "client_key": format!("k{seq}"), "body": {"text": text}})).await;
        }
    })
    .await;
    let (mut next, mut gaps) = (1, 0);
    while next <= seq {
        let event = slow.next().await.expect("the stream goes on");
        match event.name.as_str() {
            "entry" => {
                assert_eq!(event.data["seq"], next, "dense but for what a gap says");
                next += 1;
            }
            "gap" if event.data["conv"] == conv => {
                assert_eq!(event.data["from"], next, "{event:?}");
                next = event.data["to"].as_u64().expect("a seq") + 1;
                gaps += 1;
            }
            _ => {}
        }
    }
    assert!(gaps > 0, "what did not fit was told");
    within("the one that takes nothing is put out", async {
        while server.metric("parlance_edge_closed_total{code=\"4011\"}").await < 0.5
            && !server.ops("/metrics").await.text().contains("parlance_edge_closed_total{code=\"4011\"} 1")
        {}
    })
    .await;
    within("its connection is closed", async { while stuck.next().await.is_some() {} }).await;
}
