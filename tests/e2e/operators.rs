//! What an operator does with accounts of a running node, by the command: ban, unban, show, delete.

use std::process::Output;

use serde_json::json;
use tokio::process::Command;

use crate::rest;
use crate::server::Server;
use crate::wire::Encoding;

async fn account(server: &Server, deed: &[&str]) -> Output {
    let at = format!("http://{}", server.ops);
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlance"));
    command.arg("account").args(deed).args(["--at", &at]);
    command.output().await.expect("the command runs")
}

/// A10: who is banned is put out within two seconds and comes in nowhere, until he is let in again.
#[tokio::test]
async fn a_banned_user_is_put_out_and_stays_out() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut socket = server.connect(&ada, Encoding::Json).await;
    assert!(account(&server, &["ban", "ada"]).await.status.success());
    let ended = tokio::time::timeout(std::time::Duration::from_secs(2), socket.ended()).await.expect("within two seconds (A6)");
    assert_eq!(ended.code, Some(4402));
    let log_in = json!({"username": "ada", "password": ada.password});
    assert_eq!(server.post("/v1/login", &log_in).await.problem(403)["name"], "account_disabled");
    let asked = rest::get("/v1/account").bearer(&ada.access).send(server.clients).await;
    assert!([401, 403].contains(&asked.status), "{asked:?}");
    server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.problem(401);
    let upload = rest::raw("POST", "/v1/media").body(b"x".to_vec()).bearer(&ada.access).send(server.clients).await;
    assert!([401, 403].contains(&upload.status), "{upload:?}");
    assert_eq!(rest::get("/v1/account").bearer(&bob.access).send(server.clients).await.status, 200, "others are not touched");
    assert!(account(&server, &["unban", "ada"]).await.status.success());
    assert_eq!(server.post("/v1/login", &log_in).await.status, 200);
}

/// Deleting asks for a yes, frees the names, and leaves the messages without them.
#[tokio::test]
async fn an_operator_deletes_for_ever_and_not_by_mistake() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    server.connect(&ada, Encoding::Json).await.post(&conv, "hello").await;
    assert!(!account(&server, &["delete", "ada"]).await.status.success(), "without --yes");
    let shown = account(&server, &["show", "ada"]).await;
    assert!(shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("ada"), "{shown:?}");
    assert!(account(&server, &["delete", "ada", "--yes"]).await.status.success());
    assert!(!account(&server, &["show", "ada"]).await.status.success(), "there is no such account");
    let mut b = server.connect(&bob, Encoding::Json).await;
    let history = b.ask("msg.history", json!({"conv": conv})).await;
    assert_eq!(history["entries"][0]["body"]["text"], "hello");
    assert_eq!(b.refused("user.find", json!({"username": "ada"})).await.name, "no_such_user");
    let again = server.sign_up("ada").await;
    assert_ne!(again.id, ada.id, "the name is free, the number is not");
}
