//! Who may come in: counts per node and per address, and the pace of password checks per account and per address.
//!
//! Limits per address do not apply to trusted addresses (design D14). IPv6 counts by /64, since one client has all of
//! it. A place is given back when its guard is dropped, on every way out.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::limits::{Limit, Limits};
use tokio::sync::Notify;

use crate::config::Network;
use crate::edge::bucket::{Bucket, Rate};
use crate::metrics::{Refusal, descriptors_max};

/// Descriptors that are not for clients: the store's files, listeners, the ops listener.
const DESCRIPTORS_KEPT: u64 = 1_000;
/// Login buckets that are remembered before full ones are forgotten.
const LOGINS_REMEMBERED: usize = 16_384;
const MINUTE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
struct Count {
    open: usize,
    unauthenticated: usize,
}

/// The doorkeeper of a node.
#[derive(Debug)]
pub struct Admission {
    trusted: Vec<Network>,
    proxies: Vec<Network>,
    node_max: usize,
    address_max: usize,
    unauthenticated_max: usize,
    open: AtomicUsize,
    emptied: Notify,
    addresses: Mutex<HashMap<IpAddr, Count>>,
    account_rate: Rate,
    address_rate: Rate,
    logins: Mutex<HashMap<u64, Bucket>>,
    hasher: RandomState,
}

/// Whose pace of password checks was too fast; the names of their buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFast {
    /// The bucket.
    pub bucket: &'static str,
    /// When to come back.
    pub after: Duration,
}

impl Admission {
    /// With these limits, trusted addresses, and proxies, through which many clients come from one address.
    pub fn new(limits: &Limits, trusted: Vec<Network>, proxies: Vec<Network>) -> Arc<Self> {
        let per_minute = |limit| Rate::new(limits.get(limit), MINUTE, limits.get(limit));
        Arc::new(Self {
            trusted,
            proxies,
            node_max: node_max(limits.get(Limit::ConnectionsNode), descriptors_max()),
            address_max: limits.count(Limit::ConnectionsAddress),
            unauthenticated_max: limits.count(Limit::UnauthenticatedAddress),
            open: AtomicUsize::new(0),
            emptied: Notify::new(),
            addresses: Mutex::default(),
            account_rate: per_minute(Limit::LoginsAccount),
            address_rate: per_minute(Limit::LoginsAddress),
            logins: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    /// A place for a new connection.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Refusal> {
        let counted = self.counted(address).filter(|_| !self.proxies.iter().any(|network| network.holds(address)));
        if self.open.fetch_add(1, Ordering::AcqRel) >= self.node_max {
            self.leave();
            return Err(Refusal::NodeFull);
        }
        if let Some(address) = counted {
            let mut addresses = self.addresses();
            let count = addresses.entry(address).or_default();
            if count.open >= self.address_max {
                drop(addresses);
                self.leave();
                return Err(Refusal::AddressFull);
            }
            count.open += 1;
        }
        Ok(Seat { admission: Arc::clone(self), counted })
    }

    /// A place for a socket that has not authenticated yet.
    pub fn greet(self: &Arc<Self>, address: IpAddr) -> Result<Stranger, Refusal> {
        let counted = self.counted(address);
        if let Some(address) = counted {
            let mut addresses = self.addresses();
            let count = addresses.entry(address).or_default();
            if count.unauthenticated >= self.unauthenticated_max {
                return Err(Refusal::UnauthenticatedFull);
            }
            count.unauthenticated += 1;
        }
        Ok(Stranger { admission: Arc::clone(self), counted })
    }

    /// Whether a password of this account may be checked for this address now (microseconds of any steady clock).
    pub fn check_login(&self, address: IpAddr, account: Option<&str>, now: u64) -> Result<(), TooFast> {
        let Some(address) = self.counted(address) else { return Ok(()) };
        let keys = [
            Some(("logins_address", self.address_rate, self.hasher.hash_one(("address", address)))),
            account.map(|account| ("logins_account", self.account_rate, self.hasher.hash_one(("account", account.to_lowercase())))),
        ];
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.len() >= LOGINS_REMEMBERED {
            logins.retain(|_, bucket| !bucket.is_full(now));
        }
        for (bucket, rate, key) in keys.into_iter().flatten() {
            if logins.len() >= 2 * LOGINS_REMEMBERED && !logins.contains_key(&key) {
                return Err(TooFast { bucket, after: MINUTE }); // a flood from thousands of addresses
            }
            logins.entry(key).or_default().take(rate, 1, now).map_err(|after| TooFast { bucket, after })?;
        }
        Ok(())
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until no connection is open.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// The address as it is counted; `None` for a trusted one.
    fn counted(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        if self.trusted.iter().any(|network| network.holds(address)) {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        })
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner) // counts are whole at any time
    }

    fn leave(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.emptied.notify_waiters();
        }
    }

    fn give_back(&self, counted: Option<IpAddr>, field: impl FnOnce(&mut Count) -> &mut usize) {
        let Some(address) = counted else { return };
        let mut addresses = self.addresses();
        if let Some(count) = addresses.get_mut(&address) {
            *field(count) -= 1;
            if count.open == 0 && count.unauthenticated == 0 {
                addresses.remove(&address);
            }
        }
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Seat {
    admission: Arc<Admission>,
    counted: Option<IpAddr>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.admission.give_back(self.counted, |count| &mut count.open);
        self.admission.leave();
    }
}

/// The place of a socket that has not authenticated; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Stranger {
    admission: Arc<Admission>,
    counted: Option<IpAddr>,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.admission.give_back(self.counted, |count| &mut count.unauthenticated);
    }
}

fn node_max(configured: u64, descriptors: Option<u64>) -> usize {
    let drawn = descriptors.map_or(10_000, |max| max.saturating_sub(DESCRIPTORS_KEPT).max(max / 2));
    usize::try_from(if configured == 0 { drawn } else { configured }).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn admission(trusted: &[&str]) -> Arc<Admission> {
        let mut limits = Limits::default();
        limits.set(Limit::ConnectionsNode, 6);
        limits.set(Limit::ConnectionsAddress, 2);
        limits.set(Limit::UnauthenticatedAddress, 1);
        Admission::new(&limits, trusted.iter().map(|text| text.parse().expect("a block")).collect(), vec![])
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let door = admission(&[]);
        let seats: Vec<_> = (0..2).map(|_| door.admit(address("10.0.0.1")).expect("room")).collect();
        assert_eq!(door.admit(address("10.0.0.1")).err(), Some(Refusal::AddressFull));
        assert!(door.admit(address("10.0.0.2")).is_ok());
        drop(seats);
        assert!(door.admit(address("10.0.0.1")).is_ok());
        assert_eq!(door.open(), 0);
        assert!(door.addresses().is_empty(), "nothing is remembered of who has left");
    }

    #[test]
    fn six_million_addresses_of_one_client_are_one() {
        let door = admission(&[]);
        let seats = [door.admit(address("2001:db8::1")), door.admit(address("2001:db8::2"))];
        assert_eq!(door.admit(address("2001:db8::3")).err(), Some(Refusal::AddressFull));
        assert!(door.admit(address("2001:db8:0:1::3")).is_ok());
        drop(seats);
    }

    #[test]
    fn the_node_is_full_for_trusted_ones_too_but_their_address_is_not_counted() {
        let door = admission(&["127.0.0.0/8"]);
        let seats: Vec<_> = (0..6).map(|_| door.admit(address("127.0.0.1")).expect("room")).collect();
        assert_eq!(door.admit(address("127.0.0.1")).err(), Some(Refusal::NodeFull));
        let strangers: Vec<_> = (0..50).map(|_| door.greet(address("127.0.0.1")).expect("room")).collect();
        drop((seats, strangers));
        assert_eq!(door.open(), 0);
    }

    #[test]
    fn strangers_of_one_address_are_few() {
        let door = admission(&[]);
        let stranger = door.greet(address("10.0.0.1")).expect("room");
        assert_eq!(door.greet(address("10.0.0.1")).err(), Some(Refusal::UnauthenticatedFull));
        drop(stranger);
        assert!(door.greet(address("10.0.0.1")).is_ok());
    }

    #[test]
    fn passwords_are_checked_at_a_pace_by_account_and_by_address() {
        let door = admission(&["127.0.0.1"]);
        for _ in 0..5 {
            assert_eq!(door.check_login(address("10.0.0.1"), Some("ann"), 0), Ok(()));
        }
        let refused = door.check_login(address("10.0.0.2"), Some("ANN"), 0).expect_err("the account's pace");
        assert_eq!(refused.bucket, "logins_account");
        assert!(door.check_login(address("10.0.0.2"), Some("bob"), 0).is_ok());
        assert!(door.check_login(address("127.0.0.1"), Some("ann"), 0).is_ok(), "trusted");
        for number in 0..24 {
            assert!(door.check_login(address("10.0.0.1"), Some(&format!("user{number}")), 0).is_ok());
        }
        let refused = (0..3).find_map(|_| door.check_login(address("10.0.0.1"), None, 0).err()).expect("the address's pace");
        assert_eq!(refused.bucket, "logins_address");
        assert!(door.check_login(address("10.0.0.1"), None, 60_000_000).is_ok());
    }

    #[tokio::test]
    async fn a_drain_learns_when_the_last_has_left() {
        let door = admission(&[]);
        let seat = door.admit(address("10.0.0.1")).expect("room");
        let mut emptied = Box::pin(door.emptied());
        assert!(futures_util::poll!(&mut emptied).is_pending());
        drop(seat);
        emptied.await;
    }

    #[test]
    fn the_node_keeps_a_thousand_descriptors_for_itself() {
        assert_eq!(node_max(0, Some(20_000)), 19_000);
        assert_eq!(node_max(0, Some(1_024)), 512);
        assert_eq!(node_max(7, Some(20_000)), 7);
    }
}
