//! One bit for each of the 4,096 places of a bucket: which messages are deleted, which entries a user has hidden.
//!
//! A row of 512 bytes at most says it for 4,096 messages, so counting what is left of a long conversation reads a row for
//! each 4,096 of them, and not a row for each deletion.

use crate::id::BUCKET_SEQS;

const BYTES: usize = 512;
const _: () = assert!(BYTES as u64 * 8 == BUCKET_SEQS, "a bit for each place");

/// A set of places, 0 to 4,095.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    /// As many bytes as the highest place needs; none at all for an empty set.
    bytes: Vec<u8>,
}

impl Bits {
    /// The set that these bytes say, lowest place first; `None` if they are more than 512. Trailing zeros say nothing.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        (used <= BYTES).then(|| Self { bytes: bytes[..used].to_vec() })
    }

    /// The bytes that say it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The set with this place; places above 4,095 are not there.
    #[must_use]
    pub fn with(mut self, place: u64) -> Self {
        if let Some((byte, mask)) = at(place) {
            if self.bytes.len() <= byte {
                self.bytes.resize(byte + 1, 0);
            }
            self.bytes[byte] |= mask;
        }
        self
    }

    /// Whether the place is in the set.
    pub fn has(&self, place: u64) -> bool {
        at(place).is_some_and(|(byte, mask)| self.bytes.get(byte).is_some_and(|stands| stands & mask != 0))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// How many there are at this place and above.
    pub fn count_from(&self, place: u64) -> u64 {
        let (byte, low) = (usize::try_from(place / 8).unwrap_or(usize::MAX), place % 8);
        let rest = self.bytes.get(byte.saturating_add(1)..).unwrap_or_default();
        let first = self.bytes.get(byte).map_or(0, |byte| (byte >> low).count_ones());
        u64::from(first) + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
    }

    /// The places, lowest first.
    pub fn places(&self) -> impl Iterator<Item = u64> {
        (0..self.bytes.len() as u64 * 8).filter(|place| self.has(*place))
    }
}

fn at(place: u64) -> Option<(usize, u8)> {
    let byte = usize::try_from(place / 8).ok().filter(|byte| *byte < BYTES)?;
    Some((byte, 1 << (place % 8)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_places(places in proptest::collection::btree_set(0_u64..4_200, 0..40), from in 0_u64..4_200) {
            let bits = places.iter().fold(Bits::default(), |bits, place| bits.with(*place));
            let inside: BTreeSet<u64> = places.into_iter().filter(|place| *place < 4_096).collect();
            prop_assert_eq!(bits.places().collect::<BTreeSet<_>>(), inside.clone());
            prop_assert_eq!(bits.count(), inside.len() as u64);
            prop_assert_eq!(bits.count_from(from), inside.range(from..).count() as u64);
            prop_assert_eq!(Bits::from_bytes(bits.as_bytes()), Some(bits));
        }
    }
}
