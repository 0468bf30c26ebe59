//! What a user has for himself alone: notices, preferences, hidden and cleared messages, unread totals. On every device.

use serde_json::{Value, json};

use crate::acts::numbers;
use crate::server::Server;
use crate::wire::Encoding;

/// A request and an invitation stand as notices with read state, on every device, until they are settled.
#[tokio::test]
async fn notices_stand_until_they_are_settled() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut phone = server.connect(&bob, Encoding::MessagePack).await;
    let mut desk = server.connect(&bob, Encoding::Json).await;
    a.relate("request", &bob).await;
    let first = phone.own("notice").await;
    assert_eq!((&first["notice"], &first["from"]), (&json!("friend_request"), &json!(ada.id)), "{first}");
    assert_eq!(desk.own("notice").await["seq"], first["seq"], "one record for all devices");
    let conv = a.found("club", &[], false).await;
    a.change("group.invite", &conv, "invite", json!({"users": [bob.id]})).await;
    let second = phone.own("notice").await;

    let list = desk.notices().await;
    assert_eq!(numbers(&list["notices"], "seq"), [second["seq"].as_u64().unwrap(), first["seq"].as_u64().unwrap()], "newest first: {list}");
    assert_eq!((&list["total"], &list["unread"], &list["more"]), (&json!(2), &json!(2), &json!(false)), "{list}");
    assert_eq!((&list["notices"][0]["conv"], &list["notices"][1]["user"]["username"]), (&json!(conv), &json!("ada")));
    let older = desk.ask("notice.list", json!({"before": second["seq"], "limit": 1})).await;
    assert_eq!(numbers(&older["notices"], "seq"), [first["seq"].as_u64().unwrap()]);

    phone.ask("notice.read", json!({"seq": first["seq"]})).await;
    assert_eq!(desk.own("notices_read").await["up_to"], first["seq"]);
    let list = desk.notices().await;
    assert_eq!((&list["read"], &list["unread"]), (&first["seq"], &json!(1)), "{list}");

    assert!(server.terminate().await.success());
    server = server.restart().await;
    let mut phone = server.connect(&bob, Encoding::Json).await;
    let mut desk = server.connect(&bob, Encoding::Json).await;
    assert_eq!(phone.notices().await["notices"], list["notices"], "they are stored");
    phone.relate("accept", &ada).await;
    assert_eq!(desk.own("withdrawn").await["target"], first["seq"], "what is settled is no notice any more");
    assert_eq!(numbers(&desk.notices().await["notices"], "seq"), [second["seq"].as_u64().unwrap()]);
}

/// New messages are shown among the notices, counted and not stored; reading takes them away.
#[tokio::test]
async fn unread_conversations_stand_beside_the_notices() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let mut desk = server.connect(&bob, Encoding::MessagePack).await;
    a.post(&ada.with(&bob), "one").await;
    a.post(&ada.with(&bob), "two").await;
    e.post(&eve.with(&bob), "three").await;
    let list = b.notices().await;
    assert_eq!(list["convs"], json!([{"conv": eve.with(&bob), "unread": 1}, {"conv": ada.with(&bob), "unread": 2}]), "{list}");
    assert_eq!(b.ask("unread.get", json!({})).await, json!({"unread": 3, "unread_convs": 2}));
    b.ask("read", json!({"conv": ada.with(&bob), "seq": 2})).await;
    assert_eq!(desk.push("unread").await["total"], 1, "every device gets the new total (P28)");
    assert_eq!(b.ask("unread.get", json!({})).await, json!({"unread": 1, "unread_convs": 1}));
}

/// Muting, archiving and clearing are one's own, reach every own device, and survive a restart.
#[tokio::test]
async fn preferences_are_ones_own() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let mut desk = server.connect(&bob, Encoding::MessagePack).await;
    for key in ["one", "two", "three"] {
        a.post(&conv, key).await;
    }
    let until = 4_102_444_800_000_u64;
    let muted = b.change("conv.set", &conv, "mute", json!({"mute_until": until})).await;
    assert_eq!((&muted["conv"], &muted["muted_until"], &muted["archived"]), (&json!(conv), &json!(until), &json!(false)), "{muted}");
    let told = desk.own("set").await;
    assert_eq!((&told["conv"], &told["muted_until"]), (&json!(conv), &json!(until)), "{told}");
    b.change("conv.set", &conv, "archive", json!({"archived": true})).await;
    let cleared = b.change("conv.set", &conv, "clear", json!({"clear": 2})).await;
    assert_eq!(cleared["cleared"], 2);
    for round in 0..2 {
        let view = b.ask("conv.get", json!({"conv": conv})).await;
        assert_eq!(
            (&view["muted_until"], &view["archived"], &view["cleared"]),
            (&json!(until), &json!(true), &json!(2)),
            "round {round}: {view}"
        );
        assert_eq!(view["unread"], 1, "what was cleared is not unread: {view}");
        let page = b.ask("msg.history", json!({"conv": conv})).await;
        assert_eq!((numbers(&page["entries"], "seq"), &page["floor"]), (vec![3], &json!(2)), "{page}");
        let other = a.ask("conv.get", json!({"conv": conv})).await;
        assert_eq!((&other["muted_until"], &other["archived"], &other["cleared"]), (&Value::Null, &Value::Null, &Value::Null), "{other}");
        assert_eq!(a.ask("msg.history", json!({"conv": conv})).await["entries"].as_array().unwrap().len(), 3);
        assert!(server.terminate().await.success());
        server = server.restart().await;
        (a, b) = (server.connect(&ada, Encoding::Json).await, server.connect(&bob, Encoding::Json).await);
    }
    let loud = b.change("conv.set", &conv, "loud", json!({"mute_until": 0})).await;
    assert_eq!(loud["muted_until"], Value::Null);
    let ahead = b.refused_change("conv.set", &conv, json!({"clear": 99})).await;
    assert_eq!(ahead.range(), 4, "{ahead:?}");
    let foreign = b.refused_change("conv.set", "g999999", json!({"archived": true})).await;
    assert_eq!(foreign.name, "no_such_conversation");
}

/// For-me-only deletion: one entry is a bare place to me, and as it was to everybody else.
#[tokio::test]
async fn a_message_is_hidden_from_oneself_alone() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let mut desk = server.connect(&bob, Encoding::Json).await;
    a.post(&conv, "one").await;
    a.post(&conv, "two").await;
    b.change("conv.set", &conv, "hide", json!({"hide": 1})).await;
    assert_eq!(desk.own("set").await["hidden"], 1);
    let page = b.ask("msg.history", json!({"conv": conv})).await;
    assert_eq!(numbers(&page["entries"], "seq"), [1, 2], "{page}");
    assert_eq!((&page["entries"][0]["hidden"], &page["entries"][0]["body"]), (&json!(true), &Value::Null), "{page}");
    let sync = desk.ask("sync", json!({"convs": [[conv, page["inc"], 0]]})).await;
    assert_eq!(sync["convs"][0]["entries"][0]["hidden"], true, "{sync}");
    let other = a.shown(&conv, 1).await;
    assert_eq!((&other["hidden"], &other["body"]["text"]), (&Value::Null, &json!("one")), "{other}");
}
