//! The way to other nodes: a port. One node alone has [`LocalRelay`], to which everything is here.
//!
//! A relay may lose anything, and nothing depends on it: a command is repeated under its client key, an announcement
//! that did not arrive is a gap that the log fills. Where something lives is a hint; the store decides (G10).

use std::sync::Arc;

use crate::conversation::mail::Request;
use crate::event::Announcement;
use crate::id::{ConversationId, UserId};

/// Carries commands to the node of a conversation's owner, and announcements to the nodes of its audience.
pub trait Relay: Send + Sync + 'static {
    /// Takes a command to the node that the conversation is placed on; gives it back if that is this one. A request
    /// that is dropped on the way answers *unknown* by itself.
    fn carry(&self, conversation: ConversationId, request: Request) -> Option<Request>;

    /// Hands announcements on to the other nodes that have sessions of these users, one copy for each node. Never waits.
    fn announce(&self, audience: &[UserId], announcements: &[Arc<Announcement>]);
}

/// The relay of a node that is alone: everything is here, and nobody else is to be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalRelay;

impl Relay for LocalRelay {
    fn carry(&self, _: ConversationId, request: Request) -> Option<Request> {
        Some(request)
    }
    fn announce(&self, _: &[UserId], _: &[Arc<Announcement>]) {}
}
