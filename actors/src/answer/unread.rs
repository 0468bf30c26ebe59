//! How many messages a user has not read, over all conversations. Nothing is counted when messages are written.

use crate::conversation::gone::Gone;
use crate::id::{ConversationId, LogId, Pos, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::Overview;
use crate::view::View;

use super::unavailable;

/// How many conversations are looked at in one call.
const AT_ONCE: usize = 200;

pub(super) async fn all(node: &Node, viewer: UserId) -> Result<View, Rejected> {
    let (messages, conversations) = count(node, viewer).await?;
    Ok(View::Unread { messages, conversations })
}

/// Messages that are not read, and in how many conversations: of those that were active last, what is deleted, and where
/// the user is no member any more, is left out; of the rest beyond `unread_counted` it is not looked up.
pub(crate) async fn count(node: &Node, viewer: UserId) -> Result<(u64, u64), Rejected> {
    let (store, limits) = (&node.world().store, &node.world().limits);
    let ids = store.listed(viewer, None, limits.count(Limit::Conversations)).await.map_err(unavailable)?;
    let logs: Vec<_> = ids.iter().map(|id| LogId::Conversation(*id)).collect();
    let heads = store.heads(&logs).await.map_err(unavailable)?;
    let marks = store.marks(viewer, &ids).await.map_err(unavailable)?;
    let preferences = store.preferences(viewer, &ids).await.map_err(unavailable)?;
    let mut open: Vec<_> = ids
        .into_iter()
        .zip(heads)
        .zip(marks.iter().zip(&preferences))
        .map(|((id, head), (marks, preferences))| (id, head.last_at, head.count.0.saturating_sub(marks.badge.max(preferences.cleared.1).0)))
        .filter(|(_, _, unread)| *unread > 0)
        .collect();
    open.sort_unstable_by_key(|(id, last_at, _)| std::cmp::Reverse((*last_at, *id)));
    let looked_at = open.len().min(limits.count(Limit::UnreadCounted));
    let mut counts: Vec<u64> = open[looked_at..].iter().map(|(_, _, unread)| *unread).collect();
    for part in open[..looked_at].chunks(AT_ONCE) {
        let ids: Vec<ConversationId> = part.iter().map(|(id, _, _)| *id).collect();
        let overviews = store.overviews(viewer, &ids).await.map_err(unavailable)?;
        counts.extend(overviews.iter().filter(|overview| overview.place.is_none_or(|place| place.is_current())).map(of));
    }
    counts.retain(|unread| *unread > 0);
    Ok((counts.iter().sum(), counts.len() as u64))
}

/// Messages of one conversation that are not read: what was deleted or cleared is not unread.
pub(super) fn of(overview: &Overview) -> u64 {
    let above: Pos = overview.marks.badge.max(overview.preferences.cleared.1);
    Gone::of(overview.gone.iter().cloned()).unread(overview.head.count, above)
}
