//! The end of the story, after its node: what became of messages, what people want and are told, and what they are to
//! each other, written to the store entry by entry with the rows that a node writes with each.

use std::sync::Arc;

use super::contract::samples::{direct, of_group, reaction, seq, user};
use crate::account::Seen;
use crate::bits::Bits;
use crate::content::{ClientKey, Content};
use crate::entry::{
    Act, Amendment, Batch, Digest, Entry, Erased, GroupChange, Head, Invitation, Membership, Notice, Preferences, Projection, Role, Row,
    Setting,
};
use crate::id::{BatchId, Bucket, ConversationId, DirectNumber, Epoch, Incarnation, LogId, MessageId, Pair, Pos, Segment, UserId};
use crate::relation::{Bond, Relation, Side};
use crate::store::{Sequence, Store};
use crate::time::Timestamp;

/// Later than anything before it.
const THEN: Timestamp = Timestamp(1_767_312_000_000_000);

/// A log that is written on.
struct Pen<'a> {
    store: &'a dyn Store,
    log: LogId,
    head: Head,
    epoch: Epoch,
}

impl<'a> Pen<'a> {
    async fn on(store: &'a dyn Store, log: LogId) -> Self {
        let head = store.head(log).await.expect("readable");
        let epoch = store.claim(log, head).await.expect("nobody else claims");
        Self { store, log, head: Head { epoch, ..head }, epoch }
    }

    /// The next entry, with the rows that follow from it.
    async fn write(&mut self, author: UserId, act: Act, rows: Vec<Row>) -> Arc<Entry> {
        let seq = self.head.tail.next();
        let mut after = Head { tail: seq, epoch: self.epoch, last_batch: BatchId(u128::from(seq.get()) + 900), ..self.head };
        if self.head.tail.offset_of_next() == 0 {
            after.segment = Segment(self.store.draw(Sequence::Segments, 1).await.expect("drawn").first);
            self.store.bind_segment(after.segment, self.log, seq.bucket()).await.expect("bound");
        }
        if self.head.is_new() {
            after.incarnation = Incarnation(7);
        }
        after.last_at = Timestamp(THEN.0 + i64::try_from(seq.get()).expect("small"));
        if act.is_message() {
            after.count = Pos(self.head.count.0 + 1);
        } else {
            after.last_change = seq;
        }
        let client_key = ClientKey::new(&format!("end {}", seq.get())).expect("a short key");
        let id = MessageId::at(after.segment, seq);
        let entry = Arc::new(Entry { seq, pos: after.count, id, author, client_key, at: after.last_at, act });
        let projections = rows.into_iter().map(|row| Projection { version: seq, row }).collect();
        let entries = vec![Arc::clone(&entry)];
        let batch = Batch { id: after.last_batch, base: self.head.tail, epoch: self.epoch, after, entries, projections };
        self.store.append(self.log, Arc::new(batch)).await.expect("the tail is ours");
        self.head = after;
        entry
    }
}

fn text(text: &str) -> Content {
    Content { text: text.into(), ..Content::default() }
}

/// Tells it.
pub(super) async fn tell(store: &dyn Store) {
    between_two(store).await;
    in_a_group(store).await;
    at_home(store).await;
    let pair = Pair::new(user(1), user(2)).expect("two users");
    let relation = Relation { from: user(1), status_from: Side::Pending, status_to: Side::Accepted, created_at: THEN, updated_at: THEN };
    store.put_bond(Bond { relation: Some(relation), ..Bond::new(pair) }, 0).await.expect("strangers before");
    let others = Pair::new(user(2), user(4)).expect("two users");
    store.put_bond(Bond { high_blocks: Some(THEN), ..Bond::new(others) }, 0).await.expect("strangers before");
    store.touch(user(1), Seen { here: Some(THEN), login: None }).await.expect("touched");
}

/// Ann and Dan: one message edited and answered with a sign, one edited and deleted.
async fn between_two(store: &dyn Store) {
    let (ann, dan, conversation) = (user(1), user(4), direct(1, 4));
    for member in [ann, dan] {
        let mut own = Pen::on(store, member.into()).await;
        own.write(member, Act::Appeared { conversation }, vec![Row::Listed(conversation, true)]).await;
    }
    let number = store.draw(Sequence::Directs, 16).await.expect("drawn").first;
    let mut chat = Pen::on(store, conversation.into()).await;
    let rows = vec![Row::Own(ann, Pos(1)), Row::Direct(DirectNumber::new(number).expect("valid"))];
    chat.write(ann, Act::Message(text("a word")), rows).await;
    let other = chat.write(dan, Act::Message(text("what nobody will read")), vec![Row::Own(dan, Pos(2))]).await;
    let content = text("a better word");
    let edit = Act::Edited { target: seq(1), content: content.clone() };
    let at = Timestamp(THEN.0 + 3);
    let mut amendment = Amendment { edited: Some((content, at)), edits: vec![seq(3)], ..Amendment::default() };
    chat.write(ann, edit, vec![Row::Amended(seq(1), amendment.clone())]).await;
    let thumb = reaction("👍🏽");
    amendment.reactions = vec![(thumb.clone(), 1)];
    let rows = vec![Row::Amended(seq(1), amendment), Row::Reactions(seq(1), dan, vec![thumb.clone()])];
    chat.write(dan, Act::Reacted { target: seq(1), reaction: thumb, on: true }, rows).await;
    let content = text("nor this");
    let edit = Act::Edited { target: seq(2), content: content.clone() };
    let row = Amendment { edited: Some((content, Timestamp(THEN.0 + 5))), edits: vec![seq(5)], ..Amendment::default() };
    let edited = chat.write(dan, edit, vec![Row::Amended(seq(2), row)]).await;
    let deleted = Amendment { edits: vec![seq(5)], deleted: Some((dan, Timestamp(THEN.0 + 6))), ..Amendment::default() };
    let rows = vec![
        Row::Amended(seq(2), deleted),
        Row::Gone(Bucket(0), Bits::default().with(1)),
        Row::Erased(erased(&other)),
        Row::Erased(erased(&edited)),
    ];
    chat.write(dan, Act::Deleted { target: seq(2) }, rows).await;
}

fn erased(entry: &Entry) -> Arc<Entry> {
    let act = Act::Erased(Erased { message: entry.act.is_message(), digest: Digest::of(&entry.act) });
    Arc::new(Entry { act, ..entry.clone() })
}

/// The group opens, Ben becomes an admin, Cid is asked back twice and declines once.
async fn in_a_group(store: &dyn Store) {
    let (ann, ben, cid, conversation) = (user(1), user(2), user(3), of_group(65));
    let ConversationId::Group(group) = conversation else { unreachable!("a group") };
    let mut chat = Pen::on(store, conversation.into()).await;
    let mut row = store.group(group).await.expect("readable").expect("it was created");
    (row.open, row.updated_at) = (true, Timestamp(THEN.0 + i64::try_from(chat.head.tail.next().get()).expect("small")));
    let change = GroupChange { open: Some(true), ..GroupChange::default() };
    chat.write(ann, Act::Changed(change), vec![Row::Group(row)]).await;
    let place = store.membership(group, ben).await.expect("readable").expect("a member");
    let rows = vec![Row::Member(ben, Membership { role: Role::Admin, ..place })];
    chat.write(ann, Act::RoleSet { member: ben, role: Role::Admin }, rows).await;
    let expires_at = Timestamp(THEN.0 * 2);
    let invited = |by| Row::Invited(cid, Some(Invitation { by, expires_at }));
    chat.write(ann, Act::Invited { users: vec![cid], expires_at }, vec![invited(ann)]).await;
    chat.write(cid, Act::Declined { user: cid }, vec![Row::Invited(cid, None)]).await;
    chat.write(ben, Act::Invited { users: vec![cid], expires_at }, vec![invited(ben)]).await;
}

/// What Ann wants, and what Cid is told.
async fn at_home(store: &dyn Store) {
    let (ann, cid, conversation) = (user(1), user(3), direct(1, 4));
    let mut own = Pen::on(store, ann.into()).await;
    let mut preferences = Preferences { muted_until: Some(Timestamp(THEN.0 * 2)), ..Preferences::default() };
    let set = |setting| Act::Set { conversation, setting };
    own.write(ann, set(Setting::Mute(preferences.muted_until)), vec![Row::Preferences(conversation, preferences)]).await;
    preferences.archived = true;
    own.write(ann, set(Setting::Archive(true)), vec![Row::Preferences(conversation, preferences)]).await;
    let hidden = Row::Hidden(conversation, Bucket(0), Bits::default().with(0));
    own.write(ann, set(Setting::Hide(seq(1))), vec![hidden]).await;
    own.write(ann, Act::Related { peer: user(2) }, vec![]).await;
    own.write(ann, Act::AccountChanged, vec![]).await;

    let mut own = Pen::on(store, cid.into()).await;
    let asked = Notice::FriendRequest { from: user(4) };
    let first = own.head.tail.next();
    own.write(cid, Act::Noticed(asked), vec![Row::Notice(first, Some(asked))]).await;
    let ConversationId::Group(group) = of_group(65) else { unreachable!("a group") };
    let invited = Notice::GroupInvitation { from: user(2), group, expires_at: Timestamp(THEN.0 * 2) };
    let second = own.head.tail.next();
    own.write(cid, Act::Noticed(invited), vec![Row::Notice(second, Some(invited))]).await;
    own.write(cid, Act::Withdrawn { notice: first }, vec![Row::Notice(first, None)]).await;
    own.write(cid, Act::NoticesRead { up_to: second }, vec![Row::NoticesRead(second)]).await;
}
