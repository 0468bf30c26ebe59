//! How many durable direct messages does one second of the server's CPU carry?
//!
//! Each message is synced to disk before its ack, and delivered to its peer. Expected: 50 µs for a message, so 20,000
//! in a CPU-second (the target): two socket reads and writes of some 5 µs each dominate, a share of a group commit
//! costs less than one of them, two actor hops about 1 µs. One sync is shared by all conversations that wait, so syncs
//! for a message are far below 1.
//! What would change our mind: the store's thread above a third of the CPU (then batching or the record format is
//! wrong), or parsing above a tenth.
//!
//! The load is closed: each connection has a fixed number of messages in flight and sends the next when one is
//! acknowledged. So the latencies printed are those of a saturated server, not of an idle one, and there is no schedule
//! that the generator could be late against.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::counts::Counts;
use crate::crowd::{Crowd, Framer, Told};
use crate::measure::{self, Cpu};
use crate::native::Encoding;
use crate::profile::{self, Part};
use crate::server::Server;
use crate::stage::{self, Stage};
use crate::table::{Row, thousands};
use crate::translation;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Connections; each user writes to one other, both ways.
    pub connections: usize,
    /// Messages of one connection that await their ack.
    pub in_flight: usize,
    /// Rounds.
    pub rounds: usize,
    /// Length of a round.
    pub span: Duration,
}

impl Plan {
    /// What the figures are made of.
    pub const FULL: Self = Self { connections: 1_000, in_flight: 8, rounds: 5, span: Duration::from_secs(4) };
    /// Whether it works at all.
    pub const QUICK: Self = Self { connections: 50, in_flight: 4, rounds: 1, span: Duration::from_secs(1) };
}

/// Acknowledged messages for one CPU-second of the server.
const TARGET: f64 = 20_000.0;
/// The text of a message.
const TEXT_BYTES: usize = 200;
/// The most syncs for a message that still count as "far below one".
const SYNCS_MAX: f64 = 0.1;

/// One who writes to a peer.
#[derive(Debug)]
struct Writer {
    conversation: String,
    next: u32,
    sent: Vec<(u32, Instant)>,
}

impl Writer {
    fn send(&mut self, framer: Framer, text: &str, out: &mut Vec<u8>) {
        framer.send(out, self.next, &self.conversation, &format!("k{}", self.next), text);
        self.sent.push((self.next, Instant::now()));
        self.next += 1;
    }
}

/// All who write, and what came of it.
#[derive(Debug)]
struct Load {
    crowd: Crowd,
    writers: Vec<Writer>,
    text: String,
    acked: u64,
    delivered: u64,
    latencies: Vec<u32>,
}

impl Load {
    fn start(stage: &Stage, server: &Server, plan: Plan) -> Result<Self> {
        let mut crowd = Crowd::new(server.clients, Encoding::Json)?;
        crowd.join(&stage.tokens()[..plan.connections])?;
        let writer = |who: usize| Ok(Writer { conversation: stage.direct(who, who ^ 1)?, next: 2, sent: vec![] });
        let writers = (0..plan.connections).map(writer).collect::<Result<_>>()?;
        Ok(Self { crowd, writers, text: "x".repeat(TEXT_BYTES), acked: 0, delivered: 0, latencies: vec![] })
    }

    /// Keeps all windows full for so long.
    fn run(&mut self, span: Duration, in_flight: usize) -> Result<()> {
        let until = Instant::now() + span;
        for who in 0..self.writers.len() {
            let (writer, mut frames) = (&mut self.writers[who], Vec::new());
            while writer.sent.len() < in_flight {
                writer.send(self.crowd.framer(), &self.text, &mut frames);
            }
            self.crowd.say(who, &frames);
        }
        while Instant::now() < until {
            self.turn(true)?;
        }
        Ok(())
    }

    /// Keeps all windows full for so long, and says what that took.
    fn round(&mut self, server: &Server, span: Duration, in_flight: usize) -> Result<Round> {
        let (cpu, wall, acked) = (measure::cpu(server.pid())?, Instant::now(), self.acked);
        self.run(span, in_flight)?;
        let count = (self.acked - acked) as f64;
        Ok(Round {
            per_cpu_second: count / measure::cpu(server.pid())?.since(cpu).total().max(0.01),
            per_wall_second: count / wall.elapsed().as_secs_f64(),
        })
    }

    /// Waits until nothing is in flight and everything has been delivered.
    fn settle(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while self.writers.iter().any(|writer| !writer.sent.is_empty()) || self.delivered < self.acked {
            self.turn(false)?;
            ensure!(Instant::now() < until, "{} acknowledged, {} delivered", self.acked, self.delivered);
        }
        ensure!(self.delivered == self.acked, "{} acknowledged, but {} delivered", self.acked, self.delivered);
        Ok(())
    }

    /// Half of the acks, and 99 in 100, came within this time.
    fn latency(&self) -> String {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = |percent: usize| f64::from(sorted.get(sorted.len() * percent / 100).copied().unwrap_or(0)) / 1_000.0;
        format!("p50 {:.1} ms, p99 {:.1} ms", at(50), at(99))
    }

    fn turn(&mut self, go_on: bool) -> Result<()> {
        let Self { crowd, writers, text, acked, delivered, latencies } = self;
        let framer = crowd.framer();
        crowd.turn(&mut |who, told, say| match told {
            Told::Entry => *delivered += 1,
            Told::Members(_) | Told::Other(_) => {}
            Told::Done(id) => {
                let writer = &mut writers[who];
                if let Some(place) = writer.sent.iter().position(|(sent, _)| *sent == id) {
                    let (_, at) = writer.sent.swap_remove(place);
                    latencies.push(u32::try_from(at.elapsed().as_micros()).unwrap_or(u32::MAX));
                    *acked += 1;
                }
                if go_on {
                    writer.send(framer, text, say);
                }
            }
        })
    }
}

/// What one round came to.
#[derive(Debug, Clone, Copy)]
struct Round {
    per_cpu_second: f64,
    per_wall_second: f64,
}

/// Measures and says.
pub fn ask(stage: &Stage, plan: Plan) -> Result<Vec<Row>> {
    let server = stage.serve()?;
    let mut load = Load::start(stage, &server, plan)?;
    load.run(plan.span, plan.in_flight)?; // the conversations come to be, caches fill
    load.latencies.clear();
    let (counts, threads, start) = (server.counts()?, measure::threads(server.pid())?, load.acked);
    let recording = profile::record(server.pid(), plan.span * u32::try_from(plan.rounds)?);
    let rounds: Vec<_> = (0..plan.rounds).map(|_| load.round(&server, plan.span, plan.in_flight)).collect::<Result<_>>()?;
    let (after, shares) = (server.counts()?, shares(&threads, &measure::threads(server.pid())?));
    let acked = (load.acked - start) as f64;
    load.settle()?;
    let parts = recording.map_or(Ok(None), profile::Recording::shares)?;
    let mut rows = told(&load, plan, &rounds);
    rows.extend(counted(&counts, &after, acked));
    rows.extend([by_part(parts), shares, translated(&rounds)?, alone(&mut load, &server, plan)?]);
    drop(load); // a drain would wait for its connections
    server.stop()?;
    Ok(rows)
}

fn told(load: &Load, plan: Plan, rounds: &[Round]) -> Vec<Row> {
    let (cpu, wall): (Vec<_>, Vec<_>) = rounds.iter().map(|round| (round.per_cpu_second, round.per_wall_second)).unzip();
    vec![
        Row::judged(
            format!("durable direct messages acknowledged per CPU-second, {} connections", plan.connections),
            format!("≥ {}", thousands(TARGET)),
            format!(
                "median {}, best {} (wall {})",
                thousands(measure::median(&cpu)),
                thousands(measure::best(&cpu)),
                thousands(measure::median(&wall))
            ),
            measure::median(&cpu) >= TARGET,
        )
        .how(format!(
            "{} in flight on each connection, {TEXT_BYTES}-byte texts, JSON, {} rounds of {} s ({} in a CPU-second); each was synced to {} before its ack and \
             delivered to its peer ({} in all, none missing); no marks sent",
            plan.in_flight,
            plan.rounds,
            plan.span.as_secs(),
            cpu.iter().map(|each| thousands(*each)).collect::<Vec<_>>().join("; "),
            stage::file_system(),
            thousands(load.delivered as f64)
        )),
        Row::told("ack latency at that load", load.latency())
            .how("closed loop, server saturated: a window's worth of queueing, not the latency of an idle server"),
    ]
}

fn counted(before: &Counts, after: &Counts, acked: f64) -> Vec<Row> {
    let each = |name: &str| after.rise(before, name) / acked.max(1.0);
    let syncs = each("parlance_store_syncs_total");
    vec![
        Row::judged("syncs per message", "≪ 1", format!("{syncs:.4}"), syncs <= SYNCS_MAX)
            .how(format!("`parlance_store_syncs_total`; {:.4} commits per message", each("parlance_store_commits_total"))),
        Row::told("write calls per message, ack and delivery together", format!("{:.2}", each("parlance_edge_writes_total")))
            .how(format!("`parlance_edge_writes_total`; {:.2} frames written per message", each("parlance_edge_frames_written_total"))),
    ]
}

/// The same with a single message in flight on each connection: less shares a commit or a write.
fn alone(load: &mut Load, server: &Server, plan: Plan) -> Result<Row> {
    load.latencies.clear();
    let before = server.counts()?;
    let (acked, round) = (load.acked, load.round(server, plan.span, 1)?);
    let (after, acked) = (server.counts()?, (load.acked - acked) as f64);
    load.settle()?;
    let each = |name: &str| after.rise(&before, name) / acked.max(1.0);
    let (cpu, wall) = (thousands(round.per_cpu_second), thousands(round.per_wall_second));
    let figure = format!("the same with 1 in flight on each of {} connections", load.writers.len());
    Ok(Row::told(figure, format!("{cpu} per CPU-second (wall {wall}); ack {}", load.latency())).how(format!(
        "{:.4} syncs and {:.2} write calls per message",
        each("parlance_store_syncs_total"),
        each("parlance_edge_writes_total")
    )))
}

/// Where the CPU went, by what it was for.
fn by_part(parts: Option<Vec<(Part, f64)>>) -> Row {
    let figure = "share of the server's CPU by part";
    match parts {
        Some(parts) => {
            let words: Vec<_> = parts.iter().map(|(part, share)| format!("{} {:.0} %", part.name(), 100.0 * share)).collect();
            Row::told(figure, words.join(", ")).how(
                "`perf record -e cpu-clock` over all rounds: samples in the kernel by system call, our own by the module of the function \
                 that was running",
            )
        }
        None => Row::told(figure, "not measured").how("`perf` is not there, or may not look into the kernel"),
    }
}

/// What translation takes of a message, by the same functions in this process.
fn translated(rounds: &[Round]) -> Result<Row> {
    let costs = translation::costs(Encoding::Json, 100_000)?;
    let each = 1e6 / measure::median(&rounds.iter().map(|round| round.per_cpu_second).collect::<Vec<_>>()).max(1.0);
    let words = |what: &str, micros: f64| format!("{what} {micros:.1} µs ({:.0} %)", 100.0 * micros / each);
    let steps = [words("parse", costs.parse), words("render the ack", costs.render_ack), words("render the entry", costs.render_entry)];
    Ok(Row::told(format!("translation, of {each:.0} µs of server CPU for a message"), steps.join(", "))
        .how("the server's functions in a hot loop in this process: the least that they can cost"))
}

/// Where the CPU went, by the names of the threads.
fn shares(before: &[(String, Cpu)], after: &[(String, Cpu)]) -> Row {
    let mut used: BTreeMap<&str, Cpu> = BTreeMap::new();
    for (sign, threads) in [(-1.0, before), (1.0, after)] {
        for (name, cpu) in threads {
            let sum = used.entry(name).or_default();
            sum.user += sign * cpu.user;
            sum.system += sign * cpu.system;
        }
    }
    let all: f64 = used.values().map(|cpu| cpu.total()).sum::<f64>().max(0.01);
    let percent = |part: f64| 100.0 * part / all;
    let mut lines: Vec<_> = used.into_iter().filter(|(_, cpu)| percent(cpu.total()) >= 0.5).collect();
    lines.sort_by(|(_, one), (_, other)| other.total().total_cmp(&one.total()));
    let words: Vec<_> = lines
        .iter()
        .map(|(name, cpu)| {
            format!("{name} {:.0} % ({:.0} own code, {:.0} kernel)", percent(cpu.total()), percent(cpu.user), percent(cpu.system))
        })
        .collect();
    Row::told("share of the server's CPU by thread", words.join("; ")).how("`/proc/PID/task/*/stat`, threads of one name together")
}
