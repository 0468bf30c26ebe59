//! The notices of the viewer that stand, newest first, and on the first page the conversations with unread messages.

use crate::account::Account;
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::Overview;
use crate::view::{NoticeView, NoticesView, View};

use super::{bonds, conversations, page_size, unavailable, unread};

pub(super) async fn page(node: &Node, viewer: UserId, before: Option<Seq>, limit: Option<u64>) -> Result<View, Rejected> {
    let (store, limits) = (&node.world().store, &node.world().limits);
    let size = page_size(node, limit);
    let now = node.now();
    let mut standing = store.notices(viewer, None, limits.count(Limit::NoticesUser)).await.map_err(unavailable)?;
    standing.retain(|(_, notice)| !notice.is_expired(now));
    let read = store.notices_read(viewer).await.map_err(unavailable)?;
    let total = standing.len() as u64;
    let unread = standing.iter().filter(|(seq, _)| *seq > read).count() as u64;
    standing.retain(|(seq, _)| before.is_none_or(|before| *seq < before));
    let more = standing.len() > size;
    standing.truncate(size);
    let people: Vec<_> = standing.iter().map(|(_, notice)| notice.from()).collect();
    let accounts: Vec<Option<Account>> = store.accounts(&people).await.map_err(unavailable)?;
    let mut page = Vec::with_capacity(standing.len());
    for ((seq, notice), account) in standing.into_iter().zip(accounts) {
        // One whose entry cannot be read is left out; the store has counted it (X4).
        let entry = store.range(LogId::User(viewer), seq, seq, 1, false).await.map_err(unavailable)?.pop();
        page.extend(entry.map(|entry| NoticeView { seq, id: entry.id, at: entry.at, notice, from: bonds::seen(account.as_ref()) }));
    }
    let conversations = if before.is_none() { unread_conversations(node, viewer, size).await? } else { vec![] };
    Ok(View::Notices(NoticesView { page, read, total, unread, more, conversations }))
}

/// Of the conversations that were active last, those with unread messages, latest first; at most so many.
async fn unread_conversations(node: &Node, viewer: UserId, max: usize) -> Result<Vec<(ConversationId, u64)>, Rejected> {
    let mut listed = conversations::listed(node, viewer).await?;
    listed.truncate(node.world().limits.count(Limit::Page));
    let ids: Vec<_> = listed.into_iter().map(|(id, _)| id).collect();
    let overviews = node.world().store.overviews(viewer, &ids).await.map_err(unavailable)?;
    let takes_part = |id: &ConversationId, overview: &Overview| match id {
        ConversationId::Direct(_) => true,
        ConversationId::Group(_) => overview.place.is_some_and(|place| place.is_current()),
    };
    let counted =
        ids.into_iter().zip(overviews).filter(|(id, overview)| takes_part(id, overview)).map(|(id, overview)| (id, unread::of(&overview)));
    Ok(counted.filter(|(_, unread)| *unread > 0).take(max).collect())
}
