//! A retry storm (G3, R18–R20): every message is sent again and again, by several users in several conversations, in any
//! order, many in flight, over stops and kills. Each is stored once, where it was first said.

use std::collections::VecDeque;

use actors::testkit::clock::SeededRandom;
use actors::time::Random;
use serde_json::json;

use crate::client::Client;
use crate::ledger::{Ledger, whole_log};
use crate::server::{Person, Server};
use crate::wire::BOTH;

/// Messages; each is sent once and then again and again.
const MESSAGES: usize = 500;
/// Resends in all.
const RESENDS: usize = 10_000;
/// Restarts among them, by turns after a stop and after a kill.
const RESTARTS: usize = 6;
/// Requests on their way on one connection.
const IN_FLIGHT: usize = 32;

struct Letter {
    author: usize,
    conv: String,
    key: String,
    text: String,
}

/// Sends letters of one author in this order; answers how many were told to be repetitions.
async fn send_all(client: &mut Client, letters: Vec<&Letter>, ledger: &mut Ledger) -> usize {
    let (mut waiting, mut repetitions) = (VecDeque::new(), 0);
    let mut letters = letters.into_iter();
    loop {
        while waiting.len() < IN_FLIGHT {
            let Some(letter) = letters.next() else { break };
            let d = json!({"conv": letter.conv, "client_key": letter.key, "body": {"text": letter.text}});
            waiting.push_back((client.send("msg.send", d).await, letter));
        }
        let Some((id, letter)) = waiting.pop_front() else { return repetitions };
        let ok = client.reply(id).await.unwrap_or_else(|refusal| panic!("{} is sent again and refused: {refusal:?}", letter.key));
        ledger.acked(&letter.conv, &letter.key, &ok);
        repetitions += usize::from(ok["dup"] == true);
    }
}

fn letters(people: &[Person], group: &str) -> Vec<Letter> {
    let letter = |n: usize| {
        let author = n % people.len();
        let other = (author + 1 + n / people.len() % (people.len() - 1)) % people.len();
        let conv = if n.is_multiple_of(3) { group.to_owned() } else { people[author].with(&people[other]) };
        Letter { author, conv, key: format!("k{n}"), text: format!("letter {n}") }
    };
    (0..MESSAGES).map(letter).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_resends_store_each_message_once() {
    let mut server = Server::start().await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve", "kim"] {
        people.push(server.sign_up(name).await);
    }
    let mut first = server.connect(&people[0], BOTH[0]).await;
    let members: Vec<u64> = people[1..].iter().map(|person| person.id).collect();
    let made = first.ask("group.create", json!({"client_key": "g", "name": "g", "members": members})).await;
    let letters = letters(&people, made["conv"].as_str().unwrap());

    let (random, mut ledger, mut repetitions) = (SeededRandom::new(3), Ledger::default(), 0);
    for round in 0..=RESTARTS {
        // The first round sends everything for the first time as well.
        let mut order: Vec<&Letter> = if round == 0 { letters.iter().collect() } else { Vec::new() };
        let more = RESENDS * (round + 1) / (RESTARTS + 1) - RESENDS * round / (RESTARTS + 1);
        order.extend((0..more).map(|_| &letters[usize::try_from(random.draw() % MESSAGES as u128).unwrap()]));
        for (author, person) in people.iter().enumerate() {
            let mut client = server.connect(person, BOTH[(author + round) % 2]).await;
            let own = order.iter().copied().filter(|letter| letter.author == author).collect();
            repetitions += send_all(&mut client, own, &mut ledger).await;
        }
        if round < RESTARTS {
            if round % 2 == 0 {
                server.kill().await;
            } else {
                assert!(server.terminate().await.success());
            }
            server = server.restart().await;
        }
    }
    assert_eq!((ledger.count(), repetitions), (MESSAGES, RESENDS), "each was new once, and a repetition every other time");

    for (author, person) in people.iter().enumerate() {
        let mut client = server.connect(person, BOTH[0]).await;
        let mut stored = 0;
        let mut convs: Vec<_> = letters.iter().filter(|letter| letter.author == author).map(|letter| letter.conv.clone()).collect();
        convs.sort();
        convs.dedup();
        for conv in convs {
            let of_conv: Vec<_> = letters.iter().filter(|letter| letter.conv == conv).collect();
            let mine = of_conv.iter().find(|letter| letter.author == author).unwrap();
            let other = json!({"conv": conv, "client_key": mine.key, "body": {"text": "another text"}});
            let refusal = client.refused("msg.send", other).await;
            assert_eq!(refusal.name, "conflict", "{refusal:?}");
            let log = whole_log(&mut client, &conv).await;
            ledger.judge(&conv, &log);
            stored += log.iter().filter(|entry| entry["kind"] == "message" && entry["from"] == person.id).count();
            assert_eq!(log.iter().filter(|entry| entry["kind"] == "message").count(), of_conv.len(), "{conv}");
        }
        assert_eq!(stored, letters.iter().filter(|letter| letter.author == author).count());
    }
}
