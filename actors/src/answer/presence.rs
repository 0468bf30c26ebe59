//! Who is here, for whom it may concern: whom a session watches, who of several users is here, and telling watchers.
//!
//! Whoever may not see a user come and go is answered as if there were no such user. The rule is
//! [`crate::relation::may_see_presence`]; it is asked anew whenever somebody is told, so a block, or a change of what a
//! user shows of himself, holds for those who watch already. Nothing here is in the way of a message.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::account::{Account, Privacy, Seen};
use crate::entry::Head;
use crate::event::{Announcement, Event};
use crate::id::{ConversationId, LogId, Pair, UserId};
use crate::limits::Limit;
use crate::log::scribe::within;
use crate::node::Node;
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;
use crate::relation::Bond;
use crate::session::Session;
use crate::store::StoreError;
use crate::telemetry::Count;
use crate::time::Timestamp;
use crate::view::{PresenceView, View};

use super::unavailable;

/// Replaces the users whom a session watches and answers how they stand.
pub(crate) async fn watch(node: &Node, session: &Arc<Session>, users: Vec<UserId>) -> Result<View, Rejected> {
    let known = visible(node, session.identity.user, users).await?;
    for user in session.watch(known.clone().into()) {
        if known.binary_search(&user).is_err() {
            node.directory().unwatch(user, session.id);
        }
    }
    let max = node.world().limits.count(Limit::PresenceWatchers);
    for user in &known {
        if !node.directory().watch(*user, session, max) {
            node.world().telemetry.count(Count::PresenceShed, 1);
        }
    }
    Ok(View::Watching(views(node, known).await?))
}

/// How users stand.
pub(super) async fn of(node: &Node, viewer: UserId, users: Vec<UserId>) -> Result<View, Rejected> {
    let known = visible(node, viewer, users).await?;
    Ok(View::Presence(views(node, known).await?))
}

async fn views(node: &Node, users: Vec<UserId>) -> Result<Vec<PresenceView>, Rejected> {
    let seen = node.world().store.seen(&users).await.map_err(unavailable)?;
    let view = |(user, seen): (UserId, Seen)| {
        let online = node.directory().is_here(user);
        PresenceView { user, online, last_seen: seen.here.filter(|_| !online) }
    };
    Ok(users.into_iter().zip(seen).map(view).collect())
}

/// Those of the users whom the viewer may see come and go, by number.
async fn visible(node: &Node, viewer: UserId, users: Vec<UserId>) -> Result<Vec<UserId>, Rejected> {
    let limits = &node.world().limits;
    if users.len() > limits.count(Limit::PresenceWatched) {
        return Err(Rejected::TooManyItems { field: "users", max: limits.get(Limit::PresenceWatched) });
    }
    let users: Vec<_> = users.into_iter().filter(|user| *user != viewer).collect::<BTreeSet<_>>().into_iter().collect();
    let accounts = node.world().store.accounts(&users).await.map_err(unavailable)?;
    let between = between(node, viewer, &users).await.map_err(unavailable)?;
    let visible = users.into_iter().zip(accounts).zip(between).filter(|((_, account), (bond, head))| {
        account.as_ref().filter(|account| account.is_active()).is_some_and(|account| may_see(viewer, bond, &account.privacy, head))
    });
    Ok(visible.map(|((user, _), _)| user).collect())
}

/// What one user is to several others, and the heads of their direct conversations.
async fn between(node: &Node, user: UserId, others: &[UserId]) -> Result<Vec<(Bond, Head)>, StoreError> {
    let pairs = others.iter().filter_map(|other| Pair::new(user, *other).ok());
    let logs: Vec<_> = pairs.map(|pair| LogId::Conversation(ConversationId::Direct(pair))).collect();
    let store = &node.world().store;
    let bonds = store.bonds_with(user, others).await?;
    Ok(bonds.into_iter().zip(store.heads(&logs).await?).collect())
}

fn may_see(viewer: UserId, bond: &Bond, privacy: &Privacy, head: &Head) -> bool {
    policy::may(viewer, Deed::SeePresence, On::Person { bond, privacy, acquainted: !head.is_new() }).is_ok()
}

/// Tells those who watch a user, and may know it, how he stands: as he stands when they are told, so that of two that
/// are under way the later is never undone; `left_at` is when his last session ended, which may not be stored yet. It is worthless later: if the store does not answer, nobody is told.
pub(crate) async fn tell(node: &Node, user: UserId, left_at: Option<Timestamp>) {
    let watchers = node.directory().watchers(user);
    let viewers: Vec<_> = watchers.iter().map(|session| session.identity.user).collect::<BTreeSet<_>>().into_iter().collect();
    let call = async {
        let account = node.world().store.accounts(&[user]).await?.pop().flatten();
        let seen = node.world().store.seen(&[user]).await?.pop().unwrap_or_default();
        Ok((account, seen, between(node, user, &viewers).await?))
    };
    let Ok((account, seen, between)) = within(node.world().limits.time(Limit::StoreDeadline), call).await else {
        node.world().telemetry.count(Count::PresenceShed, watchers.len() as u64);
        return;
    };
    // Of an account that was closed everybody who could see it is told that it is gone.
    let privacy = account.as_ref().map(|account: &Account| account.privacy).unwrap_or_default();
    let told: BTreeSet<_> = viewers
        .into_iter()
        .zip(between)
        .filter(|(viewer, (bond, head))| may_see(*viewer, bond, &privacy, head))
        .map(|(viewer, _)| viewer)
        .collect();
    let online = node.directory().is_here(user);
    let announcement = Announcement::new(Event::Presence { user, online, last_seen: seen.here.max(left_at).filter(|_| !online) });
    let mut count = 0;
    for session in watchers.iter().filter(|session| told.contains(&session.identity.user)) {
        session.queue.push(&announcement);
        count += 1;
    }
    node.world().telemetry.count(Count::PresenceEmitted, count);
}

/// What a viewer is to a user has changed: if he may not see him come and go any more, his sessions that watch hear for
/// the last time of him, as of somebody who is not here.
pub(crate) async fn reconsider(node: &Node, viewer: UserId, user: UserId) {
    let watching: Vec<_> = node.directory().watchers(user).iter().filter(|session| session.identity.user == viewer).cloned().collect();
    if watching.is_empty() || visible(node, viewer, vec![user]).await.is_ok_and(|visible| !visible.is_empty()) {
        return;
    }
    let announcement = Announcement::new(Event::Presence { user, online: false, last_seen: None });
    for session in watching {
        node.directory().unwatch(user, session.id);
        session.queue.push(&announcement);
    }
}

/// What a user shows of himself has changed: those who watch him and may not see him any more hear for the last time of
/// him, as of somebody who is not here. If the store does not answer, the rule still holds for whatever comes next.
pub(crate) async fn reconsider_watchers(node: &Node, user: UserId) {
    let watchers = node.directory().watchers(user);
    let viewers: Vec<_> = watchers.iter().map(|session| session.identity.user).collect::<BTreeSet<_>>().into_iter().collect();
    let call = async {
        let account = node.world().store.accounts(&[user]).await?.pop().flatten();
        Ok((account, between(node, user, &viewers).await?))
    };
    let Ok((Some(account), between)) = within(node.world().limits.time(Limit::StoreDeadline), call).await else {
        return;
    };
    let kept = viewers.into_iter().zip(between).filter(|(viewer, (bond, head))| may_see(*viewer, bond, &account.privacy, head));
    let kept: BTreeSet<_> = kept.map(|(viewer, _)| viewer).collect();
    let announcement = Announcement::new(Event::Presence { user, online: false, last_seen: None });
    for session in watchers.iter().filter(|session| !kept.contains(&session.identity.user)) {
        node.directory().unwatch(user, session.id);
        session.queue.push(&announcement);
    }
}

/// Stores when a user was here. If it fails, an older time is shown.
pub(crate) async fn touch(node: &Node, user: UserId, seen: Seen) {
    let call = node.world().store.touch(user, seen);
    if let Err(error) = within(node.world().limits.time(Limit::StoreDeadline), call).await {
        tracing::debug!(user = user.get(), %error, "it could not be stored when a user was here");
    }
}
