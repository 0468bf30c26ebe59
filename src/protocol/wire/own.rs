//! Entries of a user's own log.

use actors::entry::{self, Act, Notice, Setting};
use actors::id::{Incarnation, Seq};
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::wire::entry::kind;
use crate::protocol::wire::frame::moment;

/// An entry of the user's own log. Which of the last fields are there depends on `kind`.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnEntry {
    inc: u64,
    seq: u64,
    at: i64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleared: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<u64>,
}

/// What a notice says: its word, who caused it, the group, and until when it is good.
pub(super) fn notice(notice: &Notice) -> (&'static str, u64, Option<String>, Option<i64>) {
    match notice {
        Notice::FriendRequest { from } => ("friend_request", from.get(), None, None),
        Notice::GroupInvitation { from, group, expires_at } => {
            let conv = actors::id::ConversationId::Group(*group).to_string();
            ("group_invitation", from.get(), Some(conv), Some(moment(*expires_at)))
        }
    }
}

impl OwnEntry {
    /// An entry of a user's own log.
    pub fn new(incarnation: Incarnation, entry: &entry::Entry) -> Self {
        let plain = Self {
            inc: incarnation.0,
            seq: entry.seq.get(),
            at: moment(entry.at),
            kind: kind(&entry.act),
            conv: None,
            muted_until: None,
            archived: None,
            cleared: None,
            hidden: None,
            notice: None,
            from: None,
            expires_at: None,
            target: None,
            up_to: None,
            user: None,
        };
        let number = |seq: &Seq| Some(seq.get());
        match &entry.act {
            Act::Appeared { conversation } | Act::Vanished { conversation } => Self { conv: Some(conversation.to_string()), ..plain },
            Act::Set { conversation, setting } => {
                let plain = Self { conv: Some(conversation.to_string()), ..plain };
                match setting {
                    Setting::Mute(until) => Self { muted_until: Some(until.map_or(0, moment)), ..plain },
                    Setting::Archive(archived) => Self { archived: Some(*archived), ..plain },
                    Setting::Clear(seq, _) => Self { cleared: number(seq), ..plain },
                    Setting::Hide(seq) => Self { hidden: number(seq), ..plain },
                }
            }
            Act::Noticed(said) => {
                let (word, from, conv, expires_at) = notice(said);
                Self { notice: Some(word), from: Some(from), conv, expires_at, ..plain }
            }
            Act::Withdrawn { notice } => Self { target: number(notice), ..plain },
            Act::NoticesRead { up_to } => Self { up_to: number(up_to), ..plain },
            Act::Related { peer } => Self { user: Some(peer.get()), ..plain },
            Act::AccountChanged => plain,
            // Of conversations only.
            Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } => plain,
            Act::Edited { .. } | Act::Deleted { .. } | Act::Erased(_) | Act::Reacted { .. } => plain,
            Act::Changed(_) | Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Invited { .. } | Act::Declined { .. } => plain,
        }
    }
}
