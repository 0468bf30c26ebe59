//! What became of messages, and what follows from users' own logs.

use super::store::{Call, MemoryStore};
use crate::bits::Bits;
use crate::content::Reaction;
use crate::entry::{Amendment, Notice, Preferences};
use crate::id::{Bucket, ConversationId, DirectNumber, Pair, Seq, UserId};
use crate::store::{Answer, HomeStore, MessageStore};

impl MessageStore for MemoryStore {
    fn amendments(&self, conversation: ConversationId, from: Seq, to: Seq, limit: usize) -> Answer<'_, Vec<(Seq, Amendment)>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let within = rows.amendments.iter().filter(|((of, seq), _)| *of == conversation && (from..=to).contains(seq));
                within.map(|((_, seq), (_, amendment))| (*seq, amendment.clone())).take(limit).collect()
            })
        })
    }

    fn reactions_of<'a>(&'a self, conversation: ConversationId, user: UserId, messages: &'a [Seq]) -> Answer<'a, Vec<Vec<Reaction>>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let of = |seq: &Seq| rows.reactions.get(&(conversation, *seq, user)).map(|(_, reactions)| reactions.clone());
                messages.iter().map(|seq| of(seq).unwrap_or_default()).collect()
            })
        })
    }

    fn reactions(
        &self,
        conversation: ConversationId,
        message: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<(UserId, Vec<Reaction>)>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let all = rows.reactions.iter().filter(|((of, seq, _), (_, reactions))| {
                    (*of, *seq) == (conversation, message) && !reactions.is_empty() // what was taken back is remembered
                });
                let by_user = all.map(|((_, _, user), (_, reactions))| (*user, reactions.clone()));
                by_user.filter(|(user, _)| after.is_none_or(|after| *user > after)).take(limit).collect()
            })
        })
    }

    fn gone(&self, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let within = rows.gone.iter().filter(|((of, span), _)| *of == conversation && (from..=to).contains(span));
                within.filter(|(_, (_, bits))| bits.count() > 0).map(|((_, span), (_, bits))| (*span, bits.clone())).collect()
            })
        })
    }

    fn direct_numbers<'a>(&'a self, pairs: &'a [Pair]) -> Answer<'a, Vec<Option<DirectNumber>>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| pairs.iter().map(|pair| rows.directs.get(pair).map(|(_, number)| *number)).collect())
        })
    }

    fn direct(&self, number: DirectNumber) -> Answer<'_, Option<Pair>> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.pairs.get(&number).copied()) })
    }
}

impl HomeStore for MemoryStore {
    fn preferences<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Preferences>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let of = |conversation: &ConversationId| rows.preferences.get(&(user, *conversation)).map(|(_, row)| *row);
                conversations.iter().map(|conversation| of(conversation).unwrap_or_default()).collect()
            })
        })
    }

    fn hidden(&self, user: UserId, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let of = |(who, at, bucket): &(UserId, ConversationId, Bucket)| {
                    (*who, *at) == (user, conversation) && (from..=to).contains(bucket)
                };
                let within = rows.hidden.iter().filter(|(key, (_, bits))| of(key) && bits.count() > 0);
                within.map(|((_, _, bucket), (_, bits))| (*bucket, bits.clone())).collect()
            })
        })
    }

    fn notices(&self, user: UserId, before: Option<Seq>, limit: usize) -> Answer<'_, Vec<(Seq, Notice)>> {
        Box::pin(async move {
            self.read(Call::Read, |rows| {
                let newest_first = rows.notices.iter().rev().filter(|((of, _), _)| *of == user);
                let standing = newest_first.filter_map(|((_, seq), (_, notice))| notice.map(|notice| (*seq, notice)));
                standing.filter(|(seq, _)| before.is_none_or(|before| *seq < before)).take(limit).collect()
            })
        })
    }

    fn notices_read(&self, user: UserId) -> Answer<'_, Seq> {
        Box::pin(async move { self.read(Call::Read, |rows| rows.notices_read.get(&user).map(|(_, up_to)| *up_to).unwrap_or_default()) })
    }
}
