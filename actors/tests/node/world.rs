//! A node with doubles of its ports, and users who talk to it as a connection would.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actors::account::{Account, Device as ActorDevice, DisplayName, Email, Login, PasswordHash, RefreshHash, Username};
use actors::accounts::LogInBy;
use actors::command::{Command, Manage, Query, Span};
use actors::content::{ClientKey, Content};
use actors::credential::Identity;
use actors::event::Event;
use actors::id::{ConversationId, Door, LoginId, Pair, Seq, UserId};
use actors::limits::Limits;
use actors::node::{Node, World};
use actors::outbound::{CloseReason, Outbound};
use actors::rejected::Rejected;
use actors::relay::LocalRelay;
use actors::session::{Reply, Session};
use actors::store::{AccountStore, Store};
use actors::telemetry::Silent;
use actors::testkit::clock::{ManualClock, SeededRandom};
use actors::testkit::credentials::PlainCredentials;
use actors::testkit::memory::MemoryStore;
use actors::time::Timestamp;
use actors::view::{Appended, ConversationView, HistoryView, Tokens, View};

/// A node, its store and its clock.
pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Stage {
    /// A node with users 1 to 9.
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let store = Arc::new(MemoryStore::new());
        for number in 1..=9 {
            store.put_account(account(number), 0).await.expect("a fresh store");
        }
        Self::start(store, limits, 7).await
    }

    /// Another node over the same store: as after a restart, or a second owner.
    pub(crate) async fn over(store: Arc<MemoryStore>, limits: Limits) -> Self {
        Self::start(store, limits, 8).await
    }

    async fn start(store: Arc<MemoryStore>, limits: Limits, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_000_000_000)));
        Self { node: start_seeded(store.clone(), clock.clone(), limits, seed).await, store, clock }
    }

    pub(crate) async fn connect(&self, number: u64) -> Device {
        Device::connect(&self.node, number).await
    }

    /// A wish of this login about its account.
    pub(crate) async fn manage(&self, identity: Identity, wish: Manage) -> Result<View, Rejected> {
        let (reply, answer) = Reply::waiting();
        self.node.manage(identity, wish, reply);
        answer.await.expect("every reply is given")
    }

    /// Logs in the user with this number, by a device that says this.
    pub(crate) async fn log_in(&self, number: u64, device: &str) -> (Tokens, Identity) {
        let (by, device) = (LogInBy::Username(format!("user{number}")), ActorDevice::new(device, Door(3)));
        let tokens = self.node.accounts().log_in(by, "correct horse", &device).await.expect("the password is right");
        let identity = self.node.accounts().identify(&tokens.access.0).await.expect("a fresh token");
        (tokens, identity)
    }

    /// A session of this login.
    pub(crate) async fn connect_as(&self, identity: Identity) -> Device {
        Device::of(&self.node, identity).await
    }
}

/// A node over a store.
pub(crate) async fn start(store: Arc<dyn Store>, clock: Arc<ManualClock>, limits: Limits) -> Node {
    start_seeded(store, clock, limits, 7).await
}

/// A node over a store, with randomness of its own: no two nodes draw the same batch ids.
pub(crate) async fn start_seeded(store: Arc<dyn Store>, clock: Arc<ManualClock>, limits: Limits, seed: u64) -> Node {
    let world = World {
        clock,
        random: Arc::new(SeededRandom::new(seed)),
        store,
        credentials: Arc::new(PlainCredentials::default()),
        relay: Arc::new(LocalRelay),
        telemetry: Arc::new(Silent),
        limits: Arc::new(limits),
    };
    Node::start(world).await.expect("a node starts")
}

/// The account of the user with this number.
pub(crate) fn account(number: u64) -> Account {
    let username = Username::new(&format!("user{number}")).expect("valid");
    let email = Email::new(&format!("user{number}@example.org")).expect("valid");
    let password = Some(PasswordHash("plain:correct horse".into()));
    Account::new(user(number), username, email, DisplayName::default(), password, Timestamp(0))
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("valid")
}

pub(crate) fn direct(one: u64, other: u64) -> ConversationId {
    ConversationId::Direct(Pair::new(user(one), user(other)).expect("two users"))
}

pub(crate) fn key(text: &str) -> ClientKey {
    ClientKey::new(text).expect("valid")
}

pub(crate) fn post(conversation: ConversationId, client_key: &str, text: &str) -> Command {
    let content = Content { text: text.into(), ..Content::default() };
    Command::Post { conversation, client_key: key(client_key), content, media: vec![] }
}

pub(crate) fn seq(value: u64) -> Seq {
    Seq::new(value).expect("valid")
}

pub(crate) fn text(text: &str) -> Content {
    Content { text: text.into(), ..Content::default() }
}

/// One connection of one user.
pub(crate) struct Device {
    node: Node,
    pub(crate) session: Arc<Session>,
    requests: u32,
    replies: Vec<(u32, Result<View, Rejected>)>,
    pub(crate) events: Vec<Event>,
}

impl Device {
    /// A session of the user with this number.
    pub(crate) async fn connect(node: &Node, number: u64) -> Self {
        let identity = Identity { user: user(number), login: LoginId(u128::from(number)), expires_at: Timestamp(i64::MAX) };
        Self::of(node, identity).await
    }

    /// A session of a login.
    pub(crate) async fn of(node: &Node, identity: Identity) -> Self {
        let session = node.connect(node.name_session(), identity).await.expect("there is room");
        Self { node: node.clone(), session, requests: 0, replies: Vec::new(), events: Vec::new() }
    }

    /// Sends a command and does not wait; answers the request's number.
    pub(crate) fn send(&mut self, command: Command) -> u32 {
        self.requests += 1;
        let permit = self.session.admit(1).expect("there is room");
        self.node.command(&self.session, command, Reply::to_session(&self.session, Some(self.requests), permit));
        self.requests
    }

    /// Waits for the answer to a request.
    pub(crate) async fn answer(&mut self, request: u32) -> Result<View, Rejected> {
        loop {
            if let Some(place) = self.replies.iter().position(|(number, _)| *number == request) {
                return self.replies.swap_remove(place).1;
            }
            self.take().await;
        }
    }

    pub(crate) async fn ask(&mut self, command: Command) -> Result<View, Rejected> {
        let request = self.send(command);
        self.answer(request).await
    }

    pub(crate) async fn query(&mut self, query: Query) -> Result<View, Rejected> {
        self.requests += 1;
        let permit = self.session.admit(1).expect("there is room");
        let reply = Reply::to_session(&self.session, Some(self.requests), permit);
        self.node.query(self.session.identity.user, query, reply);
        self.answer(self.requests).await
    }

    /// Posts and expects an ack.
    pub(crate) async fn post(&mut self, conversation: ConversationId, client_key: &str, text: &str) -> Appended {
        match self.ask(post(conversation, client_key, text)).await {
            Ok(View::Appended(appended)) => appended,
            other => unreachable!("no ack: {other:?}"),
        }
    }

    /// Posts again under the same key until it is acknowledged.
    pub(crate) async fn post_surely(&mut self, conversation: ConversationId, client_key: &str, text: &str) -> Appended {
        loop {
            match self.ask(post(conversation, client_key, text)).await {
                Ok(View::Appended(appended)) => return appended,
                Err(Rejected::Unknown | Rejected::Unavailable { .. }) => {}
                other => unreachable!("no ack: {other:?}"),
            }
        }
    }

    /// Waits for an event that `wanted` finds something in, and takes it out.
    pub(crate) async fn event<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            if let Some(place) = self.events.iter().position(|event| wanted(event).is_some()) {
                return wanted(&self.events.remove(place)).expect("it was wanted");
            }
            self.take().await;
        }
    }

    /// The seq and text of the next entry of a conversation; empty text for what is no message.
    pub(crate) async fn entry(&mut self) -> (u64, String) {
        self.event(|event| match event {
            Event::Entry { entry, .. } => {
                let text = match &entry.act {
                    actors::entry::Act::Message(content) => content.text.to_string(),
                    _ => String::new(),
                };
                Some((entry.seq.get(), text))
            }
            _ => None,
        })
        .await
    }

    /// Waits until something is on its way, at most a while of the runtime's time.
    async fn take(&mut self) {
        let take = std::future::poll_fn(|context| self.session.queue.poll_take(context));
        let taken = tokio::time::timeout(Duration::from_mins(1), take).await.expect("something comes");
        self.sort(taken.items);
    }

    /// Why the node has closed the session, if it has.
    pub(crate) fn closed(&mut self) -> Option<CloseReason> {
        match self.session.queue.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => {
                let close = taken.close;
                self.sort(taken.items);
                close
            }
            Poll::Pending => None,
        }
    }

    /// Takes what is on its way already.
    pub(crate) fn take_ready(&mut self) {
        if let Poll::Ready(taken) = self.session.queue.poll_take(&mut Context::from_waker(Waker::noop())) {
            self.sort(taken.items);
        }
    }

    fn sort(&mut self, items: impl IntoIterator<Item = Outbound>) {
        for item in items {
            match item {
                Outbound::Announcement(announcement) => self.events.push(announcement.event().clone()),
                Outbound::Reply { request, answer, .. } => self.replies.extend(request.map(|request| (request, answer))),
            }
        }
    }

    /// Asks for something that stores an entry, and expects an ack.
    pub(crate) async fn done(&mut self, command: Command) -> Appended {
        match self.ask(command.clone()).await {
            Ok(View::Appended(appended)) => appended,
            other => unreachable!("{command:?} was answered {other:?}"),
        }
    }

    /// Carries out a wish about the own account, by a login of its own.
    pub(crate) async fn manage(&mut self, wish: Manage) -> Result<View, Rejected> {
        let Identity { user, login, .. } = self.session.identity;
        let (now, refresh) = (Timestamp(0), RefreshHash([0; 32]));
        let login = Login {
            id: login,
            user,
            refresh,
            replaced: None,
            created_at: now,
            expires_at: Timestamp(i64::MAX),
            ended_at: None,
            used_at: now,
            device: "".into(),
            door: Door::default(),
        };
        drop(self.node.world().store.put_login(login, 0).await); // it may be there already
        self.requests += 1;
        let permit = self.session.admit(1).expect("there is room");
        let reply = Reply::to_session(&self.session, Some(self.requests), permit);
        self.node.manage(self.session.identity, wish, reply);
        self.answer(self.requests).await
    }

    /// Everything that has come by a while from now.
    pub(crate) async fn heard(&mut self) -> Vec<Event> {
        tokio::time::sleep(Duration::from_secs(10)).await;
        self.take_ready();
        std::mem::take(&mut self.events)
    }

    pub(crate) async fn history(&mut self, conversation: ConversationId) -> HistoryView {
        let query = Query::History { conversation, span: Span::After(Seq::ZERO), limit: Some(200) };
        match self.query(query).await {
            Ok(View::History(view)) => view,
            other => unreachable!("{other:?}"),
        }
    }

    pub(crate) async fn conversation(&mut self, conversation: ConversationId) -> ConversationView {
        match self.query(Query::Conversation { conversation }).await {
            Ok(View::Conversation(view)) => *view,
            other => unreachable!("{other:?}"),
        }
    }

    pub(crate) fn disconnect(self) {
        self.node.disconnect(&self.session);
    }
}
