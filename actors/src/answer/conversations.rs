//! Conversations as one member sees them: one, a page of all, and the members of one.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::command::Cursor;
use crate::conversation::amend::erased;
use crate::entry::Head;
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::relation::{self, Bond};
use crate::store::{Marks, Overview};
use crate::view::{About, ConversationView, UserView, View};

use super::{page_size, shown, standing, unavailable, unread};

pub(super) async fn one(node: &Node, viewer: UserId, conversation: ConversationId) -> Result<View, Rejected> {
    let overview = overviews(node, viewer, &[conversation]).await?.pop().ok_or(Rejected::NoSuchConversation)?;
    standing::may_read(viewer, conversation, overview.place.as_ref())?;
    if matches!(conversation, ConversationId::Direct(_)) && overview.peer.is_none() && overview.head.is_new() {
        return Err(Rejected::NoSuchUser);
    }
    let mut view = view(viewer, conversation, overview).ok_or(Rejected::NoSuchConversation)?;
    if let Some(last) = view.last.take() {
        // One conversation alone is shown whole: with the viewer's own reactions.
        let entry = (*last.entry).clone();
        view.last = shown::overlaid(node, viewer, conversation, view.preferences.cleared.0, vec![entry]).await?.pop();
    }
    Ok(View::Conversation(Box::new(view)))
}

async fn overviews(node: &Node, viewer: UserId, ids: &[ConversationId]) -> Result<Vec<Overview>, Rejected> {
    node.world().store.overviews(viewer, ids).await.map_err(unavailable)
}

/// The view of a conversation that the viewer takes part in; `None` if he does not.
fn view(viewer: UserId, conversation: ConversationId, overview: Overview) -> Option<ConversationView> {
    standing::may_read(viewer, conversation, overview.place.as_ref()).ok()?;
    let standing = standing::with(overview.head, overview.place, &overview.preferences);
    if !standing.is_current() {
        return None;
    }
    let unread = unread::of(&overview);
    let last = overview.last.filter(|last| standing.shows(last.seq));
    let about = match conversation {
        ConversationId::Direct(pair) => {
            let bond = overview.bond.unwrap_or(Bond::new(pair));
            let shows = overview.peer.as_ref().is_some_and(|peer| peer.privacy.receipts) && relation::may_see_activity(&bond);
            let peer_marks = if shows { overview.peer_marks } else { Marks::default() };
            About::Direct { peer: overview.peer.as_ref().map(UserView::from), peer_marks, bond, number: overview.number }
        }
        ConversationId::Group(_) => About::Group { group: overview.group?, role: overview.place?.role },
    };
    let head = overview.head;
    Some(ConversationView {
        id: conversation,
        tail: Cursor { incarnation: head.incarnation, seq: head.tail },
        count: head.count,
        last_at: head.last_at,
        marks: overview.marks,
        unread,
        last: last.map(|last| shown::one(last, overview.last_amendment, vec![], overview.last_hidden)),
        preferences: overview.preferences,
        about,
    })
}

/// All conversations in the user's list that were ever written to, with their heads, latest activity first.
pub(super) async fn listed(node: &Node, viewer: UserId) -> Result<Vec<(ConversationId, Head)>, Rejected> {
    let (store, limits) = (&node.world().store, &node.world().limits);
    let ids = store.listed(viewer, None, limits.count(Limit::Conversations)).await.map_err(unavailable)?;
    let logs: Vec<_> = ids.iter().map(|id| LogId::Conversation(*id)).collect();
    let heads = store.heads(&logs).await.map_err(unavailable)?;
    let mut listed: Vec<_> = ids.into_iter().zip(heads).filter(|(_, head)| !head.is_new()).collect();
    listed.sort_by_key(|(id, head)| Reverse((head.last_at, *id)));
    Ok(listed)
}

/// Views of these conversations, read in one call; those of which the user is no longer a member are left out. The list
/// shows no reactions of the viewer's own.
pub(super) async fn views(node: &Node, viewer: UserId, listed: &[(ConversationId, Head)]) -> Result<Vec<ConversationView>, Rejected> {
    let ids: Vec<_> = listed.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let mut bytes_left = node.world().limits.count(Limit::PageBytes);
    let overviews = overviews(node, viewer, &ids).await?;
    let mut views: Vec<_> = ids.into_iter().zip(overviews).filter_map(|(id, overview)| view(viewer, id, overview)).collect();
    for view in &mut views {
        if let Some(last) = &mut view.last
            && let Some(target) = shown::edited(&last.entry)
            && (target <= view.preferences.cleared.0 || is_hidden(node, viewer, view.id, target).await?)
        {
            last.entry = Arc::new(erased(&last.entry));
        }
        view.last = view.last.take().filter(|last| shown::bytes(last) <= bytes_left);
        bytes_left -= view.last.as_ref().map_or(0, shown::bytes);
    }
    Ok(views)
}

/// Whether the viewer has hidden this entry.
async fn is_hidden(node: &Node, viewer: UserId, conversation: ConversationId, seq: Seq) -> Result<bool, Rejected> {
    let hidden = node.world().store.hidden(viewer, conversation, seq.bucket(), seq.bucket()).await.map_err(unavailable)?;
    Ok(hidden.iter().any(|(_, bits)| bits.has(seq.offset())))
}

pub(super) async fn page(node: &Node, viewer: UserId, cursor: Option<String>, limit: Option<u64>) -> Result<View, Rejected> {
    let size = page_size(node, limit);
    let listed = listed(node, viewer).await?;
    // The cursor names the last conversation of the page before, and when it was last active then.
    let after = match cursor.as_deref().map(read_cursor) {
        Some(None) => return Err(Rejected::Field { field: "cursor", why: "is not one that a page ended with" }),
        Some(Some(after)) => Some(after),
        None => None,
    };
    let rest: Vec<_> =
        listed.into_iter().filter(|(id, head)| after.is_none_or(|(at, last)| (head.last_at.0, *id) < (at, last))).take(size + 1).collect();
    let shown = &rest[..rest.len().min(size)];
    let cursor = match shown.last() {
        Some((id, head)) if rest.len() > size => Some(format!("{}.{id}", head.last_at.0)),
        _ => None,
    };
    Ok(View::Conversations { page: views(node, viewer, shown).await?, cursor })
}

fn read_cursor(text: &str) -> Option<(i64, ConversationId)> {
    let (at, id) = text.split_once('.')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

pub(super) async fn members(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: Option<u64>,
) -> Result<View, Rejected> {
    let standing = standing::of(node, viewer, conversation).await?;
    let ConversationId::Group(group) = conversation else { return Err(Rejected::NotAGroup) };
    if !standing.is_current() {
        return Err(Rejected::NoSuchConversation);
    }
    let size = page_size(node, limit);
    let (mut page, mut after) = (Vec::new(), after);
    // Former members stand between the current ones: read on until the page is full.
    loop {
        let rows = node.world().store.members(group, after, size + 1).await.map_err(unavailable)?;
        let last = rows.len() <= size;
        after = rows.last().map(|(user, _)| *user);
        page.extend(rows.into_iter().filter(|(_, place)| place.is_current()));
        if last || page.len() > size {
            break;
        }
    }
    let more = page.len() > size;
    page.truncate(size);
    Ok(View::Members { page, more })
}
