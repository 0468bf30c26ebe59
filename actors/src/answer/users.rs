//! Who a user is, by number or by username.

use crate::account::Username;
use crate::id::UserId;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::AccountKey;
use crate::view::{UserView, View};

use super::unavailable;

pub(super) async fn by_id(node: &Node, user: UserId) -> Result<View, Rejected> {
    find(node, AccountKey::Id(user)).await
}

pub(super) async fn by_username(node: &Node, username: &str) -> Result<View, Rejected> {
    let username = Username::new(username).ok_or(Rejected::NoSuchUser)?;
    find(node, AccountKey::Username(username)).await
}

async fn find(node: &Node, key: AccountKey) -> Result<View, Rejected> {
    let account = node.world().store.account(key).await.map_err(unavailable)?;
    account.map(|account| View::User(UserView::from(&account.row))).ok_or(Rejected::NoSuchUser)
}
