//! Sockets in memory against a real node on the memory store: what the loop does with good, bad, fast, slow and
//! silent clients, and that every way out gives back what was taken.

use std::sync::Arc;
use std::time::Duration;

use actors::limits::Limit;
use actors::view::Secret;
use futures_util::{SinkExt, StreamExt};
use metrics::Counter;
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

use crate::edge::connection::speak;
use crate::edge::doors::Doors;
use crate::edge::ending::part;
use crate::edge::greeting::greet;
use crate::edge::tests::{account, doors};
use crate::edge::wire::Wire;
use crate::protocol::codec::Encoding;

struct Client {
    stream: WebSocketStream<DuplexStream>,
    server: JoinHandle<()>,
}

impl Client {
    /// A client that has not said anything yet; `room` is what the pipe holds in bytes.
    async fn connect(doors: &Arc<Doors>, encoding: Encoding, presented: Option<&str>, room: usize) -> Self {
        let (near, far) = duplex(room);
        let (doors, presented) = (Arc::clone(doors), presented.map(|token| Secret(token.to_owned())));
        let server = tokio::spawn(async move {
            let mut socket = WebSocket::from_raw_socket(Wire::new(far), Role::Server, Some(doors.socket_config()));
            match greet(&doors, &mut socket, encoding, presented).await {
                Ok(greeted) => speak(socket, encoding, greeted, doors).await,
                Err(ending) => part(&mut socket, encoding, ending).await,
            }
        });
        Self { stream: WebSocketStream::from_raw_socket(near, Role::Client, None).await, server }
    }

    /// A client whose `hello` was read.
    async fn greeted(doors: &Arc<Doors>, token: &str) -> Self {
        let mut client = Self::connect(doors, Encoding::Json, Some(token), 1 << 20).await;
        assert_eq!(client.hear().await["ev"], "hello");
        client
    }

    async fn say(&mut self, words: Value) {
        self.stream.send(Message::text(words.to_string())).await.expect("sent");
    }

    /// The next frame; a close frame as `{"close": code}`.
    async fn hear(&mut self) -> Value {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Close(frame))) => return json!({"close": frame.map(|frame| u16::from(frame.code))}),
                Some(Ok(Message::Binary(bytes))) => return rmp_serde::from_slice(&bytes).expect("MessagePack"),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return json!({"broken": error.to_string()}),
                None => return json!("end"),
            }
        }
    }

    /// Hears on until this holds.
    async fn hear_until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let heard = self.hear().await;
            if wanted(&heard) {
                return heard;
            }
            assert!(heard.get("close").is_none() && heard != "end", "ended by {heard} instead");
        }
    }

    /// Hears the last words: `bye` with this code, then the close frame with the same.
    async fn hear_end(&mut self, code: u16) {
        let bye = self.hear_until(|heard| heard["ev"] == "bye").await;
        assert_eq!(bye["d"]["code"], code);
        assert_eq!(self.hear().await, json!({"close": code}));
    }
}

fn conversation(one: u64, other: u64) -> String {
    format!("d{}-{}", one.min(other), one.max(other))
}

#[tokio::test]
async fn only_auth_is_allowed_before_it_and_the_answer_names_the_session() {
    let doors = doors(&[]).await;
    let (user, token) = account(&doors, "ann").await;
    let mut client = Client::connect(&doors, Encoding::Json, None, 1 << 20).await;
    assert_eq!(client.hear().await["ev"], "hello");
    client.say(json!({"id": 1, "op": "hb"})).await;
    assert_eq!(client.hear().await["err"]["code"], 2001);
    client.say(json!({"id": 2, "op": "auth", "d": {"token": token}})).await;
    let answer = client.hear().await;
    assert_eq!((&answer["id"], &answer["ok"]["user"]["id"]), (&json!(2), &json!(user)));
    client.say(json!({"id": 3, "op": "auth", "d": {"token": token}})).await;
    assert_eq!(client.hear().await["err"]["name"], "already_authenticated");
    assert_eq!(doors.node.sessions(), 1);
}

#[tokio::test]
async fn who_does_not_authenticate_in_time_is_put_out() {
    let doors = doors(&[(Limit::AuthDeadline, 20)]).await;
    let mut client = Client::connect(&doors, Encoding::Json, None, 1 << 20).await;
    client.hear_end(4203).await;
}

#[tokio::test]
async fn a_credential_that_proves_nothing_ends_the_socket_by_its_own_code() {
    let doors = doors(&[(Limit::SessionsUser, 1)]).await;
    let mut wrong = Client::connect(&doors, Encoding::Json, Some("nonsense"), 1 << 20).await;
    wrong.hear_end(4400).await;
    let (_, token) = account(&doors, "ann").await;
    let first = Client::greeted(&doors, &token).await;
    let mut second = Client::connect(&doors, Encoding::Json, Some(&token), 1 << 20).await;
    second.hear_end(4404).await;
    assert_eq!(doors.node.sessions(), 1);
    drop(first);
}

#[tokio::test]
async fn a_large_frame_before_authentication_is_refused() {
    let doors = doors(&[]).await;
    let mut client = Client::connect(&doors, Encoding::Json, None, 1 << 20).await;
    assert_eq!(client.hear().await["ev"], "hello");
    client.say(json!({"id": 1, "op": "auth", "d": {"token": "x".repeat(9_000)}})).await;
    assert_eq!(client.hear().await["d"]["name"], "too_large");
    client.hear_end(4204).await;
}

#[tokio::test]
async fn ten_bad_frames_in_a_row_end_it_and_a_good_one_begins_anew() {
    let doors = doors(&[]).await;
    let (_, token) = account(&doors, "ann").await;
    let mut client = Client::greeted(&doors, &token).await;
    for _ in 0..9 {
        client.stream.send(Message::text("{nonsense")).await.expect("sent");
        assert_eq!(client.hear().await["ev"], "error");
    }
    client.say(json!({"id": 1, "op": "hb"})).await;
    assert_eq!(client.hear().await, json!({"id": 1, "ok": {}}));
    for _ in 0..10 {
        client.stream.send(Message::binary(vec![1])).await.expect("sent");
    }
    client.hear_end(4204).await;
}

#[tokio::test]
async fn a_frame_above_the_limit_ends_it() {
    let doors = doors(&[]).await;
    let (_, token) = account(&doors, "ann").await;
    let mut client = Client::greeted(&doors, &token).await;
    client.stream.send(Message::text("x".repeat(65_537))).await.expect("sent");
    assert_eq!(client.hear().await, json!({"close": 1009}));
    client.server.await.expect("no panic");
    assert_eq!(doors.node.sessions(), 0);
}

#[tokio::test]
async fn too_many_frames_are_refused_with_a_pause_and_then_put_out() {
    let doors = doors(&[(Limit::FramesRate, 1), (Limit::FramesBurst, 5)]).await;
    let (_, token) = account(&doors, "ann").await;
    let mut client = Client::greeted(&doors, &token).await;
    for id in 0..5 {
        client.say(json!({"id": id, "op": "hb"})).await;
        assert_eq!(client.hear().await["ok"], json!({}));
    }
    client.say(json!({"id": 5, "op": "hb"})).await;
    let refused = client.hear().await;
    assert_eq!((&refused["id"], &refused["err"]["code"], &refused["err"]["retry"]), (&json!(5), &json!(5001), &json!("after")));
    assert!(refused["err"]["after_ms"].as_u64() > Some(0));
    for id in 6..20 {
        client.say(json!({"id": id, "op": "hb"})).await;
    }
    client.hear_end(4202).await;
}

#[tokio::test]
async fn more_requests_than_may_be_in_flight_are_all_answered() {
    let doors = doors(&[(Limit::RequestsInFlight, 2)]).await;
    let (user, token) = account(&doors, "ann").await;
    let mut client = Client::greeted(&doors, &token).await;
    for frame in 0..4 {
        let requests: Vec<_> = (0..16).map(|id| json!({"id": frame * 16 + id, "op": "user.get", "d": {"user": user}})).collect();
        client.say(Value::from(requests)).await;
    }
    let mut answered = Vec::new();
    for _ in 0..64 {
        let answer = client.hear().await;
        assert_eq!(answer["ok"]["id"], user);
        answered.push(answer["id"].as_u64().expect("a number"));
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..64).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_is_encoded_once_for_all_sockets_of_an_encoding() {
    let doors = doors(&[]).await;
    let ((ann, ann_token), (bob, bob_token)) = (account(&doors, "ann").await, account(&doors, "bob").await);
    let mut poster = Client::greeted(&doors, &ann_token).await;
    let mut hearers = Vec::new();
    for number in 0..6 {
        let encoding = if number % 2 == 0 { Encoding::Json } else { Encoding::MessagePack };
        let mut client = Client::connect(&doors, encoding, Some(&bob_token), 1 << 20).await;
        assert_eq!(client.hear().await["ev"], "hello");
        hearers.push(client);
    }
    let post = json!({"conv": conversation(ann, bob), "client_key": "k", "body": {"text": "hello"}});
    poster.say(json!({"id": 1, "op": "msg.send", "d": post})).await;
    for client in &mut hearers {
        let heard = client.hear_until(|heard| heard["ev"] == "entry").await;
        assert_eq!(heard["d"]["body"]["text"], "hello");
    }
    poster.hear_until(|heard| heard["id"] == 1).await;
    let text = doors.metrics.render();
    for encoding in ["json", "msgpack"] {
        // The message, and the entry of bob's own log that made the conversation findable; ann's own one is JSON.
        let made = if encoding == "json" { 3 } else { 2 };
        let line = format!("parlance_delivery_renderings_total{{encoding=\"{encoding}\"}} {made}\n");
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up_and_its_session_with_it() {
    let doors = doors(&[(Limit::WriteStall, 5_000)]).await;
    let (_, token) = account(&doors, "ann").await;
    let mut client = Client::connect(&doors, Encoding::Json, Some(&token), 2_048).await;
    assert_eq!(client.hear().await["ev"], "hello");
    for id in 0..80 {
        client.say(json!({"id": id, "op": "nope"})).await;
    }
    let turning = Arc::clone(&doors);
    let turned = tokio::spawn(async move {
        while turning.node.sessions() > 0 {
            turning.wheel.turn(&Counter::noop());
            tokio::task::yield_now().await;
        }
    });
    client.server.await.expect("no panic");
    turned.await.expect("no panic");
    assert!(doors.metrics.render().contains("parlance_edge_closed_total{code=\"4011\"} 1"));
}

#[tokio::test]
async fn a_token_that_expires_is_told_renewed_in_place_and_else_ends_it() {
    let doors = doors(&[(Limit::AccessLife, 600_000), (Limit::Heartbeat, 120_000_000)]).await;
    let ((_, token), (_, other)) = (account(&doors, "ann").await, account(&doors, "bob").await);
    let mut client = Client::greeted(&doors, &token).await;
    for _ in 0..480 {
        doors.wheel.turn(&Counter::noop());
    }
    let told = client.hear_until(|heard| heard["ev"] == "auth.expiring").await;
    assert!((100_000..=120_000).contains(&told["d"]["in_ms"].as_u64().expect("a number")), "{told}");
    client.say(json!({"id": 1, "op": "auth.refresh", "d": {"token": other}})).await;
    assert_eq!(client.hear_until(|heard| heard["id"] == 1).await["err"]["name"], "other_user");
    client.say(json!({"id": 2, "op": "auth.refresh", "d": {"token": token}})).await;
    assert!(client.hear_until(|heard| heard["id"] == 2).await["ok"]["expires_in_ms"].as_u64() > Some(500_000));
    for _ in 0..400 {
        doors.wheel.turn(&Counter::noop());
    }
    client.say(json!({"id": 3, "op": "hb"})).await;
    assert_eq!(client.hear_until(|heard| heard["id"] == 3).await["ok"], json!({}), "renewed: it goes on");
    for _ in 0..300 {
        doors.wheel.turn(&Counter::noop());
    }
    client.hear_end(4200).await;
}

#[tokio::test]
async fn pushes_are_counted_in_the_heartbeat_without_hello_and_heartbeats() {
    let doors = doors(&[]).await;
    let (_, token) = account(&doors, "ann").await;
    let mut client = Client::greeted(&doors, &token).await;
    client.stream.send(Message::text("{nonsense")).await.expect("sent");
    assert_eq!(client.hear().await["ev"], "error");
    for _ in 0..2 {
        for _ in 0..26 {
            doors.wheel.turn(&Counter::noop());
        }
        assert_eq!(client.hear().await, json!({"ev": "hb", "d": {"s": 1}}));
    }
}

#[tokio::test]
async fn every_way_out_gives_the_session_back() {
    let doors = doors(&[]).await;
    let (_, token) = account(&doors, "ann").await;
    let mut leaves = Client::greeted(&doors, &token).await;
    leaves.stream.close(None).await.expect("sent");
    leaves.server.await.expect("no panic");
    let breaks = Client::greeted(&doors, &token).await;
    drop(breaks.stream);
    breaks.server.await.expect("no panic");
    let mut revoked = Client::greeted(&doors, &token).await;
    for pulse in doors.wheel.all() {
        pulse.session().queue.close(actors::outbound::CloseReason::Revoked);
    }
    revoked.hear_end(4401).await;
    drop(revoked.stream);
    revoked.server.await.expect("no panic");
    assert_eq!(doors.node.sessions(), 0);
    doors.node.drain(Duration::from_secs(1)).await;
}
