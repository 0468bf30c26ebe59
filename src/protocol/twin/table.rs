//! Every op with its fields, its answer and its twin over HTTP. The order is that of the documentation.
//!
//! To add an op: its arms in the decoder and in the rendering, its name in `OPS`, and one row here.

use actors::id::NUMBER_MAX;
use actors::limits::Limit;

use super::shape::{Answer, Field, Kind, Pace, Rest, Row, Window, delete, get, may, need, post, put, row};
use crate::protocol::wire::{
    AuthOk, Conversation, Conversations, Empty, History, Marked, Members, RefreshOk, Stored, Sync, User, Watching,
};

/// A conversation's id.
pub const CONV: Field = need("conv", Kind::Conv);
/// A user's number.
pub const USER: Field = need("user", Kind::User);
/// The key that makes a repetition harmless.
pub const CLIENT_KEY: Field = need("client_key", Kind::Text(1, actors::content::CLIENT_KEY_BYTES_MAX));
/// How many at most.
pub const LIMIT: Field = may("limit", Kind::Number(1, NUMBER_MAX));
/// An entry's seq.
pub const SEQ: Kind = Kind::Number(1, NUMBER_MAX);
/// Users by number.
pub const USERS: Kind = Kind::List(&Kind::User);
/// Where the last page ended.
pub const CURSOR: Field = may("cursor", Kind::Text(1, super::super::request::CURSOR_BYTES_MAX));

const TOKEN: Field = need("token", Kind::Text(1, 8_192));
const FACT: Kind = Kind::Text(1, super::super::request::DEVICE_FACT_BYTES_MAX);
const DEVICE: Kind = Kind::Object(&[may("id", FACT), may("platform", FACT), may("app", FACT), may("sdk", FACT)]);
const BODY: Kind = Kind::Object(&[may("text", Kind::Text(0, 32_768)), may("data", Kind::Any)]);
const POSTS: &[Pace] = &[
    Pace { bucket: "posts_user", quota: Limit::PostsBurstUser, window: Window::Rate(Limit::PostsRateUser) },
    Pace { bucket: "posts_conversation", quota: Limit::PostsBurstConversation, window: Window::Rate(Limit::PostsRateConversation) },
];
const GROUPS: &[Pace] = &[Pace { bucket: "groups", quota: Limit::GroupsPerHour, window: Window::Seconds(3_600) }];
const CONNECTION: &str = "is of the connection; over HTTP every request brings its token";

/// The table.
#[rustfmt::skip] // a row is a line
pub static TABLE: &[Row] = &[
    row("auth", "Authenticates the connection.", &[TOKEN, may("device", DEVICE), may("hb_ms", Kind::Number(5_000, 120_000))], Answer::of::<AuthOk<'static>>(), Rest::None(CONNECTION)),
    row("auth.refresh", "Goes on with a new access token.", &[TOKEN], Answer::of::<RefreshOk>(), Rest::None(CONNECTION)),
    row("hb", "A sign of life.", &[may("s", Kind::Number(0, NUMBER_MAX))], Answer::of::<Empty>(), Rest::None("is of the connection; a request over HTTP needs no sign of life")),
    row("user.get", "A user by number.", &[USER], Answer::of::<User<'static>>(), get("/v1/users/{user}")),
    row("user.find", "A user by username, compared exactly.", &[need("username", Kind::Text(1, 150))], Answer::of::<User<'static>>(), get("/v1/users")),
    row("conv.get", "One conversation as its member sees it.", &[CONV], Answer::of::<Conversation<'static>>(), get("/v1/conversations/{conv}")),
    row("conv.get", "The direct conversation with a user; it may still be empty.", &[USER], Answer::of::<Conversation<'static>>(), get("/v1/users/{user}/conversation")),
    row("conv.list", "The own conversations, latest activity first.", &[CURSOR, LIMIT], Answer::of::<Conversations<'static>>(), get("/v1/conversations")),
    row("group.create", "Creates a group with the one who asks as its owner.", &[CLIENT_KEY, need("name", Kind::Text(1, 255)), may("members", USERS)], Answer::of::<Stored>(), post("/v1/groups", 201).paced(GROUPS)),
    row("group.add", "Adds members to a group.", &[CONV, CLIENT_KEY, need("members", USERS)], Answer::of::<Stored>(), post("/v1/conversations/{conv}/members", 201)),
    row("group.remove", "Removes a member from a group; the own number leaves it.", &[CONV, CLIENT_KEY, USER], Answer::of::<Stored>(), delete("/v1/conversations/{conv}/members/{user}", 200)),
    row("group.members", "Members of a group, by number.", &[CONV, may("after", Kind::User), LIMIT], Answer::of::<Members>(), get("/v1/conversations/{conv}/members")),
    row("msg.send", "Stores a message; answered when it is durable.", &[CONV, CLIENT_KEY, need("body", BODY), may("reply_to", SEQ), may("mentions", USERS)], Answer::of::<Stored>(), post("/v1/conversations/{conv}/messages", 201).paced(POSTS)),
    row("msg.history", "Entries of a conversation, oldest first; `before` and `after` exclude each other.", &[CONV, may("before", SEQ), may("after", Kind::Number(0, NUMBER_MAX)), LIMIT], Answer::of::<History<'static>>(), get("/v1/conversations/{conv}/messages")),
    row("read", "Raises the own read mark; it never falls.", &[CONV, need("seq", SEQ)], Answer::of::<Marked>(), put("/v1/conversations/{conv}/read", 200)),
    row("delivered", "Raises the own delivered mark; it never falls.", &[CONV, need("seq", SEQ)], Answer::of::<Marked>(), put("/v1/conversations/{conv}/delivered", 200)),
    row("typing", "Tells the other members that the one who asks is writing.", &[CONV], Answer::of::<Empty>(), post("/v1/conversations/{conv}/typing", 204)),
    row("presence.watch", "Replaces the list of users whose coming and going this connection hears of.", &[need("users", USERS)], Answer::of::<Watching>(), Rest::None("is of the connection, which hears of changes; `presence.get` asks once")),
    row("presence.get", "How users stand now, without hearing of changes.", &[need("users", USERS)], Answer::of::<Watching>(), get("/v1/presence")),
    row("sync", "What happened since these cursors.", &[may("user", Kind::Cursor), may("convs", Kind::Cursors)], Answer::of::<Sync<'static>>(), get("/v1/sync").waiting()),
    row("sync", "The same for more cursors than a query holds.", &[may("user", Kind::Cursor), may("convs", Kind::Cursors)], Answer::of::<Sync<'static>>(), post("/v1/sync", 200).waiting()),
];
