//! `GET /export` on the operators' listener: everything stored, from a snapshot, while the node goes on.
//!
//! It holds password hashes, so it is given to this machine alone, and one at a time. A reader that stalls is left: a
//! snapshot keeps old rows from being cleared away. What breaks in the middle ends the answer without its end, which
//! whoever reads it notices, and so does the export's own last line.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actors::archive::{Archive, Snapshot};
use actors::time::Timestamp;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{StatusCode, header};
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::archive::wire::Origin;
use crate::archive::writer::Writer;

/// Exports at work.
const AT_ONCE: usize = 1;
/// Records of one read.
const PAGE: usize = 512;
/// Bytes of one chunk, about.
const CHUNK_BYTES: usize = 64 * 1_024;
/// Chunks that wait for the reader.
const CHUNKS_WAITING: usize = 4;
/// For how long a reader may take nothing.
const STALL: Duration = Duration::from_mins(1);

/// Who is connected.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// What gives exports.
pub struct Exports {
    archive: Arc<dyn Archive>,
    places: Arc<Semaphore>,
}

impl Exports {
    /// Of this store.
    pub fn of(archive: Arc<dyn Archive>) -> Arc<Self> {
        Arc::new(Self { archive, places: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// The answer to one request.
    pub async fn give(&self, Peer(peer): Peer, now: Timestamp) -> Response {
        if !peer.to_canonical().is_loopback() {
            return refuse(StatusCode::FORBIDDEN, "an export is given on this machine alone: run `parlance export` there");
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return refuse(StatusCode::TOO_MANY_REQUESTS, "another export is being made: try again when it is done");
        };
        let snapshot = match self.archive.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        };
        let (chunks, waiting) = mpsc::channel(CHUNKS_WAITING);
        drop(tokio::spawn(write(snapshot, now, chunks, place)));
        let body = stream::unfold(waiting, async |mut waiting| waiting.recv().await.map(|chunk| (chunk, waiting)));
        ([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(body)).into_response()
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// Why an export ends early.
enum Left {
    /// The reader went or stalled.
    Reader,
    /// The store could not be read.
    Store(String),
}

async fn write(snapshot: Box<dyn Snapshot>, now: Timestamp, chunks: Sender<io::Result<Bytes>>, place: OwnedSemaphorePermit) {
    let mut writer = Writer::begin(env!("CARGO_PKG_VERSION"), now, Origin::Node);
    tracing::info!("an export begins");
    match write_all(snapshot, &mut writer, &chunks).await {
        Ok(()) => tracing::info!(records = writer.records(), "an export is done"),
        Err(Left::Reader) => tracing::warn!(records = writer.records(), "an export was left by its reader"),
        Err(Left::Store(why)) => {
            tracing::error!(records = writer.records(), why, "an export could not be finished");
            drop(chunks.send(Err(io::Error::other(why))).await); // the reader may be gone as well
        }
    }
    drop(place);
}

async fn write_all(mut snapshot: Box<dyn Snapshot>, writer: &mut Writer, chunks: &Sender<io::Result<Bytes>>) -> Result<(), Left> {
    loop {
        let records = snapshot.next(PAGE).await.map_err(|error| Left::Store(error.to_string()))?;
        if records.is_empty() {
            break;
        }
        for record in records {
            writer.record(&record);
            if writer.waiting() >= CHUNK_BYTES {
                send(writer, chunks).await?;
            }
        }
    }
    writer.finish();
    send(writer, chunks).await
}

async fn send(writer: &mut Writer, chunks: &Sender<io::Result<Bytes>>) -> Result<(), Left> {
    match tokio::time::timeout(STALL, chunks.send(Ok(writer.take().into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Left::Reader),
    }
}
