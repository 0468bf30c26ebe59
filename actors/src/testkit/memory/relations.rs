//! Bonds.

use super::rows::Rows;
use super::store::{Call, MemoryStore, planned};
use crate::id::{Pair, UserId};
use crate::relation::Bond;
use crate::store::{Answer, PutError, RelationStore, StoreError, Versioned};

impl Rows {
    fn bond(&self, pair: Pair) -> Versioned<Bond> {
        self.bonds.get(&pair).cloned().unwrap_or_else(|| Versioned { version: 0, row: Bond::new(pair) })
    }

    fn put_bond(&mut self, bond: Bond, version: u64) -> Result<(), PutError> {
        if self.bond(bond.pair).version != version {
            return Err(PutError::Changed);
        }
        self.bonds.insert(bond.pair, Versioned { version: version + 1, row: bond });
        Ok(())
    }

    fn bonds_of(&self, user: UserId) -> impl Iterator<Item = (UserId, Bond)> {
        let mut all: Vec<_> = self.bonds.values().filter_map(|bond| Some((bond.row.pair.other(user)?, bond.row))).collect();
        all.sort_by_key(|(other, _)| *other);
        all.into_iter()
    }
}

impl RelationStore for MemoryStore {
    fn bond(&self, pair: Pair) -> Answer<'_, Versioned<Bond>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.bond(pair)) })
    }

    fn put_bond(&self, bond: Bond, version: u64) -> Answer<'_, (), PutError> {
        let unknown = PutError::Store(StoreError::Unknown(planned()));
        Box::pin(async move { self.write(Call::Put, unknown, |rows| rows.put_bond(bond, version)) })
    }

    fn bonds(&self, user: UserId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<Bond>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let of_user = rows.bonds_of(user).filter(|(other, _)| after.is_none_or(|after| *other > after));
                of_user.map(|(_, bond)| bond).take(limit).collect()
            })
        })
    }

    fn bonds_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<Bond>> {
        Box::pin(async move {
            let bond = |rows: &Rows, other: UserId| rows.bond(Pair::new(user, other).expect("nobody has a bond with himself")).row;
            self.read(Call::Read, |rows| others.iter().map(|other| bond(rows, *other)).collect())
        })
    }
}
