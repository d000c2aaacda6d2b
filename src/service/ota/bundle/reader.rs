//! Reading data that the tree of hashes vouches for.

use super::{BundleError, Source};
use crate::sys::sha256::{self, Running};
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
    /// The room for what is read, if somebody gave one, and else another.
    room: &'a mut [u8],
    scratch: Vec<u8>,
    held: Held,
}

/// What lies in the room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    Nothing,
    /// It was read, and nobody looks at it.
    Unproved(Span),
    Verified(Span),
}

/// Whole blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Span {
    first: u64,
    length: usize,
}

impl Span {
    fn has(&self, other: &Self) -> bool {
        let end = |span: &Self| span.first * BLOCK + span.length as u64;
        self.first <= other.first && end(other) <= end(self)
    }
}

/// What is hashed along with blocks that are verified: two hashes at once are a third cheaper than one after the other.
#[expect(missing_debug_implementations, reason = "it is taken apart at once")]
pub struct Beside<'b> {
    pub running: Running,
    /// Blocks of it; those that were not needed are left.
    pub blocks: &'b [[u8; 64]],
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
        Self { source, tree, data_size, levels, room: &mut [], scratch: Vec::new(), held: Held::Nothing }
    }

    /// Reads into this room whatever fits there.
    pub fn with_room(self, room: &'a mut [u8]) -> Self {
        Self { room, held: Held::Nothing, ..self }
    }

    pub fn data_size(&self) -> u64 {
        self.data_size
    }

    /// Verified bytes from `at` on, until the next call.
    pub fn view(&mut self, at: u64, length: usize) -> Result<&[u8], BundleError> {
        let wanted = self.span(at, length)?;
        let held = match self.held {
            Held::Verified(held) if held.has(&wanted) => held,
            _ => {
                self.load(at, length)?;
                self.verify(None)?;
                wanted
            }
        };
        // Less than what is held.
        let skip = usize::try_from(at - held.first * BLOCK).unwrap_or(0);
        let bytes = if held.length <= self.room.len() { &*self.room } else { &self.scratch };
        Ok(&bytes[skip..skip + length])
    }

    /// Reads what [`Reader::view`] will show once it is verified.
    pub fn load(&mut self, at: u64, length: usize) -> Result<(), BundleError> {
        let span = self.span(at, length)?;
        self.held = Held::Nothing;
        let into = if span.length <= self.room.len() {
            &mut self.room[..span.length]
        } else {
            if self.scratch.len() < span.length {
                // Never both at once.
                self.scratch = Vec::new();
                self.scratch = vec![0; span.length.next_multiple_of(GRAIN)];
            }
            &mut self.scratch[..span.length]
        };
        let at = span.first * BLOCK;
        self.source.read_at(into, at).map_err(|cause| BundleError::Read { at, cause })?;
        self.held = Held::Unproved(span);
        Ok(())
    }

    /// Verifies what was loaded, if something was.
    pub fn verify(&mut self, beside: Option<&mut Beside<'_>>) -> Result<(), BundleError> {
        let Held::Unproved(span) = std::mem::replace(&mut self.held, Held::Nothing) else { return Ok(()) };
        let (room, scratch) = (std::mem::take(&mut self.room), std::mem::take(&mut self.scratch));
        let bytes = if span.length <= room.len() { &*room } else { &scratch };
        let judged = self.judge_all(&bytes[..span.length], span.first, beside);
        (self.room, self.scratch) = (room, scratch);
        judged?;
        self.held = Held::Verified(span);
        Ok(())
    }

    fn span(&self, at: u64, length: usize) -> Result<Span, BundleError> {
        let outside = BundleError::Outside { at };
        let Some(end) = at.checked_add(length as u64).filter(|end| *end <= self.data_size) else { return Err(outside) };
        let first = at / BLOCK;
        let Ok(length) = usize::try_from(end.next_multiple_of(BLOCK) - first * BLOCK) else { return Err(outside) };
        Ok(Span { first, length })
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

    /// Verifies blocks from number `first` on.
    fn judge_all(&mut self, bytes: &[u8], first: u64, mut beside: Option<&mut Beside<'_>>) -> Result<(), BundleError> {
        let (mut blocks, _) = bytes.as_chunks::<BLOCK_SIZE>();
        let mut number = first;
        while let (Some(Beside { running, blocks: others }), [block, rest @ ..]) = (beside.as_deref_mut(), blocks)
            && let Some(hash) = running.beside(self.tree.salt(), block, others)
        {
            self.judge(number, &hash)?;
            (number, blocks) = (number + 1, rest);
        }
        let (pairs, last) = blocks.as_chunks::<2>();
        for [one, other] in pairs {
            // At once is a third cheaper than one after the other.
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
