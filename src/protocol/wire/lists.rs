//! Pages around messages and groups: who has read, who reacts, who is invited, and the notices of a user.

use actors::content::Reaction;
use actors::entry::Invitation;
use actors::id::{ConversationId, UserId};
use actors::time::Timestamp;
use actors::view::{NoticeView, NoticesView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::wire::entry::Words;
use crate::protocol::wire::frame::{conv, moment};
use crate::protocol::wire::own::notice;
use crate::protocol::wire::people::User;

/// How far one member has come with a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reader {
    user: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<i64>,
}

impl From<&(UserId, Option<Timestamp>, Option<Timestamp>)> for Reader {
    fn from((user, delivered, read): &(UserId, Option<Timestamp>, Option<Timestamp>)) -> Self {
        Self { user: user.get(), delivered_at: delivered.map(moment), read_at: read.map(moment) }
    }
}

/// How far members have come with a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadBy {
    /// By number.
    pub users: Vec<Reader>,
    /// Whether there are more.
    pub more: bool,
}

/// How one user reacts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reacting<'a> {
    user: u64,
    #[schema(value_type = Vec<String>)]
    reactions: Words<'a>,
}

impl<'a> From<&'a (UserId, Vec<Reaction>)> for Reacting<'a> {
    fn from((user, reactions): &'a (UserId, Vec<Reaction>)) -> Self {
        Self { user: user.get(), reactions: Words(reactions) }
    }
}

/// Who reacts how to a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reactions<'a> {
    /// By number.
    pub users: Vec<Reacting<'a>>,
    /// Whether there are more.
    pub more: bool,
}

/// An invitation that stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invited {
    user: u64,
    by: u64,
    expires_at: i64,
}

impl From<&(UserId, Invitation)> for Invited {
    fn from((user, invitation): &(UserId, Invitation)) -> Self {
        Self { user: user.get(), by: invitation.by.get(), expires_at: moment(invitation.expires_at) }
    }
}

/// Invitations of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitations {
    /// By number of the user.
    pub invitations: Vec<Invited>,
    /// Whether there are more.
    pub more: bool,
}

/// Messages that are not read, over all conversations.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadTotal {
    /// How many.
    pub unread: u64,
    /// In how many conversations.
    pub unread_convs: u64,
}

/// One notice.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneNotice<'a> {
    seq: u64,
    id: u64,
    at: i64,
    notice: &'static str,
    from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> From<&'a NoticeView> for OneNotice<'a> {
    fn from(view: &'a NoticeView) -> Self {
        let (word, from, conv, expires_at) = notice(&view.notice);
        Self {
            seq: view.seq.get(),
            id: view.id.get(),
            at: moment(view.at),
            notice: word,
            from,
            user: view.from.as_ref().map(User::from),
            conv,
            expires_at,
        }
    }
}

/// A conversation with messages that are not read.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadIn {
    #[serde(serialize_with = "conv")]
    #[schema(value_type = String, example = "d7-9")]
    conv: ConversationId,
    unread: u64,
}

/// Notices that stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notices<'a> {
    notices: Vec<OneNotice<'a>>,
    read: u64,
    total: u64,
    unread: u64,
    more: bool,
    convs: Vec<UnreadIn>,
}

impl<'a> From<&'a NoticesView> for Notices<'a> {
    fn from(view: &'a NoticesView) -> Self {
        let unread_in = |(conv, unread): &(ConversationId, u64)| UnreadIn { conv: *conv, unread: *unread };
        Self {
            notices: view.page.iter().map(OneNotice::from).collect(),
            read: view.read.get(),
            total: view.total,
            unread: view.unread,
            more: view.more,
            convs: view.conversations.iter().map(unread_in).collect(),
        }
    }
}
