//! The stored form of an entry. Its seq is in its key.

use std::borrow::Cow;

use actors::content::{AboutText, ClientKey, GroupName, Reaction};
use actors::entry::{Act, Digest, Entry, Erased, GroupChange, Setting};
use actors::id::{ConversationId, MessageId, Pos, Seq};
use actors::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::{ContentRecord, PictureRecord, content, content_record, numbers, picture, picture_record, user, users};
use super::home::{NoticeRecord, notice, notice_record};
use super::projected::{role, role_number};
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
    #[serde(rename = "m", borrow)]
    Message(ContentRecord<'a>),
    #[serde(rename = "c")]
    Created {
        #[serde(rename = "n", borrow)]
        name: Cow<'a, str>,
        #[serde(rename = "u")]
        members: Vec<u64>,
        #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
        open: bool,
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
    #[serde(rename = "e")]
    Edited {
        #[serde(rename = "s")]
        target: u64,
        #[serde(rename = "c", borrow)]
        content: ContentRecord<'a>,
    },
    #[serde(rename = "d")]
    Deleted {
        #[serde(rename = "s")]
        target: u64,
    },
    #[serde(rename = "x")]
    Erased {
        #[serde(rename = "m")]
        message: bool,
        #[serde(rename = "d")]
        digest: (u64, u64),
    },
    #[serde(rename = "r")]
    Reacted {
        #[serde(rename = "s")]
        target: u64,
        #[serde(rename = "r", borrow)]
        reaction: Cow<'a, str>,
        #[serde(rename = "o")]
        on: bool,
    },
    #[serde(rename = "g")]
    Changed {
        #[serde(rename = "n", borrow, default, skip_serializing_if = "Option::is_none")]
        name: Option<Cow<'a, str>>,
        #[serde(rename = "b", borrow, default, skip_serializing_if = "Option::is_none")]
        about: Option<Cow<'a, str>>,
        #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
        picture: Option<PictureRecord>,
        /// Whether the picture is taken away.
        #[serde(rename = "q", default, skip_serializing_if = "std::ops::Not::not")]
        bare: bool,
        #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
        open: Option<bool>,
    },
    #[serde(rename = "o")]
    RoleSet {
        #[serde(rename = "u")]
        member: u64,
        #[serde(rename = "r")]
        role: u8,
    },
    #[serde(rename = "h")]
    HandedOver {
        #[serde(rename = "u")]
        to: u64,
    },
    #[serde(rename = "i")]
    Invited {
        #[serde(rename = "u")]
        users: Vec<u64>,
        #[serde(rename = "x")]
        expires_at: i64,
    },
    #[serde(rename = "y")]
    Declined {
        #[serde(rename = "u")]
        user: u64,
    },
    #[serde(rename = "p")]
    Set {
        #[serde(rename = "c", borrow)]
        conversation: Cow<'a, str>,
        #[serde(rename = "s")]
        setting: SettingRecord,
    },
    #[serde(rename = "n")]
    Noticed(NoticeRecord),
    #[serde(rename = "w")]
    Withdrawn {
        #[serde(rename = "s")]
        notice: u64,
    },
    #[serde(rename = "f")]
    NoticesRead {
        #[serde(rename = "s")]
        up_to: u64,
    },
    #[serde(rename = "b")]
    Related {
        #[serde(rename = "u")]
        peer: u64,
    },
    #[serde(rename = "z")]
    AccountChanged {},
}

#[derive(Serialize, Deserialize)]
enum SettingRecord {
    #[serde(rename = "m")]
    Mute(Option<i64>),
    #[serde(rename = "a")]
    Archive(bool),
    #[serde(rename = "c")]
    Clear(u64, u64),
    #[serde(rename = "h")]
    Hide(u64),
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
        Act::Message(content) => ActRecord::Message(content_record(content)),
        Act::Created { name, members, open } => ActRecord::Created { name: name.as_str().into(), members: numbers(members), open: *open },
        Act::Joined { members } => ActRecord::Joined { members: numbers(members) },
        Act::Left { member } => ActRecord::Left { member: member.get() },
        Act::Appeared { conversation } => ActRecord::Appeared { conversation: conversation.to_string().into() },
        Act::Vanished { conversation } => ActRecord::Vanished { conversation: conversation.to_string().into() },
        Act::Edited { target, content } => ActRecord::Edited { target: target.get(), content: content_record(content) },
        Act::Deleted { target } => ActRecord::Deleted { target: target.get() },
        Act::Erased(erased) => ActRecord::Erased { message: erased.message, digest: (erased.digest.0, erased.digest.1) },
        Act::Reacted { target, reaction, on } => ActRecord::Reacted { target: target.get(), reaction: reaction.as_str().into(), on: *on },
        Act::Changed(change) => ActRecord::Changed {
            name: change.name.as_ref().map(|name| name.as_str().into()),
            about: change.about.as_ref().map(|about| about.as_str().into()),
            picture: change.picture.flatten().map(picture_record),
            bare: change.picture == Some(None),
            open: change.open,
        },
        Act::RoleSet { member, role } => ActRecord::RoleSet { member: member.get(), role: role_number(*role) },
        Act::HandedOver { to } => ActRecord::HandedOver { to: to.get() },
        Act::Invited { users, expires_at } => ActRecord::Invited { users: numbers(users), expires_at: expires_at.0 },
        Act::Declined { user } => ActRecord::Declined { user: user.get() },
        Act::Set { conversation, setting } => {
            ActRecord::Set { conversation: conversation.to_string().into(), setting: setting_record(*setting) }
        }
        Act::Noticed(notice) => ActRecord::Noticed(notice_record(*notice)),
        Act::Withdrawn { notice } => ActRecord::Withdrawn { notice: notice.get() },
        Act::NoticesRead { up_to } => ActRecord::NoticesRead { up_to: up_to.get() },
        Act::Related { peer } => ActRecord::Related { peer: peer.get() },
        Act::AccountChanged => ActRecord::AccountChanged {},
    }
}

fn act(record: ActRecord<'_>) -> Result<Act, Damage> {
    Ok(match record {
        ActRecord::Message(record) => Act::Message(content(record)?),
        ActRecord::Created { name, members, open } => {
            Act::Created { name: valid(GroupName::new(&name), "name")?, members: users(&members)?, open }
        }
        ActRecord::Joined { members } => Act::Joined { members: users(&members)? },
        ActRecord::Left { member } => Act::Left { member: user(member)? },
        ActRecord::Appeared { conversation } => Act::Appeared { conversation: named(&conversation)? },
        ActRecord::Vanished { conversation } => Act::Vanished { conversation: named(&conversation)? },
        ActRecord::Edited { target, content: record } => Act::Edited { target: seq(target)?, content: content(record)? },
        ActRecord::Deleted { target } => Act::Deleted { target: seq(target)? },
        ActRecord::Erased { message, digest } => Act::Erased(Erased { message, digest: Digest(digest.0, digest.1) }),
        ActRecord::Reacted { target, reaction, on } => {
            Act::Reacted { target: seq(target)?, reaction: valid(Reaction::new(&reaction), "reaction")?, on }
        }
        ActRecord::Changed { name, about, picture: shown, bare, open } => Act::Changed(GroupChange {
            name: name.map(|name| valid(GroupName::new(&name), "name")).transpose()?,
            about: about.map(|about| valid(AboutText::new(&about), "about")).transpose()?,
            picture: match shown {
                Some(_) if bare => return Err(Damage::Value("picture")),
                Some(shown) => Some(Some(picture(&shown)?)),
                None => bare.then_some(None),
            },
            open,
        }),
        ActRecord::RoleSet { member, role: number } => Act::RoleSet { member: user(member)?, role: role(number)? },
        ActRecord::HandedOver { to } => Act::HandedOver { to: user(to)? },
        ActRecord::Invited { users: invited, expires_at } => Act::Invited { users: users(&invited)?, expires_at: Timestamp(expires_at) },
        ActRecord::Declined { user: declining } => Act::Declined { user: user(declining)? },
        ActRecord::Set { conversation, setting: record } => Act::Set { conversation: named(&conversation)?, setting: setting(&record)? },
        ActRecord::Noticed(record) => Act::Noticed(notice(&record)?),
        ActRecord::Withdrawn { notice } => Act::Withdrawn { notice: seq(notice)? },
        ActRecord::NoticesRead { up_to } => Act::NoticesRead { up_to: seq(up_to)? },
        ActRecord::Related { peer } => Act::Related { peer: user(peer)? },
        ActRecord::AccountChanged {} => Act::AccountChanged,
    })
}

fn setting_record(setting: Setting) -> SettingRecord {
    match setting {
        Setting::Mute(until) => SettingRecord::Mute(until.map(|until| until.0)),
        Setting::Archive(archived) => SettingRecord::Archive(archived),
        Setting::Clear(seq, pos) => SettingRecord::Clear(seq.get(), pos.0),
        Setting::Hide(seq) => SettingRecord::Hide(seq.get()),
    }
}

fn setting(record: &SettingRecord) -> Result<Setting, Damage> {
    Ok(match record {
        SettingRecord::Mute(until) => Setting::Mute(until.map(Timestamp)),
        SettingRecord::Archive(archived) => Setting::Archive(*archived),
        SettingRecord::Clear(cleared, pos) => Setting::Clear(seq(*cleared)?, Pos(*pos)),
        SettingRecord::Hide(hidden) => Setting::Hide(seq(*hidden)?),
    })
}

fn seq(value: u64) -> Result<Seq, Damage> {
    valid(Seq::new(value), "seq")
}

fn named(conversation: &str) -> Result<ConversationId, Damage> {
    valid(conversation.parse(), "conversation")
}
