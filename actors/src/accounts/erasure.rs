//! What goes with a deleted account: its logins, places in groups, friendships and requests, blocks, notices, files, and
//! where it is configured so its messages.
//!
//! One account after the other, each step through the way that its owner would have gone, so that every rule holds and
//! whoever it concerns is told. Every step may be repeated: what a crash interrupts is begun again, since the account is
//! marked until everything is gone. What others have said no to, and whom others block, stays theirs.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::account::Account;
use crate::command::Command;
use crate::content::ClientKey;
use crate::conversation::mail::Request;
use crate::entry::{Act, Head, Membership, Role};
use crate::files;
use crate::home;
use crate::home::mail::Note;
use crate::id::{ConversationId, Door, GroupId, LogId, Pair, Seq, UserId};
use crate::limits::Limit;
use crate::node::Node;
use crate::rejected::Rejected;
use crate::relation::{Bond, Step};
use crate::session::Reply;
use crate::view::View;

use super::{RETRY_AFTER, unavailable};

/// Accounts that one call of the store answers.
const ACCOUNTS: usize = 16;
/// Rows that one call of the store answers.
const ROWS: usize = 200;
/// How often a command that finds no room is sent again.
const TRIES: usize = 20;

/// What becomes of the messages of a deleted account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessagesOfDeleted {
    /// They stay; their author is a number without a name.
    #[default]
    Stay,
    /// They are deleted for everyone, where the account had a place to its end.
    Go,
}

/// Whether accounts are erased here, and the way to say that there is one.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    messages: OnceLock<MessagesOfDeleted>,
    wake: Arc<Notify>,
}

impl Erasures {
    /// From now on accounts are erased here. False if they were already.
    pub(crate) fn begin(&self, messages: MessagesOfDeleted) -> bool {
        self.messages.set(messages).is_ok()
    }

    /// Another account was deleted.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Tells when another account was deleted.
    pub(crate) fn woken(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }
}

/// Erases what is to be erased, until nothing is left or something fails.
pub(crate) async fn sweep(node: &Node) {
    let messages = node.erasures().messages.get().copied().unwrap_or_default();
    loop {
        let users = match node.world().store.erasing(ACCOUNTS).await {
            Ok(users) if users.is_empty() => return,
            Ok(users) => users,
            Err(error) => return tracing::warn!(%error, "deleted accounts could not be read"),
        };
        for user in users {
            let erasure = Erasure { node, user };
            if let Err(rejected) = erasure.run(messages).await {
                return tracing::warn!(user = user.get(), ?rejected, "a deleted account could not be erased yet");
            }
            tracing::info!(user = user.get(), "a deleted account is erased");
        }
    }
}

struct Erasure<'a> {
    node: &'a Node,
    user: UserId,
}

impl Erasure<'_> {
    async fn run(&self, messages: MessagesOfDeleted) -> Result<(), Rejected> {
        let accounts = self.node.accounts();
        accounts.end_logins(self.user, |_| true).await?;
        for conversation in self.conversations().await? {
            if messages == MessagesOfDeleted::Go {
                self.erase_messages(conversation).await?;
            }
            if let ConversationId::Group(group) = conversation {
                self.leave(group).await?;
            }
        }
        self.dissolve_bonds().await?;
        self.withdraw_notices().await?;
        self.let_files_go().await?;
        let done = accounts.change(self.user, |account| {
            account.erasing = false;
            Ok(())
        });
        done.await.map(|_| ())
    }

    async fn conversations(&self) -> Result<BTreeSet<ConversationId>, Rejected> {
        let mut all = BTreeSet::new();
        loop {
            let page = self.node.world().store.listed(self.user, all.last().copied(), ROWS).await.map_err(unavailable)?;
            let last = page.len() < ROWS;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    // ── messages ──

    async fn erase_messages(&self, conversation: ConversationId) -> Result<(), Rejected> {
        let store = &self.node.world().store;
        let log = LogId::Conversation(conversation);
        let head: Head = store.heads(&[log]).await.map_err(unavailable)?.pop().unwrap_or_default();
        let mut from = Seq::ZERO.next();
        while from <= head.tail {
            let entries = store.range(log, from, head.tail, ROWS, false).await.map_err(unavailable)?;
            let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(()) };
            for entry in entries.iter().filter(|entry| entry.author == self.user) {
                if let Act::Message(_) = entry.act
                    && !self.erase_message(conversation, entry.seq).await?
                {
                    return Ok(());
                }
            }
            from = last.next();
        }
        Ok(())
    }

    /// False if the user has no place there any more, so that nothing can be deleted.
    async fn erase_message(&self, conversation: ConversationId, target: Seq) -> Result<bool, Rejected> {
        let rate = self.node.world().limits.get(Limit::EraseRate).max(1);
        tokio::time::sleep(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX)).await;
        let command = Command::Delete { conversation, client_key: key(&format!("erase-{}", target.get())), target };
        match self.ask(conversation, command).await {
            Ok(_) | Err(Rejected::MessageDeleted { .. }) => Ok(true),
            Err(Rejected::NoSuchConversation) => Ok(false),
            Err(rejected) => Err(rejected),
        }
    }

    // ── groups ──

    async fn leave(&self, group: GroupId) -> Result<(), Rejected> {
        let conversation = ConversationId::Group(group);
        let place = self.node.world().store.membership(group, self.user).await.map_err(unavailable)?;
        let Some(place) = place.filter(Membership::is_current) else { return Ok(()) };
        if place.role == Role::Owner
            && let Some(to) = self.heir(group).await?
        {
            let client_key = key(&format!("erase-heir-{}", to.get()));
            self.ask(conversation, Command::HandOver { conversation, client_key, to }).await?;
        }
        let command = Command::RemoveMember { conversation, client_key: key("erase-leave"), member: self.user };
        match self.ask(conversation, command).await {
            // An owner who is alone may not be able to leave: the group stays, and nobody is in it.
            Ok(_) | Err(Rejected::NoSuchConversation | Rejected::OwnerCannotLeave) => Ok(()),
            Err(rejected) => Err(rejected),
        }
    }

    /// Who becomes the owner: of the admins, else of all members, the one who has been one for longest and whose account
    /// is in use; without such a one the longest of all.
    async fn heir(&self, group: GroupId) -> Result<Option<UserId>, Rejected> {
        let store = &self.node.world().store;
        let mut members: Vec<(UserId, Membership)> = Vec::new();
        let mut after = None;
        loop {
            let page = store.members(group, after, ROWS).await.map_err(unavailable)?;
            after = page.last().map(|(user, _)| *user);
            let last = page.len() < ROWS;
            members.extend(page.into_iter().filter(|(user, place)| *user != self.user && place.is_current()));
            if last {
                break;
            }
        }
        members.sort_unstable_by_key(|(user, place)| (Reverse(place.role), place.since, *user));
        for some in members.chunks(ROWS) {
            let users: Vec<_> = some.iter().map(|(user, _)| *user).collect();
            let accounts = store.accounts(&users).await.map_err(unavailable)?;
            let mut active = users.iter().zip(accounts).filter(|(_, account)| account.as_ref().is_some_and(Account::is_active));
            if let Some((user, _)) = active.next() {
                return Ok(Some(*user));
            }
        }
        Ok(members.first().map(|(user, _)| *user))
    }

    // ── files ──

    /// All of them, also where messages stay: then those show that there was a file.
    async fn let_files_go(&self) -> Result<(), Rejected> {
        let mut after = None;
        loop {
            let page = self.node.world().store.media_of(self.user, after, ROWS).await.map_err(unavailable)?;
            for file in &page {
                files::expire(self.node, *file).await?;
            }
            if page.len() < ROWS {
                return Ok(());
            }
            after = page.last().copied();
        }
    }

    // ── bonds and notices ──

    async fn dissolve_bonds(&self) -> Result<(), Rejected> {
        let mut after = None;
        loop {
            let page = self.node.world().store.bonds(self.user, after, ROWS).await.map_err(unavailable)?;
            let last = page.len() < ROWS;
            for bond in page {
                let Some(peer) = bond.pair.other(self.user) else { continue };
                after = Some(peer);
                for step in steps(&bond, self.user) {
                    self.relate(bond.pair, peer, step).await?;
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn relate(&self, pair: Pair, peer: UserId, step: Step) -> Result<(), Rejected> {
        let command = Command::Relate { peer, step, door: Door::default() };
        match self.ask(ConversationId::Direct(pair), command).await {
            Ok(_) | Err(Rejected::NoSuchRequest | Rejected::NotFriends) => Ok(()), // the other one was faster
            Err(rejected) => Err(rejected),
        }
    }

    async fn withdraw_notices(&self) -> Result<(), Rejected> {
        let limits = &self.node.world().limits;
        let standing = self.node.world().store.notices(self.user, None, limits.count(Limit::NoticesUser)).await.map_err(unavailable)?;
        for (_, notice) in standing {
            let (sender, answer) = oneshot::channel();
            // Its own cause: no change of a bond or group has such a number.
            let note = Note::withdrawn(notice.topic(), u64::MAX);
            self.node.directory().send_home(self.node, self.user, home::mail::Mail::Note(note, Some(sender)));
            match tokio::time::timeout(limits.time(Limit::StoreDeadline), answer).await {
                Ok(Ok(answer)) => drop(answer?),
                Ok(Err(_)) | Err(_) => return Err(Rejected::Unavailable { after: RETRY_AFTER }),
            }
        }
        Ok(())
    }

    /// Sends a command in the user's name; again where there is no room for it.
    async fn ask(&self, conversation: ConversationId, command: Command) -> Result<View, Rejected> {
        let mut answer = Err(Rejected::Unavailable { after: RETRY_AFTER });
        for _ in 0..TRIES {
            let (reply, coming) = Reply::waiting();
            let arrived = self.node.now();
            let request = Request { user: self.user, origin: None, command: command.clone(), arrived, permit: None, reply };
            self.node.directory().send_conversation(self.node, conversation, request);
            answer = coming.await.unwrap_or(Err(Rejected::Unknown));
            match &answer {
                Err(Rejected::TooFast { after, .. } | Rejected::Busy { after } | Rejected::Unavailable { after }) => {
                    tokio::time::sleep(*after).await;
                }
                Err(Rejected::Unknown) => tokio::time::sleep(RETRY_AFTER).await,
                Ok(_) | Err(_) => break,
            }
        }
        answer
    }
}

/// What the user would have to do to be nothing to the other any more.
fn steps(bond: &Bond, user: UserId) -> Vec<Step> {
    let mut steps = Vec::new();
    if bond.asked().is_some() {
        steps.push(Step::Decline);
    } else if bond.is_friendship() {
        steps.push(Step::Unfriend);
    }
    if bond.blocked_by(user).is_some() {
        steps.push(Step::Unblock);
    }
    steps
}

fn key(text: &str) -> ClientKey {
    ClientKey::new(text).expect("numbers are shorter than a key may be")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::{self, Side};
    use crate::time::Timestamp;

    #[test]
    fn after_its_steps_a_user_is_nothing_to_the_other() {
        let user = |number| UserId::new(number).expect("valid");
        let ask = Step::Request { own: Side::Pending, anew: true };
        let strangers = Bond::new(Pair::new(user(1), user(2)).expect("two users"));
        let wishes: [&[(u64, Step)]; 5] =
            [&[], &[(1, ask)], &[(2, ask)], &[(1, ask), (2, Step::Accept), (1, Step::Block)], &[(2, Step::Block), (1, Step::Block)]];
        for wishes in wishes {
            let take = |bond: Bond, (by, wish): (u64, Step)| relation::step(&bond, user(by), wish, Timestamp(1)).expect("allowed").0;
            let bond = wishes.iter().copied().fold(strangers, take);
            let left = steps(&bond, user(1)).into_iter().fold(bond, |bond, step| take(bond, (1, step)));
            assert!(!left.is_friendship() && left.asked().is_none() && left.blocked_by(user(1)).is_none(), "{wishes:?}");
            assert_eq!(left.blocked_by(user(2)), bond.blocked_by(user(2)), "that is the other's");
        }
    }
}
