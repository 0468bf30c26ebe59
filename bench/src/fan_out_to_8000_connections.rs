//! What does it cost to bring one message to 8,000 connections?
//!
//! Expected: about 8 µs of server CPU for a delivery, 85 % of it the kernel's socket write, so 100,000 to 130,000
//! deliveries per CPU-second for single messages and 5 to 8 times that for 8 back to back, where one write carries
//! all. The bare broadcaster ([`crate::calibrator`]) of the same minute does nothing but queue and write, so the ratio
//! to it is what counts: at least 0.75 in both cases.
//! What would change our mind: a ratio near 1 would say that there is nothing left to win above the socket; below 0.75
//! for bursts alone, that coalescing fails; a better write path (vectored, `io_uring`) would move both sides.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::bare::Bare;
use crate::measure;
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
