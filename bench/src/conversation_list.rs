//! How long does it take to open a list of 5,000 conversations?
//!
//! Expected: some 10 ms. A page is three calls of the store, whatever the list's length: the ids (a scan of 5,000 rows,
//! 2 ms), their heads (5,000 reads from one snapshot, 1.5 µs each where they are cached), and everything that is shown of
//! 50 of them (600 reads). Sorting by activity and rendering 50 views cost less than one of these. Over REST each request
//! also proves itself: two calls more, for the login and the account. Target: p99 ≤ 300 ms, ≤ 3 calls.
//! What would change our mind: more calls, which would be a round trip each in a store that lies elsewhere; or heads at
//! more than half of the target, then the list needs an order that the store keeps.
//!
//! One request at a time on an otherwise idle server.

use std::path::Path;
use std::time::{Duration, Instant};

use actors::content::Content;
use actors::entry::{Act, Row};
use actors::id::{ConversationId, DirectNumber, GroupId, Pair, Pos, Segment, Seq, UserId};
use actors::store::{Mark, Marks, Sequence, Store};
use actors::time::Timestamp;
use anyhow::{Context, Result, ensure};

use crate::counts::Counts;
use crate::crowd::{Crowd, Told};
use crate::http::Http;
use crate::latency::Latencies;
use crate::log::{Draft, Writer};
use crate::measure;
use crate::names;
use crate::native::Encoding;
use crate::seed::{self, Seeded};
use crate::server::Server;
use crate::stage::Stage;
use crate::table::{Row as Line, thousands};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Conversations of the user who looks.
    pub conversations: u64,
    /// Requests of each kind.
    pub requests: usize,
}

impl Plan {
    /// What the figures are made of.
    pub const FULL: Self = Self { conversations: 5_000, requests: 500 };
    /// Whether it works at all.
    pub const QUICK: Self = Self { conversations: 200, requests: 20 };
}

/// The longest that 99 in 100 openings may take, in milliseconds.
const P99_MAX: f64 = 300.0;
/// The most calls of the store's ports for a page.
const CALLS_MAX: f64 = 3.0;
/// What the housekeeping of an idle node may add to a count, spread over all requests.
const CALLS_SLACK: f64 = 0.05;
const CALLS: &str = "parlance_store_calls_total";
/// Between two conversations' last messages.
const APART: Duration = Duration::from_mins(13);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes a user, the first, with so many direct conversations: a message of the peer in each, every second one read.
async fn write(store: &impl Store, now: Timestamp, conversations: u64) -> Result<Seeded> {
    let block = store.draw(Sequence::Principals, conversations + 2).await?;
    let users: Vec<_> = (block.first..=block.first + conversations).map(UserId::new).collect::<Result<_, _>>()?;
    let group = ConversationId::Group(GroupId::new(block.first + conversations + 1)?); // nobody has created it
    seed::for_all(&users, async |user| Ok(store.put_account(names::account(user, now)?, 0).await?)).await?;
    let (viewer, peers) = users.split_first().context("there is a viewer")?;
    let segments = store.draw(Sequence::Segments, 2 * conversations + 1).await?;
    let directs = store.draw(Sequence::Directs, conversations).await?;
    let mut home = Writer::open(store, (*viewer).into(), Segment(segments.first), now).await?;
    let direct = |peer: &UserId| Pair::new(*viewer, *peer).map(ConversationId::Direct);
    let drafts = peers.iter().map(|peer| Ok(seed::listed(*viewer, direct(peer)?))).collect::<Result<_>>()?;
    home.append_all(drafts).await?;
    let numbered: Vec<_> = (0..conversations).zip(peers.iter().copied()).collect();
    seed::for_all(&numbered, async |(nth, peer)| {
        let conversation = direct(&peer)?;
        seed::appear(store, now, peer, conversation, Segment(segments.first + 1 + 2 * nth)).await?;
        // Not in the order of their ids, or the list would be sorted already.
        let place = nth.wrapping_mul(2_654_435_761) % conversations;
        let at = Timestamp(now.0 - i64::try_from(APART.as_micros())? * i64::try_from(place)?);
        let mut log = Writer::open(store, conversation.into(), Segment(segments.first + 2 + 2 * nth), at).await?;
        let text = format!("Are you coming on {place}? We start at eight, bring your own lamp.");
        let act = Act::Message(Content { text: text.into(), ..Content::default() });
        let rows = vec![Row::Own(peer, Pos(1)), Row::Direct(DirectNumber::new(directs.first + nth)?)];
        log.append(Draft { author: peer, key: "seed".to_owned(), act, rows }).await?;
        if nth % 2 == 0 {
            let mark = Mark { seq: Seq::new(1)?, pos: Pos(1), at: now };
            store.raise(conversation, vec![(*viewer, Marks { delivered: mark, read: mark, badge: Pos(1) })]).await?;
        }
        Ok(())
    })
    .await?;
    Ok(Seeded { users, group })
}

fn make(data: &Path, conversations: u64) -> Result<Seeded> {
    seed::with_store(data, async |store, now| write(store, now, conversations).await)
}

/// Asks for something again and again, and says what that took.
fn measured(server: &Server, requests: usize, mut ask: impl FnMut() -> Result<usize>) -> Result<Measured> {
    for _ in 0..requests.min(20) {
        ask()?; // caches fill
    }
    let (counts, cpu) = (server.counts()?, measure::cpu(server.pid())?);
    let (mut latencies, mut bytes) = (Latencies::default(), 0);
    for _ in 0..requests {
        bytes = latencies.time(&mut ask)?;
    }
    let cpu = measure::cpu(server.pid())?.since(cpu).total();
    Ok(Measured { latencies, bytes, cpu_ms: 1_000.0 * cpu / requests as f64, before: counts, after: server.counts()? })
}

struct Measured {
    latencies: Latencies,
    bytes: usize,
    cpu_ms: f64,
    before: Counts,
    after: Counts,
}

impl Measured {
    fn each(&self, name: &str) -> f64 {
        self.after.rise(&self.before, name) / self.latencies.count() as f64
    }

    fn row(&self, what: &str, plan: Plan) -> Line {
        let (bytes, count) = (self.bytes, self.latencies.count());
        let size = if bytes == 0 { String::new() } else { format!(", {:.1} KB of JSON", bytes as f64 / 1_000.0) };
        Line::judged(
            format!("{what}, {} conversations", thousands(plan.conversations as f64)),
            format!("p99 ≤ {P99_MAX} ms"),
            self.latencies.words(),
            self.latencies.percentile(99) <= P99_MAX,
        )
        .how(format!(
            "{count} requests, one at a time, as the client sees them{size}; {:.1} ms of the server's CPU and {:.2} calls of the \
             store each",
            self.cpu_ms,
            self.each(CALLS)
        ))
    }
}

/// Measures and says.
pub fn ask(plan: Plan, pin: bool) -> Result<Vec<Line>> {
    let stage = Stage::furnish(pin, 1, |data| make(data, plan.conversations))?;
    let token = stage.tokens().first().context("a token for the user who looks")?;
    let server = stage.serve()?;
    let mut http = Http::open(server.clients)?;
    let shown = http.get("/v1/conversations?limit=50", token)?;
    let page: serde_json::Value = serde_json::from_slice(&shown)?;
    let views = page["convs"].as_array().map_or(0, Vec::len);
    ensure!(views == 50 && page["cursor"].is_string(), "a page of {views} conversations: {}", String::from_utf8_lossy(&shown));
    let rest = measured(&server, plan.requests, || Ok(http.get("/v1/conversations?limit=50", token)?.len()))?;
    drop(http);
    let mut crowd = Crowd::new(server.clients, Encoding::Json)?;
    crowd.join(std::slice::from_ref(token))?;
    crowd.rest(Duration::from_millis(500))?; // what a session brings with it is over
    let (framer, mut id) = (crowd.framer(), 1);
    let mut number = || {
        id += 1;
        id
    };
    let list = measured(&server, plan.requests, || {
        let id = number();
        answered(&mut crowd, id, &framer.list(id))
    })?;
    let sync = measured(&server, plan.requests, || {
        let id = number();
        answered(&mut crowd, id, &framer.sync(id))
    })?;
    drop(crowd);
    server.stop()?;
    Ok(vec![
        list.row("first page of the list over the socket (`conv.list`)", plan),
        rest.row("the same over REST (`GET /v1/conversations?limit=50`)", plan),
        sync.row("`sync` without a cursor over the socket: the 200 newest conversations", plan),
        calls(&list),
    ])
}

fn answered(crowd: &mut Crowd, id: u32, frame: &[u8]) -> Result<usize> {
    crowd.say(0, frame);
    let (mut done, until) = (false, Instant::now() + PATIENCE);
    while !done {
        crowd.turn(&mut |_, told, _| done |= told == Told::Done(id))?;
        ensure!(Instant::now() < until, "request {id} was not answered");
    }
    Ok(0)
}

fn calls(list: &Measured) -> Line {
    let each = list.each(CALLS);
    let kinds: Vec<_> = ["listed", "heads", "overviews"]
        .iter()
        .map(|kind| format!("`{kind}` {:.2}", list.each(&format!("{CALLS}{{call=\"{kind}\"}}"))))
        .collect();
    Line::judged("calls of the store's ports for a page of the list", "≤ 3", format!("{each:.2}"), each <= CALLS_MAX + CALLS_SLACK)
        .how(format!("`{CALLS}`, over the socket: {}; over REST two more prove who asks", kinds.join(", ")))
}

#[cfg(test)]
mod tests {
    use actors::id::LogId;
    use actors::store::{LogStore, MemberStore};
    use actors::testkit::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn the_list_is_long_enough_to_cross_a_bucket_and_shows_a_message_of_each_peer() {
        let store = MemoryStore::default();
        let seeded = write(&store, Timestamp(1_800_000_000_000_000), 4_200).await.expect("seeded");
        let viewer = seeded.users[0];
        assert_eq!(store.listed(viewer, None, 10_000).await.expect("readable").len(), 4_200);
        let home = store.head(LogId::User(viewer)).await.expect("readable");
        assert_eq!((home.tail.get(), home.tail.bucket().0), (4_200, 1));
        let (log, bucket) = store.bucket_of(home.segment).await.expect("readable").expect("bound");
        assert_eq!((log, bucket.0), (LogId::User(viewer), 1));
        let listed = store.listed(viewer, None, 2).await.expect("readable");
        let shown = store.overviews(viewer, &listed).await.expect("readable");
        for overview in &shown {
            assert!(overview.peer.is_some() && overview.number.is_some() && overview.last.is_some());
        }
        assert_ne!(shown[0].marks.badge, shown[1].marks.badge, "every second one was read");
    }
}
