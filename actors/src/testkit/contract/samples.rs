//! Values for the contract, and the few steps that every sentence takes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use crate::account::{Account, Audience, DisplayName, Email, Login, PasswordHash, Picture, Privacy, RefreshHash, Standing, Username};
use crate::content::{AboutText, ClientKey, Content, Forwarded, GroupName, Opaque, Reaction};
use crate::entry::{Act, Batch, Digest, Entry, Erased, GroupChange, Head, Notice, Projection, Role, Row, Setting};
use crate::id::{
    BUCKET_SEQS, BatchId, ConversationId, Door, Epoch, GroupId, Incarnation, LogId, LoginId, MessageId, Pair, Pos, Segment, Seq, UserId,
};
use crate::media::{Attachment, MediaId, MediaKind};
use crate::store::{Answer, Mark, Marks, Store};
use crate::time::Timestamp;

/// The user with this number.
pub fn user(number: u64) -> UserId {
    UserId::new(number).expect("a valid number")
}

/// This seq.
pub fn seq(value: u64) -> Seq {
    Seq::new(value).expect("a valid number")
}

/// The group with this number.
pub fn group(number: u64) -> GroupId {
    GroupId::new(number).expect("a valid number")
}

/// A group's conversation.
pub fn of_group(number: u64) -> ConversationId {
    ConversationId::Group(group(number))
}

/// The direct conversation of two users.
pub fn direct(one: u64, other: u64) -> ConversationId {
    ConversationId::Direct(Pair::new(user(one), user(other)).expect("two users"))
}

/// A message of this text alone.
pub fn message(text: &str) -> Act {
    Act::Message(Content { text: text.into(), ..Content::default() })
}

/// One of each act, with every field in use at least once and left out at least once.
pub fn every_act() -> Vec<Act> {
    vec![
        message("hé, 你好 🙂"),
        Act::Message(Content {
            text: "".into(),
            data: Some(Opaque(Bytes::from_static(&[0x81, 0xa1, 0x6b, 0xc4, 0x02, 0x00, 0xff]))),
            reply_to: Some(seq(1)),
            mentions: vec![user(9), user(crate::id::NUMBER_MAX)],
            attachments: vec![attachment(), Attachment { pixels: None, expires_at: None, kind: MediaKind::Other, ..attachment() }],
            forwarded: Some(Forwarded { author: user(4), id: MessageId::new(crate::id::NUMBER_MAX).expect("valid") }),
            door: Door(5),
        }),
        Act::Message(Content { text: "x".repeat(32_768).into(), ..Content::default() }),
        Act::Created { name: GroupName::new("the “first”").expect("a name"), members: vec![user(3), user(2)], open: true },
        Act::Created { name: GroupName::new("alone").expect("a name"), members: vec![], open: false },
        Act::Joined { members: vec![user(5)] },
        Act::Left { member: user(5) },
        Act::Appeared { conversation: direct(7, 9) },
        Act::Appeared { conversation: of_group(12) },
        Act::Vanished { conversation: of_group(crate::id::NUMBER_MAX) },
        Act::Vanished { conversation: direct(1, crate::id::NUMBER_MAX) },
        Act::Edited { target: seq(2), content: Content { text: "better".into(), mentions: vec![user(2)], ..Content::default() } },
        Act::Deleted { target: seq(2) },
        Act::Erased(Erased { message: true, digest: Digest(0, u64::MAX) }),
        Act::Erased(Erased { message: false, digest: Digest(1, 2) }),
        Act::Reacted { target: seq(1), reaction: reaction("👍🏽"), on: true },
        Act::Reacted { target: seq(1), reaction: reaction("+1"), on: false },
        Act::Changed(GroupChange::default()),
        Act::Changed(GroupChange {
            name: Some(GroupName::new("the second").expect("a name")),
            about: Some(AboutText::new("").expect("a text")),
            picture: Some(None),
            open: Some(false),
        }),
        Act::Changed(GroupChange { picture: Some(Some(picture())), ..GroupChange::default() }),
        Act::RoleSet { member: user(3), role: Role::Admin },
        Act::HandedOver { to: user(3) },
        Act::Invited { users: vec![user(8), user(9)], expires_at: Timestamp(1_800_000_000_000_000) },
        Act::Declined { user: user(8) },
        Act::Set { conversation: direct(1, 2), setting: Setting::Mute(Some(Timestamp(5))) },
        Act::Set { conversation: of_group(2), setting: Setting::Mute(None) },
        Act::Set { conversation: of_group(2), setting: Setting::Archive(true) },
        Act::Set { conversation: of_group(2), setting: Setting::Clear(seq(9), Pos(7)) },
        Act::Set { conversation: of_group(2), setting: Setting::Hide(seq(9)) },
        Act::Noticed(Notice::FriendRequest { from: user(2) }),
        Act::Noticed(invited()),
        Act::Withdrawn { notice: seq(3) },
        Act::NoticesRead { up_to: seq(4) },
        Act::Related { peer: user(2) },
        Act::AccountChanged,
    ]
}

/// A file in a message, with every field in use.
pub fn attachment() -> Attachment {
    Attachment {
        id: MediaId(u128::MAX - 1),
        name: "a “photo”.png".into(),
        kind: MediaKind::Png,
        bytes: 1 << 40,
        pixels: Some((1, u32::MAX)),
        uploaded_at: Timestamp(-3),
        expires_at: Some(Timestamp(i64::MAX)),
    }
}

/// A picture.
pub fn picture() -> Picture {
    Picture { id: MediaId(7), kind: MediaKind::Webp }
}

/// A reaction.
pub fn reaction(text: &str) -> Reaction {
    Reaction::new(text).expect("a short reaction")
}

/// A notice with every field in use.
pub fn invited() -> Notice {
    Notice::GroupInvitation { from: user(2), group: group(9), expires_at: Timestamp(1_800_000_000_000_000) }
}

/// The batch that goes on from a head with these acts, in the owner's epoch.
pub fn batch(head: Head, epoch: Epoch, id: u128, acts: Vec<Act>) -> Batch {
    let mut after = Head { epoch, last_batch: BatchId(id), ..head };
    if head.is_new() {
        after.incarnation = Incarnation(77);
    }
    if head.tail.offset_of_next() == 0 {
        after.segment = Segment(head.segment.0 + 1);
    }
    let mut entries = Vec::new();
    for act in acts {
        after.tail = after.tail.next();
        after.last_at = Timestamp(1_767_225_600_000_000).after(after.last_at);
        if act.is_message() {
            after.count = Pos(after.count.0 + 1);
        } else {
            after.last_change = after.tail;
        }
        entries.push(Arc::new(Entry {
            seq: after.tail,
            pos: after.count,
            id: MessageId::at(after.segment, after.tail),
            author: user(1 + after.tail.get() % 3),
            client_key: ClientKey::new(&format!("key {}", after.tail.get())).expect("a short key"),
            at: after.last_at,
            act,
        }));
    }
    Batch { id: BatchId(id), base: head.tail, epoch, after, entries, projections: Vec::new() }
}

/// A batch of as many messages as asked for, with these projections.
pub fn batch_with(head: Head, epoch: Epoch, id: u128, messages: u64, projections: Vec<(u64, Row)>) -> Batch {
    let acts = (0..messages).map(|n| message(&format!("message {n}"))).collect();
    let projections = projections.into_iter().map(|(version, row)| Projection { version: seq(version), row }).collect();
    Batch { projections, ..batch(head, epoch, id, acts) }
}

/// The log's head.
pub async fn head(store: &dyn Store, log: LogId) -> Head {
    store.head(log).await.expect("a head")
}

/// A claim of the log as it stands.
pub async fn claim(store: &dyn Store, log: LogId) -> Epoch {
    store.claim(log, head(store, log).await).await.expect("nobody else claims")
}

/// Claims the log as it stands and appends these messages and projections to it.
pub async fn write(store: &dyn Store, log: LogId, id: u128, messages: u64, projections: Vec<(u64, Row)>) -> Arc<Batch> {
    let epoch = claim(store, log).await;
    let batch = Arc::new(batch_with(head(store, log).await, epoch, id, messages, projections));
    store.append(log, Arc::clone(&batch)).await.expect("the tail is ours");
    batch
}

/// Fills a log up to this tail, in batches that keep within buckets.
pub async fn fill(store: &dyn Store, log: LogId, tail: u64) -> Vec<Entry> {
    let epoch = claim(store, log).await;
    let (mut stands, mut entries) = (head(store, log).await, Vec::new());
    while stands.tail.get() < tail {
        let room = BUCKET_SEQS - stands.tail.offset_of_next();
        let count = room.min(500).min(tail - stands.tail.get());
        let batch = Arc::new(batch_with(stands, epoch, u128::from(stands.tail.get()) + 1, count, Vec::new()));
        store.append(log, Arc::clone(&batch)).await.expect("the tail is ours");
        entries.extend(batch.entries.iter().map(|entry| Entry::clone(entry)));
        stands = batch.after;
    }
    entries
}

/// Everything in a log.
pub async fn whole(store: &dyn Store, log: LogId) -> Vec<Entry> {
    store.range(log, Seq::ZERO, seq(crate::id::NUMBER_MAX), usize::MAX, false).await.expect("a range")
}

/// All answers at once, in the order asked for.
pub async fn together<T, E>(answers: Vec<Answer<'_, T, E>>) -> Vec<Result<T, E>> {
    let mut answers: Vec<_> = answers.into_iter().map(|answer| (answer, None)).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (answer, result) in &mut answers {
            if result.is_none() {
                match answer.as_mut().poll(context) {
                    Poll::Ready(ready) => *result = Some(ready),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    answers.into_iter().map(|(_, result)| result.expect("all are ready")).collect()
}

/// Marks at these seqs, each read or delivered at a moment of its own.
pub fn marks(delivered: u64, read: u64) -> Marks {
    let mark = |value: u64, late: i64| match value {
        0 => Mark::default(),
        _ => Mark { seq: seq(value), pos: Pos(value), at: Timestamp(i64::try_from(value).expect("small") * 1_000 + late) },
    };
    Marks { delivered: mark(delivered, 0), read: mark(read, 1), badge: Pos(read) }
}

/// An account.
pub fn account(number: u64, username: &str, email: &str) -> Account {
    Account {
        id: user(number),
        username: Username::new(username).expect("a username"),
        email: Email::new(email).expect("an address"),
        name: DisplayName::new("Ann B. 🙂").expect("a name"),
        first_name: DisplayName::new("Ann").expect("a name"),
        last_name: DisplayName::new("Bell").expect("a name"),
        about: AboutText::new("Whatever it is,\nI like it").expect("a text"),
        picture: Some(picture()),
        privacy: Privacy { presence: Audience::Friends, receipts: false, searchable: true, groups: Audience::Nobody },
        password: Some(PasswordHash("$argon2id$v=19$m=1$a$b".into())),
        standing: Standing::Active,
        staff: true,
        erasing: false,
        created_at: Timestamp(1_767_225_600_000_001),
        updated_at: Timestamp(1_767_225_600_000_002),
    }
}

/// A login with every field in use.
pub fn login(number: u128) -> Login {
    Login {
        id: LoginId(number),
        user: user(4),
        refresh: RefreshHash([7; 32]),
        replaced: Some((RefreshHash([8; 32]), Timestamp(-5))),
        created_at: Timestamp(1),
        expires_at: Timestamp(i64::MAX),
        ended_at: Some(Timestamp(3)),
        used_at: Timestamp(2),
        device: "Ann’s phone".into(),
        door: Door(3),
    }
}
