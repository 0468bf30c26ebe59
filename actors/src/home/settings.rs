//! How a user wants a conversation: what a wish becomes, given what stands. The rule is pure; the facts are read here.

use crate::answer::{standing, unavailable};
use crate::bits::Bits;
use crate::command::Wish;
use crate::entry::{Act, Preferences, Row, Setting};
use crate::id::{ConversationId, LogId, Pos, Seq, UserId};
use crate::node::Node;
use crate::rejected::Rejected;

/// What must be known to judge a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// How the user has the conversation.
    pub preferences: Preferences,
    /// The highest seq that the user may read.
    pub readable: Seq,
    /// The position at the seq that the wish names.
    pub pos: Pos,
    /// What is hidden in the bucket of that seq.
    pub hidden: Bits,
}

/// A wish that may be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    /// What is said in the user's log.
    pub act: Act,
    /// The row that follows; nothing if it stands so already.
    pub row: Option<Row>,
    /// How the user has the conversation then.
    pub after: Preferences,
}

/// The seq that a wish names.
fn target(wish: Wish) -> Option<Seq> {
    match wish {
        Wish::Mute(_) | Wish::Archive(_) => None,
        Wish::Clear(seq) | Wish::Hide(seq) => Some(seq),
    }
}

/// What becomes of a wish.
pub(crate) fn grant(conversation: ConversationId, wish: Wish, facts: &Facts) -> Result<Granted, Rejected> {
    if target(wish).is_some_and(|seq| seq > facts.readable) {
        return Err(Rejected::AheadOfLog { tail: facts.readable });
    }
    let before = facts.preferences;
    let (setting, after) = match wish {
        Wish::Mute(until) => (Setting::Mute(until), Preferences { muted_until: until, ..before }),
        Wish::Archive(archived) => (Setting::Archive(archived), Preferences { archived, ..before }),
        Wish::Clear(seq) => (Setting::Clear(seq, facts.pos), Preferences { cleared: before.cleared.max((seq, facts.pos)), ..before }),
        Wish::Hide(seq) => (Setting::Hide(seq), before),
    };
    let row = match wish {
        Wish::Hide(seq) if seq == Seq::ZERO || facts.hidden.has(seq.offset()) => None,
        Wish::Hide(seq) => Some(Row::Hidden(conversation, seq.bucket(), facts.hidden.clone().with(seq.offset()))),
        Wish::Mute(_) | Wish::Archive(_) | Wish::Clear(_) => (after != before).then_some(Row::Preferences(conversation, after)),
    };
    Ok(Granted { act: Act::Set { conversation, setting }, row, after })
}

/// Reads what must be known. A conversation that the user must not know of answers like one that is not there.
pub(crate) async fn facts(node: &Node, user: UserId, conversation: ConversationId, wish: Wish) -> Result<Facts, Rejected> {
    let store = &node.world().store;
    let standing = standing::of(node, user, conversation).await?;
    if let ConversationId::Direct(pair) = conversation
        && standing.head.is_new()
    {
        let peer = pair.other(user).ok_or(Rejected::NoSuchConversation)?;
        let account = store.accounts(&[peer]).await.map_err(unavailable)?.pop().flatten();
        account.ok_or(Rejected::NoSuchConversation)?;
    }
    let preferences = store.preferences(user, &[conversation]).await.map_err(unavailable)?.pop().unwrap_or_default();
    let (mut pos, mut hidden) = (Pos::default(), Bits::default());
    match wish {
        Wish::Mute(_) | Wish::Archive(_) => {}
        // The newest entry that can be read at or below: a damaged row does not stand in the way (X4).
        Wish::Clear(seq) => {
            let log = LogId::Conversation(conversation);
            let entry = store.range(log, Seq::ZERO, seq, 1, true).await.map_err(unavailable)?.pop();
            pos = entry.map(|entry| entry.pos).unwrap_or_default();
        }
        Wish::Hide(seq) => {
            let rows = store.hidden(user, conversation, seq.bucket(), seq.bucket()).await.map_err(unavailable)?;
            hidden = rows.into_iter().next().map(|(_, bits)| bits).unwrap_or_default();
        }
    }
    Ok(Facts { preferences, readable: standing.readable, pos, hidden })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::GroupId;
    use crate::time::Timestamp;

    fn seq(value: u64) -> Seq {
        Seq::new(value).expect("valid")
    }

    fn granted(wish: Wish, facts: &Facts) -> Result<Granted, Rejected> {
        grant(ConversationId::Group(GroupId::new(5).expect("valid")), wish, facts)
    }

    fn facts() -> Facts {
        let preferences = Preferences { muted_until: Some(Timestamp(9)), archived: false, cleared: (seq(4), Pos(3)) };
        Facts { preferences, readable: seq(9), pos: Pos(7), hidden: Bits::default().with(seq(2).offset()) }
    }

    #[test]
    fn a_wish_changes_one_thing_and_leaves_the_others() {
        let before = facts().preferences;
        for (wish, after) in [
            (Wish::Mute(None), Preferences { muted_until: None, ..before }),
            (Wish::Archive(true), Preferences { archived: true, ..before }),
            (Wish::Clear(seq(8)), Preferences { cleared: (seq(8), Pos(7)), ..before }),
        ] {
            let granted = granted(wish, &facts()).expect("may be");
            assert_eq!(granted.after, after, "{wish:?}");
            assert!(matches!(granted.row, Some(Row::Preferences(_, row)) if row == after), "{wish:?}");
        }
    }

    #[test]
    fn what_stands_already_is_no_new_row() {
        for wish in [Wish::Mute(Some(Timestamp(9))), Wish::Archive(false), Wish::Clear(seq(3)), Wish::Hide(seq(2))] {
            let low = Facts { pos: Pos(2), ..facts() };
            let granted = granted(wish, &low).expect("may be");
            assert_eq!((granted.row, granted.after), (None, low.preferences), "{wish:?}");
        }
    }

    #[test]
    fn nothing_above_the_tail_is_cleared_or_hidden() {
        for wish in [Wish::Clear(seq(10)), Wish::Hide(seq(10))] {
            assert_eq!(granted(wish, &facts()), Err(Rejected::AheadOfLog { tail: seq(9) }), "{wish:?}");
        }
        let Ok(Granted { row: Some(Row::Hidden(_, bucket, bits)), .. }) = granted(Wish::Hide(seq(9)), &facts()) else {
            unreachable!("it may be hidden")
        };
        assert_eq!((bucket, bits.places().collect::<Vec<_>>()), (seq(9).bucket(), vec![1, 8]));
    }
}
