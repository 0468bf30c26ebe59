//! Which messages of a conversation are deleted, as far as unread counts ask: the newest two spans of 4,096 positions.
//! Pure. What lies before them counts as unread to who has read nothing of them; the lists say the same.

use std::collections::BTreeMap;

use crate::bits::Bits;
use crate::id::{BUCKET_SEQS, Bucket, Pos};

/// How many of the newest spans are kept.
const SPANS: usize = 2;

/// Deleted positions by span: position 1 is the first place of the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gone(BTreeMap<Bucket, Bits>);

/// The span and the place in it of a position.
pub fn place_of(pos: Pos) -> (Bucket, u64) {
    let before = pos.0.saturating_sub(1);
    (Bucket(before / BUCKET_SEQS), before % BUCKET_SEQS)
}

/// The newest two spans of a conversation with so many messages.
pub fn newest_spans(count: Pos) -> (Bucket, Bucket) {
    let (newest, _) = place_of(count);
    (Bucket(newest.0.saturating_sub(1)), newest)
}

impl Gone {
    /// These spans.
    pub fn of(spans: impl IntoIterator<Item = (Bucket, Bits)>) -> Self {
        let mut gone = Self::default();
        for (span, bits) in spans {
            gone.put(span, bits);
        }
        gone
    }

    /// What is deleted of a span now.
    pub fn put(&mut self, span: Bucket, bits: Bits) {
        self.0.insert(span, bits);
        while self.0.len() > SPANS {
            self.0.pop_first();
        }
    }

    /// How many messages there are above a position that are not deleted.
    pub fn unread(&self, count: Pos, above: Pos) -> u64 {
        let deleted: u64 = self.0.iter().map(|(span, bits)| bits.count_from(above.0.saturating_sub(span.0 * BUCKET_SEQS))).sum();
        count.0.saturating_sub(above.0).saturating_sub(deleted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn deleted_messages_are_not_unread(
            deleted in proptest::collection::btree_set(4_000_u64..=9_000, 0..50),
            count in 4_000_u64..9_000,
            above in 4_096_u64..9_000,
        ) {
            let deleted: BTreeSet<u64> = deleted.into_iter().filter(|pos| *pos <= count).collect();
            let mut spans: BTreeMap<Bucket, Bits> = BTreeMap::new();
            for pos in &deleted {
                let (span, place) = place_of(Pos(*pos));
                let bits = spans.remove(&span).unwrap_or_default().with(place);
                spans.insert(span, bits);
            }
            let (from, to) = newest_spans(Pos(count));
            let gone = Gone::of(spans.into_iter().filter(|(span, _)| (from..=to).contains(span)));
            let left = (above + 1..=count).filter(|pos| !deleted.contains(pos)).count() as u64;
            prop_assert_eq!(gone.unread(Pos(count), Pos(above)), left);
        }
    }
}
