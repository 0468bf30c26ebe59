//! A file from its first byte to its row, and out again; and what falls due.
//!
//! Bytes come before the row: what has a row has bytes. They go before the row says so: a file whose bytes are gone is
//! never said to be there. A file comes in within a task of its own, because whoever sent it may go at any moment and
//! what is half done must be cleared away. Only a crash leaves something, and that is cleared at the next start.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::id::UserId;
use actors::limits::{Limit, Limits};
use actors::media::{Arrival, Attachment, Broken, Chunks, Library, Media, MediaId, MediaKind, MediaRejected, Purpose, Served};
use actors::store::{PutError, Store, StoreError};
use actors::time::{Clock, Random};
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::media::darkroom::{Darkroom, Developed, Print, Spoiled};
use crate::media::depot::{Depot, DepotError, Inflow};
use crate::media::sniffer::Sniffer;
use crate::metrics::{FileRefusal, ImageOutcome, Metrics};

/// When to try again what cannot be done now.
const LATER: Duration = Duration::from_secs(1);
/// How often a row that others change is tried again.
const TRIES: usize = 8;
/// Files erased in one look at what has fallen due.
const DUE_AT_ONCE: usize = 100;

/// What a library is given.
pub struct Means {
    /// Where bytes lie.
    pub depot: Depot,
    /// Where rows are.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub random: Arc<dyn Random>,
    /// `media…` and `image…` are enforced here.
    pub limits: Arc<Limits>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// All files.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

struct Inner {
    means: Means,
    darkroom: Darkroom,
    /// The bytes of files that are coming in and have no row yet.
    coming: Mutex<BTreeMap<UserId, u64>>,
}

impl Files {
    /// With these means.
    pub fn new(means: Means) -> Self {
        let darkroom = Darkroom::new(&means.limits);
        Self(Arc::new(Inner { means, darkroom, coming: Mutex::default() }))
    }

    /// Clears away what the last run left half taken in. Before anything comes in. How many files it was.
    pub async fn clear_leftovers(&self) -> Result<usize, DepotError> {
        let Means { depot, store, clock, metrics, .. } = &self.0.means;
        let mut cleared = 0;
        for id in depot.leftovers(clock.now()).await? {
            match store.media(id).await {
                Ok(Some(_)) => depot.unmark(id).await?,
                Ok(None) => {
                    depot.clear(id).await?;
                    metrics.media.leftovers.increment(1);
                    cleared += 1;
                }
                Err(error) => tracing::warn!(%error, "a file that was half taken in stays until the next start"),
            }
        }
        Ok(cleared)
    }

    /// Erases the bytes of files that have fallen due, some at a time. How many it was.
    pub async fn erase_due(&self) -> usize {
        let Means { store, clock, metrics, .. } = &self.0.means;
        let due = match store.media_due(clock.now(), DUE_AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "files that have fallen due cannot be read");
                return 0;
            }
        };
        let mut erased = 0;
        for id in due {
            match self.0.erase(id).await {
                Ok(true) => {
                    metrics.media.expired.increment(1);
                    erased += 1;
                }
                Ok(false) => {}
                Err(rejected) => tracing::warn!(%rejected, "a file that has fallen due could not be erased"),
            }
        }
        erased
    }

    /// Looks for files that have fallen due, for ever.
    pub async fn sweep(self) {
        let mut tick = tokio::time::interval(self.0.means.limits.time(Limit::MediaSweep));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            while self.erase_due().await == DUE_AT_ONCE {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// A share of a user's quota that is taken while a file comes.
struct Share {
    inner: Arc<Inner>,
    owner: UserId,
    bytes: u64,
}

impl Share {
    /// Takes more, if what is used and what comes leaves room.
    fn take(&mut self, bytes: u64, used: u64) -> Result<(), MediaRejected> {
        let max = self.inner.means.limits.get(Limit::MediaQuota);
        let mut coming = self.inner.coming();
        let sum = coming.entry(self.owner).or_default();
        if used.saturating_add(*sum).saturating_add(bytes) > max {
            return Err(MediaRejected::QuotaExceeded { max });
        }
        *sum += bytes;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut coming = self.inner.coming();
        if let Some(sum) = coming.get_mut(&self.owner) {
            *sum -= self.bytes;
            if *sum == 0 {
                coming.remove(&self.owner);
            }
        }
    }
}

/// A file that is coming in, counted while it lives.
struct Incoming(Arc<Metrics>);

impl Incoming {
    fn one(metrics: &Arc<Metrics>) -> Self {
        metrics.media.incoming.increment(1.0);
        Self(Arc::clone(metrics))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.0.media.incoming.decrement(1.0);
    }
}

/// What is known of a file when all its bytes are there.
struct Known {
    kind: MediaKind,
    bytes: u64,
    pixels: Option<(u32, u32)>,
}

impl Inner {
    fn coming(&self) -> MutexGuard<'_, BTreeMap<UserId, u64>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner) // sums are whole at any time
    }

    async fn used(&self, owner: UserId) -> Result<u64, MediaRejected> {
        self.means.store.media_used(owner).await.map_err(|error| unavailable(&error))
    }

    async fn take_in(
        self: &Arc<Self>,
        arrival: Arrival,
        mut bytes: Box<dyn Chunks>,
        gone: oneshot::Receiver<()>,
    ) -> Result<Attachment, MediaRejected> {
        let max = self.means.limits.get(Limit::MediaBytes);
        if arrival.length.is_some_and(|length| length > max) {
            return Err(MediaRejected::TooLarge { max });
        }
        let used = self.used(arrival.owner).await?;
        let mut share = Share { inner: Arc::clone(self), owner: arrival.owner, bytes: 0 };
        let quota = self.means.limits.get(Limit::MediaQuota);
        if arrival.length.is_some_and(|length| used.saturating_add(length) > quota) {
            return Err(MediaRejected::QuotaExceeded { max: quota });
        }
        let id = MediaId(self.means.random.draw());
        let depot = &self.means.depot;
        depot.mark(id).await.map_err(|error| refusal(&error))?;
        let mut inflow = depot.inflow(id);
        let received = tokio::select! {
            received = self.receive(&arrival, id, &mut inflow, (&mut *bytes, used), &mut share) => received,
            _ = gone => Err(MediaRejected::Broken(Broken::Off)),
        };
        let known = match received {
            // Others of this user may have come to their end meanwhile: what is used is asked again.
            Ok(known) => self.used(arrival.owner).await.and_then(|used| share.take(0, used)).map(|()| known),
            Err(rejected) => Err(rejected),
        };
        let written = match known {
            Ok(known) => self.write(id, arrival, known).await,
            Err(rejected) => Err(Unwritten::Surely(rejected)),
        };
        match written {
            Ok(attachment) => {
                if let Err(error) = depot.unmark(id).await {
                    tracing::warn!(%error, "the mark of a file stays until the next start");
                }
                Ok(attachment)
            }
            Err(Unwritten::Surely(rejected)) => {
                inflow.abort().await;
                if let Err(error) = depot.clear(id).await {
                    tracing::warn!(%error, "what came of a file stays until the next start");
                }
                Err(rejected)
            }
            // The row may be there: the mark stays, and the next start looks.
            Err(Unwritten::Perhaps) => Err(MediaRejected::Unavailable { after: LATER }),
        }
    }

    /// All bytes of a file, and what is to be known of it.
    async fn receive(
        &self,
        arrival: &Arrival,
        id: MediaId,
        inflow: &mut Inflow,
        (bytes, used): (&mut dyn Chunks, u64),
        share: &mut Share,
    ) -> Result<Known, MediaRejected> {
        let max = self.means.limits.get(Limit::MediaBytes);
        let (mut sniffer, mut received) = (Sniffer::new(), 0_u64);
        while let Some(some) = bytes.next().await? {
            let length = some.len() as u64;
            received += length;
            self.means.metrics.media.received_bytes.increment(length);
            if received > max {
                return Err(MediaRejected::TooLarge { max });
            }
            share.take(length, used)?;
            sniffer.push(&some);
            inflow.write(some).await.map_err(|error| refusal(&error))?;
        }
        if arrival.length.is_some_and(|length| length != received) {
            return Err(MediaRejected::Broken(Broken::Off));
        }
        inflow.finish().await.map_err(|error| refusal(&error))?;
        let kind = sniffer.kind();
        match arrival.purpose {
            Purpose::Attachment if kind.is_image() => self.attachment(id, kind, received).await,
            Purpose::Attachment => Ok(Known { kind, bytes: received, pixels: None }),
            Purpose::Picture if kind.is_image() => self.picture(id, kind).await,
            Purpose::Picture => Err(MediaRejected::NotAPicture),
        }
    }

    async fn developed(&self, id: MediaId, kind: MediaKind, as_picture: bool) -> Result<Result<Developed, Spoiled>, MediaRejected> {
        let developed = self.darkroom.develop(kind, as_picture, self.means.depot.whole(id)).await.map_err(|error| refusal(&error))?;
        self.means.metrics.media.looked(match developed {
            Ok(_) => ImageOutcome::Thumbnail,
            Err(Spoiled::Unreadable) => ImageOutcome::Unreadable,
            Err(Spoiled::TooManyPixels) => ImageOutcome::TooManyPixels,
            Err(Spoiled::Slow) => ImageOutcome::Slow,
            Err(Spoiled::Shed) => ImageOutcome::Shed,
        });
        Ok(developed)
    }

    /// An attached image stays as it is; one that cannot be decoded is no image, and not shown inline.
    async fn attachment(&self, id: MediaId, kind: MediaKind, bytes: u64) -> Result<Known, MediaRejected> {
        match self.developed(id, kind, false).await? {
            Ok(Developed { pixels, small, .. }) => {
                self.means.depot.put_thumbnail(id, small.bytes).await.map_err(|error| refusal(&error))?;
                Ok(Known { kind, bytes, pixels: Some(pixels) })
            }
            Err(Spoiled::Shed) => Ok(Known { kind, bytes, pixels: None }),
            Err(Spoiled::Unreadable | Spoiled::TooManyPixels | Spoiled::Slow) => Ok(Known { kind: MediaKind::Other, bytes, pixels: None }),
        }
    }

    /// A picture is coded anew, so that it shows what it shows and nothing else of it is kept.
    async fn picture(&self, id: MediaId, kind: MediaKind) -> Result<Known, MediaRejected> {
        let developed = self.developed(id, kind, true).await?.map_err(|spoiled| match spoiled {
            Spoiled::Unreadable | Spoiled::Slow => MediaRejected::NotAPicture,
            Spoiled::TooManyPixels => MediaRejected::TooManyPixels { max: self.means.limits.get(Limit::ImagePixels) },
            Spoiled::Shed => MediaRejected::Busy { after: LATER },
        })?;
        let Developed { small, picture: Some(Print { kind, bytes, pixels }), .. } = developed else {
            return Err(MediaRejected::NotAPicture);
        };
        let length = bytes.len() as u64;
        self.means.depot.replace(id, bytes).await.map_err(|error| refusal(&error))?;
        self.means.depot.put_thumbnail(id, small.bytes).await.map_err(|error| refusal(&error))?;
        Ok(Known { kind, bytes: length, pixels: Some(pixels) })
    }

    async fn write(&self, id: MediaId, arrival: Arrival, known: Known) -> Result<Attachment, Unwritten> {
        let now = self.means.clock.now();
        let attachment = Attachment {
            id,
            name: arrival.name,
            kind: known.kind,
            bytes: known.bytes,
            pixels: known.pixels,
            uploaded_at: now,
            expires_at: arrival.life.map(|life| now.plus(life)),
        };
        let media = Media { attachment: attachment.clone(), owner: arrival.owner, purpose: arrival.purpose, erased_at: None };
        let later = MediaRejected::Unavailable { after: LATER };
        match self.means.store.put_media(media, 0).await {
            Ok(()) => Ok(attachment),
            Err(PutError::Store(StoreError::Unknown(why))) => {
                tracing::warn!(why, "it is not known whether a file was written");
                match self.means.store.media(id).await {
                    Ok(Some(_)) => Ok(attachment),
                    Ok(None) | Err(_) => Err(Unwritten::Perhaps),
                }
            }
            Err(error @ (PutError::Store(_) | PutError::Changed | PutError::Taken(_))) => {
                tracing::warn!(%error, "a file could not be written");
                Err(Unwritten::Surely(later))
            }
        }
    }

    /// Whether it was this call that erased it.
    async fn erase(&self, id: MediaId) -> Result<bool, MediaRejected> {
        for _ in 0..TRIES {
            let found = self.means.store.media(id).await.map_err(|error| unavailable(&error))?;
            let Some(found) = found else { return Err(MediaRejected::NotFound) };
            if found.row.erased_at.is_some() {
                return Ok(false);
            }
            self.means.depot.erase(id).await.map_err(|error| refusal(&error))?;
            let erased = Media { erased_at: Some(self.means.clock.now()), ..found.row };
            match self.means.store.put_media(erased, found.version).await {
                Ok(()) => return Ok(true),
                Err(PutError::Changed) => {}
                Err(PutError::Store(error)) => return Err(unavailable(&error)),
                Err(PutError::Taken(_)) => return Err(MediaRejected::Unavailable { after: LATER }),
            }
        }
        Err(MediaRejected::Unavailable { after: LATER })
    }
}

/// A row was not written.
enum Unwritten {
    /// It is not there.
    Surely(MediaRejected),
    /// It may be there.
    Perhaps,
}

fn unavailable(error: &StoreError) -> MediaRejected {
    tracing::warn!(%error, "what is known of files cannot be reached");
    MediaRejected::Unavailable { after: LATER }
}

fn refusal(error: &DepotError) -> MediaRejected {
    match error {
        DepotError::Full(_) => {
            tracing::error!(%error, "files cannot be kept");
            MediaRejected::Full
        }
        DepotError::Missing => MediaRejected::Gone,
        DepotError::Failed(_) => {
            tracing::warn!(%error, "the bytes of files cannot be reached");
            MediaRejected::Unavailable { after: LATER }
        }
    }
}

/// Under which name a refusal is counted; `None` for those that are no refusal to take in.
fn counted(rejected: MediaRejected) -> Option<FileRefusal> {
    match rejected {
        MediaRejected::TooLarge { .. } => Some(FileRefusal::TooLarge),
        MediaRejected::QuotaExceeded { .. } => Some(FileRefusal::Quota),
        MediaRejected::NotAPicture => Some(FileRefusal::NotAPicture),
        MediaRejected::TooManyPixels { .. } => Some(FileRefusal::TooManyPixels),
        MediaRejected::Broken(Broken::Off) => Some(FileRefusal::Broken),
        MediaRejected::Broken(Broken::Slow) => Some(FileRefusal::Slow),
        MediaRejected::Busy { .. } => Some(FileRefusal::Busy),
        MediaRejected::Full => Some(FileRefusal::Full),
        MediaRejected::Unavailable { .. } => Some(FileRefusal::Unavailable),
        MediaRejected::NotFound | MediaRejected::Gone => None,
    }
}

impl Library for Files {
    fn take_in(&self, arrival: Arrival, bytes: Box<dyn Chunks>) -> Served<'_, Attachment> {
        Box::pin(async move {
            let (held, gone) = oneshot::channel();
            let inner = Arc::clone(&self.0);
            let incoming = Incoming::one(&inner.means.metrics);
            let taken = tokio::spawn(async move {
                let _incoming = incoming;
                let picture = usize::from(arrival.purpose == Purpose::Picture);
                let taken = inner.take_in(arrival, bytes, gone).await;
                let media = &inner.means.metrics.media;
                match &taken {
                    Ok(_) => media.stored[picture].increment(1),
                    Err(rejected) => counted(*rejected).into_iter().for_each(|refusal| media.refused(refusal)),
                }
                taken
            });
            let taken = taken.await;
            drop(held); // until here: if this call is dropped before, what came is cleared away
            taken.unwrap_or(Err(MediaRejected::Unavailable { after: LATER }))
        })
    }

    fn find(&self, id: MediaId) -> Served<'_, Media> {
        Box::pin(async move {
            let found = self.0.means.store.media(id).await.map_err(|error| unavailable(&error))?;
            found.map(|found| found.row).ok_or(MediaRejected::NotFound)
        })
    }

    fn open<'a>(&'a self, media: &'a Media, range: Range<u64>) -> Served<'a, Box<dyn Chunks>> {
        Box::pin(async move {
            if media.is_gone(self.0.means.clock.now()) {
                return Err(MediaRejected::Gone);
            }
            self.0.means.metrics.media.served_bytes.increment(range.end.saturating_sub(range.start));
            self.0.means.depot.read(media.attachment.id, range).await.map_err(|error| refusal(&error))
        })
    }

    fn thumbnail<'a>(&'a self, media: &'a Media) -> Served<'a, (MediaKind, Bytes)> {
        Box::pin(async move {
            if media.is_gone(self.0.means.clock.now()) {
                return Err(MediaRejected::Gone);
            }
            if media.attachment.pixels.is_none() {
                return Err(MediaRejected::NotFound);
            }
            let bytes = self.0.means.depot.thumbnail(media.attachment.id).await.map_err(|error| refusal(&error))?;
            let mut sniffer = Sniffer::new();
            sniffer.push(&bytes);
            Ok((sniffer.kind(), bytes))
        })
    }

    fn erase(&self, id: MediaId) -> Served<'_, ()> {
        Box::pin(async move {
            if self.0.erase(id).await? {
                self.0.means.metrics.media.deleted.increment(1);
            }
            Ok(())
        })
    }
}
