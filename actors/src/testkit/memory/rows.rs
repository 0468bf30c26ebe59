//! What the store holds, and how a batch becomes rows. A projected row keeps its version, also when it says "nothing".

use std::collections::BTreeMap;

use crate::account::{Account, Login, Seen, Username};
use crate::bits::Bits;
use crate::content::Reaction;
use crate::entry::{Amendment, Batch, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences, Projection, Row};
use crate::id::{Bucket, ConversationId, DirectNumber, Epoch, GroupId, LogId, LoginId, Pair, Pos, Segment, Seq, UserId};
use crate::media::{Media, MediaId};
use crate::relation::Bond;
use crate::store::{AppendError, Marks, Sequence, Versioned};

#[derive(Default)]
pub(super) struct Rows {
    pub(super) logs: BTreeMap<LogId, Log>,
    pub(super) sequences: BTreeMap<Sequence, u64>,
    pub(super) segments: BTreeMap<Segment, (LogId, Bucket)>,
    pub(super) groups: BTreeMap<GroupId, (Seq, GroupRow)>,
    pub(super) members: BTreeMap<(GroupId, UserId), (Seq, Membership)>,
    pub(super) invitations: BTreeMap<(GroupId, UserId), (Seq, Option<Invitation>)>,
    pub(super) own: BTreeMap<(UserId, ConversationId), (Seq, Pos)>,
    pub(super) listed: BTreeMap<(UserId, ConversationId), (Seq, bool)>,
    pub(super) marks: BTreeMap<(UserId, ConversationId), Marks>,
    pub(super) directs: BTreeMap<Pair, (Seq, DirectNumber)>,
    pub(super) pairs: BTreeMap<DirectNumber, Pair>,
    pub(super) amendments: BTreeMap<(ConversationId, Seq), (Seq, Amendment)>,
    pub(super) reactions: BTreeMap<(ConversationId, Seq, UserId), (Seq, Vec<Reaction>)>,
    pub(super) gone: BTreeMap<(ConversationId, Bucket), (Seq, Bits)>,
    pub(super) preferences: BTreeMap<(UserId, ConversationId), (Seq, Preferences)>,
    pub(super) hidden: BTreeMap<(UserId, ConversationId, Bucket), (Seq, Bits)>,
    pub(super) notices: BTreeMap<(UserId, Seq), (Seq, Option<Notice>)>,
    pub(super) notices_read: BTreeMap<UserId, (Seq, Seq)>,
    pub(super) bonds: BTreeMap<Pair, Versioned<Bond>>,
    pub(super) accounts: BTreeMap<UserId, Versioned<Account>>,
    pub(super) usernames: BTreeMap<Username, UserId>,
    pub(super) emails: BTreeMap<String, UserId>,
    pub(super) logins: BTreeMap<LoginId, Versioned<Login>>,
    pub(super) seen: BTreeMap<UserId, Seen>,
    pub(super) media: BTreeMap<MediaId, Versioned<Media>>,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) head: Head,
    pub(super) entries: BTreeMap<Seq, Entry>,
}

impl Rows {
    pub(super) fn head(&self, log: LogId) -> Head {
        self.logs.get(&log).map(|log| log.head).unwrap_or_default()
    }

    pub(super) fn claim(&mut self, log: LogId, seen: Head) -> Result<Epoch, AppendError> {
        let head = &mut self.logs.entry(log).or_default().head;
        if (head.tail, head.epoch) != (seen.tail, seen.epoch) {
            return Err(AppendError::Stale { head: *head });
        }
        head.epoch = Epoch(head.epoch.0 + 1);
        Ok(head.epoch)
    }

    pub(super) fn append(&mut self, log: LogId, batch: &Batch) -> Result<(), AppendError> {
        let stored = self.logs.entry(log).or_default();
        if stored.head.last_batch == batch.id && stored.head.tail == batch.after.tail {
            return Ok(());
        }
        if stored.head.tail != batch.base || stored.head.epoch > batch.epoch {
            return Err(AppendError::Stale { head: stored.head });
        }
        self.overwrite(log, batch);
        Ok(())
    }

    pub(super) fn overwrite(&mut self, log: LogId, batch: &Batch) {
        let stored = self.logs.entry(log).or_default();
        stored.head = batch.after;
        stored.entries.extend(batch.entries.iter().map(|entry| (entry.seq, Entry::clone(entry))));
        for projection in &batch.projections {
            match log {
                LogId::Conversation(conversation) => self.project_on(conversation, projection),
                LogId::User(user) => self.project_of(user, projection),
            }
        }
    }

    fn project_on(&mut self, conversation: ConversationId, projection: &Projection) {
        let version = projection.version;
        match (&projection.row, conversation) {
            (Row::Group(row), ConversationId::Group(group)) => put(&mut self.groups, group, version, row.clone()),
            (Row::Member(user, place), ConversationId::Group(group)) => put(&mut self.members, (group, *user), version, *place),
            (Row::Invited(user, stands), ConversationId::Group(group)) => put(&mut self.invitations, (group, *user), version, *stands),
            (Row::Direct(number), ConversationId::Direct(pair)) => self.number(pair, version, *number),
            (Row::Own(user, pos), _) => put(&mut self.own, (*user, conversation), version, *pos),
            (Row::Amended(seq, amendment), _) => put(&mut self.amendments, (conversation, *seq), version, amendment.clone()),
            (Row::Reactions(seq, user, reactions), _) => {
                put(&mut self.reactions, (conversation, *seq, *user), version, reactions.clone());
            }
            (Row::Gone(span, bits), _) => put(&mut self.gone, (conversation, *span), version, bits.clone()),
            (Row::Erased(entry), _) => {
                self.logs.entry(conversation.into()).or_default().entries.insert(entry.seq, Entry::clone(entry));
            }
            (Row::Expired(file, at), _) => self.expire(*file, *at),
            (Row::Group(_) | Row::Member(..) | Row::Invited(..) | Row::Direct(_), _) => unreachable!("the batch is whole"),
            (Row::Listed(..) | Row::Preferences(..) | Row::Hidden(..) | Row::Notice(..) | Row::NoticesRead(_), _) => {
                unreachable!("the batch is whole")
            }
        }
    }

    fn project_of(&mut self, user: UserId, projection: &Projection) {
        let version = projection.version;
        match &projection.row {
            Row::Listed(conversation, listed) => put(&mut self.listed, (user, *conversation), version, *listed),
            Row::Preferences(conversation, preferences) => put(&mut self.preferences, (user, *conversation), version, *preferences),
            Row::Hidden(conversation, bucket, bits) => put(&mut self.hidden, (user, *conversation, *bucket), version, bits.clone()),
            Row::Notice(seq, notice) => put(&mut self.notices, (user, *seq), version, *notice),
            Row::NoticesRead(up_to) => put(&mut self.notices_read, user, version, *up_to),
            Row::Group(_) | Row::Member(..) | Row::Own(..) | Row::Direct(_) | Row::Amended(..) | Row::Reactions(..) => {
                unreachable!("the batch is whole")
            }
            Row::Gone(..) | Row::Erased(_) | Row::Expired(..) | Row::Invited(..) => unreachable!("the batch is whole"),
        }
    }

    /// A pair has one number and a number one pair, whatever comes.
    fn number(&mut self, pair: Pair, version: Seq, number: DirectNumber) {
        put(&mut self.directs, pair, version, number);
        self.pairs.retain(|_, named| *named != pair);
        self.pairs.extend(self.directs.get(&pair).map(|(_, number)| (*number, pair)));
    }
}

/// Writes a projected row unless a newer one stands there.
fn put<K: Ord, V>(rows: &mut BTreeMap<K, (Seq, V)>, key: K, version: Seq, row: V) {
    if rows.get(&key).is_none_or(|(stands, _)| *stands <= version) {
        rows.insert(key, (version, row));
    }
}
