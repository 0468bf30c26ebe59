//! Crashes between any two writes of the store: list row, user's log, append, projection and ack (D10, D11).
//!
//! A script runs until the store has done a number of writes; then the node is gone, with or without the answer to the
//! last of them. Another node over what is there must agree with the logs in everything, and the script, gone on with
//! under its keys, must come to the end that it has without a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actors::account::{Account, Login, Seen};
use actors::bits::Bits;
use actors::command::{Command, MarkKind, Query, Span};
use actors::content::{GroupName, Reaction};
use actors::entry::{Act, Amendment, Batch, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences, Role};
use actors::event::Event;
use actors::id::{Bucket, ConversationId, DirectNumber, Epoch, GroupId, LogId, LoginId, Pair, Segment, Seq, UserId};
use actors::limits::{Limit, Limits};
use actors::media::{Media, MediaId};
use actors::node::Node;
use actors::rejected::Rejected;
use actors::relation::Bond;
use actors::store::{
    AccountKey, AccountStore, Answer, AppendError, Block, HomeStore, LogStore, Marks, MediaStore, MemberStore, MessageStore, Overview,
    PutError, RelationStore, Sequence, Store, Versioned,
};
use actors::testkit::clock::ManualClock;
use actors::time::Timestamp;
use actors::view::{Appended, View};
use tokio::sync::Notify;

use crate::world::{Device, account, direct, key, post, start, user};

/// Users of the script.
const USERS: u64 = 5;

/// A store that dies after so many writes: no later call is done, and none is answered.
struct Mortal {
    inner: Arc<dyn Store>,
    writes: AtomicUsize,
    life: usize,
    /// Whether the last write is answered.
    answers_last: bool,
    /// A planted mistake: the last append is done without its rows.
    forgets_rows: bool,
    died: Notify,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The last write is done, and its answer lost.
    Unanswered,
    /// The last write is done and answered.
    Answered,
    /// The same, and a mistake is planted that must be found.
    Planted,
}

impl Mortal {
    fn new(inner: Arc<dyn Store>, life: usize, end: End) -> Arc<Self> {
        let (answers_last, forgets_rows) = (end != End::Unanswered, end == End::Planted);
        Arc::new(Self { inner, writes: AtomicUsize::new(0), life, answers_last, forgets_rows, died: Notify::new() })
    }

    async fn die(&self) -> ! {
        self.died.notify_one();
        loop {
            std::future::pending::<()>().await;
        }
    }

    fn write<'a, T: Send + 'a, E: Send + 'a>(&'a self, call: Answer<'a, T, E>) -> Answer<'a, T, E> {
        Box::pin(async move {
            let number = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
            if number > self.life {
                self.die().await;
            }
            let answer = call.await;
            if number == self.life && !self.answers_last {
                self.die().await;
            }
            answer
        })
    }

    fn read<'a, T: Send + 'a>(&'a self, call: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            if self.writes.load(Ordering::Relaxed) > self.life {
                self.die().await;
            }
            call.await
        })
    }
}

impl LogStore for Mortal {
    fn head(&self, log: LogId) -> Answer<'_, Head> {
        self.read(self.inner.head(log))
    }
    fn heads<'a>(&'a self, logs: &'a [LogId]) -> Answer<'a, Vec<Head>> {
        self.read(self.inner.heads(logs))
    }
    fn claim(&self, log: LogId, seen: Head) -> Answer<'_, Epoch, AppendError> {
        self.write(self.inner.claim(log, seen))
    }
    fn append(&self, log: LogId, mut batch: Arc<Batch>) -> Answer<'_, (), AppendError> {
        if self.forgets_rows && self.writes.load(Ordering::Relaxed) + 1 == self.life {
            batch = Arc::new(Batch { projections: Vec::new(), ..Batch::clone(&batch) });
        }
        self.write(self.inner.append(log, batch))
    }
    fn range(&self, log: LogId, from: Seq, to: Seq, limit: usize, newest_first: bool) -> Answer<'_, Vec<Entry>> {
        self.read(self.inner.range(log, from, to, limit, newest_first))
    }
    fn draw(&self, sequence: Sequence, count: u64) -> Answer<'_, Block> {
        self.write(self.inner.draw(sequence, count))
    }
    fn bind_segment(&self, segment: Segment, log: LogId, bucket: Bucket) -> Answer<'_, ()> {
        self.write(self.inner.bind_segment(segment, log, bucket))
    }
    fn bucket_of(&self, segment: Segment) -> Answer<'_, Option<(LogId, Bucket)>> {
        self.read(self.inner.bucket_of(segment))
    }
}

impl MemberStore for Mortal {
    fn group(&self, group: GroupId) -> Answer<'_, Option<GroupRow>> {
        self.read(self.inner.group(group))
    }
    fn membership(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Membership>> {
        self.read(self.inner.membership(group, user))
    }
    fn members(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Membership)>> {
        self.read(self.inner.members(group, after, limit))
    }
    fn listed(&self, user: UserId, after: Option<ConversationId>, limit: usize) -> Answer<'_, Vec<ConversationId>> {
        self.read(self.inner.listed(user, after, limit))
    }
    fn marks<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Marks>> {
        self.read(self.inner.marks(user, conversations))
    }
    fn raise(&self, conversation: ConversationId, marks: Vec<(UserId, Marks)>) -> Answer<'_, Vec<Marks>> {
        self.write(self.inner.raise(conversation, marks))
    }
    fn marks_of<'a>(&'a self, conversation: ConversationId, users: &'a [UserId]) -> Answer<'a, Vec<Marks>> {
        self.read(self.inner.marks_of(conversation, users))
    }
    fn overviews<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Overview>> {
        self.read(self.inner.overviews(user, conversations))
    }
    fn invitations(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Invitation)>> {
        self.read(self.inner.invitations(group, after, limit))
    }
    fn invitation(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Invitation>> {
        self.read(self.inner.invitation(group, user))
    }
}

impl AccountStore for Mortal {
    fn account(&self, key: AccountKey) -> Answer<'_, Option<Versioned<Account>>> {
        self.read(self.inner.account(key))
    }
    fn accounts<'a>(&'a self, ids: &'a [UserId]) -> Answer<'a, Vec<Option<Account>>> {
        self.read(self.inner.accounts(ids))
    }
    fn put_account(&self, account: Account, version: u64) -> Answer<'_, (), PutError> {
        self.write(self.inner.put_account(account, version))
    }
    fn login(&self, id: LoginId) -> Answer<'_, Option<Versioned<Login>>> {
        self.read(self.inner.login(id))
    }
    fn put_login(&self, login: Login, version: u64) -> Answer<'_, (), PutError> {
        self.write(self.inner.put_login(login, version))
    }
    fn erasing(&self, limit: usize) -> Answer<'_, Vec<UserId>> {
        self.read(self.inner.erasing(limit))
    }
    fn logins(&self, user: UserId, now: Timestamp, limit: usize) -> Answer<'_, Vec<Versioned<Login>>> {
        self.read(self.inner.logins(user, now, limit))
    }
    fn search<'a>(&'a self, prefix: &'a str, limit: usize) -> Answer<'a, Vec<UserId>> {
        self.read(self.inner.search(prefix, limit))
    }
    fn seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<Seen>> {
        self.read(self.inner.seen(users))
    }
    fn touch(&self, user: UserId, seen: Seen) -> Answer<'_, ()> {
        self.write(self.inner.touch(user, seen))
    }
}

impl MessageStore for Mortal {
    fn amendments(&self, conversation: ConversationId, from: Seq, to: Seq, limit: usize) -> Answer<'_, Vec<(Seq, Amendment)>> {
        self.read(self.inner.amendments(conversation, from, to, limit))
    }
    fn reactions_of<'a>(&'a self, conversation: ConversationId, user: UserId, messages: &'a [Seq]) -> Answer<'a, Vec<Vec<Reaction>>> {
        self.read(self.inner.reactions_of(conversation, user, messages))
    }
    fn reactions(
        &self,
        conversation: ConversationId,
        message: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<(UserId, Vec<Reaction>)>> {
        self.read(self.inner.reactions(conversation, message, after, limit))
    }
    fn gone(&self, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        self.read(self.inner.gone(conversation, from, to))
    }
    fn direct_numbers<'a>(&'a self, pairs: &'a [Pair]) -> Answer<'a, Vec<Option<DirectNumber>>> {
        self.read(self.inner.direct_numbers(pairs))
    }
    fn direct(&self, number: DirectNumber) -> Answer<'_, Option<Pair>> {
        self.read(self.inner.direct(number))
    }
}

impl HomeStore for Mortal {
    fn preferences<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Preferences>> {
        self.read(self.inner.preferences(user, conversations))
    }
    fn hidden(&self, user: UserId, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        self.read(self.inner.hidden(user, conversation, from, to))
    }
    fn notices(&self, user: UserId, before: Option<Seq>, limit: usize) -> Answer<'_, Vec<(Seq, Notice)>> {
        self.read(self.inner.notices(user, before, limit))
    }
    fn notices_read(&self, user: UserId) -> Answer<'_, Seq> {
        self.read(self.inner.notices_read(user))
    }
}

impl RelationStore for Mortal {
    fn bond(&self, pair: Pair) -> Answer<'_, Versioned<Bond>> {
        self.read(self.inner.bond(pair))
    }
    fn put_bond(&self, bond: Bond, version: u64) -> Answer<'_, (), PutError> {
        self.write(self.inner.put_bond(bond, version))
    }
    fn bonds(&self, user: UserId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<Bond>> {
        self.read(self.inner.bonds(user, after, limit))
    }
    fn bonds_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<Bond>> {
        self.read(self.inner.bonds_with(user, others))
    }
}

impl MediaStore for Mortal {
    fn media(&self, id: MediaId) -> Answer<'_, Option<Versioned<Media>>> {
        self.read(self.inner.media(id))
    }
    fn put_media(&self, media: Media, version: u64) -> Answer<'_, (), PutError> {
        self.write(self.inner.put_media(media, version))
    }
    fn media_used(&self, user: UserId) -> Answer<'_, u64> {
        self.read(self.inner.media_used(user))
    }
    fn media_of(&self, owner: UserId, after: Option<MediaId>, limit: usize) -> Answer<'_, Vec<MediaId>> {
        self.read(self.inner.media_of(owner, after, limit))
    }
    fn media_due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<MediaId>> {
        self.read(self.inner.media_due(now, limit))
    }
}

impl Store for Mortal {
    fn readiness(&self) -> Result<(), String> {
        self.inner.readiness()
    }
}

/// What a client knows by the answers that it got: the group, and how many steps of the script are done.
#[derive(Default)]
struct Progress {
    group: Option<ConversationId>,
    done: usize,
    acks: Vec<(u64, Appended)>,
}

/// Who does what in each step.
fn script(step: usize, group: Option<ConversationId>) -> Option<(u64, Command)> {
    let group = || group.expect("the group was created first");
    let read = |conversation, seq| Command::Mark { conversation, mark: MarkKind::Read, seq: Seq::new(seq).expect("valid"), private: false };
    let members = |numbers: &[u64]| numbers.iter().map(|number| user(*number)).collect();
    let name = GroupName::new("friends").expect("valid");
    Some(match step {
        0 => (1, Command::CreateGroup { client_key: key("c"), name, members: members(&[2, 3]), open: false }),
        1 => (1, post(group(), "p1", "one")),
        2 => (2, read(group(), 2)),
        3 => (1, Command::AddMembers { conversation: group(), client_key: key("a"), members: members(&[4]) }),
        4 => (4, post(group(), "p2", "two")),
        5 => (1, Command::RemoveMember { conversation: group(), client_key: key("r"), member: user(2) }),
        6 => (1, post(group(), "p3", "three")),
        7 => (3, read(group(), 4)),
        8 => (1, post(direct(1, 5), "d1", "hello")),
        9 => (5, post(direct(1, 5), "d2", "hello you")),
        10 => (1, read(direct(1, 5), 2)),
        11 => (4, Command::RemoveMember { conversation: group(), client_key: key("l"), member: user(4) }),
        _ => return None,
    })
}

/// Goes on with the script to its end, trying again what may be tried again.
async fn play(node: &Node, progress: &mut Progress) {
    let mut devices = BTreeMap::new();
    for number in 1..=USERS {
        devices.insert(number, Device::connect(node, number).await);
    }
    while let Some((actor, command)) = script(progress.done, progress.group) {
        let device = devices.get_mut(&actor).expect("they are all here");
        match device.ask(command).await {
            Ok(View::Appended(ack)) => {
                progress.group = progress.group.or(Some(ack.conversation));
                progress.acks.push((actor, ack));
                progress.done += 1;
            }
            Ok(View::Marked { .. }) => progress.done += 1,
            Err(Rejected::Unavailable { .. } | Rejected::Unknown) => {}
            other => unreachable!("step {}: {other:?}", progress.done),
        }
    }
}

/// What a conversation's log says of it.
struct Told {
    entries: Vec<Entry>,
    members: BTreeMap<UserId, Role>,
    /// The last seq that a former member may see.
    gone: BTreeMap<UserId, Seq>,
    count: u64,
}

async fn told(store: &dyn Store, conversation: ConversationId) -> Told {
    let far = Seq::new(1_000_000).expect("valid");
    let entries = store.range(conversation.into(), Seq::ZERO, far, usize::MAX, false).await.expect("readable");
    let mut told = Told { entries: Vec::new(), members: BTreeMap::new(), gone: BTreeMap::new(), count: 0 };
    for (entry, seq) in entries.iter().zip(1..) {
        assert_eq!(entry.seq.get(), seq, "{conversation} is dense");
        match &entry.act {
            Act::Message(_) => told.count += 1,
            Act::Created { members, .. } => {
                told.members.extend(members.iter().map(|member| (*member, Role::Member)));
                told.members.insert(entry.author, Role::Owner);
            }
            Act::Joined { members } => told.members.extend(members.iter().map(|member| (*member, Role::Member))),
            Act::Left { member } => {
                told.members.remove(member);
                told.gone.insert(*member, entry.seq);
            }
            Act::Appeared { .. } | Act::Vanished { .. } => unreachable!("of users' logs"),
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
            | Act::AccountChanged => {
                unreachable!("not in the script")
            }
        }
    }
    if let ConversationId::Direct(_) = conversation
        && !entries.is_empty()
    {
        told.members.extend([(user(1), Role::Member), (user(5), Role::Member)]);
    }
    told.entries = entries;
    told
}

/// Rows, lists, counts and what each user may read agree with the logs; what was acknowledged is in them.
async fn agree(store: &dyn Store, node: &Node, progress: &Progress) {
    let mut conversations = vec![direct(1, 5)];
    for number in 1..=USERS {
        let listed = store.listed(user(number), None, 100).await.expect("readable");
        conversations.extend(listed.into_iter().filter(|id| matches!(id, ConversationId::Group(_))));
    }
    conversations.extend(progress.group);
    conversations.sort();
    conversations.dedup();
    let mut exists: BTreeMap<UserId, BTreeSet<ConversationId>> = BTreeMap::new();
    for conversation in conversations {
        let told = told(store, conversation).await;
        for (_, ack) in progress.acks.iter().filter(|(_, ack)| ack.conversation == conversation) {
            let stands = told.entries.get(usize::try_from(ack.seq.get()).expect("small") - 1);
            assert_eq!(stands.map(|entry| (entry.id, entry.at)), Some((ack.id, ack.at)), "acknowledged, at its place");
        }
        if let ConversationId::Group(group) = conversation {
            let rows = store.members(group, None, 100).await.expect("readable");
            let current: BTreeMap<_, _> =
                rows.iter().filter(|(_, place)| place.is_current()).map(|(who, place)| (*who, place.role)).collect();
            assert_eq!(current, told.members, "{conversation}: the rows of members agree with the log");
            let size = store.group(group).await.expect("readable").map_or(0, |row| row.members);
            assert_eq!(size, told.members.len() as u64, "{conversation}: its size agrees with the log");
        }
        for number in 1..=USERS {
            sees(node, store, number, conversation, &told).await;
        }
        for member in told.members.into_keys() {
            exists.entry(member).or_default().insert(conversation);
        }
    }
    for number in 1..=USERS {
        let expected = exists.remove(&user(number)).unwrap_or_default();
        let mut device = Device::connect(node, number).await;
        let answer = device.query(Query::Conversations { cursor: None, limit: None }).await;
        let Ok(View::Conversations { page, .. }) = answer else { unreachable!("{answer:?}") };
        assert_eq!(page.iter().map(|view| view.id).collect::<BTreeSet<_>>(), expected, "user {number} has the conversations that exist");
        let far = Seq::new(1_000_000).expect("valid");
        let own = store.range(LogId::User(user(number)), Seq::ZERO, far, usize::MAX, false).await.expect("readable");
        let heard: BTreeSet<_> = own
            .iter()
            .filter_map(|entry| match entry.act {
                Act::Appeared { conversation } => Some(conversation),
                _ => None,
            })
            .collect();
        assert!(heard.is_superset(&expected), "user {number} can learn of each from the own log: {heard:?} {expected:?}");
        device.disconnect();
    }
}

/// What one user is shown of a conversation.
async fn sees(node: &Node, store: &dyn Store, number: u64, conversation: ConversationId, told: &Told) {
    let who = user(number);
    let mut device = Device::connect(node, number).await;
    let view = device.query(Query::Conversation { conversation }).await;
    let history = device.query(Query::History { conversation, span: Span::Newest, limit: None }).await;
    if told.members.contains_key(&who) {
        let Ok(View::Conversation(view)) = view else { unreachable!("user {number} in {conversation}: {view:?}") };
        let read = store.marks(who, &[conversation]).await.expect("readable")[0].read.pos;
        let own = told.entries.iter().rev().find(|entry| entry.author == who && entry.act.is_message()).map(|entry| entry.pos);
        let seen = read.max(own.unwrap_or_default());
        assert_eq!((view.count.0, view.unread), (told.count, told.count - seen.0), "user {number} in {conversation}");
    }
    let last = told.members.contains_key(&who).then(|| told.entries.last().map(|entry| entry.seq)).flatten();
    let end = last.or(told.gone.get(&who).copied());
    if let (Some(last), Ok(View::History(history))) = (end, history) {
        let shown: Vec<_> = history.entries.iter().map(|entry| entry.entry.seq).collect();
        assert!(shown.iter().all(|seq| *seq <= last), "user {number} is shown nothing beyond {last:?}: {shown:?}");
        assert_eq!(shown.last(), Some(&last), "user {number} is shown everything up to {last:?}");
    }
    device.take_ready();
    let beyond = |event: &Event| match event {
        Event::Entry { conversation: of, entry, .. } => *of == conversation && end.is_none_or(|end| entry.seq > end),
        _ => false,
    };
    assert!(!device.events.iter().any(beyond), "user {number} hears nothing beyond");
    device.disconnect();
}

/// The end of the script, without numbers and times.
async fn ending(store: &dyn Store, group: ConversationId) -> Vec<String> {
    let mut end = Vec::new();
    for conversation in [group, direct(1, 5)] {
        let told = told(store, conversation).await;
        end.extend(told.entries.iter().map(|entry| match &entry.act {
            Act::Created { name, members, .. } => format!("{} created {name:?} {members:?}", entry.author.get()),
            act => format!("{} {} {act:?}", entry.seq.get(), entry.author.get()),
        }));
        for number in 1..=USERS {
            let marks = store.marks(user(number), &[conversation]).await.expect("readable")[0];
            end.push(format!("{number} read {:?} {:?} {:?}", marks.read.seq, marks.read.pos, marks.badge));
        }
    }
    end
}

async fn fresh_node(store: Arc<dyn Store>) -> Node {
    let mut limits = Limits::default();
    // Marks are gathered for a while; where time is real that would be most of the test's.
    limits.set(Limit::ReceiptsDirect, 1);
    limits.set(Limit::ReceiptsGroup, 1);
    start(store, Arc::new(ManualClock::at(Timestamp(1_000_000_000))), limits).await
}

/// A crash after so many writes; answers the end, and how many writes the store had been asked for.
pub(crate) async fn crash(store: Arc<dyn Store>, life: usize, end: End) -> (Vec<String>, usize) {
    for number in 1..=USERS {
        store.put_account(account(number), 0).await.expect("a fresh store");
    }
    let mortal = Mortal::new(Arc::clone(&store), life, end);
    let mut progress = Progress::default();
    let node = fresh_node(Arc::<Mortal>::clone(&mortal)).await;
    tokio::select! {
        () = mortal.died.notified() => {}
        () = play(&node, &mut progress) => {}
    }
    let node = fresh_node(Arc::clone(&store)).await;
    agree(&*store, &node, &progress).await;
    play(&node, &mut progress).await;
    agree(&*store, &node, &progress).await;
    let end = ending(&*store, progress.group.expect("it was created")).await;
    // Who did not hear the end of it asks for everything once more, in another life of the node.
    let node = fresh_node(Arc::clone(&store)).await;
    let mut again = Device::connect(&node, 1).await;
    for step in [0, 1, 3, 5, 6, 8] {
        let (actor, command) = script(step, progress.group).expect("a step");
        assert_eq!(actor, 1);
        let answer = again.ask(command).await;
        assert!(matches!(answer, Ok(View::Appended(ack)) if ack.duplicate), "step {step} again: {answer:?}");
    }
    assert_eq!(ending(&*store, progress.group.expect("it was created")).await, end, "repetitions change nothing");
    (end, mortal.writes.load(Ordering::Relaxed))
}
