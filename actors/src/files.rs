//! The files that messages and pictures name: whether they may, what they are, and letting them go. Their bytes are
//! elsewhere; whoever keeps those erases what has expired.
//!
//! A file that may not be named answers like one that is not there, whatever the reason.

use std::time::Duration;

use crate::account::Picture;
use crate::id::UserId;
use crate::limits::Limit;
use crate::log::scribe::within;
use crate::media::{Attachment, Media, MediaId};
use crate::node::{self, Node};
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;
use crate::store::{PutError, StoreError, Versioned};

/// When to try again where the store does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often a row that others change is tried again.
const PUT_TRIES: usize = 8;
/// How often a file is tried to be let go that could not be: for about a quarter of an hour.
const EXPIRE_TRIES: u32 = 10;

/// The files of a message, in the order given, as the message shows them: its author's, to be attached, and there.
pub(crate) async fn attachments(node: &Node, author: UserId, files: &[MediaId]) -> Result<Vec<Attachment>, Rejected> {
    let mut attachments = Vec::with_capacity(files.len());
    for file in files {
        attachments.push(named(node, author, Deed::Attach, *file).await?.attachment);
    }
    Ok(attachments)
}

/// The file that this user wants to show as a picture: his own, taken in as one, and there.
pub(crate) async fn picture(node: &Node, user: UserId, file: MediaId) -> Result<Picture, Rejected> {
    let media = named(node, user, Deed::Show, file).await?;
    Ok(Picture { id: file, kind: media.attachment.kind })
}

async fn named(node: &Node, user: UserId, deed: Deed, file: MediaId) -> Result<Media, Rejected> {
    let media = known(node, file).await?.ok_or(Rejected::NoSuchMedia)?.row;
    policy::may(user, deed, On::file(&media))?;
    if media.is_gone(node.now()) { Err(Rejected::NoSuchMedia) } else { Ok(media) }
}

async fn known(node: &Node, file: MediaId) -> Result<Option<Versioned<Media>>, Rejected> {
    let deadline = node.world().limits.time(Limit::StoreDeadline);
    within(deadline, node.world().store.media(file)).await.map_err(|error| unavailable(&error))
}

fn unavailable(error: &StoreError) -> Rejected {
    tracing::warn!(%error, "what is known of a file cannot be read or written");
    Rejected::Unavailable { after: RETRY_AFTER }
}

/// Lets a file go: it expires now. Idempotent.
pub(crate) async fn expire(node: &Node, file: MediaId) -> Result<(), Rejected> {
    for _ in 0..PUT_TRIES {
        let Some(stands) = known(node, file).await? else { return Ok(()) };
        let Some(expired) = stands.row.expired(node.now()) else { return Ok(()) };
        match node.world().store.put_media(expired, stands.version).await {
            Ok(()) => return Ok(()),
            Err(PutError::Changed) => {}
            Err(PutError::Store(error)) => return Err(unavailable(&error)),
            Err(PutError::Taken(_)) => return Err(Rejected::Internal), // a file has no names
        }
    }
    Err(Rejected::Unavailable { after: RETRY_AFTER })
}

/// Lets a file go that nothing shows any more, now or as soon as it can be done; nobody waits for more than the first
/// try. What a crash before that leaves is the owner's, counts against his quota, and goes with his account.
pub(crate) async fn let_go(node: &Node, file: MediaId) {
    if expire(node, file).await.is_ok() {
        return;
    }
    let node = node.clone();
    node::spawn(async move {
        for nth in 0..EXPIRE_TRIES {
            tokio::time::sleep(RETRY_AFTER * 2_u32.pow(nth)).await;
            if expire(&node, file).await.is_ok() {
                return;
            }
        }
        tracing::error!("a file that nothing shows any more stays");
    });
}
