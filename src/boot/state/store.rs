//! The two copies of the record: one is always whole, because only the other is ever written.

use std::io;

use super::medium::{Medium, SECTOR, write_through};
use super::record::{Record, RecordError};

/// Where the copies lie: two places of one partition, or two files.
#[derive(Debug)]
pub struct Store<M> {
    copies: [(M, u64); 2],
}

/// Offsets of the copies on `gg-state`: far apart, because flash wears out a block at a time.
pub const ON_PARTITION: [u64; 2] = [0, 512 * 1024];

/// What the copies hold.
#[derive(Debug)]
pub struct Loaded {
    /// The newer one of those that are whole.
    pub record: Option<Record>,
    /// What is wrong with each; the record is whole as long as one is.
    pub copies: [Result<u64, CopyError>; 2],
    /// Which copy the record is from.
    newest: usize,
}

/// What is wrong with a copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("cannot read it")]
    Read(#[source] io::Error),
    #[error("it is no record")]
    Decode(#[source] RecordError),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot write copy {copy} of the slot-state record")]
    Write {
        copy: usize,
        #[source]
        cause: io::Error,
    },
}

impl<M: Medium + Clone> Store<M> {
    /// Both copies on one partition.
    pub fn on_partition(medium: M) -> Self {
        let [first, second] = ON_PARTITION;
        Self { copies: [(medium.clone(), first), (medium, second)] }
    }
}

impl<M: Medium> Store<M> {
    /// Each copy at the beginning of its own file, for a disk without `gg-state`.
    pub fn in_files(first: M, second: M) -> Self {
        Self { copies: [(first, 0), (second, 0)] }
    }

    /// Reads both. A copy that cannot be read is like one that is torn: that is what the other is for.
    pub fn load(&self) -> Loaded {
        let read = |index: usize| {
            let (medium, at) = &self.copies[index];
            let mut bytes = [0; SECTOR];
            // Once more: the other copy is older, and what it does not know is forgotten.
            let read = medium.read(*at, &mut bytes).or_else(|_| medium.read(*at, &mut bytes));
            read.map_err(CopyError::Read)?;
            Record::decode(&bytes).map_err(CopyError::Decode)
        };
        let [first, second] = [read(0), read(1)];
        let seqs = [&first, &second].map(|copy| copy.as_ref().map(|record| record.seq).ok());
        let newest = usize::from(seqs[1] > seqs[0]);
        let mut split = [None, None];
        let mut copies = [first, second].into_iter().enumerate().map(|(index, copy)| {
            copy.map(|record| {
                let seq = record.seq;
                split[index] = Some(record);
                seq
            })
        });
        let copies =
            [copies.next(), copies.next()].map(|copy| copy.unwrap_or(Err(CopyError::Decode(RecordError::Blank))));
        Loaded { record: split[newest].take(), copies, newest }
    }

    /// Writes a record as the newest one, over the copy that is not the newest; the returned one has its number.
    /// When it fails the former record still counts, or the new one does: never neither.
    pub fn write(&self, record: &Record) -> Result<Record, StoreError> {
        let loaded = self.load();
        let mut record = record.clone();
        let copy = match &loaded.record {
            Some(newest) => {
                record.seq = newest.seq.wrapping_add(1);
                1 - loaded.newest
            }
            None => {
                record.seq = record.seq.wrapping_add(1);
                (record.seq % 2) as usize
            }
        };
        // The place of a number is always the same; a copy that somebody moved is put right by leaving one out.
        if (record.seq % 2) as usize != copy {
            record.seq = record.seq.wrapping_add(1);
        }
        let (medium, at) = &self.copies[copy];
        write_through(medium, *at, &record.encode()).map_err(|cause| StoreError::Write { copy, cause })?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::slot::Slot;

    /// Memory, of which one place may refuse to be read or written.
    #[derive(Default)]
    struct Memory(RefCell<Vec<u8>>, Option<u64>);

    impl Medium for Memory {
        fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
            if self.1 == Some(at) {
                return Err(io::ErrorKind::Other.into());
            }
            into.copy_from_slice(&self.0.borrow()[at as usize..at as usize + into.len()]);
            Ok(())
        }
        fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
            self.0.borrow_mut()[at as usize..at as usize + sectors.len()].copy_from_slice(sectors);
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn memory() -> Memory {
        Memory(RefCell::new(vec![0; 1024 * 1024]), None)
    }

    #[test]
    fn copies_are_written_in_turn_and_the_newest_is_read() {
        let memory = memory();
        let store = Store::on_partition(&memory);
        assert!(store.load().record.is_none());
        let mut record = Record::fresh(Slot::A);
        for seq in 1..=5 {
            record.left = seq as u8;
            record = store.write(&record).unwrap();
            assert_eq!(record.seq, seq);
            let at = ON_PARTITION[(seq % 2) as usize] as usize;
            let bytes: [u8; SECTOR] = memory.0.borrow()[at..at + SECTOR].try_into().unwrap();
            assert_eq!(Record::decode(&bytes).unwrap(), record);
            assert_eq!(store.load().record, Some(record.clone()));
        }
    }

    #[test]
    fn torn_copy_leaves_the_former_record() {
        let memory = memory();
        let store = Store::on_partition(&memory);
        let first = store.write(&Record::fresh(Slot::A)).unwrap();
        store.write(&Record { left: 3, ..first }).unwrap();
        memory.0.borrow_mut()[100] ^= 1;
        let loaded = store.load();
        assert_eq!(loaded.record, Some(first.clone()));
        assert!(matches!(loaded.copies, [Err(CopyError::Decode(RecordError::Torn)), Ok(1)]));
        assert_eq!(store.write(&first).unwrap().seq, 2);
    }

    #[test]
    fn only_good_copy_is_never_overwritten() {
        let memory = memory();
        let store = Store::on_partition(&memory);
        let record = store.write(&Record { seq: 3, ..Record::fresh(Slot::A) }).unwrap();
        assert_eq!(record.seq, 4);
        // Somebody copied it to where odd numbers lie, and lost the other.
        let bytes = memory.0.borrow()[..SECTOR].to_vec();
        memory.0.borrow_mut()[512 * 1024..512 * 1024 + SECTOR].copy_from_slice(&bytes);
        memory.0.borrow_mut()[..SECTOR].fill(0);
        let next = store.write(&record).unwrap();
        assert_eq!(next.seq, 6);
        assert_eq!(store.load().copies.map(Result::ok), [Some(6), Some(4)]);
    }

    #[test]
    fn unreadable_copy_is_like_a_torn_one() {
        let mut memory = memory();
        let record = Store::on_partition(&memory).write(&Record::fresh(Slot::B)).unwrap();
        memory.1 = Some(0);
        let store = Store::on_partition(&memory);
        assert_eq!(store.load().record, Some(record));
        assert!(matches!(store.load().copies[0], Err(CopyError::Read(_))));
    }
}
