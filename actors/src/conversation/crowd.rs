//! Changes of members in a large group: they are many, each of little interest to each of the others, and would cost a
//! group of n members n announcements for each who joins.
//!
//! Those whom a change concerns are told at once. The others are told of the span of such entries: once in a while, or
//! right before the next entry of another kind. Spans are dense, so a client can still prove that it has no gap.

use std::sync::Arc;

use crate::entry::{Act, Entry};
use crate::event::Event;
use crate::id::{Incarnation, Seq, SessionId, UserId};
use crate::limits::Limit;
use crate::task;

use super::actor::Running;
use super::announce::announce_one;
use super::mail::Mail;
use super::state::Members;

/// Entries that the members have not been told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Untold {
    from: Seq,
    to: Seq,
    incarnation: Incarnation,
}

/// Whom an entry that changes members alone concerns, beside its author; `None` for any other entry.
fn concerned(act: &Act) -> Option<&[UserId]> {
    match act {
        Act::Joined { members } => Some(members),
        Act::Left { member } | Act::RoleSet { member, .. } => Some(std::slice::from_ref(member)),
        // Who is invited has a notice.
        Act::Invited { .. } | Act::Declined { .. } => Some(&[]),
        Act::Message(_) | Act::Created { .. } | Act::Edited { .. } | Act::Deleted { .. } | Act::Erased(_) => None,
        Act::Reacted { .. } | Act::Changed(_) | Act::HandedOver { .. } => None,
        Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } => None,
        Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => None,
    }
}

impl Running {
    /// Whether this entry is one that the members are told of later, together with others.
    pub(super) fn is_told_later(&self, entry: &Entry) -> bool {
        let large =
            self.state.as_ref().is_some_and(|state| state.audience().len() > self.node.world().limits.count(Limit::MembersAnnounced));
        large && concerned(&entry.act).is_some()
    }

    /// Tells those whom it concerns, and remembers that the others are to be told. What was announced before has gone out.
    pub(super) fn tell_later(&mut self, entry: &Arc<Entry>, incarnation: Incarnation, origin: Option<SessionId>) {
        let Some(state) = &mut self.state else { return };
        let mut those: Vec<_> = concerned(&entry.act).unwrap_or_default().to_vec();
        those.push(entry.author);
        those.sort_unstable();
        those.dedup();
        if let Some(untold) = self.untold {
            let members: Vec<_> = those.iter().copied().filter(|user| state.has(*user)).collect();
            let event = members_event(self.id, untold, &state.members);
            announce_one(&self.node, &members, event, entry.author, None);
        }
        // Who is invited by nobody's doing but his own is no member yet, and who has gone is one no more.
        let before: Vec<_> = those.iter().copied().filter(|user| state.has(*user)).collect();
        state.commit(entry);
        those.retain(|user| before.contains(user) || state.has(*user));
        let event = Event::Entry { conversation: self.id, incarnation, entry: Arc::clone(entry), scene: None };
        announce_one(&self.node, &those, event, entry.author, origin);
        match &mut self.untold {
            Some(untold) => untold.to = entry.seq,
            None => {
                self.untold = Some(Untold { from: entry.seq, to: entry.seq, incarnation });
                let after = self.receipts_interval();
                task::tie(&self.myself, Mail::TellMembers, async move {
                    tokio::time::sleep(after).await;
                    Mail::TellMembers
                });
            }
        }
    }

    /// Tells the members of what they were not told yet.
    pub(super) fn tell_members(&mut self) {
        let (Some(untold), Some(state)) = (self.untold, &self.state) else { return };
        self.untold = None;
        let event = members_event(self.id, untold, &state.members);
        if let Some(first) = state.audience().first() {
            announce_one(&self.node, state.audience(), event, *first, None);
        }
    }
}

fn members_event(conversation: crate::id::ConversationId, untold: Untold, members: &Members) -> Event {
    let count = match members {
        Members::Group(group) => group.row.members,
        Members::Direct(_) | Members::NoGroup => 0,
    };
    Event::Members { conversation, incarnation: untold.incarnation, from: untold.from, to: untold.to, members: count }
}
