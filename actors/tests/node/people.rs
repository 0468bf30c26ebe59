//! Search, bonds and presence: who may find, list and see whom.

use std::time::Duration;

use actors::account::{Account, Audience, DisplayName, Privacy, Seen, Standing, Username};
use actors::command::{BondFilter, Command, Manage, ProfileChange, Query};
use actors::event::Event;
use actors::limits::{Limit, Limits};
use actors::rejected::Rejected;
use actors::relation::Step;
use actors::store::{AccountKey, AccountStore};
use actors::time::Timestamp;
use actors::view::{PresenceView, View};

use crate::homes::{ASK, relate};
use crate::world::{Device, Stage, direct, user};

async fn rename(stage: &Stage, number: u64, username: &str, name: &str) {
    let stands = stage.store.account(AccountKey::Id(user(number))).await.expect("readable").expect("it is there");
    let (username, name) = (Username::new(username).expect("valid"), DisplayName::new(name).expect("valid"));
    stage.store.put_account(Account { username, name, ..stands.row }, stands.version).await.expect("free");
}

async fn search(device: &mut Device, prefix: &str, limit: Option<u64>) -> Result<Vec<u64>, Rejected> {
    match device.query(Query::SearchUsers { prefix: prefix.to_owned(), limit }).await {
        Ok(View::Users(users)) => Ok(users.iter().map(|user| user.id.get()).collect()),
        Ok(other) => unreachable!("{other:?}"),
        Err(rejected) => Err(rejected),
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_ranks_by_username_and_tells_nothing_of_blocks() {
    let stage = Stage::new().await;
    rename(&stage, 2, "zoe", "Anna").await;
    rename(&stage, 3, "Annika", "x").await;
    rename(&stage, 4, "ann", "x").await;
    rename(&stage, 5, "bob", "annalena").await;
    let mut dan = stage.connect(9).await;
    assert_eq!(search(&mut dan, " ANN ", None).await, Ok(vec![4, 3, 5, 2]));
    assert_eq!(search(&mut dan, "ann", Some(2)).await, Ok(vec![4, 3]));
    stage.connect(4).await.ask(relate(9, Step::Block)).await.expect("may block");
    assert_eq!(search(&mut dan, "ann", None).await, Ok(vec![4, 3, 5, 2]), "who blocks him is found");
    dan.ask(relate(3, Step::Block)).await.expect("may block");
    assert_eq!(search(&mut dan, "ann", None).await, Ok(vec![4, 5, 2]), "whom he blocks is not");
    let field = Err(Rejected::Field { field: "prefix", why: "must have 2 to 64 characters" });
    assert_eq!(search(&mut dan, "a", None).await, field);
    assert_eq!(search(&mut dan, &"a".repeat(65), None).await, field);
    assert_eq!(search(&mut dan, &"é".repeat(64), None).await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_small_page_holds_the_best_however_many_are_found_before() {
    let stage = Stage::new().await;
    for number in 2..=7 {
        rename(&stage, number, &format!("zoe{number}"), "Ann").await;
    }
    rename(&stage, 8, "annika", "x").await;
    let mut dan = stage.connect(9).await;
    assert_eq!(search(&mut dan, "ann", Some(1)).await, Ok(vec![8]), "names come first in the index and last in rank");
    for blocked in [8, 2, 3, 4, 5, 6] {
        dan.ask(relate(blocked, Step::Block)).await.expect("may block");
    }
    assert_eq!(search(&mut dan, "ann", Some(1)).await, Ok(vec![7]), "whom he blocks takes no place");
}

#[tokio::test(start_paused = true)]
async fn a_block_needs_somebody_on_the_other_side() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.ask(relate(4, Step::Block)).await.expect("may block");
    for number in [3, 4] {
        stage.node.accounts().delete(user(number)).await.expect("it is there");
    }
    for (peer, step) in [(77, Step::Unblock), (3, Step::Unblock), (77, Step::Block), (3, Step::Block)] {
        assert_eq!(ann.ask(relate(peer, step)).await, Err(Rejected::NoSuchUser), "{peer} {step:?}");
    }
    assert!(ann.ask(relate(2, Step::Unblock)).await.is_ok(), "nothing stood");
    assert!(ann.ask(relate(4, Step::Unblock)).await.is_ok(), "a block that stands can be ended");
}

#[tokio::test(start_paused = true)]
async fn who_hides_is_as_gone_to_those_who_watch_and_may_not_see_him_now() {
    let stage = Stage::new().await;
    let (_, identity) = stage.log_in(2, "").await;
    let mut ben = stage.connect_as(identity).await;
    let (mut ann, mut cat) = (stage.connect(1).await, stage.connect(3).await);
    ann.ask(relate(2, ASK)).await.expect("may ask");
    ben.ask(relate(1, Step::Accept)).await.expect("was asked");
    cat.post(direct(2, 3), "k", "x").await;
    for watcher in [&mut ann, &mut cat] {
        let here = vec![PresenceView { user: user(2), online: true, last_seen: None }];
        assert_eq!(watcher.ask(Command::Watch { users: vec![user(2)] }).await, Ok(View::Watching(here)));
    }
    let show = |presence| {
        let privacy = Some(Privacy { presence, ..Privacy::default() });
        stage.manage(identity, Manage::Profile(Box::new(ProfileChange { privacy, ..ProfileChange::default() })))
    };
    show(Audience::Friends).await.expect("may hide");
    assert_eq!(cat.event(told).await, (2, false, None), "as if he had gone");
    assert_eq!(ann.heard().await.iter().find_map(told), None, "friends see him as before");
    show(Audience::Nobody).await.expect("may hide");
    assert_eq!(ann.event(told).await, (2, false, None));
    ben.disconnect();
    for watcher in [&mut ann, &mut cat] {
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(watcher.heard().await.iter().find_map(told), None, "they do not watch any more");
    }
}

#[tokio::test(start_paused = true)]
async fn searches_have_a_share_of_their_own() {
    let mut limits = Limits::default();
    limits.set(Limit::SearchesBurst, 2);
    let stage = Stage::with(limits).await;
    let mut ann = stage.connect(1).await;
    for _ in 0..2 {
        assert!(search(&mut ann, "user", None).await.is_ok());
    }
    assert!(matches!(search(&mut ann, "user", None).await, Err(Rejected::TooFast { bucket: "searches", .. })));
    assert!(search(&mut stage.connect(2).await, "user", None).await.is_ok());
    stage.clock.advance(Duration::from_secs(1));
    assert!(search(&mut ann, "user", None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn requests_have_a_share_of_their_own() {
    let mut limits = Limits::default();
    limits.set(Limit::RequestsPerHour, 2);
    let stage = Stage::with(limits).await;
    let mut ann = stage.connect(1).await;
    for peer in [2, 3] {
        assert!(ann.ask(relate(peer, ASK)).await.is_ok());
    }
    assert!(matches!(ann.ask(relate(4, ASK)).await, Err(Rejected::TooFast { bucket: "requests", .. })));
    assert!(ann.ask(relate(4, Step::Block)).await.is_ok(), "a block is none");
    assert_eq!(ann.ask(relate(1, ASK)).await, Err(Rejected::TooFast { bucket: "requests", after: Duration::from_hours(1) }));
    assert_eq!(ann.ask(relate(1, Step::Block)).await, Err(Rejected::NoSuchUser), "nobody is something to himself");
}

async fn bonds(device: &mut Device, filter: BondFilter, cursor: Option<String>) -> (Vec<u64>, u64, Option<String>) {
    match device.query(Query::Bonds { filter, cursor, limit: Some(2) }).await {
        Ok(View::Bonds { page, total, cursor }) => {
            (page.iter().map(|bond| bond.peer.as_ref().map_or(0, |peer| peer.id.get())).collect(), total, cursor)
        }
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn bonds_are_listed_newest_first_in_pages() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    for peer in [5, 3, 4, 2] {
        stage.clock.advance(Duration::from_secs(1));
        ann.ask(relate(peer, ASK)).await.expect("may ask");
    }
    let (page, total, cursor) = bonds(&mut ann, BondFilter::Outgoing, None).await;
    assert_eq!((page, total), (vec![2, 4], 4));
    let (page, total, end) = bonds(&mut ann, BondFilter::Outgoing, cursor).await;
    assert_eq!((page, total, end), (vec![3, 5], 4, None));
    let mut ben = stage.connect(2).await;
    assert_eq!(bonds(&mut ben, BondFilter::Incoming, None).await, (vec![1], 1, None));
    ben.ask(relate(1, Step::Accept)).await.expect("was asked");
    assert_eq!(bonds(&mut ben, BondFilter::Friends, None).await, (vec![1], 1, None));
    assert_eq!(bonds(&mut ann, BondFilter::Friends, None).await, (vec![2], 1, None));
    assert_eq!(bonds(&mut ben, BondFilter::Incoming, None).await, (vec![], 0, None));
    ann.ask(relate(3, Step::Block)).await.expect("may block");
    assert_eq!(bonds(&mut ann, BondFilter::Blocked, None).await, (vec![3], 1, None));
    let field = Err(Rejected::Field { field: "cursor", why: "is not one that a page ended with" });
    assert_eq!(ann.query(Query::Bonds { filter: BondFilter::Friends, cursor: Some("x".to_owned()), limit: None }).await, field);
    let Ok(View::Bond(bond, _)) = ann.query(Query::Bond { peer: user(2) }).await else { unreachable!("it is there") };
    assert!(bond.bond.is_friendship() && bond.peer.is_some());
    for peer in [1, 77] {
        assert_eq!(ann.query(Query::Bond { peer: user(peer) }).await, Err(Rejected::NoSuchUser));
    }
}

async fn presence(device: &mut Device, of: u64) -> Option<PresenceView> {
    match device.query(Query::Presence { users: vec![user(of)] }).await {
        Ok(View::Presence(views)) => views.first().copied(),
        other => unreachable!("{other:?}"),
    }
}

fn told(event: &Event) -> Option<(u64, bool, Option<Timestamp>)> {
    match event {
        Event::Presence { user, online, last_seen } => Some((user.get(), *online, *last_seen)),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn presence_and_last_seen_are_for_friends_and_those_who_have_talked() {
    let stage = Stage::new().await;
    let (mut ann, mut ben, mut cat) = (stage.connect(1).await, stage.connect(2).await, stage.connect(3).await);
    assert_eq!(presence(&mut ann, 2).await, None, "strangers");
    ann.post(direct(1, 2), "k", "x").await;
    assert_eq!(presence(&mut ann, 2).await, Some(PresenceView { user: user(2), online: true, last_seen: None }));
    cat.ask(relate(1, ASK)).await.expect("may ask");
    assert_eq!(presence(&mut ann, 3).await, None, "a request is no friendship");
    ann.ask(relate(3, Step::Accept)).await.expect("was asked");
    assert!(presence(&mut ann, 3).await.is_some_and(|view| view.online));
    assert_eq!(presence(&mut ann, 4).await, None);
    ben.take_ready();
    let left_at = Timestamp(2_000_000_000);
    stage.clock.set(left_at);
    ben.disconnect();
    assert!(presence(&mut ann, 2).await.is_some_and(|view| view.online), "a short absence is none");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(presence(&mut ann, 2).await, Some(PresenceView { user: user(2), online: false, last_seen: Some(left_at) }));
    ann.ask(relate(2, Step::Block)).await.expect("may block");
    assert_eq!(presence(&mut ann, 2).await, None, "a block hides both from each other");
    assert_eq!(presence(&mut stage.connect(2).await, 1).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_blocks_or_hides_is_not_told_of_any_more() {
    let stage = Stage::new().await;
    let (mut ann, mut cat) = (stage.connect(1).await, stage.connect(3).await);
    for watcher in [&mut ann, &mut cat] {
        let own = watcher.session.identity.user.get();
        watcher.post(direct(own, 2), "k", "x").await;
        let watching = watcher.ask(Command::Watch { users: vec![user(2)] }).await;
        assert_eq!(watching, Ok(View::Watching(vec![PresenceView { user: user(2), online: false, last_seen: None }])));
    }
    let (_, identity) = stage.log_in(2, "").await;
    let mut ben = stage.connect_as(identity).await;
    assert_eq!(ann.event(told).await, (2, true, None));
    assert_eq!(cat.event(told).await, (2, true, None));
    ben.ask(relate(1, Step::Block)).await.expect("may block");
    assert_eq!(ann.event(told).await, (2, false, None), "as if he had gone");
    ben.disconnect();
    assert!(matches!(cat.event(told).await, (2, false, Some(_))));
    ann.take_ready();
    assert_eq!(ann.events.iter().find_map(told), None, "the block holds for who watched before");
    let hidden = Privacy { presence: Audience::Nobody, ..Privacy::default() };
    let change = ProfileChange { privacy: Some(hidden), ..ProfileChange::default() };
    stage.manage(identity, Manage::Profile(Box::new(change))).await.expect("may hide");
    assert_eq!(cat.event(told).await, (2, false, None), "for the last time");
    let _ben = stage.connect(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    cat.take_ready();
    assert_eq!(cat.events.iter().find_map(told), None);
    assert_eq!(presence(&mut cat, 2).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_login_counts_as_being_here_and_a_logout_as_being_gone_at_once() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k", "x").await;
    ann.ask(Command::Watch { users: vec![user(2)] }).await.expect("they have talked");
    let (tokens, identity) = stage.log_in(2, "").await;
    assert_eq!(ann.event(told).await, (2, true, None));
    let seen = stage.store.seen(&[user(2)]).await.expect("readable")[0];
    assert_eq!(seen, Seen { here: None, login: Some(Timestamp(1_000_000_000)) });
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(presence(&mut ann, 2).await.is_some_and(|view| view.online));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ann.event(told).await, (2, false, None), "he was never seen here");
    let ben = stage.connect_as(identity).await;
    assert_eq!(ann.event(told).await, (2, true, None));
    let begun = tokio::time::Instant::now();
    stage.node.accounts().log_out(&tokens.refresh.0).await.expect("its own token");
    ben.disconnect();
    assert!(matches!(ann.event(told).await, (2, false, Some(_))));
    assert!(begun.elapsed() < Duration::from_secs(1), "without grace");
}

#[tokio::test(start_paused = true)]
async fn a_logout_within_the_grace_ends_it_and_one_beside_another_session_does_not() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k", "x").await;
    ann.ask(Command::Watch { users: vec![user(2)] }).await.expect("they have talked");
    let (tokens, identity) = stage.log_in(2, "").await;
    let (tablet_tokens, tablet) = stage.log_in(2, "").await;
    let (phone, tablet) = (stage.connect_as(identity).await, stage.connect_as(tablet).await);
    assert_eq!(ann.event(told).await, (2, true, None));
    stage.node.accounts().log_out(&tokens.refresh.0).await.expect("its own token");
    phone.disconnect();
    tokio::time::sleep(Duration::from_secs(90)).await;
    ann.take_ready();
    assert_eq!(ann.events.iter().find_map(told), None, "the tablet is here");
    tablet.disconnect();
    let begun = tokio::time::Instant::now();
    stage.node.accounts().log_out(&tablet_tokens.refresh.0).await.expect("its own token");
    assert!(matches!(ann.event(told).await, (2, false, Some(_))));
    assert!(begun.elapsed() < Duration::from_secs(1), "the grace is over");
}

#[tokio::test(start_paused = true)]
async fn closed_accounts_are_not_found_and_not_seen() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    ann.post(direct(1, 2), "k", "x").await;
    stage.node.accounts().set_banned(user(2), true).await.expect("it is there");
    assert_eq!(presence(&mut ann, 2).await, None);
    assert_eq!(search(&mut ann, "user2", None).await, Ok(vec![]));
    stage.node.accounts().delete(user(3)).await.expect("it is there");
    assert_eq!(ann.query(Query::User { user: user(3) }).await, Err(Rejected::NoSuchUser));
    for username in ["user3", "deleted-3"] {
        assert_eq!(ann.query(Query::FindUser { username: username.to_owned() }).await, Err(Rejected::NoSuchUser));
    }
    assert!(matches!(ann.query(Query::User { user: user(2) }).await, Ok(View::User(view)) if view.standing == Standing::Banned));
}
