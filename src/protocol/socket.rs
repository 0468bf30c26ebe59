//! What the server writes on a socket: one function for each frame, giving its payload without a WebSocket header.
//!
//! Rendering never fails and never waits. Events are rendered once per encoding and shared by all receivers (P12), so
//! nothing here depends on who receives them. Reading is [`crate::protocol::request`].

use std::time::Duration;

use actors::event::Event;
use actors::id::{LogId, Seq, SessionId};
use actors::limits::{Limit, Limits};
use actors::outbound::CloseReason;
use actors::rejected::Rejected;
use actors::relation::BondChange;
use actors::time::Timestamp;
use actors::view::{PresenceView, UserView, View};
use serde::Serialize;

use crate::protocol::close;
use crate::protocol::codec::Encoding;
use crate::protocol::error::WireError;
use crate::protocol::wire::{self, Push, millis};

/// What this server can, by name; a name is never taken back within version 1.
pub const FEATURES: &[&str] = &[
    "direct",
    "groups",
    "receipts",
    "unread",
    "typing",
    "presence",
    "sync",
    "accounts",
    "search",
    "relations",
    "roles",
    "invitations",
    "edits",
    "reactions",
    "forwards",
    "attachments",
    "preferences",
    "notices",
];

/// What `hello` says of this server and this connection.
#[derive(Debug, Clone, Copy)]
pub struct Hello<'a> {
    /// The time now.
    pub time: Timestamp,
    /// The session.
    pub session: SessionId,
    /// The build.
    pub build: &'a str,
    /// The limits in force; heartbeat and the time for `auth` are among them.
    pub limits: &'a Limits,
}

/// The answer to a request. `reference` is found in the server's log beside a refusal.
pub fn render_reply(encoding: Encoding, id: u32, answer: &Result<View, Rejected>, reference: &str) -> Vec<u8> {
    match answer {
        Ok(view) => render_view(encoding, Some(id), view),
        Err(rejected) => render_refused(encoding, Some(id), &WireError::from(rejected), reference),
    }
}

/// A refusal: a reply, or the push `error` if the request's number is not known.
pub fn render_refused(encoding: Encoding, id: Option<u32>, error: &WireError, reference: &str) -> Vec<u8> {
    let err = wire::Problem::new(error, reference);
    match id {
        Some(id) => encoding.encode(&wire::Refusal { id, err }),
        None => push(encoding, "error", err),
    }
}

/// The answer alone, as it stands under `ok` in a reply: the body of an answer over HTTP.
pub fn render_answer(view: &View) -> Vec<u8> {
    render_view(Encoding::Json, None, view)
}

/// A reply, or without a number the answer alone.
fn ok<T: Serialize>(encoding: Encoding, id: Option<u32>, ok: T) -> Vec<u8> {
    match id {
        Some(id) => encoding.encode(&wire::Reply { id, ok }),
        None => encoding.encode(&ok),
    }
}

fn push<T: Serialize>(encoding: Encoding, ev: &'static str, d: T) -> Vec<u8> {
    encoding.encode(&Push { ev, d })
}

fn render_view(encoding: Encoding, id: Option<u32>, view: &View) -> Vec<u8> {
    match view {
        View::Appended(appended) => ok(encoding, id, wire::Stored::from(appended)),
        View::Marked { seq, unread } => ok(encoding, id, wire::Marked { seq: seq.get(), unread: *unread }),
        View::Watching(users) | View::Presence(users) => ok(encoding, id, wire::Watching { users: users.iter().map(Into::into).collect() }),
        View::Done => ok(encoding, id, wire::Empty {}),
        View::User(user) => ok(encoding, id, wire::User::from(user)),
        View::Users(users) => ok(encoding, id, wire::Users { users: users.iter().map(Into::into).collect() }),
        View::Bond(bond, change) => ok(encoding, id, wire::Relation::new(bond, *change)),
        View::Bonds { page, total, cursor } => {
            let relations = page.iter().map(|bond| wire::Relation::new(bond, BondChange::None)).collect();
            ok(encoding, id, wire::Relations { relations, total: *total, cursor: cursor.as_deref() })
        }
        View::Conversation(view) => ok(encoding, id, wire::Conversation::from(view.as_ref())),
        View::Conversations { page, cursor } => {
            ok(encoding, id, wire::Conversations { convs: page.iter().map(Into::into).collect(), cursor: cursor.as_deref() })
        }
        View::Preferences(conversation, preferences) => ok(encoding, id, wire::Prefs::new(*conversation, preferences)),
        View::Members { page, more } => ok(encoding, id, wire::Members { members: page.iter().map(Into::into).collect(), more: *more }),
        View::Invitations { page, more } => {
            ok(encoding, id, wire::Invitations { invitations: page.iter().map(Into::into).collect(), more: *more })
        }
        View::History(history) => ok(encoding, id, wire::History::from(history)),
        View::Message(conversation, cursor, shown) => ok(encoding, id, wire::Entry::shown(*conversation, cursor.incarnation, shown)),
        View::ReadBy { page, more } => ok(encoding, id, wire::ReadBy { users: page.iter().map(Into::into).collect(), more: *more }),
        View::Reactions { page, more } => ok(encoding, id, wire::Reactions { users: page.iter().map(Into::into).collect(), more: *more }),
        View::Unread { messages, conversations } => ok(encoding, id, wire::UnreadTotal { unread: *messages, unread_convs: *conversations }),
        View::Notices(notices) => ok(encoding, id, wire::Notices::from(notices)),
        View::Account(account) => ok(encoding, id, wire::Account::from(account.as_ref())),
        View::Logins(logins) => ok(encoding, id, wire::Logins { logins: logins.iter().map(Into::into).collect() }),
        View::Sync(sync) => ok(encoding, id, wire::Sync::from(sync)),
    }
}

/// An event. `limits` says for how long a typing signal holds.
pub fn render_event(encoding: Encoding, event: &Event, limits: &Limits) -> Vec<u8> {
    match event {
        Event::Entry { conversation, incarnation, entry, scene: _ } => {
            push(encoding, "entry", wire::Entry::new(*conversation, *incarnation, entry))
        }
        Event::Members { conversation, incarnation, from, to, members } => {
            let (from, to) = (from.get(), to.get());
            push(encoding, "members", wire::MembersMoved { conv: *conversation, inc: incarnation.0, from, to, members: *members })
        }
        Event::Bond { by, change, bond, people, door: _ } => {
            push(encoding, "relation", wire::RelationPush::new(*by, *change, bond, people.as_deref()))
        }
        Event::Own { incarnation, entry } => push(encoding, "own", wire::OwnEntry::new(*incarnation, entry)),
        Event::Receipts { conversation, marks, more } => {
            push(encoding, "receipts", wire::Receipts { conv: *conversation, marks: marks.iter().map(Into::into).collect(), more: *more })
        }
        Event::Unread { conversation, read, unread, count, total } => {
            let words = wire::Unread { conv: *conversation, read: read.get(), unread: *unread, count: count.0, total: *total };
            push(encoding, "unread", words)
        }
        Event::Typing { conversation, user } => {
            let hold_ms = millis(limits.time(Limit::TypingHold));
            push(encoding, "typing", wire::Typing { conv: *conversation, user: user.get(), hold_ms })
        }
        Event::Presence { user, online, last_seen } => {
            push(encoding, "presence", wire::Presence::from(&PresenceView { user: *user, online: *online, last_seen: *last_seen }))
        }
    }
}

/// Seqs that were left out for this connection, to be read with `msg.history` or `sync`.
pub fn render_gap(encoding: Encoding, log: LogId, from: Seq, to: Seq) -> Vec<u8> {
    let conv = match log {
        LogId::Conversation(conversation) => Some(conversation.to_string()),
        LogId::User(_) => None,
    };
    push(encoding, "gap", wire::Gap { conv, from: from.get(), to: to.get() })
}

/// The first frame of every connection.
pub fn render_hello(encoding: Encoding, hello: &Hello<'_>) -> Vec<u8> {
    let words = wire::Hello {
        time: hello.time.millis(),
        session: hello.session.to_string(),
        build: hello.build,
        hb_ms: millis(hello.limits.time(Limit::Heartbeat)),
        auth_ms: millis(hello.limits.time(Limit::AuthDeadline)),
        features: FEATURES,
        limits: hello.limits.into(),
    };
    push(encoding, "hello", words)
}

/// The server's heartbeat: `pushes` were written since `hello`, not counting `hello` and heartbeats.
pub fn render_beat(encoding: Encoding, pushes: u64) -> Vec<u8> {
    push(encoding, "hb", wire::Beat { s: pushes })
}

/// The token ends in this time.
pub fn render_expiring(encoding: Encoding, left: Duration) -> Vec<u8> {
    push(encoding, "auth.expiring", wire::Expiring { in_ms: millis(left) })
}

/// The last frame before the server closes.
pub fn render_bye(encoding: Encoding, reason: &CloseReason) -> Vec<u8> {
    let (code, text) = close::close_code(reason);
    push(encoding, "bye", wire::Bye { code, reason: text, after_ms: close::after(reason).map(millis) })
}

/// The answer to `auth`.
pub fn render_auth_ok(encoding: Encoding, id: u32, user: &UserView, session: SessionId, expires_in: Duration) -> Vec<u8> {
    ok(encoding, Some(id), wire::AuthOk { user: user.into(), session: session.to_string(), expires_in_ms: millis(expires_in) })
}

/// The answer to `auth.refresh`.
pub fn render_refresh_ok(encoding: Encoding, id: u32, expires_in: Duration) -> Vec<u8> {
    ok(encoding, Some(id), wire::RefreshOk { expires_in_ms: millis(expires_in) })
}
