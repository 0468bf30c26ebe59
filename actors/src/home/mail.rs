//! Everything that can reach a user's home.

use tokio::sync::oneshot;

use crate::content::ClientKey;
use crate::conversation::mail::Request;
use crate::entry::{Act, Digest, Entry};
use crate::id::{ConversationId, GroupId, Seq};
use crate::log::owner::LogMail;
use crate::rejected::Rejected;
use crate::store::StoreError;

/// Something for the user's log, under a key that makes a repetition harmless.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    /// What.
    pub act: Act,
    /// Under which key. Keys of notes begin with `+` or `-`, keys of creations with `=`, so they never meet.
    pub client_key: ClientKey,
}

impl Note {
    /// A conversation is about to become one of the user's; `tail` is where its log stands.
    pub(crate) fn appeared(conversation: ConversationId, tail: Seq) -> Self {
        Self { act: Act::Appeared { conversation }, client_key: key(&format!("+{conversation}@{}", tail.get())) }
    }

    /// The user's membership ended at `seq`.
    pub(crate) fn vanished(conversation: ConversationId, seq: Seq) -> Self {
        Self { act: Act::Vanished { conversation }, client_key: key(&format!("-{conversation}@{}", seq.get())) }
    }
}

/// The key under which a group's creation stands in its creator's log: made of the creator's own key.
pub(crate) fn creation_key(client_key: &ClientKey) -> ClientKey {
    key(&format!("={}", Digest::of_text(client_key.as_str())))
}

fn key(text: &str) -> ClientKey {
    ClientKey::new(text).expect("ids and digests are shorter than a key may be")
}

/// Who waits for a note to be durable.
pub(crate) type Noted = oneshot::Sender<Result<Seq, Rejected>>;

/// The mail.
#[derive(Debug)]
pub(crate) enum Mail {
    /// Append this, once.
    Note(Note, Option<Noted>),
    /// Create a group whose creator is this user: draws its number and remembers it under the creator's key.
    Create(Box<Request>),
    /// A group's number was drawn for the creation under this key.
    Drawn(ClientKey, Result<GroupId, StoreError>),
    /// The entry of an earlier creation under the same key was read.
    Found(Box<Request>, Result<Option<Entry>, StoreError>),
    /// The log's own business.
    Log(LogMail),
    /// The newest rows were read, oldest first, and those of a fenced batch, by the load of this number.
    Loaded(u64, Result<(Vec<Entry>, Vec<Entry>), StoreError>),
    /// More rows for the keys were read, up to this tail.
    KeysLoaded(Seq, Result<Vec<Entry>, StoreError>),
    /// From time to time.
    Tick,
    /// Settle what is in flight, then say so.
    Drain(oneshot::Sender<()>),
    /// Die, as by a bug; for tests.
    Die,
}
