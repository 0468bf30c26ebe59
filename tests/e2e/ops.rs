//! The operators' listener: health, readiness, metrics; and that clients do not reach it.

use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::rest;
use crate::server::Server;
use crate::wire::Encoding;

/// OM1–OM8: health, readiness, and a metrics page without fault that counts what happened.
#[tokio::test]
async fn health_readiness_and_metrics_are_served() {
    let server = Server::start().await;
    assert_eq!(server.ops("/healthz").await.status, 200);
    assert_eq!(server.ops("/readyz").await.status, 200);
    assert_eq!(server.ops("/nowhere").await.status, 404);

    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    for n in 0..3 {
        a.ask("msg.send", json!({"conv": ada.with(&bob), "client_key": format!("k{n}"), "body": {"text": "x"}})).await;
        b.push("entry").await;
    }
    a.refused("msg.send", json!({"conv": "nowhere"})).await;
    server.post("/v1/login", &json!({"username": "ada", "password": "wrong password"})).await.problem(401);

    let page = server.ops("/metrics").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{:?}", page.headers);
    let text = page.text();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        assert!(line.starts_with("parlance_") || line.starts_with("process_"), "{line}");
        assert!(!line.contains("ada") && !line.contains("127.0.0.1"), "no user and no address is a label: {line}");
    }
    check(&text).await;

    for path in ["/metrics", "/healthz", "/readyz"] {
        rest::get(path).send(server.clients).await.problem(404);
    }
    let answer = rest::get("/v1/me").bearer(&ada.access).send(server.ops).await;
    assert_eq!(answer.status, 404, "and the operators' listener serves no clients");
}

/// OD6: the exposition format by the judge of those who read it.
async fn check(page: &str) {
    let promtool = tokio::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut promtool = promtool.unwrap_or_else(|error| {
        panic!("promtool cannot be run ({error}): install the Debian package `prometheus`, which brings it, and run the test again")
    });
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin.write_all(page.as_bytes()).await.expect("promtool reads");
    drop(stdin);
    let verdict = crate::within("promtool judges", promtool.wait_with_output()).await.expect("promtool ends");
    let said = String::from_utf8_lossy(&verdict.stdout).into_owned() + &String::from_utf8_lossy(&verdict.stderr);
    assert!(verdict.status.success() && said.trim().is_empty(), "{}: {said}", verdict.status);
}
