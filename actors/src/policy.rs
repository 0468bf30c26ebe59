//! The one authorisation function behind every entrance (G8): may this user do this, on that?
//!
//! Pure. Everything it needs is in its arguments; who asks comes from a verified credential, never from a request.
//! Things that the user must not know of answer like things that are not there.

use crate::entry::{Membership, Role};
use crate::id::{Pair, UserId};
use crate::rejected::Rejected;

/// What a user wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Read entries, members, marks.
    Read,
    /// Post a message.
    Post,
    /// Raise one's own marks.
    Mark,
    /// Signal that one is writing.
    Type,
    /// Add members.
    Add,
    /// Remove another member, of this role.
    Remove(Role),
    /// Leave.
    Leave,
}

/// On what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On<'a> {
    /// A direct conversation.
    Direct(Pair),
    /// A group, and the user's place in it.
    Group(Option<&'a Membership>),
}

/// Whether `user` may do `deed` on `on`.
pub fn may(user: UserId, deed: Deed, on: On<'_>) -> Result<(), Rejected> {
    match on {
        On::Direct(pair) if !pair.has(user) => Err(Rejected::NoSuchConversation),
        On::Direct(_) => match deed {
            Deed::Read | Deed::Post | Deed::Mark | Deed::Type => Ok(()),
            Deed::Add | Deed::Remove(_) | Deed::Leave => Err(Rejected::NotAGroup),
        },
        On::Group(None) => Err(Rejected::NoSuchConversation),
        // What stood in the group up to the removal stays readable; the caller cuts there.
        On::Group(Some(place)) if !place.is_current() => match deed {
            Deed::Read => Ok(()),
            Deed::Post | Deed::Mark | Deed::Type | Deed::Add | Deed::Remove(_) | Deed::Leave => Err(Rejected::NoSuchConversation),
        },
        On::Group(Some(place)) => match deed {
            Deed::Read | Deed::Post | Deed::Mark | Deed::Type => Ok(()),
            Deed::Add if place.role >= Role::Admin => Ok(()),
            Deed::Remove(other) if place.role >= Role::Admin && place.role > other => Ok(()),
            Deed::Add | Deed::Remove(_) => Err(Rejected::RoleTooLow),
            Deed::Leave if place.role == Role::Owner => Err(Rejected::OwnerCannotLeave),
            Deed::Leave => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seq;

    const DEEDS: [Deed; 9] = [
        Deed::Read,
        Deed::Post,
        Deed::Mark,
        Deed::Type,
        Deed::Add,
        Deed::Remove(Role::Member),
        Deed::Remove(Role::Admin),
        Deed::Remove(Role::Owner),
        Deed::Leave,
    ];

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    /// One letter for each deed: y may, n role too low, - as if it were not there, g not a group, o the owner stays.
    fn row(who: UserId, on: On<'_>) -> String {
        DEEDS
            .iter()
            .map(|deed| match may(who, *deed, on) {
                Ok(()) => 'y',
                Err(Rejected::RoleTooLow) => 'n',
                Err(Rejected::NoSuchConversation) => '-',
                Err(Rejected::NotAGroup) => 'g',
                Err(Rejected::OwnerCannotLeave) => 'o',
                Err(other) => unreachable!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_matrix_of_roles_and_deeds() {
        let pair = Pair::new(user(1), user(2)).expect("two users");
        let place = |role, until| Membership { role, since: Seq::ZERO, until };
        let left = place(Role::Admin, Some(Seq::ZERO));
        assert_eq!(row(user(1), On::Direct(pair)), "yyyyggggg");
        assert_eq!(row(user(3), On::Direct(pair)), "---------");
        assert_eq!(row(user(3), On::Group(None)), "---------");
        assert_eq!(row(user(3), On::Group(Some(&left))), "y--------");
        assert_eq!(row(user(3), On::Group(Some(&place(Role::Member, None)))), "yyyynnnny");
        assert_eq!(row(user(3), On::Group(Some(&place(Role::Admin, None)))), "yyyyyynny");
        assert_eq!(row(user(3), On::Group(Some(&place(Role::Owner, None)))), "yyyyyyyno");
    }
}
