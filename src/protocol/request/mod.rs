//! What a client may ask on a socket: frames become commands and queries, each refusal naming its field.
//!
//! It does not know who asks, except to turn `conv.get {user}` into the pair of users, and it decides nothing:
//! permissions, rates and sizes of content are the core's. Nothing that a client sends makes it panic. What an op's `d`
//! means is read by the file of its noun.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::time::Duration;

use actors::command::{Command, Manage, MarkKind, Query};
use actors::id::{ConversationId, Pair, UserId};
use actors::limits::{Limit, Limits};
use actors::relation::Step;
use actors::view::Secret;

use crate::protocol::codec::{Encoding, pieces, shortened};
use crate::protocol::error::{Code, WireError};
use crate::protocol::fields::Fields;
use crate::protocol::value::Value;

mod account;
mod conversations;
mod groups;
mod messages;
mod people;

/// The shortest and longest heartbeat that a client may wish for.
pub const HEARTBEAT_WISH: [Duration; 2] = [Duration::from_secs(5), Duration::from_mins(2)];
/// The most bytes of each fact about a device.
pub const DEVICE_FACT_BYTES_MAX: usize = 128;
/// The most bytes of a page's cursor; ours are shorter.
pub const CURSOR_BYTES_MAX: usize = 256;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The client's number for the reply; without one no reply is wanted.
    pub id: Option<u32>,
    /// What is asked.
    pub op: Op,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// To authenticate the connection.
    Auth(AuthRequest),
    /// To go on with a new access token.
    AuthRefresh {
        /// The token.
        token: Secret,
    },
    /// A sign of life.
    Beat {
        /// How many pushes the client has applied since `hello`.
        pushes: Option<u64>,
    },
    /// The direct conversation with a user, asked before it is known who asks; [`Request::resolve`] turns it into a query.
    OpenWith {
        /// The other one.
        user: UserId,
    },
    /// A change.
    Command(Command),
    /// A question.
    Query(Query),
    /// A wish about the own account or its logins.
    Manage(Manage),
}

/// How a client authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRequest {
    /// The access token.
    pub token: Secret,
    /// What the client says of itself.
    pub device: Device,
    /// How often the client wishes to hear from the server.
    pub heartbeat: Option<Duration>,
}

/// What a client says of itself; for people who look for a fault, never for decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// A stable name of the device.
    pub id: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// The application and its version.
    pub app: Option<String>,
    /// The library and its version.
    pub sdk: Option<String>,
}

/// What came of one request of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// It can be understood.
    Request(Request),
    /// It cannot.
    Refused {
        /// Its number, if it could be read; without one the refusal is a push.
        id: Option<u32>,
        /// Why.
        error: WireError,
    },
}

/// Every op, in the order of the documentation; the label of metrics.
pub const OPS: [&str; 56] = [
    "auth",
    "auth.refresh",
    "hb",
    "account.get",
    "account.update",
    "account.password",
    "account.email",
    "account.deactivate",
    "account.delete",
    "login.list",
    "login.end",
    "login.end_others",
    "login.end_all",
    "user.get",
    "user.find",
    "user.search",
    "relation.get",
    "relation.list",
    "relation.request",
    "relation.accept",
    "relation.decline",
    "relation.remove",
    "relation.block",
    "relation.unblock",
    "conv.get",
    "conv.list",
    "conv.set",
    "unread.get",
    "group.create",
    "group.update",
    "group.add",
    "group.remove",
    "group.role",
    "group.hand_over",
    "group.invite",
    "group.join",
    "group.decline",
    "group.members",
    "group.invitations",
    "msg.send",
    "msg.edit",
    "msg.delete",
    "msg.react",
    "msg.forward",
    "msg.get",
    "msg.history",
    "msg.read_by",
    "msg.reactions",
    "read",
    "delivered",
    "notice.list",
    "notice.read",
    "typing",
    "presence.watch",
    "presence.get",
    "sync",
];

impl Request {
    /// The op, from [`OPS`].
    pub fn name(&self) -> &'static str {
        match &self.op {
            Op::Auth(_) => "auth",
            Op::AuthRefresh { .. } => "auth.refresh",
            Op::Beat { .. } => "hb",
            Op::OpenWith { .. } => "conv.get",
            Op::Command(command) => command_name(command),
            Op::Query(query) => query_name(query),
            Op::Manage(manage) => manage_name(manage),
        }
    }

    /// The request as this user makes it.
    pub fn resolve(self, viewer: UserId) -> Result<Self, WireError> {
        match self.op {
            Op::OpenWith { user } => {
                let pair = Pair::new(viewer, user)
                    .ok()
                    .ok_or_else(|| WireError::validation("user", "must be another user: nobody has a conversation with himself"))?;
                Ok(Self { id: self.id, op: Op::Query(Query::Conversation { conversation: ConversationId::Direct(pair) }) })
            }
            Op::Auth(_) | Op::AuthRefresh { .. } | Op::Beat { .. } | Op::Command(_) | Op::Query(_) | Op::Manage(_) => Ok(self),
        }
    }
}

fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Post { .. } => "msg.send",
        Command::Edit { .. } => "msg.edit",
        Command::Delete { .. } => "msg.delete",
        Command::React { .. } => "msg.react",
        Command::Forward { .. } => "msg.forward",
        Command::CreateGroup { .. } => "group.create",
        Command::ChangeGroup { .. } => "group.update",
        Command::SetRole { .. } => "group.role",
        Command::HandOver { .. } => "group.hand_over",
        Command::Invite { .. } => "group.invite",
        Command::Join { .. } => "group.join",
        Command::Decline { .. } => "group.decline",
        Command::AddMembers { .. } => "group.add",
        Command::RemoveMember { .. } => "group.remove",
        Command::Mark { mark: MarkKind::Read, .. } => "read",
        Command::Mark { mark: MarkKind::Delivered, .. } => "delivered",
        Command::Relate { step, .. } => match step {
            // What a side says beyond the steps here is a word of other doors; nothing here reads it.
            Step::Request { .. } | Step::Say(_) => "relation.request",
            Step::Accept => "relation.accept",
            Step::Decline => "relation.decline",
            Step::Unfriend => "relation.remove",
            Step::Block => "relation.block",
            Step::Unblock => "relation.unblock",
        },
        Command::Set { .. } => "conv.set",
        Command::ReadNotices { .. } => "notice.read",
        Command::Type { .. } => "typing",
        Command::Watch { .. } => "presence.watch",
    }
}

fn query_name(query: &Query) -> &'static str {
    match query {
        Query::User { .. } => "user.get",
        Query::FindUser { .. } => "user.find",
        Query::SearchUsers { .. } => "user.search",
        Query::Presence { .. } => "presence.get",
        Query::Bond { .. } => "relation.get",
        Query::Bonds { .. } => "relation.list",
        Query::Notices { .. } => "notice.list",
        Query::Message { .. } => "msg.get",
        Query::ReadBy { .. } => "msg.read_by",
        Query::Reactions { .. } => "msg.reactions",
        Query::Invitations { .. } => "group.invitations",
        Query::Unread => "unread.get",
        Query::Conversation { .. } => "conv.get",
        Query::Conversations { .. } => "conv.list",
        Query::Members { .. } => "group.members",
        Query::History { .. } => "msg.history",
        Query::Sync { .. } => "sync",
    }
}

fn manage_name(manage: &Manage) -> &'static str {
    match manage {
        Manage::Show => "account.get",
        Manage::Profile(_) => "account.update",
        Manage::Password { .. } => "account.password",
        Manage::Email { .. } => "account.email",
        Manage::Deactivate { .. } => "account.deactivate",
        Manage::Delete { .. } => "account.delete",
        Manage::Logins => "login.list",
        Manage::EndLogin(_) => "login.end",
        Manage::EndOtherLogins => "login.end_others",
        Manage::EndAllLogins => "login.end_all",
    }
}

/// The requests of a frame, in their order; at least one outcome for every frame. `viewer` is the authenticated user.
pub fn decode(encoding: Encoding, payload: &[u8], limits: &Limits, viewer: Option<UserId>) -> Vec<Incoming> {
    let understood = |value| {
        let mut id = None;
        let request = envelope(value, limits, &mut id).and_then(|request| match viewer {
            Some(viewer) => request.resolve(viewer),
            None => Ok(request),
        });
        match request {
            Ok(request) => Incoming::Request(request),
            Err(error) => Incoming::Refused { id, error },
        }
    };
    let pieces = pieces(encoding, payload, limits.count(Limit::FrameRequests));
    let outcome = |piece| match piece {
        Ok(value) => understood(value),
        Err((id, error)) => Incoming::Refused { id, error },
    };
    pieces.into_iter().map(outcome).collect()
}

fn envelope(value: Value<'_>, limits: &Limits, id: &mut Option<u32>) -> Result<Request, WireError> {
    if !matches!(value, Value::Map(_)) {
        return Err(WireError::with(Code::Malformed, "a request must be an object with op and d"));
    }
    let mut outer = Fields::of(value, "", "")?;
    *id = match outer.number("id")? {
        None => None,
        Some(number) => {
            let id = u32::try_from(number).ok();
            Some(id.ok_or_else(|| WireError::validation("id", "must be a whole number from 0 to 4294967295"))?)
        }
    };
    let op = outer.text("op")?;
    let op = outer.needed("op", op)?;
    let d = match outer.value("d") {
        None => Fields::none(),
        Some(value) => Fields::of(value, "d", "")?,
    };
    outer.end()?;
    Ok(Request { id: *id, op: content(&op, d, limits)? })
}

/// The request that an op and its `d` are, where they came without an envelope: over HTTP. `viewer` is who asks.
pub fn decode_op(op: &str, d: Value<'_>, limits: &Limits, viewer: UserId) -> Result<Request, WireError> {
    Request { id: None, op: content(op, Fields::of(d, "", "")?, limits)? }.resolve(viewer)
}

fn content(op: &str, mut d: Fields<'_>, limits: &Limits) -> Result<Op, WireError> {
    let understood = match op.split_once('.').map_or(op, |(noun, _)| noun) {
        "auth" | "hb" => connection_op(op, &mut d)?,
        "account" | "login" => account::read(op, &mut d)?.map(Op::Manage),
        "user" | "relation" | "presence" => people::read(op, &mut d)?,
        "group" => groups::read(op, &mut d)?,
        "msg" => messages::read(op, &mut d)?,
        _ => conversations::read(op, &mut d, limits)?,
    };
    let Some(understood) = understood else {
        return Err(WireError::with(Code::UnknownOp, format!("no such op: {:?}", shortened(op))).at("op"));
    };
    d.end()?;
    Ok(understood)
}

fn connection_op(op: &str, d: &mut Fields<'_>) -> Result<Option<Op>, WireError> {
    Ok(Some(match op {
        "auth" => Op::Auth(auth(d)?),
        "auth.refresh" => Op::AuthRefresh { token: token(d)? },
        "hb" => Op::Beat { pushes: d.number("s")? },
        _ => return Ok(None),
    }))
}

fn token(d: &mut Fields<'_>) -> Result<Secret, WireError> {
    let token = d.short_text("token", usize::MAX)?; // the frame bounds it
    Ok(Secret(d.needed("token", token)?))
}

fn auth(d: &mut Fields<'_>) -> Result<AuthRequest, WireError> {
    let token = token(d)?;
    let device = match d.value("device") {
        None => Device::default(),
        Some(value) => {
            let mut facts = Fields::of(value, "device", "device.")?;
            let device = Device {
                id: facts.short_text("id", DEVICE_FACT_BYTES_MAX)?,
                platform: facts.short_text("platform", DEVICE_FACT_BYTES_MAX)?,
                app: facts.short_text("app", DEVICE_FACT_BYTES_MAX)?,
                sdk: facts.short_text("sdk", DEVICE_FACT_BYTES_MAX)?,
            };
            facts.end()?;
            device
        }
    };
    let [shortest, longest] = HEARTBEAT_WISH;
    let heartbeat = match d.number("hb_ms")?.map(Duration::from_millis) {
        Some(wish) if wish < shortest || wish > longest => {
            return Err(WireError::validation("hb_ms", "must be from 5000 to 120000"));
        }
        wish => wish,
    };
    Ok(AuthRequest { token, device, heartbeat })
}
