//! How much memory does one more idle user take?
//!
//! Expected: about 12.5 KB of the server's resident memory for an authenticated connection and its user actor, before
//! TLS; a bare tuned socket without an actor takes 6 KB, one with default buffers 139 KB. Target: at most 14 KB, as the
//! slope between 2,000 and 18,000 connections, so that what the process needs once does not count; and after 16,000
//! of them have left, at most 1.25 times what stood before they came, since a server that keeps what a storm took
//! cannot be sized.
//! What would change our mind: a slope that grows with the number of connections (a table that doubles at a bad
//! moment shows as a step), or memory that does not come back (then the allocator, not we, decides).
//! Kernel memory of the sockets (4 to 5 KB for each end) is not in these figures: it is the same for every server.

use std::time::Duration;

use anyhow::Result;

use crate::crowd::Crowd;
use crate::measure::{self, Memory};
use crate::native::Encoding;
use crate::stage::Stage;
use crate::table::Row;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Connections before the storm.
    pub few: usize,
    /// Connections at its height.
    pub many: usize,
    /// Time for the server to settle before memory is read.
    pub settle: Duration,
    /// Time from the departure to the last reading.
    pub after: Duration,
}

impl Plan {
    /// What the figures are made of.
    pub const FULL: Self = Self { few: 2_000, many: 18_000, settle: Duration::from_secs(10), after: Duration::from_secs(30) };
    /// Whether it works at all.
    pub const QUICK: Self = Self { few: 100, many: 400, settle: Duration::from_millis(200), after: Duration::from_millis(500) };
}

/// The most bytes that one connection may take.
const SLOPE_MAX: f64 = 14_000.0;
/// The most that may be left of a storm.
const LEFT_MAX: f64 = 1.25;

/// Measures and says.
pub fn ask(stage: &Stage, plan: Plan) -> Result<Vec<Row>> {
    let server = stage.serve()?;
    let mut crowd = Crowd::new(server.clients, Encoding::Json)?;
    // The last users come first: they are in no group, the later ones are.
    let tokens: Vec<_> = stage.tokens().iter().rev().take(plan.many).cloned().collect();
    let read = |crowd: &mut Crowd, wait: Duration| -> Result<Memory> {
        crowd.rest(wait)?;
        measure::memory(server.pid())
    };
    let empty = read(&mut crowd, plan.settle)?;
    crowd.join(&tokens[..plan.few])?;
    let before = read(&mut crowd, plan.settle)?;
    crowd.join(&tokens[plan.few..])?;
    let height = read(&mut crowd, plan.settle)?;
    crowd.part(plan.few);
    let after = read(&mut crowd, plan.after)?;
    drop(crowd); // a drain would wait for them
    server.stop()?;

    let slope = |from: u64, to: u64| (to as f64 - from as f64) / (plan.many - plan.few) as f64;
    let (all, anonymous) = (slope(before.rss, height.rss), slope(before.anonymous, height.anonymous));
    let left = after.rss as f64 / before.rss as f64;
    let (few, many, gone) = (plan.few, plan.many, plan.many - plan.few);
    Ok(vec![
        Row::judged(
            format!("resident memory per idle authenticated connection, its user actor included, {few} → {many} connections"),
            "≤ 14 KB",
            format!("{:.1} KB", all / 1_000.0),
            all <= SLOPE_MAX,
        )
        .how(format!(
            "slope of `Rss` in `smaps_rollup`; anonymous part {:.1} KB; {} for the empty server, {} → {}; each user's token \
             checked, {} s to settle, heartbeats answered; no conversation is awake",
            anonymous / 1_000.0,
            megabytes(empty.rss),
            megabytes(before.rss),
            megabytes(height.rss),
            plan.settle.as_secs_f64()
        )),
        Row::judged(
            format!("resident memory {} s after {gone} of {many} connections have left", plan.after.as_secs_f64()),
            "≤ 1.25 × before they came",
            format!("{left:.2} ×"),
            left <= LEFT_MAX,
        )
        .how(format!("{} → {} → {}", megabytes(before.rss), megabytes(height.rss), megabytes(after.rss))),
    ])
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
