//! Going away without losing anybody: stop accepting, tell every socket its own moment to come back, let the node
//! settle what is in flight, end what is left (KH3, P42).

use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::limits::Limit;
use actors::outbound::CloseReason;
use actors::session::Session;

use crate::edge::doors::Doors;

/// Sockets told at once; more are spread over time.
const AT_ONCE: usize = 64;
/// Time kept at the end for those who do not leave.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Drains; returns when nobody is left, or at the deadline.
pub async fn drain(doors: &Doors) {
    let deadline = Instant::now() + doors.limits.time(Limit::DrainDeadline);
    let left = || deadline.saturating_duration_since(Instant::now());
    doors.shut();
    let connections = doors.admission.open();
    tracing::info!(connections, "draining");
    send_away(doors).await;
    doors.node.drain(left().saturating_sub(LAST_CALL)).await;
    if tokio::time::timeout(left().saturating_sub(LAST_CALL), doors.admission.emptied()).await.is_err() {
        for pulse in doors.wheel.all() {
            pulse.abort();
        }
        if tokio::time::timeout(LAST_CALL, doors.admission.emptied()).await.is_err() {
            tracing::warn!(connections = doors.admission.open(), "connections are left at the end of the drain");
        }
    }
    doors.metrics.edge.drain_progress.set(1.0);
    tracing::info!("drained");
}

/// Tells every socket to leave, a few at a time, each with its own moment to come back.
async fn send_away(doors: &Doors) {
    let spread = doors.limits.time(Limit::DrainSpread);
    let mut pulses = doors.wheel.all();
    pulses.sort_unstable_by_key(|pulse| moment(pulse.session(), spread));
    let (total, steps) = (pulses.len(), pulses.len().div_ceil(AT_ONCE).max(1));
    let pause = spread / u32::try_from(steps).unwrap_or(u32::MAX);
    for (step, some) in pulses.chunks(AT_ONCE).enumerate() {
        if step > 0 {
            tokio::time::sleep(pause).await;
        }
        for pulse in some {
            let after = moment(pulse.session(), spread);
            pulse.session().queue.close(CloseReason::Drain { after });
        }
        doors.metrics.edge.drain_progress.set((step * AT_ONCE) as f64 / total.max(1) as f64);
    }
}

/// A session's own moment: the same for the same session, so that a retry keeps it.
pub fn moment(session: &Arc<Session>, spread: Duration) -> Duration {
    let millis = spread.as_millis().max(1);
    Duration::from_millis(u64::try_from(session.id.0 % millis).unwrap_or(0))
}
