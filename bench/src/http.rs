//! A blocking HTTP client of one kept connection: one request at a time, so that a time taken here is one answer's.
//!
//! It reads what the server's REST answers look like, a `content-length` and a body, and nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Http {
    /// Connects.
    pub fn open(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host).context("the server does not accept")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream), host })
    }

    /// Reads a resource; the body of the answer. Any status but 200 is an error.
    pub fn get(&mut self, path: &str, token: &str) -> Result<Vec<u8>> {
        self.ask("GET", path, token, "", 200)
    }

    /// Posts JSON; any status but 201 is an error.
    pub fn post(&mut self, path: &str, token: &str, body: &str) -> Result<Vec<u8>> {
        self.ask("POST", path, token, body, 201)
    }

    fn ask(&mut self, verb: &str, path: &str, token: &str, body: &str, wanted: u16) -> Result<Vec<u8>> {
        let host = self.host;
        let content =
            if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
        let request = format!("{verb} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{content}\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (status, length) = self.head()?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        ensure!(status == wanted, "{verb} {path} was answered {status}: {}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }

    fn head(&mut self) -> Result<(u16, usize)> {
        let (mut status, mut length, mut line) = (None, None, String::new());
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the server has closed the connection");
            let text = line.trim_end();
            if text.is_empty() {
                return status.zip(length).context("an answer without status or length");
            }
            if status.is_none() {
                status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
            } else if let Some((name, value)) = text.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn answers_on_one_connection_are_told_apart_and_a_refusal_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let serving = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client comes");
            let (mut requests, mut heads) = (BufReader::new(stream), Vec::new());
            for answer in ["200 OK\r\ncontent-length: 2\r\n\r\nhi", "429 Too Many\r\nContent-Length: 4\r\n\r\nslow"] {
                let mut line = String::new();
                requests.read_line(&mut line).expect("a request");
                heads.push(line.trim_end().to_owned());
                while line.trim_end() != "" {
                    line.clear();
                    requests.read_line(&mut line).expect("a head");
                }
                write!(requests.get_mut(), "HTTP/1.1 {answer}").expect("the client reads");
            }
            heads
        });
        let mut http = Http::open(address).expect("connects");
        assert_eq!(http.get("/a", "t").expect("answered"), b"hi");
        let refused = http.get("/b", "t").expect_err("refused").to_string();
        assert!(refused.contains("429") && refused.contains("slow"), "{refused}");
        assert_eq!(serving.join().expect("the server played its part"), ["GET /a HTTP/1.1", "GET /b HTTP/1.1"]);
    }
}
