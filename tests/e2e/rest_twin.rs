//! Every op over HTTP (P47): the same answers as on the socket, the same refusals as problem+json, keys and rates.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rest::{self, Answer, Request};
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;
use crate::within;

/// One who asks over HTTP alone.
struct Asker<'s> {
    server: &'s Server,
    token: String,
}

impl Asker<'_> {
    async fn send(&self, request: Request) -> Answer {
        request.bearer(&self.token).send(self.server.clients).await
    }
    async fn get(&self, path: &str) -> Answer {
        self.send(rest::get(path)).await
    }
    async fn with(&self, method: &'static str, path: &str, body: &Value) -> Answer {
        self.send(rest::with(method, path, body)).await
    }
}

fn asker<'s>(server: &'s Server, person: &Person) -> Asker<'s> {
    Asker { server, token: person.access.clone() }
}

/// P47: a conversation from the first word to the last without a socket, and what each op answers is what its twin on a
/// socket answers.
#[tokio::test]
async fn every_op_is_answered_over_http_as_on_the_socket() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let (a, b) = (asker(&server, &ada), asker(&server, &bob));
    let conv = ada.with(&bob);
    let path = |rest: &str| format!("/v1/conversations/{conv}{rest}");

    let sent = a.with("POST", &path("/messages"), &json!({"client_key": "k1", "body": {"text": "hello"}, "mentions": [bob.id]})).await;
    let sent = sent.json(201);
    assert_eq!((&sent["conv"], &sent["seq"], &sent["dup"]), (&json!(conv), &json!(1), &json!(false)), "{sent}");
    assert_eq!(b.with("PUT", &path("/delivered"), &json!({"seq": 1})).await.json(200), json!({"seq": 1, "unread": 1}));
    assert_eq!(b.with("PUT", &path("/read"), &json!({"seq": 1})).await.json(200), json!({"seq": 1, "unread": 0}));
    let reply = b.with("POST", &path("/messages"), &json!({"client_key": "k2", "body": {"data": {"x": [1, null]}}, "reply_to": 1})).await;
    assert_eq!(reply.json(201)["seq"], 2);
    let typed = a.send(rest::raw("POST", &path("/typing"))).await;
    assert_eq!((typed.status, typed.body.len()), (204, 0));

    let group = a.with("POST", "/v1/groups", &json!({"client_key": "g1", "name": "Rowing", "members": [bob.id]})).await.json(201);
    let group = group["conv"].as_str().expect("a conversation").to_owned();
    let eve = server.sign_up("eve").await;
    let members = format!("/v1/conversations/{group}/members");
    assert_eq!(a.with("POST", &members, &json!({"client_key": "g2", "members": [eve.id]})).await.json(201)["seq"], 2);
    let removed = a.send(rest::raw("DELETE", &format!("{members}/{}", bob.id)).header("idempotency-key", "\"g3\"")).await.json(200);
    assert_eq!(removed["seq"], 3);
    assert_eq!(a.send(rest::raw("DELETE", &format!("{members}/{}?client_key=g3", bob.id))).await.json(200)["dup"], true);

    let asked = a.send(rest::raw("POST", &format!("/v1/relations/{}/request", bob.id))).await.json(200);
    assert_eq!(asked["state"], "requested", "{asked}");
    let reaction = json!({"client_key": "r1", "reaction": "👍"});
    b.with("PUT", &path("/messages/1/reactions"), &reaction).await.json(200);
    let edit = json!({"client_key": "e1", "body": {"text": "hello again"}});
    a.with("PUT", &path("/messages/1"), &edit).await.json(200);
    let muted = a.with("PUT", &path("/preferences"), &json!({"client_key": "p1", "archived": true})).await.json(200);
    assert_eq!(muted["archived"], true, "{muted}");
    a.with("PATCH", &format!("/v1/conversations/{group}"), &json!({"client_key": "u1", "about": "on the river"})).await.json(200);
    let me = a.with("PATCH", "/v1/account", &json!({"first_name": "Ada"})).await.json(200);
    assert_eq!(me["first_name"], "Ada", "{me}");

    // Questions: the same words as on a socket.
    let mut socket = server.connect(&ada, Encoding::Json).await;
    let questions = questions(&conv, &group, [&ada, &bob, &eve], &sent["id"]);
    for (op, d, path) in questions {
        let expected = socket.ask(op, d).await;
        assert_eq!(a.get(&path).await.json(200), expected, "{op} {path}");
    }
    let own = a.get("/v1/sync").await.json(200);
    let now = a.get(&path("")).await.json(200);
    let (inc, tail) = (&now["inc"], now["tail"].as_u64().expect("a tail") - 1);
    let user = format!("{}.{}", own["user"]["inc"], own["user"]["seq"]);
    let d = json!({"user": [own["user"]["inc"], own["user"]["seq"]], "convs": [[conv, inc, tail], ["d1-999", 1, 1]]});
    let expected = socket.ask("sync", d.clone()).await;
    assert_eq!(expected["convs"][0]["entries"].as_array().map(Vec::len), Some(1), "{expected}");
    assert_eq!(a.get(&format!("/v1/sync?user={user}&convs={conv}.{inc}.{tail},d1-999.1.1")).await.json(200), expected);
    assert_eq!(a.with("POST", "/v1/sync", &d).await.json(200), expected);

    // A page of the list leads to the next by its cursor.
    let first = a.get("/v1/conversations?limit=1").await.json(200);
    let cursor = first["cursor"].as_str().expect("there is more");
    let second = a.get(&format!("/v1/conversations?limit=1&cursor={cursor}")).await.json(200);
    assert_ne!(first["convs"][0]["conv"], second["convs"][0]["conv"]);
}

/// Questions by op and `d`, and by their paths.
fn questions(conv: &str, group: &str, [ada, bob, eve]: [&Person; 3], id: &Value) -> Vec<(&'static str, Value, String)> {
    let path = |rest: &str| format!("/v1/conversations/{conv}{rest}");
    let members = format!("/v1/conversations/{group}/members");
    vec![
        ("user.get", json!({"user": bob.id}), format!("/v1/users/{}", bob.id)),
        ("user.find", json!({"username": "bob"}), "/v1/users?username=bob".to_owned()),
        ("conv.get", json!({"conv": conv}), path("")),
        ("conv.get", json!({"user": bob.id}), format!("/v1/users/{}/conversation", bob.id)),
        ("conv.list", json!({}), "/v1/conversations".to_owned()),
        ("conv.list", json!({"limit": 1}), "/v1/conversations?limit=1".to_owned()),
        ("group.members", json!({"conv": group, "limit": 1}), format!("{members}?limit=1")),
        ("group.members", json!({"conv": group, "after": ada.id}), format!("{members}?after={}", ada.id)),
        ("msg.history", json!({"conv": conv}), path("/messages")),
        ("msg.history", json!({"conv": conv, "before": 2, "limit": 5}), path("/messages?before=2&limit=5")),
        ("msg.history", json!({"conv": conv, "after": 0, "limit": 1}), path("/messages?after=0&limit=1")),
        ("presence.get", json!({"users": [bob.id, eve.id]}), format!("/v1/presence?users={},{}", bob.id, eve.id)),
        ("sync", json!({}), "/v1/sync".to_owned()),
        ("account.get", json!({}), "/v1/account".to_owned()),
        ("user.search", json!({"prefix": "bo", "limit": 5}), "/v1/users/search?prefix=bo&limit=5".to_owned()),
        ("relation.get", json!({"user": bob.id}), format!("/v1/relations/{}", bob.id)),
        ("relation.list", json!({"filter": "outgoing"}), "/v1/relations?filter=outgoing".to_owned()),
        ("unread.get", json!({}), "/v1/unread".to_owned()),
        ("notice.list", json!({"limit": 5}), "/v1/notices?limit=5".to_owned()),
        ("group.invitations", json!({"conv": group}), format!("/v1/conversations/{group}/invitations")),
        ("msg.get", json!({"id": id}), format!("/v1/messages/{id}")),
        ("msg.read_by", json!({"conv": conv, "seq": 1}), path("/messages/1/readers")),
        ("msg.reactions", json!({"conv": conv, "seq": 1}), path("/messages/1/reactions")),
    ]
}

/// What is done over HTTP is pushed to every socket of the user and of the others.
#[tokio::test]
async fn what_is_done_over_http_is_pushed_to_every_socket() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut own = server.connect(&ada, Encoding::MessagePack).await;
    let mut other = server.connect(&bob, Encoding::Json).await;
    let path = format!("/v1/conversations/{}", ada.with(&bob));
    let a = asker(&server, &ada);
    a.with("POST", &format!("{path}/messages"), &json!({"client_key": "k", "body": {"text": "x"}})).await.json(201);
    for socket in [&mut own, &mut other] {
        assert_eq!(socket.push("entry").await["key"], "k");
    }
    a.send(rest::raw("POST", &format!("{path}/typing"))).await;
    assert_eq!(other.push("typing").await["user"], ada.id);
    asker(&server, &bob).with("PUT", &format!("{path}/read"), &json!({"seq": 1})).await.json(200);
    assert_eq!(own.push("receipts").await["marks"][0]["read"], 1);
    assert_eq!(other.push("unread").await["read"], 1, "all sockets of the one who read over HTTP hear of it");
}

/// G3, P47: the header is the key.
#[tokio::test]
async fn the_same_idempotency_key_is_one_message_and_another_body_is_refused() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let path = format!("/v1/conversations/{}/messages", ada.with(&bob));
    let a = asker(&server, &ada);
    let send = async |key: &str, body: Value| a.send(rest::with("POST", &path, &body).header("idempotency-key", key)).await;
    let hello = json!({"body": {"text": "hello"}});

    let mut first = send("\"one\"", hello.clone()).await.json(201);
    let again = send("one", hello.clone()).await.json(201);
    assert_eq!((&first["dup"], &again["dup"]), (&json!(false), &json!(true)));
    first["dup"] = json!(true);
    assert_eq!(first, again, "the first answer, but that it was there");
    let in_body = a.with("POST", &path, &json!({"client_key": "one", "body": {"text": "hello"}})).await.json(201);
    assert_eq!(in_body, again, "header and body say the same thing");
    let both = send("\"one\"", json!({"client_key": "one", "body": {"text": "hello"}})).await.json(201);
    assert_eq!(both, again);

    let other = send("one", json!({"body": {"text": "something else"}})).await.problem(409);
    assert_eq!((&other["name"], &other["field"]), (&json!("conflict"), &json!("client_key")), "{other}");
    for (key, body) in [
        ("\"two\"", json!({"client_key": "three", "body": {"text": "x"}})),
        ("\"two", hello.clone()),
        ("", hello.clone()),
        (&"k".repeat(65), hello.clone()),
    ] {
        let refused = send(key, body.clone()).await.problem(400);
        assert_eq!(refused["field"], "client_key", "{key} {body}: {refused}");
    }
    let refused = a.send(rest::with("POST", &path, &hello).header("idempotency-key", "a").header("idempotency-key", "b")).await;
    assert_eq!(refused.problem(400)["field"], "client_key");
    assert_eq!(a.with("POST", &path, &hello).await.problem(400)["field"], "client_key", "one of the two is needed");
    assert_eq!(send(&"k".repeat(64), hello).await.json(201)["seq"], 2);
    let history = a.get(&path).await.json(200);
    assert_eq!(history["tail"], 2, "nothing that was refused is stored");
}

/// A user's rates hold over HTTP as on a socket, also for one who has no socket at all; and the answer says them.
#[tokio::test]
async fn the_rates_of_a_user_hold_without_a_socket() {
    let server =
        Options::default().limit("posts_burst_user", "3").limit("posts_rate_user", "1").limit("groups_per_hour", "1").start().await;
    let (ada, bob) = server.two().await;
    let path = format!("/v1/conversations/{}/messages", ada.with(&bob));
    let a = asker(&server, &ada);
    let mut refused = None;
    for n in 0..10 {
        let answer = a.with("POST", &path, &json!({"client_key": format!("k{n}"), "body": {"text": "x"}})).await;
        let policy = answer.header("ratelimit-policy").expect("the rate is said").to_owned();
        assert!(policy.starts_with("\"posts_user\";q=3;w=3, \"posts_conversation\";q="), "{policy}");
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.header("ratelimit"), None, "what is left is not known here");
        answer.json(201);
    }
    let refused = refused.expect("ten at once are too many");
    let problem = refused.problem(429);
    assert_eq!((&problem["name"], &problem["retry"]), (&json!("rate_limited"), &json!("after")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit"), Some("\"posts_user\";r=0;t=1"));

    a.with("POST", "/v1/groups", &json!({"client_key": "g1", "name": "one"})).await.json(201);
    let second = a.with("POST", "/v1/groups", &json!({"client_key": "g2", "name": "two"})).await;
    assert_eq!(second.problem(429)["name"], "rate_limited");
    assert_eq!(second.header("ratelimit-policy"), Some("\"groups\";q=1;w=3600"));
    assert_eq!(a.get("/v1/conversations").await.header("ratelimit-policy"), None);
}

/// R6, P47: an answer that does not come in time is `unknown`, and the same key settles it: nothing is lost or doubled.
#[tokio::test]
async fn an_unknown_outcome_is_settled_by_the_same_key() {
    let mut server = Options::default().limit("rest_deadline", "1ms").start().await;
    let (ada, bob) = server.two().await;
    let path = format!("/v1/conversations/{}/messages", ada.with(&bob));
    let send = async |server: &Server, n: u32| {
        let body = json!({"client_key": format!("k{n}"), "body": {"text": n.to_string()}});
        asker(server, &ada).with("POST", &path, &body).await
    };
    let (mut sent, mut unknown) = (0, 0);
    within("an answer is late", async {
        while unknown < 3 {
            let answer = send(&server, sent).await;
            sent += 1;
            if answer.status != 201 {
                let problem = answer.problem(503);
                assert_eq!((&problem["name"], &problem["retry"]), (&json!("unknown"), &json!("unknown")), "{problem}");
                unknown += 1;
            }
        }
    })
    .await;
    assert!(server.terminate().await.success());
    let server = server.restart_with(Options::default()).await;
    let mut seqs = Vec::new();
    for n in 0..sent {
        seqs.push(send(&server, n).await.json(201)["seq"].as_u64().expect("a seq"));
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=u64::from(sent)).collect::<Vec<_>>(), "each is stored once");
}

/// The actor of a user who came over HTTP alone goes away again.
#[tokio::test]
async fn a_visitor_leaves_no_actor_behind() {
    let server = Options::default().limit("visit_idle", "100ms").limit("login_presence", "1ms").start().await;
    let (ada, bob) = server.two().await;
    let path = format!("/v1/conversations/{}/typing", ada.with(&bob));
    let starts = async || {
        let page = server.ops("/metrics").await.text();
        let line = page.lines().find_map(|line| line.strip_prefix("parlance_actor_starts_total{kind=\"user\"} ")).map(str::to_owned);
        line.and_then(|count| count.parse::<u64>().ok()).unwrap_or_default()
    };
    let before = starts().await;
    within("the actor goes, so that a later request starts another, and again", async {
        while starts().await < before + 2 {
            assert_eq!(asker(&server, &ada).send(rest::raw("POST", &path)).await.status, 204);
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    })
    .await;
}

/// G7: requests of one user at once are bounded, and those of others are not kept waiting by them.
#[tokio::test]
async fn a_user_has_so_many_requests_at_once_over_http() {
    let server = Options::default().limit("rest_in_flight_user", "1").start().await;
    let (ada, bob) = server.two().await;
    // A request whose body does not come holds its place; that the server asks for the body says that it has one.
    let mut held = TcpStream::connect(server.clients).await.expect("connected");
    let head = format!(
        "POST /v1/sync HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n",
        ada.access
    );
    held.write_all(head.as_bytes()).await.expect("written");
    let mut go_on = [0; 25];
    within("the server asks for the body", held.read_exact(&mut go_on)).await.expect("read");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let a = asker(&server, &ada);
    let refused = a.get("/v1/conversations").await;
    let problem = refused.problem(429);
    assert_eq!((&problem["name"], refused.header("retry-after")), (&json!("rate_limited"), Some("1")), "{problem}");
    asker(&server, &bob).get("/v1/conversations").await.json(200);
    held.write_all(b"{}").await.expect("written");
    let mut answer = Vec::new();
    within("it is answered", held.read_to_end(&mut answer)).await.expect("read");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    a.get("/v1/conversations").await.json(200);
}
