//! The judge: a small model of what was promised, held against what was recorded and what stands in the store after
//! everything. It shares no rule with the code under test; the final log is the order, so nothing is searched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use actors::content::ClientKey;
use actors::entry::{Act, Digest, Entry};
use actors::id::{ConversationId, LogId, Seq, UserId};
use actors::rejected::Rejected;
use actors::store::Marks;
use actors::view::{Appended, ResetReason, Resumed};

use crate::history::{Asked, End, Fact, FinalLog, Line};

/// Within how many milliseconds every request is answered while its connection lives: 15 s of the promise, and as
/// long as a client may look away.
const ANSWERED_WITHIN: u64 = 20_000;

/// What was promised and not kept: the invariant and the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The invariant (I1 to I10).
    pub(crate) of: &'static str,
    /// What contradicts it.
    pub(crate) what: String,
}

/// Judges a run.
pub(crate) fn judge(facts: &[Fact], logs: &[FinalLog]) -> Vec<Violation> {
    let mut judge = Judge { logs: logs.iter().map(|log| (log.id, Judged::of(log))).collect(), found: vec![] };
    for log in logs {
        judge.log(log);
    }
    judge.requests(facts);
    judge.sights(facts);
    judge.receipts(facts, logs);
    judge.resumes(facts);
    judge.ends(facts);
    judge.found
}

/// A final log, ready to be asked.
struct Judged<'a> {
    log: &'a FinalLog,
    by_seq: BTreeMap<Seq, &'a Entry>,
    by_key: BTreeMap<(UserId, &'a ClientKey), Vec<Seq>>,
    /// For a group: when each user came and went, by seq.
    stays: BTreeMap<UserId, Vec<(Seq, Option<Seq>)>>,
}

impl<'a> Judged<'a> {
    fn of(log: &'a FinalLog) -> Self {
        let by_seq = log.entries.iter().map(|entry| (entry.seq, entry)).collect();
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut stays: BTreeMap<_, Vec<(Seq, Option<Seq>)>> = BTreeMap::new();
        for entry in &log.entries {
            by_key.entry((entry.author, &entry.client_key)).or_default().push(entry.seq);
            match &entry.act {
                Act::Created { members, .. } => {
                    for member in members.iter().chain([&entry.author]) {
                        stays.entry(*member).or_default().push((entry.seq, None));
                    }
                }
                Act::Joined { members } => members.iter().for_each(|member| begin(stays.entry(*member).or_default(), entry.seq)),
                Act::Left { member } => {
                    if let Some((_, until)) = stays.get_mut(member).and_then(|stays| stays.last_mut()) {
                        until.get_or_insert(entry.seq);
                    }
                }
                Act::Message(_) | Act::Appeared { .. } | Act::Vanished { .. } => {}
                Act::Edited { .. }
                | Act::Deleted { .. }
                | Act::Erased(_)
                | Act::Reacted { .. }
                | Act::Changed(_)
                | Act::RoleSet { .. }
                | Act::HandedOver { .. }
                | Act::Invited { .. }
                | Act::Declined { .. }
                | Act::Set { .. }
                | Act::Noticed(_)
                | Act::Withdrawn { .. }
                | Act::NoticesRead { .. }
                | Act::Related { .. }
                | Act::AccountChanged => {}
            }
        }
        Self { log, by_seq, by_key, stays }
    }

    /// Whether a user takes part when the entry at `seq` is written.
    fn takes_part(&self, user: UserId, seq: Seq) -> bool {
        match self.log.id {
            ConversationId::Direct(pair) => pair.has(user),
            ConversationId::Group(_) => self
                .stays
                .get(&user)
                .is_some_and(|stays| stays.iter().any(|(since, until)| *since <= seq && until.is_none_or(|until| seq <= until))),
        }
    }

    /// Up to where a user may read after everything.
    fn readable(&self, user: UserId) -> Option<Seq> {
        match self.log.id {
            ConversationId::Direct(_) => Some(self.log.head.tail),
            ConversationId::Group(_) => {
                self.stays.get(&user).and_then(|stays| stays.last()).map(|(_, until)| until.unwrap_or(self.log.head.tail))
            }
        }
    }
}

struct Judge<'a> {
    logs: BTreeMap<ConversationId, Judged<'a>>,
    found: Vec<Violation>,
}

/// A stay begins, unless one is going on.
fn begin(stays: &mut Vec<(Seq, Option<Seq>)>, at: Seq) {
    if stays.last().is_none_or(|(_, until)| until.is_some()) {
        stays.push((at, None));
    }
}

/// What a request was and how it ended.
struct Story<'a> {
    user: UserId,
    asked: &'a Asked,
    asked_at: u64,
    /// Whether nobody had asked for the same under the same key before.
    first: bool,
    ends: Vec<(&'a End, u64)>,
}

/// What became of everything that was asked under one key.
#[derive(Default)]
struct Key<'a> {
    acts: Vec<&'a Act>,
    acks: Vec<(&'a Appended, &'a Act)>,
    open: bool,
    refused: bool,
}

impl<'a> Judge<'a> {
    fn must(&mut self, kept: bool, of: &'static str, what: impl FnOnce() -> String) {
        if !kept {
            self.found.push(Violation { of, what: what() });
        }
    }

    /// I2, I3: the log in itself.
    fn log(&mut self, log: &FinalLog) {
        let id = log.id;
        let mut last: Option<&Entry> = None;
        for entry in &log.entries {
            let expected = match last {
                None => 1,
                Some(last) if last.seq.get() == u64::from(is_group(id)) && log.skipped > 0 => log.skipped + 1,
                Some(last) => last.seq.get() + 1,
            };
            let begins = last.is_none() && log.skipped > 0 && !is_group(id);
            self.must(begins || entry.seq.get() == expected, "I3", || format!("{id} has {} where {expected} belongs", entry.seq.get()));
            if let Some(last) = last {
                self.must(entry.id > last.id, "N4", || format!("{id}: the number at {} does not rise", entry.seq.get()));
                self.must(entry.at > last.at, "I4", || format!("{id}: the time at {} does not rise", entry.seq.get()));
                let step = u64::from(entry.act.is_message());
                let sparse = entry.seq.get() == log.skipped + 1;
                self.must(sparse || entry.pos.0 == last.pos.0 + step, "I3", || format!("{id}: the position at {}", entry.seq.get()));
            }
            last = Some(entry);
        }
        let end = last.map_or((Seq::ZERO, 0), |last| (last.seq, last.pos.0));
        self.must(end == (log.head.tail, log.head.count.0), "I3", || format!("{id}: the head says {:?}, the rows {end:?}", log.head));
        let judged = Judged::of(log);
        for ((author, key), seqs) in &judged.by_key {
            self.must(seqs.len() == 1, "I2", || format!("{id}: {} of u{} stands at {seqs:?}", key.as_str(), author.get()));
        }
        for entry in &log.entries {
            self.membership(&judged, entry);
        }
    }

    /// I8: whoever writes takes part, and a membership begins and ends once.
    fn membership(&mut self, judged: &Judged<'_>, entry: &Entry) {
        let (id, seq) = (judged.log.id, entry.seq);
        match &entry.act {
            Act::Created { .. } => self.must(seq.get() == 1, "I3", || format!("{id} is created at {}", seq.get())),
            Act::Left { member } => {
                let ends = judged.stays.get(member).is_some_and(|stays| stays.iter().any(|(_, until)| *until == Some(seq)));
                self.must(ends, "I8", || format!("{id}: u{} leaves at {} and was not there", member.get(), seq.get()));
            }
            Act::Message(_)
            | Act::Joined { .. }
            | Act::Edited { .. }
            | Act::Deleted { .. }
            | Act::Erased(_)
            | Act::Reacted { .. }
            | Act::Changed(_)
            | Act::RoleSet { .. }
            | Act::HandedOver { .. }
            | Act::Invited { .. } => {
                let author = entry.author;
                self.must(judged.takes_part(author, seq), "I8", || {
                    format!("{id}: {} at {} is by u{}, who is no member", entry.client_key.as_str(), seq.get(), author.get())
                });
            }
            Act::Declined { .. } => {} // by whoever was invited: no member
            Act::Appeared { .. }
            | Act::Vanished { .. }
            | Act::Set { .. }
            | Act::Noticed(_)
            | Act::Withdrawn { .. }
            | Act::NoticesRead { .. }
            | Act::Related { .. }
            | Act::AccountChanged => {
                self.must(false, "I3", || format!("{id} has an entry of a user's log at {}", seq.get()));
            }
        }
    }

    /// I1, I2, I5, I10: what was asked and what was answered.
    fn requests(&mut self, facts: &'a [Fact]) {
        let mut stories: BTreeMap<(Line, u32), Story<'_>> = BTreeMap::new();
        let mut sent = BTreeSet::new();
        for fact in facts {
            match fact {
                Fact::Asked { line, user, request, asked, at } => {
                    let first = match asked {
                        Asked::Store(id, key, _) => sent.insert((*id, *user, key)),
                        Asked::Create(_) | Asked::Mark | Asked::Know => true,
                    };
                    stories.insert((*line, *request), Story { user: *user, asked, asked_at: *at, first, ends: vec![] });
                }
                Fact::Ended { line, request, end, at } => {
                    if let Some(story) = stories.get_mut(&(*line, *request)) {
                        story.ends.push((end, *at));
                    }
                }
                _ => {}
            }
        }
        let mut keys: BTreeMap<(ConversationId, UserId, &ClientKey), Key<'_>> = BTreeMap::new();
        for ((line, request), story) in &stories {
            let ends = &story.ends;
            self.must(ends.len() == 1, "I10", || format!("{line} #{request} was answered {} times", ends.len()));
            let Some((end, at)) = ends.first() else { continue };
            let took = at - story.asked_at;
            self.must(took <= ANSWERED_WITHIN, "I10", || format!("{line} #{request} ({}) took {took} ms, then {end}", story.asked));
            let frozen = matches!(end, End::Refused(Rejected::Frozen));
            self.must(!frozen, "I1", || format!("{line} #{request}: a log is frozen though the store is sound"));
            if let Asked::Store(conversation, key, act) = story.asked {
                note(keys.entry((*conversation, story.user, key)).or_default(), end, act);
            }
        }
        for ((conversation, author, key), story) in &keys {
            self.key(*conversation, *author, key, story);
        }
        self.order(&stories);
    }

    fn key(&mut self, id: ConversationId, author: UserId, key: &ClientKey, story: &Key<'_>) {
        let name = key.as_str();
        let stands = self.logs.get(&id).and_then(|log| log.by_key.get(&(author, key))).and_then(|seqs| seqs.first()).copied();
        for (ack, act) in &story.acks {
            let entry = self.logs.get(&id).and_then(|log| log.by_seq.get(&ack.seq)).copied();
            let kept = entry.is_some_and(|entry| {
                (entry.author, &entry.client_key, entry.id, entry.at, entry.pos) == (author, key, ack.id, ack.at, ack.pos)
                    && same(&entry.act, act)
            });
            self.must(kept, "I1", || {
                let there = entry.map_or("nothing".to_owned(), |entry| format!("{} of u{}", entry.client_key.as_str(), entry.author.get()));
                format!("{id}: {name} of u{} was acknowledged at {}, where {there} stands", author.get(), ack.seq.get())
            });
        }
        // Two of them may both say that they are the first: where two owners wrote the very same entry, the one that lost
        // finds it where it wanted to put it. The values are the first ones all the same.
        if stands.is_some() {
            let excuse = story.open || !story.acks.is_empty();
            self.must(excuse, "I10", || format!("{id}: {name} of u{} stands at {stands:?}, and was only ever refused", author.get()));
        }
        let one = |act: &&Act| story.acks.iter().all(|(_, acked)| same(acked, act));
        let conflict = story.acts.iter().all(one) || story.refused || story.open;
        self.must(conflict, "I2", || format!("{id}: {name} of u{} was used for two contents, and none was refused", author.get()));
    }

    /// I5: on one connection, what was sent first and acknowledged as new stands first. What had been sent before, on
    /// another connection, may keep the place that it had there.
    fn order(&mut self, stories: &BTreeMap<(Line, u32), Story<'_>>) {
        let mut last: BTreeMap<(Line, ConversationId), (u32, Seq)> = BTreeMap::new();
        for ((line, request), story) in stories {
            let (Asked::Store(id, ..), Some((End::Acked(ack), _))) = (story.asked, story.ends.first()) else { continue };
            if ack.duplicate || !story.first {
                continue;
            }
            if let Some((earlier, seq)) = last.insert((*line, *id), (*request, ack.seq)) {
                self.must(ack.seq > seq, "I5", || {
                    format!("{line}: #{earlier} was sent before #{request} and stands at {} after {}", seq.get(), ack.seq.get())
                });
            }
        }
    }

    /// I1, I4, I8: what clients saw is what stands in the log, and theirs to see.
    fn sights(&mut self, facts: &[Fact]) {
        let mut landed: BTreeMap<(ConversationId, Seq), usize> = BTreeMap::new();
        for (index, fact) in facts.iter().enumerate() {
            if let Fact::Landed { log: LogId::Conversation(id), entries } = fact {
                for entry in entries {
                    landed.entry((*id, entry.seq)).or_insert(index);
                }
            }
        }
        for (index, fact) in facts.iter().enumerate() {
            let Fact::Saw { line, user, conversation: id, entry, by } = fact else { continue };
            let Some(log) = self.logs.get(id) else {
                self.must(false, "I8", || format!("{line} saw {} of {id}, a log that is not there", entry.seq.get()));
                continue;
            };
            let kept = log.by_seq.get(&entry.seq).is_some_and(|stands| is_what_stood(entry, stands));
            let allowed = log.takes_part(*user, entry.seq) || Self::may_look_back(log, &landed, (*id, *user), entry.seq, index);
            let seq = entry.seq.get();
            self.must(kept, "I1", || format!("{line} saw another entry at {seq} of {id} by {by:?} than what stands there"));
            self.must(allowed, "I8", || format!("{line}: u{} saw {seq} of {id} by {by:?} and was no member", user.get()));
        }
    }

    /// Members may read everything from before their time: whether this one was one when the entry came.
    fn may_look_back(
        log: &Judged<'_>,
        landed: &BTreeMap<(ConversationId, Seq), usize>,
        (id, user): (ConversationId, UserId),
        seq: Seq,
        index: usize,
    ) -> bool {
        let began = |since: &Seq| *since == Seq::ZERO.next() || landed.get(&(id, *since)).is_some_and(|landed| *landed < index);
        log.stays.get(&user).is_some_and(|stays| stays.iter().any(|(since, _)| *since > seq && began(since)))
    }

    /// I6: marks shown were stored, never fall and never pass the tail.
    fn receipts(&mut self, facts: &[Fact], logs: &[FinalLog]) {
        let mut shown: BTreeMap<(Line, ConversationId, UserId), Marks> = BTreeMap::new();
        let mut stored: BTreeMap<(ConversationId, UserId), Marks> = BTreeMap::new();
        let covers = |one: &Marks, other: &Marks| one.read.seq >= other.read.seq && one.delivered.seq >= other.delivered.seq;
        for fact in facts {
            let Fact::Shown { line, conversation: id, member, marks, stored: stands } = fact else { continue };
            let name = format!("{line}: the marks of u{} in {id}", member.get());
            self.must(covers(stands, marks), "I6", || format!("{name} were shown before they were stored"));
            if let Some(before) = shown.insert((*line, *id, *member), *marks) {
                self.must(covers(marks, &before), "I6", || format!("{name} fell"));
            }
            if let Some(before) = stored.insert((*id, *member), *stands) {
                self.must(covers(stands, &before), "I6", || format!("{name} fell in the store"));
            }
        }
        for log in logs {
            for (member, marks) in &log.marks {
                let name = format!("the marks of u{} in {}", member.get(), log.id);
                let within = marks.read.seq <= log.head.tail && marks.delivered.seq <= log.head.tail && marks.badge <= log.head.count;
                self.must(within, "I6", || format!("{name} pass the tail"));
                if let Some(before) = stored.get(&(log.id, *member)) {
                    self.must(covers(marks, before), "I6", || format!("{name} fell in the store"));
                }
            }
        }
    }

    /// I7: a resume is exact, or says what is missing; so is a page.
    fn resumes(&mut self, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Resumed { line, user, conversation: id, from, known, tail, outcome } => {
                    let name = format!("{line}: the resume of {id} from {}", from.get());
                    self.resume(&name, (*id, *user), (*from, *known, tail.seq), outcome);
                }
                Fact::Paged { line, conversation: id, after, tail, more, seqs } => {
                    let name = format!("{line}: the page of {id} after {}", after.get());
                    let wanted: Vec<_> = (after.get() + 1..).take(seqs.len()).collect();
                    let got: Vec<_> = seqs.iter().map(|seq| seq.get()).collect();
                    self.must(got == wanted, "I7", || format!("{name} has {got:?}"));
                    let whole = *more || got.last().copied().unwrap_or(after.get()) >= tail.get().max(after.get());
                    self.must(whole, "I7", || format!("{name} ends at {got:?} of {}", tail.get()));
                }
                _ => {}
            }
        }
    }

    fn resume(&mut self, name: &str, (id, user): (ConversationId, UserId), (from, known, tail): (Seq, Seq, Seq), outcome: &Resumed) {
        let log = self.logs.get(&id);
        let stays = log.and_then(|log| log.stays.get(&user));
        let cut = stays.is_some_and(|stays| stays.iter().any(|stay| stay.1.is_some()));
        let stranger = is_group(id) && stays.is_none();
        let there = log.is_some_and(|log| known.get() > log.log.skipped);
        let reset = matches!(outcome, Resumed::Reset(_));
        self.must(reset || cut || tail >= known, "I7", || format!("{name} ends before {}", known.get()));
        match outcome {
            Resumed::Complete(entries) => {
                let seqs: Vec<_> = entries.iter().map(|entry| entry.entry.seq.get()).collect();
                let wanted: Vec<_> = (from.get() + 1..=tail.get()).collect();
                self.must(seqs == wanted, "I7", || format!("{name} to {} brought {seqs:?}", tail.get()));
            }
            Resumed::Gap { from: first, to } => {
                self.must((*first, *to) == (from.next(), tail), "I7", || format!("{name} names a gap {first:?} to {to:?}"));
            }
            Resumed::Reset(ResetReason::NotAMember) => {
                self.must(stranger || !there, "I7", || format!("{name} is refused to a member"));
            }
            Resumed::Reset(_) | Resumed::TooLong { .. } => self.must(false, "I7", || format!("{name} is {outcome:?}")),
        }
    }

    /// I7, I10: after everything each client knows each log to its end, and the fate of all it sent.
    fn ends(&mut self, facts: &[Fact]) {
        let mut known_logs: BTreeSet<(UserId, ConversationId)> = BTreeSet::new();
        for fact in facts {
            match fact {
                Fact::Ends { client, user, conversation: id, known } => {
                    known_logs.insert((*user, *id));
                    let Some(log) = self.logs.get(id) else { continue };
                    let (tail, readable) = (log.log.head.tail, log.readable(*user));
                    let kept = tail == Seq::ZERO || *known == readable;
                    self.must(kept, "I7", || format!("c{client} (u{}) ends with {id} at {known:?} of {readable:?}", user.get()));
                }
                Fact::Unsettled { client, key, last } => {
                    self.must(false, "I10", || format!("c{client} never learned the fate of {}: {last}", key.as_str()));
                }
                _ => {}
            }
        }
    }
}

fn note<'a>(key: &mut Key<'a>, end: &'a End, act: &'a Act) {
    key.acts.push(act);
    match end {
        // It stood so already: nothing was written, and the answer names the message.
        End::Acked(ack) if ack.duplicate && matches!(act, Act::Reacted { target, .. } if *target == ack.seq) => {}
        End::Acked(ack) => key.acks.push((ack, act)),
        End::Refused(Rejected::Unknown) | End::Cut => key.open = true,
        End::Refused(_) => key.refused = true,
        End::Marked(_) | End::Answered => {}
    }
}

/// Whether a client saw what stands there, or what stood there before it was erased.
fn is_what_stood(seen: &Entry, stands: &Entry) -> bool {
    let erased = matches!(stands.act, Act::Erased(_)) && Digest::of(&seen.act) == Digest::of(&stands.act);
    seen == stands || (erased && Entry { act: seen.act.clone(), ..stands.clone() } == *seen)
}

/// Whether an entry says what was asked for: members count as a set, and what was erased is known by its digest.
fn same(one: &Act, other: &Act) -> bool {
    match (one, other) {
        (Act::Erased(_), _) | (_, Act::Erased(_)) => Digest::of(one) == Digest::of(other),
        (Act::Joined { members: ours }, Act::Joined { members: theirs }) => {
            ours.iter().collect::<BTreeSet<_>>() == theirs.iter().collect::<BTreeSet<_>>()
        }
        _ => one == other,
    }
}

fn is_group(id: ConversationId) -> bool {
    matches!(id, ConversationId::Group(_))
}

/// Violations as text, the first few.
pub(crate) fn told(violations: &[Violation]) -> String {
    let mut text = String::new();
    for Violation { of, what } in violations.iter().take(8) {
        writeln!(text, "  {of}: {what}").expect("a string takes everything");
    }
    if violations.len() > 8 {
        writeln!(text, "  and {} more", violations.len() - 8).expect("a string takes everything");
    }
    text
}
