//! `sync` that waits: at once where there is news, else with the next push, else in time; and what ends it.

use serde_json::{Value, json};

use crate::rest;
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;
use crate::within;

async fn post(server: &Server, from: &Person, conv: &str, key: &str) {
    let body = json!({"client_key": key, "body": {"text": key}});
    rest::with("POST", &format!("/v1/conversations/{conv}/messages"), &body).bearer(&from.access).send(server.clients).await.json(201);
}

async fn sync(server: &Server, person: &Person, query: &str) -> Value {
    rest::get(&format!("/v1/sync?{query}")).bearer(&person.access).send(server.clients).await.json(200)
}

/// The query that stands where this answer stands.
fn onward(answer: &Value, convs: &[(&str, u64, u64)]) -> String {
    let convs: Vec<_> = convs.iter().map(|(conv, inc, seq)| format!("{conv}.{inc}.{seq}")).collect();
    format!("user={}.{}&convs={}", answer["user"]["inc"], answer["user"]["seq"], convs.join(","))
}

/// Waits until a person is seen as online by another, who has written to them.
async fn is_online(server: &Server, viewer: &Person, user: u64) {
    within("the one who polls is online", async {
        loop {
            let path = format!("/v1/presence?users={user}");
            let seen = rest::get(&path).bearer(&viewer.access).send(server.clients).await.json(200);
            if seen["users"][0]["online"] == true {
                return;
            }
        }
    })
    .await;
}

/// P47, G4: a client that only polls misses nothing, waits without asking again, and is online while it does.
#[tokio::test]
async fn a_poll_is_answered_by_what_happens_and_misses_nothing() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    post(&server, &ada, &conv, "k1").await;
    let first = sync(&server, &bob, "wait_ms=30000").await;
    assert_eq!(first["appeared"][0]["conv"], conv, "who knows nothing is answered at once: {first}");
    let inc = first["appeared"][0]["inc"].as_u64().expect("an inc");

    // There is news already: at once.
    let seen = sync(&server, &bob, &format!("{}&wait_ms=30000", onward(&first, &[(&conv, inc, 0)]))).await;
    assert_eq!(seen["convs"][0]["entries"][0]["key"], "k1", "{seen}");

    // Nothing yet: the answer comes with the message.
    let query = format!("{}&wait_ms=30000", onward(&first, &[(&conv, inc, 1)]));
    let (answer, ()) = tokio::join!(sync(&server, &bob, &query), async {
        is_online(&server, &ada, bob.id).await;
        post(&server, &ada, &conv, "k2").await;
    });
    assert_eq!(answer["convs"][0]["entries"][0]["key"], "k2", "{answer}");

    // A conversation that appears is news too; what was not asked for is not.
    let query = format!("{}&wait_ms=30000", onward(&first, &[(&conv, inc, 2)]));
    let (answer, ()) = tokio::join!(sync(&server, &bob, &query), async {
        let eve = server.sign_up("eve").await;
        is_online(&server, &ada, bob.id).await;
        post(&server, &eve, &eve.with(&bob), "k3").await;
    });
    assert_eq!(answer["appeared"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(answer["convs"][0]["entries"], json!([]));

    // Nothing at all: in time, with the cursors as they were.
    let quiet = sync(&server, &bob, &format!("{}&wait_ms=50", onward(&answer, &[(&conv, inc, 2)]))).await;
    assert_eq!((&quiet["appeared"], &quiet["convs"][0]["entries"]), (&json!([]), &json!([])), "{quiet}");
    assert_eq!(quiet["user"]["entries"], json!([]));
}

/// A loop of polls beside a writer gets every message once and in order.
#[tokio::test]
async fn a_loop_of_polls_gets_every_message_in_order() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    post(&server, &ada, &conv, "k1").await;
    let mut answer = sync(&server, &bob, "").await;
    let inc = answer["appeared"][0]["inc"].as_u64().expect("an inc");
    let reader = async {
        let mut seq = 0;
        while seq < 60 {
            answer = sync(&server, &bob, &format!("{}&wait_ms=30000", onward(&answer, &[(&conv, inc, seq)]))).await;
            for entry in answer["convs"][0]["entries"].as_array().expect("complete") {
                seq += 1;
                assert_eq!((entry["seq"].as_u64(), &entry["key"]), (Some(seq), &json!(format!("k{seq}"))));
            }
        }
    };
    let writer = async {
        for n in 2..=60 {
            post(&server, &ada, &conv, &format!("k{n}")).await;
        }
    };
    tokio::join!(reader, writer);
}

/// It counts as a session of the user, and gives its place back.
#[tokio::test]
async fn a_poll_counts_as_a_session_and_leaves() {
    let server = Options::default().limit("sessions_user", "1").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    post(&server, &ada, &conv, "k1").await;
    let first = sync(&server, &bob, "").await;
    let inc = first["appeared"][0]["inc"].as_u64().expect("an inc");
    let query = format!("/v1/sync?{}&wait_ms=30000", onward(&first, &[(&conv, inc, 1)]));

    let socket = server.connect(&bob, Encoding::Json).await;
    let refused = rest::get(&query).bearer(&bob.access).send(server.clients).await;
    assert_eq!(refused.problem(429)["name"], "rate_limited");
    socket.close().await;
    within("its place is free", async {
        while rest::get(&query.replace("30000", "1")).bearer(&bob.access).send(server.clients).await.status != 200 {}
    })
    .await;
    // One that is left by its client is forgotten.
    for _ in 0..3 {
        let left = rest::get(&query).bearer(&bob.access).send(server.clients);
        tokio::select! {
            answer = left => panic!("nothing happens: {answer:?}"),
            () = is_online(&server, &ada, bob.id) => {}
        }
        within("its place is free", async {
            while rest::get(&query.replace("30000", "1")).bearer(&bob.access).send(server.clients).await.status != 200 {}
        })
        .await;
    }
}

/// A login that ends, or a node that goes, does not leave anybody waiting.
#[tokio::test]
async fn the_end_of_the_login_or_of_the_node_ends_the_wait() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    post(&server, &ada, &conv, "k1").await;
    let first = sync(&server, &bob, "").await;
    let inc = first["appeared"][0]["inc"].as_u64().expect("an inc");
    let path = format!("/v1/sync?{}&wait_ms=30000", onward(&first, &[(&conv, inc, 1)]));

    let waiting = rest::get(&path).bearer(&bob.access).send(server.clients);
    let (answer, ()) = tokio::join!(waiting, async {
        is_online(&server, &ada, bob.id).await;
        assert_eq!(server.post("/v1/logout", &json!({"refresh_token": bob.refresh})).await.status, 204);
    });
    assert_eq!(answer.problem(401)["name"], "invalid_token");

    let tokens = server.post("/v1/login", &json!({"username": "bob", "password": bob.password})).await.json(200);
    let bob = Person::new(&tokens, &bob.email, &bob.password);
    let waiting = tokio::spawn(rest::get(&path).bearer(&bob.access).send(server.clients));
    is_online(&server, &ada, bob.id).await;
    let status = server.terminate().await;
    assert!(status.success(), "the drain did not wait for the poll to end by itself");
    let answer = waiting.await.expect("no panic").json(200);
    assert_eq!(answer["convs"][0]["entries"], json!([]), "{answer}");
}
