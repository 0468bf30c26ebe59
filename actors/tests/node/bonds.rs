//! What two people are to each other, and what follows for what they write and see.

use actors::account::DisplayName;
use actors::command::{Command, Manage, MarkKind, ProfileChange, Query};
use actors::entry::{Act, Notice};
use actors::event::{Event, Scene};
use actors::id::{Door, Pair};
use actors::limits::{Limit, Limits};
use actors::rejected::Rejected;
use actors::relation::{Bond, BondChange, Side, Step};
use actors::store::{RelationStore, StoreError};
use actors::testkit::memory::{Call, Fault};
use actors::view::{About, View};

use crate::world::{Device, Stage, direct, post, seq, user};

const ASK: Step = Step::Request { own: Side::Pending, anew: true };

fn relate(peer: u64, step: Step) -> Command {
    Command::Relate { peer: user(peer), step, door: Door(3) }
}

async fn related(device: &mut Device, peer: u64, step: Step) -> Result<BondChange, Rejected> {
    match device.ask(relate(peer, step)).await {
        Ok(View::Bond(view, change)) => {
            assert_eq!(view.peer.map(|peer| peer.id), Some(user(peer)));
            Ok(change)
        }
        Ok(other) => unreachable!("{other:?}"),
        Err(rejected) => Err(rejected),
    }
}

async fn notices(device: &mut Device) -> Vec<Notice> {
    match device.query(Query::Notices { before: None, limit: None }).await {
        Ok(View::Notices(view)) => view.page.into_iter().map(|notice| notice.notice).collect(),
        other => unreachable!("{other:?}"),
    }
}

fn bonds(events: &[Event]) -> Vec<(u64, BondChange)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Bond { by, change, people, door, .. } => {
                assert!(people.is_some() && *door == Door(3));
                Some((by.get(), *change))
            }
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_request_is_noticed_and_answered_and_both_are_told() {
    let stage = Stage::new().await;
    let (mut ann, mut tablet, mut ben) = (stage.connect(1).await, stage.connect(1).await, stage.connect(2).await);
    assert_eq!(related(&mut ann, 2, ASK).await, Ok(BondChange::Requested));
    assert_eq!(notices(&mut ben).await, [Notice::FriendRequest { from: user(1) }]);
    assert_eq!(related(&mut ann, 2, ASK).await, Err(Rejected::AlreadyRequested { from: user(1) }));
    assert_eq!(notices(&mut ben).await.len(), 1, "a repetition is no second notice");
    assert_eq!(related(&mut ann, 2, Step::Accept).await, Err(Rejected::NoSuchRequest));
    assert_eq!(related(&mut ben, 1, Step::Accept).await, Ok(BondChange::Accepted));
    assert!(notices(&mut ben).await.is_empty(), "what is settled is no notice any more");
    let told = [(1, BondChange::Requested), (2, BondChange::Accepted)];
    assert_eq!(bonds(&tablet.heard().await), told);
    let heard = ben.heard().await;
    assert_eq!(bonds(&heard), [(1, BondChange::Requested)], "the session that asked has its answer");
    let own = heard.iter().filter(|event| matches!(event, Event::Own { entry, .. } if matches!(entry.act, Act::Related { .. })));
    assert_eq!(own.count(), 2, "it stands in the own log as well");
    assert_eq!(related(&mut ann, 2, Step::Unfriend).await, Ok(BondChange::Ended));
    assert_eq!(related(&mut ann, 2, ASK).await, Ok(BondChange::Requested));
    assert_eq!(notices(&mut ben).await.len(), 1, "a new request is a new notice");
    for (peer, step) in [(1, ASK), (77, ASK), (77, Step::Block)] {
        assert_eq!(ann.ask(relate(peer, step)).await, Err(Rejected::NoSuchUser));
    }
}

#[tokio::test(start_paused = true)]
async fn a_block_stops_what_reaches_the_other_from_its_ack_on() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    let first = ann.post(direct(1, 2), "k1", "x").await;
    assert_eq!(related(&mut ben, 1, Step::Block).await, Ok(BondChange::Blocked));
    assert_eq!(related(&mut ben, 1, Step::Block).await, Ok(BondChange::None));
    let blocked = Err(Rejected::Blocked { by: user(2) });
    assert_eq!(ann.ask(post(direct(1, 2), "k2", "x")).await, blocked);
    assert_eq!(ben.ask(post(direct(1, 2), "k2", "x")).await, blocked);
    assert!(ann.post(direct(1, 2), "k1", "x").await.duplicate, "what was stored is answered");
    assert_eq!(ann.ask(relate(2, ASK)).await, blocked);
    ann.heard().await;
    ben.heard().await;
    assert_eq!(ann.ask(Command::Type { conversation: direct(1, 2) }).await, Ok(View::Done));
    let mark = Command::Mark { conversation: direct(1, 2), mark: MarkKind::Read, seq: seq(1), private: false };
    assert_eq!(ben.ask(mark).await, Ok(View::Marked { seq: seq(1), unread: 0 }));
    assert!(ann.heard().await.iter().all(|event| !matches!(event, Event::Receipts { .. })));
    assert!(ben.heard().await.iter().all(|event| !matches!(event, Event::Typing { .. })));
    let About::Direct { peer_marks, bond, .. } = ann.conversation(direct(1, 2)).await.about else { unreachable!("direct") };
    assert_eq!((peer_marks.read.seq.get(), bond.is_blocked()), (0, true));
    assert_eq!(ann.history(direct(1, 2)).await.entries.len(), 1, "a block hides no history");
    let delete = Command::Delete { conversation: direct(1, 2), client_key: crate::world::key("d"), target: first.seq };
    ann.done(delete).await;
    let restarted = Stage::over(stage.store, Limits::default()).await;
    let (mut ann, mut ben) = (restarted.connect(1).await, restarted.connect(2).await);
    assert_eq!(ann.ask(post(direct(1, 2), "k3", "x")).await, blocked, "also after a restart");
    assert_eq!(related(&mut ben, 1, Step::Unblock).await, Ok(BondChange::Unblocked));
    ann.post(direct(1, 2), "k3", "x").await;
}

#[tokio::test(start_paused = true)]
async fn two_nodes_that_change_one_bond_lose_nothing() {
    let stage = Stage::new().await;
    let other = Stage::over(stage.store.clone(), Limits::default()).await;
    let (mut ann, mut ben) = (stage.connect(1).await, other.connect(2).await);
    assert_eq!(related(&mut ann, 2, ASK).await, Ok(BondChange::Requested));
    assert_eq!(related(&mut ben, 1, Step::Accept).await, Ok(BondChange::Accepted));
    assert_eq!(related(&mut ann, 2, Step::Block).await, Ok(BondChange::Blocked));
    assert_eq!(related(&mut ben, 1, Step::Block).await, Ok(BondChange::Blocked));
    let pair = Pair::new(user(1), user(2)).expect("two users");
    let bond = stage.store.bond(pair).await.expect("the store is well").row;
    assert!(bond.is_friendship() && bond.low_blocks.is_some() && bond.high_blocks.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_of_a_bond_is_settled_by_the_same_wish() {
    for fault in [Fault::Before, Fault::After] {
        let stage = Stage::new().await;
        let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
        ann.post(direct(1, 2), "k1", "x").await;
        stage.store.fail_next(Call::Put, fault);
        assert_eq!(ann.ask(relate(2, Step::Block)).await, Err(Rejected::Unknown));
        let change = related(&mut ann, 2, Step::Block).await.expect("the store is well again");
        assert_eq!(change, if fault == Fault::Before { BondChange::Blocked } else { BondChange::None });
        assert_eq!(ben.ask(post(direct(1, 2), "k2", "x")).await, Err(Rejected::Blocked { by: user(1) }));
        for (session, peer, times) in [(&mut ann, 2, 1), (&mut ben, 1, 0)] {
            let heard = session.heard().await.into_iter();
            let said = heard.filter(|event| matches!(event, Event::Own { entry, .. } if entry.act == Act::Related { peer: user(peer) }));
            assert_eq!(said.count(), times, "who blocks is told once, who is blocked never");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bonds_of_one_user_are_bounded() -> Result<(), StoreError> {
    let mut limits = Limits::default();
    limits.set(Limit::BondsUser, 2);
    let stage = Stage::with(limits).await;
    let mut ann = stage.connect(1).await;
    assert_eq!(related(&mut ann, 2, ASK).await, Ok(BondChange::Requested));
    assert_eq!(related(&mut ann, 3, Step::Block).await, Ok(BondChange::Blocked));
    assert_eq!(ann.ask(relate(4, ASK)).await, Err(Rejected::TooManyRelations { max: 2 }));
    assert_eq!(related(&mut ann, 2, Step::Decline).await, Ok(BondChange::Declined), "what stands may change");
    let mut dan = stage.connect(4).await;
    assert_eq!(dan.ask(relate(1, ASK)).await, Err(Rejected::TooManyRelations { max: 2 }), "of both");
    assert_eq!(related(&mut dan, 1, Step::Block).await, Ok(BondChange::Blocked), "anyone may block");
    let bonds: Vec<Bond> = stage.store.bonds(user(1), None, 10).await?;
    assert_eq!(bonds.len(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_message_is_told_with_the_names_as_they_are_now() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    ann.post(direct(1, 2), "k1", "x").await;
    let name = |text: &str| DisplayName::new(text).expect("valid");
    ann.manage(Manage::Profile(Box::new(ProfileChange { name: Some(name("Ann")), ..ProfileChange::default() }))).await.expect("anyone may");
    ann.post(direct(1, 2), "k2", "x").await;
    related(&mut ben, 1, Step::Block).await.expect("anyone may");
    related(&mut ben, 1, Step::Unblock).await.expect("anyone may");
    ann.post(direct(1, 2), "k3", "x").await;
    let scenes: Vec<_> = ben
        .heard()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::Entry { scene: Some(scene), .. } => match &*scene {
                Scene::Direct { low, .. } => Some(low.name.as_str().to_owned()),
                Scene::Group { .. } => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(scenes, ["", "Ann", "Ann"]);
    let group = crate::groups::created(&mut ann, &[2]).await;
    ann.post(group, "k1", "x").await;
    let author = ben.event(|event| match event {
        Event::Entry { scene: Some(scene), .. } => match &**scene {
            Scene::Group { author } => Some(author.name.as_str().to_owned()),
            Scene::Direct { .. } => None,
        },
        _ => None,
    });
    assert_eq!(author.await, "Ann");
}
