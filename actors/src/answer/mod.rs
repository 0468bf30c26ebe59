//! Answers to queries: they read the ports and return views; nothing is changed, no actor is asked.
//!
//! One file for each kind of query. What a viewer may see is decided by [`crate::policy`], like everything else.

pub(crate) mod users;
pub(crate) mod standing;
pub(crate) mod conversations;
pub(crate) mod history;
pub(crate) mod sync;
pub(crate) mod presence;

use std::time::Duration;

use crate::command::Query;
use crate::id::UserId;
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
        Query::Presence { users } => presence::of(node, viewer, users).await,
        Query::SearchUsers { .. }
        | Query::Bond { .. }
        | Query::Bonds { .. }
        | Query::Notices { .. }
        | Query::Message { .. } => Err(Rejected::Internal),
        Query::ReadBy { .. } | Query::Reactions { .. } | Query::Invitations { .. } | Query::Unread => Err(Rejected::Internal),
        Query::Sync { user, conversations } => sync::since(node, viewer, user, conversations).await,
    }
}

/// A store that does not answer: the client may try again.
pub(crate) fn unavailable(error: StoreError) -> Rejected {
    tracing::warn!(%error, "a query could not be answered");
    match error {
        StoreError::Unavailable(_) | StoreError::Unknown(_) => Rejected::Unavailable { after: Duration::from_secs(1) },
        StoreError::Corrupt(_) => Rejected::Frozen,
    }
}
