//! The one place where work is spawned beside an actor: tied to its owner, and never silent.

use ractor::{ActorRef, Message};

/// Runs `work` beside the actor and sends it the answer as mail; if the work is lost (it panicked, or the runtime
/// stops), the actor gets `lost` instead, so that it never waits for an answer that cannot come.
pub(crate) fn tie<M: Message>(owner: &ActorRef<M>, lost: M, work: impl Future<Output = M> + Send + 'static) {
    let mut tied = Tied { owner: owner.clone(), lost: Some(lost) };
    #[expect(clippy::disallowed_methods, reason = "the one function that ties a task to its owner")]
    tokio::spawn(async move {
        let answer = work.await;
        tied.lost = None;
        send(&tied.owner, answer);
    });
}

struct Tied<M: Message> {
    owner: ActorRef<M>,
    lost: Option<M>,
}

impl<M: Message> Drop for Tied<M> {
    fn drop(&mut self) {
        if let Some(mail) = self.lost.take() {
            send(&self.owner, mail);
        }
    }
}

/// An owner that has stopped wants no answer: whoever waited for it is told by the reply ports that died with it.
fn send<M: Message>(owner: &ActorRef<M>, mail: M) {
    if owner.send_message(mail).is_err() {
        tracing::debug!(actor = %owner.get_id(), "an answer came after its actor had stopped");
    }
}
