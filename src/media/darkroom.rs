//! Images: what they declare is looked at first, and only then are they decoded, a few at a time, within memory and time
//! (M4).
//!
//! The small image, and a picture that is coded anew, carry no metadata: what an image's EXIF says of its orientation is
//! done, and the rest is gone. Of an animation the first frame is taken. A decoder that hangs keeps its place, so that
//! never more are at work than may be.

use std::io::{BufRead, BufReader, Cursor, Seek};
use std::sync::Arc;
use std::time::Duration;

use actors::limits::{Limit, Limits};
use actors::media::MediaKind;
use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use tokio::sync::Semaphore;

use crate::media::depot::Whole;

/// The longer side of a small image.
const SMALL_PIXELS: u32 = 320;
/// The longer side of a picture.
const PICTURE_PIXELS: u32 = 1_024;
const SMALL_QUALITY: u8 = 80;
const PICTURE_QUALITY: u8 = 88;

/// An image that was made of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    /// JPEG, or PNG where something is transparent.
    pub kind: MediaKind,
    /// Its bytes.
    pub bytes: Bytes,
    /// Its width and height.
    pub pixels: (u32, u32),
}

/// What came of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Developed {
    /// Its width and height, as it is to be seen.
    pub pixels: (u32, u32),
    /// The small one.
    pub small: Print,
    /// The whole one coded anew, if that was wanted.
    pub picture: Option<Print>,
}

/// Why nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoiled {
    /// It cannot be decoded, or not within its memory.
    Unreadable,
    /// It declares too many pixels.
    TooManyPixels,
    /// It took too long.
    Slow,
    /// Too many wait already.
    Shed,
}

/// Where images are decoded.
#[derive(Debug)]
pub struct Darkroom {
    queue: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
    pixels_max: u64,
    memory_max: u64,
    deadline: Duration,
}

impl Darkroom {
    /// With these limits.
    pub fn new(limits: &Limits) -> Self {
        let at_work = limits.count(Limit::ImagesAtWork).clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = limits.count(Limit::ImagesWaiting).min(Semaphore::MAX_PERMITS / 2);
        Self {
            queue: Arc::new(Semaphore::new(at_work + waiting)),
            at_work: Arc::new(Semaphore::new(at_work)),
            pixels_max: limits.get(Limit::ImagePixels),
            memory_max: limits.get(Limit::ImageMemory),
            deadline: limits.time(Limit::ImageDeadline),
        }
    }

    /// Looks into an image of this kind; `fetch` is called when its turn has come.
    pub async fn develop<E>(
        &self,
        kind: MediaKind,
        as_picture: bool,
        fetch: impl Future<Output = Result<Whole, E>>,
    ) -> Result<Result<Developed, Spoiled>, E> {
        let Some(format) = format_of(kind) else { return Ok(Err(Spoiled::Unreadable)) };
        let Ok(place) = Arc::clone(&self.queue).try_acquire_owned() else { return Ok(Err(Spoiled::Shed)) };
        let turn = Arc::clone(&self.at_work).acquire_owned().await.expect("never closed");
        let whole = fetch.await?;
        let bounds = Bounds { pixels_max: self.pixels_max, memory_max: self.memory_max };
        let work = tokio::task::spawn_blocking(move || {
            let developed = match whole {
                Whole::File(file) => develop(BufReader::new(file), format, as_picture, bounds),
                Whole::Fetched(bytes) => develop(Cursor::new(bytes), format, as_picture, bounds),
            };
            drop((turn, place)); // held as long as the work lasts, also when nobody waits for it any more
            developed
        });
        Ok(match tokio::time::timeout(self.deadline, work).await {
            Ok(Ok(developed)) => developed,
            Ok(Err(panic)) => {
                tracing::warn!(%panic, "a decoder met bytes that it does not bear");
                Err(Spoiled::Unreadable)
            }
            Err(_) => Err(Spoiled::Slow),
        })
    }
}

fn format_of(kind: MediaKind) -> Option<ImageFormat> {
    match kind {
        MediaKind::Jpeg => Some(ImageFormat::Jpeg),
        MediaKind::Png => Some(ImageFormat::Png),
        MediaKind::Gif => Some(ImageFormat::Gif),
        MediaKind::Webp => Some(ImageFormat::WebP),
        MediaKind::Pdf | MediaKind::Mp4 | MediaKind::Mp3 | MediaKind::Ogg => None,
        MediaKind::Webm | MediaKind::Wav | MediaKind::Text | MediaKind::Other => None,
    }
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    pixels_max: u64,
    memory_max: u64,
}

fn develop(source: impl BufRead + Seek, format: ImageFormat, as_picture: bool, bounds: Bounds) -> Result<Developed, Spoiled> {
    let unreadable = |_| Spoiled::Unreadable;
    let mut reader = ImageReader::with_format(source, format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(bounds.memory_max);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > bounds.pixels_max {
        return Err(Spoiled::TooManyPixels);
    }
    if decoder.total_bytes() > bounds.memory_max {
        return Err(Spoiled::Unreadable);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    let turned =
        matches!(orientation, Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH);
    let pixels = if turned { (height, width) } else { (width, height) };
    let small = print(&image, SMALL_PIXELS, SMALL_QUALITY, orientation)?;
    let picture = if as_picture { Some(print(&image, PICTURE_PIXELS, PICTURE_QUALITY, orientation)?) } else { None };
    Ok(Developed { pixels, small, picture })
}

/// The image in at most this size, upright.
fn print(image: &DynamicImage, side: u32, quality: u8, orientation: Orientation) -> Result<Print, Spoiled> {
    let unreadable = |_| Spoiled::Unreadable;
    let fits = image.width() <= side && image.height() <= side;
    let mut scaled = if fits { image.clone() } else { image.thumbnail(side, side) };
    scaled.apply_orientation(orientation);
    let pixels = (scaled.width(), scaled.height());
    let mut bytes = Vec::new();
    let kind = if scaled.color().has_alpha() {
        scaled.to_rgba8().write_with_encoder(PngEncoder::new(&mut bytes)).map_err(unreadable)?;
        MediaKind::Png
    } else {
        scaled.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).map_err(unreadable)?;
        MediaKind::Jpeg
    };
    Ok(Print { kind, bytes: bytes.into(), pixels })
}
