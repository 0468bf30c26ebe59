//! Watermarks on their way into the store: gathered for a moment, stored together, then shown (G5).

use std::collections::{BTreeMap, HashMap};

use crate::command::MarkKind;
use crate::id::{Pos, Seq, SessionId, UserId};
use crate::session::Reply;
use crate::store::{Mark, Marks};

/// Who waits for a mark.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Which of the user's marks.
    pub kind: MarkKind,
    /// Up to where.
    pub seq: Seq,
    /// The session that asked.
    pub origin: Option<SessionId>,
    /// The way back.
    pub reply: Reply,
}

/// What moves of these marks for a user who keeps them private: the own badge.
pub(crate) fn private(marks: &Marks) -> Marks {
    Marks { badge: marks.badge.max(marks.read.pos), ..Marks::default() }
}

/// Marks that were handed to the store, and who waits for them; in the order handed over.
#[derive(Debug, Default)]
pub(crate) struct Flushed(pub Vec<(UserId, Vec<Waiter>)>);

/// The marks of one conversation's members, as far as they were seen.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// What the store is known to hold.
    stored: HashMap<UserId, Marks>,
    dirty: BTreeMap<UserId, (Marks, Vec<Waiter>)>,
    /// Whether a flush is due, or a write under way.
    pub pending: bool,
}

impl Gathered {
    /// What the store is known to hold for a user.
    pub(crate) fn stored(&self, user: UserId) -> Option<Marks> {
        self.stored.get(&user).copied()
    }

    /// The user's own message moves the badge; it is stored with the message.
    pub(crate) fn wrote(&mut self, user: UserId, pos: Pos) {
        if let Some(marks) = self.stored.get_mut(&user) {
            marks.badge = marks.badge.max(pos);
        }
    }

    /// Takes in a wish; a flush must follow. What is private moves the own badge alone.
    pub(crate) fn raise(&mut self, user: UserId, mark: Mark, private: bool, waiter: Waiter) {
        let wished = match (waiter.kind, private) {
            (MarkKind::Delivered, false) => Marks { delivered: mark, ..Marks::default() },
            (MarkKind::Read, false) => Marks { read: mark, ..Marks::default() },
            (MarkKind::Read, true) => Marks { badge: mark.pos, ..Marks::default() },
            (MarkKind::Delivered, true) => Marks::default(),
        };
        let (marks, waiters) = self.dirty.entry(user).or_default();
        *marks = marks.raise_to(wished);
        waiters.push(waiter);
    }

    /// Everything gathered, for one write.
    pub(crate) fn take(&mut self) -> (Vec<(UserId, Marks)>, Flushed) {
        let dirty = std::mem::take(&mut self.dirty);
        let mut marks = Vec::with_capacity(dirty.len());
        let mut flushed = Flushed(Vec::with_capacity(dirty.len()));
        for (user, (raised, waiters)) in dirty {
            marks.push((user, raised));
            flushed.0.push((user, waiters));
        }
        (marks, flushed)
    }

    /// Whether nothing is gathered.
    pub(crate) fn is_clean(&self) -> bool {
        self.dirty.is_empty()
    }

    /// Takes in what the store holds now; true if that is news to whom it is shown.
    pub(crate) fn store(&mut self, user: UserId, marks: Marks) -> bool {
        let before = self.stored.insert(user, marks);
        before.is_none_or(|before| before.read.seq < marks.read.seq || before.delivered.seq < marks.delivered.seq)
    }
}
