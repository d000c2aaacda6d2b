//! The partition table of a disk, as far as it says which slot boots: attribute bits of two of its entries, changed by
//! writing one sector.
//!
//! A table has two copies, each an array of entries and a header with a checksum over the array. Were the checksum to
//! change, a cut between array and header would leave a copy that is none, and Linux looks for the second copy only
//! when it is told to. So it does not change: the last four bytes of an entry's name, which lie behind its end, are
//! chosen such that the array has the checksum that it had. One sector is then all there is to write, and both copies
//! are whole at every moment.
//!
//! Source: UEFI 2.10, 5.3, "GUID Partition Table Disk Layout".

use std::io;

use crate::places::label;

use super::crc::{self, crc32};
use super::medium::{Medium, SECTOR, write_through};

/// The table of one disk.
#[derive(Debug)]
pub struct Table<M>(M);

/// What an entry says of the slot: bits 2 and 48 to 56 of its attributes, as ChromeOS defined the latter for its kernels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bits {
    /// "Legacy BIOS bootable".
    pub bootable: bool,
    /// 0: does not boot; else the highest goes first.
    pub priority: u8,
    /// Boots that are left to it until it is successful.
    pub tries: u8,
    pub successful: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum GptError {
    #[error("cannot read it")]
    Read(#[source] io::Error),
    #[error("cannot write it")]
    Write(#[source] io::Error),
    #[error("there is none, or it is damaged")]
    NoTable,
    #[error("it has no partition {0}")]
    NoEntry(&'static str),
    #[error("gg-a and gg-b do not lie in one sector of it")]
    Apart,
    #[error("the name of gg-b fills its entry")]
    Name,
}

const SIGNATURE: &[u8; 8] = b"EFI PART";
/// Of a header.
const HEADER: usize = 92;
/// Arrays have 16 KiB, and this at most here.
const MOST_ENTRIES: usize = 64 * 1024;
/// Of a sector, on a disk.
const LOGICAL_SECTORS: [u64; 2] = [512, 4096];
/// Within an entry.
const ATTRIBUTES: usize = 48;
const NAME: usize = 56;
const NAME_END: usize = 128;
const BOOTABLE: u64 = 1 << 2;
const PRIORITY: u64 = 48;
const TRIES: u64 = 52;
const SUCCESSFUL: u64 = 1 << 56;
const OURS: u64 = BOOTABLE | 0xff << PRIORITY | SUCCESSFUL;

/// One of the two copies.
struct Copy {
    /// Where its array lies on the disk.
    at: u64,
    entries: Vec<u8>,
    checksum: u32,
    /// Of slot a and slot b, where their entries begin in the array.
    slots: [usize; 2],
    /// Where the other copy's header lies.
    other: u64,
}

impl<M: Medium> Table<M> {
    /// The medium is the whole disk.
    pub fn new(disk: M) -> Self {
        Self(disk)
    }

    /// Of slot a and slot b.
    pub fn read(&self) -> Result<[Bits; 2], GptError> {
        Ok(self.first()?.0.bits())
    }

    /// Changes the bits for good: first the copy that everybody reads, and that is when it counts; then the other, if it
    /// is whole.
    pub fn change(&self, change: impl FnOnce(&mut [Bits; 2])) -> Result<(), GptError> {
        let (first, sector) = self.first()?;
        let mut bits = first.bits();
        change(&mut bits);
        self.write(&first, bits)?;
        match self.copy(first.other, sector) {
            Ok(second) => self.write(&second, bits),
            Err(GptError::Read(cause)) => Err(GptError::Read(cause)),
            // Who made it so has to mend it.
            Err(_) => Ok(()),
        }
    }

    /// The first copy, and how long a sector of the disk is.
    fn first(&self) -> Result<(Copy, u64), GptError> {
        for sector in LOGICAL_SECTORS {
            match self.copy(sector, sector) {
                Err(GptError::NoTable) => {}
                found => return Ok((found?, sector)),
            }
        }
        Err(GptError::NoTable)
    }

    /// The copy whose header lies at this place, where both its checksums are right.
    fn copy(&self, header_at: u64, sector: u64) -> Result<Copy, GptError> {
        let mut header = [0; SECTOR];
        self.0.read(header_at, &mut header).map_err(GptError::Read)?;
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let length = word(12) as usize;
        if !header.starts_with(SIGNATURE) || !(HEADER..=SECTOR).contains(&length) || long(24) != header_at / sector {
            return Err(GptError::NoTable);
        }
        let mut unsigned = header;
        unsigned[16..20].fill(0);
        if crc32(&unsigned[..length]) != word(16) {
            return Err(GptError::NoTable);
        }
        let (count, size) = (word(80) as usize, word(84) as usize);
        let lawful = size >= NAME_END && size.is_power_of_two();
        let whole = count.checked_mul(size).filter(|whole| lawful && (1..=MOST_ENTRIES).contains(whole));
        let place = |sectors: u64| sectors.checked_mul(sector).ok_or(GptError::NoTable);
        let (at, other) = (place(long(72))?, place(long(32))?);
        let mut entries = vec![0; whole.ok_or(GptError::NoTable)?];
        self.0.read(at, &mut entries).map_err(GptError::Read)?;
        let checksum = word(88);
        if crc32(&entries) != checksum {
            return Err(GptError::NoTable);
        }
        let find = |label: &'static str| {
            let is = |entry: &[u8]| {
                label.bytes().chain([0]).eq(entry[NAME..].iter().step_by(2).copied().take(label.len() + 1))
            };
            entries.chunks(size).position(is).map(|index| index * size).ok_or(GptError::NoEntry(label))
        };
        let slots = [find(label::SLOT_A)?, find(label::SLOT_B)?];
        if slots[0] / SECTOR != slots[1] / SECTOR {
            return Err(GptError::Apart);
        }
        Ok(Copy { at, entries, checksum, slots, other })
    }

    fn write(&self, copy: &Copy, bits: [Bits; 2]) -> Result<(), GptError> {
        let start = copy.slots[0] / SECTOR * SECTOR;
        if copy.bits() == bits {
            return Ok(());
        }
        let entries = copy.with(bits)?;
        // An array shorter than a sector has something else behind it.
        let mut sector = [0; SECTOR];
        let at = copy.at + start as u64;
        self.0.read(at, &mut sector).map_err(GptError::Read)?;
        let length = SECTOR.min(entries.len() - start);
        sector[..length].copy_from_slice(&entries[start..start + length]);
        write_through(&self.0, at, &sector).map_err(GptError::Write)
    }
}

impl Copy {
    fn bits(&self) -> [Bits; 2] {
        self.slots.map(|at| Bits::decode(self.attributes(at)))
    }

    fn attributes(&self, at: usize) -> u64 {
        self.entries[at + ATTRIBUTES..][..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The array with these bits, and the checksum that it has now.
    fn with(&self, bits: [Bits; 2]) -> Result<Vec<u8>, GptError> {
        let mut entries = self.entries.clone();
        for (at, bits) in self.slots.into_iter().zip(bits) {
            let attributes = self.attributes(at) & !OURS | bits.encode();
            entries[at + ATTRIBUTES..][..8].copy_from_slice(&attributes.to_le_bytes());
        }
        let spare = self.slots[1] + NAME_END - 4;
        if entries[self.slots[1] + NAME..spare].chunks(2).all(|letter| letter != [0, 0]) {
            return Err(GptError::Name);
        }
        let patch = crc::patch(&entries[..spare], &entries[spare + 4..], self.checksum);
        entries[spare..spare + 4].copy_from_slice(&patch);
        Ok(entries)
    }
}

impl Bits {
    fn decode(attributes: u64) -> Self {
        Self {
            bootable: attributes & BOOTABLE != 0,
            priority: (attributes >> PRIORITY & 0xf) as u8,
            tries: (attributes >> TRIES & 0xf) as u8,
            successful: attributes & SUCCESSFUL != 0,
        }
    }

    fn encode(self) -> u64 {
        let Self { bootable, priority, tries, successful } = self;
        let flag = |is: bool, bit| if is { bit } else { 0 };
        let numbers = u64::from(priority & 0xf) << PRIORITY | u64::from(tries & 0xf) << TRIES;
        flag(bootable, BOOTABLE) | numbers | flag(successful, SUCCESSFUL)
    }
}

/// A small table, for tests: header, array, array, header, from the second sector on.
#[cfg(any(test, feature = "simulator"))]
pub(crate) fn made(bits: [Bits; 2]) -> Vec<[u8; SECTOR]> {
    let mut entries = [0; SECTOR];
    for (entry, label) in entries.chunks_mut(NAME_END).zip([label::ESP, label::STATE, label::SLOT_A, label::SLOT_B]) {
        entry[..ATTRIBUTES].fill(7);
        for (letter, byte) in entry[NAME..].chunks_mut(2).zip(label.bytes()) {
            letter[0] = byte;
        }
    }
    for (bits, entry) in bits.into_iter().zip(entries.chunks_mut(NAME_END).skip(2)) {
        entry[ATTRIBUTES..][..8].copy_from_slice(&bits.encode().to_le_bytes());
    }
    let header = |own: u64, other: u64, array: u64| {
        let mut header = [0; SECTOR];
        header[..8].copy_from_slice(SIGNATURE);
        header[8..16].copy_from_slice(&[0, 0, 1, 0, HEADER as u8, 0, 0, 0]);
        for (at, number) in [(24, own), (32, other), (72, array)] {
            header[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        for (at, number) in [(80, 4), (84, NAME_END as u32), (88, crc32(&entries))] {
            header[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32(&header[..HEADER]);
        header[16..20].copy_from_slice(&checksum.to_le_bytes());
        header
    };
    vec![header(1, 4, 2), entries, entries, header(4, 1, 3)]
}

/// What the array of such a table says.
#[cfg(any(test, feature = "simulator"))]
pub(crate) fn bits_in(array: &[u8; SECTOR]) -> [Bits; 2] {
    [2, 3].map(|index| {
        let attributes = &array[index * NAME_END + ATTRIBUTES..][..8];
        Bits::decode(attributes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A disk that notes which sectors are written.
    struct Disk(RefCell<Vec<u8>>, RefCell<Vec<u64>>);

    impl Disk {
        fn new(bits: [Bits; 2]) -> Self {
            let mut bytes = vec![0; SECTOR];
            bytes.extend(made(bits).as_flattened());
            bytes.resize(16 * SECTOR, 0);
            Self(RefCell::new(bytes), RefCell::default())
        }
    }

    impl Medium for Disk {
        fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
            let bytes = self.0.borrow();
            let there = bytes.get(at as usize..at as usize + into.len());
            into.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
        fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
            self.0.borrow_mut()[at as usize..at as usize + sectors.len()].copy_from_slice(sectors);
            self.1.borrow_mut().push(at / SECTOR as u64);
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    const BITS: [Bits; 2] = [
        Bits { bootable: true, priority: 2, tries: 0, successful: true },
        Bits { bootable: true, priority: 3, tries: 9, successful: false },
    ];

    #[test]
    fn one_sector_of_each_copy_changes_and_the_headers_stay_right() {
        let disk = Disk::new([Bits::default(); 2]);
        let before = disk.0.borrow().clone();
        Table::new(&disk).change(|bits| *bits = BITS).unwrap();
        assert_eq!(*disk.1.borrow(), [2, 3]);
        // Both are read, so both checksums are right.
        assert_eq!(Table::new(&disk).read().unwrap(), BITS);
        assert_eq!(Table::new(&disk).copy(4 * 512, 512).unwrap().bits(), BITS);
        assert_eq!(disk.0.borrow()[512..1024], before[512..1024]);
        let changed: Vec<_> = (0..before.len()).filter(|at| disk.0.borrow()[*at] != before[*at]).collect();
        let lawful = |at: &usize| matches!((at - 1024) % 512, 304..312 | 432..440 | 508..512);
        assert!(changed.iter().all(lawful), "{changed:?}");
        Table::new(&disk).change(|bits| *bits = BITS).unwrap();
        assert_eq!(disk.1.borrow().len(), 2);
    }

    #[test]
    fn second_copy_is_written_only_where_it_is_whole() {
        let disk = Disk::new([Bits::default(); 2]);
        disk.0.borrow_mut()[3 * 512] ^= 1;
        Table::new(&disk).change(|bits| *bits = BITS).unwrap();
        assert_eq!(*disk.1.borrow(), [2]);
        disk.0.borrow_mut()[2 * 512] ^= 1;
        assert!(matches!(Table::new(&disk).read(), Err(GptError::NoTable)));
    }
}
