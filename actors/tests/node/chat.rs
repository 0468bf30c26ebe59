//! Two users talk.

use actors::command::{Cursor, Query, Span};
use actors::content::Content;
use actors::event::Event;
use actors::id::{Incarnation, Seq};
use actors::limits::{Limit, Limits};
use actors::node::Victim;
use actors::rejected::Rejected;
use actors::view::{Resumed, View};

use crate::world::{Stage, direct, post, user};

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("valid")
}

#[tokio::test(start_paused = true)]
async fn a_message_is_acked_with_its_seq_and_pushed_to_the_others() {
    let stage = Stage::new().await;
    let (mut ann, mut second, mut ben) = (stage.connect(1).await, stage.connect(1).await, stage.connect(2).await);
    for number in 1..=3_u64 {
        let ack = ann.post(direct(1, 2), &format!("k{number}"), &format!("hello {number}")).await;
        assert_eq!((ack.seq.get(), ack.pos.0, ack.duplicate), (number, number, false));
        assert_eq!(ben.entry().await, (number, format!("hello {number}")));
        assert_eq!(second.entry().await, (number, format!("hello {number}")), "the poster's other device hears of it");
    }
    ann.take_ready();
    assert!(!ann.events.iter().any(|event| matches!(event, Event::Entry { .. })), "the posting connection gets only the reply");
}

#[tokio::test(start_paused = true)]
async fn the_same_key_is_stored_once_and_another_content_is_refused() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let first = ann.post(direct(1, 2), "k", "hello").await;
    let again = ann.post(direct(1, 2), "k", "hello").await;
    assert!(again.duplicate);
    assert_eq!((again.seq, again.id, again.at), (first.seq, first.id, first.at));
    assert_eq!(ann.ask(post(direct(1, 2), "k", "other")).await, Err(Rejected::KeyReused { seq: first.seq }));
    let mut ben = stage.connect(2).await;
    assert_eq!(ben.post(direct(1, 2), "k", "mine").await.seq, seq(2), "a key is its user's own");
}

#[tokio::test(start_paused = true)]
async fn a_repetition_joins_the_post_that_is_on_its_way() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "first", "x").await;
    stage.store.hold();
    let (one, two) = (ann.send(post(direct(1, 2), "k", "x")), ann.send(post(direct(1, 2), "k", "x")));
    let other = ann.send(post(direct(1, 2), "k", "y"));
    assert!(matches!(ann.answer(other).await, Err(Rejected::KeyReused { .. })));
    stage.store.release();
    let answers = (ann.answer(one).await, ann.answer(two).await);
    let (Ok(View::Appended(one)), Ok(View::Appended(two))) = answers else { unreachable!("{answers:?}") };
    assert_eq!((one.seq, one.duplicate, two.seq, two.duplicate), (seq(2), false, seq(2), true));
}

#[tokio::test(start_paused = true)]
async fn keys_are_known_after_a_restart_also_beyond_the_first_rows() {
    let mut limits = Limits::default();
    limits.set(Limit::KeysAtActivation, 4);
    limits.set(Limit::PostsBurstUser, 1_000);
    limits.set(Limit::PostsBurstConversation, 1_000);
    let stage = Stage::with(limits.clone()).await;
    let mut ann = stage.connect(1).await;
    let first = ann.post(direct(1, 2), "k0", "0").await;
    for number in 1..20 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let restarted = Stage::over(stage.store, limits).await;
    let mut ann = restarted.connect(1).await;
    let again = ann.post(direct(1, 2), "k0", "0").await;
    assert_eq!((again.seq, again.duplicate), (first.seq, true));
    assert_eq!(ann.post(direct(1, 2), "new", "x").await.seq, seq(21));
}

#[tokio::test(start_paused = true)]
async fn pipelined_posts_keep_their_order() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let sent: Vec<_> = (1..=40).map(|number| ann.send(post(direct(1, 2), &format!("k{number}"), "x"))).collect();
    for (place, request) in sent.into_iter().enumerate() {
        let Ok(View::Appended(ack)) = ann.answer(request).await else { unreachable!("no ack") };
        assert_eq!(ack.seq.get(), place as u64 + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_can_be_written_to_who_does_not_exist() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    assert_eq!(ann.ask(post(direct(1, 77), "k", "x")).await, Err(Rejected::NoSuchUser));
    assert_eq!(ann.ask(post(direct(2, 3), "k", "x")).await, Err(Rejected::NoSuchConversation));
    let Ok(View::Conversations { page, .. }) = ann.query(Query::Conversations { cursor: None, limit: None }).await else {
        unreachable!("no page")
    };
    assert!(page.is_empty(), "nothing is left behind");
}

#[tokio::test(start_paused = true)]
async fn a_killed_actor_is_back_with_the_next_command_and_nothing_is_missing() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    for number in 1..=12_u64 {
        let victim = match number % 4 {
            0 => Victim::User(user(1)),
            1 => Victim::Conversation(direct(1, 2)),
            2 => Victim::Home(user(2)),
            _ => Victim::User(user(2)),
        };
        stage.node.kill(victim);
        tokio::task::yield_now().await;
        // What was in the mailbox of the one who died is unknown: the same key again.
        let ack = ann.post_surely(direct(1, 2), &format!("k{number}"), "x").await;
        assert_eq!(ack.seq.get(), number);
        assert_eq!(ben.entry().await.0, number);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_conversation_sleeps_and_wakes() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k1", "x").await;
    let awake = |stage: &Stage| stage.node.actors().iter().map(|(_, count)| count).sum::<usize>();
    assert_eq!(awake(&stage), 4, "a user, a conversation, two homes");
    stage.clock.advance(std::time::Duration::from_secs(61));
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert_eq!(awake(&stage), 1);
    assert_eq!(ann.post(direct(1, 2), "k2", "x").await.seq, seq(2));
}

#[tokio::test(start_paused = true)]
async fn history_is_paged_in_both_directions() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    for number in 1..=10 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let mut part = async |span, limit| match ann.query(Query::History { conversation: direct(1, 2), span, limit: Some(limit) }).await {
        Ok(View::History(view)) => (view.entries.iter().map(|entry| entry.entry.seq.get()).collect::<Vec<_>>(), view.more),
        other => unreachable!("{other:?}"),
    };
    assert_eq!(part(Span::Newest, 3).await, (vec![8, 9, 10], true));
    assert_eq!(part(Span::Before(seq(8)), 3).await, (vec![5, 6, 7], true));
    assert_eq!(part(Span::Before(seq(4)), 3).await, (vec![1, 2, 3], false));
    assert_eq!(part(Span::After(seq(0)), 4).await, (vec![1, 2, 3, 4], true));
    assert_eq!(part(Span::After(seq(8)), 4).await, (vec![9, 10], false));
    assert_eq!(part(Span::After(seq(10)), 4).await, (vec![], false));
}

#[tokio::test(start_paused = true)]
async fn a_page_ends_at_its_bytes_and_says_that_there_is_more() {
    let mut limits = Limits::default();
    limits.set(Limit::PageBytes, 100);
    let stage = Stage::with(limits).await;
    let mut ann = stage.connect(1).await;
    for number in 1..=6 {
        ann.post(direct(1, 2), &format!("k{number}"), &"x".repeat(40)).await;
    }
    let mut part = async |span| match ann.query(Query::History { conversation: direct(1, 2), span, limit: None }).await {
        Ok(View::History(view)) => (view.entries.iter().map(|entry| entry.entry.seq.get()).collect::<Vec<_>>(), view.more),
        other => unreachable!("{other:?}"),
    };
    assert_eq!(part(Span::Newest).await, (vec![5, 6], true));
    assert_eq!(part(Span::Before(seq(5))).await, (vec![3, 4], true));
    assert_eq!(part(Span::After(seq(4))).await, (vec![5, 6], false));
    let named = vec![(direct(1, 2), Cursor { incarnation: Incarnation(0), seq: seq(0) })];
    let Ok(View::Sync(sync)) = ann.query(Query::Sync { user: None, conversations: named }).await else { unreachable!("no sync") };
    assert_eq!(sync.conversations[0].2, Resumed::Gap { from: seq(1), to: seq(6) });
}

#[tokio::test(start_paused = true)]
async fn a_sync_answers_every_log_with_exactly_one_outcome() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    ann.post(direct(1, 2), "k1", "x").await;
    let Ok(View::Conversation(view)) = ben.query(Query::Conversation { conversation: direct(1, 2) }).await else { unreachable!("no view") };
    let life = view.tail.incarnation;
    assert_eq!((view.tail.seq.get(), view.unread), (1, 1));
    let Ok(View::Sync(first)) = ben.query(Query::Sync { user: None, conversations: vec![] }).await else { unreachable!("no sync") };
    assert_eq!(first.appeared.len(), 1);
    ben.disconnect();
    ann.post(direct(1, 2), "k2", "y").await;
    let mut cid = stage.connect(3).await;
    cid.post(direct(2, 3), "k1", "new to you").await;
    let mut ben = stage.connect(2).await;
    let at = |incarnation, value| Cursor { incarnation, seq: seq(value) };
    let named =
        vec![(direct(1, 2), at(life, 1)), (direct(1, 2), at(life, 9)), (direct(1, 2), at(Incarnation(5), 1)), (direct(1, 3), at(life, 1))];
    let Ok(View::Sync(sync)) = ben.query(Query::Sync { user: Some(first.user.0), conversations: named }).await else {
        unreachable!("no sync")
    };
    let outcomes: Vec<_> = sync.conversations.iter().map(|(_, _, outcome)| outcome).collect();
    assert!(matches!(outcomes[0], Resumed::Complete(entries) if entries.len() == 1 && entries[0].entry.seq == seq(2)));
    assert!(matches!(outcomes[1], Resumed::Reset(actors::view::ResetReason::Ahead)));
    assert!(matches!(outcomes[2], Resumed::Reset(actors::view::ResetReason::Incarnation)));
    assert!(matches!(outcomes[3], Resumed::Reset(actors::view::ResetReason::NotAMember)));
    assert_eq!(sync.appeared.iter().map(|view| view.id).collect::<Vec<_>>(), [direct(2, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_long_absence_is_a_gap_to_page() {
    let mut limits = Limits::default();
    limits.set(Limit::SyncEntries, 5);
    let stage = Stage::with(limits).await;
    let mut ann = stage.connect(1).await;
    for number in 1..=8 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let mut ben = stage.connect(2).await;
    let named = vec![(direct(1, 2), Cursor { incarnation: Incarnation(0), seq: seq(0) })];
    let Ok(View::Sync(sync)) = ben.query(Query::Sync { user: None, conversations: named }).await else { unreachable!("no sync") };
    assert_eq!(sync.conversations[0].2, Resumed::Gap { from: seq(1), to: seq(8) });
}

#[tokio::test(start_paused = true)]
async fn a_user_who_posts_too_fast_is_told_when_to_go_on() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    for number in 0..50 {
        ann.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let refused = ann.ask(post(direct(1, 2), "k50", "x")).await;
    assert!(matches!(refused, Err(Rejected::TooFast { bucket: "posts_user", .. })), "{refused:?}");
    stage.clock.advance(std::time::Duration::from_millis(100));
    assert_eq!(ann.post(direct(1, 2), "k50", "x").await.seq, seq(51), "a refused key is free");
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_refuses_and_loses_nothing() {
    let mut limits = Limits::default();
    limits.set(Limit::PostsWaiting, 4);
    let stage = Stage::with(limits).await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k", "x").await;
    stage.store.hold();
    let sent: Vec<_> = (0..10).map(|number| ann.send(post(direct(1, 2), &format!("w{number}"), "x"))).collect();
    for request in &sent[4..] {
        assert!(matches!(ann.answer(*request).await, Err(Rejected::Busy { .. })));
    }
    stage.store.release();
    for request in &sent[..4] {
        assert!(matches!(ann.answer(*request).await, Ok(View::Appended(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_settles_what_is_in_flight() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k", "x").await;
    let request = ann.send(post(direct(1, 2), "last", "x"));
    tokio::task::yield_now().await;
    stage.node.drain(std::time::Duration::from_secs(5)).await;
    let answer = ann.answer(request).await;
    assert!(matches!(answer, Ok(View::Appended(_)) | Err(Rejected::Draining)), "{answer:?}");
    assert_eq!(ann.ask(post(direct(1, 2), "late", "x")).await, Err(Rejected::Draining));
}

#[tokio::test(start_paused = true)]
async fn an_empty_message_is_refused() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    assert_eq!(ann.ask(post(direct(1, 2), "k", "")).await, Err(Rejected::EmptyMessage));
    let content = Content { text: "x".into(), reply_to: Some(seq(4)), ..Content::default() };
    let command = actors::command::Command::Post { conversation: direct(1, 2), client_key: crate::world::key("k"), content, media: vec![] };
    assert_eq!(ann.ask(command).await, Err(Rejected::NoSuchEntry { seq: seq(4) }));
}
