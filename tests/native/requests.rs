//! From a request to what a client would send for it.

use actors::account::{Audience, Privacy};
use actors::command::{BondFilter, Command, Cursor, Manage, MarkKind, ProfileChange, Query, Span, Wish};
use actors::content::{ClientKey, Content};
use actors::entry::{GroupChange, Role};
use actors::id::{ConversationId, Seq, UserId};
use actors::media::MediaId;
use parlance::protocol::request::{AuthRequest, Op, Request};

use super::tree::{Tree, int, ints, map, some, text};

/// What a client sends for this request.
pub(crate) fn envelope(request: &Request) -> Tree {
    let d = content_of(&request.op);
    let empty = matches!(&d, Tree::Map(entries) if entries.is_empty());
    some([("id", request.id.map(|id| int(u64::from(id)))), ("op", Some(text(request.name()))), ("d", (!empty).then_some(d))])
}

fn content_of(op: &Op) -> Tree {
    match op {
        Op::Auth(AuthRequest { token, device, heartbeat }) => {
            let fact = |fact: &Option<String>| fact.as_ref().map(text);
            let facts = some([
                ("id", fact(&device.id)),
                ("platform", fact(&device.platform)),
                ("app", fact(&device.app)),
                ("sdk", fact(&device.sdk)),
            ]);
            let none = matches!(&facts, Tree::Map(entries) if entries.is_empty());
            some([
                ("token", Some(text(&token.0))),
                ("device", (!none).then_some(facts)),
                ("hb_ms", heartbeat.map(|wish| int(u64::try_from(wish.as_millis()).expect("short")))),
            ])
        }
        Op::AuthRefresh { token } => map([("token", text(&token.0))]),
        Op::Beat { pushes } => some([("s", pushes.map(int))]),
        Op::OpenWith { user } => map([("user", int(user.get()))]),
        Op::Command(command) => change(command),
        Op::Query(query) => question(query),
        Op::Manage(manage) => own(manage),
    }
}

fn users(users: &[UserId]) -> Tree {
    ints(users.iter().map(|user| user.get()))
}

fn user(user: UserId) -> Tree {
    int(user.get())
}

fn seq(seq: Seq) -> Tree {
    int(seq.get())
}

/// What every stored change of a conversation begins with, and what follows.
fn stored<const N: usize>(conversation: &ConversationId, key: &ClientKey, more: [(&str, Option<Tree>); N]) -> Tree {
    let mut entries = vec![("conv".to_owned(), text(conversation)), ("client_key".to_owned(), text(key.as_str()))];
    entries.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Tree::Map(entries)
}

fn body(content: &Content) -> Tree {
    let words = &content.text;
    some([("text", (!words.is_empty()).then(|| text(words))), ("data", content.data.as_ref().map(|data| Tree::of_msgpack(&data.0)))])
}

fn mentions(content: &Content) -> Option<Tree> {
    (!content.mentions.is_empty()).then(|| users(&content.mentions))
}

/// The empty text takes a picture away.
fn picture(file: Option<MediaId>) -> Tree {
    file.map_or_else(|| text(""), text)
}

fn change(command: &Command) -> Tree {
    match command {
        Command::Post { .. } | Command::Edit { .. } | Command::Delete { .. } | Command::React { .. } | Command::Forward { .. } => {
            message(command)
        }
        Command::CreateGroup { client_key, name, members, open } => some([
            ("client_key", Some(text(client_key.as_str()))),
            ("name", Some(text(name.as_str()))),
            ("members", Some(users(members))),
            ("open", open.then_some(Tree::Bool(true))),
        ]),
        Command::ChangeGroup { conversation, client_key, change, picture: file } => {
            let GroupChange { name, about, picture: _, open } = change;
            let more = [
                ("name", name.as_ref().map(|name| text(name.as_str()))),
                ("about", about.as_ref().map(|about| text(about.as_str()))),
                ("picture", file.map(picture)),
                ("open", open.map(Tree::Bool)),
            ];
            stored(conversation, client_key, more)
        }
        Command::SetRole { conversation, client_key, member, role } => {
            let role = if *role == Role::Admin { "admin" } else { "member" };
            stored(conversation, client_key, [("user", Some(user(*member))), ("role", Some(text(role)))])
        }
        Command::AddMembers { conversation, client_key, members } => stored(conversation, client_key, [("members", Some(users(members)))]),
        Command::Invite { conversation, client_key, users: invited } => stored(conversation, client_key, [("users", Some(users(invited)))]),
        Command::Join { conversation, client_key } => stored(conversation, client_key, []),
        Command::RemoveMember { conversation, client_key, member: who }
        | Command::HandOver { conversation, client_key, to: who }
        | Command::Decline { conversation, client_key, user: who } => stored(conversation, client_key, [("user", Some(user(*who)))]),
        Command::Mark { conversation, mark: MarkKind::Read | MarkKind::Delivered, seq: at, private } => {
            some([("conv", Some(text(conversation))), ("seq", Some(seq(*at))), ("private", private.then_some(Tree::Bool(true)))])
        }
        Command::Relate { peer, step: _, door: _ } => map([("user", user(*peer))]),
        Command::Set { conversation, client_key, setting } => {
            let millis = |at: actors::time::Timestamp| int(u64::try_from(at.millis()).expect("after 1970"));
            let (name, value) = match setting {
                Wish::Mute(until) => ("mute_until", until.map_or_else(|| int(0), millis)),
                Wish::Archive(archived) => ("archived", Tree::Bool(*archived)),
                Wish::Clear(at) => ("clear", seq(*at)),
                Wish::Hide(at) => ("hide", seq(*at)),
            };
            stored(conversation, client_key, [(name, Some(value))])
        }
        Command::ReadNotices { up_to } => map([("seq", seq(*up_to))]),
        Command::Type { conversation } => map([("conv", text(conversation))]),
        Command::Watch { users: watched } => map([("users", users(watched))]),
    }
}

fn message(command: &Command) -> Tree {
    match command {
        Command::Post { conversation, client_key, content, media } => {
            let files = (!media.is_empty()).then(|| Tree::List(media.iter().map(text).collect()));
            let more = [
                ("body", Some(body(content))),
                ("reply_to", content.reply_to.map(seq)),
                ("mentions", mentions(content)),
                ("attachments", files),
            ];
            stored(conversation, client_key, more)
        }
        Command::Edit { conversation, client_key, target, content } => {
            stored(conversation, client_key, [("seq", Some(seq(*target))), ("body", Some(body(content))), ("mentions", mentions(content))])
        }
        Command::Delete { conversation, client_key, target } => stored(conversation, client_key, [("seq", Some(seq(*target)))]),
        Command::React { conversation, client_key, target, reaction, on } => {
            let more =
                [("seq", Some(seq(*target))), ("reaction", Some(text(reaction.as_str()))), ("on", (!on).then_some(Tree::Bool(false)))];
            stored(conversation, client_key, more)
        }
        Command::Forward { conversation, client_key, from, target } => {
            stored(conversation, client_key, [("from", Some(text(from))), ("seq", Some(seq(*target)))])
        }
        other => unreachable!("no message: {other:?}"),
    }
}

fn own(manage: &Manage) -> Tree {
    let words = |word: &actors::account::Password| text(word.expose());
    match manage {
        Manage::Show | Manage::Logins | Manage::EndOtherLogins | Manage::EndAllLogins => map([]),
        Manage::Profile(change) => profile(change),
        Manage::Password { old, new } => map([("old", words(old)), ("new", words(new))]),
        Manage::Email { password, email } => map([("password", words(password)), ("email", text(email.as_str()))]),
        Manage::EndLogin(login) => map([("login", text(login))]),
        Manage::Deactivate { password } | Manage::Delete { password } => map([("password", words(password))]),
    }
}

fn profile(change: &ProfileChange) -> Tree {
    let ProfileChange { username, name, first_name, last_name, about, picture: file, privacy } = change;
    let plain = |name: &Option<actors::account::DisplayName>| name.as_ref().map(|name| text(name.as_str()));
    let audience = |audience| match audience {
        Audience::Everyone => text("everyone"),
        Audience::Friends => text("friends"),
        Audience::Nobody => text("nobody"),
    };
    let shows = |Privacy { presence, receipts, searchable, groups }| {
        map([
            ("presence", audience(presence)),
            ("receipts", Tree::Bool(receipts)),
            ("searchable", Tree::Bool(searchable)),
            ("groups", audience(groups)),
        ])
    };
    some([
        ("username", username.as_ref().map(|username| text(username.as_str()))),
        ("name", plain(name)),
        ("first_name", plain(first_name)),
        ("last_name", plain(last_name)),
        ("about", about.as_ref().map(|about| text(about.as_str()))),
        ("picture", file.map(picture)),
        ("privacy", privacy.map(shows)),
    ])
}

fn question(query: &Query) -> Tree {
    match query {
        Query::User { user: who } => map([("user", user(*who))]),
        Query::FindUser { username } => map([("username", text(username))]),
        Query::SearchUsers { prefix, limit } => some([("prefix", Some(text(prefix))), ("limit", limit.map(int))]),
        Query::Presence { users: asked } => map([("users", users(asked))]),
        Query::Bond { peer } => map([("user", user(*peer))]),
        Query::Bonds { filter, cursor, limit } => {
            let filter = match filter {
                BondFilter::Friends => "friends",
                BondFilter::Incoming => "incoming",
                BondFilter::Outgoing => "outgoing",
                BondFilter::Blocked => "blocked",
                BondFilter::Related => "related",
            };
            some([("filter", Some(text(filter))), ("cursor", cursor.as_ref().map(text)), ("limit", limit.map(int))])
        }
        Query::Notices { before, limit } => some([("before", before.map(seq)), ("limit", limit.map(int))]),
        Query::Message { id } => map([("id", int(id.get()))]),
        Query::ReadBy { conversation, target, after, limit } | Query::Reactions { conversation, target, after, limit } => {
            some([("conv", Some(text(conversation))), ("seq", Some(seq(*target))), ("after", after.map(user)), ("limit", limit.map(int))])
        }
        Query::Unread => map([]),
        Query::Conversation { conversation } => map([("conv", text(conversation))]),
        Query::Conversations { cursor, limit } => some([("cursor", cursor.as_ref().map(text)), ("limit", limit.map(int))]),
        Query::Members { conversation, after, limit } | Query::Invitations { conversation, after, limit } => {
            some([("conv", Some(text(conversation))), ("after", after.map(user)), ("limit", limit.map(int))])
        }
        Query::History { conversation, span, limit } => {
            let (before, after) = match span {
                Span::Newest => (None, None),
                Span::Before(seq) => (Some(int(seq.get())), None),
                Span::After(seq) => (None, Some(int(seq.get()))),
            };
            some([("conv", Some(text(conversation))), ("before", before), ("after", after), ("limit", limit.map(int))])
        }
        Query::Sync { user, conversations } => {
            let numbers = |cursor: &Cursor| [int(cursor.incarnation.0), int(cursor.seq.get())];
            let one = |(conversation, cursor): &(ConversationId, Cursor)| {
                let [incarnation, seq] = numbers(cursor);
                Tree::List(vec![text(conversation), incarnation, seq])
            };
            some([
                ("user", user.as_ref().map(|cursor| Tree::List(numbers(cursor).to_vec()))),
                ("convs", Some(Tree::List(conversations.iter().map(one).collect()))),
            ])
        }
    }
}
