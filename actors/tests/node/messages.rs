//! What becomes of messages: edits, deletion, reactions, forwarding, mentions, files.

use std::time::Duration;

use actors::command::{Command, Cursor, Query, Wish};
use actors::content::{Content, Reaction};
use actors::entry::{Act, Erased, GroupChange};
use actors::event::{Event, Scene};
use actors::id::{ConversationId, Incarnation, MessageId, Seq};
use actors::limits::{Limit, Limits};
use actors::media::{Attachment, Media, MediaId, Purpose};
use actors::rejected::Rejected;
use actors::store::{MediaStore, MessageStore};
use actors::testkit::memory::{Call, Fault};
use actors::time::Clock;
use actors::view::{About, ConversationView, Resumed, Shown, View};

use crate::groups::{add, created};
use crate::world::{Device, Stage, direct, key, seq, text, user};

const PAIR: fn() -> ConversationId = || direct(1, 2);

fn edit(client_key: &str, target: u64, to: &str) -> Command {
    Command::Edit { conversation: PAIR(), client_key: key(client_key), target: seq(target), content: text(to) }
}

fn delete(conversation: ConversationId, client_key: &str, target: u64) -> Command {
    Command::Delete { conversation, client_key: key(client_key), target: seq(target) }
}

fn react(client_key: &str, target: u64, how: &str, on: bool) -> Command {
    let reaction = Reaction::new(how).expect("valid");
    Command::React { conversation: PAIR(), client_key: key(client_key), target: seq(target), reaction, on }
}

fn reply(client_key: &str, target: u64) -> Command {
    let content = Content { reply_to: Some(seq(target)), ..text("so") };
    Command::Post { conversation: PAIR(), client_key: key(client_key), content, media: vec![] }
}

fn forward(to: ConversationId, client_key: &str, from: ConversationId, target: u64) -> Command {
    Command::Forward { conversation: to, client_key: key(client_key), from, target: seq(target) }
}

/// What a message says to its viewer, and the kinds of reaction with their counts.
fn says(shown: &Shown) -> (Option<String>, Vec<(String, u64)>) {
    let Act::Message(written) = &shown.entry.act else { return (None, vec![]) };
    let amendment = shown.amendment.clone().unwrap_or_default();
    let content = amendment.edited.map_or_else(|| written.clone(), |(content, _)| content);
    let reactions = amendment.reactions.iter().map(|(reaction, count)| (reaction.as_str().to_owned(), *count)).collect();
    (Some(content.text.to_string()), reactions)
}

async fn two(stage: &Stage) -> (Device, Device) {
    (stage.connect(1).await, stage.connect(2).await)
}

#[tokio::test(start_paused = true)]
async fn an_edit_changes_what_a_message_says_and_nothing_else() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    ann.post(PAIR(), "k1", "first").await;
    let reply = Content { reply_to: Some(seq(1)), ..text("secnd") };
    ann.done(Command::Post { conversation: PAIR(), client_key: key("k2"), content: reply, media: vec![] }).await;
    let ack = ann.done(edit("e1", 2, "second")).await;
    assert_eq!((ack.seq.get(), ack.pos.0), (3, 2), "an edit is no message");
    let edited = ben.event(|event| match event {
        Event::Entry { entry, .. } => {
            matches!(&entry.act, Act::Edited { target, content } if *target == seq(2) && &*content.text == "second").then_some(())
        }
        _ => None,
    });
    edited.await;
    let history = ben.history(PAIR()).await;
    assert_eq!(says(&history.entries[1]).0.as_deref(), Some("second"));
    let (content, _) = history.entries[1].amendment.clone().expect("edited").edited.expect("edited");
    assert_eq!(content.reply_to, Some(seq(1)), "what it answers stays");
    assert!(ann.done(edit("e1", 2, "second")).await.duplicate);
    assert!(matches!(ann.ask(edit("e1", 2, "third")).await, Err(Rejected::KeyReused { .. })));
    assert_eq!(ben.ask(edit("e2", 2, "mine")).await, Err(Rejected::NotTheAuthor));
    assert_eq!(ann.ask(edit("e3", 3, "x")).await, Err(Rejected::NotAMessage { seq: seq(3) }));
    assert_eq!(ann.ask(edit("e4", 4, "x")).await, Err(Rejected::NoSuchEntry { seq: seq(4) }));
    assert_eq!(ann.ask(edit("e5", 2, "")).await, Err(Rejected::EmptyMessage));
    let restarted = Stage::over(stage.store, Limits::default()).await;
    let mut ann = restarted.connect(1).await;
    ann.done(edit("e6", 2, "again")).await;
    assert_eq!(says(&ann.history(PAIR()).await.entries[1]).0.as_deref(), Some("again"));
    assert_eq!(ann.conversation(PAIR()).await.count.0, 2);
}

#[tokio::test(start_paused = true)]
async fn edits_of_a_message_are_bounded() {
    let mut limits = Limits::default();
    limits.set(Limit::EditsMessage, 2);
    let stage = Stage::with(limits).await;
    let (mut ann, _ben) = two(&stage).await;
    ann.post(PAIR(), "k1", "x").await;
    ann.done(edit("e1", 1, "y")).await;
    ann.done(edit("e2", 1, "z")).await;
    assert_eq!(ann.ask(edit("e3", 1, "!")).await, Err(Rejected::MessageFull { what: "edits", max: 2 }));
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_is_gone_and_its_repetition_is_still_the_same_post() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    for number in 1..=3 {
        ann.post(PAIR(), &format!("k{number}"), "secret").await;
    }
    ann.done(edit("e1", 2, "secret too")).await;
    assert_eq!(ben.conversation(PAIR()).await.unread, 3);
    assert_eq!(ben.ask(delete(PAIR(), "d0", 2)).await, Err(Rejected::NotTheAuthor));
    ann.done(delete(PAIR(), "d1", 2)).await;
    assert_eq!(ben.conversation(PAIR()).await.unread, 2, "a deleted message is not unread");
    let history = ben.history(PAIR()).await;
    for (shown, message) in [(&history.entries[1], true), (&history.entries[3], false)] {
        assert!(matches!(shown.entry.act, Act::Erased(Erased { message: kind, .. }) if kind == message), "{shown:?}");
    }
    let amendment = history.entries[1].amendment.clone().expect("deleted");
    assert_eq!(amendment.deleted.map(|(by, _)| by), Some(user(1)));
    for (stage, mut ann) in [(None, ann), {
        let restarted = Stage::over(stage.store.clone(), Limits::default()).await;
        let ann = restarted.connect(1).await;
        (Some(restarted), ann)
    }] {
        let again = ann.post(PAIR(), "k2", "secret").await;
        assert_eq!((again.seq.get(), again.duplicate), (2, true), "restarted: {}", stage.is_some());
        assert!(ann.done(edit("e1", 2, "secret too")).await.duplicate);
        assert!(ann.done(delete(PAIR(), "d1", 2)).await.duplicate);
        assert_eq!(ann.ask(delete(PAIR(), "d2", 2)).await, Err(Rejected::MessageDeleted { seq: seq(2) }));
        assert_eq!(ann.ask(edit("e2", 2, "x")).await, Err(Rejected::MessageDeleted { seq: seq(2) }));
        assert_eq!(ann.ask(react("r1", 2, "+", true)).await, Err(Rejected::MessageDeleted { seq: seq(2) }));
        assert_eq!(ann.ask(reply("a1", 2)).await, Err(Rejected::MessageDeleted { seq: seq(2) }));
        assert!(matches!(ann.ask(crate::world::post(PAIR(), "k2", "other")).await, Err(Rejected::KeyReused { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_message_whose_outcome_is_unknown_is_made_once() {
    for fault in [Fault::Before, Fault::After] {
        let stage = Stage::new().await;
        let (mut ann, _ben) = two(&stage).await;
        ann.post(PAIR(), "k1", "x").await;
        for _ in 0..3 {
            stage.store.fail_next(Call::Append, fault);
        }
        ann.done(react("r1", 1, "+", true)).await;
        stage.store.fail_next(Call::Append, fault);
        ann.done(edit("e1", 1, "y")).await;
        let history = ann.history(PAIR()).await;
        assert_eq!(says(&history.entries[0]), (Some("y".to_owned()), vec![("+".to_owned(), 1)]));
        assert_eq!(history.entries.len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn reactions_are_a_set_for_each_user_and_counted_for_all() {
    let mut limits = Limits::default();
    limits.set(Limit::ReactionsUser, 2);
    limits.set(Limit::ReactionsMessage, 3);
    let stage = Stage::with(limits).await;
    let (mut ann, mut ben) = two(&stage).await;
    ann.post(PAIR(), "k1", "x").await;
    ann.done(react("r1", 1, "+", true)).await;
    let again = ann.done(react("r2", 1, "+", true)).await;
    assert_eq!((again.seq, again.duplicate), (seq(1), true), "it stands so already: the message is answered");
    assert_eq!(ann.done(react("r2", 1, "?", false)).await.seq, seq(1), "nor is there anything to take back");
    assert_eq!(ann.conversation(PAIR()).await.tail.seq, seq(2), "neither is an entry");
    ben.done(react("r1", 1, "+", true)).await;
    ben.done(react("r2", 1, "!", true)).await;
    let history = ann.history(PAIR()).await;
    assert_eq!(says(&history.entries[0]).1, [("+".to_owned(), 2), ("!".to_owned(), 1)]);
    assert_eq!(history.entries[0].own_reactions, [Reaction::new("+").expect("valid")]);
    assert_eq!(ben.ask(react("r3", 1, "?", true)).await, Err(Rejected::MessageFull { what: "own reactions", max: 2 }));
    ann.done(react("r4", 1, "?", true)).await;
    ben.done(react("r5", 1, "!", false)).await;
    ben.done(react("r6", 1, "!", false)).await;
    ben.done(react("r7", 1, "*", true)).await;
    assert_eq!(ann.ask(react("r8", 1, "+", false)).await.map(|_| ()), Ok(()));
    assert_eq!(ann.ask(react("r9", 1, "#", true)).await, Err(Rejected::MessageFull { what: "reactions", max: 3 }));
    let query = Query::Reactions { conversation: PAIR(), target: seq(1), after: None, limit: Some(1) };
    let Ok(View::Reactions { page, more: true }) = ann.query(query).await else { unreachable!("no page") };
    assert_eq!(page, [(user(1), vec![Reaction::new("?").expect("valid")])]);
    assert_eq!(ann.conversation(PAIR()).await.unread, 0);
    let mut dan = stage.connect(4).await;
    assert_eq!(dan.ask(react("r", 1, "+", true)).await, Err(Rejected::NoSuchConversation));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_forwarded_as_it_says_by_who_may_read_it() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    let mut cid = stage.connect(3).await;
    let source = Content { mentions: vec![user(2)], ..text("helo") };
    let written = ann.done(Command::Post { conversation: PAIR(), client_key: key("k1"), content: source, media: vec![] }).await;
    ann.done(edit("e1", 1, "hello")).await;
    assert_eq!(cid.ask(forward(direct(3, 4), "f", PAIR(), 1)).await, Err(Rejected::NoSuchConversation));
    assert_eq!(cid.ask(forward(direct(3, 4), "f", PAIR(), 9)).await, Err(Rejected::NoSuchConversation), "nothing is learned of it");
    let first = ben.done(forward(direct(2, 3), "f1", PAIR(), 1)).await;
    assert_eq!((first.seq.get(), first.duplicate), (1, false), "also as the first message");
    let history = cid.history(direct(2, 3)).await;
    let Act::Message(content) = &history.entries[0].entry.act else { unreachable!("no message") };
    assert_eq!((&*content.text, content.mentions.len(), content.reply_to), ("hello", 0, None));
    assert_eq!(content.forwarded.map(|from| (from.author, from.id)), Some((user(1), written.id)));
    assert_eq!(ben.ask(forward(direct(2, 3), "f2", PAIR(), 2)).await, Err(Rejected::NotAMessage { seq: seq(2) }));
    ann.done(delete(PAIR(), "d1", 1)).await;
    assert!(ben.done(forward(direct(2, 3), "f1", PAIR(), 1)).await.duplicate, "stored once, though the source is gone");
    assert_eq!(ben.ask(forward(direct(2, 3), "f3", PAIR(), 1)).await, Err(Rejected::MessageDeleted { seq: seq(1) }));
    assert_eq!(says(&cid.history(direct(2, 3)).await.entries[0]).0.as_deref(), Some("hello"), "what was forwarded stays");
}

#[tokio::test(start_paused = true)]
async fn what_a_user_has_cleared_or_hidden_is_not_shown_to_him() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    for number in 1..=5 {
        ann.post(PAIR(), &format!("k{number}"), &format!("text {number}")).await;
    }
    let set = |key_text: &str, setting| Command::Set { conversation: PAIR(), client_key: key(key_text), setting };
    ben.ask(set("s1", Wish::Clear(seq(2)))).await.expect("anyone may");
    ben.ask(set("s2", Wish::Hide(seq(4)))).await.expect("anyone may");
    let history = ben.history(PAIR()).await;
    assert_eq!((history.floor, history.entries[0].entry.seq), (seq(2), seq(3)));
    assert_eq!(history.entries.iter().map(|shown| shown.hidden).collect::<Vec<_>>(), [false, true, false]);
    assert!(matches!(history.entries[1].entry.act, Act::Erased(_)), "only its place is shown");
    assert_eq!(ben.conversation(PAIR()).await.unread, 3, "what was cleared is not unread");
    assert_eq!(ben.ask(forward(direct(2, 3), "f1", PAIR(), 2)).await, Err(Rejected::NoSuchEntry { seq: seq(2) }));
    assert_eq!(ben.ask(forward(direct(2, 3), "f2", PAIR(), 4)).await, Err(Rejected::NoSuchEntry { seq: seq(4) }));
    for absent in [2, 4] {
        assert_eq!(ben.ask(react("r1", absent, "+", true)).await, Err(Rejected::NoSuchEntry { seq: seq(absent) }));
        assert_eq!(ben.ask(reply("a1", absent)).await, Err(Rejected::NoSuchEntry { seq: seq(absent) }));
    }
    assert_eq!(ann.history(PAIR()).await.entries.len(), 5, "the other one sees all of it");
    let last = |page: Vec<ConversationView>| page[0].last.clone().map(|last| (last.entry.seq.get(), last.hidden));
    let list = Query::Conversations { cursor: None, limit: None };
    ben.ask(set("s3", Wish::Hide(seq(5)))).await.expect("anyone may");
    let Ok(View::Conversations { page, .. }) = ben.query(list.clone()).await else { unreachable!("no page") };
    assert_eq!(last(page), Some((5, true)), "nor does the list show it");
    ben.ask(set("s4", Wish::Clear(seq(5)))).await.expect("anyone may");
    let Ok(View::Conversations { page, .. }) = ben.query(list).await else { unreachable!("no page") };
    assert_eq!(last(page), None);
    assert_eq!(ben.conversation(PAIR()).await.unread, 0);
    let cursor = |seq| Cursor { incarnation: Incarnation::default(), seq };
    let query = Query::Sync { user: None, conversations: vec![(PAIR(), cursor(Seq::ZERO))] };
    let Ok(View::Sync(view)) = ben.query(query).await else { unreachable!("no sync") };
    assert_eq!(view.conversations[0].2, Resumed::TooLong { floor: seq(5) });
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_what_a_user_has_cleared_or_hidden_does_not_bring_it_back() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    for number in 1..=3 {
        ann.post(PAIR(), &format!("k{number}"), "x").await;
    }
    let set = |key_text: &str, setting| Command::Set { conversation: PAIR(), client_key: key(key_text), setting };
    ben.ask(set("s1", Wish::Clear(seq(1)))).await.expect("anyone may");
    ben.ask(set("s2", Wish::Hide(seq(2)))).await.expect("anyone may");
    let is_erased = |shown: &Shown| matches!(shown.entry.act, Act::Erased(Erased { message: false, .. }));
    for (nth, (target, erased)) in [(3, false), (1, true), (3, false), (2, true)].into_iter().enumerate() {
        ann.done(edit(&format!("e{nth}"), target, "secret")).await;
        let last = ben.conversation(PAIR()).await.last.expect("written to");
        assert_eq!(is_erased(&last), erased, "an edit of {target}");
        let list = Query::Conversations { cursor: None, limit: None };
        let Ok(View::Conversations { page, .. }) = ben.query(list).await else { unreachable!("no page") };
        assert_eq!(is_erased(page[0].last.as_ref().expect("written to")), erased, "an edit of {target}, in the list");
    }
    let expected = [false, false, false, true, false, true];
    let history = ben.history(PAIR()).await;
    assert_eq!(history.entries.iter().map(is_erased).collect::<Vec<_>>(), expected);
    let cursor = Cursor { incarnation: history.tail.incarnation, seq: seq(3) };
    let Ok(View::Sync(view)) = ben.query(Query::Sync { user: None, conversations: vec![(PAIR(), cursor)] }).await else {
        unreachable!("no sync")
    };
    let Resumed::Complete(entries) = &view.conversations[0].2 else { unreachable!("{view:?}") };
    assert_eq!(entries.iter().map(is_erased).collect::<Vec<_>>(), expected[2..]);
    assert!(!ann.history(PAIR()).await.entries.iter().any(is_erased), "the other one sees all of it");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_found_by_its_number_by_those_who_may_read_it() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    let written = ann.post(PAIR(), "k1", "hello").await;
    let reacted = ann.done(react("r1", 1, "+", true)).await;
    let Ok(View::Message(conversation, _, shown)) = ben.query(Query::Message { id: written.id }).await else { unreachable!("no view") };
    assert_eq!((conversation, says(&shown)), (PAIR(), (Some("hello".to_owned()), vec![("+".to_owned(), 1)])));
    let absent = Err(Rejected::NoSuchEntry { seq: Seq::ZERO });
    let mut cid = stage.connect(3).await;
    assert_eq!(cid.query(Query::Message { id: written.id }).await, absent, "as if it were not there");
    assert_eq!(ben.query(Query::Message { id: reacted.id }).await, absent, "it is no message");
    for number in [written.id.get() + 2, written.id.get() + 1_000_000] {
        assert_eq!(ben.query(Query::Message { id: MessageId::new(number).expect("valid") }).await, absent);
    }
}

#[tokio::test(start_paused = true)]
async fn only_members_can_be_mentioned() {
    let stage = Stage::new().await;
    let mut ann = stage.connect(1).await;
    let group = created(&mut ann, &[2]).await;
    let mention = |key_text: &str, number| {
        let content = Content { mentions: vec![user(number)], ..text("x") };
        Command::Post { conversation: group, client_key: key(key_text), content, media: vec![] }
    };
    ann.done(mention("k1", 2)).await;
    let refused = Err(Rejected::Field { field: "mentions", why: "names somebody who is no member" });
    assert_eq!(ann.ask(mention("k2", 3)).await, refused);
    assert_eq!(ann.ask(mention("k2", 77)).await, refused, "who does not exist looks the same");
    ann.done(add(group, "a1", &[3])).await;
    ann.done(mention("k2", 3)).await;
}

#[tokio::test(start_paused = true)]
async fn files_travel_with_a_message_and_are_known_by_their_names() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    let file = |number| Attachment { name: "a.png".into(), bytes: 7, ..Attachment::named(MediaId(number)) };
    let carry = |key_text: &str, numbers: &[u128]| Command::Post {
        conversation: PAIR(),
        client_key: key(key_text),
        content: Content::default(),
        media: numbers.iter().map(|number| MediaId(*number)).collect(),
    };
    for number in 1..=11 {
        upload(&stage, Media { attachment: file(number), ..media(number, 1) }).await;
    }
    ann.done(carry("k1", &[1, 2])).await;
    let Act::Message(content) = &ben.history(PAIR()).await.entries[0].entry.act.clone() else { unreachable!("no message") };
    assert_eq!(content.attachments, [file(1), file(2)]);
    assert!(ann.done(carry("k1", &[1, 2])).await.duplicate, "the names alone tell that it is the same");
    assert!(matches!(ann.ask(carry("k1", &[1])).await, Err(Rejected::KeyReused { .. })));
    let now = stage.clock.now();
    upload(&stage, Media { erased_at: Some(now), ..media(50, 1) }).await;
    upload(&stage, media(51, 1).expired(now).expect("it is there")).await;
    upload(&stage, media(52, 2)).await;
    upload(&stage, Media { purpose: Purpose::Picture, ..media(53, 1) }).await;
    for (number, why) in [(99, "unknown"), (50, "erased"), (51, "expired"), (52, "another's"), (53, "a picture")] {
        assert_eq!(ann.ask(carry("k2", &[1, number])).await, Err(Rejected::NoSuchMedia), "{why}");
    }
    assert_eq!(ann.conversation(PAIR()).await.tail.seq, seq(1), "nothing of them is stored");
    let many: Vec<u128> = (1..=11).collect();
    assert_eq!(ann.ask(carry("k3", &many)).await, Err(Rejected::TooManyItems { field: "attachments", max: 10 }));
    ann.done(carry("k4", &many[..10])).await;
    ann.done(edit("e1", 1, "look")).await;
    let (content, _) = ben.history(PAIR()).await.entries[0].amendment.clone().expect("edited").edited.expect("edited");
    assert_eq!(content.attachments.len(), 2, "an edit leaves the files");
    ben.done(forward(direct(2, 3), "f1", PAIR(), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_deleted_message_expire_and_those_of_a_forwarded_one_stay() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    for number in 1..=4 {
        upload(&stage, media(number, 1)).await;
    }
    let carry = |key_text: &str, numbers: &[u128]| Command::Post {
        conversation: PAIR(),
        client_key: key(key_text),
        content: Content::default(),
        media: numbers.iter().map(|number| MediaId(*number)).collect(),
    };
    ann.done(carry("k1", &[1, 2])).await;
    ann.done(carry("k2", &[3])).await;
    ann.done(forward(direct(1, 3), "f1", PAIR(), 1)).await;
    let of = async |user, conversation, message, nth| stage.node.attachment(user, conversation, seq(message), nth).await;
    assert_eq!(of(user(2), PAIR(), 1, 1).await, Ok(MediaId(2)));
    assert_eq!(of(user(2), PAIR(), 1, 2).await, Err(Rejected::NoSuchMedia));
    assert_eq!(of(user(3), direct(1, 3), 1, 0).await, Ok(MediaId(1)), "whoever it was forwarded to reads it there");
    assert_eq!(of(user(3), PAIR(), 1, 0).await, Err(Rejected::NoSuchConversation));
    let is_gone = async |number| {
        let row = stage.store.media(MediaId(number)).await.expect("readable").expect("it was uploaded");
        row.row.is_gone(stage.clock.now().plus(Duration::from_secs(1))) // entries may be a little ahead of the clock
    };
    ann.done(delete(direct(1, 3), "d1", 1)).await;
    assert!(!is_gone(1).await && !is_gone(2).await, "they are the first message's");
    ann.done(delete(PAIR(), "d2", 1)).await;
    assert!(is_gone(1).await && is_gone(2).await && !is_gone(3).await && !is_gone(4).await);
    assert_eq!(of(user(2), PAIR(), 1, 0).await, Err(Rejected::MessageDeleted { seq: seq(1) }));
    assert_eq!(of(user(2), PAIR(), 2, 0).await, Ok(MediaId(3)));
    let hide = Command::Set { conversation: PAIR(), client_key: key("h1"), setting: Wish::Hide(seq(2)) };
    assert!(ben.ask(hide).await.is_ok());
    assert_eq!(of(user(2), PAIR(), 2, 0).await, Err(Rejected::NoSuchEntry { seq: seq(2) }));
    assert_eq!(of(user(1), PAIR(), 2, 0).await, Ok(MediaId(3)));
    assert_eq!(of(user(1), PAIR(), 3, 0).await, Err(Rejected::NotAMessage { seq: seq(3) }));
    assert_eq!(of(user(1), PAIR(), 9, 0).await, Err(Rejected::NoSuchEntry { seq: seq(9) }));
}

#[tokio::test(start_paused = true)]
async fn a_groups_picture_is_an_own_one_and_the_one_before_expires() {
    let stage = Stage::new().await;
    let (mut ann, _ben) = two(&stage).await;
    let group = created(&mut ann, &[2]).await;
    for number in 1..=2 {
        upload(&stage, Media { purpose: Purpose::Picture, ..media(number, 1) }).await;
    }
    upload(&stage, Media { purpose: Purpose::Picture, ..media(3, 2) }).await;
    upload(&stage, media(4, 1)).await;
    let show = |key_text: &str, file: Option<u128>| Command::ChangeGroup {
        conversation: group,
        client_key: key(key_text),
        change: GroupChange::default(),
        picture: Some(file.map(MediaId)),
    };
    let is_gone = async |number| {
        let row = stage.store.media(MediaId(number)).await.expect("readable").expect("it was uploaded");
        row.row.is_gone(stage.clock.now().plus(Duration::from_secs(1))) // entries may be a little ahead of the clock
    };
    for foreign in [3, 4, 9] {
        assert_eq!(ann.ask(show("p0", Some(foreign))).await, Err(Rejected::NoSuchMedia));
    }
    ann.done(show("p1", Some(1))).await;
    assert!(ann.done(show("p1", Some(1))).await.duplicate, "the name alone tells that it is the same");
    ann.done(show("p2", Some(1))).await;
    assert!(!is_gone(1).await);
    ann.done(show("p3", Some(2))).await;
    assert!(is_gone(1).await && !is_gone(2).await);
    ann.done(show("p4", None)).await;
    assert!(is_gone(2).await);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(ann.ask(show("p5", Some(1))).await, Err(Rejected::NoSuchMedia), "it is gone");
}

pub(crate) fn media(number: u128, owner: u64) -> Media {
    Media { attachment: Attachment::named(MediaId(number)), owner: user(owner), purpose: Purpose::Attachment, erased_at: None }
}

pub(crate) async fn upload(stage: &Stage, media: Media) {
    stage.store.put_media(media, 0).await.expect("it is new");
}

#[tokio::test(start_paused = true)]
async fn a_direct_conversation_has_a_number_from_its_first_message_on() {
    let stage = Stage::new().await;
    let (mut ann, mut ben) = two(&stage).await;
    let mut cid = stage.connect(3).await;
    let number = |view: About| match view {
        About::Direct { number, .. } => number,
        About::Group { .. } => None,
    };
    assert_eq!(number(ann.conversation(PAIR()).await.about), None);
    ann.post(PAIR(), "k1", "x").await;
    let scene = ben.event(|event| match event {
        Event::Entry { scene, .. } => scene.clone(),
        _ => None,
    });
    let Scene::Direct { number: Some(told), low, high, .. } = &*scene.await else { unreachable!("no number") };
    assert_eq!((low.id, high.id), (user(1), user(2)));
    assert_eq!(number(ann.conversation(PAIR()).await.about), Some(*told));
    let Ok(found) = stage.store.direct(*told).await else { unreachable!("the store is well") };
    assert_eq!(found.map(ConversationId::Direct), Some(PAIR()));
    cid.post(direct(2, 3), "k1", "x").await;
    assert_ne!(number(ben.conversation(direct(2, 3)).await.about), Some(*told));
    let restarted = Stage::over(stage.store.clone(), Limits::default()).await;
    let mut ann = restarted.connect(1).await;
    ann.post(PAIR(), "k2", "x").await;
    assert_eq!(number(ann.conversation(PAIR()).await.about), Some(*told), "once and for all");
}
