//! Any actor may die: the next command finds it alive, and nothing acknowledged is missing.
//!
//! The hook is a page of the operators' listener that exists only where the configuration asks for it.

use serde_json::json;

use crate::ledger::{Ledger, whole_log};
use crate::rest;
use crate::server::{Options, Server};
use crate::wire::Encoding;

async fn kill(server: &Server, log: &str) {
    let answer = rest::raw("POST", &format!("/test/kill?log={log}")).send(server.ops).await;
    assert!(matches!(answer.status, 200 | 204), "{log}: {answer:?}");
}

/// Supervision: a conversation, a user and a user's own log come back from the store.
#[tokio::test]
async fn an_actor_that_dies_is_alive_for_the_next_command() {
    let server = Options::default().set("PARLANCE_TEST__HOOKS", "true").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let group =
        a.ask("group.create", json!({"client_key": "g", "name": "g", "members": [bob.id]})).await["conv"].as_str().unwrap().to_owned();
    let mut ledger = Ledger::default();
    for round in 0..6 {
        for conv in [&conv, &group] {
            let mut ids = Vec::new();
            for n in 0..10 {
                let key = format!("a{round}n{n}");
                ledger.sent(conv, &key, "x");
                ids.push((a.send("msg.send", json!({"conv": conv, "client_key": key, "body": {"text": "x"}})).await, key));
            }
            // In the midst of the load: what was not acknowledged by then is answered "unknown" and sent again.
            kill(&server, conv).await;
            for (id, key) in ids {
                match a.reply(id).await {
                    Ok(ok) => ledger.acked(conv, &key, &ok),
                    Err(refusal) => assert!(["unknown", "now", "after"].contains(&refusal.retry.as_str()), "{refusal:?}"),
                }
            }
            ledger.settle(&mut a, "a").await;
        }
        for person in [&ada, &bob] {
            kill(&server, &format!("user:{}", person.id)).await;
        }
        for conv in [&conv, &group] {
            let log = whole_log(&mut b, conv).await;
            ledger.judge(conv, &log);
            b.ask("read", json!({"conv": conv, "seq": log.len()})).await;
        }
    }
    assert_eq!(ledger.count(), 120);
    // Whatever died, live delivery goes on.
    b.forget();
    a.ask("msg.send", json!({"conv": conv, "client_key": "last", "body": {"text": "x"}})).await;
    b.push_where("entry", |d| d["key"] == "last").await;
    assert_eq!(server.ops("/healthz").await.status, 200);
}

/// The hook is not there unless it was asked for.
#[tokio::test]
async fn without_the_configuration_there_is_no_hook() {
    let server = Server::start().await;
    let answer = rest::raw("POST", "/test/kill?log=g1").send(server.ops).await;
    assert_eq!(answer.status, 404);
    assert_eq!(rest::raw("POST", "/test/kill?log=g1").send(server.clients).await.status, 404);
}
