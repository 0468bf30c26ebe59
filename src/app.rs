//! Composition: the one place that names a concrete store, clock and source of randomness, and ties every task to an
//! owner.
//!
//! Start: settings → keys → store → node → doors → listeners. Stop: drain the sockets, settle the node, close the
//! store; nothing that was acknowledged is lost on the way.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actors::accounts::erasure::MessagesOfDeleted;
use actors::credential::Credentials;
use actors::node::{Node, World};
use actors::relay::LocalRelay;
use actors::time::{Clock, Random, Timestamp};
use anyhow::Context;
use aws_lc_rs::rand;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::auth::authority::Authority;
use crate::auth::keys;
use crate::auth::passwords::HashCost;
use crate::config::Config;
use crate::edge::doors::Doors;
use crate::edge::{accept, drain, ops};
use crate::media::depot::Depot;
use crate::media::library::{Files, Means};
use crate::metrics::{Labels, Metrics, StoreFigures};
use crate::protocol::registry::REGISTRY;
use crate::protocol::request::OPS;
use crate::store::embedded::{EmbeddedStore, Options, Stats, calls};

/// The metrics' recent samples are folded this often (KM3).
const UPKEEP: Duration = Duration::from_secs(5);
/// What the process ends with when the store can no longer keep its promise; a supervisor starts it again.
const EXIT_STORE: i32 = 70;

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The crypto provider's randomness.
#[derive(Debug, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn draw(&self) -> u128 {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).expect("the system's randomness does not run out");
        u128::from_be_bytes(bytes)
    }
}

/// A running server.
pub struct App {
    doors: Arc<Doors>,
    store: Arc<EmbeddedStore>,
    clients: SocketAddr,
    operators: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl App {
    /// Starts everything; when it returns, clients can connect.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let limits = Arc::new(config.limits.clone());
        let metrics = Metrics::new(Labels {
            ops: OPS.to_vec(),
            errors: REGISTRY.iter().map(|row| row.name).collect(),
            calls: calls::names().collect(),
        });
        let store = Arc::new(open_store(config, Arc::clone(&metrics)).await?);
        let key = keys::load_or_draw(&config.node.data)?;
        let authority = Arc::new(Authority::new(&key, HashCost::default(), &limits));
        let credentials: Arc<dyn Credentials> = Arc::<Authority>::clone(&authority);
        let world = World {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            store: Arc::<EmbeddedStore>::clone(&store),
            credentials,
            relay: Arc::new(LocalRelay),
            telemetry: Arc::<Metrics>::clone(&metrics),
            limits,
        };
        let files = open_files(config, &world, Arc::clone(&metrics)).await?;
        let node = Node::start(world).await.context("the node could not start")?;
        node.erase_deleted(if config.accounts.erase_messages { MessagesOfDeleted::Go } else { MessagesOfDeleted::Stay });
        let doors = Doors::new(node, Arc::new(files.clone()), Arc::clone(&metrics), &config.edge);
        let clients = accept::listen(config.edge.listen).with_context(|| format!("cannot listen for clients on {}", config.edge.listen))?;
        let operators =
            accept::listen(config.ops.listen).with_context(|| format!("cannot listen for operators on {}", config.ops.listen))?;
        let (clients_at, operators_at) = (clients.local_addr()?, operators.local_addr()?);
        let stats = store.stats();
        let refresh = {
            let metrics = Arc::clone(&metrics);
            Arc::new(move || metrics.take_over(figures(&stats), authority.hashes_waiting()))
        };
        let tasks = vec![
            tokio::spawn(turn_wheel(Arc::clone(&doors))),
            tokio::spawn(upkeep(metrics)),
            tokio::spawn(files.sweep()),
            tokio::spawn(ops::serve(operators, Arc::clone(&doors), refresh, Arc::<EmbeddedStore>::clone(&store), config.test)),
            tokio::spawn(accept::accept(clients, Arc::clone(&doors))),
        ];
        Ok(Self { doors, store, clients: clients_at, operators: operators_at, tasks })
    }

    /// Where clients connect.
    pub fn clients(&self) -> SocketAddr {
        self.clients
    }

    /// Where operators connect.
    pub fn operators(&self) -> SocketAddr {
        self.operators
    }

    /// Drains and stops.
    pub async fn stop(self) {
        drain::drain(&self.doors).await;
        self.store.close().await;
        for task in self.tasks {
            task.abort();
            if task.await.is_err_and(|ended| ended.is_panic()) {
                tracing::error!("a task of the server ended by a panic");
            }
        }
    }
}

/// Opens the store of this data folder, off the runtime's threads.
async fn open_store(config: &Config, metrics: Arc<Metrics>) -> anyhow::Result<EmbeddedStore> {
    let mut options = Options::new(config.node.data.join(STORE_FOLDER), Box::new(|why| end_process(&why)));
    options.limits = config.limits.clone();
    options.observe = Box::new(move |commit| metrics.committed(commit.rows, commit.took));
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(options)).await;
    opened.context("opening the store met a mistake of ours")?.with_context(|| cannot_open(&config.node.data))
}

/// Opens what keeps the bytes of files, and clears away what the last run left half taken in.
async fn open_files(config: &Config, world: &World, metrics: Arc<Metrics>) -> anyhow::Result<Files> {
    let depot = Depot::open(&config.media, &config.node.data)?;
    let files = Files::new(Means {
        depot,
        store: Arc::clone(&world.store),
        clock: Arc::clone(&world.clock),
        random: Arc::clone(&world.random),
        limits: Arc::clone(&world.limits),
        metrics,
    });
    match files.clear_leftovers().await {
        Ok(0) => {}
        Ok(cleared) => tracing::info!(cleared, "files that were half taken in are cleared away"),
        // A bucket that cannot be reached now may be later; nothing but room is lost until the next start.
        Err(error) => tracing::warn!(%error, "what the last run left of files could not be looked for"),
    }
    Ok(files)
}

/// Where the store lies in the data folder.
pub const STORE_FOLDER: &str = "store";

/// What is said when a data folder cannot be opened.
pub fn cannot_open(data: &Path) -> String {
    format!("the data folder {} cannot be opened", data.display())
}

#[expect(clippy::exit, reason = "a store that cannot commit must not acknowledge: the process ends and is started again (KF7)")]
fn end_process(why: &str) {
    tracing::error!(why, "the store cannot go on; the process ends");
    std::process::exit(EXIT_STORE);
}

fn figures(stats: &Stats) -> StoreFigures {
    StoreFigures {
        commits: stats.commits.load(Ordering::Relaxed),
        syncs: stats.fsyncs.load(Ordering::Relaxed),
        rows: stats.rows.load(Ordering::Relaxed),
        inflight: stats.waiting.load(Ordering::Relaxed),
        corrupt: stats.bad_records.load(Ordering::Relaxed),
        failed: stats.failures.load(Ordering::Relaxed),
        calls: stats.calls.all().collect(),
    }
}

async fn turn_wheel(doors: Arc<Doors>) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        doors.wheel.turn(&doors.metrics.edge.heartbeat_timeouts);
    }
}

async fn upkeep(metrics: Arc<Metrics>) {
    let mut tick = interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics.upkeep();
    }
}
