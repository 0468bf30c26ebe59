//! The one registry of refusals: number, name, HTTP status, advice and documentation of every code (P40).
//!
//! The socket's `err`, problem+json, the metric's label and `docs/errors.md` are made from it. Numbers and names are for
//! ever: a code may be added, never changed or reused. The ranges (P39) are in [`RANGES`]; they have nothing to do with
//! the close codes of a WebSocket, which have four digits as well.

use std::fmt::Write as _;

use crate::protocol::error::Code;

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
    /// The core, as a [`actors::rejected::Rejected`].
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
        Code::UnsupportedMediaType,
        1009,
        "unsupported_media_type",
        415,
        (Never, Edge),
        [
            "the body is not declared as JSON",
            "A request with a body names its type, and the REST routes take `application/json` alone.",
            "Send the header `Content-Type: application/json`.",
        ],
    ),
    row(
        Code::OriginRefused,
        1010,
        "origin_refused",
        403,
        (Never, Edge),
        [
            "pages of this origin may not connect",
            "The server has a list of web origins (`edge.origins`), and the page's origin is not exactly one of them.",
            "The operator adds the origin, with scheme, host and port as the browser sends them.",
        ],
    ),
    row(
        Code::BodyTimeout,
        1011,
        "body_timeout",
        408,
        (Now, Edge),
        [
            "the body did not come in time",
            "The request's head came, but not the whole body within `body_deadline`.",
            "Send the request again; nothing of it was done.",
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
    row(
        Code::NoSuchFile,
        4030,
        "no_such_file",
        404,
        (Never, Edge),
        [
            "no such file",
            "There is no such file, or it is another's: who may not read a file is not told whether it exists.",
            "Ask for a file of your own, a picture, or a file attached to a message that you may read.",
        ],
    ),
    row(
        Code::FileGone,
        4031,
        "file_gone",
        410,
        (Never, Edge),
        [
            "the file is gone",
            "The file expired or was deleted. Its bytes were erased; only what is known of it is kept.",
            "Ask its sender for it.",
        ],
    ),
    row(
        Code::FileTooLarge,
        4032,
        "file_too_large",
        413,
        (Never, Edge),
        [
            "the file is too large",
            "The file has more bytes than the limit `media_bytes`, or announces more. Nothing of it was kept.",
            "Send a smaller file.",
        ],
    ),
    row(
        Code::QuotaExceeded,
        4033,
        "quota_exceeded",
        409,
        (Never, Edge),
        [
            "all your files together are too large",
            "With this file all files of the user that are not erased would have more bytes than the limit `media_quota`. Nothing of it was kept.",
            "Delete files with `DELETE /v1/media/{id}`, then send it again.",
        ],
    ),
    row(
        Code::NotAPicture,
        4034,
        "not_a_picture",
        422,
        (Never, Edge),
        [
            "no image that can be read",
            "A picture must be a JPEG, PNG, GIF or WebP that can be decoded within the limits. Nothing of it was kept.",
            "Send another image, or send the file as an attachment.",
        ],
    ),
    row(
        Code::TooManyPixels,
        4035,
        "too_many_pixels",
        422,
        (Never, Edge),
        [
            "the image has too many pixels",
            "The image declares more pixels than the limit `image_pixels`, and is not decoded. Nothing of it was kept.",
            "Send a smaller image.",
        ],
    ),
    row(
        Code::RangeNotSatisfiable,
        4036,
        "range_not_satisfiable",
        416,
        (Never, Edge),
        [
            "the range lies outside the file",
            "The first byte of the range lies behind the last byte of the file. The header `Content-Range` says how many bytes there are.",
            "Ask for a range within the file.",
        ],
    ),
    row(
        Code::StorageFull,
        7006,
        "storage_full",
        507,
        (After, Edge),
        [
            "there is no room for files",
            "The disk or the bucket that keeps files is full. Nothing of the file was kept.",
            "Try again later; tell the operator.",
        ],
    ),
];

/// The thousands of the numbers, and what they are about.
pub const RANGES: [(u16, &str); 7] = [
    (1, "the protocol"),
    (2, "authentication"),
    (3, "permission"),
    (4, "validation, not found, conflict"),
    (5, "rates"),
    (6, "state of the server"),
    (7, "dependencies and overload"),
];

fn meaning(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "not again as it is",
        Retry::Now => "again at once, on a new connection",
        Retry::After => "again after `after_ms`",
        Retry::Refresh => "again with a new access token",
        Retry::Resync => "`sync` first",
        Retry::Unknown => "again, identical, with the same `client_key`: it may have been done",
    }
}

/// `docs/errors.md`: an anchor for each code, with what one sees, why, and what to do.
pub fn document() -> String {
    let mut text = String::from(
        "# Errors\n\nGenerated from the registry in `src/protocol/registry.rs`; a test compares the two.\n\n\
         A refused request is answered with `err` on a socket and with problem+json over HTTP. `code` and `name` never change \
         their meaning; `msg` (`detail`) is for people and may change. `retry` says what to do, `after_ms` when, `field` names \
         what was wrong, and `ref` is found in the server's log. These numbers are not the close codes of a WebSocket; those \
         are in [protocol.md](protocol.md#closing).\n",
    );
    for (thousand, about) in RANGES {
        line(&mut text, format_args!("\n## {thousand}xxx: {about}\n\n| code | name | HTTP | retry |\n| --- | --- | --- | --- |"));
        let rows = || REGISTRY.iter().filter(|row| row.number / 1_000 == thousand);
        for Row { number, name, status, retry, .. } in rows() {
            line(&mut text, format_args!("| {number} | [`{name}`](#{name}) | {status} | {} |", retry.as_str()));
        }
        for Row { number, name, status, title, retry, why, remedy, .. } in rows() {
            line(&mut text, format_args!("\n### <a id=\"{name}\"></a>{number} `{name}`\n"));
            line(&mut text, format_args!("**What you see.** `{name}`: {title}. Over HTTP: {status}.\n\n**Why.** {why}\n"));
            line(&mut text, format_args!("**What to do.** {remedy} Retry: {}.", meaning(*retry)));
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a String takes every line");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_registry_has_the_order_of_the_codes_and_each_number_and_name_once() {
        for (index, row) in REGISTRY.iter().enumerate() {
            assert_eq!(row.code as usize, index, "{}", row.name);
            assert_eq!(row.code.status().as_u16(), row.status);
            assert!(RANGES.iter().any(|(thousand, _)| *thousand == row.number / 1_000), "{} lies in no range", row.name);
            assert!(row.status >= 400 && !row.title.ends_with('.') && row.why.ends_with('.') && row.remedy.ends_with('.'), "{}", row.name);
        }
        assert_eq!(REGISTRY.iter().map(|row| row.number).collect::<BTreeSet<_>>().len(), REGISTRY.len());
        assert_eq!(REGISTRY.iter().map(|row| row.name).collect::<BTreeSet<_>>().len(), REGISTRY.len());
    }
}
