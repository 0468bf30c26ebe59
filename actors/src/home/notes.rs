//! Notes: what others bring into the user's log, each once, under a key that makes a repetition harmless.

use crate::content::ClientKey;
use crate::entry::{Act, Notice, Topic};
use crate::limits::Limit;
use crate::log::keys::Known;
use crate::log::scribe::{Draft, Waiter, within};
use crate::rejected::Rejected;
use crate::store::StoreError;
use crate::task;
use crate::telemetry::Count;

use super::actor::{RETRY_AFTER, Running, Wish};
use super::mail::{Mail, Note, Noted, What, way_key};
use super::notices::{Notices, Way};

impl Running {
    pub(super) fn note(&mut self, note: Note, noted: Option<Noted>) {
        match self.scribe.keys().look_up(self.user, &note.client_key) {
            Known::Stored(stored) => {
                let waiting = self.noted.remove(&note.client_key).into_iter().flatten();
                for noted in waiting.chain(noted) {
                    drop(noted.send(Ok(stored.seq)));
                }
                for request in self.creating.remove(&note.client_key).into_iter().flatten() {
                    self.find(Box::new(request), stored.seq);
                }
            }
            Known::Reserved(_) => self.noted.entry(note.client_key).or_default().extend(noted),
            Known::Unsure => {
                self.backlog.push_front(Wish::Note(note, noted));
                self.load_keys();
            }
            Known::New if note.needs_quiet() && self.notices.is_none() => {
                self.backlog.push_front(Wish::Note(note, noted));
                self.load_notices();
            }
            Known::New => {
                self.noted.entry(note.client_key.clone()).or_default().extend(noted);
                self.enter(note);
            }
        }
    }

    fn enter(&mut self, Note { what, client_key }: Note) {
        match what {
            What::Act(Act::Noticed(notice)) => self.notice(notice, client_key),
            What::Act(act) => self.offer(act, client_key),
            What::Withdrawal(topic) => self.withdraw(topic, client_key),
        }
    }

    fn notice(&mut self, notice: Notice, client_key: ClientKey) {
        let max = self.node.world().limits.count(Limit::NoticesUser);
        let way = self.notices.as_ref().and_then(|notices| notices.making_way(notice.topic(), max));
        if let Some(Way::Oldest(_)) = way {
            self.node.world().telemetry.count(Count::RateLimited("notices_user"), 1);
        }
        if let Some(Way::Replaced(seq) | Way::Oldest(seq)) = way {
            self.offer(Act::Withdrawn { notice: seq }, way_key(seq));
        }
        self.offer(Act::Noticed(notice), client_key);
    }

    fn withdraw(&mut self, topic: Topic, client_key: ClientKey) {
        match self.notices.as_ref().and_then(|notices| notices.about(topic)) {
            Some(notice) => self.offer(Act::Withdrawn { notice }, client_key),
            None => {
                let tail = self.scribe.head().tail;
                for noted in self.noted.remove(&client_key).into_iter().flatten() {
                    drop(noted.send(Ok(tail)));
                }
            }
        }
    }

    pub(super) fn offer(&mut self, act: Act, client_key: ClientKey) {
        let arrived = self.node.now();
        let waiter = Waiter { origin: None, replies: vec![], permit: None, command: None };
        self.scribe.offer(Draft { author: self.user, client_key, act, arrived, waiter });
    }

    pub(super) fn load_notices(&mut self) {
        self.loading = true;
        let (node, user) = (self.node.clone(), self.user);
        let lost = Mail::NoticesLoaded(Err(StoreError::Unavailable("the load was lost".to_owned())));
        task::tie(&self.myself, lost, async move {
            let (store, limits) = (&node.world().store, &node.world().limits);
            let call = async {
                // The limit may have been lowered since; what stands beyond it goes with the ones that come.
                let standing = store.notices(user, None, limits.count(Limit::NoticesUser)).await?;
                Ok(Notices::new(standing, store.notices_read(user).await?))
            };
            Mail::NoticesLoaded(within(limits.time(Limit::StoreDeadline), call).await)
        });
    }

    pub(super) fn notices_loaded(&mut self, answer: Result<Notices, StoreError>) {
        self.loading = false;
        match answer {
            Ok(notices) => self.notices = Some(notices),
            Err(error) => {
                tracing::warn!(user = self.user.get(), %error, "the notices could not be read");
                self.refuse_backlog(&Rejected::Unavailable { after: RETRY_AFTER });
            }
        }
    }
}
