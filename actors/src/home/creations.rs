//! How a group begins: in its creator's home, because its number must be found again when its creator repeats the
//! command. The number stands in the creator's own log, under the creator's key, before the group's first entry.

use std::sync::Arc;

use crate::command::Command;
use crate::content::ClientKey;
use crate::conversation::mail::Request;
use crate::entry::{Act, Entry};
use crate::id::{ConversationId, GroupId, LogId, Seq};
use crate::limits::Limit;
use crate::log::keys::Known;
use crate::log::scribe::within;
use crate::rejected::Rejected;
use crate::store::{Sequence, StoreError};
use crate::task;

use super::actor::{RETRY_AFTER, Running, Wish};
use super::mail::{Mail, Note, What, creation_key};

impl Running {
    pub(super) fn create(&mut self, request: Box<Request>) {
        let Command::CreateGroup { client_key, .. } = &request.command else {
            return request.reply.settle(Err(Rejected::Internal));
        };
        let key = creation_key(client_key);
        if let Some(waiting) = self.creating.get_mut(&key) {
            return waiting.push(*request);
        }
        match self.scribe.keys().look_up(self.user, &key) {
            Known::Unsure => {
                self.backlog.push_front(Wish::Create(request));
                self.load_keys();
            }
            Known::Stored(stored) => self.find(request, stored.seq),
            Known::New | Known::Reserved(_) => {
                self.creating.insert(key.clone(), vec![*request]);
                let node = self.node.clone();
                let lost = Mail::Drawn(key.clone(), Err(StoreError::Unavailable("the draw was lost".to_owned())));
                task::tie(&self.myself, lost, async move {
                    let deadline = node.world().limits.time(Limit::StoreDeadline);
                    let number = within(deadline, node.numbers().take(Sequence::Principals, 0)).await;
                    let group = number.and_then(|number| {
                        GroupId::new(number).map_err(|error| StoreError::Corrupt(format!("the group sequence is exhausted: {error}")))
                    });
                    Mail::Drawn(key, group)
                });
            }
        }
    }

    pub(super) fn drawn(&mut self, key: ClientKey, answer: Result<GroupId, StoreError>) {
        match answer {
            // Through the backlog: another owner may have stored the creation while the number was drawn.
            Ok(group) => {
                let note = Note { what: What::Act(Act::Appeared { conversation: ConversationId::Group(group) }), client_key: key };
                self.backlog.push_front(Wish::Note(note, None));
            }
            Err(_) => self.refuse_creations(&key, &Rejected::Unavailable { after: RETRY_AFTER }),
        }
    }

    pub(super) fn refuse_creations(&mut self, key: &ClientKey, rejected: &Rejected) {
        for request in self.creating.remove(key).into_iter().flatten() {
            request.reply.settle(Err(rejected.clone()));
        }
    }

    pub(super) fn find(&self, request: Box<Request>, seq: Seq) {
        let (store, log) = (Arc::clone(&self.node.world().store), LogId::User(self.user));
        let deadline = self.node.world().limits.time(Limit::StoreDeadline);
        let lost = Mail::Tick; // the request went with the task: its reply has answered
        task::tie(&self.myself, lost, async move {
            let entries = within(deadline, store.range(log, seq, seq, 1, false)).await;
            Mail::Found(request, entries.map(|mut entries| entries.pop()))
        });
    }

    pub(super) fn found(&self, request: Box<Request>, answer: Result<Option<Entry>, StoreError>) {
        match answer.map(|entry| entry.map(|entry| entry.act)) {
            Ok(Some(Act::Appeared { conversation })) => self.node.directory().send_conversation(&self.node, conversation, *request),
            Ok(_) => request.reply.settle(Err(Rejected::Internal)),
            Err(_) => request.reply.settle(Err(Rejected::Unavailable { after: RETRY_AFTER })),
        }
    }
}
