//! How a socket ends: why, with which close code, and the last words.

use std::io::{self, Read};
use std::task::{Context, Poll};
use std::time::Duration;

use actors::outbound::CloseReason;
use actors::rejected::Rejected;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocket};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

use crate::edge::frame::{self, Payload};
use crate::edge::wire::Wire;
use crate::protocol::close::{FRAME_TOO_LARGE, close_code};
use crate::protocol::codec::Encoding;
use crate::protocol::socket::render_bye;

/// How long the client has to take the last words and to answer them.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The client closed it, with this code.
    Client(u16),
    /// It broke off without a close frame.
    Gone,
    /// The server ends it, and says why.
    Server(CloseReason),
    /// The server ends it at once: the client takes nothing.
    Aborted(CloseReason),
    /// A frame above the limit; nothing behind it can be read.
    TooLarge,
    /// The client breaks the WebSocket protocol, with this code.
    Violation(u16),
}

impl Ending {
    /// The close code, for the metric and the log.
    pub fn code(&self) -> u16 {
        match self {
            Self::Client(code) | Self::Violation(code) => *code,
            Self::Gone => 1006,
            Self::Server(reason) | Self::Aborted(reason) => close_code(reason).0,
            Self::TooLarge => FRAME_TOO_LARGE.0,
        }
    }

    fn last_words(&self) -> Option<(u16, &'static str)> {
        match self {
            Self::Client(_) | Self::Gone | Self::Aborted(_) => None,
            Self::Server(reason) => Some(close_code(reason)),
            Self::TooLarge => Some(FRAME_TOO_LARGE),
            Self::Violation(code) => Some((*code, "protocol violation")),
        }
    }

    /// What an error of the WebSocket means; `None` if it only has nothing to read yet.
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Error::Capacity(_) => Some(Self::TooLarge),
            Error::Utf8(_) => Some(Self::Violation(1007)),
            Error::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => Some(Self::Gone),
            Error::Protocol(_) => Some(Self::Violation(1002)),
            _ => Some(Self::Gone),
        }
    }

    /// What a failed write means.
    pub fn broken(error: io::Error) -> Self {
        tracing::trace!(%error, "a connection broke off");
        Self::Gone
    }

    /// How a refused credential ends a socket; `None` if trying again may help.
    pub fn of_credential(rejected: &Rejected) -> Option<CloseReason> {
        match rejected {
            Rejected::InvalidCredential | Rejected::NoSuchUser => Some(CloseReason::InvalidToken),
            Rejected::ExpiredCredential => Some(CloseReason::TokenExpired),
            Rejected::AccountDisabled => Some(CloseReason::Disabled),
            Rejected::TooFast { bucket: "sessions", .. } => Some(CloseReason::TooManySessions),
            Rejected::Draining => Some(CloseReason::Drain { after: Duration::ZERO }),
            Rejected::Internal => Some(CloseReason::Internal),
            Rejected::Field { .. }
            | Rejected::EmptyMessage
            | Rejected::BodyTooLarge { .. }
            | Rejected::TooManyItems { .. }
            | Rejected::WrongPassword
            | Rejected::InvalidRefresh
            | Rejected::InvalidAccount { .. }
            | Rejected::Taken { .. }
            | Rejected::NoSuchConversation
            | Rejected::NoSuchEntry { .. }
            | Rejected::NotAMessage { .. }
            | Rejected::MessageDeleted { .. }
            | Rejected::NotTheAuthor
            | Rejected::MessageFull { .. }
            | Rejected::NoSuchMedia
            | Rejected::Blocked { .. }
            | Rejected::AlreadyFriends
            | Rejected::AlreadyRequested { .. }
            | Rejected::RelationExists
            | Rejected::NoSuchRequest
            | Rejected::NotFriends
            | Rejected::TooManyRelations { .. }
            | Rejected::InvitationNeeded
            | Rejected::NoSuchLogin
            | Rejected::RoleTooLow
            | Rejected::OwnerCannotLeave
            | Rejected::NotAGroup
            | Rejected::GroupFull { .. }
            | Rejected::KeyReused { .. }
            | Rejected::AheadOfLog { .. }
            | Rejected::TooFast { .. }
            | Rejected::Busy { .. }
            | Rejected::Unavailable { .. }
            | Rejected::Unknown
            | Rejected::Frozen => None,
        }
    }
}

/// The kind of frame that carries this encoding.
pub fn payload(encoding: Encoding) -> Payload {
    if encoding.is_text() { Payload::Text } else { Payload::Binary }
}

/// Says the last words and waits, a little, for the client to take them.
pub async fn part<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocket<Wire<S>>, encoding: Encoding, ending: Ending) {
    if let Ending::Server(reason) = &ending {
        let bye = frame::whole(payload(encoding), &render_bye(encoding, reason));
        if socket.get_mut().send(&bye).is_err() {
            return;
        }
    }
    let Some((code, reason)) = ending.last_words() else { return };
    let close = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(reason) };
    if socket.close(Some(close)).is_err_and(|error| Ending::of(&error).is_some()) {
        return;
    }
    let mut is_shut = false;
    let parted = std::future::poll_fn(|context| poll_parted(socket.get_mut(), &mut is_shut, context));
    if tokio::time::timeout(LAST_WORDS, parted).await.is_err() {
        tracing::trace!("the client did not leave in time");
    }
}

/// Ready when the last words are out and the client has gone. Its bytes are thrown away, so that the close frame is
/// not lost to a reset. NOTE: the WebSocket itself is not read any more: after a frame that is too large it must not
/// be, and what the client still says is too late in any case.
fn poll_parted<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>, is_shut: &mut bool, context: &mut Context<'_>) -> Poll<()> {
    wire.arm(context.waker());
    match wire.flush_kept() {
        Ok(true) => {}
        Ok(false) => return Poll::Pending,
        Err(_) => return Poll::Ready(()),
    }
    if !*is_shut {
        match wire.poll_shutdown() {
            Ok(done) => *is_shut = done,
            Err(_) => return Poll::Ready(()),
        }
    }
    let mut bytes = [0; 512];
    loop {
        match wire.read(&mut bytes) {
            Ok(0) => return Poll::Ready(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(_) => return Poll::Ready(()),
        }
    }
}
