//! Large groups: changes of members cost each member a constant number of bytes, and leave no gap.

use std::collections::BTreeSet;

use actors::command::Command;
use actors::content::GroupName;
use actors::entry::Act;
use actors::event::{Announcement, Event};
use actors::id::ConversationId;
use actors::limits::{Limit, Limits};
use actors::view::View;

use crate::groups::remove;
use crate::world::{Device, Stage, key, user};

/// What a member hears of: the seqs that events cover, the number of events, and about how many bytes they take.
fn covered(events: &[Event], conversation: ConversationId) -> (BTreeSet<u64>, usize, usize) {
    let (mut seqs, mut count, mut bytes) = (BTreeSet::new(), 0, 0);
    for event in events {
        match event {
            Event::Entry { conversation: of, entry, .. } if *of == conversation => {
                seqs.insert(entry.seq.get());
            }
            Event::Members { conversation: of, from, to, .. } if *of == conversation => seqs.extend(from.get()..=to.get()),
            _ => continue,
        }
        count += 1;
        bytes += Announcement::new(event.clone()).weight();
    }
    (seqs, count, bytes)
}

async fn open_group(owner: &mut Device) -> ConversationId {
    let name = GroupName::new("crowd").expect("valid");
    let command = Command::CreateGroup { client_key: key("c"), name, members: (2..=5).map(user).collect(), open: true };
    match owner.ask(command).await {
        Ok(View::Appended(appended)) => appended.conversation,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_join_a_large_group_are_told_together() {
    let mut limits = Limits::default();
    limits.set(Limit::MembersAnnounced, 4);
    let stage = Stage::with(limits).await;
    let (mut ann, mut ben) = (stage.connect(1).await, stage.connect(2).await);
    let group = open_group(&mut ann).await;
    ben.heard().await;
    let mut newcomers = Vec::new();
    for number in 6..=9 {
        let mut device = stage.connect(number).await;
        let joined = device.done(Command::Join { conversation: group, client_key: key("j") }).await;
        newcomers.push((device, joined.seq.get()));
    }
    let (seqs, count, bytes) = covered(&ben.heard().await, group);
    assert_eq!((seqs, count), ((2..=5).collect(), 1), "one event for all of them");
    assert!(bytes < 128, "{bytes} bytes");
    for (device, seq) in &mut newcomers {
        let events = device.heard().await;
        assert!(covered(&events, group).0.contains(seq) || *seq == 5, "who joins hears of it");
    }
    let last = Event::Members {
        conversation: group,
        incarnation: actors::id::Incarnation(1),
        from: crate::world::seq(1),
        to: crate::world::seq(9_000),
        members: 10_000,
    };
    assert!(Announcement::new(last).weight() < 128, "however many they are");
}

#[tokio::test(start_paused = true)]
async fn a_message_in_a_large_group_comes_after_what_changed_before_it() {
    let mut limits = Limits::default();
    limits.set(Limit::MembersAnnounced, 4);
    let stage = Stage::with(limits).await;
    let (mut ann, mut tablet, mut ben, mut eve) =
        (stage.connect(1).await, stage.connect(1).await, stage.connect(2).await, stage.connect(5).await);
    let group = open_group(&mut ann).await;
    let mut fay = stage.connect(6).await;
    fay.done(Command::Join { conversation: group, client_key: key("j") }).await;
    ann.done(remove(group, "r", 5)).await;
    ann.post(group, "k", "x").await;
    let told: Vec<_> = ben
        .heard()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::Entry { entry, .. } => Some((entry.seq.get(), entry.seq.get())),
            Event::Members { from, to, members, .. } => {
                assert_eq!(members, 5);
                Some((from.get(), to.get()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [(1, 1), (2, 3), (4, 4)], "in order and without a gap");
    let of_tablet = covered(&tablet.heard().await, group).0;
    assert_eq!(of_tablet, (1..=4).collect(), "so does who did it");
    let of_eve = eve.heard().await;
    let (seqs, ..) = covered(&of_eve, group);
    assert_eq!(seqs, (1..=3).collect(), "who is removed hears of it at once, and of nothing after it");
    let left = of_eve.iter().any(|event| matches!(event, Event::Entry { entry, .. } if matches!(entry.act, Act::Left { .. })));
    assert!(left);
    assert!(covered(&fay.heard().await, group).0.contains(&4));
}
