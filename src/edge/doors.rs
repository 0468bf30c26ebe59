//! What all connections of a node share: the node itself, the doorkeeper, the wheel, and whether it is going away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::limits::{Limit, Limits};
use actors::media::Library;
use actors::node::Node;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::config::{EdgeConfig, Network, ProxyHeader};
use crate::edge::admission::Admission;
use crate::edge::bucket::Rate;
use crate::edge::gate::Gate;
use crate::edge::heartbeat::Wheel;
use crate::edge::uploads::Uploads;
use crate::metrics::Metrics;

/// What a socket reads at a time; a larger frame gets a larger buffer while it is read (KW1).
const READ_BUFFER_BYTES: usize = 1_024;
/// The WebSocket's own frames (pong, close) that wait; announcements do not pass here.
const WRITE_BUFFER_BYTES_MAX: usize = 64 * 1_024;

/// What all connections share.
pub struct Doors {
    /// The node behind.
    pub node: Node,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Every bound.
    pub limits: Arc<Limits>,
    /// Who may come in.
    pub admission: Arc<Admission>,
    /// How many requests over HTTP are answered at once.
    pub gate: Arc<Gate>,
    /// Heartbeats.
    pub wheel: Wheel,
    /// Files.
    pub library: Arc<dyn Library>,
    /// Who may send files now.
    pub uploads: Arc<Uploads>,
    /// Web origins that may connect; empty: any.
    pub origins: Vec<String>,
    /// Proxies whose word on the client's address is believed.
    pub proxies: Vec<Network>,
    /// The header in which they say it.
    pub proxy_header: ProxyHeader,
    /// Frames of one connection.
    pub frames_rate: Rate,
    /// Inbound bytes of one connection.
    pub bytes_rate: Rate,
    started: Instant,
    draining: watch::Sender<bool>,
}

impl Doors {
    /// Open doors to this node.
    pub fn new(node: Node, library: Arc<dyn Library>, metrics: Arc<Metrics>, config: &EdgeConfig) -> Arc<Self> {
        let limits = Arc::clone(&node.world().limits);
        let second = Duration::from_secs(1);
        let bytes = limits.get(Limit::InboundBytesRate);
        Arc::new(Self {
            metrics,
            admission: Admission::new(&limits, config.trusted_addresses.clone(), config.trusted_proxies.clone()),
            gate: Gate::new(&limits),
            library,
            uploads: Uploads::new(&limits),
            wheel: Wheel::new(limits.time(Limit::WriteStall)),
            origins: config.origins.clone(),
            proxies: config.trusted_proxies.clone(),
            proxy_header: config.proxy_header,
            frames_rate: Rate::new(limits.get(Limit::FramesRate), second, limits.get(Limit::FramesBurst)),
            bytes_rate: Rate::new(bytes, second, bytes.max(limits.get(Limit::FrameBytes))),
            limits,
            node,
            started: Instant::now(),
            draining: watch::Sender::new(false),
        })
    }

    /// How a socket is read and written.
    pub fn socket_config(&self) -> WebSocketConfig {
        let frame_bytes_max = Some(self.limits.count(Limit::FrameBytes));
        WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(frame_bytes_max)
            .max_frame_size(frame_bytes_max)
    }

    /// Microseconds since the doors opened; never falls.
    pub fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whole seconds since the doors opened.
    pub fn seconds(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    /// From now on nobody comes in.
    pub fn shut(&self) {
        self.draining.send_replace(true);
    }

    /// Whether nobody comes in any more.
    pub fn is_shut(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until nobody comes in any more.
    pub async fn shutting(&self) {
        let mut draining = self.draining.subscribe();
        if draining.wait_for(|shut| *shut).await.is_err() {
            // The sender lives as long as the doors, so this does not happen; shut is shut either way.
        }
    }

    /// A name for one refusal, which the client is told and the log has too.
    pub fn reference(&self) -> String {
        format!("{:012x}", self.node.world().random.draw() & 0xffff_ffff_ffff)
    }
}
