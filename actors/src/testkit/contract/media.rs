//! The contract of [`MediaStore`](crate::store::MediaStore).

use super::Sentence;
use super::samples::{media, together, user};
use crate::media::{Media, MediaId};
use crate::store::{PutError, Store, Versioned};
use crate::time::Timestamp;

/// The sentences on files.
pub const SENTENCES: &[Sentence] = &[
    ("what is known of a file is kept and changed by version", |store| Box::pin(a_file_is_kept_and_changed_by_version(store))),
    ("the bytes of a user's files are summed", |store| Box::pin(the_bytes_of_a_users_files_are_summed(store))),
    ("files fall due in the order of their time", |store| Box::pin(files_fall_due_in_the_order_of_their_time(store))),
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

/// Two nodes that erase.
pub async fn of_racing_changes_one_is_written(store: &dyn Store) {
    store.put_media(media(1, 1, 10, Some(5)), 0).await.expect("written");
    let answers = (0..8).map(|_| store.put_media(erased(media(1, 1, 10, Some(5))), 1)).collect();
    let answers = together(answers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(PutError::Changed))));
    assert_eq!(store.media_used(user(1)).await, Ok(0));
}
