//! What the twins refuse: unknown, doubled, misplaced and unfit parameters, at the limit and one beyond, without a token.

use serde_json::{Value, json};

use crate::rest::{self, Request};
use crate::server::Server;

/// P14, P38, Z4: every mistake names its field, and nothing is done.
#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let path = |rest: &str| format!("/v1/conversations/{conv}{rest}");
    let send = |body: Value| rest::with("POST", &path("/messages"), &body);
    let key = "k".repeat(65);
    let table: Vec<(Request, &str)> = vec![
        // unknown
        (rest::get("/v1/conversations?sort=name"), "sort"),
        (rest::get(&path("?verbose=1")), "verbose"),
        (rest::get("/v1/sync?wait=1"), "wait"),
        (send(json!({"client_key": "k", "body": {"text": "x"}, "is_staff": true})), "is_staff"),
        (send(json!({"client_key": "k", "body": {"text": "x", "html": "<b>"}})), "body.html"),
        (rest::with("POST", "/v1/groups", &json!({"client_key": "k", "name": "x", "owner": bob.id})), "owner"),
        (rest::with("PUT", &path("/read?seq=1"), &json!({"seq": 1})), "seq"),
        (rest::with("POST", &path("/typing"), &json!({"hold_ms": 1})), "hold_ms"),
        // twice, or in the wrong place
        (rest::get("/v1/conversations?limit=1&limit=1"), "limit"),
        (rest::get("/v1/conversations?limit=1&%6Cimit=2"), "limit"),
        (rest::get(&path(&format!("?conv={conv}"))), "conv"),
        (send(json!({"conv": conv, "client_key": "k", "body": {"text": "x"}})), "conv"),
        (rest::get(&path(&format!("?user={}", bob.id))), "user"),
        (rest::get(&path("/messages?before=2&after=1")), "after"),
        // missing
        (rest::get("/v1/users"), "username"),
        (rest::get("/v1/presence"), "users"),
        (rest::with("PUT", &path("/read"), &json!({})), "seq"),
        (rest::raw("PUT", &path("/read")), "seq"),
        (send(json!({"client_key": "k"})), "body"),
        (rest::raw("DELETE", &path("/members/9")), "client_key"),
        // of the wrong form
        (rest::get("/v1/users/x"), "user"),
        (rest::get("/v1/users/0"), "user"),
        (rest::get("/v1/users/01"), "user"),
        (rest::get("/v1/users/9007199254740992"), "user"),
        (rest::get("/v1/conversations/d2-1"), "conv"),
        (rest::get("/v1/conversations/d1%2D2%20"), "conv"),
        (rest::get("/v1/conversations?limit=0"), "limit"),
        (rest::get("/v1/conversations?limit=1.0"), "limit"),
        (rest::get("/v1/conversations?limit="), "limit"),
        (rest::get(&format!("/v1/conversations?cursor={}", "c".repeat(257))), "cursor"),
        (rest::get("/v1/presence?users=1,x"), "users[1]"),
        (rest::get("/v1/presence?users=1,,2"), "users[1]"),
        (rest::get("/v1/sync?user=3"), "user"),
        (rest::get("/v1/sync?user=3.4.5"), "user"),
        (rest::get("/v1/sync?convs=d1-2.1"), "convs[0]"),
        (rest::get("/v1/sync?convs=g1.1.1,g1.1.2"), "convs[1]"),
        (rest::get("/v1/sync?wait_ms=30001"), "wait_ms"),
        (rest::get("/v1/sync?wait_ms=-1"), "wait_ms"),
        (rest::get("/v1/sync?wait_ms=%2B1"), "wait_ms"),
        (rest::with("PUT", &path("/read"), &json!({"seq": 0})), "seq"),
        (rest::with("PUT", &path("/read"), &json!({"seq": 1.5})), "seq"),
        (send(json!({"client_key": key, "body": {"text": "x"}})), "client_key"),
        (send(json!({"client_key": "", "body": {"text": "x"}})), "client_key"),
    ];
    for (request, field) in table {
        let what = format!("{request:?}");
        let problem = request.bearer(&ada.access).send(server.clients).await.problem(400);
        assert_eq!((&problem["name"], &problem["field"]), (&json!("validation"), &json!(field)), "{what}: {problem}");
    }
    assert_eq!(rest::get(&path("")).bearer(&ada.access).send(server.clients).await.json(200)["tail"], 0, "nothing was stored");
}

/// H2, H6: what is no request at all.
#[tokio::test]
async fn what_is_no_request_is_refused_with_its_status() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let to = server.clients;
    let ask = async |request: Request| request.bearer(&ada.access).send(to).await;
    let body = |text: &str| rest::raw("POST", "/v1/groups").header("content-type", "application/json").body(text.as_bytes().to_vec());
    for text in ["{", "[]", "null", "\"x\"", "{} {}", "{\"name\":\"a\",\"name\":\"b\"}", "{\"name\":\"\\ud800\"}"] {
        assert_eq!(ask(body(text)).await.problem(400)["name"], "malformed", "{text}");
    }
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(32), "]".repeat(32));
    assert_eq!(ask(body(&deep)).await.problem(400)["name"], "malformed");
    assert_eq!(ask(rest::with("DELETE", "/v1/conversations/g1/members/1", &json!({}))).await.problem(400)["name"], "malformed");
    assert_eq!(ask(rest::with("GET", "/v1/conversations", &json!({}))).await.problem(400)["name"], "malformed");
    for path in ["/v1/conversations/%ff", "/v1/conversations?cursor=%ff", "/v1/conversations?cursor=%4", "/v1/conversations?cursor=%zz"] {
        assert_eq!(ask(rest::get(path)).await.problem(400)["name"], "malformed", "{path}");
    }
    ask(rest::raw("POST", "/v1/groups").header("content-type", "text/plain").body(b"{}".to_vec())).await.problem(415);
    ask(rest::raw("POST", "/v1/groups").body(b"{}".to_vec())).await.problem(415);
    for path in ["/v1/users/1/", "/v1/conversations/g1/", "/v1/groups/1", "/v1/users/1/2/3"] {
        ask(rest::get(path)).await.problem(404);
    }
    let wrong = ask(rest::raw("DELETE", "/v1/conversations/g1/messages")).await;
    wrong.problem(405);
    let mut allowed: Vec<_> = wrong.header("allow").expect("it names what it takes").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    ask(rest::with("POST", "/v1/groups", &json!({"name": "x".repeat(262_144)}))).await.problem(413);
    // At the limit, and one beyond.
    let group = |name: String, key: &str| rest::with("POST", "/v1/groups", &json!({"client_key": key, "name": name}));
    ask(group("x".repeat(255), "a")).await.json(201);
    assert_eq!(ask(group("x".repeat(256), "b")).await.problem(400)["field"], "name");
    ask(rest::get("/v1/sync?wait_ms=0")).await.json(200);
    let many: Vec<_> = (1..=501).map(|group| format!("g{group}.0.0")).collect();
    let cursors: Vec<_> = (1..=501).map(|group| json!([format!("g{group}"), 0, 0])).collect();
    assert_eq!(ask(rest::get(&format!("/v1/sync?convs={}", many.join(",")))).await.problem(413)["field"], "convs");
    assert_eq!(ask(rest::with("POST", "/v1/sync", &json!({"convs": cursors}))).await.problem(413)["field"], "convs");
    ask(rest::with("POST", "/v1/sync", &json!({"convs": cursors[..500]}))).await.json(200);
}

/// Z1, Z2: nothing is answered without a token, and other people's conversations answer like absent ones.
#[tokio::test]
async fn nothing_is_answered_to_strangers_and_outsiders() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let conv = ada.with(&bob);
    let message = json!({"client_key": "k", "body": {"text": "x"}});
    rest::with("POST", &format!("/v1/conversations/{conv}/messages"), &message).bearer(&ada.access).send(server.clients).await.json(201);
    let group = json!({"client_key": "g", "name": "two", "members": [bob.id]});
    let group = rest::with("POST", "/v1/groups", &group).bearer(&ada.access).send(server.clients).await.json(201);
    let group = group["conv"].as_str().expect("an id").to_owned();

    let document = rest::get("/v1/openapi.json").send(server.clients).await.json(200);
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            if operation["x-op"].is_null() {
                continue;
            }
            let path = path.replace("{conv}", &conv).replace("{user}", &bob.id.to_string());
            let method = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|known| known.eq_ignore_ascii_case(method));
            let method = method.expect("a known method");
            let answer = rest::raw(method, &path).send(server.clients).await;
            assert_eq!(answer.problem(401)["name"], "unauthenticated", "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            let forged = rest::raw(method, &path).bearer("a.b.c").send(server.clients).await;
            assert_eq!(forged.problem(401)["name"], "invalid_token", "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked >= 17, "every twin was asked: {asked}");

    let absent = "g9007199254740991";
    for (method, rest_of, body) in [
        ("GET", "", None),
        ("GET", "/messages", None),
        ("POST", "/messages", Some(message)),
        ("PUT", "/read", Some(json!({"seq": 1}))),
        ("PUT", "/delivered", Some(json!({"seq": 1}))),
    ] {
        let mut seen = Vec::new();
        for conv in [&conv, &group, absent] {
            let path = format!("/v1/conversations/{conv}{rest_of}");
            let request = body.as_ref().map_or_else(|| rest::raw(method, &path), |body| rest::with(method, &path, body));
            let mut problem = request.bearer(&eve.access).send(server.clients).await.problem(404);
            problem["ref"] = json!("");
            seen.push(problem);
        }
        assert!(seen.iter().all(|problem| *problem == seen[0]), "{method} {rest_of}: {seen:?}");
    }
}
