//! The contract of [`MessageStore`](crate::store::MessageStore), of [`HomeStore`](crate::store::HomeStore), and of the
//! rows that they read.

use std::sync::Arc;

use super::Sentence;
use super::samples::{direct, group, invited, message, of_group, reaction, seq, user, whole, write};
use crate::bits::Bits;
use crate::content::Content;
use crate::entry::{Act, Amendment, Digest, Entry, Erased, Invitation, Notice, Preferences, Row};
use crate::id::{Bucket, DirectNumber, LogId, Pair, Pos, Segment, Seq};
use crate::store::Store;
use crate::time::Timestamp;

/// The sentences on what became of messages, and on what follows from users' own logs.
pub const SENTENCES: &[Sentence] = &[
    ("what became of messages is read by seq", |store| Box::pin(amendments_are_read_by_seq(store))),
    ("who reacts is read by user", |store| Box::pin(who_reacts_is_read_by_user(store))),
    ("deleted positions come in spans", |store| Box::pin(deleted_positions_come_in_spans(store))),
    ("an erased entry stands in place of the one with its content", |store| Box::pin(an_erased_entry_stands_in_place(store))),
    ("an entry is erased in the batch that brings it", |store| Box::pin(an_entry_is_erased_in_its_own_batch(store))),
    ("a direct conversation and its number lead to each other", |store| Box::pin(a_number_leads_both_ways(store))),
    ("a segment leads to its bucket", |store| Box::pin(a_segment_leads_to_its_bucket(store))),
    ("preferences and hidden entries are a user's own", |store| Box::pin(preferences_are_a_users_own(store))),
    ("notices come newest first and go for good", |store| Box::pin(notices_come_newest_first(store))),
    ("invitations come by user and go for good", |store| Box::pin(invitations_come_by_user(store))),
];

fn edited(text: &str) -> Amendment {
    let content = Content { text: text.into(), ..Content::default() };
    Amendment { edited: Some((content, Timestamp(5))), edits: vec![seq(7)], ..Amendment::default() }
}

/// Design D10.
pub async fn amendments_are_read_by_seq(store: &dyn Store) {
    let log = LogId::from(of_group(1));
    let all = [1, 2, 300, 70_000].map(seq);
    let rows = all.iter().rev().map(|at| (4, Row::Amended(*at, edited(&format!("{at:?}"))))).collect();
    write(store, log, 1, 5, rows).await;
    let read = async |from, to, limit| {
        let found = store.amendments(of_group(1), seq(from), seq(to), limit).await.expect("readable");
        found.into_iter().map(|(at, amendment)| (at.get(), amendment == edited(&format!("{at:?}")))).collect::<Vec<_>>()
    };
    assert_eq!(read(0, 70_000, 9).await, [(1, true), (2, true), (300, true), (70_000, true)]);
    assert_eq!(read(2, 300, 9).await, [(2, true), (300, true)]);
    assert_eq!(read(1, 70_000, 2).await, [(1, true), (2, true)]);
    assert_eq!((read(3, 299, 9).await, read(5, 4, 9).await, read(0, 9, 0).await), (vec![], vec![], vec![]));
    assert_eq!(store.amendments(of_group(2), seq(0), seq(9), 9).await, Ok(vec![]));
    write(store, log, 2, 1, vec![(3, Row::Amended(seq(1), edited("older"))), (6, Row::Amended(seq(2), edited("newer")))]).await;
    let found = store.amendments(of_group(1), seq(1), seq(2), 9).await.expect("readable");
    assert_eq!(found, [(seq(1), edited(&format!("{:?}", seq(1)))), (seq(2), edited("newer"))]);
}

/// Design D10.
pub async fn who_reacts_is_read_by_user(store: &dyn Store) {
    let (conversation, log) = (direct(1, 2), LogId::from(direct(1, 2)));
    let (up, down) = (reaction("👍🏽"), reaction("down"));
    let mut rows: Vec<_> = [900, 3, 2, 1].map(|who| (1, Row::Reactions(seq(1), user(who), vec![up.clone()]))).into();
    rows.push((2, Row::Reactions(seq(2), user(1), vec![down.clone(), up.clone()])));
    write(store, log, 1, 2, rows).await;
    let by = async |after: Option<u64>, limit| {
        let found = store.reactions(conversation, seq(1), after.map(user), limit).await.expect("readable");
        found.into_iter().map(|(who, _)| who.get()).collect::<Vec<_>>()
    };
    assert_eq!((by(None, 9).await, by(Some(2), 9).await, by(Some(1), 1).await), (vec![1, 2, 3, 900], vec![3, 900], vec![2]));
    assert_eq!(by(None, 0).await, Vec::<u64>::new());
    let own = store.reactions_of(conversation, user(1), &[seq(2), seq(9), seq(1)]).await;
    assert_eq!(own, Ok(vec![vec![down, up.clone()], vec![], vec![up.clone()]]));
    write(store, log, 2, 1, vec![(3, Row::Reactions(seq(1), user(2), vec![])), (0, Row::Reactions(seq(1), user(3), vec![]))]).await;
    assert_eq!(by(None, 2).await, [1, 3], "what was taken back is not there, and what is older changes nothing");
    write(store, log, 3, 1, vec![(1, Row::Reactions(seq(1), user(2), vec![up]))]).await;
    assert_eq!(by(None, 9).await, [1, 3, 900], "that it was taken back is remembered");
}

/// Design D9.
pub async fn deleted_positions_come_in_spans(store: &dyn Store) {
    let log = LogId::from(of_group(1));
    let bits = |places: &[u64]| places.iter().fold(Bits::default(), |bits, place| bits.with(*place));
    let rows =
        vec![(1, Row::Gone(Bucket(0), bits(&[0, 4_095]))), (2, Row::Gone(Bucket(300), bits(&[7]))), (2, Row::Gone(Bucket(1), bits(&[])))];
    write(store, log, 1, 3, rows).await;
    let all = vec![(Bucket(0), bits(&[0, 4_095])), (Bucket(300), bits(&[7]))];
    assert_eq!(store.gone(of_group(1), Bucket(0), Bucket(300)).await, Ok(all.clone()));
    assert_eq!(store.gone(of_group(1), Bucket(1), Bucket(299)).await, Ok(vec![]));
    assert_eq!(store.gone(of_group(1), Bucket(300), Bucket(900)).await, Ok(all[1..].to_vec()));
    assert_eq!(store.gone(of_group(2), Bucket(0), Bucket(300)).await, Ok(vec![]));
    write(store, log, 2, 1, vec![(1, Row::Gone(Bucket(300), bits(&[]))), (4, Row::Gone(Bucket(0), bits(&[0, 1, 4_095])))]).await;
    let now = vec![(Bucket(0), bits(&[0, 1, 4_095])), (Bucket(300), bits(&[7]))];
    assert_eq!(store.gone(of_group(1), Bucket(0), Bucket(300)).await, Ok(now));
}

fn erased(entry: &Entry) -> Arc<Entry> {
    let act = Act::Erased(Erased { message: entry.act.is_message(), digest: Digest::of(&entry.act) });
    Arc::new(Entry { act, ..entry.clone() })
}

/// What was deleted is gone from the log, and its place stays.
pub async fn an_erased_entry_stands_in_place(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let first = write(store, log, 1, 3, vec![]).await;
    let without = erased(&first.entries[1]);
    write(store, log, 2, 1, vec![(4, Row::Erased(Arc::clone(&without)))]).await;
    let entries = whole(store, log).await;
    assert_eq!(entries.len(), 4);
    assert_eq!((&entries[0], &entries[1], &entries[2]), (&*first.entries[0], &*without, &*first.entries[2]));
    assert_eq!(store.head(log).await.expect("readable").count, Pos(4));
    assert!(store.append(log, first).await.is_err(), "an old batch brings nothing back");
    assert_eq!(whole(store, log).await, entries);
}

/// A message and its deletion may be one batch.
pub async fn an_entry_is_erased_in_its_own_batch(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let epoch = super::samples::claim(store, log).await;
    let head = super::samples::head(store, log).await;
    let mut batch = super::samples::batch(head, epoch, 1, vec![message("secret"), Act::Deleted { target: seq(1) }]);
    let without = erased(&batch.entries[0]);
    batch.projections = vec![crate::entry::Projection { version: seq(2), row: Row::Erased(Arc::clone(&without)) }];
    store.append(log, Arc::new(batch)).await.expect("the tail is ours");
    assert_eq!(whole(store, log).await[0], *without);
}

/// Design D2.
pub async fn a_number_leads_both_ways(store: &dyn Store) {
    let pair = |one, other| Pair::new(user(one), user(other)).expect("two users");
    let number = |value| DirectNumber::new(value).expect("valid");
    write(store, direct(1, 2).into(), 1, 1, vec![(1, Row::Direct(number(7)))]).await;
    write(store, direct(2, 3).into(), 1, 1, vec![(1, Row::Direct(number(8)))]).await;
    let asked = [pair(2, 3), pair(1, 3), pair(1, 2)];
    assert_eq!(store.direct_numbers(&asked).await, Ok(vec![Some(number(8)), None, Some(number(7))]));
    assert_eq!((store.direct(number(7)).await, store.direct(number(9)).await), (Ok(Some(pair(1, 2))), Ok(None)));
    write(store, direct(1, 2).into(), 2, 1, vec![(2, Row::Direct(number(9)))]).await;
    write(store, direct(2, 3).into(), 2, 1, vec![(0, Row::Direct(number(10)))]).await;
    assert_eq!(store.direct_numbers(&asked).await, Ok(vec![Some(number(8)), None, Some(number(9))]));
    assert_eq!((store.direct(number(7)).await, store.direct(number(9)).await), (Ok(None), Ok(Some(pair(1, 2)))));
    assert_eq!(store.direct(number(10)).await, Ok(None), "an older row changes nothing");
}

/// N3.
pub async fn a_segment_leads_to_its_bucket(store: &dyn Store) {
    assert_eq!(store.bucket_of(Segment(3)).await, Ok(None));
    store.bind_segment(Segment(3), direct(1, 2).into(), Bucket(2)).await.expect("bound");
    assert_eq!(store.bucket_of(Segment(3)).await, Ok(Some((direct(1, 2).into(), Bucket(2)))));
}

/// Nobody else sees them.
pub async fn preferences_are_a_users_own(store: &dyn Store) {
    let wanted = Preferences { muted_until: Some(Timestamp(9)), archived: true, cleared: (seq(4), Pos(3)) };
    let bits = Bits::default().with(3);
    let rows = vec![
        (1, Row::Preferences(direct(1, 2), wanted)),
        (1, Row::Hidden(direct(1, 2), Bucket(0), bits.clone())),
        (2, Row::Hidden(direct(1, 2), Bucket(257), bits.clone())),
        (2, Row::Hidden(of_group(1), Bucket(0), Bits::default())),
    ];
    write(store, user(1).into(), 1, 2, rows).await;
    let asked = [of_group(1), direct(1, 2)];
    assert_eq!(store.preferences(user(1), &asked).await, Ok(vec![Preferences::default(), wanted]));
    assert_eq!(store.preferences(user(2), &asked).await, Ok(vec![Preferences::default(); 2]));
    let hidden =
        async |who: u64, conversation, from, to| store.hidden(user(who), conversation, Bucket(from), Bucket(to)).await.expect("readable");
    assert_eq!(hidden(1, direct(1, 2), 0, 300).await, [(Bucket(0), bits.clone()), (Bucket(257), bits.clone())]);
    assert_eq!(hidden(1, direct(1, 2), 1, 257).await, [(Bucket(257), bits)]);
    assert_eq!((hidden(2, direct(1, 2), 0, 300).await, hidden(1, of_group(1), 0, 9).await), (vec![], vec![]));
    let older =
        vec![(0, Row::Preferences(direct(1, 2), Preferences::default())), (0, Row::Hidden(direct(1, 2), Bucket(0), Bits::default()))];
    write(store, user(1).into(), 2, 1, older).await;
    assert_eq!(store.preferences(user(1), &[direct(1, 2)]).await, Ok(vec![wanted]));
    assert_eq!(hidden(1, direct(1, 2), 0, 9).await.len(), 1);
}

/// One record per event, and its end is remembered.
pub async fn notices_come_newest_first(store: &dyn Store) {
    let asked = |from| Notice::FriendRequest { from: user(from) };
    let rows = (1..=5).map(|n| (n, Row::Notice(seq(n), Some(asked(n + 10))))).chain([(300, Row::Notice(seq(300), Some(invited())))]);
    write(store, user(1).into(), 1, 300, rows.collect()).await;
    let read = async |before: Option<u64>, limit| {
        let found = store.notices(user(1), before.map(seq), limit).await.expect("readable");
        found.into_iter().map(|(at, _)| at.get()).collect::<Vec<_>>()
    };
    assert_eq!(read(None, 9).await, [300, 5, 4, 3, 2, 1]);
    assert_eq!((read(Some(300), 2).await, read(Some(1), 9).await, read(None, 0).await), (vec![5, 4], vec![], vec![]));
    assert_eq!(store.notices(user(1), None, 1).await, Ok(vec![(seq(300), invited())]));
    assert_eq!((store.notices(user(2), None, 9).await, store.notices_read(user(1)).await), (Ok(vec![]), Ok(Seq::ZERO)));
    let rows = vec![(301, Row::Notice(seq(4), None)), (301, Row::NoticesRead(seq(300)))];
    write(store, user(1).into(), 2, 1, rows).await;
    assert_eq!((read(None, 3).await, store.notices_read(user(1)).await), (vec![300, 5, 3], Ok(seq(300))));
    write(store, user(1).into(), 3, 1, vec![(4, Row::Notice(seq(4), Some(asked(14)))), (9, Row::NoticesRead(seq(1)))]).await;
    assert_eq!((read(None, 3).await, store.notices_read(user(1)).await), (vec![300, 5, 3], Ok(seq(300))));
}

/// Design D10.
pub async fn invitations_come_by_user(store: &dyn Store) {
    let by = |by| Invitation { by: user(by), expires_at: Timestamp(by.cast_signed()) };
    let rows = [700, 3, 2].map(|who| (1, Row::Invited(user(who), Some(by(who)))));
    write(store, of_group(1).into(), 1, 3, rows.into()).await;
    let read = async |after: Option<u64>, limit| {
        let found = store.invitations(group(1), after.map(user), limit).await.expect("readable");
        found.into_iter().map(|(who, invitation)| (who.get(), invitation == by(who.get()))).collect::<Vec<_>>()
    };
    assert_eq!(read(None, 9).await, [(2, true), (3, true), (700, true)]);
    assert_eq!((read(Some(2), 1).await, read(Some(700), 9).await, read(None, 0).await), (vec![(3, true)], vec![], vec![]));
    assert_eq!(store.invitation(group(1), user(3)).await, Ok(Some(by(3))));
    assert_eq!((store.invitation(group(1), user(4)).await, store.invitation(group(2), user(3)).await), (Ok(None), Ok(None)));
    write(store, of_group(1).into(), 2, 1, vec![(2, Row::Invited(user(3), None))]).await;
    write(store, of_group(1).into(), 3, 1, vec![(1, Row::Invited(user(3), Some(by(3))))]).await;
    assert_eq!((store.invitation(group(1), user(3)).await, read(None, 9).await), (Ok(None), vec![(2, true), (700, true)]));
}
