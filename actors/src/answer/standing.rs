//! Whether a viewer may read a conversation, and from where up to where.

use crate::entry::{Head, Membership, Preferences};
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::node::Node;
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;
use crate::relation::Bond;

use super::unavailable;

/// What a viewer is to a conversation that he may read.
pub(crate) struct Standing {
    /// The log as it stands.
    pub head: Head,
    /// The highest seq that the viewer may read.
    pub readable: Seq,
    /// Nothing up to here is shown to the viewer: he has cleared it.
    pub floor: Seq,
    /// The viewer's place, in a group.
    pub place: Option<Membership>,
}

impl Standing {
    /// Whether the viewer takes part now, and did not only once.
    pub(crate) fn is_current(&self) -> bool {
        self.place.is_none_or(|place| place.is_current())
    }

    /// Whether the entry at `seq` may be shown to the viewer.
    pub(crate) fn shows(&self, seq: Seq) -> bool {
        seq > self.floor && seq <= self.readable
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
        ConversationId::Direct(_) => None,
        ConversationId::Group(group) => store.membership(group, viewer).await.map_err(unavailable)?,
    };
    may_read(viewer, conversation, place.as_ref())?;
    let preferences = store.preferences(viewer, &[conversation]).await.map_err(unavailable)?.pop().unwrap_or_default();
    Ok(with(head, place, &preferences))
}

/// The standing that follows from what was read.
pub(super) fn with(head: Head, place: Option<Membership>, preferences: &Preferences) -> Standing {
    let readable = place.and_then(|place| place.until).map_or(head.tail, |until| until.min(head.tail));
    Standing { head, readable, floor: preferences.cleared.0, place }
}

/// Whether a viewer with this place may do something in a group; invitations are not looked up here.
pub(super) fn may(viewer: UserId, deed: Deed, place: Option<&Membership>) -> Result<(), Rejected> {
    policy::may(viewer, deed, On::Group { place, open: false, invited: false })
}

/// Whether a viewer with this place may read. In a direct conversation it does not matter what the two are to each other.
pub(super) fn may_read(viewer: UserId, conversation: ConversationId, place: Option<&Membership>) -> Result<(), Rejected> {
    match conversation {
        ConversationId::Direct(pair) => policy::may(viewer, Deed::Read, On::Direct { pair, bond: &Bond::new(pair) }),
        ConversationId::Group(_) => may(viewer, Deed::Read, place),
    }
}
