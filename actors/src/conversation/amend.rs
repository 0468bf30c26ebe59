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
use crate::media::MediaId;
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
}

impl Target {
    /// Whether this act is a reaction that would change nothing: such a one is answered with the message, without an entry.
    pub fn stands(&self, act: &Act) -> bool {
        if let Act::Reacted { reaction, on, .. } = act { self.own.contains(reaction) == *on } else { false }
    }
}

/// What an edit makes of a message: what it answers, forwards and carries stays.
fn edited(before: &Content, by: &Content) -> Content {
    Content {
        reply_to: before.reply_to,
        attachments: before.attachments.clone(),
        forwarded: before.forwarded,
        door: before.door,
        ..by.clone()
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
                self.acceptable(&edited(before, content), limits)?;
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
            amendment.edited = Some((edited(before, content), entry.at));
            amendment.edits.push(entry.seq);
            vec![Row::Amended(seq, amendment)]
        }
        Act::Deleted { .. } => {
            let (span, place) = place_of(target.entry.pos);
            let deleted = Amendment { deleted: Some((entry.author, entry.at)), ..Amendment::default() };
            let mut rows = vec![Row::Amended(seq, deleted), Row::Gone(span, target.gone.clone().with(place))];
            rows.extend([&target.entry].into_iter().chain(&target.edits).map(|entry| Row::Erased(Arc::new(erased(entry)))));
            rows.extend(own_files(before).map(|file| Row::Expired(file, entry.at)));
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

/// The files that go with a message when it is deleted: those that came with it. What was forwarded stays the first
/// message's, and goes with that.
fn own_files(content: &Content) -> impl Iterator<Item = MediaId> {
    let own = if content.forwarded.is_none() { &content.attachments[..] } else { &[] };
    own.iter().map(|file| file.id)
}

/// The same entry without what it said. A repetition of its request is still the same request.
pub(crate) fn erased(entry: &Entry) -> Entry {
    let erased = Erased { message: entry.act.is_message(), digest: Digest::of(&entry.act) };
    Entry { act: Act::Erased(erased), ..entry.clone() }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::content::ClientKey;
    use crate::conversation::state::{Direct, Members};
    use crate::id::{ConversationId, MessageId, Pair, Pos};

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    fn entry(seq: u64, author: u64, act: Act) -> Entry {
        Entry {
            seq: Seq::new(seq).expect("valid"),
            pos: Pos(1),
            id: MessageId::new(4_096 + seq).expect("valid"),
            author: user(author),
            client_key: ClientKey::new("k").expect("valid"),
            at: Timestamp(i64::try_from(seq).expect("small")),
            act,
        }
    }

    fn text(text: &str) -> Content {
        Content { text: text.into(), ..Content::default() }
    }

    #[derive(Debug, Clone)]
    enum Wish {
        Edit,
        Delete,
        React(u8, bool),
    }

    fn wish() -> impl Strategy<Value = Wish> {
        prop_oneof![
            2 => Just(Wish::Edit),
            1 => Just(Wish::Delete),
            9 => (0_u8..4, any::<bool>()).prop_map(|(kind, on)| Wish::React(kind, on)),
        ]
    }

    fn act(wish: &Wish, nth: usize) -> Act {
        let target = Seq::new(1).expect("valid");
        match wish {
            Wish::Edit => edit(target, &text(&format!("edit {nth}"))),
            Wish::Delete => Act::Deleted { target },
            Wish::React(kind, on) => Act::Reacted { target, reaction: Reaction::new(&format!("r{kind}")).expect("valid"), on: *on },
        }
    }

    proptest! {
        /// What is kept of a message agrees with a simple account of what was asked and allowed.
        #[test]
        fn a_message_is_what_was_made_of_it(wishes in proptest::collection::vec((1_u64..=2, wish()), 1..40)) {
            let mut limits = Limits::default();
            limits.set(Limit::ReactionsUser, 2);
            limits.set(Limit::ReactionsMessage, 3);
            limits.set(Limit::EditsMessage, 4);
            let pair = Pair::new(user(1), user(2)).expect("two users");
            let direct = Conversation::new(ConversationId::Direct(pair), Members::Direct(Direct::new(pair)), &limits);
            let message = Arc::new(entry(1, 1, Act::Message(text("first"))));
            let (mut amendment, mut reactions) = (Amendment::default(), BTreeMap::<UserId, Vec<Reaction>>::new());
            let (mut expected, mut says, mut edits) = (BTreeMap::<UserId, BTreeSet<Reaction>>::new(), "first".to_owned(), vec![]);
            let mut written: Vec<Arc<Entry>> = vec![Arc::clone(&message)];
            for (nth, (by, wish)) in wishes.iter().enumerate() {
                let act = act(wish, nth);
                let target = Target {
                    entry: Arc::clone(&message),
                    amendment: amendment.clone(),
                    own: reactions.get(&user(*by)).cloned().unwrap_or_default(),
                    gone: Bits::default(),
                    edits: written.iter().filter(|entry| amendment.edits.contains(&entry.seq)).cloned().collect(),
                };
                let allowed = direct.propose_amendment(user(*by), &act, &target, Timestamp(0), &limits).is_ok();
                let others = expected.values().flatten().collect::<BTreeSet<_>>();
                let may = amendment.deleted.is_none() && match wish {
                    Wish::Edit => *by == 1 && edits.len() < 4,
                    Wish::Delete => *by == 1,
                    Wish::React(..) => {
                        let Act::Reacted { reaction, on, .. } = &act else { unreachable!("a reaction") };
                        let own = expected.get(&user(*by)).cloned().unwrap_or_default();
                        !on || own.contains(reaction) || (own.len() < 2 && (others.contains(reaction) || others.len() < 3))
                    }
                };
                prop_assert_eq!(allowed, may, "{:?} by {}", wish, by);
                if !allowed {
                    continue;
                }
                let entry = Arc::new(entry(written.len() as u64 + 1, *by, act.clone()));
                written.push(Arc::clone(&entry));
                let mut erased = 0;
                for row in project(&target, &entry) {
                    match row {
                        Row::Amended(_, row) => amendment = row,
                        Row::Reactions(_, user, row) => drop(reactions.insert(user, row)),
                        Row::Erased(row) => {
                            erased += 1;
                            let before = written.iter().find(|entry| entry.seq == row.seq).expect("it was written");
                            prop_assert_eq!(Digest::of(&row.act), Digest::of(&before.act));
                            prop_assert_eq!(row.act.is_message(), before.act.is_message());
                        }
                        Row::Gone(_, bits) => prop_assert!(bits.has(0)),
                        other => unreachable!("{other:?}"),
                    }
                }
                match &act {
                    Act::Edited { content, .. } => {
                        says = content.text.to_string();
                        edits.push(entry.seq);
                    }
                    Act::Deleted { .. } => prop_assert_eq!(erased, edits.len() + 1),
                    Act::Reacted { reaction, on: true, .. } => drop(expected.entry(user(*by)).or_default().insert(reaction.clone())),
                    Act::Reacted { reaction, on: false, .. } => drop(expected.entry(user(*by)).or_default().remove(reaction)),
                    other => unreachable!("{other:?}"),
                }
                if amendment.deleted.is_some() {
                    prop_assert_eq!(&amendment, &Amendment { deleted: amendment.deleted, ..Amendment::default() });
                    continue;
                }
                prop_assert_eq!(&amendment.edits, &edits);
                prop_assert_eq!(amendment.edited.as_ref().map_or("first", |(content, _)| &content.text), says.as_str());
                let mut counts = BTreeMap::<Reaction, u64>::new();
                for reaction in expected.values().flatten() {
                    *counts.entry(reaction.clone()).or_default() += 1;
                }
                prop_assert_eq!(amendment.reactions.iter().cloned().collect::<BTreeMap<_, _>>(), counts);
            }
        }
    }
}
