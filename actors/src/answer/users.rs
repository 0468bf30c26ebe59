//! Who a user is, by number, by username, or by the start of a name. Deleted accounts are not there.

use crate::account::{Account, Standing, Username};
use crate::id::UserId;
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::search::fold;
use crate::store::AccountKey;
use crate::view::{UserView, View};

use super::unavailable;

/// The fewest characters that a search may be for: fewer would be a list of everybody.
const PREFIX_CHARS_MIN: usize = 2;
/// The most.
const PREFIX_CHARS_MAX: usize = 64;
/// How many users a search finds unless the client says otherwise.
const PAGE: u64 = 20;
/// How many users are looked at to choose the best of them, however few are answered: the store finds them in the order of
/// its index, so whom the viewer blocks and who only has such a name must not crowd out the others.
const CANDIDATES: usize = 200;

pub(super) async fn by_id(node: &Node, user: UserId) -> Result<View, Rejected> {
    find(node, AccountKey::Id(user)).await
}

pub(super) async fn by_username(node: &Node, username: &str) -> Result<View, Rejected> {
    let username = Username::new(username).ok_or(Rejected::NoSuchUser)?;
    find(node, AccountKey::Username(username)).await
}

async fn find(node: &Node, key: AccountKey) -> Result<View, Rejected> {
    let account = node.world().store.account(key).await.map_err(unavailable)?;
    let account = account.map(|account| account.row).filter(|account| account.standing != Standing::Deleted);
    account.map(|account| View::User(UserView::from(&account))).ok_or(Rejected::NoSuchUser)
}

/// Users by the start of a username or name, best first. Whom the viewer blocks is left out; who blocks the viewer is
/// not, or a search would tell of it.
pub(super) async fn search(node: &Node, viewer: UserId, prefix: &str, limit: Option<u64>) -> Result<View, Rejected> {
    let (store, limits) = (&node.world().store, &node.world().limits);
    let prefix = fold(prefix.trim());
    if !(PREFIX_CHARS_MIN..=PREFIX_CHARS_MAX).contains(&prefix.chars().count()) {
        return Err(Rejected::Field { field: "prefix", why: "must have 2 to 64 characters" });
    }
    node.rates().admit_search(viewer, node.now(), limits)?;
    let limit = usize::try_from(limit.unwrap_or(PAGE)).unwrap_or(usize::MAX).clamp(1, limits.count(Limit::SearchPage).max(1));
    let mut found = store.search(&prefix, CANDIDATES.max(limit)).await.map_err(unavailable)?;
    found.sort_unstable();
    let others: Vec<_> = found.iter().copied().filter(|user| *user != viewer).collect();
    let bonds = store.bonds_with(viewer, &others).await.map_err(unavailable)?;
    let blocked: Vec<_> =
        bonds.iter().filter(|bond| bond.blocked_by(viewer).is_some()).filter_map(|bond| bond.pair.other(viewer)).collect();
    found.retain(|user| !blocked.contains(user));
    let accounts = store.accounts(&found).await.map_err(unavailable)?;
    let mut accounts: Vec<_> = accounts.into_iter().flatten().filter(Account::is_active).collect();
    accounts.sort_by_cached_key(|account| rank(account, &prefix));
    accounts.truncate(limit);
    Ok(View::Users(accounts.iter().map(UserView::from).collect()))
}

/// The whole username first, then the start of one, then names; among equals by username.
fn rank(account: &Account, prefix: &str) -> (u8, String, UserId) {
    let username = fold(account.username.as_str());
    let class = if username == prefix {
        0
    } else if username.starts_with(prefix) {
        1
    } else {
        2
    };
    (class, username, account.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{DisplayName, Email};
    use crate::time::Timestamp;

    #[test]
    fn the_whole_username_is_the_best_match_and_names_are_the_last() {
        let account = |number, username: &str| {
            let (username, email) = (Username::new(username).expect("valid"), Email::new("a@b.c").expect("valid"));
            Account::new(UserId::new(number).expect("valid"), username, email, DisplayName::default(), None, Timestamp(0))
        };
        let mut accounts = [account(1, "zoe"), account(2, "annika"), account(3, "Anna"), account(4, "ANN"), account(5, "ann")];
        accounts.sort_by_cached_key(|account| rank(account, "ann"));
        assert_eq!(accounts.map(|account| account.id.get()), [4, 5, 3, 2, 1]);
    }
}
