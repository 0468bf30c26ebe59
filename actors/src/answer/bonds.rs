//! What the viewer is to others: one of them, or a page of all, newest first.

use std::cmp::Reverse;

use crate::account::{Account, Standing};
use crate::command::BondFilter;
use crate::id::{Pair, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::relation::{Bond, BondChange};
use crate::time::Timestamp;
use crate::view::{BondView, UserView, View};

use super::{page_size, unavailable};

/// How many bonds one call of the store answers.
const READ: usize = 1_000;

pub(super) async fn one(node: &Node, viewer: UserId, peer: UserId) -> Result<View, Rejected> {
    let store = &node.world().store;
    let Ok(pair) = Pair::new(viewer, peer) else { return Err(Rejected::NoSuchUser) };
    let account = store.accounts(&[peer]).await.map_err(unavailable)?.pop().flatten();
    let peer = Some(seen(account.as_ref()).ok_or(Rejected::NoSuchUser)?);
    let bond = store.bond(pair).await.map_err(unavailable)?.row;
    Ok(View::Bond(Box::new(BondView { peer, bond }), BondChange::None))
}

pub(super) async fn page(
    node: &Node,
    viewer: UserId,
    filter: BondFilter,
    cursor: Option<String>,
    limit: Option<u64>,
) -> Result<View, Rejected> {
    let size = page_size(node, limit);
    let after = match cursor.as_deref().map(read_cursor) {
        Some(None) => return Err(Rejected::Field { field: "cursor", why: "is not one that a page ended with" }),
        Some(Some(after)) => Some(after),
        None => None,
    };
    let mut found: Vec<_> = all(node, viewer)
        .await?
        .into_iter()
        .filter_map(|bond| Some((Reverse(matches(&bond, viewer, filter)?), bond.pair.other(viewer)?, bond)))
        .collect();
    found.sort_unstable_by_key(|(at, peer, _)| (*at, *peer));
    let total = found.len() as u64;
    let mut rest = found.into_iter().skip_while(|(at, peer, _)| after.is_some_and(|after| (*at, *peer) <= after));
    let shown: Vec<_> = rest.by_ref().take(size).collect();
    let cursor = shown.last().filter(|_| rest.next().is_some()).map(|(at, peer, _)| format!("{}.{}", at.0.0, peer.get()));
    let peers: Vec<_> = shown.iter().map(|(_, peer, _)| *peer).collect();
    let accounts = node.world().store.accounts(&peers).await.map_err(unavailable)?;
    let page = shown.into_iter().zip(accounts).map(|((_, _, bond), account)| BondView { peer: seen(account.as_ref()), bond }).collect();
    Ok(View::Bonds { page, total, cursor })
}

async fn all(node: &Node, user: UserId) -> Result<Vec<Bond>, Rejected> {
    let max = node.world().limits.count(Limit::BondsRead);
    let mut bonds: Vec<Bond> = Vec::new();
    while bonds.len() < max {
        let after = bonds.last().and_then(|bond| bond.pair.other(user));
        let more = node.world().store.bonds(user, after, READ).await.map_err(unavailable)?;
        let last = more.len() < READ;
        bonds.extend(more);
        if last {
            break;
        }
    }
    Ok(bonds)
}

/// Since when a bond is one of these to the user; nothing if it is none.
fn matches(bond: &Bond, user: UserId, filter: BondFilter) -> Option<Timestamp> {
    let relation = bond.relation.map(|relation| relation.created_at);
    match filter {
        BondFilter::Friends => relation.filter(|_| bond.is_friendship()),
        BondFilter::Incoming => relation.filter(|_| bond.asked() == Some(user)),
        BondFilter::Outgoing => relation.filter(|_| bond.asked().is_some_and(|asked| asked != user)),
        BondFilter::Blocked => bond.blocked_by(user),
        BondFilter::Related => relation,
    }
}

/// The account as others see it; nothing of a deleted one.
pub(super) fn seen(account: Option<&Account>) -> Option<UserView> {
    account.filter(|account| account.standing != Standing::Deleted).map(UserView::from)
}

fn read_cursor(text: &str) -> Option<(Reverse<Timestamp>, UserId)> {
    let (at, peer) = text.split_once('.')?;
    Some((Reverse(Timestamp(at.parse().ok()?)), UserId::new(peer.parse().ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::{self, Side, Step};

    #[test]
    fn a_bond_is_listed_where_it_belongs() {
        let user = |number| UserId::new(number).expect("valid");
        let strangers = Bond::new(Pair::new(user(1), user(2)).expect("two users"));
        let after = |bond: &Bond, by, step, at| relation::step(bond, user(by), step, Timestamp(at)).expect("allowed").0;
        let asked = after(&strangers, 1, Step::Request { own: Side::Pending, anew: true }, 5);
        let friends = after(&asked, 2, Step::Accept, 6);
        let rejected = after(&friends, 2, Step::Unfriend, 7);
        let blocked = after(&strangers, 1, Step::Block, 8);
        let filters = [BondFilter::Friends, BondFilter::Incoming, BondFilter::Outgoing, BondFilter::Blocked, BondFilter::Related];
        let of = |bond: &Bond, number| filters.map(|filter| matches(bond, user(number), filter).map_or(0, |at| at.0));
        assert_eq!(of(&strangers, 1), [0, 0, 0, 0, 0]);
        assert_eq!((of(&asked, 1), of(&asked, 2)), ([0, 0, 5, 0, 5], [0, 5, 0, 0, 5]));
        assert_eq!((of(&friends, 1), of(&friends, 2)), ([5, 0, 0, 0, 5], [5, 0, 0, 0, 5]));
        assert_eq!(of(&rejected, 1), [0, 0, 0, 0, 5]);
        assert_eq!((of(&blocked, 1), of(&blocked, 2)), ([0, 0, 0, 8, 0], [0, 0, 0, 0, 0]), "who is blocked has no list of it");
    }
}
