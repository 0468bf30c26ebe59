//! Property tests of the native protocol's codec: nothing that arrives makes it panic, every request and every frame
//! of the server says the same in both encodings, and opaque data survives every way through them.

mod native;

use std::sync::Arc;
use std::time::Duration;

use actors::account::{Account, Audience, DisplayName, Email, Password, Picture, Privacy, Standing, Username};
use actors::command::{BondFilter, Command, Cursor, Manage, MarkKind, ProfileChange, Query, Span, Wish};
use actors::content::{AboutText, ClientKey, Content, Forwarded, GroupName, Opaque, Reaction};
use actors::entry::{
    Act, Amendment, Digest, Entry, Erased, GroupChange, GroupRow, Invitation, Membership, Notice, Preferences, Role, Setting,
};
use actors::event::Event;
use actors::id::{ConversationId, DirectNumber, Door, GroupId, Incarnation, LogId, LoginId, MessageId, NUMBER_MAX, Pair, Pos, Seq, UserId};
use actors::limits::Limits;
use actors::media::{Attachment, MediaId, MediaKind};
use actors::relation::{Bond, BondChange, Relation, Side, Step};
use actors::store::{Mark, Marks};
use actors::time::Timestamp;
use actors::view::{
    About, Appended, BondView, ConversationView, HistoryView, LoginView, NoticeView, NoticesView, PresenceView, ResetReason, Resumed,
    Secret, Shown, SyncView, UserView, View,
};
use native::requests::envelope;
use native::tree::Tree;
use parlance::protocol::codec::Encoding;
use parlance::protocol::error::Code;
use parlance::protocol::request::{AuthRequest, Device, Incoming, Op, Request, decode};
use parlance::protocol::socket::{render_answer, render_event, render_gap, render_reply};
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

/// What a request can say of a message: its files are named beside it.
fn content() -> BoxedStrategy<Content> {
    (any::<String>(), option::of(data()), option::of(seq()), users())
        .prop_map(|(text, data, reply_to, mentions)| Content {
            text: text.into(),
            data: data.map(|tree| Opaque(tree.msgpack().into())),
            reply_to,
            mentions,
            ..Content::default()
        })
        .boxed()
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![3 => any::<u32>().prop_map(|at| Timestamp(i64::from(at) * 1_000_000)), 1 => Just(Timestamp(i64::MAX))]
}

fn media() -> impl Strategy<Value = MediaId> {
    any::<u128>().prop_map(MediaId)
}

fn picture() -> impl Strategy<Value = Picture> {
    media().prop_map(|id| Picture { id, kind: MediaKind::Png })
}

fn attachment() -> BoxedStrategy<Attachment> {
    let kind = prop_oneof![Just(MediaKind::Jpeg), Just(MediaKind::Mp3), Just(MediaKind::Other)];
    (media(), any::<String>(), kind, 0..=NUMBER_MAX, option::of(any::<(u32, u32)>()), time(), option::of(time()))
        .prop_map(|(id, name, kind, bytes, pixels, uploaded_at, expires_at)| Attachment {
            id,
            name: name.into(),
            kind,
            bytes,
            pixels,
            uploaded_at,
            expires_at,
        })
        .boxed()
}

/// What is stored of a message.
fn stored_content() -> BoxedStrategy<Content> {
    let forwarded = option::of((user(), seq()).prop_map(|(author, id)| Forwarded { author, id: MessageId::new(id.get()).expect("valid") }));
    (content(), vec(attachment(), 0..3), forwarded, any::<u8>())
        .prop_map(|(content, attachments, forwarded, door)| Content { attachments, forwarded, door: Door(door), ..content })
        .boxed()
}

fn reaction() -> impl Strategy<Value = Reaction> {
    "[a-z😀+\"]{1,8}".prop_map(|text| Reaction::new(&text).expect("valid"))
}

fn about() -> impl Strategy<Value = AboutText> {
    "[a-zé\n\"😀]{0,40}".prop_map(|text| AboutText::new(&text).expect("valid"))
}

fn name() -> impl Strategy<Value = DisplayName> {
    "[a-zé😀 ]{0,20}".prop_map(|name| DisplayName::new(&name).expect("valid"))
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)]
}

fn changed_messages() -> BoxedStrategy<Command> {
    let place = || (conversation(), key(), seq());
    let plain = content().prop_map(|content| Content { reply_to: None, ..content });
    prop_oneof![
        (conversation(), key(), content(), proptest::collection::btree_set(media(), 0..4)).prop_map(
            |(conversation, client_key, content, media)| Command::Post {
                conversation,
                client_key,
                content,
                media: media.into_iter().collect()
            }
        ),
        (place(), plain).prop_map(|((conversation, client_key, target), content)| Command::Edit {
            conversation,
            client_key,
            target,
            content
        }),
        place().prop_map(|(conversation, client_key, target)| Command::Delete { conversation, client_key, target }),
        (place(), reaction(), any::<bool>()).prop_map(|((conversation, client_key, target), reaction, on)| Command::React {
            conversation,
            client_key,
            target,
            reaction,
            on
        }),
        (place(), conversation()).prop_map(|((conversation, client_key, target), from)| Command::Forward {
            conversation,
            client_key,
            from,
            target
        }),
    ]
    .boxed()
}

fn changed_groups() -> BoxedStrategy<Command> {
    let place = || (conversation(), key());
    let some = || users().prop_filter("some", |users| !users.is_empty());
    let change = (option::of(group_name()), option::of(about()), option::of(any::<bool>()), option::of(option::of(media())))
        .prop_filter("some", |(name, about, open, picture)| name.is_some() || about.is_some() || open.is_some() || picture.is_some());
    prop_oneof![
        (key(), group_name(), users(), any::<bool>()).prop_map(|(client_key, name, members, open)| Command::CreateGroup {
            client_key,
            name,
            members,
            open
        }),
        (place(), change).prop_map(|((conversation, client_key), (name, about, open, picture))| {
            let change = GroupChange { name, about, picture: None, open };
            Command::ChangeGroup { conversation, client_key, change, picture }
        }),
        (place(), user(), any::<bool>()).prop_map(|((conversation, client_key), member, admin)| {
            let role = if admin { Role::Admin } else { Role::Member };
            Command::SetRole { conversation, client_key, member, role }
        }),
        (place(), user()).prop_map(|((conversation, client_key), to)| Command::HandOver { conversation, client_key, to }),
        (place(), some()).prop_map(|((conversation, client_key), users)| Command::Invite { conversation, client_key, users }),
        place().prop_map(|(conversation, client_key)| Command::Join { conversation, client_key }),
        (place(), user()).prop_map(|((conversation, client_key), user)| Command::Decline { conversation, client_key, user }),
        (place(), some()).prop_map(|((conversation, client_key), members)| Command::AddMembers { conversation, client_key, members }),
        (place(), user()).prop_map(|((conversation, client_key), member)| Command::RemoveMember { conversation, client_key, member }),
    ]
    .boxed()
}

fn command() -> BoxedStrategy<Command> {
    let step = prop_oneof![
        Just(Step::Request { own: Side::Pending, anew: true }),
        Just(Step::Accept),
        Just(Step::Decline),
        Just(Step::Unfriend),
        Just(Step::Block),
        Just(Step::Unblock),
    ];
    let wish = prop_oneof![
        option::of(1..NUMBER_MAX).prop_map(|until| {
            Wish::Mute(until.map(|millis| Timestamp(i64::try_from(millis).expect("small").checked_mul(1_000).expect("it fits"))))
        }),
        any::<bool>().prop_map(Wish::Archive),
        seq().prop_map(Wish::Clear),
        seq().prop_map(Wish::Hide),
    ];
    let mark = prop_oneof![Just((MarkKind::Read, false)), Just((MarkKind::Read, true)), Just((MarkKind::Delivered, false))];
    prop_oneof![
        4 => changed_messages(),
        5 => changed_groups(),
        1 => (conversation(), mark, seq())
            .prop_map(|(conversation, (mark, private), seq)| Command::Mark { conversation, mark, seq, private }),
        2 => (user(), step).prop_map(|(peer, step)| Command::Relate { peer, step, door: Door::default() }),
        2 => (conversation(), key(), wish)
            .prop_map(|(conversation, client_key, setting)| Command::Set { conversation, client_key, setting }),
        1 => seq().prop_map(|up_to| Command::ReadNotices { up_to }),
        1 => conversation().prop_map(|conversation| Command::Type { conversation }),
        1 => users().prop_map(|users| Command::Watch { users }),
    ]
    .boxed()
}

fn privacy() -> impl Strategy<Value = Privacy> {
    let audience = || prop_oneof![Just(Audience::Everyone), Just(Audience::Friends), Just(Audience::Nobody)];
    (audience(), any::<bool>(), any::<bool>(), audience()).prop_map(|(presence, receipts, searchable, groups)| Privacy {
        presence,
        receipts,
        searchable,
        groups,
    })
}

fn manage() -> BoxedStrategy<Manage> {
    let given = || any::<String>().prop_map(|text| Password::given(&text));
    let new = "[a-zé😀 ]{8,20}".prop_map(|text| Password::new(&text).expect("valid"));
    let texts = (option::of("[a-z@.+_-]{1,9}"), option::of(name()), option::of(name()), option::of(name()), option::of(about()));
    let profile = (texts, option::of(option::of(media())), option::of(privacy())).prop_map(
        |((username, name, first_name, last_name, about), picture, privacy)| ProfileChange {
            username: username.map(|text| Username::new(&text).expect("valid")),
            name,
            first_name,
            last_name,
            about,
            picture,
            privacy,
        },
    );
    prop_oneof![
        Just(Manage::Show),
        Just(Manage::Logins),
        Just(Manage::EndOtherLogins),
        Just(Manage::EndAllLogins),
        any::<u128>().prop_map(|login| Manage::EndLogin(LoginId(login))),
        profile.prop_filter("some", |change| *change != ProfileChange::default()).prop_map(|change| Manage::Profile(Box::new(change))),
        (given(), new).prop_map(|(old, new)| Manage::Password { old, new }),
        given().prop_map(|password| Manage::Email { password, email: Email::new("Ann+x@mail.example.org").expect("valid") }),
        given().prop_map(|password| Manage::Deactivate { password }),
        given().prop_map(|password| Manage::Delete { password }),
    ]
    .boxed()
}

fn cursor() -> impl Strategy<Value = Cursor> {
    (0..=NUMBER_MAX, seq()).prop_map(|(incarnation, seq)| Cursor { incarnation: Incarnation(incarnation), seq })
}

fn query() -> BoxedStrategy<Query> {
    prop_oneof![asked_of_people(), asked_of_conversations()].boxed()
}

fn asked_of_people() -> BoxedStrategy<Query> {
    let limit = || option::of(1..=NUMBER_MAX);
    let filter = prop_oneof![
        Just(BondFilter::Friends),
        Just(BondFilter::Incoming),
        Just(BondFilter::Outgoing),
        Just(BondFilter::Blocked),
        Just(BondFilter::Related),
    ];
    prop_oneof![
        user().prop_map(|user| Query::User { user }),
        "\\PC{0,20}".prop_map(|username| Query::FindUser { username }),
        ("\\PC{2,20}", limit()).prop_map(|(prefix, limit)| Query::SearchUsers { prefix, limit }),
        users().prop_map(|users| Query::Presence { users }),
        user().prop_map(|peer| Query::Bond { peer }),
        (filter, option::of("[a-z0-9]{1,40}"), limit()).prop_map(|(filter, cursor, limit)| Query::Bonds { filter, cursor, limit }),
        (option::of(seq()), limit()).prop_map(|(before, limit)| Query::Notices { before, limit }),
        Just(Query::Unread),
    ]
    .boxed()
}

fn asked_of_conversations() -> BoxedStrategy<Query> {
    let limit = || option::of(1..=NUMBER_MAX);
    let span = prop_oneof![Just(Span::Newest), seq().prop_map(Span::Before), seq().prop_map(Span::After)];
    let page = || (conversation(), seq(), option::of(user()), limit());
    prop_oneof![
        conversation().prop_map(|conversation| Query::Conversation { conversation }),
        (option::of("[a-z0-9]{1,40}"), limit()).prop_map(|(cursor, limit)| Query::Conversations { cursor, limit }),
        (conversation(), option::of(user()), limit()).prop_map(|(conversation, after, limit)| Query::Members {
            conversation,
            after,
            limit
        }),
        (conversation(), option::of(user()), limit()).prop_map(|(conversation, after, limit)| Query::Invitations {
            conversation,
            after,
            limit
        }),
        seq().prop_map(|id| Query::Message { id: MessageId::new(id.get()).expect("valid") }),
        page().prop_map(|(conversation, target, after, limit)| Query::ReadBy { conversation, target, after, limit }),
        page().prop_map(|(conversation, target, after, limit)| Query::Reactions { conversation, target, after, limit }),
        (conversation(), span, limit()).prop_map(|(conversation, span, limit)| Query::History { conversation, span, limit }),
        (option::of(cursor()), proptest::collection::btree_map(conversation(), cursor(), 0..5))
            .prop_map(|(user, conversations)| { Query::Sync { user, conversations: conversations.into_iter().collect() } }),
    ]
    .boxed()
}

fn op() -> BoxedStrategy<Op> {
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
        4 => manage().prop_map(Op::Manage),
    ]
    .boxed()
}

fn request() -> impl Strategy<Value = Request> {
    (option::of(any::<u32>()), op()).prop_map(|(id, op)| Request { id, op })
}

fn said() -> BoxedStrategy<Act> {
    let change = (option::of(group_name()), option::of(about()), option::of(option::of(picture())), option::of(any::<bool>()))
        .prop_map(|(name, about, picture, open)| GroupChange { name, about, picture, open });
    prop_oneof![
        4 => stored_content().prop_map(Act::Message),
        1 => (group_name(), users(), any::<bool>()).prop_map(|(name, members, open)| Act::Created { name, members, open }),
        1 => users().prop_map(|members| Act::Joined { members }),
        1 => user().prop_map(|member| Act::Left { member }),
        1 => (seq(), content()).prop_map(|(target, content)| Act::Edited { target, content }),
        1 => seq().prop_map(|target| Act::Deleted { target }),
        1 => any::<bool>().prop_map(|message| Act::Erased(Erased { message, digest: Digest(1, 2) })),
        1 => (seq(), reaction(), any::<bool>()).prop_map(|(target, reaction, on)| Act::Reacted { target, reaction, on }),
        1 => change.prop_map(Act::Changed),
        1 => (user(), role()).prop_map(|(member, role)| Act::RoleSet { member, role }),
        1 => user().prop_map(|to| Act::HandedOver { to }),
        1 => (users(), time()).prop_map(|(users, expires_at)| Act::Invited { users, expires_at }),
        1 => user().prop_map(|user| Act::Declined { user }),
    ]
    .boxed()
}

fn notice() -> BoxedStrategy<Notice> {
    prop_oneof![
        user().prop_map(|from| Notice::FriendRequest { from }),
        (user(), 1..=NUMBER_MAX, time()).prop_map(|(from, group, expires_at)| Notice::GroupInvitation {
            from,
            group: GroupId::new(group).expect("valid"),
            expires_at
        }),
    ]
    .boxed()
}

fn noted() -> BoxedStrategy<Act> {
    let setting = prop_oneof![
        option::of(time()).prop_map(Setting::Mute),
        any::<bool>().prop_map(Setting::Archive),
        (seq(), 0..=NUMBER_MAX).prop_map(|(seq, pos)| Setting::Clear(seq, Pos(pos))),
        seq().prop_map(Setting::Hide),
    ];
    prop_oneof![
        conversation().prop_map(|conversation| Act::Appeared { conversation }),
        conversation().prop_map(|conversation| Act::Vanished { conversation }),
        (conversation(), setting).prop_map(|(conversation, setting)| Act::Set { conversation, setting }),
        notice().prop_map(Act::Noticed),
        seq().prop_map(|notice| Act::Withdrawn { notice }),
        seq().prop_map(|up_to| Act::NoticesRead { up_to }),
        user().prop_map(|peer| Act::Related { peer }),
        Just(Act::AccountChanged),
    ]
    .boxed()
}

fn entry() -> BoxedStrategy<Arc<Entry>> {
    let act = prop_oneof![3 => said(), 1 => noted()];
    (seq(), seq(), user(), user(), key(), any::<u32>(), act)
        .prop_map(|(seq, pos, id, author, client_key, at, act)| {
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
        .boxed()
}

fn marks() -> impl Strategy<Value = Marks> {
    (seq(), seq()).prop_map(|(delivered, read)| Marks {
        delivered: Mark { seq: delivered, ..Mark::default() },
        read: Mark { seq: read, ..Mark::default() },
        badge: Pos(0),
    })
}

fn user_view() -> BoxedStrategy<UserView> {
    let standing = prop_oneof![Just(Standing::Active), Just(Standing::Deactivated), Just(Standing::Banned), Just(Standing::Deleted)];
    (user(), "[a-z0-9]{1,20}", [name(), name(), name()], about(), option::of(picture()), standing)
        .prop_map(|(id, username, [name, first_name, last_name], about, picture, standing)| UserView {
            id,
            username: Username::new(&username).expect("valid"),
            name,
            first_name,
            last_name,
            about,
            picture,
            email: secret_address(),
            standing,
            created_at: Timestamp(0),
        })
        .boxed()
}

/// An address that only its owner may be shown.
fn secret_address() -> Email {
    Email::new("hidden@example.org").expect("valid")
}

fn shown() -> BoxedStrategy<Shown> {
    let edited = option::of((content(), time()));
    let deleted = option::of((user(), time()));
    let amendment = (edited, deleted, vec((reaction(), 1_u64..50), 0..4))
        .prop_map(|(edited, deleted, reactions)| Box::new(Amendment { edited, edits: Vec::new(), deleted, reactions }));
    (entry(), option::of(amendment), vec(reaction(), 0..3), any::<bool>())
        .prop_map(|(entry, amendment, own_reactions, hidden)| Shown { entry, amendment, own_reactions, hidden })
        .boxed()
}

fn bond() -> BoxedStrategy<Bond> {
    let side = || prop_oneof![Just(Side::Pending), Just(Side::Accepted), Just(Side::Rejected)];
    let pair = (user(), user()).prop_filter_map("two users", |(one, other)| Pair::new(one, other).ok());
    (pair, option::of((any::<bool>(), side(), side(), time(), time())), option::of(time()), option::of(time()))
        .prop_map(|(pair, relation, low_blocks, high_blocks)| Bond {
            pair,
            relation: relation.map(|(low, status_from, status_to, created_at, updated_at)| Relation {
                from: if low { pair.low() } else { pair.high() },
                status_from,
                status_to,
                created_at,
                updated_at,
            }),
            low_blocks,
            high_blocks,
        })
        .boxed()
}

fn bond_view() -> BoxedStrategy<BondView> {
    (bond(), option::of(user_view()))
        .prop_map(|(bond, peer)| {
            let peer = peer.map(|peer| UserView { id: bond.pair.high(), ..peer });
            BondView { peer, bond }
        })
        .boxed()
}

fn bond_change() -> impl Strategy<Value = BondChange> {
    proptest::sample::select(vec![
        BondChange::None,
        BondChange::Requested,
        BondChange::Accepted,
        BondChange::Declined,
        BondChange::Ended,
        BondChange::Other,
        BondChange::Blocked,
        BondChange::Unblocked,
    ])
}

fn preferences() -> impl Strategy<Value = Preferences> {
    (option::of(time()), any::<bool>(), option::of(seq())).prop_map(|(muted_until, archived, cleared)| Preferences {
        muted_until,
        archived,
        cleared: (cleared.unwrap_or(Seq::ZERO), Pos(0)),
    })
}

fn conversation_view() -> BoxedStrategy<ConversationView> {
    let direct = (bond_view(), marks(), option::of(1..=NUMBER_MAX)).prop_map(|(BondView { peer, bond }, peer_marks, number)| {
        About::Direct { peer, peer_marks, bond, number: number.map(|number| DirectNumber::new(number).expect("valid")) }
    });
    let row =
        (group_name(), 1_u64..10_000, about(), option::of(picture()), any::<bool>()).prop_map(|(name, members, about, picture, open)| {
            GroupRow { name, members, created_at: Timestamp(0), about, picture, open, updated_at: Timestamp(0) }
        });
    let group = (row, role()).prop_map(|(group, role)| About::Group { group, role });
    let state = (cursor(), 0..=NUMBER_MAX, marks(), preferences());
    (conversation(), state, option::of(shown()), prop_oneof![direct, group])
        .prop_map(|(id, (tail, count, marks, preferences), last, about)| ConversationView {
            id,
            tail,
            count: Pos(count),
            last_at: Timestamp(5_000),
            marks,
            unread: count,
            last,
            preferences,
            about,
        })
        .boxed()
}

fn resumed() -> BoxedStrategy<Resumed> {
    prop_oneof![
        vec(shown(), 0..3).prop_map(Resumed::Complete),
        (seq(), seq()).prop_map(|(from, to)| Resumed::Gap { from, to }),
        Just(Resumed::Reset(ResetReason::Incarnation)),
        Just(Resumed::Reset(ResetReason::Ahead)),
        Just(Resumed::Reset(ResetReason::NotAMember)),
        seq().prop_map(|floor| Resumed::TooLong { floor }),
    ]
    .boxed()
}

fn presence() -> impl Strategy<Value = PresenceView> {
    (user(), any::<bool>(), option::of(time())).prop_map(|(user, online, last_seen)| PresenceView { user, online, last_seen })
}

fn view() -> BoxedStrategy<View> {
    prop_oneof![view_of_people(), view_of_conversations(), view_of_messages()].boxed()
}

fn view_of_people() -> BoxedStrategy<View> {
    let notice = (seq(), notice(), option::of(user_view()), time()).prop_map(|(seq, notice, from, at)| NoticeView {
        seq,
        id: MessageId::new(seq.get()).expect("valid"),
        at,
        notice,
        from,
    });
    let counts = [0..=NUMBER_MAX, 0..=NUMBER_MAX];
    let notices = (vec(notice, 0..3), seq(), counts, any::<bool>(), vec((conversation(), 0..=NUMBER_MAX), 0..3))
        .prop_map(|(page, read, [total, unread], more, conversations)| NoticesView { page, read, total, unread, more, conversations });
    let login = (any::<u128>(), any::<bool>(), any::<String>(), time(), time()).prop_map(|(id, current, device, created_at, used_at)| {
        LoginView { id: LoginId(id), current, device: device.into(), door: Door(7), created_at, used_at, sessions: 1 }
    });
    prop_oneof![
        user_view().prop_map(View::User),
        vec(user_view(), 0..3).prop_map(View::Users),
        vec(presence(), 0..4).prop_map(View::Watching),
        vec(presence(), 0..4).prop_map(View::Presence),
        (bond_view(), bond_change()).prop_map(|(view, change)| View::Bond(Box::new(view), change)),
        (vec(bond_view(), 0..3), 0..=NUMBER_MAX, option::of("[a-z]{1,9}")).prop_map(|(page, total, cursor)| View::Bonds {
            page,
            total,
            cursor
        }),
        notices.prop_map(View::Notices),
        vec(login, 0..3).prop_map(View::Logins),
    ]
    .boxed()
}

fn view_of_conversations() -> BoxedStrategy<View> {
    let membership = (user(), role(), seq()).prop_map(|(user, role, since)| (user, Membership { role, since, until: None }));
    let invitation = (user(), user(), time()).prop_map(|(user, by, expires_at)| (user, Invitation { by, expires_at }));
    let sync = (cursor(), resumed(), vec((conversation(), cursor(), resumed()), 0..3), vec(conversation_view(), 0..2))
        .prop_map(|(cursor, own, conversations, appeared)| SyncView { user: (cursor, own), conversations, appeared });
    prop_oneof![
        (seq(), 0..=NUMBER_MAX).prop_map(|(seq, unread)| View::Marked { seq, unread }),
        Just(View::Done),
        conversation_view().prop_map(|view| View::Conversation(Box::new(view))),
        (vec(conversation_view(), 0..3), option::of("[a-z]{1,9}")).prop_map(|(page, cursor)| View::Conversations { page, cursor }),
        (vec(membership, 0..4), any::<bool>()).prop_map(|(page, more)| View::Members { page, more }),
        (vec(invitation, 0..4), any::<bool>()).prop_map(|(page, more)| View::Invitations { page, more }),
        (conversation(), preferences()).prop_map(|(conversation, preferences)| View::Preferences(conversation, preferences)),
        (0..=NUMBER_MAX, 0..=NUMBER_MAX).prop_map(|(messages, conversations)| View::Unread { messages, conversations }),
        sync.prop_map(View::Sync),
    ]
    .boxed()
}

fn view_of_messages() -> BoxedStrategy<View> {
    let appended = (conversation(), seq(), seq(), user(), any::<bool>()).prop_map(|(conversation, seq, pos, id, duplicate)| Appended {
        conversation,
        seq,
        pos: Pos(pos.get()),
        id: MessageId::new(id.get()).expect("valid"),
        at: Timestamp(7_000),
        duplicate,
    });
    let history = (conversation(), cursor(), vec(shown(), 0..4), option::of(seq()), any::<bool>()).prop_map(
        |(conversation, tail, entries, floor, more)| HistoryView { conversation, tail, entries, floor: floor.unwrap_or(Seq::ZERO), more },
    );
    prop_oneof![
        appended.prop_map(View::Appended),
        history.prop_map(View::History),
        (conversation(), cursor(), shown()).prop_map(|(conversation, cursor, shown)| View::Message(conversation, cursor, shown)),
        (vec((user(), option::of(time()), option::of(time())), 0..4), any::<bool>()).prop_map(|(page, more)| View::ReadBy { page, more }),
        (vec((user(), vec(reaction(), 1..3)), 0..4), any::<bool>()).prop_map(|(page, more)| View::Reactions { page, more }),
    ]
    .boxed()
}

fn event() -> BoxedStrategy<Event> {
    let incarnation = || (0..=NUMBER_MAX).prop_map(Incarnation);
    let people = option::of([user_view(), user_view()].prop_map(Arc::new));
    prop_oneof![
        4 => (conversation(), incarnation(), entry())
            .prop_map(|(conversation, incarnation, entry)| Event::Entry { conversation, incarnation, entry, scene: None }),
        1 => (conversation(), incarnation(), seq(), seq(), 0..=NUMBER_MAX).prop_map(|(conversation, incarnation, from, to, members)| {
            Event::Members { conversation, incarnation, from, to, members }
        }),
        1 => (user(), bond_change(), bond(), people)
            .prop_map(|(by, change, bond, people)| Event::Bond { by, change, bond, people, door: Door(3) }),
        1 => (incarnation(), entry()).prop_map(|(incarnation, entry)| Event::Own { incarnation, entry }),
        1 => (conversation(), vec((user(), marks()), 0..4), any::<bool>())
            .prop_map(|(conversation, marks, more)| Event::Receipts { conversation, marks, more }),
        1 => (conversation(), seq(), 0..=NUMBER_MAX, option::of(0..=NUMBER_MAX))
            .prop_map(|(conversation, read, unread, total)| Event::Unread { conversation, read, unread, count: Pos(unread), total }),
        1 => (conversation(), user()).prop_map(|(conversation, user)| Event::Typing { conversation, user }),
        1 => presence().prop_map(|PresenceView { user, online, last_seen }| Event::Presence { user, online, last_seen }),
    ]
    .boxed()
}

/// The same tree from both renderings, with numbers that JavaScript holds.
fn same(render: impl Fn(Encoding) -> Vec<u8>) -> Tree {
    let json = Tree::of_json(&render(Encoding::Json));
    assert_eq!(json, Tree::of_msgpack(&render(Encoding::MessagePack)));
    assert!(json.is_safe(), "{json:?}");
    json
}

fn bond_by(view: &BondView) -> UserId {
    view.bond.pair.low()
}

/// Whether this text stands anywhere in it.
fn mentions(tree: &Tree, word: &str) -> bool {
    match tree {
        Tree::Text(text) => text.contains(word),
        Tree::List(items) => items.iter().any(|item| mentions(item, word)),
        Tree::Map(entries) => entries.iter().any(|(_, value)| mentions(value, word)),
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) | Tree::Bytes(_) => false,
    }
}

/// Whether an object outside of an application's data has this key.
fn has_key(tree: &Tree, name: &str) -> bool {
    match tree {
        Tree::Map(entries) => entries.iter().any(|(key, value)| key == name || (key != "data" && has_key(value, name))),
        Tree::List(items) => items.iter().any(|item| has_key(item, name)),
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) | Tree::Text(_) | Tree::Bytes(_) => false,
    }
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
        let event = Event::Entry { conversation, incarnation: Incarnation(1), entry, scene: None };
        let shown = same(|encoding| render_event(encoding, &event, &Limits::default()));
        let body = shown.get("d").and_then(|d| d.get("body")).and_then(|body| body.get("data"));
        prop_assert_eq!(body, Some(&data));
    }

    #[test]
    fn every_view_says_the_same_in_both_encodings(id: u32, view in view()) {
        let answer = Ok(view);
        let shown = same(|encoding| render_reply(encoding, id, &answer, "r"));
        prop_assert_eq!(shown.get("ok"), Some(&Tree::of_json(&render_answer(answer.as_ref().expect("it is one")))));
        prop_assert!(!mentions(&shown, "hidden@example.org"), "an address is its owner's alone: {:?}", shown);
        prop_assert!(!has_key(&shown, "door") , "no door is ever shown: {:?}", shown);
    }

    #[test]
    fn the_other_ones_block_is_never_shown(view in bond_view(), change in bond_change()) {
        let blind = BondView { bond: Bond { high_blocks: None, ..view.bond }, ..view.clone() };
        let shown = |view: &BondView| same(|encoding| render_reply(encoding, 1, &Ok(View::Bond(Box::new(view.clone()), change)), "r"));
        prop_assert_eq!(shown(&view), shown(&blind), "the peer is the one with the greater number");
        let told = |bond| Event::Bond { by: bond_by(&view), change, bond, people: None, door: Door(0) };
        let strangers = Bond { low_blocks: None, high_blocks: None, ..view.bond };
        let pushed = |bond| same(|encoding| render_event(encoding, &told(bond), &Limits::default()));
        prop_assert_eq!(pushed(view.bond), pushed(strangers), "one push goes to both");
    }

    #[test]
    fn what_was_deleted_or_hidden_says_nothing_any_more(shown in shown()) {
        let gone = Shown { amendment: Some(Box::new(Amendment { deleted: Some((shown.entry.author, Timestamp(0))), ..Amendment::default() })), ..shown.clone() };
        let hidden = Shown { hidden: true, ..shown };
        for shown in [gone, hidden] {
            let answer = Ok(View::Message("g1".parse().expect("valid"), Cursor { incarnation: Incarnation(1), seq: shown.entry.seq }, shown));
            let said = same(|encoding| render_reply(encoding, 1, &answer, "r"));
            for field in ["body", "attachments", "mentions", "forwarded", "reactions", "mine", "name", "reply_to"] {
                prop_assert_eq!(said.get("ok").and_then(|ok| ok.get(field)), None, "{}", field);
            }
        }
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
        let (conversation, entry) = ("g1".parse().expect("valid"), Arc::new(entry));
        let event = Event::Entry { conversation, incarnation: Incarnation(1), entry, scene: None };
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
        let conversation = "g1".parse().expect("valid");
        let event = Event::Entry { conversation, incarnation: Incarnation(1), entry, scene: None };
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

#[test]
fn the_own_account_shows_its_address_and_nothing_of_its_password() {
    let (user, username) = (UserId::new(7).expect("valid"), Username::new("ann").expect("valid"));
    let hash = actors::account::PasswordHash("$argon2id$secret".into());
    let account = Account::new(user, username, secret_address(), DisplayName::default(), Some(hash), Timestamp(0));
    let shown = same(|encoding| render_reply(encoding, 1, &Ok(View::Account(Box::new(account.clone()))), "r"));
    assert!(mentions(&shown, "hidden@example.org") && !mentions(&shown, "secret"), "{shown:?}");
}

/// X3: every field with a maximum of its own, at it and one beyond it.
#[test]
fn every_text_is_taken_at_its_limit_and_refused_beyond_it() {
    let place = [("conv", native::tree::text("g1")), ("client_key", native::tree::text("k"))];
    let refused = |op: &str, field: &'static str, value: String, more: &[(&str, Tree)]| {
        let mut d: Vec<(String, Tree)> = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        d.push((field.to_owned(), Tree::Text(value)));
        let frame = native::tree::map([("id", native::tree::int(1)), ("op", native::tree::text(op)), ("d", Tree::Map(d))]);
        let outcomes = [
            decode(Encoding::Json, &frame.json(), &Limits::default(), None),
            decode(Encoding::MessagePack, &frame.msgpack(), &Limits::default(), None),
        ];
        assert_eq!(outcomes[0], outcomes[1]);
        match outcomes[0].as_slice() {
            [Incoming::Request(_)] => None,
            [Incoming::Refused { id: Some(1), error }] => Some(error.field.clone().expect("it is named").into_owned()),
            other => panic!("{other:?}"),
        }
    };
    let email = |chars: usize| format!("{}@example.org", "x".repeat(chars - "@example.org".len()));
    let reaction = [&place[..], &[("seq", native::tree::int(1))]].concat();
    let password = [("password", native::tree::text("x"))];
    let old = [("old", native::tree::text("x"))];
    let long = |count: usize| "é".repeat(count);
    for (op, field, more, good, bad) in [
        ("user.search", "prefix", &[][..], vec![long(2), long(64)], vec![String::new(), long(1), long(65)]),
        ("account.update", "username", &[], vec![long(1), long(150)], vec![String::new(), long(151), "a b".to_owned()]),
        ("account.update", "name", &[], vec![String::new(), long(150)], vec![long(151), "a\u{7}".to_owned()]),
        ("account.update", "first_name", &[], vec![String::new(), long(150)], vec![long(151)]),
        ("account.update", "last_name", &[], vec![String::new(), long(150)], vec![long(151)]),
        ("account.update", "about", &[], vec![String::new(), long(1_024)], vec![long(1_024) + "x"]),
        ("account.update", "picture", &[], vec![String::new(), "a".repeat(32)], vec!["a".repeat(31), "a".repeat(33), "A".repeat(32)]),
        ("account.password", "new", &old, vec!["12345678".to_owned(), "x".repeat(1_024)], vec!["1234567".to_owned(), "x".repeat(1_025)]),
        ("account.email", "email", &password, vec![email(254)], vec![email(255), "ann".to_owned()]),
        ("login.end", "login", &[], vec!["0".repeat(32)], vec!["0".repeat(31), "0".repeat(33), "g".repeat(32)]),
        ("group.update", "name", &place, vec!["x".to_owned(), "x".repeat(255)], vec![String::new(), " ".to_owned(), "x".repeat(256)]),
        ("group.update", "about", &place, vec![String::new(), "x".repeat(2_048)], vec!["x".repeat(2_049)]),
        ("msg.react", "reaction", &reaction, vec!["x".to_owned(), "x".repeat(32)], vec![String::new(), "x".repeat(33), "a b".to_owned()]),
        ("relation.list", "cursor", &[("filter", Tree::Text("friends".to_owned()))], vec!["x".repeat(256)], vec!["x".repeat(257)]),
    ] {
        for value in good {
            assert_eq!(refused(op, field, value.clone(), more), None, "{op} {field} of {} bytes", value.len());
        }
        for value in bad {
            assert_eq!(refused(op, field, value.clone(), more), Some(field.to_owned()), "{op} {field} of {} bytes", value.len());
        }
    }
}

#[test]
fn a_conversation_is_set_in_one_way_at_a_time() {
    let set = |wishes: &str| {
        let frame = format!(r#"{{"id":1,"op":"conv.set","d":{{"conv":"g1","client_key":"k"{wishes}}}}}"#);
        match decode(Encoding::Json, frame.as_bytes(), &Limits::default(), None).pop() {
            Some(Incoming::Request(Request { op: Op::Command(Command::Set { setting, .. }), .. })) => Ok(setting),
            Some(Incoming::Refused { id: Some(1), error }) => Err(error.field.map(String::from)),
            other => panic!("{other:?}"),
        }
    };
    let field = |name: &str| Err(Some(name.to_owned()));
    assert_eq!(set(r#","mute_until":1500"#), Ok(Wish::Mute(Some(Timestamp(1_500_000)))));
    assert_eq!(set(r#","mute_until":0"#), Ok(Wish::Mute(None)));
    assert_eq!(set(r#","mute_until":9007199254740991"#), Ok(Wish::Mute(Some(Timestamp(9_007_199_254_740_991_000)))));
    assert_eq!(set(r#","archived":false"#), Ok(Wish::Archive(false)));
    assert_eq!(set(""), field("mute_until"));
    assert_eq!(set(r#","clear":4,"hide":5"#), field("hide"));
    assert_eq!(set(r#","clear":0"#), field("clear"));
    assert_eq!(set(r#","archived":1"#), field("archived"));
}
