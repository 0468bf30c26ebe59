//! One example of everything that the native protocol takes and says, built from the core's own words.

use std::sync::Arc;
use std::time::Duration;

use actors::account::{Account, AccountField, DisplayName, Email, Standing, Username};
use actors::command::{Command, Cursor, MarkKind, Query, Span};
use actors::content::{AboutText, ClientKey, Content, GroupName, Opaque};
use actors::entry::{Act, Entry, GroupRow, Membership, Preferences, Role};
use actors::event::Event;
use actors::id::{ConversationId, Incarnation, LogId, MessageId, Pos, Seq, SessionId, UserId};
use actors::limits::Limits;
use actors::media::{Attachment, MediaId, MediaKind};
use actors::outbound::CloseReason;
use actors::rejected::Rejected;
use actors::relation::Bond;
use actors::store::{Mark, Marks};
use actors::time::Timestamp;
use actors::view::{
    About, Appended, ConversationView, HistoryView, PresenceView, ResetReason, Resumed, Secret, SyncView, Tokens, UserView, View,
};
use parlance::protocol::codec::Encoding;
use parlance::protocol::error::{Code, WireError};
use parlance::protocol::registry::REGISTRY;
use parlance::protocol::request::{AuthRequest, Device, Op, Request};
use parlance::protocol::{media, rest, socket};

use crate::native::requests::envelope;
use crate::native::tree::{Tree, int, ints, map, text};
use crate::wider;

/// What a vector proves.
pub(crate) enum Proof {
    /// The server takes it, as this request.
    Takes(Box<Request>),
    /// The server refuses it: the request's number, the code and the field.
    Refuses(Option<u32>, Code, Option<&'static str>),
    /// The server says it, byte for byte.
    Says,
}

/// One example.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) json: Vec<u8>,
    /// `None` for what goes over HTTP, which is JSON alone.
    pub(crate) msgpack: Option<Vec<u8>>,
    pub(crate) proof: Proof,
}

/// Every example, in the order of the documentation.
pub(crate) fn all() -> Vec<Case> {
    let [wider_requests, wider_refused, wider_replies, wider_pushes] = wider::all();
    let requests = [requests(), wider_requests, refused_fields(), wider_refused, refused_frames()];
    let said = [replies(), wider_replies, pushes(), wider_pushes, errors(), http()];
    requests.into_iter().chain(said).flatten().collect()
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("valid")
}

pub(crate) fn seq(value: u64) -> Seq {
    Seq::new(value).expect("valid")
}

pub(crate) fn direct() -> ConversationId {
    "d7-9".parse().expect("valid")
}

pub(crate) fn group() -> ConversationId {
    "g12".parse().expect("valid")
}

pub(crate) fn key(text: &str) -> ClientKey {
    ClientKey::new(text).expect("valid")
}

pub(crate) fn cursor(incarnation: u64, at: u64) -> Cursor {
    Cursor { incarnation: Incarnation(incarnation), seq: seq(at) }
}

fn sample_data() -> Opaque {
    let tree = map([
        ("sticker", text("wave")),
        ("size", int(2)),
        ("tilt", Tree::Float(0.5)),
        ("thumb", Tree::Bytes(vec![0xde, 0xad, 0xbe, 0xef])),
        ("tags", Tree::List(vec![Tree::Null, Tree::Bool(true)])),
    ]);
    Opaque(tree.msgpack().into())
}

pub(crate) fn hello_there() -> Content {
    Content { text: "Hello, Ben 👋".into(), ..Content::default() }
}

fn with_everything() -> Content {
    Content { text: "look".into(), data: Some(sample_data()), reply_to: Some(seq(40)), mentions: vec![user(9)], ..Content::default() }
}

fn requests() -> Vec<Case> {
    let change = |name, command| (name, Op::Command(command));
    let ask = |name, query| (name, Op::Query(query));
    let (conversation, client_key) = (direct(), key("b7f1-0001"));
    let history = |span, limit| Query::History { conversation, span, limit };
    let ops = vec![
        (
            "auth",
            Op::Auth(AuthRequest {
                token: Secret("eyJ0eXAi.eyJzdWIi.c2lnbmF0".to_owned()),
                device: Device {
                    id: Some("3f9c".to_owned()),
                    platform: Some("web".to_owned()),
                    app: Some("demo 1.0".to_owned()),
                    sdk: None,
                },
                heartbeat: Some(Duration::from_mins(1)),
            }),
        ),
        ("auth.refresh", Op::AuthRefresh { token: Secret("eyJ0eXAi.eyJzdWIi.bmV3b25l".to_owned()) }),
        ("hb", Op::Beat { pushes: Some(17) }),
        ask("user.get", Query::User { user: user(9) }),
        ask("user.find", Query::FindUser { username: "ben".to_owned() }),
        ask("conv.get", Query::Conversation { conversation: group() }),
        ("conv.get of a user", Op::OpenWith { user: user(9) }),
        ask("conv.list", Query::Conversations { cursor: Some("MTc2".to_owned()), limit: Some(50) }),
        change(
            "group.create",
            Command::CreateGroup {
                client_key: key("b7f1-0002"),
                name: GroupName::new("Rowing").expect("valid"),
                members: vec![user(9), user(11)],
                open: false,
            },
        ),
        change("group.add", Command::AddMembers { conversation: group(), client_key: key("b7f1-0003"), members: vec![user(15)] }),
        change("group.remove", Command::RemoveMember { conversation: group(), client_key: key("b7f1-0004"), member: user(11) }),
        ask("group.members", Query::Members { conversation: group(), after: Some(user(9)), limit: Some(100) }),
        change("msg.send", Command::Post { conversation, client_key: client_key.clone(), content: hello_there(), media: vec![] }),
        change(
            "msg.send with everything",
            Command::Post {
                conversation,
                client_key: key("b7f1-0005"),
                content: with_everything(),
                media: vec![MediaId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)],
            },
        ),
        ask("msg.history", history(Span::Newest, Some(50))),
        ask("msg.history before", history(Span::Before(seq(41)), Some(50))),
        ask("msg.history after", history(Span::After(seq(41)), None)),
        change("read", Command::Mark { conversation, mark: MarkKind::Read, seq: seq(42), private: false }),
        change("delivered", Command::Mark { conversation, mark: MarkKind::Delivered, seq: seq(42), private: false }),
        change("typing", Command::Type { conversation }),
        change("presence.watch", Command::Watch { users: vec![user(9), user(11)] }),
        ask(
            "sync",
            Query::Sync { user: Some(cursor(3_141, 6)), conversations: vec![(direct(), cursor(2_718, 40)), (group(), cursor(1_618, 3))] },
        ),
    ];
    ops.into_iter().zip(1..).map(|((name, op), id)| taken(name, id, op)).collect()
}

/// A request that the server takes.
pub(crate) fn taken(name: &str, id: u32, op: Op) -> Case {
    // An ephemeral op asks for no reply.
    let request = Request { id: (name != "typing").then_some(id), op };
    let tree = envelope(&request);
    let proof = Proof::Takes(Box::new(request));
    Case { name: name.to_owned(), kind: "request", json: tree.json(), msgpack: Some(tree.msgpack()), proof }
}

/// Requests that can be read, each with one field that is not as it must be.
fn refused_fields() -> Vec<Case> {
    let request = |op: &str, d: Tree| map([("id", int(5)), ("op", text(op)), ("d", d)]);
    let send = |key: &str, body: Tree| request("msg.send", map([("conv", text("d7-9")), ("client_key", text(key)), ("body", body)]));
    let read = |at: Tree| request("read", map([("conv", text("d7-9")), ("seq", at)]));
    let hi = || map([("text", text("hi"))]);
    let data = |data: Tree| send("k", map([("data", data)]));
    let cursor = |conv: &str| Tree::List(vec![text(conv), int(2_718), int(40)]);
    let twice = Tree::List(vec![cursor("d7-9"), cursor("d7-9")]);
    let both = map([("conv", text("d7-9")), ("before", int(9)), ("after", int(3))]);
    let reserved = map([("$bytes", text("3q2-7w")), ("more", int(1))]);
    let requests = [
        ("a field that is not known", send("k", map([("txt", text("hi"))])), "body.txt"),
        ("a field beside id, op and d", map([("id", int(5)), ("op", text("hb")), ("to", int(9))]), "to"),
        ("a field that is missing", request("read", map([("conv", text("d7-9"))])), "seq"),
        ("a seq that is a text", read(text("42")), "seq"),
        ("a seq that is a float", read(Tree::Float(42.0)), "seq"),
        ("a seq below zero", read(Tree::Int(-1)), "seq"),
        ("a seq of zero", read(int(0)), "seq"),
        ("a seq beyond 2^53 - 1", read(int(1 << 53)), "seq"),
        ("an empty client key", send("", hi()), "client_key"),
        ("a client key of 65 bytes", send(&"k".repeat(65), hi()), "client_key"),
        ("a body that is a text", send("k", text("hi")), "body"),
        ("data with a number beyond 2^53 - 1", data(ints([1 << 53])), "body.data"),
        ("data with the reserved key", data(reserved), "body.data"),
        ("a conversation with the greater user first", request("typing", map([("conv", text("d9-7"))])), "conv"),
        ("a user that is none", request("presence.watch", map([("users", ints([9, 0]))])), "users[1]"),
        ("a history before and after", request("msg.history", both), "after"),
        ("a conversation twice in one sync", request("sync", map([("convs", twice)])), "convs[1]"),
        ("a limit of zero", request("conv.list", map([("limit", int(0))])), "limit"),
        ("a heartbeat wish out of range", request("auth", map([("token", text("t")), ("hb_ms", int(100))])), "hb_ms"),
    ];
    let case = |(name, tree, field): (_, Tree, _)| refusal(name, [tree.json(), tree.msgpack()], (Some(5), Code::Validation, Some(field)));
    requests.into_iter().map(case).collect()
}

/// Frames that cannot be read, or whose request cannot be told from its envelope.
fn refused_frames() -> Vec<Case> {
    let nested = (0..32).fold(Tree::Null, |inner, _| Tree::List(vec![inner]));
    let trees = [
        ("an op that is not known", map([("id", int(5)), ("op", text("msg.sing"))]), (Some(5), Code::UnknownOp, Some("op"))),
        ("an id that is a text", map([("id", text("5")), ("op", text("hb"))]), (None, Code::Validation, Some("id"))),
        ("an id beyond 2^32 - 1", map([("id", int(1 << 32)), ("op", text("hb"))]), (None, Code::Validation, Some("id"))),
        ("a request that is no object", text("hb"), (None, Code::Malformed, None)),
        ("more than 32 levels", map([("id", int(5)), ("op", text("hb")), ("d", nested)]), (Some(5), Code::Malformed, None)),
    ];
    let raw: [(&str, &[u8], &[u8], _); 5] = [
        ("an id twice", br#"{"id":5,"op":"hb","id":6}"#, b"\x83\xa2id\x05\xa2op\xa2hb\xa2id\x06", (None, Code::Malformed, Some("id"))),
        (
            "a key twice",
            br#"{"id":5,"op":"hb","op":"hb"}"#,
            b"\x83\xa2id\x05\xa2op\xa2hb\xa2op\xa2hb",
            (Some(5), Code::Malformed, Some("op")),
        ),
        (
            "half of a surrogate pair, or no UTF-8",
            br#"{"id":5,"op":"user.find","d":{"username":"\ud83d"}}"#,
            b"\x83\xa2id\x05\xa2op\xa9user.find\xa1d\x81\xa8username\xa1\xff",
            (Some(5), Code::Malformed, None),
        ),
        ("a frame that ends too early", br#"{"op":"hb","d":{"s":"#, b"\x82\xa2op\xa2hb\xa1d\x81\xa1s", (None, Code::Malformed, None)),
        ("no request at all", b"[]", b"", (None, Code::Malformed, None)),
    ];
    let mut cases: Vec<_> = trees.map(|(name, tree, outcome)| refusal(name, [tree.json(), tree.msgpack()], outcome)).into();
    cases.extend(raw.map(|(name, json, msgpack, outcome)| refusal(name, [json.to_vec(), msgpack.to_vec()], outcome)));
    let beat = map([("op", text("hb"))]);
    let many = [Tree::List(vec![beat.clone(); 65]).json(), beat.msgpack().repeat(65)];
    cases.push(refusal("65 requests in one frame", many, (None, Code::BatchTooLarge, None)));
    cases
}

pub(crate) fn refusal(name: &str, [json, msgpack]: [Vec<u8>; 2], outcome: (Option<u32>, Code, Option<&'static str>)) -> Case {
    let proof = Proof::Refuses(outcome.0, outcome.1, outcome.2);
    Case { name: format!("refused: {name}"), kind: "refused", json, msgpack: Some(msgpack), proof }
}

pub(crate) fn says(name: impl Into<String>, kind: &'static str, render: impl Fn(Encoding) -> Vec<u8>) -> Case {
    let (json, msgpack) = (render(Encoding::Json), Some(render(Encoding::MessagePack)));
    Case { name: name.into(), kind, json, msgpack, proof: Proof::Says }
}

pub(crate) fn entry(at: u64, author: u64, client_key: &str, act: Act) -> Arc<Entry> {
    Arc::new(Entry {
        seq: seq(at),
        pos: Pos(at - 1),
        id: MessageId::new(4_096 * 5 + at - 1).expect("valid"),
        author: user(author),
        client_key: key(client_key),
        at: Timestamp(1_767_225_600_000_000 + i64::try_from(at).expect("small") * 1_000_000),
        act,
    })
}

pub(crate) fn marks(delivered: u64, read: u64) -> Marks {
    let mark = |at| Mark { seq: seq(at), ..Mark::default() };
    Marks { delivered: mark(delivered), read: mark(read), badge: Pos(0) }
}

pub(crate) fn ann() -> UserView {
    person(7, "ann", "Ann")
}

pub(crate) fn person(id: u64, username: &str, name: &str) -> UserView {
    UserView {
        id: user(id),
        username: Username::new(username).expect("valid"),
        name: DisplayName::new(name).expect("valid"),
        first_name: DisplayName::default(),
        last_name: DisplayName::default(),
        about: AboutText::default(),
        picture: None,
        email: Email::new("hidden@example.org").expect("valid"),
        standing: Standing::Active,
        created_at: Timestamp(0),
    }
}

pub(crate) fn conversation_views() -> [ConversationView; 2] {
    let message = entry(42, 7, "b7f1-0001", Act::Message(hello_there()));
    [
        ConversationView {
            id: direct(),
            tail: cursor(2_718, 42),
            count: Pos(41),
            last_at: message.at,
            marks: marks(42, 42),
            unread: 0,
            last: Some(message.into()),
            preferences: Preferences::default(),
            about: About::Direct {
                peer: Some(person(9, "ben", "Ben")),
                peer_marks: marks(41, 40),
                bond: Bond::new(actors::id::Pair::new(user(7), user(9)).expect("two users")),
                number: None,
            },
        },
        ConversationView {
            id: group(),
            tail: cursor(1_618, 0),
            count: Pos(0),
            last_at: Timestamp(1_767_225_601_000_000),
            marks: marks(0, 0),
            unread: 0,
            last: None,
            preferences: Preferences::default(),
            about: About::Group {
                group: GroupRow {
                    name: GroupName::new("Rowing").expect("valid"),
                    members: 3,
                    created_at: Timestamp(0),
                    about: AboutText::default(),
                    picture: None,
                    open: false,
                    updated_at: Timestamp(0),
                },
                role: Role::Owner,
            },
        },
    ]
}

fn replies() -> Vec<Case> {
    let [direct_view, group_view] = conversation_views();
    let appended = |conversation, at, duplicate| {
        View::Appended(Appended {
            conversation,
            seq: seq(at),
            pos: Pos(at - 1),
            id: MessageId::new(4_096 * 5 + at - 1).expect("valid"),
            at: Timestamp(1_767_225_600_000_000 + i64::try_from(at).expect("small") * 1_000_000),
            duplicate,
        })
    };
    let membership = |number, role, since| (user(number), Membership { role, since: seq(since), until: None });
    let message = entry(42, 7, "b7f1-0001", Act::Message(hello_there()));
    let appeared = entry(7, 7, "appeared-g20", Act::Appeared { conversation: "g20".parse().expect("valid") });
    let sync = SyncView {
        user: (cursor(3_141, 7), Resumed::Complete(vec![appeared.into()])),
        conversations: vec![
            (direct(), cursor(2_718, 42), Resumed::Complete(vec![Arc::clone(&message).into()])),
            (group(), cursor(1_618, 900), Resumed::Gap { from: seq(4), to: seq(900) }),
            ("g13".parse().expect("valid"), cursor(99, 8), Resumed::Reset(ResetReason::Incarnation)),
            ("g14".parse().expect("valid"), cursor(98, 8), Resumed::Reset(ResetReason::Ahead)),
            ("g15".parse().expect("valid"), cursor(0, 0), Resumed::Reset(ResetReason::NotAMember)),
            ("g16".parse().expect("valid"), cursor(97, 70_000), Resumed::TooLong { floor: seq(65_536) }),
        ],
        appeared: vec![ConversationView { id: "g20".parse().expect("valid"), ..group_view.clone() }],
    };
    let views = vec![
        ("a message stored", 13, appended(direct(), 42, false)),
        ("a message that was there", 13, appended(direct(), 42, true)),
        ("a change of a group stored", 9, appended(group(), 1, false)),
        ("a mark", 18, View::Marked { seq: seq(42), unread: 0 }),
        (
            "whom one watches",
            21,
            View::Watching(vec![
                PresenceView { user: user(9), online: true, last_seen: None },
                PresenceView { user: user(11), online: false, last_seen: None },
            ]),
        ),
        ("nothing but success", 3, View::Done),
        ("a user", 4, View::User(person(9, "ben", "Ben"))),
        ("a direct conversation", 7, View::Conversation(Box::new(direct_view.clone()))),
        ("a group", 6, View::Conversation(Box::new(group_view.clone()))),
        ("conversations", 8, View::Conversations { page: vec![direct_view, group_view], cursor: Some("MTc3".to_owned()) }),
        ("members", 12, View::Members { page: vec![membership(11, Role::Member, 1), membership(15, Role::Admin, 2)], more: false }),
        (
            "history",
            15,
            View::History(HistoryView {
                conversation: direct(),
                tail: cursor(2_718, 42),
                entries: vec![message.into()],
                floor: Seq::ZERO,
                more: true,
            }),
        ),
        ("sync", 22, View::Sync(sync)),
    ];
    let (session, left) = (SessionId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), Duration::from_mins(15));
    let mut cases = vec![
        says("ok: auth", "reply", |encoding| socket::render_auth_ok(encoding, 1, &ann(), session, left)),
        says("ok: auth.refresh", "reply", |encoding| socket::render_refresh_ok(encoding, 2, left)),
    ];
    cases.extend(views.into_iter().map(|(name, id, view)| {
        let answer = Ok(view);
        says(format!("ok: {name}"), "reply", |encoding| socket::render_reply(encoding, id, &answer, ""))
    }));
    cases
}

/// An entry of a conversation, as a push.
pub(crate) fn in_log(conversation: ConversationId, act: Act) -> Event {
    Event::Entry { conversation, incarnation: Incarnation(2_718), entry: entry(42, 7, "b7f1-0001", act), scene: None }
}

/// An entry of a user's own log, as a push.
pub(crate) fn in_own_log(act: Act) -> Event {
    Event::Own { incarnation: Incarnation(3_141), entry: entry(7, 7, "appeared-g12", act) }
}

fn pushes() -> Vec<Case> {
    let limits = Limits::default();
    let (of, own, members) = (in_log, in_own_log, || vec![user(9), user(11)]);
    let name = GroupName::new("Rowing").expect("valid");
    let events = vec![
        ("entry", of(direct(), Act::Message(hello_there()))),
        ("entry: a message with everything", of(direct(), Act::Message(with_everything()))),
        ("entry: created", of(group(), Act::Created { name, members: members(), open: false })),
        ("entry: joined", of(group(), Act::Joined { members: members() })),
        ("entry: left", of(group(), Act::Left { member: user(11) })),
        ("own: appeared", own(Act::Appeared { conversation: group() })),
        ("own: vanished", own(Act::Vanished { conversation: group() })),
        ("receipts", Event::Receipts { conversation: direct(), marks: vec![(user(9), marks(42, 41))], more: false }),
        ("unread", Event::Unread { conversation: direct(), read: seq(42), unread: 0, count: Pos(41), total: None }),
        ("typing", Event::Typing { conversation: direct(), user: user(9) }),
        ("presence", Event::Presence { user: user(9), online: true, last_seen: None }),
    ];
    let hello = socket::Hello {
        time: Timestamp(1_767_225_600_000_000),
        session: SessionId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        build: "0.1.0",
        limits: &limits,
    };
    let mut cases = vec![
        says("push hello", "push", |encoding| socket::render_hello(encoding, &hello)),
        says("push hb", "push", |encoding| socket::render_beat(encoding, 17)),
    ];
    let event = |(name, event)| says(format!("push {name}"), "push", |encoding| socket::render_event(encoding, &event, &limits));
    cases.extend(events.into_iter().map(event));
    let error = WireError::with(Code::Malformed, "the MessagePack value is not complete");
    cases.extend([
        says("push gap", "push", |encoding| socket::render_gap(encoding, LogId::from(direct()), seq(43), seq(97))),
        says("push gap of the own log", "push", |encoding| socket::render_gap(encoding, LogId::from(user(7)), seq(8), seq(9))),
        says("push auth.expiring", "push", |encoding| socket::render_expiring(encoding, Duration::from_mins(3))),
        says("push error", "push", |encoding| socket::render_refused(encoding, None, &error, "7f3a-19")),
    ]);
    cases.extend(close_reasons().into_iter().map(|reason| {
        let (code, _) = parlance::protocol::close::close_code(&reason);
        says(format!("push bye {code}"), "push", |encoding| socket::render_bye(encoding, &reason))
    }));
    cases
}

/// Every reason; the match makes a new one break this list.
pub(crate) fn close_reasons() -> Vec<CloseReason> {
    let next = |reason: CloseReason| match reason {
        CloseReason::Drain { .. } => Some(CloseReason::Heartbeat),
        CloseReason::Heartbeat => Some(CloseReason::Slow),
        CloseReason::Slow => Some(CloseReason::Overloaded),
        CloseReason::Overloaded => Some(CloseReason::Internal),
        CloseReason::Internal => Some(CloseReason::TokenExpired),
        CloseReason::TokenExpired => Some(CloseReason::RateLimited),
        CloseReason::RateLimited => Some(CloseReason::AuthTimeout),
        CloseReason::AuthTimeout => Some(CloseReason::BadFrame),
        CloseReason::BadFrame => Some(CloseReason::InvalidToken),
        CloseReason::InvalidToken => Some(CloseReason::Revoked),
        CloseReason::Revoked => Some(CloseReason::Disabled),
        CloseReason::Disabled => Some(CloseReason::TooManySessions),
        CloseReason::TooManySessions => None,
    };
    std::iter::successors(Some(CloseReason::Drain { after: Duration::from_millis(1_250) }), |reason| next(*reason)).collect()
}

/// Every refusal of the core; the match makes a new one break this list.
pub(crate) fn rejections() -> Vec<Rejected> {
    let after = Duration::from_millis(800);
    let next = |rejected: &Rejected| match rejected {
        Rejected::Field { .. } => Some(Rejected::EmptyMessage),
        Rejected::EmptyMessage => Some(Rejected::BodyTooLarge { max: 32_768 }),
        Rejected::BodyTooLarge { .. } => Some(Rejected::TooManyItems { field: "members", max: 200 }),
        Rejected::TooManyItems { .. } => Some(Rejected::InvalidCredential),
        Rejected::InvalidCredential => Some(Rejected::ExpiredCredential),
        Rejected::ExpiredCredential => Some(Rejected::WrongPassword),
        Rejected::WrongPassword => Some(Rejected::AccountDisabled),
        Rejected::AccountDisabled => Some(Rejected::InvalidRefresh),
        Rejected::InvalidRefresh => Some(Rejected::InvalidAccount { field: AccountField::Password }),
        Rejected::InvalidAccount { .. } => Some(Rejected::Taken { field: AccountField::Username }),
        Rejected::Taken { .. } => Some(Rejected::NoSuchUser),
        Rejected::NoSuchUser => Some(Rejected::NoSuchConversation),
        Rejected::NoSuchConversation => Some(Rejected::NoSuchEntry { seq: seq(40) }),
        Rejected::NoSuchEntry { .. } => Some(Rejected::NotAMessage { seq: seq(40) }),
        Rejected::NotAMessage { .. } => Some(Rejected::MessageDeleted { seq: seq(40) }),
        Rejected::MessageDeleted { .. } => Some(Rejected::NotTheAuthor),
        Rejected::NotTheAuthor => Some(Rejected::MessageFull { what: "different reactions", max: 32 }),
        Rejected::MessageFull { .. } => Some(Rejected::NoSuchMedia),
        Rejected::NoSuchMedia => Some(Rejected::Blocked { by: user(9) }),
        Rejected::Blocked { .. } => Some(Rejected::AlreadyFriends),
        Rejected::AlreadyFriends => Some(Rejected::AlreadyRequested { from: user(9) }),
        Rejected::AlreadyRequested { .. } => Some(Rejected::RelationExists),
        Rejected::RelationExists => Some(Rejected::NoSuchRequest),
        Rejected::NoSuchRequest => Some(Rejected::NotFriends),
        Rejected::NotFriends => Some(Rejected::TooManyRelations { max: 5_000 }),
        Rejected::TooManyRelations { .. } => Some(Rejected::InvitationNeeded),
        Rejected::InvitationNeeded => Some(Rejected::NoSuchLogin),
        Rejected::NoSuchLogin => Some(Rejected::RoleTooLow),
        Rejected::RoleTooLow => Some(Rejected::OwnerCannotLeave),
        Rejected::OwnerCannotLeave => Some(Rejected::NotAGroup),
        Rejected::NotAGroup => Some(Rejected::GroupFull { max: 10_000 }),
        Rejected::GroupFull { .. } => Some(Rejected::KeyReused { seq: seq(42) }),
        Rejected::KeyReused { .. } => Some(Rejected::AheadOfLog { tail: seq(42) }),
        Rejected::AheadOfLog { .. } => Some(Rejected::TooFast { bucket: "posts_user", after }),
        Rejected::TooFast { .. } => Some(Rejected::Busy { after }),
        Rejected::Busy { .. } => Some(Rejected::Unavailable { after }),
        Rejected::Unavailable { .. } => Some(Rejected::Draining),
        Rejected::Draining => Some(Rejected::Unknown),
        Rejected::Unknown => Some(Rejected::Frozen),
        Rejected::Frozen => Some(Rejected::Internal),
        Rejected::Internal => None,
    };
    std::iter::successors(Some(Rejected::Field { field: "conv", why: "must be a group" }), |rejected| next(rejected)).collect()
}

fn errors() -> Vec<Case> {
    let core: Vec<_> = rejections().iter().map(WireError::from).collect();
    let example = |code| core.iter().find(|error| error.code == code).cloned().unwrap_or_else(|| WireError::new(code));
    let case = |row: &parlance::protocol::registry::Row| {
        let error = example(row.code);
        says(format!("err: {}", row.name), "error", |encoding| socket::render_refused(encoding, Some(5), &error, "7f3a-19"))
    };
    REGISTRY.iter().map(case).collect()
}

/// Ann's account as she sees it herself.
pub(crate) fn ann_of_her_own() -> Account {
    let (username, email) = (Username::new("ann").expect("valid"), Email::new("ann@example.org").expect("valid"));
    Account::new(user(7), username, email, DisplayName::new("Ann").expect("valid"), None, Timestamp(1_767_225_600_000_000))
}

fn http() -> Vec<Case> {
    let tokens = Tokens {
        user: ann(),
        access: Secret("eyJ0eXAi.eyJzdWIi.c2lnbmF0".to_owned()),
        access_life: Duration::from_mins(15),
        refresh: Secret("r1.0123456789abcdef0123456789abcdef.c2VjcmV0".to_owned()),
        refresh_life: Duration::from_hours(720),
    };
    let account = ann_of_her_own();
    let taken = Rejected::Taken { field: AccountField::Username };
    let body = |name: &str, json: Vec<u8>| Case { name: format!("http: {name}"), kind: "http", json, msgpack: None, proof: Proof::Says };
    let attachment = Attachment {
        id: MediaId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        name: "Hello 👋.png".into(),
        kind: MediaKind::Png,
        bytes: 20_521,
        pixels: Some((640, 480)),
        uploaded_at: Timestamp(1_767_225_642_000_000),
        expires_at: Some(Timestamp(1_767_229_242_000_000)),
    };
    vec![
        body("tokens", rest::tokens(&tokens)),
        body("me", rest::me(&account)),
        body("problem", rest::problem(&taken, "7f3a-19").1),
        body("file", media::attachment(&attachment)),
    ]
}
