//! A part of a conversation's log.

use std::sync::Arc;

use crate::command::{Cursor, Span};
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::view::{HistoryView, View};

use super::{standing, unavailable};

/// How many entries a page has unless the client says otherwise.
const PAGE: u64 = 50;

pub(super) async fn part(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    span: Span,
    limit: Option<u64>,
) -> Result<View, Rejected> {
    let standing = standing::of(node, viewer, conversation).await?;
    let wished = usize::try_from(limit.unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let limit = wished.clamp(1, node.world().limits.count(Limit::Page));
    let (from, to, newest_first) = match span {
        Span::Newest => (Seq::ZERO, standing.readable, true),
        Span::Before(seq) => (Seq::ZERO, seq.minus(1).min(standing.readable), true),
        Span::After(seq) => (seq.next(), standing.readable, false),
    };
    let mut entries = if from > to || to == Seq::ZERO {
        vec![]
    } else {
        // One more than asked for tells whether there are more.
        node.world().store.range(LogId::Conversation(conversation), from, to, limit + 1, newest_first).await.map_err(unavailable)?
    };
    let more = entries.len() > limit;
    entries.truncate(limit);
    if newest_first {
        entries.reverse();
    }
    let tail = Cursor { incarnation: standing.head.incarnation, seq: standing.readable };
    Ok(View::History(HistoryView { conversation, tail, entries: entries.into_iter().map(Arc::new).collect(), more }))
}
