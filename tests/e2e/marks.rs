//! Delivered and read: cumulative marks that only rise, receipts to the others, unread counts on one's own devices.

use serde_json::json;

use crate::client::Client;
use crate::server::{Options, Server};
use crate::wire::Encoding;

async fn say(client: &mut Client, conv: &str, count: u64) {
    for n in 1..=count {
        client.ask("msg.send", json!({"conv": conv, "client_key": format!("k{n}"), "body": {"text": "x"}})).await;
    }
}

/// P26, P27: the other sees how far one has come, gathered into few pushes.
#[tokio::test]
async fn the_other_gets_coalesced_receipts() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    say(&mut a, &conv, 40).await;

    let mut ids = Vec::new();
    for seq in 1..=40 {
        ids.push(b.send("delivered", json!({"conv": conv, "seq": seq})).await);
        ids.push(b.send("read", json!({"conv": conv, "seq": seq})).await);
    }
    for id in ids {
        b.reply(id).await.expect("marked");
    }
    let mut pushes = 0;
    let mut last = (0, 0);
    while last != (40, 40) {
        let receipts = a.push("receipts").await;
        assert_eq!((&receipts["conv"], &receipts["more"]), (&json!(conv), &json!(false)), "{receipts}");
        let marks = receipts["marks"].as_array().unwrap();
        assert_eq!((marks.len(), &marks[0]["user"]), (1, &json!(bob.id)), "{receipts}");
        let now = (marks[0]["delivered"].as_u64().unwrap(), marks[0]["read"].as_u64().unwrap());
        assert!(now.0 >= last.0 && now.1 >= last.1, "marks only rise (G5): {last:?} {receipts}");
        last = now;
        pushes += 1;
    }
    assert!(pushes < 40, "80 marks are no 80 pushes (P27), they were {pushes}");
    let view = a.ask("conv.get", json!({"conv": conv})).await;
    assert_eq!((&view["peer_read"], &view["peer_delivered"]), (&json!(40), &json!(40)), "{view}");
    assert!(b.arrived("receipts").await.iter().all(|receipts| receipts["marks"][0]["user"] != bob.id), "nobody is told of his own marks");
}

/// P28: every own device gets the new total.
#[tokio::test]
async fn reading_on_one_device_updates_the_other() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    say(&mut a, &conv, 5).await;
    let mut phone = server.connect(&bob, Encoding::MessagePack).await;
    let mut desk = server.connect(&bob, Encoding::Json).await;
    let ok = phone.ask("read", json!({"conv": conv, "seq": 3})).await;
    assert_eq!((&ok["seq"], &ok["unread"]), (&json!(3), &json!(2)));
    let unread = desk.push("unread").await;
    assert_eq!((&unread["conv"], &unread["read"], &unread["unread"], &unread["count"]), (&json!(conv), &json!(3), &json!(2), &json!(5)));
    assert_eq!(unread["total"], 2, "over all conversations (P28): {unread}");
    let ok = desk.ask("read", json!({"conv": conv, "seq": 5})).await;
    assert_eq!(ok["unread"], 0);
    assert_eq!(phone.push_where("unread", |d| d["read"] == 5).await["unread"], 0);
}

/// G5, I6: a mark never falls, never passes the tail, and survives a restart and a kill.
#[tokio::test]
async fn a_mark_never_falls_and_never_passes_the_tail() {
    let mut server = Options::default().limit("receipts_direct", "10ms").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    say(&mut a, &conv, 10).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    assert_eq!(b.ask("read", json!({"conv": conv, "seq": 7})).await["seq"], 7);
    let lower = b.ask("read", json!({"conv": conv, "seq": 2})).await;
    assert_eq!((&lower["seq"], &lower["unread"]), (&json!(7), &json!(3)), "a lower mark changes nothing");
    for op in ["read", "delivered"] {
        let refusal = b.refused(op, json!({"conv": conv, "seq": 11})).await;
        assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some("seq")), "{refusal:?}");
    }
    assert_eq!(b.ask("delivered", json!({"conv": conv, "seq": 9})).await["seq"], 9);
    let shown = a.push_where("receipts", |d| d["marks"][0]["delivered"] == 9).await;
    assert_eq!(shown["marks"][0]["read"], 7);

    for round in ["after a kill", "after a restart"] {
        if round == "after a kill" {
            server.kill().await;
        } else {
            assert!(server.terminate().await.success());
        }
        server = server.restart().await;
        let mut b = server.connect(&bob, Encoding::MessagePack).await;
        let view = b.ask("conv.get", json!({"conv": conv})).await;
        assert_eq!(
            (&view["read"], &view["delivered"], &view["unread"]),
            (&json!(7), &json!(9), &json!(3)),
            "what was shown was stored, {round}: {view}"
        );
    }
}

/// Read implies delivered.
#[tokio::test]
async fn what_was_read_was_delivered() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    say(&mut a, &conv, 4).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    b.ask("read", json!({"conv": conv, "seq": 4})).await;
    let receipts = a.push_where("receipts", |d| d["marks"][0]["read"] == 4).await;
    assert_eq!(receipts["marks"][0]["delivered"], 4, "{receipts}");
}
