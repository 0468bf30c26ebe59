//! Pages of other origins (H5): who may read an answer, on every answer, and preflights before anything else.

use serde_json::json;

use crate::rest::{self, Answer, Request};
use crate::server::{Options, Server};

/// A request with a token at hand.
type Asked = fn(&str) -> Request;

const LISTED: &str = "https://app.example.com";

/// What the browser is told: the origin that may read, whether with credentials.
fn allowed(answer: &Answer) -> (Option<&str>, Option<&str>) {
    assert!(answer.headers.iter().any(|(name, value)| name == "vary" && value.contains("Origin")), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
    (answer.header("access-control-allow-origin"), answer.header("access-control-allow-credentials"))
}

fn preflight(path: &str, origin: &str) -> Request {
    rest::raw("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, content-type, idempotency-key")
}

/// H5: every kind of answer, of every kind of path, with each kind of origin.
#[tokio::test]
async fn a_listed_origin_is_named_on_every_answer_and_no_other_is() {
    let server = Options::default().set("PARLANCE_EDGE__ORIGINS", &format!("[\"{LISTED}\"]")).start().await;
    let ada = server.sign_up("ada").await;
    let requests: [(&str, Asked, u16); 8] = [
        ("an answer", |token| rest::get("/v1/conversations").bearer(token), 200),
        ("a refusal of a field", |token| rest::get("/v1/conversations?limit=0").bearer(token), 400),
        ("a refusal of a token", |_| rest::get("/v1/me"), 401),
        ("something new", |token| rest::with("POST", "/v1/groups", &json!({"client_key": "k", "name": "x"})).bearer(token), 201),
        ("nothing there", |_| rest::get("/v1/nowhere"), 404),
        ("a wrong method", |_| rest::raw("DELETE", "/v1/login"), 405),
        ("not JSON", |token| rest::raw("POST", "/v1/groups").bearer(token).body(b"{}".to_vec()), 415),
        ("a document", |_| rest::get("/v1/openapi.json"), 200),
    ];
    for (what, request, status) in requests {
        let answer = request(&ada.access).header("origin", LISTED).send(server.clients).await;
        assert_eq!((answer.status, allowed(&answer)), (status, (Some(LISTED), Some("true"))), "{what}");
        assert!(answer.header("access-control-expose-headers").is_some_and(|names| names.contains("retry-after")), "{what}");
        for stranger in ["null", "https://app.example.com.evil", "https://evil.app.example.com", "http://app.example.com", "*"] {
            let answer = request(&ada.access).header("origin", stranger).send(server.clients).await;
            assert_eq!(allowed(&answer), (None, None), "{what} for {stranger}");
        }
        let answer = request(&ada.access).send(server.clients).await;
        assert_eq!(allowed(&answer), (None, None), "{what} without an origin");
    }
}

/// H5: a preflight is answered without a token, for paths that need one too.
#[tokio::test]
async fn a_preflight_is_answered_before_authentication() {
    let server = Options::default().set("PARLANCE_EDGE__ORIGINS", &format!("[\"{LISTED}\"]")).start().await;
    for path in ["/v1/conversations/d1-2/messages", "/v1/login", "/v1/me", "/v1/events", "/v1/nowhere"] {
        let answer = preflight(path, LISTED).send(server.clients).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        assert_eq!(allowed(&answer), (Some(LISTED), Some("true")), "{path}");
        let said = |name: &str| answer.header(name).unwrap_or_default().to_lowercase();
        assert!(["get", "post", "put", "delete"].iter().all(|method| said("access-control-allow-methods").contains(method)), "{path}");
        for header in ["authorization", "content-type", "idempotency-key"] {
            assert!(said("access-control-allow-headers").contains(header), "{path}");
        }
        let refused = preflight(path, "https://evil.example").send(server.clients).await;
        assert_eq!(refused.problem(403)["name"], "origin_refused", "{path}");
        assert_eq!(allowed(&refused), (None, None), "{path}");
    }
    // What is no preflight goes the way of any request.
    rest::raw("OPTIONS", "/v1/me").send(server.clients).await.problem(405);
}

/// With no list any page may read, and none brings credentials.
#[tokio::test]
async fn without_a_list_any_page_may_read_and_none_brings_credentials() {
    let server = Server::start().await;
    let answer = rest::get("/v1/me").header("origin", "https://anything.example").send(server.clients).await;
    assert_eq!((answer.status, allowed(&answer)), (401, (Some("*"), None)));
    let answer = preflight("/v1/me", "https://anything.example").send(server.clients).await;
    assert_eq!((answer.status, allowed(&answer)), (204, (Some("*"), None)));
}
