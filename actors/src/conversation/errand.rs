//! What must be read or done outside before a request can be stored: accounts and bonds, notes to those whom it concerns,
//! the message that it changes. One errand is run at a time, and nothing else is judged meanwhile.
//!
//! An errand changes nothing that is not harmless when its entry never comes (design D11).

use std::sync::Arc;

use crate::account::{Account, Picture};
use crate::answer::standing;
use crate::bits::Bits;
use crate::cards::Card;
use crate::content::{Content, Forwarded};
use crate::entry::{Act, Amendment, Entry, Notice};
use crate::files;
use crate::home::mail::Note;
use crate::id::{ConversationId, DirectNumber, GroupId, LogId, Pair, Seq, UserId};
use crate::limits::Limit;
use crate::log::scribe::within;
use crate::media::{Attachment, MediaId};
use crate::node::Node;
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;
use crate::relation::Bond;
use crate::store::{Sequence, StoreError, Versioned};
use crate::time::Timestamp;
use crate::view::Appended;

use super::actor::RETRY_AFTER;
use super::amend::Target;
use super::gone::place_of;
use super::load::{introduce, tell_home};
use super::relate::{Related, Wish};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Ready what goes with a message.
    Post(Post),
    /// Read a message of this or another conversation, for who forwards it, and ready what goes with it.
    Forward(ConversationId, Seq, Post),
    /// Make users members whom this user adds: they must exist, allow it, and know of it.
    Add(UserId, Vec<UserId>),
    /// Let this user know of the conversation, who becomes a member by himself.
    Join(UserId),
    /// Tell users that this user invites them until then.
    Invite(UserId, Vec<UserId>, Timestamp),
    /// Read a message for this user, who wants to change it; with its edits if it is to be deleted.
    Read(UserId, Seq, bool),
    /// Read a message for this user, who wants to react to it and so must see it.
    React(UserId, Seq),
    /// Look up the file that this user wants to be the group's picture.
    Picture(UserId, MediaId),
    /// Read the entry that made the one who asks a member.
    Find(Seq),
    /// Read what these two are to each other.
    Bond(Pair),
    /// Change what the two of a direct conversation are to each other.
    Relate(Wish),
}

/// What goes with a message.
#[derive(Debug)]
pub(crate) struct Post {
    /// Who writes.
    pub author: UserId,
    /// Whether the two are to be told of their conversation first, which then has its first entry.
    pub introduce: bool,
    /// Whether its integer form is to be drawn.
    pub number: bool,
    /// Whether the author's card is to be read.
    pub card: bool,
    /// The files that it names.
    pub media: Vec<MediaId>,
    /// The message that it answers, which must be there for its author.
    pub answers: Option<Seq>,
}

impl Post {
    /// A message of this user that needs nothing.
    pub(crate) fn of(author: UserId) -> Self {
        Self { author, introduce: false, number: false, card: false, media: vec![], answers: None }
    }
}

/// What was done or read.
#[derive(Debug)]
pub(crate) enum Done {
    /// The message may be stored.
    Post(Ready),
    /// The forwarded message, as its forwarder may read it.
    Forward(Box<Source>, Ready),
    /// Those whom it concerns exist, allow it, and know of it.
    Known,
    /// The message that is to be changed.
    Read(Box<Target>),
    /// The picture.
    Picture(Picture),
    /// The entry stands here.
    Found(Appended),
    /// What the two are to each other, as it is stored.
    Bond(Versioned<Bond>),
    /// What the two are to each other now.
    Related(Box<Related>),
}

/// What was readied for a message.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// The integer form of the conversation.
    pub number: Option<DirectNumber>,
    /// The author's card.
    pub card: Option<Arc<Card>>,
    /// The files that go with it.
    pub attachments: Vec<Attachment>,
}

/// A message that is to be forwarded.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it comes from: what a repetition is known by, also when the message is gone by now.
    pub forwarded: Forwarded,
    /// What it says, or why that may not be forwarded.
    pub content: Result<Content, Rejected>,
}

/// Runs an errand for a conversation whose log ends at `tail`.
pub(super) async fn run(node: &Node, id: ConversationId, tail: Seq, errand: Errand) -> Result<Done, Rejected> {
    match errand {
        Errand::Post(post) => Ok(Done::Post(ready(node, id, tail, &post).await?)),
        Errand::Forward(from, seq, post) => {
            let source = source(node, post.author, from, seq).await?;
            let ready = if source.content.is_ok() { ready(node, id, tail, &post).await? } else { Ready::default() };
            Ok(Done::Forward(Box::new(source), ready))
        }
        Errand::Add(by, users) => {
            let accounts = active(node, &users).await?;
            welcome(node, by, &accounts, Deed::AddToGroup).await?;
            introduce(node, id, tail, users).await?;
            Ok(Done::Known)
        }
        Errand::Join(user) => {
            introduce(node, id, tail, vec![user]).await?;
            Ok(Done::Known)
        }
        Errand::Invite(by, users, expires_at) => {
            let ConversationId::Group(group) = id else { return Err(Rejected::NotAGroup) };
            let accounts = active(node, &users).await?;
            welcome(node, by, &accounts, Deed::InviteToGroup).await?;
            invite(node, group, tail, Notice::GroupInvitation { from: by, group, expires_at }, users).await?;
            Ok(Done::Known)
        }
        Errand::Read(user, seq, whole) => Ok(Done::Read(Box::new(read(node, id, user, seq, whole).await?))),
        Errand::React(user, seq) => {
            visible(node, id, user, seq).await?;
            Ok(Done::Read(Box::new(read(node, id, user, seq, false).await?)))
        }
        Errand::Picture(user, file) => Ok(Done::Picture(files::picture(node, user, file).await?)),
        Errand::Find(seq) => {
            let entry = entry(node, id, seq).await?.ok_or(Rejected::Internal)?;
            Ok(Done::Found(Appended { conversation: id, seq, pos: entry.pos, id: entry.id, at: entry.at, duplicate: true }))
        }
        Errand::Bond(pair) => Ok(Done::Bond(ask(node, node.world().store.bond(pair)).await?)),
        Errand::Relate(wish) => Ok(Done::Related(Box::new(super::relate::settle(node, wish).await?))),
    }
}

/// The answer of a store call within its deadline; *unavailable* where there is none.
async fn ask<T>(node: &Node, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, Rejected> {
    let answer = within(node.world().limits.time(Limit::StoreDeadline), call).await;
    answer.map_err(|error| {
        tracing::warn!(%error, "a request could not be readied");
        Rejected::Unavailable { after: RETRY_AFTER }
    })
}

async fn ready(node: &Node, id: ConversationId, tail: Seq, post: &Post) -> Result<Ready, Rejected> {
    let mut ready = Ready::default();
    if let Some(seq) = post.answers {
        visible(node, id, post.author, seq).await?;
        if amendment(node, id, seq).await?.deleted.is_some() {
            return Err(Rejected::MessageDeleted { seq });
        }
    }
    if !post.media.is_empty() {
        ready.attachments = files::attachments(node, post.author, &post.media).await?;
    }
    if post.number {
        let number = ask(node, node.numbers().take(Sequence::Directs, 0)).await?;
        ready.number = Some(DirectNumber::new(number).map_err(|error| {
            tracing::error!(%error, "the sequence of direct conversations is exhausted");
            Rejected::Internal
        })?);
    }
    if post.introduce
        && let ConversationId::Direct(pair) = id
    {
        introduce(node, id, tail, vec![pair.low(), pair.high()]).await?;
    }
    if post.card {
        // A message need not wait for its author's name: without it, doors show the number.
        ready.card = ask(node, node.cards().of(&*node.world().store, &[post.author])).await.ok().and_then(|mut cards| cards.pop());
    }
    Ok(ready)
}

/// The accounts of these users, which must all be in use.
async fn active(node: &Node, users: &[UserId]) -> Result<Vec<Account>, Rejected> {
    let accounts = ask(node, node.world().store.accounts(users)).await?;
    let active: Option<Vec<_>> = accounts.into_iter().map(|account| account.filter(Account::is_active)).collect();
    active.ok_or(Rejected::NoSuchUser)
}

/// Whether each of these users allows it.
async fn welcome(node: &Node, by: UserId, accounts: &[Account], deed: Deed) -> Result<(), Rejected> {
    let others: Vec<_> = accounts.iter().filter(|account| account.id != by).collect();
    let numbers: Vec<_> = others.iter().map(|account| account.id).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let bonds = ask(node, node.world().store.bonds_with(by, &numbers)).await?;
    for (account, bond) in others.iter().zip(&bonds) {
        policy::may(by, deed, On::Person { bond, privacy: &account.privacy, acquainted: false })?;
    }
    Ok(())
}

/// Puts the notice into each one's own log, before the entry that makes it true.
async fn invite(node: &Node, group: GroupId, tail: Seq, notice: Notice, users: Vec<UserId>) -> Result<(), Rejected> {
    tracing::debug!(group = group.get(), users = users.len(), "inviting");
    let notes = users.into_iter().map(|user| (user, Note::noticed(notice, tail.get()))).collect();
    tell_home(node, notes).await
}

async fn entry(node: &Node, id: ConversationId, seq: Seq) -> Result<Option<Entry>, Rejected> {
    let mut entries = ask(node, node.world().store.range(LogId::Conversation(id), seq, seq, 1, false)).await?;
    Ok(entries.pop())
}

async fn amendment(node: &Node, id: ConversationId, seq: Seq) -> Result<Amendment, Rejected> {
    let mut rows = ask(node, node.world().store.amendments(id, seq, seq, 1)).await?;
    Ok(rows.pop().map(|(_, amendment)| amendment).unwrap_or_default())
}

/// Whether an entry is there for this user, who has neither cleared nor hidden it.
async fn visible(node: &Node, id: ConversationId, user: UserId, seq: Seq) -> Result<(), Rejected> {
    let store = &node.world().store;
    let preferences = ask(node, store.preferences(user, &[id])).await?.pop().unwrap_or_default();
    let is_cleared = seq <= preferences.cleared.0;
    if is_cleared || is_hidden(node, user, id, seq).await? { Err(Rejected::NoSuchEntry { seq }) } else { Ok(()) }
}

async fn is_hidden(node: &Node, user: UserId, id: ConversationId, seq: Seq) -> Result<bool, Rejected> {
    let hidden = ask(node, node.world().store.hidden(user, id, seq.bucket(), seq.bucket())).await?;
    Ok(hidden.iter().any(|(_, bits)| bits.has(seq.offset())))
}

async fn read(node: &Node, id: ConversationId, user: UserId, seq: Seq, whole: bool) -> Result<Target, Rejected> {
    let store = &node.world().store;
    let message = entry(node, id, seq).await?.ok_or(Rejected::NoSuchEntry { seq })?;
    let amendment = amendment(node, id, seq).await?;
    let own = ask(node, store.reactions_of(id, user, &[seq])).await?.pop().unwrap_or_default();
    let (span, _) = place_of(message.pos);
    let (mut gone, mut edits) = (Bits::default(), Vec::new());
    if whole {
        gone = ask(node, store.gone(id, span, span)).await?.pop().map(|(_, bits)| bits).unwrap_or_default();
        for seq in &amendment.edits {
            edits.extend(entry(node, id, *seq).await?.map(Arc::new));
        }
    }
    Ok(Target { entry: Arc::new(message), amendment, own, gone, edits })
}

/// A message of a conversation that the forwarder may read, as it says now.
async fn source(node: &Node, user: UserId, from: ConversationId, seq: Seq) -> Result<Source, Rejected> {
    let message = entry(node, from, seq).await?;
    let standing = standing::of(node, user, from).await;
    let absent = || Rejected::NoSuchEntry { seq };
    let Some(message) = message else {
        // Who may not read there learns nothing else.
        return Err(standing.map_or_else(|rejected| rejected, |_| absent()));
    };
    let first = if let Act::Message(content) = &message.act { content.forwarded } else { None };
    let author = first.map_or(message.author, |first| first.author);
    let forwarded = Forwarded { author, id: message.id };
    let content = match standing {
        Err(rejected) => Err(rejected),
        Ok(standing) if !standing.shows(seq) => Err(absent()),
        Ok(_) => {
            if is_hidden(node, user, from, seq).await? {
                Err(absent())
            } else {
                let amendment = amendment(node, from, seq).await?;
                let target = Target { entry: Arc::new(message), amendment, own: vec![], gone: Bits::default(), edits: vec![] };
                target.content().map(|content| repeated(content, forwarded))
            }
        }
    };
    Ok(Source { forwarded, content })
}

/// A content as it is said again elsewhere: whom it names and what it answers belong to where it came from.
fn repeated(content: &Content, forwarded: Forwarded) -> Content {
    Content { reply_to: None, mentions: vec![], forwarded: Some(forwarded), ..content.clone() }
}

/// What a forwarding is compared by.
pub(super) fn forwarding(forwarded: Forwarded) -> Act {
    Act::Message(Content { forwarded: Some(forwarded), ..Content::default() })
}
