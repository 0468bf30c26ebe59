//! Accounts and logins: what their owners and an operator may do, and what becomes of tokens and sockets then.

use std::time::Duration;

use actors::account::{AccountField, Device, DisplayName, Email, Password, Standing, Username};
use actors::accounts::{LogInBy, SignUp};
use actors::command::{Manage, ProfileChange};
use actors::entry::Act;
use actors::event::Event;
use actors::id::{Door, LoginId};
use actors::limits::{Limit, Limits};
use actors::media::{Media, MediaId, Purpose};
use actors::outbound::CloseReason;
use actors::rejected::Rejected;
use actors::store::{LogStore, MediaStore, Sequence};
use actors::testkit::memory::{Call, Fault};
use actors::time::Clock;
use actors::view::{LoginView, View};

use crate::messages::{media, upload};
use crate::world::{Stage, user};

fn device(says: &str) -> Device {
    Device::new(says, Door(3))
}

fn password(text: &str) -> Password {
    Password::new(text).expect("valid")
}

const RIGHT: &str = "correct horse";

fn sign_up<'a>(username: &'a str, email: &'a str) -> SignUp<'a> {
    SignUp { username, email, password: RIGHT, first_name: "Ann", ..SignUp::default() }
}

fn username(text: &str) -> Manage {
    let username = Username::new(text);
    Manage::Profile(Box::new(ProfileChange { username, ..ProfileChange::default() }))
}

async fn logins(stage: &Stage, identity: actors::credential::Identity) -> Vec<LoginView> {
    match stage.manage(identity, Manage::Logins).await {
        Ok(View::Logins(logins)) => logins,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_signup_makes_an_account_that_logs_in_by_either_name() {
    let stage = Stage::new().await;
    stage.store.draw(Sequence::Principals, 9).await.expect("a fresh store"); // as the stage's users have numbers
    let accounts = stage.node.accounts();
    let tokens = accounts.sign_up(sign_up("ann", "Ann@Example.org"), &device("x")).await.expect("free");
    let identity = accounts.identify(&tokens.access.0).await.expect("a fresh token");
    let account = accounts.me(identity.user).await.expect("it is there");
    assert_eq!((account.username.as_str(), account.first_name.as_str()), ("ann", "Ann"));
    for by in [LogInBy::Username("ann".to_owned()), LogInBy::Email("ann@example.ORG".to_owned())] {
        assert!(accounts.log_in(by, RIGHT, &device("x")).await.is_ok());
    }
    let taken = |field| Some(Rejected::Taken { field });
    assert_eq!(accounts.sign_up(sign_up("ann", "b@b.c"), &device("x")).await.err(), taken(AccountField::Username));
    assert_eq!(accounts.sign_up(sign_up("bea", "ann@EXAMPLE.org"), &device("x")).await.err(), taken(AccountField::Email));
    let reserved = accounts.sign_up(sign_up("deleted-7", "c@b.c"), &device("x")).await.err();
    assert_eq!(reserved, Some(Rejected::InvalidAccount { field: AccountField::Username }));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_and_no_account_are_answered_alike() {
    let stage = Stage::new().await;
    let accounts = stage.node.accounts();
    for by in ["user1", "nobody", "not a name"] {
        let answer = accounts.log_in(LogInBy::Username(by.to_owned()), "wrong horse", &device("")).await;
        assert_eq!(answer.err(), Some(Rejected::WrongPassword), "{by}");
    }
    accounts.set_banned(user(1), true).await.expect("it is there");
    let answer = accounts.log_in(LogInBy::Username("user1".to_owned()), "wrong horse", &device("")).await;
    assert_eq!(answer.err(), Some(Rejected::WrongPassword), "also of a banned account");
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_changed_and_its_owner_told() {
    let stage = Stage::new().await;
    let (_, identity) = stage.log_in(1, "").await;
    let mut tablet = stage.connect(1).await;
    let change = ProfileChange { username: Username::new("ann"), name: DisplayName::new("Ann"), ..ProfileChange::default() };
    let Ok(View::Account(account)) = stage.manage(identity, Manage::Profile(Box::new(change))).await else { unreachable!("may change") };
    assert_eq!((account.username.as_str(), account.name.as_str()), ("ann", "Ann"));
    let changed = tablet.event(|event| match event {
        Event::Own { entry, .. } => (entry.act == Act::AccountChanged).then_some(()),
        _ => None,
    });
    changed.await;
    assert!(stage.node.accounts().log_in(LogInBy::Username("ann".to_owned()), RIGHT, &device("")).await.is_ok());
    let taken = Err(Rejected::Taken { field: AccountField::Username });
    assert_eq!(stage.manage(identity, username("user2")).await, taken);
    let invalid = Err(Rejected::InvalidAccount { field: AccountField::Username });
    assert_eq!(stage.manage(identity, username("deleted-9")).await, invalid);
    let (_, other) = stage.log_in(2, "").await;
    assert!(stage.manage(other, username("user1")).await.is_ok(), "the old name is free");
}

#[tokio::test(start_paused = true)]
async fn an_address_needs_the_password_and_is_unique() {
    let stage = Stage::new().await;
    let (_, identity) = stage.log_in(1, "").await;
    let email = |given: &str, email: &str| Manage::Email { password: Password::given(given), email: Email::new(email).expect("valid") };
    assert_eq!(stage.manage(identity, email("wrong horse", "new@b.c")).await, Err(Rejected::WrongPassword));
    assert_eq!(stage.manage(identity, email(RIGHT, "USER2@example.org")).await, Err(Rejected::Taken { field: AccountField::Email }));
    assert!(
        matches!(stage.manage(identity, email(RIGHT, "New@b.c")).await, Ok(View::Account(account)) if account.email.as_str() == "New@b.c")
    );
    assert!(stage.node.accounts().log_in(LogInBy::Email("new@B.C".to_owned()), RIGHT, &device("")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_is_logged_in_may_try_the_password_no_oftener_than_who_logs_in() {
    let stage = Stage::new().await;
    let (_, identity) = stage.log_in(1, "").await;
    let delete = |text: &str| Manage::Delete { password: Password::given(text) };
    for _ in 0..5 {
        assert_eq!(stage.manage(identity, delete("wrong horse")).await, Err(Rejected::WrongPassword));
    }
    let refused = stage.manage(identity, delete(RIGHT)).await;
    assert!(matches!(refused, Err(Rejected::TooFast { bucket: "passwords", .. })), "{refused:?}");
    stage.clock.advance(Duration::from_mins(1));
    assert_eq!(stage.manage(identity, delete(RIGHT)).await, Ok(View::Done));
}

#[tokio::test(start_paused = true)]
async fn a_new_password_ends_all_other_logins() {
    let stage = Stage::new().await;
    let (mine, identity) = stage.log_in(1, "").await;
    let (theirs, other) = stage.log_in(1, "").await;
    let (mut phone, mut tablet) = (stage.connect_as(identity).await, stage.connect_as(other).await);
    let change = |old: &str, new: &str| Manage::Password { old: Password::given(old), new: password(new) };
    assert_eq!(stage.manage(identity, change("wrong horse", "battery staple")).await, Err(Rejected::WrongPassword));
    assert_eq!(stage.manage(identity, change(RIGHT, RIGHT)).await, Ok(View::Done));
    assert_eq!((tablet.closed(), logins(&stage, identity).await.len()), (None, 2), "the same password ends nothing");
    assert_eq!(stage.manage(identity, change(RIGHT, "battery staple")).await, Ok(View::Done));
    assert_eq!((phone.closed(), tablet.closed()), (None, Some(CloseReason::Revoked)));
    let accounts = stage.node.accounts();
    assert!(accounts.identify(&mine.access.0).await.is_ok());
    assert_eq!(accounts.identify(&theirs.access.0).await, Err(Rejected::InvalidCredential));
    assert_eq!(accounts.refresh(&theirs.refresh.0, &device("")).await.err(), Some(Rejected::InvalidRefresh));
    let by = || LogInBy::Username("user1".to_owned());
    assert_eq!(accounts.log_in(by(), RIGHT, &device("")).await.err(), Some(Rejected::WrongPassword));
    assert!(accounts.log_in(by(), "battery staple", &device("")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn logins_are_listed_and_ended_one_by_one_or_all() {
    let stage = Stage::new().await;
    let (tokens, phone) = stage.log_in(1, "phone").await;
    stage.clock.advance(Duration::from_secs(5));
    let (_, tablet) = stage.log_in(1, &"x".repeat(200)).await;
    let (_session, mut other) = (stage.connect_as(phone).await, stage.connect_as(tablet).await);
    stage.clock.advance(Duration::from_secs(5));
    stage.node.accounts().refresh(&tokens.refresh.0, &device("new phone")).await.expect("in force");
    let listed = logins(&stage, phone).await;
    let short: Vec<_> = listed.iter().map(|login| (login.id, login.current, login.device.len(), login.sessions, login.door)).collect();
    assert_eq!(short, [(tablet.login, false, 128, 1, Door(3)), (phone.login, true, 9, 1, Door(3))], "newest first");
    assert_eq!(listed[1].used_at.since(listed[1].created_at), Duration::from_secs(10), "the refresh used it");
    let (_, stranger) = stage.log_in(2, "").await;
    assert_eq!(stage.manage(stranger, Manage::EndLogin(tablet.login)).await, Err(Rejected::NoSuchLogin), "somebody else's");
    assert_eq!(stage.manage(phone, Manage::EndLogin(LoginId(9))).await, Err(Rejected::NoSuchLogin));
    assert_eq!(stage.manage(phone, Manage::EndLogin(tablet.login)).await, Ok(View::Done));
    assert_eq!(other.closed(), Some(CloseReason::Revoked));
    assert_eq!(stage.manage(phone, Manage::EndLogin(tablet.login)).await, Err(Rejected::NoSuchLogin));
    assert_eq!(stage.manage(tablet, Manage::Show).await, Err(Rejected::InvalidCredential), "an ended login may do nothing");
    let (_, third) = stage.log_in(1, "").await;
    assert_eq!(stage.manage(third, Manage::EndOtherLogins).await, Ok(View::Done));
    assert_eq!(logins(&stage, third).await.len(), 1);
    assert_eq!(stage.manage(third, Manage::EndAllLogins).await, Ok(View::Done));
    assert_eq!(stage.manage(third, Manage::Logins).await, Err(Rejected::InvalidCredential));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_logins_the_oldest_ends() {
    let mut limits = Limits::default();
    limits.set(Limit::LoginsUser, 3);
    let stage = Stage::with(limits).await;
    let mut begun = Vec::new();
    for _ in 0..5 {
        stage.clock.advance(Duration::from_secs(1));
        begun.push(stage.log_in(1, "").await.1);
    }
    let listed: Vec<_> = logins(&stage, begun[4]).await.iter().map(|login| login.id).collect();
    assert_eq!(listed, [begun[4].login, begun[3].login, begun[2].login]);
}

#[tokio::test(start_paused = true)]
async fn a_used_refresh_token_ends_its_login_and_no_other() {
    let stage = Stage::new().await;
    let accounts = stage.node.accounts();
    let (first, identity) = stage.log_in(1, "").await;
    let (_, other) = stage.log_in(1, "").await;
    let mut session = stage.connect_as(identity).await;
    let second = accounts.refresh(&first.refresh.0, &device("")).await.expect("in force");
    assert!(accounts.refresh(&first.refresh.0, &device("")).await.is_ok(), "a lost answer is repeated");
    stage.clock.advance(Duration::from_secs(11));
    assert_eq!(accounts.refresh(&first.refresh.0, &device("")).await.err(), Some(Rejected::InvalidRefresh), "later it is theft");
    assert_eq!(session.closed(), Some(CloseReason::Revoked));
    assert_eq!(accounts.refresh(&second.refresh.0, &device("")).await.err(), Some(Rejected::InvalidRefresh));
    assert_eq!(logins(&stage, other).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn several_tabs_may_refresh_at_once() {
    let stage = Stage::new().await;
    let accounts = stage.node.accounts();
    let (first, identity) = stage.log_in(1, "").await;
    let mut session = stage.connect_as(identity).await;
    let says = device("");
    let tab = || accounts.refresh(&first.refresh.0, &says);
    let (one, two, three) = tokio::join!(tab(), tab(), tab());
    assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{:?} {:?} {:?}", one.err(), two.err(), three.err());
    stage.clock.advance(Duration::from_secs(9));
    let last = tab().await.expect("still within the grace");
    stage.clock.advance(Duration::from_secs(2));
    assert_eq!(logins(&stage, identity).await.len(), 1);
    let next = accounts.refresh(&last.refresh.0, &says).await.expect("the last one is in force");
    assert_eq!(session.closed(), None);
    assert_eq!(tab().await.err(), Some(Rejected::InvalidRefresh), "a repetition does not lengthen the grace: later it is theft");
    assert_eq!(session.closed(), Some(CloseReason::Revoked));
    assert_eq!(accounts.refresh(&next.refresh.0, &says).await.err(), Some(Rejected::InvalidRefresh));
}

#[tokio::test(start_paused = true)]
async fn a_closed_account_is_opened_by_the_next_login() {
    let stage = Stage::new().await;
    let accounts = stage.node.accounts();
    let (tokens, identity) = stage.log_in(1, "").await;
    let mut session = stage.connect_as(identity).await;
    let close = |given: &str| Manage::Deactivate { password: Password::given(given) };
    assert_eq!(stage.manage(identity, close("wrong horse")).await, Err(Rejected::WrongPassword));
    assert_eq!(stage.manage(identity, close(RIGHT)).await, Ok(View::Done));
    assert_eq!(session.closed(), Some(CloseReason::Disabled));
    assert_eq!(accounts.identify(&tokens.access.0).await, Err(Rejected::AccountDisabled));
    assert_eq!(accounts.me(user(1)).await.map(|account| account.standing), Ok(Standing::Deactivated));
    stage.log_in(1, "").await;
    assert_eq!(accounts.me(user(1)).await.map(|account| account.standing), Ok(Standing::Active));
    assert_eq!(accounts.identify(&tokens.access.0).await, Err(Rejected::InvalidCredential), "the old login stays ended");
}

#[tokio::test(start_paused = true)]
async fn a_ban_closes_everything_and_only_an_operator_ends_it() {
    let stage = Stage::new().await;
    let accounts = stage.node.accounts();
    let (tokens, identity) = stage.log_in(1, "").await;
    let mut sessions = [stage.connect_as(identity).await, stage.connect_as(identity).await];
    assert_eq!(accounts.named("user1").await.map(|account| account.id), Ok(user(1)));
    assert_eq!(accounts.set_banned(user(1), true).await.map(|account| account.standing), Ok(Standing::Banned));
    assert!(sessions.iter_mut().all(|session| session.closed() == Some(CloseReason::Disabled)));
    assert_eq!(accounts.identify(&tokens.access.0).await, Err(Rejected::AccountDisabled));
    assert_eq!(accounts.refresh(&tokens.refresh.0, &device("")).await.err(), Some(Rejected::InvalidRefresh));
    let by = || LogInBy::Username("user1".to_owned());
    assert_eq!(accounts.log_in(by(), RIGHT, &device("")).await.err(), Some(Rejected::AccountDisabled));
    let deactivate = Manage::Deactivate { password: password(RIGHT) };
    assert_eq!(stage.manage(identity, deactivate).await, Err(Rejected::AccountDisabled), "it would be a way out");
    assert_eq!(accounts.set_banned(user(1), false).await.map(|account| account.standing), Ok(Standing::Active));
    assert!(accounts.log_in(by(), RIGHT, &device("")).await.is_ok());
    assert_eq!(accounts.set_staff(user(1), true).await.map(|account| account.staff), Ok(true));
    assert_eq!(accounts.set_banned(user(77), true).await, Err(Rejected::NoSuchUser));
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_profile_have_a_share_of_their_own_and_never_lock_the_owner_out() {
    let mut limits = Limits::default();
    limits.set(Limit::ProfilesPerHour, 2);
    let stage = Stage::with(limits).await;
    let (_, identity) = stage.log_in(1, "").await;
    let (_, stolen) = stage.log_in(1, "").await;
    for name in ["once", "twice"] {
        assert!(stage.manage(stolen, username(name)).await.is_ok());
    }
    assert!(matches!(stage.manage(stolen, username("again")).await, Err(Rejected::TooFast { bucket: "profiles", .. })));
    assert!(stage.manage(identity, Manage::Show).await.is_ok());
    assert_eq!(stage.manage(identity, Manage::EndLogin(stolen.login)).await, Ok(View::Done));
    assert_eq!(stage.manage(identity, Manage::EndOtherLogins).await, Ok(View::Done));
    let change = Manage::Password { old: Password::given(RIGHT), new: password("battery staple") };
    assert_eq!(stage.manage(identity, change).await, Ok(View::Done));
    let wrong = Manage::Delete { password: Password::given("wrong horse") };
    assert_eq!(stage.manage(identity, wrong).await, Err(Rejected::WrongPassword), "as often as the password may be tried");
    assert_eq!(stage.manage(identity, Manage::EndAllLogins).await, Ok(View::Done));
}

#[tokio::test(start_paused = true)]
async fn a_picture_is_an_own_one_and_the_one_before_expires() {
    let stage = Stage::new().await;
    let (_, identity) = stage.log_in(1, "").await;
    for (number, owner) in [(1, 1), (2, 1), (3, 2)] {
        upload(&stage, Media { purpose: Purpose::Picture, ..media(number, owner) }).await;
    }
    upload(&stage, media(4, 1)).await;
    let show = async |picture: Option<u128>| {
        let change = ProfileChange { picture: Some(picture.map(MediaId)), ..ProfileChange::default() };
        stage.manage(identity, Manage::Profile(Box::new(change))).await.map(|view| match view {
            View::Account(account) => account.picture.map(|picture| picture.id.0),
            other => unreachable!("{other:?}"),
        })
    };
    let is_gone = async |number| {
        let row = stage.store.media(MediaId(number)).await.expect("readable").expect("it was uploaded");
        row.row.is_gone(stage.clock.now())
    };
    for foreign in [3, 4, 9] {
        assert_eq!(show(Some(foreign)).await, Err(Rejected::NoSuchMedia));
    }
    assert_eq!(show(Some(1)).await, Ok(Some(1)));
    assert_eq!(show(Some(1)).await, Ok(Some(1)));
    assert!(!is_gone(1).await);
    let mut puts = 0;
    stage.store.set_faults(Box::new(move |call| {
        puts += u32::from(call == Call::Put);
        (call == Call::Put && (2..4).contains(&puts)).then_some(Fault::Before) // the account's is the first
    }));
    assert_eq!(show(Some(2)).await, Ok(Some(2)));
    assert!(!is_gone(1).await, "the store did not answer");
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(is_gone(1).await, "it was tried again");
    assert_eq!(show(None).await, Ok(None));
    assert!(is_gone(1).await && is_gone(2).await);
    assert_eq!(show(Some(2)).await, Err(Rejected::NoSuchMedia));
}
