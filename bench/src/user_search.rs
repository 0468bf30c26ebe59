//! How long does a search among 1,000,000 people take?
//!
//! Expected: 2 ms. A search reads at most 80 rows of an index by words, in their order, however many people begin so;
//! then one batched read of the bonds with those found and one of their accounts: some 200 rows. The commonest two
//! letters cost as much as the rarest six. Target: p99 ≤ 50 ms on the embedded store.
//! What would change our mind: a time that grows with the number of people who begin so, or with the number of accounts
//! beyond the depth of the tables.
//!
//! One request at a time on an otherwise idle server; the searches of one user are fewer than a person may make at once,
//! so no limit is lifted for them.

use std::path::Path;

use actors::id::{ConversationId, GroupId, UserId};
use actors::store::{Sequence, Store};
use actors::time::Timestamp;
use anyhow::{Context, Result, ensure};

use crate::http::Http;
use crate::latency::Latencies;
use crate::measure;
use crate::names::{self, Drawn};
use crate::seed::{self, Seeded};
use crate::stage::Stage;
use crate::table::{Row, thousands};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Accounts.
    pub accounts: u64,
    /// Users who search.
    pub searchers: usize,
}

impl Plan {
    /// What the figures are made of.
    pub const FULL: Self = Self { accounts: 1_000_000, searchers: 200 };
    /// Whether it works at all.
    pub const QUICK: Self = Self { accounts: 5_000, searchers: 10 };
}

/// The longest that 99 in 100 searches may take, in milliseconds.
const P99_MAX: f64 = 50.0;
/// Searches of one user: fewer than `searches_burst`.
const EACH: usize = 15;
/// Searches before anything is timed.
const WARM: usize = 3;
/// The beginnings that most people have, and that every third search is for.
const COMMON: &[&str] = &["ma", "an", "jo", "mar", "ann", "mari", "jori"];
const CALLS: &str = "parlance_store_calls_total";

async fn write(store: &impl Store, now: Timestamp, accounts: u64) -> Result<Seeded> {
    let block = store.draw(Sequence::Principals, accounts + 1).await?;
    let users: Vec<_> = (block.first..block.first + accounts).map(UserId::new).collect::<Result<_, _>>()?;
    seed::for_all(&users, async |user| Ok(store.put_account(names::account(user, now)?, 0).await?)).await?;
    Ok(Seeded { users, group: ConversationId::Group(GroupId::new(block.first + accounts)?) }) // nobody has created it
}

fn make(data: &Path, accounts: u64) -> Result<Seeded> {
    seed::with_store(data, async |store, now| write(store, now, accounts).await)
}

/// What is searched for: two to six letters of somebody's name, and in every third search a very common beginning.
fn prefix(drawn: &mut Drawn, users: &[UserId]) -> Result<String> {
    let mut place = |count: usize| usize::try_from(drawn.draw() % count as u64).context("a place");
    if place(3)? == 0 {
        return Ok(COMMON[place(COMMON.len())?].to_owned());
    }
    let (first, last) = names::of(users[place(users.len())?]);
    let word = if place(2)? == 0 { first } else { last };
    let letters = 2 + place(5)?;
    Ok(word.chars().take(letters).collect())
}

/// Measures and says.
pub fn ask(plan: Plan, pin: bool) -> Result<Vec<Row>> {
    let stage = Stage::furnish(pin, plan.searchers, |data| make(data, plan.accounts))?;
    let server = stage.serve()?;
    let (mut http, mut drawn) = (Http::open(server.clients)?, Drawn(5));
    let search = |http: &mut Http, prefix: &str, token: &str| -> Result<usize> {
        let body = http.get(&format!("/v1/users/search?prefix={prefix}"), token)?;
        let found: serde_json::Value = serde_json::from_slice(&body)?;
        found["users"].as_array().map(Vec::len).context("no users in the answer")
    };
    for token in stage.tokens() {
        for _ in 0..WARM {
            search(&mut http, &prefix(&mut drawn, stage.users())?, token)?;
        }
    }
    let (counts, cpu) = (server.counts()?, measure::cpu(server.pid())?);
    let (mut all, mut by_letters, mut found) = (Latencies::default(), vec![Latencies::default(); 7], 0);
    for token in stage.tokens() {
        for _ in 0..EACH {
            let prefix = prefix(&mut drawn, stage.users())?;
            let users = all.time(|| search(&mut http, &prefix, token))?;
            ensure!(users > 0, "{prefix} begins a name and finds nobody");
            by_letters[prefix.len()].push(all.last());
            found += users;
        }
    }
    let cpu = measure::cpu(server.pid())?.since(cpu).total() / all.count() as f64;
    let calls = server.counts()?.rise(&counts, CALLS) / all.count() as f64;
    drop(http);
    server.stop()?;
    let letters: Vec<_> = (2..=6).map(|count| format!("{count}: {:.1}", by_letters[count].percentile(99))).collect();
    Ok(vec![
        Row::judged(
            format!("search by the start of a name among {} accounts", thousands(plan.accounts as f64)),
            format!("p99 ≤ {P99_MAX} ms"),
            all.words(),
            all.percentile(99) <= P99_MAX,
        )
        .how(format!(
            "{} searches over REST, one at a time, {} users in turns, for 2 to 6 letters, a third of them very common ({}); p99 by letters, \
             in ms: {}; {:.1} users found, {:.2} ms of the server's CPU and {calls:.2} calls of the store each",
            thousands(all.count() as f64),
            plan.searchers,
            COMMON.join(", "),
            letters.join(", "),
            found as f64 / all.count() as f64,
            cpu * 1_000.0
        )),
    ])
}

#[cfg(test)]
mod tests {
    use actors::store::AccountStore;
    use actors::testkit::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn what_is_searched_for_finds_somebody() {
        let store = MemoryStore::default();
        let seeded = write(&store, Timestamp(1), 300).await.expect("seeded");
        let mut drawn = Drawn(1);
        for _ in 0..50 {
            let prefix = prefix(&mut drawn, &seeded.users).expect("a beginning");
            assert!((2..=6).contains(&prefix.len()), "{prefix}");
            if !COMMON.contains(&prefix.as_str()) {
                assert!(!store.search(&prefix, 1).await.expect("readable").is_empty(), "{prefix}");
            }
        }
    }
}
