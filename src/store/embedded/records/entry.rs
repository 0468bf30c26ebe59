//! The stored form of an entry. Its seq is in its key.

use std::borrow::Cow;

use actors::content::{ClientKey, Content, GroupName, Opaque};
use actors::entry::{Act, Entry};
use actors::id::{ConversationId, MessageId, Pos, Seq, UserId};
use actors::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Damage, Stored, seal_fields, unseal_fields, valid};
use crate::store::embedded::keys;

/// Version 1; the first, it has no predecessor.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct EntryRecord<'a> {
    #[serde(rename = "p")]
    pos: u64,
    #[serde(rename = "i")]
    id: u64,
    #[serde(rename = "u")]
    author: u64,
    #[serde(rename = "k", borrow)]
    client_key: Cow<'a, str>,
    #[serde(rename = "t")]
    at: i64,
    #[serde(rename = "a", borrow)]
    act: ActRecord<'a>,
}

#[derive(Serialize, Deserialize)]
enum ActRecord<'a> {
    #[serde(rename = "m")]
    Message {
        #[serde(rename = "t", borrow)]
        text: Cow<'a, str>,
        #[serde(rename = "d", with = "serde_bytes", borrow, default, skip_serializing_if = "Option::is_none")]
        data: Option<Cow<'a, [u8]>>,
        #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<u64>,
        #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<u64>,
    },
    #[serde(rename = "c")]
    Created {
        #[serde(rename = "n", borrow)]
        name: Cow<'a, str>,
        #[serde(rename = "u")]
        members: Vec<u64>,
    },
    #[serde(rename = "j")]
    Joined {
        #[serde(rename = "u")]
        members: Vec<u64>,
    },
    #[serde(rename = "l")]
    Left {
        #[serde(rename = "u")]
        member: u64,
    },
    #[serde(rename = "s")]
    Appeared {
        #[serde(rename = "c", borrow)]
        conversation: Cow<'a, str>,
    },
    #[serde(rename = "v")]
    Vanished {
        #[serde(rename = "c", borrow)]
        conversation: Cow<'a, str>,
    },
}

impl Stored for Entry {
    fn seal(&self, key: &[u8]) -> Vec<u8> {
        let record = EntryRecord {
            pos: self.pos.0,
            id: self.id.get(),
            author: self.author.get(),
            client_key: self.client_key.as_str().into(),
            at: self.at.0,
            act: act_record(&self.act),
        };
        seal_fields(key, VERSION, &record)
    }

    fn unseal(key: &[u8], bytes: &[u8]) -> Result<Self, Damage> {
        let record: EntryRecord<'_> = unseal_fields(key, VERSION, bytes)?;
        Ok(Self {
            seq: keys::seq_of(key).ok_or(Damage::Value("seq"))?,
            pos: Pos(record.pos),
            id: valid(MessageId::new(record.id), "id")?,
            author: user(record.author)?,
            client_key: valid(ClientKey::new(&record.client_key), "client_key")?,
            at: Timestamp(record.at),
            act: act(record.act)?,
        })
    }
}

fn act_record(act: &Act) -> ActRecord<'_> {
    match act {
        Act::Message(content) => ActRecord::Message {
            text: Cow::Borrowed(&content.text),
            data: content.data.as_ref().map(|data| Cow::Borrowed(&data.0[..])),
            reply_to: content.reply_to.map(Seq::get),
            mentions: numbers(&content.mentions),
        },
        Act::Created { name, members } => ActRecord::Created { name: name.as_str().into(), members: numbers(members) },
        Act::Joined { members } => ActRecord::Joined { members: numbers(members) },
        Act::Left { member } => ActRecord::Left { member: member.get() },
        Act::Appeared { conversation } => ActRecord::Appeared { conversation: conversation.to_string().into() },
        Act::Vanished { conversation } => ActRecord::Vanished { conversation: conversation.to_string().into() },
    }
}

fn act(record: ActRecord<'_>) -> Result<Act, Damage> {
    Ok(match record {
        ActRecord::Message { text, data, reply_to, mentions } => Act::Message(Content {
            text: text.into(),
            data: data.map(|data| Opaque(Bytes::from(data.into_owned()))),
            reply_to: reply_to.map(|seq| valid(Seq::new(seq), "reply_to")).transpose()?,
            mentions: users(&mentions)?,
        }),
        ActRecord::Created { name, members } => Act::Created { name: valid(GroupName::new(&name), "name")?, members: users(&members)? },
        ActRecord::Joined { members } => Act::Joined { members: users(&members)? },
        ActRecord::Left { member } => Act::Left { member: user(member)? },
        ActRecord::Appeared { conversation } => Act::Appeared { conversation: named(&conversation)? },
        ActRecord::Vanished { conversation } => Act::Vanished { conversation: named(&conversation)? },
    })
}

fn numbers(users: &[UserId]) -> Vec<u64> {
    users.iter().map(|user| user.get()).collect()
}

fn user(number: u64) -> Result<UserId, Damage> {
    valid(UserId::new(number), "user")
}

fn users(numbers: &[u64]) -> Result<Vec<UserId>, Damage> {
    numbers.iter().map(|number| user(*number)).collect()
}

fn named(conversation: &str) -> Result<ConversationId, Damage> {
    valid(conversation.parse(), "conversation")
}
