//! Property tests of the native protocol's codec: nothing that arrives makes it panic, every request and every frame
//! of the server says the same in both encodings, and opaque data survives every way through them.

mod native;

use std::sync::Arc;
use std::time::Duration;

use actors::account::{DisplayName, Username};
use actors::command::{Command, Cursor, MarkKind, Query, Span};
use actors::content::{ClientKey, Content, GroupName, Opaque};
use actors::entry::{Act, Entry, GroupRow, Membership, Role};
use actors::event::Event;
use actors::id::{ConversationId, GroupId, Incarnation, LogId, MessageId, NUMBER_MAX, Pair, Pos, Seq, UserId};
use actors::limits::Limits;
use actors::store::{Mark, Marks};
use actors::time::Timestamp;
use actors::view::{About, Appended, ConversationView, HistoryView, PresenceView, ResetReason, Resumed, Secret, SyncView, UserView, View};
use native::requests::envelope;
use native::tree::Tree;
use parlance::protocol::codec::Encoding;
use parlance::protocol::error::Code;
use parlance::protocol::request::{AuthRequest, Device, Incoming, Op, Request, decode};
use parlance::protocol::socket::{render_event, render_gap, render_reply};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn user() -> impl Strategy<Value = UserId> {
    prop_oneof![1_u64..50, 1..=NUMBER_MAX].prop_map(|number| UserId::new(number).expect("valid"))
}

fn users() -> impl Strategy<Value = Vec<UserId>> {
    proptest::collection::btree_set(user(), 0..5).prop_map(|set| set.into_iter().rev().collect())
}

fn conversation() -> impl Strategy<Value = ConversationId> {
    prop_oneof![
        (1..=NUMBER_MAX).prop_map(|number| ConversationId::Group(GroupId::new(number).expect("valid"))),
        (user(), user()).prop_filter_map("two users", |(one, other)| Pair::new(one, other).ok().map(ConversationId::Direct)),
    ]
}

fn seq() -> impl Strategy<Value = Seq> {
    prop_oneof![1_u64..300, 1..=NUMBER_MAX].prop_map(|value| Seq::new(value).expect("valid"))
}

fn key() -> impl Strategy<Value = ClientKey> {
    "[ -~]{1,64}|[é€😀]{1,8}".prop_map(|text| ClientKey::new(&text).expect("valid"))
}

fn group_name() -> impl Strategy<Value = GroupName> {
    "[a-zé\"\\\\😀]{1,20}".prop_map(|text| GroupName::new(&text).expect("valid"))
}

fn data() -> impl Strategy<Value = Tree> {
    let safe = -(1_i64 << 53) + 1..1_i64 << 53;
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        safe.prop_map(Tree::Int),
        (-40_i64..300).prop_map(Tree::Int),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Tree::Float),
        any::<String>().prop_map(Tree::Text),
        vec(any::<u8>(), 0..300).prop_map(Tree::Bytes),
    ];
    let deeper = |inner: BoxedStrategy<Tree>| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Tree::List),
            proptest::collection::btree_map("[a-z$\"é]{0,8}", inner, 0..18).prop_map(|map| Tree::Map(map.into_iter().collect())),
        ]
    };
    leaf.prop_recursive(6, 60, 18, move |inner| deeper(inner.boxed()).boxed())
        .prop_filter("null counts as left out, $bytes is reserved", |tree| *tree != Tree::Null && !reserved(tree))
}

fn reserved(tree: &Tree) -> bool {
    match tree {
        Tree::List(items) => items.iter().any(reserved),
        Tree::Map(entries) => entries.iter().any(|(key, value)| key == "$bytes" || reserved(value)),
        _ => false,
    }
}

fn content() -> impl Strategy<Value = Content> {
    (any::<String>(), option::of(data()), option::of(seq()), users()).prop_map(|(text, data, reply_to, mentions)| Content {
        text: text.into(),
        data: data.map(|tree| Opaque(tree.msgpack().into())),
        reply_to,
        mentions,
    })
}

fn command() -> impl Strategy<Value = Command> {
    let (c, k) = (|| conversation(), || key());
    prop_oneof![
        (c(), k(), content()).prop_map(|(conversation, client_key, content)| Command::Post { conversation, client_key, content }),
        (k(), group_name(), users()).prop_map(|(client_key, name, members)| Command::CreateGroup { client_key, name, members }),
        (c(), k(), users().prop_filter("some", |users| !users.is_empty()))
            .prop_map(|(conversation, client_key, members)| Command::AddMembers { conversation, client_key, members }),
        (c(), k(), user()).prop_map(|(conversation, client_key, member)| Command::RemoveMember { conversation, client_key, member }),
        (c(), any::<bool>(), seq()).prop_map(|(conversation, read, seq)| Command::Mark {
            conversation,
            mark: if read { MarkKind::Read } else { MarkKind::Delivered },
            seq
        }),
        c().prop_map(|conversation| Command::Type { conversation }),
        users().prop_map(|users| Command::Watch { users }),
    ]
}

fn cursor() -> impl Strategy<Value = Cursor> {
    (0..=NUMBER_MAX, seq()).prop_map(|(incarnation, seq)| Cursor { incarnation: Incarnation(incarnation), seq })
}

fn query() -> impl Strategy<Value = Query> {
    let limit = || option::of(1..=NUMBER_MAX);
    let span = prop_oneof![Just(Span::Newest), seq().prop_map(Span::Before), seq().prop_map(Span::After)];
    prop_oneof![
        user().prop_map(|user| Query::User { user }),
        "\\PC{0,20}".prop_map(|username| Query::FindUser { username }),
        conversation().prop_map(|conversation| Query::Conversation { conversation }),
        (option::of("[a-z0-9]{1,40}"), limit()).prop_map(|(cursor, limit)| Query::Conversations { cursor, limit }),
        (conversation(), option::of(user()), limit()).prop_map(|(conversation, after, limit)| Query::Members {
            conversation,
            after,
            limit
        }),
        (conversation(), span, limit()).prop_map(|(conversation, span, limit)| Query::History { conversation, span, limit }),
        (option::of(cursor()), proptest::collection::btree_map(conversation(), cursor(), 0..5))
            .prop_map(|(user, conversations)| { Query::Sync { user, conversations: conversations.into_iter().collect() } }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let fact = || option::of("[ -~é]{1,30}");
    let device = (fact(), fact(), fact(), fact()).prop_map(|(id, platform, app, sdk)| Device { id, platform, app, sdk });
    let auth = ("[!-~]{1,40}", device, option::of(5_000_u64..=120_000)).prop_map(|(token, device, wish)| AuthRequest {
        token: Secret(token),
        device,
        heartbeat: wish.map(Duration::from_millis),
    });
    prop_oneof![
        1 => auth.prop_map(Op::Auth),
        1 => "[!-~]{1,40}".prop_map(|token| Op::AuthRefresh { token: Secret(token) }),
        1 => option::of(0..=NUMBER_MAX).prop_map(|pushes| Op::Beat { pushes }),
        1 => user().prop_map(|user| Op::OpenWith { user }),
        8 => command().prop_map(Op::Command),
        8 => query().prop_map(Op::Query),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    (option::of(any::<u32>()), op()).prop_map(|(id, op)| Request { id, op })
}

fn entry() -> impl Strategy<Value = Arc<Entry>> {
    let act = prop_oneof![
        content().prop_map(Act::Message),
        (group_name(), users()).prop_map(|(name, members)| Act::Created { name, members }),
        users().prop_map(|members| Act::Joined { members }),
        user().prop_map(|member| Act::Left { member }),
        conversation().prop_map(|conversation| Act::Appeared { conversation }),
        conversation().prop_map(|conversation| Act::Vanished { conversation }),
    ];
    (seq(), seq(), user(), user(), key(), any::<u32>(), act).prop_map(|(seq, pos, id, author, client_key, at, act)| {
        Arc::new(Entry {
            seq,
            pos: Pos(pos.get()),
            id: MessageId::new(id.get()).expect("valid"),
            author,
            client_key,
            at: Timestamp(i64::from(at) * 1_000_000),
            act,
        })
    })
}

fn marks() -> impl Strategy<Value = Marks> {
    (seq(), seq()).prop_map(|(delivered, read)| Marks {
        delivered: Mark { seq: delivered, ..Mark::default() },
        read: Mark { seq: read, ..Mark::default() },
        badge: Pos(0),
    })
}

fn user_view() -> impl Strategy<Value = UserView> {
    (user(), "[a-z0-9]{1,20}", "[a-zé😀 ]{0,20}").prop_map(|(id, username, name)| UserView {
        id,
        username: Username::new(&username).expect("valid"),
        name: DisplayName::new(&name).expect("valid"),
    })
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)]
}

fn conversation_view() -> impl Strategy<Value = ConversationView> {
    let direct = (option::of(user_view()), marks()).prop_map(|(peer, peer_marks)| About::Direct { peer, peer_marks });
    let group = (group_name(), 1_u64..10_000, role())
        .prop_map(|(name, members, role)| About::Group { group: GroupRow { name, members, created_at: Timestamp(0) }, role });
    (conversation(), cursor(), 0..=NUMBER_MAX, marks(), option::of(entry()), prop_oneof![direct, group]).prop_map(
        |(id, tail, count, marks, last, about)| ConversationView {
            id,
            tail,
            count: Pos(count),
            last_at: Timestamp(5_000),
            marks,
            unread: count,
            last,
            about,
        },
    )
}

fn resumed() -> impl Strategy<Value = Resumed> {
    prop_oneof![
        vec(entry(), 0..3).prop_map(Resumed::Complete),
        (seq(), seq()).prop_map(|(from, to)| Resumed::Gap { from, to }),
        Just(Resumed::Reset(ResetReason::Incarnation)),
        Just(Resumed::Reset(ResetReason::Ahead)),
        Just(Resumed::Reset(ResetReason::NotAMember)),
        seq().prop_map(|floor| Resumed::TooLong { floor }),
    ]
}

fn view() -> impl Strategy<Value = View> {
    let appended = (conversation(), seq(), seq(), user(), any::<bool>()).prop_map(|(conversation, seq, pos, id, duplicate)| Appended {
        conversation,
        seq,
        pos: Pos(pos.get()),
        id: MessageId::new(id.get()).expect("valid"),
        at: Timestamp(7_000),
        duplicate,
    });
    let membership = (user(), role(), seq()).prop_map(|(user, role, since)| (user, Membership { role, since, until: None }));
    let history = (conversation(), cursor(), vec(entry(), 0..4), any::<bool>())
        .prop_map(|(conversation, tail, entries, more)| HistoryView { conversation, tail, entries, more });
    let sync = (cursor(), resumed(), vec((conversation(), cursor(), resumed()), 0..3), vec(conversation_view(), 0..2))
        .prop_map(|(cursor, own, conversations, appeared)| SyncView { user: (cursor, own), conversations, appeared });
    prop_oneof![
        appended.prop_map(View::Appended),
        (seq(), 0..=NUMBER_MAX).prop_map(|(seq, unread)| View::Marked { seq, unread }),
        vec((user(), any::<bool>()).prop_map(|(user, online)| PresenceView { user, online }), 0..4).prop_map(View::Watching),
        Just(View::Done),
        user_view().prop_map(View::User),
        conversation_view().prop_map(|view| View::Conversation(Box::new(view))),
        (vec(conversation_view(), 0..3), option::of("[a-z]{1,9}")).prop_map(|(page, cursor)| View::Conversations { page, cursor }),
        (vec(membership, 0..4), any::<bool>()).prop_map(|(page, more)| View::Members { page, more }),
        history.prop_map(View::History),
        sync.prop_map(View::Sync),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let incarnation = || (0..=NUMBER_MAX).prop_map(Incarnation);
    prop_oneof![
        4 => (conversation(), incarnation(), entry())
            .prop_map(|(conversation, incarnation, entry)| Event::Entry { conversation, incarnation, entry }),
        1 => (incarnation(), entry()).prop_map(|(incarnation, entry)| Event::Own { incarnation, entry }),
        1 => (conversation(), vec((user(), marks()), 0..4), any::<bool>())
            .prop_map(|(conversation, marks, more)| Event::Receipts { conversation, marks, more }),
        1 => (conversation(), seq(), 0..=NUMBER_MAX)
            .prop_map(|(conversation, read, unread)| Event::Unread { conversation, read, unread, count: Pos(unread) }),
        1 => (conversation(), user()).prop_map(|(conversation, user)| Event::Typing { conversation, user }),
        1 => (user(), any::<bool>()).prop_map(|(user, online)| Event::Presence { user, online }),
    ]
}

/// The same tree from both renderings, with numbers that JavaScript holds.
fn same(render: impl Fn(Encoding) -> Vec<u8>) -> Tree {
    let json = Tree::of_json(&render(Encoding::Json));
    assert_eq!(json, Tree::of_msgpack(&render(Encoding::MessagePack)));
    assert!(json.is_safe(), "{json:?}");
    json
}

fn post_with(data: &Tree, encoding: Encoding) -> Content {
    let body = native::tree::map([("data", data.clone())]);
    let d = native::tree::map([("conv", native::tree::text("g1")), ("client_key", native::tree::text("k")), ("body", body)]);
    let frame = native::tree::map([("id", native::tree::int(1)), ("op", native::tree::text("msg.send")), ("d", d)]);
    let bytes = if encoding.is_text() { frame.json() } else { frame.msgpack() };
    match decode(encoding, &bytes, &Limits::default(), None).pop() {
        Some(Incoming::Request(Request { op: Op::Command(Command::Post { content, .. }), .. })) => content,
        other => unreachable!("a post with data is taken: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_have_an_outcome(bytes in vec(any::<u8>(), 0..200)) {
        for encoding in Encoding::ALL {
            prop_assert!(!decode(encoding, &bytes, &Limits::default(), None).is_empty());
        }
    }

    #[test]
    fn anything_like_json_has_an_outcome(text in "[\\[\\]{}:,\"a-e0-9.\\\\u$ -]{0,80}") {
        prop_assert!(!decode(Encoding::Json, text.as_bytes(), &Limits::default(), None).is_empty());
    }

    #[test]
    fn a_damaged_request_has_an_outcome(request in request(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index) {
        let tree = envelope(&request);
        for (encoding, mut bytes) in [(Encoding::Json, tree.json()), (Encoding::MessagePack, tree.msgpack())] {
            for (at, byte) in &flips {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            prop_assert!(!decode(encoding, &bytes, &Limits::default(), None).is_empty());
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(!decode(encoding, &bytes, &Limits::default(), None).is_empty());
        }
    }

    #[test]
    fn every_request_comes_through_in_both_encodings(request in request()) {
        let tree = envelope(&request);
        let expected = vec![Incoming::Request(request)];
        prop_assert_eq!(&decode(Encoding::Json, &tree.json(), &Limits::default(), None), &expected);
        prop_assert_eq!(&decode(Encoding::MessagePack, &tree.msgpack(), &Limits::default(), None), &expected);
    }

    #[test]
    fn a_batch_comes_through_in_order_with_its_broken_ones(requests in vec(request(), 1..6), broken: prop::sample::Index) {
        let trees: Vec<_> = requests.iter().map(envelope).collect();
        let at = broken.index(trees.len());
        let expected: Vec<_> = requests.into_iter().map(Incoming::Request).collect();
        let mut json: Vec<_> = trees.iter().map(|tree| String::from_utf8(tree.json()).expect("UTF-8")).collect();
        let mut msgpack: Vec<_> = trees.iter().map(Tree::msgpack).collect();
        json.insert(at, "{\"id\":77,\"op\":\"typing\",\"op\":\"typing\"}".to_owned());
        msgpack.insert(at, b"\x83\xa2id\x4d\xa2op\xa6typing\xa2op\xa6typing".to_vec());
        for (encoding, bytes) in [(Encoding::Json, format!("[{}]", json.join(",")).into_bytes()), (Encoding::MessagePack, msgpack.concat())] {
            let mut incoming = decode(encoding, &bytes, &Limits::default(), None);
            let refused = incoming.remove(at);
            prop_assert!(matches!(&refused, Incoming::Refused { id: Some(77), .. }), "{:?}", refused);
            prop_assert_eq!(&incoming, &expected);
        }
    }

    #[test]
    fn opaque_data_is_the_same_whichever_way_it_came_and_goes(data in data()) {
        let stored = post_with(&data, Encoding::Json);
        prop_assert_eq!(&stored, &post_with(&data, Encoding::MessagePack));
        let entry = Arc::new(Entry {
            seq: Seq::ZERO.next(),
            pos: Pos(1),
            id: MessageId::new(1).expect("valid"),
            author: UserId::new(1).expect("valid"),
            client_key: ClientKey::new("k").expect("valid"),
            at: Timestamp(0),
            act: Act::Message(stored),
        });
        let conversation = "g1".parse().expect("valid");
        let event = Event::Entry { conversation, incarnation: Incarnation(1), entry };
        let shown = same(|encoding| render_event(encoding, &event, &Limits::default()));
        let body = shown.get("d").and_then(|d| d.get("body")).and_then(|body| body.get("data"));
        prop_assert_eq!(body, Some(&data));
    }

    #[test]
    fn every_view_says_the_same_in_both_encodings(id: u32, view in view()) {
        let answer = Ok(view);
        let shown = same(|encoding| render_reply(encoding, id, &answer, "r"));
        prop_assert!(shown.get("ok").is_some());
    }

    #[test]
    fn every_event_says_the_same_in_both_encodings(event in event()) {
        same(|encoding| render_event(encoding, &event, &Limits::default()));
    }

    #[test]
    fn stored_bytes_that_are_no_data_never_spoil_a_frame(bytes in vec(any::<u8>(), 0..60)) {
        let content = Content { data: Some(Opaque(bytes.into())), ..Content::default() };
        let entry = Entry {
            seq: Seq::ZERO.next(),
            pos: Pos(1),
            id: MessageId::new(1).expect("valid"),
            author: UserId::new(1).expect("valid"),
            client_key: ClientKey::new("k").expect("valid"),
            at: Timestamp(0),
            act: Act::Message(content),
        };
        let event = Event::Entry { conversation: "g1".parse().expect("valid"), incarnation: Incarnation(1), entry: Arc::new(entry) };
        for encoding in Encoding::ALL {
            prop_assert!(!render_event(encoding, &event, &Limits::default()).is_empty());
        }
    }
}

#[test]
fn a_gap_without_a_conversation_is_of_the_users_own_log() {
    let seq = |value| Seq::new(value).expect("valid");
    let own = same(|encoding| render_gap(encoding, LogId::User(UserId::new(3).expect("valid")), seq(4), seq(9)));
    assert_eq!(own.get("d").and_then(|d| d.get("conv")), None);
}

#[test]
fn a_sync_of_more_conversations_than_allowed_is_refused_whole() {
    let one = |number: u64| Tree::List(vec![native::tree::text(format_args!("g{number}")), Tree::Int(1), Tree::Int(1)]);
    let sync = |count| {
        let d = native::tree::map([("convs", Tree::List((1..=count).map(one).collect()))]);
        native::tree::map([("id", native::tree::int(1)), ("op", native::tree::text("sync")), ("d", d)])
    };
    for encoding in Encoding::ALL {
        let decoded = |tree: &Tree| {
            let bytes = if encoding.is_text() { tree.json() } else { tree.msgpack() };
            decode(encoding, &bytes, &Limits::default(), None)
        };
        assert!(matches!(decoded(&sync(500)).as_slice(), [Incoming::Request(_)]));
        let refused = decoded(&sync(501));
        let [Incoming::Refused { id: Some(1), error }] = refused.as_slice() else { panic!("{refused:?}") };
        assert_eq!((error.code, error.field.as_deref()), (Code::TooManyItems, Some("convs")));
    }
}

#[test]
fn a_conversation_with_a_user_is_found_by_the_pair_and_nobody_has_one_with_himself() {
    let viewer = UserId::new(7).expect("valid");
    let ask = |other: u64| {
        let frame = format!("{{\"id\":1,\"op\":\"conv.get\",\"d\":{{\"user\":{other}}}}}");
        decode(Encoding::Json, frame.as_bytes(), &Limits::default(), Some(viewer))
    };
    let conversation = "d7-9".parse().expect("valid");
    let expected = Request { id: Some(1), op: Op::Query(Query::Conversation { conversation }) };
    assert_eq!(ask(9), [Incoming::Request(expected)]);
    let refused = ask(7);
    assert!(
        matches!(refused.as_slice(), [Incoming::Refused { id: Some(1), error }] if error.field.as_deref() == Some("user")),
        "{refused:?}"
    );
}

#[test]
fn a_value_that_claims_four_billion_items_costs_nothing() {
    for head in [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"] {
        let incoming = decode(Encoding::MessagePack, head, &Limits::default(), None);
        assert!(matches!(incoming.as_slice(), [Incoming::Refused { id: None, .. }]), "{incoming:?}");
    }
    let deep = [b"[".repeat(60_000), b"{\"a\":".repeat(10_000)];
    for payload in deep {
        let incoming = decode(Encoding::Json, &payload, &Limits::default(), None);
        assert!(matches!(incoming.as_slice(), [Incoming::Refused { .. }]));
    }
    for byte in [0x91_u8, 0x81] {
        let incoming = decode(Encoding::MessagePack, &vec![byte; 60_000], &Limits::default(), None);
        assert!(incoming.iter().all(|one| matches!(one, Incoming::Refused { .. })));
    }
}

#[test]
fn an_object_of_ten_thousand_keys_is_checked_without_comparing_each_with_each() {
    let keys: Vec<_> = (0..10_000).map(|number| format!("\"{number}\":1")).collect();
    let payload = format!("{{\"id\":1,\"op\":\"hb\",\"d\":{{{}}}}}", keys.join(","));
    let incoming = decode(Encoding::Json, payload.as_bytes(), &Limits::default(), None);
    let [Incoming::Refused { id: Some(1), error }] = incoming.as_slice() else { panic!("{incoming:?}") };
    assert_eq!(error.field.as_deref(), Some("0"));
}

#[test]
fn a_text_cut_within_an_emoji_spoils_its_own_request_alone() {
    let batch = br#"[{"id":1,"op":"hb"},{"d":{"username":"\ud83d"},"op":"user.find","id":2},{"id":3,"op":"hb"}]"#;
    let incoming = decode(Encoding::Json, batch, &Limits::default(), None);
    let beat = |id| Incoming::Request(Request { id: Some(id), op: Op::Beat { pushes: None } });
    let [first, Incoming::Refused { id: Some(2), error }, last] = incoming.as_slice() else { panic!("{incoming:?}") };
    assert_eq!((first, error.code, last), (&beat(1), Code::Malformed, &beat(3)));
}

#[test]
fn the_thirty_second_level_is_the_last_in_both_encodings_and_bytes_are_one() {
    let nested = |levels: usize, inner: Tree| (0..levels).fold(inner, |inner, _| Tree::List(vec![inner]));
    // The request, its d and its body are three levels.
    for (data, taken) in [
        (nested(29, Tree::Int(1)), true),
        (nested(30, Tree::Int(1)), false),
        (nested(28, Tree::Bytes(vec![1])), true),
        (nested(29, Tree::Bytes(vec![1])), false),
        (nested(29, Tree::Map(Vec::new())), false),
        (nested(30, Tree::Null), false),
    ] {
        let body = native::tree::map([("data", data)]);
        let d = native::tree::map([("conv", native::tree::text("g1")), ("client_key", native::tree::text("k")), ("body", body)]);
        let frame = native::tree::map([("id", native::tree::int(1)), ("op", native::tree::text("msg.send")), ("d", d)]);
        for (encoding, bytes) in [(Encoding::Json, frame.json()), (Encoding::MessagePack, frame.msgpack())] {
            let incoming = decode(encoding, &bytes, &Limits::default(), None);
            match incoming.as_slice() {
                [Incoming::Request(_)] => assert!(taken, "{encoding:?}"),
                [Incoming::Refused { id: Some(1), error }] => assert!(!taken && error.code == Code::Malformed, "{encoding:?}: {error:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn bytes_in_json_are_base64url_without_padding_and_nothing_else() {
    let send = |data: &str| {
        let frame = format!(r#"{{"id":1,"op":"msg.send","d":{{"conv":"g1","client_key":"k","body":{{"data":{data}}}}}}}"#);
        decode(Encoding::Json, frame.as_bytes(), &Limits::default(), None)
    };
    for data in [r#"{"$bytes":"3q2+7w"}"#, r#"{"$bytes":"3q2-7w=="}"#, r#"{"$bytes":"3"}"#, r#"{"$bytes":1}"#, r#"[{"$bytes":null}]"#] {
        let incoming = send(data);
        let [Incoming::Refused { id: Some(1), error }] = incoming.as_slice() else { panic!("{data}: {incoming:?}") };
        assert_eq!((error.code, error.field.as_deref()), (Code::Validation, Some("body.data")), "{data}");
    }
    assert!(matches!(send(r#"{"$bytes":"3q2-7w"}"#).as_slice(), [Incoming::Request(_)]));
    assert!(matches!(send(r#"{"$bytes":""}"#).as_slice(), [Incoming::Request(_)]));
}

#[test]
fn messagepack_numbers_may_be_wide_and_are_stored_short() {
    let one = |number: &[u8]| {
        let head = b"\x83\xa2id\x01\xa2op\xa8msg.send\xa1d\x83\xa4conv\xa2g1\xaaclient_key\xa1k\xa4body\x81\xa4data\x91";
        decode(Encoding::MessagePack, &[head.as_slice(), number].concat(), &Limits::default(), None)
    };
    let short = one(b"\x05");
    assert!(matches!(short.as_slice(), [Incoming::Request(_)]), "{short:?}");
    for wide in [&b"\xcc\x05"[..], b"\xcd\x00\x05", b"\xcf\0\0\0\0\0\0\0\x05", b"\xd0\x05", b"\xd3\0\0\0\0\0\0\0\x05"] {
        assert_eq!(one(wide), short);
    }
    assert_eq!(one(b"\xca\x3f\x00\x00\x00"), one(b"\xcb\x3f\xe0\0\0\0\0\0\0"));
    for refused in [&b"\xcb\x7f\xf0\0\0\0\0\0\0"[..], b"\xcb\x7f\xf8\0\0\0\0\0\0", b"\xd3\x80\0\0\0\0\0\0\0"] {
        let incoming = one(refused);
        let [Incoming::Refused { id: Some(1), error }] = incoming.as_slice() else { panic!("{incoming:?}") };
        assert_eq!(error.field.as_deref(), Some("body.data"));
    }
    let extension = one(b"\xd6\xff\0\0\0\0");
    assert!(matches!(extension.as_slice(), [Incoming::Refused { id: Some(1), error }] if error.code == Code::Malformed), "{extension:?}");
}

#[test]
fn an_extension_of_any_length_spoils_its_own_request_alone() {
    let fixed = [(0xd4_u8, 1_usize), (0xd5, 2), (0xd6, 4), (0xd7, 8), (0xd8, 16)];
    let mut extensions: Vec<Vec<u8>> = fixed.map(|(marker, count)| [vec![marker, 5], vec![0xc1; count]].concat()).into();
    extensions.extend([vec![0xc7, 1, 5, 0xc1], vec![0xc8, 0, 1, 5, 0xc1], vec![0xc9, 0, 0, 0, 1, 5, 0xc1]]);
    for extension in extensions {
        let spoilt = [b"\x83\xa1d\x81\xa1s".as_slice(), &extension, b"\xa2id\x07\xa2op\xa2hb"].concat();
        let frame = [spoilt.as_slice(), b"\x82\xa2id\x08\xa2op\xa2hb"].concat();
        let incoming = decode(Encoding::MessagePack, &frame, &Limits::default(), None);
        let intact = Incoming::Request(Request { id: Some(8), op: Op::Beat { pushes: None } });
        let [Incoming::Refused { id: Some(7), error }, last] = incoming.as_slice() else { panic!("{incoming:?}") };
        assert_eq!((error.code, last), (Code::Malformed, &intact));
    }
}

#[test]
fn stored_data_that_this_protocol_never_stores_is_left_out() {
    let shown = |stored: Vec<u8>| {
        let content = Content { text: "still here".into(), data: Some(Opaque(stored.into())), ..Content::default() };
        let entry = Arc::new(Entry {
            seq: Seq::ZERO.next(),
            pos: Pos(1),
            id: MessageId::new(1).expect("valid"),
            author: UserId::new(1).expect("valid"),
            client_key: ClientKey::new("k").expect("valid"),
            at: Timestamp(0),
            act: Act::Message(content),
        });
        let event = Event::Entry { conversation: "g1".parse().expect("valid"), incarnation: Incarnation(1), entry };
        let body = same(|encoding| render_event(encoding, &event, &Limits::default())).get("d").and_then(|d| d.get("body")).cloned();
        let body = body.expect("a body");
        assert!(body.get("text").is_some());
        body.get("data").is_some()
    };
    assert!(shown(b"\x91\x01".to_vec()));
    let deep = |levels: usize| [vec![0x91; levels], vec![0x01]].concat();
    assert!(shown(deep(32)) && !shown(deep(33)) && !shown(deep(100_000)));
    for damaged in [
        &b""[..],
        b"\x91",
        b"\x01\x01",
        b"\xa1\xff",
        b"\x81\x01\x01",
        b"\xcb\x7f\xf8\0\0\0\0\0\0",
        b"\xd4\x00\x00",
        b"\xcf\xff\0\0\0\0\0\0\0",
    ] {
        assert!(!shown(damaged.to_vec()), "{damaged:x?}");
    }
}
