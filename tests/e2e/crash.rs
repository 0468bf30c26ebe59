//! kill -9 of the server under load, round after round: nothing acknowledged is lost, nothing is doubled, logs are dense.

use serde_json::json;
use tokio::sync::mpsc;

use crate::ledger::{Ledger, whole_log, write_until_the_end};
use crate::server::{Person, Server};
use crate::wire::{BOTH, Encoding};
use crate::within;

const ROUNDS: usize = 5;
/// Acknowledgements between the start of a round's load and the kill; varied, so that kills fall at different moments.
const ACKS: [usize; ROUNDS] = [150, 403, 211, 298, 347];

/// G1, G2, G3, I12: direct conversations and a group, several writers with messages in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_lost_nothing_that_it_acknowledged() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let people = [&ada, &bob, &eve];
    let mut a = server.connect(&ada, Encoding::Json).await;
    let group = a.ask("group.create", json!({"client_key": "g", "name": "g", "members": [bob.id, eve.id]})).await;
    let group = group["conv"].as_str().unwrap().to_owned();
    let convs = [ada.with(&bob), ada.with(&eve), bob.with(&eve), group];
    drop(a);

    let mut ledger = Ledger::default();
    for (round, acks) in ACKS.into_iter().enumerate() {
        let (sender, mut acked) = mpsc::channel(4_096);
        let mut writers = Vec::new();
        for (n, person) in people.into_iter().enumerate() {
            let client = server.connect(person, BOTH[(n + round) % 2]).await;
            let mine = convs.iter().filter(|conv| is_of(conv, person)).cloned().collect();
            writers.push(tokio::spawn(write_until_the_end(client, format!("u{}r{round}n", person.id), mine, sender.clone())));
        }
        drop(sender);
        for _ in 0..acks {
            within("messages are acknowledged", acked.recv()).await.expect("the writers write");
        }
        server.kill().await;
        for writer in writers {
            ledger.absorb(writer.await.expect("a writer ends").0);
        }
        server = server.restart().await;
        // First as it was found, then with everything unanswered sent again.
        judge(&server, &people, &convs, &ledger).await;
        for person in people {
            let mut client = server.connect(person, Encoding::MessagePack).await;
            ledger.settle(&mut client, &format!("u{}r", person.id)).await;
        }
        judge(&server, &people, &convs, &ledger).await;
    }
    assert!(ledger.count() >= ACKS.iter().sum(), "{}", ledger.count());
}

fn is_of(conv: &str, person: &Person) -> bool {
    conv.starts_with('g') || conv[1..].split('-').any(|part| part == person.id.to_string())
}

async fn judge(server: &Server, people: &[&Person; 3], convs: &[String], ledger: &Ledger) {
    for conv in convs {
        let reader = people.iter().find(|person| is_of(conv, person)).expect("a conversation has members");
        let mut client = server.connect(reader, Encoding::Json).await;
        ledger.judge(conv, &whole_log(&mut client, conv).await);
    }
}

/// P21: who was cut off mid-send asks again with the key and learns the one result.
#[tokio::test]
async fn a_send_cut_off_by_a_kill_is_settled_by_its_key() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    for round in 0..3 {
        let mut a = server.connect(&ada, Encoding::Json).await;
        let d = json!({"conv": conv, "client_key": format!("k{round}"), "body": {"text": "x"}});
        let id = a.send("msg.send", d.clone()).await;
        server.kill().await;
        let answered = a.reply_or_end(id).await;
        server = server.restart().await;
        let mut a = server.connect(&ada, Encoding::Json).await;
        let ok = a.ask("msg.send", d).await;
        if let Some(Ok(before)) = answered {
            assert_eq!((&ok["seq"], &ok["id"], &ok["dup"]), (&before["seq"], &before["id"], &json!(true)));
        }
        assert_eq!(whole_log(&mut a, &conv).await.len(), round + 1);
    }
}
