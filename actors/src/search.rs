//! By which words accounts are found: every store keeps these words, and answers in the same order.
//!
//! Pure. A word is what stands between signs that are neither letter nor digit; the whole username is a word as well.
//! Invariant: an account has at most [`WORDS_MAX`] words, so whoever looks for `limit` accounts reads a bounded number
//! of rows, however many words of one account begin alike.

use std::collections::BTreeSet;

use crate::account::Account;

/// The most words that one account is found by; its username's come first, then those of its names.
pub const WORDS_MAX: usize = 16;

/// The form of a text that is compared: a search is for a text in this form.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The whole username by which an account is found, if it is: its owner may hide it from searches by the start of a
/// name, and never from who knows the username.
pub fn handle(account: &Account) -> Option<String> {
    account.is_active().then(|| fold(account.username.as_str()))
}

/// The words by the start of which an account is found; none if it is not to be found.
pub fn words(account: &Account) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if !account.is_active() || !account.privacy.searchable {
        return found;
    }
    let username = account.username.as_str();
    let names = [username, account.name.as_str(), account.first_name.as_str(), account.last_name.as_str()];
    let parts = names.into_iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).filter(|word| !word.is_empty());
    for word in std::iter::once(username).chain(parts) {
        if found.len() == WORDS_MAX {
            break;
        }
        found.insert(fold(word));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{DisplayName, Email, Privacy, Standing, Username};
    use crate::id::UserId;
    use crate::time::Timestamp;

    fn ann() -> Account {
        let (username, email) = (Username::new("Ann-Marie_7").expect("valid"), Email::new("a@b.c").expect("valid"));
        let name = DisplayName::new("Élan, the 1st (Ann)").expect("valid");
        Account::new(UserId::new(1).expect("valid"), username, email, name, None, Timestamp(0))
    }

    #[test]
    fn words_stand_between_signs() {
        let account = Account { last_name: DisplayName::new("O'Hara").expect("valid"), ..ann() };
        let expected = ["1st", "7", "ann", "ann-marie_7", "hara", "marie", "o", "the", "élan"];
        assert_eq!(words(&account).into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_account_has_a_bounded_number_of_words() {
        let many = (0..75).map(|n| char::from_u32(0x4e00 + n).expect("a letter").to_string()).collect::<Vec<_>>().join(" ");
        let account = Account { name: DisplayName::new(&many).expect("149 characters"), ..ann() };
        assert_eq!(words(&account).len(), WORDS_MAX);
        assert!(words(&account).contains("ann-marie_7"));
    }

    #[test]
    fn who_does_not_want_to_be_found_is_found_by_the_whole_username_alone() {
        let hidden = Account { privacy: Privacy { searchable: false, ..Privacy::default() }, ..ann() };
        assert_eq!((words(&hidden).len(), handle(&hidden)), (0, Some("ann-marie_7".to_owned())));
        for standing in [Standing::Deactivated, Standing::Banned, Standing::Deleted] {
            let closed = Account { standing, ..ann() };
            assert_eq!((words(&closed).len(), handle(&closed)), (0, None), "{standing:?}");
        }
    }
}
