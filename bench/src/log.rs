//! Writes logs as the server would have written them: claimed, segments bound, batches within a bucket.

use std::sync::Arc;

use actors::content::ClientKey;
use actors::entry::{Act, Batch, Entry, Head, Projection, Row};
use actors::id::{BUCKET_SEQS, BatchId, Incarnation, LogId, MessageId, Pos, Segment, UserId};
use actors::store::{Sequence, Store};
use actors::time::Timestamp;
use anyhow::{Result, ensure};

/// Entries of one batch.
const BATCH: usize = 128;

/// Something that is to stand in a log, and the rows that follow from it, by the position that it will have.
pub struct Draft {
    /// Whose doing it is.
    pub author: UserId,
    /// Its key.
    pub key: String,
    /// What.
    pub act: Act,
    /// What follows.
    pub rows: Vec<Row>,
}

/// Appends to one new log.
pub struct Writer<'a, S> {
    store: &'a S,
    id: LogId,
    /// As it stands.
    pub head: Head,
    now: Timestamp,
}

impl<'a, S: Store> Writer<'a, S> {
    /// A log that nobody has written to; its first segment was drawn for it.
    pub async fn open(store: &'a S, id: LogId, segment: Segment, now: Timestamp) -> Result<Self> {
        let seen = store.head(id).await?;
        ensure!(seen.is_new(), "{id:?} has been written to before");
        let epoch = store.claim(id, seen).await?;
        store.bind_segment(segment, id, seen.tail.next().bucket()).await?;
        Ok(Self { store, id, head: Head { epoch, segment, incarnation: Incarnation(segment.0), ..seen }, now })
    }

    /// Appends one entry.
    pub async fn append(&mut self, draft: Draft) -> Result<()> {
        self.append_all(vec![draft]).await
    }

    /// Appends entries, many in a batch, and opens buckets on the way.
    pub async fn append_all(&mut self, drafts: Vec<Draft>) -> Result<()> {
        let mut drafts = drafts.into_iter().peekable();
        while drafts.peek().is_some() {
            let offset = self.head.tail.offset_of_next();
            if offset == 0 && !self.head.is_new() {
                let segment = Segment(self.store.draw(Sequence::Segments, 1).await?.first);
                self.store.bind_segment(segment, self.id, self.head.tail.next().bucket()).await?;
                self.head.segment = segment;
            }
            let room = usize::try_from(BUCKET_SEQS - offset)?.min(BATCH);
            self.batch(drafts.by_ref().take(room).collect()).await?;
        }
        Ok(())
    }

    async fn batch(&mut self, drafts: Vec<Draft>) -> Result<()> {
        let (base, mut after, mut entries, mut projections) = (self.head.tail, self.head, Vec::new(), Vec::new());
        for draft in drafts {
            let seq = after.tail.next();
            after = Head { tail: seq, last_at: self.now.after(after.last_at), ..after };
            if matches!(draft.act, Act::Message(_)) {
                after.count = Pos(after.count.0 + 1);
            } else {
                after.last_change = seq;
            }
            projections.extend(draft.rows.into_iter().map(|row| Projection { version: seq, row }));
            entries.push(Arc::new(Entry {
                seq,
                pos: after.count,
                id: MessageId::at(after.segment, seq),
                author: draft.author,
                client_key: ClientKey::new(&draft.key)?,
                at: after.last_at,
                act: draft.act,
            }));
        }
        after.last_batch = BatchId(u128::from(after.segment.0) << 64 | u128::from(after.tail.get()));
        let batch = Batch { id: after.last_batch, base, epoch: after.epoch, after, entries, projections };
        self.store.append(self.id, Arc::new(batch)).await?;
        self.head = after;
        Ok(())
    }
}
