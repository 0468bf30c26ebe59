//! The rules of a conversation: who may do what, and what follows from an entry. Pure.
//!
//! `propose_*` look and never change; `commit` takes in what is durable. A change of members or of a message goes alone
//! into its batch, so every proposal is judged by what will stand when it is stored. The proposals of groups are in
//! [`super::groups`], those that change a message in [`super::amend`].

use std::collections::BTreeMap;

use crate::bits::Bits;
use crate::bucket::TokenBucket;
use crate::content::{AboutText, Content};
use crate::entry::{Act, Entry, GroupChange, GroupRow, Head, Invitation, Membership, Role, Row};
use crate::id::{Bucket, ConversationId, DirectNumber, Pair, Pos, Seq, UserId};
use crate::limits::{Limit, Limits};
use crate::policy::{self, Deed, On};
use crate::rejected::Rejected;
use crate::relation::Bond;
use crate::store::{Marks, Versioned};
use crate::time::Timestamp;

use super::amend::{self, Target};
use super::gone::Gone;

/// Who takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Two users, always.
    Direct(Direct),
    /// A group that exists.
    Group(Box<Group>),
    /// A group that nobody has created yet.
    NoGroup,
}

/// The two of a direct conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// Who.
    pub pair: Pair,
    /// What they are to each other, and the version of that row.
    pub bond: Versioned<Bond>,
    /// The integer form of their conversation, once it is drawn.
    pub number: Option<DirectNumber>,
    /// Whether the integer form is stored.
    pub is_numbered: bool,
}

impl Direct {
    /// Two strangers who have never written.
    pub fn new(pair: Pair) -> Self {
        Self { pair, bond: Versioned { version: 0, row: Bond::new(pair) }, number: None, is_numbered: false }
    }
}

/// A group that exists, its members and its former members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name and size.
    pub row: GroupRow,
    /// Everyone who ever was one.
    pub places: BTreeMap<UserId, Membership>,
    /// Who was invited and has not answered; some may have expired.
    pub invited: BTreeMap<UserId, Invitation>,
}

/// A conversation while it is awake.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub(super) id: ConversationId,
    pub(super) members: Members,
    audience: Vec<UserId>,
    posts: TokenBucket,
    gone: Gone,
    /// The message that an entry on its way changes.
    amending: Option<Box<Target>>,
}

impl Conversation {
    /// A conversation with these members.
    pub fn new(id: ConversationId, members: Members, limits: &Limits) -> Self {
        let posts = TokenBucket::new(limits.get(Limit::PostsRateConversation), limits.get(Limit::PostsBurstConversation));
        let mut conversation = Self { id, members, audience: Vec::new(), posts, gone: Gone::default(), amending: None };
        conversation.gather_audience();
        conversation
    }

    /// The same, with deleted positions of its newest spans.
    #[must_use]
    pub fn with_gone(mut self, gone: Vec<(Bucket, Bits)>) -> Self {
        self.gone = Gone::of(gone);
        self
    }

    /// The users who hear of an entry that is committed now, by number.
    pub fn audience(&self) -> &[UserId] {
        &self.audience
    }

    /// Whether the group exists, or the conversation is direct.
    pub fn exists(&self) -> bool {
        self.members != Members::NoGroup
    }

    /// The two, of a direct conversation.
    pub fn direct(&self) -> Option<&Direct> {
        match &self.members {
            Members::Direct(direct) => Some(direct),
            Members::Group(_) | Members::NoGroup => None,
        }
    }

    /// The two are something else to each other now.
    pub fn bind(&mut self, bond: Versioned<Bond>) {
        if let Members::Direct(direct) = &mut self.members {
            direct.bond = bond;
        }
    }

    /// The integer form that goes into the log with the next message.
    pub fn number(&mut self, number: DirectNumber) {
        if let Members::Direct(direct) = &mut self.members {
            direct.number.get_or_insert(number);
        }
    }

    fn gather_audience(&mut self) {
        self.audience = match &self.members {
            Members::Direct(direct) => vec![direct.pair.low(), direct.pair.high()],
            #[cfg(feature = "planted-bugs")]
            Members::Group(group) if crate::planted::is(crate::planted::Plant::FanOutUnchecked) => group.places.keys().copied().collect(),
            Members::Group(group) => group.places.iter().filter(|(_, place)| place.is_current()).map(|(user, _)| *user).collect(),
            Members::NoGroup => vec![],
        };
    }

    /// Whether the user may do this here, now.
    pub fn may(&self, user: UserId, deed: Deed, now: Timestamp) -> Result<(), Rejected> {
        let on = match &self.members {
            Members::Direct(direct) => On::Direct { pair: direct.pair, bond: &direct.bond.row },
            Members::Group(group) => {
                let invited = group.invited.get(&user).is_some_and(|invitation| invitation.expires_at > now);
                On::Group { place: group.places.get(&user), open: group.row.open, invited }
            }
            Members::NoGroup => On::Group { place: None, open: false, invited: false },
        };
        policy::may(user, deed, on)
    }

    /// Whether this message may be stored.
    pub fn propose_post(&self, user: UserId, content: &Content, head: &Head, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        self.may(user, Deed::Post, now)?;
        self.acceptable(content, limits)?;
        match content.reply_to {
            Some(seq) if seq == Seq::ZERO || seq > head.tail => Err(Rejected::NoSuchEntry { seq }),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a message may say this: sizes and counts, and mentions of members alone. Others are refused and not left
    /// out, so that a repetition of the post is the same post whoever has left meanwhile.
    pub(super) fn acceptable(&self, content: &Content, limits: &Limits) -> Result<(), Rejected> {
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
        if content.attachments.len() > limits.count(Limit::Attachments) {
            return Err(Rejected::TooManyItems { field: "attachments", max: limits.get(Limit::Attachments) });
        }
        if !content.mentions.iter().all(|user| self.has(*user)) {
            return Err(Rejected::Field { field: "mentions", why: "names somebody who is no member" });
        }
        Ok(())
    }

    /// Takes the conversation's share for one message, or says when there is room again.
    pub fn admit_post(&mut self, now: Timestamp) -> Result<(), Rejected> {
        self.posts.take(1, now).map_err(|after| Rejected::TooFast { bucket: "posts_conversation", after })
    }

    /// Whether the user is a member now.
    pub fn has(&self, user: UserId) -> bool {
        self.audience.binary_search(&user).is_ok()
    }

    /// The role of a user now; that of a member for who is none any more, and in a direct conversation.
    pub(super) fn role(&self, user: UserId) -> Role {
        match &self.members {
            Members::Group(group) => group.places.get(&user).filter(|place| place.is_current()).map_or(Role::Member, |place| place.role),
            Members::Direct(_) | Members::NoGroup => Role::Member,
        }
    }

    /// Messages that count as unread to a user with these marks.
    pub fn unread(&self, head: &Head, marks: &Marks) -> u64 {
        self.gone.unread(head.count, marks.badge)
    }

    /// The next entry changes this message, which was read for it.
    pub fn amend(&mut self, target: Target) {
        self.amending = Some(Box::new(target));
    }

    /// The rows that follow from an entry which goes on from the state as it is (design D10).
    pub fn project(&self, entry: &Entry) -> Vec<Row> {
        match &entry.act {
            Act::Message(_) => self.posted(entry),
            Act::Created { name, members, open } => {
                let row = GroupRow {
                    name: name.clone(),
                    members: members.len() as u64 + 1,
                    created_at: entry.at,
                    about: AboutText::default(),
                    picture: None,
                    open: *open,
                    updated_at: entry.at,
                };
                let mut rows = vec![Row::Group(row), place(entry.author, Role::Owner, entry.seq)];
                rows.extend(members.iter().map(|user| place(*user, Role::Member, entry.seq)));
                rows
            }
            Act::Edited { .. } | Act::Deleted { .. } | Act::Reacted { .. } => {
                self.amending.as_ref().map(|target| amend::project(target, entry)).unwrap_or_default()
            }
            Act::Joined { .. } | Act::Left { .. } | Act::Changed(_) | Act::RoleSet { .. } | Act::HandedOver { .. } => self.changed(entry),
            Act::Invited { .. } | Act::Declined { .. } => self.changed(entry),
            // An erased entry is never proposed, and the rest stands in users' own logs.
            Act::Erased(_) | Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) => vec![],
            Act::Withdrawn { .. } | Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => vec![],
        }
    }

    fn posted(&self, entry: &Entry) -> Vec<Row> {
        let mut rows = vec![Row::Own(entry.author, entry.pos)];
        if let Members::Direct(Direct { number: Some(number), is_numbered: false, .. }) = &self.members {
            rows.push(Row::Direct(*number));
        }
        rows
    }

    /// The rows of an entry that changes a group which exists.
    fn changed(&self, entry: &Entry) -> Vec<Row> {
        let Members::Group(group) = &self.members else { return vec![] };
        match &entry.act {
            Act::Joined { members } => {
                let fresh: Vec<_> = members.iter().filter(|user| !self.has(**user)).collect();
                let mut rows = vec![Row::Group(GroupRow { members: group.row.members + fresh.len() as u64, ..group.row.clone() })];
                rows.extend(fresh.iter().map(|user| place(**user, Role::Member, entry.seq)));
                rows.extend(members.iter().filter(|user| group.invited.contains_key(user)).map(|user| Row::Invited(*user, None)));
                rows
            }
            Act::Left { member } => {
                let mut rows = vec![Row::Group(GroupRow { members: group.row.members.saturating_sub(1), ..group.row.clone() })];
                let place = group.places.get(member);
                rows.extend(place.map(|place| Row::Member(*member, Membership { until: Some(entry.seq), ..*place })));
                rows
            }
            Act::Changed(change) => {
                let replaced = group.row.picture.filter(|stands| change.picture.is_some_and(|by| by.is_none_or(|by| by.id != stands.id)));
                let group = Row::Group(with(&group.row, change, entry.at));
                [group].into_iter().chain(replaced.map(|picture| Row::Expired(picture.id, entry.at))).collect()
            }
            Act::RoleSet { member, role } => {
                group.places.get(member).map(|place| Row::Member(*member, Membership { role: *role, ..*place })).into_iter().collect()
            }
            Act::HandedOver { to } => [(entry.author, Role::Admin), (*to, Role::Owner)]
                .into_iter()
                .filter_map(|(user, role)| group.places.get(&user).map(|place| Row::Member(user, Membership { role, ..*place })))
                .collect(),
            Act::Invited { users, expires_at } => {
                let invitation = Invitation { by: entry.author, expires_at: *expires_at };
                let fresh = users.iter().filter(|user| !self.has(**user)).map(|user| Row::Invited(*user, Some(invitation)));
                // Those that have expired go with it, so that what is kept is bounded by what may stand.
                let expired = group.invited.iter().filter(|(user, stands)| stands.expires_at <= entry.at && !users.contains(user));
                fresh.chain(expired.map(|(user, _)| Row::Invited(*user, None)).take(SWEPT)).collect()
            }
            Act::Declined { user } => vec![Row::Invited(*user, None)],
            Act::Message(_) | Act::Created { .. } | Act::Edited { .. } | Act::Deleted { .. } | Act::Erased(_) => vec![],
            Act::Reacted { .. } | Act::Appeared { .. } | Act::Vanished { .. } | Act::Set { .. } | Act::Noticed(_) => vec![],
            Act::Withdrawn { .. } | Act::NoticesRead { .. } | Act::Related { .. } | Act::AccountChanged => vec![],
        }
    }

    /// Takes in an entry that is durable. True if the audience may be another one now.
    pub fn commit(&mut self, entry: &Entry) -> bool {
        if let Act::Message(_) = &entry.act {
            if let Members::Direct(direct) = &mut self.members {
                direct.is_numbered = direct.number.is_some();
            }
            return false;
        }
        let mut moved = false;
        for row in self.project(entry) {
            moved |= self.take_in(row);
        }
        self.amending = None;
        if moved {
            self.gather_audience();
        }
        moved
    }

    /// Takes in one row. True if it is a member's.
    fn take_in(&mut self, row: Row) -> bool {
        match (row, &mut self.members) {
            (Row::Group(row), Members::Group(group)) => group.row = row,
            (Row::Group(row), members @ (Members::Direct(_) | Members::NoGroup)) => {
                *members = Members::Group(Box::new(Group { row, places: BTreeMap::new(), invited: BTreeMap::new() }));
            }
            (Row::Member(user, place), Members::Group(group)) => {
                group.places.insert(user, place);
                return true;
            }
            (Row::Invited(user, Some(invitation)), Members::Group(group)) => {
                group.invited.insert(user, invitation);
            }
            (Row::Invited(user, None), Members::Group(group)) => {
                group.invited.remove(&user);
            }
            (Row::Gone(span, bits), _) => self.gone.put(span, bits),
            (Row::Member(..) | Row::Invited(..), Members::Direct(_) | Members::NoGroup) => {}
            // Nothing of these is kept here.
            (Row::Own(..) | Row::Direct(_) | Row::Amended(..) | Row::Reactions(..), _) => {}
            (Row::Erased(_) | Row::Expired(..), _) => {}
            (Row::Listed(..) | Row::Preferences(..) | Row::Hidden(..) | Row::Notice(..) | Row::NoticesRead(_), _) => {}
        }
        false
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

/// How many expired invitations go with a fresh one.
const SWEPT: usize = 200;

fn place(user: UserId, role: Role, since: Seq) -> Row {
    Row::Member(user, Membership { role, since, until: None })
}

fn with(row: &GroupRow, change: &GroupChange, at: Timestamp) -> GroupRow {
    let mut row = GroupRow { updated_at: at, ..row.clone() };
    if let Some(name) = &change.name {
        row.name = name.clone();
    }
    if let Some(about) = &change.about {
        row.about = about.clone();
    }
    if let Some(picture) = change.picture {
        row.picture = picture;
    }
    if let Some(open) = change.open {
        row.open = open;
    }
    row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::{ClientKey, GroupName};
    use crate::id::{GroupId, MessageId};

    const NOW: Timestamp = Timestamp(0);

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
        let act = group.propose_creation(user(1), &name, &members, false, &Limits::default()).expect("nothing is there yet");
        assert!(group.commit(&entry(1, 1, act)));
        group
    }

    #[test]
    fn a_group_has_its_creator_and_members_once_each() {
        let group = created(&[3, 2, 3, 1]);
        assert_eq!(group.audience(), [user(1), user(2), user(3)]);
        assert_eq!(group.may(user(2), Deed::Add, NOW), Err(Rejected::RoleTooLow));
        assert_eq!(group.may(user(4), Deed::Read, NOW), Err(Rejected::NoSuchConversation));
    }

    #[test]
    fn a_removed_member_reads_up_to_the_removal_and_posts_no_more() {
        let mut group = created(&[2, 3]);
        let act = group.propose_removal(user(1), user(2), NOW).expect("the owner may");
        group.commit(&entry(2, 1, act));
        assert_eq!(group.audience(), [user(1), user(3)]);
        assert_eq!(group.may(user(2), Deed::Post, NOW), Err(Rejected::NoSuchConversation));
        assert_eq!(group.may(user(2), Deed::Read, NOW), Ok(()));
        assert!(matches!(group.propose_removal(user(1), user(2), NOW), Err(Rejected::Field { field: "user", .. })));
        assert_eq!(group.propose_removal(user(3), user(2), NOW), Err(Rejected::RoleTooLow), "a member learns nothing");
    }

    #[test]
    fn who_was_removed_can_be_added_again() {
        let mut group = created(&[2]);
        let left = group.propose_removal(user(2), user(2), NOW).expect("anyone may leave");
        group.commit(&entry(2, 2, left));
        let back = group.propose_addition(user(1), &[user(2)], NOW, &Limits::default()).expect("the owner may");
        group.commit(&entry(3, 1, back));
        assert_eq!(group.may(user(2), Deed::Post, NOW), Ok(()));
    }

    #[test]
    fn a_group_is_full_at_its_limit() {
        let mut limits = Limits::default();
        limits.set(Limit::Members, 3);
        let group = created(&[2]);
        assert!(group.propose_addition(user(1), &[user(3)], NOW, &limits).is_ok());
        assert_eq!(group.propose_addition(user(1), &[user(3), user(4)], NOW, &limits), Err(Rejected::GroupFull { max: 3 }));
    }

    #[test]
    fn a_body_is_refused_one_byte_above_the_limit() {
        let limits = Limits::default();
        let pair = Pair::new(user(1), user(2)).expect("two users");
        let direct = Conversation::new(ConversationId::Direct(pair), Members::Direct(Direct::new(pair)), &limits);
        let content = |bytes| Content { text: "x".repeat(bytes).into(), ..Content::default() };
        let head = Head::default();
        assert_eq!(direct.propose_post(user(1), &content(32_768), &head, NOW, &limits), Ok(()));
        assert_eq!(direct.propose_post(user(1), &content(32_769), &head, NOW, &limits), Err(Rejected::BodyTooLarge { max: 32_768 }));
        assert_eq!(direct.propose_post(user(1), &content(0), &head, NOW, &limits), Err(Rejected::EmptyMessage));
        let reply = Content { reply_to: Seq::new(1).ok(), ..content(1) };
        assert!(matches!(direct.propose_post(user(1), &reply, &head, NOW, &limits), Err(Rejected::NoSuchEntry { .. })));
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
