//! Groups beyond plain members: what they are called, who may what, opening, inviting, handing over.

use serde_json::{Value, json};

use crate::acts::numbers;
use crate::client::Client;
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;

struct Club {
    server: Server,
    people: Vec<Person>,
    clients: Vec<Client>,
    conv: String,
}

/// A group of ada (owner), bob (admin) and eve (member); dan is no member.
async fn club(open: bool) -> Club {
    let server = Server::start().await;
    let mut people = Vec::new();
    let mut clients = Vec::new();
    for name in ["ada", "bob", "eve", "dan"] {
        let person = server.sign_up(name).await;
        clients.push(server.connect(&person, Encoding::Json).await);
        people.push(person);
    }
    let conv = clients[0].found("club", &[&people[1], &people[2]], open).await;
    clients[0].change("group.role", &conv, "admin", json!({"user": people[1].id, "role": "admin"})).await;
    Club { server, people, clients, conv }
}

async fn role(client: &mut Client, conv: &str) -> Value {
    client.ask("conv.get", json!({"conv": conv})).await["role"].clone()
}

/// Name, text and openness change by an entry that every member gets; only those with the role may.
#[tokio::test]
async fn a_group_is_renamed_by_an_entry_in_its_log() {
    let Club { mut clients, conv, server: _server, .. } = club(false).await;
    let change = json!({"name": "Rowing club", "about": "Tuesdays\nat six"});
    let done = clients[1].change("group.update", &conv, "rename", change.clone()).await;
    let again = clients[1].change("group.update", &conv, "rename", change).await;
    assert_eq!((&again["seq"], &again["dup"]), (&done["seq"], &json!(true)), "a repetition is harmless (G3)");
    let told = clients[2].entry("changed").await;
    assert_eq!((&told["name"], &told["about"], &told["open"]), (&json!("Rowing club"), &json!("Tuesdays\nat six"), &Value::Null), "{told}");
    assert_eq!(told["seq"], done["seq"]);
    let view = clients[2].ask("conv.get", json!({"conv": conv})).await;
    assert_eq!((&view["name"], &view["about"]), (&json!("Rowing club"), &json!("Tuesdays\nat six")), "{view}");
    let refusal = clients[2].refused_change("group.update", &conv, json!({"name": "mine"})).await;
    assert_eq!(refusal.name, "role_too_low");
    let refusal = clients[3].refused_change("group.update", &conv, json!({"name": "mine"})).await;
    assert_eq!(refusal.name, "no_such_conversation", "to others it is not there (Z3)");
    for (field, bad) in [("name", "x".repeat(256)), ("about", "x".repeat(2_049)), ("name", String::new())] {
        let refusal = clients[0].refused_change("group.update", &conv, json!({field: bad})).await;
        assert_eq!(refusal.field.as_deref(), Some(field), "{refusal:?}");
    }
    for (field, good) in [("name", "x".repeat(255)), ("about", "x".repeat(2_048))] {
        clients[0].change("group.update", &conv, field, json!({field: good})).await;
    }
    let refusal = clients[0].refused_change("group.update", &conv, json!({"picture": "0".repeat(32)})).await;
    assert_eq!(refusal.name, "no_such_file", "{refusal:?}");
}

/// Roles: only the owner gives them, nobody makes an owner that way, and an admin cannot remove an admin.
#[tokio::test]
async fn only_the_owner_gives_roles() {
    let Club { mut clients, conv, people, server: _server } = club(false).await;
    let (bob, eve) = (people[1].id, people[2].id);
    assert_eq!(clients[1].entry("role").await["role"], "admin");
    for lesser in [1, 2] {
        let refusal = clients[lesser].refused_change("group.role", &conv, json!({"user": eve, "role": "admin"})).await;
        assert_eq!(refusal.name, "role_too_low");
    }
    let refusal = clients[0].refused_change("group.role", &conv, json!({"user": eve, "role": "owner"})).await;
    assert_eq!(refusal.field.as_deref(), Some("role"), "{refusal:?}");
    clients[0].change("group.role", &conv, "eve", json!({"user": eve, "role": "admin"})).await;
    let refusal = clients[2].refused_change("group.remove", &conv, json!({"user": bob})).await;
    assert_eq!(refusal.name, "role_too_low", "an admin is no higher than an admin");
    clients[0].change("group.role", &conv, "bob", json!({"user": bob, "role": "member"})).await;
    clients[2].change("group.remove", &conv, "out", json!({"user": bob})).await;
    let members = clients[0].ask("group.members", json!({"conv": conv})).await;
    assert_eq!(numbers(&members["members"], "user"), [people[0].id, eve]);
    let refusal = clients[0].refused_change("group.role", &conv, json!({"user": people[3].id, "role": "admin"})).await;
    assert_eq!(refusal.range(), 4, "who is no member has no role: {refusal:?}");
}

/// Ownership is handed over; the old owner is an admin and may leave.
#[tokio::test]
async fn ownership_is_handed_over() {
    let Club { mut clients, conv, people, server: _server } = club(false).await;
    assert_eq!(clients[0].refused_change("group.remove", &conv, json!({"user": people[0].id})).await.name, "owner_cannot_leave");
    let refusal = clients[1].refused_change("group.hand_over", &conv, json!({"user": people[1].id})).await;
    assert_eq!(refusal.name, "role_too_low");
    let outsider = clients[0].refused_change("group.hand_over", &conv, json!({"user": people[3].id})).await;
    assert_eq!(outsider.range(), 4, "{outsider:?}");
    clients[0].change("group.hand_over", &conv, "over", json!({"user": people[2].id})).await;
    assert_eq!(clients[2].entry("handed_over").await["user"], people[2].id);
    assert_eq!((role(&mut clients[0], &conv).await, role(&mut clients[2], &conv).await), (json!("admin"), json!("owner")));
    clients[0].change("group.remove", &conv, "leave", json!({"user": people[0].id})).await;
    assert_eq!(clients[2].entry("left").await["user"], people[0].id);
}

/// An open group is joined by anybody; a closed one is not there.
#[tokio::test]
async fn an_open_group_is_joined_and_a_closed_one_is_not_there() {
    let Club { mut clients, conv, people, server: _server } = club(false).await;
    let refusal = clients[3].refused_change("group.join", &conv, json!({})).await;
    assert_eq!(refusal.name, "no_such_conversation");
    assert_eq!(refusal.code, clients[3].refused_change("group.join", "g999999", json!({})).await.code, "like one that is absent (Z2)");
    clients[0].post(&conv, "before").await;
    clients[0].change("group.update", &conv, "open", json!({"open": true})).await;
    let joined = clients[3].change("group.join", &conv, "join", json!({})).await;
    assert_eq!(clients[1].entry("joined").await["members"], json!([people[3].id]));
    assert_eq!(clients[3].own("appeared").await["conv"], conv.as_str());
    let view = clients[3].ask("conv.get", json!({"conv": conv})).await;
    assert_eq!((&view["role"], &view["open"]), (&json!("member"), &json!(true)), "{view}");
    let members = clients[0].ask("group.members", json!({"conv": conv, "after": people[2].id})).await;
    assert_eq!(members["members"][0]["since"], joined["seq"], "membership begins at the seq of the entry (Z5)");
    clients[3].post(&conv, "hello").await;
    assert_eq!(clients[0].push_where("entry", |d| d["key"] == "hello").await["from"], people[3].id);
}

/// Invitations: only those with the role invite; the invited joins or declines; what was declined is over.
#[tokio::test]
async fn an_invitation_is_accepted_or_declined() {
    let Club { mut clients, conv, people, server } = club(false).await;
    let dan = people[3].id;
    let refusal = clients[2].refused_change("group.invite", &conv, json!({"users": [dan]})).await;
    assert_eq!(refusal.name, "role_too_low");
    clients[1].change("group.invite", &conv, "first", json!({"users": [dan]})).await;
    assert_eq!(clients[0].entry("invited").await["users"], json!([dan]));
    let notice = clients[3].own("notice").await;
    assert_eq!(
        (&notice["notice"], &notice["conv"], &notice["from"]),
        (&json!("group_invitation"), &json!(conv), &json!(people[1].id)),
        "{notice}"
    );
    let standing = clients[0].ask("group.invitations", json!({"conv": conv})).await;
    assert_eq!((numbers(&standing["invitations"], "user"), numbers(&standing["invitations"], "by")), (vec![dan], vec![people[1].id]));
    assert_eq!(clients[3].refused("msg.history", json!({"conv": conv})).await.name, "no_such_conversation", "not a member yet");

    clients[3].change("group.decline", &conv, "no", json!({"user": dan})).await;
    clients[3].own("withdrawn").await;
    assert_eq!(clients[0].entry("declined").await["user"], dan);
    assert_eq!(clients[3].refused_change("group.join", &conv, json!({})).await.name, "no_such_conversation");

    clients[1].change("group.invite", &conv, "second", json!({"users": [dan]})).await;
    clients[0].change("group.decline", &conv, "back", json!({"user": dan})).await;
    assert_eq!(clients[3].refused_change("group.join", &conv, json!({})).await.name, "no_such_conversation", "it was taken back");

    clients[1].change("group.invite", &conv, "third", json!({"users": [dan]})).await;
    clients[3].change("group.join", &conv, "yes", json!({})).await;
    assert_eq!(clients[0].ask("group.invitations", json!({"conv": conv})).await["invitations"], json!([]));
    let mut desk = server.connect(&people[3], Encoding::MessagePack).await;
    crate::within("the notice is settled", async { while desk.notices().await["notices"] != json!([]) {} }).await;
    assert_eq!(role(&mut desk, &conv).await, "member");
}

/// An invitation that has expired opens nothing.
#[tokio::test]
async fn an_invitation_expires() {
    let server = Options::default().limit("invitation_life", "200ms").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = a.found("short", &[], false).await;
    a.change("group.invite", &conv, "invite", json!({"users": [bob.id]})).await;
    let until = b.own("notice").await["expires_at"].as_u64().unwrap();
    crate::within("the invitation expires", async {
        while server_time(&server).await <= until {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(b.refused_change("group.join", &conv, json!({})).await.name, "no_such_conversation");
    assert_eq!(a.ask("group.invitations", json!({"conv": conv})).await["invitations"], json!([]));
}

async fn server_time(server: &Server) -> u64 {
    let client = Client::open(server.clients, Encoding::Json).await;
    client.hello["time"].as_u64().unwrap()
}

/// Who left and comes back reads what stood before the leaving and what stands after the coming back.
#[tokio::test]
async fn membership_counts_at_the_seq_of_delivery() {
    let Club { mut clients, conv, people, server: _server } = club(true).await;
    let eve = people[2].id;
    clients[0].post(&conv, "before").await;
    let left = clients[2].change("group.remove", &conv, "leave", json!({"user": eve})).await["seq"].as_u64().unwrap();
    clients[0].post(&conv, "away").await;
    let page = clients[2].ask("msg.history", json!({"conv": conv})).await;
    let seqs = numbers(&page["entries"], "seq");
    assert_eq!(seqs.last(), Some(&left), "up to the leaving and no further (Z5): {page}");
    assert_eq!(page["tail"], left);
    clients[2].change("group.join", &conv, "again", json!({})).await;
    clients[0].post(&conv, "together").await;
    assert_eq!(clients[2].push_where("entry", |d| d["key"] == "together").await["from"], people[0].id);
}

/// What is of groups alone is refused where there is none.
#[tokio::test]
async fn nothing_of_groups_can_be_done_to_a_direct_conversation() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = ada.with(&bob);
    a.post(&conv, "hello").await;
    for (op, more) in [
        ("group.update", json!({"name": "x"})),
        ("group.role", json!({"user": bob.id, "role": "admin"})),
        ("group.hand_over", json!({"user": bob.id})),
        ("group.invite", json!({"users": [bob.id]})),
        ("group.join", json!({})),
        ("group.decline", json!({"user": bob.id})),
        ("group.add", json!({"members": [bob.id]})),
        ("group.remove", json!({"user": bob.id})),
    ] {
        let refusal = a.refused_change(op, &conv, more).await;
        assert_eq!((refusal.name.as_str(), refusal.field.as_deref()), ("not_a_group", Some("conv")), "{op}: {refusal:?}");
    }
}

/// G6: in a large group those who come are not announced one by one to everybody; a span and a count are.
#[tokio::test]
async fn a_large_group_is_told_of_members_by_spans() {
    let server = Options::default().limit("members_announced", "3").start().await;
    let ada = server.sign_up("ada").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = a.found("crowd", &[], true).await;
    let mut joined = Vec::new();
    for number in 0..12 {
        let person = server.sign_up(&format!("p{number}")).await;
        let mut client = server.connect(&person, Encoding::MessagePack).await;
        joined.push(client.change("group.join", &conv, "join", json!({})).await["seq"].as_u64().unwrap());
    }
    let last = *joined.last().unwrap();
    let told = a.push_where("members", |d| d["to"] == last).await;
    assert_eq!((&told["conv"], &told["members"]), (&json!(conv), &json!(13)), "{told}");
    let pushed = a.arrived("entry").await.iter().filter(|entry| entry["kind"] == "joined").count();
    assert!(pushed < joined.len(), "not one push for each who joins: {pushed}");
    a.post(&conv, "after").await;
    let page = a.ask("msg.history", json!({"conv": conv, "after": joined[0] - 1})).await;
    assert_eq!(numbers(&page["entries"], "seq").len(), 13, "every one of them can be read: {page}");
}
