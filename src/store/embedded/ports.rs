//! The ports of the embedded store, each a line: what is asked for goes to the writer, or to a file of reads.

use std::sync::Arc;

use actors::account::{Account, Login, Seen};
use actors::bits::Bits;
use actors::content::Reaction;
use actors::entry::{Amendment, Batch, Entry, GroupRow, Head, Invitation, Membership, Notice, Preferences};
use actors::id::{Bucket, ConversationId, DirectNumber, Epoch, GroupId, LogId, LoginId, Pair, Segment, Seq, UserId};
use actors::media::{Media, MediaId};
use actors::relation::Bond;
use actors::store::{
    AccountKey, AccountStore, Answer, AppendError, Block, HomeStore, LogStore, Marks, MediaStore, MemberStore, MessageStore, Overview,
    PutError, RelationStore, Sequence, StoreError, Versioned,
};
use actors::time::Timestamp;

use super::calls::Call;
use super::group::{Append, Request};
use super::reads::{self, Page};
use super::{EmbeddedStore, lookups, messages, overview};

/// Rows that one conversation of a list takes, about.
const OVERVIEW_ROWS: usize = 12;

impl LogStore for EmbeddedStore {
    fn head(&self, log: LogId) -> Answer<'_, Head> {
        self.count(Call::Head);
        Box::pin(async move { reads::head(&self.shared, log) })
    }

    fn heads<'a>(&'a self, logs: &'a [LogId]) -> Answer<'a, Vec<Head>> {
        self.count(Call::Heads);
        let logs = logs.to_vec();
        Box::pin(self.read(logs.len(), move |shared| reads::heads(shared, &logs)))
    }

    fn claim(&self, log: LogId, seen: Head) -> Answer<'_, Epoch, AppendError> {
        self.count(Call::Claim);
        Box::pin(async move {
            let head = reads::head(&self.shared, log).map_err(|error| match error {
                StoreError::Corrupt(what) => AppendError::Corrupt(what),
                StoreError::Unavailable(why) | StoreError::Unknown(why) => AppendError::Unknown(why),
            })?;
            if (head.tail, head.epoch) != (seen.tail, seen.epoch) {
                return Err(AppendError::Stale { head });
            }
            Ok(self.start().max(head.epoch))
        })
    }

    fn append(&self, log: LogId, batch: Arc<Batch>) -> Answer<'_, (), AppendError> {
        self.count(Call::Append);
        Box::pin(async move {
            let append = Box::new(Append::new(log, &batch));
            drop(batch);
            self.ask(|answer| Request::Append(append, answer)).await?
        })
    }

    fn range(&self, log: LogId, from: Seq, to: Seq, limit: usize, newest_first: bool) -> Answer<'_, Vec<Entry>> {
        self.count(Call::Range);
        Box::pin(self.read(limit, move |shared| reads::range(shared, log, Page { from, to, limit, newest_first })))
    }

    fn draw(&self, sequence: Sequence, count: u64) -> Answer<'_, Block> {
        self.count(Call::Draw);
        Box::pin(async move { self.ask(|answer| Request::Draw(sequence, count, answer)).await? })
    }

    fn bind_segment(&self, segment: Segment, log: LogId, bucket: Bucket) -> Answer<'_, ()> {
        self.count(Call::BindSegment);
        Box::pin(async move { self.ask(|answer| Request::Bind(segment, (log, bucket), answer)).await? })
    }

    fn bucket_of(&self, segment: Segment) -> Answer<'_, Option<(LogId, Bucket)>> {
        self.count(Call::BucketOf);
        Box::pin(async move { reads::bucket_of(&self.shared, segment) })
    }
}

impl MemberStore for EmbeddedStore {
    fn group(&self, group: GroupId) -> Answer<'_, Option<GroupRow>> {
        self.count(Call::Group);
        Box::pin(async move { reads::group(&self.shared, group) })
    }

    fn membership(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Membership>> {
        self.count(Call::Membership);
        Box::pin(async move { reads::membership(&self.shared, group, user) })
    }

    fn members(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Membership)>> {
        self.count(Call::Members);
        Box::pin(self.read(limit, move |shared| reads::members(shared, group, after, limit)))
    }

    fn listed(&self, user: UserId, after: Option<ConversationId>, limit: usize) -> Answer<'_, Vec<ConversationId>> {
        self.count(Call::Listed);
        Box::pin(self.read(usize::MAX, move |shared| reads::listed(shared, user, after, limit)))
    }

    fn marks<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Marks>> {
        self.count(Call::Marks);
        let conversations = conversations.to_vec();
        Box::pin(self.read(conversations.len(), move |shared| reads::marks(shared, user, &conversations)))
    }

    fn raise(&self, conversation: ConversationId, marks: Vec<(UserId, Marks)>) -> Answer<'_, Vec<Marks>> {
        self.count(Call::Raise);
        Box::pin(async move { self.ask(|answer| Request::Raise(conversation, marks, answer)).await? })
    }

    fn marks_of<'a>(&'a self, conversation: ConversationId, users: &'a [UserId]) -> Answer<'a, Vec<Marks>> {
        self.count(Call::MarksOf);
        let users = users.to_vec();
        Box::pin(self.read(users.len(), move |shared| reads::marks_of(shared, conversation, &users)))
    }

    fn overviews<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Overview>> {
        self.count(Call::Overviews);
        let conversations = conversations.to_vec();
        let rows = conversations.len() * OVERVIEW_ROWS;
        Box::pin(self.read(rows, move |shared| overview::overviews(shared, user, &conversations)))
    }

    fn invitations(&self, group: GroupId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<(UserId, Invitation)>> {
        self.count(Call::Invitations);
        Box::pin(self.read(usize::MAX, move |shared| messages::invitations(shared, group, after, limit)))
    }

    fn invitation(&self, group: GroupId, user: UserId) -> Answer<'_, Option<Invitation>> {
        self.count(Call::Invitation);
        Box::pin(async move { messages::invitation(&self.shared, group, user) })
    }
}

impl AccountStore for EmbeddedStore {
    fn account(&self, key: AccountKey) -> Answer<'_, Option<Versioned<Account>>> {
        self.count(Call::Account);
        Box::pin(async move { lookups::account(&self.shared, &key) })
    }

    fn accounts<'a>(&'a self, ids: &'a [UserId]) -> Answer<'a, Vec<Option<Account>>> {
        self.count(Call::Accounts);
        let ids = ids.to_vec();
        Box::pin(self.read(ids.len(), move |shared| lookups::accounts(shared, &ids)))
    }

    fn put_account(&self, account: Account, version: u64) -> Answer<'_, (), PutError> {
        self.count(Call::PutAccount);
        Box::pin(async move { self.ask(|answer| Request::PutAccount(Box::new(account), version, answer)).await? })
    }

    fn erasing(&self, limit: usize) -> Answer<'_, Vec<UserId>> {
        self.count(Call::Erasing);
        Box::pin(self.read(usize::MAX, move |shared| lookups::erasing(shared, limit)))
    }

    fn login(&self, id: LoginId) -> Answer<'_, Option<Versioned<Login>>> {
        self.count(Call::Login);
        Box::pin(async move { lookups::login(&self.shared, id) })
    }

    fn put_login(&self, login: Login, version: u64) -> Answer<'_, (), PutError> {
        self.count(Call::PutLogin);
        Box::pin(async move { self.ask(|answer| Request::PutLogin(Box::new(login), version, answer)).await? })
    }

    fn logins(&self, user: UserId, now: Timestamp, limit: usize) -> Answer<'_, Vec<Versioned<Login>>> {
        self.count(Call::Logins);
        Box::pin(self.read(usize::MAX, move |shared| lookups::logins(shared, user, now, limit)))
    }

    fn search<'a>(&'a self, prefix: &'a str, limit: usize) -> Answer<'a, Vec<UserId>> {
        self.count(Call::Search);
        let prefix = prefix.to_owned();
        Box::pin(self.read(usize::MAX, move |shared| lookups::search(shared, &prefix, limit)))
    }

    fn seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<Seen>> {
        self.count(Call::Seen);
        let users = users.to_vec();
        Box::pin(self.read(users.len(), move |shared| lookups::seen(shared, &users)))
    }

    fn touch(&self, user: UserId, seen: Seen) -> Answer<'_, ()> {
        self.count(Call::Touch);
        Box::pin(async move { self.ask(|answer| Request::Touch(user, seen, answer)).await? })
    }
}

impl MessageStore for EmbeddedStore {
    fn amendments(&self, conversation: ConversationId, from: Seq, to: Seq, limit: usize) -> Answer<'_, Vec<(Seq, Amendment)>> {
        self.count(Call::Amendments);
        Box::pin(self.read(limit, move |shared| messages::amendments(shared, conversation, (from, to), limit)))
    }

    fn reactions_of<'a>(&'a self, conversation: ConversationId, user: UserId, messages: &'a [Seq]) -> Answer<'a, Vec<Vec<Reaction>>> {
        self.count(Call::ReactionsOf);
        let seqs = messages.to_vec();
        Box::pin(self.read(seqs.len(), move |shared| messages::reactions_of(shared, conversation, user, &seqs)))
    }

    fn reactions(
        &self,
        conversation: ConversationId,
        message: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<(UserId, Vec<Reaction>)>> {
        self.count(Call::Reactions);
        Box::pin(self.read(usize::MAX, move |shared| messages::reactions(shared, conversation, message, after, limit)))
    }

    fn gone(&self, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        self.count(Call::Gone);
        Box::pin(
            self.read(spans(from, to), move |shared| {
                messages::gone(shared, &shared.folder.database().snapshot(), conversation, (from, to))
            }),
        )
    }

    fn direct_numbers<'a>(&'a self, pairs: &'a [Pair]) -> Answer<'a, Vec<Option<DirectNumber>>> {
        self.count(Call::DirectNumbers);
        let pairs = pairs.to_vec();
        Box::pin(self.read(pairs.len(), move |shared| messages::direct_numbers(shared, &pairs)))
    }

    fn direct(&self, number: DirectNumber) -> Answer<'_, Option<Pair>> {
        self.count(Call::Direct);
        Box::pin(async move { messages::direct(&self.shared, number) })
    }
}

impl HomeStore for EmbeddedStore {
    fn preferences<'a>(&'a self, user: UserId, conversations: &'a [ConversationId]) -> Answer<'a, Vec<Preferences>> {
        self.count(Call::Preferences);
        let conversations = conversations.to_vec();
        Box::pin(self.read(conversations.len(), move |shared| messages::preferences(shared, user, &conversations)))
    }

    fn hidden(&self, user: UserId, conversation: ConversationId, from: Bucket, to: Bucket) -> Answer<'_, Vec<(Bucket, Bits)>> {
        self.count(Call::Hidden);
        Box::pin(self.read(spans(from, to), move |shared| messages::hidden(shared, user, conversation, (from, to))))
    }

    fn notices(&self, user: UserId, before: Option<Seq>, limit: usize) -> Answer<'_, Vec<(Seq, Notice)>> {
        self.count(Call::Notices);
        Box::pin(self.read(usize::MAX, move |shared| messages::notices(shared, user, before, limit)))
    }

    fn notices_read(&self, user: UserId) -> Answer<'_, Seq> {
        self.count(Call::NoticesRead);
        Box::pin(async move { messages::notices_read(&self.shared, user) })
    }
}

impl RelationStore for EmbeddedStore {
    fn bond(&self, pair: Pair) -> Answer<'_, Versioned<Bond>> {
        self.count(Call::Bond);
        Box::pin(async move { lookups::bond(&self.shared, pair) })
    }

    fn put_bond(&self, bond: Bond, version: u64) -> Answer<'_, (), PutError> {
        self.count(Call::PutBond);
        Box::pin(async move { self.ask(|answer| Request::PutBond(bond, version, answer)).await? })
    }

    fn bonds(&self, user: UserId, after: Option<UserId>, limit: usize) -> Answer<'_, Vec<Bond>> {
        self.count(Call::Bonds);
        Box::pin(self.read(limit, move |shared| lookups::bonds(shared, user, after, limit)))
    }

    fn bonds_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<Bond>> {
        self.count(Call::BondsWith);
        let pair = |other: &UserId| Pair::new(user, *other).expect("nobody has a bond with himself");
        let pairs: Vec<_> = others.iter().map(pair).collect();
        Box::pin(self.read(pairs.len(), move |shared| lookups::bonds_with(shared, &pairs)))
    }
}

/// How many rows there may be between two spans.
fn spans(from: Bucket, to: Bucket) -> usize {
    usize::try_from(to.0.saturating_sub(from.0).saturating_add(1)).unwrap_or(usize::MAX)
}

impl MediaStore for EmbeddedStore {
    fn media(&self, id: MediaId) -> Answer<'_, Option<Versioned<Media>>> {
        self.count(Call::Media);
        Box::pin(async move { reads::media(&self.shared, id) })
    }

    fn put_media(&self, media: Media, version: u64) -> Answer<'_, (), PutError> {
        self.count(Call::PutMedia);
        Box::pin(async move { self.ask(|answer| Request::PutMedia(Box::new(media), version, answer)).await? })
    }

    fn media_used(&self, user: UserId) -> Answer<'_, u64> {
        self.count(Call::MediaUsed);
        Box::pin(async move { reads::media_used(&self.shared, user) })
    }

    fn media_of(&self, owner: UserId, after: Option<MediaId>, limit: usize) -> Answer<'_, Vec<MediaId>> {
        Box::pin(self.read(limit, move |shared| reads::media_of(shared, owner, after, limit)))
    }

    fn media_due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<MediaId>> {
        self.count(Call::MediaDue);
        Box::pin(self.read(limit, move |shared| reads::media_due(shared, now, limit)))
    }
}
