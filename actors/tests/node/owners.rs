//! Two nodes that both believe they own a conversation: what one has judged by an older state of the log is judged again.

use std::sync::Arc;
use std::time::Duration;

use actors::command::{Command, Query, Span};
use actors::content::{Content, GroupName};
use actors::entry::{Act, Batch, Entry, Membership, Projection, Role, Row};
use actors::id::{BatchId, ConversationId, LogId, MessageId, Pos, Seq};
use actors::limits::Limits;
use actors::rejected::Rejected;
use actors::store::LogStore;
use actors::testkit::memory::{Call, Fault, MemoryStore};
use actors::time::Timestamp;
use actors::view::View;

use crate::world::{Device, Stage, direct, key, post, user};

async fn two() -> (Stage, Stage) {
    let stage = Stage::new().await;
    let other = Stage::over(Arc::clone(&stage.store), Limits::default()).await;
    (stage, other)
}

async fn group(owner: &mut Device) -> ConversationId {
    let name = GroupName::new("friends").expect("valid");
    match owner.ask(Command::CreateGroup { client_key: key("create"), name, members: vec![user(2), user(3)], open: false }).await {
        Ok(View::Appended(appended)) => appended.conversation,
        other => unreachable!("{other:?}"),
    }
}

fn remove(conversation: ConversationId, client_key: &str, member: u64) -> Command {
    Command::RemoveMember { conversation, client_key: key(client_key), member: user(member) }
}

async fn history(device: &mut Device, conversation: ConversationId) -> Vec<u64> {
    match device.query(Query::History { conversation, span: Span::Newest, limit: Some(200) }).await {
        Ok(View::History(view)) => view.entries.iter().map(|entry| entry.entry.seq.get()).collect(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_another_owner_has_stored_since_is_answered_and_not_stored_again() {
    let (here, there) = two().await;
    there.clock.advance(Duration::from_millis(7));
    let (mut ann, mut elsewhere) = (here.connect(1).await, there.connect(1).await);
    ann.post(direct(1, 2), "k1", "one").await;
    // Awake there with the log as it stands, without a wish to write.
    elsewhere.ask(Command::Type { conversation: direct(1, 2) }).await.expect("a participant may");
    ann.post(direct(1, 2), "k2", "two").await;
    let again = elsewhere.post(direct(1, 2), "k2", "two").await;
    assert_eq!((again.seq.get(), again.duplicate), (2, true));
    // And the other way round, where the log is owned and the loss is noticed only by the append.
    elsewhere.post(direct(1, 2), "k3", "three").await;
    let again = ann.post(direct(1, 2), "k3", "three").await;
    assert_eq!((again.seq.get(), again.duplicate), (3, true));
    let other = ann.ask(post(direct(1, 2), "k3", "another")).await;
    assert_eq!(other, Err(Rejected::KeyReused { seq: Seq::new(3).expect("valid") }));
    assert_eq!(history(&mut ann, direct(1, 2)).await, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn who_was_removed_through_another_owner_posts_no_more() {
    let (here, there) = two().await;
    let (mut ann, mut ben) = (here.connect(1).await, there.connect(2).await);
    let group = group(&mut ann).await;
    ben.post(group, "k1", "one").await;
    ann.ask(remove(group, "r", 2)).await.expect("the owner may");
    assert_eq!(ben.ask(post(group, "k2", "two")).await, Err(Rejected::NoSuchConversation));
    assert_eq!(ben.post(group, "k1", "one").await.seq.get(), 2, "what was stored once is answered");
    assert_eq!(history(&mut ann, group).await, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_membership_ends_once_whoever_ends_it() {
    let (here, there) = two().await;
    let (mut ann, mut ben) = (here.connect(1).await, there.connect(2).await);
    let group = group(&mut ann).await;
    ben.post(group, "k1", "one").await;
    ann.ask(remove(group, "r", 2)).await.expect("the owner may");
    assert_eq!(ben.ask(remove(group, "l", 2)).await, Err(Rejected::NoSuchConversation));
    ann.post(group, "k2", "two").await;
    assert_eq!(history(&mut ben, group).await, [1, 2, 3], "up to the removal, and nothing after it");
}

/// A removal and a message after it, as another owner would store them.
async fn remove_and_post(store: &MemoryStore, conversation: ConversationId, member: u64) -> Batch {
    let head = store.head(LogId::Conversation(conversation)).await.expect("the store is well");
    let entry = |nth: u64, pos: u64, act| {
        let seq = head.tail.plus(nth);
        let at = Timestamp(head.last_at.0 + i64::try_from(nth).expect("small"));
        let client_key = key(&format!("other-{nth}"));
        Arc::new(Entry { seq, pos: Pos(pos), id: MessageId::at(head.segment, seq), author: user(1), client_key, at, act })
    };
    let message = Act::Message(Content { text: "not for him".into(), ..Content::default() });
    let entries = vec![entry(1, head.count.0, Act::Left { member: user(member) }), entry(2, head.count.0 + 1, message)];
    let (left, last) = (entries[0].seq, &entries[1]);
    let mut after = head;
    (after.tail, after.count, after.last_change, after.last_at, after.last_batch) = (last.seq, last.pos, left, last.at, BatchId(99));
    let place = Membership { role: Role::Member, since: Seq::ZERO.next(), until: Some(left) };
    let projections = vec![Projection { version: left, row: Row::Member(user(member), place) }];
    Batch { id: after.last_batch, base: head.tail, epoch: head.epoch, after, entries, projections }
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_while_he_reads_is_shown_nothing_above_the_removal() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    let group = group(&mut ann).await;
    ann.post(group, "k1", "one").await;
    let removal = remove_and_post(&stage.store, group, 2).await;
    let (store, mut left) = (Arc::clone(&stage.store), Some(removal));
    // It happens just when the answer to his question reads the log's head.
    stage.store.set_faults(Box::new(move |call| {
        if call == Call::Head
            && let Some(removal) = left.take()
        {
            store.overwrite(LogId::Conversation(group), &removal);
        }
        None
    }));
    assert_eq!(history(&mut ben, group).await, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_members_that_was_given_up_does_not_hold_up_what_follows() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let group = group(&mut ann).await;
    let restarted = Stage::over(stage.store, Limits::default()).await;
    let mut ann = restarted.connect(1).await;
    restarted.store.set_faults(Box::new(|call| (call == Call::Claim).then_some(Fault::Before)));
    let removal = ann.send(remove(group, "r", 2));
    tokio::time::sleep(Duration::from_secs(1)).await;
    restarted.clock.advance(Duration::from_mins(1));
    assert!(matches!(ann.answer(removal).await, Err(Rejected::Unavailable { .. })));
    restarted.store.set_faults(Box::new(|_| None));
    assert_eq!(ann.post(group, "k", "x").await.seq.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_later_is_not_stored_before_what_is_unknown() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k1", "one").await;
    let clock = Arc::clone(&stage.clock);
    stage.store.set_faults(Box::new(move |call| {
        (call == Call::Append).then(|| {
            clock.advance(Duration::from_secs(3));
            Fault::Before
        })
    }));
    let (first, second) = (ann.send(post(direct(1, 2), "k2", "two")), ann.send(post(direct(1, 2), "k3", "three")));
    assert_eq!(ann.answer(first).await, Err(Rejected::Unknown));
    assert_eq!(ann.answer(second).await, Err(Rejected::Unknown));
    stage.store.set_faults(Box::new(|_| None));
    assert_eq!(ann.post(direct(1, 2), "k2", "two").await.seq.get(), 2);
    assert_eq!(ann.post(direct(1, 2), "k3", "three").await.seq.get(), 3);
}
