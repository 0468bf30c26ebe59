//! Heartbeats: the server's, and the end of a client that is never heard of.

use serde_json::json;

use crate::server::{Options, Server};
use crate::wire::{BOTH, Encoding};

async fn quick() -> Server {
    Options::default().limit("heartbeat", "300ms").start().await
}

/// P35, P8: the server beats and names its count of pushes; the harness compares it with its own.
#[tokio::test]
async fn the_server_sends_heartbeats_with_its_count() {
    let server = quick().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    for encoding in BOTH {
        let mut b = server.connect(&bob, encoding).await;
        assert_eq!(b.hello["hb_ms"], 300, "{}", b.hello);
        let first = b.push("hb").await;
        assert_eq!(first["s"], b.counted, "{first}");
        a.ask("msg.send", json!({"conv": conv, "client_key": format!("{encoding:?}"), "body": {"text": "x"}})).await;
        b.push("entry").await;
        let counted = b.counted;
        assert!(counted > 0);
        b.ask("hb", json!({"s": counted})).await;
        b.push_where("hb", |d| d["s"].as_u64() >= Some(counted)).await;
    }
}

/// P36: silence ends a connection with 4010; any frame keeps it.
#[tokio::test]
async fn a_silent_client_is_closed_and_a_beating_one_is_kept() {
    let server = quick().await;
    let (ada, bob) = server.two().await;
    let mut silent = server.connect(&ada, Encoding::Json).await;
    let mut beating = server.connect(&bob, Encoding::MessagePack).await;
    let end = silent.ended();
    let beat = async {
        // Ten beats of the server last longer than the silence that is allowed.
        for _ in 0..10 {
            let s = beating.push("hb").await["s"].clone();
            beating.ask("hb", json!({"s": s})).await;
        }
    };
    let (ended, ()) = tokio::join!(end, beat);
    assert_eq!(ended.code, Some(4010));
    assert_eq!(ended.bye.expect("a bye before every close")["code"], 4010);
    assert!(!beating.has_ended());
}

/// P35: whatever a client sends counts as a sign of life, also what is refused.
#[tokio::test]
async fn any_frame_keeps_a_connection() {
    let server = quick().await;
    let ada = server.sign_up("ada").await;
    let mut client = server.connect(&ada, Encoding::MessagePack).await;
    for _ in 0..10 {
        client.push("hb").await;
        client.refused("user.find", json!({"username": "nobody"})).await;
    }
    assert!(!client.has_ended());
}
