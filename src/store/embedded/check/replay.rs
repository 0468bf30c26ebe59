//! What follows from a log, and what is wrong with it: a replay, entry by entry.
//!
//! It is written for itself, simply, and shares nothing with the code that writes rows: two mistakes would have to
//! agree. What it holds is one log's members, newest keys, deletions and edits. It does not add up reactions.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use actors::bits::Bits;
use actors::content::{AboutText, ClientKey};
use actors::entry::{Act, Entry, Erased, GroupChange, GroupRow, Head, Invitation, Membership, Notice, Preferences, Role, Setting};
use actors::id::{BUCKET_SEQS, Bucket, ConversationId, LogId, MessageId, Pos, Segment, Seq, UserId};
use actors::time::Timestamp;

use super::rules::Fault;

/// A client key must not come back within this time and this many entries (G3).
const KEY_LIFE: Duration = Duration::from_hours(24);
const KEY_ENTRIES: u64 = 4_096;

/// A log that is being replayed, entry by entry.
pub(super) struct Replay {
    log: LogId,
    faults: Vec<Fault>,
    tail: u64,
    count: u64,
    last_change: u64,
    last_at: Option<Timestamp>,
    segment: Segment,
    keys: HashMap<(UserId, ClientKey), (u64, Timestamp)>,
    keys_order: VecDeque<(UserId, ClientKey, u64)>,
    /// Erased messages of which the deletion is still to come, with their positions.
    erased: BTreeMap<Seq, Pos>,
    /// Erased edits of which no deletion has come.
    erased_edits: BTreeSet<Seq>,
    followed: Followed,
}

/// The rows that follow from a log, each with the seq that made it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    pub(super) segments: Vec<(Bucket, Segment)>,
    pub(super) group: Option<(Seq, GroupRow)>,
    pub(super) members: BTreeMap<UserId, (Seq, Membership)>,
    pub(super) own: BTreeMap<UserId, (Seq, Pos)>,
    pub(super) listed: BTreeMap<ConversationId, (Seq, bool)>,
    pub(super) invitations: BTreeMap<UserId, (Seq, Option<Invitation>)>,
    /// Of each edited or deleted message what its amendment must say.
    pub(super) amended: BTreeMap<Seq, Amended>,
    pub(super) gone: BTreeMap<Bucket, (Seq, Bits)>,
    pub(super) preferences: BTreeMap<ConversationId, (Seq, Preferences)>,
    pub(super) hidden: BTreeMap<(ConversationId, Bucket), (Seq, Bits)>,
    pub(super) notices: BTreeMap<Seq, (Seq, Option<Notice>)>,
    pub(super) notices_read: Option<(Seq, Seq)>,
}

/// What an amendment must say, as far as a replay knows: reactions and what was erased are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Amended {
    /// The last edit's text and time, unless it was erased.
    pub(super) edited: Option<(Box<str>, Timestamp)>,
    /// By whom and when it was deleted.
    pub(super) deleted: Option<(UserId, Timestamp)>,
}

impl Followed {
    /// Who must find the conversation in his list.
    pub(super) fn must_find(&self, log: LogId) -> Vec<UserId> {
        match log {
            LogId::Conversation(ConversationId::Direct(pair)) => vec![pair.low(), pair.high()],
            LogId::Conversation(ConversationId::Group(_)) => {
                self.members.iter().filter(|(_, (_, place))| place.is_current()).map(|(user, _)| *user).collect()
            }
            LogId::User(_) => Vec::new(),
        }
    }
}

impl Replay {
    pub(super) fn of(log: LogId) -> Self {
        Self {
            log,
            faults: Vec::new(),
            tail: 0,
            count: 0,
            last_change: 0,
            last_at: None,
            segment: Segment(0),
            keys: HashMap::new(),
            keys_order: VecDeque::new(),
            erased: BTreeMap::new(),
            erased_edits: BTreeSet::new(),
            followed: Followed::default(),
        }
    }

    /// The next entry, in the order of seqs.
    pub(super) fn entry(&mut self, entry: &Entry) {
        let seq = entry.seq.get();
        if seq != self.tail + 1 {
            self.faults.push(Fault::Hole { from: self.tail + 1, to: seq.saturating_sub(1) });
            // What is missing is told once: positions are believed from here on.
            self.count = entry.pos.0.saturating_sub(u64::from(entry.act.is_message()));
        }
        self.tail = seq;
        if self.last_at.is_some_and(|last| entry.at <= last) {
            self.faults.push(Fault::Time(seq));
        }
        self.last_at = Some(entry.at);
        if entry.act.is_message() {
            self.count += 1;
        } else {
            self.last_change = seq;
        }
        if entry.pos.0 != self.count {
            self.faults.push(Fault::Position { seq, found: entry.pos.0, expected: self.count });
        }
        self.number(entry);
        self.key(entry);
        self.follow(entry);
    }

    fn number(&mut self, entry: &Entry) {
        let (seq, segment, bucket) = (entry.seq.get(), entry.id.segment(), entry.seq.bucket());
        let known = self.followed.segments.last().copied();
        if known.is_none_or(|(last, _)| last != bucket) {
            if segment <= self.segment {
                self.faults.push(Fault::SegmentFell(bucket.0));
            }
            self.segment = segment;
            self.followed.segments.push((bucket, segment));
        }
        if entry.id != MessageId::at(self.segment, entry.seq) {
            self.faults.push(Fault::Number { seq, found: entry.id.get() });
        }
    }

    fn key(&mut self, entry: &Entry) {
        let seq = entry.seq.get();
        while self.keys_order.front().is_some_and(|(.., first)| seq - first >= KEY_ENTRIES) {
            if let Some((author, key, first)) = self.keys_order.pop_front()
                && self.keys.get(&(author, key.clone())).is_some_and(|(stands, _)| *stands == first)
            {
                self.keys.remove(&(author, key));
            }
        }
        let before = self.keys.insert((entry.author, entry.client_key.clone()), (seq, entry.at));
        self.keys_order.push_back((entry.author, entry.client_key.clone(), seq));
        if let Some((first, at)) = before
            && entry.at.since(at) < KEY_LIFE
        {
            self.faults.push(Fault::KeyTwice { first, second: seq });
        }
    }

    fn follow(&mut self, entry: &Entry) {
        match self.log {
            LogId::User(user) if entry.author == user => self.follow_own(user, entry),
            LogId::User(_) => self.misplaced(entry),
            LogId::Conversation(conversation) => self.follow_in(conversation, entry),
        }
    }

    fn misplaced(&mut self, entry: &Entry) {
        self.faults.push(Fault::Misplaced(entry.seq.get()));
    }

    fn follow_in(&mut self, conversation: ConversationId, entry: &Entry) {
        let seq = entry.seq;
        match &entry.act {
            Act::Message(_) | Act::Erased(Erased { message: true, .. }) => {
                if !self.is_member(conversation, entry.author) {
                    self.faults.push(Fault::Stranger(seq.get()));
                }
                self.followed.own.insert(entry.author, (seq, entry.pos));
                if !matches!(entry.act, Act::Message(_)) {
                    self.erased.insert(seq, entry.pos);
                }
            }
            Act::Erased(_) => drop(self.erased_edits.insert(seq)),
            Act::Edited { target, content } => {
                self.followed.amended.entry(*target).or_default().edited = Some((content.text.clone(), entry.at));
            }
            Act::Deleted { target } => self.deleted(*target, entry),
            Act::Reacted { .. } => {}
            Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Changed(_) | Act::RoleSet { .. } => {
                self.follow_group(conversation, entry);
            }
            Act::HandedOver { .. } | Act::Invited { .. } | Act::Declined { .. } => self.follow_group(conversation, entry),
            Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } => {
                self.misplaced(entry);
            }
            Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => self.misplaced(entry),
        }
    }

    fn deleted(&mut self, target: Seq, entry: &Entry) {
        let amended = self.followed.amended.entry(target).or_default();
        if amended.edited.is_some() {
            self.faults.push(Fault::NotErased(target.get()));
        }
        *amended = Amended { edited: None, deleted: Some((entry.author, entry.at)) };
        // The edits of this message are among those before it; which they are was erased with them.
        self.erased_edits.clear();
        match self.erased.remove(&target) {
            None => self.faults.push(Fault::NotErased(target.get())),
            Some(pos) => {
                let place = pos.0.saturating_sub(1);
                let (version, bits) = self.followed.gone.entry(Bucket(place / BUCKET_SEQS)).or_default();
                (*version, *bits) = (entry.seq, std::mem::take(bits).with(place % BUCKET_SEQS));
            }
        }
    }

    fn follow_group(&mut self, conversation: ConversationId, entry: &Entry) {
        let seq = entry.seq;
        if let (ConversationId::Group(_), Act::Created { name, members, open }, 1) = (conversation, &entry.act, seq.get()) {
            let place = |role| (seq, Membership { role, since: seq, until: None });
            self.followed.members = members.iter().map(|user| (*user, place(Role::Member))).collect();
            self.followed.members.insert(entry.author, place(Role::Owner));
            let row = GroupRow {
                name: name.clone(),
                members: self.followed.members.len() as u64,
                created_at: entry.at,
                about: AboutText::default(),
                picture: None,
                open: *open,
                updated_at: entry.at,
            };
            self.followed.group = Some((seq, row));
            return;
        }
        if self.followed.group.is_none() {
            return self.misplaced(entry);
        }
        match &entry.act {
            Act::Joined { members } => {
                for user in members {
                    self.joined(*user, seq);
                }
                self.resize(seq);
            }
            Act::Left { member } => {
                if let Some((version, place)) = self.followed.members.get_mut(member) {
                    (*version, place.until) = (seq, Some(seq));
                }
                self.resize(seq);
            }
            Act::Changed(change) => self.changed(change, entry),
            Act::RoleSet { member, role } => self.role(*member, *role, seq),
            Act::HandedOver { to } => {
                self.role(entry.author, Role::Admin, seq);
                self.role(*to, Role::Owner, seq);
            }
            Act::Invited { users, expires_at } => {
                let invitation = Some(Invitation { by: entry.author, expires_at: *expires_at });
                self.followed.invitations.extend(users.iter().map(|user| (*user, (seq, invitation))));
            }
            Act::Declined { user } => drop(self.followed.invitations.insert(*user, (seq, None))),
            Act::Message(_) | Act::Created { .. } | Act::Edited { .. } | Act::Deleted { .. } | Act::Erased(_) => self.misplaced(entry),
            Act::Reacted { .. } | Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } => self.misplaced(entry),
            Act::Noticed(_) | Act::Withdrawn { .. } | Act::NoticesRead { .. } => self.misplaced(entry),
            Act::Related { .. } | Act::AccountChanged => self.misplaced(entry),
        }
    }

    /// A member who joins again begins anew; whoever was invited is so no longer.
    fn joined(&mut self, user: UserId, seq: Seq) {
        let is_current = self.followed.members.get(&user).is_some_and(|(_, place)| place.is_current());
        if !is_current {
            self.followed.members.insert(user, (seq, Membership { role: Role::Member, since: seq, until: None }));
        }
        if let Some(stands) = self.followed.invitations.get_mut(&user).filter(|(_, stands)| stands.is_some()) {
            *stands = (seq, None);
        }
    }

    fn role(&mut self, member: UserId, role: Role, seq: Seq) {
        if let Some((version, place)) = self.followed.members.get_mut(&member) {
            (*version, place.role) = (seq, role);
        }
    }

    fn changed(&mut self, change: &GroupChange, entry: &Entry) {
        let Some((version, row)) = &mut self.followed.group else { return };
        *version = entry.seq;
        row.name = change.name.clone().unwrap_or_else(|| row.name.clone());
        row.about = change.about.clone().unwrap_or_else(|| row.about.clone());
        row.picture = change.picture.unwrap_or(row.picture);
        row.open = change.open.unwrap_or(row.open);
        row.updated_at = entry.at;
    }

    fn follow_own(&mut self, user: UserId, entry: &Entry) {
        let seq = entry.seq;
        match &entry.act {
            Act::Appeared { conversation } => drop(self.followed.listed.insert(*conversation, (seq, true))),
            Act::Vanished { conversation } => drop(self.followed.listed.insert(*conversation, (seq, false))),
            Act::Set { conversation, setting } => self.set(*conversation, *setting, seq),
            Act::Noticed(notice) => drop(self.followed.notices.insert(seq, (seq, Some(*notice)))),
            Act::Withdrawn { notice } => drop(self.followed.notices.insert(*notice, (seq, None))),
            Act::NoticesRead { up_to } => self.followed.notices_read = Some((seq, *up_to)),
            Act::Related { peer } if *peer == user => self.misplaced(entry),
            Act::Related { .. } | Act::AccountChanged => {}
            Act::Message(_) | Act::Created { .. } | Act::Joined { .. } | Act::Left { .. } | Act::Edited { .. } => self.misplaced(entry),
            Act::Deleted { .. } | Act::Erased(_) | Act::Reacted { .. } | Act::Changed(_) | Act::RoleSet { .. } => self.misplaced(entry),
            Act::HandedOver { .. } | Act::Invited { .. } | Act::Declined { .. } => self.misplaced(entry),
        }
    }

    fn set(&mut self, conversation: ConversationId, setting: Setting, seq: Seq) {
        if let Setting::Hide(hidden) = setting {
            let (version, bits) = self.followed.hidden.entry((conversation, hidden.bucket())).or_default();
            (*version, *bits) = (seq, std::mem::take(bits).with(hidden.offset()));
            return;
        }
        let (version, row) = self.followed.preferences.entry(conversation).or_default();
        *version = seq;
        match setting {
            Setting::Mute(until) => row.muted_until = until,
            Setting::Archive(archived) => row.archived = archived,
            Setting::Clear(cleared, pos) => row.cleared = (cleared, pos),
            Setting::Hide(_) => unreachable!("it was set above"),
        }
    }

    fn is_member(&self, conversation: ConversationId, user: UserId) -> bool {
        match conversation {
            ConversationId::Direct(pair) => pair.has(user),
            ConversationId::Group(_) => self.followed.members.get(&user).is_some_and(|(_, place)| place.is_current()),
        }
    }

    fn resize(&mut self, seq: Seq) {
        let current = self.followed.members.values().filter(|(_, place)| place.is_current()).count() as u64;
        if let Some((version, row)) = &mut self.followed.group {
            (*version, row.members) = (seq, current);
        }
    }

    /// The last entry was there: what follows, and what is wrong.
    pub(super) fn finish(mut self, head: Option<&Head>) -> (Followed, Vec<Fault>) {
        let stray = self.erased.keys().chain(&self.erased_edits).map(|seq| Fault::ErasedStray(seq.get()));
        self.faults.extend(stray.collect::<Vec<_>>());
        match head {
            None => self.faults.push(Fault::NoHead),
            Some(head) => {
                if head.tail.get() > self.tail {
                    self.faults.push(Fault::Hole { from: self.tail + 1, to: head.tail.get() });
                } else {
                    self.compare(head);
                }
                if self.tail > 0 && head.incarnation.0 == 0 {
                    self.faults.push(Fault::Head { field: "incarnation", head: 0, rows: 1 });
                }
            }
        }
        (self.followed, self.faults)
    }

    fn compare(&mut self, head: &Head) {
        let last_at = self.last_at.unwrap_or_default();
        let fields = [
            ("tail", i128::from(head.tail.get()), i128::from(self.tail)),
            ("count", i128::from(head.count.0), i128::from(self.count)),
            ("last_change", i128::from(head.last_change.get()), i128::from(self.last_change)),
            ("segment", i128::from(head.segment.0), i128::from(self.segment.0)),
            ("last_at", i128::from(head.last_at.0), i128::from(last_at.0)),
        ];
        let wrong = fields.into_iter().filter(|(_, head, rows)| head != rows);
        self.faults.extend(wrong.map(|(field, head, rows)| Fault::Head { field, head, rows }));
    }
}
