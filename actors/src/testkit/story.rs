//! A small true history, told by a node: every kind of record, every act, as a server writes them.
//!
//! For whatever must be proven of data that somebody really wrote: exports, checks, old formats. The contract's samples
//! are no such thing, they hold values that no node would write.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::clock::{ManualClock, SeededRandom};
use super::contract::samples::{account, direct, login, media, of_group, user};
use super::epilogue;
use crate::account::{Account, Login};
use crate::command::{Command, MarkKind, Query, Span};
use crate::content::{ClientKey, Content, GroupName, Opaque};
use crate::credential::Identity;
use crate::id::{ConversationId, LoginId, Seq, UserId};
use crate::limits::{Limit, Limits};
use crate::node::{Node, World};
use crate::rejected::Rejected;
use crate::relay::LocalRelay;
use crate::session::{Reply, Session};
use crate::store::{Sequence, Store};
use crate::telemetry::Silent;
use crate::testkit::credentials::NoCredentials;
use crate::time::Timestamp;
use crate::view::{HistoryView, View};

/// When it happened.
const THEN: Timestamp = Timestamp(1_767_225_600_000_000);
/// Ann, Ben, Cid and Dan.
const PEOPLE: [&str; 4] = ["ann", "ben", "cid", "dan"];
/// Posts under way at once.
const POSTS_AT_ONCE: u64 = 64;

/// A node over a store, to tell with and to ask.
pub struct Teller {
    /// The node.
    pub node: Node,
    clock: Arc<ManualClock>,
}

impl Teller {
    /// A node over this store; its chances repeat by the seed.
    pub async fn over(store: Arc<dyn Store>, seed: u64) -> Self {
        let mut limits = Limits::default();
        for limit in [Limit::PostsRateUser, Limit::PostsBurstUser, Limit::PostsRateConversation, Limit::PostsBurstConversation] {
            limits.set(limit, 1_000_000);
        }
        let clock = Arc::new(ManualClock::at(THEN));
        let world = World {
            clock: Arc::<ManualClock>::clone(&clock),
            random: Arc::new(SeededRandom::new(seed)),
            store,
            credentials: Arc::new(NoCredentials),
            relay: Arc::new(LocalRelay),
            telemetry: Arc::new(Silent),
            limits: Arc::new(limits),
        };
        Self { node: Node::start(world).await.expect("a node starts"), clock }
    }

    /// A session of one of the people.
    pub async fn connect(&self, who: UserId) -> Arc<Session> {
        let identity = Identity { user: who, login: LoginId(u128::from(who.get())), expires_at: Timestamp(i64::MAX) };
        self.node.connect(self.node.name_session(), identity).await.expect("there is room")
    }

    /// Does something and waits for the answer.
    pub async fn ask(&self, session: &Arc<Session>, command: Command) -> Result<View, Rejected> {
        self.clock.advance(Duration::from_millis(250));
        let (reply, answer) = Reply::waiting();
        self.node.command(session, command, reply);
        answer.await.expect("every command is answered")
    }

    /// What one of the people may read of a conversation, oldest first.
    pub async fn history(&self, who: UserId, conversation: ConversationId, after: u64) -> HistoryView {
        let (reply, answer) = Reply::waiting();
        let span = Span::After(Seq::new(after).expect("valid"));
        self.node.query(who, Query::History { conversation, span, limit: None }, reply);
        match answer.await.expect("every query is answered") {
            Ok(View::History(history)) => history,
            other => unreachable!("no history: {other:?}"),
        }
    }

    async fn posted(&self, session: &Arc<Session>, conversation: ConversationId, key: &str, content: Content) {
        let posted = self.ask(session, Command::Post { conversation, client_key: client_key(key), content, media: Vec::new() }).await;
        assert!(matches!(posted, Ok(View::Appended(_))), "{posted:?}");
    }

    /// As many plain messages, some at a time.
    pub async fn chatter(&self, session: &Arc<Session>, conversation: ConversationId, messages: u64) {
        let mut waiting = Vec::new();
        for n in 0..messages {
            let content = text(&format!("this is message {n} of {messages} in {conversation}, and nobody will miss it"));
            let (reply, answer) = Reply::waiting();
            self.node.command(
                session,
                Command::Post { conversation, client_key: client_key(&format!("n{n}")), content, media: Vec::new() },
                reply,
            );
            waiting.push(answer);
            if waiting.len() as u64 == POSTS_AT_ONCE || n + 1 == messages {
                for answer in waiting.drain(..) {
                    let posted = answer.await.expect("every command is answered");
                    assert!(matches!(posted, Ok(View::Appended(_))), "{posted:?}");
                }
            }
        }
    }

    /// Stops the node; everything is in the store when it returns.
    pub async fn stop(self) {
        self.node.refuse_commands();
        self.node.drain(Duration::from_secs(10)).await;
    }
}

fn client_key(text: &str) -> ClientKey {
    ClientKey::new(text).expect("a short key")
}

fn text(text: &str) -> Content {
    Content { text: text.into(), ..Content::default() }
}

/// Tells it, with as many more messages between Ann and Ben. The people are users 1 to 4, their group is 65.
pub async fn tell(store: Arc<dyn Store>, messages: u64) {
    store.draw(Sequence::Principals, 64).await.expect("drawn");
    for (number, name) in (1..).zip(PEOPLE) {
        let plain = (crate::account::DisplayName::default(), crate::account::Privacy::default());
        let row = Account { name: plain.0, privacy: plain.1, ..account(number, name, &format!("{name}@example.org")) };
        store.put_account(row, 0).await.expect("a name that is free");
        let row = Login { user: user(number), replaced: None, ended_at: None, ..login(u128::from(number)) };
        store.put_login(row, 0).await.expect("a new login");
    }
    let renamed = account(4, "dan.the-man", "Dan@example.org");
    store
        .put_account(Account { password: None, privacy: crate::account::Privacy::default(), ..renamed }, 1)
        .await
        .expect("nobody else changes it");
    store.put_login(Login { user: user(4), ..login(4) }, 1).await.expect("nobody else changes it");
    store.put_media(media(1, 1, 100, Some(50)), 0).await.expect("a new file");
    store.put_media(media(2, 4, 1_000, None), 0).await.expect("a new file");
    let teller = Teller::over(Arc::clone(&store), 1).await;
    let (ann, ben, cid) = (teller.connect(user(1)).await, teller.connect(user(2)).await, teller.connect(user(3)).await);
    between_two(&teller, &ann, &ben).await;
    in_a_group(&teller, &ann, &cid).await;
    teller.chatter(&ben, direct(1, 2), messages).await;
    teller.stop().await;
    epilogue::tell(&*store).await;
}

async fn between_two(teller: &Teller, ann: &Arc<Session>, ben: &Arc<Session>) {
    let conversation = direct(1, 2);
    teller.posted(ann, conversation, "a1", text("hello, 你好 🙂")).await;
    let answer = Content {
        data: Some(Opaque(Bytes::from_static(&[0x81, 0xa1, 0x6b, 0xc4, 0x02, 0x00, 0xff]))),
        reply_to: Seq::new(1).ok(),
        mentions: vec![user(1)],
        ..text("hi")
    };
    teller.posted(ben, conversation, "b1", answer).await;
    teller.posted(ann, conversation, "a2", text("how are you?")).await;
    for (session, mark, seq) in [(ann, MarkKind::Delivered, 3), (ben, MarkKind::Read, 2)] {
        let marked = teller.ask(session, Command::Mark { conversation, mark, seq: Seq::new(seq).expect("valid"), private: false }).await;
        assert!(marked.is_ok(), "{marked:?}");
    }
}

async fn in_a_group(teller: &Teller, ann: &Arc<Session>, cid: &Arc<Session>) {
    let conversation = of_group(65);
    let name = GroupName::new("the “first” group").expect("a name");
    let created =
        teller.ask(ann, Command::CreateGroup { client_key: client_key("g"), name, members: vec![user(2), user(3)], open: false }).await;
    assert!(matches!(&created, Ok(View::Appended(appended)) if appended.conversation == conversation), "{created:?}");
    teller.posted(cid, conversation, "c1", text("thanks")).await;
    let changes = [
        Command::AddMembers { conversation, client_key: client_key("add"), members: vec![user(4)] },
        Command::RemoveMember { conversation, client_key: client_key("remove"), member: user(3) },
        Command::RemoveMember { conversation, client_key: client_key("again"), member: user(2) },
        Command::AddMembers { conversation, client_key: client_key("back"), members: vec![user(2)] },
    ];
    for change in changes {
        let changed = teller.ask(ann, change).await;
        assert!(changed.is_ok(), "{changed:?}");
    }
    let seq = Seq::new(4).expect("valid");
    assert!(teller.ask(ann, Command::Mark { conversation, mark: MarkKind::Read, seq, private: false }).await.is_ok());
    teller.posted(ann, conversation, "a1", text("farewell, Cid")).await;
}
