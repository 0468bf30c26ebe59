//! The stored form of a bond, with the version that a change must name (design D12). Its pair is in its key as well.

use actors::id::Pair;
use actors::relation::{Bond, Relation, Side};
use actors::store::Versioned;
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::user;
use super::{Damage, Stored, seal_fields, unseal_fields, valid};

/// Version 1; the first, it has no predecessor.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct BondRecord {
    #[serde(rename = "v")]
    version: u64,
    #[serde(rename = "l")]
    low: u64,
    #[serde(rename = "h")]
    high: u64,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    relation: Option<RelationRecord>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    low_blocks: Option<i64>,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    high_blocks: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct RelationRecord {
    #[serde(rename = "u")]
    from: u64,
    #[serde(rename = "f")]
    status_from: u8,
    #[serde(rename = "t")]
    status_to: u8,
    #[serde(rename = "c")]
    created_at: i64,
    #[serde(rename = "d")]
    updated_at: i64,
}

impl Stored for Versioned<Bond> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let bond = &self.row;
        let record = BondRecord {
            version: self.version,
            low: bond.pair.low().get(),
            high: bond.pair.high().get(),
            relation: bond.relation.map(|relation| RelationRecord {
                from: relation.from.get(),
                status_from: side_number(relation.status_from),
                status_to: side_number(relation.status_to),
                created_at: relation.created_at.0,
                updated_at: relation.updated_at.0,
            }),
            low_blocks: bond.low_blocks.map(|at| at.0),
            high_blocks: bond.high_blocks.map(|at| at.0),
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: BondRecord = unseal_fields(key, VERSION, bytes)?;
        let relation = |relation: RelationRecord| {
            Ok(Relation {
                from: user(relation.from)?,
                status_from: side(relation.status_from)?,
                status_to: side(relation.status_to)?,
                created_at: Timestamp(relation.created_at),
                updated_at: Timestamp(relation.updated_at),
            })
        };
        let row = Bond {
            pair: valid(Pair::new(user(record.low)?, user(record.high)?), "pair")?,
            relation: record.relation.map(relation).transpose()?,
            low_blocks: record.low_blocks.map(Timestamp),
            high_blocks: record.high_blocks.map(Timestamp),
        };
        Ok(Self { version: record.version, row })
    }
}

fn side_number(side: Side) -> u8 {
    match side {
        Side::Pending => 1,
        Side::Accepted => 2,
        Side::Rejected => 3,
    }
}

fn side(number: u8) -> Result<Side, Damage> {
    match number {
        1 => Ok(Side::Pending),
        2 => Ok(Side::Accepted),
        3 => Ok(Side::Rejected),
        0 | 4.. => Err(Damage::Value("side")),
    }
}
