//! From an upgraded socket to a session: `hello`, one credential, and the node's consent, within a deadline.
//!
//! It runs boxed and is freed when it is done, so that an idle connection keeps only its loop (KW2). Whatever it has
//! registered is given back when it is dropped.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actors::credential::Identity;
use actors::id::{SessionId, UserId};
use actors::limits::Limit;
use actors::node::Node;
use actors::outbound::CloseReason;
use actors::rejected::Rejected;
use actors::session::Session;
use actors::view::{Secret, UserView};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocket;

use crate::edge::doors::Doors;
use crate::edge::ending::{Ending, payload};
use crate::edge::frame;
use crate::edge::wire::Wire;
use crate::metrics::{AuthFailure, Refusal};
use crate::protocol::codec::Encoding;
use crate::protocol::error::{Code, WireError};
use crate::protocol::request::{AuthRequest, Incoming, Op, decode};
use crate::protocol::socket::{Hello, render_auth_ok, render_hello, render_refused};

/// Frames in a row that cannot be understood before the connection is ended.
pub const BAD_FRAMES_MAX: u8 = 10;

/// A session that the node has registered; it is taken back when this is dropped, on every way out.
pub struct Registered {
    node: Node,
    /// The session.
    pub session: Arc<Session>,
}

impl Registered {
    /// Registers a session of this identity under a name from the node.
    pub async fn attach(node: &Node, name: SessionId, identity: Identity) -> Result<Self, Rejected> {
        let session = node.connect(name, identity).await?;
        Ok(Self { node: node.clone(), session })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.node.disconnect(&self.session);
        self.session.queue.end();
    }
}

/// A socket that may speak.
pub struct Greeted {
    /// Its session.
    pub registered: Registered,
    /// How often it wishes to hear from the server.
    pub heartbeat: Duration,
    /// How long its token lives from now.
    pub life: Duration,
    /// Pushes written so far.
    pub pushes: u64,
    /// Requests that stood behind the credential in the same frame.
    pub rest: VecDeque<Incoming>,
}

struct Greeting<'a, S> {
    doors: &'a Doors,
    /// The connection's name, from `hello` on.
    name: SessionId,
    socket: &'a mut WebSocket<Wire<S>>,
    encoding: Encoding,
    pushes: u64,
    bad_frames: u8,
}

/// Greets; the credential may have come with the handshake.
pub async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    doors: &Doors,
    socket: &mut WebSocket<Wire<S>>,
    encoding: Encoding,
    presented: Option<Secret>,
) -> Result<Greeted, Ending> {
    let deadline = doors.limits.time(Limit::AuthDeadline);
    let name = doors.node.name_session();
    let mut greeting = Greeting { doors, name, socket, encoding, pushes: 0, bad_frames: 0 };
    let greeted = async {
        match presented {
            Some(token) => greeting.admit_presented(token).await,
            None => greeting.await_auth().await,
        }
    };
    tokio::select! {
        greeted = tokio::time::timeout(deadline, greeted) => greeted.unwrap_or(Err(Ending::Server(CloseReason::AuthTimeout))),
        () = doors.shutting() => Err(Ending::Server(CloseReason::Drain { after: Duration::ZERO })),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Greeting<'_, S> {
    /// The credential came with the handshake: no request asks, so only the close code answers.
    async fn admit_presented(&mut self, token: Secret) -> Result<Greeted, Ending> {
        let admitted = self.admit(&token).await;
        self.hello()?;
        match admitted {
            Ok((registered, _, life)) => Ok(self.greeted(registered, None, life)),
            Err(rejected) => Err(Ending::Server(Ending::of_credential(&rejected).unwrap_or(CloseReason::Overloaded))),
        }
    }

    async fn await_auth(&mut self) -> Result<Greeted, Ending> {
        self.hello()?;
        loop {
            let frame = self.frame().await?;
            let mut incoming = VecDeque::from(decode(self.encoding, &frame, &self.doors.limits, None));
            while let Some(first) = incoming.pop_front() {
                if let Some(mut greeted) = self.answer(first).await? {
                    let viewer = greeted.registered.session.identity.user;
                    greeted.rest = incoming.into_iter().map(|incoming| resolved(incoming, viewer)).collect();
                    return Ok(greeted);
                }
            }
        }
    }

    async fn answer(&mut self, incoming: Incoming) -> Result<Option<Greeted>, Ending> {
        let request = match incoming {
            Incoming::Request(request) => request,
            Incoming::Refused { id, error } => {
                self.refuse(id, &error)?;
                return if id.is_none() { self.bad_frame().map(|()| None) } else { Ok(None) };
            }
        };
        self.bad_frames = 0;
        let Op::Auth(AuthRequest { token, heartbeat, device }) = request.op else {
            self.refuse(request.id, &WireError::new(Code::Unauthenticated))?;
            return Ok(None);
        };
        match self.admit(&token).await {
            Ok((registered, user, life)) => {
                tracing::debug!(session = %registered.session.id, user = user.id.get(), ?device, "authenticated");
                if let Some(id) = request.id {
                    let words = render_auth_ok(self.encoding, id, &user, registered.session.id, life);
                    self.say(&words)?;
                }
                Ok(Some(self.greeted(registered, heartbeat, life)))
            }
            Err(rejected) => {
                self.refuse(request.id, &WireError::from(&rejected))?;
                Ending::of_credential(&rejected).map_or(Ok(None), |reason| Err(Ending::Server(reason)))
            }
        }
    }

    /// Asks the node: does the token prove something, and is there room for the session?
    async fn admit(&self, token: &Secret) -> Result<(Registered, UserView, Duration), Rejected> {
        let admitted = admit(&self.doors.node, self.name, token).await;
        if let Err(rejected) = &admitted {
            count_refused(self.doors, rejected);
        }
        let (registered, user) = admitted?;
        let now = self.doors.node.world().clock.now();
        let life = registered.session.identity.expires_at.since(now);
        Ok((registered, user, life))
    }

    fn greeted(&self, registered: Registered, heartbeat: Option<Duration>, life: Duration) -> Greeted {
        let heartbeat = heartbeat.unwrap_or_else(|| self.doors.limits.time(Limit::Heartbeat));
        Greeted { registered, heartbeat, life, pushes: self.pushes, rest: VecDeque::new() }
    }

    fn hello(&mut self) -> Result<(), Ending> {
        let time = self.doors.node.world().clock.now();
        let hello = Hello { time, session: self.name, build: env!("CARGO_PKG_VERSION"), limits: &self.doors.limits };
        self.say(&render_hello(self.encoding, &hello))
    }

    fn refuse(&mut self, id: Option<u32>, error: &WireError) -> Result<(), Ending> {
        self.doors.metrics.refused(error.code.name());
        let reference = self.doors.reference();
        tracing::debug!(reference, error = error.code.name(), "refused before authentication");
        self.pushes += u64::from(id.is_none());
        self.say(&render_refused(self.encoding, id, error, &reference))
    }

    fn say(&mut self, words: &[u8]) -> Result<(), Ending> {
        self.doors.metrics.edge.frames_written.increment(1);
        self.socket.get_mut().send(&frame::whole(payload(self.encoding), words)).map_err(Ending::broken)
    }

    fn bad_frame(&mut self) -> Result<(), Ending> {
        self.bad_frames += 1;
        if self.bad_frames >= BAD_FRAMES_MAX { Err(Ending::Server(CloseReason::BadFrame)) } else { Ok(()) }
    }

    /// The next frame of the right type and size.
    async fn frame(&mut self) -> Result<bytes::Bytes, Ending> {
        loop {
            let message = poll_fn(|context| poll_message(self.socket, context)).await?;
            let (frame, text) = match message {
                Message::Text(text) => (bytes::Bytes::from(text), true),
                Message::Binary(bytes) => (bytes, false),
                Message::Close(frame) => return Err(Ending::Client(frame.map_or(1005, |frame| frame.code.into()))),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            self.doors.metrics.edge.frames_read.increment(1);
            if frame.len() > self.doors.limits.count(Limit::AuthFrameBytes) {
                self.refuse(None, &WireError::new(Code::TooLarge))?;
                return Err(Ending::Server(CloseReason::BadFrame));
            }
            if text == self.encoding.is_text() {
                return Ok(frame);
            }
            self.refuse(None, &WireError::new(Code::WrongFrameType))?;
            self.bad_frame()?;
        }
    }
}

fn poll_message<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<Wire<S>>,
    context: &mut Context<'_>,
) -> Poll<Result<Message, Ending>> {
    socket.get_mut().arm(context.waker());
    if socket.get_mut().flush_kept().is_err() {
        return Poll::Ready(Err(Ending::Gone));
    }
    match socket.read() {
        Ok(message) => Poll::Ready(Ok(message)),
        Err(error) => Ending::of(&error).map_or(Poll::Pending, |ending| Poll::Ready(Err(ending))),
    }
}

async fn admit(node: &Node, name: SessionId, token: &Secret) -> Result<(Registered, UserView), Rejected> {
    let identity = node.accounts().identify(&token.0).await?;
    let account = node.accounts().me(identity.user).await?;
    Ok((Registered::attach(node, name, identity).await?, UserView::from(&account)))
}

/// A request of a user who was not known yet when it was read.
fn resolved(incoming: Incoming, viewer: UserId) -> Incoming {
    match incoming {
        Incoming::Request(request) => {
            let id = request.id;
            request.resolve(viewer).map_or_else(|error| Incoming::Refused { id, error }, Incoming::Request)
        }
        refused @ Incoming::Refused { .. } => refused,
    }
}

/// What a new token of this user proves.
pub async fn identify(doors: Arc<Doors>, user: UserId, token: Secret) -> Result<Identity, WireError> {
    match doors.node.accounts().identify(&token.0).await {
        Ok(identity) if identity.user == user => Ok(identity),
        Ok(_) => Err(WireError::new(Code::OtherUser)),
        Err(rejected) => {
            count_refused(&doors, &rejected);
            Err(WireError::from(&rejected))
        }
    }
}

/// Counts a credential that was refused, by its reason.
pub fn count_refused(doors: &Doors, rejected: &Rejected) {
    match rejected {
        Rejected::InvalidCredential => doors.metrics.auth_failed(AuthFailure::Invalid),
        Rejected::ExpiredCredential => doors.metrics.auth_failed(AuthFailure::Expired),
        Rejected::InvalidRefresh => doors.metrics.auth_failed(AuthFailure::Refresh),
        Rejected::WrongPassword => doors.metrics.auth_failed(AuthFailure::Password),
        Rejected::AccountDisabled => doors.metrics.auth_failed(AuthFailure::Disabled),
        Rejected::TooFast { bucket: "sessions", .. } => doors.metrics.rejected(Refusal::SessionsFull),
        Rejected::Field { .. }
        | Rejected::EmptyMessage
        | Rejected::BodyTooLarge { .. }
        | Rejected::TooManyItems { .. }
        | Rejected::InvalidAccount { .. }
        | Rejected::Taken { .. }
        | Rejected::NoSuchUser
        | Rejected::NoSuchConversation
        | Rejected::NoSuchEntry { .. }
        | Rejected::NotAMessage { .. }
        | Rejected::MessageDeleted { .. }
        | Rejected::NotTheAuthor
        | Rejected::MessageFull { .. }
        | Rejected::NoSuchMedia
        | Rejected::Blocked { .. }
        | Rejected::AlreadyFriends
        | Rejected::AlreadyRequested { .. }
        | Rejected::RelationExists
        | Rejected::NoSuchRequest
        | Rejected::NotFriends
        | Rejected::TooManyRelations { .. }
        | Rejected::InvitationNeeded
        | Rejected::NoSuchLogin
        | Rejected::RoleTooLow
        | Rejected::OwnerCannotLeave
        | Rejected::NotAGroup
        | Rejected::GroupFull { .. }
        | Rejected::KeyReused { .. }
        | Rejected::AheadOfLog { .. }
        | Rejected::TooFast { .. }
        | Rejected::Busy { .. }
        | Rejected::Unavailable { .. }
        | Rejected::Draining
        | Rejected::Unknown
        | Rejected::Frozen
        | Rejected::Internal => {}
    }
}
