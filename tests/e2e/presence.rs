//! Signals that are never stored: typing, and who is online.

use serde_json::json;

use crate::server::{Options, Server};
use crate::wire::Encoding;

/// P23: the others see that one is writing; the one who writes does not, and too many signals are dropped.
#[tokio::test]
async fn typing_is_shown_to_the_others() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    for _ in 0..5 {
        a.ask("typing", json!({"conv": conv})).await;
    }
    let typing = b.push("typing").await;
    assert_eq!((&typing["conv"], &typing["user"]), (&json!(conv), &json!(ada.id)));
    assert_eq!(typing["hold_ms"], 6_000, "{typing}");
    // The fence: a message to the same queue behind the signals.
    a.ask("msg.send", json!({"conv": conv, "client_key": "k", "body": {"text": "x"}})).await;
    b.push("entry").await;
    assert!(b.arrived("typing").await.is_empty(), "one signal in three seconds (P23)");
    assert!(a.arrived("typing").await.is_empty());
}

/// P46: who watches is told of coming and, after a grace, of going; a short absence is not shown.
#[tokio::test]
async fn a_watcher_is_told_of_coming_and_going() {
    let server = Options::default().limit("presence_grace", "300ms").limit("login_presence", "0ms").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let strangers = a.ask("presence.watch", json!({"users": [bob.id]})).await;
    assert_eq!(strangers["users"], json!([]), "who never talked with somebody is not told");
    a.ask("msg.send", json!({"conv": ada.with(&bob), "client_key": "k", "body": {"text": "x"}})).await;
    crate::within("the sign-up is over, which counts as being here", async {
        while a.ask("presence.watch", json!({"users": [bob.id]})).await["users"][0]["online"] != false {}
    })
    .await;
    a.arrived("presence").await;

    let first = server.connect(&bob, Encoding::MessagePack).await;
    assert_eq!(a.push("presence").await, json!({"user": bob.id, "online": true}));
    let second = server.connect(&bob, Encoding::Json).await;
    first.close().await;
    let again = a.ask("presence.watch", json!({"users": [bob.id]})).await;
    assert_eq!(again["users"], json!([{"user": bob.id, "online": true}]), "one of two sessions is left");
    second.close().await;
    let gone = a.push("presence").await;
    assert_eq!((&gone["user"], &gone["online"]), (&json!(bob.id), &json!(false)), "the next change is the end of the last session");
    assert!(gone["last_seen"].is_u64(), "when it ended is told with it: {gone}");
    let third = server.connect(&bob, Encoding::Json).await;
    assert_eq!(a.push("presence").await, json!({"user": bob.id, "online": true}));

    assert_eq!(a.ask("presence.watch", json!({"users": []})).await["users"], json!([]), "the list is replaced");
    third.close().await;
    let refusal = a.refused("presence.watch", json!({"users": (1..=501).collect::<Vec<_>>()})).await;
    assert_eq!(refusal.field.as_deref(), Some("users"), "{refusal:?}");
    let refusal = a.refused("presence.watch", json!({"users": "bob"})).await;
    assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some("users")), "{refusal:?}");
}
