//! The contract of [`MediaStore`](crate::store::MediaStore).

use super::Sentence;
use super::samples::{direct, media, together, user, write};
use crate::entry::Row;
use crate::media::{Media, MediaId};
use crate::store::{PutError, Store, Versioned};
use crate::time::Timestamp;

/// The sentences on files.
pub const SENTENCES: &[Sentence] = &[
    ("what is known of a file is kept and changed by version", |store| Box::pin(a_file_is_kept_and_changed_by_version(store))),
    ("the bytes of a user's files are summed", |store| Box::pin(the_bytes_of_a_users_files_are_summed(store))),
    ("files fall due in the order of their time", |store| Box::pin(files_fall_due_in_the_order_of_their_time(store))),
    ("a user's files are found by their owner until they are erased", |store| Box::pin(a_users_files_are_found(store))),
    ("a file expires with the entry that lets it go", |store| Box::pin(a_file_expires_with_an_entry(store))),
    ("of racing changes of a file one is written", |store| Box::pin(of_racing_changes_one_is_written(store))),
];

fn erased(media: Media) -> Media {
    Media { erased_at: Some(Timestamp(99)), ..media }
}

/// Design D12.
pub async fn a_file_is_kept_and_changed_by_version(store: &dyn Store) {
    assert_eq!(store.media(MediaId(7)).await, Ok(None));
    assert_eq!(store.put_media(media(7, 1, 10, None), 1).await, Err(PutError::Changed));
    store.put_media(media(7, 1, 10, Some(50)), 0).await.expect("written");
    assert_eq!(store.media(MediaId(7)).await, Ok(Some(Versioned { version: 1, row: media(7, 1, 10, Some(50)) })));
    assert_eq!(store.put_media(media(7, 1, 10, None), 0).await, Err(PutError::Changed));
    store.put_media(erased(media(7, 1, 10, Some(50))), 1).await.expect("written");
    let stands = Versioned { version: 2, row: erased(media(7, 1, 10, Some(50))) };
    assert_eq!(store.media(MediaId(7)).await, Ok(Some(stands)));
    assert_eq!(store.media(MediaId(u128::MAX)).await, Ok(None));
}

/// What was erased counts no more.
pub async fn the_bytes_of_a_users_files_are_summed(store: &dyn Store) {
    assert_eq!(store.media_used(user(1)).await, Ok(0));
    store.put_media(media(1, 1, 10, None), 0).await.expect("written");
    store.put_media(media(2, 1, 5_000_000_000, Some(9)), 0).await.expect("written");
    store.put_media(media(3, 2, 7, None), 0).await.expect("written");
    assert_eq!((store.media_used(user(1)).await, store.media_used(user(2)).await), (Ok(5_000_000_010), Ok(7)));
    store.put_media(media(2, 1, 5_000_000_000, None), 1).await.expect("written");
    assert_eq!(store.media_used(user(1)).await, Ok(5_000_000_010), "a change counts nothing twice");
    assert_eq!(store.put_media(media(1, 1, 10, None), 7).await, Err(PutError::Changed));
    store.put_media(erased(media(2, 1, 5_000_000_000, None)), 2).await.expect("written");
    store.put_media(erased(media(2, 1, 5_000_000_000, None)), 3).await.expect("written");
    assert_eq!((store.media_used(user(1)).await, store.media_used(user(2)).await), (Ok(10), Ok(7)));
}

/// Until they are erased, or are given another time.
pub async fn files_fall_due_in_the_order_of_their_time(store: &dyn Store) {
    let due = async |now, limit| store.media_due(Timestamp(now), limit).await.expect("readable");
    assert_eq!(due(i64::MAX, 9).await, []);
    for (number, at) in [(5, Some(70_000)), (6, Some(300)), (7, None), (8, Some(300)), (4, Some(2))] {
        store.put_media(media(number, 1, 1, at), 0).await.expect("written");
    }
    assert_eq!(due(1, 9).await, []);
    assert_eq!(due(300, 9).await, [MediaId(4), MediaId(6), MediaId(8)]);
    assert_eq!(due(i64::MAX, 9).await, [MediaId(4), MediaId(6), MediaId(8), MediaId(5)]);
    assert_eq!(due(i64::MAX, 2).await, [MediaId(4), MediaId(6)]);
    assert_eq!(due(i64::MAX, 0).await, []);
    store.put_media(erased(media(4, 1, 1, Some(2))), 1).await.expect("written");
    store.put_media(media(6, 1, 1, Some(100_000)), 1).await.expect("written");
    store.put_media(media(8, 1, 1, None), 1).await.expect("written");
    assert_eq!(due(i64::MAX, 9).await, [MediaId(5), MediaId(6)]);
}

/// In the order of their names, some at a time.
pub async fn a_users_files_are_found(store: &dyn Store) {
    let of = async |number, after: Option<u128>, limit| store.media_of(user(number), after.map(MediaId), limit).await.expect("readable");
    assert_eq!(of(1, None, 9).await, []);
    for (number, owner) in [(9, 1), (1 << 100, 1), (3, 1), (4, 2), (u128::MAX, 1)] {
        store.put_media(media(number, owner, 1, None), 0).await.expect("written");
    }
    assert_eq!(of(1, None, 9).await, [MediaId(3), MediaId(9), MediaId(1 << 100), MediaId(u128::MAX)]);
    assert_eq!(of(1, None, 2).await, [MediaId(3), MediaId(9)]);
    assert_eq!(of(1, Some(9), 1).await, [MediaId(1 << 100)]);
    assert_eq!(of(1, Some(u128::MAX), 9).await, []);
    assert_eq!(of(1, None, 0).await, []);
    assert_eq!((of(2, None, 9).await, of(3, None, 9).await), (vec![MediaId(4)], vec![]));
    store.put_media(media(9, 1, 1, Some(5)), 1).await.expect("written");
    assert_eq!(of(1, Some(3), 1).await, [MediaId(9)], "it is only due");
    store.put_media(erased(media(9, 1, 1, Some(5))), 2).await.expect("written");
    assert_eq!(of(1, Some(3), 1).await, [MediaId(1 << 100)]);
}

/// Atomically with it: no crash keeps what a deleted message has shown.
pub async fn a_file_expires_with_an_entry(store: &dyn Store) {
    for (number, at) in [(1, None), (2, Some(50)), (3, Some(900)), (4, None)] {
        store.put_media(media(number, 1, 10, at), 0).await.expect("written");
    }
    store.put_media(erased(media(4, 1, 10, None)), 1).await.expect("written");
    let rows = [1, 2, 3, 4, 77].map(|number| (1, Row::Expired(MediaId(number), Timestamp(100)))).to_vec();
    write(store, direct(1, 2).into(), 1, 1, rows).await;
    let due = |before: Media| before.expired(Timestamp(100)).expect("it is there, and expires later");
    let stands = async |number| store.media(MediaId(number)).await.expect("readable");
    assert_eq!(stands(1).await, Some(Versioned { version: 2, row: due(media(1, 1, 10, None)) }));
    assert_eq!(stands(2).await, Some(Versioned { version: 1, row: media(2, 1, 10, Some(50)) }), "it expires before");
    assert_eq!(stands(3).await, Some(Versioned { version: 2, row: due(media(3, 1, 10, Some(900))) }));
    assert_eq!(stands(4).await, Some(Versioned { version: 2, row: erased(media(4, 1, 10, None)) }));
    assert_eq!(stands(77).await, None);
    assert_eq!(store.media_due(Timestamp(100), 9).await, Ok(vec![MediaId(2), MediaId(1), MediaId(3)]));
    assert_eq!(store.media_used(user(1)).await, Ok(30), "its bytes are still there");
    store.put_media(erased(media(1, 1, 10, Some(100))), 2).await.expect("the version is the next one");
}

/// Two nodes that erase.
pub async fn of_racing_changes_one_is_written(store: &dyn Store) {
    store.put_media(media(1, 1, 10, Some(5)), 0).await.expect("written");
    let answers = (0..8).map(|_| store.put_media(erased(media(1, 1, 10, Some(5))), 1)).collect();
    let answers = together(answers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(PutError::Changed))));
    assert_eq!(store.media_used(user(1)).await, Ok(0));
}
