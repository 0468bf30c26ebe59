//! What two people are to each other: requests, friendship, blocks, and every rule that follows from them. Pure.
//!
//! A pair has one [`Bond`]: at most one relation, with a status for each side, and a block in each direction. Blocks
//! are judged apart from the relation: a block ends no friendship and hides no history, it stops direct messages and
//! new requests in every door.

use crate::account::{Audience, Privacy};
use crate::id::{Pair, UserId};
use crate::rejected::Rejected;
use crate::time::Timestamp;

/// What one side says to a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Nothing yet.
    Pending,
    /// Yes.
    Accepted,
    /// No.
    Rejected,
}

/// The relation of a pair, since somebody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// Who asked.
    pub from: UserId,
    /// What who asked says: mostly still pending after the other has accepted.
    pub status_from: Side,
    /// What who was asked says.
    pub status_to: Side,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a side last changed.
    pub updated_at: Timestamp,
}

impl Relation {
    /// Whether the two are friends: who was asked accepted, and who asked has not taken it back.
    pub fn is_friendship(&self) -> bool {
        self.status_to == Side::Accepted && self.status_from != Side::Rejected
    }
    /// Whether it waits for an answer.
    pub fn is_open(&self) -> bool {
        self.status_to == Side::Pending && self.status_from != Side::Rejected
    }
    /// Whether a side has said no: to most doors there is no relation then.
    pub fn is_rejected(&self) -> bool {
        self.status_to == Side::Rejected || self.status_from == Side::Rejected
    }
}

/// Everything between two users. It is one row, changed by the version that it was read at (design D12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bond {
    /// Who.
    pub pair: Pair,
    /// Their relation, if anybody ever asked.
    pub relation: Option<Relation>,
    /// Since when the user with the smaller number blocks the other.
    pub low_blocks: Option<Timestamp>,
    /// Since when the user with the greater number blocks the other.
    pub high_blocks: Option<Timestamp>,
}

impl Bond {
    /// Two strangers.
    pub fn new(pair: Pair) -> Self {
        Self { pair, relation: None, low_blocks: None, high_blocks: None }
    }
    /// Since when this one of the two blocks the other.
    pub fn blocked_by(&self, user: UserId) -> Option<Timestamp> {
        if user == self.pair.low() {
            self.low_blocks
        } else if user == self.pair.high() {
            self.high_blocks
        } else {
            None
        }
    }
    /// Who blocks, if anybody does: the one who asks first, since that is what he can change.
    pub fn blocker(&self, asking: UserId) -> Option<UserId> {
        let other = self.pair.other(asking)?;
        [asking, other].into_iter().find(|user| self.blocked_by(*user).is_some())
    }
    /// Whether a block stands in either direction.
    pub fn is_blocked(&self) -> bool {
        self.low_blocks.is_some() || self.high_blocks.is_some()
    }
    /// Whether the two are friends.
    pub fn is_friendship(&self) -> bool {
        self.relation.is_some_and(|relation| relation.is_friendship())
    }
    /// Who was asked and has not answered, if there is an open request.
    pub fn asked(&self) -> Option<UserId> {
        self.relation.filter(Relation::is_open).and_then(|relation| self.pair.other(relation.from))
    }

    fn with_block(mut self, by: UserId, since: Option<Timestamp>) -> Self {
        if by == self.pair.low() {
            self.low_blocks = since;
        } else {
            self.high_blocks = since;
        }
        self
    }

    fn with_side(mut self, of: UserId, side: Side, now: Timestamp) -> Self {
        if let Some(relation) = &mut self.relation {
            let own = if relation.from == of { &mut relation.status_from } else { &mut relation.status_to };
            if *own != side {
                *own = side;
                relation.updated_at = now;
            }
        }
        self
    }
}

/// What somebody wishes to become of a bond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// To ask for friendship.
    Request {
        /// What the one who asks says at once.
        own: Side,
        /// Whether a relation to which somebody said no makes room for a new one.
        anew: bool,
    },
    /// To accept an open request of the other.
    Accept,
    /// To decline an open request of the other, or to take back one's own.
    Decline,
    /// To end the friendship.
    Unfriend,
    /// To say something else for one's own side, whatever it was before.
    Say(Side),
    /// To block the other.
    Block,
    /// To end one's block.
    Unblock,
}

/// What a step did, as others are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BondChange {
    /// Nothing: it was so already.
    None,
    /// A request is open.
    Requested,
    /// The open request was accepted.
    Accepted,
    /// The open request was declined, or taken back.
    Declined,
    /// The friendship has ended.
    Ended,
    /// A side says something else, and none of the above came of it.
    Other,
    /// A block stands.
    Blocked,
    /// A block has ended.
    Unblocked,
}

/// The bond after a step of one of the two, and what that is to others; `NoSuchUser` for anybody else.
pub fn step(bond: &Bond, by: UserId, step: Step, now: Timestamp) -> Result<(Bond, BondChange), Rejected> {
    if !bond.pair.has(by) {
        return Err(Rejected::NoSuchUser);
    }
    match step {
        Step::Request { own, anew } => request(bond, by, own, anew, now),
        Step::Accept if bond.asked() == Some(by) => Ok(said(bond, by, Side::Accepted, now)),
        Step::Decline if bond.asked().is_some() => Ok(said(bond, by, Side::Rejected, now)),
        Step::Accept | Step::Decline => Err(Rejected::NoSuchRequest),
        Step::Unfriend if bond.is_friendship() => Ok(said(bond, by, Side::Rejected, now)),
        Step::Unfriend => Err(Rejected::NotFriends),
        Step::Say(_) if bond.relation.is_none() => Err(Rejected::NoSuchRequest),
        Step::Say(side) => Ok(said(bond, by, side, now)),
        Step::Block if bond.blocked_by(by).is_some() => Ok((*bond, BondChange::None)),
        Step::Block => Ok((bond.with_block(by, Some(now)), BondChange::Blocked)),
        Step::Unblock if bond.blocked_by(by).is_none() => Ok((*bond, BondChange::None)),
        Step::Unblock => Ok((bond.with_block(by, None), BondChange::Unblocked)),
    }
}

fn request(bond: &Bond, by: UserId, own: Side, anew: bool, now: Timestamp) -> Result<(Bond, BondChange), Rejected> {
    if let Some(blocker) = bond.blocker(by) {
        return Err(Rejected::Blocked { by: blocker });
    }
    match bond.relation {
        Some(relation) if relation.is_friendship() => return Err(Rejected::AlreadyFriends),
        Some(relation) if relation.is_open() => return Err(Rejected::AlreadyRequested { from: relation.from }),
        Some(_) if !anew => return Err(Rejected::RelationExists),
        Some(_) | None => {}
    }
    // Each request of a pair is told from the one before by its time.
    let now = bond.relation.map_or(now, |before| now.after(before.created_at));
    let relation = Relation { from: by, status_from: own, status_to: Side::Pending, created_at: now, updated_at: now };
    let change = if relation.is_open() { BondChange::Requested } else { BondChange::Other };
    Ok((Bond { relation: Some(relation), ..*bond }, change))
}

/// One side says something; what others call it depends on what came of it alone.
fn said(bond: &Bond, by: UserId, side: Side, now: Timestamp) -> (Bond, BondChange) {
    let after = bond.with_side(by, side, now);
    let (was_open, was_friendship) = (bond.asked().is_some(), bond.is_friendship());
    let change = if was_open && after.is_friendship() {
        BondChange::Accepted
    } else if was_open && after.asked().is_none() {
        BondChange::Declined
    } else if was_friendship && !after.is_friendship() {
        BondChange::Ended
    } else {
        BondChange::Other
    };
    (after, change)
}

/// Whether a direct message may be sent: no block in either direction.
pub fn may_write(bond: &Bond, by: UserId) -> Result<(), Rejected> {
    match bond.blocker(by) {
        Some(blocker) => Err(Rejected::Blocked { by: blocker }),
        None => Ok(()),
    }
}

/// Whether one of the two is shown what the other does right now: presence, typing, receipts. A block hides both from
/// each other.
pub fn may_see_activity(bond: &Bond) -> bool {
    !bond.is_blocked()
}

/// Whether a viewer may see when a user is or was here; `acquainted`: they have exchanged a message, or are friends.
pub fn may_see_presence(bond: &Bond, privacy: &Privacy, acquainted: bool) -> bool {
    may_see_activity(bond) && within(privacy.presence, bond, acquainted)
}

/// Whether somebody may make a user a member of a group without asking; otherwise an invitation is the way.
pub fn may_add(bond: &Bond, by: UserId, privacy: &Privacy) -> Result<(), Rejected> {
    may_write(bond, by)?;
    if within(privacy.groups, bond, true) { Ok(()) } else { Err(Rejected::InvitationNeeded) }
}

fn within(audience: Audience, bond: &Bond, everyone: bool) -> bool {
    match audience {
        Audience::Everyone => everyone || bond.is_friendship(),
        Audience::Friends => bond.is_friendship(),
        Audience::Nobody => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    fn strangers() -> Bond {
        Bond::new(Pair::new(user(1), user(2)).expect("two users"))
    }

    const ASK: Step = Step::Request { own: Side::Pending, anew: true };

    fn after(steps: &[(u64, Step)]) -> Bond {
        steps.iter().fold(strangers(), |bond, (by, wish)| step(&bond, user(*by), *wish, Timestamp(1)).expect("allowed").0)
    }

    #[test]
    fn a_request_is_answered_by_the_one_who_was_asked() {
        let asked = after(&[(1, ASK)]);
        assert_eq!(asked.asked(), Some(user(2)));
        assert_eq!(step(&asked, user(1), Step::Accept, Timestamp(2)), Err(Rejected::NoSuchRequest));
        let (friends, change) = step(&asked, user(2), Step::Accept, Timestamp(2)).expect("asked");
        assert!(friends.is_friendship());
        assert_eq!(change, BondChange::Accepted);
        assert_eq!(friends.relation.map(|relation| relation.status_from), Some(Side::Pending), "who asked need not say it again");
    }

    #[test]
    fn a_request_is_declined_by_either_and_may_be_made_anew() {
        for by in [1, 2] {
            let (declined, change) = step(&after(&[(1, ASK)]), user(by), Step::Decline, Timestamp(2)).expect("open");
            assert_eq!(change, BondChange::Declined);
            assert!(declined.relation.is_some_and(|relation| relation.is_rejected()));
            let (anew, change) = step(&declined, user(2), ASK, Timestamp(3)).expect("nothing stands in the way");
            assert_eq!((anew.asked(), change), (Some(user(1)), BondChange::Requested));
            let keep = Step::Request { own: Side::Pending, anew: false };
            assert_eq!(step(&declined, user(2), keep, Timestamp(3)), Err(Rejected::RelationExists));
        }
    }

    #[test]
    fn a_second_request_says_who_asked_first() {
        let asked = after(&[(1, ASK)]);
        for by in [1, 2] {
            assert_eq!(step(&asked, user(by), ASK, Timestamp(2)), Err(Rejected::AlreadyRequested { from: user(1) }));
        }
        assert_eq!(step(&after(&[(1, ASK), (2, Step::Accept)]), user(2), ASK, Timestamp(2)), Err(Rejected::AlreadyFriends));
    }

    #[test]
    fn a_block_stops_writing_and_requests_and_nothing_else() {
        let friends = after(&[(1, ASK), (2, Step::Accept), (2, Step::Block)]);
        assert!(friends.is_friendship());
        assert_eq!(may_write(&friends, user(1)), Err(Rejected::Blocked { by: user(2) }));
        assert_eq!(may_write(&friends, user(2)), Err(Rejected::Blocked { by: user(2) }));
        assert!(!may_see_activity(&friends));
        let blocked = after(&[(1, Step::Block)]);
        assert_eq!(step(&blocked, user(2), ASK, Timestamp(2)), Err(Rejected::Blocked { by: user(1) }));
        let answered = after(&[(1, ASK), (1, Step::Block), (2, Step::Accept)]);
        assert!(answered.is_friendship(), "a block stops new requests, not answers to old ones");
        let (free, change) = step(&blocked, user(1), Step::Unblock, Timestamp(2)).expect("own block");
        assert_eq!((free.is_blocked(), change), (false, BondChange::Unblocked));
    }

    #[test]
    fn what_a_side_says_counts_by_what_comes_of_it() {
        let rejected = after(&[(1, ASK), (2, Step::Decline)]);
        let (open, change) = step(&rejected, user(2), Step::Say(Side::Pending), Timestamp(2)).expect("a relation stands");
        assert_eq!((open.asked(), change), (Some(user(2)), BondChange::Other));
        let (ended, change) =
            step(&after(&[(1, ASK), (2, Step::Accept)]), user(1), Step::Say(Side::Rejected), Timestamp(2)).expect("stands");
        assert_eq!((ended.is_friendship(), change), (false, BondChange::Ended));
    }

    #[test]
    fn presence_is_for_whom_its_owner_wants() {
        let privacy = |presence| Privacy { presence, ..Privacy::default() };
        let friends = after(&[(1, ASK), (2, Step::Accept)]);
        for (audience, stranger, acquainted, friend) in
            [(Audience::Everyone, false, true, true), (Audience::Friends, false, false, true), (Audience::Nobody, false, false, false)]
        {
            assert_eq!(may_see_presence(&strangers(), &privacy(audience), false), stranger, "{audience:?}");
            assert_eq!(may_see_presence(&strangers(), &privacy(audience), true), acquainted, "{audience:?}");
            assert_eq!(may_see_presence(&friends, &privacy(audience), false), friend, "{audience:?}");
            assert!(!may_see_presence(&after(&[(1, Step::Block)]), &privacy(audience), true), "{audience:?}");
        }
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let side = prop_oneof![Just(Side::Pending), Just(Side::Accepted), Just(Side::Rejected)];
        prop_oneof![
            (side.clone(), any::<bool>()).prop_map(|(own, anew)| Step::Request { own, anew }),
            Just(Step::Accept),
            Just(Step::Decline),
            Just(Step::Unfriend),
            side.prop_map(Step::Say),
            Just(Step::Block),
            Just(Step::Unblock),
        ]
    }

    proptest! {
        #[test]
        fn nobody_changes_what_the_other_says(steps in proptest::collection::vec((1_u64..=2, any_step()), 0..12)) {
            let mut bond = strangers();
            for (by, wish) in steps {
                let Ok((after, _)) = step(&bond, user(by), wish, Timestamp(1)) else { continue };
                let other = user(3 - by);
                prop_assert_eq!(after.blocked_by(other), bond.blocked_by(other));
                if let (Some(before), Some(now), false) = (bond.relation, after.relation, matches!(wish, Step::Request { .. })) {
                    let of = |relation: &Relation| if relation.from == other { relation.status_from } else { relation.status_to };
                    prop_assert_eq!(of(&before), of(&now));
                }
                prop_assert!(!(after.is_friendship() && after.asked().is_some()));
                bond = after;
            }
        }
    }
}
