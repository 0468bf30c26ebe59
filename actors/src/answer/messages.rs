//! One message, and who has read it or reacts to it. What a viewer may not read answers as if it were not there (Z2).

use crate::bits::Bits;
use crate::command::Cursor;
use crate::conversation::amend::Target;
use crate::entry::{Entry, Invitation};
use crate::id::{ConversationId, LogId, MessageId, Pair, Seq, UserId};
use crate::media::MediaId;
use crate::node::Node;
use crate::policy::Deed;
use crate::rejected::Rejected;
use crate::relation;
use crate::store::Mark;
use crate::view::View;

use super::{page_size, shown, standing, unavailable};

/// The message with this number.
pub(super) async fn by_number(node: &Node, viewer: UserId, id: MessageId) -> Result<View, Rejected> {
    let absent = || Rejected::NoSuchEntry { seq: Seq::ZERO };
    let store = &node.world().store;
    let place = store.bucket_of(id.segment()).await.map_err(unavailable)?;
    let Some((LogId::Conversation(conversation), bucket)) = place else { return Err(absent()) };
    let seq = id.seq_in(bucket);
    let standing = match standing::of(node, viewer, conversation).await {
        Ok(standing) if standing.shows(seq) => standing,
        Ok(_) | Err(Rejected::NoSuchConversation) => return Err(absent()),
        Err(rejected) => return Err(rejected),
    };
    // A segment may be bound to a bucket that drew another one in the end (N3).
    let entry = read(node, conversation, seq).await?.filter(|entry| entry.id == id && entry.act.is_message()).ok_or_else(absent)?;
    let shown = shown::overlaid(node, viewer, conversation, standing.floor, vec![entry]).await?.pop().ok_or_else(absent)?;
    let tail = Cursor { incarnation: standing.head.incarnation, seq: standing.readable };
    Ok(View::Message(conversation, tail, shown))
}

/// A file of a message, counted from 0, for whoever may read the message now: up to his removal, above what he has
/// cleared, and neither deleted nor hidden.
pub(crate) async fn attachment(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    seq: Seq,
    nth: usize,
) -> Result<MediaId, Rejected> {
    let absent = || Rejected::NoSuchEntry { seq };
    let standing = standing::of(node, viewer, conversation).await?;
    if !standing.shows(seq) {
        return Err(absent());
    }
    let entry = read(node, conversation, seq).await?.ok_or_else(absent)?;
    let shown = shown::overlaid(node, viewer, conversation, standing.floor, vec![entry])
        .await?
        .pop()
        .filter(|shown| !shown.hidden)
        .ok_or_else(absent)?;
    let target = Target {
        entry: shown.entry,
        amendment: shown.amendment.map(|amendment| *amendment).unwrap_or_default(),
        own: vec![],
        gone: Bits::default(),
        edits: vec![],
    };
    target.content()?.attachments.get(nth).map(|file| file.id).ok_or(Rejected::NoSuchMedia)
}

async fn read(node: &Node, conversation: ConversationId, seq: Seq) -> Result<Option<Entry>, Rejected> {
    let log = LogId::Conversation(conversation);
    Ok(node.world().store.range(log, seq, seq, 1, false).await.map_err(unavailable)?.pop())
}

/// A message that the viewer may read and that is not deleted.
async fn message(node: &Node, viewer: UserId, conversation: ConversationId, seq: Seq) -> Result<Entry, Rejected> {
    let standing = standing::of(node, viewer, conversation).await?;
    if !standing.is_current() {
        return Err(Rejected::NoSuchConversation);
    }
    if !standing.shows(seq) {
        return Err(Rejected::NoSuchEntry { seq });
    }
    let entry = read(node, conversation, seq).await?.ok_or(Rejected::NoSuchEntry { seq })?;
    let amendment = node.world().store.amendments(conversation, seq, seq, 1).await.map_err(unavailable)?.pop();
    let amendment = amendment.map(|(_, amendment)| amendment).unwrap_or_default();
    let target = Target { entry: entry.into(), amendment, own: vec![], gone: Bits::default(), edits: vec![] };
    target.content()?;
    Ok((*target.entry).clone())
}

/// Who has come how far with a message; its author is left out.
pub(super) async fn read_by(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    target: Seq,
    after: Option<UserId>,
    limit: Option<u64>,
) -> Result<View, Rejected> {
    let entry = message(node, viewer, conversation, target).await?;
    let store = &node.world().store;
    let size = page_size(node, limit);
    let mut users = Vec::new();
    match conversation {
        ConversationId::Direct(pair) => {
            users.extend([pair.low(), pair.high()].into_iter().filter(|user| after.is_none_or(|after| *user > after)));
        }
        ConversationId::Group(group) => {
            let mut from = after;
            // Former members stand between the current ones: read on until the page is full.
            loop {
                let rows = store.members(group, from, size + 2).await.map_err(unavailable)?;
                let last = rows.len() < size + 2;
                from = rows.last().map(|(user, _)| *user);
                users.extend(rows.into_iter().filter(|(_, place)| place.is_current()).map(|(user, _)| user));
                if last || users.len() > size + 1 {
                    break;
                }
            }
        }
    }
    users.retain(|user| *user != entry.author);
    let more = users.len() > size;
    users.truncate(size);
    let marks = store.marks_of(conversation, &users).await.map_err(unavailable)?;
    let accounts = store.accounts(&users).await.map_err(unavailable)?;
    let is_shown = is_activity_shown(node, conversation).await?;
    let page = users.into_iter().zip(marks).zip(accounts).map(|((user, marks), account)| {
        let shows = is_shown && (user == viewer || account.is_some_and(|account| account.privacy.receipts));
        let at = |mark: Mark| (shows && mark.seq >= target).then_some(mark.at);
        (user, at(marks.delivered), at(marks.read))
    });
    Ok(View::ReadBy { page: page.collect(), more })
}

/// Receipts of a direct conversation are not shown across a block.
async fn is_activity_shown(node: &Node, conversation: ConversationId) -> Result<bool, Rejected> {
    match conversation {
        ConversationId::Group(_) => Ok(true),
        ConversationId::Direct(pair) => Ok(relation::may_see_activity(&bond(node, pair).await?)),
    }
}

async fn bond(node: &Node, pair: Pair) -> Result<relation::Bond, Rejected> {
    Ok(node.world().store.bond(pair).await.map_err(unavailable)?.row)
}

/// Who reacts how.
pub(super) async fn reactions(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    target: Seq,
    after: Option<UserId>,
    limit: Option<u64>,
) -> Result<View, Rejected> {
    message(node, viewer, conversation, target).await?;
    let size = page_size(node, limit);
    let mut page = node.world().store.reactions(conversation, target, after, size + 1).await.map_err(unavailable)?;
    let more = page.len() > size;
    page.truncate(size);
    Ok(View::Reactions { page, more })
}

/// Invitations of a group that stand, for those who may invite.
pub(super) async fn invitations(
    node: &Node,
    viewer: UserId,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: Option<u64>,
) -> Result<View, Rejected> {
    let standing = standing::of(node, viewer, conversation).await?;
    let ConversationId::Group(group) = conversation else { return Err(Rejected::NotAGroup) };
    standing::may(viewer, Deed::Invite, standing.place.as_ref())?;
    let (size, now) = (page_size(node, limit), node.now());
    let (mut page, mut from): (Vec<(UserId, Invitation)>, _) = (Vec::new(), after);
    loop {
        let rows = node.world().store.invitations(group, from, size + 1).await.map_err(unavailable)?;
        let last = rows.len() <= size;
        from = rows.last().map(|(user, _)| *user);
        page.extend(rows.into_iter().filter(|(_, invitation)| invitation.expires_at > now));
        if last || page.len() > size {
            break;
        }
    }
    let more = page.len() > size;
    page.truncate(size);
    Ok(View::Invitations { page, more })
}
