//! Answers to queries: they read the ports and return views; nothing is changed, no actor is asked.
//!
//! One file for each kind of query. What a viewer may see is decided by [`crate::policy`], like everything else.

pub(crate) mod users;
pub(crate) mod standing;
pub(crate) mod conversations;
pub(crate) mod history;
pub(crate) mod sync;
pub(crate) mod presence;
pub(crate) mod shown;
pub(crate) mod messages;
pub(crate) mod unread;
pub(crate) mod bonds;
pub(crate) mod notices;

use std::time::Duration;

use crate::command::Query;
use crate::id::UserId;
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::StoreError;
use crate::view::View;

/// The answer to a query of this user.
pub(crate) async fn answer(node: &Node, viewer: UserId, query: Query) -> Result<View, Rejected> {
    match query {
        Query::User { user } => users::by_id(node, user).await,
        Query::FindUser { username } => users::by_username(node, &username).await,
        Query::Conversation { conversation } => conversations::one(node, viewer, conversation).await,
        Query::Conversations { cursor, limit } => conversations::page(node, viewer, cursor, limit).await,
        Query::Members { conversation, after, limit } => conversations::members(node, viewer, conversation, after, limit).await,
        Query::History { conversation, span, limit } => history::part(node, viewer, conversation, span, limit).await,
        Query::SearchUsers { prefix, limit } => users::search(node, viewer, &prefix, limit).await,
        Query::Presence { users } => presence::of(node, viewer, users).await,
        Query::Bond { peer } => bonds::one(node, viewer, peer).await,
        Query::Bonds { filter, cursor, limit } => bonds::page(node, viewer, filter, cursor, limit).await,
        Query::Notices { before, limit } => notices::page(node, viewer, before, limit).await,
        Query::Message { id } => messages::by_number(node, viewer, id).await,
        Query::ReadBy { conversation, target, after, limit } => messages::read_by(node, viewer, conversation, target, after, limit).await,
        Query::Reactions { conversation, target, after, limit } => {
            messages::reactions(node, viewer, conversation, target, after, limit).await
        }
        Query::Invitations { conversation, after, limit } => messages::invitations(node, viewer, conversation, after, limit).await,
        Query::Unread => unread::all(node, viewer).await,
        Query::Sync { user, conversations } => sync::since(node, viewer, user, conversations).await,
    }
}

/// How many rows a page has unless the client says otherwise.
const PAGE: u64 = 50;

fn page_size(node: &Node, limit: Option<u64>) -> usize {
    usize::try_from(limit.unwrap_or(PAGE)).unwrap_or(usize::MAX).min(node.world().limits.count(Limit::Page)).max(1)
}

/// A store that does not answer: the client may try again.
pub(crate) fn unavailable(error: StoreError) -> Rejected {
    tracing::warn!(%error, "a query could not be answered");
    match error {
        StoreError::Unavailable(_) | StoreError::Unknown(_) => Rejected::Unavailable { after: Duration::from_secs(1) },
        StoreError::Corrupt(_) => Rejected::Frozen,
    }
}
