//! The contract of [`MemberStore`](crate::store::MemberStore), and of the projections that it reads.

use super::Sentence;
use super::samples::{account, direct, fill, group, marks, of_group, related, seq, together, user, write};
use crate::bits::Bits;
use crate::content::{AboutText, GroupName};
use crate::entry::{Amendment, Entry, GroupRow, Membership, Preferences, Role, Row};
use crate::id::{BUCKET_SEQS, Bucket, ConversationId, DirectNumber, LogId, Pair, Pos};
use crate::relation::Bond;
use crate::store::{Marks, Overview, Store};
use crate::time::Timestamp;

/// The sentences on groups, members, lists and marks.
pub const SENTENCES: &[Sentence] = &[
    ("a group that was never created is not there", |store| Box::pin(a_group_that_was_never_created_is_not_there(store))),
    ("projections stand with their entry", |store| Box::pin(projections_stand_with_their_entry(store))),
    ("an older projection never replaces a newer one", |store| Box::pin(an_older_projection_never_replaces_a_newer_one(store))),
    ("a former member is remembered", |store| Box::pin(a_former_member_is_remembered(store))),
    ("members come in pages by number", |store| Box::pin(members_come_in_pages_by_number(store))),
    ("a list holds what was listed and not taken out", |store| Box::pin(a_list_holds_what_was_listed(store))),
    ("a list comes in pages in the order of ids", |store| Box::pin(a_list_comes_in_pages(store))),
    ("marks begin at nothing and only rise", |store| Box::pin(marks_begin_at_nothing_and_only_rise(store))),
    ("marks of many are raised together", |store| Box::pin(marks_of_many_are_raised_together(store))),
    ("racing marks end at the highest", |store| Box::pin(racing_marks_end_at_the_highest(store))),
    ("marks of several members come without their own messages", |store| Box::pin(marks_of_several_members(store))),
    ("an overview says what the single reads say", |store| Box::pin(an_overview_says_what_the_single_reads_say(store))),
    ("an overview knows the deletions above the badge", |store| Box::pin(an_overview_knows_deletions_above_the_badge(store))),
    ("the badge covers what the member wrote", |store| Box::pin(the_badge_covers_what_the_member_wrote(store))),
];

fn row(name: &str, members: u64) -> GroupRow {
    let created_at = Timestamp(1_767_225_600_000_123);
    let name = GroupName::new(name).expect("a name");
    GroupRow { name, members, created_at, about: AboutText::default(), picture: None, open: false, updated_at: created_at }
}

fn place(role: Role, since: u64, until: Option<u64>) -> Membership {
    Membership { role, since: seq(since), until: until.map(seq) }
}

/// Nothing is made by asking.
pub async fn a_group_that_was_never_created_is_not_there(store: &dyn Store) {
    assert_eq!(store.group(group(1)).await, Ok(None));
    assert_eq!(store.membership(group(1), user(1)).await, Ok(None));
    assert_eq!(store.members(group(1), None, 10).await, Ok(Vec::new()));
    assert_eq!(store.listed(user(1), None, 10).await, Ok(Vec::new()));
}

/// Design D10.
pub async fn projections_stand_with_their_entry(store: &dyn Store) {
    let (owner, member) = (place(Role::Owner, 1, None), place(Role::Member, 1, None));
    let rows = vec![(1, Row::Group(row("one", 2))), (1, Row::Member(user(1), owner)), (1, Row::Member(user(2), member))];
    let batch = write(store, of_group(1).into(), 1, 1, rows).await;
    for _ in 0..2 {
        assert_eq!(store.group(group(1)).await, Ok(Some(row("one", 2))));
        assert_eq!(store.membership(group(1), user(1)).await, Ok(Some(owner)));
        assert_eq!(store.membership(group(1), user(2)).await, Ok(Some(member)));
        assert_eq!(store.membership(group(2), user(1)).await, Ok(None));
        store.append(of_group(1).into(), batch.clone()).await.expect("the same batch");
    }
    write(store, of_group(1).into(), 2, 1, vec![(2, Row::Group(row("two", 3))), (2, Row::Member(user(2), place(Role::Admin, 1, None)))])
        .await;
    assert_eq!(store.group(group(1)).await, Ok(Some(row("two", 3))));
    assert_eq!(store.membership(group(1), user(2)).await, Ok(Some(place(Role::Admin, 1, None))));
}

/// Design D10: a replay may come late.
pub async fn an_older_projection_never_replaces_a_newer_one(store: &dyn Store) {
    let log = LogId::from(of_group(1));
    let newest = place(Role::Admin, 3, None);
    write(store, log, 1, 4, vec![(4, Row::Group(row("new", 4))), (3, Row::Member(user(1), newest)), (4, Row::Own(user(1), Pos(4)))]).await;
    let old = vec![(2, Row::Group(row("old", 2))), (2, Row::Member(user(1), place(Role::Owner, 1, None))), (2, Row::Own(user(1), Pos(2)))];
    write(store, log, 2, 1, old).await;
    assert_eq!(store.group(group(1)).await, Ok(Some(row("new", 4))));
    assert_eq!(store.membership(group(1), user(1)).await, Ok(Some(newest)));
    assert_eq!(store.marks(user(1), &[of_group(1)]).await.expect("marks")[0].badge, Pos(4));
    let mixed = vec![(5, Row::Group(row("five", 5))), (6, Row::Group(row("six", 6))), (5, Row::Group(row("five", 5)))];
    write(store, log, 3, 1, mixed).await;
    assert_eq!(store.group(group(1)).await, Ok(Some(row("six", 6))));
    write(store, log, 4, 1, vec![(6, Row::Group(row("six", 6)))]).await;
    assert_eq!(store.group(group(1)).await, Ok(Some(row("six", 6))));

    write(store, user(9).into(), 1, 3, vec![(3, Row::Listed(of_group(1), false))]).await;
    write(store, user(9).into(), 2, 1, vec![(2, Row::Listed(of_group(1), true))]).await;
    assert_eq!(store.listed(user(9), None, 10).await, Ok(Vec::new()));
}

/// What a former member may still read depends on it.
pub async fn a_former_member_is_remembered(store: &dyn Store) {
    let log = LogId::from(of_group(1));
    write(store, log, 1, 1, vec![(1, Row::Member(user(2), place(Role::Member, 1, None)))]).await;
    write(store, log, 2, 1, vec![(2, Row::Member(user(2), place(Role::Member, 1, Some(2))))]).await;
    let former = place(Role::Member, 1, Some(2));
    assert_eq!(store.membership(group(1), user(2)).await, Ok(Some(former)));
    assert_eq!(store.members(group(1), None, 10).await, Ok(vec![(user(2), former)]));
}

/// Large groups.
pub async fn members_come_in_pages_by_number(store: &dyn Store) {
    let numbers = [1, 2, 255, 256, 257, 65_536, crate::id::NUMBER_MAX];
    let rows =
        |n: u64| numbers.iter().rev().map(|user_number| (n, Row::Member(user(*user_number), place(Role::Member, n, None)))).collect();
    for of in 1..=3 {
        write(store, of_group(of).into(), 1, 1, rows(1)).await;
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.members(group(2), after, 3).await.expect("a page");
        assert!(page.len() <= 3);
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        seen.extend(page.into_iter().map(|(member, _)| member.get()));
    }
    assert_eq!(seen, numbers);
    assert_eq!(store.members(group(2), None, 0).await, Ok(Vec::new()));
    assert_eq!(store.members(group(2), None, 100).await.expect("a page").len(), numbers.len());
}

/// Design D11.
pub async fn a_list_holds_what_was_listed(store: &dyn Store) {
    let log = LogId::from(user(1));
    write(store, log, 1, 2, vec![(1, Row::Listed(direct(1, 2), true)), (2, Row::Listed(of_group(3), true))]).await;
    assert_eq!(store.listed(user(1), None, 10).await, Ok(vec![direct(1, 2), of_group(3)]));
    write(store, log, 2, 1, vec![(3, Row::Listed(direct(1, 2), false))]).await;
    assert_eq!(store.listed(user(1), None, 10).await, Ok(vec![of_group(3)]));
    assert_eq!(store.listed(user(2), None, 10).await, Ok(Vec::new()));
    write(store, log, 3, 1, vec![(4, Row::Listed(direct(1, 2), true))]).await;
    assert_eq!(store.listed(user(1), None, 10).await, Ok(vec![direct(1, 2), of_group(3)]));
}

/// What was taken out does not make a page short.
pub async fn a_list_comes_in_pages(store: &dyn Store) {
    let all: Vec<ConversationId> = (2..40).map(|n| direct(1, n)).chain((1..40).map(of_group)).collect();
    let rows = all.iter().rev().map(|conversation| (1, Row::Listed(*conversation, true))).collect();
    write(store, user(1).into(), 1, 1, rows).await;
    let gone: Vec<_> = all.iter().copied().skip(3).take(20).collect();
    write(store, user(1).into(), 2, 1, gone.iter().map(|conversation| (2, Row::Listed(*conversation, false))).collect()).await;
    let left: Vec<_> = all.iter().copied().filter(|conversation| !gone.contains(conversation)).collect();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.listed(user(1), after, 7).await.expect("a page");
        assert!(page.len() == 7 || seen.len() + page.len() == left.len());
        let Some(last) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
    }
    assert_eq!(seen, left);
}

/// G5, R13.
pub async fn marks_begin_at_nothing_and_only_rise(store: &dyn Store) {
    let conversation = direct(1, 2);
    assert_eq!(store.marks(user(1), &[conversation]).await, Ok(vec![Marks::default()]));
    let raise = async |to: Marks| store.raise(conversation, vec![(user(1), to)]).await.expect("raised")[0];
    assert_eq!(raise(marks(5, 3)).await, marks(5, 3));
    assert_eq!(raise(marks(5, 3)).await, marks(5, 3));
    assert_eq!(raise(marks(4, 2)).await, marks(5, 3));
    assert_eq!(raise(Marks::default()).await, marks(5, 3));
    let later = Marks { delivered: marks(9, 0).delivered, ..Marks::default() };
    assert_eq!(raise(later).await, Marks { delivered: marks(9, 0).delivered, ..marks(5, 3) });
    let read = raise(Marks { read: marks(0, 12).read, ..Marks::default() }).await;
    assert_eq!((read.delivered.seq, read.read.seq, read.badge), (seq(12), seq(12), Pos(12)));
    let others = [of_group(1), conversation, direct(1, 3), conversation];
    let stand = store.marks(user(1), &others).await.expect("marks");
    assert_eq!(stand, [Marks::default(), read, Marks::default(), read]);
    assert_eq!(store.marks(user(2), &[conversation]).await, Ok(vec![Marks::default()]));
    assert_eq!(store.marks(user(1), &[]).await, Ok(Vec::new()));
}

/// G6.
pub async fn marks_of_many_are_raised_together(store: &dyn Store) {
    let conversation = of_group(1);
    store.raise(conversation, vec![(user(2), marks(8, 8))]).await.expect("raised");
    let asked = vec![(user(3), marks(2, 1)), (user(2), marks(5, 5)), (user(1), marks(7, 0)), (user(3), marks(4, 1))];
    let stand = store.raise(conversation, asked).await.expect("raised");
    assert_eq!(stand.len(), 4);
    assert_eq!((stand[1], stand[2]), (marks(8, 8), marks(7, 0)));
    assert_eq!(stand[3], Marks { read: marks(0, 1).read, badge: Pos(1), ..marks(4, 0) });
    assert_eq!(store.marks(user(3), &[conversation]).await, Ok(vec![stand[3]]));
    assert_eq!(store.raise(conversation, Vec::new()).await, Ok(Vec::new()));
}

/// R13: in whatever order they come.
pub async fn racing_marks_end_at_the_highest(store: &dyn Store) {
    let order = [7, 30, 2, 19, 30, 11, 29, 1];
    let answers = order.iter().map(|to| store.raise(of_group(1), vec![(user(1), marks(*to, *to))])).collect();
    for answer in together(answers).await {
        assert!(answer.expect("raised")[0].read.seq <= seq(30));
    }
    assert_eq!(store.marks(user(1), &[of_group(1)]).await, Ok(vec![marks(30, 30)]));
}

/// D9: one's own messages are not unread.
pub async fn the_badge_covers_what_the_member_wrote(store: &dyn Store) {
    let conversation = direct(1, 2);
    write(store, conversation.into(), 1, 3, vec![(3, Row::Own(user(1), Pos(3)))]).await;
    let badge = async |of: u64| store.marks(user(of), &[conversation]).await.expect("marks")[0].badge;
    assert_eq!((badge(1).await, badge(2).await), (Pos(3), Pos(0)));
    let stands = store.raise(conversation, vec![(user(1), marks(2, 1))]).await.expect("raised")[0];
    assert_eq!((stands.read.seq, stands.badge), (seq(1), Pos(3)));
    write(store, conversation.into(), 2, 2, vec![(5, Row::Own(user(1), Pos(5))), (4, Row::Own(user(2), Pos(4)))]).await;
    assert_eq!((badge(1).await, badge(2).await), (Pos(5), Pos(4)));
    let stands = store.raise(conversation, vec![(user(1), marks(9, 9))]).await.expect("raised")[0];
    assert_eq!((stands.badge, badge(1).await), (Pos(9), Pos(9)));
}

/// G5: what others are shown.
pub async fn marks_of_several_members(store: &dyn Store) {
    let conversation = of_group(1);
    write(store, conversation.into(), 1, 3, vec![(3, Row::Own(user(1), Pos(3)))]).await;
    store.raise(conversation, vec![(user(1), marks(2, 1)), (user(3), marks(3, 3))]).await.expect("raised");
    let stand = store.marks_of(conversation, &[user(3), user(2), user(1)]).await;
    assert_eq!(stand, Ok(vec![marks(3, 3), Marks::default(), Marks { badge: Pos(1), ..marks(2, 1) }]));
    assert_eq!(store.marks_of(of_group(2), &[user(1)]).await, Ok(vec![Marks::default()]));
}

/// Of one moment, and of one call.
pub async fn an_overview_says_what_the_single_reads_say(store: &dyn Store) {
    let (direct, group_chat) = (direct(1, 2), of_group(1));
    store.put_account(account(2, "ben", "ben@example.org"), 0).await.expect("written");
    store.put_bond(related(1, 2), 0).await.expect("written");
    let number = DirectNumber::new(7).expect("valid");
    let amendment = Amendment { edits: vec![seq(2)], ..Amendment::default() };
    let rows = vec![(1, Row::Direct(number)), (3, Row::Own(user(1), Pos(3))), (3, Row::Amended(seq(3), amendment.clone()))];
    let in_direct = write(store, direct.into(), 1, 3, rows).await;
    let rows = vec![(1, Row::Group(row("one", 2))), (1, Row::Member(user(1), place(Role::Admin, 1, None)))];
    let in_group = write(store, group_chat.into(), 1, 2, rows).await;
    let wanted = Preferences { archived: true, ..Preferences::default() };
    write(store, user(1).into(), 1, 1, vec![(1, Row::Preferences(group_chat, wanted))]).await;
    store.raise(direct, vec![(user(2), marks(2, 1)), (user(1), marks(1, 1))]).await.expect("raised");
    let asked = [group_chat, of_group(9), direct];
    let found = store.overviews(user(1), &asked).await.expect("readable");
    let stands = store.marks(user(1), &asked).await.expect("readable");
    let expected = [
        Overview {
            head: in_group.after,
            place: Some(place(Role::Admin, 1, None)),
            group: Some(row("one", 2)),
            marks: stands[0],
            preferences: wanted,
            last: Some(Entry::clone(&in_group.entries[1])),
            ..Overview::default()
        },
        Overview::default(),
        Overview {
            head: in_direct.after,
            peer: Some(account(2, "ben", "ben@example.org")),
            peer_marks: marks(2, 1),
            bond: Some(related(1, 2)),
            number: Some(number),
            marks: stands[2],
            last: Some(Entry::clone(&in_direct.entries[2])),
            last_amendment: Some(amendment),
            ..Overview::default()
        },
    ];
    assert_eq!(found, expected);
    let strangers = store.overviews(user(1), &[super::samples::direct(1, 5)]).await.expect("readable");
    assert_eq!(strangers[0].bond, Some(Bond::new(Pair::new(user(1), user(5)).expect("two users"))));
    assert_eq!(store.overviews(user(1), &[]).await, Ok(Vec::new()));
}

/// D9: unread is what was not deleted in between; more than two spans back it is not told.
pub async fn an_overview_knows_deletions_above_the_badge(store: &dyn Store) {
    let (conversation, log) = (of_group(1), LogId::from(of_group(1)));
    fill(store, log, 2 * BUCKET_SEQS + 10).await;
    let bits = |places: &[u64]| places.iter().fold(Bits::default(), |bits, place| bits.with(*place));
    let rows = vec![
        (1, Row::Gone(Bucket(0), bits(&[0, 4_095]))),
        (2, Row::Gone(Bucket(1), bits(&[0, 7, 4_095]))),
        (3, Row::Gone(Bucket(2), bits(&[0, 9]))),
    ];
    write(store, log, 77, 1, rows).await;
    let above = async || store.overviews(user(1), &[conversation]).await.expect("readable").remove(0).gone;
    assert_eq!(above().await, [(Bucket(1), bits(&[0, 7, 4_095])), (Bucket(2), bits(&[0, 9]))]);
    for (read, expected) in [
        (4_096, vec![(Bucket(1), bits(&[0, 7, 4_095])), (Bucket(2), bits(&[0, 9]))]),
        (4_097, vec![(Bucket(1), bits(&[7, 4_095])), (Bucket(2), bits(&[0, 9]))]),
        (4_104, vec![(Bucket(1), bits(&[4_095])), (Bucket(2), bits(&[0, 9]))]),
        (8_192, vec![(Bucket(2), bits(&[0, 9]))]),
        (8_193, vec![(Bucket(2), bits(&[9]))]),
        (8_202, vec![]),
    ] {
        store.raise(conversation, vec![(user(1), marks(read, read))]).await.expect("raised");
        assert_eq!(above().await, expected, "read up to {read}");
    }
}
