//! Every op with its fields, its answer and its twin over HTTP. The order is that of the documentation.
//!
//! To add an op: its arms in the decoder and in the rendering, its name in `OPS`, and one row here.

use actors::id::NUMBER_MAX;
use actors::limits::Limit;

use super::shape::{Answer, Field, Kind, Pace, Rest, Row, Window, delete, get, may, need, patch, post, put, row};
use crate::protocol::wire::{
    Account, AuthOk, Conversation, Conversations, Empty, Entry, History, Invitations, Logins, Marked, Members, Notices, Prefs, Reactions,
    ReadBy, RefreshOk, Relation, Relations, Stored, Sync, UnreadTotal, User, Users, Watching,
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
const NAME: Kind = Kind::Text(1, actors::account::NAME_CHARS_MAX);
/// A name as people show it.
const SHOWN: Kind = Kind::Text(0, actors::account::NAME_CHARS_MAX);
const ABOUT: Kind = Kind::Text(0, actors::content::ABOUT_BYTES_MAX);
const GROUP_NAME: Kind = Kind::Text(1, actors::content::GROUP_NAME_BYTES_MAX);
const PASSWORD: Field = need("password", Kind::Text(0, 8_192));
const AUDIENCE: Kind = Kind::Word(&["everyone", "friends", "nobody"]);
const PRIVACY: Kind =
    Kind::Object(&[need("presence", AUDIENCE), need("receipts", Kind::Flag), need("searchable", Kind::Flag), need("groups", AUDIENCE)]);
const FILTER: Kind = Kind::Word(&["friends", "incoming", "outgoing", "blocked", "related"]);
const BODY: Kind = Kind::Object(&[may("text", Kind::Text(0, 32_768)), may("data", Kind::Any)]);
const AFTER: Field = may("after", Kind::User);
const POSTS: &[Pace] = &[
    Pace { bucket: "posts_user", quota: Limit::PostsBurstUser, window: Window::Rate(Limit::PostsRateUser) },
    Pace { bucket: "posts_conversation", quota: Limit::PostsBurstConversation, window: Window::Rate(Limit::PostsRateConversation) },
];
const GROUPS: &[Pace] = &[Pace { bucket: "groups", quota: Limit::GroupsPerHour, window: Window::Seconds(3_600) }];
const REQUESTS: &[Pace] = &[Pace { bucket: "requests", quota: Limit::RequestsPerHour, window: Window::Seconds(3_600) }];
const INVITES: &[Pace] = &[Pace { bucket: "invites", quota: Limit::InvitesPerHour, window: Window::Seconds(3_600) }];
const SEARCHES: &[Pace] = &[Pace { bucket: "searches", quota: Limit::SearchesBurst, window: Window::Rate(Limit::SearchesRate) }];
const PROFILES: &[Pace] = &[Pace { bucket: "profiles", quota: Limit::ProfilesPerHour, window: Window::Seconds(3_600) }];
const PASSWORDS: &[Pace] = &[Pace { bucket: "passwords", quota: Limit::LoginsAccount, window: Window::Seconds(60) }];
const CONNECTION: &str = "is of the connection; over HTTP every request brings its token";

/// The table.
#[rustfmt::skip] // a row is a line
pub static TABLE: &[Row] = &[
    row("auth", "Authenticates the connection.", &[TOKEN, may("device", DEVICE), may("hb_ms", Kind::Number(5_000, 120_000))], Answer::of::<AuthOk<'static>>(), Rest::None(CONNECTION)),
    row("auth.refresh", "Goes on with a new access token.", &[TOKEN], Answer::of::<RefreshOk>(), Rest::None(CONNECTION)),
    row("hb", "A sign of life.", &[may("s", Kind::Number(0, NUMBER_MAX))], Answer::of::<Empty>(), Rest::None("is of the connection; a request over HTTP needs no sign of life")),
    row("account.get", "The own account.", &[], Answer::of::<Account<'static>>(), get("/v1/account")),
    row("account.update", "Changes what is named of the own profile.", &[may("name", SHOWN), may("username", NAME), may("first_name", SHOWN), may("last_name", SHOWN), may("about", ABOUT), may("picture", Kind::Picture), may("privacy", PRIVACY)], Answer::of::<Account<'static>>(), patch("/v1/account", 200).paced(PROFILES)).some(),
    row("account.password", "Changes the password.", &[need("old", Kind::Text(0, 8_192)), need("new", Kind::Text(8, actors::account::PASSWORD_BYTES_MAX))], Answer::of::<Empty>(), put("/v1/account/password", 204).paced(PASSWORDS)),
    row("account.email", "Changes the address.", &[PASSWORD, need("email", Kind::Email)], Answer::of::<Account<'static>>(), put("/v1/account/email", 200).paced(PASSWORDS)),
    row("account.deactivate", "Deactivates the own account until the next login.", &[PASSWORD], Answer::of::<Empty>(), post("/v1/account/deactivate", 204).paced(PASSWORDS)),
    row("account.delete", "Deletes the own account.", &[PASSWORD], Answer::of::<Empty>(), post("/v1/account/delete", 204).paced(PASSWORDS)),
    row("login.list", "The own logins.", &[], Answer::of::<Logins<'static>>(), get("/v1/logins")),
    row("login.end", "Ends one login and its connections.", &[need("login", Kind::Hex)], Answer::of::<Empty>(), delete("/v1/logins/{login}", 204)),
    row("login.end_others", "Ends all logins but the one that asks.", &[], Answer::of::<Empty>(), post("/v1/logins/end_others", 204)),
    row("login.end_all", "Ends all logins, the one that asks among them.", &[], Answer::of::<Empty>(), delete("/v1/logins", 204)),
    row("user.get", "A user by number.", &[USER], Answer::of::<User<'static>>(), get("/v1/users/{user}")),
    row("user.find", "A user by username, compared exactly.", &[need("username", Kind::Text(1, 150))], Answer::of::<User<'static>>(), get("/v1/users")),
    row("user.search", "Users whose names begin with this.", &[need("prefix", Kind::Text(2, 64)), LIMIT], Answer::of::<Users<'static>>(), get("/v1/users/search").paced(SEARCHES)),
    row("relation.get", "What a user is to the own one.", &[USER], Answer::of::<Relation<'static>>(), get("/v1/relations/{user}")),
    row("relation.list", "The own relations of one sort.", &[need("filter", FILTER), CURSOR, LIMIT], Answer::of::<Relations<'static>>(), get("/v1/relations")),
    row("relation.request", "Asks to be friends.", &[USER], Answer::of::<Relation<'static>>(), post("/v1/relations/{user}/request", 200).paced(REQUESTS)),
    row("relation.accept", "Accepts a request to be friends.", &[USER], Answer::of::<Relation<'static>>(), post("/v1/relations/{user}/accept", 200)),
    row("relation.decline", "Declines a request, or takes back the own one.", &[USER], Answer::of::<Relation<'static>>(), post("/v1/relations/{user}/decline", 200)),
    row("relation.remove", "Ends a friendship.", &[USER], Answer::of::<Relation<'static>>(), delete("/v1/relations/{user}", 200)),
    row("relation.block", "Blocks a user.", &[USER], Answer::of::<Relation<'static>>(), put("/v1/relations/{user}/block", 200)),
    row("relation.unblock", "Ends a block.", &[USER], Answer::of::<Relation<'static>>(), delete("/v1/relations/{user}/block", 200)),
    row("conv.get", "One conversation as its member sees it.", &[CONV], Answer::of::<Conversation<'static>>(), get("/v1/conversations/{conv}")),
    row("conv.get", "The direct conversation with a user; it may still be empty.", &[USER], Answer::of::<Conversation<'static>>(), get("/v1/users/{user}/conversation")),
    row("conv.list", "The own conversations, latest activity first.", &[CURSOR, LIMIT], Answer::of::<Conversations<'static>>(), get("/v1/conversations")),
    row("conv.set", "Mutes, archives, clears or hides, for the one who asks alone; one of them at a time.", &[CONV, CLIENT_KEY, may("mute_until", Kind::Number(0, NUMBER_MAX)), may("archived", Kind::Flag), may("clear", SEQ), may("hide", SEQ)], Answer::of::<Prefs>(), put("/v1/conversations/{conv}/preferences", 200)).one(),
    row("unread.get", "How much is unread in all.", &[], Answer::of::<UnreadTotal>(), get("/v1/unread")),
    row("group.create", "Creates a group with the one who asks as its owner.", &[CLIENT_KEY, need("name", GROUP_NAME), may("members", USERS), may("open", Kind::Flag)], Answer::of::<Stored>(), post("/v1/groups", 201).paced(GROUPS)),
    row("group.update", "Changes what is named of a group.", &[CONV, CLIENT_KEY, may("name", GROUP_NAME), may("about", ABOUT), may("picture", Kind::Picture), may("open", Kind::Flag)], Answer::of::<Stored>(), patch("/v1/conversations/{conv}", 200)).some(),
    row("group.add", "Adds members to a group.", &[CONV, CLIENT_KEY, need("members", USERS)], Answer::of::<Stored>(), post("/v1/conversations/{conv}/members", 201)),
    row("group.remove", "Removes a member from a group; the own number leaves it.", &[CONV, CLIENT_KEY, USER], Answer::of::<Stored>(), delete("/v1/conversations/{conv}/members/{user}", 200)),
    row("group.role", "Changes a member's role.", &[CONV, CLIENT_KEY, USER, need("role", Kind::Word(&["member", "admin"]))], Answer::of::<Stored>(), put("/v1/conversations/{conv}/members/{user}/role", 200)),
    row("group.hand_over", "Makes another member the owner.", &[CONV, CLIENT_KEY, USER], Answer::of::<Stored>(), put("/v1/conversations/{conv}/owner", 200)),
    row("group.invite", "Invites users to a group.", &[CONV, CLIENT_KEY, need("users", USERS)], Answer::of::<Stored>(), post("/v1/conversations/{conv}/invitations", 201).paced(INVITES)),
    row("group.join", "Joins a group that is open or to which one is invited.", &[CONV, CLIENT_KEY], Answer::of::<Stored>(), post("/v1/conversations/{conv}/join", 201)),
    row("group.decline", "Declines the own invitation, or takes another's back.", &[CONV, CLIENT_KEY, USER], Answer::of::<Stored>(), delete("/v1/conversations/{conv}/invitations/{user}", 200)),
    row("group.members", "Members of a group, by number.", &[CONV, AFTER, LIMIT], Answer::of::<Members>(), get("/v1/conversations/{conv}/members")),
    row("group.invitations", "Open invitations to a group, by number.", &[CONV, AFTER, LIMIT], Answer::of::<Invitations>(), get("/v1/conversations/{conv}/invitations")),
    row("msg.send", "Stores a message; answered when it is durable. It has a body, attachments, or both.", &[CONV, CLIENT_KEY, may("body", BODY), may("reply_to", SEQ), may("mentions", USERS), may("attachments", Kind::List(&Kind::Hex))], Answer::of::<Stored>(), post("/v1/conversations/{conv}/messages", 201).paced(POSTS)).some(),
    row("msg.edit", "Replaces what an own message says.", &[CONV, CLIENT_KEY, need("seq", SEQ), need("body", BODY), may("mentions", USERS)], Answer::of::<Stored>(), put("/v1/conversations/{conv}/messages/{seq}", 200).paced(POSTS)),
    row("msg.delete", "Deletes a message for everybody.", &[CONV, CLIENT_KEY, need("seq", SEQ)], Answer::of::<Stored>(), delete("/v1/conversations/{conv}/messages/{seq}", 200).paced(POSTS)),
    row("msg.react", "Puts a reaction on a message, or takes it off.", &[CONV, CLIENT_KEY, need("seq", SEQ), need("reaction", Kind::Text(1, actors::content::REACTION_BYTES_MAX)), may("on", Kind::Flag)], Answer::of::<Stored>(), put("/v1/conversations/{conv}/messages/{seq}/reactions", 200).paced(POSTS)),
    row("msg.forward", "Stores a copy of a message of another conversation.", &[CONV, CLIENT_KEY, need("from", Kind::Conv), need("seq", SEQ)], Answer::of::<Stored>(), post("/v1/conversations/{conv}/forwards", 201).paced(POSTS)),
    row("msg.get", "A message by its number.", &[need("id", SEQ)], Answer::of::<Entry<'static>>(), get("/v1/messages/{id}")),
    row("msg.history", "Entries of a conversation, oldest first; `before` and `after` exclude each other.", &[CONV, may("before", SEQ), may("after", Kind::Number(0, NUMBER_MAX)), LIMIT], Answer::of::<History<'static>>(), get("/v1/conversations/{conv}/messages")),
    row("msg.read_by", "Who has received and read a message.", &[CONV, need("seq", SEQ), AFTER, LIMIT], Answer::of::<ReadBy>(), get("/v1/conversations/{conv}/messages/{seq}/readers")),
    row("msg.reactions", "Who has put which reactions on a message.", &[CONV, need("seq", SEQ), AFTER, LIMIT], Answer::of::<Reactions<'static>>(), get("/v1/conversations/{conv}/messages/{seq}/reactions")),
    row("read", "Raises the own read mark; it never falls.", &[CONV, need("seq", SEQ), may("private", Kind::Flag)], Answer::of::<Marked>(), put("/v1/conversations/{conv}/read", 200)),
    row("delivered", "Raises the own delivered mark; it never falls.", &[CONV, need("seq", SEQ)], Answer::of::<Marked>(), put("/v1/conversations/{conv}/delivered", 200)),
    row("notice.list", "The own notices, newest first.", &[may("before", SEQ), LIMIT], Answer::of::<Notices<'static>>(), get("/v1/notices")),
    row("notice.read", "The notices up to this one are read.", &[need("seq", SEQ)], Answer::of::<Empty>(), put("/v1/notices/read", 204)),
    row("typing", "Tells the other members that the one who asks is writing.", &[CONV], Answer::of::<Empty>(), post("/v1/conversations/{conv}/typing", 204)),
    row("presence.watch", "Replaces the list of users whose coming and going this connection hears of.", &[need("users", USERS)], Answer::of::<Watching>(), Rest::None("is of the connection, which hears of changes; `presence.get` asks once")),
    row("presence.get", "How users stand now, without hearing of changes.", &[need("users", USERS)], Answer::of::<Watching>(), get("/v1/presence")),
    row("sync", "What happened since these cursors.", &[may("user", Kind::Cursor), may("convs", Kind::Cursors)], Answer::of::<Sync<'static>>(), get("/v1/sync").waiting()),
    row("sync", "The same for more cursors than a query holds.", &[may("user", Kind::Cursor), may("convs", Kind::Cursors)], Answer::of::<Sync<'static>>(), post("/v1/sync", 200).waiting()),
];
