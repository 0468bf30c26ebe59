//! What the user wants of his own log: to have a conversation otherwise, to take notices for read. One at a time.

use crate::command::Command;
use crate::content::ClientKey;
use crate::conversation::mail::Request;
use crate::entry::{Act, Digest, Row};
use crate::id::Seq;
use crate::limits::Limit;
use crate::log::keys::Known;
use crate::rejected::Rejected;
use crate::task;
use crate::view::View;

use super::actor::{RETRY_AFTER, Running, Wish};
use super::mail::{Mail, read_key, wish_key};
use super::notices::Notices;
use super::settings::{self, Facts, Granted};

/// A wish that is on its way into the log.
pub(crate) struct InHand {
    /// The key that its entry stands under.
    pub key: ClientKey,
    /// Who asked, and the way back.
    pub request: Box<Request>,
    /// The row that follows.
    pub row: Row,
    /// What is answered once it is durable.
    pub answer: View,
}

impl InHand {
    /// The wish that it was.
    pub(super) fn back(self) -> Wish {
        match self.row {
            Row::NoticesRead(_) => Wish::ReadNotices(self.request),
            Row::Group(_)
            | Row::Member(..)
            | Row::Own(..)
            | Row::Listed(..)
            | Row::Direct(_)
            | Row::Amended(..)
            | Row::Reactions(..)
            | Row::Gone(..)
            | Row::Erased(_)
            | Row::Expired(..)
            | Row::Invited(..)
            | Row::Preferences(..)
            | Row::Hidden(..)
            | Row::Notice(..) => Wish::Set(self.request),
        }
    }
}

impl Running {
    /// Reads what the wish is judged by.
    pub(super) fn weigh(&mut self, request: Box<Request>) {
        let Command::Set { conversation, setting, .. } = request.command else {
            return request.reply.settle(Err(Rejected::Internal));
        };
        self.loading = true;
        let (node, user) = (self.node.clone(), self.user);
        // If the task is lost its request is too, and its reply answers by itself.
        task::tie(&self.myself, Mail::Weighed(None, Err(Rejected::Internal)), async move {
            let deadline = node.world().limits.time(Limit::StoreDeadline);
            let answer = tokio::time::timeout(deadline, settings::facts(&node, user, conversation, setting)).await;
            Mail::Weighed(Some(request), answer.unwrap_or(Err(Rejected::Unavailable { after: RETRY_AFTER })))
        });
    }

    pub(super) fn weighed(&mut self, request: Option<Box<Request>>, answer: Result<Facts, Rejected>) {
        self.loading = false;
        let Some(request) = request else { return };
        let Command::Set { conversation, client_key, setting } = &request.command else {
            return request.reply.settle(Err(Rejected::Internal));
        };
        let (conversation, key) = (*conversation, wish_key(client_key));
        let granted = answer.and_then(|facts| Ok((settings::grant(conversation, *setting, &facts)?, facts.preferences)));
        let (Granted { act, row, after }, before) = match granted {
            Ok(granted) => granted,
            Err(rejected) => return request.reply.settle(Err(rejected)),
        };
        match self.scribe.keys().look_up(self.user, &key) {
            Known::Stored(stored) if stored.digest == Digest::of(&act) => {
                request.reply.settle(Ok(View::Preferences(conversation, before)));
            }
            Known::Stored(stored) => request.reply.settle(Err(Rejected::KeyReused { seq: stored.seq })),
            Known::Reserved(_) => request.reply.settle(Err(Rejected::Unknown)),
            Known::Unsure => {
                self.backlog.push_front(Wish::Set(request));
                self.load_keys();
            }
            Known::New => match row {
                Some(row) => {
                    let answer = View::Preferences(conversation, after);
                    self.offer(act, key.clone());
                    self.in_hand = Some(InHand { key, request, row, answer });
                }
                None => request.reply.settle(Ok(View::Preferences(conversation, before))),
            },
        }
    }

    pub(super) fn read_notices(&mut self, request: Box<Request>) {
        let Command::ReadNotices { up_to } = request.command else {
            return request.reply.settle(Err(Rejected::Internal));
        };
        let tail = self.scribe.head().tail;
        if up_to > tail {
            return request.reply.settle(Err(Rejected::AheadOfLog { tail }));
        }
        match self.notices.as_ref().map(Notices::read) {
            None => {
                self.backlog.push_front(Wish::ReadNotices(request));
                self.load_notices();
            }
            Some(read) if up_to <= read => request.reply.settle(Ok(View::Done)),
            Some(_) => self.raise_read(request, up_to),
        }
    }

    fn raise_read(&mut self, request: Box<Request>, up_to: Seq) {
        let key = read_key(up_to);
        match self.scribe.keys().look_up(self.user, &key) {
            Known::Stored(_) => request.reply.settle(Ok(View::Done)),
            Known::Reserved(_) => request.reply.settle(Err(Rejected::Unknown)),
            Known::Unsure => {
                self.backlog.push_front(Wish::ReadNotices(request));
                self.load_keys();
            }
            Known::New => {
                self.offer(Act::NoticesRead { up_to }, key.clone());
                self.in_hand = Some(InHand { key, request, row: Row::NoticesRead(up_to), answer: View::Done });
            }
        }
    }
}
