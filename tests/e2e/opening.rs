//! The opening of a connection: subprotocol, hello, authentication, and what is refused before it.

use serde_json::json;

use crate::client::{Client, Handshake};
use crate::rest;
use crate::server::{Options, Server};
use crate::wire::{BOTH, Encoding};

/// P1: without a known subprotocol there is no upgrade, and the answer lists what there is.
#[tokio::test]
async fn a_handshake_without_a_known_subprotocol_is_refused_with_the_list() {
    let server = Server::start().await;
    for subprotocol in [None, Some("chat"), Some("parlance.v2+json"), Some("parlance.v1+xml, mqtt")] {
        let handshake = Handshake { subprotocol: subprotocol.map(str::to_owned), ..Handshake::default() };
        let refused = Client::shake(server.clients, Encoding::Json, handshake).await.expect_err("no upgrade");
        assert_eq!((refused.status, refused.content_type.as_str()), (400, "application/problem+json"), "{subprotocol:?}");
        for known in BOTH {
            assert!(refused.body.contains(known.subprotocol()), "{}", refused.body);
        }
    }
    let problem = rest::get("/v1/ws").send(server.clients).await;
    assert!(matches!(problem.status, 400 | 426), "a plain GET is no handshake: {problem:?}");
    problem.problem(problem.status);
}

/// P2, P13: the server speaks first, and says what a client must know.
#[tokio::test]
async fn hello_comes_first_and_names_the_limits() {
    let server = Server::start().await;
    let mut sessions = std::collections::BTreeSet::new();
    for encoding in BOTH {
        let client = Client::open(server.clients, encoding).await;
        let hello = &client.hello;
        for number in ["time", "hb_ms", "auth_ms"] {
            assert!(hello[number].as_u64().is_some_and(|n| n > 0), "{number}: {hello}");
        }
        assert!(hello["build"].is_string() && hello["features"].is_array(), "{hello}");
        assert!(sessions.insert(hello["session"].to_string()), "each connection has a session id of its own");
        let limits = [
            ("frame_bytes", 65_536),
            ("body_bytes", 32_768),
            ("page", 200),
            ("frame_requests", 64),
            ("requests_in_flight", 64),
            ("sync_conversations", 500),
            ("members_per_request", 200),
            ("client_key_bytes", 64),
        ];
        for (name, value) in limits {
            assert_eq!(hello["limits"][name], value, "{name}: {hello}");
        }
    }
}

/// P3: who does not say who it is, goes.
#[tokio::test]
async fn a_silent_stranger_is_closed_at_the_deadline() {
    let server = Options::default().limit("auth_deadline", "200ms").start().await;
    let mut client = Client::open(server.clients, Encoding::Json).await;
    assert_eq!(client.hello["auth_ms"], 200, "{}", client.hello);
    let ended = client.ended().await;
    assert_eq!(ended.code, Some(4203));
    let bye = ended.bye.expect("a bye before every close");
    assert_eq!(bye["code"], 4203, "{bye}");
    assert!(bye["reason"].as_str().is_some_and(|text| !text.is_empty()), "{bye}");
}

/// P3: frames alone do not keep a stranger.
#[tokio::test]
async fn a_talking_stranger_is_closed_at_the_deadline_too() {
    let server = Options::default().limit("auth_deadline", "300ms").start().await;
    let mut client = Client::open(server.clients, Encoding::Json).await;
    while let Some(reply) = {
        let id = client.send("hb", json!({})).await;
        client.reply_or_end(id).await
    } {
        assert_eq!(reply.expect_err("nothing but auth is allowed").code, 2001);
    }
    assert_eq!(client.ended().await.code, Some(4203));
}

/// P3: nothing but `auth` before `auth`; the connection can still authenticate.
#[tokio::test]
async fn only_auth_is_allowed_before_auth() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for encoding in BOTH {
        let mut client = Client::open(server.clients, encoding).await;
        let ops = [
            ("msg.send", json!({"conv": "d1-2", "client_key": "k", "body": {"text": "x"}})),
            ("msg.history", json!({"conv": "d1-2"})),
            ("conv.list", json!({})),
            ("user.find", json!({"username": "ada"})),
            ("sync", json!({"convs": []})),
            ("auth.refresh", json!({"token": ada.access})),
        ];
        for (op, d) in ops {
            let refusal = client.refused(op, d).await;
            assert_eq!((refusal.code, refusal.name.as_str()), (2001, "unauthenticated"), "{op}");
        }
        client.authenticate(&ada).await;
        client.ask("conv.list", json!({})).await;
    }
}

/// P5: a bad token is refused with a code of the auth range.
#[tokio::test]
async fn a_bad_token_is_refused() {
    let server = Server::start().await;
    server.sign_up("ada").await;
    for token in ["", "x", "a.b.c"] {
        let mut client = Client::open(server.clients, Encoding::Json).await;
        let refusal = client.refused("auth", json!({"token": token})).await;
        assert!(matches!(refusal.range(), 2 | 4), "{refusal:?}");
    }
    let mut client = Client::open(server.clients, Encoding::Json).await;
    let refusal = client.refused("auth", json!({"token": 7})).await;
    assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some("token")), "{refusal:?}");
}

/// P6: facts about the device are taken, and a heartbeat wish has bounds.
#[tokio::test]
async fn auth_takes_device_facts_and_bounds_the_heartbeat_wish() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut client = Client::open(server.clients, Encoding::MessagePack).await;
    let device = json!({"id": "phone", "platform": "android", "app": "1.0", "sdk": "test"});
    for hb_ms in [4_999, 120_001] {
        let refusal = client.refused("auth", json!({"token": ada.access, "hb_ms": hb_ms})).await;
        assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some("hb_ms")), "{refusal:?}");
    }
    let ok = client.ask("auth", json!({"token": ada.access, "device": device, "hb_ms": 60_000})).await;
    assert_eq!(ok["user"], json!({"id": ada.id, "username": "ada", "name": "ADA"}));
    assert_eq!(ok["session"], client.hello["session"]);
    assert!(ok["expires_in_ms"].as_u64() <= Some(900_000), "{ok}");
}

/// P4: the header and the subprotocol pair open a connection without an `auth` request; the token is never echoed.
#[tokio::test]
async fn a_token_may_come_with_the_handshake() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for encoding in BOTH {
        let name = encoding.subprotocol();
        let by_header = Handshake { subprotocol: Some(name.to_owned()), bearer: Some(ada.access.clone()), ..Handshake::default() };
        let by_pair = Handshake { subprotocol: Some(format!("{name}, bearer.{}", ada.access)), ..Handshake::default() };
        let by_pair_first = Handshake { subprotocol: Some(format!("bearer.{}, {name}", ada.access)), ..Handshake::default() };
        for handshake in [by_header, by_pair, by_pair_first] {
            let mut client = Client::shake(server.clients, encoding, handshake).await.expect("the handshake is accepted");
            let found = client.ask("user.find", json!({"username": "ada"})).await;
            assert_eq!(found, json!({"id": ada.id, "username": "ada", "name": "ADA"}));
        }
    }
    let alone = Handshake { subprotocol: Some(format!("bearer.{}", ada.access)), ..Handshake::default() };
    let refused = Client::shake(server.clients, Encoding::Json, alone).await.expect_err("a token is no protocol");
    assert_eq!(refused.status, 400);
    assert!(!refused.body.contains(&ada.access), "a token is never echoed");
}

/// P3: 8 KiB before authentication.
#[tokio::test]
async fn a_large_frame_before_auth_is_refused() {
    let server = Server::start().await;
    for encoding in BOTH {
        let mut client = Client::open(server.clients, encoding).await;
        let id = client.send("auth", json!({"token": "x".repeat(9_000)})).await;
        if let Some(reply) = client.reply_or_end(id).await {
            reply.expect_err("too large a frame is refused");
        }
        assert_eq!(client.ended().await.code, Some(4204), "{encoding:?}");
    }
}

/// P5: a new token in band lengthens the session; a token of somebody else does not.
#[tokio::test]
async fn a_session_is_told_of_its_end_and_lengthened_in_band() {
    let server = Options::default().limit("access_life", "3s").start().await;
    let (ada, bob) = server.two().await;
    let tokens = server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.json(200);
    let ada = crate::server::Person::new(&tokens, &ada.email, &ada.password);
    let mut client = server.connect(&ada, Encoding::Json).await;
    let expiring = client.push("auth.expiring").await;
    assert!(expiring["in_ms"].as_u64() <= Some(3_000), "{expiring}");

    let foreign = server.post("/v1/refresh", &json!({"refresh_token": bob.refresh})).await.json(200);
    let refusal = client.refused("auth.refresh", json!({"token": foreign["access_token"]})).await;
    assert!(matches!(refusal.range(), 2 | 3), "{refusal:?}");
    let tokens = server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.json(200);
    let ok = client.ask("auth.refresh", json!({"token": tokens["access_token"]})).await;
    assert!(ok["expires_in_ms"].as_u64().is_some_and(|ms| ms > 0 && ms <= 3_000), "{ok}");
    client.push("auth.expiring").await;
}
