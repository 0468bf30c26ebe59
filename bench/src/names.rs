//! People with names that begin alike as names do: some beginnings are very common, most are rare. Always the same ones.
//!
//! A name is made of syllables, the first ones of the list far more often than the last: of a million people a fifth
//! begin with the commonest two letters.

use actors::account::{Account, DisplayName, Email, Username};
use actors::id::UserId;
use actors::time::Timestamp;
use anyhow::{Context, Result};

const FIRST: &[&str] = &[
    "ma", "an", "jo", "ka", "al", "sa", "mi", "be", "da", "el", "la", "ni", "ro", "ta", "le", "vi", "so", "ju", "pa", "ha", "ti", "re",
    "lu", "ne", "fe", "gu", "wi", "yo", "zo", "ki",
];
const MIDDLE: &[&str] = &["ri", "na", "li", "ra", "to", "se", "mo", "di", "ve", "ko", "ba", "shu", "the", "lle", "nde", "rto"];
const LAST: &[&str] = &["a", "n", "s", "o", "ne", "r", "th", "ta", "no", "l", "ck", "y", "ska", "son", "ez", "ova"];

/// Numbers that look drawn and are always the same (splitmix64).
#[derive(Debug, Clone)]
pub struct Drawn(pub u64);

impl Drawn {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, small ones more often: the first tenth of them in a third of the cases.
    fn skewed(&mut self, bound: usize) -> usize {
        let part = self.draw() >> 32;
        let skewed = (part * part) >> 32;
        usize::try_from((skewed * bound as u64) >> 32).expect("it is below the bound")
    }

    fn word(&mut self) -> String {
        let mut word = FIRST[self.skewed(FIRST.len())].to_owned();
        for _ in 0..=self.skewed(2) {
            word.push_str(MIDDLE[self.skewed(MIDDLE.len())]);
        }
        word.push_str(LAST[self.skewed(LAST.len())]);
        word
    }
}

/// First and last name of the user with this number.
pub fn of(user: UserId) -> (String, String) {
    let mut drawn = Drawn(user.get());
    (drawn.word(), drawn.word())
}

/// The account of the user with this number: the username is made of the names and the number, the display name of the
/// names alone.
pub fn account(user: UserId, now: Timestamp) -> Result<Account> {
    let (first, last) = of(user);
    let username = format!("{first}.{last}{}", user.get());
    let text = |text: &str| DisplayName::new(text).context("a name");
    let capital = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
    let (first, last) = (capital(&first), capital(&last));
    let email = Email::new(&format!("{username}@example.org")).context("an address")?;
    let username = Username::new(&username).context("a username")?;
    let account = Account::new(user, username, email, text(&format!("{first} {last}"))?, None, now);
    Ok(Account { first_name: text(&first)?, last_name: text(&last)?, ..account })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_beginnings_are_common_and_most_are_rare() {
        let words: Vec<_> = (1..=10_000).map(|number| of(UserId::new(number).expect("valid")).0).collect();
        let with = |prefix: &str| words.iter().filter(|word| word.starts_with(prefix)).count();
        assert!((1_500..2_500).contains(&with("ma")), "{}", with("ma"));
        assert!((50..300).contains(&with("ki")), "{}", with("ki"));
        let one = UserId::new(77).expect("valid");
        assert_eq!(account(one, Timestamp(0)).expect("valid"), account(one, Timestamp(0)).expect("valid"));
    }
}
