//! What a conversation reads before it serves, and how it is made findable before its first entry.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::entry::{Entry, Head};
use crate::home;
use crate::id::{ConversationId, LogId, Seq, UserId};
use crate::limits::Limit;
use crate::log::scribe::within;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::{Store, StoreError};

use super::actor::RETRY_AFTER;
use super::mail::Loaded;
use super::state::Members;

/// The newest rows of a log, oldest first.
pub(crate) async fn newest(store: &dyn Store, log: LogId, tail: Seq, count: usize) -> Result<Vec<Entry>, StoreError> {
    let mut rows = store.range(log, Seq::ZERO, tail, count, true).await?;
    rows.reverse();
    Ok(rows)
}

/// What depends on the head.
pub(super) async fn load(node: &Node, id: ConversationId, head: Head, fate: Option<(Seq, Seq)>) -> Result<Loaded, StoreError> {
    let (store, limits) = (&node.world().store, &node.world().limits);
    let members = match id {
        ConversationId::Direct(pair) => Members::Direct(pair),
        ConversationId::Group(_) if head.is_new() => Members::NoGroup,
        ConversationId::Group(group) => {
            let row = store.group(group).await?;
            let row = row.ok_or_else(|| StoreError::Corrupt(format!("{id} has entries but is no group")))?;
            let mut places = BTreeMap::new();
            let page_size = limits.count(Limit::Members);
            loop {
                let after = places.last_key_value().map(|(user, _)| *user);
                let page = store.members(group, after, page_size).await?;
                let last = page.len() < page_size;
                places.extend(page);
                if last {
                    break Members::Group { row, places };
                }
            }
        }
    };
    let recent = newest(&**store, LogId::Conversation(id), head.tail, limits.count(Limit::KeysAtActivation)).await?;
    let fate = match fate {
        Some((from, to)) => store.range(LogId::Conversation(id), from, to, limits.count(Limit::BatchRows), false).await?,
        None => vec![],
    };
    Ok(Loaded { members, recent, fate })
}

/// Checks that the users exist and writes the conversation into their lists and own logs. Idempotent: the key of the
/// note is made of the conversation and the tail that it will go on from.
pub(super) async fn introduce(node: &Node, id: ConversationId, tail: Seq, users: Vec<UserId>) -> Result<(), Rejected> {
    let deadline = node.world().limits.time(Limit::StoreDeadline);
    let unavailable = Rejected::Unavailable { after: RETRY_AFTER };
    let accounts = within(deadline, node.world().store.accounts(&users)).await;
    let accounts = accounts.map_err(|error| {
        tracing::warn!(%error, "accounts could not be read");
        unavailable.clone()
    })?;
    if accounts.iter().any(|account| !account.as_ref().is_some_and(|account| account.is_active())) {
        return Err(Rejected::NoSuchUser);
    }
    let mut answers = Vec::with_capacity(users.len());
    for user in users {
        let (sender, answer) = oneshot::channel();
        let note = home::mail::Note::appeared(id, tail);
        node.directory().send_home(node, user, home::mail::Mail::Note(note, Some(sender)));
        answers.push(answer);
    }
    for answer in answers {
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(rejected))) => return Err(rejected),
            Ok(Err(_)) | Err(_) => return Err(unavailable),
        }
    }
    Ok(())
}
