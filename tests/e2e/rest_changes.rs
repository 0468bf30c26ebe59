//! People, groups and messages without a socket: each op that changes something, once over HTTP, with what it says and
//! what it does.

use serde_json::{Value, json};

use crate::rest;
use crate::server::{Person, Server};

struct Asker<'s> {
    server: &'s Server,
    token: &'s str,
}

impl Asker<'_> {
    async fn ask(&self, method: &'static str, path: &str, body: &Value, status: u16) -> Value {
        let request = if body.is_null() { rest::raw(method, path) } else { rest::with(method, path, body) };
        let answer = request.bearer(self.token).send(self.server.clients).await;
        if status == 204 {
            assert_eq!((answer.status, answer.body.len()), (204, 0), "{method} {path}: {}", answer.text());
            return Value::Null;
        }
        if status >= 400 { answer.problem(status) } else { answer.json(status) }
    }
    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null, 200).await
    }
}

fn asker<'s>(server: &'s Server, person: &'s Person) -> Asker<'s> {
    Asker { server, token: &person.access }
}

#[tokio::test]
async fn relations_over_http() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let (a, b) = (asker(&server, &ada), asker(&server, &bob));
    let (to_bob, to_ada) = (format!("/v1/relations/{}", bob.id), format!("/v1/relations/{}", ada.id));
    let no = Value::Null;
    assert_eq!(a.ask("POST", &format!("{to_bob}/request"), &no, 200).await["change"], "requested");
    let notices = b.get("/v1/notices").await;
    let seq = notices["notices"][0]["seq"].clone();
    b.ask("PUT", "/v1/notices/read", &json!({"seq": seq}), 204).await;
    assert_eq!(b.ask("POST", &format!("{to_ada}/decline"), &no, 200).await["state"], "rejected");
    assert_eq!(b.ask("POST", &format!("{to_ada}/request"), &no, 200).await["from"], bob.id);
    assert_eq!(a.ask("POST", &format!("{to_bob}/accept"), &no, 200).await["state"], "friends");
    assert_eq!(a.get("/v1/relations?filter=friends").await["total"], 1);
    assert_eq!(a.ask("PUT", &format!("{to_bob}/block"), &no, 200).await["change"], "blocked");
    let conv = ada.with(&bob);
    let post = json!({"client_key": "k", "body": {"text": "x"}});
    assert_eq!(b.ask("POST", &format!("/v1/conversations/{conv}/messages"), &post, 403).await["name"], "blocked");
    assert_eq!(a.ask("DELETE", &format!("{to_bob}/block"), &no, 200).await["change"], "unblocked");
    assert_eq!(a.ask("DELETE", &to_bob, &no, 200).await["change"], "ended");
    assert_eq!(b.ask("POST", &format!("{to_ada}/accept"), &no, 404).await["status"], 404);
}

#[tokio::test]
async fn groups_over_http() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let (a, b, e) = (asker(&server, &ada), asker(&server, &bob), asker(&server, &eve));
    let made = a.ask("POST", "/v1/groups", &json!({"client_key": "g", "name": "club", "members": [bob.id]}), 201).await;
    let group = format!("/v1/conversations/{}", made["conv"].as_str().expect("a conversation"));
    assert_eq!(e.ask("POST", &format!("{group}/join"), &json!({"client_key": "j"}), 404).await["name"], "no_such_conversation");
    a.ask("PUT", &format!("{group}/members/{}/role", bob.id), &json!({"client_key": "r", "role": "admin"}), 200).await;
    b.ask("POST", &format!("{group}/invitations"), &json!({"client_key": "i", "users": [eve.id]}), 201).await;
    assert_eq!(a.get(&format!("{group}/invitations")).await["invitations"][0]["user"], eve.id);
    e.ask("DELETE", &format!("{group}/invitations/{}?client_key=d", eve.id), &Value::Null, 200).await;
    b.ask("POST", &format!("{group}/invitations"), &json!({"client_key": "i2", "users": [eve.id]}), 201).await;
    e.ask("POST", &format!("{group}/join"), &json!({"client_key": "j2"}), 201).await;
    assert_eq!(e.ask("PATCH", &group, &json!({"client_key": "u", "name": "mine"}), 403).await["name"], "role_too_low");
    b.ask("PATCH", &group, &json!({"client_key": "u", "name": "the club"}), 200).await;
    assert_eq!(b.ask("PUT", &format!("{group}/owner"), &json!({"client_key": "h", "user": bob.id}), 403).await["status"], 403);
    a.ask("PUT", &format!("{group}/owner"), &json!({"client_key": "h", "user": bob.id}), 200).await;
    let roles = a.get(&format!("{group}/members")).await["members"].clone();
    assert_eq!((&roles[0]["role"], &roles[1]["role"], &roles[2]["role"]), (&json!("admin"), &json!("owner"), &json!("member")));
    a.ask("DELETE", &format!("{group}/members/{}?client_key=l", ada.id), &Value::Null, 200).await;
    assert_eq!(a.ask("GET", &group, &Value::Null, 404).await["name"], "no_such_conversation");
    assert_eq!(b.get(&group).await["name"], "the club");
}

#[tokio::test]
async fn messages_over_http() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let (a, b) = (asker(&server, &ada), asker(&server, &bob));
    let conv = format!("/v1/conversations/{}", ada.with(&bob));
    let text = |key: &str, text: &str| json!({"client_key": key, "body": {"text": text}});
    let sent = a.ask("POST", &format!("{conv}/messages"), &text("k1", "helo"), 201).await;
    a.ask("PUT", &format!("{conv}/messages/1"), &text("k2", "hello"), 200).await;
    b.ask("PUT", &format!("{conv}/messages/1/reactions"), &json!({"client_key": "k3", "reaction": "👍"}), 200).await;
    let shown = b.get(&format!("/v1/messages/{}", sent["id"])).await;
    assert_eq!((&shown["body"]["text"], &shown["mine"]), (&json!("hello"), &json!(["👍"])), "{shown}");
    b.ask("PUT", &format!("{conv}/read"), &json!({"seq": 3}), 200).await;
    let readers = a.get(&format!("{conv}/messages/1/readers")).await;
    assert_eq!(readers["users"][0]["user"], bob.id, "{readers}");
    let club = b.ask("POST", "/v1/groups", &json!({"client_key": "g", "name": "club"}), 201).await;
    let club = format!("/v1/conversations/{}", club["conv"].as_str().expect("a conversation"));
    let forward = json!({"client_key": "f", "from": ada.with(&bob), "seq": 1});
    b.ask("POST", &format!("{club}/forwards"), &forward, 201).await;
    let copy = b.get(&format!("{club}/messages?limit=1")).await["entries"][0].clone();
    assert_eq!(copy["body"]["text"], "hello", "{copy}");
    assert_eq!(b.ask("DELETE", &format!("{conv}/messages/1?client_key=x"), &Value::Null, 403).await["status"], 403);
    a.ask("DELETE", &format!("{conv}/messages/1?client_key=x"), &Value::Null, 200).await;
    let history = b.get(&format!("{conv}/messages")).await;
    assert!(!history.to_string().contains("hello") && !history.to_string().contains("helo"), "{history}");
    b.ask("PUT", &format!("{conv}/preferences"), &json!({"client_key": "p", "clear": 2}), 200).await;
    assert!(
        b.get(&format!("{conv}/messages")).await["entries"]
            .as_array()
            .expect("entries")
            .iter()
            .all(|entry| entry["seq"].as_u64() > Some(2))
    );
    assert_eq!(b.get("/v1/unread").await["unread"], 0);
}
