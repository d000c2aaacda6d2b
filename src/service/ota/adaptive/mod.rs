//! What need not be fetched, because the device has it: RAUC's `block-hash-index`.
//!
//! A bundle may have, beside an image, the SHA-256 of each 4096 bytes of it. What has the same hash is the same, and is
//! looked for
//!
//! 1. in the slot that is written, at its place: after a power cut, or when the version before last was nearly the same.
//!    It is hashed now, and is not written again;
//! 2. in the slot that runs, anywhere. It is hashed when it is copied.
//!
//! What the slots hold is known from the index that each installation leaves on data ([`SlotIndex`]); the slot that runs
//! is read once where there is none. The hash of the whole image at the end judges all of it.
//!
//! A bundle without such an index is fetched as a whole, but the hashes of what is written are noted, so that it goes on
//! after a power cut where it stopped.
//!
//! Memory: a byte for each block of the image, and 1.5 MiB.

mod ranges;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest;

use super::bundle::{Bundle, BundleError, Chunk, Contents, MAX_CHUNK, Reader, Source};
use crate::boot::slot::Slot;
use crate::store::aligned::Aligned;
use crate::store::slot_device::{Seed, SlotDevice};
use crate::store::slot_index::{BlockHash, SlotIndex};
use crate::wire::bundle::manifest::{FileName, Image};
use ranges::Ranges;

/// The method of RAUC that this is, and what comes behind the name of an image for its index.
const METHOD: &str = "block-hash-index";
/// Bytes of a block.
const BLOCK: usize = 4096;
/// Blocks looked at in one go: a piece.
const BATCH: usize = MAX_CHUNK / BLOCK;
/// Missing blocks that are looked for elsewhere in the slot that runs: so many bytes of them change in no update that is
/// worth it.
const MOST_MISSING: usize = 64 << 10;
/// Blocks of the slot that runs that are read to see whether its index is true.
const SAMPLES: u64 = 16;
/// Not known.
const UNKNOWN: BlockHash = [0; 32];

/// Where to look for what the device has. Without an index of its own nothing is looked for.
#[derive(Clone, Default, Debug)]
pub struct Seeds {
    /// Where the index of the slot that is written is kept.
    pub index: Option<PathBuf>,
    /// The device of the same class in the slot that runs, and its index.
    pub running: Option<(PathBuf, PathBuf)>,
}

impl Seeds {
    /// Where the index of a slot is kept, below the directory for what lasts.
    pub fn path(data: &Path, slot: Slot, class: &str) -> PathBuf {
        match class {
            "rootfs" => data.join(format!("slot-{}.index", slot.name())),
            _ => data.join(format!("slot-{}-{class}.index", slot.name())),
        }
    }
}

/// What becomes of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Have {
    Missing,
    /// It is in its place.
    Kept,
    /// It is in the slot that runs, in the same place.
    Same,
    /// It is somewhere else there.
    Moved,
    Zeros,
}

/// What is to be done to get one image.
#[derive(Debug)]
pub struct Plan {
    /// None: nothing is known and nothing noted; everything is fetched.
    notes: Option<Notes>,
    blocks: Vec<Have>,
    /// Where moved blocks are, sorted.
    moved: Vec<(u32, u32)>,
    running: Option<Seed>,
    reused: AtomicU64,
}

#[derive(Debug)]
struct Notes {
    index: SlotIndex,
    path: PathBuf,
    /// The hashes are not known before, but found while the image is written.
    learns: bool,
    unsynced: AtomicU64,
}

/// What a plan is made of.
#[expect(missing_debug_implementations, reason = "it is taken apart at once")]
pub struct Ground<'a, 'r> {
    pub bundle: &'a Bundle,
    pub source: &'a dyn Source,
    pub contents: &'a Contents,
    pub reader: &'r mut Reader<'a>,
    pub image: &'a Image,
    pub slot: &'a dyn SlotDevice,
    pub seeds: &'a Seeds,
}

impl Plan {
    /// Finds out what the device has, and tells the source what will be read. That something cannot be found out is no
    /// reason not to install.
    pub fn make(mut ground: Ground<'_, '_>) -> Result<Self, BundleError> {
        let count = usize::try_from(ground.image.size.div_ceil(BLOCK as u64)).unwrap_or(0);
        let mut plan = Self {
            notes: None,
            blocks: vec![Have::Missing; count],
            moved: Vec::new(),
            running: None,
            reused: AtomicU64::new(0),
        };
        let Some(name) = &ground.image.filename else { return Ok(plan) };
        if let (Some(path), Some(image)) = (&ground.seeds.index, &ground.image.sha256) {
            plan.look(&mut ground, name, path, image)?;
        }
        let has = |have: &&Have| **have == Have::Kept || (plan.running.is_some() && **have != Have::Missing);
        let reused = plan.blocks.iter().filter(has).count();
        plan.reused.store((reused * BLOCK) as u64, Ordering::Relaxed);
        if ground.source.is_remote() {
            plan.announce(&mut ground, name)?;
        }
        Ok(plan)
    }

    /// Bytes that came from the device itself, the zeros of the image among them.
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    /// Whether nothing of the image is on the device.
    pub fn is_all_missing(&self) -> bool {
        self.blocks.iter().all(|have| *have == Have::Missing)
    }

    fn look(
        &mut self,
        ground: &mut Ground<'_, '_>,
        name: &FileName,
        path: &Path,
        image: &[u8; 32],
    ) -> Result<(), BundleError> {
        let count = self.blocks.len() as u64;
        let resumed = SlotIndex::open_part(path, image, count);
        let is_resumed = resumed.is_some();
        let Some(mut index) = resumed.or_else(|| SlotIndex::begin_part(path, image, count).ok()) else { return Ok(()) };
        let has_index = ground.image.adaptive.iter().any(|method| method == METHOD);
        if has_index && !index.is_whole() {
            copy_index(ground, name, &mut index)?;
        }
        let learns = !index.is_whole();
        if learns && !ground.source.is_remote() {
            // Nothing is known of the slot from now on.
            let _ = SlotIndex::remove(path);
            return Ok(());
        }
        let old = if is_resumed { None } else { SlotIndex::open(path) };
        if is_resumed || old.is_some() {
            self.look_in_place(ground.slot, &index, old.as_ref());
        }
        if !learns
            && ground.source.is_remote()
            && let Some((device, kept)) = &ground.seeds.running
            && let Ok(seed) = Seed::open(device)
            && let Some(known) = index_of(&seed, kept)
            && self.look_elsewhere(&index, &known).is_some()
        {
            self.running = Some(seed);
        }
        self.notes = Some(Notes { index, path: path.to_owned(), learns, unsynced: AtomicU64::new(0) });
        Ok(())
    }

    /// What is in its place. The first piece is not: it is wiped, and written last.
    fn look_in_place(&mut self, slot: &dyn SlotDevice, new: &SlotIndex, old: Option<&SlotIndex>) {
        let mut buffer = Aligned::new(MAX_CHUNK);
        let (mut hashes, mut before) = ([UNKNOWN; BATCH], [UNKNOWN; BATCH]);
        let mut number = BATCH;
        while number < self.blocks.len() {
            let blocks = &mut self.blocks[number..];
            let count = blocks.len().min(BATCH);
            let first = number as u64;
            number += count;
            if new.read(first, &mut hashes[..count]).is_err() {
                return;
            }
            if let Some(old) = old
                && old.read(first, &mut before[..count]).is_err()
            {
                return;
            }
            let may_be = |index: usize| hashes[index] != UNKNOWN && (old.is_none() || hashes[index] == before[index]);
            let Some(from) = (0..count).find(|index| may_be(*index)) else { continue };
            let until = (from..count).rfind(|index| may_be(*index)).map_or(from, |last| last + 1);
            let bytes = &mut buffer.bytes()[..(until - from) * BLOCK];
            // The end of the slot may be less than a block.
            if slot.read_at(bytes, (first + from as u64) * BLOCK as u64).is_err() {
                continue;
            }
            for (index, block) in (from..until).zip(bytes.chunks(BLOCK)) {
                if may_be(index) && hash(block) == hashes[index] {
                    blocks[index] = Have::Kept;
                }
            }
        }
    }

    /// What the slot that runs has, by its index.
    fn look_elsewhere(&mut self, new: &SlotIndex, known: &SlotIndex) -> Option<()> {
        let zeros = hash(&[0; BLOCK]);
        let (mut hashes, mut theirs) = ([UNKNOWN; BATCH], [UNKNOWN; BATCH]);
        let mut missing: Vec<(u64, u32)> = Vec::new();
        for number in (0..self.blocks.len()).step_by(BATCH) {
            new.read(number as u64, &mut hashes).ok()?;
            known.read(number as u64, &mut theirs).ok()?;
            for (index, have) in self.blocks[number..].iter_mut().take(BATCH).enumerate() {
                *have = match *have {
                    Have::Kept => Have::Kept,
                    _ if hashes[index] == zeros => Have::Zeros,
                    _ if hashes[index] == theirs[index] => Have::Same,
                    _ => {
                        if missing.len() < MOST_MISSING {
                            missing.push((start(&hashes[index]), u32::try_from(number + index).unwrap_or(u32::MAX)));
                        }
                        Have::Missing
                    }
                };
            }
        }
        missing.sort_unstable();
        for number in (0..known.blocks).step_by(BATCH) {
            known.read(number, &mut theirs).ok()?;
            for (index, hash) in theirs.iter().enumerate().filter(|(_, hash)| **hash != UNKNOWN) {
                let start = start(hash);
                let first = missing.partition_point(|(other, _)| *other < start);
                // Whether it really is the same is seen when it is copied.
                for (_, block) in missing[first..].iter().take_while(|(other, _)| *other == start) {
                    let have = &mut self.blocks[*block as usize];
                    if *have == Have::Missing {
                        *have = Have::Moved;
                        self.moved.push((*block, u32::try_from(number + index as u64).unwrap_or(u32::MAX)));
                    }
                }
            }
        }
        self.moved.sort_unstable();
        Some(())
    }

    /// Tells the source what will be read: the missing parts in their order, and those of the first piece last.
    fn announce(&self, ground: &mut Ground<'_, '_>, name: &FileName) -> Result<(), BundleError> {
        let mut chunks = ground.contents.file(ground.reader, name)?;
        let (mut ranges, mut first) = (Ranges::default(), Ranges::default());
        while let Some(chunk) = chunks.next(ground.reader)? {
            let into = if chunk.at == 0 { &mut first } else { &mut ranges };
            chunk.places(&self.missing(&chunk), |place| into.push(place));
        }
        let mut ranges = ranges.finish(ground.image.size, ground.bundle.data_size());
        ranges.extend(first.finish(ground.image.size, ground.bundle.data_size()));
        ground.source.expect(&ranges);
        Ok(())
    }

    fn of(&self, chunk: &Chunk) -> &[Have] {
        let first = usize::try_from(chunk.at / BLOCK as u64).unwrap_or(usize::MAX);
        let blocks = self.blocks.get(first..).unwrap_or_default();
        &blocks[..chunk.length.div_ceil(BLOCK).min(blocks.len())]
    }

    fn missing(&self, chunk: &Chunk) -> Vec<bool> {
        let is_missing = |have: &Have| *have == Have::Missing || (self.running.is_none() && *have != Have::Kept);
        self.of(chunk).iter().map(is_missing).collect()
    }

    /// Fills in what the device has. `out` has room for whole blocks. Returns which blocks are still wanted.
    pub fn fill(&self, chunk: &Chunk, out: &mut [u8]) -> Vec<bool> {
        let mut wanted = self.missing(chunk);
        let (Some(running), Some(notes)) = (&self.running, &self.notes) else { return wanted };
        let first = chunk.at / BLOCK as u64;
        let blocks = self.of(chunk);
        let mut hashes = vec![UNKNOWN; blocks.len()];
        let is_known = notes.index.read(first, &mut hashes).is_ok();
        let mut index = 0;
        while index < blocks.len() {
            let run = blocks[index..].iter().take_while(|have| **have == blocks[index]).count();
            let (from, run) = match blocks[index] {
                Have::Missing | Have::Kept => (None, run),
                Have::Zeros => {
                    out[index * BLOCK..(index + run) * BLOCK].fill(0);
                    (None, run)
                }
                Have::Same => (Some(first + index as u64), run),
                Have::Moved => {
                    let block = first + index as u64;
                    let found = self.moved.binary_search_by_key(&block, |(block, _)| (*block).into());
                    // One after the other: they may come from anywhere.
                    (Some(found.map_or(u64::MAX, |found| self.moved[found].1.into())), 1)
                }
            };
            if let Some(from) = from {
                let room = &mut out[index * BLOCK..(index + run) * BLOCK];
                let is_read = is_known && running.read_at(room, from.saturating_mul(BLOCK as u64)).is_ok();
                for (index, block) in (index..index + run).zip(room.chunks(BLOCK)) {
                    wanted[index] = !is_read || hash(block) != hashes[index];
                    if wanted[index] {
                        self.reused.fetch_sub(BLOCK as u64, Ordering::Relaxed);
                    }
                }
            }
            index += run;
        }
        wanted
    }

    /// Which parts of a piece, in bytes, are to be written.
    pub fn parts(&self, chunk: &Chunk, whole: usize) -> Vec<std::ops::Range<usize>> {
        let mut parts: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, _) in self.of(chunk).iter().enumerate().filter(|(_, have)| **have != Have::Kept) {
            let block = index * BLOCK..((index + 1) * BLOCK).min(whole);
            match parts.last_mut() {
                Some(last) if last.end == block.start => last.end = block.end,
                _ => parts.push(block),
            }
        }
        parts
    }

    /// Notes what was written, where the hashes were not known before.
    pub fn note(&self, chunk: &Chunk, bytes: &[u8]) {
        let Some(notes) = self.notes.as_ref().filter(|notes| notes.learns) else { return };
        let mut block = [0; BLOCK];
        let of = |bytes: &[u8]| {
            block.fill(0);
            block[..bytes.len()].copy_from_slice(bytes);
            hash(&block)
        };
        let mut hashes: Vec<BlockHash> = bytes.chunks(BLOCK).map(of).collect();
        let first = chunk.at / BLOCK as u64;
        // What was kept was not unpacked.
        let mut before = vec![UNKNOWN; hashes.len()];
        let is_known = notes.index.read(first, &mut before).is_ok();
        for ((hash, before), have) in hashes.iter_mut().zip(before).zip(self.of(chunk)) {
            if *have == Have::Kept && is_known {
                *hash = before;
            }
        }
        let _ = notes.index.write(first, &hashes);
        if notes.unsynced.fetch_add(1, Ordering::Relaxed) % SYNC == SYNC - 1 {
            // After a power cut less is known, and more fetched again.
            let _ = notes.index.sync();
        }
    }

    /// The slot holds the image now. What cannot be kept is not known next time.
    pub fn keep(&self) {
        if let Some(notes) = &self.notes {
            let _ = notes.index.keep(&notes.path);
        }
    }

    /// What was written is not the image: what led to it is not believed again.
    pub fn forget(&self) {
        if let Some(notes) = &self.notes {
            let _ = SlotIndex::remove(&notes.path);
        }
    }
}

/// Pieces after which the notes are made durable.
const SYNC: u64 = 4;

/// Tells the source that all of a file will be read.
pub fn expect_file(
    source: &dyn Source,
    contents: &Contents,
    reader: &mut Reader<'_>,
    name: &FileName,
) -> Result<(), BundleError> {
    let mut chunks = contents.file(reader, name)?;
    let mut ranges = Ranges::default();
    while let Some(chunk) = chunks.next(reader)? {
        chunk.places(&vec![true; chunk.length.div_ceil(BLOCK)], |place| ranges.push(place));
    }
    source.expect(&ranges.finish(0, reader.data_size()));
    Ok(())
}

/// Reads the index that the bundle has for the image. One that does not fit is none.
fn copy_index(ground: &mut Ground<'_, '_>, name: &FileName, index: &mut SlotIndex) -> Result<(), BundleError> {
    let Some(name) = FileName::parse(&format!("{}.{METHOD}", name.as_str())) else { return Ok(()) };
    if !ground.contents.names().any(|other| other == name.as_str()) {
        return Ok(());
    }
    let mut chunks = ground.contents.file(ground.reader, &name)?;
    if chunks.size() != index.blocks * 32 {
        return Ok(());
    }
    expect_file(ground.source, ground.contents, ground.reader, &name)?;
    let mut unpacker = ground.contents.unpacker();
    let mut bytes = vec![0; MAX_CHUNK];
    while let Some(chunk) = chunks.next(ground.reader)? {
        chunk.unpack(ground.reader, &mut unpacker, &mut bytes)?;
        let (hashes, _) = bytes[..chunk.length].as_chunks::<32>();
        if index.write(chunk.at / 32, hashes).is_err() {
            return Ok(());
        }
    }
    // Without this it is fetched again next time.
    let _ = index.complete();
    Ok(())
}

/// What is known of the slot that runs; it is read where nothing is, or nothing true.
fn index_of(seed: &Seed, path: &Path) -> Option<SlotIndex> {
    if let Some(known) = SlotIndex::open(path).filter(|known| is_true(known, seed)) {
        return Some(known);
    }
    let count = seed.size().ok()? / BLOCK as u64;
    let made = SlotIndex::begin_part(path, &UNKNOWN, count).ok()?;
    let mut buffer = Aligned::new(MAX_CHUNK);
    let mut hashes = [UNKNOWN; BATCH];
    for first in (0..count).step_by(BATCH) {
        let length = usize::try_from(count - first).unwrap_or(BATCH).min(BATCH);
        let bytes = &mut buffer.bytes()[..length * BLOCK];
        // What cannot be read is not known.
        if seed.read_at(bytes, first * BLOCK as u64).is_ok() {
            bytes.chunks(BLOCK).zip(&mut hashes).for_each(|(block, into)| *into = hash(block));
            made.write(first, &hashes[..length]).ok()?;
        }
    }
    made.keep(path).ok()?;
    SlotIndex::open(path)
}

/// Looks at some blocks. A file system that is mounted may change a few.
fn is_true(known: &SlotIndex, seed: &Seed) -> bool {
    let mut block = Aligned::new(BLOCK);
    let mut expected = [UNKNOWN];
    let is_false = |number: &u64| {
        let at = number * (known.blocks / SAMPLES);
        let bytes = block.bytes();
        let is_read = known.read(at, &mut expected).is_ok() && seed.read_at(bytes, at * BLOCK as u64).is_ok();
        !is_read || hash(bytes) != expected[0]
    };
    (0..SAMPLES).filter(is_false).count() <= 1
}

fn hash(block: &[u8]) -> BlockHash {
    let mut hash = UNKNOWN;
    hash.copy_from_slice(digest::digest(&digest::SHA256, block).as_ref());
    hash
}

/// The beginning of a hash, which is enough to look for it.
fn start(hash: &BlockHash) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(start)
}

#[cfg(test)]
mod tests;
