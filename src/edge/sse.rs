//! `GET /v1/events`: the pushes of a socket, for networks that let no socket through. Read-only.
//!
//! It is a session with the queue of a socket's, so it is bounded, told of gaps and counted alike. A task fills the
//! answer's body; it ends with the client, the token, the login, the node, or because the client takes nothing.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actors::event::{Announcement, Event};
use actors::limits::Limit;
use actors::outbound::{CloseReason, Outbound, Taken};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderValue};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::{Instant, interval_at, sleep, timeout};

use crate::edge::connection::{Counted, Visitor};
use crate::edge::doors::Doors;
use crate::edge::drain::moment;
use crate::edge::ending::Ending;
use crate::edge::greeting::{Registered, count_refused};
use crate::edge::http::authenticated;
use crate::metrics::ENCODINGS;
use crate::protocol::codec::Encoding;
use crate::protocol::error::{Code, WireError};
use crate::protocol::socket::{Hello, render_bye, render_event, render_gap, render_hello};
use crate::protocol::sse::{BEAT, MEDIA_TYPE, RENDERING, event};

/// Pieces that wait for the client; what else waits is in the session's queue.
const PIECES_WAITING: usize = 1;
/// The index of event streams among the encodings.
const SSE: usize = ENCODINGS.len() - 1;

/// Opens a stream.
pub async fn open(doors: &Arc<Doors>, request: Request) -> Result<Response, WireError> {
    let visitor = request.extensions().get::<Visitor>().cloned().ok_or(WireError::new(Code::Internal))?;
    let identity = authenticated(doors, request.headers()).await?;
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(WireError::with(Code::Validation, "this path takes no parameters"));
    }
    let attached = Registered::attach(&doors.node, doors.node.name_session(), identity).await;
    let registered = attached.inspect_err(|rejected| count_refused(doors, rejected)).map_err(|rejected| WireError::from(&rejected))?;
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
    let stream = Stream { doors: Arc::clone(doors), registered, pieces, pushes: 0 };
    drop(tokio::spawn(stream.run(visitor)));
    let body = stream::unfold(waiting, async |mut waiting| waiting.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), waiting)));
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Stream {
    doors: Arc<Doors>,
    registered: Registered,
    pieces: Sender<Bytes>,
    pushes: u64,
}

/// What is to be done next.
enum Next {
    Write(Vec<u8>),
    End(Vec<u8>, Ending),
}

impl Stream {
    async fn run(mut self, visitor: Visitor) {
        let counted = Counted::in_gauge(&self.doors.metrics.edge.connections[SSE]);
        let since = self.doors.seconds();
        let ending = match self.pump().await {
            // The connection noticed before we did that nothing is taken.
            Ending::Gone if visitor.stalled().load(Ordering::Relaxed) => Ending::Aborted(CloseReason::Slow),
            ending => ending,
        };
        if let Ending::Aborted(_) = ending {
            visitor.hang_up();
        }
        drop(counted);
        self.doors.metrics.closed(ending.code());
        tracing::info!(
            session = %self.registered.session.id,
            user = self.registered.session.identity.user.get(),
            encoding = ENCODINGS[SSE],
            code = ending.code(),
            seconds = self.doors.seconds() - since,
            pushes = self.pushes,
            "connection ended"
        );
    }

    async fn pump(&mut self) -> Ending {
        let doors = Arc::clone(&self.doors);
        let now = doors.node.world().clock.now();
        let session = Arc::clone(&self.registered.session);
        let heartbeat = doors.limits.time(Limit::Heartbeat);
        let mut beats = interval_at(Instant::now() + heartbeat, heartbeat);
        let mut expired = std::pin::pin!(sleep(session.identity.expires_at.since(now)));
        let hello = Hello { time: now, session: session.id, build: env!("CARGO_PKG_VERSION"), limits: &doors.limits };
        let mut next = Next::Write(event(&render_hello(Encoding::Json, &hello)));
        loop {
            let (piece, ending) = match next {
                Next::Write(piece) => (piece, None),
                Next::End(piece, ending) => (piece, Some(ending)),
            };
            if let Err(broken) = self.write(piece).await {
                return broken;
            }
            if let Some(ending) = ending {
                return ending;
            }
            next = tokio::select! {
                biased;
                () = self.pieces.closed() => return Ending::Gone,
                () = &mut expired => last(CloseReason::TokenExpired),
                () = doors.shutting() => last(CloseReason::Drain { after: moment(&session, doors.limits.time(Limit::DrainSpread)) }),
                taken = poll_fn(|context| session.queue.poll_take(context)) => self.pushes_of(taken),
                _ = beats.tick() => Next::Write(BEAT.to_vec()),
            };
        }
    }

    fn pushes_of(&mut self, taken: Taken) -> Next {
        let Taken { items, gaps, close, .. } = taken;
        let mut piece = Vec::new();
        for item in items {
            match item {
                Outbound::Announcement(announcement) => {
                    piece.extend_from_slice(rendering(&self.doors, &announcement));
                    self.pushes += 1;
                }
                Outbound::Reply { permit, .. } => drop(permit), // nobody asks on this session
            }
        }
        for (log, from, to) in gaps {
            piece.extend(event(&render_gap(Encoding::Json, log, from, to)));
            self.pushes += 1;
        }
        match close {
            None => Next::Write(piece),
            Some(reason) => {
                piece.extend(event(&render_bye(Encoding::Json, &reason)));
                Next::End(piece, Ending::Server(reason))
            }
        }
    }

    /// Hands a piece to the connection; who takes nothing for too long is put out.
    async fn write(&self, piece: Vec<u8>) -> Result<(), Ending> {
        if piece.is_empty() {
            return Ok(());
        }
        let stall = self.doors.limits.time(Limit::WriteStall);
        match timeout(stall, self.pieces.send(piece.into())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Gone),
            Err(_) => Err(Ending::Aborted(CloseReason::Slow)),
        }
    }
}

fn last(reason: CloseReason) -> Next {
    Next::End(event(&render_bye(Encoding::Json, &reason)), Ending::Server(reason))
}

/// The announcement as one event, made by whoever needs it first.
fn rendering<'a>(doors: &Doors, announcement: &'a Announcement) -> &'a Bytes {
    announcement.rendering(RENDERING, |happened: &Event| {
        doors.metrics.edge.renderings[SSE].increment(1);
        event(&render_event(Encoding::Json, happened, &doors.limits)).into()
    })
}

/// A heartbeat is a whole event, or clients would wait for its end.
const _: () = assert!(BEAT.len() > 3 && BEAT[BEAT.len() - 1] == b'\n' && BEAT[BEAT.len() - 2] == b'\n');
