//! The stored form of a log's head.

use actors::entry::Head;
use actors::id::{BatchId, Epoch, Incarnation, Pos, Segment, Seq};
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Damage, Stored, seal_fields, unseal_fields, valid};

/// Version 1; the first, it has no predecessor.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct HeadRecord {
    #[serde(rename = "t")]
    tail: u64,
    #[serde(rename = "c")]
    count: u64,
    #[serde(rename = "l")]
    last_change: u64,
    #[serde(rename = "e")]
    epoch: u64,
    #[serde(rename = "b", with = "serde_bytes")]
    last_batch: [u8; 16],
    #[serde(rename = "i")]
    incarnation: u64,
    #[serde(rename = "s")]
    segment: u64,
    #[serde(rename = "a")]
    last_at: i64,
}

impl Stored for Head {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let record = HeadRecord {
            tail: self.tail.get(),
            count: self.count.0,
            last_change: self.last_change.get(),
            epoch: self.epoch.0,
            last_batch: self.last_batch.0.to_be_bytes(),
            incarnation: self.incarnation.0,
            segment: self.segment.0,
            last_at: self.last_at.0,
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: HeadRecord = unseal_fields(key, VERSION, bytes)?;
        Ok(Self {
            tail: valid(Seq::new(record.tail), "tail")?,
            count: Pos(record.count),
            last_change: valid(Seq::new(record.last_change), "last_change")?,
            epoch: Epoch(record.epoch),
            last_batch: BatchId(u128::from_be_bytes(record.last_batch)),
            incarnation: Incarnation(record.incarnation),
            segment: Segment(record.segment),
            last_at: Timestamp(record.last_at),
        })
    }
}
