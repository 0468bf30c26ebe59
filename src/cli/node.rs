//! Asking a running node at its operators' address.

use std::net::ToSocketAddrs;

use anyhow::{Context, bail};
use http::{Request, Uri, header, request};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The most of a refusal that is shown.
const REFUSAL_BYTES: usize = 4_096;

/// The node's answer to a request with this body, if it does what was asked; `what` says what that is.
pub(super) async fn ask(at: &Uri, what: &str, request: request::Builder, body: Bytes) -> anyhow::Result<Incoming> {
    let authority = at.authority().with_context(|| format!("`{at}` is no address such as http://127.0.0.1:8081"))?;
    if at.scheme_str().is_some_and(|scheme| scheme != "http") {
        bail!("`{at}`: the operators' listener speaks http");
    }
    let unreachable = || format!("no node answers at {authority}: does it run, and is this its operators' address?");
    let address = (authority.host(), authority.port_u16().unwrap_or(80)).to_socket_addrs().with_context(unreachable)?.next();
    let stream = TcpStream::connect(address.with_context(unreachable)?).await.with_context(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.with_context(unreachable)?;
    drop(tokio::spawn(async move { drop(connection.await) })); // what it says is seen by whoever reads the body
    let request: Request<Full<Bytes>> = request.header(header::HOST, authority.as_str()).body(Full::new(body))?;
    let response = sender.send_request(request).await.with_context(unreachable)?;
    if response.status().is_success() {
        return Ok(response.into_body());
    }
    let status = response.status();
    let text = http_body_util::Limited::new(response.into_body(), REFUSAL_BYTES)
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    bail!("the node {what} ({status}): {}", String::from_utf8_lossy(&text).trim_end())
}
