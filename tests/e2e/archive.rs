//! Export, import and check by the real commands: what went out comes back, from a stopped folder and from a node under
//! load, and what is not whole is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::ledger::{Ledger, whole_log, write_until_the_end};
use crate::server::{BINARY, Person, Server};
use crate::wire::{BOTH, Encoding};
use crate::within;

/// Runs a command of the binary to its end.
async fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).kill_on_drop(true);
    within(&format!("{arguments:?} ends"), command.output()).await.expect("the binary can be run")
}

async fn done(arguments: &[&str]) -> Output {
    let output = run(arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs a command that must be refused, and what it said.
async fn refused(arguments: &[&str]) -> String {
    let output = run(arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert!(said.starts_with("parlance: ") && !said.contains("panicked"), "{said}");
    said
}

async fn verdict(data: &Path) -> (Option<i32>, String) {
    let output = run(&["check", "--data", text(data)]).await;
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// The records of an export: all lines but the header and the total, which name a moment.
fn records(export: &Path) -> Vec<String> {
    let lines: Vec<_> = std::fs::read_to_string(export).expect("readable").lines().map(str::to_owned).collect();
    lines[1..lines.len() - 1].to_vec()
}

async fn log_in(server: &Server, person: &Person) -> Person {
    let tokens = server.post("/v1/login", &json!({"username": person.username, "password": person.password})).await.json(200);
    Person::new(&tokens, &person.email, &person.password)
}

struct Chat {
    server: Server,
    ada: Person,
    bob: Person,
    group: String,
    log: Vec<Value>,
}

/// A node that two people have talked on, and that was stopped.
async fn chat() -> Chat {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    for n in 0..20 {
        let body = json!({"text": format!("message {n}, \"quoted\" \u{1f642}\n\u{1}"), "data": {"n": n}});
        a.ask("msg.send", json!({"conv": conv, "client_key": format!("k{n}"), "body": body})).await;
    }
    b.ask("read", json!({"conv": conv, "seq": 7})).await;
    let group = a.ask("group.create", json!({"client_key": "g", "name": "a group", "members": [bob.id]})).await;
    let group = group["conv"].as_str().expect("a conversation").to_owned();
    b.ask("msg.send", json!({"conv": group, "client_key": "k", "body": {"text": "hello all"}})).await;
    let log = whole_log(&mut a, &conv).await;
    assert!(server.terminate().await.success());
    Chat { server, ada, bob, group, log }
}

/// Entries without the incarnation of their log.
fn without_life(mut log: Vec<Value>) -> Vec<Value> {
    for entry in &mut log {
        assert!(entry.as_object_mut().is_some_and(|fields| fields.remove("inc").is_some()), "{entry}");
    }
    log
}

fn aside(data: &Path) -> PathBuf {
    let aside = data.with_file_name("aside");
    std::fs::rename(data, &aside).expect("the folder can be moved");
    aside
}

/// G1 over a backup: everything that was stored, and clients are told to forget what they have cached.
#[tokio::test]
async fn what_was_exported_comes_back_as_it_was_in_a_new_life() {
    let Chat { server, ada, bob, group, log } = chat().await;
    let (data, out) = (server.data(), server.data().with_file_name("out.jsonl"));
    done(&["export", "--data", text(&data), "--out", text(&out)]).await;
    assert_eq!(std::fs::metadata(&out).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(refused(&["export", "--data", text(&data), "--out", text(&out)]).await.contains("exists already"));
    aside(&data);
    done(&["import", text(&out), "--data", text(&data), "--quiet"]).await;
    assert_eq!(verdict(&data).await.0, Some(0));

    let server = server.restart().await;
    let refreshed = server.post("/v1/refresh", &json!({"refresh_token": bob.refresh})).await.json(200);
    assert_eq!(refreshed["user"]["id"], bob.id, "a login goes on");
    let ada = log_in(&server, &ada).await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = ada.with(&bob);
    assert_eq!(without_life(whole_log(&mut a, &conv).await), without_life(log.clone()));
    let view = a.ask("conv.get", json!({"conv": group})).await;
    assert_eq!(view["tail"], 2, "{view}");
    let before = json!([[conv, 1, 20]]);
    let sync = a.ask("sync", json!({"convs": before})).await;
    assert_eq!(sync["convs"][0]["state"], "reset", "a cursor of the earlier life: {sync}");

    // What is written now goes on behind what was there, and a new user gets a number that nobody had.
    let sent = a.ask("msg.send", json!({"conv": conv, "client_key": "new", "body": {"text": "still here"}})).await;
    assert_eq!(sent["seq"], 21);
    let again = a.ask("msg.send", json!({"conv": conv, "client_key": "k3", "body": log[3]["body"]})).await;
    assert_eq!((&again["seq"], &again["dup"]), (&json!(4), &json!(true)), "client keys are known: {again}");
    let eve = server.sign_up("eve").await;
    assert!(eve.id > 1 << 20, "{}", eve.id);
}

/// A move: the second export is the first, byte for byte, and clients notice nothing.
#[tokio::test]
async fn a_moved_folder_is_the_same_byte_for_byte_and_goes_on_with_its_life() {
    let Chat { server, ada, bob, log, .. } = chat().await;
    let data = server.data();
    let [first, second] = ["first.jsonl", "second.jsonl"].map(|name| data.with_file_name(name));
    done(&["export", "--data", text(&data), "--out", text(&first), "--quiet"]).await;
    let aside = aside(&data);
    done(&["import", text(&first), "--data", text(&data), "--same-life", "--quiet"]).await;
    done(&["export", "--data", text(&data), "--out", text(&second), "--quiet"]).await;
    assert_eq!(records(&second).len(), records(&first).len());
    assert!(records(&second)[4..] == records(&first)[4..], "only sequences may be raised");
    // The node's secrets lie beside the store: whoever moves them too keeps access tokens as well.
    std::fs::rename(aside.join("secrets"), data.join("secrets")).expect("the secrets can be moved");
    let server = server.restart().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = ada.with(&bob);
    assert_eq!(whole_log(&mut a, &conv).await, log);
    let tail = a.ask("conv.get", json!({"conv": conv})).await;
    let sync = a.ask("sync", json!({"convs": [[conv, tail["inc"], 18]]})).await;
    assert_eq!((&sync["convs"][0]["state"], sync["convs"][0]["entries"].as_array().map(Vec::len)), (&json!("complete"), Some(2)), "{sync}");
}

/// What is not whole is refused, and the folder is as it was.
#[tokio::test]
async fn an_export_that_is_not_whole_is_refused_and_leaves_nothing() {
    let Chat { server, .. } = chat().await;
    let (data, out) = (server.data(), server.data().with_file_name("out.jsonl"));
    done(&["export", "--data", text(&data), "--out", text(&out), "--quiet"]).await;
    let bytes = std::fs::read(&out).expect("readable");
    let broken = out.with_file_name("broken.jsonl");
    let fresh = out.with_file_name("fresh");
    let mut altered = bytes.clone();
    let place = bytes.windows(9).position(|some| some == b"message 7").expect("it is there");
    altered[place] = b'M';
    let cases: [(&[u8], &str); 4] = [
        (&bytes[..bytes.len() / 2], "ends in the middle"),
        (&bytes[..bytes.len() - 1], "ends in the middle"),
        (&altered, "the section `logs`"),
        (b"hello\n", "no export of parlance"),
    ];
    for (bytes, words) in cases {
        std::fs::write(&broken, bytes).expect("written");
        let said = refused(&["import", text(&broken), "--data", text(&fresh), "--quiet"]).await;
        assert!(said.contains(words), "{said}");
        assert_eq!(std::fs::read_dir(&fresh).expect("a folder").count(), 0, "nothing is left: {said}");
    }
    // And over a folder with data: refused unless asked for, and then what was there is kept beside it.
    let before = verdict(&data).await;
    let said = refused(&["import", text(&out), "--data", text(&data), "--quiet"]).await;
    assert!(said.contains("holds data already") && said.contains("--force"), "{said}");
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).expect("written");
    refused(&["import", text(&broken), "--data", text(&data), "--force", "--quiet"]).await;
    assert_eq!(verdict(&data).await, before);
    done(&["import", text(&out), "--data", text(&data), "--force", "--quiet"]).await;
    let names: Vec<_> = std::fs::read_dir(&data).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names.iter().filter(|name| name.to_string_lossy().starts_with("store.before-")).count(), 1, "{names:?}");
    assert_eq!(verdict(&data).await.0, Some(0));
}

/// A running node gives its export while it is written to: everything acknowledged before is in it, and it is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_under_load_gives_an_export_that_is_consistent() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let convs = vec![ada.with(&bob)];
    let (sender, mut acked) = mpsc::channel(4_096);
    let mut writers = Vec::new();
    for (n, person) in [&ada, &bob].into_iter().enumerate() {
        let client = server.connect(person, BOTH[n]).await;
        writers.push(tokio::spawn(write_until_the_end(client, format!("u{n}n"), convs.clone(), sender.clone())));
    }
    drop(sender);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let (out, fresh) = (server.data().with_file_name("live.jsonl"), server.data().with_file_name("fresh"));
    let from = format!("http://{}", server.ops);
    let mut seqs = Vec::new();
    for round in 0..3 {
        for _ in 0..150 {
            within("messages are acknowledged", acked.recv()).await.expect("the writers write");
        }
        let before = a.ask("conv.get", json!({"conv": convs[0]})).await["tail"].as_u64().expect("a tail");
        let out = out.with_extension(format!("{round}.jsonl"));
        done(&["export", "--from", &from, "--out", text(&out), "--quiet"]).await;
        let entries: Vec<Value> = records(&out).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let of_chat = |entry: &&Value| entry["entry"]["log"] == convs[0].as_str();
        let found: Vec<_> = entries.iter().filter(of_chat).map(|entry| entry["entry"]["seq"].as_u64().expect("a seq")).collect();
        assert!(found.len() as u64 >= before, "{} of at least {before}", found.len());
        assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>(), "dense");
        seqs.push(found.len());
        let fresh = fresh.with_extension(round.to_string());
        let said = refused(&["import", text(&out), "--data", text(&fresh), "--same-life", "--quiet"]).await;
        assert!(said.contains("went on meanwhile"), "{said}");
        done(&["import", text(&out), "--data", text(&fresh), "--quiet"]).await;
        let (code, said) = verdict(&fresh).await;
        assert_eq!(code, Some(0), "{said}");
    }
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "the node was written to meanwhile: {seqs:?}");
    let mut server = server;
    server.kill().await;
    let mut ledger = Ledger::default();
    for writer in writers {
        ledger.absorb(writer.await.expect("a writer ends").0);
    }
    assert!(ledger.count() >= 450);
}

/// The exit code of a check is its verdict.
#[tokio::test]
async fn a_check_says_what_it_found_and_its_exit_code_is_the_verdict() {
    let Chat { mut server, .. } = chat().await;
    let (code, said) = verdict(&server.data()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("all is well") && said.contains("2 accounts"), "{said}");
    let (code, said) = verdict(&server.data().with_file_name("nowhere")).await;
    assert!(code == Some(2) && said.contains("--data"), "{said}");
    server = server.restart().await;
    let (code, said) = verdict(&server.data()).await;
    assert!(code == Some(2) && said.contains("in use by another process"), "{said}");
    for arguments in [["export", "--data"], ["import", "--data"]] {
        let data = server.data();
        let out = data.with_file_name("out.jsonl");
        let rest = if arguments[0] == "export" { ["--out", text(&out)] } else { [text(&out), "--quiet"] };
        std::fs::write(data.with_file_name("out.jsonl"), "").expect("written");
        if arguments[0] == "export" {
            std::fs::remove_file(&out).expect("removed");
        }
        let said = refused(&[&arguments[..], &[text(&data)], &rest[..]].concat()).await;
        assert!(said.contains("in use by another process"), "{said}");
    }
}
