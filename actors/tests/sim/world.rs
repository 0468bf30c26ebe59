//! The stage of one run: nodes over one store, each with its own clock, luck and way to the store; the troubles that
//! befall them; and the run itself.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actors::account::{Account, DisplayName, Email, Username};
use actors::content::{AboutText, ClientKey, Content, GroupName};
use actors::entry::{Act, Batch, Entry, GroupRow, Head, Membership, Projection, Role, Row};
use actors::id::{BatchId, ConversationId, Epoch, Incarnation, LogId, MessageId, Pos, Segment, Seq, UserId};
use actors::limits::{Limit, Limits};
use actors::node::{Node, Victim};
use actors::relay::LocalRelay;
use actors::store::{AccountStore, LogStore, MemberStore, Sequence, Store};
use actors::telemetry::{Count, Measure, Telemetry};
use actors::testkit::clock::SeededRandom;
use actors::testkit::memory::MemoryStore;
use actors::time::{Clock, Timestamp};
use tokio::time::{Instant, sleep, sleep_until};

use crate::bugs::{Bug, LyingStore};
use crate::client::Client;
use crate::faults::{FaultyStore, Link, Reach, detach};
use crate::history::{FinalLog, History};
use crate::plan::{Dice, Plan, Room, Trouble, user};
use actors::testkit::credentials::NoCredentials;

/// 2026-01-01T00:00:00Z.
const DAWN: i64 = 1_767_225_600_000_000;
/// For how long after the last trouble nothing is judged to be final: late writes land, clients get their answers.
const CALM: Duration = Duration::from_secs(16);

/// A node's clock: the run's time, and how far this node is off.
struct NodeClock {
    began: Instant,
    off: AtomicI64,
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        Timestamp(DAWN + self.off.load(Ordering::Relaxed)).plus(self.began.elapsed())
    }
}

/// The place of the deaths of actors in [`COUNTED`]; what comes after it must never be.
pub(crate) const DEATHS: usize = 6;

/// What the nodes count, as far as it says whether a run was of any use.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: [AtomicU64; 9],
}

/// The names of what is counted, in order.
pub(crate) const COUNTED: [&str; 9] =
    ["acked", "duplicates", "unknown", "fenced", "claims lost", "gap marks", "actors died", "frozen", "conflicts in one epoch"];

impl Tally {
    /// One of [`COUNTED`].
    pub(crate) fn get(&self, index: usize) -> u64 {
        self.counts[index].load(Ordering::Relaxed)
    }
}

impl Telemetry for Tally {
    fn count(&self, what: Count, n: u64) {
        let index = match what {
            Count::PostsAcked => 0,
            Count::DuplicatesSuppressed => 1,
            Count::AppendsUnknown => 2,
            Count::Fenced => 3,
            Count::ClaimsLost => 4,
            Count::GapMarks => 5,
            Count::ActorFailed(_) => 6,
            Count::Frozen => 7,
            Count::ConflictsSameEpoch => 8,
            _ => return,
        };
        self.counts[index].fetch_add(n, Ordering::Relaxed);
    }
    fn measure(&self, _: Measure, _: f64) {}
}

/// The place of one node, in all its lives.
struct Place {
    node: Option<Node>,
    link: Arc<Link>,
    clock: Arc<NodeClock>,
    /// How many nodes have lived here.
    life: usize,
}

/// The stage.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) history: Arc<History>,
    pub(crate) memory: Arc<MemoryStore>,
    /// The store behind the faults: the memory store, or one with a bug over it.
    truth: Arc<dyn Store>,
    bug: Option<Bug>,
    places: Mutex<Vec<Place>>,
    calm: Arc<AtomicBool>,
    /// How many actors were killed on purpose.
    kills: AtomicU64,
    /// How many clients have nothing to settle any more.
    done: AtomicU64,
    pub(crate) tally: Arc<Tally>,
}

/// What a run leaves behind.
pub(crate) struct Run {
    pub(crate) facts: Vec<crate::history::Fact>,
    pub(crate) trace: Vec<String>,
    pub(crate) logs: Vec<FinalLog>,
    pub(crate) tally: Arc<Tally>,
    /// How many actors were killed on purpose.
    pub(crate) kills: u64,
}

/// Plays a plan to its end, with a bug or without.
pub(crate) fn run(plan: &Plan, bug: Option<Bug>) -> Run {
    actors::planted::plant(bug.and_then(Bug::hook));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime starts");
    let run = runtime.block_on(play(plan.clone(), bug));
    drop(runtime);
    actors::planted::plant(None);
    run
}

#[expect(clippy::disallowed_methods, reason = "the run waits for its clients")]
async fn play(plan: Plan, bug: Option<Bug>) -> Run {
    let world = World::begin(plan, bug).await;
    let mut clients = Vec::new();
    for number in 0..world.plan.clients() {
        let client = Client::new(Arc::clone(&world), usize::try_from(number).expect("small"), user(number % world.plan.users + 1));
        clients.push(tokio::spawn(client.live()));
    }
    world.suffer().await;
    world.heal().await;
    for client in clients {
        client.await.expect("a client does not panic");
    }
    let logs = world.read_logs().await;
    let (facts, trace) = world.history.take();
    Run { facts, trace, logs, tally: Arc::clone(&world.tally), kills: world.kills.load(Ordering::Relaxed) }
}

impl World {
    async fn begin(plan: Plan, bug: Option<Bug>) -> Arc<Self> {
        let memory = Arc::new(MemoryStore::new());
        prepare(&memory, &plan).await;
        let truth: Arc<dyn Store> = match bug {
            Some(bug) if bug.is_in_store() => Arc::new(LyingStore::new(bug, memory.clone(), Arc::clone(&memory))),
            Some(_) | None => memory.clone(),
        };
        let world = Arc::new(Self {
            history: History::new(),
            memory,
            truth,
            bug,
            places: Mutex::default(),
            calm: Arc::default(),
            kills: AtomicU64::new(0),
            done: AtomicU64::new(0),
            tally: Arc::default(),
            plan,
        });
        for index in 0..world.plan.nodes {
            let clock = Arc::new(NodeClock { began: Instant::now(), off: AtomicI64::new(0) });
            world.places().push(Place { node: None, link: Link::new(), clock, life: 0 });
            world.start(index).await;
        }
        world
    }

    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().expect("no place is left halfway")
    }

    async fn start(&self, index: usize) {
        let (link, clock, life) = {
            let mut places = self.places();
            let place = &mut places[index];
            place.life += 1;
            place.link = Link::new();
            (Arc::clone(&place.link), Arc::clone(&place.clock), place.life)
        };
        let purpose = 1_000 * (index as u64 + 1) + life as u64;
        let dice = Dice::new(self.plan.seed, purpose);
        let weather = (self.plan.weather, Arc::clone(&self.calm));
        let faulty = Arc::new(FaultyStore::new(index, Arc::clone(&self.truth), link, weather, dice, Arc::clone(&self.history)));
        let store: Arc<dyn Store> = match self.bug {
            Some(bug) if !bug.is_in_store() => Arc::new(LyingStore::new(bug, faulty, Arc::clone(&self.memory))),
            Some(_) | None => faulty,
        };
        let world = actors::node::World {
            clock,
            random: Arc::new(SeededRandom::new(self.plan.seed.wrapping_mul(1_000_003).wrapping_add(purpose))),
            store,
            credentials: Arc::new(NoCredentials),
            relay: Arc::new(LocalRelay),
            telemetry: Arc::clone(&self.tally) as Arc<dyn Telemetry>,
            limits: Arc::new(limits(&self.plan)),
        };
        let node = Node::start(world).await.expect("a node starts");
        self.places()[index].node = Some(node);
    }

    /// A node that lives, its place and its life there.
    pub(crate) fn any_node(&self, dice: &mut Dice) -> Option<(Node, usize, usize)> {
        let places = self.places();
        let live: Vec<_> = places.iter().enumerate().filter_map(|(index, place)| Some((place.node.clone()?, index, place.life))).collect();
        dice.pick(&live).cloned()
    }

    /// Whether the node of this life is still there.
    pub(crate) fn lives(&self, index: usize, life: usize) -> bool {
        let places = self.places();
        places[index].node.is_some() && places[index].life == life
    }

    /// Whether nothing goes wrong any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Waits until no client stores anything any more, and what was sent has landed.
    pub(crate) async fn wait_for_all(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        while self.done.load(Ordering::Relaxed) < self.plan.clients() {
            sleep(Duration::from_millis(200)).await;
        }
        sleep(CALM).await;
    }

    async fn suffer(self: &Arc<Self>) {
        let began = Instant::now();
        let mut dice = Dice::new(self.plan.seed, 3);
        for (at, index, trouble) in self.plan.troubles.clone() {
            sleep_until(began + at).await;
            self.history.note(format_args!("trouble {trouble:?} at n{index}"));
            self.befall(index, trouble, &mut dice);
        }
        sleep_until(began + self.plan.span).await;
    }

    fn befall(self: &Arc<Self>, index: usize, trouble: Trouble, dice: &mut Dice) {
        match trouble {
            Trouble::Crash => {
                self.crash(index);
                let (world, pause) = (Arc::clone(self), dice.millis(100, 3_000));
                detach(async move {
                    sleep(pause).await;
                    world.start(index).await;
                });
            }
            Trouble::Cut(span) => self.bar(index, Reach::Cut, span),
            Trouble::Pause(span) => self.bar(index, Reach::Paused, span),
            Trouble::Jump(seconds) => {
                self.places()[index].clock.off.store(seconds * 1_000_000, Ordering::Relaxed);
            }
            Trouble::KillConversation => {
                let rooms: Vec<_> = self.plan.rooms.iter().map(|room| room.id).collect();
                if let Some(room) = dice.pick(&rooms) {
                    self.kill(index, Victim::Conversation(*room));
                }
            }
            Trouble::KillHome => self.kill(index, Victim::Home(user(dice.between(1, self.plan.users)))),
            Trouble::KillUser => self.kill(index, Victim::User(user(dice.between(1, self.plan.users)))),
        }
    }

    fn kill(&self, index: usize, victim: Victim) {
        let node = self.places()[index].node.clone();
        let killed = node.is_some_and(|node| node.kill(victim));
        self.kills.fetch_add(u64::from(killed), Ordering::Relaxed);
        self.history.note(format_args!("n{index} {victim:?} {}", if killed { "dies" } else { "is not there" }));
    }

    fn bar(&self, index: usize, reach: Reach, span: Duration) {
        let link = Arc::clone(&self.places()[index].link);
        link.set(reach);
        detach(async move {
            sleep(span).await;
            link.set(Reach::Up);
        });
    }

    /// From this moment nobody sees anything that the node does; what it has sent is on its way.
    fn crash(&self, index: usize) {
        let mut places = self.places();
        places[index].link.set(Reach::Dead);
        if let Some(node) = places[index].node.take() {
            node.refuse_commands();
        }
    }

    async fn heal(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.history.note(format_args!("everything heals"));
        let links: Vec<_> = self.places().iter().map(|place| Arc::clone(&place.link)).collect();
        for link in links {
            link.set(Reach::Up);
        }
        sleep(Duration::from_secs(4)).await; // nodes that crashed are back
    }

    async fn read_logs(&self) -> Vec<FinalLog> {
        let mut ids: Vec<_> = self.plan.rooms.iter().map(|room| room.id).collect();
        for number in 1..=self.plan.users {
            ids.extend(self.memory.listed(user(number), None, usize::MAX).await.expect("the memory store is well"));
        }
        ids.sort_unstable();
        ids.dedup();
        let mut logs = Vec::new();
        for id in ids {
            let head = self.memory.head(LogId::Conversation(id)).await.expect("the memory store is well");
            let last = Seq::new(u64::from(u32::MAX)).expect("valid");
            let entries = self.memory.range(LogId::Conversation(id), Seq::ZERO, last, usize::MAX, false).await;
            let mut marks = Vec::new();
            for number in 1..=self.plan.users {
                let of_user = self.truth.marks(user(number), &[id]).await.expect("the memory store is well");
                marks.extend(of_user.first().map(|marks| (user(number), *marks)));
            }
            let room = self.plan.rooms.iter().find(|room| room.id == id);
            let skipped = room.map_or(0, skipped);
            logs.push(FinalLog { id, head, entries: entries.expect("the memory store is well"), skipped, marks });
        }
        logs
    }

    /// What stands in the store for a member, whatever the nodes believe.
    pub(crate) async fn stored_marks(&self, member: UserId, conversation: ConversationId) -> actors::store::Marks {
        let marks = self.truth.marks(member, &[conversation]).await.expect("the truth is well");
        marks.first().copied().unwrap_or_default()
    }
}

fn limits(plan: &Plan) -> Limits {
    let mut limits = Limits::default();
    for (limit, value) in [
        (Limit::OutboundFrames, plan.outbound_frames),
        (Limit::KeysAtActivation, plan.keys_at_activation),
        (Limit::SyncEntries, plan.sync_entries),
        (Limit::IdleSleep, u64::try_from(plan.idle_sleep.as_millis()).expect("short")),
        (Limit::PostsRateUser, 1_000),
        (Limit::PostsBurstUser, 1_000),
    ] {
        limits.set(limit, value);
    }
    limits
}

/// How many rows stand before the tail of a log that does not begin at its first entry.
const ROWS: u64 = 12;

/// The last seq that was left out when a room's log was begun; 0 if it is whole.
pub(crate) fn skipped(room: &Room) -> u64 {
    if room.tail == 0 { 0 } else { room.tail - ROWS }
}

/// Accounts, and conversations with their members.
async fn prepare(memory: &MemoryStore, plan: &Plan) {
    for number in 1..=plan.users {
        let username = Username::new(&format!("user{number}")).expect("valid");
        let email = Email::new(&format!("user{number}@example.org")).expect("valid");
        let account = Account::new(user(number), username, email, DisplayName::default(), None, Timestamp(0));
        memory.put_account(account, 0).await.expect("a fresh store");
    }
    memory.draw(Sequence::Principals, 100).await.expect("a fresh store");
    let segments = memory.draw(Sequence::Segments, 64).await.expect("a fresh store");
    for (room, segment) in plan.rooms.iter().zip(segments.first..) {
        begin_room(memory, room, Segment(segment));
    }
    for number in 1..=plan.users {
        begin_list(memory, plan, user(number), Segment(segments.first + 32 + number));
    }
}

fn entry(seq: u64, pos: u64, segment: Segment, author: UserId, act: Act) -> Arc<Entry> {
    let seq = Seq::new(seq).expect("valid");
    let client_key = ClientKey::new(&format!("old-{}", seq.get())).expect("valid");
    let at = Timestamp(DAWN - 1_000_000_000 + i64::try_from(seq.get()).expect("small"));
    Arc::new(Entry { seq, pos: Pos(pos), id: MessageId::at(segment, seq), author, client_key, at, act })
}

fn write(memory: &MemoryStore, log: LogId, base: u64, segment: Segment, (entries, rows): (Vec<Arc<Entry>>, Vec<Row>)) {
    let last = entries.last().expect("a batch has entries");
    let changes = entries.iter().filter(|entry| !entry.act.is_message()).map(|entry| entry.seq);
    let after = Head {
        tail: last.seq,
        count: last.pos,
        last_change: changes.max().unwrap_or(Seq::new(u64::from(last.pos.0 < last.seq.get())).expect("valid")),
        epoch: Epoch(1),
        last_batch: BatchId(u128::from(last.seq.get())),
        incarnation: Incarnation(7),
        segment,
        last_at: last.at,
    };
    let projections = rows.into_iter().map(|row| Projection { version: last.seq, row }).collect();
    let base = Seq::new(base).expect("valid");
    memory.overwrite(log, &Batch { id: after.last_batch, base, epoch: after.epoch, after, entries, projections });
}

fn begin_room(memory: &MemoryStore, room: &Room, segment: Segment) {
    let log = LogId::Conversation(room.id);
    let owner = room.members[0];
    let is_group = matches!(room.id, ConversationId::Group(_));
    if is_group {
        let name = GroupName::new("a group").expect("valid");
        let others: Vec<_> = room.members[1..].to_vec();
        let first = entry(1, 0, segment, owner, Act::Created { name: name.clone(), members: others, open: false });
        let mut rows = vec![Row::Group(GroupRow {
            name,
            members: room.members.len() as u64,
            created_at: first.at,
            about: AboutText::default(),
            picture: None,
            open: false,
            updated_at: first.at,
        })];
        let since = first.seq;
        for member in &room.members {
            let role = if *member == owner { Role::Owner } else { Role::Member };
            rows.push(Row::Member(*member, Membership { role, since, until: None }));
        }
        write(memory, log, 0, segment, (vec![first], rows));
    }
    if room.tail > 0 {
        let from = skipped(room) + 1;
        let messages = (from..=room.tail).map(|seq| {
            let act = Act::Message(Content { text: format!("old {seq}").into(), ..Content::default() });
            entry(seq, seq - u64::from(is_group), segment, owner, act)
        });
        write(memory, log, from - 1, segment, (messages.collect(), vec![]));
    }
}

/// The conversations of a user who knows them from the beginning.
fn begin_list(memory: &MemoryStore, plan: &Plan, member: UserId, segment: Segment) {
    let rooms = plan.rooms.iter().filter(|room| room.members.contains(&member) && (room.tail > 0 || is_group(room)));
    let entries: Vec<_> =
        rooms.zip(1..).map(|(room, seq)| entry(seq, 0, segment, member, Act::Appeared { conversation: room.id })).collect();
    let rows = entries.iter().filter_map(|entry| match entry.act {
        Act::Appeared { conversation } => Some(Row::Listed(conversation, true)),
        _ => None,
    });
    let rows = rows.collect();
    if !entries.is_empty() {
        write(memory, LogId::User(member), 0, segment, (entries, rows));
    }
}

fn is_group(room: &Room) -> bool {
    matches!(room.id, ConversationId::Group(_))
}
