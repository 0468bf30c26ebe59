//! The stored forms of what became of messages, and of the integer forms of direct conversations.

use std::borrow::Cow;

use actors::bits::Bits;
use actors::content::Reaction;
use actors::entry::Amendment;
use actors::id::{DirectNumber, Pair, Seq};
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::content::{ContentRecord, content, content_record, user};
use super::projected::{seal_row, unseal_row};
use super::{Damage, Projected, Stored, seal_fields, unseal_fields, valid};

/// Version 1 of each; the first, they have no predecessors.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct AmendmentRecord<'a> {
    #[serde(rename = "c", borrow, default, skip_serializing_if = "Option::is_none")]
    edited: Option<EditedRecord<'a>>,
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    edits: Vec<u64>,
    /// By whom, and when.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    deleted: Option<(u64, i64)>,
    #[serde(rename = "r", borrow, default, skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<(Cow<'a, str>, u64)>,
}

#[derive(Serialize, Deserialize)]
struct EditedRecord<'a> {
    #[serde(rename = "c", borrow)]
    content: ContentRecord<'a>,
    #[serde(rename = "t")]
    at: i64,
}

impl Stored for Projected<Amendment> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let row = &self.row;
        let record = AmendmentRecord {
            edited: row.edited.as_ref().map(|(content, at)| EditedRecord { content: content_record(content), at: at.0 }),
            edits: row.edits.iter().map(|seq| seq.get()).collect(),
            deleted: row.deleted.map(|(by, at)| (by.get(), at.0)),
            reactions: row.reactions.iter().map(|(reaction, count)| (reaction.as_str().into(), *count)).collect(),
        };
        seal_row(key, self.version, record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, record): (_, AmendmentRecord<'_>) = unseal_row(key, bytes)?;
        let row = Amendment {
            edited: record.edited.map(|edited| Ok((content(edited.content)?, Timestamp(edited.at)))).transpose()?,
            edits: record.edits.into_iter().map(|seq| valid(Seq::new(seq), "edits")).collect::<Result<_, _>>()?,
            deleted: record.deleted.map(|(by, at)| Ok((user(by)?, Timestamp(at)))).transpose()?,
            reactions: record.reactions.iter().map(|(text, count)| Ok((reaction(text)?, *count))).collect::<Result<_, _>>()?,
        };
        Ok(Self { version, row })
    }
}

/// How one user reacts; none remembers its version.
impl Stored for Projected<Vec<Reaction>> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let reactions: Vec<_> = self.row.iter().map(Reaction::as_str).collect();
        seal_row(key, self.version, reactions)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, reactions): (_, Vec<&str>) = unseal_row(key, bytes)?;
        Ok(Self { version, row: reactions.into_iter().map(reaction).collect::<Result<_, _>>()? })
    }
}

fn reaction(text: &str) -> Result<Reaction, Damage> {
    valid(Reaction::new(text), "reaction")
}

/// Deleted positions, or hidden entries.
impl Stored for Projected<Bits> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_row(key, self.version, Bytes::new(self.row.as_bytes()))
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, bits): (_, &Bytes) = unseal_row(key, bytes)?;
        Ok(Self { version, row: Bits::from_bytes(bits).ok_or(Damage::Value("bits"))? })
    }
}

impl Stored for Projected<DirectNumber> {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_row(key, self.version, self.row.get())
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let (version, number) = unseal_row(key, bytes)?;
        Ok(Self { version, row: valid(DirectNumber::new(number), "number")? })
    }
}

#[derive(Serialize, Deserialize)]
struct PairRecord {
    #[serde(rename = "l")]
    low: u64,
    #[serde(rename = "h")]
    high: u64,
}

/// The direct conversation that a number leads to.
impl Stored for Pair {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_fields(key, VERSION, &PairRecord { low: self.low().get(), high: self.high().get() })
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: PairRecord = unseal_fields(key, VERSION, bytes)?;
        valid(Self::new(user(record.low)?, user(record.high)?), "pair")
    }
}
