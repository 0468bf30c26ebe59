//! Two people talk: sending, its answer, what the other sees, order, repetition, and messages that are refused.

use serde_json::{Value, json};

use crate::ledger::{Ack, whole_log};
use crate::server::Server;
use crate::wire::{BOTH, Encoding, bytes};

fn text(conv: &str, key: &str, text: &str) -> Value {
    json!({"conv": conv, "client_key": key, "body": {"text": text}})
}

/// P1, P11, P19: JSON and MessagePack in one conversation; bytes pass both ways without loss.
#[tokio::test]
async fn two_strangers_chat_in_two_encodings() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;

    let all: Vec<u8> = (0..=255).collect();
    let value =
        json!({"n": [0, -1, 9_007_199_254_740_991_u64, 0.5, null, true], "raw": bytes(&all), "deep": {"again": [bytes(&[]), "ü😀"]}});
    let first = a.ask("msg.send", json!({"conv": conv, "client_key": "a1", "body": {"text": "hello", "data": value}})).await;
    assert_eq!((&first["conv"], &first["seq"], &first["pos"], &first["dup"]), (&json!(conv), &json!(1), &json!(1), &json!(false)));
    let ack = Ack::read(&first);
    assert!(ack.id >= 4_096 && ack.at > 1_600_000_000_000, "an id above segment 0 (N2), a time in milliseconds: {first}");

    let seen = b.push("entry").await;
    assert_eq!(
        (&seen["conv"], &seen["from"], &seen["kind"], &seen["key"]),
        (&json!(conv), &json!(ada.id), &json!("message"), &json!("a1"))
    );
    assert_eq!(Ack::read(&seen), ack, "the other sees what the sender was told");
    assert_eq!((&seen["body"]["text"], &seen["body"]["data"]), (&json!("hello"), &value), "JSON to MessagePack");

    let back =
        b.ask("msg.send", json!({"conv": conv, "client_key": "b1", "body": {"data": value}, "reply_to": 1, "mentions": [ada.id]})).await;
    assert_eq!(back["seq"], 2);
    let seen = a.push("entry").await;
    assert_eq!((&seen["body"], &seen["reply_to"], &seen["mentions"]), (&json!({"data": value}), &json!(1), &json!([ada.id])));

    let (log_a, log_b) = (whole_log(&mut a, &conv).await, whole_log(&mut b, &conv).await);
    assert_eq!(log_a, log_b, "both read one log, whatever their encoding");
    assert_eq!(log_a.len(), 2);
}

/// P22: the sending connection gets only its reply; the sender's other sessions get the push.
#[tokio::test]
async fn the_senders_other_session_gets_the_push_and_the_sending_one_only_the_reply() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut phone = server.connect(&ada, Encoding::MessagePack).await;
    let mut desk = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;

    phone.ask("msg.send", text(&conv, "p1", "from the phone")).await;
    for other in [&mut desk, &mut b] {
        assert_eq!(other.push("entry").await["key"], "p1");
    }
    // The fence: whatever was pushed to the phone for its own message came before this one.
    b.ask("msg.send", text(&conv, "b1", "seen")).await;
    assert_eq!(phone.push("entry").await["key"], "b1", "its own message is not pushed to the sender");
    assert_eq!(desk.push("entry").await["key"], "b1");
    assert!(b.arrived("entry").await.is_empty());
}

/// P20, I5, G2: what is sent one behind the other stands one behind the other, for every reader.
#[tokio::test]
async fn pipelined_messages_keep_their_order() {
    const COUNT: u64 = 300;
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let mut ids = Vec::new();
    for n in 0..COUNT {
        ids.push(a.send("msg.send", text(&conv, &format!("k{n}"), &n.to_string())).await);
        // A client reads while it writes, or both ends wait for each other.
        if n % 32 == 31 {
            let early = ids.remove(0);
            a.reply(early).await.expect("sent");
        }
    }
    for id in ids {
        a.reply(id).await.expect("sent");
    }
    for n in 0..COUNT {
        let seen = b.push("entry").await;
        assert_eq!((&seen["seq"], &seen["key"]), (&json!(n + 1), &json!(format!("k{n}"))));
    }
    let log = whole_log(&mut b, &conv).await;
    let texts: Vec<_> = log.iter().map(|entry| entry["body"]["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, (0..COUNT).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// P10: an array of requests in a JSON frame, several values in a MessagePack frame; each has its own answer.
#[tokio::test]
async fn one_frame_may_hold_several_requests() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let requests: Vec<Value> =
        (0..64).map(|n| json!({"id": 1_000 + n, "op": "msg.send", "d": text(&conv, &format!("k{n}"), "x")})).collect();
    for (round, encoding) in BOTH.into_iter().enumerate() {
        let mut client = server.connect(&ada, encoding).await;
        match encoding {
            Encoding::Json => client.send_value(&Value::Array(requests.clone())).await,
            Encoding::MessagePack => client.send_bytes(requests.iter().flat_map(crate::wire::to_msgpack).collect()).await,
        }
        for n in 0..64_u32 {
            let ok = client.reply(1_000 + n).await.expect("each is answered");
            assert_eq!((ok["seq"].as_u64(), ok["dup"].as_bool()), (Some(u64::from(n) + 1), Some(round == 1)), "{ok}");
        }
        let mut many = requests.clone();
        many.push(json!({"id": 9_999, "op": "hb"}));
        match encoding {
            Encoding::Json => client.send_value(&Value::Array(many)).await,
            Encoding::MessagePack => client.send_bytes(many.iter().flat_map(crate::wire::to_msgpack).collect()).await,
        }
        client.push("error").await;
        client.ask("hb", json!({})).await;
    }
}

/// P8: without an id there is no reply, and the request is carried out.
#[tokio::test]
async fn a_request_without_an_id_is_carried_out_and_not_answered() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    a.tell("msg.send", text(&conv, "quiet", "x")).await;
    assert_eq!(b.push("entry").await["key"], "quiet");
    a.tell("msg.send", json!({"conv": conv})).await;
    a.ask("hb", json!({})).await;
}

/// G3, R18–R20: a repeated key is stored once and answered as the first time: at once, after a restart, after a kill.
#[tokio::test]
async fn a_repeated_key_is_stored_once_and_answered_as_the_first_time() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut a = server.connect(&ada, Encoding::Json).await;
    let first = Ack::read(&a.ask("msg.send", text(&conv, "key", "once")).await);

    // The same key from another sender is another key.
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    assert_eq!(b.ask("msg.send", text(&conv, "key", "bob's")).await["dup"], false);

    for round in ["at once", "after a restart", "after a kill"] {
        match round {
            "after a restart" => {
                assert!(server.terminate().await.success());
                server = server.restart().await;
            }
            "after a kill" => {
                server.kill().await;
                server = server.restart().await;
            }
            _ => {}
        }
        let mut a = server.connect(&ada, Encoding::MessagePack).await;
        let again = a.ask("msg.send", text(&conv, "key", "once")).await;
        assert_eq!((Ack::read(&again), &again["dup"]), (first.clone(), &json!(true)), "{round}");
        let refusal = a.refused("msg.send", text(&conv, "key", "another content")).await;
        assert_eq!((refusal.name.as_str(), refusal.range(), refusal.retry.as_str()), ("conflict", 4, "never"), "{round}");
        assert_eq!(whole_log(&mut a, &conv).await.len(), 2, "{round}");
    }
}

/// R20: the same key twice in flight is one message with one answer to both.
#[tokio::test]
async fn a_key_in_flight_twice_is_one_message() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let mut clients = [server.connect(&ada, Encoding::Json).await, server.connect(&ada, Encoding::MessagePack).await];
    for round in 0..20 {
        let key = format!("k{round}");
        let mut acks = Vec::new();
        let mut ids = Vec::new();
        for client in &mut clients {
            ids.push([client.send("msg.send", text(&conv, &key, "x")).await, client.send("msg.send", text(&conv, &key, "x")).await]);
        }
        for (client, ids) in clients.iter_mut().zip(ids) {
            for id in ids {
                acks.push(client.reply(id).await.expect("sent"));
            }
        }
        assert!(acks.iter().all(|ok| Ack::read(ok) == Ack::read(&acks[0])), "{acks:?}");
        assert_eq!(acks.iter().filter(|ok| ok["dup"] == false).count(), 1, "{acks:?}");
    }
    assert_eq!(whole_log(&mut clients[0], &conv).await.len(), 20);
}

/// P38, Z4: a message that is not one is refused by name, in both encodings, and the connection goes on.
#[tokio::test]
async fn a_bad_message_is_refused_by_name_and_the_connection_goes_on() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    let good = text(&conv, "k", "x");
    let with = |field: &str, value: Value| {
        let mut d = good.clone();
        d[field] = value;
        d
    };
    let cases = [
        ("conv", with("conv", json!(7))),
        ("conv", with("conv", json!(""))),
        ("conv", with("conv", json!("d2-1"))),
        ("conv", with("conv", json!("d1-1"))),
        ("conv", with("conv", json!("g"))),
        ("conv", with("conv", json!("d1-99999999999999999999"))),
        ("client_key", with("client_key", json!(""))),
        ("client_key", with("client_key", json!("x".repeat(65)))),
        ("client_key", with("client_key", json!(1))),
        ("client_key", with("client_key", Value::Null)),
        ("body", with("body", json!({}))),
        ("body", with("body", json!({"text": ""}))),
        ("body", with("body", json!({"text": 7}))),
        ("body", with("body", json!({"text": "x", "html": "y"}))),
        ("body", with("body", json!({"text": "x".repeat(32_769)}))),
        ("body", with("body", json!({"data": "x".repeat(32_769)}))),
        ("body", with("body", json!("x"))),
        ("reply_to", with("reply_to", json!(99))),
        ("reply_to", with("reply_to", json!(-1))),
        ("reply_to", with("reply_to", json!(0.5))),
        ("mentions", with("mentions", json!("ada"))),
        ("mentions", with("mentions", json!((0..101).collect::<Vec<_>>()))),
        ("priority", with("priority", json!(1))),
    ];
    for encoding in BOTH {
        let mut a = server.connect(&ada, encoding).await;
        for (field, d) in &cases {
            let refusal = a.refused("msg.send", d.clone()).await;
            assert!(matches!(refusal.range(), 4 | 5), "{d}: {refusal:?}");
            let named = refusal.field.clone().unwrap_or_default();
            assert!(
                named.contains(field) || (*field == "body" && ["text", "data", "html"].contains(&named.as_str())),
                "{field}: {refusal:?}"
            );
        }
        for missing in ["conv", "client_key", "body"] {
            let mut d = good.clone();
            d.as_object_mut().unwrap().remove(missing);
            let refusal = a.refused("msg.send", d).await;
            assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some(missing)), "{refusal:?}");
        }
        let page = a.ask("msg.history", json!({"conv": conv})).await;
        assert_eq!((&page["tail"], &page["entries"]), (&json!(0), &json!([])), "nothing was stored");
        let refusal = a.refused("msg.shout", json!({})).await;
        assert!(matches!(refusal.range(), 1 | 4), "an unknown op: {refusal:?}");
    }
    let mut a = server.connect(&ada, Encoding::Json).await;
    assert_eq!(a.ask("msg.send", with("body", json!({"text": "x".repeat(32_000)}))).await["seq"], 1, "what fits is taken");
}

/// D2: a conversation with somebody who is not there is none, and nothing is stored.
#[tokio::test]
async fn a_message_to_nobody_is_refused() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let nobody = 4_000_000_000_u64;
    let refusal = a.refused("msg.send", text(&format!("d{}-{nobody}", ada.id), "k", "x")).await;
    assert_eq!(refusal.range(), 4, "{refusal:?}");
    let foreign = server.sign_up("eve").await;
    let refusal = a.refused("msg.send", text(&bob.with(&foreign), "k", "x")).await;
    assert!(matches!(refusal.range(), 3 | 4), "somebody else's conversation is none: {refusal:?}");
    assert_eq!(a.refused("user.get", json!({"user": nobody})).await.range(), 4);
    assert_eq!(a.refused("user.find", json!({"username": "nobody"})).await.range(), 4);
    assert_eq!(a.ask("conv.list", json!({})).await["convs"], json!([]), "nothing was stored");
    let mut e = server.connect(&foreign, Encoding::Json).await;
    assert_eq!(e.ask("conv.list", json!({})).await["convs"], json!([]));
    assert_eq!(a.ask("user.get", json!({"user": bob.id})).await, json!({"id": bob.id, "username": "bob", "name": "BOB"}));
}
