//! Requests, friendships and blocks, as both sides see them, and what each stops.

use serde_json::{Value, json};

use crate::acts::numbers;
use crate::client::Client;
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;

struct Pair {
    server: Server,
    ada: Person,
    bob: Person,
    a: Client,
    b: Client,
}

async fn pair() -> Pair {
    let server = Options::default().limit("searches_burst", "1000").limit("presence_grace", "100ms").start().await;
    let (ada, bob) = server.two().await;
    let a = server.connect(&ada, Encoding::Json).await;
    let b = server.connect(&bob, Encoding::MessagePack).await;
    Pair { server, ada, bob, a, b }
}

async fn state(client: &mut Client, of: &Person) -> Value {
    client.ask("relation.get", json!({"user": of.id})).await["state"].clone()
}

async fn listed(client: &mut Client, filter: &str) -> Vec<u64> {
    let page = client.ask("relation.list", json!({"filter": filter})).await;
    page["relations"].as_array().unwrap().iter().map(|relation| relation["user"]["id"].as_u64().unwrap()).collect()
}

/// Request and acceptance: each side's status, its lists, the notice and both pushes.
#[tokio::test]
async fn a_request_is_accepted_and_both_are_told() {
    let Pair { server: _server, ada, bob, mut a, mut b } = pair().await;
    assert_eq!(state(&mut a, &bob).await, "none");
    let asked = a.relate("request", &bob).await;
    assert_eq!((&asked["state"], &asked["from"], &asked["change"]), (&json!("requested"), &json!(ada.id), &json!("requested")), "{asked}");
    assert_eq!((&asked["status_from"], &asked["status_to"]), (&json!("pending"), &json!("pending")));
    assert_eq!(asked["user"]["username"], "bob");
    let told = b.push("relation").await;
    assert_eq!((&told["by"], &told["change"], &told["users"]), (&json!(ada.id), &json!("requested"), &json!([ada.id, bob.id])), "{told}");
    assert_eq!((listed(&mut a, "outgoing").await, listed(&mut b, "incoming").await), (vec![bob.id], vec![ada.id]));
    assert!(listed(&mut a, "friends").await.is_empty() && listed(&mut a, "incoming").await.is_empty());

    let accepted = b.relate("accept", &ada).await;
    assert_eq!((&accepted["state"], &accepted["status_to"]), (&json!("friends"), &json!("accepted")), "{accepted}");
    let told = a.push_where("relation", |d| d["change"] == "accepted").await;
    assert_eq!((&told["by"], &told["state"]), (&json!(bob.id), &json!("friends")), "{told}");
    for (client, other) in [(&mut a, &bob), (&mut b, &ada)] {
        assert_eq!(listed(client, "friends").await, [other.id]);
        assert!(listed(client, "incoming").await.is_empty() && listed(client, "outgoing").await.is_empty());
    }
    assert_eq!(a.refused_step("request", &bob).await.name, "already_friends");
    let view = a.ask("conv.get", json!({"user": bob.id})).await;
    assert_eq!(view["relation"]["state"], "friends", "{view}");

    assert_eq!(b.relate("remove", &ada).await["change"], "ended");
    assert_eq!(a.push_where("relation", |d| d["change"] == "ended").await["by"], bob.id);
    assert!(listed(&mut a, "friends").await.is_empty() && listed(&mut b, "friends").await.is_empty());
    assert_eq!(a.refused_step("remove", &bob).await.name, "not_friends");
}

/// Declining, taking back, asking again; and what cannot be done.
#[tokio::test]
async fn a_request_is_declined_taken_back_and_made_again() {
    let Pair { server: _server, ada, bob, mut a, mut b } = pair().await;
    for nobody in ["accept", "decline"] {
        assert_eq!(b.refused_step(nobody, &ada).await.name, "no_such_request");
    }
    a.relate("request", &bob).await;
    let twice = a.refused_step("request", &bob).await;
    assert_eq!((twice.name.as_str(), twice.field.as_deref()), ("already_requested", Some("user")), "{twice:?}");
    assert_eq!(b.refused_step("request", &ada).await.name, "already_requested");
    assert_eq!(a.refused_step("accept", &bob).await.name, "no_such_request", "nobody accepts for the other");
    assert_eq!(b.relate("decline", &ada).await["change"], "declined");
    assert_eq!(a.push_where("relation", |d| d["change"] == "declined").await["by"], bob.id);

    assert_eq!(a.relate("request", &bob).await["state"], "requested", "after a no one may ask again");
    assert_eq!(a.relate("decline", &bob).await["change"], "declined", "and take it back");
    assert_eq!(b.refused_step("accept", &ada).await.name, "no_such_request");
    assert!(listed(&mut b, "incoming").await.is_empty());
    let oneself = a.refused_step("request", &ada).await;
    assert_eq!(oneself.range(), 4, "{oneself:?}");
    let nobody = a.refused("relation.request", json!({"user": 999_999})).await;
    assert_eq!(nobody.name, "no_such_user");
}

/// A block stops messages and requests in both directions; it ends no friendship and hides no history.
#[tokio::test]
async fn a_block_stops_messages_and_requests_both_ways() {
    let Pair { server: _server, ada, bob, mut a, mut b } = pair().await;
    let conv = ada.with(&bob);
    a.post(&conv, "before").await;
    b.entry("message").await;
    a.relate("request", &bob).await;
    b.relate("accept", &ada).await;
    let blocked = a.relate("block", &bob).await;
    assert_eq!((&blocked["state"], &blocked["change"]), (&json!("friends"), &json!("blocked")), "{blocked}");
    assert!(blocked["blocked_at"].is_u64(), "{blocked}");
    assert_eq!(a.relate("block", &bob).await["change"], Value::Null, "to block twice is to block once");
    for client in [&mut a, &mut b] {
        let refusal = client.refused_change("msg.send", &conv, json!({"body": {"text": "x"}})).await;
        assert_eq!((refusal.range(), refusal.name.as_str()), (3, "blocked"), "{refusal:?}");
        assert_eq!(client.ask("msg.history", json!({"conv": conv})).await["entries"].as_array().unwrap().len(), 1);
    }
    assert_eq!(listed(&mut a, "blocked").await, [bob.id]);
    assert_eq!(listed(&mut b, "friends").await, [ada.id]);
    assert_eq!(a.relate("unblock", &bob).await["change"], "unblocked");
    b.post(&conv, "after").await;
    assert_eq!(a.push_where("entry", |d| d["key"] == "after").await["seq"], 2);
}

/// Who is blocked is not told: not by a push, his own log, his lists, his view of the relation, or a search.
#[tokio::test]
async fn a_block_is_shown_to_its_maker_alone() {
    let Pair { server, ada, bob, mut a, mut b } = pair().await;
    let conv = ada.with(&bob);
    a.post(&conv, "hello").await;
    b.entry("message").await;
    let before = b.ask("relation.get", json!({"user": ada.id})).await;
    let mut desk = server.connect(&ada, Encoding::Json).await;
    b.arrived("own").await;
    a.relate("block", &bob).await;
    assert_eq!(desk.push("relation").await["change"], "blocked", "the own devices know");
    assert_eq!(b.ask("relation.get", json!({"user": ada.id})).await, before);
    assert!(b.arrived("relation").await.is_empty() && b.arrived("own").await.is_empty(), "nothing is said of it");
    assert!(listed(&mut b, "blocked").await.is_empty() && listed(&mut b, "related").await.is_empty());
    let view = b.ask("conv.get", json!({"conv": conv})).await;
    assert!(!view.to_string().contains("block"), "{view}");
    assert_eq!(b.search("ada").await, [ada.id], "a search says nothing of blocks");
    assert!(a.search("bob").await.is_empty(), "who blocks does not come across the other any more");
    assert_eq!(numbers(&b.notices().await["notices"], "seq"), [0_u64; 0]);
    let refusal = b.refused_change("msg.send", &conv, json!({"body": {"text": "x"}})).await;
    assert_eq!(refusal.name, "blocked");
    assert_eq!(b.refused_step("request", &ada).await.name, "blocked");
}

/// What a block hides while it stands: presence, typing and marks, both ways.
#[tokio::test]
async fn a_block_hides_presence_typing_and_marks() {
    let Pair { server: _server, ada, bob, mut a, mut b } = pair().await;
    let conv = ada.with(&bob);
    a.post(&conv, "one").await;
    assert_eq!(b.ask("presence.get", json!({"users": [ada.id]})).await["users"][0]["online"], true);
    b.relate("block", &ada).await;
    for (client, other) in [(&mut a, &bob), (&mut b, &ada)] {
        let seen = client.ask("presence.get", json!({"users": [other.id]})).await;
        assert_eq!(seen["users"], json!([]), "like somebody who was never here");
    }
    b.ask("read", json!({"conv": conv, "seq": 1})).await;
    b.ask("typing", json!({"conv": conv})).await;
    a.ask("typing", json!({"conv": conv})).await;
    b.relate("unblock", &ada).await;
    b.post(&conv, "fence").await;
    a.push_where("entry", |d| d["key"] == "fence").await;
    assert!(a.arrived("typing").await.is_empty() && b.arrived("typing").await.is_empty());
    assert!(a.arrived("receipts").await.iter().all(|push| push["marks"][0]["read"] == 0 || push["marks"][0]["user"] != bob.id));
}

/// Relations come in pages, newest first, each once; and survive a restart.
#[tokio::test]
async fn relations_come_in_pages_and_survive_a_restart() {
    let mut server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut others = Vec::new();
    for number in 0..7 {
        let other = server.sign_up(&format!("other{number}")).await;
        let mut client = server.connect(&other, Encoding::Json).await;
        client.relate("request", &ada).await;
        others.push(other.id);
    }
    assert!(server.terminate().await.success());
    server = server.restart().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut found = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = a.ask("relation.list", json!({"filter": "incoming", "limit": 3, "cursor": cursor})).await;
        assert_eq!(page["total"], 7, "{page}");
        found.extend(page["relations"].as_array().unwrap().iter().map(|relation| relation["user"]["id"].as_u64().unwrap()));
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    others.reverse();
    assert_eq!(found, others, "the newest first, each once");
    let refusal = a.refused("relation.list", json!({"filter": "incoming", "cursor": "nonsense"})).await;
    assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some("cursor")), "{refusal:?}");
}
