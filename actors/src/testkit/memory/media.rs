//! What is known of files.

use super::rows::Rows;
use super::store::{Call, MemoryStore, planned};
use crate::id::UserId;
use crate::media::{Media, MediaId};
use crate::store::{Answer, MediaStore, PutError, StoreError, Versioned};
use crate::time::Timestamp;

impl Rows {
    fn put_media(&mut self, media: Media, version: u64) -> Result<(), PutError> {
        let id = media.attachment.id;
        if self.media.get(&id).map_or(0, |row| row.version) != version {
            return Err(PutError::Changed);
        }
        self.media.insert(id, Versioned { version: version + 1, row: media });
        Ok(())
    }

    /// A file that nothing shows any more.
    pub(super) fn expire(&mut self, id: MediaId, at: Timestamp) {
        if let Some(row) = self.media.get_mut(&id)
            && let Some(media) = row.row.expired(at)
        {
            *row = Versioned { version: row.version + 1, row: media };
        }
    }

    fn media_of(&self, owner: UserId, after: Option<MediaId>, limit: usize) -> Vec<MediaId> {
        let kept = self.media.iter().filter(|(_, row)| row.row.owner == owner && row.row.erased_at.is_none());
        kept.map(|(id, _)| *id).filter(|id| after.is_none_or(|after| *id > after)).take(limit).collect()
    }

    fn media_due(&self, now: Timestamp, limit: usize) -> Vec<MediaId> {
        let due = self.media.values().filter_map(|row| Some((row.row.due_at()?, row.row.attachment.id)));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).take(limit).collect()
    }
}

impl MediaStore for MemoryStore {
    fn media(&self, id: MediaId) -> Answer<'_, Option<Versioned<Media>>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.media.get(&id).cloned()) })
    }

    fn put_media(&self, media: Media, version: u64) -> Answer<'_, (), PutError> {
        let unknown = PutError::Store(StoreError::Unknown(planned()));
        Box::pin(async move { self.write(Call::Put, unknown, |rows| rows.put_media(media, version)) })
    }

    fn media_used(&self, user: UserId) -> Answer<'_, u64> {
        Box::pin(async move {
            self.read(Call::Read, |rows| rows.media.values().filter(|row| row.row.owner == user).map(|row| row.row.counted_bytes()).sum())
        })
    }

    fn media_of(&self, owner: UserId, after: Option<MediaId>, limit: usize) -> Answer<'_, Vec<MediaId>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.media_of(owner, after, limit)) })
    }

    fn media_due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<MediaId>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.media_due(now, limit)) })
    }
}
