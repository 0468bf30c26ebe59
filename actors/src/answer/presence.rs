//! Whose presence a session hears of: only of users with whom the viewer has a direct conversation.

use std::sync::Arc;

use crate::id::{ConversationId, LogId, Pair, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::session::Session;
use crate::telemetry::Count;
use crate::view::{PresenceView, View};

use super::unavailable;

/// Replaces the users whom a session watches and answers how they stand. Users whom the viewer has never exchanged a
/// message with, and those who do not exist, are left out alike.
pub(crate) async fn watch(node: &Node, session: &Arc<Session>, users: Vec<UserId>) -> Result<View, Rejected> {
    let known = known(node, session.identity.user, users).await?;
    for user in session.watch(known.clone().into()) {
        if known.binary_search(&user).is_err() {
            node.directory().unwatch(user, session.id);
        }
    }
    let max = node.world().limits.count(Limit::PresenceWatchers);
    for user in &known {
        if !node.directory().watch(*user, session, max) {
            node.world().telemetry.count(Count::PresenceShed, 1);
        }
    }
    Ok(views(node, known))
}

/// How users stand now, of those whom the viewer may know of; nobody is watched.
pub(super) async fn of(node: &Node, viewer: UserId, users: Vec<UserId>) -> Result<View, Rejected> {
    Ok(views(node, known(node, viewer, users).await?))
}

fn views(node: &Node, known: Vec<UserId>) -> View {
    let view = |user| PresenceView { user, online: !node.directory().sessions(user).is_empty(), last_seen: None };
    View::Watching(known.into_iter().map(view).collect())
}

/// The users whose presence the viewer may know of, in order, each once.
async fn known(node: &Node, viewer: UserId, users: Vec<UserId>) -> Result<Vec<UserId>, Rejected> {
    let limits = &node.world().limits;
    if users.len() > limits.count(Limit::PresenceWatched) {
        return Err(Rejected::TooManyItems { field: "users", max: limits.get(Limit::PresenceWatched) });
    }
    let pairs: Vec<_> = users.into_iter().filter_map(|user| Pair::new(viewer, user).ok().map(|pair| (user, pair))).collect();
    let logs: Vec<_> = pairs.iter().map(|(_, pair)| LogId::Conversation(ConversationId::Direct(*pair))).collect();
    let heads = node.world().store.heads(&logs).await.map_err(unavailable)?;
    let mut known: Vec<_> = pairs.iter().zip(heads).filter(|(_, head)| !head.is_new()).map(|((user, _), _)| *user).collect();
    known.sort_unstable();
    known.dedup();
    Ok(known)
}
