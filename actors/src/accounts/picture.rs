//! Whether a user may show a file as his picture, and what it is.

use crate::account::Picture;
use crate::id::UserId;
use crate::media::MediaId;
use crate::node::Node;
use crate::rejected::Rejected;

/// A picture is a file that the user has uploaded to be one. No file is known here yet, so there is none.
#[expect(clippy::unused_async, reason = "files are looked up in the store")]
pub(super) async fn own(_node: &Node, _user: UserId, _file: MediaId) -> Result<Picture, Rejected> {
    Err(Rejected::NoSuchMedia)
}
