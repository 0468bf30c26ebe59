//! Entries as one viewer is shown them: with what became of messages, and the viewer's own reactions; without what the
//! viewer has hidden, and without what was deleted while it was read. An edit of a message that the viewer has hidden or
//! cleared is shown without what it says.
//!
//! A live push of an edit is rendered once for all members, so this is not applied to it: a client that hid or cleared a
//! message ignores later edits of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conversation::amend::erased;
use crate::entry::{Act, Amendment, Entry};
use crate::id::{ConversationId, Seq, UserId};
use crate::node::Node;
use crate::rejected::Rejected;
use crate::view::Shown;

use super::unavailable;

/// Overlays entries of one conversation, oldest first: three calls for the whole page.
pub(super) async fn overlaid(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    floor: Seq,
    entries: Vec<Entry>,
) -> Result<Vec<Shown>, Rejected> {
    let (Some(first), Some(last)) = (entries.first().map(|entry| entry.seq), entries.last().map(|entry| entry.seq)) else {
        return Ok(vec![]);
    };
    let store = &node.world().store;
    let span = usize::try_from(last.get() - first.get() + 1).unwrap_or(usize::MAX);
    let amendments: BTreeMap<Seq, Amendment> =
        store.amendments(conversation, first, last, span).await.map_err(unavailable)?.into_iter().collect();
    let reacted: Vec<Seq> = amendments.iter().filter(|(_, amendment)| !amendment.reactions.is_empty()).map(|(seq, _)| *seq).collect();
    let own = if reacted.is_empty() { vec![] } else { store.reactions_of(conversation, viewer, &reacted).await.map_err(unavailable)? };
    let mut own: BTreeMap<_, _> = reacted.into_iter().zip(own).collect();
    // What an edit of the page edits may stand before the page.
    let oldest = entries.iter().filter_map(edited).filter(|target| *target > floor).fold(first, Seq::min);
    let hidden: BTreeMap<_, _> =
        store.hidden(viewer, conversation, oldest.bucket(), last.bucket()).await.map_err(unavailable)?.into_iter().collect();
    let is_hidden = |seq: Seq| hidden.get(&seq.bucket()).is_some_and(|bits| bits.has(seq.offset()));
    let mut amendments = amendments;
    let shown = entries.into_iter().map(|entry| {
        let seq = entry.seq;
        let entry = if edited(&entry).is_some_and(|target| target <= floor || is_hidden(target)) { erased(&entry) } else { entry };
        let is_hidden = is_hidden(seq);
        let own_reactions = own.remove(&seq).filter(|_| !is_hidden).unwrap_or_default();
        one(entry, amendments.remove(&seq), own_reactions, is_hidden)
    });
    Ok(shown.collect())
}

/// The message that this entry edits.
pub(super) fn edited(entry: &Entry) -> Option<Seq> {
    if let Act::Edited { target, .. } = entry.act { Some(target) } else { None }
}

/// One entry with what is known of it.
pub(super) fn one(entry: Entry, amendment: Option<Amendment>, own_reactions: Vec<crate::content::Reaction>, hidden: bool) -> Shown {
    let gone = hidden || amendment.as_ref().is_some_and(|amendment| amendment.deleted.is_some());
    let entry = if gone && matches!(entry.act, Act::Message(_) | Act::Edited { .. }) { erased(&entry) } else { entry };
    let amendment = amendment.filter(|_| !hidden).map(Box::new);
    Shown { entry: Arc::new(entry), amendment, own_reactions, hidden }
}

/// About how many bytes the answer takes for it.
pub(super) fn bytes(shown: &Shown) -> usize {
    let edited = shown.amendment.as_ref().and_then(|amendment| amendment.edited.as_ref());
    shown.entry.act.bytes() + edited.map_or(0, |(content, _)| content.bytes())
}
