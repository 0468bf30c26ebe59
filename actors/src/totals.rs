//! Telling a user's devices that messages were read, with how many are left over all conversations.
//!
//! The total is counted beside the actors and at most once in `unread_total` for each user: the first event waits for its
//! count, those that follow within the time go out without one, and the last of them is told again with it.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as Slot;

use crate::answer::unread;
use crate::conversation::announce::announce_one;
use crate::event::Event;
use crate::id::{ConversationId, Pos, Seq, SessionId, UserId};
use crate::limits::Limit;
use crate::node::Node;

/// That a user has read, in one conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HasRead {
    /// Where.
    pub conversation: ConversationId,
    /// Up to where.
    pub read: Seq,
    /// What is left there.
    pub unread: u64,
    /// Of how many.
    pub count: Pos,
    /// The session that said so: it has its answer, and hears of the total alone.
    pub origin: Option<SessionId>,
}

impl HasRead {
    fn tell(self, node: &Node, user: UserId, total: Option<u64>) {
        let Self { conversation, read, unread, count, origin } = self;
        let except = origin.filter(|_| total.is_none());
        announce_one(node, &[user], Event::Unread { conversation, read, unread, count, total }, user, except);
    }
}

/// Users whose total was counted a moment ago, and what they have read since.
#[derive(Debug, Default)]
pub(crate) struct Totals(DashMap<UserId, Option<HasRead>>);

/// Tells the devices of a user. Never waits.
pub(crate) fn tell(node: &Node, user: UserId, has_read: HasRead) {
    if node.directory().sessions(user).is_empty() {
        return;
    }
    match node.totals().0.entry(user) {
        Slot::Occupied(mut slot) => {
            slot.insert(Some(has_read));
        }
        Slot::Vacant(slot) => {
            slot.insert(None);
            let node = node.clone();
            return crate::node::spawn(async move { count(&node, user, has_read).await });
        }
    }
    has_read.tell(node, user, None);
}

/// Counts and tells, for as long as there is something new to tell.
async fn count(node: &Node, user: UserId, mut has_read: HasRead) {
    let limits = &node.world().limits;
    loop {
        let total = match node.query_permit() {
            Some(_permit) => tokio::time::timeout(limits.time(Limit::QueryDeadline), unread::count(node, user)).await.ok(),
            None => None,
        };
        has_read.tell(node, user, total.and_then(Result::ok).map(|(messages, _)| messages));
        tokio::time::sleep(limits.time(Limit::UnreadTotal)).await;
        match node.totals().0.get_mut(&user).and_then(|mut latest| latest.take()) {
            Some(latest) => has_read = latest,
            None if node.totals().0.remove_if(&user, |_, latest| latest.is_none()).is_some() => return,
            None => {} // it came just now: the next round tells it, and this one again
        }
    }
}
