//! The contract of [`Archive`]: what comes out of one store goes into any other and comes out as it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::samples::{
    account, attachment, batch, claim, direct, every_act, fill, group, head, invited, login, marks, of_group, picture, reaction, related,
    seq, user, write,
};
use crate::account::{Account, Login, Seen, Standing};
use crate::archive::{Archive, Record, Section, Snapshot};
use crate::bits::Bits;
use crate::content::{AboutText, Content, GroupName};
use crate::entry::{Act, Amendment, Batch, GroupRow, Invitation, Membership, Notice, Preferences, Projection, Role, Row};
use crate::id::{BUCKET_SEQS, Bucket, ConversationId, DirectNumber, LogId, Pair, Pos, Segment};
use crate::relation::Bond;
use crate::store::{Sequence, Store};
use crate::time::Timestamp;

/// A store with its archive.
pub trait Kept: Store + Archive {}
impl<S: Store + Archive> Kept for S {}

/// All records of a snapshot, asked for in pages of this size.
pub async fn records(mut snapshot: Box<dyn Snapshot>, page: usize) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let some = snapshot.next(page).await.expect("readable");
        assert!(some.len() <= page, "{} records on a page of {page}", some.len());
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// Everything in a store.
pub async fn everything(store: &dyn Archive) -> Vec<Record> {
    records(store.snapshot().await.expect("a snapshot"), 1_000).await
}

/// Every kind of record, each act, and a log of more than one bucket. It is no history that a node would write.
pub async fn write_every_kind(store: &dyn Store) {
    store.draw(Sequence::Principals, 64).await.expect("drawn");
    store.draw(Sequence::Segments, 1_024).await.expect("drawn");
    store.draw(Sequence::Directs, 32).await.expect("drawn");
    store.bind_segment(Segment(1), of_group(9).into(), Bucket(0)).await.expect("bound");
    store.bind_segment(Segment(2), user(7).into(), Bucket(3)).await.expect("bound");
    store.put_account(account(7, "ann", "Ann@example.org"), 0).await.expect("written");
    let bare = Account { password: None, standing: Standing::Banned, ..account(8, "Élan", "e@example.org") };
    store.put_account(bare.clone(), 0).await.expect("written");
    store.put_account(bare, 1).await.expect("written");
    store.put_login(login(1), 0).await.expect("written");
    let open = Login { replaced: None, ended_at: None, ..login(u128::MAX) };
    store.put_login(open, 0).await.expect("written");
    fill(store, direct(7, 8).into(), BUCKET_SEQS + 10).await;
    write_acts(store, of_group(9).into()).await;
    write(store, user(7).into(), 1, 2, vec![(1, Row::Listed(direct(7, 8), true)), (2, Row::Listed(of_group(9), false))]).await;
    store.raise(direct(7, 8), vec![(user(7), marks(12, 11)), (user(8), marks(5, 0))]).await.expect("raised");
    store.raise(of_group(9), vec![(user(7), marks(1, 1))]).await.expect("raised");
    write_rows(store).await;
    let bond = related(7, 8);
    store.put_bond(bond, 0).await.expect("written");
    store.put_bond(Bond { low_blocks: Some(Timestamp(4)), ..bond }, 1).await.expect("written");
    store.put_bond(Bond { relation: None, high_blocks: Some(Timestamp(5)), ..related(3, 7) }, 0).await.expect("written");
    store.touch(user(7), Seen { here: Some(Timestamp(8)), login: Some(Timestamp(7)) }).await.expect("touched");
    store.touch(user(8), Seen { here: None, login: Some(Timestamp(-7)) }).await.expect("touched");
}

/// Each kind of row that follows from a log, also those that say "nothing any more".
async fn write_rows(store: &dyn Store) {
    let mut bare = Amendment { reactions: vec![(reaction("+1"), 2), (reaction("👍🏽"), 1)], ..Amendment::default() };
    let content = Content { text: "better".into(), attachments: vec![attachment()], ..Content::default() };
    let rows = vec![
        (1, Row::Direct(DirectNumber::new(5).expect("valid"))),
        (1, Row::Amended(seq(1), bare.clone())),
        (2, Row::Reactions(seq(1), user(9), vec![reaction("+1"), reaction("👍🏽")])),
        (3, Row::Reactions(seq(1), user(8), vec![])),
        (3, Row::Gone(Bucket(0), Bits::default().with(0).with(4_095))),
        (4, Row::Gone(Bucket(1), Bits::default().with(9))),
    ];
    write(store, direct(8, 9).into(), 1, 4, rows).await;
    bare.edited = Some((content, Timestamp(3)));
    bare.edits = vec![seq(2), seq(3)];
    let invitation = Invitation { by: user(7), expires_at: Timestamp(i64::MAX) };
    let deleted = Amendment { deleted: Some((user(7), Timestamp(3))), ..Amendment::default() };
    let rows = vec![
        (2, Row::Amended(seq(1), bare)),
        (2, Row::Amended(seq(2), deleted)),
        (1, Row::Invited(user(8), Some(invitation))),
        (2, Row::Invited(user(9), None)),
    ];
    write(store, of_group(10).into(), 1, 2, rows).await;
    let preferences = Preferences { muted_until: Some(Timestamp(6)), archived: true, cleared: (seq(3), Pos(2)) };
    let rows = vec![
        (1, Row::Preferences(direct(8, 9), preferences)),
        (2, Row::Preferences(of_group(9), Preferences::default())),
        (2, Row::Hidden(direct(8, 9), Bucket(0), Bits::default().with(1))),
        (2, Row::Hidden(direct(8, 9), Bucket(300), Bits::default().with(77))),
        (1, Row::Notice(seq(1), Some(invited()))),
        (2, Row::Notice(seq(2), None)),
        (3, Row::Notice(seq(3), Some(Notice::FriendRequest { from: user(9) }))),
        (3, Row::NoticesRead(seq(2))),
    ];
    write(store, user(8).into(), 1, 3, rows).await;
}

async fn write_acts(store: &dyn Store, log: LogId) {
    let row = GroupRow {
        name: GroupName::new("g “1”").expect("a name"),
        members: 2,
        created_at: Timestamp(-7),
        about: AboutText::new("what\nfor").expect("a text"),
        picture: Some(picture()),
        open: true,
        updated_at: Timestamp(9),
    };
    let place = |until| Membership { role: Role::Admin, since: seq(4), until };
    let rows = vec![
        Row::Group(row),
        Row::Member(user(7), place(None)),
        Row::Member(user(8), Membership { role: Role::Owner, ..place(Some(seq(7))) }),
        Row::Member(user(9), Membership { role: Role::Member, ..place(None) }),
        Row::Own(user(7), Pos(3)),
    ];
    let projections = rows.into_iter().map(|row| Projection { version: seq(4), row }).collect();
    let epoch = claim(store, log).await;
    let acts: Vec<Act> = every_act();
    let written = Batch { projections, ..batch(head(store, log).await, epoch, 5, acts) };
    store.append(log, Arc::new(written)).await.expect("the tail is ours");
}

/// From one store into the other: they give the same records, in an order that rises, whatever the size of pages; and
/// the other answers as the first does.
pub async fn everything_goes_over(from: &dyn Kept, to: &dyn Kept) {
    assert!(from.is_blank().await.expect("readable") && to.is_blank().await.expect("readable"));
    write_every_kind(from).await;
    assert!(!from.is_blank().await.expect("readable"));
    let all = everything(from).await;
    let sections: BTreeSet<_> = all.iter().map(Record::section).collect();
    assert_eq!(sections, BTreeSet::from(Section::ALL), "a section without a record");
    assert!(all.windows(2).all(|pair| pair[0].place() < pair[1].place() && pair[0].section() <= pair[1].section()));
    assert_eq!(records(from.snapshot().await.expect("a snapshot"), 7).await, all);
    for some in all.chunks(100) {
        to.admit(some.to_vec()).await.expect("taken in");
        to.admit(some.to_vec()).await.expect("a second time as well");
    }
    assert_eq!(everything(to).await, all);
    they_answer_alike(from, to).await;
}

async fn they_answer_alike(from: &dyn Kept, to: &dyn Kept) {
    let log: LogId = direct(7, 8).into();
    assert_eq!(head(to, log).await, head(from, log).await);
    assert_eq!(super::samples::whole(to, log).await, super::samples::whole(from, log).await);
    assert_eq!(to.group(group(9)).await, from.group(group(9)).await);
    assert_eq!(to.members(group(9), None, 9).await, from.members(group(9), None, 9).await);
    assert_eq!(to.listed(user(7), None, 9).await, from.listed(user(7), None, 9).await);
    let both: [ConversationId; 2] = [direct(7, 8), of_group(9)];
    assert_eq!(to.marks(user(7), &both).await, from.marks(user(7), &both).await);
    let found = from.search("ann", 9).await.expect("readable");
    assert_eq!((found.is_empty(), to.search("ann", 9).await), (false, Ok(found)), "words lead to accounts there too");
    assert_eq!(to.logins(user(4), Timestamp(0), 9).await, from.logins(user(4), Timestamp(0), 9).await);
    for number in [3, 7, 8] {
        assert_eq!(to.bonds(user(number), None, 9).await, from.bonds(user(number), None, 9).await);
    }
    let number = DirectNumber::new(5).expect("valid");
    assert_eq!(to.direct(number).await, Ok(Some(Pair::new(user(8), user(9)).expect("two users"))));
    assert_eq!(to.overviews(user(8), &[direct(8, 9), of_group(9)]).await, from.overviews(user(8), &[direct(8, 9), of_group(9)]).await);
    let taken = to.put_account(account(10, "ann", "other@example.org"), 0).await;
    assert_eq!(taken, from.put_account(account(10, "ann", "other@example.org"), 0).await, "a name is taken there too");
    assert!(taken.is_err());
    assert_eq!(to.draw(Sequence::Segments, 1).await, from.draw(Sequence::Segments, 1).await);
    let batch_id = u128::from(head(to, log).await.tail.get()) + 1;
    write(to, log, batch_id, 3, Vec::new()).await;
}

/// A snapshot stands still while the store goes on.
pub async fn a_snapshot_stands_still(store: &dyn Kept) {
    write_every_kind(store).await;
    let before = everything(store).await;
    let mut snapshot = store.snapshot().await.expect("a snapshot");
    let mut seen = snapshot.next(3).await.expect("readable");
    fill(store, direct(7, 8).into(), BUCKET_SEQS + 500).await;
    fill(store, direct(1, 2).into(), 5).await;
    store.put_account(account(3, "new", "new@example.org"), 0).await.expect("written");
    seen.extend(records(snapshot, 1_000).await);
    assert!(seen == before, "{} records, {} before", seen.len(), before.len());
    assert!(everything(store).await.len() > before.len());
}

/// A drawn number is only ever raised.
pub async fn a_sequence_is_only_raised(store: &dyn Kept) {
    let drawn = |last| vec![Record::Sequence { sequence: Sequence::Segments, last }];
    store.admit(drawn(100)).await.expect("taken in");
    store.admit(drawn(50)).await.expect("taken in");
    assert_eq!(store.draw(Sequence::Segments, 1).await.expect("drawn").first, 101);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::memory::MemoryStore;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contract() {
        everything_goes_over(&MemoryStore::new(), &MemoryStore::new()).await;
        a_snapshot_stands_still(&MemoryStore::new()).await;
        a_sequence_is_only_raised(&MemoryStore::new()).await;
    }
}
