//! What happened in a run, in one order: the facts that the checker judges, and a trace of lines that a person reads.
//!
//! The recorder judges nothing. The hash of the trace tells two runs of one seed apart.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use actors::command::Cursor;
use actors::content::{ClientKey, Content};
use actors::entry::{Act, Entry, Head};
use actors::id::{ConversationId, LogId, Seq, UserId};
use actors::rejected::Rejected;
use actors::store::Marks;
use actors::view::{Appended, Resumed};
use tokio::time::Instant;

/// One connection in the life of one client: the client, and how many it had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// Which client.
    pub(crate) client: usize,
    /// Which of its connections.
    pub(crate) connection: usize,
}

/// How a request ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// Stored.
    Acked(Appended),
    /// A mark stands here.
    Marked(Seq),
    /// Another answer than a refusal.
    Answered,
    /// Refused.
    Refused(Rejected),
    /// The connection ended before an answer came.
    Cut,
}

/// What somebody asked for, as far as the checker must know.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// To store an act under a key.
    Store(ConversationId, ClientKey, Act),
    /// To create a group under a key.
    Create(ClientKey),
    /// To raise a mark.
    Mark,
    /// To know something.
    Know,
}

/// How an entry came to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Pushed.
    Event,
    /// In a page of history.
    Page,
    /// Inline in a resume.
    Sync,
}

/// One fact.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// A request left its client.
    Asked { line: Line, user: UserId, request: u32, asked: Asked, at: u64 },
    /// It was answered, or will never be; when both is seen, in milliseconds.
    Ended { line: Line, request: u32, end: End, at: u64 },
    /// A client saw an entry.
    Saw { line: Line, user: UserId, conversation: ConversationId, entry: Arc<Entry>, by: By },
    /// A client was shown how far a member has come; `stored` is what stood in the store by then.
    Shown { line: Line, conversation: ConversationId, member: UserId, marks: Marks, stored: Marks },
    /// A resume of one log: the cursor, what the client knew to be there, and the outcome.
    Resumed { line: Line, user: UserId, conversation: ConversationId, from: Seq, known: Seq, tail: Cursor, outcome: Resumed },
    /// A page: what was asked for and what came.
    Paged { line: Line, conversation: ConversationId, after: Seq, tail: Seq, more: bool, seqs: Vec<Seq> },
    /// A store applied entries to a log.
    Landed { log: LogId, entries: Vec<Arc<Entry>> },
    /// After everything: up to where a client knows a log without a gap; `None` if the log is closed to it.
    Ends { client: usize, user: UserId, conversation: ConversationId, known: Option<Seq> },
    /// After everything: a post that its client never got settled.
    Unsettled { client: usize, key: ClientKey, last: String },
}

/// A log as it stands after everything.
#[derive(Debug)]
pub(crate) struct FinalLog {
    /// Which.
    pub(crate) id: ConversationId,
    /// Its head.
    pub(crate) head: Head,
    /// Its entries, lowest first.
    pub(crate) entries: Vec<Entry>,
    /// The seqs that were left out when the log was begun: from 2 to this.
    pub(crate) skipped: u64,
    /// The marks of everybody.
    pub(crate) marks: Vec<(UserId, Marks)>,
}

/// The recorder.
#[derive(Debug)]
pub(crate) struct History {
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    facts: Vec<Fact>,
    trace: Vec<String>,
}

impl History {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), kept: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("recording cannot panic")
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("a run is short")
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, line: std::fmt::Arguments<'_>) {
        let mut text = String::with_capacity(64);
        write!(text, "{:>6} {line}", self.now()).expect("a string takes everything");
        self.kept().trace.push(text);
    }

    /// Adds a fact, and its line.
    pub(crate) fn fact(&self, fact: Fact) {
        self.note(format_args!("{}", Told(&fact)));
        self.kept().facts.push(fact);
    }

    /// What was recorded; to be called once, at the end.
    pub(crate) fn take(&self) -> (Vec<Fact>, Vec<String>) {
        let kept = std::mem::take(&mut *self.kept());
        (kept.facts, kept.trace)
    }
}

/// A fact as one line.
struct Told<'a>(&'a Fact);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Fact::Asked { line, user, request, asked, .. } => write!(f, "{line} u{} asks #{request} {asked}", user.get()),
            Fact::Ended { line, request, end, .. } => write!(f, "{line} ends #{request} {end}"),
            Fact::Saw { line, conversation, entry, by, .. } => write!(f, "{line} saw {conversation} {} by {by:?}", Brief(entry)),
            Fact::Shown { line, conversation, member, marks, .. } => write!(
                f,
                "{line} shown {conversation} u{} read {} delivered {}",
                member.get(),
                marks.read.seq.get(),
                marks.delivered.seq.get()
            ),
            Fact::Resumed { line, conversation, from, tail, outcome, .. } => {
                let what = match outcome {
                    Resumed::Complete(entries) => format!("complete {}", entries.len()),
                    other => format!("{other:?}"),
                };
                write!(f, "{line} resumes {conversation} from {} to {}: {what}", from.get(), tail.seq.get())
            }
            Fact::Paged { line, conversation, after, tail, more, seqs, .. } => {
                write!(f, "{line} paged {conversation} after {} got {} of {} more {more}", after.get(), seqs.len(), tail.get())
            }
            Fact::Landed { log, entries } => {
                write!(f, "store {log:?} gets")?;
                entries.iter().try_for_each(|entry| write!(f, " {}", Brief(entry)))
            }
            Fact::Ends { client, conversation, known, .. } => write!(f, "c{client} knows {conversation} up to {known:?}"),
            Fact::Unsettled { client, key, last } => write!(f, "c{client} never settled {} ({last})", key.as_str()),
        }
    }
}

/// An entry in a few characters.
struct Brief<'a>(&'a Entry);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Entry { seq, id, author, client_key, at, act, .. } = self.0;
        write!(f, "[{} n{} u{} {} @{} {}]", seq.get(), id.get(), author.get(), client_key.as_str(), at.0, Deed(act))
    }
}

struct Deed<'a>(&'a Act);

impl std::fmt::Display for Deed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Act::Message(Content { text, .. }) => write!(f, "“{text}”"),
            Act::Created { members, .. } => write!(f, "created {}", Users(members)),
            Act::Joined { members } => write!(f, "joined {}", Users(members)),
            Act::Left { member } => write!(f, "left u{}", member.get()),
            Act::Appeared { conversation } => write!(f, "appeared {conversation}"),
            Act::Vanished { conversation } => write!(f, "vanished {conversation}"),
            Act::Edited { .. }
            | Act::Deleted { .. }
            | Act::Erased(_)
            | Act::Reacted { .. }
            | Act::Changed(_)
            | Act::RoleSet { .. }
            | Act::HandedOver { .. }
            | Act::Invited { .. }
            | Act::Declined { .. }
            | Act::Set { .. }
            | Act::Noticed(_)
            | Act::Withdrawn { .. }
            | Act::NoticesRead { .. }
            | Act::Related { .. }
            | Act::AccountChanged => write!(f, "{:?}", self.0),
        }
    }
}

struct Users<'a>(&'a [UserId]);

impl std::fmt::Display for Users<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|user| write!(f, "u{} ", user.get()))
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "c{}.{}", self.client, self.connection)
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(conversation, key, act) => write!(f, "{conversation} {} {}", key.as_str(), Deed(act)),
            Self::Create(key) => write!(f, "a group {}", key.as_str()),
            Self::Mark => f.write_str("a mark"),
            Self::Know => f.write_str("a question"),
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Acked(ack) => {
                write!(f, "acked {} seq {} n{} dup {}", ack.conversation, ack.seq.get(), ack.id.get(), ack.duplicate)
            }
            Self::Marked(seq) => write!(f, "marked {}", seq.get()),
            Self::Answered => f.write_str("answered"),
            Self::Refused(rejected) => write!(f, "refused {rejected:?}"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

/// One number for a whole trace (FNV-1a).
pub(crate) fn hash(trace: &[String]) -> u64 {
    let bytes = trace.iter().flat_map(|line| line.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
