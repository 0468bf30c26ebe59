//! What becomes of a message: edits, deletion, reactions, forwarding, mentions, and who has read it.

use serde_json::{Value, json};

use crate::acts::numbers;
use crate::client::Client;
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;

struct Talk {
    server: Server,
    ada: Person,
    bob: Person,
    a: Client,
    b: Client,
    conv: String,
}

async fn talk() -> Talk {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let a = server.connect(&ada, Encoding::Json).await;
    let b = server.connect(&bob, Encoding::MessagePack).await;
    let conv = ada.with(&bob);
    Talk { server, ada, bob, a, b, conv }
}

/// An edit is an entry of its own; the message says the new words to whoever reads it later, on every path.
#[tokio::test]
async fn an_edited_message_says_the_new_words() {
    let Talk { mut server, bob, mut a, mut b, conv, .. } = talk().await;
    a.post(&conv, "first").await;
    b.entry("message").await;
    let new = json!({"seq": 1, "body": {"text": "second", "data": {"n": 1}}, "mentions": [bob.id]});
    let edit = a.change("msg.edit", &conv, "edit", new.clone()).await;
    assert_eq!((&edit["seq"], &edit["pos"]), (&json!(2), &json!(1)), "an edit has a seq and no position: {edit}");
    let again = a.change("msg.edit", &conv, "edit", new).await;
    assert_eq!((&again["seq"], &again["dup"]), (&json!(2), &json!(true)));
    let told = b.entry("edited").await;
    assert_eq!((&told["target"], &told["body"]["text"], &told["mentions"]), (&json!(1), &json!("second"), &json!([bob.id])), "{told}");

    let conflict = a.refused("msg.edit", json!({"conv": conv, "client_key": "edit", "seq": 1, "body": {"text": "third"}})).await;
    assert_eq!(conflict.name, "conflict");
    for round in 0..2 {
        let shown = b.shown(&conv, 1).await;
        assert_eq!((&shown["kind"], &shown["body"]), (&json!("message"), &json!({"text": "second", "data": {"n": 1}})), "round {round}");
        assert!(shown["edited_at"].is_u64(), "{shown}");
        let by_number = b.ask("msg.get", json!({"id": shown["id"]})).await;
        assert_eq!(by_number, shown);
        assert!(server.terminate().await.success());
        server = server.restart().await;
        b = server.connect(&bob, Encoding::MessagePack).await;
    }
    assert_eq!(b.ask("conv.get", json!({"conv": conv})).await["unread"], 1, "an edit is not unread");
}

/// Only who wrote a message edits it; what is no message cannot be edited; a deleted one neither.
#[tokio::test]
async fn only_the_author_edits() {
    let Talk { server: _server, mut a, mut b, conv, .. } = talk().await;
    a.post(&conv, "mine").await;
    let words = |seq: u64| json!({"seq": seq, "body": {"text": "x"}});
    let other = b.refused_change("msg.edit", &conv, words(1)).await;
    assert_eq!((other.range(), other.name.as_str()), (3, "not_the_author"), "{other:?}");
    assert_eq!(b.refused_change("msg.delete", &conv, json!({"seq": 1})).await.name, "not_the_author");
    let empty = a.refused_change("msg.edit", &conv, json!({"seq": 1, "body": {}})).await;
    assert_eq!(empty.name, "empty_message");
    let nothing = a.refused_change("msg.edit", &conv, words(99)).await;
    assert_eq!((nothing.range(), nothing.field.as_deref()), (4, Some("seq")), "{nothing:?}");
    a.change("msg.edit", &conv, "edit", words(1)).await;
    let edit = a.refused_change("msg.edit", &conv, words(2)).await;
    assert_eq!((edit.name.as_str(), edit.field.as_deref()), ("not_a_message", Some("seq")), "{edit:?}");
    let large = a.refused_change("msg.edit", &conv, json!({"seq": 1, "body": {"text": "x".repeat(32_769)}})).await;
    assert_eq!(large.name, "body_too_large");
    a.change("msg.delete", &conv, "gone", json!({"seq": 1})).await;
    let deleted = a.refused_change("msg.edit", &conv, words(1)).await;
    assert_eq!((deleted.name.as_str(), deleted.field.as_deref()), ("message_deleted", Some("seq")), "{deleted:?}");
    assert_eq!(a.refused_change("msg.react", &conv, json!({"seq": 1, "reaction": "x"})).await.name, "message_deleted");
}

/// A deleted message keeps its place and nothing else, also of its edits, also after a restart; it is unread no more.
#[tokio::test]
async fn a_deleted_message_leaves_its_place_alone() {
    let Talk { mut server, ada, bob, mut a, mut b, conv } = talk().await;
    let first = json!({"conv": conv, "client_key": "first", "body": {"text": "unspeakable"}});
    a.ask("msg.send", first.clone()).await;
    a.post(&conv, "stays").await;
    a.change("msg.edit", &conv, "edit", json!({"seq": 1, "body": {"text": "unspeakable too"}})).await;
    b.entry("edited").await;
    assert_eq!(b.ask("conv.get", json!({"conv": conv})).await["unread"], 2);
    a.change("msg.delete", &conv, "delete", json!({"seq": 1})).await;
    assert_eq!(b.entry("deleted").await["target"], 1);
    assert_eq!(b.ask("conv.get", json!({"conv": conv})).await["unread"], 1, "unread is derived, deletions too (P28)");
    for _ in 0..2 {
        let page = b.ask("msg.history", json!({"conv": conv})).await;
        assert_eq!(numbers(&page["entries"], "seq"), [1, 2, 3, 4], "dense as ever: {page}");
        assert!(!page.to_string().contains("unspeakable"), "{page}");
        let gone = &page["entries"][0];
        assert_eq!((&gone["kind"], &gone["deleted"], &gone["body"]), (&json!("message"), &json!(true), &Value::Null), "{gone}");
        assert_eq!((&gone["deleted_by"], &gone["pos"]), (&json!(ada.id), &json!(1)));
        let sync = b.ask("sync", json!({"convs": [[conv, page["inc"], 0]]})).await;
        assert!(!sync.to_string().contains("unspeakable"), "{sync}");
        assert!(server.terminate().await.success());
        server = server.restart().await;
        (a, b) = (server.connect(&ada, Encoding::Json).await, server.connect(&bob, Encoding::Json).await);
    }
    let repeated = a.ask("msg.send", first).await;
    assert_eq!((&repeated["seq"], &repeated["dup"]), (&json!(1), &json!(true)), "a late repetition brings nothing back");
}

/// In a group, owner and admins delete what members wrote; members delete their own alone.
#[tokio::test]
async fn those_above_delete_in_a_group() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    let conv = a.found("club", &[&bob, &eve], false).await;
    a.change("group.role", &conv, "bob", json!({"user": bob.id, "role": "admin"})).await;
    let (owners, admins, members) = (a.post(&conv, "a").await, b.post(&conv, "b").await, e.post(&conv, "e").await);
    for seq in [owners, admins] {
        assert_eq!(e.refused_change("msg.delete", &conv, json!({"seq": seq})).await.range(), 3);
    }
    assert_eq!(b.refused_change("msg.delete", &conv, json!({"seq": owners})).await.range(), 3);
    b.change("msg.delete", &conv, "members", json!({"seq": members})).await;
    a.change("msg.delete", &conv, "admins", json!({"seq": admins})).await;
    let shown = e.shown(&conv, members).await;
    assert_eq!((&shown["deleted"], &shown["deleted_by"]), (&json!(true), &json!(bob.id)), "{shown}");
    let seq = b.post(&conv, "another").await;
    let refusal = a.refused_change("msg.edit", &conv, json!({"seq": seq, "body": {"text": "x"}})).await;
    assert_eq!(refusal.range(), 3, "nobody puts words into another's mouth: {refusal:?}");
}

/// Reactions are counted, one's own are marked, to react twice is to react once, and taking back takes back.
#[tokio::test]
async fn reactions_are_counted_and_taken_back() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    let conv = a.found("three", &[&bob, &eve], false).await;
    let seq = a.post(&conv, "hello").await;
    let wave = |on: bool| json!({"seq": seq, "reaction": "👋", "on": on});
    b.change("msg.react", &conv, "b1", wave(true)).await;
    let told = a.entry("reacted").await;
    assert_eq!((&told["target"], &told["reaction"], &told["on"], &told["from"]), (&json!(seq), &json!("👋"), &json!(true), &json!(bob.id)));
    e.change("msg.react", &conv, "e1", json!({"seq": seq, "reaction": "👋"})).await;
    e.change("msg.react", &conv, "e2", json!({"seq": seq, "reaction": "+1"})).await;
    b.change("msg.react", &conv, "b2", wave(true)).await;
    let shown = e.shown(&conv, seq).await;
    assert_eq!(shown["reactions"], json!([{"r": "👋", "n": 2}, {"r": "+1", "n": 1}]), "{shown}");
    let mut mine: Vec<_> = shown["mine"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    mine.sort_unstable();
    assert_eq!(mine, ["+1", "👋"]);
    assert_eq!(a.shown(&conv, seq).await["mine"], Value::Null);
    let who = a.ask("msg.reactions", json!({"conv": conv, "seq": seq})).await;
    assert_eq!(numbers(&who["users"], "user"), [bob.id, eve.id], "{who}");
    assert_eq!(who["users"][0]["reactions"], json!(["👋"]));
    let page = a.ask("msg.reactions", json!({"conv": conv, "seq": seq, "limit": 1, "after": bob.id})).await;
    assert_eq!((numbers(&page["users"], "user"), &page["more"]), (vec![eve.id], &json!(false)));

    b.change("msg.react", &conv, "b3", wave(false)).await;
    e.change("msg.react", &conv, "e3", wave(false)).await;
    assert_eq!(a.shown(&conv, seq).await["reactions"], json!([{"r": "+1", "n": 1}]));
    assert_eq!(a.ask("conv.get", json!({"conv": conv})).await["count"], 1, "a reaction is no message");
    for (reaction, taken) in [("x".repeat(32), true), ("x".repeat(33), false), (String::new(), false), ("a b".to_owned(), false)] {
        let d = json!({"conv": conv, "client_key": format!("r{}", reaction.len()), "seq": seq, "reaction": reaction});
        match a.try_ask("msg.react", d).await {
            Ok(_) => assert!(taken),
            Err(refusal) => assert!(!taken && refusal.field.as_deref() == Some("reaction"), "{refusal:?}"),
        }
    }
}

/// A forwarded message names its first author and not where it stood; what one may not read, one cannot forward.
#[tokio::test]
async fn a_message_is_forwarded_without_telling_from_where() {
    let Talk { server, ada, bob, mut a, mut b, conv } = talk().await;
    let eve = server.sign_up("eve").await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    b.post(&conv, "words of bob").await;
    let group = a.found("elsewhere", &[&eve], false).await;
    let first = a.change("msg.forward", &group, "forward", json!({"from": conv, "seq": 1})).await;
    let told = e.entry("message").await;
    assert_eq!((&told["body"]["text"], &told["from"]), (&json!("words of bob"), &json!(ada.id)), "{told}");
    assert_eq!(told["forwarded"]["from"], bob.id);
    assert!(!told.to_string().contains(&conv), "where it stood is not told: {told}");
    let again = a.change("msg.forward", &group, "forward", json!({"from": conv, "seq": 1})).await;
    assert_eq!((&again["seq"], &again["dup"]), (&first["seq"], &json!(true)));
    let further = e.change("msg.forward", &eve.with(&ada), "on", json!({"from": group, "seq": first["seq"]})).await;
    assert_eq!(a.push_where("entry", |d| d["from"] == eve.id).await["forwarded"]["from"], bob.id, "the first author is named: {further}");

    let stolen = e.refused_change("msg.forward", &group, json!({"from": conv, "seq": 1})).await;
    assert_eq!(stolen.name, "no_such_conversation", "another's conversation is not there (Z3)");
    b.change("msg.delete", &conv, "gone", json!({"seq": 1})).await;
    let gone = a.refused_change("msg.forward", &group, json!({"from": conv, "seq": 1})).await;
    assert_eq!(gone.name, "message_deleted");
    let absent = a.refused_change("msg.forward", &group, json!({"from": conv, "seq": 99})).await;
    assert_eq!((absent.range(), absent.field.as_deref()), (4, Some("seq")), "{absent:?}");
}

/// A message is found by its number by those who may read it, and by nobody else.
#[tokio::test]
async fn a_message_is_found_by_its_number_by_its_readers_alone() {
    let Talk { server, mut a, mut b, conv, .. } = talk().await;
    let eve = server.sign_up("eve").await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    a.post(&conv, "hello").await;
    let id = a.shown(&conv, 1).await["id"].as_u64().unwrap();
    for client in [&mut a, &mut b] {
        assert_eq!(client.ask("msg.get", json!({"id": id})).await["body"]["text"], "hello");
    }
    let foreign = e.refused("msg.get", json!({"id": id})).await;
    let absent = e.refused("msg.get", json!({"id": id + 100_000})).await;
    assert_eq!((foreign.code, &foreign.name, &foreign.field), (absent.code, &absent.name, &absent.field), "like absent ones (Z2)");
    assert_eq!(foreign.range(), 4, "{foreign:?}");
}

/// G5: who has read a message of a group, page by page, whatever the group's size.
#[tokio::test]
async fn who_has_read_comes_in_pages() {
    let server = Options::default().limit("receipts_group", "10ms").start().await;
    let ada = server.sign_up("ada").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut people = Vec::new();
    for number in 0..5 {
        people.push(server.sign_up(&format!("p{number}")).await);
    }
    let conv = a.found("readers", &people.iter().collect::<Vec<_>>(), false).await;
    let seq = a.post(&conv, "read this").await;
    for person in &people[..3] {
        let mut client = server.connect(person, Encoding::Json).await;
        client.ask("read", json!({"conv": conv, "seq": seq})).await;
    }
    let mut last = server.connect(&people[3], Encoding::Json).await;
    last.ask("delivered", json!({"conv": conv, "seq": seq})).await;
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let after = rows.last().map_or(Value::Null, |row| row["user"].clone());
        let page = a.ask("msg.read_by", json!({"conv": conv, "seq": seq, "limit": 2, "after": after})).await;
        rows.extend(page["users"].as_array().unwrap().iter().cloned());
        if page["more"] == false {
            break;
        }
    }
    let of = |person: &Person| rows.iter().find(|row| row["user"] == person.id).unwrap_or_else(|| panic!("{rows:?}"));
    assert!(people[..3].iter().all(|person| of(person)["read_at"].is_u64() && of(person)["delivered_at"].is_u64()), "{rows:?}");
    assert!(of(&people[3])["delivered_at"].is_u64() && of(&people[3])["read_at"].is_null(), "{rows:?}");
    assert!(of(&people[4])["delivered_at"].is_null(), "{rows:?}");
    let eve = server.sign_up("eve").await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    for op in ["msg.read_by", "msg.reactions"] {
        assert_eq!(e.refused(op, json!({"conv": conv, "seq": seq})).await.name, "no_such_conversation", "{op}");
    }
}

/// Files: what was never uploaded cannot be attached, and a name of a file that is none is refused by its place.
#[tokio::test]
async fn a_file_that_is_not_there_cannot_be_attached() {
    let Talk { server: _server, mut a, conv, .. } = talk().await;
    let with = |files: Value| json!({"body": {"text": "look"}, "attachments": files});
    let absent = a.refused_change("msg.send", &conv, with(json!(["0".repeat(32)]))).await;
    assert_eq!((absent.range(), absent.name.as_str()), (4, "no_such_file"), "{absent:?}");
    let bad = a.refused_change("msg.send", &conv, with(json!(["cat.png"]))).await;
    assert_eq!(bad.field.as_deref(), Some("attachments[0]"));
    let many: Vec<String> = (0..11).map(|number| format!("{number:032x}")).collect();
    let many = a.refused_change("msg.send", &conv, with(json!(many))).await;
    assert_eq!((many.name.as_str(), many.field.as_deref()), ("too_many_items", Some("attachments")), "{many:?}");
    assert_eq!(a.ask("conv.get", json!({"conv": conv})).await["tail"], 0, "nothing of them was stored");
}
