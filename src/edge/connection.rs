//! One connection from accept to end, as one task: HTTP, greeting, loop, last words.
//!
//! HTTP and greeting are boxed and freed when they are done, so that an idle socket's task is its loop alone (KW2, a
//! test pins the size). Whatever was taken is given back by guards, on every way out.

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use actors::credential::Identity;
use actors::view::Secret;
use axum::Router;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use metrics::Gauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

use crate::edge::admission::{Seat, Stranger};
use crate::edge::doors::Doors;
use crate::edge::ending::{Ending, part};
use crate::edge::greeting::{Greeted, greet};
use crate::edge::heartbeat::Watch;
use crate::edge::http;
use crate::edge::patient::Patient;
use crate::edge::websocket::{Socket, Totals};
use crate::edge::wire::Wire;
use crate::protocol::codec::Encoding;

/// What the upgrade's handler leaves for the connection's task.
pub struct Handover {
    /// Becomes the stream once the answer is out.
    pub upgrade: OnUpgrade,
    /// The subprotocol that was agreed.
    pub encoding: Encoding,
    /// A token that came with the handshake.
    pub presented: Option<Secret>,
    /// The place among those who have not authenticated.
    pub stranger: Stranger,
}

/// Who is visiting: given to every request of a connection.
#[derive(Clone)]
pub struct Visitor {
    /// From where.
    pub address: IpAddr,
    handover: Arc<Mutex<Option<Handover>>>,
    hung_up: Arc<Notify>,
    stalled: Arc<AtomicBool>,
}

impl Visitor {
    fn new(address: IpAddr) -> Self {
        Self { address, handover: Arc::default(), hung_up: Arc::default(), stalled: Arc::default() }
    }
    /// The same visitor, calling from this address through a proxy.
    #[must_use]
    pub fn from(self, address: IpAddr) -> Self {
        Self { address, ..self }
    }
    /// Ends the connection without waiting for the client, who takes nothing.
    pub fn hang_up(&self) {
        self.hung_up.notify_one();
    }
    /// Waits until the connection is to end at once.
    pub async fn hung_up(&self) {
        self.hung_up.notified().await;
    }
    /// Set when the connection was given up because the client took nothing.
    pub fn stalled(&self) -> &Arc<AtomicBool> {
        &self.stalled
    }
    /// Leaves the upgrade for the connection's task.
    pub fn hand_over(&self, handover: Handover) {
        *self.handover.lock().unwrap_or_else(PoisonError::into_inner) = Some(handover);
    }
    fn take(&self) -> Option<Handover> {
        self.handover.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// One more while it lives.
pub struct Counted(Gauge);

impl Counted {
    /// Counts in this gauge.
    pub fn in_gauge(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// A socket with a session, ready for its loop.
struct Opened {
    socket: Box<WebSocket<Wire<TcpStream>>>,
    encoding: Encoding,
    greeted: Greeted,
}

/// Serves a connection until it ends.
pub async fn serve(stream: TcpStream, address: IpAddr, seat: Seat, router: Router, doors: Arc<Doors>) {
    let opened = Box::pin(open(stream, address, router, Arc::clone(&doors))).await;
    if let Some(Opened { socket, encoding, greeted }) = opened {
        speak(*socket, encoding, greeted, doors).await;
    }
    drop(seat);
}

/// HTTP, and if it comes to that, the upgrade and the greeting.
async fn open(stream: TcpStream, address: IpAddr, router: Router, doors: Arc<Doors>) -> Option<Opened> {
    let unauthenticated = Counted::in_gauge(&doors.metrics.edge.unauthenticated);
    let since = doors.micros();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "the connection has gone already");
        return None;
    }
    let visitor = Visitor::new(address);
    http::converse(stream, visitor.clone(), router, &doors).await;
    let Handover { upgrade, encoding, presented, stranger } = visitor.take()?;
    let upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<Patient<TcpStream>>>().ok()?;
    let (wire, config) = (Wire::new(parts.io.into_inner().into_inner()), Some(doors.socket_config()));
    let mut socket = Box::new(if parts.read_buf.is_empty() {
        WebSocket::from_raw_socket(wire, Role::Server, config)
    } else {
        WebSocket::from_partially_read(wire, parts.read_buf.to_vec(), Role::Server, config)
    });
    let greeted = greet(&doors, &mut socket, encoding, presented).await;
    drop((stranger, unauthenticated));
    match greeted {
        Ok(greeted) => {
            doors.metrics.edge.auth_seconds.record((doors.micros() - since) as f64 / 1e6);
            Some(Opened { socket, encoding, greeted })
        }
        Err(ending) => {
            doors.metrics.closed(ending.code());
            part(&mut socket, encoding, ending).await;
            None
        }
    }
}

/// The loop and the last words; all that an idle socket's task keeps.
pub(super) async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocket<Wire<S>>,
    encoding: Encoding,
    greeted: Greeted,
    doors: Arc<Doors>,
) {
    let Greeted { registered, heartbeat, life, pushes, rest } = greeted;
    let counted = Counted::in_gauge(&doors.metrics.edge.connections[encoding as usize]);
    let since = doors.seconds();
    let pulse = doors.wheel.watch(Arc::clone(&registered.session), Watch { heartbeat, life });
    let mut socket = Socket::new(socket, Arc::clone(&doors), pulse, encoding, pushes, rest);
    let ending = socket.run().await;
    drop(counted);
    let (session, identity) = (registered.session.id, registered.session.identity);
    drop(registered); // nothing is announced to it any more while the last words are said
    doors.metrics.closed(ending.code());
    tell(&session.to_string(), &identity, encoding, ending, socket.totals(), doors.seconds() - since);
    Box::pin(part(socket.stream(), encoding, ending)).await;
}

/// The one line that the log has of a connection.
fn tell(session: &str, identity: &Identity, encoding: Encoding, ending: Ending, totals: Totals, seconds: u32) {
    tracing::info!(
        session,
        user = identity.user.get(),
        encoding = encoding.subprotocol(),
        code = ending.code(),
        seconds,
        frames = totals.frames,
        pushes = totals.pushes,
        replies = totals.replies,
        "connection ended"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_loop<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    fn size_of_task<A, B, C, D, E, F>(_: fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_is_small() {
        let loop_bytes = size_of_loop(speak::<TcpStream>);
        let task_bytes = size_of_task(serve);
        assert!(loop_bytes <= 1_500, "the loop grew to {loop_bytes} bytes");
        assert!(task_bytes <= 2_048, "the task grew to {task_bytes} bytes");
        assert!(size_of::<Socket<TcpStream>>() <= 700, "the socket grew to {} bytes", size_of::<Socket<TcpStream>>());
    }
}
