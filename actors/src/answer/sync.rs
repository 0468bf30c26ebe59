//! Resume by cursors (P30): for every log that the client names exactly one outcome, and nothing is missed.

use std::sync::Arc;

use crate::command::Cursor;
use crate::entry::{Act, Entry, Head};
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::telemetry::{Count, ResumeOutcome};
use crate::view::{ResetReason, Resumed, Shown, SyncView, View};

use super::{conversations, shown, standing, unavailable};

pub(super) async fn since(
    node: &Node,
    viewer: UserId,
    user: Option<Cursor>,
    named: Vec<(ConversationId, Cursor)>,
) -> Result<View, Rejected> {
    let limits = &node.world().limits;
    if named.len() > limits.count(Limit::SyncConversations) {
        return Err(Rejected::TooManyItems { field: "convs", max: limits.get(Limit::SyncConversations) });
    }
    let mut budget = Budget {
        each: limits.count(Limit::SyncEntries),
        left: limits.count(Limit::SyncEntriesTotal),
        bytes: limits.count(Limit::PageBytes),
    };
    // The user's own log first: a conversation that appears after this read is in the next push or sync.
    let log = LogId::User(viewer);
    let head = node.world().store.heads(&[log]).await.map_err(unavailable)?.pop().unwrap_or_default();
    let own = resume(node, log, &head, head.tail, user.unwrap_or(Cursor { incarnation: head.incarnation, seq: Seq::ZERO }), &mut budget);
    let own = own.await?;
    let appeared = appeared(node, viewer, user, &own, &named).await?;
    let mut outcomes = Vec::with_capacity(named.len());
    let ids: Vec<_> = named.iter().map(|(id, _)| *id).collect();
    let standings = standing::of_each(node, viewer, &ids).await?;
    for ((conversation, cursor), standing) in named.into_iter().zip(standings) {
        let (tail, outcome) = match standing {
            Ok(standing) => {
                let log = LogId::Conversation(conversation);
                let tail = Cursor { incarnation: standing.head.incarnation, seq: standing.readable };
                let outcome = resume(node, log, &standing.head, standing.readable, cursor, &mut budget).await?;
                (tail, above(node, viewer, conversation, standing.floor, cursor, outcome).await?)
            }
            Err(Rejected::NoSuchConversation) => (cursor, Resumed::Reset(ResetReason::NotAMember)),
            Err(rejected) => return Err(rejected),
        };
        node.world().telemetry.count(Count::Resumed(outcome_of(&outcome)), 1);
        outcomes.push((conversation, tail, outcome));
    }
    let user = (Cursor { incarnation: head.incarnation, seq: head.tail }, own);
    Ok(View::Sync(SyncView { user, conversations: outcomes, appeared }))
}

struct Budget {
    each: usize,
    left: usize,
    bytes: usize,
}

/// The outcome for one log whose viewer may read up to `readable`.
async fn resume(node: &Node, log: LogId, head: &Head, readable: Seq, cursor: Cursor, budget: &mut Budget) -> Result<Resumed, Rejected> {
    // A cursor at zero knows nothing, so no life of the log contradicts it.
    if cursor.seq != Seq::ZERO && cursor.incarnation != head.incarnation {
        return Ok(Resumed::Reset(ResetReason::Incarnation));
    }
    if cursor.seq > readable {
        return Ok(Resumed::Reset(ResetReason::Ahead));
    }
    #[cfg(feature = "planted-bugs")]
    let cursor = if crate::planted::is(crate::planted::Plant::ResumeOffByOne) && cursor.seq < readable {
        Cursor { seq: cursor.seq.next(), ..cursor }
    } else {
        cursor
    };
    let missing = readable.get() - cursor.seq.get();
    let room = budget.each.min(budget.left);
    if usize::try_from(missing).is_ok_and(|missing| missing <= room) {
        let entries = if missing == 0 { vec![] } else { read(node, log, cursor.seq.next(), readable).await? };
        let bytes: usize = entries.iter().map(|entry| entry.act.bytes()).sum();
        // A row that cannot be read is a gap, not silence.
        if entries.len() as u64 == missing && bytes <= budget.bytes {
            budget.left -= entries.len();
            budget.bytes -= bytes;
            return Ok(Resumed::Complete(entries.into_iter().map(|entry| Shown::from(Arc::new(entry))).collect()));
        }
    }
    Ok(Resumed::Gap { from: cursor.seq.next(), to: readable })
}

/// What of an outcome this viewer is shown: nothing that he has cleared, and messages with what became of them.
async fn above(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    floor: Seq,
    cursor: Cursor,
    outcome: Resumed,
) -> Result<Resumed, Rejected> {
    match outcome {
        Resumed::Complete(_) | Resumed::Gap { .. } if cursor.seq < floor => Ok(Resumed::TooLong { floor }),
        Resumed::Complete(entries) => {
            let entries = entries.into_iter().map(|shown| Arc::unwrap_or_clone(shown.entry)).collect();
            Ok(Resumed::Complete(shown::overlaid(node, viewer, conversation, floor, entries).await?))
        }
        Resumed::Gap { .. } | Resumed::Reset(_) | Resumed::TooLong { .. } => Ok(outcome),
    }
}

async fn read(node: &Node, log: LogId, from: Seq, to: Seq) -> Result<Vec<Entry>, Rejected> {
    let count = usize::try_from(to.get() - from.get() + 1).unwrap_or(usize::MAX);
    node.world().store.range(log, from, to, count, false).await.map_err(unavailable)
}

/// Views of the conversations that came since the cursor and that the client does not name itself; of all of them,
/// newest first and as many as a page holds, where the client had no cursor or too much has happened.
async fn appeared(
    node: &Node,
    viewer: UserId,
    cursor: Option<Cursor>,
    own: &Resumed,
    named: &[(ConversationId, Cursor)],
) -> Result<Vec<crate::view::ConversationView>, Rejected> {
    let unknown = |id: &ConversationId| !named.iter().any(|(known, _)| known == id);
    let mut listed = conversations::listed(node, viewer).await?;
    listed.retain(|(id, _)| unknown(id));
    if let (Some(_), Resumed::Complete(entries)) = (cursor, own) {
        let fresh: Vec<_> = entries
            .iter()
            .filter_map(|shown| if let Act::Appeared { conversation } = shown.entry.act { Some(conversation) } else { None })
            .collect();
        listed.retain(|(id, _)| fresh.contains(id));
    }
    listed.truncate(node.world().limits.count(Limit::Page));
    conversations::views(node, viewer, &listed).await
}

fn outcome_of(resumed: &Resumed) -> ResumeOutcome {
    match resumed {
        Resumed::Complete(_) => ResumeOutcome::Complete,
        Resumed::Gap { .. } => ResumeOutcome::Gap,
        Resumed::Reset(_) => ResumeOutcome::Reset,
        Resumed::TooLong { .. } => ResumeOutcome::TooLong,
    }
}
