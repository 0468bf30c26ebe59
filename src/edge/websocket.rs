//! The loop of one authenticated socket: one task, three inputs (what waits to be written, what the wheel asks, what
//! the client sends), written by hand as one poll so that an idle socket is as small as its state.
//!
//! Announcements are rendered once per encoding as complete frames and written straight to the stream; everything
//! that is ready together is one write (KW5). While the stream takes nothing, nothing is taken from the queue and
//! nothing is read: the queue's own limits then decide what is given up. While too many requests await their answer,
//! nothing is read.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actors::credential::Identity;
use actors::event::{Announcement, Event};
use actors::limits::Limit;
use actors::outbound::{CloseReason, Outbound, Taken};
use actors::rejected::Rejected;
use actors::session::{QUERY_PLACES, Reply, Session};
use actors::view::View;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocket;

use crate::edge::bucket::Bucket;
use crate::edge::doors::Doors;
use crate::edge::ending::{Ending, payload};
use crate::edge::frame;
use crate::edge::greeting::{BAD_FRAMES_MAX, identify};
use crate::edge::heartbeat::{Ask, Pulse};
use crate::edge::wire::Wire;
use crate::protocol::codec::Encoding;
use crate::protocol::error::{Code, WireError};
use crate::protocol::request::{Incoming, OPS, Op, Request, decode};
use crate::protocol::socket::{render_beat, render_event, render_expiring, render_gap, render_refresh_ok, render_refused, render_reply};

/// What is copied together before it is written; a thread keeps one such buffer for all its sockets.
const SCRATCH_BYTES: usize = 64 * 1_024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A request whose answer is still to come, for the time it took.
struct Asked {
    id: u32,
    op: u8,
    at: u32,
}

/// A renewal that is being judged.
type Renewal = Pin<Box<dyn Future<Output = (Option<u32>, Result<Identity, WireError>)> + Send>>;

/// What one connection did, for its one line in the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Frames read.
    pub frames: u64,
    /// Pushes written.
    pub pushes: u64,
    /// Replies written.
    pub replies: u64,
}

/// One authenticated socket.
pub struct Socket<S> {
    stream: WebSocket<Wire<S>>,
    doors: Arc<Doors>,
    pulse: Arc<Pulse>,
    encoding: Encoding,
    bad_frames: u8,
    strikes: u16,
    closed_by_client: Option<u16>,
    totals: Totals,
    frames: Bucket,
    bytes: Bucket,
    held: VecDeque<Incoming>,
    asked: Vec<Asked>,
    renewal: Option<Renewal>,
}

enum Step {
    Again,
    Wait,
    End(Ending),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A socket that has been greeted: what was written and what was read meanwhile goes on here.
    pub fn new(
        stream: WebSocket<Wire<S>>,
        doors: Arc<Doors>,
        pulse: Arc<Pulse>,
        encoding: Encoding,
        pushes: u64,
        held: VecDeque<Incoming>,
    ) -> Self {
        Self {
            stream,
            doors,
            pulse,
            encoding,
            bad_frames: 0,
            strikes: 0,
            closed_by_client: None,
            totals: Totals { pushes, ..Totals::default() },
            frames: Bucket::default(),
            bytes: Bucket::default(),
            held,
            asked: Vec::new(),
            renewal: None,
        }
    }

    /// Runs until it ends; cleaning up is the caller's.
    pub async fn run(&mut self) -> Ending {
        poll_fn(|context| self.poll(context)).await
    }

    /// The stream, for the last words.
    pub fn stream(&mut self) -> &mut WebSocket<Wire<S>> {
        &mut self.stream
    }

    /// What it did.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        self.stream.get_mut().arm(context.waker());
        let polled = loop {
            match self.step(context) {
                Step::Again => {}
                Step::Wait => break Poll::Pending,
                Step::End(ending) => break Poll::Ready(ending),
            }
        };
        let written = self.stream.get_mut().take_written();
        if written.calls > 0 {
            self.doors.metrics.edge.writes.increment(written.calls);
            self.doors.metrics.edge.written_bytes.increment(written.bytes);
        }
        polled
    }

    /// One thing that can be done now. Each input registers the waker before it answers "nothing".
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        if self.stream.get_ref().is_blocked() {
            return self.unblock(context);
        }
        if let Poll::Ready(taken) = self.session().queue.poll_take(context) {
            return self.write(taken);
        }
        match self.pulse.take_ask() {
            Some(Ask::Abort) => return Step::End(Ending::Aborted(CloseReason::Slow)),
            Some(Ask::Expiring) => return self.warn(),
            None => {}
        }
        if let Some(renewal) = &mut self.renewal {
            return match renewal.as_mut().poll(context) {
                Poll::Ready((id, renewed)) => self.renewed(id, renewed),
                Poll::Pending => Step::Wait,
            };
        }
        if !self.held.is_empty() {
            return self.serve_held();
        }
        if !self.session().has_room() {
            self.doors.metrics.edge.read_pauses.increment(1);
            return Step::Wait;
        }
        self.read()
    }

    fn session(&self) -> &Arc<Session> {
        self.pulse.session()
    }

    /// The stream took not everything: until it does, only the wheel is heard.
    fn unblock(&mut self, context: &mut Context<'_>) -> Step {
        match self.stream.get_mut().flush_kept() {
            Ok(true) => {
                self.pulse.flow();
                Step::Again
            }
            Ok(false) => {
                if self.stream.get_mut().made_progress() {
                    self.pulse.flow();
                }
                self.pulse.stall(self.doors.wheel.now(), context.waker());
                match self.pulse.take_ask() {
                    Some(Ask::Abort) => Step::End(Ending::Aborted(CloseReason::Slow)),
                    Some(Ask::Expiring) | None => Step::Wait, // a token's end is enforced by the wheel in any case
                }
            }
            Err(_) => Step::End(Ending::Gone),
        }
    }

    /// Writes everything that waited, as one piece.
    fn write(&mut self, taken: Taken) -> Step {
        let sent = match &taken.items {
            items if items.len() == 1 && taken.gaps.is_empty() && !taken.beat => self.write_one(taken.items),
            _ => SCRATCH.with_borrow_mut(|scratch| self.write_all(scratch, taken.items, &taken.gaps, taken.beat)),
        };
        match (sent, taken.close) {
            (Err(_), _) => Step::End(Ending::Gone),
            (Ok(()), Some(reason)) => Step::End(Ending::Server(reason)),
            (Ok(()), None) => Step::Again,
        }
    }

    /// The common case: one announcement goes out without being copied.
    fn write_one(&mut self, mut items: VecDeque<Outbound>) -> std::io::Result<()> {
        match items.pop_front() {
            Some(Outbound::Announcement(announcement)) => {
                self.count_frames(1, 1);
                let frame = rendering(&self.doors, self.encoding, &announcement);
                self.stream.get_mut().send(frame)
            }
            Some(Outbound::Reply { request, answer, permit }) => {
                let words = self.reply(request, &answer);
                drop(permit);
                self.say(&words)
            }
            None => Ok(()),
        }
    }

    fn write_all(
        &mut self,
        scratch: &mut Vec<u8>,
        items: VecDeque<Outbound>,
        gaps: &[(actors::id::LogId, actors::id::Seq, actors::id::Seq)],
        beat: bool,
    ) -> std::io::Result<()> {
        let kind = payload(self.encoding);
        let (mut frames, mut pushes) = (0, 0);
        scratch.clear();
        for item in items {
            match item {
                Outbound::Announcement(announcement) => {
                    scratch.extend_from_slice(rendering(&self.doors, self.encoding, &announcement));
                    pushes += 1;
                }
                Outbound::Reply { request, answer, permit } => {
                    frame::append(scratch, kind, &self.reply(request, &answer));
                    drop(permit);
                }
            }
            frames += 1;
            if scratch.len() >= SCRATCH_BYTES {
                self.stream.get_mut().send(scratch)?;
                scratch.clear();
            }
        }
        for (log, from, to) in gaps {
            frame::append(scratch, kind, &render_gap(self.encoding, *log, *from, *to));
            frames += 1;
            pushes += 1;
        }
        self.count_frames(frames, pushes);
        if beat {
            frame::append(scratch, kind, &render_beat(self.encoding, self.totals.pushes));
            self.count_frames(1, 0);
        }
        self.stream.get_mut().send(scratch)?;
        scratch.shrink_to(2 * SCRATCH_BYTES);
        Ok(())
    }

    fn count_frames(&mut self, frames: u64, pushes: u64) {
        self.totals.pushes += pushes;
        self.doors.metrics.edge.frames_written.increment(frames);
    }

    fn say(&mut self, words: &[u8]) -> std::io::Result<()> {
        self.doors.metrics.edge.frames_written.increment(1);
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            frame::append(scratch, payload(self.encoding), words);
            self.stream.get_mut().send(scratch)
        })
    }

    /// The payload of an answer, counted and timed.
    fn reply(&mut self, request: Option<u32>, answer: &Result<View, Rejected>) -> Vec<u8> {
        let Some(id) = request else { return Vec::new() }; // such an answer is dropped before the queue
        self.totals.replies += 1;
        let op = self.asked.iter().position(|asked| asked.id == id).map(|index| {
            let asked = self.asked.swap_remove(index);
            let (op, took) = (OPS[usize::from(asked.op)], self.micros().wrapping_sub(asked.at));
            self.doors.metrics.answered(op, Duration::from_micros(took.into()));
            if self.asked.is_empty() {
                self.asked = Vec::new();
            }
            op
        });
        match answer {
            Ok(_) => render_reply(self.encoding, id, answer, ""),
            Err(rejected) => self.refusal(Some(id), &WireError::from(rejected).of_op(op.unwrap_or_default())),
        }
    }

    /// Microseconds, of which only differences count.
    #[expect(clippy::cast_possible_truncation, reason = "differences of less than an hour survive the wrap")]
    fn micros(&self) -> u32 {
        self.doors.micros() as u32
    }

    fn refusal(&mut self, id: Option<u32>, error: &WireError) -> Vec<u8> {
        let reference = self.doors.reference();
        self.doors.metrics.refused(error.code.name());
        tracing::debug!(session = %self.session().id, reference, error = error.code.name(), "refused");
        if error.code == Code::Internal {
            tracing::error!(session = %self.session().id, reference, "a request met a mistake of ours");
        }
        self.totals.pushes += u64::from(id.is_none());
        render_refused(self.encoding, id, error, &reference)
    }

    fn refuse(&mut self, id: Option<u32>, error: &WireError) -> Result<(), Ending> {
        let words = self.refusal(id, error);
        self.say(&words).map_err(Ending::broken)
    }

    fn read(&mut self) -> Step {
        let message = match self.stream.read() {
            Ok(message) => message,
            Err(error) => {
                let ending = Ending::of(&error).map(|ending| self.closed_by_client.map_or(ending, Ending::Client));
                return ending.map_or(Step::Wait, Step::End);
            }
        };
        self.pulse.seen(self.doors.wheel.now());
        self.totals.frames += 1;
        self.doors.metrics.edge.frames_read.increment(1);
        let received = match message {
            Message::Text(text) => self.receive(&Bytes::from(text), true),
            Message::Binary(bytes) => self.receive(&bytes, false),
            Message::Close(frame) => {
                self.closed_by_client = Some(frame.map_or(1005, |frame| frame.code.into()));
                Ok(()) // the next read answers it and says that it is over
            }
            Message::Ping(payload) => self.pace(payload.len()).map(drop),
            Message::Pong(_) | Message::Frame(_) => Ok(()),
        };
        received.map_or_else(Step::End, |()| Step::Again)
    }

    /// Whether this frame keeps the connection's pace; `Some` with the pause if not. Who goes on is put out.
    fn pace(&mut self, bytes: usize) -> Result<Option<(&'static str, Duration)>, Ending> {
        let now = self.doors.micros();
        let frames = self.frames.take(self.doors.frames_rate, 1, now).map_err(|after| ("frames", after));
        let paced = frames.and_then(|()| self.bytes.take(self.doors.bytes_rate, bytes as u64, now).map_err(|after| ("bytes", after)));
        let Err((bucket, after)) = paced else {
            self.strikes = self.strikes.saturating_sub(1);
            return Ok(None);
        };
        self.doors.metrics.rate_limited(bucket);
        self.strikes = self.strikes.saturating_add(1);
        if u64::from(self.strikes) > self.doors.limits.get(Limit::FramesBurst) {
            return Err(Ending::Server(CloseReason::RateLimited));
        }
        Ok(Some((bucket, after)))
    }

    fn receive(&mut self, frame: &Bytes, text: bool) -> Result<(), Ending> {
        let paced = self.pace(frame.len())?;
        if text != self.encoding.is_text() {
            self.refuse(None, &WireError::new(Code::WrongFrameType))?;
            return self.bad_frame();
        }
        let incoming = decode(self.encoding, frame, &self.doors.limits, Some(self.session().identity.user));
        if let Some((bucket, after)) = paced {
            let error = WireError::from(&Rejected::TooFast { bucket, after });
            return incoming.iter().try_for_each(|incoming| self.refuse(number(incoming), &error));
        }
        if matches!(incoming.as_slice(), [Incoming::Refused { id: None, .. }]) {
            self.bad_frame()?;
        } else {
            self.bad_frames = 0;
        }
        self.held = incoming.into();
        Ok(())
    }

    fn bad_frame(&mut self) -> Result<(), Ending> {
        self.bad_frames += 1;
        if self.bad_frames >= BAD_FRAMES_MAX { Err(Ending::Server(CloseReason::BadFrame)) } else { Ok(()) }
    }

    /// Serves what is left of the last frame, as far as there is room for its answers.
    fn serve_held(&mut self) -> Step {
        while let Some(incoming) = self.held.pop_front() {
            let served = match incoming {
                Incoming::Refused { id, error } => self.refuse(id, &error).map(|()| None),
                Incoming::Request(request) => self.serve(request),
            };
            match served {
                Ok(None) => {}
                Ok(Some(request)) => {
                    self.held.push_front(Incoming::Request(request));
                    self.doors.metrics.edge.read_pauses.increment(1);
                    return Step::Wait;
                }
                Err(ending) => return Step::End(ending),
            }
            if self.renewal.is_some() {
                return Step::Again;
            }
        }
        self.held = VecDeque::new();
        Step::Again
    }

    /// Passes one request on; gives it back if there is no room for its answer yet.
    fn serve(&mut self, request: Request) -> Result<Option<Request>, Ending> {
        let op = request.name();
        match request.op {
            Op::Auth(_) => self.refuse(request.id, &WireError::new(Code::AlreadyAuthenticated))?,
            Op::AuthRefresh { token } => {
                let (id, user, doors) = (request.id, self.session().identity.user, Arc::clone(&self.doors));
                self.renewal = Some(Box::pin(async move { (id, identify(doors, user, token).await) }));
            }
            Op::Beat { .. } => {
                if let Some(id) = request.id {
                    let words = render_reply(self.encoding, id, &Ok(View::Done), "");
                    self.say(&words).map_err(Ending::broken)?;
                }
            }
            Op::OpenWith { .. } => self.refuse(request.id, &WireError::new(Code::Internal))?, // decode resolves these
            Op::Command(_) | Op::Query(_) | Op::Manage(_) => {
                let session = Arc::clone(self.session());
                let places = if matches!(request.op, Op::Command(_)) { 1 } else { QUERY_PLACES };
                let Some(permit) = session.admit(places) else { return Ok(Some(request)) };
                let reply = Reply::to_session(&session, request.id, permit);
                self.note(request.id, op);
                match request.op {
                    Op::Command(command) => self.doors.node.command(&session, command, reply),
                    Op::Query(query) => self.doors.node.query(session.identity.user, query, reply),
                    Op::Manage(manage) => self.doors.node.manage(session.identity, manage, reply),
                    Op::Auth(_) | Op::AuthRefresh { .. } | Op::Beat { .. } | Op::OpenWith { .. } => reply.settle(Err(Rejected::Internal)),
                }
            }
        }
        Ok(None)
    }

    fn note(&mut self, id: Option<u32>, op: &str) {
        if let Some((id, op)) = id.zip(OPS.iter().position(|known| *known == op).and_then(|index| u8::try_from(index).ok())) {
            let at = self.micros();
            self.asked.push(Asked { id, op, at });
        }
    }

    fn warn(&mut self) -> Step {
        self.totals.pushes += 1;
        let words = render_expiring(self.encoding, self.pulse.life_left(self.doors.wheel.now()));
        self.say(&words).map_or(Step::End(Ending::Gone), |()| Step::Again)
    }

    fn renewed(&mut self, id: Option<u32>, renewed: Result<Identity, WireError>) -> Step {
        self.renewal = None;
        let said = match renewed {
            Ok(identity) => {
                let life = identity.expires_at.since(self.doors.node.world().clock.now());
                self.pulse.renew(self.doors.wheel.now(), life);
                let words = id.map(|id| render_refresh_ok(self.encoding, id, life));
                words.map_or(Ok(()), |words| self.say(&words).map_err(Ending::broken))
            }
            Err(error) => self.refuse(id, &error),
        };
        said.map_or_else(Step::End, |()| Step::Again)
    }
}

fn number(incoming: &Incoming) -> Option<u32> {
    match incoming {
        Incoming::Request(request) => request.id,
        Incoming::Refused { id, .. } => *id,
    }
}

/// The announcement as one complete frame, made by whoever needs it first.
fn rendering<'a>(doors: &Doors, encoding: Encoding, announcement: &'a Announcement) -> &'a Bytes {
    announcement.rendering(encoding.rendering_key(), |event: &Event| {
        doors.metrics.edge.renderings[encoding as usize].increment(1);
        frame::whole(payload(encoding), &render_event(encoding, event, &doors.limits))
    })
}
