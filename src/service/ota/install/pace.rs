//! Only so many bytes a second, for the sake of everybody else who uses the disk.

use std::io;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::store::slot_device::SlotDevice;

/// What the threads of an installation may move together.
#[derive(Debug)]
pub struct Pace {
    /// Bytes a second.
    rate: u64,
    /// When all that was moved so far is paid for.
    paid: Mutex<Instant>,
}

/// Is asked before so many bytes are moved, and may wait.
pub type Pay<'a> = &'a (dyn Fn(u64) + Sync);

/// A slot that has a pace. What is read counts as what is written.
pub struct Paced<'a> {
    slot: &'a dyn SlotDevice,
    pay: Pay<'a>,
}

impl std::fmt::Debug for Paced<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paced").finish_non_exhaustive()
    }
}

impl<'a> Paced<'a> {
    pub fn new(slot: &'a dyn SlotDevice, pay: Pay<'a>) -> Self {
        Self { slot, pay }
    }
}

impl Pace {
    pub fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), paid: Mutex::new(Instant::now()) }
    }

    /// Waits until these bytes are paid for, too. Nothing is saved up while nobody moves any.
    pub fn pay(&self, length: u64) {
        let until = {
            let Ok(mut paid) = self.paid.lock() else { return };
            *paid = (*paid).max(Instant::now()) + cost(length, self.rate);
            *paid
        };
        thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}

fn cost(length: u64, rate: u64) -> Duration {
    let nanoseconds = u128::from(length) * 1_000_000_000 / u128::from(rate);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

impl SlotDevice for Paced<'_> {
    fn capacity(&self) -> Option<u64> {
        self.slot.capacity()
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        (self.pay)(bytes.len() as u64);
        self.slot.write_at(bytes, at)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        (self.pay)(into.len() as u64);
        self.slot.read_at(into, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.slot.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_what_the_rate_says() {
        assert_eq!(cost(1 << 20, 1 << 20), Duration::from_secs(1));
        assert_eq!(cost(1, 3), Duration::from_nanos(333_333_333));
        assert_eq!(cost(u64::MAX, 1), Duration::from_nanos(u64::MAX));
        assert_eq!(cost(0, 1), Duration::ZERO);
    }
}
