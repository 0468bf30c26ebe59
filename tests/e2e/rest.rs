//! A very small HTTP/1.1 client: one request, one connection, one answer. It sends exactly the bytes that it is told.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::within;

/// A request under construction.
#[derive(Debug)]
pub struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request without a body.
pub fn get(path: &str) -> Request {
    Request { method: "GET", path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
}

/// A request with a JSON body.
pub fn post(path: &str, body: &Value) -> Request {
    raw("POST", path).header("content-type", "application/json").body(body.to_string().into_bytes())
}

/// A request of this method with a JSON body.
pub fn with(method: &'static str, path: &str, body: &Value) -> Request {
    raw(method, path).header("content-type", "application/json").body(body.to_string().into_bytes())
}

/// Any request.
pub fn raw(method: &'static str, path: &str) -> Request {
    Request { method, ..get(path) }
}

impl Request {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Sends it; a connection that ends without an answer is a failure of the test.
    pub async fn send(self, to: std::net::SocketAddr) -> Answer {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !self.body.is_empty() || self.method == "POST" {
            head.extend(["content-length: ", &self.body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        let what = format!("{} {} is answered", self.method, self.path);
        let answer = within(&what, exchange(to, &bytes)).await;
        let answer = parse(&answer).unwrap_or_else(|| panic!("{what} by HTTP, not by {:?}", String::from_utf8_lossy(&answer)));
        assert!(answer.status < 500 || matches!(answer.status, 503 | 507), "{what} without a mistake of the server: {answer:?}");
        answer
    }
}

/// Sends these bytes to a fresh connection and reads until the server closes it.
pub async fn exchange(to: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.expect("the server takes connections");
    // The server may answer and close before it has read everything, so neither end of the exchange is required to succeed.
    let written = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    assert!(written.is_ok() || !answer.is_empty() || read.is_err(), "a write that failed leaves an answer or a reset");
    answer
}

pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let body = &bytes[end + 4..];
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    Some(Answer { status, headers, body: if chunked { dechunk(body)? } else { body.to_vec() } })
}

fn dechunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let line = body.windows(2).position(|two| two == b"\r\n")?;
        let len = usize::from_str_radix(std::str::from_utf8(&body[..line]).ok()?, 16).ok()?;
        if len == 0 {
            return Some(out);
        }
        out.extend_from_slice(body.get(line + 2..line + 2 + len)?);
        body = body.get(line + 4 + len..)?;
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of an answer with this status.
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body of a refusal with this status: problem+json with every field that it must have.
    pub fn problem(&self, status: u16) -> Value {
        let problem = self.json(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["code"].is_u64() && problem["ref"].is_string(), "{problem}");
        for text in ["type", "title", "name", "detail", "retry"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{text} is a text: {problem}");
        }
        problem
    }
}
