//! Conversations as one member sees them: one, a page of all, and the members of one.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::command::Cursor;
use crate::entry::{Head, Preferences};
use crate::id::{ConversationId, LogId, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::relation::Bond;
use crate::store::{AccountKey, Marks};
use crate::view::{About, ConversationView, Shown, UserView, View};

use super::standing::Standing;
use super::{standing, unavailable};

/// How many conversations or members a page has unless the client says otherwise.
const PAGE: u64 = 50;

fn page_size(node: &Node, limit: Option<u64>) -> usize {
    usize::try_from(limit.unwrap_or(PAGE)).unwrap_or(usize::MAX).min(node.world().limits.count(Limit::Page)).max(1)
}

pub(super) async fn one(node: &Node, viewer: UserId, conversation: ConversationId) -> Result<View, Rejected> {
    let standing = standing::of(node, viewer, conversation).await?;
    if !standing.is_current() {
        return Err(Rejected::NoSuchConversation);
    }
    let marks = marks_of(node, viewer, &[conversation]).await?.pop().unwrap_or_default();
    let view = view(node, viewer, conversation, &standing, marks).await?;
    Ok(View::Conversation(Box::new(view)))
}

async fn marks_of(node: &Node, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Marks>, Rejected> {
    node.world().store.marks(user, conversations).await.map_err(unavailable)
}

/// Builds the view of a conversation that the viewer takes part in.
async fn view(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    standing: &Standing,
    marks: Marks,
) -> Result<ConversationView, Rejected> {
    let store = &node.world().store;
    let (head, log) = (standing.head, LogId::Conversation(conversation));
    let last = if head.is_new() { None } else { store.range(log, head.tail, head.tail, 1, false).await.map_err(unavailable)?.pop() };
    let about = match (conversation, standing.place) {
        (ConversationId::Direct(pair), _) => {
            let peer = pair.other(viewer).ok_or(Rejected::NoSuchConversation)?;
            let account = store.account(AccountKey::Id(peer)).await.map_err(unavailable)?;
            if account.is_none() && head.is_new() {
                return Err(Rejected::NoSuchUser);
            }
            let peer_marks = marks_of(node, peer, &[conversation]).await?.pop().unwrap_or_default();
            About::Direct { peer: account.map(|account| UserView::from(&account.row)), peer_marks, bond: Bond::new(pair), number: None }
        }
        (ConversationId::Group(group), Some(place)) => {
            let group = store.group(group).await.map_err(unavailable)?.ok_or(Rejected::NoSuchConversation)?;
            About::Group { group, role: place.role }
        }
        (ConversationId::Group(_), None) => return Err(Rejected::NoSuchConversation),
    };
    Ok(ConversationView {
        id: conversation,
        tail: Cursor { incarnation: head.incarnation, seq: head.tail },
        count: head.count,
        last_at: head.last_at,
        marks,
        unread: unread(&head, &marks),
        last: last.map(|last| Shown::from(Arc::new(last))),
        preferences: Preferences::default(),
        about,
    })
}

fn unread(head: &Head, marks: &Marks) -> u64 {
    head.count.0.saturating_sub(marks.badge.0)
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

/// Views of these conversations; those of which the user is no longer a member are left out.
pub(super) async fn views(node: &Node, viewer: UserId, listed: &[(ConversationId, Head)]) -> Result<Vec<ConversationView>, Rejected> {
    let ids: Vec<_> = listed.iter().map(|(id, _)| *id).collect();
    let marks = marks_of(node, viewer, &ids).await?;
    let mut views = Vec::with_capacity(listed.len());
    let mut bytes_left = node.world().limits.count(Limit::PageBytes);
    for ((id, _), marks) in listed.iter().zip(marks) {
        match standing::of(node, viewer, *id).await {
            Ok(standing) if standing.is_current() => match view(node, viewer, *id, &standing, marks).await {
                Ok(mut view) => {
                    view.last = view.last.filter(|last| last.entry.act.bytes() <= bytes_left);
                    bytes_left -= view.last.as_ref().map_or(0, |last| last.entry.act.bytes());
                    views.push(view);
                }
                Err(Rejected::NoSuchConversation) => {} // the list may be ahead of the group (design D11)
                Err(rejected) => return Err(rejected),
            },
            Ok(_) | Err(Rejected::NoSuchConversation) => {}
            Err(rejected) => return Err(rejected),
        }
    }
    Ok(views)
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
