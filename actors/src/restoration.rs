//! The rules of taking an archive in: which life its logs go on with, and where drawing numbers goes on. Pure.

use crate::archive::Record;
use crate::entry::Head;
use crate::id::{ConversationId, LogId, NUMBER_MAX, Segment};
use crate::log::owner::incarnation;
use crate::store::Sequence;

/// Whether the logs go on with the life that they had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// They do: the store that the records are from served nobody after they were taken, and never will.
    Same,
    /// They begin another: what was acknowledged after the records were taken is not in them, so clients may hold seqs
    /// that will be given out a second time, and must be told to forget them (F13).
    New,
}

/// By how much sequences are raised for a new life: numbers given out since are not given out again (N6).
const NUMBERS_SINCE: u64 = 1 << 20;

/// The rules of taking records in: which incarnation a log gets, and where drawing numbers goes on.
#[derive(Debug, Clone)]
pub struct Restoration {
    life: Life,
    principals: u64,
    segments: u64,
    directs: u64,
}

impl Restoration {
    /// Nothing was taken in yet.
    pub fn new(life: Life) -> Self {
        Self { life, principals: 0, segments: 0, directs: 0 }
    }

    /// The record as it is to be written; `draw` gives 128 random bits.
    #[must_use]
    pub fn take(&mut self, record: Record, draw: impl FnOnce() -> u128) -> Record {
        match &record {
            Record::Sequence { sequence: Sequence::Principals, last } => self.saw_principal(*last),
            Record::Sequence { sequence: Sequence::Directs, last } => self.directs = self.directs.max(*last),
            Record::Sequence { sequence: Sequence::Segments, last } => self.saw_segment(Segment(*last)),
            Record::Account(account) => self.saw_principal(account.row.id.get()),
            Record::Segment { segment, .. } => self.saw_segment(*segment),
            Record::Head { log, head } => {
                self.saw_segment(head.segment);
                match log {
                    LogId::Conversation(ConversationId::Group(group)) => self.saw_principal(group.get()),
                    LogId::Conversation(ConversationId::Direct(pair)) => self.saw_principal(pair.high().get()),
                    LogId::User(user) => self.saw_principal(user.get()),
                }
            }
            Record::Entry { entry, .. } => self.saw_segment(entry.id.segment()),
            Record::Group { group, .. } => self.saw_principal(group.get()),
            Record::Member { user, .. } => self.saw_principal(user.get()),
            Record::Direct { pair, number, .. } => {
                self.saw_principal(pair.high().get());
                self.directs = self.directs.max(number.get());
            }
            Record::Bond(bond) => self.saw_principal(bond.row.pair.high().get()),
            Record::Invitation { user, .. } | Record::Seen { user, .. } => self.saw_principal(user.get()),
            Record::Media(media) => self.saw_principal(media.row.owner.get()),
            Record::Login(_) | Record::Own { .. } | Record::Listed { .. } | Record::Marks { .. } => {}
            Record::Amendment { .. } | Record::Reactions { .. } | Record::Gone { .. } | Record::Preferences { .. } => {}
            Record::Hidden { .. } | Record::Notice { .. } | Record::NoticesRead { .. } => {}
        }
        match (record, self.life) {
            (Record::Head { log, head }, Life::New) if !head.is_new() => {
                let fresh = incarnation(draw());
                // One chance in 2^53 that it is the old one; then it is the next.
                let other = if fresh == head.incarnation { incarnation(u128::from(fresh.0)) } else { fresh };
                Record::Head { log, head: Head { incarnation: other, ..head } }
            }
            (record, Life::New | Life::Same) => record,
        }
    }

    /// Where drawing goes on: past every number that was taken in, to be admitted last.
    pub fn sequences(&self) -> Vec<Record> {
        let past = |number: u64| match self.life {
            Life::Same => number,
            Life::New => (number + NUMBERS_SINCE).min(NUMBER_MAX),
        };
        [(Sequence::Principals, self.principals), (Sequence::Segments, self.segments), (Sequence::Directs, self.directs)]
            .into_iter()
            .filter(|(_, seen)| *seen > 0)
            .map(|(sequence, seen)| Record::Sequence { sequence, last: past(seen) })
            .collect()
    }

    fn saw_principal(&mut self, number: u64) {
        self.principals = self.principals.max(number);
    }

    fn saw_segment(&mut self, segment: Segment) {
        self.segments = self.segments.max(segment.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Incarnation, Seq, UserId};

    fn head(incarnation: u64) -> Record {
        let log = LogId::User(UserId::new(70).expect("valid"));
        let head = Head { tail: Seq::ZERO.next(), incarnation: Incarnation(incarnation), segment: Segment(9), ..Head::default() };
        Record::Head { log, head }
    }

    #[test]
    fn the_same_life_changes_nothing_and_still_goes_on_past_every_number() {
        let mut same = Restoration::new(Life::Same);
        assert_eq!(same.take(head(5), || 5), head(5));
        let drawn = |sequence, last| Record::Sequence { sequence, last };
        assert_eq!(same.sequences(), [drawn(Sequence::Principals, 70), drawn(Sequence::Segments, 9)]);
        assert_eq!(Restoration::new(Life::Same).sequences(), []);
    }

    #[test]
    fn a_new_life_has_another_incarnation_whatever_is_drawn() {
        for draw in [0, 4, 5, u128::MAX] {
            let mut new = Restoration::new(Life::New);
            assert_ne!(new.take(head(5), || draw), head(5));
            let drawn = |sequence, last| Record::Sequence { sequence, last };
            assert_eq!(new.sequences(), [drawn(Sequence::Principals, 70 + (1 << 20)), drawn(Sequence::Segments, 9 + (1 << 20))]);
        }
    }
}
