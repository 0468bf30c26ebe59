//! The WebSocket handshake: subprotocol, origin, a place among the strangers, and the handover to the connection's task.
//!
//! Exactly one of the client's subprotocols is echoed, or browsers drop the connection; a `bearer.<token>` beside it is
//! a credential and never echoed (P4). A credential is not judged here: the socket says what became of it.

use actors::rejected::Rejected;
use actors::view::Secret;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use http::header::{self, HeaderValue};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::edge::connection::{Handover, Visitor};
use crate::edge::doors::Doors;
use crate::edge::http::bearer;
use crate::metrics::Refusal;
use crate::protocol::codec::{Encoding, SUBPROTOCOLS};
use crate::protocol::error::{Code, WireError};

const BEARER_PREFIX: &str = "bearer.";

/// Accepts the handshake, or says why not.
pub fn accept(doors: &Doors, mut request: Request) -> Result<Response, WireError> {
    let visitor = request.extensions().get::<Visitor>().cloned().ok_or(WireError::new(Code::Internal))?;
    if doors.is_shut() {
        doors.metrics.rejected(Refusal::Draining);
        return Err(WireError::from(&Rejected::Draining));
    }
    if !allowed(&doors.origins, request.headers()) {
        doors.metrics.rejected(Refusal::Origin);
        return Err(WireError::new(Code::OriginRefused));
    }
    let (encoding, token) = offered(request.headers());
    let encoding = encoding.ok_or_else(|| {
        let [json, msgpack] = SUBPROTOCOLS;
        WireError::with(Code::UnknownSubprotocol, format!("offer `{json}` or `{msgpack}` in Sec-WebSocket-Protocol"))
    })?;
    let mut response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => return Err(WireError::with(Code::Malformed, format!("no WebSocket handshake: {error}"))),
    };
    let stranger = doors.admission.greet(visitor.address).map_err(|refusal| {
        doors.metrics.rejected(refusal);
        WireError::from(&Rejected::TooFast { bucket: "unauthenticated_address", after: std::time::Duration::from_secs(10) })
    })?;
    let presented = bearer(request.headers()).map(str::to_owned).or(token).map(Secret);
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(encoding.subprotocol()));
    visitor.hand_over(Handover { upgrade: hyper::upgrade::on(&mut request), encoding, presented, stranger });
    Ok(response)
}

/// The first subprotocol that we speak, and a credential among those offered.
fn offered(headers: &HeaderMap) -> (Option<Encoding>, Option<String>) {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    let (mut encoding, mut token) = (None, None);
    for name in lines.flat_map(|line| line.split(',')).map(str::trim) {
        if let Some(text) = name.strip_prefix(BEARER_PREFIX) {
            token.get_or_insert_with(|| text.to_owned());
        } else if encoding.is_none() {
            encoding = Encoding::of_subprotocol(name);
        }
    }
    (encoding, token)
}

/// Exactly equal to a listed origin, or none sent, or no list (W1).
fn allowed(origins: &[String], headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = sent.next() else { return true };
    origins.is_empty() || (sent.next().is_none() && origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_str(value).expect("a header"));
        }
        headers
    }

    #[test]
    fn the_first_known_subprotocol_counts_and_a_token_beside_it_is_found() {
        let of = |values: &[&str]| offered(&headers(header::SEC_WEBSOCKET_PROTOCOL, values));
        assert_eq!(of(&["parlance.v1+json"]), (Some(Encoding::Json), None));
        assert_eq!(of(&["soap, parlance.v1+msgpack,parlance.v1+json"]), (Some(Encoding::MessagePack), None));
        assert_eq!(of(&["bearer.a.b-c_d, parlance.v1+json"]), (Some(Encoding::Json), Some("a.b-c_d".into())));
        assert_eq!(of(&["bearer.x", "parlance.v1+json"]), (Some(Encoding::Json), Some("x".into())));
        for none in [&[][..], &["soap"], &["parlance.v2+json"], &["PARLANCE.V1+JSON"], &["bearer.x"]] {
            assert_eq!(of(none).0, None, "{none:?}");
        }
    }

    #[test]
    fn an_origin_is_allowed_only_if_it_is_exactly_a_listed_one() {
        let listed = ["https://app.example.com".to_owned()];
        let of = |values: &[&str]| allowed(&listed, &headers(header::ORIGIN, values));
        assert!(of(&[]) && of(&["https://app.example.com"]));
        for wrong in [
            "null",
            "https://app.example.com.evil",
            "https://APP.example.com",
            "https://app.example.com:8443",
            "http://app.example.com",
            "https://evil.app.example.com",
            "",
            "https://app.example.com/",
        ] {
            assert!(!of(&[wrong]), "{wrong}");
        }
        assert!(!of(&["https://app.example.com", "https://evil.example"]));
        assert!(allowed(&[], &headers(header::ORIGIN, &["https://anything.example"])));
    }
}
