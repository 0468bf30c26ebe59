//! Password hashes: argon2id, off the runtime, at most so many at work and so many waiting (A7).
//!
//! A hash takes 91 ms of CPU, so a flood of logins is a flood of CPU: who does not fit is told to come again. An
//! account that does not exist costs the same time as one that does (A8).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actors::account::{Password, PasswordHash};
use actors::credential::{HashesBusy, PasswordVerdict};
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use tokio::task;

/// How dear a hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2 }
    }
}

impl HashCost {
    fn hasher(self) -> Argon2<'static> {
        let params = Params::new(self.memory_kib, self.passes, 1, None).expect("costs above argon2's minimum");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    fn is_of(self, hash: &phc::PasswordHash) -> bool {
        hash.algorithm == Algorithm::Argon2id.ident()
            && Params::try_from(hash).is_ok_and(|params| params.m_cost() == self.memory_kib && params.t_cost() == self.passes)
    }
}

/// The gate that all hashing passes.
pub struct Passwords {
    cost: HashCost,
    at_work: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    dummy: PasswordHash,
}

impl Passwords {
    /// At most `at_work` hashes at once, and `waiting` behind them.
    pub fn new(cost: HashCost, at_work: usize, waiting: usize) -> Self {
        let dummy = compute(cost, "an account that does not exist");
        Self { cost, at_work: Arc::new(Semaphore::new(at_work.max(1))), waiting: AtomicUsize::new(0), waiting_max: waiting, dummy }
    }

    /// How many wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HashesBusy> {
        let cost = self.cost;
        self.pass(move || compute(cost, password.expose())).await
    }

    /// Compares; without a hash it works as long and answers wrong.
    pub async fn compare(&self, password: Password, hash: Option<PasswordHash>) -> Result<PasswordVerdict, HashesBusy> {
        let cost = self.cost;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        self.pass(move || if known { judge(cost, &password, &hash) } else { discard(judge(cost, &password, &hash)) }).await
    }

    async fn pass<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashesBusy> {
        let permit = match Arc::clone(&self.at_work).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = Place::take(&self.waiting, self.waiting_max)?;
                Arc::clone(&self.at_work).acquire_owned().await.expect("the gate is never closed")
            }
        };
        // The permit goes along: work that nobody waits for any more still counts until it is done.
        let done = task::spawn_blocking(move || (work(), drop(permit)).0).await;
        Ok(done.expect("hashing does not panic"))
    }
}

/// A place in the queue; given back when dropped, also by a caller that went away.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, max: usize) -> Result<Self, HashesBusy> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= max {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(HashesBusy);
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn compute(cost: HashCost, password: &str) -> PasswordHash {
    let hash = cost.hasher().hash_password(password.as_bytes()).expect("argon2 hashes any password of bounded length");
    PasswordHash(hash.to_string().into())
}

fn judge(cost: HashCost, password: &Password, hash: &PasswordHash) -> PasswordVerdict {
    let Ok(stored) = phc::PasswordHash::new(&hash.0) else {
        return PasswordVerdict::Wrong;
    };
    if cost.hasher().verify_password(password.expose().as_bytes(), &stored).is_err() {
        return PasswordVerdict::Wrong;
    }
    if cost.is_of(&stored) { PasswordVerdict::Right } else { PasswordVerdict::Rehashed(compute(cost, password.expose())) }
}

fn discard(_: PasswordVerdict) -> PasswordVerdict {
    PasswordVerdict::Wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

    fn password(text: &str) -> Password {
        Password::given(text)
    }

    #[tokio::test]
    async fn the_right_password_and_no_other_passes() {
        let passwords = Passwords::new(CHEAP, 2, 8);
        let hash = passwords.hash(password("correct horse")).await.expect("room");
        assert!(hash.0.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", hash.0);
        assert_eq!(passwords.compare(password("correct horse"), Some(hash.clone())).await, Ok(PasswordVerdict::Right));
        assert_eq!(passwords.compare(password("correct horsf"), Some(hash.clone())).await, Ok(PasswordVerdict::Wrong));
        assert_eq!(passwords.compare(password("an account that does not exist"), None).await, Ok(PasswordVerdict::Wrong));
        let damaged = PasswordHash("$argon2id$nonsense".into());
        assert_eq!(passwords.compare(password("correct horse"), Some(damaged)).await, Ok(PasswordVerdict::Wrong));
        assert_ne!(passwords.hash(password("correct horse")).await.expect("room"), hash, "each has its own salt");
    }

    #[tokio::test]
    async fn a_hash_of_weaker_parameters_is_replaced_at_login() {
        let old = Passwords::new(CHEAP, 2, 8).hash(password("correct horse")).await.expect("room");
        let dearer = HashCost { memory_kib: 16, passes: 1 };
        let passwords = Passwords::new(dearer, 2, 8);
        let Ok(PasswordVerdict::Rehashed(new)) = passwords.compare(password("correct horse"), Some(old)).await else {
            unreachable!("the old hash is weaker");
        };
        assert_eq!(passwords.compare(password("correct horse"), Some(new)).await, Ok(PasswordVerdict::Right));
    }

    #[tokio::test]
    async fn beyond_the_queue_it_is_busy_and_room_comes_back() {
        let passwords = Passwords::new(CHEAP, 1, 1);
        let held = Arc::clone(&passwords.at_work).try_acquire_owned().expect("free");
        let mut waiting = Box::pin(passwords.hash(password("one")));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(passwords.waiting(), 1);
        assert_eq!(passwords.hash(password("two")).await, Err(HashesBusy));
        drop(held);
        assert!(waiting.await.is_ok());
        assert_eq!(passwords.waiting(), 0);
        assert!(passwords.hash(password("three")).await.is_ok());
    }

    #[test]
    fn the_default_cost_is_what_owasp_asks_for() {
        assert_eq!(HashCost::default(), HashCost { memory_kib: 19_456, passes: 2 });
    }
}
