//! What a log's owner remembers of client keys, so that a repeated post is stored once (G3, R18–R20).
//!
//! Pure. A key is reserved before its batch is built and settled with the batch. The promise: a key is known for 24
//! hours and 4,096 later messages, whichever ends first. The memory is complete for that promise once
//! [`Keys::is_complete`] holds; before that a miss proves nothing.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::content::ClientKey;
use crate::entry::{Digest, Entry};
use crate::id::{MessageId, Pos, Seq, UserId};
use crate::time::Timestamp;

/// For how long a key is promised to be known.
pub const KEY_LIFE: Duration = Duration::from_hours(24);

/// Where a key's entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Its seq.
    pub seq: Seq,
    /// Its position.
    pub pos: Pos,
    /// Its number.
    pub id: MessageId,
    /// Its time.
    pub at: Timestamp,
    /// Its content.
    pub digest: Digest,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Known {
    /// Never used, within the promise.
    New,
    /// Its post is on the way.
    Reserved(Digest),
    /// Its entry is in the log.
    Stored(Stored),
    /// It is not in memory, and memory does not reach back far enough: load more rows first (R19).
    Unsure,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Reserved(Digest),
    Stored(Stored),
}

/// The keys of one log.
#[derive(Debug, Clone)]
pub struct Keys {
    slots: HashMap<(UserId, ClientKey), Slot>,
    /// Settled keys, oldest first.
    order: VecDeque<(Seq, Timestamp, UserId, ClientKey)>,
    complete: bool,
    window: usize,
}

impl Keys {
    /// No keys yet; `window` is how many later entries a key is promised to be known for.
    pub fn new(window: usize) -> Self {
        Self { slots: HashMap::new(), order: VecDeque::new(), complete: false, window }
    }

    /// Takes in the newest rows of the log, oldest first, in place of what was settled before. `whole` says that
    /// nothing older is needed: the rows reach back to the log's first, or as far as the promise does.
    pub fn load(&mut self, rows: &[Entry], whole: bool, now: Timestamp) {
        self.order.clear();
        self.slots.retain(|_, slot| matches!(slot, Slot::Reserved(_)));
        for entry in rows {
            self.settle(entry);
        }
        let oldest = rows.first();
        self.complete =
            whole || oldest.is_none_or(|entry| entry.seq.get() == 1 || now.since(entry.at) >= KEY_LIFE) || rows.len() >= self.window;
    }

    /// Whether a key that is not here is new.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What is known of a key.
    pub fn look_up(&self, author: UserId, key: &ClientKey) -> Known {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::is(crate::planted::Plant::KeyCheckOff) {
            return Known::New;
        }
        match self.slots.get(&(author, key.clone())) {
            Some(Slot::Reserved(digest)) => Known::Reserved(*digest),
            Some(Slot::Stored(stored)) => Known::Stored(*stored),
            None if self.complete => Known::New,
            None => Known::Unsure,
        }
    }

    /// Reserves a new key, before its batch is built.
    pub fn reserve(&mut self, author: UserId, key: &ClientKey, digest: Digest) {
        self.slots.insert((author, key.clone()), Slot::Reserved(digest));
    }

    /// Forgets a reservation whose post did not enter the log.
    pub fn release(&mut self, author: UserId, key: &ClientKey) {
        let slot = (author, key.clone());
        if let Some(Slot::Reserved(_)) = self.slots.get(&slot) {
            self.slots.remove(&slot);
        }
    }

    /// Forgets everything that was learned, as when the log was lost to another owner; reservations stay.
    pub fn forget(&mut self) {
        self.load(&[], false, Timestamp::default());
        self.complete = false;
    }

    /// The entry is durable.
    pub fn settle(&mut self, entry: &Entry) {
        let digest = Digest::of(&entry.act);
        let stored = Stored { seq: entry.seq, pos: entry.pos, id: entry.id, at: entry.at, digest };
        self.slots.insert((entry.author, entry.client_key.clone()), Slot::Stored(stored));
        self.order.push_back((entry.seq, entry.at, entry.author, entry.client_key.clone()));
        while self.order.len() > self.window {
            self.drop_oldest();
        }
        while self.order.front().is_some_and(|(_, at, ..)| entry.at.since(*at) > KEY_LIFE) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((seq, _, author, key)) = self.order.pop_front() else { return };
        let slot = (author, key);
        // The key may have been used again since, after the promise had ended.
        if matches!(self.slots.get(&slot), Some(Slot::Stored(stored)) if stored.seq == seq) {
            self.slots.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Content;
    use crate::entry::Act;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    fn key(text: &str) -> ClientKey {
        ClientKey::new(text).expect("valid")
    }

    fn entry(seq: u64, at_hours: i64, text: &str) -> Entry {
        Entry {
            seq: Seq::new(seq).expect("valid"),
            pos: Pos(seq),
            id: MessageId::new(4_096 + seq).expect("valid"),
            author: user(1),
            client_key: key(&format!("k{seq}")),
            at: Timestamp(at_hours * 3_600_000_000),
            act: Act::Message(Content { text: text.into(), ..Content::default() }),
        }
    }

    #[test]
    fn a_miss_proves_nothing_until_memory_reaches_back_far_enough() {
        let now = entry(1, 30, "").at;
        let mut keys = Keys::new(10);
        keys.load(&[entry(7, 29, "x")], false, now);
        assert_eq!(keys.look_up(user(1), &key("k3")), Known::Unsure);
        keys.load(&[entry(7, 5, "x")], false, now);
        assert_eq!(keys.look_up(user(1), &key("k3")), Known::New, "the oldest row is older than a day");
        keys.load(&[entry(1, 29, "x"), entry(2, 29, "y")], false, now);
        assert_eq!(keys.look_up(user(1), &key("k3")), Known::New, "the oldest row is the log's first");
    }

    #[test]
    fn a_key_is_one_users_own() {
        let mut keys = Keys::new(10);
        keys.load(&[entry(1, 0, "x")], true, Timestamp(0));
        assert!(matches!(keys.look_up(user(1), &key("k1")), Known::Stored(_)));
        assert_eq!(keys.look_up(user(2), &key("k1")), Known::New);
    }

    #[test]
    fn a_reservation_is_seen_and_can_be_given_back() {
        let mut keys = Keys::new(10);
        keys.load(&[], true, Timestamp(0));
        let digest = Digest::of(&entry(1, 0, "x").act);
        keys.reserve(user(1), &key("k1"), digest);
        assert_eq!(keys.look_up(user(1), &key("k1")), Known::Reserved(digest));
        keys.release(user(1), &key("k1"));
        assert_eq!(keys.look_up(user(1), &key("k1")), Known::New);
    }

    #[test]
    fn keys_are_kept_for_the_window_and_a_day() {
        let mut keys = Keys::new(3);
        keys.load(&[], true, Timestamp(0));
        for seq in 1..=5 {
            keys.settle(&entry(seq, 0, "x"));
        }
        assert_eq!(keys.look_up(user(1), &key("k2")), Known::New);
        assert!(matches!(keys.look_up(user(1), &key("k3")), Known::Stored(_)));
        keys.settle(&entry(6, 25, "x"));
        assert_eq!(keys.look_up(user(1), &key("k5")), Known::New);
    }

    #[test]
    fn another_content_has_another_digest() {
        assert_ne!(Digest::of(&entry(1, 0, "x").act), Digest::of(&entry(1, 0, "y").act));
        assert_eq!(Digest::of(&entry(1, 0, "x").act), Digest::of(&entry(2, 9, "x").act));
    }
}
