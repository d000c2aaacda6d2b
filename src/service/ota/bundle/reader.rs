//! Reading data that the tree of hashes vouches for.

use super::{BundleError, Source};
use crate::sys::sha256;
use crate::wire::bundle::verity::{BLOCK, BLOCK_SIZE, Hash, Tree};

/// Bytes by which the room for what is read grows.
const GRAIN: usize = 64 << 10;

/// Reads verified data of one bundle. It keeps one block of each level of the tree, which is all that reading from the
/// beginning to the end needs.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a dyn Source,
    tree: &'a Tree,
    data_size: u64,
    /// The block of each level that was verified last, the lowest first.
    levels: Vec<Level>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Level {
    offset: Option<u64>,
    block: Box<[u8; BLOCK_SIZE]>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a dyn Source, tree: &'a Tree, data_size: u64) -> Self {
        let level = || Level { offset: None, block: Box::new([0; BLOCK_SIZE]) };
        let levels = (0..tree.height()).map(|_| level()).collect();
        Self { source, tree, data_size, levels, scratch: Vec::new() }
    }

    pub fn data_size(&self) -> u64 {
        self.data_size
    }

    /// Verified bytes from `at` on, until the next call.
    pub fn view(&mut self, at: u64, length: usize) -> Result<&[u8], BundleError> {
        let outside = BundleError::Outside { at };
        let Some(end) = at.checked_add(length as u64).filter(|end| *end <= self.data_size) else { return Err(outside) };
        let first = at / BLOCK;
        let begin = first * BLOCK;
        let Ok(whole) = usize::try_from(end.next_multiple_of(BLOCK) - begin) else { return Err(outside) };
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.len() < whole {
            // Never both at once.
            drop(scratch);
            scratch = vec![0; whole.next_multiple_of(GRAIN)];
        }
        let read = self.fill(&mut scratch[..whole], first);
        self.scratch = scratch;
        read?;
        // Less than a block.
        let skip = usize::try_from(at - begin).unwrap_or(0);
        Ok(&self.scratch[skip..skip + length])
    }

    /// Verified bytes, copied.
    pub fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), BundleError> {
        into.copy_from_slice(self.view(at, into.len())?);
        Ok(())
    }

    /// What lies before `at` will not be read again: a hint to the source.
    pub fn is_done_until(&self, at: u64) {
        self.source.is_done_until(at);
    }

    /// Reads whole blocks from number `first` on, and verifies each.
    fn fill(&mut self, into: &mut [u8], first: u64) -> Result<(), BundleError> {
        let at = first * BLOCK;
        self.source.read_at(into, at).map_err(|cause| BundleError::Read { at, cause })?;
        let (blocks, _) = into.as_chunks::<BLOCK_SIZE>();
        let (pairs, last) = blocks.as_chunks::<2>();
        let mut number = first;
        for [one, other] in pairs {
            // At once is two fifths cheaper than one after the other.
            let hashes = sha256::pair(self.tree.salt(), [one, other]);
            let hashes = hashes.unwrap_or_else(|| [self.tree.hash(one), self.tree.hash(other)]);
            for hash in hashes {
                self.judge(number, &hash)?;
                number += 1;
            }
        }
        last.iter().try_for_each(|block| self.judge(number, &self.tree.hash(block)))
    }

    fn judge(&mut self, number: u64, hash: &Hash) -> Result<(), BundleError> {
        if self.expected(number)? == *hash { Ok(()) } else { Err(BundleError::Tampered { at: number * BLOCK }) }
    }

    /// The hash that a data block must have.
    fn expected(&mut self, number: u64) -> Result<Hash, BundleError> {
        // Up to the level whose block is at hand, or the root, and down again.
        let mut known = self.tree.height();
        for level in 0..self.tree.height() {
            if self.levels[level].offset == Some(self.tree.place(level, number).offset) {
                known = level;
                break;
            }
        }
        let mut hash = match self.levels.get(known) {
            Some(level) => self.tree.place(known, number).hash_in(&level.block),
            None => self.tree.root(),
        };
        for level in (0..known).rev() {
            let place = self.tree.place(level, number);
            let cached = &mut self.levels[level];
            cached.offset = None;
            let at = self.data_size + place.offset;
            self.source.read_at(&mut cached.block[..], at).map_err(|cause| BundleError::Read { at, cause })?;
            if self.tree.hash(&cached.block) != hash {
                return Err(BundleError::TamperedTree { at: place.offset });
            }
            cached.offset = Some(place.offset);
            hash = place.hash_in(&cached.block);
        }
        Ok(hash)
    }
}
