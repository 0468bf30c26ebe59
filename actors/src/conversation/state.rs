//! The rules of a conversation: who may do what, and what follows from an entry. Pure.
//!
//! `propose_*` look and never change; `commit` takes in what is durable. A change of members goes alone into its
//! batch, so every proposal is judged by the members as they will stand when it is stored.

use std::collections::BTreeMap;

use crate::bucket::TokenBucket;
use crate::command::Command;
use crate::content::{AboutText, ClientKey, Content, GroupName};
use crate::entry::{Act, Entry, GroupRow, Head, Membership, Role, Row};
use crate::id::{ConversationId, Pair, Pos, Seq, UserId};
use crate::limits::{Limit, Limits};
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;
use crate::time::Timestamp;

/// Who takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Two users, always.
    Direct(Pair),
    /// A group that exists, its members and its former members.
    Group {
        /// Name and size.
        row: GroupRow,
        /// Everyone who ever was one.
        places: BTreeMap<UserId, Membership>,
    },
    /// A group that nobody has created yet.
    NoGroup,
}

/// A conversation while it is awake.
#[derive(Debug, Clone)]
pub struct Conversation {
    id: ConversationId,
    members: Members,
    audience: Vec<UserId>,
    posts: TokenBucket,
}

impl Conversation {
    /// A conversation with these members.
    pub fn new(id: ConversationId, members: Members, limits: &Limits) -> Self {
        let posts = TokenBucket::new(limits.get(Limit::PostsRateConversation), limits.get(Limit::PostsBurstConversation));
        let mut conversation = Self { id, members, audience: Vec::new(), posts };
        conversation.gather_audience();
        conversation
    }

    /// The users who hear of an entry that is committed now, by number.
    pub fn audience(&self) -> &[UserId] {
        &self.audience
    }

    /// Whether the group exists, or the conversation is direct.
    pub fn exists(&self) -> bool {
        self.members != Members::NoGroup
    }

    fn gather_audience(&mut self) {
        self.audience = match &self.members {
            Members::Direct(pair) => vec![pair.low(), pair.high()],
            #[cfg(feature = "planted-bugs")]
            Members::Group { places, .. } if crate::planted::is(crate::planted::Plant::FanOutUnchecked) => places.keys().copied().collect(),
            Members::Group { places, .. } => places.iter().filter(|(_, place)| place.is_current()).map(|(user, _)| *user).collect(),
            Members::NoGroup => vec![],
        };
    }

    /// Whether the user may do this here.
    pub fn may(&self, user: UserId, deed: Deed) -> Result<(), Rejected> {
        match &self.members {
            Members::Direct(pair) => policy::may(user, deed, On::Direct(*pair)),
            Members::Group { places, .. } => policy::may(user, deed, On::Group(places.get(&user))),
            Members::NoGroup => policy::may(user, deed, On::Group(None)),
        }
    }

    /// Whether this message may be stored.
    pub fn propose_post(&self, user: UserId, content: &Content, head: &Head, limits: &Limits) -> Result<(), Rejected> {
        self.may(user, Deed::Post)?;
        if content.is_empty() {
            return Err(Rejected::EmptyMessage);
        }
        let max = limits.get(Limit::BodyBytes);
        if content.bytes() > limits.count(Limit::BodyBytes) {
            return Err(Rejected::BodyTooLarge { max });
        }
        if content.mentions.len() > limits.count(Limit::Mentions) {
            return Err(Rejected::TooManyItems { field: "mentions", max: limits.get(Limit::Mentions) });
        }
        match content.reply_to {
            Some(seq) if seq == Seq::ZERO || seq > head.tail => Err(Rejected::NoSuchEntry { seq }),
            _ => Ok(()),
        }
    }

    /// Takes the conversation's share for one message, or says when there is room again.
    pub fn admit_post(&mut self, now: Timestamp) -> Result<(), Rejected> {
        self.posts.take(1, now).map_err(|after| Rejected::TooFast { bucket: "posts_conversation", after })
    }

    /// The first entry of a group.
    pub fn propose_creation(
        &self,
        creator: UserId,
        name: &GroupName,
        members: &[UserId],
        open: bool,
        limits: &Limits,
    ) -> Result<Act, Rejected> {
        if self.id_is_direct() {
            return Err(Rejected::NotAGroup);
        }
        if self.exists() {
            return Err(Rejected::NoSuchConversation); // somebody else's: to the one who asks it is not there
        }
        too_many(members.len(), limits)?;
        Ok(created(creator, name, members, open))
    }

    /// New members of a group. The entry names whom the request named, so that a repetition can be told from another
    /// request; for those who are members already it changes nothing.
    pub fn propose_addition(&self, user: UserId, members: &[UserId], limits: &Limits) -> Result<Act, Rejected> {
        self.may(user, Deed::Add)?;
        too_many(members.len(), limits)?;
        let fresh = once(members).into_iter().filter(|user| !self.has(*user)).count();
        if self.audience.len() + fresh > limits.count(Limit::Members) {
            return Err(Rejected::GroupFull { max: limits.get(Limit::Members) });
        }
        if fresh == 0 {
            return Err(Rejected::Field { field: "members", why: "names nobody who is not a member already" });
        }
        Ok(joined(members))
    }

    fn has(&self, user: UserId) -> bool {
        self.audience.binary_search(&user).is_ok()
    }

    /// The end of a membership: another one's, or one's own.
    pub fn propose_removal(&self, user: UserId, member: UserId) -> Result<Act, Rejected> {
        if user == member {
            self.may(user, Deed::Leave)?;
            return Ok(Act::Left { member });
        }
        self.may(user, Deed::Read)?;
        let place = match &self.members {
            Members::Group { places, .. } => places.get(&member).filter(|place| place.is_current()),
            Members::Direct(_) | Members::NoGroup => None,
        };
        // The role is judged even where there is nobody to remove, so that the answer tells nothing to a mere member.
        self.may(user, Deed::Remove(place.map_or(Role::Member, |place| place.role)))?;
        if place.is_some() { Ok(Act::Left { member }) } else { Err(Rejected::Field { field: "user", why: "is no member of this group" }) }
    }

    fn id_is_direct(&self) -> bool {
        matches!(self.id, ConversationId::Direct(_))
    }

    /// The rows that follow from an entry which goes on from the state as it is (design D10).
    pub fn project(&self, entry: &Entry) -> Vec<Row> {
        let place = |user: &UserId, role| Row::Member(*user, Membership { role, since: entry.seq, until: None });
        match (&entry.act, &self.members) {
            (Act::Message(_), _) => vec![Row::Own(entry.author, entry.pos)],
            (Act::Created { name, members, open }, _) => {
                let row = GroupRow {
                    name: name.clone(),
                    members: members.len() as u64 + 1,
                    created_at: entry.at,
                    about: AboutText::default(),
                    picture: None,
                    open: *open,
                    updated_at: entry.at,
                };
                let mut rows = vec![Row::Group(row), place(&entry.author, Role::Owner)];
                rows.extend(members.iter().map(|user| place(user, Role::Member)));
                rows
            }
            (Act::Joined { members }, Members::Group { row, .. }) => {
                let fresh: Vec<_> = members.iter().filter(|user| !self.has(**user)).collect();
                let mut rows = vec![Row::Group(GroupRow { members: row.members + fresh.len() as u64, ..row.clone() })];
                rows.extend(fresh.into_iter().map(|user| place(user, Role::Member)));
                rows
            }
            (Act::Left { member }, Members::Group { row, places }) => {
                let mut rows = vec![Row::Group(GroupRow { members: row.members.saturating_sub(1), ..row.clone() })];
                rows.extend(places.get(member).map(|place| Row::Member(*member, Membership { until: Some(entry.seq), ..*place })));
                rows
            }
            _ => vec![],
        }
    }

    /// Takes in an entry that is durable. True if the audience is another one now.
    pub fn commit(&mut self, entry: &Entry) -> bool {
        if entry.act.is_message() {
            return false;
        }
        for row in self.project(entry) {
            match (row, &mut self.members) {
                (Row::Group(row), Members::Group { row: mine, .. }) => *mine = row,
                (Row::Group(row), members) => *members = Members::Group { row, places: BTreeMap::new() },
                (Row::Member(user, place), Members::Group { places, .. }) => {
                    places.insert(user, place);
                }
                _ => {}
            }
        }
        self.gather_audience();
        true
    }

    /// The position of the newest message at or before `seq`, where it can be told without the store.
    pub fn position_of(head: &Head, seq: Seq) -> Option<Pos> {
        if seq == Seq::ZERO {
            Some(Pos(0))
        } else if seq >= head.last_change && seq <= head.tail {
            // Everything above the last change is a message.
            Some(Pos(head.count.0 - (head.tail.get() - seq.get())))
        } else {
            None
        }
    }
}

/// The act that a change of members asks for, by the request alone: what a repetition is compared by. `None` for a
/// command that changes no members.
pub fn change(user: UserId, command: &Command) -> Option<Act> {
    match command {
        Command::CreateGroup { name, members, open, .. } => Some(created(user, name, members, *open)),
        Command::AddMembers { members, .. } => Some(joined(members)),
        Command::RemoveMember { member, .. } => Some(Act::Left { member: *member }),
        _ => None,
    }
}

/// The command that an act was asked for by; `None` for an act of a user's own log.
pub fn command(conversation: ConversationId, client_key: ClientKey, act: Act) -> Option<Command> {
    match act {
        Act::Message(content) => {
            let media = content.attachments.iter().map(|file| file.id).collect();
            Some(Command::Post { conversation, client_key, content, media })
        }
        Act::Created { name, members, open } => Some(Command::CreateGroup { client_key, name, members, open }),
        Act::Joined { members } => Some(Command::AddMembers { conversation, client_key, members }),
        Act::Left { member } => Some(Command::RemoveMember { conversation, client_key, member }),
        _ => None,
    }
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

fn too_many(members: usize, limits: &Limits) -> Result<(), Rejected> {
    if members > limits.count(Limit::MembersPerRequest) {
        return Err(Rejected::TooManyItems { field: "members", max: limits.get(Limit::MembersPerRequest) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{GroupId, MessageId};

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("valid")
    }

    fn group() -> Conversation {
        let id = ConversationId::Group(GroupId::new(9).expect("valid"));
        Conversation::new(id, Members::NoGroup, &Limits::default())
    }

    fn entry(seq: u64, author: u64, act: Act) -> Entry {
        Entry {
            seq: Seq::new(seq).expect("valid"),
            pos: Pos(0),
            id: MessageId::new(4_096 + seq).expect("valid"),
            author: user(author),
            client_key: ClientKey::new("k").expect("valid"),
            at: Timestamp(0),
            act,
        }
    }

    fn created(members: &[u64]) -> Conversation {
        let mut group = group();
        let members: Vec<_> = members.iter().map(|number| user(*number)).collect();
        let name = GroupName::new("g").expect("valid");
        let act = group.propose_creation(user(1), &name, &members, &Limits::default()).expect("nothing is there yet");
        assert!(group.commit(&entry(1, 1, act)));
        group
    }

    #[test]
    fn a_group_has_its_creator_and_members_once_each() {
        let group = created(&[3, 2, 3, 1]);
        assert_eq!(group.audience(), [user(1), user(2), user(3)]);
        assert_eq!(group.may(user(2), Deed::Add), Err(Rejected::RoleTooLow));
        assert_eq!(group.may(user(4), Deed::Read), Err(Rejected::NoSuchConversation));
    }

    #[test]
    fn a_removed_member_reads_up_to_the_removal_and_posts_no_more() {
        let mut group = created(&[2, 3]);
        let act = group.propose_removal(user(1), user(2)).expect("the owner may");
        group.commit(&entry(2, 1, act));
        assert_eq!(group.audience(), [user(1), user(3)]);
        assert_eq!(group.may(user(2), Deed::Post), Err(Rejected::NoSuchConversation));
        assert_eq!(group.may(user(2), Deed::Read), Ok(()));
        assert!(matches!(group.propose_removal(user(1), user(2)), Err(Rejected::Field { field: "user", .. })));
        assert_eq!(group.propose_removal(user(3), user(2)), Err(Rejected::RoleTooLow), "a member learns nothing");
    }

    #[test]
    fn who_was_removed_can_be_added_again() {
        let mut group = created(&[2]);
        let left = group.propose_removal(user(2), user(2)).expect("anyone may leave");
        group.commit(&entry(2, 2, left));
        let back = group.propose_addition(user(1), &[user(2)], &Limits::default()).expect("the owner may");
        group.commit(&entry(3, 1, back));
        assert_eq!(group.may(user(2), Deed::Post), Ok(()));
    }

    #[test]
    fn a_group_is_full_at_its_limit() {
        let mut limits = Limits::default();
        limits.set(Limit::Members, 3);
        let group = created(&[2]);
        assert!(group.propose_addition(user(1), &[user(3)], &limits).is_ok());
        assert_eq!(group.propose_addition(user(1), &[user(3), user(4)], &limits), Err(Rejected::GroupFull { max: 3 }));
    }

    #[test]
    fn a_body_is_refused_one_byte_above_the_limit() {
        let limits = Limits::default();
        let pair = Pair::new(user(1), user(2)).expect("two users");
        let direct = Conversation::new(ConversationId::Direct(pair), Members::Direct(pair), &limits);
        let content = |bytes| Content { text: "x".repeat(bytes).into(), ..Content::default() };
        let head = Head::default();
        assert_eq!(direct.propose_post(user(1), &content(32_768), &head, &limits), Ok(()));
        assert_eq!(direct.propose_post(user(1), &content(32_769), &head, &limits), Err(Rejected::BodyTooLarge { max: 32_768 }));
        assert_eq!(direct.propose_post(user(1), &content(0), &head, &limits), Err(Rejected::EmptyMessage));
        let reply = Content { reply_to: Seq::new(1).ok(), ..content(1) };
        assert!(matches!(direct.propose_post(user(1), &reply, &head, &limits), Err(Rejected::NoSuchEntry { .. })));
    }

    proptest! {
        /// The position told from the head alone equals a count over the log.
        #[test]
        fn a_position_is_the_number_of_messages_up_to_there(kinds in prop::collection::vec(any::<bool>(), 1..60)) {
            let mut head = Head::default();
            let mut positions = vec![0_u64];
            for is_message in &kinds {
                head.tail = head.tail.next();
                if *is_message { head.count = Pos(head.count.0 + 1) } else { head.last_change = head.tail }
                positions.push(head.count.0);
            }
            for (seq, pos) in positions.iter().enumerate() {
                if let Some(told) = Conversation::position_of(&head, Seq::new(seq as u64).expect("small")) {
                    prop_assert_eq!(told, Pos(*pos));
                }
            }
            prop_assert_eq!(Conversation::position_of(&head, head.tail), Some(head.count));
        }
    }
}
