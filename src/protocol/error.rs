//! A refusal as the client meets it, and how the core's refusals become one, exhaustively.
//!
//! It does not decide who is refused; it only spells. What is said about each code is in [`crate::protocol::registry`].

use std::borrow::Cow;
use std::time::Duration;

use actors::account::AccountField;
use actors::id::Seq;
use actors::rejected::Rejected;
use http::StatusCode;

use crate::protocol::registry::{REGISTRY, Row};

/// Every code, in the order of [`REGISTRY`].
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
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// A page of a web origin that is not listed.
    OriginRefused,
    /// The body did not come in time.
    BodyTimeout,
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
    /// A block stands between the two.
    Blocked,
    /// Somebody else wrote the message.
    NotTheAuthor,
    /// The user joins groups by invitation alone.
    InvitationNeeded,
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
    /// The entry is no message, or one that this cannot be done with.
    NotAMessage,
    /// No such user.
    NoSuchUser,
    /// No such conversation, or the one who asks is no member.
    NoSuchConversation,
    /// The message that is named is not there.
    NoSuchEntry,
    /// The message was deleted.
    MessageDeleted,
    /// There is no request to answer, or no relation to change.
    NoSuchRequest,
    /// The two are no friends.
    NotFriends,
    /// No such login.
    NoSuchLogin,
    /// The username or address is taken.
    Taken,
    /// The group is full.
    GroupFull,
    /// The client key was used for another content.
    Conflict,
    /// The two are friends already.
    AlreadyFriends,
    /// A request is open already.
    AlreadyRequested,
    /// There is a relation already.
    RelationExists,
    /// The message was edited, or has different reactions, as often as it may be.
    MessageFull,
    /// One of the two has as many relations as one may have.
    TooManyRelations,
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
    /// No such file, or the one who asks may not know of it.
    NoSuchFile,
    /// The bytes of the file were erased.
    FileGone,
    /// The file is above its limit.
    FileTooLarge,
    /// The user's files together would be above their limit.
    QuotaExceeded,
    /// A picture that is no image that can be read.
    NotAPicture,
    /// A picture with more pixels than are decoded.
    TooManyPixels,
    /// A range that lies outside the file.
    RangeNotSatisfiable,
    /// There is no room for files.
    StorageFull,
}

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
    /// The same refusal as this op meets it: what names a message has another name in each.
    #[must_use]
    pub fn of_op(self, op: &str) -> Self {
        if self.code != Code::NoSuchEntry {
            return self;
        }
        self.at(match op {
            "msg.send" => "reply_to",
            "msg.get" => "id",
            _ => "seq",
        })
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
            Rejected::NoSuchEntry { seq } if *seq == Seq::ZERO => Self::new(Code::NoSuchEntry),
            Rejected::NoSuchEntry { seq } => Self::with(Code::NoSuchEntry, format!("there is no message at seq {}", seq.get())),
            Rejected::RoleTooLow => Self::new(Code::RoleTooLow),
            // Never whose: who is blocked is not told so, and who blocks knows.
            Rejected::Blocked { .. } => Self::new(Code::Blocked),
            Rejected::NotTheAuthor => Self::new(Code::NotTheAuthor).at("seq"),
            Rejected::InvitationNeeded => Self::new(Code::InvitationNeeded).at("members"),
            Rejected::NotAMessage { seq } => {
                let message = format!("at seq {} there is no message that this can be done with", seq.get());
                Self::with(Code::NotAMessage, message).at("seq")
            }
            Rejected::MessageDeleted { seq } => {
                Self::with(Code::MessageDeleted, format!("the message at seq {} was deleted", seq.get())).at("seq")
            }
            Rejected::NoSuchMedia => Self::new(Code::NoSuchFile),
            Rejected::NoSuchRequest => Self::new(Code::NoSuchRequest).at("user"),
            Rejected::NotFriends => Self::new(Code::NotFriends).at("user"),
            Rejected::NoSuchLogin => Self::new(Code::NoSuchLogin).at("login"),
            Rejected::AlreadyFriends => Self::new(Code::AlreadyFriends).at("user"),
            Rejected::AlreadyRequested { from } => {
                Self::with(Code::AlreadyRequested, format!("user {} has asked already", from.get())).at("user")
            }
            Rejected::RelationExists => Self::new(Code::RelationExists).at("user"),
            Rejected::MessageFull { what, max } => Self::with(Code::MessageFull, format!("at most {max} {what}")).at("seq"),
            Rejected::TooManyRelations { max } => {
                Self::with(Code::TooManyRelations, format!("a user has at most {max} relations")).at("user")
            }
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
