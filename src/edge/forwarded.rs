//! Whose address counts behind proxies (H4): what a header says is believed only where a configured proxy has written it.
//!
//! Each proxy appends the address that it was called from, so the list is read from its end: the first address that is
//! no proxy of ours is the client. Whatever stands before it the client may have made up.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::config::{Network, ProxyHeader};

/// The client's address. `peer` is who is connected.
pub fn client(proxies: &[Network], header: ProxyHeader, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.holds(address));
    if !is_proxy(peer) {
        return peer;
    }
    let mut nearest = peer;
    for hop in hops(header, headers).into_iter().rev() {
        match hop {
            Some(address) if is_proxy(address) => nearest = address,
            Some(address) => return address,
            None => return nearest, // somebody who is not named: the last one who is counts
        }
    }
    nearest
}

/// The addresses in the order in which they were written; `None` for one that is no address.
fn hops(header: ProxyHeader, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let name = match header {
        ProxyHeader::XForwardedFor => "x-forwarded-for",
        ProxyHeader::Forwarded => "forwarded",
    };
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default());
    let entries = lines.flat_map(|line| line.split(','));
    match header {
        ProxyHeader::XForwardedFor => entries.map(address).collect(),
        ProxyHeader::Forwarded => entries.map(node).collect(),
    }
}

/// The `for=` of an element of `Forwarded` (RFC 7239).
fn node(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    address(value.trim_matches('"'))
}

/// An address, with or without a port; IPv6 with a port stands in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(header: ProxyHeader, peer: &str, lines: &[&str]) -> String {
        let proxies: Vec<Network> = ["10.0.0.0/8", "fd00::/8"].iter().map(|text| text.parse().expect("a block")).collect();
        let name = if header == ProxyHeader::Forwarded { "forwarded" } else { "x-forwarded-for" };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().expect("a header"));
        }
        client(&proxies, header, peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_client() {
        let of = |peer, lines: &[&str]| found(ProxyHeader::XForwardedFor, peer, lines);
        let table: &[(&str, &[&str], &str)] = &[
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"), // no proxy: the header is made up
            ("10.0.0.1", &[], "10.0.0.1"),                // a proxy that says nothing
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9"), // what stands before it is made up
            ("10.0.0.1", &["198.51.100.1", "203.0.113.9, 10.2.3.4"], "203.0.113.9"), // two lines, two proxies
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"), // not named: the proxy counts
            ("10.0.0.1", &["203.0.113.9, unknown, 10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &["10.2.3.4, 10.5.6.7"], "10.2.3.4"), // proxies alone
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("fd00::1", &["[2001:db8::9]:4711"], "2001:db8::9"),
            ("fd00::1", &["2001:db8::9"], "2001:db8::9"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ];
        for (peer, lines, expected) in table {
            assert_eq!(of(peer, lines), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_where_it_is_configured() {
        let of = |lines: &[&str]| found(ProxyHeader::Forwarded, "10.0.0.1", lines);
        assert_eq!(of(&["for=198.51.100.1, For=\"[2001:db8::9]:4711\";proto=https, for=10.2.3.4"]), "2001:db8::9");
        assert_eq!(of(&["proto=https;for=203.0.113.9;by=10.0.0.1"]), "203.0.113.9");
        assert_eq!(of(&["for=_hidden"]), "10.0.0.1");
        assert_eq!(found(ProxyHeader::XForwardedFor, "10.0.0.1", &[]), "10.0.0.1");
    }
}
