//! The archive of the store in memory: a snapshot is a copy.

use std::vec::IntoIter;

use super::rows::Rows;
use super::store::MemoryStore;
use crate::archive::{Archive, Record, Snapshot};
use crate::store::{Answer, StoreError};

impl Rows {
    /// Everything, in the canonical order. A claim alone makes no record: a log that nobody wrote to has none.
    fn records(&self) -> Vec<Record> {
        let mut all = Vec::new();
        all.extend(self.sequences.iter().map(|(sequence, last)| Record::Sequence { sequence: *sequence, last: *last }));
        all.extend(self.accounts.values().cloned().map(Record::Account));
        all.extend(self.logins.values().cloned().map(Record::Login));
        all.extend(self.segments.iter().map(|(segment, (log, bucket))| Record::Segment { segment: *segment, log: *log, bucket: *bucket }));
        for (log, stored) in self.logs.iter().filter(|(_, stored)| !stored.head.is_new()) {
            all.push(Record::Head { log: *log, head: stored.head });
            all.extend(stored.entries.values().map(|entry| Record::Entry { log: *log, entry: Box::new(entry.clone()) }));
        }
        all.extend(self.groups.iter().map(|(group, (version, row))| Record::Group { group: *group, version: *version, row: row.clone() }));
        all.extend(self.members.iter().map(|((group, user), (version, place))| Record::Member {
            group: *group,
            user: *user,
            version: *version,
            place: *place,
        }));
        all.extend(self.own.iter().map(|((user, conversation), (version, pos))| Record::Own {
            user: *user,
            conversation: *conversation,
            version: *version,
            pos: *pos,
        }));
        all.extend(self.listed.iter().map(|((user, conversation), (version, listed))| Record::Listed {
            user: *user,
            conversation: *conversation,
            version: *version,
            listed: *listed,
        }));
        all.extend(self.marks.iter().map(|((user, conversation), marks)| Record::Marks {
            user: *user,
            conversation: *conversation,
            marks: *marks,
        }));
        self.of_messages(&mut all);
        self.of_homes(&mut all);
        all.extend(self.bonds.values().cloned().map(Record::Bond));
        all.extend(self.seen.iter().map(|(user, seen)| Record::Seen { user: *user, seen: *seen }));
        all.extend(self.media.values().cloned().map(Record::Media));
        all
    }

    fn of_messages(&self, all: &mut Vec<Record>) {
        all.extend(self.directs.iter().map(|(pair, (version, number))| Record::Direct { pair: *pair, version: *version, number: *number }));
        all.extend(self.amendments.iter().map(|((conversation, seq), (version, amendment))| Record::Amendment {
            conversation: *conversation,
            seq: *seq,
            version: *version,
            amendment: Box::new(amendment.clone()),
        }));
        all.extend(self.reactions.iter().map(|((conversation, seq, user), (version, reactions))| Record::Reactions {
            conversation: *conversation,
            seq: *seq,
            user: *user,
            version: *version,
            reactions: reactions.clone(),
        }));
        all.extend(self.gone.iter().map(|((conversation, span), (version, bits))| Record::Gone {
            conversation: *conversation,
            span: *span,
            version: *version,
            bits: bits.clone(),
        }));
        all.extend(self.invitations.iter().map(|((group, user), (version, invitation))| Record::Invitation {
            group: *group,
            user: *user,
            version: *version,
            invitation: *invitation,
        }));
    }

    fn of_homes(&self, all: &mut Vec<Record>) {
        all.extend(self.preferences.iter().map(|((user, conversation), (version, preferences))| Record::Preferences {
            user: *user,
            conversation: *conversation,
            version: *version,
            preferences: *preferences,
        }));
        all.extend(self.hidden.iter().map(|((user, conversation, bucket), (version, bits))| Record::Hidden {
            user: *user,
            conversation: *conversation,
            bucket: *bucket,
            version: *version,
            bits: bits.clone(),
        }));
        all.extend(self.notices.iter().map(|((user, seq), (version, notice))| Record::Notice {
            user: *user,
            seq: *seq,
            version: *version,
            notice: *notice,
        }));
        all.extend(self.notices_read.iter().map(|(user, (version, up_to))| Record::NoticesRead {
            user: *user,
            version: *version,
            up_to: *up_to,
        }));
    }

    fn admit(&mut self, record: Record) -> Result<(), StoreError> {
        match record {
            Record::Sequence { sequence, last } => {
                let stands = self.sequences.entry(sequence).or_default();
                *stands = last.max(*stands);
            }
            Record::Account(account) => {
                let id = account.row.id;
                if let Err(field) = self.hold(account) {
                    return Err(StoreError::Corrupt(format!("the {field:?} of account {} is another's", id.get())));
                }
            }
            Record::Login(login) => drop(self.logins.insert(login.row.id, login)),
            Record::Segment { segment, log, bucket } => drop(self.segments.insert(segment, (log, bucket))),
            Record::Head { log, head } => self.logs.entry(log).or_default().head = head,
            Record::Entry { log, entry } => drop(self.logs.entry(log).or_default().entries.insert(entry.seq, *entry)),
            Record::Group { group, version, row } => drop(self.groups.insert(group, (version, row))),
            Record::Member { group, user, version, place } => drop(self.members.insert((group, user), (version, place))),
            Record::Own { user, conversation, version, pos } => drop(self.own.insert((user, conversation), (version, pos))),
            Record::Listed { user, conversation, version, listed } => {
                self.listed.insert((user, conversation), (version, listed));
            }
            Record::Marks { user, conversation, marks } => drop(self.marks.insert((user, conversation), marks)),
            Record::Direct { pair, version, number } => {
                self.directs.insert(pair, (version, number));
                self.pairs.insert(number, pair);
            }
            Record::Amendment { conversation, seq, version, amendment } => {
                self.amendments.insert((conversation, seq), (version, *amendment));
            }
            Record::Reactions { conversation, seq, user, version, reactions } => {
                self.reactions.insert((conversation, seq, user), (version, reactions));
            }
            Record::Gone { conversation, span, version, bits } => drop(self.gone.insert((conversation, span), (version, bits))),
            Record::Invitation { group, user, version, invitation } => {
                self.invitations.insert((group, user), (version, invitation));
            }
            Record::Preferences { user, conversation, version, preferences } => {
                self.preferences.insert((user, conversation), (version, preferences));
            }
            Record::Hidden { user, conversation, bucket, version, bits } => {
                self.hidden.insert((user, conversation, bucket), (version, bits));
            }
            Record::Notice { user, seq, version, notice } => drop(self.notices.insert((user, seq), (version, notice))),
            Record::NoticesRead { user, version, up_to } => drop(self.notices_read.insert(user, (version, up_to))),
            Record::Bond(bond) => drop(self.bonds.insert(bond.row.pair, bond)),
            Record::Seen { user, seen } => drop(self.seen.insert(user, seen)),
            Record::Media(media) => drop(self.media.insert(media.row.attachment.id, media)),
        }
        Ok(())
    }
}

impl Archive for MemoryStore {
    fn is_blank(&self) -> Answer<'_, bool> {
        Box::pin(async move { Ok(self.rows().records().is_empty()) })
    }

    fn snapshot(&self) -> Answer<'_, Box<dyn Snapshot>> {
        Box::pin(async move { Ok(Box::new(Copied(self.rows().records().into_iter())) as Box<dyn Snapshot>) })
    }

    fn admit(&self, records: Vec<Record>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut rows = self.rows();
            records.into_iter().try_for_each(|record| rows.admit(record))
        })
    }
}

/// What was there.
struct Copied(IntoIter<Record>);

impl Snapshot for Copied {
    fn next(&mut self, limit: usize) -> Answer<'_, Vec<Record>> {
        Box::pin(async move { Ok(self.0.by_ref().take(limit).collect()) })
    }
}
