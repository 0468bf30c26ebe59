//! Members, lists and marks, and what a list shows of a conversation.

use super::rows::Rows;
use super::store::{Call, MemoryStore, planned};
use crate::bits::Bits;
use crate::entry::{GroupRow, Invitation, Membership};
use crate::id::{BUCKET_SEQS, Bucket, ConversationId, GroupId, Pair, Seq, UserId};
use crate::relation::Bond;
use crate::store::{Answer, Marks, MemberStore, Overview, StoreError};

impl Rows {
    fn marks(&self, user: UserId, conversation: ConversationId) -> Marks {
        let mut marks = self.marks_of(user, conversation);
        let own = self.own.get(&(user, conversation)).map(|(_, pos)| *pos).unwrap_or_default();
        marks.badge = marks.badge.max(own);
        marks
    }

    fn marks_of(&self, user: UserId, conversation: ConversationId) -> Marks {
        self.marks.get(&(user, conversation)).copied().unwrap_or_default()
    }

    fn raise(&mut self, conversation: ConversationId, raised: &[(UserId, Marks)]) -> Vec<Marks> {
        for (user, marks) in raised {
            let stands = self.marks.entry((*user, conversation)).or_default();
            *stands = stands.raise_to(*marks);
        }
        raised.iter().map(|(user, _)| self.marks(*user, conversation)).collect()
    }

    fn overview(&self, user: UserId, conversation: ConversationId) -> Overview {
        let head = self.head(conversation.into());
        let marks = self.marks(user, conversation);
        let common = Overview {
            head,
            marks,
            preferences: self.preferences.get(&(user, conversation)).map(|(_, row)| *row).unwrap_or_default(),
            last: self.logs.get(&conversation.into()).and_then(|log| log.entries.get(&head.tail)).cloned(),
            last_amendment: self.amendments.get(&(conversation, head.tail)).map(|(_, amendment)| amendment.clone()),
            last_hidden: self
                .hidden
                .get(&(user, conversation, head.tail.bucket()))
                .is_some_and(|(_, bits)| head.tail != Seq::ZERO && bits.has(head.tail.offset())),
            gone: self.gone_above(conversation, marks.badge.0, head.count.0),
            ..Overview::default()
        };
        match conversation {
            ConversationId::Group(group) => Overview {
                place: self.members.get(&(group, user)).map(|(_, place)| *place),
                group: self.groups.get(&group).map(|(_, row)| row.clone()),
                ..common
            },
            ConversationId::Direct(pair) => self.with_peer(user, pair, common),
        }
    }

    fn with_peer(&self, user: UserId, pair: Pair, common: Overview) -> Overview {
        let conversation = ConversationId::Direct(pair);
        let peer = pair.other(user);
        Overview {
            peer: peer.and_then(|peer| self.accounts.get(&peer)).map(|account| account.row.clone()),
            peer_marks: peer.map(|peer| self.marks_of(peer, conversation)).unwrap_or_default(),
            bond: Some(self.bonds.get(&pair).map_or_else(|| Bond::new(pair), |bond| bond.row)),
            number: self.directs.get(&pair).map(|(_, number)| *number),
            ..common
        }
    }

    fn gone_above(&self, conversation: ConversationId, badge: u64, count: u64) -> Vec<(Bucket, Bits)> {
        let newest = Bucket(count.saturating_sub(1) / BUCKET_SEQS);
        let spans = self.gone.range((conversation, Bucket(newest.0.saturating_sub(1)))..=(conversation, newest));
        let above = spans.map(|((_, span), (_, bits))| {
            // Position p lies at place p − 1 − span × 4,096, so the first one above the badge at badge − span × 4,096.
            let from = badge.saturating_sub(span.0 * BUCKET_SEQS);
            (*span, bits.places().filter(|place| *place >= from).fold(Bits::default(), Bits::with))
        });
        above.filter(|(_, bits)| bits.count() > 0).collect()
    }
}

impl MemberStore for MemoryStore {
    fn group(&self, group: GroupId) -> Answer<'_, Option<GroupRow>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.groups.get(&group).map(|(_, row)| row.clone())) })
    }

    fn membership(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Membership>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.members.get(&(group, user)).map(|(_, place)| *place)) })
    }

    fn members(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Membership)>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let of_group = rows.members.iter().filter(|((of, user), _)| *of == group && after.is_none_or(|after| *user > after));
                of_group.map(|((_, user), (_, place))| (*user, *place)).take(limit).collect()
            })
        })
    }

    fn listed(&self, user: UserId, after: Option<ConversationId>, limit: usize) -> Answer<'_, Vec<ConversationId>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let of_user = rows.listed.iter().filter(|((of, _), (_, listed))| *of == user && *listed);
                let ids = of_user.map(|((_, conversation), _)| *conversation);
                ids.filter(|id| after.is_none_or(|after| *id > after)).take(limit).collect()
            })
        })
    }

    fn marks<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Marks>> {
        Box::pin(
            async move { self.read(Call::Read, |rows| conversations.iter().map(|conversation| rows.marks(user, *conversation)).collect()) },
        )
    }

    fn raise(&self, conversation: ConversationId, marks: Vec<(UserId, Marks)>) -> Answer<'_, Vec<Marks>> {
        Box::pin(async move { self.write(Call::Raise, StoreError::Unknown(planned()), |rows| Ok(rows.raise(conversation, &marks))) })
    }

    fn marks_of<'a>(&'a self, conversation: ConversationId, users: &'a [UserId]) -> Answer<'a, Vec<Marks>> {
        Box::pin(async move { self.read(Call::Read, |rows| users.iter().map(|user| rows.marks_of(*user, conversation)).collect()) })
    }

    fn overviews<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Overview>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| conversations.iter().map(|conversation| rows.overview(user, *conversation)).collect())
        })
    }

    fn invitations(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Invitation)>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let of_group = rows.invitations.iter().filter(|((of, user), _)| *of == group && after.is_none_or(|after| *user > after));
                of_group.filter_map(|((_, user), (_, stands))| stands.map(|invitation| (*user, invitation))).take(limit).collect()
            })
        })
    }

    fn invitation(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Invitation>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.invitations.get(&(group, user)).and_then(|(_, stands)| *stands)) })
    }
}
