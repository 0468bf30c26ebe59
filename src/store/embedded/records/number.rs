//! The stored forms of a plain number (a counter, the format), of whose a name is, and of a segment's bucket.

use std::borrow::Cow;

use actors::id::{Bucket, LogId, UserId};
use serde::{Deserialize, Serialize};

use super::{Damage, Stored, seal_fields, unseal_fields, valid};

/// Version 1 of each; the first, they have no predecessors.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct NumberRecord {
    #[serde(rename = "n")]
    number: u64,
}

impl Stored for u64 {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        seal_fields(key, VERSION, &NumberRecord { number: *self })
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        unseal_fields(key, VERSION, bytes).map(|record: NumberRecord| record.number)
    }
}

/// Whose a username or an address is.
impl Stored for UserId {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        self.get().seal(key)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        valid(Self::new(u64::unseal(key, bytes)?), "user")
    }
}

#[derive(Serialize, Deserialize)]
struct SegmentRecord<'a> {
    /// A conversation in its text form, or `u` and the number of a user.
    #[serde(rename = "l", borrow)]
    log: Cow<'a, str>,
    #[serde(rename = "b")]
    bucket: u64,
}

impl Stored for (LogId, Bucket) {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let log = match self.0 {
            LogId::Conversation(conversation) => conversation.to_string(),
            LogId::User(user) => format!("u{}", user.get()),
        };
        seal_fields(key, VERSION, &SegmentRecord { log: log.into(), bucket: self.1.0 })
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: SegmentRecord<'_> = unseal_fields(key, VERSION, bytes)?;
        let log = match record.log.strip_prefix('u') {
            Some(number) => LogId::User(valid(UserId::new(valid(number.parse(), "log")?), "log")?),
            None => LogId::Conversation(valid(record.log.parse(), "log")?),
        };
        Ok((log, Bucket(record.bucket)))
    }
}
