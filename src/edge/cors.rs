//! What pages of other origins may do (H5): a listed origin is named back to the browser, on every answer.
//!
//! The list is that of the socket (`edge.origins`). Only a listed origin is allowed credentials; with an empty list any
//! page may read, without them, since no cookie authenticates. A preflight is answered before anything else is asked.

use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::edge::http::bare;

/// What a page may read of an answer beyond its body.
const EXPOSED: &str = "retry-after, x-request-id, ratelimit, ratelimit-policy, location";
/// What a page may send.
const HEADERS: &str = "authorization, content-type, idempotency-key, range";
/// How a page may ask.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// For how long a browser may keep the answer to a preflight, in seconds.
const KEPT: &str = "600";

/// Where a request comes from, as far as the browser says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// No browser's page, or one of our own origin.
    None,
    /// An origin that is listed.
    Listed(HeaderValue),
    /// Any origin, because none is listed.
    Any,
    /// An origin that is not listed.
    Stranger,
}

impl Page {
    /// Of a request with these headers.
    pub fn of(origins: &[String], headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(header::ORIGIN).iter();
        match (sent.next(), sent.next()) {
            (None, _) => Self::None,
            (Some(_), _) if origins.is_empty() => Self::Any,
            (Some(origin), None) if origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()) => Self::Listed(origin.clone()),
            (Some(_), _) => Self::Stranger,
        }
    }

    /// Says on an answer what the page may read of it.
    pub fn mark(&self, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let origin = match self {
            Self::None | Self::Stranger => return,
            Self::Any => HeaderValue::from_static("*"),
            Self::Listed(origin) => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                origin.clone()
            }
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// Whether this asks what a page may do, before it does it.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight of a page that may go on.
pub fn preflight() -> Response {
    const SAID: [(HeaderName, &str); 4] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, KEPT),
        (header::VARY, "Access-Control-Request-Method, Access-Control-Request-Headers"),
    ];
    let mut response = bare(StatusCode::NO_CONTENT);
    response.headers_mut().extend(SAID.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origins: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).expect("a header"));
        }
        headers
    }

    #[test]
    fn only_exactly_a_listed_origin_is_named_back_and_given_credentials() {
        let listed = ["https://app.example.com".to_owned()];
        let marked = |origins: &[String], sent: &[&str]| {
            let mut answer = HeaderMap::new();
            Page::of(origins, &headers(sent)).mark(&mut answer);
            assert_eq!(answer[header::VARY], "Origin");
            let text = |name| answer.get(name).map(|value: &HeaderValue| value.to_str().expect("text").to_owned());
            (text(header::ACCESS_CONTROL_ALLOW_ORIGIN), text(header::ACCESS_CONTROL_ALLOW_CREDENTIALS))
        };
        assert_eq!(marked(&listed, &["https://app.example.com"]), (Some("https://app.example.com".into()), Some("true".into())));
        for stranger in ["null", "https://app.example.com.evil", "https://APP.example.com", "http://app.example.com", "*", ""] {
            assert_eq!(marked(&listed, &[stranger]), (None, None), "{stranger}");
        }
        assert_eq!(marked(&listed, &["https://app.example.com", "https://evil.example"]), (None, None));
        assert_eq!(marked(&listed, &[]), (None, None));
        assert_eq!(marked(&[], &["https://anything.example"]), (Some("*".into()), None), "any page may read, none brings credentials");
    }
}
