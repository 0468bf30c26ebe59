//! A client as the protocol asks for one: keys on everything that is stored, the same key again until the fate is
//! known, cursors, resumes, pages for every gap. It judges nothing; it records what it asked, saw and was told.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use actors::command::{Command, Cursor, MarkKind, Query, Span};
use actors::content::{ClientKey, Content, GroupName};
use actors::credential::Identity;
use actors::entry::{Act, Entry};
use actors::event::Event;
use actors::id::{ConversationId, Incarnation, LogId, LoginId, Pair, Seq, UserId};
use actors::node::Node;
use actors::outbound::{Outbound, Taken};
use actors::rejected::Rejected;
use actors::session::{Reply, Session};
use actors::time::Timestamp;
use actors::view::{HistoryView, ResetReason, Resumed, SyncView, View};
use tokio::time::{Instant, sleep, timeout};

use crate::history::{Asked, By, End, Fact, Line};
use crate::plan::{Dice, user};
use crate::world::{World, skipped};

/// How long a client tries to get its posts settled after everything has healed.
const SETTLE: Duration = Duration::from_secs(90);

/// What a client knows of one log.
#[derive(Debug, Clone, Copy)]
struct Copy {
    incarnation: Option<Incarnation>,
    /// Everything up to here is known.
    upto: Seq,
    /// Something is known to stand here.
    ahead: Seq,
}

/// Where a wish stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// To be sent (again) at this moment.
    Due(Instant),
    /// Sent, not answered.
    Flying,
    /// Answered for good.
    Settled,
}

/// Something that the client wants stored, until it knows its fate.
#[derive(Debug, Clone)]
struct Wish {
    command: Command,
    fate: Fate,
    last: String,
}

/// What a request was for.
#[derive(Debug)]
enum Open {
    Wish(usize),
    Resume(Vec<(ConversationId, Seq, Seq)>),
    Page(ConversationId, Seq),
    Other,
}

/// A connection.
struct Connection {
    node: Node,
    place: usize,
    life: usize,
    session: Arc<Session>,
    line: Line,
    requests: u32,
    open: BTreeMap<u32, Open>,
}

/// One device of one user.
pub(crate) struct Client {
    world: Arc<World>,
    number: usize,
    user: UserId,
    dice: Dice,
    connection: Option<Connection>,
    connections: usize,
    copies: BTreeMap<ConversationId, Copy>,
    own: Option<Cursor>,
    wishes: Vec<Wish>,
}

impl Client {
    /// A device that knows the conversations that its user has from the beginning.
    pub(crate) fn new(world: Arc<World>, number: usize, user: UserId) -> Self {
        let mut dice = Dice::new(world.plan.seed, 100 + number as u64);
        let mut copies = BTreeMap::new();
        for room in world.plan.rooms.iter().filter(|room| room.members.contains(&user)) {
            let upto = if room.tail == 0 { 0 } else { room.tail - dice.below(6) };
            let upto = Seq::new(upto).expect("valid");
            let incarnation = (room.tail > 0).then_some(Incarnation(7));
            copies.insert(room.id, Copy { incarnation, upto, ahead: upto });
        }
        Self { world, number, user, dice, connection: None, connections: 0, copies, own: None, wishes: vec![] }
    }

    /// Lives until everything has healed, then settles and reads everything.
    pub(crate) async fn live(mut self) {
        sleep(self.dice.millis(0, 500)).await;
        while !self.world.is_calm() {
            self.connect().await;
            let wait = self.dice.millis(3, 350);
            self.listen(wait).await;
            if self.connection.is_some() {
                self.act().await;
            }
            self.send_due();
        }
        let end = Instant::now() + SETTLE;
        while Instant::now() < end && self.wishes.iter().any(|wish| wish.fate != Fate::Settled) {
            self.connect().await;
            self.send_due();
            self.listen(Duration::from_millis(500)).await;
        }
        self.listen(Duration::from_secs(6)).await;
        self.cut();
        self.world.wait_for_all().await;
        self.read_everything().await;
    }

    // ── the connection ──

    async fn connect(&mut self) {
        if let Some(connection) = &self.connection
            && !self.world.lives(connection.place, connection.life)
        {
            self.cut();
        }
        if self.connection.is_some() {
            return;
        }
        let Some((node, place, life)) = self.world.any_node(&mut self.dice) else {
            return sleep(Duration::from_millis(50)).await;
        };
        let identity = Identity { user: self.user, login: LoginId(self.number as u128 + 1), expires_at: Timestamp(i64::MAX) };
        let Ok(session) = node.connect(node.name_session(), identity).await else {
            return sleep(Duration::from_millis(50)).await;
        };
        self.connections += 1;
        let line = Line { client: self.number, connection: self.connections };
        self.world.history.note(format_args!("{line} u{} connects to n{place}.{life}", self.user.get()));
        self.connection = Some(Connection { node, place, life, session, line, requests: 0, open: BTreeMap::new() });
        self.resume();
    }

    /// The connection ends; what was not answered will never be.
    fn cut(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        connection.node.disconnect(&connection.session);
        for (request, open) in connection.open {
            let at = self.world.history.now();
            self.world.history.fact(Fact::Ended { line: connection.line, request, end: End::Cut, at });
            if let Open::Wish(index) = open {
                let after = self.dice.millis(1, 800);
                self.again(index, after, "cut".to_owned());
            }
        }
    }

    fn ask(&mut self, asked: Asked, open: Open, what: Result<Command, Query>) {
        let Some(connection) = &mut self.connection else { return };
        let Some(permit) = connection.session.admit(1) else { return };
        connection.requests += 1;
        let request = connection.requests;
        connection.open.insert(request, open);
        let at = self.world.history.now();
        self.world.history.fact(Fact::Asked { line: connection.line, user: self.user, request, asked, at });
        let reply = Reply::to_session(&connection.session, Some(request), permit);
        match what {
            Ok(command) => connection.node.command(&connection.session, command, reply),
            Err(query) => connection.node.query(self.user, query, reply),
        }
    }

    async fn listen(&mut self, span: Duration) {
        let end = Instant::now() + span;
        loop {
            let Some(connection) = &self.connection else { return };
            let (session, place, life) = (Arc::clone(&connection.session), connection.place, connection.life);
            let Ok(taken) = timeout(end - Instant::now(), poll_fn(|context| session.queue.poll_take(context))).await else { return };
            if !self.world.lives(place, life) {
                return self.cut();
            }
            self.take_in(taken).await;
            self.page_gaps();
            if Instant::now() >= end {
                return;
            }
        }
    }

    // ── what comes ──

    async fn take_in(&mut self, taken: Taken) {
        let connections = self.connections;
        for item in taken.items {
            if self.connection.is_none() || self.connections != connections {
                return; // cut meanwhile: what comes after it is not seen
            }
            match item {
                Outbound::Announcement(announcement) => self.event(announcement.event()).await,
                Outbound::Reply { request: Some(request), answer, .. } => self.answered(request, answer),
                Outbound::Reply { request: None, .. } => {}
            }
        }
        for (log, _, to) in taken.gaps {
            if let LogId::Conversation(conversation) = log {
                self.know_of(conversation, to);
            }
        }
        if taken.close.is_some() {
            self.cut();
        }
    }

    async fn event(&mut self, event: &Event) {
        let line = self.line();
        match event {
            Event::Entry { conversation, incarnation, entry, .. } => self.saw(*conversation, *incarnation, entry, By::Event),
            Event::Own { incarnation, entry } => {
                self.own = Some(Cursor { incarnation: *incarnation, seq: entry.seq });
                self.own_entry(entry);
            }
            Event::Receipts { conversation, marks, .. } => {
                for (member, marks) in marks {
                    let stored = self.world.stored_marks(*member, *conversation).await;
                    let (conversation, member, marks) = (*conversation, *member, *marks);
                    self.world.history.fact(Fact::Shown { line, conversation, member, marks, stored });
                }
            }
            Event::Members { conversation, to, .. } => self.know_of(*conversation, *to),
            Event::Bond { .. } | Event::Unread { .. } | Event::Typing { .. } | Event::Presence { .. } => {}
        }
    }

    fn line(&self) -> Line {
        Line { client: self.number, connection: self.connections }
    }

    fn own_entry(&mut self, entry: &Entry) {
        if let Act::Appeared { conversation } = entry.act {
            self.copy(conversation);
        }
    }

    /// The copy of a log; what was never in the store is taken as known.
    fn copy(&mut self, conversation: ConversationId) -> &mut Copy {
        let room = self.world.plan.rooms.iter().find(|room| room.id == conversation);
        let upto = Seq::new(room.map_or(0, skipped)).expect("valid");
        let incarnation = (upto != Seq::ZERO).then_some(Incarnation(7));
        self.copies.entry(conversation).or_insert(Copy { incarnation, upto, ahead: upto })
    }

    fn know_of(&mut self, conversation: ConversationId, seq: Seq) {
        let copy = self.copy(conversation);
        copy.ahead = copy.ahead.max(seq);
    }

    fn saw(&mut self, conversation: ConversationId, incarnation: Incarnation, entry: &Arc<Entry>, by: By) {
        let (line, user) = (self.line(), self.user);
        self.world.history.fact(Fact::Saw { line, user, conversation, entry: Arc::clone(entry), by });
        let copy = self.copy(conversation);
        copy.incarnation.get_or_insert(incarnation);
        copy.ahead = copy.ahead.max(entry.seq);
        if entry.seq == copy.upto.next() {
            copy.upto = entry.seq;
        }
    }

    fn answered(&mut self, request: u32, answer: Result<View, Rejected>) {
        let (line, at) = (self.line(), self.world.history.now());
        let end = match &answer {
            Ok(View::Appended(appended)) => End::Acked(*appended),
            Ok(View::Marked { seq, .. }) => End::Marked(*seq),
            Ok(_) => End::Answered,
            Err(rejected) => End::Refused(rejected.clone()),
        };
        self.world.history.fact(Fact::Ended { line, request, end, at });
        let open = self.connection.as_mut().and_then(|connection| connection.open.remove(&request));
        match (open, answer) {
            (Some(Open::Wish(index)), answer) => self.settled(index, answer),
            (Some(Open::Resume(named)), Ok(View::Sync(view))) => self.resumed(&named, view),
            (Some(Open::Page(conversation, after)), Ok(View::History(view))) => self.paged(conversation, after, &view),
            (Some(Open::Page(conversation, _)), Err(Rejected::NoSuchConversation)) => {
                self.copies.remove(&conversation);
            }
            (Some(Open::Resume(_)), Err(_)) => {
                // Without a resume the connection is of no use.
                self.cut();
            }
            (Some(Open::Page(..) | Open::Other | Open::Resume(_)) | None, _) => {}
        }
    }

    fn settled(&mut self, index: usize, answer: Result<View, Rejected>) {
        match answer {
            Ok(View::Appended(appended)) => {
                self.wishes[index].fate = Fate::Settled;
                self.know_of(appended.conversation, appended.seq);
            }
            Err(
                rejected @ (Rejected::Unknown
                | Rejected::Unavailable { .. }
                | Rejected::Busy { .. }
                | Rejected::TooFast { .. }
                | Rejected::Draining
                | Rejected::Internal),
            ) => {
                let after = self.dice.millis(50, 1_500);
                self.again(index, after, format!("{rejected:?}"));
            }
            Ok(_) | Err(_) => self.wishes[index].fate = Fate::Settled,
        }
    }

    fn again(&mut self, index: usize, after: Duration, last: String) {
        let wish = &mut self.wishes[index];
        wish.fate = Fate::Due(Instant::now() + after);
        wish.last = last;
    }

    // ── catching up ──

    fn resume(&mut self) {
        let named: Vec<_> = self.copies.iter().map(|(id, copy)| (*id, copy.upto, copy.ahead)).collect();
        let conversations = self.copies.iter().map(|(id, copy)| {
            let incarnation = copy.incarnation.unwrap_or_default();
            (*id, Cursor { incarnation, seq: copy.upto })
        });
        let query = Query::Sync { user: self.own, conversations: conversations.collect() };
        self.ask(Asked::Know, Open::Resume(named), Err(query));
    }

    fn resumed(&mut self, named: &[(ConversationId, Seq, Seq)], view: SyncView) {
        let (line, user) = (self.line(), self.user);
        self.own = Some(view.user.0);
        if let Resumed::Complete(entries) = &view.user.1 {
            for entry in entries {
                self.own_entry(&entry.entry);
            }
        }
        for (conversation, tail, outcome) in view.conversations {
            let Some((_, from, known)) = named.iter().find(|(id, ..)| *id == conversation).copied() else { continue };
            self.world.history.fact(Fact::Resumed { line, user, conversation, from, known, tail, outcome: outcome.clone() });
            match outcome {
                Resumed::Complete(entries) => {
                    for entry in &entries {
                        self.saw(conversation, tail.incarnation, &entry.entry, By::Sync);
                    }
                }
                Resumed::Gap { to, .. } => self.know_of(conversation, to),
                Resumed::Reset(ResetReason::NotAMember) => {
                    self.copies.remove(&conversation);
                }
                Resumed::Reset(_) | Resumed::TooLong { .. } => {}
            }
        }
        for appeared in view.appeared {
            self.know_of(appeared.id, appeared.tail.seq);
        }
    }

    /// Asks for what is missing, one page of each log at a time.
    fn page_gaps(&mut self) {
        let Some(connection) = &self.connection else { return };
        let paging: Vec<_> = connection
            .open
            .values()
            .filter_map(|open| match open {
                Open::Page(conversation, _) => Some(*conversation),
                Open::Wish(_) | Open::Resume(_) | Open::Other => None,
            })
            .collect();
        let gaps: Vec<_> = self
            .copies
            .iter()
            .filter(|(id, copy)| copy.ahead > copy.upto && !paging.contains(id))
            .map(|(id, copy)| (*id, copy.upto))
            .collect();
        for (conversation, after) in gaps {
            self.page(conversation, after);
        }
    }

    fn page(&mut self, conversation: ConversationId, after: Seq) {
        let limit = Some(self.dice.between(1, 40));
        let query = Query::History { conversation, span: Span::After(after), limit };
        self.ask(Asked::Know, Open::Page(conversation, after), Err(query));
    }

    fn paged(&mut self, conversation: ConversationId, after: Seq, view: &HistoryView) {
        let (line, tail, more) = (self.line(), view.tail.seq, view.more);
        let seqs = view.entries.iter().map(|entry| entry.entry.seq).collect();
        self.world.history.fact(Fact::Paged { line, conversation, after, tail, more, seqs });
        for entry in &view.entries {
            self.saw(conversation, view.tail.incarnation, &entry.entry, By::Page);
        }
    }

    // ── what it does ──

    async fn act(&mut self) {
        match self.dice.below(100) {
            0..48 => {
                for _ in 0..self.dice.between(1, 4) {
                    self.post();
                }
            }
            48..54 => self.repeat(),
            54..56 => self.reuse(),
            56..70 => self.mark(),
            70..79 => self.change(),
            79..80 => self.create(),
            80..86 => self.look_back(),
            86..91 => self.resume(),
            91..95 => self.cut(),
            95..97 => self.ask(Asked::Know, Open::Other, Err(Query::Conversations { cursor: None, limit: None })),
            97..98 => {
                let stall = self.dice.millis(500, 4_000);
                sleep(stall).await; // a device that does not read
            }
            _ => {
                if let Some(conversation) = self.any_log() {
                    self.ask(Asked::Know, Open::Other, Ok(Command::Type { conversation }));
                }
            }
        }
    }

    fn any_log(&mut self) -> Option<ConversationId> {
        let ids: Vec<_> = self.copies.keys().copied().collect();
        self.dice.pick(&ids).copied()
    }

    fn key(&self) -> ClientKey {
        ClientKey::new(&format!("c{}-{}", self.number, self.wishes.len())).expect("short")
    }

    fn wish(&mut self, command: Command) {
        self.wishes.push(Wish { command, fate: Fate::Due(Instant::now()), last: String::new() });
        self.send_due();
    }

    fn send_due(&mut self) {
        let now = Instant::now();
        for index in 0..self.wishes.len() {
            if matches!(self.wishes[index].fate, Fate::Due(at) if at <= now) && self.has_room() {
                self.wishes[index].fate = Fate::Flying;
                let command = self.wishes[index].command.clone();
                self.ask(asked(&command), Open::Wish(index), Ok(command));
            }
        }
    }

    fn has_room(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.session.has_room())
    }

    fn post(&mut self) {
        let conversation = if self.dice.often(20) {
            let other = user(self.dice.between(1, self.world.plan.users));
            Pair::new(self.user, other).ok().map(ConversationId::Direct)
        } else {
            self.any_log()
        };
        let Some(conversation) = conversation else { return };
        let client_key = self.key();
        let content = Content { text: format!("{} says {}", self.number, self.wishes.len()).into(), ..Content::default() };
        self.wish(Command::Post { conversation, client_key, content, media: vec![] });
    }

    /// The same again, though it was answered: the first answer must come back.
    fn repeat(&mut self) {
        let settled: Vec<_> =
            self.wishes.iter().enumerate().filter(|(_, wish)| wish.fate == Fate::Settled).map(|(index, _)| index).collect();
        if let Some(index) = self.dice.pick(&settled).copied()
            && self.has_room()
        {
            let command = self.wishes[index].command.clone();
            self.ask(asked(&command), Open::Other, Ok(command));
        }
    }

    /// Another content under a key that was used: it must be refused.
    fn reuse(&mut self) {
        let settled: Vec<_> = self.wishes.iter().filter(|wish| wish.fate == Fate::Settled).map(|wish| wish.command.clone()).collect();
        if let Some(Command::Post { conversation, client_key, .. }) = self.dice.pick(&settled).cloned()
            && self.has_room()
        {
            let content = Content { text: "something else".into(), ..Content::default() };
            let command = Command::Post { conversation, client_key, content, media: vec![] };
            self.ask(asked(&command), Open::Other, Ok(command));
        }
    }

    fn mark(&mut self) {
        let Some(conversation) = self.any_log() else { return };
        let upto = self.copies[&conversation].upto;
        let seq = upto.minus(self.dice.below(8));
        let mark = if self.dice.often(500) { MarkKind::Read } else { MarkKind::Delivered };
        if seq != Seq::ZERO && self.has_room() {
            self.ask(Asked::Mark, Open::Other, Ok(Command::Mark { conversation, mark, seq, private: false }));
        }
    }

    fn change(&mut self) {
        let groups: Vec<_> = self.copies.keys().copied().filter(|id| matches!(id, ConversationId::Group(_))).collect();
        let Some(conversation) = self.dice.pick(&groups).copied() else { return };
        let (client_key, member) = (self.key(), user(self.dice.between(1, self.world.plan.users)));
        let command = match self.dice.below(10) {
            0 => Command::RemoveMember { conversation, client_key, member: self.user },
            1..5 => Command::RemoveMember { conversation, client_key, member },
            _ => Command::AddMembers { conversation, client_key, members: vec![member] },
        };
        self.wish(command);
    }

    fn create(&mut self) {
        let members = (1..=self.world.plan.users).map(user).filter(|_| self.dice.often(400)).collect();
        let (client_key, name) = (self.key(), GroupName::new("another").expect("valid"));
        self.wish(Command::CreateGroup { client_key, name, members, open: false });
    }

    fn look_back(&mut self) {
        let Some(conversation) = self.any_log() else { return };
        let after = self.copies[&conversation].upto.minus(self.dice.below(10));
        let after = after.max(self.floor(conversation));
        if self.has_room() {
            self.page(conversation, after);
        }
    }

    /// Below this nothing was ever stored.
    fn floor(&self, conversation: ConversationId) -> Seq {
        let room = self.world.plan.rooms.iter().find(|room| room.id == conversation);
        Seq::new(room.map_or(0, skipped)).expect("valid")
    }

    // ── the end ──

    /// Reads every log to its end, on a node of chance.
    async fn read_everything(&mut self) {
        for wish in &self.wishes {
            if wish.fate != Fate::Settled
                && let Some(client_key) = key_of(&wish.command)
            {
                let (client, last) = (self.number, wish.last.clone());
                self.world.history.fact(Fact::Unsettled { client, key: client_key.clone(), last });
            }
        }
        self.connect().await;
        self.listen(Duration::from_secs(2)).await;
        for conversation in self.copies.keys().copied().collect::<Vec<_>>() {
            let mut known = None;
            for _ in 0..1_000 {
                let Some(copy) = self.copies.get(&conversation) else { break };
                let before = copy.upto;
                known = Some(before);
                self.page(conversation, before);
                self.listen(Duration::from_millis(200)).await;
                match self.copies.get(&conversation) {
                    Some(copy) if copy.upto > before => {}
                    Some(_) => break,
                    None => known = None,
                }
            }
            let (client, user) = (self.number, self.user);
            self.world.history.fact(Fact::Ends { client, user, conversation, known });
        }
        self.cut();
    }
}

fn key_of(command: &Command) -> Option<&ClientKey> {
    match command {
        Command::Post { client_key, .. }
        | Command::CreateGroup { client_key, .. }
        | Command::AddMembers { client_key, .. }
        | Command::RemoveMember { client_key, .. } => Some(client_key),
        Command::Edit { client_key, .. }
        | Command::Delete { client_key, .. }
        | Command::React { client_key, .. }
        | Command::Forward { client_key, .. }
        | Command::ChangeGroup { client_key, .. }
        | Command::SetRole { client_key, .. }
        | Command::HandOver { client_key, .. }
        | Command::Invite { client_key, .. }
        | Command::Join { client_key, .. }
        | Command::Decline { client_key, .. } => Some(client_key),
        Command::Mark { .. } | Command::Type { .. } | Command::Watch { .. } => None,
        Command::Relate { .. } | Command::Set { .. } | Command::ReadNotices { .. } => None,
    }
}

/// What a command asks to be stored.
fn asked(command: &Command) -> Asked {
    match command {
        Command::Post { conversation, client_key, content, media: _ } => {
            Asked::Store(*conversation, client_key.clone(), Act::Message(content.clone()))
        }
        Command::AddMembers { conversation, client_key, members } => {
            Asked::Store(*conversation, client_key.clone(), Act::Joined { members: members.clone() })
        }
        Command::RemoveMember { conversation, client_key, member } => {
            Asked::Store(*conversation, client_key.clone(), Act::Left { member: *member })
        }
        Command::CreateGroup { client_key, .. } => Asked::Create(client_key.clone()),
        Command::Mark { .. } => Asked::Mark,
        Command::Type { .. } | Command::Watch { .. } => Asked::Know,
        Command::Edit { .. } | Command::Delete { .. } | Command::React { .. } | Command::Forward { .. } => never(command),
        Command::ChangeGroup { .. } | Command::SetRole { .. } | Command::HandOver { .. } | Command::Invite { .. } => never(command),
        Command::Join { .. } | Command::Decline { .. } | Command::Relate { .. } | Command::Set { .. } => never(command),
        Command::ReadNotices { .. } => never(command),
    }
}

fn never(command: &Command) -> ! {
    unreachable!("no client asks for this: {command:?}")
}
