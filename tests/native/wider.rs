//! Examples of people and groups beyond plain messages: accounts, relations, roles and invitations, what becomes of a
//! message, preferences and notices.

use std::sync::Arc;

use actors::account::{Audience, DisplayName, Email, Password, Picture, Privacy, Standing, Username};
use actors::command::{BondFilter, Command, Manage, MarkKind, ProfileChange, Query, Wish};
use actors::content::{AboutText, Content, Forwarded, GroupName, Reaction};
use actors::entry::{Act, Amendment, Digest, Erased, GroupChange, Invitation, Notice, Preferences, Role, Setting};
use actors::event::Event;
use actors::id::{DirectNumber, Door, GroupId, Incarnation, LoginId, MessageId, Pair, Pos};
use actors::limits::Limits;
use actors::media::{Attachment, MediaId, MediaKind};
use actors::relation::{Bond, BondChange, Relation, Side, Step};
use actors::time::Timestamp;
use actors::view::{
    About, BondView, ConversationView, HistoryView, LoginView, NoticeView, NoticesView, PresenceView, Shown, UserView, View,
};
use parlance::protocol::error::Code;
use parlance::protocol::request::Op;
use parlance::protocol::socket;

use crate::cases::{
    Case, ann, ann_of_her_own, conversation_views, cursor, direct, entry, group, hello_there, in_log, in_own_log, key, person, refusal,
    says, seq, taken, user,
};
use crate::native::tree::{Tree, int, ints, map, text};

const FILE: MediaId = MediaId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
const LOGIN: LoginId = LoginId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);

/// Requests, refused requests, replies and pushes.
pub(crate) fn all() -> [Vec<Case>; 4] {
    let requests = [of_accounts(), of_people(), of_conversations(), of_groups(), of_messages()];
    let requests = requests.into_iter().flatten().zip(30..).map(|((name, op), id)| taken(name, id, op)).collect();
    [requests, refused(), replies(), pushes()]
}

fn at(second: i64) -> Timestamp {
    Timestamp(1_767_225_600_000_000 + second * 1_000_000)
}

fn about(words: &str) -> AboutText {
    AboutText::new(words).expect("valid")
}

fn name(words: &str) -> DisplayName {
    DisplayName::new(words).expect("valid")
}

fn wave() -> Reaction {
    Reaction::new("👋").expect("valid")
}

fn pair() -> Pair {
    Pair::new(user(7), user(9)).expect("two users")
}

fn of_accounts() -> Vec<(&'static str, Op)> {
    let profile = ProfileChange {
        username: Some(Username::new("ann_b").expect("valid")),
        name: Some(name("Ann B")),
        first_name: Some(name("Ann")),
        last_name: Some(name("Brown")),
        about: Some(about("rows\nand reads")),
        picture: Some(Some(FILE)),
        privacy: Some(Privacy { presence: Audience::Friends, receipts: false, searchable: true, groups: Audience::Nobody }),
    };
    let bare = ProfileChange { picture: Some(None), ..ProfileChange::default() };
    let password = || Password::given("correct horse");
    vec![
        ("account.get", Op::Manage(Manage::Show)),
        ("account.update", Op::Manage(Manage::Profile(Box::new(profile)))),
        ("account.update without a picture", Op::Manage(Manage::Profile(Box::new(bare)))),
        ("account.password", Op::Manage(Manage::Password { old: password(), new: Password::new("battery staple").expect("valid") })),
        ("account.email", Op::Manage(Manage::Email { password: password(), email: Email::new("ann@example.net").expect("valid") })),
        ("account.deactivate", Op::Manage(Manage::Deactivate { password: password() })),
        ("account.delete", Op::Manage(Manage::Delete { password: password() })),
        ("login.list", Op::Manage(Manage::Logins)),
        ("login.end", Op::Manage(Manage::EndLogin(LOGIN))),
        ("login.end_others", Op::Manage(Manage::EndOtherLogins)),
        ("login.end_all", Op::Manage(Manage::EndAllLogins)),
    ]
}

fn of_people() -> Vec<(&'static str, Op)> {
    let relate = |step| Op::Command(Command::Relate { peer: user(9), step, door: Door::default() });
    vec![
        ("user.search", Op::Query(Query::SearchUsers { prefix: "be".to_owned(), limit: Some(10) })),
        ("relation.get", Op::Query(Query::Bond { peer: user(9) })),
        ("relation.list", Op::Query(Query::Bonds { filter: BondFilter::Incoming, cursor: Some("MTc2".to_owned()), limit: Some(50) })),
        ("relation.request", relate(Step::Request { own: Side::Pending, anew: true })),
        ("relation.accept", relate(Step::Accept)),
        ("relation.decline", relate(Step::Decline)),
        ("relation.remove", relate(Step::Unfriend)),
        ("relation.block", relate(Step::Block)),
        ("relation.unblock", relate(Step::Unblock)),
        ("presence.get", Op::Query(Query::Presence { users: vec![user(9), user(11)] })),
    ]
}

fn of_conversations() -> Vec<(&'static str, Op)> {
    let set =
        |number: u8, setting| Op::Command(Command::Set { conversation: direct(), client_key: key(&format!("b7f1-001{number}")), setting });
    vec![
        ("conv.set muted", set(0, Wish::Mute(Some(at(3_600))))),
        ("conv.set loud", set(1, Wish::Mute(None))),
        ("conv.set archived", set(2, Wish::Archive(true))),
        ("conv.set cleared", set(3, Wish::Clear(seq(40)))),
        ("conv.set without one message", set(4, Wish::Hide(seq(41)))),
        ("unread.get", Op::Query(Query::Unread)),
        ("read in private", Op::Command(Command::Mark { conversation: direct(), mark: MarkKind::Read, seq: seq(42), private: true })),
        ("notice.list", Op::Query(Query::Notices { before: Some(seq(9)), limit: Some(50) })),
        ("notice.read", Op::Command(Command::ReadNotices { up_to: seq(8) })),
    ]
}

fn of_groups() -> Vec<(&'static str, Op)> {
    let (conversation, key) = (group(), |number: u8| key(&format!("b7f1-002{number}")));
    let change = GroupChange {
        name: Some(GroupName::new("Rowing club").expect("valid")),
        about: Some(about("Tuesdays at six")),
        picture: None,
        open: Some(true),
    };
    let open =
        Command::CreateGroup { client_key: key(0), name: GroupName::new("Rowing").expect("valid"), members: vec![user(9)], open: true };
    let commands = vec![
        ("group.create for everybody", open),
        ("group.update", Command::ChangeGroup { conversation, client_key: key(1), change, picture: Some(Some(FILE)) }),
        (
            "group.update without a picture",
            Command::ChangeGroup { conversation, client_key: key(2), change: GroupChange::default(), picture: Some(None) },
        ),
        ("group.role", Command::SetRole { conversation, client_key: key(3), member: user(9), role: Role::Admin }),
        ("group.hand_over", Command::HandOver { conversation, client_key: key(4), to: user(9) }),
        ("group.invite", Command::Invite { conversation, client_key: key(5), users: vec![user(15), user(16)] }),
        ("group.join", Command::Join { conversation, client_key: key(6) }),
        ("group.decline", Command::Decline { conversation, client_key: key(7), user: user(15) }),
    ];
    let mut ops: Vec<_> = commands.into_iter().map(|(name, command)| (name, Op::Command(command))).collect();
    ops.push(("group.invitations", Op::Query(Query::Invitations { conversation, after: Some(user(15)), limit: Some(100) })));
    ops
}

fn of_messages() -> Vec<(&'static str, Op)> {
    let (conversation, key) = (direct(), |number: u8| key(&format!("b7f1-003{number}")));
    let target = seq(42);
    let edited = Content { text: "Hello, Ben".into(), mentions: vec![user(9)], ..Content::default() };
    let react = |number, on| Op::Command(Command::React { conversation, client_key: key(number), target, reaction: wave(), on });
    let (after, limit) = (Some(user(9)), Some(100));
    vec![
        ("msg.edit", Op::Command(Command::Edit { conversation, client_key: key(0), target, content: edited })),
        ("msg.delete", Op::Command(Command::Delete { conversation, client_key: key(1), target })),
        ("msg.react", react(2, true)),
        ("msg.react no more", react(3, false)),
        ("msg.forward", Op::Command(Command::Forward { conversation: group(), client_key: key(4), from: conversation, target })),
        ("msg.get", Op::Query(Query::Message { id: MessageId::new(20_521).expect("valid") })),
        ("msg.read_by", Op::Query(Query::ReadBy { conversation: group(), target, after, limit })),
        ("msg.reactions", Op::Query(Query::Reactions { conversation: group(), target, after, limit })),
    ]
}

/// Requests that can be read, each with one field that is not as it must be.
fn refused() -> Vec<Case> {
    let request = |op: &str, d: Tree| map([("id", int(5)), ("op", text(op)), ("d", d)]);
    let stored = |op: &str, field: &str, value: Tree| request(op, map([("conv", text("g12")), ("client_key", text("k")), (field, value)]));
    let send = |files: Tree| stored("msg.send", "attachments", files);
    let role = map([("conv", text("g12")), ("client_key", text("k")), ("user", int(9)), ("role", text("owner"))]);
    let two = map([("conv", text("d7-9")), ("client_key", text("k")), ("clear", int(1)), ("archived", Tree::Bool(true))]);
    let half = map([("presence", text("friends")), ("receipts", Tree::Bool(true)), ("searchable", Tree::Bool(true))]);
    let react = map([("conv", text("g12")), ("client_key", text("k")), ("seq", int(1)), ("reaction", text("x".repeat(33)))]);
    let update = |field: &str, value: Tree| request("account.update", map([(field, value)]));
    let delivered = map([("conv", text("d7-9")), ("seq", int(1)), ("private", Tree::Bool(true))]);
    let requests = [
        ("an attachment that is no name of a file", send(Tree::List(vec![text("cat.png")])), "attachments[0]"),
        ("attachments that are no list", send(text("cat.png")), "attachments"),
        ("a message without body and attachments", send(Tree::List(vec![])), "body"),
        ("an owner's role given away", request("group.role", role), "role"),
        ("a group that changes in nothing", request("group.update", map([("conv", text("g12")), ("client_key", text("k"))])), "name"),
        ("nobody invited", stored("group.invite", "users", ints([])), "users"),
        ("two settings at once", request("conv.set", two), "clear"),
        ("half of a privacy", update("privacy", half), "privacy.groups"),
        ("a profile that changes in nothing", request("account.update", map([])), "name"),
        ("a field that the server owns", update("staff", Tree::Bool(true)), "staff"),
        ("a reaction of 33 bytes", request("msg.react", react), "reaction"),
        ("a filter that is not known", request("relation.list", map([("filter", text("enemies"))])), "filter"),
        ("a flag that is a number", stored("conv.set", "archived", int(1)), "archived"),
        ("a mark of delivery in private", request("delivered", delivered), "private"),
        ("an empty search", request("user.search", map([("prefix", text(""))])), "prefix"),
        ("a login of 31 digits", request("login.end", map([("login", text("0".repeat(31)))])), "login"),
    ];
    let case = |(name, tree, field): (_, Tree, _)| refusal(name, [tree.json(), tree.msgpack()], (Some(5), Code::Validation, Some(field)));
    requests.into_iter().map(case).collect()
}

fn friends() -> Bond {
    let relation =
        Relation { from: user(9), status_from: Side::Pending, status_to: Side::Accepted, created_at: at(10), updated_at: at(20) };
    Bond { relation: Some(relation), ..Bond::new(pair()) }
}

fn requested() -> Bond {
    let relation = Relation { from: user(9), status_from: Side::Pending, status_to: Side::Pending, created_at: at(10), updated_at: at(10) };
    Bond { relation: Some(relation), ..Bond::new(pair()) }
}

fn ben() -> UserView {
    person(9, "ben", "Ben")
}

fn whole_ben() -> UserView {
    let picture = Some(Picture { id: FILE, kind: MediaKind::Jpeg });
    UserView { first_name: name("Ben"), last_name: name("Gray"), about: about("rows"), picture, ..ben() }
}

fn photo() -> Attachment {
    Attachment {
        id: FILE,
        name: "boat.jpg".into(),
        kind: MediaKind::Jpeg,
        bytes: 48_213,
        pixels: Some((1_280, 960)),
        uploaded_at: at(30),
        expires_at: Some(at(86_430)),
    }
}

/// A message with all that can be said of one.
fn rich() -> Shown {
    let content = Content {
        attachments: vec![photo()],
        forwarded: Some(Forwarded { author: user(11), id: MessageId::new(20_480).expect("valid") }),
        ..hello_there()
    };
    let now = Content { text: "Hello, Ben".into(), ..Content::default() };
    let amendment = Amendment { edited: Some((now, at(50))), edits: vec![seq(43)], deleted: None, reactions: vec![(wave(), 3)] };
    let entry = entry(42, 7, "b7f1-0001", Act::Message(content));
    Shown { entry, amendment: Some(Box::new(amendment)), own_reactions: vec![wave()], hidden: false }
}

fn history() -> HistoryView {
    let deleted = Amendment { deleted: Some((user(7), at(55))), ..Amendment::default() };
    let erased = Act::Erased(Erased { message: true, digest: Digest(1, 2) });
    let gone = Shown { amendment: Some(Box::new(deleted)), ..Shown::from(entry(41, 7, "b7f1-0007", erased)) };
    let edit = Shown::from(entry(43, 7, "b7f1-0030", Act::Erased(Erased { message: false, digest: Digest(3, 4) })));
    let hidden = Shown { hidden: true, ..Shown::from(entry(44, 9, "c0de-0001", Act::Message(hello_there()))) };
    HistoryView { conversation: direct(), tail: cursor(2_718, 44), entries: vec![gone, edit, hidden], floor: seq(40), more: false }
}

fn set_up() -> [ConversationView; 2] {
    let [direct_view, group_view] = conversation_views();
    let preferences = Preferences { muted_until: Some(at(3_600)), archived: true, cleared: (seq(40), Pos(39)) };
    let blocked = Bond { low_blocks: Some(at(60)), ..friends() };
    let direct_about = match direct_view.about {
        About::Direct { peer, peer_marks, .. } => {
            About::Direct { peer, peer_marks, bond: blocked, number: Some(DirectNumber::new(5).expect("valid")) }
        }
        other @ About::Group { .. } => other,
    };
    let group_about = match group_view.about {
        About::Group { group, role } => {
            let picture = Some(Picture { id: FILE, kind: MediaKind::Png });
            About::Group { group: actors::entry::GroupRow { about: about("Tuesdays at six"), picture, open: true, ..group }, role }
        }
        other @ About::Direct { .. } => other,
    };
    [ConversationView { preferences, about: direct_about, ..direct_view }, ConversationView { about: group_about, ..group_view }]
}

fn said_of_people() -> Vec<(&'static str, u32, View)> {
    let login = |id, current, device: &str| LoginView {
        id,
        current,
        device: device.into(),
        door: Door(3),
        created_at: at(0),
        used_at: at(900),
        sessions: u64::from(current),
    };
    let bond = |peer, bond, change| View::Bond(Box::new(BondView { peer: Some(peer), bond }), change);
    let own_block = Bond { low_blocks: Some(at(60)), ..Bond::new(pair()) };
    vec![
        ("the own account", 30, View::Account(Box::new(ann_of_her_own()))),
        ("logins", 37, View::Logins(vec![login(LOGIN, true, "demo 1.0"), login(LoginId(7), false, "")])),
        ("a user with everything", 4, View::User(whole_ben())),
        ("a deleted user", 4, View::User(UserView { standing: Standing::Deleted, ..person(9, "deleted-9", "") })),
        ("users", 41, View::Users(vec![ben(), person(12, "beth", "Beth")])),
        ("strangers", 42, bond(ben(), Bond::new(pair()), BondChange::None)),
        (
            "a request",
            44,
            bond(
                ben(),
                Bond { relation: requested().relation.map(|asked| Relation { from: user(7), ..asked }), ..Bond::new(pair()) },
                BondChange::Requested,
            ),
        ),
        ("friends", 45, bond(ben(), friends(), BondChange::Accepted)),
        ("an own block", 48, bond(ben(), own_block, BondChange::Blocked)),
        (
            "relations",
            43,
            View::Bonds { page: vec![BondView { peer: Some(ben()), bond: requested() }], total: 1, cursor: Some("MTc3".to_owned()) },
        ),
        (
            "who is here",
            50,
            View::Presence(vec![
                PresenceView { user: user(9), online: true, last_seen: None },
                PresenceView { user: user(11), online: false, last_seen: Some(at(15)) },
            ]),
        ),
    ]
}

fn said_of_messages() -> Vec<(&'static str, u32, View)> {
    let [direct_view, group_view] = set_up();
    let notice = |at_seq, notice, from| NoticeView {
        seq: seq(at_seq),
        id: MessageId::new(9_000 + at_seq).expect("valid"),
        at: at(70),
        notice,
        from,
    };
    let invitation = Notice::GroupInvitation { from: user(11), group: GroupId::new(12).expect("valid"), expires_at: at(604_800) };
    let notices = NoticesView {
        page: vec![notice(8, invitation, None), notice(6, Notice::FriendRequest { from: user(9) }, Some(ben()))],
        read: seq(6),
        total: 2,
        unread: 1,
        more: false,
        conversations: vec![(direct(), 3)],
    };
    vec![
        ("a conversation set up", 7, View::Conversation(Box::new(direct_view))),
        ("an open group", 6, View::Conversation(Box::new(group_view))),
        (
            "preferences",
            51,
            View::Preferences(direct(), Preferences { muted_until: Some(at(3_600)), archived: true, cleared: (seq(40), Pos(39)) }),
        ),
        ("what is not read", 56, View::Unread { messages: 12, conversations: 3 }),
        ("notices", 58, View::Notices(notices)),
        ("invitations", 68, View::Invitations { page: vec![(user(16), Invitation { by: user(7), expires_at: at(604_800) })], more: false }),
        ("a message", 74, View::Message(direct(), cursor(2_718, 42), rich())),
        ("a history with gaps", 15, View::History(history())),
        (
            "readers",
            75,
            View::ReadBy {
                page: vec![(user(11), Some(at(43)), Some(at(44))), (user(15), Some(at(43)), None), (user(16), None, None)],
                more: false,
            },
        ),
        ("reactions", 76, View::Reactions { page: vec![(user(11), vec![wave()])], more: false }),
    ]
}

fn replies() -> Vec<Case> {
    let case = |(name, id, view): (&str, u32, View)| {
        let answer = Ok(view);
        says(format!("ok: {name}"), "reply", |encoding| socket::render_reply(encoding, id, &answer, ""))
    };
    said_of_people().into_iter().chain(said_of_messages()).map(case).collect()
}

fn pushes() -> Vec<Case> {
    let limits = Limits::default();
    let target = seq(40);
    let bond = |by, change, bond, people| Event::Bond { by: user(by), change, bond, people, door: Door(0) };
    let both: Arc<[UserView; 2]> = Arc::new([ann(), ben()]);
    let change = GroupChange {
        name: Some(GroupName::new("Rowing club").expect("valid")),
        about: Some(about("Tuesdays at six")),
        picture: Some(Some(Picture { id: FILE, kind: MediaKind::Png })),
        open: Some(true),
    };
    let bare = GroupChange { picture: Some(None), ..GroupChange::default() };
    let file = Content { attachments: vec![photo()], ..Content::default() };
    let forwarded =
        Content { forwarded: Some(Forwarded { author: user(11), id: MessageId::new(20_480).expect("valid") }), ..hello_there() };
    let invitation = Notice::GroupInvitation { from: user(11), group: GroupId::new(12).expect("valid"), expires_at: at(604_800) };
    let set = |setting| in_own_log(Act::Set { conversation: direct(), setting });
    let events = vec![
        ("entry: a message with a file", in_log(direct(), Act::Message(file))),
        ("entry: a message forwarded", in_log(direct(), Act::Message(forwarded))),
        ("entry: edited", in_log(direct(), Act::Edited { target, content: hello_there() })),
        ("entry: deleted", in_log(direct(), Act::Deleted { target })),
        ("entry: reacted", in_log(direct(), Act::Reacted { target, reaction: wave(), on: true })),
        ("entry: created for everybody", {
            in_log(group(), Act::Created { name: GroupName::new("Rowing").expect("valid"), members: vec![user(9)], open: true })
        }),
        ("entry: changed", in_log(group(), Act::Changed(change))),
        ("entry: changed to no picture", in_log(group(), Act::Changed(bare))),
        ("entry: role", in_log(group(), Act::RoleSet { member: user(9), role: Role::Admin })),
        ("entry: handed over", in_log(group(), Act::HandedOver { to: user(9) })),
        ("entry: invited", in_log(group(), Act::Invited { users: vec![user(15)], expires_at: at(604_800) })),
        ("entry: declined", in_log(group(), Act::Declined { user: user(15) })),
        (
            "members",
            Event::Members { conversation: group(), incarnation: Incarnation(1_618), from: seq(901), to: seq(930), members: 2_041 },
        ),
        ("own: set muted", set(Setting::Mute(Some(at(3_600))))),
        ("own: set loud", set(Setting::Mute(None))),
        ("own: set archived", set(Setting::Archive(true))),
        ("own: set cleared", set(Setting::Clear(seq(40), Pos(39)))),
        ("own: set hidden", set(Setting::Hide(seq(41)))),
        ("own: a notice of a request", in_own_log(Act::Noticed(Notice::FriendRequest { from: user(9) }))),
        ("own: a notice of an invitation", in_own_log(Act::Noticed(invitation))),
        ("own: a notice withdrawn", in_own_log(Act::Withdrawn { notice: seq(6) })),
        ("own: notices read", in_own_log(Act::NoticesRead { up_to: seq(6) })),
        ("own: related", in_own_log(Act::Related { peer: user(9) })),
        ("own: account", in_own_log(Act::AccountChanged)),
        ("relation: requested", bond(9, BondChange::Requested, requested(), Some(both))),
        ("relation: accepted", bond(7, BondChange::Accepted, friends(), None)),
        ("relation: blocked", bond(7, BondChange::Blocked, Bond { low_blocks: Some(at(60)), ..friends() }, None)),
        ("unread in all", Event::Unread { conversation: direct(), read: seq(42), unread: 0, count: Pos(41), total: Some(9) }),
        ("presence: gone", Event::Presence { user: user(9), online: false, last_seen: Some(at(15)) }),
    ];
    let case = |(name, event)| says(format!("push {name}"), "push", |encoding| socket::render_event(encoding, &event, &limits));
    events.into_iter().map(case).collect()
}
