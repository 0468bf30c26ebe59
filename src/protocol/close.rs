//! Why the server ends a connection, as a WebSocket close code whose range says what the client should do (P41).
//!
//! 4000–4199: connect again with back-off and `sync`. 4200–4399: do something first. 4400–4599: stop. An unknown code
//! is safe: its range decides.

use std::time::Duration;

use actors::outbound::CloseReason;

/// The WebSocket's own code for a frame above `frame_bytes`; the peer cannot be read any further.
pub const FRAME_TOO_LARGE: (u16, &str) = (1009, "frame too large");

/// The close code, and the reason's text: short enough for a close frame.
pub fn close_code(reason: &CloseReason) -> (u16, &'static str) {
    match reason {
        CloseReason::Drain { .. } => (4000, "drain"),
        CloseReason::Heartbeat => (4010, "heartbeat"),
        CloseReason::Slow => (4011, "slow"),
        CloseReason::Overloaded => (4013, "overloaded"),
        CloseReason::Internal => (4014, "internal"),
        CloseReason::TokenExpired => (4200, "token expired"),
        CloseReason::RateLimited => (4202, "rate limited"),
        CloseReason::AuthTimeout => (4203, "authentication time-out"),
        CloseReason::BadFrame => (4204, "bad frame"),
        CloseReason::InvalidToken => (4400, "invalid token"),
        CloseReason::Revoked => (4401, "revoked"),
        CloseReason::Disabled => (4402, "disabled"),
        CloseReason::TooManySessions => (4404, "too many sessions"),
    }
}

/// When the client is to come back, if the server has an opinion.
pub fn after(reason: &CloseReason) -> Option<Duration> {
    match reason {
        CloseReason::Drain { after } => Some(*after),
        CloseReason::Heartbeat
        | CloseReason::Slow
        | CloseReason::Overloaded
        | CloseReason::Internal
        | CloseReason::TokenExpired
        | CloseReason::RateLimited
        | CloseReason::AuthTimeout
        | CloseReason::BadFrame
        | CloseReason::InvalidToken
        | CloseReason::Revoked
        | CloseReason::Disabled
        | CloseReason::TooManySessions => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_a_close_frame_and_a_code_lies_in_a_range() {
        let reasons = [
            CloseReason::Drain { after: Duration::ZERO },
            CloseReason::Heartbeat,
            CloseReason::Slow,
            CloseReason::Overloaded,
            CloseReason::Internal,
            CloseReason::TokenExpired,
            CloseReason::RateLimited,
            CloseReason::AuthTimeout,
            CloseReason::BadFrame,
            CloseReason::InvalidToken,
            CloseReason::Revoked,
            CloseReason::Disabled,
            CloseReason::TooManySessions,
        ];
        let mut codes: Vec<_> = reasons.iter().map(|reason| close_code(reason).0).collect();
        assert!(reasons.iter().all(|reason| close_code(reason).1.len() <= 123));
        assert!(codes.iter().all(|code| (4000..4600).contains(code) && *code != 4001));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), reasons.len(), "two reasons share a code");
    }
}
