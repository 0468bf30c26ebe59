//! The rules of groups: creation, members, roles, invitations, name and picture. Pure.

use crate::account::Picture;
use crate::command::Command;
use crate::content::{Content, GroupName};
use crate::entry::{Act, GroupChange, Membership, Role};
use crate::id::{ConversationId, Seq, UserId};
use crate::limits::{Limit, Limits};
use crate::media::{Attachment, MediaId, MediaKind};
use crate::policy::Deed;
use crate::rejected::Rejected;
use crate::time::Timestamp;

use super::amend;
use super::state::{Conversation, Group, Members};

impl Conversation {
    /// The first entry of a group.
    pub fn propose_creation(
        &self,
        creator: UserId,
        name: &GroupName,
        members: &[UserId],
        open: bool,
        limits: &Limits,
    ) -> Result<Act, Rejected> {
        if matches!(self.id, ConversationId::Direct(_)) {
            return Err(Rejected::NotAGroup);
        }
        if self.exists() {
            return Err(Rejected::NoSuchConversation); // somebody else's: to the one who asks it is not there
        }
        too_many(members.len(), "members", limits)?;
        Ok(created(creator, name, members, open))
    }

    /// New members of a group. The entry names whom the request named, so that a repetition can be told from another
    /// request; for those who are members already it changes nothing.
    pub fn propose_addition(&self, user: UserId, members: &[UserId], now: Timestamp, limits: &Limits) -> Result<Act, Rejected> {
        self.may(user, Deed::Add, now)?;
        too_many(members.len(), "members", limits)?;
        let fresh = self.fresh(members).len();
        self.has_room(fresh, limits)?;
        if fresh == 0 {
            return Err(Rejected::Field { field: "members", why: "names nobody who is not a member already" });
        }
        Ok(joined(members))
    }

    /// Those who are no members yet, once each.
    pub fn fresh(&self, users: &[UserId]) -> Vec<UserId> {
        once(users).into_iter().filter(|user| !self.has(*user)).collect()
    }

    fn has_room(&self, fresh: usize, limits: &Limits) -> Result<(), Rejected> {
        if self.audience().len() + fresh > limits.count(Limit::Members) {
            return Err(Rejected::GroupFull { max: limits.get(Limit::Members) });
        }
        Ok(())
    }

    /// The end of a membership: another one's, or one's own.
    pub fn propose_removal(&self, user: UserId, member: UserId, now: Timestamp) -> Result<Act, Rejected> {
        if user == member {
            self.may(user, Deed::Leave, now)?;
            return Ok(Act::Left { member });
        }
        self.may(user, Deed::Read, now)?;
        // The role is judged even where there is nobody to remove, so that the answer tells nothing to a mere member.
        self.may(user, Deed::Remove(self.role(member)), now)?;
        self.member(member)?;
        Ok(Act::Left { member })
    }

    /// A user's place who is a member now.
    fn member(&self, user: UserId) -> Result<&Membership, Rejected> {
        let place = self.group()?.places.get(&user).filter(|place| place.is_current());
        place.ok_or(Rejected::Field { field: "user", why: "is no member of this group" })
    }

    fn group(&self) -> Result<&Group, Rejected> {
        match &self.members {
            Members::Group(group) => Ok(group),
            Members::Direct(_) => Err(Rejected::NotAGroup),
            Members::NoGroup => Err(Rejected::NoSuchConversation),
        }
    }

    /// Another name, text or picture, or another way in.
    pub fn propose_change(&self, user: UserId, change: &GroupChange, now: Timestamp) -> Result<Act, Rejected> {
        self.may(user, Deed::Change, now)?;
        if change.open.is_some() {
            self.may(user, Deed::Open, now)?;
        }
        if change.is_empty() {
            return Err(Rejected::Field { field: "change", why: "names nothing to change" });
        }
        Ok(Act::Changed(change.clone()))
    }

    /// Another role of a member.
    pub fn propose_role(&self, user: UserId, member: UserId, role: Role, now: Timestamp) -> Result<Act, Rejected> {
        self.may(user, Deed::SetRole(self.role(member)), now)?;
        self.member(member)?;
        if role == Role::Owner {
            return Err(Rejected::Field { field: "role", why: "an owner is made by handing the group over" });
        }
        Ok(Act::RoleSet { member, role })
    }

    /// Another owner.
    pub fn propose_hand_over(&self, user: UserId, to: UserId, now: Timestamp) -> Result<Act, Rejected> {
        self.may(user, Deed::HandOver, now)?;
        self.member(to)?;
        if to == user {
            return Err(Rejected::Field { field: "user", why: "is the owner already" });
        }
        Ok(Act::HandedOver { to })
    }

    /// Invitations to the group.
    pub fn propose_invitation(&self, user: UserId, users: &[UserId], now: Timestamp, limits: &Limits) -> Result<Act, Rejected> {
        self.may(user, Deed::Invite, now)?;
        too_many(users.len(), "users", limits)?;
        let fresh = self.fresh(users).len();
        let standing = self.group()?.invited.values().filter(|invitation| invitation.expires_at > now).count();
        self.has_room(fresh + standing, limits)?;
        if fresh == 0 {
            return Err(Rejected::Field { field: "users", why: "names nobody who is not a member already" });
        }
        Ok(Act::Invited { users: once(users), expires_at: now.plus(limits.time(Limit::InvitationLife)) })
    }

    /// Becoming a member by oneself; where the one who asks is a member already, since when.
    pub fn propose_joining(&self, user: UserId, now: Timestamp, limits: &Limits) -> Result<Result<Act, Seq>, Rejected> {
        self.may(user, Deed::Join, now)?;
        if let Ok(place) = self.member(user) {
            return Ok(Err(place.since));
        }
        self.has_room(1, limits)?;
        Ok(Ok(joined(&[user])))
    }

    /// Whose invitations an entry settles, which goes on from the state as it is.
    pub fn answered(&self, act: &Act) -> Vec<UserId> {
        let Ok(group) = self.group() else { return vec![] };
        match act {
            Act::Joined { members } => members.iter().copied().filter(|user| group.invited.contains_key(user)).collect(),
            Act::Declined { user } => vec![*user],
            Act::Message(_) | Act::Created { .. } | Act::Left { .. } | Act::Edited { .. } | Act::Deleted { .. } | Act::Erased(_) => vec![],
            Act::Reacted { .. } | Act::Changed(_) | Act::RoleSet { .. } | Act::HandedOver { .. } | Act::Invited { .. } => vec![],
            Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) | Act::Withdrawn { .. } => vec![],
            Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => vec![],
        }
    }

    /// The end of an invitation: one's own, or another's.
    pub fn propose_declining(&self, user: UserId, of: UserId, now: Timestamp) -> Result<Act, Rejected> {
        self.may(user, Deed::Decline { own: user == of }, now)?;
        if !self.group()?.invited.contains_key(&of) {
            return Err(Rejected::Field { field: "user", why: "has no invitation to this group" });
        }
        Ok(Act::Declined { user: of })
    }
}

/// The act that a command asks for, by the request alone: what a repetition is compared by. `None` for a command that
/// stores no entry, and for those whose entry is another's content.
pub fn asked(user: UserId, command: &Command) -> Option<Act> {
    match command {
        Command::Post { content, media, .. } => Some(Act::Message(carrying(content, media))),
        Command::Edit { target, content, .. } => Some(amend::edit(*target, content)),
        Command::Delete { target, .. } => Some(Act::Deleted { target: *target }),
        Command::React { target, reaction, on, .. } => Some(Act::Reacted { target: *target, reaction: reaction.clone(), on: *on }),
        Command::CreateGroup { name, members, open, .. } => Some(created(user, name, members, *open)),
        Command::ChangeGroup { change, picture, .. } => Some(Act::Changed(showing(change, *picture))),
        Command::SetRole { member, role, .. } => Some(Act::RoleSet { member: *member, role: *role }),
        Command::HandOver { to, .. } => Some(Act::HandedOver { to: *to }),
        Command::Invite { users, .. } => Some(Act::Invited { users: once(users), expires_at: Timestamp::default() }),
        Command::Join { .. } => Some(joined(&[user])),
        Command::Decline { user, .. } => Some(Act::Declined { user: *user }),
        Command::AddMembers { members, .. } => Some(joined(members)),
        Command::RemoveMember { member, .. } => Some(Act::Left { member: *member }),
        Command::Forward { .. } | Command::Mark { .. } | Command::Relate { .. } | Command::Set { .. } => None,
        Command::ReadNotices { .. } | Command::Type { .. } | Command::Watch { .. } => None,
    }
}

/// What a post says, with the files that it names; what they are is looked up before it is stored.
pub(super) fn carrying(content: &Content, media: &[MediaId]) -> Content {
    Content { attachments: media.iter().map(|id| Attachment::named(*id)).collect(), ..content.clone() }
}

/// What a group is to be, with the picture that is named; what it is is looked up before it is stored.
fn showing(change: &GroupChange, picture: Option<Option<MediaId>>) -> GroupChange {
    let picture = picture.map(|picture| picture.map(|id| Picture { id, kind: MediaKind::Other }));
    GroupChange { picture, ..change.clone() }
}

fn created(creator: UserId, name: &GroupName, members: &[UserId], open: bool) -> Act {
    let members = once(members).into_iter().filter(|user| *user != creator).collect();
    Act::Created { name: name.clone(), members, open }
}

fn joined(members: &[UserId]) -> Act {
    Act::Joined { members: once(members) }
}

/// Those who are named, once each, in the order of their numbers.
fn once(members: &[UserId]) -> Vec<UserId> {
    let mut members = members.to_vec();
    members.sort_unstable();
    members.dedup();
    members
}

fn too_many(named: usize, field: &'static str, limits: &Limits) -> Result<(), Rejected> {
    if named > limits.count(Limit::MembersPerRequest) {
        return Err(Rejected::TooManyItems { field, max: limits.get(Limit::MembersPerRequest) });
    }
    Ok(())
}
