//! What a conversation reads before it serves, and how it is made findable before its first entry.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::account::Account;
use crate::entry::{Entry, GroupRow, Head};
use crate::home;
use crate::home::mail::Note;
use crate::id::{ConversationId, GroupId, LogId, Pair, Pos, Seq, UserId};
use crate::limits::Limit;
use crate::log::scribe::within;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::store::{Store, StoreError};

use super::actor::RETRY_AFTER;
use super::gone::newest_spans;
use super::mail::Loaded;
use super::state::{Direct, Group, Members};

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
        ConversationId::Direct(pair) => Members::Direct(direct(&**store, pair, &head).await?),
        ConversationId::Group(_) if head.is_new() => Members::NoGroup,
        ConversationId::Group(group) => {
            let row = store.group(group).await?;
            let row = row.ok_or_else(|| StoreError::Corrupt(format!("{id} has entries but is no group")))?;
            Members::Group(Box::new(members(&**store, group, row, limits.count(Limit::Members)).await?))
        }
    };
    let recent = newest(&**store, LogId::Conversation(id), head.tail, limits.count(Limit::KeysAtActivation)).await?;
    let fate = match fate {
        Some((from, to)) => store.range(LogId::Conversation(id), from, to, limits.count(Limit::BatchRows), false).await?,
        None => vec![],
    };
    let (from, to) = newest_spans(head.count);
    let gone = if head.count == Pos(0) { vec![] } else { store.gone(id, from, to).await? };
    let cards = match id {
        ConversationId::Direct(pair) => {
            let two = [pair.low(), pair.high()];
            two.into_iter().zip(node.cards().of(&**store, &two).await?).collect()
        }
        ConversationId::Group(_) => vec![],
    };
    Ok(Loaded { members, gone, cards, recent, fate })
}

async fn direct(store: &dyn Store, pair: Pair, head: &Head) -> Result<Direct, StoreError> {
    let bond = store.bond(pair).await?;
    let number = if head.is_new() { None } else { store.direct_numbers(&[pair]).await?.pop().flatten() };
    Ok(Direct { pair, bond, number, is_numbered: number.is_some() })
}

async fn members(store: &dyn Store, id: GroupId, row: GroupRow, page_size: usize) -> Result<Group, StoreError> {
    let (mut places, mut invited) = (BTreeMap::new(), BTreeMap::new());
    loop {
        let after = places.last_key_value().map(|(user, _)| *user);
        let page = store.members(id, after, page_size).await?;
        let last = page.len() < page_size;
        places.extend(page);
        if last {
            break;
        }
    }
    loop {
        let after = invited.last_key_value().map(|(user, _)| *user);
        let page = store.invitations(id, after, page_size).await?;
        let last = page.len() < page_size;
        invited.extend(page);
        if last {
            break Ok(Group { row, places, invited });
        }
    }
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
    if accounts.iter().any(|account| !account.as_ref().is_some_and(Account::is_active)) {
        return Err(Rejected::NoSuchUser);
    }
    let notes = users.into_iter().map(|user| (user, Note::appeared(id, tail))).collect();
    tell_home(node, notes).await
}

/// Puts notes into users' own logs, and waits until all of them are durable.
pub(super) async fn tell_home(node: &Node, notes: Vec<(UserId, Note)>) -> Result<(), Rejected> {
    let deadline = node.world().limits.time(Limit::StoreDeadline);
    let mut answers = Vec::with_capacity(notes.len());
    for (user, note) in notes {
        let (sender, answer) = oneshot::channel();
        node.directory().send_home(node, user, home::mail::Mail::Note(note, Some(sender)));
        answers.push(answer);
    }
    for answer in answers {
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(rejected))) => return Err(rejected),
            Ok(Err(_)) | Err(_) => return Err(Rejected::Unavailable { after: RETRY_AFTER }),
        }
    }
    Ok(())
}
