//! Every refusal that a client can meet: one registry with number, name, HTTP status, advice and documentation (P40).
//!
//! The socket's `err`, problem+json, the metric's label and `docs/errors.md` are made from it. It does not decide who
//! is refused; it only spells. Numbers and names are for ever: a code may be added, never changed or reused.
//! The ranges (P39): 1xxx protocol, 2xxx authentication, 3xxx permission, 4xxx validation, not found and conflict,
//! 5xxx limits, 6xxx state, 7xxx dependencies and overload. They have nothing to do with close codes.

use std::borrow::Cow;
use std::time::Duration;

use actors::account::AccountField;
use actors::rejected::Rejected;
use http::StatusCode;

/// Every refusal, in the order of [`REGISTRY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No such op.
    UnknownOp,
    /// More requests in one frame than allowed.
    BatchTooLarge,
    /// `auth` on a connection that is authenticated.
    AlreadyAuthenticated,
    /// A text frame on a `MessagePack` connection, or a binary frame on a JSON connection.
    WrongFrameType,
    /// Neither of the two subprotocols was offered.
    UnknownSubprotocol,
    /// A frame or HTTP body above its limit.
    TooLarge,
    /// No such path.
    NoSuchPath,
    /// The path does not take this method.
    MethodNotAllowed,
    /// Nobody has authenticated.
    Unauthenticated,
    /// The token proves nothing.
    InvalidToken,
    /// The token was good once.
    TokenExpired,
    /// Name and password do not belong together.
    WrongPassword,
    /// The account may not be used.
    AccountDisabled,
    /// The refresh token has ended or was used before.
    InvalidRefresh,
    /// A new token of another user.
    OtherUser,
    /// The role does not allow it.
    RoleTooLow,
    /// The owner cannot leave.
    OwnerCannotLeave,
    /// The bytes are no request.
    Malformed,
    /// A field is not of the form that it must have.
    Validation,
    /// Neither text nor data.
    EmptyMessage,
    /// The message's body is above its limit.
    BodyTooLarge,
    /// More members, mentions, conversations or users than one request may name.
    TooManyItems,
    /// A direct conversation has no members to change.
    NotAGroup,
    /// The seq lies above the tail.
    AheadOfLog,
    /// No such user.
    NoSuchUser,
    /// No such conversation, or the one who asks is no member.
    NoSuchConversation,
    /// The message to be answered is not there.
    NoSuchEntry,
    /// The username or address is taken.
    Taken,
    /// The group is full.
    GroupFull,
    /// The client key was used for another content.
    Conflict,
    /// Too often.
    RateLimited,
    /// The node is going away.
    Draining,
    /// A dependency does not answer.
    Unavailable,
    /// Too much is waiting already.
    Busy,
    /// It may have been done.
    Unknown,
    /// The log is frozen.
    Frozen,
    /// A mistake of the server.
    Internal,
}

/// What a client should do with a refused request (P38).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not again as it is.
    Never,
    /// Again at once.
    Now,
    /// Again after `after_ms`.
    After,
    /// Again after drawing a new access token.
    Refresh,
    /// `sync` first; what the client believes about the log is wrong.
    Resync,
    /// It may have been done: again with the same client key.
    Unknown,
}

impl Retry {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Now => "now",
            Self::After => "after",
            Self::Refresh => "refresh",
            Self::Resync => "resync",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a refusal is decided; each origin has a test that its codes really occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This module, while it reads a request.
    Reading,
    /// The core, as a [`Rejected`].
    Core,
    /// The edge: what depends on the connection.
    Edge,
}

/// One refusal and all that is said about it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which one.
    pub code: Code,
    /// Its number.
    pub number: u16,
    /// Its name; also the metric's label and the anchor in the documentation.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The advice.
    pub retry: Retry,
    /// Who decides it.
    pub origin: Origin,
    /// What one sees, in a few words; the title of problem+json.
    pub title: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn row(code: Code, number: u16, name: &'static str, status: u16, advice: (Retry, Origin), texts: [&'static str; 3]) -> Row {
    Row { code, number, name, status, retry: advice.0, origin: advice.1, title: texts[0], why: texts[1], remedy: texts[2] }
}

use Origin::{Core, Edge, Reading};
use Retry::{After, Never, Now, Refresh, Resync};

/// The registry, in the order of [`Code`].
pub const REGISTRY: &[Row] = &[
    row(
        Code::UnknownOp,
        1001,
        "unknown_op",
        400,
        (Never, Reading),
        [
            "the op is not known",
            "The request's `op` is no word of this version of the protocol.",
            "Compare the op with the table in `protocol.md`; a server that is older than the client lists what it can in `hello.features`.",
        ],
    ),
    row(
        Code::BatchTooLarge,
        1002,
        "batch_too_large",
        400,
        (Never, Reading),
        [
            "too many requests in one frame",
            "A frame holds at most `hello.limits.frame_requests` requests. None of the frame's requests was carried out.",
            "Spread the requests over several frames.",
        ],
    ),
    row(
        Code::AlreadyAuthenticated,
        1003,
        "already_authenticated",
        400,
        (Never, Edge),
        [
            "the connection is authenticated",
            "`auth` was sent twice, or after an `Authorization` header or a `bearer.` subprotocol had already authenticated the connection.",
            "Use `auth.refresh` for a new token of the same user; open a new connection for another user.",
        ],
    ),
    row(
        Code::WrongFrameType,
        1004,
        "wrong_frame_type",
        400,
        (Never, Edge),
        [
            "the frame is of the wrong type",
            "`parlance.v1+json` speaks in text frames, `parlance.v1+msgpack` in binary frames, for the life of the connection.",
            "Send the other type of frame, or connect with the other subprotocol.",
        ],
    ),
    row(
        Code::UnknownSubprotocol,
        1005,
        "unknown_subprotocol",
        400,
        (Never, Edge),
        [
            "no known subprotocol was offered",
            "The WebSocket handshake must offer `parlance.v1+json` or `parlance.v1+msgpack` in `Sec-WebSocket-Protocol`.",
            "Name one of the two: in a browser, `new WebSocket(url, [\"parlance.v1+json\"])`.",
        ],
    ),
    row(
        Code::TooLarge,
        1006,
        "too_large",
        413,
        (Never, Edge),
        [
            "more bytes than allowed",
            "The first frame was above the limit for frames before authentication, or an HTTP body above its limit.",
            "Make it smaller. The limits are in `hello.limits`.",
        ],
    ),
    row(
        Code::NoSuchPath,
        1007,
        "no_such_path",
        404,
        (Never, Edge),
        [
            "there is nothing at this path",
            "No part of the server answers at this path.",
            "Compare the path with the table in `protocol.md`, also its slash at the end.",
        ],
    ),
    row(
        Code::MethodNotAllowed,
        1008,
        "method_not_allowed",
        405,
        (Never, Edge),
        [
            "the path does not take this method",
            "The path exists, but not for this method.",
            "The header `Allow` names the methods that it takes.",
        ],
    ),
    row(
        Code::Unauthenticated,
        2001,
        "unauthenticated",
        401,
        (Never, Edge),
        [
            "nobody has authenticated",
            "The request came before `auth`, or without an `Authorization: Bearer` header.",
            "Authenticate first, then send the request again.",
        ],
    ),
    row(
        Code::InvalidToken,
        2002,
        "invalid_token",
        401,
        (Never, Core),
        [
            "the token proves nothing",
            "The token is not one of this server's access tokens, or the login that it was drawn from has ended.",
            "Log in again. Refreshing does not help if the login has ended.",
        ],
    ),
    row(
        Code::TokenExpired,
        2003,
        "token_expired",
        401,
        (Refresh, Core),
        ["the token has expired", "Access tokens are short-lived.", "Draw a new one with `POST /v1/refresh`, then send the request again."],
    ),
    row(
        Code::WrongPassword,
        2004,
        "wrong_password",
        401,
        (Never, Core),
        [
            "name and password do not belong together",
            "The password is wrong, or there is no such account: the server does not say which.",
            "Ask the person again.",
        ],
    ),
    row(
        Code::AccountDisabled,
        2005,
        "account_disabled",
        403,
        (Never, Core),
        ["the account is disabled", "An operator has disabled the account.", "Stop. Trying again does not help."],
    ),
    row(
        Code::InvalidRefresh,
        2006,
        "invalid_refresh",
        401,
        (Never, Core),
        [
            "the refresh token is of no use",
            "The login has ended or expired, or the refresh token was used before. A refresh token that comes back later counts as stolen and ends its login.",
            "Log in again. Keep the newest refresh token only, and let one place of the application refresh.",
        ],
    ),
    row(
        Code::OtherUser,
        2007,
        "other_user",
        403,
        (Never, Edge),
        [
            "the token is another user's",
            "`auth.refresh` takes a new token of the user who authenticated the connection.",
            "Open a new connection for the other user.",
        ],
    ),
    row(
        Code::RoleTooLow,
        3001,
        "role_too_low",
        403,
        (Never, Core),
        [
            "the role does not allow it",
            "Only the owner and admins of a group add and remove members.",
            "Ask the owner or an admin. `conv.get` names the own role.",
        ],
    ),
    row(
        Code::OwnerCannotLeave,
        3002,
        "owner_cannot_leave",
        403,
        (Never, Core),
        ["the owner cannot leave the group", "A group always has an owner.", "Remove the other members, or leave the group unused."],
    ),
    row(
        Code::Malformed,
        4001,
        "malformed",
        400,
        (Never, Reading),
        [
            "the bytes are no request",
            "No valid JSON or MessagePack, a key twice in one object, half of a surrogate pair, more than 32 levels, bytes after the value, or no object where one must be.",
            "It is a mistake of the client's encoder. The text says what was found. A text that was cut in the middle of an emoji has half of a surrogate pair.",
        ],
    ),
    row(
        Code::Validation,
        4002,
        "validation",
        400,
        (Never, Reading),
        [
            "a field is not as it must be",
            "A field is missing, of the wrong type, out of range, or not known to this op. `field` names it.",
            "Correct the field. Numbers are at most 2^53 - 1; ids are spelled as the server spells them.",
        ],
    ),
    row(
        Code::EmptyMessage,
        4003,
        "empty_message",
        400,
        (Never, Core),
        ["the message says nothing", "A message needs a `text` that is not empty, or `data`.", "Do not send it."],
    ),
    row(
        Code::BodyTooLarge,
        4004,
        "body_too_large",
        413,
        (Never, Core),
        [
            "the message is too large",
            "Text, data and mentions together are above `hello.limits.body_bytes`.",
            "Make it shorter, or store the large part elsewhere and send a link.",
        ],
    ),
    row(
        Code::TooManyItems,
        4005,
        "too_many_items",
        413,
        (Never, Core),
        [
            "a list is too long",
            "`field` names more members, mentions, conversations or users than one request may name.",
            "Spread them over several requests. The limits are in `hello.limits`.",
        ],
    ),
    row(
        Code::NotAGroup,
        4006,
        "not_a_group",
        400,
        (Never, Core),
        [
            "the conversation is not a group",
            "A direct conversation is its two users: nobody can be added, removed or listed.",
            "Create a group.",
        ],
    ),
    row(
        Code::AheadOfLog,
        4007,
        "ahead_of_log",
        400,
        (Resync, Core),
        [
            "the seq lies above the end of the log",
            "The client knows of an entry that the server does not have. After a restore from a backup that is possible.",
            "`sync`; if the answer is `reset`, drop what is cached of this conversation.",
        ],
    ),
    row(
        Code::NoSuchUser,
        4010,
        "no_such_user",
        404,
        (Never, Core),
        [
            "there is no such user",
            "No account has this number or username.",
            "Correct the number or username; usernames are compared exactly.",
        ],
    ),
    row(
        Code::NoSuchConversation,
        4011,
        "no_such_conversation",
        404,
        (Never, Core),
        [
            "there is no such conversation",
            "It does not exist, or the user is not a member: the server does not say which.",
            "If it was there before, the user was removed: `sync` says so.",
        ],
    ),
    row(
        Code::NoSuchEntry,
        4012,
        "no_such_entry",
        404,
        (Never, Core),
        [
            "the message to be answered is not there",
            "`reply_to` names a seq at which there is no message that the user may read.",
            "Send the message without `reply_to`, or correct it.",
        ],
    ),
    row(
        Code::Taken,
        4020,
        "taken",
        409,
        (Never, Core),
        ["the username or address is taken", "Another account has it. `field` says which of the two.", "Choose another one, or log in."],
    ),
    row(
        Code::GroupFull,
        4021,
        "group_full",
        409,
        (Never, Core),
        [
            "the group is full",
            "A group has a limited number of members. None of those named was added.",
            "Add fewer, or remove others first.",
        ],
    ),
    row(
        Code::Conflict,
        4022,
        "conflict",
        409,
        (Never, Core),
        [
            "the client key was used for something else",
            "The same `client_key` was stored before in this conversation, with another content.",
            "A new message needs a new key; a repetition must be identical. The first one stands and is unchanged.",
        ],
    ),
    row(
        Code::RateLimited,
        5001,
        "rate_limited",
        429,
        (After, Core),
        [
            "too often",
            "A rate of this user, connection, address or conversation is used up. Nothing was done.",
            "Send it again after `after_ms`, with the same client key. Who goes on regardless is disconnected with 4202.",
        ],
    ),
    row(
        Code::Draining,
        6001,
        "draining",
        503,
        (Now, Core),
        [
            "the node is going away",
            "The server is being restarted or replaced. Nothing was done.",
            "Connect again, `sync`, and send the request again with the same client key.",
        ],
    ),
    row(
        Code::Unavailable,
        7001,
        "unavailable",
        503,
        (After, Core),
        [
            "it cannot be done now",
            "The store does not answer. Surely nothing was done.",
            "Send it again after `after_ms`, with the same client key.",
        ],
    ),
    row(
        Code::Busy,
        7002,
        "busy",
        503,
        (After, Core),
        [
            "too much is waiting already",
            "The conversation or the node has as much work waiting as it takes. Nothing was done.",
            "Send it again after `after_ms`, with the same client key.",
        ],
    ),
    row(
        Code::Unknown,
        7003,
        "unknown",
        503,
        (Retry::Unknown, Core),
        [
            "it may have been done",
            "The outcome could not be learned in time. The message may be stored, or may still be stored.",
            "Send the identical request again with the same client key until the answer is definite: it is stored once, and `dup` says whether it was there.",
        ],
    ),
    row(
        Code::Frozen,
        7004,
        "frozen",
        503,
        (Never, Core),
        [
            "the conversation is frozen",
            "Stored data contradicts itself, and the server does not guess. Reading goes on; nothing is written until an operator has looked.",
            "Tell the operator the `ref`.",
        ],
    ),
    row(
        Code::Internal,
        7005,
        "internal",
        500,
        (Never, Core),
        [
            "a mistake of the server",
            "Something happened that must not happen.",
            "Tell the operator the `ref`; the server's log has the same one.",
        ],
    ),
];

impl Code {
    /// All that is said about it.
    pub fn row(self) -> &'static Row {
        &REGISTRY[self as usize]
    }
    /// Its name; a closed list, so it may be a metric's label.
    pub fn name(self) -> &'static str {
        self.row().name
    }
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().status).expect("a test holds every status of the registry valid")
    }
}

/// One refusal as it goes to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// Which.
    pub code: Code,
    /// What is wrong this time: lower case, no full stop, nothing of the content.
    pub message: Cow<'static, str>,
    /// Which field, as a path (`body.text`, `convs[3]`).
    pub field: Option<Cow<'static, str>>,
    /// When to try again.
    pub after: Option<Duration>,
}

impl WireError {
    /// A refusal with the registry's own words.
    pub fn new(code: Code) -> Self {
        Self { code, message: Cow::Borrowed(code.row().title), field: None, after: None }
    }
    /// A refusal with words of its own.
    pub fn with(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::new(code) }
    }
    /// A field that is not as it must be.
    pub fn validation(field: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..Self::with(Code::Validation, why) }
    }
    /// The same refusal, naming a field.
    #[must_use]
    pub fn at(self, field: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }
    /// The same refusal with a pause.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self { after: Some(pause), ..self }
    }
    /// The pause in whole milliseconds, at least one.
    pub fn after_millis(&self) -> Option<u64> {
        self.after.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).clamp(1, actors::id::NUMBER_MAX))
    }
    /// The pause in whole seconds, rounded up, for the header `Retry-After`.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.after_millis().map(|millis| millis.div_ceil(1_000))
    }
}

impl From<&Self> for WireError {
    fn from(error: &Self) -> Self {
        error.clone()
    }
}

/// How the native protocol spells a field of an account.
pub fn account_field(field: AccountField) -> (&'static str, &'static str) {
    match field {
        AccountField::Username => ("username", "must be 1 to 150 letters, digits or @ . + - _"),
        AccountField::Email => ("email", "must be an address such as ann@example.org"),
        AccountField::Password => ("password", "must have at least 8 characters, and at most 1024 bytes"),
        AccountField::Name => ("name", "must have at most 150 characters, no control characters"),
    }
}

impl From<&Rejected> for WireError {
    fn from(rejected: &Rejected) -> Self {
        match rejected {
            Rejected::Field { field, why } => Self::validation(*field, *why),
            Rejected::EmptyMessage => Self::new(Code::EmptyMessage).at("body"),
            Rejected::BodyTooLarge { max } => Self::with(Code::BodyTooLarge, format!("larger than {max} bytes")).at("body"),
            Rejected::TooManyItems { field, max } => Self::with(Code::TooManyItems, format!("more than {max}")).at(*field),
            Rejected::InvalidCredential => Self::new(Code::InvalidToken),
            Rejected::ExpiredCredential => Self::new(Code::TokenExpired),
            Rejected::WrongPassword => Self::new(Code::WrongPassword),
            Rejected::AccountDisabled => Self::new(Code::AccountDisabled),
            Rejected::InvalidRefresh => Self::new(Code::InvalidRefresh),
            Rejected::InvalidAccount { field } => {
                let (field, why) = account_field(*field);
                Self::validation(field, why)
            }
            Rejected::Taken { field } => Self::new(Code::Taken).at(account_field(*field).0),
            Rejected::NoSuchUser => Self::new(Code::NoSuchUser),
            Rejected::NoSuchConversation => Self::new(Code::NoSuchConversation),
            Rejected::NoSuchEntry { seq } => {
                Self::with(Code::NoSuchEntry, format!("there is no message to answer at seq {}", seq.get())).at("reply_to")
            }
            Rejected::RoleTooLow => Self::new(Code::RoleTooLow),
            Rejected::OwnerCannotLeave => Self::new(Code::OwnerCannotLeave),
            Rejected::NotAGroup => Self::new(Code::NotAGroup).at("conv"),
            Rejected::GroupFull { max } => Self::with(Code::GroupFull, format!("a group has at most {max} members")).at("members"),
            Rejected::KeyReused { seq } => {
                Self::with(Code::Conflict, format!("the client key stands for another content at seq {}", seq.get())).at("client_key")
            }
            Rejected::AheadOfLog { tail } => Self::with(Code::AheadOfLog, format!("the log ends at seq {}", tail.get())).at("seq"),
            Rejected::TooFast { bucket, after } => {
                Self::with(Code::RateLimited, format!("too often: the allowance {bucket} is used up")).after(*after)
            }
            Rejected::Busy { after } => Self::new(Code::Busy).after(*after),
            Rejected::Unavailable { after } => Self::new(Code::Unavailable).after(*after),
            Rejected::Draining => Self::new(Code::Draining),
            Rejected::Unknown => Self::new(Code::Unknown),
            Rejected::Frozen => Self::new(Code::Frozen),
            Rejected::Internal => Self::new(Code::Internal),
        }
    }
}
