//! From a request to what a client would send for it.

use actors::command::{Command, Cursor, MarkKind, Query, Span};
use actors::content::Content;
use actors::id::{ConversationId, UserId};
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
    }
}

fn users(users: &[UserId]) -> Tree {
    ints(users.iter().map(|user| user.get()))
}

fn change(command: &Command) -> Tree {
    match command {
        Command::Post { conversation, client_key, content: Content { text: words, data, reply_to, mentions } } => {
            let body =
                some([("text", (!words.is_empty()).then(|| text(words))), ("data", data.as_ref().map(|data| Tree::of_msgpack(&data.0)))]);
            some([
                ("conv", Some(text(conversation))),
                ("client_key", Some(text(client_key.as_str()))),
                ("body", Some(body)),
                ("reply_to", reply_to.map(|seq| int(seq.get()))),
                ("mentions", (!mentions.is_empty()).then(|| users(mentions))),
            ])
        }
        Command::CreateGroup { client_key, name, members } => {
            map([("client_key", text(client_key.as_str())), ("name", text(name.as_str())), ("members", users(members))])
        }
        Command::AddMembers { conversation, client_key, members } => {
            map([("conv", text(conversation)), ("client_key", text(client_key.as_str())), ("members", users(members))])
        }
        Command::RemoveMember { conversation, client_key, member } => {
            map([("conv", text(conversation)), ("client_key", text(client_key.as_str())), ("user", int(member.get()))])
        }
        Command::Mark { conversation, mark: MarkKind::Read | MarkKind::Delivered, seq } => {
            map([("conv", text(conversation)), ("seq", int(seq.get()))])
        }
        Command::Type { conversation } => map([("conv", text(conversation))]),
        Command::Watch { users: watched } => map([("users", users(watched))]),
    }
}

fn question(query: &Query) -> Tree {
    match query {
        Query::User { user } => map([("user", int(user.get()))]),
        Query::FindUser { username } => map([("username", text(username))]),
        Query::Conversation { conversation } => map([("conv", text(conversation))]),
        Query::Conversations { cursor, limit } => some([("cursor", cursor.as_ref().map(text)), ("limit", limit.map(int))]),
        Query::Members { conversation, after, limit } => {
            some([("conv", Some(text(conversation))), ("after", after.map(|user| int(user.get()))), ("limit", limit.map(int))])
        }
        Query::History { conversation, span, limit } => {
            let (before, after) = match span {
                Span::Newest => (None, None),
                Span::Before(seq) => (Some(int(seq.get())), None),
                Span::After(seq) => (None, Some(int(seq.get()))),
            };
            some([("conv", Some(text(conversation))), ("before", before), ("after", after), ("limit", limit.map(int))])
        }
        Query::Presence { users: asked } => map([("users", users(asked))]),
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
