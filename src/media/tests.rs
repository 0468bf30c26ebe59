//! The library over a folder and over a server that speaks S3: the same sentences for both.

use std::collections::VecDeque;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::id::UserId;
use actors::limits::{Limit, Limits};
use actors::media::{Arrival, Attachment, Broken, Chunks, Library, Media, MediaId, MediaKind, MediaRejected, Purpose};
use actors::store::{Answer, MediaStore};
use actors::testkit::clock::{ManualClock, SeededRandom};
use actors::testkit::memory::{Call, Fault, MemoryStore};
use actors::time::Clock;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::app::SystemClock;
use crate::config::MediaConfig;
use crate::media::depot::Depot;
use crate::media::library::{Files, Means};
use crate::metrics::{Labels, Metrics};

const SECRET: &str = "it-is-not-told";

/// A library with everything around it.
struct Shelf {
    files: Files,
    depot: Depot,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    metrics: Arc<Metrics>,
    /// Where the objects lie in the end.
    folder: PathBuf,
    limits: Limits,
}

impl Shelf {
    fn over(config: &MediaConfig, data: &Path, folder: PathBuf, limit: &[(Limit, u64)]) -> Self {
        let mut limits = Limits::default();
        limits.set(Limit::MediaBytes, 7 * 1_024 * 1_024);
        for (limit, value) in limit {
            limits.set(*limit, *value);
        }
        let depot = Depot::open(config, data).expect("opened");
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let metrics = Metrics::new(Labels { ops: Vec::new(), errors: Vec::new(), calls: Vec::new() });
        Self { files: files(&depot, &store, &clock, &metrics, &limits), depot, store, clock, metrics, folder, limits }
    }

    fn in_folder(folder: &TempDir, limit: &[(Limit, u64)]) -> Self {
        Self::over(&MediaConfig::default(), folder.path(), folder.path().join("media"), limit)
    }

    /// Another library over the same things, as after a restart.
    fn again(&self) -> Files {
        files(&self.depot, &self.store, &self.clock, &self.metrics, &self.limits)
    }

    async fn take_in(&self, arrival: Arrival, bytes: &[u8]) -> Result<Attachment, MediaRejected> {
        self.files.take_in(arrival, Pieces::of(bytes)).await
    }

    async fn whole(&self, id: MediaId) -> Vec<u8> {
        let media = self.files.find(id).await.expect("known");
        let length = media.attachment.bytes;
        self.read(&media, 0, length).await
    }

    async fn read(&self, media: &Media, from: u64, to: u64) -> Vec<u8> {
        let mut chunks = self.files.open(media, from..to).await.expect("there");
        let mut bytes = Vec::new();
        while let Some(some) = chunks.next().await.expect("whole") {
            bytes.extend(some);
        }
        bytes
    }

    /// The names of everything kept.
    fn kept(&self) -> Vec<String> {
        let mut names: Vec<_> = below(&self.folder);
        names.sort();
        names
    }

    async fn nothing_is_left(&self) {
        let text = "parlance_media_incoming 0";
        while !self.metrics.render().contains(text) || !self.kept().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

fn files(depot: &Depot, store: &Arc<MemoryStore>, clock: &Arc<ManualClock>, metrics: &Arc<Metrics>, limits: &Limits) -> Files {
    Files::new(Means {
        depot: depot.clone(),
        store: Arc::<MemoryStore>::clone(store),
        clock: Arc::<ManualClock>::clone(clock),
        random: Arc::new(SeededRandom::new(7)),
        limits: Arc::new(limits.clone()),
        metrics: Arc::clone(metrics),
    })
}

/// Finished files and marks; not what the server that speaks S3 keeps for itself.
fn below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            names.extend(below(&path));
        } else {
            names.push(path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned());
        }
    }
    names
}

/// Bytes in pieces, and perhaps an end that is none.
struct Pieces(VecDeque<Result<Bytes, Broken>>);

impl Pieces {
    fn of(bytes: &[u8]) -> Box<dyn Chunks> {
        Box::new(Self(bytes.chunks(100_000).map(|some| Ok(Bytes::copy_from_slice(some))).collect()))
    }
    fn broken(bytes: &[u8]) -> Box<dyn Chunks> {
        Box::new(Self(bytes.chunks(100_000).map(|some| Ok(Bytes::copy_from_slice(some))).chain([Err(Broken::Off)]).collect()))
    }
}

impl Chunks for Pieces {
    fn next(&mut self) -> Answer<'_, Option<Bytes>, Broken> {
        Box::pin(async move { self.0.pop_front().transpose() })
    }
}

/// Some bytes, and then nothing for ever.
struct Endless(Option<Bytes>);

impl Chunks for Endless {
    fn next(&mut self) -> Answer<'_, Option<Bytes>, Broken> {
        Box::pin(async move {
            match self.0.take() {
                Some(bytes) => Ok(Some(bytes)),
                None => std::future::pending().await,
            }
        })
    }
}

fn arrival(purpose: Purpose) -> Arrival {
    Arrival { owner: UserId::new(1).expect("valid"), name: "a".into(), purpose, life: None, length: None }
}

fn attached() -> Arrival {
    arrival(Purpose::Attachment)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 31 % 251).expect("small")).collect()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::from_pixel(width, height, Rgb([9, 9, 200]))).write_to(&mut bytes, ImageFormat::Png).expect("encoded");
    bytes.into_inner()
}

/// What is true of a library wherever its bytes lie.
async fn keeps_the_contract(shelf: &Shelf) {
    comes_back(shelf).await;
    leaves_nothing(shelf).await;
    is_erased(shelf).await;
}

async fn comes_back(shelf: &Shelf) {
    for length in [0, 1, 262_144, 5 * 1_024 * 1_024, 6 * 1_024 * 1_024 + 123] {
        let bytes = pattern(length);
        let taken = shelf.take_in(attached(), &bytes).await.expect("taken in");
        assert_eq!(taken.bytes, length as u64);
        assert!(shelf.whole(taken.id).await == bytes, "{length} bytes");
        assert_eq!(shelf.kept(), [taken.id.to_string()], "and no mark");
        if length > 5_300_000 {
            let media = shelf.files.find(taken.id).await.expect("known");
            assert!(shelf.read(&media, 5_242_000, 5_243_000).await == bytes[5_242_000..5_243_000], "across two parts");
            assert!(shelf.read(&media, 0, 1).await == bytes[..1]);
        }
        shelf.files.erase(taken.id).await.expect("erased");
    }
}

async fn leaves_nothing(shelf: &Shelf) {
    let (small, large) = (pattern(1_000), pattern(6 * 1_024 * 1_024));
    for bytes in [&small, &large] {
        let broken = shelf.files.take_in(attached(), Pieces::broken(bytes)).await;
        assert_eq!(broken, Err(MediaRejected::Broken(Broken::Off)));
        assert_eq!(shelf.kept(), Vec::<String>::new());
        let short = Arrival { length: Some(bytes.len() as u64 + 1), ..attached() };
        assert_eq!(shelf.take_in(short, bytes).await, Err(MediaRejected::Broken(Broken::Off)));
        assert_eq!(shelf.take_in(arrival(Purpose::Picture), bytes).await, Err(MediaRejected::NotAPicture));
        assert_eq!(shelf.kept(), Vec::<String>::new());
        // Whoever asked goes in the middle.
        let asked = shelf.files.take_in(attached(), Box::new(Endless(Some(Bytes::copy_from_slice(bytes)))));
        let mut asked = Box::pin(asked);
        while shelf.kept().is_empty() {
            assert!(futures_util::poll!(&mut asked).is_pending());
            tokio::task::yield_now().await;
        }
        drop(asked);
        shelf.nothing_is_left().await;
    }
    let max = shelf.limits.get(Limit::MediaBytes);
    let too_large = pattern(usize::try_from(max).expect("small") + 1);
    assert_eq!(shelf.take_in(attached(), &too_large).await, Err(MediaRejected::TooLarge { max }));
    shelf.store.fail_next(Call::Put, Fault::After);
    let taken = shelf.take_in(attached(), &small).await.expect("it was written");
    shelf.files.erase(taken.id).await.expect("erased");
    assert_eq!(shelf.kept(), Vec::<String>::new());
    assert_eq!(shelf.store.media_used(attached().owner).await, Ok(0));
}

async fn is_erased(shelf: &Shelf) {
    let image = png(600, 300);
    let kept = shelf.take_in(attached(), &image).await.expect("taken in");
    assert_eq!((kept.kind, kept.pixels), (MediaKind::Png, Some((600, 300))));
    let picture = shelf.take_in(arrival(Purpose::Picture), &image).await.expect("taken in");
    assert_eq!((picture.kind, picture.pixels), (MediaKind::Jpeg, Some((600, 300))));
    assert!(shelf.whole(kept.id).await == image && shelf.whole(picture.id).await != image);
    assert_eq!(shelf.kept().len(), 4);
    let media = shelf.files.find(kept.id).await.expect("known");
    let (kind, small) = shelf.files.thumbnail(&media).await.expect("there");
    assert_eq!(
        (kind, image::load_from_memory(&small).map(|small| (small.width(), small.height())).ok()),
        (MediaKind::Jpeg, Some((320, 160)))
    );
    shelf.files.erase(picture.id).await.expect("erased");
    shelf.files.erase(picture.id).await.expect("erased already");
    assert_eq!(shelf.kept().len(), 2);

    // The bytes went and the row does not say so: it is gone all the same.
    shelf.depot.erase(kept.id).await.expect("erased");
    assert_eq!(shelf.files.open(&media, 0..1).await.err(), Some(MediaRejected::Gone));
    shelf.files.erase(kept.id).await.expect("erased");
    let media = shelf.files.find(kept.id).await.expect("known");
    assert!(media.erased_at.is_some());
    assert_eq!(shelf.files.thumbnail(&media).await.err(), Some(MediaRejected::Gone));
    assert_eq!(shelf.files.find(MediaId(5)).await, Err(MediaRejected::NotFound));

    let life = Some(Duration::from_mins(1));
    let short = shelf.take_in(Arrival { life, ..attached() }, b"short").await.expect("taken in");
    assert_eq!(shelf.files.erase_due().await, 0);
    shelf.clock.advance(Duration::from_mins(1));
    let media = shelf.files.find(short.id).await.expect("known");
    assert_eq!(shelf.files.open(&media, 0..5).await.err(), Some(MediaRejected::Gone), "from that moment on");
    assert_eq!(shelf.files.erase_due().await, 1);
    assert_eq!(shelf.files.erase_due().await, 0);
    assert_eq!(shelf.kept(), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    keeps_the_contract(&Shelf::in_folder(&folder, &[])).await;
}

/// A server that speaks S3, over a folder.
async fn bucket(folder: &TempDir) -> MediaConfig {
    std::fs::create_dir_all(folder.path().join("s3/files")).expect("made");
    let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path().join("s3")).expect("a folder"));
    service.set_auth(SimpleAuth::from_single("ann", SECRET));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    drop(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone())));
        }
    }));
    std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).expect("written");
    MediaConfig {
        bucket: Some("files".to_owned()),
        endpoint: Some(endpoint),
        access_key: Some("ann".to_owned()),
        secret_key_file: Some(folder.path().join("secret")),
        ..MediaConfig::default()
    }
}

/// The same against a real server that speaks S3, with signatures checked.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = bucket(&folder).await;
    let shelf = Shelf::over(&config, folder.path(), folder.path().join("s3/files"), &[]);
    keeps_the_contract(&shelf).await;

    // A mark may be another node's that is still at work; one of yesterday is nobody's.
    shelf.depot.mark(MediaId(9)).await.expect("marked");
    shelf.depot.replace(MediaId(9), Bytes::from_static(b"half")).await.expect("put");
    assert_eq!(shelf.files.clear_leftovers().await.expect("looked"), 0);
    assert_eq!(shelf.kept().len(), 2);
    shelf.clock.advance(Duration::from_hours(25));
    assert_eq!(shelf.files.clear_leftovers().await.expect("looked"), 1);
    assert_eq!(shelf.kept(), Vec::<String>::new());

    let wrong = MediaConfig { secret_key: Some("wrong".to_owned().into()), secret_key_file: None, ..config };
    let stranger = Shelf::over(&wrong, folder.path(), folder.path().join("s3/files"), &[]);
    let refused = stranger.take_in(attached(), b"x").await;
    assert!(matches!(refused, Err(MediaRejected::Unavailable { .. })), "{refused:?}");
}

#[tokio::test]
async fn what_a_crash_left_is_cleared_away_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::in_folder(&folder, &[]);
    let whole = shelf.take_in(attached(), &png(9, 9)).await.expect("taken in");
    // It came whole, and the mark was not taken away.
    shelf.depot.mark(whole.id).await.expect("marked");
    // It came whole, and the row was not written.
    shelf.store.fail_next(Call::Put, Fault::Before);
    let lost = shelf.take_in(attached(), b"lost").await;
    assert!(matches!(lost, Err(MediaRejected::Unavailable { .. })), "{lost:?}");
    // It was being written.
    let half = MediaId(0xab << 120);
    shelf.depot.mark(half).await.expect("marked");
    let media = folder.path().join("media");
    std::fs::create_dir_all(media.join("ab")).expect("made");
    std::fs::write(media.join("ab").join(format!("{half}#1")), "half").expect("written");
    // A mark was being written. And there is what has nothing to do with us.
    std::fs::write(media.join("incoming").join(format!("{half}#2")), "").expect("written");
    std::fs::write(media.join("ab").join("stranger"), "").expect("written");
    assert_eq!(shelf.again().clear_leftovers().await.expect("looked"), 2);
    assert_eq!(shelf.kept(), [whole.id.to_string(), format!("{}.small", whole.id), "stranger".to_owned()]);
    assert_eq!(shelf.again().clear_leftovers().await.expect("looked"), 0);
}

/// `media_quota` holds for files that come at once, too.
#[tokio::test]
async fn files_that_come_at_once_share_a_quota() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::in_folder(&folder, &[(Limit::MediaQuota, 10_000), (Limit::MediaBytes, 8_000)]);
    let bytes = pattern(6_000);
    let answers = tokio::join!(shelf.take_in(attached(), &bytes), shelf.take_in(attached(), &bytes), shelf.take_in(attached(), &bytes));
    let answers = [answers.0, answers.1, answers.2];
    let full = Err(MediaRejected::QuotaExceeded { max: 10_000 });
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() <= 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.is_ok() || *answer == full), "{answers:?}");
    let used = shelf.store.media_used(attached().owner).await.expect("readable");
    assert!(used <= 6_000);
    assert_eq!(shelf.take_in(attached(), &pattern(4_001)).await.is_err(), used == 6_000);
    let other = Arrival { owner: UserId::new(2).expect("valid"), ..attached() };
    shelf.take_in(other, &bytes).await.expect("another's quota is another");
}

/// `images_at_work`, `images_waiting`: no more are decoded at once, whatever waits.
#[tokio::test]
async fn images_beyond_those_that_may_wait_are_not_looked_into() {
    use crate::media::darkroom::{Darkroom, Spoiled};
    use crate::media::depot::Whole;
    let mut limits = Limits::default();
    limits.set(Limit::ImagesAtWork, 1);
    limits.set(Limit::ImagesWaiting, 1);
    let room = Darkroom::new(&limits);
    let fetched = async || Ok::<_, ()>(Whole::Fetched(png(5, 5).into()));
    let mut at_work = Box::pin(room.develop(MediaKind::Png, false, std::future::pending::<Result<Whole, ()>>()));
    assert!(futures_util::poll!(&mut at_work).is_pending());
    let mut waits = Box::pin(room.develop(MediaKind::Png, false, fetched()));
    assert!(futures_util::poll!(&mut waits).is_pending());
    assert_eq!(room.develop(MediaKind::Png, false, fetched()).await, Ok(Err(Spoiled::Shed)));
    drop(at_work);
    assert!(waits.await.expect("fetched").is_ok(), "its turn comes");
    assert!(room.develop(MediaKind::Png, true, fetched()).await.expect("fetched").is_ok());
    assert_eq!(room.develop(MediaKind::Pdf, true, fetched()).await, Ok(Err(Spoiled::Unreadable)));
}
