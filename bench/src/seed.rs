//! Accounts, the big group and tokens without sign-ups: written through the store's ports, minted in bulk.
//!
//! 18,000 sign-ups would be 27 minutes of argon2. What is written is what the server itself would have written: the
//! accounts have no password, every member's own log names the group before the group's log names the member, and the
//! group's members join in pages.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use actors::account::{Account, DisplayName, Email, Username};
use actors::content::{AboutText, GroupName};
use actors::entry::{Act, GroupRow, Membership, Role, Row};
use actors::id::{ConversationId, GroupId, Segment, UserId};
use actors::limits::{Limit, Limits};
use actors::store::{Sequence, Store};
use actors::time::Timestamp;
use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use parlance::app::STORE_FOLDER;
use parlance::store::embedded::{EmbeddedStore, Options};

use crate::log::{Draft, Writer};

/// For how long tokens are good: longer than any run.
const LIFE_SECONDS: &str = "86400";
/// Writes under way at once, so that they share commits.
const AT_ONCE: usize = 1_024;

/// What was seeded.
#[derive(Debug, Clone)]
pub struct Seeded {
    /// All users, by number.
    pub users: Vec<UserId>,
    /// The group of the first users.
    pub group: ConversationId,
}

/// Writes `users` accounts, and a group of the first `members` of them, owned by the first.
pub async fn write(store: &impl Store, now: Timestamp, users: u64, members: usize) -> Result<Seeded> {
    let block = store.draw(Sequence::Principals, users + 1).await?;
    let ids: Vec<_> = (block.first..block.first + users).map(UserId::new).collect::<Result<_, _>>()?;
    let group = GroupId::new(block.first + users)?;
    for_all(&ids, |user| account(store, now, user)).await?;
    let segments = store.draw(Sequence::Segments, members as u64 + 1).await?;
    let numbered: Vec<_> = ids[..members].iter().copied().zip(segments.first + 1..).collect();
    for_all(&numbered, |(user, segment)| appear(store, now, user, ConversationId::Group(group), Segment(segment))).await?;
    fill(store, now, group, &ids[..members], Segment(segments.first)).await?;
    Ok(Seeded { users: ids, group: ConversationId::Group(group) })
}

/// Does something for each of many, so many at once that the store commits them in groups.
pub async fn for_all<T: Copy, F: Future<Output = Result<()>>>(all: &[T], work: impl FnMut(T) -> F) -> Result<()> {
    stream::iter(all.iter().copied()).map(work).buffer_unordered(AT_ONCE).try_collect().await
}

async fn account(store: &impl Store, now: Timestamp, user: UserId) -> Result<()> {
    let name = format!("bench{}", user.get());
    let (username, email) =
        (Username::new(&name).context("a username")?, Email::new(&format!("{name}@example.org")).context("an address")?);
    let account = Account::new(user, username, email, DisplayName::new(&name).context("a name")?, None, now);
    store.put_account(account, 0).await?;
    Ok(())
}

/// Puts a conversation into a user's list: the first entry of the user's own log.
pub async fn appear(store: &impl Store, now: Timestamp, user: UserId, conversation: ConversationId, segment: Segment) -> Result<()> {
    Writer::open(store, user.into(), segment, now).await?.append(listed(user, conversation)).await
}

/// The entry of a user's own log that says that there is a conversation.
pub fn listed(user: UserId, conversation: ConversationId) -> Draft {
    let rows = vec![Row::Listed(conversation, true)];
    Draft { author: user, key: format!("seed-{conversation}"), act: Act::Appeared { conversation }, rows }
}

/// The group's log: created open with as many members as one entry may have, the others join in pages.
async fn fill(store: &impl Store, now: Timestamp, group: GroupId, members: &[UserId], segment: Segment) -> Result<()> {
    let page = Limits::default().count(Limit::MembersPerRequest);
    let (owner, others) = members.split_first().context("a group has an owner")?;
    let name = GroupName::new("Everybody")?;
    let mut log = Writer::open(store, ConversationId::Group(group).into(), segment, now).await?;
    let mut count = 1;
    let pages: Vec<_> = if others.is_empty() { vec![others] } else { others.chunks(page).collect() };
    for (number, joining) in pages.into_iter().enumerate() {
        let since = log.head.tail.next();
        let place = |role| Membership { role, since, until: None };
        count += joining.len() as u64;
        let mut rows = vec![Row::Group(group_row(&name, count, now))];
        rows.extend(joining.iter().map(|user| Row::Member(*user, place(Role::Member))));
        let act = if number == 0 {
            rows.push(Row::Member(*owner, place(Role::Owner)));
            Act::Created { name: name.clone(), members: joining.to_vec(), open: true }
        } else {
            Act::Joined { members: joining.to_vec() }
        };
        log.append(Draft { author: *owner, key: format!("seed-{number}"), act, rows }).await?;
    }
    Ok(())
}

/// Seeds a fresh data folder with users and a group of the first of them.
pub fn make(data: &Path, users: u64, members: usize) -> Result<Seeded> {
    ensure!(members > 0 && members as u64 <= users, "a group needs members, and users to be them");
    with_store(data, async |store, now| write(store, now, users, members).await)
}

/// Opens the store of a fresh data folder for whoever seeds it, and closes it afterwards.
pub fn with_store<T>(data: &Path, work: impl AsyncFnOnce(&EmbeddedStore, Timestamp) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let failed: Box<dyn Fn(String) + Send + Sync> = Box::new(|_why| {}); // the write that failed says so as well
        let mut options = Options::new(data.join(STORE_FOLDER), failed);
        options.limits.set(Limit::CommitRows, 100_000); // a sync for each 500 rows would take most of the time
        options.limits.set(Limit::CommitBytes, 8_388_608);
        let store = EmbeddedStore::open(options)?;
        let seeded = work(&store, now()?).await?;
        store.close().await;
        Ok(seeded)
    })
}

/// An access token for each of these users, whose numbers follow each other: from the server's own command, with the
/// node's key.
pub fn mint(parlance: &Path, data: &Path, users: &[UserId]) -> Result<Vec<String>> {
    let (first, last) = users.first().zip(users.last()).context("there are users")?;
    let range = format!("{}..{}", first.get(), last.get());
    let mut command = Command::new(parlance);
    command.args(["token", "--make", "--users", &range, "--life", LIFE_SECONDS, "--data"]).arg(data);
    let output = command.output().context("cannot run the server's binary")?;
    ensure!(output.status.success(), "no tokens: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let tokens: Vec<_> = text.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect();
    ensure!(tokens.len() == users.len(), "{} tokens for {} users", tokens.len(), users.len());
    Ok(tokens)
}

/// The time now, as the store keeps it.
pub fn now() -> Result<Timestamp> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(Timestamp(i64::try_from(since.as_micros())?))
}

fn group_row(name: &GroupName, members: u64, now: Timestamp) -> GroupRow {
    GroupRow { name: name.clone(), members, created_at: now, about: AboutText::default(), picture: None, open: true, updated_at: now }
}

#[cfg(test)]
mod tests {
    use actors::id::Seq;
    use actors::store::{AccountKey, AccountStore, LogStore, MemberStore};
    use actors::testkit::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn the_seeded_rows_are_those_of_a_group_that_people_joined() {
        let store = MemoryStore::default();
        let seeded = write(&store, Timestamp(1_800_000_000_000_000), 500, 450).await.expect("seeded");
        let group = match seeded.group {
            ConversationId::Group(group) => Some(group),
            ConversationId::Direct(_) => None,
        };
        let group = group.expect("the seeded conversation is a group");
        let row = store.group(group).await.expect("readable").expect("there");
        assert_eq!(row.members, 450);
        let members = store.members(group, None, 1_000).await.expect("readable");
        assert_eq!(members.len(), 450);
        let (owner, place) = members[0];
        assert_eq!((owner, place.role, place.since.get()), (seeded.users[0], Role::Owner, 1));
        assert_eq!(members[449].1, Membership { role: Role::Member, since: Seq::new(3).expect("small"), until: None });
        assert_eq!(store.head(seeded.group.into()).await.expect("readable").tail.get(), 3);
        for (place, listed) in [(0, vec![seeded.group]), (449, vec![seeded.group]), (450, vec![])] {
            assert_eq!(store.listed(seeded.users[place], None, 10).await.expect("readable"), listed);
        }
        let account = store.account(AccountKey::Id(seeded.users[499])).await.expect("readable").expect("there").row;
        assert!(account.is_active() && account.password.is_none());
    }
}
