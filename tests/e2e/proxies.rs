//! Whose address counts (H4): a header is believed from a configured proxy alone, and only its last word.

use serde_json::json;

use crate::rest;
use crate::server::{Options, Server};

/// How many logins in a row are answered otherwise than by "too often", each with this header.
async fn tries(server: &Server, header: impl Fn(usize) -> Option<(&'static str, String)>) -> usize {
    for n in 0..6 {
        let body = json!({"username": format!("nobody{n}"), "password": "wrong password"});
        let request = rest::post("/v1/login", &body);
        let request = match header(n) {
            Some((name, value)) => request.header(name, &value),
            None => request,
        };
        let answer = request.send(server.clients).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some());
            return n;
        }
        answer.problem(401);
    }
    6
}

async fn server(settings: &[(&str, &str)]) -> Server {
    let options = settings.iter().fold(Options::default(), |options, (name, value)| options.set(name, value));
    options.limit("logins_address", "3").start().await
}

/// H4: nobody gets fresh tries by making up an address.
#[tokio::test]
async fn a_made_up_address_does_not_lift_a_limit() {
    let direct = server(&[]).await;
    assert_eq!(tries(&direct, |n| Some(("x-forwarded-for", format!("203.0.113.{n}")))).await, 3, "who is no proxy is not believed");
    let direct = server(&[("PARLANCE_EDGE__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]")]).await;
    assert_eq!(tries(&direct, |n| Some(("x-forwarded-for", format!("203.0.113.{n}")))).await, 3, "the test is no proxy of this list");

    let proxied = server(&[("PARLANCE_EDGE__TRUSTED_PROXIES", "[\"127.0.0.0/8\"]")]).await;
    let made_up = |n: usize| Some(("x-forwarded-for", format!("198.51.100.{n}, 203.0.113.7")));
    assert_eq!(tries(&proxied, made_up).await, 3, "what stands before the proxy's word is made up");
    let other = |n: usize| Some(("forwarded", format!("for=198.51.100.{n}")));
    assert_eq!(tries(&proxied, other).await, 3, "the header that the proxy does not write is not looked at");
    let hops = |n: usize| Some(("x-forwarded-for", format!("198.51.100.{n}, 203.0.113.8, 127.0.0.9")));
    assert_eq!(tries(&proxied, hops).await, 3, "through two proxies");
}

/// Clients behind a proxy are told apart.
#[tokio::test]
async fn clients_behind_a_proxy_have_limits_of_their_own() {
    let proxied = server(&[("PARLANCE_EDGE__TRUSTED_PROXIES", "[\"127.0.0.1\"]")]).await;
    assert_eq!(tries(&proxied, |n| Some(("x-forwarded-for", format!("203.0.113.{n}")))).await, 6);
    assert_eq!(tries(&proxied, |_| Some(("x-forwarded-for", "203.0.113.99".to_owned()))).await, 3);
    assert_eq!(tries(&proxied, |_| Some(("x-forwarded-for", "203.0.113.98:4711".to_owned()))).await, 3);
    let settings = [("PARLANCE_EDGE__TRUSTED_PROXIES", "[\"127.0.0.1\"]"), ("PARLANCE_EDGE__PROXY_HEADER", "forwarded")];
    let proxied = server(&settings).await;
    assert_eq!(tries(&proxied, |n| Some(("forwarded", format!("for=203.0.113.{n};proto=https")))).await, 6);
    assert_eq!(tries(&proxied, |n| Some(("x-forwarded-for", format!("203.0.113.{n}")))).await, 3);
}
