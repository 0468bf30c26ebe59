//! Everything that can reach a conversation's actor.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::bits::Bits;
use crate::cards::Card;
use crate::command::Command;
use crate::entry::Entry;
use crate::id::{Bucket, Pos, Seq, SessionId, UserId};
use crate::log::owner::LogMail;
use crate::rejected::Rejected;
use crate::session::Reply;
use crate::store::{Marks, StoreError};
use crate::time::Timestamp;

use super::errand::Done;
use super::marks::Flushed;
use super::state::Members;

/// A command on its way to the conversation that it is about.
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub user: UserId,
    /// By which session; none for the server's own commands.
    pub origin: Option<SessionId>,
    /// What.
    pub command: Command,
    /// When it arrived.
    pub arrived: Timestamp,
    /// Its place in the mailbox's budget.
    pub permit: Option<OwnedSemaphorePermit>,
    /// The way back.
    pub reply: Reply,
}

/// What depends on the head, read from the store.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Who takes part.
    pub members: Members,
    /// Deleted positions of the newest spans.
    pub gone: Vec<(Bucket, Bits)>,
    /// The cards of the two of a direct conversation.
    pub cards: Vec<(UserId, Arc<Card>)>,
    /// The newest rows, oldest first.
    pub recent: Vec<Entry>,
    /// The rows at the seqs of a fenced batch.
    pub fate: Vec<Entry>,
}

/// The mail.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A command.
    Request(Box<Request>),
    /// The log's own business.
    Log(LogMail),
    /// What depends on the head was read, by the load of this number.
    Loaded(u64, Result<Box<Loaded>, StoreError>),
    /// More rows for the client keys were read, up to this tail.
    KeysLoaded(Seq, Result<Vec<Entry>, StoreError>),
    /// What a request needed was done or read, or may not be.
    Prepared(Result<Done, Rejected>),
    /// The position at a mark's seq was read.
    Positioned(Box<Request>, Result<Pos, StoreError>),
    /// It is time to store the marks that were gathered.
    FlushMarks,
    /// Marks were stored; with each, whether others may see it.
    Raised(Flushed, Result<Vec<(Marks, bool)>, StoreError>),
    /// It is time to tell a large group of the changes of its members.
    TellMembers,
    /// From time to time: sleep if there is nothing to do, give up what waits too long.
    Tick,
    /// Settle what is in flight, then say so.
    Drain(oneshot::Sender<()>),
    /// Die, as by a bug; for tests.
    Die,
}
