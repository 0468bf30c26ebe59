//! What the core counts: closed lists, so that each count is a metric with a name and a help text, and nothing is
//! labelled by who or where. The exporter is the server's.

use crate::event::Class;

/// Things that happen; each is a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// Posts acknowledged.
    PostsAcked,
    /// Posts answered with the first result of their key.
    DuplicatesSuppressed,
    /// Posts refused because their key was used for another content.
    KeyConflicts,
    /// Batches whose outcome was not learned at the first try.
    AppendsUnknown,
    /// Batches refused because another owner wrote.
    Fenced,
    /// Batches refused under our own epoch by a batch that is not ours; must stay 0 (F4).
    ConflictsSameEpoch,
    /// Claims granted.
    ClaimsGranted,
    /// Claims refused or not learned.
    ClaimsLost,
    /// Logs frozen because stored data contradicts itself (F13).
    Frozen,
    /// Entries read that a client key was looked for in.
    KeysLoaded,
    /// Announcements queued to a session.
    Deliveries(Class),
    /// Announcements given up.
    Shed(Class),
    /// Messages that became part of a gap mark.
    GapMarks,
    /// Durable writes of marks.
    WatermarkWrites,
    /// Marks raised in them.
    WatermarksRaised,
    /// Presence changes told to a session.
    PresenceEmitted,
    /// Presence or typing signals given up by a rule.
    PresenceShed,
    /// Typing signals announced.
    Typing,
    /// An actor came up.
    ActorStarted(ActorKind),
    /// An actor stopped because it had nothing to do.
    ActorSlept(ActorKind),
    /// An actor died of a bug; the next command brings it back.
    ActorFailed(ActorKind),
    /// A resume of one log, by outcome.
    Resumed(ResumeOutcome),
    /// A command or query refused because a bucket ran empty.
    RateLimited(&'static str),
}

/// Kinds of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A connected user.
    User,
    /// An awake conversation.
    Conversation,
    /// An awake user's log.
    Home,
}

/// Outcomes of a resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResumeOutcome {
    /// Everything inline.
    Complete,
    /// A gap to page.
    Gap,
    /// The cache is to be dropped.
    Reset,
    /// A part is gone.
    TooLong,
}

/// Sizes and times; each is a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Seconds from a post's arrival at its conversation to its ack.
    PostSeconds,
    /// Seconds of one append.
    AppendSeconds,
    /// Rows of one batch.
    BatchRows,
    /// Sessions that one fan-out reached.
    FanoutRecipients,
    /// Seconds of one fan-out.
    FanoutSeconds,
    /// Seconds from a conversation's first mail to its head being known.
    ActivationSeconds,
}

/// Where counts go.
pub trait Telemetry: Send + Sync + 'static {
    /// Something happened `n` times.
    fn count(&self, what: Count, n: u64);
    /// Something took, or held, this much.
    fn measure(&self, what: Measure, value: f64);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Telemetry for Silent {
    fn count(&self, _: Count, _: u64) {}
    fn measure(&self, _: Measure, _: f64) {}
}
