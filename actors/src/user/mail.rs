//! Everything that can reach a connected user's actor.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::command::Command;
use crate::rejected::Rejected;
use crate::session::{Reply, Session};

/// The mail.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A connection has authenticated.
    Attach(Arc<Session>, oneshot::Sender<Result<(), Rejected>>),
    /// A connection has gone; it is out of the directory already.
    Detach {
        /// Whether its login has ended, so that the user is not merely away.
        logged_out: bool,
    },
    /// A login has begun: the user counts as here for a while.
    LoggedIn,
    /// A login has ended, perhaps without a session.
    LoggedOut,
    /// Watchers were told, or the time was stored; or it was lost.
    Told,
    /// A command of one of the user's sessions.
    Command(Arc<Session>, Box<Command>, Reply),
    /// The grace after the last session is over.
    GraceOver(u32),
    /// Die, as by a bug; for tests.
    Die,
}
