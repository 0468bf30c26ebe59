//! What this node knows of people whose names stand beside what it announces: one card for each, shared by all who hold
//! it, so that a changed profile is shown everywhere at once and nothing is read for each message.
//!
//! A card lives as long as somebody holds it. It is there before its account is read, so a change that comes in between
//! is not lost: what was read never replaces what was changed.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use dashmap::DashMap;

use crate::account::{Account, Privacy};
use crate::id::UserId;
use crate::store::{Store, StoreError};
use crate::view::UserView;

/// What is known of one user; nothing for a number that no account has.
#[derive(Debug, Default)]
pub(crate) struct Card(Mutex<Option<(Arc<UserView>, Privacy)>>);

impl Card {
    /// The user as others see him now.
    pub(crate) fn view(&self) -> Option<Arc<UserView>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(view, _)| Arc::clone(view))
    }

    /// What the user shows of himself now.
    pub(crate) fn privacy(&self) -> Option<Privacy> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, privacy)| *privacy)
    }

    fn is_blank(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn fill(&self, account: &Account, anew: bool) {
        let mut card = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if anew || card.is_none() {
            *card = Some((Arc::new(UserView::from(account)), account.privacy));
        }
    }
}

/// The cards that somebody holds.
#[derive(Debug, Default)]
pub(crate) struct Cards(DashMap<UserId, Weak<Card>>);

impl Cards {
    /// The cards of these users, in the order asked for; those that nobody holds are read in one call.
    pub(crate) async fn of(&self, store: &dyn Store, users: &[UserId]) -> Result<Vec<Arc<Card>>, StoreError> {
        let cards: Vec<_> = users.iter().map(|user| self.hold(*user)).collect();
        let blank: Vec<_> = users.iter().zip(&cards).filter(|(_, card)| card.is_blank()).map(|(user, card)| (*user, card)).collect();
        if !blank.is_empty() {
            let numbers: Vec<_> = blank.iter().map(|(user, _)| *user).collect();
            for (account, (_, card)) in store.accounts(&numbers).await?.iter().zip(blank) {
                if let Some(account) = account {
                    card.fill(account, false);
                }
            }
        }
        Ok(cards)
    }

    /// What a user shows of himself, if somebody holds the card.
    pub(crate) fn privacy(&self, user: UserId) -> Option<Privacy> {
        let card = self.0.get(&user).and_then(|card| card.upgrade())?;
        card.privacy()
    }

    /// The account has changed, and is stored.
    pub(crate) fn renew(&self, account: &Account) {
        if let Some(card) = self.0.get(&account.id).and_then(|card| card.upgrade()) {
            card.fill(account, true);
        }
    }

    /// Forgets the cards that nobody holds any more; from time to time.
    pub(crate) fn sweep(&self) {
        self.0.retain(|_, card| card.strong_count() > 0);
    }

    fn hold(&self, user: UserId) -> Arc<Card> {
        let mut slot = self.0.entry(user).or_default();
        if let Some(card) = slot.upgrade() {
            return card;
        }
        let card = Arc::new(Card::default());
        *slot = Arc::downgrade(&card);
        card
    }
}
