//! The contract of [`AccountStore`](crate::store::AccountStore).

use super::Sentence;
use super::samples::{account, login, together, user};
use crate::account::{Account, AccountField, Email, Standing, Username};
use crate::id::LoginId;
use crate::store::{AccountKey, PutError, Store, Versioned};
use crate::time::Timestamp;

/// The sentences on accounts and logins.
pub const SENTENCES: &[Sentence] = &[
    ("an account is found by number, username and address", |store| Box::pin(an_account_is_found_by_each_key(store))),
    ("names are unique", |store| Box::pin(names_are_unique(store))),
    ("a change names the version it goes on from", |store| Box::pin(a_change_names_its_version(store))),
    ("a changed name frees the old one", |store| Box::pin(a_changed_name_frees_the_old_one(store))),
    ("of racing accounts with one name one is written", |store| Box::pin(of_racing_accounts_one_is_written(store))),
    ("accounts come in the order asked for", |store| Box::pin(accounts_come_in_the_order_asked_for(store))),
    ("what is still to be erased is found", |store| Box::pin(what_is_still_to_be_erased_is_found(store))),
    ("a login is kept and changed by version", |store| Box::pin(a_login_is_kept_and_changed_by_version(store))),
];

fn username(text: &str) -> AccountKey {
    AccountKey::Username(Username::new(text).expect("a username"))
}

fn email(text: &str) -> AccountKey {
    AccountKey::Email(Email::new(text).expect("an address"))
}

async fn read(store: &dyn Store, key: AccountKey) -> Option<Versioned<Account>> {
    store.account(key).await.expect("readable")
}

/// Deleted accounts come by number until nothing of them is left to erase; their names are free.
pub async fn what_is_still_to_be_erased_is_found(store: &dyn Store) {
    for number in [3, 1, 2] {
        let account = account(number, &format!("u{number}"), &format!("u{number}@example.org"));
        store.put_account(account.clone(), 0).await.expect("written");
        store.put_account(account.deleted(Timestamp(9)), 1).await.expect("written");
    }
    assert_eq!(store.erasing(2).await, Ok(vec![user(1), user(2)]));
    let stands = read(store, AccountKey::Id(user(1))).await.expect("a row is left");
    store.put_account(Account { erasing: false, ..stands.row }, stands.version).await.expect("written");
    assert_eq!(store.erasing(9).await, Ok(vec![user(2), user(3)]));
    assert_eq!(read(store, username("u1")).await, None);
    assert_eq!(store.put_account(account(4, "u1", "u1@example.org"), 0).await, Ok(()));
}

/// Usernames exactly, addresses without regard to case.
pub async fn an_account_is_found_by_each_key(store: &dyn Store) {
    let ann = account(1, "Ann", "Ann@Example.org");
    for key in [AccountKey::Id(user(1)), username("Ann"), email("Ann@Example.org")] {
        assert_eq!(read(store, key).await, None);
    }
    store.put_account(ann.clone(), 0).await.expect("written");
    let stands = Some(Versioned { version: 1, row: ann });
    for key in [AccountKey::Id(user(1)), username("Ann"), email("Ann@Example.org"), email("aNN@eXAMPLE.ORG")] {
        assert_eq!(read(store, key).await, stands);
    }
    for key in [AccountKey::Id(user(2)), username("ann"), email("ann@example.com")] {
        assert_eq!(read(store, key).await, None);
    }
    let bare = Account {
        password: None,
        standing: Standing::Deactivated,
        name: crate::account::DisplayName::default(),
        ..account(2, "bob", "b@b.b")
    };
    store.put_account(bare.clone(), 0).await.expect("written");
    assert_eq!(read(store, AccountKey::Id(user(2))).await, Some(Versioned { version: 1, row: bare }));
}

/// Design D12.
pub async fn names_are_unique(store: &dyn Store) {
    store.put_account(account(1, "ann", "ann@example.org"), 0).await.expect("written");
    let taken = |field| Err(PutError::Taken(field));
    assert_eq!(store.put_account(account(2, "ann", "other@example.org"), 0).await, taken(AccountField::Username));
    assert_eq!(store.put_account(account(2, "other", "ANN@example.org"), 0).await, taken(AccountField::Email));
    assert_eq!(read(store, AccountKey::Id(user(2))).await, None);
    store.put_account(account(2, "Ann", "ann@example.com"), 0).await.expect("a username is compared exactly");
    assert_eq!(store.put_account(account(2, "ann", "ann@example.com"), 1).await, taken(AccountField::Username));
    assert_eq!(read(store, username("ann")).await.map(|row| row.row.id), Some(user(1)));
    assert_eq!(read(store, username("Ann")).await.map(|row| row.version), Some(1));
}

/// Design D12.
pub async fn a_change_names_its_version(store: &dyn Store) {
    assert_eq!(store.put_account(account(1, "ann", "a@b.c"), 1).await, Err(PutError::Changed));
    store.put_account(account(1, "ann", "a@b.c"), 0).await.expect("written");
    assert_eq!(store.put_account(account(1, "ann", "a@b.c"), 0).await, Err(PutError::Changed));
    let closed = Account { standing: Standing::Deactivated, ..account(1, "ann", "a@b.c") };
    store.put_account(closed.clone(), 1).await.expect("written");
    assert_eq!(store.put_account(account(1, "ann", "a@b.c"), 1).await, Err(PutError::Changed));
    assert_eq!(read(store, username("ann")).await, Some(Versioned { version: 2, row: closed }));
}

/// A name that nobody has can be had.
pub async fn a_changed_name_frees_the_old_one(store: &dyn Store) {
    store.put_account(account(1, "ann", "ann@b.c"), 0).await.expect("written");
    store.put_account(account(1, "anna", "Ann@b.c"), 1).await.expect("written");
    assert_eq!(read(store, username("ann")).await, None);
    assert_eq!(read(store, email("ann@b.c")).await.map(|row| row.row.username.as_str().to_owned()), Some("anna".to_owned()));
    store.put_account(account(2, "ann", "two@b.c"), 0).await.expect("the name is free");
    store.put_account(account(1, "anna", "anna@b.c"), 2).await.expect("written");
    store.put_account(account(2, "ann", "ann@b.c"), 1).await.expect("the address is free");
    assert_eq!(read(store, email("ann@b.c")).await.map(|row| row.row.id), Some(user(2)));
}

/// Two signups at once.
pub async fn of_racing_accounts_one_is_written(store: &dyn Store) {
    let answers = (1..=8).map(|n| store.put_account(account(n, "ann", &format!("{n}@b.c")), 0)).collect();
    let answers = together(answers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let taken = answers.iter().filter(|answer| **answer == Err(PutError::Taken(AccountField::Username))).count();
    assert_eq!(taken, 7);
}

/// Lists of members and of conversations.
pub async fn accounts_come_in_the_order_asked_for(store: &dyn Store) {
    let (one, three) = (account(1, "one", "1@b.c"), account(3, "three", "3@b.c"));
    store.put_account(one.clone(), 0).await.expect("written");
    store.put_account(three.clone(), 0).await.expect("written");
    let found = store.accounts(&[user(3), user(2), user(1), user(3)]).await.expect("readable");
    assert_eq!(found, [Some(three.clone()), None, Some(one), Some(three)]);
    assert_eq!(store.accounts(&[]).await, Ok(Vec::new()));
}

/// Refresh families.
pub async fn a_login_is_kept_and_changed_by_version(store: &dyn Store) {
    assert_eq!(store.login(LoginId(7)).await, Ok(None));
    assert_eq!(store.put_login(login(7), 3).await, Err(PutError::Changed));
    store.put_login(login(7), 0).await.expect("written");
    assert_eq!(store.login(LoginId(7)).await, Ok(Some(Versioned { version: 1, row: login(7) })));
    let bare = crate::account::Login { replaced: None, ended_at: None, expires_at: Timestamp(9), ..login(7) };
    store.put_login(bare.clone(), 1).await.expect("written");
    assert_eq!(store.put_login(login(7), 1).await, Err(PutError::Changed));
    assert_eq!(store.put_login(login(7), 0).await, Err(PutError::Changed));
    assert_eq!(store.login(LoginId(7)).await, Ok(Some(Versioned { version: 2, row: bare })));
    assert_eq!(store.login(LoginId(u128::MAX)).await, Ok(None));
}
