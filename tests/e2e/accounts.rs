//! Accounts over REST: sign up, log in, refresh, log out, and what goes wrong with them.

use serde_json::{Value, json};

use crate::client::{Client, Handshake};
use crate::rest;
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;
use crate::within;

/// A1, A5: the three ways in, and who one is afterwards.
#[tokio::test]
async fn a_new_user_signs_up_and_logs_in_by_name_and_by_address() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;

    let me = rest::get("/v1/me").bearer(&ada.access).send(server.clients).await.json(200);
    let said = json!({"id": me["id"], "username": me["username"], "name": me["name"], "email": me["email"]});
    assert_eq!(said, json!({"id": ada.id, "username": "ada", "name": "ADA", "email": "ada@example.org"}), "{me}");

    for credential in [json!({"username": "ada"}), json!({"email": "ada@example.org"}), json!({"email": "ADA@Example.org"})] {
        let mut body = credential;
        body["password"] = json!(ada.password);
        let tokens = server.post("/v1/login", &body).await.json(200);
        let again = Person::new(&tokens, &ada.email, &ada.password);
        assert_eq!(again.id, ada.id);
        assert_ne!(again.access, ada.access, "each login draws tokens of its own");
        assert!(tokens["expires_in_ms"].as_u64() <= Some(900_000), "an access token is short-lived (A3): {tokens}");
        assert!(tokens["refresh_expires_in_ms"].as_u64() > tokens["expires_in_ms"].as_u64(), "{tokens}");
    }
}

/// D12: a name or an address belongs to one account, however many ask for it at once.
#[tokio::test]
async fn a_username_or_address_is_given_once() {
    let server = Server::start().await;
    let ask = |username: &str, email: &str| json!({"username": username, "email": email, "password": "long enough"});

    let [first, second] = [ask("ada", "a@example.org"), ask("ada", "b@example.org")];
    let answers = tokio::join!(server.post("/v1/accounts", &first), server.post("/v1/accounts", &second));
    let mut statuses = [answers.0.status, answers.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "of two who ask at once, one gets it");

    let taken = server.post("/v1/accounts", &ask("ada", "c@example.org")).await.problem(409);
    assert_eq!(taken["field"], "username", "{taken}");
    server.post("/v1/accounts", &ask("bob", "bob@example.org")).await.json(201);
    let taken = server.post("/v1/accounts", &ask("eve", "BOB@example.org")).await.problem(409);
    assert_eq!(taken["field"], "email", "addresses are compared without regard to case: {taken}");
    server.post("/v1/accounts", &ask("eve", "eve@example.org")).await.json(201);
}

/// P38, Z4: what is wrong is named, and nothing is made.
#[tokio::test]
async fn a_bad_field_of_a_signup_is_named() {
    let server = Server::start().await;
    let good = json!({"username": "ada", "email": "ada@example.org", "password": "long enough"});
    let cases = [
        ("username", json!("")),
        ("username", json!("a b")),
        ("username", json!("x".repeat(151))),
        ("username", json!(7)),
        ("email", json!("nowhere")),
        ("email", json!("a@b")),
        ("email", Value::Null),
        ("password", json!("short")),
        ("password", json!("x".repeat(1_025))),
        ("password", json!(["long enough"])),
        ("name", json!("x".repeat(151))),
        ("name", json!("line\nbreak")),
    ];
    for (field, value) in cases {
        let mut body = good.clone();
        body[field] = value;
        let answer = server.post("/v1/accounts", &body).await;
        assert!(matches!(answer.status, 400 | 413 | 422), "{body}: {}", answer.text());
        let problem = answer.problem(answer.status);
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    for field in ["username", "email", "password"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        let problem = server.post("/v1/accounts", &body).await.problem(400);
        assert_eq!(problem["field"], field, "a missing field is named: {problem}");
    }
    let mut body = good.clone();
    body["admin"] = json!(true);
    let problem = server.post("/v1/accounts", &body).await.problem(400);
    assert_eq!(problem["field"], "admin", "an unknown field is refused (P14): {problem}");
    server.post("/v1/accounts", &good).await.json(201);
}

/// A8: nobody learns from an answer whether an account exists.
#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_alike() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let ask = |username: &str| json!({"username": username, "password": "not the password"});
    let mut wrong = server.post("/v1/login", &ask(&ada.username)).await.problem(401);
    let mut unknown = server.post("/v1/login", &ask("nobody")).await.problem(401);
    let by_address = json!({"email": "nobody@example.org", "password": "not the password"});
    let mut unknown_address = server.post("/v1/login", &by_address).await.problem(401);
    for answer in [&mut wrong, &mut unknown, &mut unknown_address] {
        answer.as_object_mut().unwrap().remove("ref");
    }
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, unknown_address);
}

/// A5: a refresh token is good once; an old one that comes back ends the login, whoever holds it.
#[tokio::test]
async fn a_refresh_rotates_and_an_old_refresh_token_ends_the_login() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let refresh = |token: &str| json!({"refresh_token": token});
    let mut socket = server.connect(&ada, Encoding::Json).await;

    let second = server.post("/v1/refresh", &refresh(&ada.refresh)).await.json(200);
    let second = Person::new(&second, &ada.email, &ada.password);
    assert_ne!(second.refresh, ada.refresh);
    let third = server.post("/v1/refresh", &refresh(&second.refresh)).await.json(200);
    let third = Person::new(&third, &ada.email, &ada.password);
    rest::get("/v1/me").bearer(&third.access).send(server.clients).await.json(200);

    // Two rotations back: no lost answer explains it.
    server.post("/v1/refresh", &refresh(&ada.refresh)).await.problem(401);
    server.post("/v1/refresh", &refresh(&third.refresh)).await.problem(401);
    assert_eq!(socket.ended().await.code, Some(4401), "the login's sockets are closed (A6)");
    refused_everywhere(&server, &third.access).await;
    for nonsense in ["x", "a.b.c", &"x".repeat(9_000)] {
        server.post("/v1/refresh", &refresh(nonsense)).await.problem(401);
    }
    assert_eq!(server.post("/v1/refresh", &refresh("")).await.problem(400)["field"], "refresh_token");
}

/// A6: logging out ends this login and no other.
#[tokio::test]
async fn logging_out_closes_the_logins_sockets_and_ends_its_tokens() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let login = json!({"username": "ada", "password": ada.password});
    let other = Person::new(&server.post("/v1/login", &login).await.json(200), &ada.email, &ada.password);
    let mut sockets = [server.connect(&ada, Encoding::Json).await, server.connect(&ada, Encoding::MessagePack).await];
    let mut others = server.connect(&other, Encoding::Json).await;

    let answer = server.post("/v1/logout", &json!({"refresh_token": ada.refresh})).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for socket in &mut sockets {
        let ended = socket.ended().await;
        assert_eq!(ended.code, Some(4401));
        let bye = ended.bye.expect("a bye before every close");
        assert_eq!(bye["code"], 4401, "{bye}");
    }
    server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.problem(401);
    refused_everywhere(&server, &ada.access).await;

    others.ask("hb", json!({})).await;
    rest::get("/v1/me").bearer(&other.access).send(server.clients).await.json(200);
}

/// An access token of an ended login opens nothing, though its signature and time are good.
async fn refused_everywhere(server: &Server, access: &str) {
    rest::get("/v1/me").bearer(access).send(server.clients).await.problem(401);
    let mut client = Client::open(server.clients, Encoding::Json).await;
    let refusal = client.refused("auth", json!({"token": access})).await;
    assert_eq!(refusal.range(), 2, "{refusal:?}");
    let handshake =
        Handshake { subprotocol: Some(Encoding::Json.subprotocol().to_owned()), bearer: Some(access.to_owned()), ..Handshake::default() };
    match Client::shake(server.clients, Encoding::Json, handshake).await {
        Err(refused) => assert_eq!(refused.status, 401, "{}", refused.body),
        Ok(mut client) => assert!(matches!(client.ended().await.code, Some(4400 | 4401))),
    }
}

/// A3: an access token ends by itself; a refresh gives the next one.
#[tokio::test]
async fn an_access_token_expires_and_a_refresh_replaces_it() {
    let server = Options::default().limit("access_life", "1s").start().await;
    let ada = server.sign_up("ada").await;
    within("the access token expires", async {
        while rest::get("/v1/me").bearer(&ada.access).send(server.clients).await.status == 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rest::get("/v1/me").bearer(&ada.access).send(server.clients).await.problem(401);
    let mut client = Client::open(server.clients, Encoding::Json).await;
    let refusal = client.refused("auth", json!({"token": ada.access})).await;
    assert_eq!((refusal.range(), refusal.retry.as_str()), (2, "refresh"), "expired is told from invalid (P5): {refusal:?}");
    server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.json(200);
}

/// H2, H3, H6: whatever is wrong with a request, the answer is a problem of the 4xx kind in one form.
#[tokio::test]
async fn malformed_requests_are_answered_by_a_problem() {
    let server = Server::start().await;
    let to = server.clients;
    let body = |content: &[u8]| rest::raw("POST", "/v1/login").header("content-type", "application/json").body(content.to_vec());

    let bad: [&[u8]; 9] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\"x\"",
        b"{\"username\":\"a\",\"password\":\"b\"} trailing",
        b"{\"username\":\"a\",\"username\":\"b\",\"password\":\"c\"}",
        b"{\"username\":\"\\ud800\",\"password\":\"c\"}",
        b"\xff\xfe",
    ];
    for content in bad {
        body(content).send(to).await.problem(400);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    body(deep.as_bytes()).send(to).await.problem(400);
    let neither = json!({"password": "x"});
    server.post("/v1/login", &neither).await.problem(400);

    rest::get("/v1/nowhere").send(to).await.problem(404);
    rest::get("/").send(to).await;
    let answer = rest::raw("DELETE", "/v1/login").send(to).await;
    answer.problem(405);
    assert_eq!(answer.header("allow"), Some("POST"));
    body(&vec![b' '; 262_145]).send(to).await.problem(413);
    rest::raw("POST", "/v1/login").header("content-type", "text/plain").body(b"{}".to_vec()).send(to).await.problem(415);

    for authorization in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer \u{e4}"] {
        rest::get("/v1/me").header("authorization", authorization).send(to).await.problem(401);
    }
    rest::get("/v1/me").send(to).await.problem(401);
    assert_eq!(server.ops("/healthz").await.status, 200);
}

/// A1: a token is taken only as it was issued.
#[tokio::test]
async fn a_changed_token_is_refused() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let parts: Vec<&str> = ada.access.split('.').collect();
    assert_eq!(parts.len(), 3, "an access token is a JWT");
    let unsigned = {
        use base64::Engine;
        let head = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
        format!("{head}.{}.", parts[1])
    };
    let mut changed = parts[2].to_owned();
    let first = if changed.starts_with('A') { "B" } else { "A" };
    changed.replace_range(..1, first);
    let forged = [
        unsigned,
        format!("{}.{}.{changed}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        ada.refresh.clone(),
        "x".repeat(9_000),
    ];
    for token in forged {
        rest::get("/v1/me").bearer(&token).send(server.clients).await.problem(401);
    }
}
