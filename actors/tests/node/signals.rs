//! Watermarks, typing and presence.

use std::time::Duration;

use actors::command::{Command, MarkKind, Query};
use actors::event::Event;
use actors::id::Seq;
use actors::rejected::Rejected;
use actors::view::{PresenceView, View};

use crate::world::{Device, Stage, direct, user};

fn mark(kind: MarkKind, seq: u64) -> Command {
    Command::Mark { conversation: direct(1, 2), mark: kind, seq: Seq::new(seq).expect("valid"), private: false }
}

async fn unread(device: &mut Device) -> u64 {
    match device.query(Query::Conversation { conversation: direct(1, 2) }).await {
        Ok(View::Conversation(view)) => view.unread,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn reading_is_stored_then_told_to_the_other_and_to_ones_own_devices() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut tablet) = (stage.connect(1).await, stage.connect(2).await, stage.connect(2).await);
    for number in 0..3 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    assert_eq!(unread(&mut ben).await, 3);
    assert_eq!(unread(&mut ann).await, 0, "one's own messages are not unread");
    assert_eq!(ben.ask(mark(MarkKind::Read, 2)).await, Ok(View::Marked { seq: Seq::new(2).expect("valid"), unread: 1 }));
    let receipt = ann.event(|event| match event {
        Event::Receipts { marks, .. } => Some((marks[0].0, marks[0].1.read.seq.get(), marks[0].1.delivered.seq.get())),
        _ => None,
    });
    assert_eq!(receipt.await, (user(2), 2, 2), "read implies delivered");
    let badge = tablet.event(|event| match event {
        Event::Unread { unread, .. } => Some(*unread),
        _ => None,
    });
    assert_eq!(badge.await, 1);
    assert_eq!(unread(&mut ben).await, 1);
}

#[tokio::test(start_paused = true)]
async fn marks_never_fall_and_never_pass_the_tail() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    for number in 0..3 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let seq = |value| Seq::new(value).expect("valid");
    assert_eq!(ben.ask(mark(MarkKind::Read, 3)).await, Ok(View::Marked { seq: seq(3), unread: 0 }));
    assert_eq!(ben.ask(mark(MarkKind::Read, 1)).await, Ok(View::Marked { seq: seq(3), unread: 0 }));
    assert_eq!(ben.ask(mark(MarkKind::Delivered, 1)).await, Ok(View::Marked { seq: seq(3), unread: 0 }));
    assert_eq!(ben.ask(mark(MarkKind::Read, 4)).await, Err(Rejected::AheadOfLog { tail: seq(3) }));
    let restarted = Stage::over(stage.store, actors::limits::Limits::default()).await;
    let mut ben = restarted.connect(2).await;
    assert_eq!(ben.ask(mark(MarkKind::Read, 1)).await, Ok(View::Marked { seq: seq(3), unread: 0 }), "also after a restart");
}

#[tokio::test(start_paused = true)]
async fn marks_that_come_together_are_one_write_and_one_receipt() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    for number in 0..9 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let sent: Vec<_> = (1..=9).map(|seq| ben.send(mark(MarkKind::Delivered, seq))).collect();
    for request in sent {
        let Ok(View::Marked { seq, .. }) = ben.answer(request).await else { unreachable!("no answer") };
        assert_eq!(seq.get(), 9);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    ann.take_ready();
    assert_eq!(ann.events.iter().filter(|event| matches!(event, Event::Receipts { .. })).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn typing_is_told_to_the_other_and_not_too_often() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    for _ in 0..5 {
        assert_eq!(ann.ask(Command::Type { conversation: direct(1, 2) }).await, Ok(View::Done));
    }
    ben.take_ready();
    assert_eq!(ben.events.iter().filter(|event| matches!(event, Event::Typing { .. })).count(), 1);
    let mut dan = stage.connect(4).await;
    assert_eq!(dan.ask(Command::Type { conversation: direct(1, 2) }).await, Err(Rejected::NoSuchConversation));
}

#[tokio::test(start_paused = true)]
async fn presence_is_told_to_who_watches_and_has_talked() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k", "x").await;
    let watching = ann.ask(Command::Watch { users: vec![user(2), user(3), user(77), user(1)] }).await;
    assert_eq!(
        watching,
        Ok(View::Watching(vec![PresenceView { user: user(2), online: false, last_seen: None }])),
        "strangers are left out"
    );
    let presence = |event: &Event| match event {
        Event::Presence { user, online, .. } => Some((*user, *online)),
        _ => None,
    };
    let ben = stage.connect(2).await;
    assert_eq!(ann.event(presence).await, (user(2), true));
    ben.disconnect();
    let ben = stage.connect(2).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    ann.take_ready();
    assert!(!ann.events.iter().any(|event| presence(event).is_some()), "a short absence is none");
    ben.disconnect();
    assert_eq!(ann.event(presence).await, (user(2), false));
    ann.ask(Command::Watch { users: vec![] }).await.expect("anyone may stop watching");
    let _ben = stage.connect(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ann.take_ready();
    assert!(!ann.events.iter().any(|event| presence(event).is_some()));
}

#[tokio::test(start_paused = true)]
async fn sessions_of_one_user_are_counted() {
    let mut limits = actors::limits::Limits::default();
    limits.set(actors::limits::Limit::SessionsUser, 2);
    let stage = Stage::with(limits).await;
    let (one, _two) = (stage.connect(1).await, stage.connect(1).await);
    let identity = one.session.identity;
    assert!(matches!(stage.node.connect(stage.node.name_session(), identity).await, Err(Rejected::TooFast { bucket: "sessions", .. })));
    one.disconnect();
    assert!(stage.node.connect(stage.node.name_session(), identity).await.is_ok());
    assert_eq!(stage.node.sessions(), 2);
}
