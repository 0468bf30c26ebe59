//! The calibrator: a bare, honest, well-tuned tokio + tokio-tungstenite broadcaster in a process of its own.
//!
//! Whatever one connection sends goes to all others, unparsed, unstored and unchecked: what a chat server's fan-out
//! would cost if it did nothing else. Tuned as well as we know: one task per connection, 2 KiB read buffer, the
//! handshake boxed and freed, a bounded queue per connection, messages encoded once and shared, those that came in
//! together queued together, everything that waits fed before one flush, `TCP_NODELAY`, jemalloc, and (by default) the
//! current-thread runtime.
//! Expected: 100,000 to 200,000 single deliveries per CPU-second at 8,000 connections, 6 to 8 times that in bursts of 8.
//! If a tuning makes it faster, it belongs in here, however it makes Parlance's ratio look.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Batches that may wait for one connection; more than any burst here, so that none is dropped.
const QUEUE: usize = 64;

/// Everyone who hears.
type Audience = Arc<Mutex<Vec<Option<mpsc::Sender<Batch>>>>>;
/// Messages that came in together, shared by all who hear them.
type Batch = Arc<[Message]>;

/// Runs until standard input ends, so that it never outlives whoever measures. Prints its address first.
pub fn run(threads: usize) -> Result<()> {
    let runtime = if threads == 0 {
        tokio::runtime::Builder::new_current_thread().enable_io().build()
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_io().build()
    };
    runtime.context("no runtime")?.block_on(async {
        let listener = listen()?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        let serving = tokio::spawn(serve(listener));
        let mut end = Vec::new();
        tokio::io::stdin().read_to_end(&mut end).await?;
        serving.abort();
        Ok(())
    })
}

fn listen() -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(4_096).context("cannot listen")
}

async fn serve(listener: TcpListener) {
    let audience = Audience::default();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&audience)));
        }
    }
}

async fn connection(stream: TcpStream, audience: Audience) {
    let Some(socket) = Box::pin(upgrade(stream)).await else { return };
    let (sender, queue) = mpsc::channel(QUEUE);
    let place = {
        let mut audience = audience.lock().unwrap_or_else(PoisonError::into_inner);
        audience.push(Some(sender));
        audience.len() - 1
    };
    talk(socket, queue, &audience, place).await;
    audience.lock().unwrap_or_else(PoisonError::into_inner)[place] = None;
}

async fn upgrade(stream: TcpStream) -> Option<WebSocketStream<TcpStream>> {
    stream.set_nodelay(true).ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(2 * 1024)
        .write_buffer_size(64 * 1024) // a threshold, not an allocation: below it `feed` only gathers
        .max_write_buffer_size(1 << 20)
        .max_message_size(Some(64 * 1024))
        .max_frame_size(Some(64 * 1024));
    tokio_tungstenite::accept_async_with_config(stream, Some(config)).await.ok()
}

async fn talk(mut socket: WebSocketStream<TcpStream>, mut queue: mpsc::Receiver<Batch>, audience: &Audience, me: usize) {
    loop {
        tokio::select! {
            biased;
            Some(first) = queue.recv() => {
                if feed_all(&mut socket, first, &mut queue).await.is_err() {
                    return;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(first)) => {
                    let mut batch = vec![first];
                    while let Some(Some(Ok(next))) = socket.next().now_or_never() {
                        batch.push(next); // what came in together goes out together
                    }
                    if batch.iter().any(Message::is_close) {
                        return;
                    }
                    batch.retain(|message| message.is_text() || message.is_binary());
                    broadcast(&batch.into(), audience, me);
                }
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn feed_all(
    socket: &mut WebSocketStream<TcpStream>,
    first: Batch,
    queue: &mut mpsc::Receiver<Batch>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut batch = first;
    loop {
        for message in batch.iter() {
            socket.feed(message.clone()).await?;
        }
        match queue.try_recv() {
            Ok(next) => batch = next,
            Err(_nothing_more) => return socket.flush().await,
        }
    }
}

fn broadcast(batch: &Batch, audience: &Audience, me: usize) {
    let audience = audience.lock().unwrap_or_else(PoisonError::into_inner);
    for (place, listener) in audience.iter().enumerate() {
        if place != me
            && let Some(queue) = listener
        {
            drop(queue.try_send(Arc::clone(batch))); // a full queue would show as a delivery that never comes
        }
    }
}
