//! Calls of the store's ports, counted by kind: so that what a request costs is a number that can be read, and a list that
//! asks for each row by itself is seen. A batched call is one, however many rows it reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A call of one of the ports, named as the port names it.
#[expect(missing_docs, reason = "each is the method of that name in `actors::store`")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Head,
    Heads,
    Claim,
    Append,
    Range,
    Draw,
    BindSegment,
    BucketOf,
    Group,
    Membership,
    Members,
    Listed,
    Marks,
    Raise,
    MarksOf,
    Overviews,
    Invitations,
    Invitation,
    Account,
    Accounts,
    PutAccount,
    Erasing,
    Login,
    PutLogin,
    Logins,
    Search,
    Seen,
    Touch,
    Amendments,
    ReactionsOf,
    Reactions,
    Gone,
    DirectNumbers,
    Direct,
    Preferences,
    Hidden,
    Notices,
    NoticesRead,
    Bond,
    PutBond,
    Bonds,
    BondsWith,
    Media,
    PutMedia,
    MediaUsed,
    MediaDue,
}

/// Every call and its name, in the order of [`Call`].
#[rustfmt::skip] // a call is a line
const NAMES: [(Call, &str); 46] = [
    (Call::Head, "head"),
    (Call::Heads, "heads"),
    (Call::Claim, "claim"),
    (Call::Append, "append"),
    (Call::Range, "range"),
    (Call::Draw, "draw"),
    (Call::BindSegment, "bind_segment"),
    (Call::BucketOf, "bucket_of"),
    (Call::Group, "group"),
    (Call::Membership, "membership"),
    (Call::Members, "members"),
    (Call::Listed, "listed"),
    (Call::Marks, "marks"),
    (Call::Raise, "raise"),
    (Call::MarksOf, "marks_of"),
    (Call::Overviews, "overviews"),
    (Call::Invitations, "invitations"),
    (Call::Invitation, "invitation"),
    (Call::Account, "account"),
    (Call::Accounts, "accounts"),
    (Call::PutAccount, "put_account"),
    (Call::Erasing, "erasing"),
    (Call::Login, "login"),
    (Call::PutLogin, "put_login"),
    (Call::Logins, "logins"),
    (Call::Search, "search"),
    (Call::Seen, "seen"),
    (Call::Touch, "touch"),
    (Call::Amendments, "amendments"),
    (Call::ReactionsOf, "reactions_of"),
    (Call::Reactions, "reactions"),
    (Call::Gone, "gone"),
    (Call::DirectNumbers, "direct_numbers"),
    (Call::Direct, "direct"),
    (Call::Preferences, "preferences"),
    (Call::Hidden, "hidden"),
    (Call::Notices, "notices"),
    (Call::NoticesRead, "notices_read"),
    (Call::Bond, "bond"),
    (Call::PutBond, "put_bond"),
    (Call::Bonds, "bonds"),
    (Call::BondsWith, "bonds_with"),
    (Call::Media, "media"),
    (Call::PutMedia, "put_media"),
    (Call::MediaUsed, "media_used"),
    (Call::MediaDue, "media_due"),
];

/// The names of all calls.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(_, name)| *name)
}

/// How often each was called since the store was opened.
#[derive(Debug)]
pub struct Calls([AtomicU64; NAMES.len()]);

impl Default for Calls {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; NAMES.len()])
    }
}

impl Calls {
    pub(super) fn count(&self, call: Call) {
        self.0[call as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Each with its name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        names().zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_counted_under_its_own_name() {
        let calls = Calls::default();
        for (nth, (call, _)) in (1_u64..).zip(NAMES) {
            (0..nth).for_each(|_| calls.count(call));
        }
        for (nth, ((call, name), counted)) in (1_u64..).zip(NAMES.into_iter().zip(calls.all())) {
            assert_eq!(counted, (name, nth));
            let spelled = format!("{call:?}").to_lowercase();
            assert_eq!(name.replace('_', ""), spelled);
        }
    }
}
