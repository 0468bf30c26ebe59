//! A store that answers late, not at all, or not truly: nothing acknowledged is lost, nothing is stored twice.

use std::sync::Arc;

use actors::command::{Query, Span};
use actors::limits::Limits;
use actors::rejected::Rejected;
use actors::testkit::clock::ManualClock;
use actors::testkit::memory::{Call, Fault};
use actors::view::View;

use crate::world::{Device, Stage, direct, post};

async fn texts(device: &mut Device) -> Vec<String> {
    match device.query(Query::History { conversation: direct(1, 2), span: Span::After(actors::id::Seq::ZERO), limit: Some(200) }).await {
        Ok(View::History(view)) => view
            .entries
            .iter()
            .map(|entry| match &entry.entry.act {
                actors::entry::Act::Message(content) => content.text.to_string(),
                other => unreachable!("{other:?}"),
            })
            .collect(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_append_is_sent_again_unchanged() {
    for fault in [Fault::Before, Fault::After] {
        let stage = Stage::new().await;
        let mut ann = stage.connect(1).await;
        ann.post(direct(1, 2), "k1", "one").await;
        for _ in 0..3 {
            stage.store.fail_next(Call::Append, fault);
        }
        assert_eq!(ann.post(direct(1, 2), "k2", "two").await.seq.get(), 2);
        assert_eq!(ann.post(direct(1, 2), "k3", "three").await.seq.get(), 3);
        assert_eq!(texts(&mut ann).await, ["one", "two", "three"]);
    }
}

fn slow_to_append(call: Call, clock: &ManualClock, fault: Fault) -> Option<Fault> {
    if call != Call::Append {
        return None;
    }
    clock.advance(std::time::Duration::from_secs(3));
    Some(fault)
}

#[tokio::test(start_paused = true)]
async fn what_stays_unknown_is_said_to_be_unknown_and_the_key_settles_it() {
    for fault in [Fault::Before, Fault::After] {
        let stage = Stage::new().await;
        let mut ann = stage.connect(1).await;
        ann.post(direct(1, 2), "k1", "one").await;
        let clock = Arc::clone(&stage.clock);
        stage.store.set_faults(Box::new(move |call| slow_to_append(call, &clock, fault)));
        assert_eq!(ann.ask(post(direct(1, 2), "k2", "two")).await, Err(Rejected::Unknown));
        stage.store.set_faults(Box::new(|_| None));
        let again = ann.post(direct(1, 2), "k2", "two").await;
        assert_eq!((again.seq.get(), again.duplicate), (2, matches!(fault, Fault::After)));
        assert_eq!(texts(&mut ann).await, ["one", "two"]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_owners_of_one_conversation_lose_and_double_nothing() {
    let stage = Stage::new().await;
    let other = Stage::over(Arc::clone(&stage.store), Limits::default()).await;
    let (mut ann, mut ben) = (stage.connect(1).await, other.connect(2).await);
    let mut expected = Vec::new();
    for number in 0..20 {
        for (device, name) in [(&mut ann, "a"), (&mut ben, "b")] {
            let text = format!("{name}{number}");
            let ack = device.post_surely(direct(1, 2), &text, &text).await;
            assert_eq!(ack.seq.get(), expected.len() as u64 + 1);
            expected.push(text);
        }
    }
    assert_eq!(texts(&mut ann).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_refuses_and_recovers() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    stage.store.fail_next(Call::Range, Fault::Before);
    let refused = ann.ask(post(direct(1, 2), "k1", "one")).await;
    assert!(matches!(refused, Err(Rejected::Unavailable { .. })), "{refused:?}");
    assert_eq!(ann.post(direct(1, 2), "k1", "one").await.seq.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_cannot_be_drawn_refuses_and_recovers() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    for call in [Call::Draw, Call::Bind, Call::Claim, Call::Head] {
        stage.store.fail_next(call, Fault::Before);
    }
    let mut tries = 0;
    let ack = loop {
        tries += 1;
        match ann.ask(post(direct(1, 2), "k1", "one")).await {
            Ok(View::Appended(ack)) => break ack,
            Err(Rejected::Unavailable { .. }) if tries < 10 => {}
            other => unreachable!("{other:?}"),
        }
    };
    assert_eq!(ack.seq.get(), 1);
    assert_eq!(texts(&mut ann).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_rolled_over_with_rising_numbers() {
    let mut limits = Limits::default();
    limits.set(actors::limits::Limit::PostsBurstUser, 100_000);
    limits.set(actors::limits::Limit::PostsBurstConversation, 100_000);
    let stage = Stage::with(limits).await;
    let mut ann = stage.connect(1).await;
    let mut last = 0;
    for round in 0..130 {
        let sent: Vec<_> = (0..32).map(|number| ann.send(post(direct(1, 2), &format!("{round}-{number}"), "x"))).collect();
        for request in sent {
            let Ok(View::Appended(ack)) = ann.answer(request).await else { unreachable!("no ack") };
            assert!(ack.id.get() > last, "numbers rise within a conversation");
            last = ack.id.get();
        }
    }
    assert_eq!(ann.post(direct(1, 2), "end", "x").await.seq.get(), 130 * 32 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_unreadable_is_said_to_be_unavailable_in_time() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    stage.store.set_faults(Box::new(|call| (call == Call::Head).then_some(Fault::Before)));
    let name = actors::content::GroupName::new("friends").expect("valid");
    let create = actors::command::Command::CreateGroup { client_key: crate::world::key("c"), name, members: vec![], open: false };
    let sent = [ann.send(post(direct(1, 2), "k1", "one")), ann.send(create)];
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    stage.clock.advance(std::time::Duration::from_secs(11));
    for request in sent {
        let answer = tokio::time::timeout(std::time::Duration::from_secs(10), ann.answer(request)).await;
        assert!(matches!(answer, Ok(Err(Rejected::Unavailable { .. }))), "{answer:?}");
    }
    stage.store.set_faults(Box::new(|_| None));
    assert_eq!(ann.post(direct(1, 2), "k1", "one").await.seq.get(), 1);
}
