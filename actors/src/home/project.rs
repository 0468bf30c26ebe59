//! The rows that follow from an entry of a user's log (design D10). Pure.

use crate::entry::{Act, Entry, Row};

use super::wishes::InHand;

/// The rows of an entry; those of a setting were made when it was granted.
pub(super) fn project(entry: &Entry, in_hand: Option<&InHand>) -> Vec<Row> {
    match &entry.act {
        Act::Appeared { conversation } => vec![Row::Listed(*conversation, true)],
        Act::Vanished { conversation } => vec![Row::Listed(*conversation, false)],
        Act::Noticed(notice) => vec![Row::Notice(entry.seq, Some(*notice))],
        Act::Withdrawn { notice } => vec![Row::Notice(*notice, None)],
        Act::Set { .. } | Act::NoticesRead { .. } => {
            in_hand.filter(|in_hand| in_hand.key == entry.client_key).map(|in_hand| in_hand.row.clone()).into_iter().collect()
        }
        Act::Related { .. } | Act::AccountChanged => vec![],
        // Of conversations.
        Act::Message(_)
        | Act::Created { .. }
        | Act::Joined { .. }
        | Act::Left { .. }
        | Act::Edited { .. }
        | Act::Deleted { .. }
        | Act::Erased(_)
        | Act::Reacted { .. }
        | Act::Changed(_)
        | Act::RoleSet { .. }
        | Act::HandedOver { .. }
        | Act::Invited { .. }
        | Act::Declined { .. } => vec![],
    }
}
