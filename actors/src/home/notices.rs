//! The notices of one user that stand, as the home knows them while it is awake. Pure.
//!
//! At most one stands about each topic, and at most so many in all: a new one takes the place of an older one about the
//! same, or of the oldest. So strangers cannot fill a user's list, and none is told of twice.

use std::collections::BTreeMap;

use crate::entry::{Act, Entry, Notice, Topic};
use crate::id::Seq;

/// What stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Notices {
    standing: BTreeMap<Seq, Notice>,
    read: Seq,
}

/// Why an older notice makes way for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is about the same.
    Replaced(Seq),
    /// There are too many.
    Oldest(Seq),
}

impl Notices {
    /// What was read from the store.
    pub(crate) fn new(standing: impl IntoIterator<Item = (Seq, Notice)>, read: Seq) -> Self {
        Self { standing: standing.into_iter().collect(), read }
    }

    /// Up to where they were read.
    pub(crate) fn read(&self) -> Seq {
        self.read
    }

    /// The one about this.
    pub(crate) fn about(&self, topic: Topic) -> Option<Seq> {
        self.standing.iter().find(|(_, notice)| notice.topic() == topic).map(|(seq, _)| *seq)
    }

    /// Which one makes way for a new one about this, so that at most `max` stand with it.
    pub(crate) fn making_way(&self, topic: Topic, max: usize) -> Option<Way> {
        match self.about(topic) {
            Some(seq) => Some(Way::Replaced(seq)),
            None if self.standing.len() >= max.max(1) => self.standing.first_key_value().map(|(seq, _)| Way::Oldest(*seq)),
            None => None,
        }
    }

    /// An entry of the user's log is durable.
    pub(crate) fn settle(&mut self, entry: &Entry) {
        match &entry.act {
            Act::Noticed(notice) => {
                self.standing.insert(entry.seq, *notice);
            }
            Act::Withdrawn { notice } => {
                self.standing.remove(notice);
            }
            Act::NoticesRead { up_to } => self.read = self.read.max(*up_to),
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
            | Act::Declined { .. }
            | Act::Appeared { .. }
            | Act::Vanished { .. }
            | Act::Set { .. }
            | Act::Related { .. }
            | Act::AccountChanged => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ClientKey;
    use crate::id::{GroupId, MessageId, Pos, UserId};
    use crate::time::Timestamp;

    fn seq(value: u64) -> Seq {
        Seq::new(value).expect("valid")
    }

    fn request(from: u64) -> Notice {
        Notice::FriendRequest { from: UserId::new(from).expect("valid") }
    }

    fn entry(at: u64, act: Act) -> Entry {
        Entry {
            seq: seq(at),
            pos: Pos(0),
            id: MessageId::new(4_096 + at).expect("valid"),
            author: UserId::new(1).expect("valid"),
            client_key: ClientKey::new("k").expect("valid"),
            at: Timestamp(0),
            act,
        }
    }

    #[test]
    fn one_stands_about_each_topic() {
        let group = GroupId::new(5).expect("valid");
        let invited = |until| Notice::GroupInvitation { from: UserId::new(2).expect("valid"), group, expires_at: Timestamp(until) };
        let mut notices = Notices::default();
        notices.settle(&entry(1, Act::Noticed(invited(10))));
        notices.settle(&entry(2, Act::Noticed(request(2))));
        assert_eq!(notices.making_way(invited(20).topic(), 10), Some(Way::Replaced(seq(1))), "whenever it ends");
        assert_eq!(notices.making_way(request(3).topic(), 10), None);
        assert_eq!(notices.making_way(request(3).topic(), 2), Some(Way::Oldest(seq(1))));
        notices.settle(&entry(3, Act::Withdrawn { notice: seq(1) }));
        assert_eq!(notices.about(invited(0).topic()), None);
        assert_eq!(notices.making_way(request(3).topic(), 2), None);
    }

    #[test]
    fn the_mark_only_rises() {
        let mut notices = Notices::new([(seq(4), request(2))], seq(4));
        notices.settle(&entry(5, Act::NoticesRead { up_to: seq(2) }));
        assert_eq!(notices.read(), seq(4));
        notices.settle(&entry(6, Act::NoticesRead { up_to: seq(5) }));
        assert_eq!(notices.read(), seq(5));
    }
}
