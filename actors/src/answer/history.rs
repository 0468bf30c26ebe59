//! A part of a conversation's log.

use crate::command::{Cursor, Span};
use crate::entry::Entry;
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::view::{HistoryView, View};

use super::{page_size, shown, standing, unavailable};

pub(super) async fn part(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    span: Span,
    limit: Option<u64>,
) -> Result<View, Rejected> {
    let standing = standing::of(node, viewer, conversation).await?;
    let limit = page_size(node, limit);
    let first = standing.floor.next();
    let (from, to, newest_first) = match span {
        Span::Newest => (first, standing.readable, true),
        Span::Before(seq) => (first, seq.minus(1).min(standing.readable), true),
        Span::After(seq) => (seq.next().max(first), standing.readable, false),
    };
    let mut entries = if from > to || to == Seq::ZERO {
        vec![]
    } else {
        // One more than asked for tells whether there are more.
        node.world().store.range(LogId::Conversation(conversation), from, to, limit + 1, newest_first).await.map_err(unavailable)?
    };
    let fitting = fitting(&entries, node.world().limits.count(Limit::PageBytes)).min(limit);
    let more = entries.len() > fitting;
    entries.truncate(fitting);
    if newest_first {
        entries.reverse();
    }
    let tail = Cursor { incarnation: standing.head.incarnation, seq: standing.readable };
    Ok(View::History(HistoryView {
        conversation,
        tail,
        entries: shown::overlaid(node, viewer, conversation, standing.floor, entries).await?,
        floor: standing.floor,
        more,
    }))
}

/// How many of the entries fit into so many bytes of bodies, in their order; one at least.
pub(super) fn fitting(entries: &[Entry], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let beyond = entries.iter().position(|entry| {
        bytes += entry.act.bytes();
        bytes > bytes_max
    });
    beyond.map_or(entries.len(), |beyond| beyond.max(1))
}
