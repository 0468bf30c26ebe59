//! A user's own log: settings of conversations and notices, each once, told to the user's other devices.

use actors::command::{Command, Query, Wish};
use actors::content::GroupName;
use actors::entry::{Act, Notice, Preferences, Setting};
use actors::event::Event;
use actors::id::{ConversationId, Door, Pos, Seq};
use actors::limits::{Limit, Limits};
use actors::rejected::Rejected;
use actors::relation::{Side, Step};
use actors::store::{HomeStore, LogStore};
use actors::time::Timestamp;
use actors::view::{NoticesView, View};

use crate::world::{Device, Stage, direct, key, user};

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("valid")
}

fn set(conversation: ConversationId, client_key: &str, setting: Wish) -> Command {
    Command::Set { conversation, client_key: key(client_key), setting }
}

pub(crate) fn relate(peer: u64, step: Step) -> Command {
    Command::Relate { peer: user(peer), step, door: Door::default() }
}

pub(crate) const ASK: Step = Step::Request { own: Side::Pending, anew: true };

async fn notices(device: &mut Device, before: Option<Seq>, limit: u64) -> NoticesView {
    match device.query(Query::Notices { before, limit: Some(limit) }).await {
        Ok(View::Notices(view)) => view,
        other => unreachable!("{other:?}"),
    }
}

/// The own log's next entry that is not about conversations coming and going.
async fn own(device: &mut Device) -> Act {
    let act = device.event(|event| match event {
        Event::Own { entry, .. } if !matches!(entry.act, Act::Appeared { .. } | Act::Related { .. }) => Some(entry.act.clone()),
        _ => None,
    });
    act.await
}

#[tokio::test(start_paused = true)]
async fn settings_are_stored_told_to_other_devices_and_answered_once() {
    let stage = Stage::new().await;
    let (mut ann, mut tablet, mut ben) = (stage.connect(1).await, stage.connect(1).await, stage.connect(2).await);
    for number in 0..3 {
        ben.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let mute = set(direct(1, 2), "a", Wish::Mute(Some(Timestamp(9))));
    let muted = Preferences { muted_until: Some(Timestamp(9)), ..Preferences::default() };
    assert_eq!(ann.ask(mute.clone()).await, Ok(View::Preferences(direct(1, 2), muted)));
    assert_eq!(own(&mut tablet).await, Act::Set { conversation: direct(1, 2), setting: Setting::Mute(Some(Timestamp(9))) });
    let cleared = Preferences { cleared: (seq(2), Pos(2)), ..muted };
    assert_eq!(ann.ask(set(direct(1, 2), "b", Wish::Clear(seq(2)))).await, Ok(View::Preferences(direct(1, 2), cleared)));
    let archived = Preferences { archived: true, ..cleared };
    assert_eq!(ann.ask(set(direct(1, 2), "c", Wish::Archive(true))).await, Ok(View::Preferences(direct(1, 2), archived)));
    assert_eq!(stage.store.preferences(user(1), &[direct(1, 2)]).await, Ok(vec![archived]));
    let tail = stage.store.head(user(1).into()).await.expect("readable").tail;
    assert_eq!(ann.ask(mute).await, Ok(View::Preferences(direct(1, 2), archived)), "a repetition shows how it stands");
    assert_eq!(ann.ask(set(direct(1, 2), "d", Wish::Archive(true))).await, Ok(View::Preferences(direct(1, 2), archived)));
    assert_eq!(stage.store.head(user(1).into()).await.expect("readable").tail, tail, "neither is written again");
    assert!(matches!(ann.ask(set(direct(1, 2), "a", Wish::Mute(None))).await, Err(Rejected::KeyReused { .. })));
    ann.take_ready();
    assert!(!ann.events.iter().any(|event| matches!(event, Event::Own { entry, .. } if matches!(entry.act, Act::Set { .. }))));
}

#[tokio::test(start_paused = true)]
async fn entries_are_hidden_one_by_one_also_when_they_are_asked_for_together() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    for number in 0..4 {
        ben.post(direct(1, 2), &format!("k{number}"), "x").await;
    }
    let sent: Vec<_> = [1, 3, 4].map(|at| ann.send(set(direct(1, 2), &format!("h{at}"), Wish::Hide(seq(at))))).into();
    for request in sent {
        assert_eq!(ann.answer(request).await, Ok(View::Preferences(direct(1, 2), Preferences::default())));
    }
    let bucket = seq(1).bucket();
    let rows = stage.store.hidden(user(1), direct(1, 2), bucket, bucket).await.expect("readable");
    assert_eq!(rows[0].1.places().collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(stage.store.hidden(user(2), direct(1, 2), bucket, bucket).await, Ok(vec![]), "nobody else's");
    assert_eq!(ann.ask(set(direct(1, 2), "x", Wish::Hide(seq(5)))).await, Err(Rejected::AheadOfLog { tail: seq(4) }));
}

#[tokio::test(start_paused = true)]
async fn only_ones_own_conversations_can_be_set() {
    let stage = Stage::new().await;
    let (mut ann, mut dan) = (stage.connect(1).await, stage.connect(4).await);
    ann.post(direct(1, 2), "k", "x").await;
    assert_eq!(dan.ask(set(direct(1, 2), "a", Wish::Archive(true))).await, Err(Rejected::NoSuchConversation));
    assert_eq!(dan.ask(set(direct(4, 77), "b", Wish::Archive(true))).await, Err(Rejected::NoSuchConversation), "there is no user 77");
    assert!(dan.ask(set(direct(4, 5), "c", Wish::Archive(true))).await.is_ok(), "no message is needed");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_noticed_once_and_withdrawn_when_it_is_answered() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    ann.ask(relate(2, ASK)).await.expect("may ask");
    let noticed = own(&mut ben).await;
    assert_eq!(noticed, Act::Noticed(Notice::FriendRequest { from: user(1) }));
    let view = notices(&mut ben, None, 10).await;
    assert_eq!((view.total, view.unread, view.page.len(), view.more), (1, 1, 1, false));
    assert_eq!(view.page[0].from.as_ref().map(|from| from.id), Some(user(1)));
    ben.ask(relate(1, Step::Decline)).await.expect("may decline");
    let withdrawn = own(&mut ben).await;
    assert_eq!(withdrawn, Act::Withdrawn { notice: view.page[0].seq });
    assert_eq!(notices(&mut ben, None, 10).await.total, 0);
    assert_eq!(notices(&mut ann, None, 10).await.total, 0, "who asked has no notice of it");
}

#[tokio::test(start_paused = true)]
async fn the_read_mark_of_notices_only_rises() {
    let stage = Stage::new().await;
    let mut ben = stage.connect(2).await;
    for number in [3, 4, 5] {
        stage.connect(number).await.ask(relate(2, ASK)).await.expect("may ask");
    }
    let view = notices(&mut ben, None, 2).await;
    assert_eq!((view.total, view.unread, view.page.len(), view.more), (3, 3, 2, true));
    let rest = notices(&mut ben, Some(view.page[1].seq), 2).await;
    assert_eq!((rest.page.len(), rest.more, rest.page[0].notice), (1, false, Notice::FriendRequest { from: user(3) }));
    let newest = view.page[0].seq;
    assert_eq!(ben.ask(Command::ReadNotices { up_to: view.page[1].seq }).await, Ok(View::Done));
    assert_eq!(notices(&mut ben, None, 2).await.unread, 1);
    assert_eq!(ben.ask(Command::ReadNotices { up_to: newest }).await, Ok(View::Done));
    assert_eq!(ben.ask(Command::ReadNotices { up_to: rest.page[0].seq }).await, Ok(View::Done), "a lower one changes nothing");
    let view = notices(&mut ben, None, 2).await;
    assert_eq!((view.unread, view.read, view.total), (0, newest, 3));
    let tail = stage.store.head(user(2).into()).await.expect("readable").tail;
    assert_eq!(ben.ask(Command::ReadNotices { up_to: tail.next() }).await, Err(Rejected::AheadOfLog { tail }));
    let restarted = Stage::over(stage.store, Limits::default()).await;
    assert_eq!(notices(&mut restarted.connect(2).await, None, 2).await.read, newest, "also after a restart");
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_fill_a_list_of_notices() {
    let mut limits = Limits::default();
    limits.set(Limit::NoticesUser, 2);
    let stage = Stage::with(limits).await;
    for number in [3, 4, 5, 6] {
        stage.connect(number).await.ask(relate(2, ASK)).await.expect("may ask");
    }
    let view = notices(&mut stage.connect(2).await, None, 10).await;
    let from: Vec<_> = view.page.iter().map(|notice| notice.notice.from()).collect();
    assert_eq!((from, view.total), (vec![user(6), user(5)], 2));
}

#[tokio::test(start_paused = true)]
async fn an_invitation_that_is_over_is_not_listed() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    let name = GroupName::new("g").expect("valid");
    let create = Command::CreateGroup { client_key: key("c"), name, members: vec![], open: false };
    let Ok(View::Appended(created)) = ann.ask(create).await else { unreachable!("it may be created") };
    let conversation = created.conversation;
    ann.ask(Command::Invite { conversation, client_key: key("i"), users: vec![user(2)] }).await.expect("may invite");
    assert!(matches!(own(&mut ben).await, Act::Noticed(Notice::GroupInvitation { .. })));
    assert_eq!(notices(&mut ben, None, 10).await.total, 1);
    stage.clock.advance(std::time::Duration::from_hours(24 * 365));
    let view = notices(&mut ben, None, 10).await;
    assert_eq!((view.total, view.unread, view.page), (0, 0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn conversations_with_unread_messages_stand_on_the_first_page_alone() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cat) = (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await);
    ben.post(direct(1, 2), "k1", "x").await;
    stage.clock.advance(std::time::Duration::from_secs(1));
    cat.post(direct(1, 3), "k2", "x").await;
    cat.post(direct(1, 3), "k3", "x").await;
    ann.post(direct(1, 4), "k4", "own messages are not unread").await;
    assert_eq!(notices(&mut ann, None, 10).await.conversations, [(direct(1, 3), 2), (direct(1, 2), 1)]);
    assert_eq!(notices(&mut ann, Some(seq(9)), 10).await.conversations, []);
    ann.ask(set(direct(1, 3), "c", Wish::Clear(seq(1)))).await.expect("may clear");
    assert_eq!(notices(&mut ann, None, 10).await.conversations, [(direct(1, 3), 1), (direct(1, 2), 1)]);
}
