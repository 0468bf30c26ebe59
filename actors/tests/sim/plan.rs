//! What a seed does: how many users and conversations, how the store behaves, and what goes wrong when.
//!
//! Pure: the same seed is the same plan. Nothing here knows what is right.

use std::time::Duration;

use actors::id::{ConversationId, GroupId, Pair, UserId};

/// Numbers that follow from a seed alone (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The numbers of this seed, for this purpose.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.next();
        dice
    }
    /// 64 fresh bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
    /// A number from `low` to `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }
    /// True so many times in a thousand.
    pub(crate) fn often(&mut self, thousandths: u64) -> bool {
        self.below(1_000) < thousandths
    }
    /// Milliseconds from `low` to `high`.
    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }
    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(of.len() as u64)).expect("an index fits");
        of.get(index)
    }
}

/// How the store behaves towards a node, in thousandths of all calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Calls that take up to `slow_for`.
    pub(crate) slow: u64,
    /// How long a slow call takes at most.
    pub(crate) slow_for: Duration,
    /// Calls that never arrive.
    pub(crate) lost_requests: u64,
    /// Calls that are done and whose answer never comes.
    pub(crate) lost_replies: u64,
    /// Writes that arrive long after their caller was told that nothing is known of them.
    pub(crate) late: u64,
    /// How late at most.
    pub(crate) late_for: Duration,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// The node dies; another takes its place after a while. What it had sent to the store may still arrive.
    Crash,
    /// The node cannot reach the store.
    Cut(Duration),
    /// The node's calls and their answers stand still.
    Pause(Duration),
    /// The node's clock jumps by so many seconds.
    Jump(i64),
    /// An actor of the node dies as by a bug.
    KillConversation,
    /// The same, a home.
    KillHome,
    /// The same, a connected user.
    KillUser,
}

/// A conversation that is there from the beginning.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// Which.
    pub(crate) id: ConversationId,
    /// Who takes part; of a group the first is the owner.
    pub(crate) members: Vec<UserId>,
    /// Where its log stands: 0, or a little before the end of its first bucket.
    pub(crate) tail: u64,
}

/// Everything that a seed decides beforehand.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The seed.
    pub(crate) seed: u64,
    /// How many nodes own conversations over the one store.
    pub(crate) nodes: usize,
    /// How many users.
    pub(crate) users: u64,
    /// The conversations.
    pub(crate) rooms: Vec<Room>,
    /// How long things go wrong.
    pub(crate) span: Duration,
    /// How the store behaves meanwhile.
    pub(crate) weather: Weather,
    /// What goes wrong, when, and where.
    pub(crate) troubles: Vec<(Duration, usize, Trouble)>,
    /// The bound of a session's outbound queue.
    pub(crate) outbound_frames: u64,
    /// How many rows an owner looks for client keys in before it asks for more.
    pub(crate) keys_at_activation: u64,
    /// How many entries of one log a resume brings inline.
    pub(crate) sync_entries: u64,
    /// After how much quiet an actor sleeps.
    pub(crate) idle_sleep: Duration,
}

/// The number of a group that is there from the beginning; above all users.
const FIRST_GROUP: u64 = 40;

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("a valid number")
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let users = dice.between(6, 10);
        let span = dice.millis(8_000, 18_000);
        Self {
            seed,
            nodes: 3,
            users,
            rooms: rooms(&mut dice, users),
            weather: weather(&mut dice),
            troubles: troubles(&mut dice, span),
            span,
            outbound_frames: *dice.pick(&[2, 4, 8, 256, 256]).expect("not empty"),
            keys_at_activation: *dice.pick(&[2, 8, 256]).expect("not empty"),
            sync_entries: *dice.pick(&[3, 50]).expect("not empty"),
            idle_sleep: *dice.pick(&[Duration::from_secs(3), Duration::from_mins(1)]).expect("not empty"),
        }
    }
}

impl Plan {
    /// How many devices there are: two users have a second one.
    pub(crate) fn clients(&self) -> u64 {
        self.users + 2
    }
}

fn rooms(dice: &mut Dice, users: u64) -> Vec<Room> {
    let mut rooms = Vec::new();
    let tail = |dice: &mut Dice| if dice.often(600) { dice.between(4_078, 4_095) } else { 0 };
    for number in 0..dice.between(2, 4) {
        let members: Vec<_> = (1..=users).filter(|member| *member == 1 + number || dice.often(600)).collect();
        let mut members: Vec<_> = members.into_iter().map(user).collect();
        let owner = usize::try_from(dice.below(members.len() as u64)).expect("an index fits");
        members.swap(0, owner);
        let group = GroupId::new(FIRST_GROUP + number).expect("a valid number");
        rooms.push(Room { id: ConversationId::Group(group), members, tail: tail(dice) });
    }
    for _ in 0..dice.between(2, 4) {
        let (one, other) = (dice.between(1, users), dice.between(1, users));
        let Ok(pair) = Pair::new(user(one), user(other)) else { continue };
        let id = ConversationId::Direct(pair);
        if rooms.iter().all(|room| room.id != id) {
            rooms.push(Room { id, members: vec![pair.low(), pair.high()], tail: tail(dice) });
        }
    }
    rooms
}

fn weather(dice: &mut Dice) -> Weather {
    let bad = dice.between(0, 3);
    Weather {
        slow: bad * dice.between(0, 60),
        slow_for: dice.millis(50, 4_000),
        lost_requests: bad * dice.between(0, 15),
        lost_replies: bad * dice.between(0, 25),
        late: bad * dice.between(0, 25),
        late_for: dice.millis(100, 12_000),
    }
}

fn troubles(dice: &mut Dice, span: Duration) -> Vec<(Duration, usize, Trouble)> {
    let millis = u64::try_from(span.as_millis()).expect("short");
    let count = dice.between(3, 14);
    let mut troubles: Vec<_> = (0..count)
        .map(|_| {
            let at = dice.millis(500, millis);
            let node = usize::try_from(dice.below(3)).expect("small");
            let trouble = match dice.below(10) {
                0 => Trouble::Crash,
                1 | 2 => Trouble::Cut(dice.millis(200, 9_000)),
                3 | 4 => Trouble::Pause(dice.millis(200, 9_000)),
                5 | 6 => Trouble::Jump(if dice.often(500) { 1 } else { -1 } * i64::try_from(dice.between(1, 600)).expect("small")),
                7 => Trouble::KillHome,
                8 => Trouble::KillUser,
                _ => Trouble::KillConversation,
            };
            (at, node, trouble)
        })
        .collect();
    troubles.sort_by_key(|(at, ..)| *at);
    troubles
}
