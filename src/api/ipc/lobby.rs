//! Where connections stay that have not said who they are, or were told to leave: few at a time, and the newest.
//!
//! Anybody may connect, so somebody may connect and say nothing. Then the one that waits longest makes room: an honest
//! client says CONNECT at once and is never that one for long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

#[derive(Clone, Debug, Default)]
pub(super) struct Lobby(Arc<Mutex<Seats>>);

#[derive(Debug, Default)]
struct Seats {
    /// Grows with each connection, so the first one taken is the oldest.
    next: u64,
    /// Dropping one shows its connection out.
    taken: BTreeMap<u64, oneshot::Sender<()>>,
}

/// Given back when dropped.
struct Seat {
    lobby: Lobby,
    number: u64,
}

impl Lobby {
    /// Connections that may stay at once.
    const SEATS: usize = 512;

    /// What came of `visit`; `None` when it took so long that its seat was needed.
    pub(super) async fn stay<T>(&self, visit: impl Future<Output = T>) -> Option<T> {
        let (seat, shown_out) = self.sit();
        let outcome = tokio::select! {
            biased;
            outcome = visit => Some(outcome),
            _ = shown_out => None,
        };
        drop(seat);
        outcome
    }

    fn sit(&self) -> (Seat, oneshot::Receiver<()>) {
        let (show_out, shown_out) = oneshot::channel();
        let mut seats = self.seats();
        if seats.taken.len() >= Self::SEATS {
            seats.taken.pop_first();
        }
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, show_out);
        (Seat { lobby: self.clone(), number }, shown_out)
    }

    /// A panic aborts, so a poisoned lock is never seen.
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lobby.seats().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn longest_wait_makes_room_for_the_newest() {
        let lobby = Lobby::default();
        let mut silent = JoinSet::new();
        for number in 0..Lobby::SEATS {
            let lobby = lobby.clone();
            silent.spawn(async move { (number, lobby.stay(pending::<()>()).await) });
        }
        while lobby.seats().taken.len() < Lobby::SEATS {
            tokio::task::yield_now().await;
        }
        assert_eq!(lobby.stay(ready(7)).await, Some(7), "who has something to say is heard in a full lobby");
        assert_eq!(silent.join_next().await.unwrap().unwrap(), (0, None), "the oldest is shown out");
        assert_eq!(lobby.seats().taken.len(), Lobby::SEATS - 1, "and both seats are given back");
        silent.shutdown().await;
        assert!(lobby.seats().taken.is_empty());
    }
}
