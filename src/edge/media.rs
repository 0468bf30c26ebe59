//! Files over HTTP: bodies poured into the library while they come, and bytes given back whole, in part or small.
//!
//! Nothing is held but a few pieces on their way. A refusal while a body still comes is answered, and a little more of
//! the body is read and thrown away, so that the answer is not lost to a reset. What is given back cannot act in a
//! page's name whatever it holds: its type is ours, it is not sniffed, and its own page may do nothing (M1).
//!
//! [`serve`] is for every door that gives files: whoever calls it has judged.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actors::credential::Identity;
use actors::id::UserId;
use actors::limits::Limit;
use actors::media::{Arrival, Attachment, Broken, Chunks, Media, MediaId, MediaRejected, Purpose};
use actors::policy::{self, Deed, On};
use actors::store::Answer;
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::edge::doors::Doors;
use crate::edge::greeting::count_refused;
use crate::edge::http::{bare, bearer, json, refused};
use crate::edge::rest::path;
use crate::edge::uploads::NoPlace;
use crate::protocol::error::{Code, WireError};
use crate::protocol::media::{self, Place, Wanted, Wish};
use crate::protocol::routes::Endpoint;

/// For how long a body is read whose answer is certain already.
const DISCARD_TIME: Duration = Duration::from_secs(2);
/// Pieces between a body and the library.
const PIECES_WAITING: usize = 1;
/// What a multipart body has beside its file.
const FORM_BYTES: u64 = 256 * 1_024;
/// A piece of a body may hold the end of one part and the head of the next.
const PIECE_BYTES: u64 = 64 * 1_024;
/// Bytes of a field beside the file.
const FIELD_BYTES_MAX: usize = 1_024;
/// The part that is the file.
const FILE_FIELD: &str = "file";
const FORM: &str = "multipart/form-data";

/// Whose pages may show a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Pages of this server's origin.
    SameOrigin,
    /// Any page: clients on other origins show it as a picture.
    CrossOrigin,
}

/// `POST /v1/media`
pub async fn upload(doors: &Arc<Doors>, request: Request) -> Result<Response, WireError> {
    let (parts, body) = request.into_parts();
    let mut inlet = Inlet::new(doors, body);
    let taken = take_in(doors, &parts, &mut inlet).await;
    // Who waits to be told to go on has sent nothing, and is told so by the first look at the body.
    let waits = parts.headers.contains_key(header::EXPECT) && !inlet.begun;
    if taken.is_err() && !waits {
        inlet.discard().await;
    }
    taken.map(|attachment| json(StatusCode::CREATED, media::attachment(&attachment)))
}

async fn take_in(doors: &Arc<Doors>, parts: &Parts, inlet: &mut Inlet) -> Result<Attachment, WireError> {
    let user = identify(doors, &parts.headers).await?.user;
    let place = doors.uploads.begin(user, doors.micros()).map_err(|NoPlace { bucket, after }| {
        doors.metrics.rate_limited(bucket);
        let code = if bucket == "uploads_node" { Code::Busy } else { Code::RateLimited };
        WireError::new(code).after(after)
    })?;
    let wish = Wish::decode(parts.uri.query().unwrap_or_default())?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let taken = if essence.eq_ignore_ascii_case(FORM) {
        let boundary = multer::parse_boundary(content_type);
        let boundary = boundary.or(Err(WireError::with(Code::Malformed, "the multipart body names no boundary")))?;
        Form::new(doors, inlet, boundary).take_in(wish, user).await
    } else {
        let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        raw(doors, inlet, arrival(&wish, user, length)).await
    };
    drop(place);
    taken
}

fn arrival(wish: &Wish, owner: UserId, length: Option<u64>) -> Arrival {
    Arrival { owner, name: wish.name(), purpose: wish.purpose.unwrap_or(Purpose::Attachment), life: wish.life, length }
}

/// The body is the file.
async fn raw(doors: &Doors, inlet: &mut Inlet, arrival: Arrival) -> Result<Attachment, WireError> {
    let (pipe, pieces) = mpsc::channel(PIECES_WAITING);
    let (asked, begin) = oneshot::channel();
    let pouring = async move {
        // A body is not touched before it is wanted: its sender may wait to be told to go on.
        tokio::select! {
            begun = begin => if begun.is_err() { return },
            () = pipe.closed() => return,
        }
        loop {
            let piece = tokio::select! {
                piece = inlet.next() => piece.transpose(),
                () = pipe.closed() => break,
            };
            let Some(piece) = piece else { break };
            let last = piece.is_err();
            if pipe.send(piece).await.is_err() || last {
                break;
            }
        }
    };
    let (taken, ()) = tokio::join!(doors.library.take_in(arrival, Box::new(Piped { asked: Some(asked), pieces })), pouring);
    taken.map_err(refusal)
}

/// The body as it comes, neither too slowly nor for too long.
struct Inlet {
    stream: BodyDataStream,
    /// The longest between two pieces.
    stall: Duration,
    until: Instant,
    begun: bool,
    ended: bool,
}

impl Inlet {
    fn new(doors: &Doors, body: Body) -> Self {
        let until = Instant::now() + doors.limits.time(Limit::UploadDeadline);
        Self { stream: body.into_data_stream(), stall: doors.limits.time(Limit::BodyDeadline), until, begun: false, ended: false }
    }

    fn patience(&self) -> Instant {
        self.until.min(Instant::now() + self.stall)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        self.begun = true;
        let piece = timeout_at(self.patience(), self.stream.next()).await;
        self.ended = !matches!(piece, Ok(Some(Ok(_))));
        match piece {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(_))) => Err(Broken::Off),
            Err(_) => Err(Broken::Slow),
        }
    }

    /// Reads a little more, for an answer that would else be lost.
    async fn discard(&mut self) {
        let rest = async {
            while !self.ended {
                self.ended = !matches!(self.stream.next().await, Some(Ok(_)));
            }
        };
        if timeout(DISCARD_TIME, rest).await.is_err() {
            // Whoever sends on for so long does not listen.
        }
    }
}

/// Pieces on their way to the library.
struct Piped {
    /// Told when the first is asked for.
    asked: Option<oneshot::Sender<()>>,
    pieces: mpsc::Receiver<Result<Bytes, Broken>>,
}

impl Chunks for Piped {
    fn next(&mut self) -> Answer<'_, Option<Bytes>, Broken> {
        Box::pin(async move {
            let told = self.asked.take().map(|asked| asked.send(()));
            if told == Some(Err(())) {
                return Err(Broken::Off); // whoever pours has gone
            }
            self.pieces.recv().await.transpose()
        })
    }
}

/// A multipart body: fields, and the file as the last part.
struct Form<'a> {
    doors: &'a Doors,
    form: Multipart<'a>,
    /// Bytes that the head of a part may still have.
    head: Arc<AtomicU64>,
    parts: usize,
    stall: Duration,
    until: Instant,
}

impl<'a> Form<'a> {
    fn new(doors: &'a Doors, inlet: &'a mut Inlet, boundary: String) -> Self {
        let (stall, until) = (inlet.stall, inlet.until);
        let head = Arc::new(AtomicU64::new(u64::MAX));
        let most = doors.limits.get(Limit::MediaBytes).saturating_add(FORM_BYTES);
        let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(most));
        let metered = Metered { inlet, given: false, head: Arc::clone(&head) };
        Self { doors, form: Multipart::with_constraints(metered, boundary, constraints), head, parts: 0, stall, until }
    }

    async fn take_in(mut self, mut wish: Wish, user: UserId) -> Result<Attachment, WireError> {
        let mut file = loop {
            let Some(field) = self.part().await? else { return Err(WireError::validation(FILE_FIELD, "is missing")) };
            if field.file_name().is_some() || field.name() == Some(FILE_FIELD) {
                break field;
            }
            let name = field.name().unwrap_or_default().to_owned();
            let value = self.text(field).await?;
            wish.set(&name, &value)?;
        };
        if let (None, Some(name)) = (&wish.name, file.file_name()) {
            wish.name = Some(actors::media::file_name(name));
        }
        let (pipe, pieces) = mpsc::channel(PIECES_WAITING);
        let doors = self.doors;
        let pouring = async move {
            let poured = self.pour(&mut file, &pipe).await;
            drop(file);
            let poured = match poured {
                Ok(true) => self.end().await,
                Ok(false) => Ok(()), // the library has had enough
                Err(error) => Err(error),
            };
            if let Err(error) = &poured {
                let broken = if error.code == Code::BodyTimeout { Broken::Slow } else { Broken::Off };
                drop(pipe.send(Err(broken)).await); // the library may have had enough
            }
            poured
        };
        let (taken, poured) =
            tokio::join!(doors.library.take_in(arrival(&wish, user, None), Box::new(Piped { asked: None, pieces })), pouring);
        poured?;
        taken.map_err(refusal)
    }

    async fn timely<T>(&self, read: impl Future<Output = multer::Result<T>>) -> Result<T, WireError> {
        match timeout_at(self.until.min(Instant::now() + self.stall), read).await {
            Ok(read) => read.map_err(|error| unreadable(&error)),
            Err(_) => Err(WireError::new(Code::BodyTimeout)),
        }
    }

    /// The next part, its head within its limits.
    async fn part(&mut self) -> Result<Option<Field<'a>>, WireError> {
        let head_max = self.doors.limits.get(Limit::MediaPartHead);
        let patience = self.until.min(Instant::now() + self.stall);
        self.head.store(head_max.saturating_add(PIECE_BYTES), Ordering::Relaxed);
        let field = timeout_at(patience, self.form.next_field()).await.or(Err(WireError::new(Code::BodyTimeout)))?;
        self.head.store(u64::MAX, Ordering::Relaxed);
        let Some(field) = field.map_err(|error| unreadable(&error))? else { return Ok(None) };
        self.parts += 1;
        let parts_max = self.doors.limits.count(Limit::MediaParts);
        if self.parts > parts_max {
            return Err(WireError::with(Code::TooManyItems, format!("more than {parts_max} parts")));
        }
        let head: usize = field.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
        if head as u64 > head_max {
            return Err(WireError::with(Code::TooLarge, format!("the head of a part is larger than {head_max} bytes")));
        }
        Ok(Some(field))
    }

    async fn text(&self, mut field: Field<'a>) -> Result<String, WireError> {
        let mut bytes = Vec::new();
        while let Some(some) = self.timely(field.chunk()).await? {
            bytes.extend_from_slice(&some);
            if bytes.len() > FIELD_BYTES_MAX {
                return Err(WireError::with(Code::TooLarge, format!("a field is larger than {FIELD_BYTES_MAX} bytes")));
            }
        }
        String::from_utf8(bytes).or(Err(WireError::with(Code::Malformed, "a field is not UTF-8")))
    }

    /// Whether the file came to its end.
    async fn pour(&self, file: &mut Field<'a>, pipe: &mpsc::Sender<Result<Bytes, Broken>>) -> Result<bool, WireError> {
        loop {
            let piece = tokio::select! {
                piece = self.timely(file.chunk()) => piece?,
                () = pipe.closed() => return Ok(false),
            };
            let Some(piece) = piece else { return Ok(true) };
            if pipe.send(Ok(piece)).await.is_err() {
                return Ok(false);
            }
        }
    }

    /// Nothing may come behind the file.
    async fn end(&mut self) -> Result<(), WireError> {
        match self.part().await? {
            None => Ok(()),
            Some(_) => Err(WireError::validation(FILE_FIELD, "must be one, and the last part")),
        }
    }
}

/// The head of a part is too long.
#[derive(Debug, thiserror::Error)]
#[error("the head of a part is too long")]
struct HeadTooLong;

fn unreadable(error: &multer::Error) -> WireError {
    match error {
        multer::Error::StreamSizeExceeded { .. } => WireError::new(Code::FileTooLarge),
        multer::Error::StreamReadFailed(error) => {
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            match inner.and_then(|inner| inner.downcast_ref::<HeadTooLong>()) {
                Some(HeadTooLong) => WireError::with(Code::TooLarge, "the head of a part is too long"),
                None => WireError::with(Code::Malformed, "the body broke off"),
            }
        }
        multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteHeaders | multer::Error::IncompleteStream => {
            WireError::with(Code::Malformed, "the body broke off")
        }
        _ => WireError::with(Code::Malformed, "the multipart body cannot be read"),
    }
}

/// A body that gives one piece at a time: the reader of parts would else gather all that there is.
struct Metered<'a> {
    inlet: &'a mut Inlet,
    given: bool,
    head: Arc<AtomicU64>,
}

impl Stream for Metered<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.given) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.inlet.begun = true;
        let piece = ready!(self.inlet.stream.poll_next_unpin(context));
        self.inlet.ended = !matches!(piece, Some(Ok(_)));
        Poll::Ready(match piece {
            None => None,
            Some(Err(error)) => Some(Err(io::Error::other(error))),
            Some(Ok(bytes)) => {
                let left = self.head.load(Ordering::Relaxed);
                let length = bytes.len() as u64;
                if left != u64::MAX {
                    self.head.store(left.saturating_sub(length), Ordering::Relaxed);
                }
                self.given = true;
                if length > left { Some(Err(io::Error::other(HeadTooLong))) } else { Some(Ok(bytes)) }
            }
        })
    }
}

async fn identify(doors: &Doors, headers: &HeaderMap) -> Result<Identity, WireError> {
    let token = bearer(headers).ok_or(WireError::new(Code::Unauthenticated))?;
    let identified = doors.node.accounts().identify(token).await;
    identified.inspect_err(|rejected| count_refused(doors, rejected)).map_err(|rejected| WireError::from(&rejected))
}

fn refusal(rejected: MediaRejected) -> WireError {
    match rejected {
        MediaRejected::TooLarge { max } => WireError::with(Code::FileTooLarge, format!("larger than {max} bytes")),
        MediaRejected::QuotaExceeded { max } => {
            WireError::with(Code::QuotaExceeded, format!("all your files together may have {max} bytes"))
        }
        MediaRejected::NotAPicture => WireError::new(Code::NotAPicture),
        MediaRejected::TooManyPixels { max } => WireError::with(Code::TooManyPixels, format!("more than {max} pixels")),
        MediaRejected::Broken(Broken::Off) => WireError::with(Code::Malformed, "the body broke off"),
        MediaRejected::Broken(Broken::Slow) => WireError::new(Code::BodyTimeout),
        MediaRejected::NotFound => WireError::new(Code::NoSuchFile),
        MediaRejected::Gone => WireError::new(Code::FileGone),
        MediaRejected::Busy { after } => WireError::new(Code::Busy).after(after),
        MediaRejected::Full => WireError::new(Code::StorageFull).after(FULL_FOR),
        MediaRejected::Unavailable { after } => WireError::new(Code::Unavailable).after(after),
    }
}

/// When to try again where there is no room.
const FULL_FOR: Duration = Duration::from_mins(1);

/// `GET` and `DELETE /v1/media/{id}`, `GET /v1/media/{id}/thumbnail`
pub async fn stored(doors: &Doors, endpoint: Endpoint, request: Request) -> Result<Response, WireError> {
    let (parts, _) = request.into_parts();
    let user = identify(doors, &parts.headers).await?.user;
    let media = find(doors, named(&parts)?).await?;
    let may = |deed| policy::may(user, deed, On::file(&media)).map_err(|rejected| WireError::from(&rejected));
    match endpoint {
        Endpoint::File => {
            may(Deed::Fetch)?;
            serve(doors, &media, &parts, Sharing::SameOrigin).await
        }
        Endpoint::Thumbnail => {
            may(Deed::Fetch)?;
            serve_thumbnail(doors, &media, &parts, Sharing::SameOrigin).await
        }
        Endpoint::EraseFile => {
            may(Deed::Erase)?;
            doors.library.erase(media.attachment.id).await.map_err(refusal)?;
            Ok(bare(StatusCode::NO_CONTENT))
        }
        Endpoint::SignUp | Endpoint::LogIn | Endpoint::Refresh | Endpoint::LogOut => Err(WireError::new(Code::Internal)),
        Endpoint::Attached | Endpoint::AttachedThumbnail | Endpoint::Upload => Err(WireError::new(Code::Internal)),
        Endpoint::Me | Endpoint::Socket => Err(WireError::new(Code::Internal)),
        Endpoint::Events | Endpoint::OpenApi | Endpoint::AsyncApi => Err(WireError::new(Code::Internal)),
    }
}

/// `GET /v1/conversations/{conv}/messages/{seq}/media/{n}`, and its `/thumbnail`
pub async fn attached(doors: &Doors, endpoint: Endpoint, request: Request) -> Result<Response, WireError> {
    let (mut parts, _) = request.into_parts();
    let user = identify(doors, &parts.headers).await?.user;
    let place = doors.gate.enter(user).map_err(|(bucket, rejected)| {
        doors.metrics.rate_limited(bucket);
        WireError::from(&rejected)
    })?;
    let Place { conversation, seq, nth } = Place::of(&path(&mut parts).await?)?;
    let found = doors.node.attachment(user, conversation, seq, nth).await;
    let media = find(doors, found.map_err(|rejected| WireError::from(&rejected))?).await?;
    drop(place);
    if endpoint == Endpoint::AttachedThumbnail {
        serve_thumbnail(doors, &media, &parts, Sharing::SameOrigin).await
    } else {
        serve(doors, &media, &parts, Sharing::SameOrigin).await
    }
}

fn named(parts: &Parts) -> Result<MediaId, WireError> {
    let rest = parts.uri.path().strip_prefix("/v1/media/").unwrap_or_default();
    media::file_of(rest.split('/').next().unwrap_or_default())
}

/// What is known of a file; judges nobody.
pub async fn find(doors: &Doors, id: MediaId) -> Result<Media, WireError> {
    doors.library.find(id).await.map_err(refusal)
}

/// The bytes of a file that the one who asks may read: all, or the range that is asked for.
pub async fn serve(doors: &Doors, media: &Media, asked: &Parts, sharing: Sharing) -> Result<Response, WireError> {
    if media.is_gone(doors.node.world().clock.now()) {
        return Err(WireError::new(Code::FileGone));
    }
    let attachment = &media.attachment;
    let tag = format!("\"{}\"", attachment.id);
    if let Some(unchanged) = unchanged(asked, &tag) {
        return Ok(dressed(unchanged, media, &tag, sharing));
    }
    let ranged = text(asked, &header::IF_RANGE).is_none_or(|named| named == tag);
    let range = text(asked, &header::RANGE).filter(|_| ranged);
    let (status, range) = match media::wanted(range, attachment.bytes) {
        Wanted::Whole => (StatusCode::OK, 0..attachment.bytes),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => {
            let mut response = refused(doors, &WireError::new(Code::RangeNotSatisfiable));
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{}", attachment.bytes));
            return Ok(response);
        }
    };
    let mut response = bare(status);
    insert(&mut response, header::CONTENT_TYPE, media::content_type(attachment.kind));
    insert(&mut response, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    insert(&mut response, header::CONTENT_DISPOSITION, &media::content_disposition(attachment.kind, &attachment.name));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.end.saturating_sub(1);
        insert(&mut response, header::CONTENT_RANGE, &format!("bytes {}-{last}/{}", range.start, attachment.bytes));
    }
    if asked.method != Method::HEAD {
        let chunks = doors.library.open(media, range).await.map_err(refusal)?;
        *response.body_mut() = Body::from_stream(stream::unfold(Some(chunks), pieces));
    }
    Ok(dressed(response, media, &tag, sharing))
}

/// The next piece; after an error nothing more comes, and the connection ends without the bytes that were promised.
async fn pieces(chunks: Option<Box<dyn Chunks>>) -> Option<(Result<Bytes, Broken>, Option<Box<dyn Chunks>>)> {
    let mut chunks = chunks?;
    match chunks.next().await.transpose()? {
        Ok(bytes) => Some((Ok(bytes), Some(chunks))),
        Err(broken) => Some((Err(broken), None)),
    }
}

/// The small image of an image that the one who asks may see.
pub async fn serve_thumbnail(doors: &Doors, media: &Media, asked: &Parts, sharing: Sharing) -> Result<Response, WireError> {
    if media.is_gone(doors.node.world().clock.now()) {
        return Err(WireError::new(Code::FileGone));
    }
    let tag = format!("\"{}.small\"", media.attachment.id);
    if let Some(unchanged) = unchanged(asked, &tag) {
        return Ok(dressed(unchanged, media, &tag, sharing));
    }
    let (kind, bytes) = doors.library.thumbnail(media).await.map_err(refusal)?;
    let mut response = bare(StatusCode::OK);
    insert(&mut response, header::CONTENT_TYPE, media::content_type(kind));
    insert(&mut response, header::CONTENT_LENGTH, &bytes.len().to_string());
    insert(&mut response, header::CONTENT_DISPOSITION, &media::content_disposition(kind, "thumbnail"));
    if asked.method != Method::HEAD {
        *response.body_mut() = bytes.into();
    }
    Ok(dressed(response, media, &tag, sharing))
}

/// The answer to one who has it already: a file never changes.
fn unchanged(asked: &Parts, tag: &str) -> Option<Response> {
    text(asked, &header::IF_NONE_MATCH).filter(|named| media::names_tag(named, tag)).map(|_| bare(StatusCode::NOT_MODIFIED))
}

fn dressed(mut response: Response, media: &Media, tag: &str, sharing: Sharing) -> Response {
    let kept = match media.purpose {
        Purpose::Picture => "private, max-age=86400, immutable", // a changed picture has another name
        Purpose::Attachment => "private, no-cache",              // it may expire, and who may read it may change
    };
    let shared = match sharing {
        Sharing::SameOrigin => "same-origin",
        Sharing::CrossOrigin => "cross-origin",
    };
    insert(&mut response, header::ETAG, tag);
    insert(&mut response, header::CACHE_CONTROL, kept);
    insert(&mut response, header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    insert(&mut response, CROSS_ORIGIN_RESOURCE_POLICY, shared);
    response
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

fn text<'a>(asked: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    asked.headers.get(name)?.to_str().ok()
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("what stands in these headers is of our own making, or escaped");
    response.headers_mut().insert(name, value);
}
