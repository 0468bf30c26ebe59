//! What may become of a message after it was written, and the rows that follow: edits, deletion, reactions. Pure.
//!
//! Whoever changes a message has read it, with what became of it, before; the change goes alone into its batch, so
//! nothing can have come between.

use std::sync::Arc;

use crate::bits::Bits;
use crate::content::{Content, Reaction};
use crate::entry::{Act, Amendment, Digest, Entry, Erased, Row};
use crate::id::{Seq, UserId};
use crate::limits::{Limit, Limits};
use crate::policy::Deed;
use crate::rejected::Rejected;
use crate::time::Timestamp;

use super::gone::place_of;
use super::state::Conversation;

/// A message that somebody wants to change, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The message as it was written.
    pub entry: Arc<Entry>,
    /// What became of it.
    pub amendment: Amendment,
    /// How the one who asks reacts to it.
    pub own: Vec<Reaction>,
    /// The deleted positions of its span.
    pub gone: Bits,
    /// The entries that edited it; read only where it is to be deleted.
    pub edits: Vec<Arc<Entry>>,
}

impl Target {
    /// What it says at the moment; the refusal if it is no message, or gone.
    pub fn content(&self) -> Result<&Content, Rejected> {
        let seq = self.entry.seq;
        match &self.entry.act {
            Act::Message(_) if self.amendment.deleted.is_some() => Err(Rejected::MessageDeleted { seq }),
            Act::Message(content) => Ok(self.amendment.edited.as_ref().map_or(content, |(content, _)| content)),
            Act::Erased(Erased { message: true, .. }) => Err(Rejected::MessageDeleted { seq }),
            Act::Erased(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Edited { .. } | Act::Deleted { .. } => {
                Err(Rejected::NotAMessage { seq })
            }
            Act::Reacted { .. } | Act::Changed(_) | Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Invited { .. } => {
                Err(Rejected::NotAMessage { seq })
            }
            Act::Declined { .. } | Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) => {
                Err(Rejected::NotAMessage { seq })
            }
            Act::Withdrawn { .. } | Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => {
                Err(Rejected::NotAMessage { seq })
            }
        }
    }

    /// What an edit makes of it: what it answers, forwards and carries stays.
    fn edited(&self, before: &Content, by: &Content) -> Content {
        Content {
            reply_to: before.reply_to,
            attachments: before.attachments.clone(),
            forwarded: before.forwarded,
            door: before.door,
            ..by.clone()
        }
    }
}

/// An edit as it is stored: only what it can change, so that a repetition can be told from another request.
pub fn edit(target: Seq, content: &Content) -> Act {
    let content = Content { reply_to: None, attachments: vec![], forwarded: None, ..content.clone() };
    Act::Edited { target, content }
}

impl Conversation {
    /// Whether an edit, deletion or reaction of this user may be stored; `target` is the message that it names.
    pub fn propose_amendment(&self, user: UserId, act: &Act, target: &Target, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        let own = target.entry.author == user;
        match act {
            Act::Edited { content, .. } => {
                let before = target.content()?;
                self.may(user, Deed::Edit { own }, now)?;
                self.acceptable(&target.edited(before, content), limits)?;
                full(target.amendment.edits.len(), Limit::EditsMessage, "edits", limits)
            }
            Act::Deleted { .. } => {
                target.content()?;
                self.may(user, Deed::Delete { own, author: self.role(target.entry.author) }, now)
            }
            Act::Reacted { reaction, on, .. } => {
                target.content()?;
                self.may(user, Deed::React, now)?;
                if !on || target.own.contains(reaction) {
                    return Ok(());
                }
                full(target.own.len(), Limit::ReactionsUser, "own reactions", limits)?;
                if target.amendment.reactions.iter().any(|(stands, _)| stands == reaction) {
                    return Ok(());
                }
                full(target.amendment.reactions.len(), Limit::ReactionsMessage, "reactions", limits)
            }
            Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Erased(_) => Err(Rejected::Internal),
            Act::Changed(_) | Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Invited { .. } => Err(Rejected::Internal),
            Act::Declined { .. } | Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) => {
                Err(Rejected::Internal)
            }
            Act::Withdrawn { .. } | Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => Err(Rejected::Internal),
        }
    }
}

fn full(stand: usize, limit: Limit, what: &'static str, limits: &Limits) -> Result<(), Rejected> {
    if stand < limits.count(limit) { Ok(()) } else { Err(Rejected::MessageFull { what, max: limits.get(limit) }) }
}

/// The rows of an entry that changes a message.
pub(super) fn project(target: &Target, entry: &Entry) -> Vec<Row> {
    let Ok(before) = target.content() else { return vec![] };
    let seq = target.entry.seq;
    match &entry.act {
        Act::Edited { content, .. } => {
            let mut amendment = target.amendment.clone();
            amendment.edited = Some((target.edited(before, content), entry.at));
            amendment.edits.push(entry.seq);
            vec![Row::Amended(seq, amendment)]
        }
        Act::Deleted { .. } => {
            let (span, place) = place_of(target.entry.pos);
            let deleted = Amendment { deleted: Some((entry.author, entry.at)), ..Amendment::default() };
            let mut rows = vec![Row::Amended(seq, deleted), Row::Gone(span, target.gone.clone().with(place))];
            rows.extend([&target.entry].into_iter().chain(&target.edits).map(|entry| Row::Erased(Arc::new(erased(entry)))));
            rows
        }
        Act::Reacted { reaction, on, .. } => {
            let (mut own, mut amendment) = (target.own.clone(), target.amendment.clone());
            if own.contains(reaction) == *on {
                return vec![]; // it stands so already
            }
            let kinds = &mut amendment.reactions;
            let kind = kinds.iter().position(|(stands, _)| stands == reaction);
            match (on, kind) {
                (true, Some(kind)) => kinds[kind].1 += 1,
                (true, None) => kinds.push((reaction.clone(), 1)),
                (false, Some(kind)) if kinds[kind].1 > 1 => kinds[kind].1 -= 1,
                (false, Some(kind)) => drop(kinds.remove(kind)),
                (false, None) => {}
            }
            if *on {
                own.push(reaction.clone());
            } else {
                own.retain(|stands| stands != reaction);
            }
            vec![Row::Amended(seq, amendment), Row::Reactions(seq, entry.author, own)]
        }
        Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Erased(_) => vec![],
        Act::Changed(_) | Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Invited { .. } => vec![],
        Act::Declined { .. } | Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) => vec![],
        Act::Withdrawn { .. } | Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => vec![],
    }
}

/// The same entry without what it said. A repetition of its request is still the same request.
pub(crate) fn erased(entry: &Entry) -> Entry {
    let erased = Erased { message: entry.act.is_message(), digest: Digest::of(&entry.act) };
    Entry { act: Act::Erased(erased), ..entry.clone() }
}
