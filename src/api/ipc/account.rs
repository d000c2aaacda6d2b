//! What one principal may hold of the daemon, over all its connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::wire::eventstream::MAX_MESSAGE;
use crate::wire::principal::Principal;

/// The open accounts.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    open: Arc<Mutex<HashMap<Principal, Weak<Account>>>>,
    /// Connections one principal may have open.
    each: usize,
}

/// One principal's holdings.
#[derive(Debug, Default)]
pub(super) struct Account {
    connections: AtomicUsize,
    /// Bytes of events that wait to be read.
    waiting: AtomicUsize,
    /// Bytes of messages that are not whole yet.
    begun: AtomicUsize,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Account>);

impl Account {
    /// Bytes of events that may wait for one principal, two of the longest. A single event may always wait.
    pub(super) const WAITING: usize = 2 * MAX_MESSAGE;
    /// Bytes of messages that one principal may have begun and not ended, two of the longest.
    pub(super) const BEGUN: usize = 2 * MAX_MESSAGE;

    /// Whether that many more bytes may wait; if so they are counted.
    pub(super) fn wait(&self, bytes: usize) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting != 0 && waiting + bytes > Self::WAITING {
            return false;
        }
        self.waiting.store(waiting + bytes, Ordering::Relaxed);
        true
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Those bytes do not wait any more.
    pub(super) fn done(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The unfinished message of one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Begun {
    account: Arc<Account>,
    bytes: usize,
}

impl Begun {
    /// The connection holds that many bytes now; whether it may.
    pub(super) fn is(&mut self, bytes: usize) -> bool {
        self.account.begun.fetch_sub(self.bytes, Ordering::Relaxed);
        let others = self.account.begun.fetch_add(bytes, Ordering::Relaxed);
        self.bytes = bytes;
        bytes == 0 || others + bytes <= Account::BEGUN
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.account.begun.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Accounts {
    /// For `clients` connections in all, of which one principal gets no more than its share.
    pub(super) fn new(clients: usize) -> Self {
        Self { open: Arc::default(), each: (clients / Self::SHARES).max(1) }
    }

    /// Principals that can have as many connections as they may before there is no room for another.
    const SHARES: usize = 4;

    /// Connections one principal may have open.
    pub(super) fn each(&self) -> usize {
        self.each
    }

    /// A place for one more connection; `None` when the principal has as many as it may.
    pub(super) fn open(&self, principal: &Principal) -> Option<Place> {
        let mut accounts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let account = match accounts.get(principal).and_then(Weak::upgrade) {
            Some(account) => account,
            None => {
                accounts.retain(|_, account| account.strong_count() > 0);
                let account = Arc::default();
                accounts.insert(principal.clone(), Arc::downgrade(&account));
                account
            }
        };
        if account.connections.load(Ordering::Relaxed) >= self.each {
            return None;
        }
        account.connections.fetch_add(1, Ordering::Relaxed);
        Some(Place(account))
    }
}

impl Place {
    pub(super) fn account(&self) -> Arc<Account> {
        Arc::clone(&self.0)
    }

    /// For the unfinished message of this connection.
    pub(super) fn begun(&self) -> Begun {
        Begun { account: self.account(), bytes: 0 }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_gives_places_back() {
        let accounts = Accounts::new(40);
        let principal = Principal::Client("greengrass-cli#user-0".into());
        let places: Vec<_> = (0..10).map(|_| accounts.open(&principal).unwrap()).collect();
        assert!(accounts.open(&principal).is_none());
        assert!(accounts.open(&Principal::Client("another".into())).is_some());
        drop(places);
        assert!(accounts.open(&principal).is_some());
    }

    #[test]
    fn account_bounds_unfinished_messages_over_all_connections() {
        let accounts = Accounts::new(4);
        let principal = Principal::Client("c".into());
        let place = accounts.open(&principal).unwrap();
        let (mut one, mut other) = (place.begun(), place.begun());
        assert!(one.is(Account::BEGUN - 1));
        assert!(other.is(1));
        assert!(!other.is(2));
        drop(one);
        assert!(other.is(Account::BEGUN));
    }

    #[test]
    fn account_bounds_what_waits_but_for_a_single_event() {
        let account = Account::default();
        assert!(account.wait(Account::WAITING + 1));
        assert!(!account.wait(1));
        account.done(Account::WAITING + 1);
        assert!(account.wait(Account::WAITING));
        assert!(!account.wait(1));
    }
}
