//! Coming back: per log exactly one stated outcome, and nothing missed however long one was away (G4, P30).

use serde_json::{Value, json};

use crate::client::Client;
use crate::ledger::check_dense;
use crate::server::{Options, Server};
use crate::wire::{BOTH, Encoding};

async fn say(client: &mut Client, conv: &str, mine: &str, count: u64) {
    for n in 1..=count {
        client.ask("msg.send", json!({"conv": conv, "client_key": format!("{mine}{n}"), "body": {"text": "x"}})).await;
    }
}

async fn head(client: &mut Client, conv: &str) -> (u64, u64) {
    let view = client.ask("conv.get", json!({"conv": conv})).await;
    (view["inc"].as_u64().unwrap(), view["tail"].as_u64().unwrap())
}

/// The cursor of one's own log.
async fn own_cursor(client: &mut Client) -> Value {
    let sync = client.ask("sync", json!({"convs": []})).await;
    json!([sync["user"]["inc"], sync["user"]["seq"]])
}

/// G4: a connection drops, somebody writes, the connection returns: exactly what came between is given.
#[tokio::test]
async fn who_drops_and_returns_gets_exactly_what_came_between() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    for (round, encoding) in (0_u64..).zip(BOTH) {
        let mut b = server.connect(&bob, encoding).await;
        say(&mut a, &conv, &format!("r{round}first"), 2).await;
        let (inc, tail) = head(&mut b, &conv).await;
        drop(b);
        say(&mut a, &conv, &format!("r{round}third"), 3).await;

        let mut b = server.connect(&bob, encoding).await;
        let sync = b.ask("sync", json!({"convs": [[conv, inc, tail]]})).await;
        let outcome = &sync["convs"][0];
        assert_eq!((&outcome["conv"], &outcome["state"], &outcome["tail"]), (&json!(conv), &json!("complete"), &json!(tail + 3)), "{sync}");
        let entries = outcome["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 3);
        check_dense(&conv, tail + 1, entries);

        let nothing = b.ask("sync", json!({"convs": [[conv, inc, tail + 3]]})).await;
        assert_eq!((&nothing["convs"][0]["state"], &nothing["convs"][0]["entries"]), (&json!("complete"), &json!([])), "{nothing}");
        // And it goes on live from there, without a second copy.
        say(&mut a, &conv, &format!("r{round}live"), 1).await;
        assert_eq!(b.push("entry").await["seq"], tail + 4);
    }
}

/// G4: what does not fit is a stated gap, and paging closes it.
#[tokio::test]
async fn a_long_absence_is_a_stated_gap_to_page() {
    let server = Options::default().limit("sync_entries", "5").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    say(&mut a, &conv, "k", 20).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let (inc, _) = head(&mut b, &conv).await;
    let sync = b.ask("sync", json!({"convs": [[conv, inc, 15]]})).await;
    assert_eq!(sync["convs"][0]["state"], "complete", "five fit: {sync}");
    let sync = b.ask("sync", json!({"convs": [[conv, inc, 4]]})).await;
    let gap = &sync["convs"][0];
    assert_eq!((&gap["state"], &gap["from"], &gap["to"]), (&json!("gap"), &json!(5), &json!(20)), "{sync}");
    let page = b.ask("msg.history", json!({"conv": conv, "after": 4})).await;
    check_dense(&conv, 5, page["entries"].as_array().unwrap());
    assert_eq!(page["entries"].as_array().unwrap().len(), 16);
}

/// P30, P34: a cursor that cannot be continued is told so, with the reason.
#[tokio::test]
async fn a_cursor_that_cannot_be_continued_is_reset_with_its_reason() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::MessagePack).await;
    say(&mut a, &conv, "k", 3).await;
    let (inc, _) = head(&mut a, &conv).await;
    let unwritten = ada.with(&eve);
    let foreign = bob.with(&eve);
    let cases = [
        (json!([[conv, inc, 4], [foreign, inc, 0], [unwritten, 0, 0]]), ["ahead", "not_a_member", ""]),
        (json!([[unwritten, 0, 0], [conv, inc + 1, 2], [foreign, inc, 0]]), ["", "incarnation", "not_a_member"]),
        (json!([[unwritten, 0, 1], [conv, inc, 3], [foreign, 0, 0]]), ["ahead", "", "not_a_member"]),
    ];
    for (asked, reasons) in cases {
        let sync = a.ask("sync", json!({"convs": asked})).await;
        let outcomes: Vec<_> =
            sync["convs"].as_array().unwrap().iter().map(|o| (o["state"].as_str().unwrap(), o["reason"].as_str())).collect();
        let expected = reasons.map(|reason| if reason.is_empty() { ("complete", None) } else { ("reset", Some(reason)) });
        assert_eq!(outcomes, expected, "one outcome for each that was named, in order: {sync}");
    }

    let own = a.ask("sync", json!({"user": [0, 9_999], "convs": []})).await;
    assert_eq!(own["user"]["state"], "reset", "one's own log as well: {own}");
    for bad in [
        json!([[conv, inc]]),
        json!([["d2-1", 1, 1]]),
        json!([[conv, -1, 0]]),
        json!("all"),
        json!([[conv, inc, 0, 0]]),
        json!([[conv, inc, 1], [conv, inc, 2]]),
    ] {
        let refusal = a.refused("sync", json!({"convs": bad})).await;
        assert_eq!(refusal.range(), 4, "{bad}: {refusal:?}");
    }
    let many: Vec<Value> = (0..501).map(|n| json!([format!("g{}", n + 1), 1, 0])).collect();
    let refusal = a.refused("sync", json!({"convs": many})).await;
    assert_eq!(refusal.field.as_deref(), Some("convs"), "{refusal:?}");
}

/// D11: a conversation that appeared or went while one was away is found through one's own log, across a kill.
#[tokio::test]
async fn nothing_is_missed_while_away_not_even_a_new_conversation() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let old = ada.with(&bob);
    say(&mut a, &old, "k", 1).await;
    let going = a.ask("group.create", json!({"client_key": "going", "name": "going", "members": [bob.id]})).await["conv"].clone();
    b.push_where("own", |d| d["conv"] == going).await;
    let cursor = own_cursor(&mut b).await;
    let (inc, tail) = head(&mut b, &old).await;
    drop(b);

    let group = a.ask("group.create", json!({"client_key": "new", "name": "new", "members": [bob.id]})).await["conv"].clone();
    say(&mut a, group.as_str().unwrap(), "g", 2).await;
    a.ask("group.remove", json!({"conv": going, "client_key": "out", "user": bob.id})).await;
    let mut e = server.connect(&eve, Encoding::MessagePack).await;
    say(&mut e, &eve.with(&bob), "e", 1).await;
    server.kill().await;
    server = server.restart().await;

    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let sync = b.ask("sync", json!({"user": cursor, "convs": [[old, inc, tail]]})).await;
    assert_eq!(sync["user"]["state"], "complete", "{sync}");
    let own: Vec<_> =
        sync["user"]["entries"].as_array().unwrap().iter().map(|entry| (entry["kind"].clone(), entry["conv"].clone())).collect();
    for expected in [(json!("appeared"), group.clone()), (json!("vanished"), going.clone()), (json!("appeared"), json!(eve.with(&bob)))] {
        assert!(own.contains(&expected), "{expected:?} in {own:?}");
    }
    let appeared: Vec<_> = sync["appeared"].as_array().unwrap().iter().map(|view| (view["conv"].clone(), view["tail"].clone())).collect();
    assert!(appeared.contains(&(group, json!(3))) && appeared.contains(&(json!(eve.with(&bob)), json!(1))), "{sync}");
    assert!(appeared.iter().all(|(conv, _)| *conv != going), "{sync}");

    let next = json!([sync["user"]["inc"], sync["user"]["seq"]]);
    let again = b.ask("sync", json!({"user": next, "convs": []})).await;
    assert_eq!((&again["user"]["state"], &again["user"]["entries"], &again["appeared"]), (&json!("complete"), &json!([]), &json!([])));
}

/// P31: without a cursor of one's own, sync tells where the log stands, and the list tells the rest.
#[tokio::test]
async fn a_first_sync_gives_a_cursor_to_start_from() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let cursor = own_cursor(&mut b).await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    say(&mut a, &ada.with(&bob), "k", 1).await;
    let sync = b.ask("sync", json!({"user": cursor, "convs": []})).await;
    assert_eq!(sync["appeared"][0]["conv"], ada.with(&bob), "{sync}");
}
