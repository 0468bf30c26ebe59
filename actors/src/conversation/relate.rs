//! What two people are to each other changes here: in the actor of their direct conversation, so that on one node nothing
//! comes between, and by the version of their bond, so that nothing is lost between two nodes.
//!
//! The order is: stored, then noted in both users' own logs, then told to their sessions, then answered. A repetition
//! makes up for notes that a crash swallowed: their keys are made of what was stored.

use std::sync::Arc;

use crate::account::{Account, Standing};
use crate::command::Command;
use crate::entry::{Notice, Topic};
use crate::event::Event;
use crate::home::mail::Note;
use crate::id::{Pair, UserId};
use crate::limits::{Limit, Limits};
use crate::log::scribe::within;
use crate::node::Node;
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;
use crate::relation::{self, Bond, BondChange, Step};
use crate::store::{PutError, StoreError, Versioned};
use crate::time::Timestamp;
use crate::view::{BondView, UserView, View};

use super::actor::{Busy, RETRY_AFTER, Running};
use super::announce::announce_one;
use super::errand::Errand;
use super::load::tell_home;
use super::mail::Request;

/// How often a bond that somebody else changes at the same time is tried.
const TRIES: usize = 8;

/// What somebody wants to become of a bond.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(super) by: UserId,
    pub(super) step: Step,
    pub(super) now: Timestamp,
    pub(super) bond: Versioned<Bond>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Related {
    /// The bond as it stands, whatever the answer is.
    pub bond: Versioned<Bond>,
    /// What the step did.
    pub answer: Result<BondChange, Rejected>,
}

impl Running {
    pub(super) fn relate(&mut self, request: Box<Request>) {
        let Command::Relate { peer, step, .. } = &request.command else { return };
        if self.scribe.is_busy() {
            // What was judged before it is settled first; what is judged after it sees it.
            self.backlog.push_front(request);
            self.busy = Busy::Changing;
            return;
        }
        let (step, now) = (*step, request.arrived);
        let Some(direct) = self.state().direct() else { return request.reply.settle(Err(Rejected::Internal)) };
        if direct.pair.other(request.user) != Some(*peer) {
            return request.reply.settle(Err(Rejected::NoSuchUser));
        }
        let wish = Wish { by: request.user, step, now, bond: direct.bond.clone() };
        self.send_out(request, None, Errand::Relate(wish));
    }

    pub(super) fn related(&mut self, request: Box<Request>, related: Related) {
        let Command::Relate { door, .. } = request.command else { return };
        let Request { user, origin, reply, .. } = *request;
        let bond = related.bond.row;
        self.state().bind(related.bond);
        match related.answer {
            Err(rejected) => reply.settle(Err(rejected)),
            Ok(change) => {
                let people = self.people(bond.pair);
                let peer = bond.pair.other(user);
                let shown = people.as_ref().and_then(|people| people.iter().find(|view| Some(view.id) == peer).cloned());
                if change != BondChange::None {
                    let event = Event::Bond { by: user, change, bond, people, door };
                    let both = [bond.pair.low(), bond.pair.high()];
                    let told = if is_secret(change) { &[user][..] } else { &both };
                    announce_one(&self.node, told, event, user, origin);
                }
                reply.settle(Ok(View::Bond(Box::new(BondView { peer: shown, bond }), change)));
            }
        }
    }

    fn people(&self, pair: Pair) -> Option<Arc<[UserView; 2]>> {
        let view = |user| self.cards.get(&user).and_then(|card| card.view());
        let (low, high) = (view(pair.low())?, view(pair.high())?);
        Some(Arc::new([(*low).clone(), (*high).clone()]))
    }
}

/// Changes the bond in the store, and lets both homes know. The refusal says that nothing was learned of it.
pub(super) async fn settle(node: &Node, wish: Wish) -> Result<Related, Rejected> {
    let Wish { by, step, now, mut bond } = wish;
    let deadline = node.world().limits.time(Limit::StoreDeadline);
    for _ in 0..TRIES {
        let answer = match relation::step(&bond.row, by, step, now) {
            Err(rejected) => Err(rejected),
            Ok((after, change)) if after == bond.row => {
                if bond.version == 0 {
                    there(node, &bond.row, by).await?;
                }
                Ok(change)
            }
            Ok((after, change)) => {
                may_stand(node, &bond, by, step).await?;
                match tokio::time::timeout(deadline, node.world().store.put_bond(after, bond.version)).await {
                    Ok(Ok(())) => {
                        bond = Versioned { version: bond.version + 1, row: after };
                        Ok(change)
                    }
                    Ok(Err(PutError::Changed)) => {
                        bond = within(deadline, node.world().store.bond(bond.row.pair)).await.map_err(unavailable)?;
                        continue;
                    }
                    Ok(Err(PutError::Store(StoreError::Unknown(_)))) | Err(_) => return Err(Rejected::Unknown),
                    Ok(Err(PutError::Store(StoreError::Unavailable(_)))) => return Err(Rejected::Unavailable { after: RETRY_AFTER }),
                    Ok(Err(PutError::Store(StoreError::Corrupt(_)) | PutError::Taken(_))) => return Err(Rejected::Internal),
                }
            }
        };
        // Stored, whatever becomes of the notes: without them the answer is open, and a repetition makes up for them.
        let answer = match tell_home(node, notes(&bond, by, step)).await {
            Ok(()) => answer,
            Err(_) if answer.is_ok() => Err(Rejected::Unknown),
            Err(_) => answer,
        };
        return Ok(Related { bond, answer });
    }
    Err(Rejected::Busy { after: RETRY_AFTER })
}

/// Whether the other one is there, and there is room for one more bond where a request or block would begin one.
async fn may_stand(node: &Node, bond: &Versioned<Bond>, by: UserId, step: Step) -> Result<(), Rejected> {
    let limits = &node.world().limits;
    let peer = bond.row.pair.other(by).ok_or(Rejected::NoSuchUser)?;
    let counted: &[UserId] = match step {
        Step::Request { .. } => &[by, peer],
        // Nobody is kept from blocking by what others have.
        Step::Block => &[by],
        Step::Accept | Step::Decline | Step::Unfriend | Step::Say(_) | Step::Unblock => return Ok(()),
    };
    let account = there(node, &bond.row, by).await?;
    policy::may(by, Deed::Relate, On::Person { bond: &bond.row, privacy: &account.privacy, acquainted: false })?;
    if matches!(step, Step::Request { .. }) && !account.is_active() {
        return Err(Rejected::NoSuchUser);
    }
    if bond.version > 0 {
        return Ok(());
    }
    for user in counted {
        has_room(node, limits, *user).await?;
    }
    Ok(())
}

/// The account of the other one, unless there is none or it was deleted.
async fn there(node: &Node, bond: &Bond, by: UserId) -> Result<Account, Rejected> {
    let peer = bond.pair.other(by).ok_or(Rejected::NoSuchUser)?;
    let deadline = node.world().limits.time(Limit::StoreDeadline);
    let account = within(deadline, node.world().store.accounts(&[peer])).await.map_err(unavailable)?.pop().flatten();
    account.filter(|account| account.standing != Standing::Deleted).ok_or(Rejected::NoSuchUser)
}

async fn has_room(node: &Node, limits: &Limits, user: UserId) -> Result<(), Rejected> {
    let max = limits.count(Limit::BondsUser);
    let bonds = within(limits.time(Limit::StoreDeadline), node.world().store.bonds(user, None, max)).await.map_err(unavailable)?;
    if bonds.len() < max { Ok(()) } else { Err(Rejected::TooManyRelations { max: limits.get(Limit::BondsUser) }) }
}

fn unavailable(error: StoreError) -> Rejected {
    tracing::warn!(%error, "a bond could not be read");
    Rejected::Unavailable { after: RETRY_AFTER }
}

/// Whether the one to whom it is done is not told: nobody learns from us that he is blocked.
fn is_secret(change: BondChange) -> bool {
    match change {
        BondChange::Blocked | BondChange::Unblocked => true,
        BondChange::None | BondChange::Requested | BondChange::Accepted => false,
        BondChange::Declined | BondChange::Ended | BondChange::Other => false,
    }
}

/// What both own logs are to say of a bond that stands like this. A request is named by when it was made, so that it is
/// noticed once, whatever else changes while it is open.
fn notes(bond: &Versioned<Bond>, by: UserId, step: Step) -> Vec<(UserId, Note)> {
    if bond.version == 0 {
        return vec![];
    }
    let pair = bond.row.pair;
    let mut notes = vec![(pair.low(), Note::related(pair.high(), bond.version)), (pair.high(), Note::related(pair.low(), bond.version))];
    if matches!(step, Step::Block | Step::Unblock) {
        notes.retain(|(user, _)| *user == by);
    }
    if let Some(relation) = bond.row.relation
        && let Some(asked) = pair.other(relation.from)
    {
        let note = if bond.row.asked() == Some(asked) {
            Note::noticed(Notice::FriendRequest { from: relation.from }, u64::try_from(relation.created_at.0).unwrap_or(0))
        } else {
            Note::withdrawn(Topic::FriendRequest { from: relation.from }, bond.version)
        };
        notes.push((asked, note));
    }
    notes
}
