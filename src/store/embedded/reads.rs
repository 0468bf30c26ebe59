//! Answers from the database. Rows that must agree are read from one snapshot (KF4).
//!
//! What cannot be read is counted. A damaged entry is left out of its page (X4): the log's readers see the hole by its
//! seq. Any other damaged row is an error, because there is no right answer without it.

use actors::entry::{Entry, GroupRow, Head, Membership};
use actors::id::{BUCKET_SEQS, Bucket, ConversationId, GroupId, LogId, Pos, Segment, Seq, UserId};
use actors::media::{Media, MediaId};
use actors::store::{Marks, StoreError, Versioned};
use actors::time::Timestamp;
use fjall::{Readable, Slice, Snapshot};

use super::keys::{self, Key, Space};
use super::records::{Damage, Projected, Stored};
use super::stats::add;
use super::store::Shared;

/// A row that cannot be read, counted.
pub(super) fn damaged(shared: &Shared, damage: &Damage) -> StoreError {
    add(&shared.stats.bad_records, 1);
    StoreError::Corrupt(damage.to_string())
}

/// What the database said to a read.
pub(super) fn failed(error: &fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(_) | fjall::Error::Poisoned | fjall::Error::Storage(fjall::LsmError::Io(_)) => {
            StoreError::Unavailable(error.to_string())
        }
        _ => StoreError::Corrupt(error.to_string()),
    }
}

/// One row as of the last commit.
pub(super) fn row<T: Stored>(shared: &Shared, key: Key<'_>) -> Result<Option<T>, StoreError> {
    let bytes = key.bytes();
    let value = shared.folder.bytes(key.space(), &bytes).map_err(|error| failed(&error))?;
    opened(shared, &bytes, value)
}

pub(super) fn row_at<T: Stored>(shared: &Shared, at: &Snapshot, key: Key<'_>) -> Result<Option<T>, StoreError> {
    let bytes = key.bytes();
    let value = at.get(shared.folder.keyspace(key.space()), &bytes).map_err(|error| failed(&error))?;
    opened(shared, &bytes, value)
}

fn opened<T: Stored>(shared: &Shared, key: &[u8], value: Option<Slice>) -> Result<Option<T>, StoreError> {
    value.map(|value| T::unseal(key, &value).map_err(|damage| damaged(shared, &damage))).transpose()
}

pub(super) fn head(shared: &Shared, log: LogId) -> Result<Head, StoreError> {
    row(shared, Key::Head(log)).map(Option::unwrap_or_default)
}

pub(super) fn heads(shared: &Shared, logs: &[LogId]) -> Result<Vec<Head>, StoreError> {
    let at = shared.folder.database().snapshot();
    logs.iter().map(|log| row_at(shared, &at, Key::Head(*log)).map(Option::unwrap_or_default)).collect()
}

/// Which entries are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) from: Seq,
    pub(super) to: Seq,
    pub(super) limit: usize,
    pub(super) newest_first: bool,
}

pub(super) fn range(shared: &Shared, log: LogId, page: Page) -> Result<Vec<Entry>, StoreError> {
    if page.from > page.to || page.limit == 0 {
        return Ok(Vec::new());
    }
    let at = shared.folder.database().snapshot();
    let bounds = Key::Entry(log, page.from).bytes()..=Key::Entry(log, page.to).bytes();
    let mut rows = at.range(shared.folder.keyspace(Space::Entries), bounds);
    let mut entries = Vec::new();
    while entries.len() < page.limit {
        let next = if page.newest_first { rows.next_back() } else { rows.next() };
        let Some(row) = next else { break };
        match row.into_inner() {
            Ok((key, value)) => match Entry::unseal(&key, &value) {
                Ok(entry) => entries.push(entry),
                Err(damage) => left_out(shared, log, &damage.to_string()),
            },
            // A whole block cannot be read, and the scan cannot pass it.
            Err(error) => {
                left_out(shared, log, &error.to_string());
                return one_by_one(shared, &at, log, page);
            }
        }
    }
    Ok(entries)
}

pub(super) fn left_out(shared: &Shared, log: LogId, why: &str) {
    add(&shared.stats.bad_records, 1);
    tracing::error!(?log, why, "stored entries cannot be read and are left out");
}

/// The page without what lies in unreadable blocks, at most a bucket of seqs beyond the limit.
fn one_by_one(shared: &Shared, at: &Snapshot, log: LogId, page: Page) -> Result<Vec<Entry>, StoreError> {
    let tail = row_at::<Head>(shared, at, Key::Head(log))?.unwrap_or_default().tail;
    let (from, to) = (page.from.get().max(1), page.to.min(tail).get());
    let tries = page.limit.saturating_add(usize::try_from(BUCKET_SEQS).unwrap_or(usize::MAX));
    let seqs: Box<dyn Iterator<Item = u64>> = if page.newest_first { Box::new((from..=to).rev()) } else { Box::new(from..=to) };
    let mut entries = Vec::new();
    for seq in seqs.take(tries).filter_map(|seq| Seq::new(seq).ok()) {
        let key = Key::Entry(log, seq).bytes();
        let value = at.get(shared.folder.keyspace(Space::Entries), &key);
        entries.extend(value.ok().flatten().and_then(|value| Entry::unseal(&key, &value).ok()));
        if entries.len() == page.limit {
            break;
        }
    }
    Ok(entries)
}

pub(super) fn group(shared: &Shared, group: GroupId) -> Result<Option<GroupRow>, StoreError> {
    Ok(row::<Projected<GroupRow>>(shared, Key::Group(group))?.map(|row| row.row))
}

pub(super) fn membership(shared: &Shared, group: GroupId, user: UserId) -> Result<Option<Membership>, StoreError> {
    Ok(row::<Projected<Membership>>(shared, Key::Member(group, user))?.map(|row| row.row))
}

/// Rows under a prefix, after a key, in the order of their keys, until `take` has enough.
pub(super) fn scan<T: Stored>(
    shared: &Shared,
    prefix: &[u8],
    after: &[u8],
    mut take: impl FnMut(&[u8], T) -> bool,
) -> Result<(), StoreError> {
    let at = shared.folder.database().snapshot();
    let bounds = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
    for row in at.range::<&[u8], _>(shared.folder.keyspace(Space::Rows), bounds) {
        let (key, value) = row.into_inner().map_err(|error| failed(&error))?;
        if !key.starts_with(prefix) {
            break;
        }
        let row = T::unseal(&key, &value).map_err(|damage| damaged(shared, &damage))?;
        if !take(&key, row) {
            break;
        }
    }
    Ok(())
}

/// Rows of which the keys lie between two, both included, until `take` has enough.
pub(super) fn each_between<T: Stored>(
    shared: &Shared,
    at: &Snapshot,
    (first, last): (Vec<u8>, Vec<u8>),
    last_first: bool,
    mut take: impl FnMut(&[u8], T) -> bool,
) -> Result<(), StoreError> {
    if first > last {
        return Ok(());
    }
    let mut rows = at.range(shared.folder.keyspace(Space::Rows), first..=last);
    while let Some(row) = if last_first { rows.next_back() } else { rows.next() } {
        let (key, value) = row.into_inner().map_err(|error| failed(&error))?;
        let row = T::unseal(&key, &value).map_err(|damage| damaged(shared, &damage))?;
        if !take(&key, row) {
            break;
        }
    }
    Ok(())
}

pub(super) fn bucket_of(shared: &Shared, segment: Segment) -> Result<Option<(LogId, Bucket)>, StoreError> {
    row(shared, Key::Segment(segment))
}

pub(super) fn members(
    shared: &Shared,
    group: GroupId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Membership)>, StoreError> {
    let prefix = keys::members_prefix(group);
    let after = after.map_or_else(|| prefix.clone(), |user| Key::Member(group, user).bytes());
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    scan(shared, &prefix, &after, |key, place: Projected<Membership>| {
        found.extend(keys::member_of(key).map(|user| (user, place.row)));
        found.len() < limit
    })?;
    Ok(found)
}

pub(super) fn listed(
    shared: &Shared,
    user: UserId,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<ConversationId>, StoreError> {
    let prefix = keys::listed_prefix(user);
    let after = after.map_or_else(|| prefix.clone(), |conversation| Key::Listed(user, conversation).bytes());
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    scan(shared, &prefix, &after, |key, listed: Projected<bool>| {
        found.extend(keys::conversation_of(key).filter(|_| listed.row));
        found.len() < limit
    })?;
    Ok(found)
}

pub(super) fn marks(shared: &Shared, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Marks>, StoreError> {
    let at = shared.folder.database().snapshot();
    conversations.iter().map(|conversation| marks_at(shared, &at, user, *conversation)).collect()
}

/// Marks with the user's own messages.
pub(super) fn marks_at(shared: &Shared, at: &Snapshot, user: UserId, conversation: ConversationId) -> Result<Marks, StoreError> {
    let mut marks = row_at::<Marks>(shared, at, Key::Marks(user, conversation))?.unwrap_or_default();
    let own = row_at::<Projected<Pos>>(shared, at, Key::Own(user, conversation))?;
    marks.badge = marks.badge.max(own.map(|own| own.row).unwrap_or_default());
    Ok(marks)
}

pub(super) fn marks_of(shared: &Shared, conversation: ConversationId, users: &[UserId]) -> Result<Vec<Marks>, StoreError> {
    let at = shared.folder.database().snapshot();
    users.iter().map(|user| row_at(shared, &at, Key::Marks(*user, conversation)).map(Option::unwrap_or_default)).collect()
}

pub(super) fn media(shared: &Shared, id: MediaId) -> Result<Option<Versioned<Media>>, StoreError> {
    row(shared, Key::Media(id))
}

pub(super) fn media_used(shared: &Shared, user: UserId) -> Result<u64, StoreError> {
    row(shared, Key::MediaUsed(user)).map(Option::unwrap_or_default)
}

pub(super) fn media_of(shared: &Shared, owner: UserId, after: Option<MediaId>, limit: usize) -> Result<Vec<MediaId>, StoreError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let prefix = keys::media_of_prefix(owner);
    let after = after.map_or_else(|| prefix.clone(), |after| Key::MediaOf(owner, after).bytes());
    scan(shared, &prefix, &after, |key, _: UserId| {
        found.extend(keys::media_of_user(key).map(|(_, id)| id));
        found.len() < limit
    })?;
    Ok(found)
}

pub(super) fn media_due(shared: &Shared, now: Timestamp, limit: usize) -> Result<Vec<MediaId>, StoreError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    scan(shared, &keys::due_prefix(), &keys::due_prefix(), |key, _version: u64| {
        found.extend(keys::due_of(key).filter(|(at, _)| *at <= now).map(|(_, id)| id));
        found.len() < limit && keys::due_of(key).is_none_or(|(at, _)| at <= now)
    })?;
    Ok(found)
}
