//! What a list shows of conversations, read from one snapshot: at most a dozen rows each, whatever lies in them.

use actors::account::Account;
use actors::bits::Bits;
use actors::entry::{Amendment, Entry, GroupRow, Head, Membership, Preferences};
use actors::id::{BUCKET_SEQS, Bucket, ConversationId, DirectNumber, GroupId, LogId, Pair, Seq, UserId};
use actors::relation::Bond;
use actors::store::{Marks, Overview, StoreError, Versioned};
use fjall::Snapshot;

use super::keys::Key;
use super::messages;
use super::reads::{left_out, marks_at, row_at};
use super::records::Projected;
use super::store::Shared;

pub(super) fn overviews(shared: &Shared, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Overview>, StoreError> {
    let at = shared.folder.database().snapshot();
    conversations.iter().map(|conversation| overview(shared, &at, user, *conversation)).collect()
}

fn overview(shared: &Shared, at: &Snapshot, user: UserId, conversation: ConversationId) -> Result<Overview, StoreError> {
    let log = LogId::from(conversation);
    let head = row_at::<Head>(shared, at, Key::Head(log))?.unwrap_or_default();
    let marks = marks_at(shared, at, user, conversation)?;
    let common = Overview {
        head,
        marks,
        preferences: row_at::<Projected<Preferences>>(shared, at, Key::Preferences(user, conversation))?
            .map(|row| row.row)
            .unwrap_or_default(),
        last: last(shared, at, log, head.tail),
        last_amendment: row_at::<Projected<Amendment>>(shared, at, Key::Amended(conversation, head.tail))?.map(|row| row.row),
        last_hidden: row_at::<Projected<Bits>>(shared, at, Key::Hidden(user, conversation, head.tail.bucket()))?
            .is_some_and(|bits| head.tail != Seq::ZERO && bits.row.has(head.tail.offset())),
        gone: gone_above(shared, at, conversation, marks.badge.0, head.count.0)?,
        ..Overview::default()
    };
    match conversation {
        ConversationId::Group(group) => of_group(shared, at, (group, user), common),
        ConversationId::Direct(pair) => of_pair(shared, at, (pair, user), common),
    }
}

/// One that cannot be read is left out, as on a page (X4).
fn last(shared: &Shared, at: &Snapshot, log: LogId, tail: Seq) -> Option<Entry> {
    if tail == Seq::ZERO {
        return None;
    }
    match row_at(shared, at, Key::Entry(log, tail)) {
        Ok(entry) => entry,
        Err(error) => {
            left_out(shared, log, &error.to_string());
            None
        }
    }
}

fn of_group(shared: &Shared, at: &Snapshot, (group, user): (GroupId, UserId), common: Overview) -> Result<Overview, StoreError> {
    Ok(Overview {
        place: row_at::<Projected<Membership>>(shared, at, Key::Member(group, user))?.map(|row| row.row),
        group: row_at::<Projected<GroupRow>>(shared, at, Key::Group(group))?.map(|row| row.row),
        ..common
    })
}

fn of_pair(shared: &Shared, at: &Snapshot, (pair, user): (Pair, UserId), common: Overview) -> Result<Overview, StoreError> {
    let bond = row_at::<Versioned<Bond>>(shared, at, Key::Bond(pair))?;
    let shown = Overview {
        bond: Some(bond.map_or_else(|| Bond::new(pair), |bond| bond.row)),
        number: row_at::<Projected<DirectNumber>>(shared, at, Key::Direct(pair))?.map(|row| row.row),
        ..common
    };
    let Some(peer) = pair.other(user) else { return Ok(shown) };
    Ok(Overview {
        peer: row_at::<Versioned<Account>>(shared, at, Key::Account(peer))?.map(|account| account.row),
        peer_marks: row_at::<Marks>(shared, at, Key::Marks(peer, ConversationId::Direct(pair)))?.unwrap_or_default(),
        ..shown
    })
}

/// Deleted positions above the badge, of the newest two spans.
fn gone_above(
    shared: &Shared,
    at: &Snapshot,
    conversation: ConversationId,
    badge: u64,
    count: u64,
) -> Result<Vec<(Bucket, Bits)>, StoreError> {
    if badge >= count {
        return Ok(Vec::new());
    }
    let newest = (count - 1) / BUCKET_SEQS;
    let lowest = newest.saturating_sub(1).max(badge / BUCKET_SEQS);
    let mut spans = messages::gone(shared, at, conversation, (Bucket(lowest), Bucket(newest)))?;
    for (span, bits) in &mut spans {
        // Position p lies at place p − 1 − span × 4,096, so the first one above the badge at badge − span × 4,096.
        let from = badge.saturating_sub(span.0 * BUCKET_SEQS);
        if from > 0 {
            *bits = bits.places().filter(|place| *place >= from).fold(Bits::default(), Bits::with);
        }
    }
    spans.retain(|(_, bits)| bits.count() > 0);
    Ok(spans)
}
