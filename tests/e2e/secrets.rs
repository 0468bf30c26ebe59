//! Nothing secret is ever printed: passwords, tokens, addresses of people, what they write.

use serde_json::json;

use crate::client::{Client, Handshake};
use crate::rest;
use crate::server::{Options, Person};
use crate::wire::Encoding;

/// What every canary of this number ends with. The dash keeps it apart from the microseconds of a line's own time.
fn numbered(number: &str) -> String {
    format!("-{number}")
}

/// L1, A12, style §15: canaries in every place that takes a secret, and a search of all that was printed at trace level.
#[tokio::test]
async fn no_secret_is_printed_even_at_trace_level() {
    let mut server = Options::default().set("PARLANCE_LOG__FILTER", "trace").start().await;
    let password = "canary-password-4711";
    let sign_up = json!({"username": "ada", "email": "canary-address@example.org", "password": password, "name": "Ada"});
    let tokens = server.post("/v1/accounts", &sign_up).await.json(201);
    let ada = Person::new(&tokens, "canary-address@example.org", password);
    let bob = server.sign_up("bob").await;
    let mut canaries = vec![password.to_owned(), ada.email.clone(), ada.access.clone(), ada.refresh.clone()];

    let login = server.post("/v1/login", &json!({"username": "ada", "password": password})).await.json(200);
    let second = Person::new(&login, &ada.email, password);
    let rotated = server.post("/v1/refresh", &json!({"refresh_token": second.refresh})).await.json(200);
    let rotated = Person::new(&rotated, &ada.email, password);
    canaries.extend([second.access, second.refresh, rotated.access.clone(), rotated.refresh.clone()]);
    for wrong in [json!({"username": "ada", "password": "canary-wrong-4712"}), json!({"username": 7, "password": "canary-wrong-4712"})] {
        server.post("/v1/login", &wrong).await;
    }
    server.post("/v1/refresh", &json!({"refresh_token": "canary-refresh-4713"})).await;
    server.post("/v1/refresh", &json!({"refresh_token": ["canary-refresh-4713"], "canary-field-4714": 1})).await;
    rest::get("/v1/me").bearer("canary-bearer-4715").send(server.clients).await;
    rest::get("/v1/me?token=canary-query-4716").bearer(&ada.access).send(server.clients).await;
    canaries.extend(["4712", "4713", "4715", "4716"].map(numbered));

    let name = Encoding::Json.subprotocol();
    let pair = Handshake { subprotocol: Some(format!("{name}, bearer.{}", ada.access)), ..Handshake::default() };
    Client::shake(server.clients, Encoding::Json, pair).await.expect("accepted").close().await;
    let header = Handshake { subprotocol: Some(name.to_owned()), bearer: Some(ada.access.clone()), ..Handshake::default() };
    Client::shake(server.clients, Encoding::Json, header).await.expect("accepted").close().await;
    let mut stranger = Client::open(server.clients, Encoding::Json).await;
    stranger.refused("auth", json!({"token": "canary-token-4717"})).await;
    let mut a = server.connect(&ada, Encoding::MessagePack).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    a.ask(
        "msg.send",
        json!({"conv": ada.with(&bob), "client_key": "k", "body": {"text": "canary-text-4718", "data": {"x": "canary-data-4719"}}}),
    )
    .await;
    b.push("entry").await;
    b.ask("msg.history", json!({"conv": ada.with(&bob)})).await;
    a.refused("msg.send", json!({"conv": ada.with(&bob), "client_key": "k", "body": {"text": "canary-conflict-4720"}})).await;
    b.send_bytes(b"{\"broken canary-frame-4721".to_vec()).await;
    b.push("error").await;
    canaries.extend(["4717", "4718", "4719", "4720", "4721"].map(numbered));
    let upload = rest::raw("POST", "/v1/media?name=canary-file-4722").bearer(&ada.access).body(b"canary-bytes-4723".to_vec());
    let file = upload.send(server.clients).await.json(201)["id"].as_str().expect("an id").to_owned();
    for method in ["GET", "DELETE", "GET"] {
        rest::raw(method, &format!("/v1/media/{file}")).bearer(&ada.access).send(server.clients).await;
    }
    canaries.extend(["4722", "4723"].map(numbered));
    canaries.push(file);
    server.post("/v1/logout", &json!({"refresh_token": rotated.refresh})).await;
    assert!(server.terminate().await.success());

    let printed = server.printed();
    assert!(
        printed.contains("TRACE") || printed.to_lowercase().contains("\"trace\""),
        "the filter is in force:\n{}",
        &printed[..printed.len().min(2_000)]
    );
    for canary in canaries {
        // A JWT's head is the same in every token and no secret; its signature is.
        let secret = canary.rsplit('.').next().filter(|part| part.len() > 20).unwrap_or(&canary);
        let found = printed.lines().find(|line| line.contains(secret));
        assert!(found.is_none(), "a secret was printed: {found:?}");
    }
}
