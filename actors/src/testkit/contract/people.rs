//! The contract of [`RelationStore`](crate::store::RelationStore), and of what an
//! [`AccountStore`](crate::store::AccountStore) finds people by.

use std::collections::BTreeSet;

use super::Sentence;
use super::samples::{account, login, related, together, user};
use crate::account::{Account, DisplayName, Email, Login, Privacy, Seen, Standing, Username};
use crate::id::{LoginId, Pair, UserId};
use crate::relation::Bond;
use crate::search;
use crate::store::{AccountKey, PutError, Store, Versioned};
use crate::time::Timestamp;

/// The sentences on bonds, searches, logins of a user, and times.
pub const SENTENCES: &[Sentence] = &[
    ("a bond is one row, changed by version", |store| Box::pin(a_bond_is_one_row(store))),
    ("bonds are found from both sides by the other's number", |store| Box::pin(bonds_are_found_from_both_sides(store))),
    ("of racing changes of a bond one is written", |store| Box::pin(of_racing_bonds_one_is_written(store))),
    ("a search finds by the words of names, whole usernames first", |store| Box::pin(a_search_finds_by_words(store))),
    ("a search follows what an account is called", |store| Box::pin(a_search_follows_the_account(store))),
    ("a search answers in the order of the model", |store| Box::pin(a_search_answers_like_the_model(store))),
    ("a deleted account lets go of its names", |store| Box::pin(a_deleted_account_lets_go_of_its_names(store))),
    ("logins of a user are those that stand", |store| Box::pin(logins_are_those_that_stand(store))),
    ("when a user was here only rises", |store| Box::pin(when_a_user_was_here_only_rises(store))),
];

fn pair(one: u64, other: u64) -> Pair {
    Pair::new(user(one), user(other)).expect("two users")
}

/// Design D12.
pub async fn a_bond_is_one_row(store: &dyn Store) {
    assert_eq!(store.bond(pair(1, 2)).await, Ok(Versioned { version: 0, row: Bond::new(pair(1, 2)) }));
    let bond = related(1, 2);
    assert_eq!(store.put_bond(bond, 1).await, Err(PutError::Changed));
    store.put_bond(bond, 0).await.expect("written");
    assert_eq!(store.put_bond(bond, 0).await, Err(PutError::Changed));
    assert_eq!(store.bond(pair(2, 1)).await, Ok(Versioned { version: 1, row: bond }));
    let blocked = Bond { low_blocks: Some(Timestamp(-3)), high_blocks: Some(Timestamp(4)), ..bond };
    store.put_bond(blocked, 1).await.expect("written");
    assert_eq!(store.bond(pair(1, 2)).await, Ok(Versioned { version: 2, row: blocked }));
    let others = [user(3), user(2)];
    assert_eq!(store.bonds_with(user(1), &others).await, Ok(vec![Bond::new(pair(1, 3)), blocked]));
    assert_eq!(store.bonds_with(user(1), &[]).await, Ok(vec![]));
}

/// A page does not depend on who has the smaller number.
pub async fn bonds_are_found_from_both_sides(store: &dyn Store) {
    for other in [900, 3, 70_000, 1, 4, 301] {
        store.put_bond(related(300, other), 0).await.expect("written");
    }
    store.put_bond(related(3, 4), 0).await.expect("written");
    let read = async |of: u64, after: Option<u64>, limit| {
        let found = store.bonds(user(of), after.map(user), limit).await.expect("readable");
        found.into_iter().map(|bond| bond.pair.other(user(of)).expect("one of the two").get()).collect::<Vec<_>>()
    };
    assert_eq!(read(300, None, 9).await, [1, 3, 4, 301, 900, 70_000]);
    for after in [1, 2, 3, 4, 299, 301, 900, 70_000] {
        let rest: Vec<_> = [1, 3, 4, 301, 900, 70_000].into_iter().filter(|other| *other > after).collect();
        assert_eq!(read(300, Some(after), 9).await, rest, "after {after}");
        assert_eq!(read(300, Some(after), 2).await, rest[..rest.len().min(2)], "after {after}");
    }
    assert_eq!((read(300, None, 4).await, read(300, None, 0).await), (vec![1, 3, 4, 301], vec![]));
    assert_eq!((read(3, None, 9).await, read(4, None, 9).await, read(5, None, 9).await), (vec![4, 300], vec![3, 300], vec![]));
}

/// Two requests at once.
pub async fn of_racing_bonds_one_is_written(store: &dyn Store) {
    let answers = (0..8).map(|_| store.put_bond(related(1, 2), 0)).collect();
    assert_eq!(together(answers).await.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(store.bond(pair(1, 2)).await.map(|bond| bond.version), Ok(1));
}

fn named(number: u64, username: &str, name: &str) -> Account {
    let bare = account(number, username, &format!("{number}@example.org"));
    let (name, none) = (DisplayName::new(name).expect("a name"), DisplayName::default());
    Account { name, first_name: none.clone(), last_name: none, ..bare }
}

async fn put(store: &dyn Store, account: Account, version: u64) {
    store.put_account(account, version).await.expect("written");
}

async fn found(store: &dyn Store, text: &str, limit: usize) -> Vec<u64> {
    store.search(text, limit).await.expect("readable").into_iter().map(UserId::get).collect()
}

/// Z4: bounded and ranked.
pub async fn a_search_finds_by_words(store: &dyn Store) {
    put(store, named(5, "ann", "Zoë"), 0).await;
    put(store, named(4, "Ann", "Ann Annabel"), 0).await;
    put(store, named(3, "ann.smith", "Élan the 1st"), 0).await;
    put(store, named(300, "bob", "Ann-Marie"), 0).await;
    put(store, named(1, "carl", "Susanne"), 0).await;
    assert_eq!(found(store, "ann", 9).await, [4, 5, 3, 300], "whole usernames first, then by word and number");
    assert_eq!(
        (found(store, "ann", 3).await, found(store, "ann", 1).await, found(store, "ann", 0).await),
        (vec![4, 5, 3], vec![4], vec![])
    );
    assert_eq!(found(store, "an", 9).await, [3, 4, 5, 300]);
    assert_eq!((found(store, "annab", 9).await, found(store, "ann.s", 9).await, found(store, "smi", 9).await), (vec![4], vec![3], vec![3]));
    assert_eq!((found(store, "éla", 9).await, found(store, "1", 9).await, found(store, "zoë", 9).await), (vec![3], vec![3], vec![5]));
    assert_eq!((found(store, "sann", 9).await, found(store, "x", 9).await, found(store, "ANN", 9).await), (vec![], vec![], vec![]));
}

/// In the commit of the account.
pub async fn a_search_follows_the_account(store: &dyn Store) {
    let ann = named(1, "ann", "Bell");
    put(store, ann.clone(), 0).await;
    let hidden = Account { privacy: Privacy { searchable: false, ..ann.privacy }, ..ann.clone() };
    put(store, hidden, 1).await;
    assert_eq!((found(store, "an", 9).await, found(store, "bell", 9).await), (vec![], vec![]));
    assert_eq!(found(store, "ann", 9).await, [1], "the whole username always leads to its account");
    put(store, named(1, "anna", "Bellamy"), 2).await;
    assert_eq!((found(store, "ann", 9).await, found(store, "anna", 9).await, found(store, "bella", 9).await), (vec![1], vec![1], vec![1]));
    for (standing, version) in [(Standing::Deactivated, 3), (Standing::Banned, 4)] {
        put(store, Account { standing, ..named(1, "anna", "Bellamy") }, version).await;
        assert_eq!((found(store, "anna", 9).await, found(store, "bell", 9).await), (vec![], vec![]), "{standing:?}");
    }
    put(store, ann, 5).await;
    assert_eq!((found(store, "ann", 9).await, found(store, "bell", 9).await, found(store, "anna", 9).await), (vec![1], vec![1], vec![]));
}

/// Against every account looked at.
pub async fn a_search_answers_like_the_model(store: &dyn Store) {
    // A fixed walk through a few syllables gives names that share words, beginnings, and whole usernames but for case.
    let syllables = ["an", "na", "Be", "n", "ma", "-", " ", "é", "Z"];
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let mut accounts = Vec::new();
    for number in 1..=60 {
        let name: String = (0..draw(6)).map(|_| syllables[draw(syllables.len())]).collect();
        let username: String = (0..=draw(3)).map(|_| syllables[draw(5)]).collect();
        let standing = if draw(8) == 0 { Standing::Banned } else { Standing::Active };
        let privacy = Privacy { searchable: draw(8) > 0, ..Privacy::default() };
        let account = Account { privacy, standing, ..named(number, &username, &name) };
        if store.put_account(account.clone(), 0).await.is_ok() {
            accounts.push(account);
        }
    }
    assert!(accounts.len() > 20, "{}", accounts.len());
    for prefix in ["a", "an", "ann", "anna", "na", "b", "ben", "m", "é", "z", "n", "-", "ma-"] {
        let mut expected: Vec<_> =
            accounts.iter().filter(|account| search::handle(account).as_deref() == Some(prefix)).map(|a| a.id).collect();
        let words: BTreeSet<_> =
            accounts.iter().flat_map(|account| search::words(account).into_iter().map(|word| (word, account.id))).collect();
        for (word, user) in words {
            if word.starts_with(prefix) && !expected.contains(&user) {
                expected.push(user);
            }
        }
        for limit in [1, 3, 200] {
            let cut = expected[..expected.len().min(limit)].to_vec();
            assert_eq!(store.search(prefix, limit).await, Ok(cut), "{prefix}, at most {limit}");
        }
    }
}

/// Whoever comes next may have them.
pub async fn a_deleted_account_lets_go_of_its_names(store: &dyn Store) {
    put(store, named(1, "ann", "Ann"), 0).await;
    let gone = Account { standing: Standing::Deleted, ..named(1, "deleted-1", "") };
    put(store, gone.clone(), 1).await;
    let by = |username: &str| AccountKey::Username(Username::new(username).expect("valid"));
    for key in [by("ann"), by("deleted-1"), AccountKey::Email(Email::new("1@example.org").expect("valid"))] {
        assert_eq!(store.account(key).await, Ok(None));
    }
    assert_eq!((found(store, "ann", 9).await, found(store, "deleted", 9).await), (vec![], vec![]));
    assert_eq!(store.account(AccountKey::Id(user(1))).await, Ok(Some(Versioned { version: 2, row: gone.clone() })));
    let next = Account { email: gone.email.clone(), ..named(2, "ann", "Ann") };
    put(store, next, 0).await;
    put(store, named(3, "deleted-1", ""), 0).await;
    put(store, Account { staff: false, ..gone }, 2).await;
    assert_eq!(
        store.account(by("deleted-1")).await.map(|row| row.map(|row| row.row.id)),
        Ok(Some(user(3))),
        "it takes no name from others"
    );
    assert_eq!(store.account(by("ann")).await.map(|row| row.map(|row| row.row.id)), Ok(Some(user(2))));
}

/// A5.
pub async fn logins_are_those_that_stand(store: &dyn Store) {
    let open = |id, of| Login { id: LoginId(id), user: user(of), ended_at: None, expires_at: Timestamp(100), ..login(id) };
    for row in [open(1, 4), open(u128::MAX, 4), open(3, 5), open(7, 4), Login { expires_at: Timestamp(50), ..open(9, 4) }] {
        store.put_login(row, 0).await.expect("written");
    }
    let standing = async |of: u64, now, limit| {
        let found = store.logins(user(of), Timestamp(now), limit).await.expect("readable");
        found.into_iter().map(|login| login.row.id.0).collect::<BTreeSet<_>>()
    };
    assert_eq!(standing(4, 49, 9).await, BTreeSet::from([1, 7, 9, u128::MAX]));
    assert_eq!(standing(4, 50, 9).await, BTreeSet::from([1, 7, u128::MAX]), "one has expired");
    assert_eq!((standing(4, 0, 2).await.len(), standing(4, 0, 0).await.len(), standing(4, 100, 9).await.len()), (2, 0, 0));
    assert_eq!((standing(5, 0, 9).await, standing(6, 0, 9).await), (BTreeSet::from([3]), BTreeSet::new()));
    store.put_login(Login { ended_at: Some(Timestamp(9)), ..open(7, 4) }, 1).await.expect("written");
    assert_eq!(standing(4, 50, 9).await, BTreeSet::from([1, u128::MAX]), "one has ended");
    let found = store.logins(user(5), Timestamp(0), 9).await.expect("readable");
    assert_eq!(found, [Versioned { version: 1, row: open(3, 5) }]);
}

/// Rows of their own, so that coming and going does not change accounts.
pub async fn when_a_user_was_here_only_rises(store: &dyn Store) {
    let at = |here: Option<i64>, login: Option<i64>| Seen { here: here.map(Timestamp), login: login.map(Timestamp) };
    assert_eq!(store.seen(&[user(1)]).await, Ok(vec![Seen::default()]));
    for (touch, stands) in [
        (at(Some(5), None), at(Some(5), None)),
        (at(None, Some(2)), at(Some(5), Some(2))),
        (at(Some(4), Some(1)), at(Some(5), Some(2))),
        (at(Some(9), Some(1)), at(Some(9), Some(2))),
        (Seen::default(), at(Some(9), Some(2))),
    ] {
        store.touch(user(1), touch).await.expect("touched");
        assert_eq!(store.seen(&[user(2), user(1)]).await, Ok(vec![Seen::default(), stands]));
    }
    let answers = (1..=20).map(|n| store.touch(user(3), at(Some(n * 7 % 20), Some(n)))).collect();
    assert!(together(answers).await.iter().all(Result::is_ok));
    assert_eq!(store.seen(&[user(3)]).await, Ok(vec![at(Some(19), Some(20))]));
}
