//! What a client may ask on a socket: frames become commands and queries, each refusal naming its field.
//!
//! It does not know who asks, except to turn `conv.get {user}` into the pair of users, and it decides nothing:
//! permissions, rates and sizes of content are the core's. Nothing that a client sends makes it panic.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;
use std::time::Duration;

use actors::command::{Command, Cursor, MarkKind, Query, Span};
use actors::content::{Content, GroupName};
use actors::id::{ConversationId, Pair, UserId};
use actors::limits::{Limit, Limits};
use actors::view::Secret;

use crate::protocol::codec::{Encoding, pieces, shortened};
use crate::protocol::error::{Code, WireError};
use crate::protocol::fields::{Fields, conversation, cursor};
use crate::protocol::value::{Value, to_opaque};

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
pub const OPS: [&str; 19] = [
    "auth",
    "auth.refresh",
    "hb",
    "user.get",
    "user.find",
    "conv.get",
    "conv.list",
    "group.create",
    "group.add",
    "group.remove",
    "group.members",
    "msg.send",
    "msg.history",
    "read",
    "delivered",
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
            Op::Command(command) => match command {
                Command::Post { .. } => "msg.send",
                Command::CreateGroup { .. } => "group.create",
                Command::AddMembers { .. } => "group.add",
                Command::RemoveMember { .. } => "group.remove",
                Command::Mark { mark: MarkKind::Read, .. } => "read",
                Command::Mark { mark: MarkKind::Delivered, .. } => "delivered",
                Command::Type { .. } => "typing",
                Command::Watch { .. } => "presence.watch",
            },
            Op::Query(query) => match query {
                Query::User { .. } => "user.get",
                Query::FindUser { .. } => "user.find",
                Query::Conversation { .. } => "conv.get",
                Query::Conversations { .. } => "conv.list",
                Query::Members { .. } => "group.members",
                Query::History { .. } => "msg.history",
                Query::Presence { .. } => "presence.get",
                Query::Sync { .. } => "sync",
            },
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
            Op::Auth(_) | Op::AuthRefresh { .. } | Op::Beat { .. } | Op::Command(_) | Op::Query(_) => Ok(self),
        }
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
    let understood = match connection_op(op, &mut d)? {
        Some(op) => op,
        None => match command(op, &mut d)? {
            Some(command) => Op::Command(command),
            None => match query(op, &mut d, limits)? {
                Some(query) => query,
                None => return Err(WireError::with(Code::UnknownOp, format!("no such op: {:?}", shortened(op))).at("op")),
            },
        },
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

fn command(op: &str, d: &mut Fields<'_>) -> Result<Option<Command>, WireError> {
    Ok(Some(match op {
        "msg.send" => Command::Post { conversation: d.conversation()?, client_key: d.client_key()?, content: message(d)? },
        "group.create" => {
            let client_key = d.client_key()?;
            let name = d.text("name")?;
            let name = d.needed("name", name)?;
            let name = GroupName::new(&name).map_err(|fault| d.unfit("name", fault))?;
            Command::CreateGroup { client_key, name, members: d.users("members")?.unwrap_or_default() }
        }
        "group.add" => {
            let (conversation, client_key, members) = (d.conversation()?, d.client_key()?, d.users("members")?);
            let members = d.needed("members", members)?;
            if members.is_empty() {
                return Err(WireError::validation("members", "must not be empty"));
            }
            Command::AddMembers { conversation, client_key, members }
        }
        "group.remove" => {
            let (conversation, client_key, member) = (d.conversation()?, d.client_key()?, d.user("user")?);
            Command::RemoveMember { conversation, client_key, member: d.needed("user", member)? }
        }
        "read" => mark(d, MarkKind::Read)?,
        "delivered" => mark(d, MarkKind::Delivered)?,
        "typing" => Command::Type { conversation: d.conversation()? },
        "presence.watch" => {
            let users = d.users("users")?;
            Command::Watch { users: d.needed("users", users)? }
        }
        _ => return Ok(None),
    }))
}

fn mark(d: &mut Fields<'_>, mark: MarkKind) -> Result<Command, WireError> {
    let (conversation, seq) = (d.conversation()?, d.seq("seq")?);
    Ok(Command::Mark { conversation, mark, seq: d.needed("seq", seq)? })
}

fn message(d: &mut Fields<'_>) -> Result<Content, WireError> {
    let body = d.value("body");
    let mut body = Fields::of(d.needed("body", body)?, "body", "body.")?;
    let text = body.text("text")?.unwrap_or_default();
    let data = match body.value("data") {
        None => None,
        Some(value) => Some(to_opaque(&value).map_err(|why| WireError::validation("body.data", why))?),
    };
    body.end()?;
    Ok(Content { text: text.into(), data, reply_to: d.seq("reply_to")?, mentions: d.users("mentions")?.unwrap_or_default() })
}

fn query(op: &str, d: &mut Fields<'_>, limits: &Limits) -> Result<Option<Op>, WireError> {
    Ok(Some(Op::Query(match op {
        "user.get" => {
            let user = d.user("user")?;
            Query::User { user: d.needed("user", user)? }
        }
        "user.find" => {
            let username = d.text("username")?;
            Query::FindUser { username: d.needed("username", username)?.into_owned() }
        }
        "conv.get" => match (d.conversation_if_any("conv")?, d.user("user")?) {
            (Some(conversation), None) => Query::Conversation { conversation },
            (None, Some(user)) => return Ok(Some(Op::OpenWith { user })),
            (None, None) => return Err(WireError::validation("conv", "is missing; or name a user")),
            (Some(_), Some(_)) => return Err(WireError::validation("user", "cannot stand beside conv")),
        },
        "conv.list" => Query::Conversations { cursor: d.short_text("cursor", CURSOR_BYTES_MAX)?, limit: d.limit()? },
        "group.members" => Query::Members { conversation: d.conversation()?, after: d.user("after")?, limit: d.limit()? },
        "msg.history" => Query::History { conversation: d.conversation()?, span: span(d)?, limit: d.limit()? },
        "presence.get" => {
            let users = d.users("users")?;
            Query::Presence { users: d.needed("users", users)? }
        }
        "sync" => sync(d, limits)?,
        _ => return Ok(None),
    })))
}

fn span(d: &mut Fields<'_>) -> Result<Span, WireError> {
    match (d.seq("before")?, d.seq_or_zero("after")?) {
        (None, None) => Ok(Span::Newest),
        (Some(seq), None) => Ok(Span::Before(seq)),
        (None, Some(seq)) => Ok(Span::After(seq)),
        (Some(_), Some(_)) => Err(WireError::validation("after", "cannot stand beside before")),
    }
}

fn sync(d: &mut Fields<'_>, limits: &Limits) -> Result<Query, WireError> {
    let user = match d.value("user") {
        None => None,
        Some(value) => Some(own_cursor(&value).ok_or_else(|| WireError::validation("user", "must be [inc, seq]"))?),
    };
    let items = match d.value("convs") {
        None => Vec::new(),
        Some(Value::List(items)) => items,
        Some(_) => return Err(WireError::validation("convs", "must be a list of [conv, inc, seq]")),
    };
    let max = limits.get(Limit::SyncConversations);
    if u64::try_from(items.len()).unwrap_or(u64::MAX) > max {
        return Err(WireError::with(Code::TooManyItems, format!("more than {max}")).at("convs"));
    }
    let mut seen = BTreeSet::new();
    let mut conversations = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let wrong = |why| WireError::validation(format!("convs[{index}]"), why);
        let (conversation, cursor) = conversation_cursor(item).ok_or_else(|| wrong("must be [conv, inc, seq]"))?;
        if !seen.insert(conversation) {
            return Err(wrong("names a conversation for the second time"));
        }
        conversations.push((conversation, cursor));
    }
    Ok(Query::Sync { user, conversations })
}

fn own_cursor(value: &Value<'_>) -> Option<Cursor> {
    let Value::List(items) = value else { return None };
    let [incarnation, at] = items.as_slice() else { return None };
    cursor(incarnation, at)
}

fn conversation_cursor(value: &Value<'_>) -> Option<(ConversationId, Cursor)> {
    let Value::List(items) = value else { return None };
    let [id, incarnation, at] = items.as_slice() else { return None };
    Some((conversation(id)?, cursor(incarnation, at)?))
}
