//! A node's way to the one store: slow, lossy, late, cut, paused or dead, as the plan and the dice say.
//!
//! It never lies: what it says was done was done, what it says was not done was not, and in every other case it says
//! that it does not know. A write that was sent may land later than its caller's patience, after other writes, even
//! after a newer claim; the store then judges it by its own condition at that moment.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::account::{Account, Login, Seen};
use actors::bits::Bits;
use actors::content::Reaction;
use actors::entry::{Amendment, Batch, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences};
use actors::id::{Bucket, ConversationId, DirectNumber, Epoch, GroupId, LogId, LoginId, Pair, Segment, Seq, UserId};
use actors::media::{Media, MediaId};
use actors::relation::Bond;
use actors::store::{
    AccountKey, AccountStore, Answer, AppendError, Block, HomeStore, LogStore, Marks, MediaStore, MemberStore, MessageStore, Overview,
    PutError, RelationStore, Sequence, Store, StoreError, Versioned,
};
use actors::time::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use crate::history::{Fact, History};
use crate::plan::{Dice, Weather};

/// Whether a node reaches the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It does.
    Up,
    /// Nothing passes; callers may learn it or wait in vain.
    Cut,
    /// Everything stands still, and goes on later.
    Paused,
    /// The node is dead: nothing it does from now on is seen by anybody.
    Dead,
}

/// A node's line to the store. (Not a `watch`: that one wakes its waiters in an order of chance.)
#[derive(Debug)]
pub(crate) struct Link {
    reach: Mutex<Reach>,
    changed: Notify,
}

impl Link {
    /// A line that works.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { reach: Mutex::new(Reach::Up), changed: Notify::new() })
    }
    fn reach(&self) -> Reach {
        *self.reach.lock().expect("setting cannot panic")
    }
    /// Changes it; a dead line stays dead.
    pub(crate) fn set(&self, reach: Reach) {
        let mut stands = self.reach.lock().expect("setting cannot panic");
        if *stands != Reach::Dead {
            *stands = reach;
        }
        drop(stands);
        self.changed.notify_waiters();
    }
    /// Waits until the line is no longer paused; then says how it is. Never for a dead one.
    async fn passable(&self) -> Reach {
        loop {
            let changed = self.changed.notified();
            match self.reach() {
                reach @ (Reach::Up | Reach::Cut) => return reach,
                Reach::Paused | Reach::Dead => changed.await,
            }
        }
    }
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy)]
struct Fate {
    there: Duration,
    back: Duration,
    request_lost: bool,
    reply_lost: bool,
    /// When the caller is told that nothing is known; never, if the caller's own deadline is to tell.
    patience: Option<Duration>,
}

type Doing<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// One node's view of the store.
pub(crate) struct FaultyStore {
    node: usize,
    inner: Arc<dyn Store>,
    link: Arc<Link>,
    weather: Weather,
    /// From now on nothing goes wrong any more.
    calm: Arc<AtomicBool>,
    dice: Mutex<Dice>,
    history: Arc<History>,
}

impl FaultyStore {
    /// The store as this node sees it.
    pub(crate) fn new(
        node: usize,
        inner: Arc<dyn Store>,
        link: Arc<Link>,
        (weather, calm): (Weather, Arc<AtomicBool>),
        dice: Dice,
        history: Arc<History>,
    ) -> Self {
        Self { node, inner, link, weather, calm, dice: Mutex::new(dice), history }
    }

    fn fate(&self, write: bool) -> Fate {
        let mut dice = self.dice.lock().expect("throwing dice cannot panic");
        let (there, back) = (Duration::from_micros(dice.below(3_000)), Duration::from_micros(dice.below(3_000)));
        let mut fate = Fate { there, back, request_lost: false, reply_lost: false, patience: None };
        if self.calm.load(Ordering::Relaxed) {
            return fate;
        }
        let weather = self.weather;
        let slow = u64::try_from(weather.slow_for.as_millis()).expect("short");
        let late = u64::try_from(weather.late_for.as_millis()).expect("short");
        if dice.often(weather.slow) {
            if dice.often(500) { fate.there += dice.millis(1, slow) } else { fate.back += dice.millis(1, slow) }
        }
        let tells = dice.often(700).then(|| dice.millis(1, 1_500));
        if dice.often(weather.lost_requests) {
            fate.request_lost = true;
            fate.patience = tells;
        } else if dice.often(weather.lost_replies) {
            fate.reply_lost = true;
            fate.patience = tells;
        } else if write && dice.often(weather.late) {
            fate.there += dice.millis(1, late);
            fate.patience = Some(dice.millis(1, 300));
        }
        fate
    }

    async fn call<T: Send + 'static, E: Send + 'static>(
        &self,
        (name, write): (&'static str, bool),
        unknown: E,
        work: impl FnOnce(Arc<dyn Store>) -> Doing<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let fate = self.fate(write);
        let (node, link, inner, history) = (self.node, Arc::clone(&self.link), Arc::clone(&self.inner), Arc::clone(&self.history));
        let (sender, answer) = oneshot::channel();
        detach(async move {
            if link.passable().await == Reach::Cut || fate.request_lost {
                return history.note(format_args!("n{node} {name} did not arrive"));
            }
            sleep(fate.there).await;
            let result = work(inner).await;
            sleep(fate.back).await;
            if link.passable().await == Reach::Cut || fate.reply_lost {
                return history.note(format_args!("n{node} {name} was done, its answer lost"));
            }
            drop(sender.send(result)); // the caller may have given up
        });
        let answer = async {
            match answer.await {
                Ok(result) => result,
                Err(_) => std::future::pending().await,
            }
        };
        match fate.patience {
            Some(patience) => timeout(patience, answer).await.unwrap_or(Err(unknown)),
            // A cut line is noticed soon, or not at all.
            None if self.cut_and_noticed() => timeout(Duration::from_millis(20), answer).await.unwrap_or(Err(unknown)),
            None => answer.await,
        }
    }

    fn cut_and_noticed(&self) -> bool {
        self.link.reach() == Reach::Cut && self.dice.lock().expect("throwing dice cannot panic").often(500)
    }
}

/// Lets something go on by itself, as the network and the store do whoever has given up waiting.
#[expect(clippy::disallowed_methods, reason = "what is on its way to the store has no owner any more")]
pub(crate) fn detach(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
}

fn nothing_known() -> String {
    "nothing is known of it".to_owned()
}

fn unknown() -> StoreError {
    StoreError::Unknown(nothing_known())
}

fn unavailable() -> StoreError {
    StoreError::Unavailable(nothing_known())
}

impl LogStore for FaultyStore {
    fn head(&self, log: LogId) -> Answer<'_, Head> {
        Box::pin(self.call(("head", false), unavailable(), move |store| Box::pin(async move { store.head(log).await })))
    }

    fn heads<'a>(&'a self, logs: &'a [LogId]) -> Answer<'a, Vec<Head>> {
        let logs = logs.to_vec();
        Box::pin(self.call(("heads", false), unavailable(), move |store| Box::pin(async move { store.heads(&logs).await })))
    }

    fn claim(&self, log: LogId, seen: Head) -> Answer<'_, Epoch, AppendError> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.claim(log, seen).await }) };
        Box::pin(self.call(("claim", true), AppendError::Unknown(nothing_known()), work))
    }

    fn append(&self, log: LogId, batch: Arc<Batch>) -> Answer<'_, (), AppendError> {
        let (history, node) = (Arc::clone(&self.history), self.node);
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> {
            Box::pin(async move {
                let answer = store.append(log, Arc::clone(&batch)).await;
                match &answer {
                    Ok(()) => history.fact(Fact::Landed { log, entries: batch.entries.clone() }),
                    Err(error) => history.note(format_args!("n{node} append to {log:?} on {}: {error}", batch.base.get())),
                }
                answer
            })
        };
        Box::pin(self.call(("append", true), AppendError::Unknown(nothing_known()), work))
    }

    fn range(&self, log: LogId, from: Seq, to: Seq, limit: usize, newest_first: bool) -> Answer<'_, Vec<Entry>> {
        let work =
            move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.range(log, from, to, limit, newest_first).await }) };
        Box::pin(self.call(("range", false), unavailable(), work))
    }

    fn draw(&self, sequence: Sequence, count: u64) -> Answer<'_, Block> {
        Box::pin(self.call(("draw", true), unknown(), move |store| Box::pin(async move { store.draw(sequence, count).await })))
    }

    fn bind_segment(&self, segment: Segment, log: LogId, bucket: Bucket) -> Answer<'_, ()> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.bind_segment(segment, log, bucket).await }) };
        Box::pin(self.call(("bind", true), unknown(), work))
    }

    fn bucket_of(&self, segment: Segment) -> Answer<'_, Option<(LogId, Bucket)>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.bucket_of(segment).await }) };
        Box::pin(self.call(("bucket_of", false), unavailable(), work))
    }
}

impl MemberStore for FaultyStore {
    fn group(&self, group: GroupId) -> Answer<'_, Option<GroupRow>> {
        Box::pin(self.call(("group", false), unavailable(), move |store| Box::pin(async move { store.group(group).await })))
    }

    fn membership(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Membership>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.membership(group, user).await }) };
        Box::pin(self.call(("membership", false), unavailable(), work))
    }

    fn members(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Membership)>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.members(group, after, limit).await }) };
        Box::pin(self.call(("members", false), unavailable(), work))
    }

    fn listed(&self, user: UserId, after: Option<ConversationId>, limit: usize) -> Answer<'_, Vec<ConversationId>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.listed(user, after, limit).await }) };
        Box::pin(self.call(("listed", false), unavailable(), work))
    }

    fn marks<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Marks>> {
        let conversations = conversations.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.marks(user, &conversations).await }) };
        Box::pin(self.call(("marks", false), unavailable(), work))
    }

    fn raise(&self, conversation: ConversationId, marks: Vec<(UserId, Marks)>) -> Answer<'_, Vec<Marks>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.raise(conversation, marks).await }) };
        Box::pin(self.call(("raise", true), unknown(), work))
    }

    fn marks_of<'a>(&'a self, conversation: ConversationId, users: &'a [UserId]) -> Answer<'a, Vec<Marks>> {
        let users = users.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.marks_of(conversation, &users).await }) };
        Box::pin(self.call(("marks_of", false), unavailable(), work))
    }

    fn overviews<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Overview>> {
        let conversations = conversations.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.overviews(user, &conversations).await }) };
        Box::pin(self.call(("overviews", false), unavailable(), work))
    }

    fn invitations(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Invitation)>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.invitations(group, after, limit).await }) };
        Box::pin(self.call(("invitations", false), unavailable(), work))
    }

    fn invitation(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Invitation>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.invitation(group, user).await }) };
        Box::pin(self.call(("invitation", false), unavailable(), work))
    }
}

impl AccountStore for FaultyStore {
    fn account(&self, key: AccountKey) -> Answer<'_, Option<Versioned<Account>>> {
        Box::pin(self.call(("account", false), unavailable(), move |store| Box::pin(async move { store.account(key).await })))
    }

    fn accounts<'a>(&'a self, ids: &'a [UserId]) -> Answer<'a, Vec<Option<Account>>> {
        let ids = ids.to_vec();
        Box::pin(self.call(("accounts", false), unavailable(), move |store| Box::pin(async move { store.accounts(&ids).await })))
    }

    fn put_account(&self, account: Account, version: u64) -> Answer<'_, (), PutError> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.put_account(account, version).await }) };
        Box::pin(self.call(("put_account", true), PutError::Store(unknown()), work))
    }

    fn login(&self, id: LoginId) -> Answer<'_, Option<Versioned<Login>>> {
        Box::pin(self.call(("login", false), unavailable(), move |store| Box::pin(async move { store.login(id).await })))
    }

    fn put_login(&self, login: Login, version: u64) -> Answer<'_, (), PutError> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.put_login(login, version).await }) };
        Box::pin(self.call(("put_login", true), PutError::Store(unknown()), work))
    }

    fn erasing(&self, limit: usize) -> Answer<'_, Vec<UserId>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.erasing(limit).await }) };
        Box::pin(self.call(("erasing", false), unavailable(), work))
    }

    fn logins(&self, user: UserId, now: Timestamp, limit: usize) -> Answer<'_, Vec<Versioned<Login>>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.logins(user, now, limit).await }) };
        Box::pin(self.call(("logins", false), unavailable(), work))
    }

    fn search<'a>(&'a self, prefix: &'a str, limit: usize) -> Answer<'a, Vec<UserId>> {
        let prefix = prefix.to_owned();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.search(&prefix, limit).await }) };
        Box::pin(self.call(("search", false), unavailable(), work))
    }

    fn seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<Seen>> {
        let users = users.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.seen(&users).await }) };
        Box::pin(self.call(("seen", false), unavailable(), work))
    }

    fn touch(&self, user: UserId, seen: Seen) -> Answer<'_, ()> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.touch(user, seen).await }) };
        Box::pin(self.call(("touch", true), unknown(), work))
    }
}

impl MessageStore for FaultyStore {
    fn amendments(&self, conversation: ConversationId, from: Seq, to: Seq, limit: usize) -> Answer<'_, Vec<(Seq, Amendment)>> {
        let work =
            move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.amendments(conversation, from, to, limit).await }) };
        Box::pin(self.call(("amendments", false), unavailable(), work))
    }

    fn reactions_of<'a>(&'a self, conversation: ConversationId, user: UserId, messages: &'a [Seq]) -> Answer<'a, Vec<Vec<Reaction>>> {
        let messages = messages.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> {
            Box::pin(async move { store.reactions_of(conversation, user, &messages).await })
        };
        Box::pin(self.call(("reactions_of", false), unavailable(), work))
    }

    fn reactions(
        &self,
        conversation: ConversationId,
        message: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<(UserId, Vec<Reaction>)>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> {
            Box::pin(async move { store.reactions(conversation, message, after, limit).await })
        };
        Box::pin(self.call(("reactions", false), unavailable(), work))
    }

    fn gone(&self, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.gone(conversation, from, to).await }) };
        Box::pin(self.call(("gone", false), unavailable(), work))
    }

    fn direct_numbers<'a>(&'a self, pairs: &'a [Pair]) -> Answer<'a, Vec<Option<DirectNumber>>> {
        let pairs = pairs.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.direct_numbers(&pairs).await }) };
        Box::pin(self.call(("direct_numbers", false), unavailable(), work))
    }

    fn direct(&self, number: DirectNumber) -> Answer<'_, Option<Pair>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.direct(number).await }) };
        Box::pin(self.call(("direct", false), unavailable(), work))
    }
}

impl HomeStore for FaultyStore {
    fn preferences<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Preferences>> {
        let conversations = conversations.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.preferences(user, &conversations).await }) };
        Box::pin(self.call(("preferences", false), unavailable(), work))
    }

    fn hidden(&self, user: UserId, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        let work =
            move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.hidden(user, conversation, from, to).await }) };
        Box::pin(self.call(("hidden", false), unavailable(), work))
    }

    fn notices(&self, user: UserId, before: Option<Seq>, limit: usize) -> Answer<'_, Vec<(Seq, Notice)>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.notices(user, before, limit).await }) };
        Box::pin(self.call(("notices", false), unavailable(), work))
    }

    fn notices_read(&self, user: UserId) -> Answer<'_, Seq> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.notices_read(user).await }) };
        Box::pin(self.call(("notices_read", false), unavailable(), work))
    }
}

impl RelationStore for FaultyStore {
    fn bond(&self, pair: Pair) -> Answer<'_, Versioned<Bond>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.bond(pair).await }) };
        Box::pin(self.call(("bond", false), unavailable(), work))
    }

    fn put_bond(&self, bond: Bond, version: u64) -> Answer<'_, (), PutError> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.put_bond(bond, version).await }) };
        Box::pin(self.call(("put_bond", true), PutError::Store(unknown()), work))
    }

    fn bonds(&self, user: UserId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<Bond>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.bonds(user, after, limit).await }) };
        Box::pin(self.call(("bonds", false), unavailable(), work))
    }

    fn bonds_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<Bond>> {
        let others = others.to_vec();
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.bonds_with(user, &others).await }) };
        Box::pin(self.call(("bonds_with", false), unavailable(), work))
    }
}

impl MediaStore for FaultyStore {
    fn media(&self, id: MediaId) -> Answer<'_, Option<Versioned<Media>>> {
        Box::pin(self.call(("media", false), unavailable(), move |store| Box::pin(async move { store.media(id).await })))
    }

    fn put_media(&self, media: Media, version: u64) -> Answer<'_, (), PutError> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.put_media(media, version).await }) };
        Box::pin(self.call(("put_media", true), PutError::Store(unknown()), work))
    }

    fn media_used(&self, user: UserId) -> Answer<'_, u64> {
        Box::pin(self.call(("media_used", false), unavailable(), move |store| Box::pin(async move { store.media_used(user).await })))
    }

    fn media_of(&self, owner: UserId, after: Option<MediaId>, limit: usize) -> Answer<'_, Vec<MediaId>> {
        let work = move |store: Arc<dyn Store>| -> Doing<_, _> { Box::pin(async move { store.media_of(owner, after, limit).await }) };
        Box::pin(self.call(("media_of", false), unavailable(), work))
    }

    fn media_due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<MediaId>> {
        Box::pin(self.call(("media_due", false), unavailable(), move |store| Box::pin(async move { store.media_due(now, limit).await })))
    }
}

impl Store for FaultyStore {
    fn readiness(&self) -> Result<(), String> {
        self.inner.readiness()
    }
}
