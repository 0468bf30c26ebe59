//! What happened, in no dialect, and the announcement that carries it to sessions with its renderings.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::entry::Entry;
use crate::id::{ConversationId, DirectNumber, Door, Incarnation, Pos, Seq, UserId};
use crate::relation::{Bond, BondChange};
use crate::store::Marks;
use crate::time::Timestamp;
use crate::view::UserView;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An entry of a conversation is durable.
    Entry {
        /// Where.
        conversation: ConversationId,
        /// The life of its log.
        incarnation: Incarnation,
        /// The entry.
        entry: Arc<Entry>,
        /// Around the entry, what doors show beside it; nothing where it is not known.
        scene: Option<Arc<Scene>>,
    },
    /// Entries of a large group that change its members alone, and are not sent to each of its members.
    Members {
        /// Where.
        conversation: ConversationId,
        /// The life of its log.
        incarnation: Incarnation,
        /// The first of them.
        from: Seq,
        /// The last of them; dense.
        to: Seq,
        /// How many members there are now.
        members: u64,
    },
    /// Two users are something else to each other; both are told.
    Bond {
        /// Who did it.
        by: UserId,
        /// What it is to the other.
        change: BondChange,
        /// What they are now.
        bond: Bond,
        /// Both, the one with the smaller number first; nothing where it is not known.
        people: Option<Arc<[UserView; 2]>>,
        /// The door that it came in by.
        door: Door,
    },
    /// An entry of the receiver's own log is durable.
    Own {
        /// The life of the user's log.
        incarnation: Incarnation,
        /// The entry.
        entry: Arc<Entry>,
    },
    /// Members have come further; stored before it is shown (G5).
    Receipts {
        /// Where.
        conversation: ConversationId,
        /// Who, and how far.
        marks: Vec<(UserId, Marks)>,
        /// Members beyond these moved as well: the list was cut.
        more: bool,
    },
    /// The receiver has read on another device.
    Unread {
        /// Where.
        conversation: ConversationId,
        /// Up to where the receiver has read.
        read: Seq,
        /// Messages that are not read.
        unread: u64,
        /// Of how many.
        count: Pos,
        /// Messages that are not read, over all conversations; nothing where it was not counted.
        total: Option<u64>,
    },
    /// A member is writing.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
    },
    /// A watched user came or went.
    Presence {
        /// Who.
        user: UserId,
        /// Whether the user has a live session.
        online: bool,
        /// When the last one ended, where none is open.
        last_seen: Option<Timestamp>,
    },
}

/// What doors show beside an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Scene {
    /// Of a direct conversation.
    Direct {
        /// Its integer form.
        number: Option<DirectNumber>,
        /// What the two are to each other.
        bond: Bond,
        /// The one with the smaller number.
        low: Arc<UserView>,
        /// The one with the greater number.
        high: Arc<UserView>,
    },
    /// Of a group.
    Group {
        /// Who did it.
        author: Arc<UserView>,
    },
}

/// In which order events are given up when a client is slow (P44): the later, the sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An entry; never given up without a gap mark.
    Message,
    /// Receipts and unread counts: the next one makes up for it.
    Annotation,
    /// Typing and presence: worthless a moment later.
    Ephemeral,
}

impl Event {
    /// Its class.
    pub fn class(&self) -> Class {
        match self {
            Self::Entry { .. } | Self::Members { .. } | Self::Own { .. } => Class::Message,
            Self::Bond { .. } => Class::Annotation,
            Self::Receipts { .. } | Self::Unread { .. } => Class::Annotation,
            Self::Typing { .. } | Self::Presence { .. } => Class::Ephemeral,
        }
    }

    /// About how many bytes a rendering takes; for the outbound budget.
    fn weight(&self) -> usize {
        match self {
            Self::Entry { entry, .. } | Self::Own { entry, .. } => 160 + entry.act.bytes(),
            Self::Receipts { marks, .. } => 64 + marks.len() * 64,
            Self::Bond { .. } => 512,
            Self::Members { .. } | Self::Unread { .. } | Self::Typing { .. } | Self::Presence { .. } => 96,
        }
    }
}

/// How many different renderings an event may have: encodings of the native protocol, dialects, their viewpoints.
pub const RENDERINGS: usize = 16;

/// Which rendering a connection needs: a number that its door chose; the core knows no door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderingKey(u8);

impl RenderingKey {
    /// A key below [`RENDERINGS`].
    pub const fn new(number: u8) -> Self {
        assert!((number as usize) < RENDERINGS, "more renderings than cells");
        Self(number)
    }
}

/// An event on its way to sessions, with write-once cells for its renderings: the first connection that needs one
/// makes it, the others share the bytes (P12).
#[derive(Debug)]
pub struct Announcement {
    event: Event,
    weight: usize,
    renderings: [OnceLock<Bytes>; RENDERINGS],
}

impl Announcement {
    /// An announcement without renderings yet.
    pub fn new(event: Event) -> Arc<Self> {
        Arc::new(Self { weight: event.weight(), event, renderings: [const { OnceLock::new() }; RENDERINGS] })
    }
    /// What it announces.
    pub fn event(&self) -> &Event {
        &self.event
    }
    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        self.weight
    }
    /// The rendering under this key; `render` is called at most once for each key, whatever the number of receivers.
    pub fn rendering(&self, key: RenderingKey, render: impl FnOnce(&Event) -> Bytes) -> &Bytes {
        self.renderings[usize::from(key.0)].get_or_init(|| render(&self.event))
    }
}
