//! Reading back: pages of a log in both directions, one conversation, the list of conversations.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;
use crate::wire::Encoding;

async fn fill(client: &mut Client, conv: &str, count: u64) {
    let mut ids = Vec::new();
    for n in 1..=count {
        ids.push(
            client.send("msg.send", json!({"conv": conv, "client_key": format!("{conv}k{n}"), "body": {"text": n.to_string()}})).await,
        );
    }
    for id in ids {
        client.reply(id).await.expect("sent");
    }
}

fn seqs(page: &Value) -> Vec<u64> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

/// G2, P48: pages join without gap or overlap in both directions, oldest first in each.
#[tokio::test]
async fn history_is_paged_in_both_directions() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let empty = a.ask("msg.history", json!({"conv": conv})).await;
    assert_eq!(empty, json!({"conv": conv, "inc": 0, "tail": 0, "entries": [], "more": false}), "a log nobody wrote to");
    fill(&mut a, &conv, 45).await;

    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let newest = b.ask("msg.history", json!({"conv": conv, "limit": 10})).await;
    assert_eq!((seqs(&newest), &newest["more"], &newest["tail"]), ((36..=45).collect(), &json!(true), &json!(45)));
    assert!(newest["inc"].as_u64().is_some_and(|inc| inc > 0), "a written log has an incarnation");

    let mut back: Vec<u64> = Vec::new();
    let mut before = 46;
    loop {
        let page = b.ask("msg.history", json!({"conv": conv, "before": before, "limit": 10})).await;
        let found = seqs(&page);
        before = found[0];
        back.splice(0..0, found);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(back, (1..=45).collect::<Vec<_>>());

    let page = b.ask("msg.history", json!({"conv": conv, "after": 40, "limit": 3})).await;
    assert_eq!((seqs(&page), &page["more"]), (vec![41, 42, 43], &json!(true)));
    let page = b.ask("msg.history", json!({"conv": conv, "after": 43, "limit": 3})).await;
    assert_eq!((seqs(&page), &page["more"]), (vec![44, 45], &json!(false)));
    let page = b.ask("msg.history", json!({"conv": conv, "after": 45})).await;
    assert_eq!((seqs(&page), &page["more"]), (vec![], &json!(false)));
    let page = b.ask("msg.history", json!({"conv": conv, "before": 1})).await;
    assert_eq!((seqs(&page), &page["more"]), (vec![], &json!(false)));
    let page = b.ask("msg.history", json!({"conv": conv, "after": 0, "limit": 100_000})).await;
    assert_eq!(seqs(&page).len(), 45, "a greater wish counts as the limit");

    let refusal = b.refused("msg.history", json!({"conv": conv, "before": 5, "after": 1})).await;
    assert_eq!(refusal.range(), 4, "one direction at a time: {refusal:?}");
    for limit in [json!(-1), json!("ten"), json!(0)] {
        let refusal = b.refused("msg.history", json!({"conv": conv, "limit": limit})).await;
        assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some("limit")), "{limit}: {refusal:?}");
    }
}

/// P28: the list of conversations is in the order of activity, each with its last entry and what is unread.
#[tokio::test]
async fn the_list_of_conversations_shows_last_entry_and_unread() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut e = server.connect(&eve, Encoding::MessagePack).await;
    let with_bob = ada.with(&bob);
    let with_eve = ada.with(&eve);
    fill(&mut a, &with_bob, 3).await;
    fill(&mut e, &with_eve, 2).await;

    let list = a.ask("conv.list", json!({})).await;
    let convs = list["convs"].as_array().unwrap();
    assert_eq!(convs.len(), 2, "{list}");
    let view = &convs[0];
    assert_eq!(
        (&view["conv"], &view["kind"], &view["unread"], &view["tail"], &view["count"]),
        (&json!(with_eve), &json!("direct"), &json!(2), &json!(2), &json!(2))
    );
    assert_eq!(view["peer"], json!({"id": eve.id, "username": "eve", "name": "EVE"}));
    assert_eq!((&view["last"]["seq"], &view["last"]["body"]["text"]), (&json!(2), &json!("2")));
    assert_eq!(view["at"], view["last"]["at"]);
    let view = &convs[1];
    assert_eq!((&view["conv"], &view["unread"]), (&json!(with_bob), &json!(0)), "one's own messages are not unread");
    assert!(list.get("cursor").is_none_or(Value::is_null), "there is no further page: {list}");

    let first = a.ask("conv.list", json!({"limit": 1})).await;
    assert_eq!(first["convs"][0]["conv"], with_eve.as_str());
    let second = a.ask("conv.list", json!({"limit": 1, "cursor": first["cursor"]})).await;
    assert_eq!(second["convs"][0]["conv"], with_bob.as_str());
    let refusal = a.refused("conv.list", json!({"cursor": "no cursor of ours"})).await;
    assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some("cursor")), "{refusal:?}");

    let mut b = server.connect(&bob, Encoding::Json).await;
    let list = b.ask("conv.list", json!({})).await;
    assert_eq!(
        (&list["convs"][0]["conv"], &list["convs"][0]["unread"]),
        (&json!(with_bob), &json!(3)),
        "who never connected is told as well"
    );

    let by_conv = a.ask("conv.get", json!({"conv": with_eve})).await;
    let by_user = a.ask("conv.get", json!({"user": eve.id})).await;
    assert_eq!(by_conv, by_user);
    assert_eq!((&by_conv["unread"], &by_conv["last"]["seq"]), (&json!(2), &json!(2)));
    let new = b.ask("conv.get", json!({"user": eve.id})).await;
    assert_eq!(
        (&new["conv"], &new["tail"], &new["inc"]),
        (&json!(bob.with(&eve)), &json!(0), &json!(0)),
        "a direct conversation needs no creation (D2)"
    );
    assert_eq!(b.ask("conv.list", json!({})).await["convs"].as_array().unwrap().len(), 1, "and looking at it creates none");
}

/// G1: what was stored is read the same after a restart.
#[tokio::test]
async fn history_and_list_are_the_same_after_a_restart() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    fill(&mut a, &conv, 20).await;
    a.ask("read", json!({"conv": conv, "seq": 20})).await;
    let before = (a.ask("msg.history", json!({"conv": conv})).await, a.ask("conv.list", json!({})).await);
    assert!(server.terminate().await.success());
    let server = server.restart().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let after = (a.ask("msg.history", json!({"conv": conv})).await, a.ask("conv.list", json!({})).await);
    assert_eq!(before, after);
}
