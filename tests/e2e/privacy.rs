//! What a user shows of himself: presence, reading, being found, being added. What is hidden is hidden on every path.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::{Options, Server};
use crate::wire::Encoding;

/// A privacy in which everything is open, but for what is named.
async fn show(client: &mut Client, but: Value) {
    let mut privacy = json!({"presence": "everyone", "receipts": true, "searchable": true, "groups": "everyone"});
    for (name, value) in but.as_object().unwrap() {
        privacy[name] = value.clone();
    }
    let account = client.ask("account.update", json!({"privacy": privacy})).await;
    assert_eq!(account["privacy"], privacy, "{account}");
}

/// Presence for everyone, for friends, for nobody; last seen follows.
#[tokio::test]
async fn presence_is_shown_to_whom_one_likes() {
    let server = Options::default().limit("presence_grace", "50ms").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    a.post(&ada.with(&bob), "hello").await;
    let seen = |users: Value| users["users"].as_array().unwrap().len();
    assert_eq!(seen(b.ask("presence.get", json!({"users": [ada.id]})).await), 1);
    show(&mut a, json!({"presence": "friends"})).await;
    assert_eq!(seen(b.ask("presence.get", json!({"users": [ada.id]})).await), 0, "a stranger sees nothing");
    b.relate("request", &ada).await;
    a.relate("accept", &bob).await;
    assert_eq!(seen(b.ask("presence.get", json!({"users": [ada.id]})).await), 1, "a friend does");
    b.ask("presence.watch", json!({"users": [ada.id]})).await;
    a.close().await;
    let gone = b.push_where("presence", |d| d["online"] == false).await;
    assert!(gone["last_seen"].is_u64(), "{gone}");
    let mut a = server.connect(&ada, Encoding::Json).await;
    b.push_where("presence", |d| d["online"] == true).await;
    show(&mut a, json!({"presence": "nobody"})).await;
    assert_eq!(seen(b.ask("presence.get", json!({"users": [ada.id]})).await), 0);
    assert_eq!(seen(b.ask("presence.watch", json!({"users": [ada.id]})).await), 0, "neither way tells");
}

/// Who keeps his reading private moves his own count and tells nobody, not even on a page of readers.
#[tokio::test]
async fn reading_is_kept_private_by_setting() {
    let server = Options::default().limit("receipts_direct", "10ms").limit("receipts_group", "10ms").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = a.found("quiet", &[&bob], false).await;
    show(&mut b, json!({"receipts": false})).await;
    let seq = a.post(&conv, "one").await;
    let read = b.ask("read", json!({"conv": conv, "seq": seq})).await;
    assert_eq!((&read["seq"], &read["unread"]), (&json!(seq), &json!(0)));
    a.post(&ada.with(&bob), "direct").await;
    b.ask("read", json!({"conv": ada.with(&bob), "seq": 1})).await;
    let view = a.ask("conv.get", json!({"conv": ada.with(&bob)})).await;
    assert_eq!((&view["peer_read"], &view["peer_delivered"]), (&json!(0), &json!(0)), "{view}");
    let readers = a.ask("msg.read_by", json!({"conv": conv, "seq": seq})).await;
    let row = readers["users"].as_array().unwrap().iter().find(|row| row["user"] == bob.id).cloned().unwrap_or_default();
    assert_eq!((&row["read_at"], &row["delivered_at"]), (&Value::Null, &Value::Null), "{readers}");
    b.post(&conv, "fence").await;
    a.push_where("entry", |d| d["key"] == "fence").await;
    assert!(a.arrived("receipts").await.iter().all(|push| !push["marks"].to_string().contains(&format!("\"user\":{}", bob.id))));
}

/// P26: one reading in private moves the own count on every device, and nobody is told.
#[tokio::test]
async fn one_reading_is_kept_private() {
    let server = Options::default().limit("receipts_direct", "10ms").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let mut desk = server.connect(&bob, Encoding::MessagePack).await;
    for key in ["one", "two"] {
        a.post(&conv, key).await;
    }
    assert_eq!(b.ask("read", json!({"conv": conv, "seq": 2, "private": true})).await["unread"], 0);
    assert_eq!(desk.push("unread").await["unread"], 0);
    assert_eq!(a.ask("conv.get", json!({"conv": conv})).await["peer_read"], 0);
    b.ask("read", json!({"conv": conv, "seq": 1})).await;
    let told = a.push_where("receipts", |d| d["marks"][0]["read"] != 0).await;
    assert_eq!(told["marks"][0]["read"], 1, "only what was read openly: {told}");
    let refusal = b.refused("delivered", json!({"conv": conv, "seq": 1, "private": true})).await;
    assert_eq!(refusal.field.as_deref(), Some("private"));
}

/// Who does not want to be found by a search is found by his whole username alone.
#[tokio::test]
async fn a_search_leaves_out_who_does_not_want_to_be_found() {
    let server = Options::default().limit("searches_burst", "1000").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    assert_eq!(b.search("ad").await, [ada.id]);
    show(&mut a, json!({"searchable": false})).await;
    assert_eq!(b.search("ad").await, [0_u64; 0]);
    assert_eq!(b.ask("user.find", json!({"username": "ada"})).await["id"], ada.id);
    show(&mut a, json!({})).await;
    assert_eq!(b.search("ad").await, [ada.id]);
}

/// Who wants to be asked is invited, not added; friends may be allowed.
#[tokio::test]
async fn nobody_is_added_to_groups_against_his_setting() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = a.found("club", &[], false).await;
    for groups in ["nobody", "friends"] {
        show(&mut b, json!({"groups": groups})).await;
        let refusal = a.refused_change("group.add", &conv, json!({"members": [bob.id]})).await;
        assert_eq!((refusal.range(), refusal.name.as_str()), (3, "invitation_needed"), "{refusal:?}");
        let refusal = a.refused("group.create", json!({"client_key": groups, "name": "x", "members": [bob.id]})).await;
        assert_eq!(refusal.name, "invitation_needed");
    }
    a.relate("request", &bob).await;
    b.relate("accept", &ada).await;
    a.change("group.add", &conv, "friend", json!({"members": [bob.id]})).await;
    assert_eq!(b.entry("joined").await["members"], json!([bob.id]));
}
