//! What does it cost to bring one message to 8,000 connections?
//!
//! Expected: about 8 µs of server CPU for a delivery, 85 % of it the kernel's socket write, so 100,000 to 130,000
//! deliveries per CPU-second for single messages and 6 to 8 times that for 8 back to back, where one write carries
//! all. The bare broadcaster ([`crate::calibrator`]) of the same minute does nothing but queue and write, so the ratio
//! to it is what counts: at least 0.75 in both cases.
//! What would change our mind: a ratio near 1 would say that there is nothing left to win above the socket; below 0.75
//! for bursts alone, that coalescing fails; a better write path (vectored, `io_uring`) would move both sides.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::bare::Bare;
use crate::counts::Counts;
use crate::crowd::{Crowd, Told};
use crate::measure;
use crate::native::Encoding;
use crate::room::Room;
use crate::server::Server;
use crate::stage::Stage;
use crate::table::{Row, thousands};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Connections that hear each message; the one that speaks is not among them.
    pub receivers: usize,
    /// Rounds on each side, interleaved.
    pub rounds: usize,
    /// Messages of a round, one after the other.
    pub singles: usize,
    /// Bursts of a round.
    pub bursts: usize,
}

impl Plan {
    /// What the figures are made of.
    pub const FULL: Self = Self { receivers: 8_000, rounds: 5, singles: 40, bursts: 30 };
    /// Whether it works at all.
    pub const QUICK: Self = Self { receivers: 300, rounds: 1, singles: 10, bursts: 5 };
}

/// Messages of a burst.
const BURST: usize = 8;
/// The least share of the calibrator's figure.
const RATIO_MIN: f64 = 0.75;
/// The most write calls for a delivery.
const WRITES_MAX: f64 = 1.1;
/// The text of a message.
pub const TEXT_BYTES: usize = 200;
const WRITES: &str = "parlance_edge_writes_total";
const DELIVERIES: &str = "parlance_delivery_deliveries_total";
const RENDERINGS: &str = "parlance_delivery_renderings_total";
const POSTS: &str = "parlance_log_posts_total";
/// After this long a delivery counts as lost.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server with its listeners and one who speaks.
pub trait Side {
    /// The server's process.
    fn pid(&self) -> u32;
    /// Sends so many messages back to back.
    fn shout(&mut self, burst: usize) -> Result<()>;
    /// Handles what came in; returns how many deliveries there have been in all.
    fn turn(&mut self) -> Result<u64>;
}

/// What one round came to.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Deliveries per second of server CPU.
    pub per_cpu_second: f64,
    /// Deliveries per second of the clock.
    pub per_wall_second: f64,
}

/// Sends `times` bursts, each when the one before it has reached everybody.
pub fn round(side: &mut impl Side, receivers: usize, times: usize, burst: usize) -> Result<Round> {
    let (cpu, wall, start) = (measure::cpu(side.pid())?, Instant::now(), side.turn()?);
    for done in 1..=times {
        side.shout(burst)?;
        let goal = start + (done * burst * receivers) as u64;
        let until = Instant::now() + PATIENCE;
        loop {
            let delivered = side.turn()?;
            if delivered >= goal {
                break;
            }
            ensure!(Instant::now() < until, "{} deliveries did not come", goal - delivered);
        }
    }
    let deliveries = (times * burst * receivers) as f64;
    Ok(Round {
        per_cpu_second: deliveries / measure::cpu(side.pid())?.since(cpu).total().max(0.01),
        per_wall_second: deliveries / wall.elapsed().as_secs_f64(),
    })
}

/// The rounds of one side.
#[derive(Debug, Default)]
pub struct Rounds {
    /// One message at a time.
    pub single: Vec<Round>,
    /// Eight at a time.
    pub burst: Vec<Round>,
}

impl Rounds {
    /// One round of each kind.
    pub fn take(&mut self, side: &mut impl Side, plan: Plan) -> Result<()> {
        self.single.push(round(side, plan.receivers, plan.singles, 1)?);
        self.burst.push(round(side, plan.receivers, plan.bursts, BURST)?);
        Ok(())
    }
}

/// Median and best of some rounds, in words.
fn words(rounds: &[Round]) -> String {
    let (cpu, wall): (Vec<_>, Vec<_>) = rounds.iter().map(|round| (round.per_cpu_second, round.per_wall_second)).unzip();
    format!(
        "median {}, best {} (wall {})",
        thousands(measure::median(&cpu)),
        thousands(measure::best(&cpu)),
        thousands(measure::median(&wall))
    )
}

/// Parlance and the calibrator in turns, and what Parlance counted meanwhile.
pub fn ask(stage: &Stage, plan: Plan, encoding: Encoding, threads: usize) -> Result<Vec<Row>> {
    let server = stage.serve()?;
    let mut room = Room::enter(stage, &server, plan.receivers, encoding)?;
    round(&mut room, plan.receivers, 4, 1)?; // the conversation wakes, queues and buffers reach their size
    round(&mut room, plan.receivers, 2, BURST)?;
    let mut bare = Bare::start(plan.receivers, room.entry_bytes(), threads, stage.pin())?;
    round(&mut bare, plan.receivers, 4, 1)?;
    round(&mut bare, plan.receivers, 2, BURST)?;
    let (mut ours, mut theirs, mut counts) = (Rounds::default(), Rounds::default(), Vec::new());
    for _ in 0..plan.rounds {
        let before = server.counts()?;
        ours.single.push(round(&mut room, plan.receivers, plan.singles, 1)?);
        let between = server.counts()?;
        ours.burst.push(round(&mut room, plan.receivers, plan.bursts, BURST)?);
        counts.push([before, between, server.counts()?]);
        theirs.take(&mut bare, plan)?;
    }
    bare.stop()?;
    let bytes = room.entry_bytes();
    let mut rows = vec![
        compared(1, plan, bytes, &ours.single, &theirs.single, &encoding.to_string()),
        compared(BURST, plan, bytes, &ours.burst, &theirs.burst, &encoding.to_string()),
        writes(&counts),
    ];
    rows.push(renderings(stage, &server, &mut room, plan)?);
    drop(room);
    server.stop()?;
    Ok(rows)
}

fn compared(burst: usize, plan: Plan, bytes: usize, ours: &[Round], theirs: &[Round], encoding: &str) -> Row {
    let figures = |rounds: &[Round]| rounds.iter().map(|round| round.per_cpu_second).collect::<Vec<_>>();
    let ratio = measure::median(&figures(ours)) / measure::median(&figures(theirs)).max(1.0);
    let best = measure::best(&figures(ours)) / measure::best(&figures(theirs)).max(1.0);
    // A server that had to wait for its core has more to write together when it gets it.
    let descheduled = |rounds: &[Round]| rounds.iter().filter(|round| round.per_wall_second < round.per_cpu_second / 2.0).count();
    let disturbed = burst > 1 && (descheduled(ours).max(descheduled(theirs))) * 2 > ours.len();
    let what = if burst == 1 { "one message".to_owned() } else { format!("{burst} messages back to back") };
    Row::judged(
        format!("deliveries per CPU-second of {what} to {} connections", plan.receivers),
        format!("≥ {RATIO_MIN} × calibrator"),
        format!("{ratio:.2} × (best to best {best:.2} ×)"),
        ratio >= RATIO_MIN,
    )
    .void_if(disturbed)
    .how(format!(
        "Parlance {}; calibrator {}; {} rounds of each in turns, {bytes}-byte frames ({TEXT_BYTES}-byte text, {encoding}); Parlance also \
         checks the sender and syncs the message to disk",
        words(ours),
        words(theirs),
        ours.len()
    ))
}

/// Write calls for a delivery. The counts were read before the singles, before the bursts and after them.
fn writes(counts: &[[Counts; 3]]) -> Row {
    let of = |kind: usize| {
        let rise = |name: &str| counts.iter().map(|read| read[kind + 1].rise(&read[kind], name)).sum::<f64>();
        rise(WRITES) / rise(DELIVERIES).max(1.0)
    };
    let single = of(0);
    Row::judged("write calls per delivery, single messages", "≤ 1.1", format!("{single:.3}"), single > 0.0 && single <= WRITES_MAX)
        .how(format!("`{WRITES}` by `{DELIVERIES}`; in bursts of {BURST}: {:.3}", of(1)))
}

/// Encodings of an event, with listeners of both encodings in the room.
fn renderings(stage: &Stage, server: &Server, room: &mut Room, plan: Plan) -> Result<Row> {
    let others = match room.encoding() {
        Encoding::Json => Encoding::Msgpack,
        Encoding::Msgpack => Encoding::Json,
    };
    // The same people once more, on a second device that speaks the other encoding.
    let mut second = Crowd::new(server.clients, others)?;
    let devices = (plan.receivers / 16).max(1);
    second.join(&stage.tokens()[1..=devices])?;
    let before = server.counts()?;
    round(room, plan.receivers, 16, 1)?;
    let (mut heard, until) = (0, Instant::now() + PATIENCE);
    while heard < 16 * devices {
        second.turn(&mut |_, told, _| heard += usize::from(told == Told::Entry))?;
        ensure!(Instant::now() < until, "the second devices heard {heard} entries");
    }
    let after = server.counts()?;
    let each = after.rise(&before, RENDERINGS) / after.rise(&before, POSTS).max(1.0) / 2.0;
    Ok(Row::judged("encodings per event and encoding", "1", format!("{each:.3}"), (each - 1.0).abs() < 0.001).how(format!(
        "`{RENDERINGS}` by `{POSTS}` and 2; {} connections in {} and {devices} in {}",
        plan.receivers,
        room.encoding(),
        second.encoding()
    )))
}

/// The calibrator alone: what this machine gives at this moment.
pub fn calibrate(plan: Plan, bytes: usize, threads: usize, pin: bool) -> Result<Vec<Row>> {
    let mut bare = Bare::start(plan.receivers, bytes, threads, pin)?;
    let mut rounds = Rounds::default();
    for _ in 0..plan.rounds {
        rounds.take(&mut bare, plan)?;
    }
    let what = |burst: usize| format!("calibrator: deliveries per CPU-second, {burst} at a time, {} connections", plan.receivers);
    Ok(vec![
        Row::told(what(1), words(&rounds.single)).how(format!("{bytes}-byte frames")),
        Row::told(what(BURST), words(&rounds.burst)).how(format!("{bytes}-byte frames")),
    ])
}
