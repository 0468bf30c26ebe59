//! Nonsense: bytes, mutated frames, frames of the wrong kind or size. The server lives, the connection's other work goes
//! on, nothing is half-done, and no answer blames the server.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

use crate::client::Client;
use crate::dice::Dice;
use crate::ledger::whole_log;
use crate::rest;
use crate::server::{Options, Person, Server};
use crate::wire::{BOTH, Encoding};

/// Well-formed requests of every op, as the stuff that mutations are made of.
fn samples(conv: &str, other: &Person) -> Vec<Value> {
    let requests = [
        ("msg.send", json!({"conv": conv, "client_key": "key", "body": {"text": "hello", "data": {"n": [1, 2.5, null]}}, "reply_to": 1})),
        ("msg.history", json!({"conv": conv, "before": 5, "limit": 3})),
        ("conv.get", json!({"user": other.id})),
        ("conv.list", json!({"limit": 2})),
        ("group.members", json!({"conv": "g12", "after": 1})),
        ("user.find", json!({"username": "bob"})),
        ("read", json!({"conv": conv, "seq": 1})),
        ("delivered", json!({"conv": conv, "seq": 1})),
        ("typing", json!({"conv": conv})),
        ("presence.watch", json!({"users": [other.id, 3, 4]})),
        ("sync", json!({"user": [1, 2], "convs": [[conv, 1, 0], ["g7", 1, 1]]})),
        ("hb", json!({"s": 3})),
    ];
    (1..).zip(requests).map(|(id, (op, d))| json!({"id": id, "op": op, "d": d})).collect()
}

/// Changes bytes of a valid frame: flips, cuts, repeats, inserts.
fn mutate(dice: &mut Dice, frame: &mut Vec<u8>) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(frame.len());
        match dice.below(5) {
            0 if !frame.is_empty() => frame[at] ^= 1 << dice.below(8),
            1 => frame.truncate(at),
            2 => frame.splice(at..at, dice.bytes(3)).for_each(drop),
            3 if !frame.is_empty() => frame[at] = dice.bytes(1)[0],
            _ => {
                let copy = frame[at..].to_vec();
                frame.extend(copy);
                frame.truncate(8_000);
            }
        }
    }
}

/// P14: two thousand mutated frames in each encoding; after each one the connection answers.
#[tokio::test]
async fn mutated_frames_are_answered_and_the_connection_goes_on() {
    const ROUNDS: u32 = 2_000;
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    for (seed, encoding) in (1..).zip(BOTH) {
        let samples = samples(&conv, &bob);
        let mut dice = Dice::new(seed);
        let mut a = server.connect(&ada, encoding).await;
        a.repeats_numbers = true;
        a.ask("msg.send", json!({"conv": conv, "client_key": format!("{encoding:?}"), "body": {"text": "good"}})).await;
        for round in 0..ROUNDS {
            let mut frame = encoding.encode(&samples[dice.below(samples.len())]);
            mutate(&mut dice, &mut frame);
            // JSON frames are text; what is not UTF-8 cannot be sent as such by any client, so it is made UTF-8 here.
            if encoding == Encoding::Json {
                frame = String::from_utf8_lossy(&frame).into_owned().into_bytes();
            }
            a.send_bytes(frame.clone()).await;
            let id = 3_000_000_000 + round;
            a.send_value(&json!({"id": id, "op": "hb"})).await;
            let reply = a.reply_or_end(id).await;
            assert!(reply.is_some_and(|reply| reply.is_ok()), "after {:?} ({frame:?})", String::from_utf8_lossy(&frame));
            a.forget();
        }
        let log = whole_log(&mut a, &conv).await;
        assert!(log.iter().all(|entry| entry["kind"] == "message" && entry["from"] == ada.id), "a mutation is at most a message");
    }
    assert_eq!(server.metric("parlance_actor_failures_total").await.to_string(), "0", "no actor died of it");
    assert!(!server.printed().contains("panicked"), "{}", server.printed());
}

/// P14: random bytes, in frames of both kinds.
#[tokio::test]
async fn random_bytes_are_refused_and_ten_in_a_row_end_the_connection() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut dice = Dice::new(7);
    for encoding in BOTH {
        let mut a = server.connect(&ada, encoding).await;
        for _ in 0..200 {
            let len = dice.below(300) + 1;
            let mut bytes = dice.bytes(len);
            // 0xc1 is no MessagePack, "]" no JSON: the frame cannot be a request by chance.
            bytes[0] = if encoding == Encoding::Json { b']' } else { 0xc1 };
            if encoding == Encoding::Json {
                bytes = String::from_utf8_lossy(&bytes).into_owned().into_bytes();
            }
            a.send_bytes(bytes).await;
            let error = a.push("error").await;
            assert!(matches!(error["code"].as_u64().map(|code| code / 1_000), Some(1 | 4)), "{error}");
            a.ask("hb", json!({})).await;
        }
        for _ in 0..10 {
            a.send_bytes(if encoding == Encoding::Json { b"]".to_vec() } else { vec![0xc1] }).await;
        }
        let ended = a.ended().await;
        assert_eq!((ended.code, &ended.bye.expect("a bye before every close")["code"]), (Some(4204), &json!(4204)));
    }
}

/// P14: well-formed values that are no requests, one by one; and requests that are, among them.
#[tokio::test]
async fn values_that_are_no_requests_are_refused() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let values = [
        json!(null),
        json!(7),
        json!("hb"),
        json!([]),
        json!({}),
        json!({"id": 1}),
        json!({"id": 1, "op": 7}),
        json!({"id": -1, "op": "hb"}),
        json!({"id": 1.5, "op": "hb"}),
        json!({"id": 4_294_967_296_u64, "op": "hb"}),
        json!({"id": "1", "op": "hb"}),
        json!({"id": 1, "op": "hb", "d": []}),
        json!({"id": 1, "op": "hb", "d": {}, "x": 1}),
        json!({"id": 1, "op": "hb", "d": {"x": 1}}),
        json!({"id": 1, "op": "hb", "d": deep}),
        json!({"id": 1, "ok": {}}),
        json!({"ev": "entry", "d": {}}),
    ];
    for encoding in BOTH {
        let mut a = server.connect(&ada, encoding).await;
        for value in &values {
            a.send_value(value).await;
            // The id may have been readable: then the refusal is a reply to it, otherwise it is a push.
            a.ask_fence().await;
            assert!(a.took_a_refusal(1), "{encoding:?}: {value} is refused");
        }
    }
    let mut a = server.connect(&ada, Encoding::Json).await;
    let texts = [
        r#"{"id":1,"id":2,"op":"hb"}"#,
        r#"{"id":1,"op":"hb","d":{"s":1,"s":2}}"#,
        r#"{"id":1,"op":"user.find","d":{"username":"\ud800"}}"#,
        r#"{"id":1,"op":"hb"} {"id":2,"op":"hb"}"#,
        r#"{"id":1,"op":"hb"}x"#,
        r#"{"id":01,"op":"hb"}"#,
        "",
        " ",
        "\u{feff}{\"id\":1,\"op\":\"hb\"}",
    ];
    for text in texts {
        a.send_message(Message::Text(text.into())).await;
        a.ask_fence().await;
        assert!(a.took_a_refusal(1), "{text:?} is refused");
    }
    let mut a = server.connect(&ada, Encoding::MessagePack).await;
    let frames: [&[u8]; 5] =
        [&[], &[0xdf, 0xff, 0xff, 0xff, 0xff], &[0x82, 0xa2, b'i', b'd', 1, 0xa2, b'i', b'd', 2], &[0xd4, 1, 0], &[0x81, 1, 1]];
    for frame in frames {
        a.send_message(Message::Binary(frame.to_vec().into())).await;
        a.ask_fence().await;
        assert!(a.took_a_refusal(1), "{frame:?} is refused");
    }
}

/// A frame of the wrong kind is refused like any other that cannot be decoded.
#[tokio::test]
async fn a_binary_frame_on_a_json_socket_is_refused() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let request = json!({"id": 1, "op": "hb"});
    let mut a = server.connect(&ada, Encoding::Json).await;
    a.send_message(Message::Binary(request.to_string().into_bytes().into())).await;
    a.push("error").await;
    a.ask("hb", json!({})).await;
    let mut a = server.connect(&ada, Encoding::MessagePack).await;
    a.send_message(Message::Text(request.to_string().into())).await;
    a.push("error").await;
    a.ask("hb", json!({})).await;
}

/// W3: a frame above the limit ends the connection with 1009, and no other.
#[tokio::test]
async fn a_frame_above_the_limit_ends_the_connection() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    for encoding in BOTH {
        let mut a = server.connect(&ada, encoding).await;
        let mut b = server.connect(&bob, encoding).await;
        a.tell("user.find", json!({"username": "x".repeat(65_600)})).await;
        let ended = a.ended().await;
        assert!(ended.code == Some(1009), "{encoding:?}: {ended:?}");
        b.ask("hb", json!({})).await;
    }
}

/// W3, W4: fragments make one message; pings between them are answered; too many bytes in fragments are too many.
#[tokio::test]
async fn fragmented_frames_are_one_message() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for encoding in BOTH {
        let mut a = server.connect(&ada, encoding).await;
        let request = encoding.encode(&json!({"id": 77, "op": "user.find", "d": {"username": "ada"}}));
        let first = if encoding == Encoding::Json { Data::Text } else { Data::Binary };
        let count = request.len();
        for (n, byte) in request.into_iter().enumerate() {
            let kind = if n == 0 { first } else { Data::Continue };
            a.send_message(Message::Frame(Frame::message(vec![byte], OpCode::Data(kind), n + 1 == count))).await;
            if n == 1 {
                a.send_message(Message::Ping(Vec::new().into())).await;
            }
        }
        let found = a.reply(77).await.expect("it is one request");
        assert_eq!(found["id"], ada.id);

        let piece = vec![b' '; 1_024];
        for n in 0..80 {
            let kind = if n == 0 { first } else { Data::Continue };
            a.send_message(Message::Frame(Frame::message(piece.clone(), OpCode::Data(kind), false))).await;
        }
        assert_eq!(a.ended().await.code, Some(1009));
    }
}

/// W4: what breaks the WebSocket protocol ends that connection, and nothing else.
#[tokio::test]
async fn broken_websocket_frames_end_only_their_connection() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let whole = |opcode, content: &[u8]| Frame::from_payload(FrameHeader { opcode, ..FrameHeader::default() }, content.to_vec().into());
    let compressed = FrameHeader { opcode: OpCode::Data(Data::Text), rsv1: true, ..FrameHeader::default() };
    let broken = [
        whole(OpCode::Data(Data::Continue), b"x"),
        whole(OpCode::Data(Data::Reserved(3)), b"x"),
        whole(OpCode::Control(Control::Reserved(11)), b"x"),
        whole(OpCode::Control(Control::Ping), &[b'x'; 126]),
        whole(OpCode::Data(Data::Text), &[0xff, 0xfe]),
        Frame::from_payload(compressed, b"x".to_vec().into()),
    ];
    for frame in broken {
        let mut a = server.connect(&ada, Encoding::Json).await;
        a.send_message(Message::Frame(frame)).await;
        a.ended().await;
        b.ask("hb", json!({})).await;
    }
}

/// H3, KH5: bytes that are no HTTP are answered by a 4xx or by silence and a close.
#[tokio::test]
async fn bytes_that_are_no_http_do_no_harm() {
    let server = Options::default().limit("head_deadline", "500ms").start().await;
    let mut dice = Dice::new(3);
    let mut tries: Vec<Vec<u8>> = vec![
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET /v1/me HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /v1/me HTTP/9.9\r\nhost: x\r\n\r\n".to_vec(),
        b"POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef".to_vec(),
        b"POST /v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        b"POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec(),
        [b"GET / HTTP/1.1\r\nhost: x\r\nlong: ".to_vec(), vec![b'x'; 40_000], b"\r\n\r\n".to_vec()].concat(),
        b"GET / HTTP/1.1\r\nhost: x\r\nnever ends".to_vec(),
    ];
    tries.extend((0..20).map(|_| {
        let len = dice.below(400) + 1;
        let mut bytes = dice.bytes(len);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }));
    for bytes in tries {
        let answer = crate::within("the server closes what is no request", rest::exchange(server.clients, &bytes)).await;
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).map(str::to_owned);
        assert!(
            status.is_none_or(|status| status.starts_with('4')),
            "{:?}: {:?}",
            String::from_utf8_lossy(&bytes),
            String::from_utf8_lossy(&answer)
        );
    }
    let ada = server.sign_up("ada").await;
    Client::open(server.clients, Encoding::Json).await.authenticate(&ada).await;
    assert!(!server.printed().contains("panicked"), "{}", server.printed());
}
