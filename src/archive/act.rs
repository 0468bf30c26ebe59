//! What happened and what was said, as part of lines.

#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use actors::account::Picture;
use actors::content::{AboutText, Content, Forwarded, GroupName, Opaque, Reaction};
use actors::entry::{Act, Digest, Erased, GroupChange, Notice, Setting};
use actors::id::{Door, GroupId, MessageId, Pos, Seq};
use actors::media::{Attachment, MediaId, MediaKind};
use actors::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::wire::{Invalid, RoleName, conversation, hex, numbers, seq, user, users, valid};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ActLine<'a> {
    #[serde(borrow)]
    Message(ContentLine<'a>),
    Created {
        #[serde(borrow)]
        name: Cow<'a, str>,
        members: Vec<u64>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        open: bool,
    },
    Joined {
        members: Vec<u64>,
    },
    Left {
        member: u64,
    },
    Appeared {
        #[serde(borrow)]
        conversation: Cow<'a, str>,
    },
    Vanished {
        #[serde(borrow)]
        conversation: Cow<'a, str>,
    },
    Edited {
        target: u64,
        #[serde(borrow)]
        content: ContentLine<'a>,
    },
    Deleted {
        target: u64,
    },
    Erased {
        message: bool,
        #[serde(borrow)]
        digest: Cow<'a, str>,
    },
    Reacted {
        target: u64,
        #[serde(borrow)]
        reaction: Cow<'a, str>,
        on: bool,
    },
    Changed {
        #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
        name: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
        about: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
        picture: Option<ShownLine<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        open: Option<bool>,
    },
    RoleSet {
        member: u64,
        role: RoleName,
    },
    HandedOver {
        to: u64,
    },
    Invited {
        users: Vec<u64>,
        expires_at: i64,
    },
    Declined {
        user: u64,
    },
    Set {
        #[serde(borrow)]
        conversation: Cow<'a, str>,
        setting: SettingLine,
    },
    Noticed(NoticeLine),
    Withdrawn {
        notice: u64,
    },
    NoticesRead {
        up_to: u64,
    },
    Related {
        peer: u64,
    },
    AccountChanged {},
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContentLine<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    attachments: Vec<AttachmentLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forwarded: Option<ForwardedLine>,
    #[serde(default, skip_serializing_if = "is_zero")]
    door: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(door: &u8) -> bool {
    *door == 0
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForwardedLine {
    author: u64,
    id: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttachmentLine<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pixels: Option<(u32, u32)>,
    uploaded_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PictureLine<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// What becomes of a picture.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ShownLine<'a> {
    #[serde(borrow)]
    Shown(PictureLine<'a>),
    Removed {},
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum SettingLine {
    /// Until when; null ends it.
    Mute(Option<i64>),
    Archive(bool),
    Clear {
        seq: u64,
        pos: u64,
    },
    Hide(u64),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum NoticeLine {
    FriendRequest { from: u64 },
    GroupInvitation { from: u64, group: u64, expires_at: i64 },
}

pub(super) fn act_line(act: &Act) -> ActLine<'_> {
    match act {
        Act::Message(content) => ActLine::Message(content_line(content)),
        Act::Created { name, members, open } => ActLine::Created { name: name.as_str().into(), members: numbers(members), open: *open },
        Act::Joined { members } => ActLine::Joined { members: numbers(members) },
        Act::Left { member } => ActLine::Left { member: member.get() },
        Act::Appeared { conversation } => ActLine::Appeared { conversation: conversation.to_string().into() },
        Act::Vanished { conversation } => ActLine::Vanished { conversation: conversation.to_string().into() },
        Act::Edited { target, content } => ActLine::Edited { target: target.get(), content: content_line(content) },
        Act::Deleted { target } => ActLine::Deleted { target: target.get() },
        Act::Erased(erased) => ActLine::Erased { message: erased.message, digest: erased.digest.to_string().into() },
        Act::Reacted { target, reaction, on } => ActLine::Reacted { target: target.get(), reaction: reaction.as_str().into(), on: *on },
        Act::Changed(change) => ActLine::Changed {
            name: change.name.as_ref().map(|name| name.as_str().into()),
            about: change.about.as_ref().map(|about| about.as_str().into()),
            picture: change.picture.map(|picture| picture.map_or(ShownLine::Removed {}, |picture| ShownLine::Shown(picture_line(picture)))),
            open: change.open,
        },
        Act::RoleSet { member, role } => ActLine::RoleSet { member: member.get(), role: RoleName::of(*role) },
        Act::HandedOver { to } => ActLine::HandedOver { to: to.get() },
        Act::Invited { users, expires_at } => ActLine::Invited { users: numbers(users), expires_at: expires_at.0 },
        Act::Declined { user } => ActLine::Declined { user: user.get() },
        Act::Set { conversation, setting } => {
            ActLine::Set { conversation: conversation.to_string().into(), setting: setting_line(*setting) }
        }
        Act::Noticed(notice) => ActLine::Noticed(notice_line(*notice)),
        Act::Withdrawn { notice } => ActLine::Withdrawn { notice: notice.get() },
        Act::NoticesRead { up_to } => ActLine::NoticesRead { up_to: up_to.get() },
        Act::Related { peer } => ActLine::Related { peer: peer.get() },
        Act::AccountChanged => ActLine::AccountChanged {},
    }
}

pub(super) fn act(line: ActLine<'_>) -> Result<Act, Invalid> {
    Ok(match line {
        ActLine::Message(line) => Act::Message(content(line)?),
        ActLine::Created { name, members, open } => {
            Act::Created { name: valid(GroupName::new(&name), "name")?, members: users(&members)?, open }
        }
        ActLine::Joined { members } => Act::Joined { members: users(&members)? },
        ActLine::Left { member } => Act::Left { member: user(member)? },
        ActLine::Appeared { conversation: named } => Act::Appeared { conversation: conversation(&named)? },
        ActLine::Vanished { conversation: named } => Act::Vanished { conversation: conversation(&named)? },
        ActLine::Edited { target, content: line } => Act::Edited { target: seq(target, "target")?, content: content(line)? },
        ActLine::Deleted { target } => Act::Deleted { target: seq(target, "target")? },
        ActLine::Erased { message, digest } => {
            let bits = u128::from_be_bytes(hex(&digest, "digest")?);
            let (high, low) = (u64::try_from(bits >> 64), u64::try_from(bits & u128::from(u64::MAX)));
            Act::Erased(Erased { message, digest: Digest(valid(high, "digest")?, valid(low, "digest")?) })
        }
        ActLine::Reacted { target, reaction, on } => {
            Act::Reacted { target: seq(target, "target")?, reaction: valid(Reaction::new(&reaction), "reaction")?, on }
        }
        ActLine::Changed { name, about, picture: line, open } => Act::Changed(GroupChange {
            name: name.map(|name| valid(GroupName::new(&name), "name")).transpose()?,
            about: about.map(|about| valid(AboutText::new(&about), "about")).transpose()?,
            picture: match line {
                None => None,
                Some(ShownLine::Removed {}) => Some(None),
                Some(ShownLine::Shown(line)) => Some(Some(picture(&line)?)),
            },
            open,
        }),
        ActLine::RoleSet { member, role } => Act::RoleSet { member: user(member)?, role: role.role() },
        ActLine::HandedOver { to } => Act::HandedOver { to: user(to)? },
        ActLine::Invited { users: invited, expires_at } => Act::Invited { users: users(&invited)?, expires_at: Timestamp(expires_at) },
        ActLine::Declined { user: declining } => Act::Declined { user: user(declining)? },
        ActLine::Set { conversation: named, setting: line } => Act::Set { conversation: conversation(&named)?, setting: setting(&line)? },
        ActLine::Noticed(line) => Act::Noticed(notice(&line)?),
        ActLine::Withdrawn { notice } => Act::Withdrawn { notice: seq(notice, "notice")? },
        ActLine::NoticesRead { up_to } => Act::NoticesRead { up_to: seq(up_to, "up_to")? },
        ActLine::Related { peer } => Act::Related { peer: user(peer)? },
        ActLine::AccountChanged {} => Act::AccountChanged,
    })
}

pub(super) fn content_line(content: &Content) -> ContentLine<'_> {
    ContentLine {
        text: Cow::Borrowed(&content.text),
        data: content.data.as_ref().map(|data| STANDARD.encode(&data.0).into()),
        reply_to: content.reply_to.map(Seq::get),
        mentions: numbers(&content.mentions),
        attachments: content.attachments.iter().map(attachment_line).collect(),
        forwarded: content.forwarded.map(|forwarded| ForwardedLine { author: forwarded.author.get(), id: forwarded.id.get() }),
        door: content.door.0,
    }
}

pub(super) fn content(line: ContentLine<'_>) -> Result<Content, Invalid> {
    let forwarded = |line: ForwardedLine| Ok(Forwarded { author: user(line.author)?, id: valid(MessageId::new(line.id), "forwarded")? });
    Ok(Content {
        text: line.text.into(),
        data: line.data.map(|data| valid(STANDARD.decode(&*data), "data")).transpose()?.map(|data| Opaque(data.into())),
        reply_to: line.reply_to.map(|value| seq(value, "reply_to")).transpose()?,
        mentions: users(&line.mentions)?,
        attachments: line.attachments.into_iter().map(attachment).collect::<Result<_, _>>()?,
        forwarded: line.forwarded.map(forwarded).transpose()?,
        door: Door(line.door),
    })
}

fn attachment_line(attachment: &Attachment) -> AttachmentLine<'_> {
    AttachmentLine {
        id: attachment.id.to_string().into(),
        name: Cow::Borrowed(&attachment.name),
        kind: attachment.kind.media_type().into(),
        bytes: attachment.bytes,
        pixels: attachment.pixels,
        uploaded_at: attachment.uploaded_at.0,
        expires_at: attachment.expires_at.map(|at| at.0),
    }
}

fn attachment(line: AttachmentLine<'_>) -> Result<Attachment, Invalid> {
    Ok(Attachment {
        id: MediaId(u128::from_be_bytes(hex(&line.id, "id")?)),
        name: line.name.into(),
        kind: kind(&line.kind)?,
        bytes: line.bytes,
        pixels: line.pixels,
        uploaded_at: Timestamp(line.uploaded_at),
        expires_at: line.expires_at.map(Timestamp),
    })
}

pub(super) fn picture_line(picture: Picture) -> PictureLine<'static> {
    PictureLine { id: picture.id.to_string().into(), kind: picture.kind.media_type().into() }
}

pub(super) fn picture(line: &PictureLine<'_>) -> Result<Picture, Invalid> {
    Ok(Picture { id: MediaId(u128::from_be_bytes(hex(&line.id, "id")?)), kind: kind(&line.kind)? })
}

fn kind(text: &str) -> Result<MediaKind, Invalid> {
    MediaKind::of_media_type(text).ok_or(Invalid("type"))
}

fn setting_line(setting: Setting) -> SettingLine {
    match setting {
        Setting::Mute(until) => SettingLine::Mute(until.map(|until| until.0)),
        Setting::Archive(archived) => SettingLine::Archive(archived),
        Setting::Clear(seq, pos) => SettingLine::Clear { seq: seq.get(), pos: pos.0 },
        Setting::Hide(seq) => SettingLine::Hide(seq.get()),
    }
}

fn setting(line: &SettingLine) -> Result<Setting, Invalid> {
    Ok(match line {
        SettingLine::Mute(until) => Setting::Mute(until.map(Timestamp)),
        SettingLine::Archive(archived) => Setting::Archive(*archived),
        SettingLine::Clear { seq: cleared, pos } => Setting::Clear(seq(*cleared, "clear")?, Pos(*pos)),
        SettingLine::Hide(hidden) => Setting::Hide(seq(*hidden, "hide")?),
    })
}

pub(super) fn notice_line(notice: Notice) -> NoticeLine {
    match notice {
        Notice::FriendRequest { from } => NoticeLine::FriendRequest { from: from.get() },
        Notice::GroupInvitation { from, group, expires_at } => {
            NoticeLine::GroupInvitation { from: from.get(), group: group.get(), expires_at: expires_at.0 }
        }
    }
}

pub(super) fn notice(line: &NoticeLine) -> Result<Notice, Invalid> {
    Ok(match line {
        NoticeLine::FriendRequest { from } => Notice::FriendRequest { from: user(*from)? },
        NoticeLine::GroupInvitation { from, group, expires_at } => {
            Notice::GroupInvitation { from: user(*from)?, group: valid(GroupId::new(*group), "group")?, expires_at: Timestamp(*expires_at) }
        }
    })
}
