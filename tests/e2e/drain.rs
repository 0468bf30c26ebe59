//! SIGTERM under load: every client is told to come back, nothing acknowledged is missing, the exit is clean.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::ledger::{Ledger, whole_log, write_until_the_end};
use crate::rest;
use crate::server::{Options, Server};
use crate::wire::{BOTH, Encoding};
use crate::within;

/// P42: bye and 4000 with a moment to return, then exit code 0; every acknowledged message is there afterwards.
#[tokio::test]
async fn a_drain_under_load_loses_nothing_and_tells_everybody() {
    let mut server = Options::default().limit("drain_spread", "2s").start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let group =
        a.ask("group.create", json!({"client_key": "g", "name": "g", "members": [bob.id]})).await["conv"].as_str().unwrap().to_owned();
    let mut idle = Vec::new();
    for n in 0..20 {
        idle.push(server.connect(if n % 2 == 0 { &ada } else { &bob }, BOTH[n % 2]).await);
    }
    let (sender, mut acked) = mpsc::channel(1_024);
    let mut writers = Vec::new();
    for (person, encoding, mine) in [(&ada, Encoding::Json, "a"), (&bob, Encoding::MessagePack, "b")] {
        let client = server.connect(person, encoding).await;
        let convs = vec![conv.clone(), group.clone()];
        writers.push(tokio::spawn(write_until_the_end(client, mine.to_owned(), convs, sender.clone())));
    }
    let readers: Vec<_> = idle.into_iter().map(|mut client: Client| tokio::spawn(async move { client.ended().await })).collect();
    for _ in 0..200 {
        within("messages are acknowledged", acked.recv()).await.expect("the writers write");
    }
    let status = server.terminate().await;
    assert!(status.success(), "{status}: {}", server.printed());

    let mut slots = BTreeSet::new();
    for reader in readers {
        let ended = reader.await.expect("a reader ends");
        assert_eq!(ended.code, Some(4000));
        let bye = ended.bye.expect("a bye before every close");
        assert_eq!(bye["code"], 4000, "{bye}");
        let after = bye["after_ms"].as_u64().unwrap_or_else(|| panic!("told when to return: {bye}"));
        assert!(after <= 2_000, "{bye}");
        slots.insert(after);
    }
    assert!(slots.len() > 5, "the moments to return are spread: {slots:?}");
    let mut ledger = Ledger::default();
    for writer in writers {
        ledger.absorb(writer.await.expect("a writer ends").0);
    }
    assert!(ledger.count() >= 200);

    let server = server.restart().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    ledger.settle(&mut a, "a").await;
    ledger.settle(&mut b, "b").await;
    for conv in [conv, group] {
        ledger.judge(&conv, &whole_log(&mut a, &conv).await);
    }
}

/// A drain is quick when there is nothing to do, and INT ends the server like TERM.
#[tokio::test]
async fn an_idle_server_ends_cleanly_on_both_signals() {
    let mut server = Server::start().await;
    for signal in ["TERM", "INT"] {
        let to = server.clients;
        assert_eq!(rest::get("/v1/nowhere").send(to).await.status, 404);
        server.signal(signal);
        let status = server.ended().await;
        assert!(status.success(), "{signal}: {status}");
        assert!(tokio::net::TcpStream::connect(to).await.is_err(), "nobody listens any more");
        server = server.restart().await;
    }
}
