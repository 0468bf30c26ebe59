//! The contract of [`LogStore`](crate::store::LogStore).

use std::sync::Arc;

use super::Sentence;
use super::samples::{batch, batch_with, claim, direct, every_act, fill, head, message, of_group, seq, together, user, whole, write};
use crate::entry::{Head, Row};
use crate::id::{BUCKET_SEQS, Bucket, Epoch, LogId, Pos, Segment, Seq};
use crate::store::{Answer, AppendError, Sequence, Store};

/// The sentences on logs.
pub const SENTENCES: &[Sentence] = &[
    ("a log that nobody wrote to has the default head", |store| Box::pin(an_unwritten_log_has_the_default_head(store))),
    ("an append at the tail moves the head", |store| Box::pin(an_append_at_the_tail_moves_the_head(store))),
    ("an append elsewhere is stale and changes nothing", |store| Box::pin(an_append_elsewhere_is_stale(store))),
    ("the same batch again is the same success", |store| Box::pin(the_same_batch_again_is_the_same_success(store))),
    ("another batch at a used base is stale", |store| Box::pin(another_batch_at_a_used_base_is_stale(store))),
    ("an older epoch is refused", |store| Box::pin(an_older_epoch_is_refused(store))),
    ("an owner that was overtaken is refused", |store| Box::pin(an_owner_that_was_overtaken_is_refused(store))),
    ("of racing appends at one base one is applied", |store| Box::pin(of_racing_appends_one_is_applied(store))),
    ("appends to many logs at once are all applied", |store| Box::pin(appends_to_many_logs_are_all_applied(store))),
    ("a claim of an old head is stale", |store| Box::pin(a_claim_of_an_old_head_is_stale(store))),
    ("a claim is as new as every append", |store| Box::pin(a_claim_is_as_new_as_every_append(store))),
    ("a range keeps its bounds, limit and order", |store| Box::pin(a_range_keeps_bounds_limit_and_order(store))),
    ("a range goes across buckets", |store| Box::pin(a_range_goes_across_buckets(store))),
    ("every act comes back as it was", |store| Box::pin(every_act_comes_back_as_it_was(store))),
    ("logs do not touch each other", |store| Box::pin(logs_do_not_touch_each_other(store))),
    ("heads come in the order asked for", |store| Box::pin(heads_come_in_the_order_asked_for(store))),
    ("blocks never overlap", |store| Box::pin(blocks_never_overlap(store))),
    ("a segment may be bound again to its bucket", |store| Box::pin(a_segment_may_be_bound_again(store))),
];

async fn refused(store: &dyn Store, log: LogId, batch: Arc<crate::entry::Batch>) -> Head {
    match store.append(log, batch).await {
        Err(AppendError::Stale { head }) => head,
        other => unreachable!("must be stale, but was {other:?}"),
    }
}

/// R7: reading a log writes nothing to it.
pub async fn an_unwritten_log_has_the_default_head(store: &dyn Store) {
    for log in [LogId::from(direct(1, 2)), LogId::from(of_group(1)), LogId::from(user(1))] {
        assert_eq!(head(store, log).await, Head::default());
        assert_eq!(whole(store, log).await, []);
    }
    assert_eq!(store.readiness(), Ok(()));
}

/// R3.
pub async fn an_append_at_the_tail_moves_the_head(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let first = write(store, log, 1, 2, Vec::new()).await;
    assert_eq!(head(store, log).await, first.after);
    assert_eq!((first.after.tail, first.after.count, first.after.segment), (seq(2), Pos(2), Segment(1)));
    let second = batch(first.after, first.epoch, 2, every_act().split_off(2));
    store.append(log, Arc::new(second.clone())).await.expect("the tail is ours");
    assert_eq!(head(store, log).await, second.after);
    assert!(second.after.last_change > seq(2) && second.after.count > Pos(2));
    assert_eq!(whole(store, log).await.len() as u64, second.after.tail.get());
}

/// R1.
pub async fn an_append_elsewhere_is_stale(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let ahead = Head { tail: seq(3), ..Head::default() };
    let epoch = claim(store, log).await;
    assert_eq!(refused(store, log, Arc::new(batch_with(ahead, epoch, 9, 1, Vec::new()))).await.tail, Seq::ZERO);
    assert_eq!(whole(store, log).await, []);
    let first = write(store, log, 1, 2, Vec::new()).await;
    for tail in [Seq::ZERO, seq(1), seq(3)] {
        let wrong = Head { tail, ..first.after };
        let stands = refused(store, log, Arc::new(batch_with(wrong, first.epoch, 2, 1, Vec::new()))).await;
        assert_eq!(stands, first.after);
    }
    assert_eq!(head(store, log).await, first.after);
    assert_eq!(whole(store, log).await.len(), 2);
}

/// R4: and after later batches the head proves its fate, not the answer.
pub async fn the_same_batch_again_is_the_same_success(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let first = write(store, log, 1, 3, Vec::new()).await;
    for _ in 0..2 {
        assert_eq!(store.append(log, Arc::clone(&first)).await, Ok(()));
        assert_eq!(head(store, log).await, first.after);
    }
    assert_eq!(whole(store, log).await.len(), 3);
    let second = Arc::new(batch_with(first.after, first.epoch, 2, 1, Vec::new()));
    store.append(log, Arc::clone(&second)).await.expect("the tail is ours");
    assert_eq!(refused(store, log, first).await, second.after);
    assert_eq!(store.append(log, second).await, Ok(()));
    assert_eq!(whole(store, log).await.len(), 4);
}

/// R1: nothing acknowledged is ever replaced.
pub async fn another_batch_at_a_used_base_is_stale(store: &dyn Store) {
    let log = LogId::from(of_group(4));
    let epoch = claim(store, log).await;
    let stands = head(store, log).await;
    let first = Arc::new(batch(stands, epoch, 1, vec![message("first")]));
    store.append(log, Arc::clone(&first)).await.expect("the tail is ours");
    let projections = vec![(1, Row::Own(user(2), Pos(1)))];
    let other = Arc::new(batch_with(stands, epoch, 2, 1, projections));
    assert_eq!(refused(store, log, other).await, first.after);
    assert_eq!(whole(store, log).await, [crate::entry::Entry::clone(&first.entries[0])]);
    assert_eq!(store.marks(user(2), &[of_group(4)]).await.expect("marks")[0].badge, Pos(0));
}

/// R10.
pub async fn an_older_epoch_is_refused(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let epoch = claim(store, log).await;
    let newer = Epoch(epoch.0 + 1);
    let first = Arc::new(batch_with(head(store, log).await, newer, 1, 1, Vec::new()));
    store.append(log, Arc::clone(&first)).await.expect("no newer epoch has written");
    let old = Arc::new(batch_with(first.after, epoch, 2, 1, Vec::new()));
    assert_eq!(refused(store, log, old).await, first.after);
    assert_eq!(head(store, log).await, first.after);
    let same = Arc::new(batch_with(first.after, newer, 3, 1, Vec::new()));
    assert_eq!(store.append(log, same).await, Ok(()));
}

/// G10: two that both believe to own a log.
pub async fn an_owner_that_was_overtaken_is_refused(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let begun = write(store, log, 1, 1, Vec::new()).await;
    let (one, stands) = (claim(store, log).await, head(store, log).await);
    let other = claim(store, log).await;
    assert!(other >= one && one >= begun.epoch);
    let theirs = Arc::new(batch_with(stands, other, 3, 1, Vec::new()));
    store.append(log, Arc::clone(&theirs)).await.expect("the newest owner appends");
    assert_eq!(refused(store, log, Arc::new(batch_with(stands, one, 2, 1, Vec::new()))).await, theirs.after);
    assert_eq!(whole(store, log).await.len(), 2);
}

/// G10.
pub async fn of_racing_appends_one_is_applied(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let epoch = claim(store, log).await;
    let mut stands = head(store, log).await;
    for round in 0..10_u128 {
        let batches: Vec<_> = (1..=8).map(|n| Arc::new(batch_with(stands, epoch, round * 10 + n, 1, Vec::new()))).collect();
        let answers: Vec<Answer<'_, (), AppendError>> = batches.iter().map(|batch| store.append(log, Arc::clone(batch))).collect();
        let answers = together(answers).await;
        let applied: Vec<_> = batches.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).collect();
        assert_eq!(applied.len(), 1, "{answers:?}");
        stands = applied[0].0.after;
        assert_eq!(head(store, log).await, stands);
        for answer in answers.iter().filter(|answer| answer.is_err()) {
            assert_eq!(*answer, Err(AppendError::Stale { head: stands }));
        }
    }
    assert_eq!(whole(store, log).await.len(), 10);
}

/// R17.
pub async fn appends_to_many_logs_are_all_applied(store: &dyn Store) {
    let logs: Vec<_> = (2..130).map(|n| LogId::from(direct(1, n))).collect();
    let mut batches = Vec::new();
    for log in &logs {
        batches.push(Arc::new(batch_with(head(store, *log).await, claim(store, *log).await, 5, 2, Vec::new())));
    }
    let answers = logs.iter().zip(&batches).map(|(log, batch)| store.append(*log, Arc::clone(batch))).collect();
    assert!(together::<(), AppendError>(answers).await.iter().all(Result::is_ok));
    let heads = store.heads(&logs).await.expect("heads");
    assert!(heads.iter().zip(&batches).all(|(head, batch)| *head == batch.after));
}

/// R7.
pub async fn a_claim_of_an_old_head_is_stale(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    let before = head(store, log).await;
    let first = write(store, log, 1, 1, Vec::new()).await;
    assert_eq!(store.claim(log, before).await, Err(AppendError::Stale { head: first.after }));
    let ahead = Head { tail: seq(2), ..first.after };
    assert_eq!(store.claim(log, ahead).await, Err(AppendError::Stale { head: first.after }));
    assert!(store.claim(log, first.after).await.is_ok());
}

/// R7.
pub async fn a_claim_is_as_new_as_every_append(store: &dyn Store) {
    let log = LogId::from(user(1));
    let epoch = Epoch(claim(store, log).await.0 + 1_000);
    let first = Arc::new(batch_with(head(store, log).await, epoch, 1, 1, Vec::new()));
    store.append(log, Arc::clone(&first)).await.expect("no newer epoch has written");
    let next = store.claim(log, first.after).await.expect("the head is true");
    assert!(next >= epoch);
    let second = Arc::new(batch_with(first.after, next, 2, 1, Vec::new()));
    assert_eq!(store.append(log, second).await, Ok(()));
}

/// The pages of history and of a resume.
pub async fn a_range_keeps_bounds_limit_and_order(store: &dyn Store) {
    let log = LogId::from(direct(1, 2));
    fill(store, log, 20).await;
    let seqs = async |from, to, limit, newest_first| {
        let entries = store.range(log, seq(from), seq(to), limit, newest_first).await.expect("a range");
        entries.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>()
    };
    assert_eq!(seqs(5, 8, 100, false).await, [5, 6, 7, 8]);
    assert_eq!(seqs(5, 8, 100, true).await, [8, 7, 6, 5]);
    assert_eq!(seqs(5, 8, 3, false).await, [5, 6, 7]);
    assert_eq!(seqs(5, 8, 3, true).await, [8, 7, 6]);
    assert_eq!(seqs(0, 2, 100, false).await, [1, 2]);
    assert_eq!(seqs(19, 4_000, 100, true).await, [20, 19]);
    assert_eq!(seqs(7, 7, 100, false).await, [7]);
    for (from, to, limit) in [(21, 30, 100), (8, 5, 100), (5, 8, 0), (0, 0, 100)] {
        assert_eq!(seqs(from, to, limit, false).await, [0_u64; 0], "{from}..={to}, {limit}");
        assert_eq!(seqs(from, to, limit, true).await, [0_u64; 0], "{from}..={to}, {limit}");
    }
}

/// R2, R9: a bucket's end is nothing that a reader sees.
pub async fn a_range_goes_across_buckets(store: &dyn Store) {
    let log = LogId::from(of_group(3));
    let written = fill(store, log, 2 * BUCKET_SEQS + 10).await;
    assert_eq!(head(store, log).await.segment, Segment(3));
    assert_eq!(whole(store, log).await, written);
    let (from, to) = (BUCKET_SEQS - 1, BUCKET_SEQS + 2);
    let middle = store.range(log, seq(from), seq(to), 100, false).await.expect("a range");
    assert_eq!(middle.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>(), (from..=to).collect::<Vec<_>>());
    assert_eq!((middle[1].id.segment(), middle[2].id.segment()), (Segment(1), Segment(2)));
    let newest = store.range(log, Seq::ZERO, seq(2 * BUCKET_SEQS + 10), 12, true).await.expect("a range");
    assert_eq!(newest.last().map(|entry| entry.seq), Some(seq(2 * BUCKET_SEQS - 1)));
}

/// The record format.
pub async fn every_act_comes_back_as_it_was(store: &dyn Store) {
    for log in [LogId::from(user(1)), LogId::from(of_group(1)), LogId::from(direct(1, 2))] {
        let mut stands = head(store, log).await;
        stands.last_at = crate::time::Timestamp(1_767_225_600_123_456);
        let batch = Arc::new(batch(stands, claim(store, log).await, u128::MAX, every_act()));
        store.append(log, Arc::clone(&batch)).await.expect("the tail is ours");
        let read = whole(store, log).await;
        assert_eq!(read.len(), batch.entries.len());
        for (read, written) in read.iter().zip(&batch.entries) {
            assert_eq!(read, &**written);
        }
        assert_eq!(head(store, log).await, batch.after);
    }
}

/// Neighbours in every order of keys.
pub async fn logs_do_not_touch_each_other(store: &dyn Store) {
    let logs = [
        LogId::from(direct(1, 2)),
        LogId::from(direct(1, 3)),
        LogId::from(direct(2, 3)),
        LogId::from(of_group(1)),
        LogId::from(of_group(2)),
        LogId::from(user(1)),
        LogId::from(user(2)),
        LogId::from(of_group(255)),
        LogId::from(of_group(256)),
    ];
    for (log, tail) in logs.into_iter().zip(1..) {
        fill(store, log, tail).await;
    }
    for (log, tail) in logs.into_iter().zip(1..) {
        assert_eq!(head(store, log).await.tail, seq(tail));
        assert_eq!(whole(store, log).await.len() as u64, tail);
    }
}

/// Lists.
pub async fn heads_come_in_the_order_asked_for(store: &dyn Store) {
    let logs = [LogId::from(direct(1, 2)), LogId::from(of_group(7)), LogId::from(user(9))];
    let first = write(store, logs[0], 1, 1, Vec::new()).await;
    let second = write(store, logs[2], 1, 3, Vec::new()).await;
    let asked = [logs[2], logs[1], logs[0], logs[2]];
    let heads = store.heads(&asked).await.expect("heads");
    assert_eq!(heads, [second.after, Head::default(), first.after, second.after]);
    assert_eq!(store.heads(&[]).await, Ok(Vec::new()));
}

/// N6.
pub async fn blocks_never_overlap(store: &dyn Store) {
    let mut drawn = Vec::new();
    for sequence in [Sequence::Principals, Sequence::Segments] {
        let mut blocks = vec![store.draw(sequence, 3).await.expect("a block")];
        assert!(blocks[0].first >= 1 && blocks[0].count == 3);
        let answers = (1..=20).map(|count| store.draw(sequence, count)).collect();
        blocks.extend(together(answers).await.into_iter().map(|block| block.expect("a block")));
        blocks.sort_by_key(|block| block.first);
        assert!(blocks.windows(2).all(|pair| pair[0].first + pair[0].count <= pair[1].first), "{blocks:?}");
        let mut counts: Vec<_> = blocks.iter().map(|block| block.count).collect();
        counts.sort_unstable();
        let mut asked: Vec<_> = (1..=20).chain([3]).collect();
        asked.sort_unstable();
        assert_eq!(counts, asked);
        drawn.push(blocks[0].first);
    }
    assert_eq!(drawn[0], drawn[1], "the sequences are apart");
}

/// N3.
pub async fn a_segment_may_be_bound_again(store: &dyn Store) {
    for _ in 0..3 {
        store.bind_segment(Segment(5), of_group(1).into(), Bucket(0)).await.expect("bound");
        store.bind_segment(Segment(6), of_group(1).into(), Bucket(1)).await.expect("bound");
        store.bind_segment(Segment(7), user(1).into(), Bucket(0)).await.expect("bound");
        store.bind_segment(Segment(8), direct(1, 2).into(), Bucket(0)).await.expect("bound");
    }
}
