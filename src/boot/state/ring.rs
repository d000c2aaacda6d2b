//! The event ring: what happened to the slots, newest over oldest. For who asks why; no decision is made from it.
//!
//! An entry is a sector, `"GGEV" | crc32(8..64) | number u64 | seconds u64 | what, slot, left, reason: u8 | cause [36]`,
//! so a cut loses the entry that was being written and no other.

use std::io;

use crate::slot::Slot;

use super::crc::crc32;
use super::medium::{Medium, SECTOR};
use super::record::{Reason, array, number, slot, u32_at, u64_at};

/// Where it lies on `gg-state`: from 64 KiB on up to the second copy of the record.
pub const ON_PARTITION: u64 = 64 * 1024;
/// How many entries there is room for.
pub const ENTRIES: u64 = (512 - 64) * 1024 / SECTOR as u64;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Counts from 1.
    pub number: u64,
    /// As the device's clock had it, in seconds since 1970.
    pub seconds: u64,
    pub what: What,
    pub slot: Slot,
    /// Tries that were left.
    pub left: u8,
    pub reason: Reason,
    /// Why the machine started: the watchdog, power, or what else the board tells; cut to fit.
    pub cause: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A slot was booted on trial.
    Tried,
    Committed,
    RolledBack,
    /// The environment of the boot loader was written again.
    Repaired,
    /// The record was made anew.
    Began,
    /// The confirmed slot could not be used.
    Degraded,
    /// One that a later version invented.
    Other(u8),
}

impl What {
    fn number(self) -> u8 {
        match self {
            Self::Tried => 1,
            Self::Committed => 2,
            Self::RolledBack => 3,
            Self::Repaired => 4,
            Self::Began => 5,
            Self::Degraded => 6,
            Self::Other(number) => number,
        }
    }

    fn from_number(number: u8) -> Self {
        let all = [Self::Tried, Self::Committed, Self::RolledBack, Self::Repaired, Self::Began, Self::Degraded];
        all.into_iter().find(|what| what.number() == number).unwrap_or(Self::Other(number))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Tried => "tried",
            Self::Committed => "committed",
            Self::RolledBack => "rolled-back",
            Self::Repaired => "repaired",
            Self::Began => "began",
            Self::Degraded => "degraded",
            Self::Other(_) => "other",
        }
    }
}

const MAGIC: &[u8; 4] = b"GGEV";
const LENGTH: usize = 64;
const CAUSE: usize = 28;

impl Event {
    pub fn encode(&self) -> [u8; SECTOR] {
        let mut bytes = [0; SECTOR];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seconds.to_le_bytes());
        bytes[24..28].copy_from_slice(&[self.what.number(), number(self.slot), self.left, self.reason as u8]);
        let fits = (0..=self.cause.len().min(CAUSE)).rev().find(|end| self.cause.is_char_boundary(*end));
        let end = fits.unwrap_or(0);
        bytes[28..28 + end].copy_from_slice(&self.cause.as_bytes()[..end]);
        let crc = crc32(&bytes[8..LENGTH]).to_le_bytes();
        bytes[4..8].copy_from_slice(&crc);
        bytes
    }

    /// `None` for what is no entry, or a torn one.
    pub fn decode(bytes: &[u8; SECTOR]) -> Option<Self> {
        if bytes[..4] != *MAGIC || u32_at(bytes, 4) != crc32(&bytes[8..LENGTH]) {
            return None;
        }
        let cause: [u8; CAUSE] = array(bytes, 28);
        let end = cause.iter().position(|byte| *byte == 0).unwrap_or(CAUSE);
        Some(Self {
            number: u64_at(bytes, 8),
            seconds: u64_at(bytes, 16),
            what: What::from_number(bytes[24]),
            slot: slot(bytes[25])?,
            left: bytes[26],
            reason: Reason::from_number(bytes[27]),
            cause: String::from_utf8_lossy(&cause[..end]).into_owned(),
        })
    }
}

/// The ring on its medium.
#[derive(Debug)]
pub struct Ring<M> {
    medium: M,
    at: u64,
    entries: u64,
}

impl<M: Medium> Ring<M> {
    pub fn on_partition(medium: M) -> Self {
        Self { medium, at: ON_PARTITION, entries: ENTRIES }
    }

    /// All of a file of so many bytes.
    pub fn in_file(medium: M, size: u64) -> Self {
        Self { medium, at: 0, entries: size / SECTOR as u64 }
    }

    /// What is still there, oldest first.
    pub fn events(&self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        self.each(|event| events.push(event))?;
        events.sort_by_key(|event| event.number);
        Ok(events)
    }

    fn each(&self, mut act: impl FnMut(Event)) -> io::Result<()> {
        let mut all = vec![0; self.entries as usize * SECTOR];
        self.medium.read(self.at, &mut all)?;
        all.as_chunks::<SECTOR>().0.iter().filter_map(Event::decode).for_each(&mut act);
        Ok(())
    }

    /// Writes one over the oldest; its number is given here.
    pub fn push(&self, mut event: Event) -> io::Result<()> {
        if self.entries == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut last = 0;
        self.each(|event| last = last.max(event.number))?;
        event.number = last.wrapping_add(1).max(1);
        self.medium.write(self.at + event.number % self.entries * SECTOR as u64, &event.encode())?;
        self.medium.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gg_sys::sector::{Access, Sectors};

    fn event(left: u8) -> Event {
        Event {
            number: 0,
            seconds: 1_700_000_000,
            what: What::Tried,
            slot: Slot::B,
            left,
            reason: Reason::None,
            cause: "watchdog".to_owned(),
        }
    }

    #[test]
    fn events_are_read_in_order_after_the_ring_went_round() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![0; 4 * SECTOR]).unwrap();
        let ring = Ring::in_file(Sectors::open(file.path(), Access::ReadWrite).unwrap(), 4 * SECTOR as u64);
        for left in 0..7 {
            ring.push(event(left)).unwrap();
        }
        let events = ring.events().unwrap();
        assert_eq!(
            events.iter().map(|event| (event.number, event.left)).collect::<Vec<_>>(),
            [(4, 3), (5, 4), (6, 5), (7, 6)]
        );
        assert_eq!(events[0].cause, "watchdog");
    }

    #[test]
    fn torn_entry_is_left_out() {
        let mut bytes = event(1).encode();
        assert_eq!(Event::decode(&bytes), Some(event(1)));
        bytes[40] ^= 1;
        assert_eq!(Event::decode(&bytes), None);
        assert_eq!(Event::decode(&[0; SECTOR]), None);
    }
}
