//! Groups: creation, members, and who hears of what.

use actors::command::{Command, Query, Span};
use actors::content::GroupName;
use actors::entry::Role;
use actors::event::Event;
use actors::id::ConversationId;
use actors::rejected::Rejected;
use actors::view::{About, View};

use crate::world::{Device, Stage, direct, key, post, user};

pub(crate) fn create(client_key: &str, members: &[u64]) -> Command {
    Command::CreateGroup {
        client_key: key(client_key),
        name: GroupName::new("friends").expect("valid"),
        members: members.iter().map(|number| user(*number)).collect(),
        open: false,
    }
}

pub(crate) async fn created(owner: &mut Device, members: &[u64]) -> ConversationId {
    match owner.ask(create("create", members)).await {
        Ok(View::Appended(appended)) => appended.conversation,
        other => unreachable!("{other:?}"),
    }
}

pub(crate) fn add(conversation: ConversationId, client_key: &str, members: &[u64]) -> Command {
    let members = members.iter().map(|number| user(*number)).collect();
    Command::AddMembers { conversation, client_key: key(client_key), members }
}

pub(crate) fn remove(conversation: ConversationId, client_key: &str, member: u64) -> Command {
    Command::RemoveMember { conversation, client_key: key(client_key), member: user(member) }
}

#[tokio::test(start_paused = true)]
async fn a_group_is_created_once_however_often_it_is_asked_for() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let (one, two) = (ann.send(create("c", &[2, 3])), ann.send(create("c", &[2, 3])));
    let (Ok(View::Appended(first)), Ok(View::Appended(second))) = (ann.answer(one).await, ann.answer(two).await) else {
        unreachable!("no ack")
    };
    assert_eq!((first.conversation, first.seq), (second.conversation, second.seq));
    assert!(!first.duplicate && second.duplicate);
    let Ok(View::Appended(third)) = ann.ask(create("c", &[2, 3])).await else { unreachable!("no ack") };
    assert_eq!((third.conversation, third.duplicate), (first.conversation, true));
    assert!(matches!(ann.ask(create("c", &[2])).await, Err(Rejected::KeyReused { .. })));
}

#[tokio::test(start_paused = true)]
async fn every_member_hears_of_the_group_and_of_its_messages() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cid, mut dan) =
        (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await, stage.connect(4).await);
    let group = created(&mut ann, &[2, 3]).await;
    assert_eq!(ben.entry().await.0, 1);
    assert_eq!(cid.entry().await.0, 1);
    assert_eq!(ann.post(group, "k", "hello").await.seq.get(), 2);
    assert_eq!(ben.entry().await, (2, "hello".to_owned()));
    assert_eq!(cid.entry().await, (2, "hello".to_owned()));
    assert_eq!(dan.ask(post(group, "k", "x")).await, Err(Rejected::NoSuchConversation));
    assert_eq!(dan.query(Query::Conversation { conversation: group }).await, Err(Rejected::NoSuchConversation));
    let Ok(View::Conversation(view)) = ben.query(Query::Conversation { conversation: group }).await else { unreachable!("no view") };
    assert_eq!((view.count.0, view.unread, view.tail.seq.get()), (1, 1, 2), "only messages count");
    assert!(matches!(view.about, About::Group { role: Role::Member, ref group } if group.members == 3));
}

#[tokio::test(start_paused = true)]
async fn who_joins_hears_from_the_joining_on_and_who_goes_up_to_the_going() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cid) = (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await);
    let group = created(&mut ann, &[2]).await;
    ann.post(group, "k1", "before").await;
    assert!(matches!(ann.ask(add(group, "a1", &[3])).await, Ok(View::Appended(_))));
    ann.post(group, "k2", "after").await;
    assert_eq!(cid.entry().await.0, 3, "the joining itself");
    assert_eq!(cid.entry().await, (4, "after".to_owned()));
    assert_eq!(ben.ask(remove(group, "r0", 3)).await, Err(Rejected::RoleTooLow));
    assert!(matches!(ann.ask(remove(group, "r1", 2)).await, Ok(View::Appended(_))));
    ann.post(group, "k3", "without ben").await;
    assert_eq!(cid.entry().await.0, 5);
    assert_eq!(cid.entry().await.0, 6);
    let seen: Vec<u64> = [ben.entry().await.0, ben.entry().await.0, ben.entry().await.0, ben.entry().await.0, ben.entry().await.0].into();
    assert_eq!(seen, [1, 2, 3, 4, 5], "the removal is the last that ben hears of");
    ben.take_ready();
    assert!(!ben.events.iter().any(|event| matches!(event, Event::Entry { .. })));
    assert_eq!(ben.ask(post(group, "k", "x")).await, Err(Rejected::NoSuchConversation));
    let Ok(View::History(history)) = ben.query(Query::History { conversation: group, span: Span::Newest, limit: None }).await else {
        unreachable!("no history")
    };
    assert_eq!(history.entries.last().map(|entry| entry.entry.seq.get()), Some(5));
    assert_eq!(history.tail.seq.get(), 5);
    let Ok(View::Conversations { page, .. }) = ben.query(Query::Conversations { cursor: None, limit: None }).await else {
        unreachable!("no page")
    };
    assert!(page.is_empty());
}

#[tokio::test(start_paused = true)]
async fn members_and_roles_are_there_after_a_restart() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let group = created(&mut ann, &[2, 3]).await;
    ann.ask(remove(group, "r1", 2)).await.expect("the owner may");
    let restarted = Stage::over(stage.store, actors::limits::Limits::default()).await;
    let (mut ann, mut ben, mut cid) = (restarted.connect(1).await, restarted.connect(2).await, restarted.connect(3).await);
    assert_eq!(ben.ask(post(group, "k", "x")).await, Err(Rejected::NoSuchConversation));
    assert_eq!(cid.ask(add(group, "a", &[2])).await, Err(Rejected::RoleTooLow));
    assert_eq!(ann.ask(remove(group, "r2", 1)).await, Err(Rejected::OwnerCannotLeave));
    assert_eq!(ann.post(group, "k", "x").await.seq.get(), 3);
    let Ok(View::Members { page, more: false }) = cid.query(Query::Members { conversation: group, after: None, limit: None }).await else {
        unreachable!("no page")
    };
    assert_eq!(page.iter().map(|(user, place)| (user.get(), place.role)).collect::<Vec<_>>(), [(1, Role::Owner), (3, Role::Member)]);
}

#[tokio::test(start_paused = true)]
async fn a_direct_conversation_has_no_members_to_change() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    assert_eq!(ann.ask(add(direct(1, 2), "a", &[3])).await, Err(Rejected::NotAGroup));
    assert_eq!(ann.ask(remove(direct(1, 2), "r", 2)).await, Err(Rejected::NotAGroup));
    assert!(matches!(ann.ask(create("c", &[77])).await, Err(Rejected::NoSuchUser)), "nobody who does not exist");
}

#[tokio::test(start_paused = true)]
async fn posts_around_a_change_keep_their_order() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let group = created(&mut ann, &[2]).await;
    let sent = [
        ann.send(post(group, "k1", "x")),
        ann.send(add(group, "a1", &[3])),
        ann.send(post(group, "k2", "x")),
        ann.send(remove(group, "r1", 3)),
        ann.send(post(group, "k3", "x")),
    ];
    for (place, request) in sent.into_iter().enumerate() {
        let Ok(View::Appended(ack)) = ann.answer(request).await else { unreachable!("no ack") };
        assert_eq!(ack.seq.get(), place as u64 + 2);
    }
}
