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
use actors::time::Timestamp;
use actors::view::{SyncView, UserView, View};
use serde::Serialize;

use crate::protocol::close;
use crate::protocol::codec::Encoding;
use crate::protocol::error::WireError;
use crate::protocol::wire::{self, Push, millis};

/// What this server can, by name; a name is never taken back within version 1.
pub const FEATURES: &[&str] = &["direct", "groups", "receipts", "unread", "typing", "presence", "sync"];

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
        View::Watching(users) => ok(encoding, id, wire::Watching { users: users.iter().map(Into::into).collect() }),
        View::Done => ok(encoding, id, wire::Empty {}),
        View::User(user) => ok(encoding, id, wire::User::from(user)),
        View::Conversation(view) => ok(encoding, id, wire::Conversation::from(view.as_ref())),
        View::Conversations { page, cursor } => {
            ok(encoding, id, wire::Conversations { convs: page.iter().map(Into::into).collect(), cursor: cursor.as_deref() })
        }
        View::Members { page, more } => ok(encoding, id, wire::Members { members: page.iter().map(Into::into).collect(), more: *more }),
        View::History(history) => {
            let entry = |entry| wire::Entry::new(history.conversation, history.tail.incarnation, entry);
            let page = wire::History {
                conv: history.conversation,
                inc: history.tail.incarnation.0,
                tail: history.tail.seq.get(),
                entries: history.entries.iter().map(|shared| entry(shared.as_ref())).collect(),
                more: history.more,
            };
            ok(encoding, id, page)
        }
        View::Sync(sync) => ok(encoding, id, synced(sync)),
    }
}

fn synced(sync: &SyncView) -> wire::Sync<'_> {
    let (cursor, resumed) = &sync.user;
    let conversations = sync.conversations.iter();
    wire::Sync {
        user: wire::OwnResumed::new(*cursor, resumed),
        convs: conversations.map(|(conv, cursor, resumed)| wire::ConversationResumed::new(*conv, *cursor, resumed)).collect(),
        appeared: sync.appeared.iter().map(Into::into).collect(),
    }
}

/// An event. `limits` says for how long a typing signal holds.
pub fn render_event(encoding: Encoding, event: &Event, limits: &Limits) -> Vec<u8> {
    match event {
        Event::Entry { conversation, incarnation, entry } => push(encoding, "entry", wire::Entry::new(*conversation, *incarnation, entry)),
        Event::Own { incarnation, entry } => push(encoding, "own", wire::OwnEntry::new(*incarnation, entry)),
        Event::Receipts { conversation, marks, more } => {
            let receipt = |(user, marks): &(actors::id::UserId, actors::store::Marks)| wire::Receipt {
                user: user.get(),
                delivered: marks.delivered.seq.get(),
                read: marks.read.seq.get(),
            };
            push(encoding, "receipts", wire::Receipts { conv: *conversation, marks: marks.iter().map(receipt).collect(), more: *more })
        }
        Event::Unread { conversation, read, unread, count } => {
            push(encoding, "unread", wire::Unread { conv: *conversation, read: read.get(), unread: *unread, count: count.0 })
        }
        Event::Typing { conversation, user } => {
            let hold_ms = millis(limits.time(Limit::TypingHold));
            push(encoding, "typing", wire::Typing { conv: *conversation, user: user.get(), hold_ms })
        }
        Event::Presence { user, online } => push(encoding, "presence", wire::Presence { user: user.get(), online: *online }),
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
