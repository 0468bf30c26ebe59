//! Groups: creation with members, joining and leaving, fan-out, roles, and that outsiders learn nothing.

use serde_json::{Value, json};

use crate::client::Client;
use crate::ledger::whole_log;
use crate::server::{Person, Server};
use crate::wire::Encoding;

/// A group of ada (its owner) and bob.
async fn create(a: &mut Client, name: &str, members: &[u64]) -> String {
    let ok = a.ask("group.create", json!({"client_key": name, "name": name, "members": members})).await;
    assert_eq!((&ok["seq"], &ok["dup"]), (&json!(1), &json!(false)), "{ok}");
    ok["conv"].as_str().expect("a group has an id").to_owned()
}

fn text(conv: &str, key: &str) -> Value {
    json!({"conv": conv, "client_key": key, "body": {"text": key}})
}

/// D10, D11: a group is created by its first entry; every member finds it, a third joins and reads on from there.
#[tokio::test]
async fn a_group_is_created_and_a_third_joins() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let conv = create(&mut a, "friends", &[bob.id]).await;
    assert!(conv.starts_with('g'), "{conv}");

    let own = b.push("own").await;
    assert_eq!((&own["kind"], &own["conv"]), (&json!("appeared"), &json!(conv)), "{own}");
    let created = b.push("entry").await;
    assert_eq!((&created["kind"], &created["seq"], &created["name"]), (&json!("created"), &json!(1), &json!("friends")), "{created}");
    let again = a.ask("group.create", json!({"client_key": "friends", "name": "friends", "members": [bob.id]})).await;
    assert_eq!((&again["conv"], &again["dup"]), (&json!(conv), &json!(true)), "a repeated creation is the same group (G3)");

    a.ask("msg.send", text(&conv, "before")).await;
    assert_eq!(b.push("entry").await["key"], "before");
    let mut e = server.connect(&eve, Encoding::Json).await;
    let joined = a.ask("group.add", json!({"conv": conv, "client_key": "join", "members": [eve.id]})).await;
    assert_eq!(joined["seq"], 3, "{joined}");
    assert_eq!(b.push("entry").await["members"], json!([eve.id]));
    assert_eq!(e.push("own").await["conv"], conv.as_str());
    a.ask("msg.send", text(&conv, "after")).await;
    assert_eq!(e.push_where("entry", |d| d["kind"] == "message").await["key"], "after");
    assert_eq!(b.push("entry").await["key"], "after");

    let members = e.ask("group.members", json!({"conv": conv})).await;
    let roles: Vec<_> =
        members["members"].as_array().unwrap().iter().map(|row| (row["user"].as_u64().unwrap(), row["role"].as_str().unwrap())).collect();
    assert_eq!(roles, [(ada.id, "owner"), (bob.id, "member"), (eve.id, "member")]);
    assert_eq!(members["more"], false);
    let page = e.ask("group.members", json!({"conv": conv, "after": ada.id, "limit": 1})).await;
    assert_eq!((&page["members"][0]["user"], &page["more"]), (&json!(bob.id), &json!(true)));

    let view = e.ask("conv.get", json!({"conv": conv})).await;
    assert_eq!(
        (&view["kind"], &view["name"], &view["members"], &view["role"]),
        (&json!("group"), &json!("friends"), &json!(3), &json!("member")),
        "{view}"
    );
    assert_eq!(e.ask("conv.list", json!({})).await["convs"][0]["conv"], conv.as_str());
    assert_eq!(whole_log(&mut b, &conv).await, whole_log(&mut a, &conv).await);
}

/// Fan-out: everybody gets everything, in one order, on every device.
#[tokio::test]
async fn a_post_reaches_every_member_in_one_order() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut clients = Vec::new();
    for (person, encoding) in [(&ada, Encoding::Json), (&bob, Encoding::MessagePack), (&eve, Encoding::Json), (&eve, Encoding::MessagePack)]
    {
        clients.push(server.connect(person, encoding).await);
    }
    let conv = create(&mut clients[0], "all", &[bob.id, eve.id]).await;
    for round in 0..10 {
        let mut ids = Vec::new();
        for (n, client) in clients.iter_mut().enumerate() {
            ids.push(client.send("msg.send", text(&conv, &format!("c{n}r{round}"))).await);
        }
        for (client, id) in clients.iter_mut().zip(ids) {
            client.reply(id).await.expect("sent");
        }
    }
    let log = whole_log(&mut clients[0], &conv).await;
    assert_eq!(log.len(), 41);
    for (n, client) in clients.iter_mut().enumerate() {
        let mine = format!("c{n}r");
        for entry in log.iter().filter(|entry| entry["kind"] == "message" && !entry["key"].as_str().unwrap().starts_with(&mine)) {
            let pushed = client.push_where("entry", |d| d["kind"] == "message").await;
            assert_eq!(&pushed, entry, "what is pushed is what is stored, and nothing is missing");
        }
    }
}

/// I8: who is removed hears of it and of nothing after it.
#[tokio::test]
async fn a_removed_member_gets_the_removal_and_nothing_beyond() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let mut e = server.connect(&eve, Encoding::MessagePack).await;
    let conv = create(&mut a, "three", &[bob.id, eve.id]).await;
    a.ask("msg.send", text(&conv, "before")).await;
    let removal = a.ask("group.remove", json!({"conv": conv, "client_key": "out", "user": eve.id})).await;
    assert_eq!(removal["seq"], 3);
    a.ask("msg.send", text(&conv, "secret")).await;

    let left = e.push_where("entry", |d| d["kind"] == "left").await;
    assert_eq!((&left["user"], &left["seq"]), (&json!(eve.id), &json!(3)));
    let own = e.push_where("own", |d| d["kind"] == "vanished").await;
    assert_eq!(own["conv"], conv.as_str());
    assert_eq!(b.push_where("entry", |d| d["key"] == "secret").await["seq"], 4);
    // The fence: a later message to the one who was removed, by another conversation.
    a.ask("msg.send", text(&ada.with(&eve), "fence")).await;
    e.push_where("entry", |d| d["key"] == "fence").await;
    let seen = e.arrived("entry").await;
    assert!(seen.iter().all(|entry| entry["conv"] != conv.as_str() || entry["seq"].as_u64() <= Some(3)), "{seen:?}");

    // What was said while one was a member stays readable; what came after does not exist.
    let page = e.ask("msg.history", json!({"conv": conv})).await;
    assert_eq!((&page["tail"], page["entries"].as_array().unwrap().len()), (&json!(3), 3), "{page}");
    let page = e.ask("msg.history", json!({"conv": conv, "after": 3})).await;
    assert_eq!((&page["entries"], &page["more"]), (&json!([]), &json!(false)), "{page}");
    for (op, d) in every_op(&conv, &bob).into_iter().filter(|(op, _)| *op != "msg.history") {
        let refusal = e.refused(op, d).await;
        assert!(matches!(refusal.range(), 3 | 4), "{op}: {refusal:?}");
        assert!(refusal.name.contains("conversation") || refusal.name.contains("not_found"), "{op}: {refusal:?}");
    }
    assert!(e.ask("conv.list", json!({})).await["convs"].as_array().unwrap().iter().all(|view| view["conv"] != conv.as_str()));

    a.ask("group.add", json!({"conv": conv, "client_key": "back", "members": [eve.id]})).await;
    a.ask("msg.send", text(&conv, "again")).await;
    assert_eq!(e.push_where("entry", |d| d["key"] == "again").await["seq"], 6, "who comes back hears again");
}

/// Every op that names a conversation.
fn every_op(conv: &str, other: &Person) -> [(&'static str, Value); 9] {
    [
        ("msg.send", text(conv, "x")),
        ("msg.history", json!({"conv": conv})),
        ("conv.get", json!({"conv": conv})),
        ("group.members", json!({"conv": conv})),
        ("group.add", json!({"conv": conv, "client_key": "x", "members": [other.id]})),
        ("group.remove", json!({"conv": conv, "client_key": "x", "user": other.id})),
        ("read", json!({"conv": conv, "seq": 1})),
        ("delivered", json!({"conv": conv, "seq": 1})),
        ("typing", json!({"conv": conv})),
    ]
}

/// Z1, I8: to an outsider a group that exists and one that does not are the same.
#[tokio::test]
async fn an_outsider_finds_no_group_by_any_op() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = create(&mut a, "two", &[bob.id]).await;
    a.ask("msg.send", text(&conv, "secret")).await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    let absent = "g9000000000";
    for ((op, here), (_, nowhere)) in every_op(&conv, &bob).into_iter().zip(every_op(absent, &bob)) {
        let (here, nowhere) = (e.refused(op, here).await, e.refused(op, nowhere).await);
        assert_eq!((here.code, &here.name, &here.retry), (nowhere.code, &nowhere.name, &nowhere.retry), "{op}");
        assert_eq!(here.range(), 4, "{op}: {here:?}");
    }
    let sync = e.ask("sync", json!({"convs": [[conv, 1, 0], [absent, 1, 0]]})).await;
    let outcomes = sync["convs"].as_array().unwrap();
    for (outcome, asked) in outcomes.iter().zip([conv.as_str(), absent]) {
        let expected = json!({"conv": asked, "inc": 1, "tail": 0, "state": "reset", "reason": "not_a_member"});
        assert_eq!(outcome, &expected, "sync says nothing that was not in the question");
    }
    assert_eq!(whole_log(&mut a, &conv).await.len(), 2, "nothing of it was stored");
}

/// Roles: who may add, who may remove, who may leave; and a direct conversation is no group.
#[tokio::test]
async fn roles_decide_who_changes_a_group() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = create(&mut a, "roles", &[bob.id, eve.id]).await;

    let remove = |user: u64, key: &str| json!({"conv": conv, "client_key": key, "user": user});
    let refusal = b.refused("group.remove", remove(eve.id, "k1")).await;
    assert_eq!(refusal.range(), 3, "a member removes nobody: {refusal:?}");
    let refusal = b.refused("group.remove", remove(ada.id, "k2")).await;
    assert_eq!(refusal.range(), 3, "{refusal:?}");
    let refusal = a.refused("group.remove", remove(ada.id, "k3")).await;
    assert_eq!(refusal.range(), 3, "the owner does not leave: {refusal:?}");
    let left = b.ask("group.remove", remove(bob.id, "k4")).await;
    assert_eq!(left["seq"], 2, "anybody else may leave");

    let stranger = 4_000_000_000_u64;
    let refusal = a.refused("group.add", json!({"conv": conv, "client_key": "k5", "members": [stranger]})).await;
    assert_eq!(refusal.range(), 4, "{refusal:?}");
    let refusal = a.refused("group.create", json!({"client_key": "k6", "name": "x", "members": [stranger]})).await;
    assert_eq!(refusal.range(), 4, "{refusal:?}");
    let many: Vec<u64> = (1..=201).collect();
    let refusal = a.refused("group.create", json!({"client_key": "k7", "name": "x", "members": many})).await;
    assert_eq!(refusal.field.as_deref(), Some("members"), "{refusal:?}");
    for name in [json!(""), json!(7), json!("x".repeat(2_000))] {
        let refusal = a.refused("group.create", json!({"client_key": "k8", "name": name, "members": []})).await;
        assert_eq!(refusal.field.as_deref(), Some("name"), "{refusal:?}");
    }

    let direct = ada.with(&eve);
    for (op, d) in [
        ("group.add", json!({"conv": direct, "client_key": "k9", "members": [bob.id]})),
        ("group.remove", json!({"conv": direct, "client_key": "k10", "user": eve.id})),
        ("group.members", json!({"conv": direct})),
    ] {
        let refusal = a.refused(op, d).await;
        assert_eq!(refusal.range(), 4, "{op}: {refusal:?}");
    }
    assert_eq!(whole_log(&mut a, &conv).await.len(), 2, "what was refused left nothing behind");
}

/// G6: what a send writes does not grow with the number of members.
#[tokio::test]
async fn a_send_writes_as_much_whatever_the_number_of_members() {
    const SENDS: u32 = 20;
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut others = Vec::new();
    for n in 0..12 {
        others.push(server.sign_up(&format!("user{n}")).await.id);
    }
    let mut a = server.connect(&ada, Encoding::MessagePack).await;
    let small = create(&mut a, "small", &others[..1]).await;
    let large = create(&mut a, "large", &others).await;
    let mut written = Vec::new();
    for conv in [&small, &large] {
        let before = server.metric("parlance_store_rows_total").await;
        for n in 0..SENDS {
            a.ask("msg.send", text(conv, &format!("k{n}"))).await;
        }
        written.push(server.metric("parlance_store_rows_total").await - before);
    }
    assert!(written[0] >= f64::from(SENDS), "rows are counted: {written:?}");
    assert!(written[1] <= written[0] + 2.0, "twelve members cost what one costs: {written:?}");
}
