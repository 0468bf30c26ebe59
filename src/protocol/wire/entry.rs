//! Entries of a conversation: as they were written, and as one viewer is shown them.

use actors::account::Picture;
use actors::content::{Content, Reaction};
use actors::entry::{self, Act, Amendment, Erased, GroupChange, Role};
use actors::id::{ConversationId, Incarnation, Seq};
use actors::view::Shown;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::protocol::wire::content::{Body, File, Numbers, Origin};
use crate::protocol::wire::frame::{conv, moment, unset};
use crate::protocol::wire::people::PicturePath;

/// An entry of a conversation. Which of the last fields are there depends on `kind`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry<'a> {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    inc: u64,
    seq: u64,
    pos: u64,
    id: u64,
    from: u64,
    at: i64,
    key: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Body<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>)]
    mentions: Option<Numbers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachments: Option<Vec<File<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    picture: Option<PicturePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>)]
    members: Option<Numbers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>)]
    users: Option<Numbers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<i64>,
    #[serde(skip_serializing_if = "unset")]
    deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions: Option<Vec<Count<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    mine: Option<Words<'a>>,
    #[serde(skip_serializing_if = "unset")]
    hidden: bool,
}

/// How many react in one way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Count<'a> {
    r: &'a str,
    n: u64,
}

/// Reactions as they were given.
#[derive(Debug)]
pub struct Words<'a>(pub &'a [Reaction]);

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Reaction::as_str))
    }
}

/// The word for what happened. A message that was erased is still a message: its place counts.
pub(super) fn kind(act: &Act) -> &'static str {
    match act {
        Act::Message(_) | Act::Erased(Erased { message: true, .. }) => "message",
        Act::Erased(Erased { message: false, .. }) => "erased",
        Act::Created { .. } => "created",
        Act::Joined { .. } => "joined",
        Act::Left { .. } => "left",
        Act::Edited { .. } => "edited",
        Act::Deleted { .. } => "deleted",
        Act::Reacted { .. } => "reacted",
        Act::Changed(_) => "changed",
        Act::RoleSet { .. } => "role",
        Act::HandedOver { .. } => "handed_over",
        Act::Invited { .. } => "invited",
        Act::Declined { .. } => "declined",
        Act::Appeared { .. } => "appeared",
        Act::Vanished { .. } => "vanished",
        Act::Set { .. } => "set",
        Act::Noticed(_) => "notice",
        Act::Withdrawn { .. } => "withdrawn",
        Act::NoticesRead { .. } => "notices_read",
        Act::Related { .. } => "related",
        Act::AccountChanged => "account",
    }
}

/// The word for a role.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

impl<'a> Entry<'a> {
    /// An entry of this log, as it was written.
    pub fn new(conversation: ConversationId, incarnation: Incarnation, entry: &'a entry::Entry) -> Self {
        let plain = Self::place(conversation, incarnation, entry);
        let target = |seq: &Seq| Some(seq.get());
        match &entry.act {
            Act::Message(content) => plain.saying(content).carrying(entry.seq, content),
            Act::Erased(Erased { message, .. }) => Self { deleted: *message, ..plain },
            Act::Created { name, members, open } => {
                Self { name: Some(name.as_str()), members: Some(Numbers(members)), open: open.then_some(true), ..plain }
            }
            Act::Joined { members } => Self { members: Some(Numbers(members)), ..plain },
            Act::Left { member } => Self { user: Some(member.get()), ..plain },
            Act::Edited { target: seq, content } => Self { target: target(seq), ..plain.saying(content) },
            Act::Deleted { target: seq } => Self { target: target(seq), ..plain },
            Act::Reacted { target: seq, reaction, on } => {
                Self { target: target(seq), reaction: Some(reaction.as_str()), on: Some(*on), ..plain }
            }
            Act::Changed(GroupChange { name, about, picture, open }) => Self {
                name: name.as_ref().map(actors::content::GroupName::as_str),
                about: about.as_ref().map(actors::content::AboutText::as_str),
                picture: picture.map(|picture: Option<Picture>| PicturePath::changed(picture)),
                open: *open,
                ..plain
            },
            Act::RoleSet { member, role: given } => Self { user: Some(member.get()), role: Some(role(*given)), ..plain },
            Act::HandedOver { to } => Self { user: Some(to.get()), ..plain },
            Act::Invited { users, expires_at } => Self { users: Some(Numbers(users)), expires_at: Some(moment(*expires_at)), ..plain },
            Act::Declined { user } => Self { user: Some(user.get()), ..plain },
            // Of users' own logs only.
            Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } => plain,
            Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => plain,
        }
    }

    /// An entry as its viewer is shown it: what it says now, and what became of it.
    pub fn shown(conversation: ConversationId, incarnation: Incarnation, shown: &'a Shown) -> Self {
        if shown.hidden {
            return Self { hidden: true, ..Self::place(conversation, incarnation, &shown.entry) };
        }
        let written = match shown.amendment.as_deref() {
            None => Self::new(conversation, incarnation, &shown.entry),
            Some(Amendment { deleted: Some((by, at)), .. }) => Self {
                deleted: true,
                deleted_by: Some(by.get()),
                deleted_at: Some(moment(*at)),
                ..Self::place(conversation, incarnation, &shown.entry)
            },
            Some(Amendment { edited, reactions, .. }) => {
                let written = Self::new(conversation, incarnation, &shown.entry);
                let count = |(reaction, n): &'a (Reaction, u64)| Count { r: reaction.as_str(), n: *n };
                let counts: Vec<_> = reactions.iter().map(count).collect();
                let now = match edited {
                    None => written,
                    Some((content, at)) => Self { edited_at: Some(moment(*at)), ..written.saying(content) },
                };
                Self { reactions: (!counts.is_empty()).then_some(counts), ..now }
            }
        };
        let mine = (!written.deleted && !shown.own_reactions.is_empty()).then_some(Words(&shown.own_reactions));
        Self { mine, ..written }
    }

    fn place(conversation: ConversationId, incarnation: Incarnation, entry: &'a entry::Entry) -> Self {
        Self {
            conv: conversation,
            inc: incarnation.0,
            seq: entry.seq.get(),
            pos: entry.pos.0,
            id: entry.id.get(),
            from: entry.author.get(),
            at: moment(entry.at),
            key: entry.client_key.as_str(),
            kind: kind(&entry.act),
            target: None,
            body: None,
            reply_to: None,
            mentions: None,
            attachments: None,
            forwarded: None,
            name: None,
            about: None,
            picture: None,
            open: None,
            members: None,
            users: None,
            user: None,
            role: None,
            reaction: None,
            on: None,
            expires_at: None,
            edited_at: None,
            deleted: false,
            deleted_by: None,
            deleted_at: None,
            reactions: None,
            mine: None,
            hidden: false,
        }
    }

    /// With what an edit may change.
    fn saying(self, content: &'a Content) -> Self {
        let mentions = (!content.mentions.is_empty()).then_some(Numbers(&content.mentions));
        Self { body: Some(Body::from(content)), mentions, ..self }
    }

    /// With what no edit changes.
    fn carrying(self, seq: Seq, content: &'a Content) -> Self {
        let files = content.attachments.iter().enumerate();
        let files: Vec<_> = files.map(|(nth, file)| File::of(self.conv, seq, nth, file)).collect();
        Self {
            reply_to: content.reply_to.map(Seq::get),
            attachments: (!files.is_empty()).then_some(files),
            forwarded: content.forwarded.as_ref().map(Origin::from),
            ..self
        }
    }
}
