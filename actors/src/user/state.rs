//! The rules of a connected user: rates and presence. Pure.

use std::collections::VecDeque;

use crate::bucket::{TokenBucket, Window};
use crate::id::ConversationId;
use crate::limits::{Limit, Limits};
use crate::rejected::Rejected;
use crate::time::Timestamp;

/// Of how many conversations the last typing signal is remembered.
const TYPING_REMEMBERED: usize = 16;

/// A user with a live session, or one that has just lost the last.
#[derive(Debug)]
pub struct OnlineUser {
    posts: TokenBucket,
    groups: Window,
    requests: Window,
    invites: Window,
    typing: VecDeque<(ConversationId, Timestamp)>,
    online: bool,
    /// Counts the times that the last session went, so that an old timer means nothing.
    absences: u32,
}

impl OnlineUser {
    /// A user who was not here before; `online` if sessions are there already (the actor came back after a crash).
    pub fn new(online: bool, limits: &Limits) -> Self {
        Self {
            posts: TokenBucket::new(limits.get(Limit::PostsRateUser), limits.get(Limit::PostsBurstUser)),
            groups: Window::of_an_hour(),
            requests: Window::of_an_hour(),
            invites: Window::of_an_hour(),
            typing: VecDeque::new(),
            online,
            absences: 0,
        }
    }

    /// A session came. True if the user was offline before.
    pub fn arrive(&mut self) -> bool {
        self.absences = self.absences.wrapping_add(1);
        !std::mem::replace(&mut self.online, true)
    }

    /// The last session went: the number to hand to [`OnlineUser::grace_over`].
    pub fn leave(&mut self) -> u32 {
        self.absences = self.absences.wrapping_add(1);
        self.absences
    }

    /// The user has logged out and no session is there. True if he was online until now.
    pub fn go(&mut self) -> bool {
        self.absences = self.absences.wrapping_add(1);
        std::mem::replace(&mut self.online, false)
    }

    /// Whether the user is here, or was a moment ago.
    pub fn is_here(&self) -> bool {
        self.online
    }

    /// The grace that began with this absence is over. True if the user is offline now.
    pub fn grace_over(&mut self, absence: u32) -> bool {
        absence == self.absences && std::mem::replace(&mut self.online, false)
    }

    /// Takes the user's share for one message.
    pub fn admit_post(&mut self, now: Timestamp) -> Result<(), Rejected> {
        self.posts.take(1, now).map_err(|after| Rejected::TooFast { bucket: "posts_user", after })
    }

    /// Takes the user's share for one group.
    pub fn admit_group(&mut self, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        let taken = self.groups.take(limits.get(Limit::GroupsPerHour), now);
        taken.map_err(|after| Rejected::TooFast { bucket: "groups", after })
    }

    /// Takes the user's share for one request for friendship.
    pub fn admit_request(&mut self, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        let taken = self.requests.take(limits.get(Limit::RequestsPerHour), now);
        taken.map_err(|after| Rejected::TooFast { bucket: "requests", after })
    }

    /// Takes the user's share for inviting so many users.
    pub fn admit_invites(&mut self, count: usize, now: Timestamp, limits: &Limits) -> Result<(), Rejected> {
        let taken = self.invites.take_many(count as u64, limits.get(Limit::InvitesPerHour), now);
        taken.map_err(|after| Rejected::TooFast { bucket: "invites", after })
    }

    /// Whether something is counted by the hour, so that forgetting this user would give back its share.
    pub fn is_counting(&self, now: Timestamp) -> bool {
        [self.groups, self.requests, self.invites].iter().any(|count| !count.is_over(now))
    }

    /// Whether a typing signal is due again in this conversation.
    pub fn admit_typing(&mut self, conversation: ConversationId, now: Timestamp, limits: &Limits) -> bool {
        let interval = limits.time(Limit::TypingInterval);
        if self.typing.iter().any(|(id, at)| *id == conversation && now.since(*at) < interval) {
            return false;
        }
        self.typing.retain(|(id, _)| *id != conversation);
        if self.typing.len() >= TYPING_REMEMBERED {
            self.typing.pop_front();
        }
        self.typing.push_back((conversation, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::GroupId;

    fn seconds(value: i64) -> Timestamp {
        Timestamp(value * 1_000_000)
    }

    #[test]
    fn a_user_who_comes_back_in_time_was_never_offline() {
        let mut user = OnlineUser::new(false, &Limits::default());
        assert!(user.arrive());
        let absence = user.leave();
        assert!(!user.arrive());
        assert!(!user.grace_over(absence), "the timer of an absence that ended means nothing");
        let absence = user.leave();
        assert!(user.grace_over(absence));
        assert!(user.arrive());
    }

    #[test]
    fn who_logs_out_has_no_grace() {
        let mut user = OnlineUser::new(true, &Limits::default());
        let absence = user.leave();
        assert!(user.go());
        assert!(!user.grace_over(absence), "it was told already");
        assert!(!user.go());
    }

    #[test]
    fn requests_and_invitations_have_shares_of_their_own() {
        let limits = Limits::default();
        let mut user = OnlineUser::new(true, &limits);
        let most = limits.get(Limit::RequestsPerHour);
        assert!((0..most).all(|_| user.admit_request(seconds(4_000), &limits).is_ok()));
        assert!(matches!(user.admit_request(seconds(4_000), &limits), Err(Rejected::TooFast { bucket: "requests", .. })));
        let most = limits.count(Limit::InvitesPerHour);
        assert_eq!(user.admit_invites(most, seconds(4_000), &limits), Ok(()));
        assert!(matches!(user.admit_invites(1, seconds(4_000), &limits), Err(Rejected::TooFast { bucket: "invites", .. })));
        assert_eq!(user.admit_group(seconds(4_000), &limits), Ok(()));
    }

    #[test]
    fn groups_are_counted_by_the_hour() {
        let limits = Limits::default();
        let mut user = OnlineUser::new(true, &limits);
        assert!((0..30).all(|_| user.admit_group(seconds(4_000), &limits).is_ok()));
        assert!(user.admit_group(seconds(4_001), &limits).is_err());
        assert!(user.is_counting(seconds(4_001)) && !user.is_counting(seconds(4_000 + 3_600)));
        assert!(user.admit_group(seconds(4_000 + 3_600), &limits).is_ok());
    }

    #[test]
    fn typing_is_told_every_three_seconds() {
        let limits = Limits::default();
        let mut user = OnlineUser::new(true, &limits);
        let group = |number| ConversationId::Group(GroupId::new(number).expect("valid"));
        assert!(user.admit_typing(group(1), seconds(1), &limits));
        assert!(!user.admit_typing(group(1), seconds(3), &limits));
        assert!(user.admit_typing(group(2), seconds(3), &limits));
        assert!(user.admit_typing(group(1), seconds(4), &limits));
    }
}
