//! What goes with a deleted account, and that a crash in between loses none of it.

use std::time::Duration;

use actors::account::{Device, Password, Standing};
use actors::accounts::erasure::MessagesOfDeleted;
use actors::accounts::{LogInBy, SignUp};
use actors::command::{BondFilter, Command, Manage, Query};
use actors::content::{Content, GroupName};
use actors::entry::{Act, Role};
use actors::id::{ConversationId, LogId, Seq};
use actors::limits::Limits;
use actors::media::MediaId;
use actors::outbound::CloseReason;
use actors::rejected::Rejected;
use actors::relation::Step;
use actors::store::{AccountKey, AccountStore, HomeStore, LogStore, MediaStore, MemberStore, RelationStore, Sequence};
use actors::time::Clock;
use actors::view::View;

use crate::homes::{ASK, relate};
use crate::messages::{media, upload};
use crate::world::{Device as Client, Stage, direct, key, user};

async fn delete(stage: &Stage, number: u64) {
    let (_, identity) = stage.log_in(number, "").await;
    let wish = Manage::Delete { password: Password::given("correct horse") };
    assert_eq!(stage.manage(identity, wish).await, Ok(View::Done));
}

async fn erased(stage: &Stage) {
    while !stage.store.erasing(1).await.expect("readable").is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn group(owner: &mut Client, members: &[u64]) -> ConversationId {
    let members = members.iter().map(|member| user(*member)).collect();
    let name = GroupName::new("g").expect("valid");
    match owner.ask(Command::CreateGroup { client_key: key(&format!("c{members:?}")), name, members, open: true }).await {
        Ok(View::Appended(created)) => created.conversation,
        other => unreachable!("{other:?}"),
    }
}

async fn acts(stage: &Stage, conversation: ConversationId) -> Vec<Act> {
    let log = LogId::Conversation(conversation);
    let head = stage.store.head(log).await.expect("readable");
    let entries = stage.store.range(log, Seq::ZERO, head.tail, 100, false).await.expect("readable");
    entries.into_iter().map(|entry| entry.act).collect()
}

#[tokio::test(start_paused = true)]
async fn the_names_are_free_at_once_and_tokens_prove_nothing() {
    let stage = Stage::new().await;
    stage.store.draw(Sequence::Principals, 9).await.expect("a fresh store"); // as the stage's users have numbers
    let accounts = stage.node.accounts();
    let (tokens, identity) = stage.log_in(1, "").await;
    let mut session = stage.connect_as(identity).await;
    let wrong = Manage::Delete { password: Password::given("wrong horse") };
    assert_eq!(stage.manage(identity, wrong).await, Err(Rejected::WrongPassword));
    delete(&stage, 1).await;
    assert_eq!(session.closed(), Some(CloseReason::Disabled));
    assert_eq!(accounts.identify(&tokens.access.0).await, Err(Rejected::InvalidCredential));
    let device = Device::default();
    assert_eq!(accounts.refresh(&tokens.refresh.0, &device).await.err(), Some(Rejected::InvalidRefresh));
    for by in
        [LogInBy::Username("user1".to_owned()), LogInBy::Username("deleted-1".to_owned()), LogInBy::Email("user1@example.org".to_owned())]
    {
        assert_eq!(accounts.log_in(by, "correct horse", &device).await.err(), Some(Rejected::WrongPassword));
    }
    let again = SignUp { username: "user1", email: "USER1@example.org", password: "correct horse", ..SignUp::default() };
    assert!(accounts.sign_up(again, &device).await.is_ok());
    let left = stage.store.account(AccountKey::Id(user(1))).await.expect("readable").expect("a row stays").row;
    assert_eq!((left.username.as_str(), left.standing, left.password), ("deleted-1", Standing::Deleted, None));
    assert_eq!(accounts.set_banned(user(1), false).await, Err(Rejected::NoSuchUser), "nothing brings it back");
}

#[tokio::test(start_paused = true)]
async fn its_friendships_requests_blocks_and_notices_end() {
    let stage = Stage::new().await;
    stage.node.erase_deleted(MessagesOfDeleted::Stay);
    let mut ann = stage.connect(1).await;
    let mut others = Vec::new();
    for number in [2, 3, 4, 5] {
        others.push(stage.connect(number).await);
    }
    ann.ask(relate(2, ASK)).await.expect("may ask");
    others[0].ask(relate(1, Step::Accept)).await.expect("was asked");
    ann.ask(relate(3, ASK)).await.expect("may ask");
    others[2].ask(relate(1, ASK)).await.expect("may ask");
    ann.ask(relate(5, Step::Block)).await.expect("may block");
    others[3].ask(relate(1, Step::Block)).await.expect("may block");
    assert_eq!(stage.store.notices(user(1), None, 9).await.map(|notices| notices.len()), Ok(1));
    delete(&stage, 1).await;
    erased(&stage).await;
    for bond in stage.store.bonds(user(1), None, 9).await.expect("readable") {
        assert!(!bond.is_friendship() && bond.asked().is_none() && bond.blocked_by(user(1)).is_none(), "{bond:?}");
    }
    assert_eq!(stage.store.notices(user(1), None, 9).await, Ok(vec![]));
    assert_eq!(stage.store.notices(user(3), None, 9).await, Ok(vec![]), "its request is no notice any more");
    for (device, filter) in others.iter_mut().zip([BondFilter::Friends, BondFilter::Incoming, BondFilter::Outgoing]) {
        let Ok(View::Bonds { total, .. }) = device.query(Query::Bonds { filter, cursor: None, limit: None }).await else {
            unreachable!("a list")
        };
        assert_eq!(total, 0, "{filter:?}");
    }
    let Ok(View::Bonds { total, page, .. }) =
        others[3].query(Query::Bonds { filter: BondFilter::Blocked, cursor: None, limit: None }).await
    else {
        unreachable!("a list")
    };
    assert_eq!((total, page[0].peer.is_none()), (1, true), "whom others block is theirs");
}

#[tokio::test(start_paused = true)]
async fn its_groups_go_to_the_longest_standing_admin_else_member() {
    let stage = Stage::new().await;
    stage.node.erase_deleted(MessagesOfDeleted::Stay);
    let mut ann = stage.connect(1).await;
    let (with_admin, without, alone) = (group(&mut ann, &[2, 3]).await, group(&mut ann, &[4, 5]).await, group(&mut ann, &[]).await);
    let set_role = Command::SetRole { conversation: with_admin, client_key: key("r"), member: user(3), role: Role::Admin };
    ann.ask(set_role).await.expect("the owner may");
    delete(&stage, 1).await;
    erased(&stage).await;
    for (conversation, owner) in [(with_admin, Some(3)), (without, Some(4)), (alone, None)] {
        let ConversationId::Group(group) = conversation else { unreachable!("it is a group") };
        let members = stage.store.members(group, None, 9).await.expect("readable");
        let current =
            |number| members.iter().find(|(member, place)| *member == user(number) && place.is_current()).map(|(_, place)| place.role);
        if let Some(owner) = owner {
            assert_eq!((current(owner), current(1)), (Some(Role::Owner), None));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn its_messages_stay_unless_they_are_to_go() {
    for fate in [MessagesOfDeleted::Stay, MessagesOfDeleted::Go] {
        let stage = Stage::new().await;
        stage.node.erase_deleted(fate);
        let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
        let group = group(&mut ann, &[2]).await;
        for conversation in [direct(1, 2), group] {
            ann.post(conversation, "k1", "secret").await;
            ben.post(conversation, "k2", "mine").await;
            ann.post(conversation, "k3", "secret").await;
        }
        delete(&stage, 1).await;
        erased(&stage).await;
        for conversation in [direct(1, 2), group] {
            let texts: Vec<_> = acts(&stage, conversation)
                .await
                .iter()
                .filter_map(|act| match act {
                    Act::Message(content) => Some(content.text.to_string()),
                    _ => None,
                })
                .collect();
            match fate {
                MessagesOfDeleted::Stay => assert_eq!(texts, ["secret", "mine", "secret"]),
                MessagesOfDeleted::Go => assert_eq!(texts, ["mine"]),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_interrupted_is_done_after_the_next_start() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    ann.ask(relate(2, ASK)).await.expect("may ask");
    for number in 0..5 {
        ann.post(direct(1, 2), &format!("k{number}"), "secret").await;
    }
    // Nothing is erased by this node: as if it had died right after the answer.
    delete(&stage, 1).await;
    ben.take_ready();
    assert_eq!(stage.store.erasing(9).await, Ok(vec![user(1)]));
    let restarted = Stage::over(stage.store.clone(), Limits::default()).await;
    restarted.node.erase_deleted(MessagesOfDeleted::Go);
    erased(&restarted).await;
    assert!(!acts(&restarted, direct(1, 2)).await.iter().any(|act| matches!(act, Act::Message(_))));
    assert_eq!(restarted.store.notices(user(2), None, 9).await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_erases_hears_of_each_deletion() {
    let stage = Stage::new().await;
    stage.node.erase_deleted(MessagesOfDeleted::Stay);
    for number in [1, 2] {
        delete(&stage, number).await;
        let begun = tokio::time::Instant::now();
        erased(&stage).await;
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not wait for the next look");
    }
}

#[tokio::test(start_paused = true)]
async fn its_files_expire_whoever_shows_them() {
    let stage = Stage::new().await;
    stage.node.erase_deleted(MessagesOfDeleted::Stay);
    let mut ann = stage.connect(1).await;
    for number in 1..=450 {
        upload(&stage, media(number, 1)).await;
    }
    upload(&stage, media(1_000, 2)).await;
    let post =
        |conversation, file| Command::Post { conversation, client_key: key("k"), content: Content::default(), media: vec![MediaId(file)] };
    ann.done(post(direct(1, 2), 7)).await;
    delete(&stage, 1).await;
    erased(&stage).await;
    let now = stage.clock.now();
    let is_gone = async |number| stage.store.media(MediaId(number)).await.expect("readable").expect("it was uploaded").row.is_gone(now);
    for number in 1..=450 {
        assert!(is_gone(number).await, "{number}");
    }
    assert!(!is_gone(1_000).await, "it is another's");
}
