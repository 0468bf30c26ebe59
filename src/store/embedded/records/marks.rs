//! The stored form of a member's marks in a conversation.

use actors::id::{Pos, Seq};
use actors::store::{Mark, Marks};
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Damage, Stored, seal_fields, unseal_fields, valid};

/// Version 1; the first, it has no predecessor.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct MarksRecord {
    #[serde(rename = "d")]
    delivered: MarkRecord,
    #[serde(rename = "r")]
    read: MarkRecord,
    #[serde(rename = "b")]
    badge: u64,
}

#[derive(Serialize, Deserialize)]
struct MarkRecord {
    #[serde(rename = "s")]
    seq: u64,
    #[serde(rename = "p")]
    pos: u64,
    #[serde(rename = "t")]
    at: i64,
}

impl Stored for Marks {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let record = MarksRecord { delivered: mark_record(self.delivered), read: mark_record(self.read), badge: self.badge.0 };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: MarksRecord = unseal_fields(key, VERSION, bytes)?;
        Ok(Self { delivered: mark(&record.delivered)?, read: mark(&record.read)?, badge: Pos(record.badge) })
    }
}

fn mark_record(mark: Mark) -> MarkRecord {
    MarkRecord { seq: mark.seq.get(), pos: mark.pos.0, at: mark.at.0 }
}

fn mark(record: &MarkRecord) -> Result<Mark, Damage> {
    Ok(Mark { seq: valid(Seq::new(record.seq), "mark")?, pos: Pos(record.pos), at: Timestamp(record.at) })
}
