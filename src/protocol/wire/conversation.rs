//! Conversations as one member sees them, and the members of groups.

use actors::content::AboutText;
use actors::entry::{Membership, Preferences};
use actors::id::{ConversationId, UserId};
use actors::view::{About, ConversationView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::wire::entry::{Entry, role};
use crate::protocol::wire::frame::{conv, moment, unset};
use crate::protocol::wire::people::{PicturePath, Relation, User};

/// A conversation as one member sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation<'a> {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    kind: &'static str,
    inc: u64,
    tail: u64,
    count: u64,
    at: i64,
    read: u64,
    delivered: u64,
    unread: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<i64>,
    #[serde(skip_serializing_if = "unset")]
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleared: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_read: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_delivered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation: Option<Relation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    picture: Option<PicturePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
}

fn cleared(preferences: &Preferences) -> Option<u64> {
    let (seq, _) = preferences.cleared;
    (seq.get() > 0).then(|| seq.get())
}

fn text(about: &AboutText) -> Option<&str> {
    Some(about.as_str()).filter(|text| !text.is_empty())
}

impl<'a> From<&'a ConversationView> for Conversation<'a> {
    fn from(view: &'a ConversationView) -> Self {
        let plain = Self {
            conv: view.id,
            kind: "",
            inc: view.tail.incarnation.0,
            tail: view.tail.seq.get(),
            count: view.count.0,
            at: moment(view.last_at),
            read: view.marks.read.seq.get(),
            delivered: view.marks.delivered.seq.get(),
            unread: view.unread,
            last: view.last.as_ref().map(|shown| Entry::shown(view.id, view.tail.incarnation, shown)),
            muted_until: view.preferences.muted_until.map(moment),
            archived: view.preferences.archived,
            cleared: cleared(&view.preferences),
            peer: None,
            peer_read: None,
            peer_delivered: None,
            relation: None,
            number: None,
            name: None,
            members: None,
            role: None,
            about: None,
            picture: None,
            open: None,
        };
        match &view.about {
            About::Direct { peer, peer_marks, bond, number } => Self {
                kind: "direct",
                peer: peer.as_ref().map(User::from),
                peer_read: Some(peer_marks.read.seq.get()),
                peer_delivered: Some(peer_marks.delivered.seq.get()),
                relation: Relation::beside(bond, peer.as_ref().map(|peer| peer.id)),
                number: number.map(actors::id::DirectNumber::get),
                ..plain
            },
            About::Group { group, role: own } => Self {
                kind: "group",
                name: Some(group.name.as_str()),
                members: Some(group.members),
                role: Some(role(*own)),
                about: text(&group.about),
                picture: PicturePath::of(group.picture),
                open: group.open.then_some(true),
                ..plain
            },
        }
    }
}

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversations<'a> {
    /// Latest activity first.
    pub convs: Vec<Conversation<'a>>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<&'a str>,
}

/// How the user has a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Prefs {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<i64>,
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleared: Option<u64>,
}

impl Prefs {
    /// Of this conversation.
    pub fn new(conversation: ConversationId, preferences: &Preferences) -> Self {
        Self {
            conv: conversation,
            muted_until: preferences.muted_until.map(moment),
            archived: preferences.archived,
            cleared: cleared(preferences),
        }
    }
}

/// A member of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    user: u64,
    role: &'static str,
    since: u64,
}

impl From<&(UserId, Membership)> for Member {
    fn from((user, membership): &(UserId, Membership)) -> Self {
        Self { user: user.get(), role: role(membership.role), since: membership.since.get() }
    }
}

/// A page of members.
#[derive(Debug, Serialize, ToSchema)]
pub struct Members {
    /// By number.
    pub members: Vec<Member>,
    /// Whether there are more.
    pub more: bool,
}
