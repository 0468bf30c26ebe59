//! Whether a viewer may read a conversation, and up to where.

use crate::entry::{Head, Membership};
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::node::Node;
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;

use super::unavailable;

/// What a viewer is to a conversation that he may read.
pub(crate) struct Standing {
    /// The log as it stands.
    pub head: Head,
    /// The highest seq that the viewer may read.
    pub readable: Seq,
    /// The viewer's place, in a group.
    pub place: Option<Membership>,
}

impl Standing {
    /// Whether the viewer takes part now, and did not only once.
    pub(crate) fn is_current(&self) -> bool {
        self.place.is_none_or(|place| place.is_current())
    }
}

/// The standing of a viewer, or the refusal that a stranger gets.
pub(crate) async fn of(node: &Node, viewer: UserId, conversation: ConversationId) -> Result<Standing, Rejected> {
    let store = &node.world().store;
    // The head before the place: who is a member after the head was read may read up to that head. The other way round
    // somebody removed in between would be shown what came after the removal.
    let log = [LogId::Conversation(conversation)];
    let head = store.heads(&log).await.map_err(unavailable)?.pop().unwrap_or_default();
    let place = match conversation {
        ConversationId::Direct(pair) => {
            policy::may(viewer, Deed::Read, On::Direct(pair))?;
            None
        }
        ConversationId::Group(group) => {
            let place = store.membership(group, viewer).await.map_err(unavailable)?;
            policy::may(viewer, Deed::Read, On::Group(place.as_ref()))?;
            place
        }
    };
    let readable = place.and_then(|place| place.until).map_or(head.tail, |until| until.min(head.tail));
    Ok(Standing { head, readable, place })
}
