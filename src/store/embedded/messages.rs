//! Answers on what became of messages and on what follows from users' own logs. Each is read from one snapshot.

use actors::bits::Bits;
use actors::content::Reaction;
use actors::entry::{Amendment, Invitation, Notice, Preferences};
use actors::id::{Bucket, ConversationId, DirectNumber, GroupId, Pair, Seq, UserId};
use actors::store::StoreError;

use super::keys::{self, Key};
use super::reads::{each_between, row, row_at, scan};
use super::records::Projected;
use super::store::Shared;

pub(super) fn amendments(
    shared: &Shared,
    conversation: ConversationId,
    (from, to): (Seq, Seq),
    limit: usize,
) -> Result<Vec<(Seq, Amendment)>, StoreError> {
    let mut found = Vec::new();
    if limit > 0 {
        let bounds = (Key::Amended(conversation, from).bytes(), Key::Amended(conversation, to).bytes());
        let at = shared.folder.database().snapshot();
        each_between(shared, &at, bounds, false, |key, amendment: Projected<Amendment>| {
            let seq = keys::in_conversation(key).and_then(|(_, [seq])| Seq::new(seq).ok());
            found.extend(seq.map(|seq| (seq, amendment.row)));
            found.len() < limit
        })?;
    }
    Ok(found)
}

pub(super) fn reactions_of(
    shared: &Shared,
    conversation: ConversationId,
    user: UserId,
    messages: &[Seq],
) -> Result<Vec<Vec<Reaction>>, StoreError> {
    let at = shared.folder.database().snapshot();
    let one = |seq: &Seq| {
        let row = row_at::<Projected<Vec<Reaction>>>(shared, &at, Key::Reactions(conversation, *seq, user))?;
        Ok(row.map(|row| row.row).unwrap_or_default())
    };
    messages.iter().map(one).collect()
}

pub(super) fn reactions(
    shared: &Shared,
    conversation: ConversationId,
    message: Seq,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Vec<Reaction>)>, StoreError> {
    let prefix = keys::reactions_prefix(conversation, message);
    let after = after.map_or_else(|| prefix.clone(), |user| Key::Reactions(conversation, message, user).bytes());
    let mut found = Vec::new();
    if limit > 0 {
        scan(shared, &prefix, &after, |key, reactions: Projected<Vec<Reaction>>| {
            let user = keys::in_conversation(key).and_then(|(_, [_, user])| UserId::new(user).ok());
            found.extend(user.filter(|_| !reactions.row.is_empty()).map(|user| (user, reactions.row)));
            found.len() < limit
        })?;
    }
    Ok(found)
}

pub(super) fn gone(
    shared: &Shared,
    at: &fjall::Snapshot,
    conversation: ConversationId,
    (from, to): (Bucket, Bucket),
) -> Result<Vec<(Bucket, Bits)>, StoreError> {
    let bounds = (Key::Gone(conversation, from).bytes(), Key::Gone(conversation, to).bytes());
    let mut found = Vec::new();
    each_between(shared, at, bounds, false, |key, bits: Projected<Bits>| {
        let span = keys::in_conversation(key).map(|(_, [span])| Bucket(span));
        found.extend(span.filter(|_| bits.row.count() > 0).map(|span| (span, bits.row)));
        true
    })?;
    Ok(found)
}

pub(super) fn direct_numbers(shared: &Shared, pairs: &[Pair]) -> Result<Vec<Option<DirectNumber>>, StoreError> {
    let at = shared.folder.database().snapshot();
    let one = |pair: &Pair| Ok(row_at::<Projected<DirectNumber>>(shared, &at, Key::Direct(*pair))?.map(|row| row.row));
    pairs.iter().map(one).collect()
}

pub(super) fn direct(shared: &Shared, number: DirectNumber) -> Result<Option<Pair>, StoreError> {
    row(shared, Key::DirectOf(number))
}

pub(super) fn preferences(shared: &Shared, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Preferences>, StoreError> {
    let at = shared.folder.database().snapshot();
    let one = |conversation: &ConversationId| {
        let row = row_at::<Projected<Preferences>>(shared, &at, Key::Preferences(user, *conversation))?;
        Ok(row.map(|row| row.row).unwrap_or_default())
    };
    conversations.iter().map(one).collect()
}

pub(super) fn hidden(
    shared: &Shared,
    user: UserId,
    conversation: ConversationId,
    (from, to): (Bucket, Bucket),
) -> Result<Vec<(Bucket, Bits)>, StoreError> {
    let bounds = (Key::Hidden(user, conversation, from).bytes(), Key::Hidden(user, conversation, to).bytes());
    let at = shared.folder.database().snapshot();
    let mut found = Vec::new();
    each_between(shared, &at, bounds, false, |key, bits: Projected<Bits>| {
        let bucket = keys::hidden_of(key).map(|(.., bucket)| bucket);
        found.extend(bucket.filter(|_| bits.row.count() > 0).map(|bucket| (bucket, bits.row)));
        true
    })?;
    Ok(found)
}

pub(super) fn notices(shared: &Shared, user: UserId, before: Option<Seq>, limit: usize) -> Result<Vec<(Seq, Notice)>, StoreError> {
    let mut found = Vec::new();
    let last = match before {
        Some(Seq::ZERO) => return Ok(found),
        Some(before) => before.minus(1),
        None => Seq::ZERO.plus(u64::MAX),
    };
    if limit > 0 {
        let bounds = (keys::notices_prefix(user), Key::Notice(user, last).bytes());
        let at = shared.folder.database().snapshot();
        each_between(shared, &at, bounds, true, |key, notice: Projected<Option<Notice>>| {
            let seq = keys::notice_of(key).map(|(_, seq)| seq);
            found.extend(seq.and_then(|seq| Some((seq, notice.row?))));
            found.len() < limit
        })?;
    }
    Ok(found)
}

pub(super) fn notices_read(shared: &Shared, user: UserId) -> Result<Seq, StoreError> {
    Ok(row::<Projected<Seq>>(shared, Key::NoticesRead(user))?.map(|row| row.row).unwrap_or_default())
}

pub(super) fn invitation(shared: &Shared, group: GroupId, user: UserId) -> Result<Option<Invitation>, StoreError> {
    Ok(row::<Projected<Option<Invitation>>>(shared, Key::Invited(group, user))?.and_then(|row| row.row))
}

pub(super) fn invitations(
    shared: &Shared,
    group: GroupId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Invitation)>, StoreError> {
    let prefix = keys::invitations_prefix(group);
    let after = after.map_or_else(|| prefix.clone(), |user| Key::Invited(group, user).bytes());
    let mut found = Vec::new();
    if limit > 0 {
        scan(shared, &prefix, &after, |key, invitation: Projected<Option<Invitation>>| {
            let user = keys::place_of(key).map(|(_, user)| user);
            found.extend(user.and_then(|user| Some((user, invitation.row?))));
            found.len() < limit
        })?;
    }
    Ok(found)
}
