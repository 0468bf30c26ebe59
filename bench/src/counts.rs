//! The server's own counters, read from its `/metrics` before and after.
//!
//! A counter is the sum over its labels; one that is not there counts 0. Nothing here knows what they mean.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// All series at one moment, by name with labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts(BTreeMap<String, f64>);

impl Counts {
    /// Reads them from the ops listener.
    pub fn read(ops: SocketAddr) -> Result<Self> {
        let (status, text) = get(ops, "/metrics")?;
        ensure!(status == 200, "/metrics answered {status}");
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        Self(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// The value of a family, over all of its labels.
    pub fn get(&self, name: &str) -> f64 {
        let ours = |series: &str| series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.0.iter().filter(|(series, _)| ours(series)).map(|(_, value)| value).sum()
    }

    /// How much a family has risen since `earlier`.
    pub fn rise(&self, earlier: &Self, name: &str) -> f64 {
        self.get(name) - earlier.get(name)
    }
}

/// A page of the ops listener: status and body.
pub fn get(ops: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(ops).context("the ops listener does not accept")?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {ops}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no HTTP answer")?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_the_sum_of_its_series() {
        let text = "# HELP a_total x\na_total{class=\"message\"} 5\na_total{class=\"other one\"} 2\na_total_more 9\nb 1.5\n";
        let counts = Counts::parse(text);
        assert!((counts.get("a_total") - 7.0).abs() < 1e-9);
        assert!((counts.get("b") - 1.5).abs() < 1e-9);
        assert!(counts.get("c").abs() < 1e-9);
        assert!((counts.rise(&Counts::parse("a_total{class=\"message\"} 4\n"), "a_total") - 3.0).abs() < 1e-9);
    }
}
