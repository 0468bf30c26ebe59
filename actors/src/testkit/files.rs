//! A library without files: for whatever needs one and is not about it.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::media::{Arrival, Attachment, Chunks, Library, Media, MediaId, MediaKind, MediaRejected, Served};

/// It takes nothing in and knows no file.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Library for NoFiles {
    fn take_in(&self, _: Arrival, _: Box<dyn Chunks>) -> Served<'_, Attachment> {
        Box::pin(async { Err(MediaRejected::Unavailable { after: Duration::from_secs(1) }) })
    }
    fn find(&self, _: MediaId) -> Served<'_, Media> {
        Box::pin(async { Err(MediaRejected::NotFound) })
    }
    fn open<'a>(&'a self, _: &'a Media, _: Range<u64>) -> Served<'a, Box<dyn Chunks>> {
        Box::pin(async { Err(MediaRejected::NotFound) })
    }
    fn thumbnail<'a>(&'a self, _: &'a Media) -> Served<'a, (MediaKind, Bytes)> {
        Box::pin(async { Err(MediaRejected::NotFound) })
    }
    fn erase(&self, _: MediaId) -> Served<'_, ()> {
        Box::pin(async { Err(MediaRejected::NotFound) })
    }
}
