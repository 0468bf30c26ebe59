//! The accept loop: takes every connection that waits, refuses politely what has no place, and never ends of an error.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::edge::connection;
use crate::edge::doors::Doors;
use crate::edge::http;
use crate::metrics::Refusal;

/// How long to wait after a failed accept, such as for want of descriptors.
const ERROR_PAUSE: Duration = Duration::from_millis(100);
/// The backlog where the system does not say what it allows.
const BACKLOG: u32 = 4_096;

/// A listener with as long a backlog as the system allows (KW13).
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let allowed = fs::read_to_string("/proc/sys/net/core/somaxconn").ok().and_then(|text| text.trim().parse().ok());
    socket.listen(allowed.unwrap_or(BACKLOG))
}

/// Accepts until the doors shut; each connection is a task of its own.
pub async fn accept(listener: TcpListener, doors: Arc<Doors>) {
    let router = http::router(&doors);
    let mut shutting = std::pin::pin!(doors.shutting());
    loop {
        tokio::select! {
            biased;
            () = &mut shutting => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => take_in(stream, peer, &router, &doors),
                Err(error) => {
                    doors.metrics.edge.accept_errors.increment(1);
                    tracing::warn!(%error, "cannot accept a connection; trying again");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            },
        }
    }
}

fn take_in(stream: TcpStream, peer: SocketAddr, router: &Router, doors: &Arc<Doors>) {
    doors.metrics.edge.accepted.increment(1);
    match doors.admission.admit(peer.ip()) {
        Ok(seat) => drop(tokio::spawn(connection::serve(stream, peer.ip(), seat, router.clone(), Arc::clone(doors)))),
        Err(refusal) => {
            doors.metrics.rejected(refusal);
            if let Err(error) = turn_away(stream, refusal) {
                tracing::trace!(%error, "could not say that there is no room");
            }
        }
    }
}

/// Says why, without waiting: what the client has sent by now is read, so that the answer is not lost to a reset.
fn turn_away(stream: TcpStream, refusal: Refusal) -> io::Result<()> {
    let answer: &[u8] = match refusal {
        Refusal::AddressFull => b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        Refusal::NodeFull
        | Refusal::UnauthenticatedFull
        | Refusal::SessionsFull
        | Refusal::HeadDeadline
        | Refusal::HeadBytes
        | Refusal::Origin
        | Refusal::Draining => b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    };
    let mut stream = stream.into_std()?; // still non-blocking
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)?;
    let mut asked = [0; 4_096];
    if stream.read(&mut asked).is_err() {
        // Nothing has come yet: nothing to be lost.
    }
    Ok(())
}
