//! Accounts as their owners change them and as others see them: profiles, search, passwords, logins, closing, deleting.

use serde_json::{Value, json};

use crate::acts::numbers;
use crate::client::Client;
use crate::rest;
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;
use crate::within;

async fn log_in(server: &Server, person: &Person, password: &str) -> Person {
    let tokens = server.post("/v1/login", &json!({"username": person.username, "password": password})).await.json(200);
    Person::new(&tokens, &person.email, password)
}

async fn is_refused(server: &Server, person: &Person, password: &str) {
    server.post("/v1/login", &json!({"username": person.username, "password": password})).await.problem(401);
}

/// A profile is changed in part, read back by its owner, and seen by others without the address.
#[tokio::test]
async fn a_profile_is_changed_and_seen_by_others() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut desk = server.connect(&ada, Encoding::MessagePack).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let own = a.ask("account.get", json!({})).await;
    assert_eq!((&own["username"], &own["email"]), (&json!("ada"), &json!(ada.email)), "{own}");
    assert_eq!(own["privacy"], json!({"presence": "everyone", "receipts": true, "searchable": true, "groups": "everyone"}));

    let change = json!({"name": "Ada L", "first_name": "Ada", "last_name": "Lovelace", "about": "engines\nand poems 👋"});
    let changed = a.ask("account.update", change).await;
    assert_eq!((&changed["name"], &changed["about"]), (&json!("Ada L"), &json!("engines\nand poems 👋")), "{changed}");
    desk.own("account").await;
    let half = a.ask("account.update", json!({"first_name": ""})).await;
    assert_eq!((&half["first_name"], &half["last_name"]), (&Value::Null, &json!("Lovelace")), "what is not named stays: {half}");

    let seen = b.ask("user.get", json!({"user": ada.id})).await;
    assert_eq!((&seen["name"], &seen["last_name"], &seen["about"]), (&json!("Ada L"), &json!("Lovelace"), &changed["about"]), "{seen}");
    for hidden in ["email", "privacy", "created_at", "staff", "standing"] {
        assert_eq!(seen[hidden], Value::Null, "{hidden} is nobody else's business: {seen}");
    }
    let me = rest::get("/v1/me").bearer(&ada.access).send(server.clients).await.json(200);
    assert_eq!(me, a.ask("account.get", json!({})).await, "both doors show the same account");
}

/// X3, Z4: each text at its limit and one beyond it; fields of the server's own are refused.
#[tokio::test]
async fn a_profile_keeps_its_limits() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let long = |count: usize| "é".repeat(count);
    for (field, most) in [("name", 150), ("first_name", 150), ("last_name", 150), ("about", 1_024)] {
        let kept = a.ask("account.update", json!({field: long(most)})).await;
        assert_eq!(kept[field], long(most).as_str(), "{field}");
        let refusal = a.refused("account.update", json!({field: long(most + 1)})).await;
        assert_eq!((refusal.range(), refusal.field.as_deref()), (4, Some(field)), "{refusal:?}");
    }
    for server_owned in ["id", "staff", "standing", "created_at", "email", "password"] {
        let refusal = a.refused("account.update", json!({"name": "x", server_owned: 1})).await;
        assert_eq!((refusal.name.as_str(), refusal.field.as_deref()), ("validation", Some(server_owned)));
    }
    assert_eq!(a.ask("account.get", json!({})).await["name"], long(150).as_str(), "nothing of a refused change was kept");
    let refusal = a.refused("account.update", json!({"picture": "0".repeat(32)})).await;
    assert_eq!((refusal.range(), refusal.name.as_str()), (4, "no_such_file"), "{refusal:?}");
}

/// A username is unique; the old one is free again, the new one finds the user and logs in.
#[tokio::test]
async fn a_username_is_changed_and_stays_unique() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let refusal = a.refused("account.update", json!({"username": "bob"})).await;
    assert_eq!((refusal.name.as_str(), refusal.field.as_deref()), ("taken", Some("username")), "{refusal:?}");
    a.ask("account.update", json!({"username": "countess"})).await;
    assert_eq!(b.ask("user.find", json!({"username": "countess"})).await["id"], ada.id);
    assert_eq!(b.refused("user.find", json!({"username": "ada"})).await.name, "no_such_user");
    let renamed = Person { username: "countess".to_owned(), ..ada.clone() };
    assert_eq!(log_in(&server, &renamed, &ada.password).await.id, ada.id);
    assert_eq!(b.ask("account.update", json!({"username": "ada"})).await["username"], "ada", "the old name is free");
}

/// Users are found by the start of username or name, in any case, bounded; it survives a restart.
#[tokio::test]
async fn users_are_found_by_the_start_of_a_name() {
    let mut server = Options::default().limit("searches_burst", "1000").start().await;
    let ada = server.sign_up("ada").await;
    let mut found = Vec::new();
    for name in ["anders", "andrea", "andy", "bert"] {
        found.push(server.sign_up(name).await);
    }
    for round in 0..2 {
        let mut a = server.connect(&ada, Encoding::MessagePack).await;
        let mut ids = a.search("AND").await;
        ids.sort_unstable();
        assert_eq!(ids, [found[0].id, found[1].id, found[2].id], "in any case, round {round}");
        assert_eq!(a.search("andy").await, [found[2].id]);
        assert_eq!(a.search("nobody").await, [0_u64; 0]);
        assert_eq!(a.ask("user.search", json!({"prefix": "and", "limit": 2})).await["users"].as_array().unwrap().len(), 2);
        if round == 0 {
            let mut b = server.connect(&found[3], Encoding::Json).await;
            b.ask("account.update", json!({"name": "Zebulon"})).await;
            assert_eq!(a.search("zeb").await, [found[3].id], "by the name as well, at once");
            assert_eq!(a.search("bert").await, [found[3].id]);
            assert!(server.terminate().await.success());
            server = server.restart().await;
        }
    }
    let mut a = server.connect(&ada, Encoding::Json).await;
    let long = |count: usize| "x".repeat(count);
    for (prefix, taken) in [(long(2), true), (long(64), true), (long(65), false), (long(1), false), (String::new(), false)] {
        match a.try_ask("user.search", json!({"prefix": prefix})).await {
            Ok(_) => assert!(taken),
            Err(refusal) => assert!(!taken && refusal.field.as_deref() == Some("prefix"), "{refusal:?}"),
        }
    }
}

/// A changed password: the old one is refused, the new one works, all other logins end, this one goes on.
#[tokio::test]
async fn a_new_password_ends_all_other_logins() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let other = log_in(&server, &ada, &ada.password).await;
    let mut here = server.connect(&ada, Encoding::Json).await;
    let mut there = server.connect(&other, Encoding::MessagePack).await;
    let wrong = here.refused("account.password", json!({"old": "not it", "new": "another password"})).await;
    assert_eq!(wrong.name, "wrong_password");
    for short in ["1234567", ""] {
        let refusal = here.refused("account.password", json!({"old": ada.password, "new": short})).await;
        assert_eq!(refusal.field.as_deref(), Some("new"), "{refusal:?}");
    }
    there.ask("hb", json!({})).await;
    here.ask("account.password", json!({"old": ada.password, "new": "another password"})).await;
    assert_eq!(there.ended().await.code, Some(4401), "the other login's sockets are closed (A6)");
    server.post("/v1/refresh", &json!({"refresh_token": other.refresh})).await.problem(401);
    here.ask("hb", json!({})).await;
    is_refused(&server, &ada, &ada.password).await;
    assert_eq!(log_in(&server, &ada, "another password").await.id, ada.id);
}

/// A changed address needs the password, is unique, and logs in.
#[tokio::test]
async fn an_address_is_changed_with_the_password() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let wrong = a.refused("account.email", json!({"password": "no", "email": "ada@example.net"})).await;
    assert_eq!(wrong.name, "wrong_password");
    let taken = a.refused("account.email", json!({"password": ada.password, "email": bob.email.to_uppercase()})).await;
    assert_eq!((taken.name.as_str(), taken.field.as_deref()), ("taken", Some("email")), "in any case: {taken:?}");
    let refusal = a.refused("account.email", json!({"password": ada.password, "email": "nonsense"})).await;
    assert_eq!(refusal.field.as_deref(), Some("email"));
    a.ask("account.email", json!({"password": ada.password, "email": "ada@example.net"})).await;
    assert_eq!(a.ask("account.get", json!({})).await["email"], "ada@example.net");
    let tokens = server.post("/v1/login", &json!({"email": "ADA@example.net", "password": ada.password})).await.json(200);
    assert_eq!(tokens["user"]["id"], ada.id);
    server.post("/v1/login", &json!({"email": ada.email, "password": ada.password})).await.problem(401);
}

/// Logins are listed, and ended one by one, all others, or all; open sockets close within two seconds.
#[tokio::test]
async fn logins_are_listed_and_ended() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut people = vec![ada.clone()];
    for _ in 0..3 {
        people.push(log_in(&server, &ada, &ada.password).await);
    }
    let mut clients = Vec::new();
    for person in &people {
        clients.push(server.connect(person, Encoding::Json).await);
    }
    let listed = clients[0].ask("login.list", json!({})).await;
    let logins = listed["logins"].as_array().unwrap();
    assert_eq!(logins.len(), 4, "{listed}");
    assert_eq!(logins.iter().filter(|login| login["current"] == true).count(), 1, "{listed}");
    assert!(logins.iter().all(|login| login["sessions"] == 1), "{listed}");
    for secret in [&ada.access, &ada.refresh] {
        assert!(!listed.to_string().contains(secret.as_str()));
    }

    let mine = clients[3].ask("login.list", json!({})).await;
    let last = mine["logins"].as_array().unwrap().iter().find(|login| login["current"] == true).unwrap()["login"].clone();
    clients[0].ask("login.end", json!({"login": last})).await;
    ends_soon(&mut clients[3]).await;
    server.post("/v1/refresh", &json!({"refresh_token": people[3].refresh})).await.problem(401);
    assert_eq!(clients[0].refused("login.end", json!({"login": last})).await.name, "no_such_login");

    clients[0].ask("login.end_others", json!({})).await;
    for other in &mut clients[1..=2] {
        ends_soon(other).await;
    }
    assert_eq!(clients[0].ask("login.list", json!({})).await["logins"].as_array().unwrap().len(), 1);
    let id = clients[0].send("login.end_all", json!({})).await;
    clients[0].reply_or_end(id).await;
    ends_soon(&mut clients[0]).await;
    server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.problem(401);
}

async fn ends_soon(client: &mut Client) {
    let ended = tokio::time::timeout(std::time::Duration::from_secs(2), client.ended()).await.expect("within two seconds (A6)");
    assert_eq!(ended.code, Some(4401));
}

/// Z2: another's login cannot be ended, nor told from one that is not there.
#[tokio::test]
async fn the_login_of_another_is_not_there() {
    let server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let his = b.ask("login.list", json!({})).await["logins"][0]["login"].clone();
    let refusals = [a.refused("login.end", json!({"login": his})).await, a.refused("login.end", json!({"login": "0".repeat(32)})).await];
    assert_eq!(refusals[0].name, "no_such_login");
    assert_eq!((refusals[0].code, &refusals[0].field), (refusals[1].code, &refusals[1].field));
    b.ask("hb", json!({})).await;
}

/// A deactivated account is closed and hidden until its owner logs in again.
#[tokio::test]
async fn a_deactivated_account_comes_back_with_the_next_login() {
    let server = Options::default().limit("searches_burst", "1000").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    assert_eq!(a.refused("account.deactivate", json!({"password": "no"})).await.name, "wrong_password");
    let id = a.send("account.deactivate", json!({"password": ada.password})).await;
    a.reply_or_end(id).await;
    assert!(matches!(a.ended().await.code, Some(4401 | 4402)));
    server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.problem(401);
    assert_eq!(b.search("ada").await, [0_u64; 0]);
    let back = log_in(&server, &ada, &ada.password).await;
    let mut a = server.connect(&back, Encoding::Json).await;
    a.ask("hb", json!({})).await;
    within("the account is found again", async { while b.search("ada").await != [ada.id] {} }).await;
}

/// A deleted account: nothing opens it again, its name is free, its messages keep their place without its names.
#[tokio::test]
async fn a_deleted_account_leaves_messages_without_a_name() {
    let server = Options::default().limit("searches_burst", "1000").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = ada.with(&bob);
    a.post(&conv, "from ada").await;
    b.entry("message").await;
    assert_eq!(a.refused("account.delete", json!({"password": "no"})).await.name, "wrong_password");
    let id = a.send("account.delete", json!({"password": ada.password})).await;
    a.reply_or_end(id).await;
    assert!(matches!(a.ended().await.code, Some(4401 | 4402)));
    is_refused(&server, &ada, &ada.password).await;
    server.post("/v1/refresh", &json!({"refresh_token": ada.refresh})).await.problem(401);

    assert_eq!(b.shown(&conv, 1).await["from"], ada.id, "the place and the number of its author stay");
    let view = b.ask("conv.get", json!({"conv": conv})).await;
    assert!(!view["peer"].to_string().to_lowercase().contains("ada"), "a tombstone has no name: {view}");
    assert_eq!(b.search("ada").await, [0_u64; 0]);
    let again = server.sign_up("ada").await;
    assert_ne!(again.id, ada.id, "the name is free, the number is not");
    let listed = b.ask("conv.list", json!({})).await;
    assert_eq!(listed["convs"][0]["conv"], conv.as_str(), "a page is not broken by who is gone (X4)");
    assert_eq!(numbers(&listed["convs"], "tail").len(), 1);
}
