//! Mistakes on purpose, so that the simulation's checker can be seen to find them; only with the feature
//! `planted-bugs`, which no server is built with.
//!
//! A plant holds for the thread that planted it: simulations run on one thread each and do not meet.

use std::cell::Cell;

/// A mistake inside the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// A client key is never found.
    KeyCheckOff,
    /// A resume leaves out the first entry after the cursor.
    ResumeOffByOne,
    /// Entries are announced to whoever ever was a member.
    FanOutUnchecked,
}

thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// From now on this thread makes this mistake, or none.
pub fn plant(plant: Option<Plant>) {
    PLANTED.set(plant);
}

pub(crate) fn is(plant: Plant) -> bool {
    PLANTED.get() == Some(plant)
}
