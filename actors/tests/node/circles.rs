//! Groups as people run them: roles, ways in, invitations, name and picture.

use std::time::Duration;

use actors::account::{Audience, Privacy};
use actors::command::{Command, Manage, ProfileChange, Query};
use actors::content::{AboutText, GroupName};
use actors::entry::{Act, GroupChange, Notice, Role};
use actors::event::Event;
use actors::id::Door;
use actors::id::{ConversationId, GroupId};
use actors::limits::{Limit, Limits};
use actors::rejected::Rejected;
use actors::relation::Step;
use actors::view::{About, View};

use crate::groups::{add, created, remove};
use crate::world::{Device, Stage, key, post, user};

fn role(conversation: ConversationId, client_key: &str, member: u64, role: Role) -> Command {
    Command::SetRole { conversation, client_key: key(client_key), member: user(member), role }
}

fn hand_over(conversation: ConversationId, client_key: &str, to: u64) -> Command {
    Command::HandOver { conversation, client_key: key(client_key), to: user(to) }
}

fn invite(conversation: ConversationId, client_key: &str, users: &[u64]) -> Command {
    Command::Invite { conversation, client_key: key(client_key), users: users.iter().map(|number| user(*number)).collect() }
}

fn join(conversation: ConversationId, client_key: &str) -> Command {
    Command::Join { conversation, client_key: key(client_key) }
}

fn decline(conversation: ConversationId, client_key: &str, of: u64) -> Command {
    Command::Decline { conversation, client_key: key(client_key), user: user(of) }
}

fn change(conversation: ConversationId, client_key: &str, change: GroupChange) -> Command {
    Command::ChangeGroup { conversation, client_key: key(client_key), change, picture: None }
}

async fn notices(device: &mut Device) -> Vec<Notice> {
    match device.query(Query::Notices { before: None, limit: None }).await {
        Ok(View::Notices(view)) => view.page.into_iter().map(|notice| notice.notice).collect(),
        other => unreachable!("{other:?}"),
    }
}

async fn invited(device: &mut Device, conversation: ConversationId) -> Result<Vec<u64>, Rejected> {
    match device.query(Query::Invitations { conversation, after: None, limit: None }).await {
        Ok(View::Invitations { page, more: false }) => Ok(page.into_iter().map(|(user, _)| user.get()).collect()),
        Ok(other) => unreachable!("{other:?}"),
        Err(rejected) => Err(rejected),
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_gives_roles_and_hands_the_group_over() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cid) = (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await);
    let group = created(&mut ann, &[2, 3]).await;
    assert_eq!(ben.ask(add(group, "a0", &[4])).await, Err(Rejected::RoleTooLow));
    ann.done(role(group, "r1", 2, Role::Admin)).await;
    ben.done(add(group, "a1", &[4])).await;
    assert_eq!(ben.ask(role(group, "r2", 3, Role::Admin)).await, Err(Rejected::RoleTooLow));
    assert!(matches!(ann.ask(role(group, "r3", 3, Role::Owner)).await, Err(Rejected::Field { field: "role", .. })));
    assert_eq!(ann.ask(role(group, "r4", 1, Role::Member)).await, Err(Rejected::RoleTooLow), "an owner is replaced, not demoted");
    assert!(matches!(ann.ask(role(group, "r5", 9, Role::Admin)).await, Err(Rejected::Field { field: "user", .. })));
    ann.done(role(group, "r6", 3, Role::Admin)).await;
    assert_eq!(ben.ask(remove(group, "x1", 3)).await, Err(Rejected::RoleTooLow), "an admin removes members alone");
    ben.done(remove(group, "x2", 4)).await;
    assert_eq!(ben.ask(hand_over(group, "h1", 2)).await, Err(Rejected::RoleTooLow));
    ann.done(hand_over(group, "h2", 2)).await;
    assert!(ann.done(hand_over(group, "h2", 2)).await.duplicate, "also by who is the owner no longer");
    let restarted = Stage::over(stage.store, Limits::default()).await;
    let (mut ann, mut ben) = (restarted.connect(1).await, restarted.connect(2).await);
    assert_eq!(ben.ask(remove(group, "x3", 2)).await, Err(Rejected::OwnerCannotLeave));
    ann.done(add(group, "a2", &[5])).await;
    assert_eq!(ann.ask(hand_over(group, "h3", 1)).await, Err(Rejected::RoleTooLow));
    ann.done(remove(group, "x4", 1)).await;
    let Ok(View::Members { page, .. }) = ben.query(Query::Members { conversation: group, after: None, limit: None }).await else {
        unreachable!("no page")
    };
    let roles: Vec<_> = page.iter().map(|(user, place)| (user.get(), place.role)).collect();
    assert_eq!(roles, [(2, Role::Owner), (3, Role::Admin), (5, Role::Member)]);
    assert_eq!(cid.ask(post(group, "k", "x")).await.map(|_| ()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_admin_deletes_what_members_wrote() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cid) = (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await);
    let group = created(&mut ann, &[2, 3]).await;
    ann.done(role(group, "r1", 2, Role::Admin)).await;
    let of_ann = ann.post(group, "k", "x").await.seq;
    let of_ben = ben.post(group, "k", "x").await.seq;
    let of_cid = cid.post(group, "k", "x").await.seq;
    let delete = |key_text: &str, target| Command::Delete { conversation: group, client_key: key(key_text), target };
    assert_eq!(cid.ask(delete("d1", of_ben)).await, Err(Rejected::RoleTooLow));
    assert_eq!(ben.ask(delete("d2", of_ann)).await, Err(Rejected::RoleTooLow));
    ben.done(delete("d3", of_cid)).await;
    ann.done(delete("d4", of_ben)).await;
    ann.done(delete("d5", of_ann)).await;
    assert_eq!(cid.conversation(group).await.unread, 0);
}

#[tokio::test(start_paused = true)]
async fn name_text_and_openness_change() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cid) = (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await);
    let group = created(&mut ann, &[2, 3]).await;
    ann.done(role(group, "r1", 2, Role::Admin)).await;
    let name = GroupChange { name: Some(GroupName::new("rowing").expect("valid")), ..GroupChange::default() };
    let open = GroupChange { open: Some(true), ..GroupChange::default() };
    assert_eq!(cid.ask(change(group, "c1", name.clone())).await, Err(Rejected::RoleTooLow));
    ben.done(change(group, "c1", name)).await;
    assert_eq!(ben.ask(change(group, "c2", open.clone())).await, Err(Rejected::RoleTooLow), "opening is the owner's");
    assert!(matches!(ann.ask(change(group, "c3", GroupChange::default())).await, Err(Rejected::Field { .. })));
    let about = GroupChange { about: Some(AboutText::new("early").expect("valid")), ..open };
    ann.done(change(group, "c4", about)).await;
    let About::Group { group: row, .. } = cid.conversation(group).await.about else { unreachable!("a group") };
    assert_eq!((row.name.as_str(), row.about.as_str(), row.open, row.members), ("rowing", "early", true, 3));
    let mut dan = stage.connect(4).await;
    dan.done(join(group, "j1")).await;
    assert_eq!(dan.ask(post(group, "k", "x")).await.map(|_| ()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn who_is_invited_may_join_and_others_do_not_see_the_group() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cid, mut dan) =
        (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await, stage.connect(4).await);
    let group = created(&mut ann, &[2]).await;
    assert_eq!(ben.ask(invite(group, "i0", &[3])).await, Err(Rejected::RoleTooLow));
    assert_eq!(cid.ask(join(group, "j0")).await, Err(Rejected::NoSuchConversation));
    assert_eq!(ann.ask(invite(group, "i1", &[77])).await, Err(Rejected::NoSuchUser));
    assert!(matches!(ann.ask(invite(group, "i1", &[2])).await, Err(Rejected::Field { .. })));
    ann.done(invite(group, "i2", &[3, 4])).await;
    assert!(ann.done(invite(group, "i2", &[4, 3])).await.duplicate);
    let ConversationId::Group(number) = group else { unreachable!("a group") };
    assert!(matches!(notices(&mut cid).await[..], [Notice::GroupInvitation { from, group, .. }] if from == user(1) && group == number));
    assert_eq!(invited(&mut ann, group).await, Ok(vec![3, 4]));
    assert_eq!(invited(&mut ben, group).await, Err(Rejected::RoleTooLow));
    assert_eq!(invited(&mut cid, group).await, Err(Rejected::NoSuchConversation));
    assert_eq!(cid.ask(post(group, "k", "x")).await, Err(Rejected::NoSuchConversation), "an invitation is no membership");
    let restarted = Stage::over(stage.store.clone(), Limits::default()).await;
    let (mut cid, mut dan2) = (restarted.connect(3).await, restarted.connect(4).await);
    let joined = cid.done(join(group, "j1")).await;
    let again = cid.done(join(group, "j2")).await;
    assert_eq!((again.seq, again.duplicate), (joined.seq, true), "who is a member already is told since when");
    assert_eq!(cid.post(group, "k", "x").await.seq, joined.seq.next());
    assert!(notices(&mut cid).await.is_empty(), "what is settled is no notice any more");
    dan2.done(decline(group, "d1", 4)).await;
    assert!(notices(&mut dan2).await.is_empty());
    assert_eq!(dan2.ask(join(group, "j1")).await, Err(Rejected::NoSuchConversation));
    assert_eq!(dan.ask(decline(group, "d2", 4)).await, Err(Rejected::NoSuchConversation));
    let absent = ConversationId::Group(GroupId::new(4_242).expect("valid"));
    assert_eq!(dan.ask(join(absent, "j3")).await, Err(Rejected::NoSuchConversation));
}

#[tokio::test(start_paused = true)]
async fn an_invitation_is_taken_back_and_expires() {
    let mut limits = Limits::default();
    limits.set(Limit::InvitationLife, 60_000);
    let stage = Stage::with(limits).await;
    let (mut ann, mut cid, mut dan) = (stage.connect(1).await, stage.connect(3).await, stage.connect(4).await);
    let group = created(&mut ann, &[2]).await;
    ann.done(invite(group, "i1", &[3, 4])).await;
    assert!(matches!(ann.ask(decline(group, "d0", 5)).await, Err(Rejected::Field { field: "user", .. })));
    ann.done(decline(group, "d1", 3)).await;
    assert_eq!(cid.ask(join(group, "j1")).await, Err(Rejected::NoSuchConversation));
    stage.clock.advance(Duration::from_secs(61));
    assert_eq!(dan.ask(join(group, "j1")).await, Err(Rejected::NoSuchConversation));
    assert_eq!(invited(&mut ann, group).await, Ok(vec![]));
    ann.done(invite(group, "i2", &[3])).await;
    ann.done(add(group, "a1", &[3, 4])).await;
    assert_eq!(cid.post(group, "k", "x").await.duplicate, false);
    assert!(notices(&mut cid).await.is_empty(), "who was added has no invitation left");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_added_against_his_will() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cid) = (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await);
    let privacy = Privacy { groups: Audience::Friends, ..Privacy::default() };
    let wish = ProfileChange { privacy: Some(privacy), ..ProfileChange::default() };
    ben.manage(Manage::Profile(Box::new(wish))).await.expect("anyone may");
    let relate = |peer, step| Command::Relate { peer: user(peer), step, door: Door::default() };
    cid.ask(relate(1, Step::Block)).await.expect("anyone may");
    let group = created(&mut ann, &[4]).await;
    assert_eq!(ann.ask(add(group, "a1", &[2])).await, Err(Rejected::InvitationNeeded));
    assert_eq!(ann.ask(crate::groups::create("c2", &[2])).await, Err(Rejected::InvitationNeeded));
    assert_eq!(ann.ask(add(group, "a2", &[3])).await, Err(Rejected::Blocked { by: user(3) }));
    assert_eq!(ann.ask(invite(group, "i1", &[3])).await, Err(Rejected::Blocked { by: user(3) }));
    ann.done(invite(group, "i2", &[2])).await;
    ben.done(join(group, "j1")).await;
    ben.ask(relate(5, Step::Request { own: actors::relation::Side::Pending, anew: true })).await.expect("anyone may");
    let mut eve = stage.connect(5).await;
    eve.ask(relate(2, Step::Accept)).await.expect("she was asked");
    let of_eve = match eve.ask(crate::groups::create("c", &[2])).await {
        Ok(View::Appended(appended)) => appended.conversation,
        other => unreachable!("{other:?}"),
    };
    assert_eq!(ben.ask(post(of_eve, "k", "x")).await.map(|_| ()), Ok(()), "friends may");
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_group_are_told_to_its_members() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    let group = created(&mut ann, &[2]).await;
    ann.done(role(group, "r1", 2, Role::Admin)).await;
    ann.done(invite(group, "i1", &[3])).await;
    ann.done(hand_over(group, "h1", 2)).await;
    let acts: Vec<_> = ben
        .heard()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::Entry { entry, .. } => Some(entry.act.clone()),
            _ => None,
        })
        .collect();
    assert!(matches!(acts[..], [Act::Created { .. }, Act::RoleSet { .. }, Act::Invited { .. }, Act::HandedOver { .. }]), "{acts:?}");
}
