//! Everything that can reach a user's home.

use tokio::sync::oneshot;

use crate::content::ClientKey;
use crate::conversation::mail::Request;
use crate::entry::{Act, Digest, Entry, Notice, Topic};
use crate::id::{ConversationId, GroupId, LoginId, Seq, UserId};
use crate::log::owner::LogMail;
use crate::rejected::Rejected;
use crate::store::StoreError;

use super::notices::Notices;
use super::settings::Facts;

/// Something for the user's log, under a key that makes a repetition harmless.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    /// What.
    pub what: What,
    /// Under which key. The first sign of a key says what kind of note it is of, so that keys of two kinds never meet.
    pub client_key: ClientKey,
}

/// What a note brings into the log.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// This.
    Act(Act),
    /// That the notice about this means nothing any more; nothing at all if none stands.
    Withdrawal(Topic),
}

impl Note {
    /// Whether it is judged by what stands, so that nothing may be on its way.
    pub(crate) fn needs_quiet(&self) -> bool {
        matches!(self.what, What::Withdrawal(_) | What::Act(Act::Noticed(_)))
    }

    /// A conversation is about to become one of the user's; `tail` is where its log stands.
    pub(crate) fn appeared(conversation: ConversationId, tail: Seq) -> Self {
        Self { what: What::Act(Act::Appeared { conversation }), client_key: key(&format!("+{conversation}@{}", tail.get())) }
    }

    /// The user's membership ended at `seq`.
    pub(crate) fn vanished(conversation: ConversationId, seq: Seq) -> Self {
        Self { what: What::Act(Act::Vanished { conversation }), client_key: key(&format!("-{conversation}@{}", seq.get())) }
    }

    /// The user is to know of something. `cause` names the change that it comes from: the version of the bond that it
    /// left, or its seq in the group's log. An older notice about the same is withdrawn with it.
    pub(crate) fn noticed(notice: Notice, cause: u64) -> Self {
        Self { what: What::Act(Act::Noticed(notice)), client_key: key(&format!("!{}@{cause}", name(notice.topic()))) }
    }

    /// What a notice was about is settled; `cause` as for [`Note::noticed`].
    pub(crate) fn withdrawn(topic: Topic, cause: u64) -> Self {
        Self { what: What::Withdrawal(topic), client_key: key(&format!("~{}@{cause}", name(topic))) }
    }

    /// The bond with another user stands at this version now.
    pub(crate) fn related(peer: UserId, version: u64) -> Self {
        Self { what: What::Act(Act::Related { peer }), client_key: key(&format!("&{}@{version}", peer.get())) }
    }

    /// The account stands at this version now, or (with the number of a login) a login has begun or ended.
    pub(crate) fn account_changed(version: u64, login: Option<LoginId>) -> Self {
        let login = login.map(|login| format!(".{login}")).unwrap_or_default();
        Self { what: What::Act(Act::AccountChanged), client_key: key(&format!("#{version}{login}")) }
    }
}

fn name(topic: Topic) -> String {
    match topic {
        Topic::FriendRequest { from } => format!("f{}", from.get()),
        Topic::GroupInvitation { group } => format!("g{}", group.get()),
    }
}

/// The key under which a wish of the user stands in his log: made of the user's own key.
pub(crate) fn wish_key(client_key: &ClientKey) -> ClientKey {
    key(&format!("*{}", Digest::of_text(client_key.as_str())))
}

/// The key under which a notice makes way for another one.
pub(crate) fn way_key(notice: Seq) -> ClientKey {
    key(&format!("/{}", notice.get()))
}

/// The key under which it stands that the notices up to here were read.
pub(crate) fn read_key(up_to: Seq) -> ClientKey {
    key(&format!("^{}", up_to.get()))
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
    /// Have a conversation otherwise.
    Set(Box<Request>),
    /// What a setting is judged by was read; no request if it was lost.
    Weighed(Option<Box<Request>>, Result<Facts, Rejected>),
    /// Take notices for read.
    ReadNotices(Box<Request>),
    /// The notices that stand were read.
    NoticesLoaded(Result<Notices, StoreError>),
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
