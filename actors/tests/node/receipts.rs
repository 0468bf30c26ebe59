//! Who has read what, who may know, and how many are left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actors::account::Privacy;
use actors::command::{Command, Manage, MarkKind, ProfileChange, Query};
use actors::event::Event;
use actors::id::ConversationId;
use actors::rejected::Rejected;
use actors::testkit::memory::Call;
use actors::view::{About, View};

use crate::groups::created;
use crate::world::{Device, Stage, direct, key, seq, user};

fn mark(conversation: ConversationId, kind: MarkKind, to: u64, private: bool) -> Command {
    Command::Mark { conversation, mark: kind, seq: seq(to), private }
}

async fn read_by(device: &mut Device, conversation: ConversationId, target: u64) -> Result<Vec<(u64, bool, bool)>, Rejected> {
    match device.query(Query::ReadBy { conversation, target: seq(target), after: None, limit: None }).await {
        Ok(View::ReadBy { page, more: false }) => {
            Ok(page.into_iter().map(|(user, delivered, read)| (user.get(), delivered.is_some(), read.is_some())).collect())
        }
        Ok(other) => unreachable!("{other:?}"),
        Err(rejected) => Err(rejected),
    }
}

async fn hide_receipts(device: &mut Device, receipts: bool) {
    let privacy = Privacy { receipts, ..Privacy::default() };
    let wish = ProfileChange { privacy: Some(privacy), ..ProfileChange::default() };
    device.manage(Manage::Profile(Box::new(wish))).await.expect("anyone may");
}

#[tokio::test(start_paused = true)]
async fn a_private_mark_moves_the_own_badge_and_nothing_else() {
    for by_account in [false, true] {
        let stage = Stage::new().await;
        let (mut ann, mut ben, mut tablet) = (stage.connect(1).await, stage.connect(2).await, stage.connect(2).await);
        let pair = direct(1, 2);
        for number in 1..=4 {
            ann.post(pair, &format!("k{number}"), "x").await;
        }
        ben.ask(mark(pair, MarkKind::Read, 1, false)).await.expect("a member may");
        assert!(ann.heard().await.iter().any(|event| matches!(event, Event::Receipts { .. })));
        if by_account {
            hide_receipts(&mut ben, false).await;
        }
        assert_eq!(ben.ask(mark(pair, MarkKind::Read, 3, !by_account)).await, Ok(View::Marked { seq: seq(3), unread: 1 }));
        assert_eq!(ben.ask(mark(pair, MarkKind::Delivered, 4, !by_account)).await, Ok(View::Marked { seq: seq(4), unread: 1 }));
        assert!(!ann.heard().await.iter().any(|event| matches!(event, Event::Receipts { .. })), "nobody is told");
        let unread = tablet.event(|event| match event {
            Event::Unread { read, unread: 1, .. } => Some(read.get()),
            _ => None,
        });
        assert_eq!(unread.await, 3, "the own devices are");
        assert_eq!(ben.conversation(pair).await.unread, 1);
        let About::Direct { peer_marks, .. } = ann.conversation(pair).await.about else { unreachable!("direct") };
        assert_eq!(peer_marks.read.seq.get(), if by_account { 0 } else { 1 }, "what is kept private is not shown at all");
        assert_eq!(read_by(&mut ann, pair, 1).await, Ok(vec![(2, !by_account, !by_account)]));
        assert_eq!(read_by(&mut ann, pair, 3).await, Ok(vec![(2, false, false)]));
    }
}

#[tokio::test(start_paused = true)]
async fn the_readers_of_a_message_come_in_pages() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let group = created(&mut ann, &[2, 3, 4, 5]).await;
    let target = ann.post(group, "k", "x").await.seq.get();
    let (mut ben, mut cid, mut dan) = (stage.connect(2).await, stage.connect(3).await, stage.connect(4).await);
    ben.ask(mark(group, MarkKind::Read, target, false)).await.expect("a member may");
    cid.ask(mark(group, MarkKind::Delivered, target, false)).await.expect("a member may");
    ann.done(crate::groups::remove(group, "r", 4)).await;
    assert_eq!(read_by(&mut ann, group, target).await, Ok(vec![(2, true, true), (3, true, false), (5, false, false)]));
    let page = Query::ReadBy { conversation: group, target: seq(target), after: Some(user(2)), limit: Some(1) };
    assert!(matches!(ann.query(page).await, Ok(View::ReadBy { page, more: true }) if page[0].0 == user(3)));
    assert_eq!(read_by(&mut dan, group, target).await, Err(Rejected::NoSuchConversation));
    assert_eq!(read_by(&mut ann, group, 1).await, Err(Rejected::NotAMessage { seq: seq(1) }));
    assert_eq!(read_by(&mut ann, group, 99).await, Err(Rejected::NoSuchEntry { seq: seq(99) }));
}

#[tokio::test(start_paused = true)]
async fn the_total_is_told_to_every_device_and_counted_once_a_second() {
    let stage = Stage::new().await;
    let (mut ann, mut cid) = (stage.connect(1).await, stage.connect(3).await);
    for number in 1..=5 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
        cid.post(direct(2, 3), &format!("k{number}"), "x").await;
    }
    let delete = Command::Delete { conversation: direct(2, 3), client_key: key("d"), target: seq(2) };
    cid.done(delete).await;
    let (mut ben, mut tablet) = (stage.connect(2).await, stage.connect(2).await);
    assert_eq!(ben.query(Query::Unread).await, Ok(View::Unread { messages: 9, conversations: 2 }), "a deleted one is not unread");
    for to in 1..=4 {
        ben.ask(mark(direct(1, 2), MarkKind::Read, to, false)).await.expect("a member may");
    }
    let totals = |events: Vec<Event>| -> Vec<(u64, Option<u64>)> {
        let unread = events.into_iter().filter_map(|event| match event {
            Event::Unread { read, total, .. } => Some((read.get(), total)),
            _ => None,
        });
        unread.collect()
    };
    let heard = totals(tablet.heard().await);
    assert_eq!(heard.first().map(|(_, total)| *total), Some(Some(8)), "{heard:?}");
    assert_eq!(heard.last(), Some(&(4, Some(5))));
    assert_eq!(heard.iter().filter(|(_, total)| total.is_some()).count(), 2, "one at once, and one for what came within the second");
    assert!(totals(ben.heard().await).iter().all(|(_, total)| total.is_some()), "the session that read hears of the total alone");
    ben.ask(mark(direct(2, 3), MarkKind::Read, 5, false)).await.expect("a member may");
    assert_eq!(ben.query(Query::Unread).await, Ok(View::Unread { messages: 1, conversations: 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_page_of_conversations_is_three_calls() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    for peer in 2..=9 {
        ann.post(direct(1, peer), "k", "x").await;
    }
    let group = created(&mut ann, &[2, 3]).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    stage.store.set_faults(Box::new(move |_: Call| {
        counted.fetch_add(1, Ordering::Relaxed);
        None
    }));
    let Ok(View::Conversations { page, cursor: None }) = ann.query(Query::Conversations { cursor: None, limit: None }).await else {
        unreachable!("no page")
    };
    assert_eq!(calls.load(Ordering::Relaxed), 3, "the list, the heads, and what is shown of each");
    assert_eq!((page.len(), page[0].id), (9, group));
}
