//! What does a member of a group of 10,000 hear while others join?
//!
//! Expected: one frame of some 100 bytes in a tick, whether one or five hundred have joined in it: above
//! `members_announced` members are told of the span of such entries and of the number of members, not of each entry. A
//! tick is `receipts_group` times five in a group of this size. Entry by entry it would be 100 frames of 200 bytes a
//! second for each of 10,000 members. Target: the same bytes at one join in a tick as at 100 and more (±10 %), at most 200.
//! What would change our mind: bytes that grow with the joins; then a busy group costs each member what it costs to run.
//!
//! The joins are an open loop: each has its time, whenever the one before it was answered. Those who join have no
//! connection that listens; the listeners are members of before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::crowd::{Crowd, Told};
use crate::http::Http;
use crate::latency::Latencies;
use crate::measure;
use crate::native::Encoding;
use crate::server::Server;
use crate::stage::Stage;
use crate::table::{Row, thousands};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Members before anybody joins.
    pub members: usize,
    /// Members who listen.
    pub listeners: usize,
    /// Ticks in which one user joins.
    pub quiet: usize,
    /// Users who join one after the other.
    pub busy: usize,
    /// Between two of them.
    pub apart: Duration,
    /// What a tick is in a group of this size.
    pub tick: Duration,
    /// Limits of this run alone.
    pub limits: &'static [(&'static str, &'static str)],
}

impl Plan {
    /// What the figures are made of.
    pub const FULL: Self = Self {
        members: 10_000,
        listeners: 200,
        quiet: 5,
        busy: 1_500,
        apart: Duration::from_millis(8),
        tick: Duration::from_secs(5),
        limits: &[],
    };
    /// Whether it works at all: a smaller group counts as large, and its tick is short.
    pub const QUICK: Self = Self {
        members: 150,
        listeners: 20,
        quiet: 1,
        busy: 20,
        apart: Duration::from_millis(10),
        tick: Duration::from_secs(1),
        limits: &[("members_announced", "100")],
    };
}

/// The most bytes that a tick may bring to a member.
const BYTES_MAX: f64 = 200.0;
/// How much more or less a busy tick may bring than a quiet one.
const APART_MAX: f64 = 0.1;
/// Joins that must be under way in a second.
const JOINS_MIN: f64 = 100.0;
/// Connections on which users join, in turns.
const DOORS: usize = 4;
/// The longest tick there is, and time to spare.
const TICK_MAX: Duration = Duration::from_secs(8);

/// What the listeners heard.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// How often they were told how many members there are.
    frames: usize,
    bytes: usize,
    /// Anything else but heartbeats.
    others: usize,
}

impl Heard {
    fn take(&mut self, told: Told) {
        match told {
            Told::Members(bytes) => {
                self.frames += 1;
                self.bytes += bytes;
            }
            Told::Entry | Told::Other(_) => self.others += 1,
            Told::Done(_) => {}
        }
    }

    /// Bytes of each listener in each of so many ticks.
    fn each(&self, listeners: usize, ticks: f64) -> f64 {
        self.bytes as f64 / listeners as f64 / ticks
    }
}

/// Measures and says.
pub fn ask(plan: Plan, pin: bool) -> Result<Vec<Row>> {
    let stage = Stage::set(plan.members + plan.quiet + plan.busy, plan.members, pin)?;
    let server = stage.serve_with(plan.limits)?;
    let mut crowd = Crowd::new(server.clients, Encoding::Json)?;
    crowd.join(&stage.tokens()[1..=plan.listeners])?;
    let (lone, many) = stage.tokens()[plan.members..].split_at(plan.quiet);
    let path = format!("/v1/conversations/{}/join", stage.group());
    let quiet = quietly(&server, &mut crowd, &path, lone)?;
    let before = server.counts()?;
    let busy = busily(&server, &mut crowd, &path, many, plan)?;
    let after = server.counts()?;
    drop(crowd);
    server.stop()?;
    let rows_each = after.rise(&before, "parlance_store_rows_total") / plan.busy as f64;
    Ok(rows(plan, &quiet, &busy, rows_each))
}

/// One user joins, the listeners are told, the next one joins.
fn quietly(server: &Server, crowd: &mut Crowd, path: &str, tokens: &[String]) -> Result<Heard> {
    let (mut http, mut heard, listeners) = (Http::open(server.clients)?, Heard::default(), crowd.size());
    for (nth, token) in tokens.iter().enumerate() {
        join(&mut http, path, token)?;
        let until = Instant::now() + TICK_MAX;
        while heard.frames < (nth + 1) * listeners {
            crowd.turn(&mut |_, told, _| heard.take(told))?;
            ensure!(Instant::now() < until, "{} of {listeners} listeners were told of join {nth}", heard.frames - nth * listeners);
        }
    }
    Ok(heard)
}

fn join(http: &mut Http, path: &str, token: &str) -> Result<()> {
    http.post(path, token, r#"{"client_key":"join"}"#).map(drop)
}

struct Busy {
    heard: Heard,
    ticks: f64,
    joins: Latencies,
    per_second: f64,
    cpu_ms: f64,
}

/// Users join one after the other, each at its time, while the listeners listen.
fn busily(server: &Server, crowd: &mut Crowd, path: &str, tokens: &[String], plan: Plan) -> Result<Busy> {
    let (mut heard, listeners, over) = (Heard::default(), crowd.size(), AtomicBool::new(false));
    let (cpu, started) = (measure::cpu(server.pid())?, Instant::now());
    let through = |door: usize| -> Result<Latencies> {
        let (mut http, mut joins) = (Http::open(server.clients)?, Latencies::default());
        for (nth, token) in tokens.iter().enumerate().skip(door).step_by(DOORS) {
            let due = started + plan.apart * u32::try_from(nth)?;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            join(&mut http, path, token)?;
            joins.push(due.elapsed());
        }
        Ok(joins)
    };
    let (joins, took) = thread::scope(|scope| -> Result<_> {
        let doors: Vec<_> = (0..DOORS).map(|door| scope.spawn(move || through(door))).collect();
        let watch = scope.spawn(|| {
            let joins: Vec<_> = doors.into_iter().map(|door| door.join().expect("a door does not panic")).collect();
            over.store(true, Ordering::Release);
            (joins, started.elapsed())
        });
        while !over.load(Ordering::Acquire) {
            crowd.turn(&mut |_, told, _| heard.take(told))?;
        }
        let (joins, took) = watch.join().ok().context("a door panicked")?;
        Ok((joins.into_iter().collect::<Result<Vec<_>>>()?, took))
    })?;
    // Those of the last tick are told of at its end.
    let until = Instant::now() + plan.tick * 3 / 2;
    while Instant::now() < until {
        crowd.turn(&mut |_, told, _| heard.take(told))?;
    }
    ensure!(heard.frames > 0 && heard.frames % listeners == 0, "{} frames for {listeners} listeners", heard.frames);
    let mut all = Latencies::default();
    for joins in &joins {
        all.take_in(joins);
    }
    Ok(Busy {
        heard,
        ticks: (took.as_secs_f64() / plan.tick.as_secs_f64()).ceil(),
        joins: all,
        per_second: tokens.len() as f64 / took.as_secs_f64(),
        cpu_ms: 1_000.0 * measure::cpu(server.pid())?.since(cpu).total() / tokens.len() as f64,
    })
}

fn rows(plan: Plan, quiet: &Heard, busy: &Busy, rows_each: f64) -> Vec<Row> {
    let (one, many) = (quiet.each(plan.listeners, plan.quiet as f64), busy.heard.each(plan.listeners, busy.ticks));
    let (each, ratio) = (plan.busy as f64 / busy.ticks, many / one.max(1.0));
    let frames = busy.heard.frames as f64 / plan.listeners as f64;
    let others = quiet.others + busy.heard.others;
    let members = thousands(plan.members as f64);
    vec![
        Row::judged(
            format!("bytes written to a member and tick while others join a group of {members}"),
            format!("≤ {BYTES_MAX}, the same ± 10 % whatever joins"),
            format!("{many:.1} at {each:.0} joins in a tick, {one:.1} at one"),
            many.max(one) <= BYTES_MAX && (ratio - 1.0).abs() <= APART_MAX && others == 0,
        )
        .how(format!(
            "on the wire of {} listening members, frames' heads included, JSON: {frames:.0} frames to each in {} ticks of {} s with {} joins, \
             {} in as many ticks of one join; {others} other frames",
            plan.listeners,
            busy.ticks,
            plan.tick.as_secs(),
            thousands(plan.busy as f64),
            quiet.frames / plan.listeners
        )),
        Row::judged(
            format!("users joining a group of {members} one by one"),
            format!("≥ {JOINS_MIN} a second"),
            format!("{:.0} a second", busy.per_second),
            busy.per_second >= JOINS_MIN,
        )
        .how(format!(
            "{} joins over REST (`POST …/join`) in an open loop, one each {} ms; each answered from its due time within {}; {:.1} ms of \
             the server's CPU and {rows_each:.1} rows committed for each join, listeners included",
            thousands(plan.busy as f64),
            plan.apart.as_millis(),
            busy.joins.words(),
            busy.cpu_ms
        )),
    ]
}
