//! The edge against a real node on the memory store: [`sockets`] in memory, [`listeners`] over TCP.

use std::sync::Arc;

use actors::account::Device;
use actors::accounts::SignUp;
use actors::limits::{Limit, Limits};
use actors::node::{Node, World};
use actors::relay::LocalRelay;
use actors::testkit::files::NoFiles;
use actors::testkit::memory::MemoryStore;

use crate::app::{SystemClock, SystemRandom};
use crate::auth::authority::Authority;
use crate::auth::keys::SigningKey;
use crate::auth::passwords::HashCost;
use crate::config::{Config, Start};
use crate::edge::doors::Doors;
use crate::metrics::{Labels, Metrics};
use crate::protocol::registry::REGISTRY;
use crate::protocol::request::OPS;

mod sockets;
mod listeners;

const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

/// Doors that trust this machine.
pub(super) async fn doors(limit: &[(Limit, u64)]) -> Arc<Doors> {
    doors_of(Start::Bare, limit).await
}

/// Doors with these limits.
pub(super) async fn doors_of(start: Start, limit: &[(Limit, u64)]) -> Arc<Doors> {
    let mut limits = Limits::default();
    for (limit, value) in limit {
        limits.set(*limit, *value);
    }
    let metrics = Metrics::new(Labels { ops: OPS.to_vec(), errors: REGISTRY.iter().map(|row| row.name).collect(), calls: Vec::new() });
    let key = SigningKey::draw().expect("drawn");
    let world = World {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        store: Arc::new(MemoryStore::default()),
        credentials: Arc::new(Authority::new(&key, CHEAP, &limits)),
        relay: Arc::new(LocalRelay),
        telemetry: Arc::<Metrics>::clone(&metrics),
        limits: Arc::new(limits),
    };
    let node = Node::start(world).await.expect("started");
    Doors::new(node, Arc::new(NoFiles), metrics, &Config::of(start).edge)
}

/// An account's number and access token.
pub(super) async fn account(doors: &Doors, name: &str) -> (u64, String) {
    let email = format!("{name}@example.org");
    let sign_up = SignUp { username: name, email: &email, password: "correct horse", name, ..SignUp::default() };
    let tokens = doors.node.accounts().sign_up(sign_up, &Device::default()).await.expect("signed up");
    // The login is noted in the user's own log: a socket that is opened before that hears of it.
    while doors.node.world().store.head(tokens.user.id.into()).await.expect("readable").is_new() {
        tokio::task::yield_now().await;
    }
    (tokens.user.id.get(), tokens.access.0)
}
