//! Limits, each fired: what happens at it is what the table says, and the connection or the history comes out whole.

use serde_json::json;

use crate::client::{Client, Handshake};
use crate::ledger::{check_dense, whole_log};
use crate::rest;
use crate::server::{Options, Server};
use crate::wire::Encoding;

/// `posts_rate_user`: refused with a pause, and after the pause it goes on; nothing of the refused is stored.
#[tokio::test]
async fn too_many_messages_are_refused_with_a_pause() {
    let server = Options::default().limit("posts_rate_user", "5").limit("posts_burst_user", "3").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut stored = 0;
    let mut refused = None;
    for n in 0..20 {
        match a.try_ask("msg.send", json!({"conv": conv, "client_key": format!("k{n}"), "body": {"text": "x"}})).await {
            Ok(_) => stored += 1,
            Err(refusal) => refused = Some((n, refusal)),
        }
    }
    let (n, refusal) = refused.expect("twenty at once are more than three");
    assert!(stored >= 3, "the burst is taken");
    assert_eq!((refusal.range(), refusal.retry.as_str()), (5, "after"), "{refusal:?}");
    assert!(refusal.after_ms.is_some_and(|ms| ms > 0 && ms <= 1_000), "{refusal:?}");
    crate::within("the pause ends", async {
        let again = json!({"conv": conv, "client_key": format!("k{n}"), "body": {"text": "x"}});
        while a.try_ask("msg.send", again.clone()).await.is_err() {}
    })
    .await;
    assert_eq!(whole_log(&mut a, &conv).await.len(), stored + 1);
    assert!(server.metric("parlance_limit_rate_limited_total").await > 0.0, "it is counted");
}

/// `frames_rate`: frames beyond the rate are refused with a pause, and who goes on is closed with 4202.
#[tokio::test]
async fn too_many_frames_end_the_connection() {
    let server = Options::default().limit("frames_rate", "10").limit("frames_burst", "20").start().await;
    let ada = server.sign_up("ada").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut throttled = false;
    let mut rounds = 0;
    while let Some(reply) = {
        let id = a.send("hb", json!({})).await;
        a.reply_or_end(id).await
    } {
        if let Err(refusal) = reply {
            assert_eq!((refusal.range(), refusal.retry.as_str()), (5, "after"), "{refusal:?}");
            throttled = true;
        }
        rounds += 1;
        assert!(rounds < 100_000, "who goes on is closed");
    }
    assert!(throttled, "a refusal comes before the close");
    assert_eq!(a.ended().await.code, Some(4202));
}

/// `sessions_user`: one session more is closed with 4404; when one leaves there is room again.
#[tokio::test]
async fn one_session_too_many_is_closed() {
    let server = Options::default().limit("sessions_user", "2").start().await;
    let ada = server.sign_up("ada").await;
    let first = server.connect(&ada, Encoding::Json).await;
    let mut second = server.connect(&ada, Encoding::MessagePack).await;
    let mut third = Client::open(server.clients, Encoding::Json).await;
    let id = third.send("auth", json!({"token": ada.access})).await;
    if let Some(reply) = third.reply_or_end(id).await {
        reply.expect_err("there is no room");
    }
    let ended = third.ended().await;
    assert_eq!((ended.code, &ended.bye.expect("a bye before every close")["code"]), (Some(4404), &json!(4404)));
    second.ask("hb", json!({})).await;
    first.close().await;
    crate::within("there is room again", async {
        loop {
            let mut next = Client::open(server.clients, Encoding::Json).await;
            let id = next.send("auth", json!({"token": ada.access})).await;
            if let Some(Ok(_)) = next.reply_or_end(id).await {
                break;
            }
        }
    })
    .await;
}

/// `requests_in_flight`: more requests than that wait, and every one of them is answered (I10).
#[tokio::test]
async fn requests_beyond_those_in_flight_wait_and_are_all_answered() {
    let server = Options::default().limit("requests_in_flight", "4").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    for encoding in crate::wire::BOTH {
        let mut a = server.connect(&ada, encoding).await;
        assert_eq!(a.hello["limits"]["requests_in_flight"], 4);
        let mut ids = Vec::new();
        for n in 0..400 {
            let d = json!({"conv": conv, "client_key": format!("{encoding:?}{n}"), "body": {"text": "x"}});
            ids.push(a.send("msg.send", d).await);
        }
        for id in ids {
            a.reply(id).await.expect("sent");
        }
    }
    let mut a = server.connect(&ada, Encoding::Json).await;
    assert_eq!(whole_log(&mut a, &conv).await.len(), 800);
}

/// `outbound_frames`, G7, P44: a slow reader is told what it missed, reads it from the log, and slows nobody.
#[tokio::test]
async fn a_slow_reader_gets_a_gap_and_then_everything_by_paging() {
    const COUNT: u64 = 400;
    let server = Options::default().limit("outbound_frames", "16").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let handshake =
        Handshake { subprotocol: Some(Encoding::Json.subprotocol().to_owned()), receive_buffer: Some(4_096), ..Handshake::default() };
    let mut slow = Client::shake(server.clients, Encoding::Json, handshake).await.expect("the handshake is accepted");
    slow.authenticate(&bob).await;
    let mut a = server.connect(&ada, Encoding::MessagePack).await;
    let long = "x".repeat(30_000);
    let mut ids = std::collections::VecDeque::new();
    for n in 1..=COUNT {
        ids.push_back(a.send("msg.send", json!({"conv": conv, "client_key": format!("k{n}"), "body": {"text": long}})).await);
        if ids.len() > 16 {
            let id = ids.pop_front().expect("some wait");
            a.reply(id).await.expect("the sender is not slowed by the reader");
        }
    }
    for id in ids {
        a.reply(id).await.expect("sent");
    }

    // What arrives now is a run of entries and gaps that covers every seq once, in order.
    let mut next = 1;
    let mut gaps = 0;
    while next <= COUNT {
        let (from, to) = slow.entry_or_gap(&conv).await;
        assert_eq!(from, next, "nothing is missed in silence");
        if to > from {
            gaps += 1;
        }
        let mut at = from;
        while at <= to && to > from {
            let page = slow.ask("msg.history", json!({"conv": conv, "after": at - 1, "limit": 20})).await;
            let entries = page["entries"].as_array().unwrap();
            check_dense(&conv, at, entries);
            at += u64::try_from(entries.len()).unwrap();
        }
        next = to + 1;
    }
    assert!(gaps > 0, "twelve megabytes do not fit into sixteen frames and two socket buffers");
    assert!(server.metric("parlance_delivery_gap_marks_total").await > 0.0, "it is counted");
}

/// `http_body_bytes`, `connections_address`, `unauthenticated_address`, `logins_account`: each says so, politely.
#[tokio::test]
async fn limits_of_an_address_are_answered_429() {
    let limits = Options::default().limit("unauthenticated_address", "2").limit("logins_account", "3").limit("http_body_bytes", "1KiB");
    let server = limits.start().await;
    let ada = server.sign_up("ada").await;
    let held = [Client::open(server.clients, Encoding::Json).await, Client::open(server.clients, Encoding::Json).await];
    let handshake = Handshake { subprotocol: Some(Encoding::Json.subprotocol().to_owned()), ..Handshake::default() };
    let refused = Client::shake(server.clients, Encoding::Json, handshake).await.expect_err("two strangers are enough");
    assert_eq!((refused.status, refused.content_type.as_str()), (429, "application/problem+json"));
    drop(held);

    let wrong = json!({"username": ada.username, "password": "not the password"});
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(server.post("/v1/login", &wrong).await.status);
    }
    assert_eq!(statuses[..2], [401, 401]);
    assert_eq!(statuses[4], 429, "{statuses:?}");
    let answer = server.post("/v1/login", &wrong).await;
    let problem = answer.problem(429);
    assert!(answer.header("retry-after").is_some() && problem["after_ms"].is_u64(), "{answer:?}");

    let large = rest::post("/v1/login", &json!({"username": "x".repeat(2_000), "password": "y"})).send(server.clients).await;
    large.problem(413);
}

/// D14: the node started without arguments can be load-tested as it stands, so its loopback is trusted.
#[tokio::test]
async fn a_trusted_address_is_not_limited() {
    let server =
        Options::default().limit("unauthenticated_address", "2").set("PARLANCE_EDGE__TRUSTED_ADDRESSES", "[\"127.0.0.0/8\"]").start().await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(Client::open(server.clients, Encoding::Json).await);
    }
    assert_eq!(held.len(), 5);
    assert_eq!(server_answers(&server).await, 200);
}

async fn server_answers(server: &Server) -> u16 {
    server.ops("/healthz").await.status
}
