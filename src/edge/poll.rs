//! `sync` that waits: answered at once where there is news, else when the next push for this user makes some.
//!
//! While it waits it is a session like a socket's, with a bounded queue, so nothing that happens between two looks at the
//! logs is missed. What it answers is what `sync` answers, never the pushes themselves.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use actors::command::Query;
use actors::credential::Identity;
use actors::entry::Act;
use actors::event::{Class, Event};
use actors::id::{ConversationId, LogId};
use actors::outbound::{CloseReason, Outbound, Taken};
use actors::rejected::Rejected;
use actors::session::Session;
use actors::view::{Resumed, SyncView, View};
use tokio::time::{Instant, timeout_at};

use crate::edge::doors::Doors;
use crate::edge::gate::Place;
use crate::edge::greeting::{Registered, count_refused};
use crate::edge::rest::ask;
use crate::protocol::request::Op;

/// The answer to a sync, as soon as there is news, and after `wait` in any case.
pub async fn wait(doors: &Arc<Doors>, identity: Identity, query: Query, wait: Duration, place: Place) -> Result<View, Rejected> {
    let deadline = Instant::now() + wait;
    let first = ask(doors, identity, Op::Query(query.clone()), place).await?;
    if news_of(&first) == News::Some || doors.is_shut() {
        return Ok(first);
    }
    let attached = Registered::attach(&doors.node, doors.node.name_session(), identity).await;
    let registered = attached.inspect_err(|rejected| count_refused(doors, rejected))?;
    let mut settling = SETTLING;
    loop {
        let place = doors.gate.enter(identity.user).map_err(|(_, rejected)| rejected)?;
        let view = ask(doors, identity, Op::Query(query.clone()), place).await?;
        // What appeared may be a moment ahead of its first entry: it is given that moment once.
        let until = match news_of(&view) {
            News::Some => return Ok(view),
            News::None => deadline,
            News::Unsettled => deadline.min(Instant::now() + std::mem::take(&mut settling)),
        };
        let told = tokio::select! {
            told = timeout_at(until, news(&registered.session, &query, until < deadline)) => told,
            () = doors.shutting() => return Ok(view),
        };
        match told {
            Ok(Told::News) => {}
            Ok(Told::Ended(CloseReason::Revoked)) => return Err(Rejected::InvalidCredential),
            Ok(Told::Ended(CloseReason::Disabled)) => return Err(Rejected::AccountDisabled),
            Ok(Told::Ended(_)) | Err(_) => return Ok(view),
        }
    }
}

enum Told {
    /// A log that was asked for has changed.
    News,
    /// The session is to end.
    Ended(CloseReason),
}

/// How long what appeared is given for its first entry.
const SETTLING: Duration = Duration::from_secs(1);

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// Nothing.
    None,
    /// That conversations appeared which cannot be shown yet.
    Unsettled,
    /// Something.
    Some,
}

/// Waits for a push that a sync would show; with `any`, for any entry at all.
async fn news(session: &Arc<Session>, query: &Query, any: bool) -> Told {
    loop {
        let Taken { items, gaps, close, .. } = poll_fn(|context| session.queue.poll_take(context)).await;
        if let Some(reason) = close {
            return Told::Ended(reason);
        }
        let told = items.iter().any(|item| match item {
            Outbound::Announcement(announcement) if any => announcement.event().class() == Class::Message,
            Outbound::Announcement(announcement) => concerns(query, announcement.event()),
            Outbound::Reply { .. } => false,
        });
        if told || gaps.iter().any(|(log, _, _)| is_asked(query, *log)) {
            return Told::News;
        }
    }
}

fn concerns(query: &Query, event: &Event) -> bool {
    match event {
        Event::Entry { conversation, .. } => is_asked(query, LogId::Conversation(*conversation)),
        other => other.class() == Class::Message,
    }
}

fn is_asked(query: &Query, log: LogId) -> bool {
    let Query::Sync { conversations, .. } = query else { return true };
    let is_named = |id: ConversationId| conversations.iter().any(|(named, _)| *named == id);
    match log {
        LogId::User(_) => true,
        LogId::Conversation(id) => is_named(id),
    }
}

/// What an answer says; one that is no sync's always says something.
fn news_of(view: &View) -> News {
    let View::Sync(SyncView { user: (_, own), conversations, appeared }) = view else { return News::Some };
    let is_new = |resumed: &Resumed| !matches!(resumed, Resumed::Complete(entries) if entries.is_empty());
    if !appeared.is_empty() || conversations.iter().any(|(_, _, resumed)| is_new(resumed)) {
        return News::Some;
    }
    match own {
        Resumed::Complete(entries) if entries.is_empty() => News::None,
        Resumed::Complete(entries) if entries.iter().all(|entry| matches!(entry.entry.act, Act::Appeared { .. })) => News::Unsettled,
        Resumed::Complete(_) | Resumed::Gap { .. } | Resumed::Reset(_) | Resumed::TooLong { .. } => News::Some,
    }
}
