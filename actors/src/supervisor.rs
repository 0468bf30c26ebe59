//! A shard supervisor: many of them share the node's actors, so that starting and stopping one touches few others.
//!
//! Nothing is restarted here. An actor that died is found dead by the next command, which brings it back from the
//! store; the supervisor counts and says why. A supervisor itself never ends because a child did.

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::telemetry::{ActorKind, Count};
use std::sync::Arc;

use crate::telemetry::Telemetry;

/// The supervisor of one shard of one kind of actor.
pub(crate) struct Supervisor {
    pub kind: ActorKind,
    pub telemetry: Arc<dyn Telemetry>,
}

impl Actor for Supervisor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(&self, _: ActorRef<()>, event: SupervisionEvent, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                self.telemetry.count(Count::ActorFailed(self.kind), 1);
                tracing::error!(kind = ?self.kind, actor = %actor.get_id(), %error, "an actor died; the next command brings it back");
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}
