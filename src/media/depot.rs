//! Where the bytes of files lie: each file under its id, in a folder or a bucket; its thumbnail beside it.
//!
//! No name that a client gave is ever part of a path. Before the first byte of a file comes, a mark with its id is set
//! under `incoming/`, and it goes when the file is known or cleared away. So what a crash leaves half done is found by
//! its mark alone, and nothing that has no mark is ever cleared away. Whole files are never held in memory here, but for
//! what is smaller than a part.

use std::error::Error;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::media::{Broken, Chunks, MediaId};
use actors::store::Answer;
use actors::time::Timestamp;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Place;
use object_store::{
    ClientOptions, GetOptions, GetRange, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
};

use crate::config::MediaConfig;

/// What is written to a folder at once.
const FOLDER_PART_BYTES: usize = 256 * 1024;
/// The least that S3 takes as a part that is not the last.
const BUCKET_PART_BYTES: usize = 5 * 1024 * 1024;
/// For how long a mark in a bucket may be another node's that is still at work.
const BUCKET_PATIENCE: Duration = Duration::from_hours(24);
/// For how long one call to a bucket is tried again.
const BUCKET_RETRY: Duration = Duration::from_secs(20);
/// For how long one call to a bucket may take.
const BUCKET_DEADLINE: Duration = Duration::from_mins(1);
/// Where marks are.
const INCOMING: &str = "incoming";

/// The place of the bytes of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder.
    #[error("the folder {folder} for files cannot be used: {source}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file with the bucket's secret.
    #[error("the file {file} with the secret of the bucket cannot be read: {source}")]
    Secret {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bucket.
    #[error("the bucket for files cannot be used: {0}")]
    Bucket(object_store::Error),
}

/// Bytes could not be kept or given.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// There is no room.
    #[error("there is no room: {}", without_ids(.0))]
    Full(object_store::Error),
    /// They are not there.
    #[error("the bytes are not there")]
    Missing,
    /// Anything else that ails what keeps them.
    #[error("{}", without_ids(.0))]
    Failed(object_store::Error),
}

/// What was said, without the ids of files in it: an id opens its file, so no log shows it.
fn without_ids(error: &object_store::Error) -> String {
    let mut said = String::new();
    for word in error.to_string().split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        said.push_str(if digits.len() < ID_DIGITS { word } else { word.strip_prefix(digits).unwrap_or_default() });
    }
    said
}

/// An id in text.
const ID_DIGITS: usize = 32;

impl From<object_store::Error> for DepotError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(at) = cause {
            let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if at.downcast_ref::<io::Error>().is_some_and(|error| full(error.kind())) {
                return Self::Full(error);
            }
            cause = at.source();
        }
        Self::Failed(error)
    }
}

/// The bytes of all files.
#[derive(Debug, Clone)]
pub struct Depot {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
    part_bytes: usize,
}

/// Bytes that can be decoded from.
#[derive(Debug)]
pub enum Whole {
    /// A file of the system.
    File(fs::File),
    /// A bucket's object, fetched.
    Fetched(Bytes),
}

fn place(id: MediaId) -> Place {
    let name = id.to_string();
    Place::from_iter([name.split_at(2).0, &name])
}

fn thumbnail_place(id: MediaId) -> Place {
    let name = id.to_string();
    Place::from_iter([name.split_at(2).0, &format!("{name}.small")])
}

fn mark_place(id: MediaId) -> Place {
    Place::from_iter([INCOMING, &id.to_string()])
}

impl Depot {
    /// What the settings name; `data` is the node's data folder.
    pub fn open(config: &MediaConfig, data: &Path) -> Result<Self, OpenError> {
        match &config.bucket {
            Some(bucket) => Self::in_bucket(config, bucket),
            None => Self::in_folder(config.folder.clone().unwrap_or_else(|| data.join("media"))),
        }
    }

    fn in_folder(folder: PathBuf) -> Result<Self, OpenError> {
        let unusable = |source: Box<dyn Error + Send + Sync>| OpenError::Folder { folder: folder.clone(), source };
        fs::create_dir_all(folder.join(INCOMING)).map_err(|error| unusable(error.into()))?;
        let objects = LocalFileSystem::new_with_prefix(&folder).map_err(|error| unusable(error.into()))?.with_fsync(true);
        Ok(Self { objects: Arc::new(objects), folder: Some(folder), part_bytes: FOLDER_PART_BYTES })
    }

    fn in_bucket(config: &MediaConfig, bucket: &str) -> Result<Self, OpenError> {
        let of_file = |file: &PathBuf| match fs::read_to_string(file) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(source) => Err(OpenError::Secret { file: file.clone(), source }),
        };
        let secret = match (&config.secret_key, &config.secret_key_file) {
            (Some(secret), _) => secret.expose().to_owned(),
            (None, Some(file)) => of_file(file)?,
            (None, None) => String::new(),
        };
        let retry = RetryConfig { retry_timeout: BUCKET_RETRY, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(config.region.as_deref().unwrap_or("us-east-1"))
            .with_access_key_id(config.access_key.as_deref().unwrap_or_default())
            .with_secret_access_key(secret)
            .with_client_options(ClientOptions::new().with_timeout(BUCKET_DEADLINE))
            .with_retry(retry);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        let objects = builder.build().map_err(OpenError::Bucket)?;
        Ok(Self { objects: Arc::new(objects), folder: None, part_bytes: BUCKET_PART_BYTES })
    }

    /// Says that a file is about to come.
    pub async fn mark(&self, id: MediaId) -> Result<(), DepotError> {
        self.objects.put(&mark_place(id), PutPayload::new()).await?;
        Ok(())
    }

    /// Says that a file is known, or that nothing is left of it.
    pub async fn unmark(&self, id: MediaId) -> Result<(), DepotError> {
        self.remove(&mark_place(id)).await
    }

    /// A way in for the bytes of a file.
    pub fn inflow(&self, id: MediaId) -> Inflow {
        Inflow { depot: self.clone(), place: place(id), gathered: BytesMut::new(), upload: None }
    }

    /// Bytes in place of those that came.
    pub async fn replace(&self, id: MediaId, bytes: Bytes) -> Result<(), DepotError> {
        self.objects.put(&place(id), bytes.into()).await?;
        Ok(())
    }

    /// The small image of an image.
    pub async fn put_thumbnail(&self, id: MediaId, bytes: Bytes) -> Result<(), DepotError> {
        self.objects.put(&thumbnail_place(id), bytes.into()).await?;
        Ok(())
    }

    /// These bytes of a file.
    pub async fn read(&self, id: MediaId, range: Range<u64>) -> Result<Box<dyn Chunks>, DepotError> {
        if range.is_empty() {
            return Ok(Box::new(Outflow(futures_util::stream::empty().boxed())));
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.objects.get_opts(&place(id), options).await?;
        Ok(Box::new(Outflow(found.into_stream())))
    }

    /// All bytes of a file, to be decoded. A bucket's are fetched into memory: they are an image's, and no more than a
    /// file may have.
    pub async fn whole(&self, id: MediaId) -> Result<Whole, DepotError> {
        let found = self.objects.get(&place(id)).await?;
        Ok(match found.payload {
            GetResultPayload::File(file, _) => Whole::File(file),
            GetResultPayload::Stream(_) => Whole::Fetched(found.bytes().await?),
        })
    }

    /// The small image.
    pub async fn thumbnail(&self, id: MediaId) -> Result<Bytes, DepotError> {
        Ok(self.objects.get(&thumbnail_place(id)).await?.bytes().await?)
    }

    /// Erases a file and its thumbnail. Idempotent.
    pub async fn erase(&self, id: MediaId) -> Result<(), DepotError> {
        self.remove(&thumbnail_place(id)).await?;
        self.remove(&place(id)).await
    }

    async fn remove(&self, place: &Place) -> Result<(), DepotError> {
        match self.objects.delete(place).await.map_err(DepotError::from) {
            Ok(()) | Err(DepotError::Missing) => Ok(()),
            Err(error @ (DepotError::Full(_) | DepotError::Failed(_))) => Err(error),
        }
    }

    /// Files that were about to come when a node ended: all that have a mark in a folder, which one node alone uses and
    /// which must not have begun; in a bucket those whose mark is old.
    pub async fn leftovers(&self, now: Timestamp) -> Result<Vec<MediaId>, DepotError> {
        if let Some(folder) = &self.folder {
            clear_staged(&folder.join(INCOMING), "");
        }
        let mut marks = self.objects.list(Some(&Place::from(INCOMING)));
        let mut found = Vec::new();
        while let Some(mark) = marks.next().await {
            let mark = mark?;
            let since = Timestamp(mark.last_modified.timestamp_micros());
            let old = self.folder.is_some() || now.since(since) > BUCKET_PATIENCE;
            let id: Option<MediaId> = mark.location.filename().and_then(|name| name.parse().ok());
            found.extend(id.filter(|_| old));
        }
        Ok(found)
    }

    /// Clears away what came of a file that nobody knows.
    pub async fn clear(&self, id: MediaId) -> Result<(), DepotError> {
        if let Some(folder) = &self.folder {
            let name = id.to_string();
            clear_staged(&folder.join(name.split_at(2).0), &name);
        }
        self.erase(id).await?;
        self.unmark(id).await
    }
}

/// Removes files that were being written under names that begin like this: those with a `#`, which no finished one has.
fn clear_staged(folder: &Path, beginning: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let unfinished = name.starts_with(beginning) && name.contains('#');
        if unfinished && let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, "an unfinished file cannot be removed");
        }
    }
}

/// The way in of one file: what is smaller than a part is put at once, the rest part by part.
#[derive(Debug)]
pub struct Inflow {
    depot: Depot,
    place: Place,
    gathered: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl Inflow {
    /// The next bytes; waits until there is room for more.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), DepotError> {
        while !bytes.is_empty() {
            let room = self.depot.part_bytes - self.gathered.len();
            let taken = bytes.split_to(room.min(bytes.len()));
            self.gathered.extend_from_slice(&taken);
            if self.gathered.len() == self.depot.part_bytes {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), DepotError> {
        let part = self.gathered.split().freeze();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => self.upload.insert(self.depot.objects.put_multipart(&self.place).await?),
        };
        upload.put_part(part.into()).await?;
        Ok(())
    }

    /// All bytes have come: they are there, durably, when this answers.
    pub async fn finish(&mut self) -> Result<(), DepotError> {
        if self.upload.is_none() {
            let all = self.gathered.split().freeze();
            self.depot.objects.put(&self.place, all.into()).await?;
            return Ok(());
        }
        if !self.gathered.is_empty() {
            self.send().await?;
        }
        if let Some(mut upload) = self.upload.take() {
            upload.complete().await?;
        }
        Ok(())
    }

    /// They will not all come.
    pub async fn abort(mut self) {
        if let Some(mut upload) = self.upload.take()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(error = %DepotError::from(error), "parts of a file that was not taken in may be left");
        }
    }
}

/// The way out.
struct Outflow(BoxStream<'static, object_store::Result<Bytes>>);

impl Chunks for Outflow {
    fn next(&mut self) -> Answer<'_, Option<Bytes>, Broken> {
        Box::pin(async move {
            match self.0.next().await.transpose() {
                Ok(bytes) => Ok(bytes),
                Err(error) => {
                    tracing::warn!(error = %DepotError::from(error), "a file could not be read to its end");
                    Err(Broken::Off)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_failure_names_no_file() {
        let id = MediaId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let source = format!("PUT http://s3/files/{} was refused: deadbeef", place(id)).into();
        let failed = DepotError::from(object_store::Error::Generic { store: "S3", source });
        let said = failed.to_string();
        assert!(said.contains("http://s3/files/01/ was refused: deadbeef") && !said.contains("89ab"), "{said}");
        let source = io::Error::from(io::ErrorKind::StorageFull);
        let full = DepotError::from(object_store::Error::Generic { store: "folder", source: source.into() });
        assert!(matches!(full, DepotError::Full(_)), "{full}");
    }
}
