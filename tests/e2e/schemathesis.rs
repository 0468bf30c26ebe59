//! H7: the OpenAPI document against the real server, by schemathesis: no mistake of the server, every answer as described,
//! wrong data refused, authentication never ignored; at least twenty requests of every operation.
//!
//! Needs Python 3.10 or later with its venv module; schemathesis is installed by `tests/schemathesis/requirements.txt`, as
//! pinned there, into a folder beside the build.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::rest;
use crate::server::Options;

/// They would end the login with which everything else is asked: schemathesis takes the names that one answer tells for
/// the next request. They stay in the document, so that nobody tries them as methods that the path does not take.
const ENDING: [&str; 2] = ["login.end_all", "login.end"];
/// Requests of each operation, at least.
const EXAMPLES: u64 = 20;
/// That data of the right form is accepted is not among them: rules over two fields are in no schema.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,ignored_auth,unsupported_method";

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be run ({error}): install Python 3.10 or later with its venv module, and run the test again")
    })
}

fn done(command: &mut Command) {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// The program, installed as pinned.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/requirements.txt");
    let wanted = fs::read(&pinned).expect("the requirements");
    let note = folder.join("installed.txt");
    if fs::read(&note).ok().as_ref() != Some(&wanted) {
        done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        done(
            Command::new(folder.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&pinned),
        );
        fs::write(&note, &wanted).expect("noted");
    }
    folder.join("bin/schemathesis")
}

/// The document less what cannot be asked this way: the socket's handshake, the stream that does not end, and the two
/// of tokens in bodies. Ids are those of people and groups that are there, one
/// in two, so that answers are good ones as well.
fn asked(document: &Value, people: &[u64], convs: &[String]) -> Value {
    let mut document = document.clone();
    let paths = document["paths"].as_object_mut().expect("paths");
    for path in ["/v1/ws", "/v1/events", "/v1/logout", "/v1/refresh"] {
        assert!(paths.remove(path).is_some(), "{path}");
    }
    for operation in paths.values_mut().flat_map(|item| item.as_object_mut().expect("methods").values_mut()) {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            let known = match parameter["name"].as_str() {
                Some("user") if parameter["in"] == "path" => json!(people),
                Some("conv") => json!(convs),
                _ => continue,
            };
            parameter["examples"] = known.as_array().expect("a list").iter().enumerate().map(example).collect();
        }
    }
    document
}

fn example((index, value): (usize, &Value)) -> (String, Value) {
    (format!("known{index}"), json!({ "value": value }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_holds_for_whatever_is_asked() {
    // Neither waiting for news nor how much one user may ask at once is judged here.
    let options = Options::default().limit("rest_wait", "200ms").limit("rest_in_flight_user", "1000").limit("sessions_user", "1000");
    let server = options.start().await;
    let (ada, bob) = server.two().await;
    let ask = async |path: &str, body: Value| rest::with("POST", path, &body).bearer(&ada.access).send(server.clients).await.json(201);
    let group = ask("/v1/groups", json!({"client_key": "g", "name": "Rowing", "members": [bob.id]})).await;
    let convs = [ada.with(&bob), group["conv"].as_str().expect("an id").to_owned()];
    for conv in &convs {
        ask(&format!("/v1/conversations/{conv}/messages"), json!({"client_key": "k", "body": {"text": "hello", "data": [1, null]}})).await;
    }
    let document = rest::get("/v1/openapi.json").send(server.clients).await.json(200);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openapi.json");
    let document = asked(&document, &[ada.id, bob.id], &convs);
    fs::write(&file, document.to_string()).expect("written");

    let program = tokio::task::spawn_blocking(installed).await.expect("installed");
    let judge = async |only: &[&str], seed: u32| {
        let mut command = Command::new(&program);
        command
            .arg("--config-file")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/schemathesis.toml"))
            .args(["run", "openapi.json", "--no-color", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
            .args(["--url", &format!("http://{}", server.clients), "--header", &format!("Authorization: Bearer {}", ada.access)])
            .args([
                "--max-examples",
                &EXAMPLES.to_string(),
                "--seed",
                &seed.to_string(),
                "--workers",
                "1", // two stumble over one another in CPython 3.11's parser
                "--continue-on-failure",
                "--no-shrink",
            ])
            .args(["--suppress-health-check", "all", "--warnings", "off"])
            .args(ENDING.iter().flat_map(|id| ["--exclude-operation-id", id]))
            .args(["--report", "ndjson", "--report-ndjson-path", "report.ndjson"])
            .args(only.iter().flat_map(|path| ["--include-path", path]))
            .current_dir(folder.path());
        let verdict = tokio::task::spawn_blocking(move || run(&mut command)).await.expect("no panic");
        let said = String::from_utf8_lossy(&verdict.stdout).into_owned() + &String::from_utf8_lossy(&verdict.stderr);
        (verdict.status.success(), said.replace(&ada.access, "<token>"))
    };
    // Where there is little to vary, few requests are left when doubles are; those paths are asked again from other seeds.
    let (mut counts, mut seed, mut short) = (BTreeMap::new(), 1, Vec::new());
    while seed == 1 || (!short.is_empty() && seed <= 4) {
        let (good, said) = judge(&short, seed).await;
        assert!(good, "{said}");
        count(&fs::read_to_string(folder.path().join("report.ndjson")).expect("a report"), &mut counts);
        short = asked_too_seldom(&document, &counts);
        seed += 1;
    }
    assert!(short.is_empty(), "{short:?} were asked too seldom: {counts:?}");

    // The judge judges: a document that claims what is not so is found out.
    let mut wrong = document.clone();
    wrong["paths"]["/v1/asyncapi.json"]["get"]["security"] = json!([{"bearer": []}]);
    wrong["paths"]["/v1/conversations"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] =
        json!({"required": ["nothing"]});
    fs::write(&file, wrong.to_string()).expect("written");
    for (path, fault) in
        [("/v1/asyncapi.json", "accepts requests without authentication"), ("/v1/conversations", "Response violates schema")]
    {
        let (good, said) = judge(&[path], 1).await;
        assert!(!good && said.contains(fault), "{path}: {said}");
    }
    assert!(server.metric("parlance_actor_failures_total").await < 0.5, "no actor died");
    let text = server.ops("/metrics").await.text();
    assert!(text.contains("parlance_edge_requests_total{status=\"500\"} 0"), "no mistake of the server");
}

/// The paths of operations that were not asked often enough.
fn asked_too_seldom<'d>(document: &'d Value, counts: &BTreeMap<String, u64>) -> Vec<&'d str> {
    let mut short = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys().filter(|method| ENDING.iter().all(|id| item[*method]["operationId"] != *id))
        {
            let asked = counts.get(&format!("{} {path}", method.to_uppercase())).copied().unwrap_or_default();
            // Without a parameter there is nothing to vary.
            let varies = !item[method]["parameters"].is_null() || !item[method]["requestBody"].is_null();
            if asked < if varies { EXAMPLES } else { 1 } {
                short.push(path.as_str());
            }
        }
    }
    short.dedup();
    short
}

/// Counts the requests of a report by operation.
fn count(report: &str, counts: &mut BTreeMap<String, u64>) {
    for line in report.lines() {
        let event: Value = serde_json::from_str(line).expect("a report of JSON lines");
        let finished = &event["ScenarioFinished"];
        let label = finished["recorder"]["label"].as_str().unwrap_or_default().to_owned();
        let cases = finished["recorder"]["cases"].as_object().map_or(0, |cases| cases.len() as u64);
        *counts.entry(label).or_default() += cases;
    }
}
