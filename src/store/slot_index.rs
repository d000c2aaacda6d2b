//! The hashes of a slot's blocks, kept on data from the installation that wrote it, so that the next one need not read the
//! slot to know what is in it. They are a cache: who takes a block because of them hashes it first.
//!
//! `"GGINDEX1" | SHA-256 of the image | blocks, u64 little endian | 1 when all are known | zeros until 64 | 32 bytes each`.
//! A hash of zeros is one that is not known. While an image is written its index is the file beside, with `+` behind.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::file::{self, FileError, beside};

/// SHA-256 of a block of 4096 bytes.
pub type BlockHash = [u8; 32];

const MAGIC: &[u8; 8] = b"GGINDEX1";
const HEAD: usize = 64;
/// Where the head says that all are known.
const WHOLE: usize = 48;
/// Blocks that a slot may have: those of 16 TiB.
const MOST: u64 = u32::MAX as u64;

/// An index.
#[derive(Debug)]
pub struct SlotIndex {
    file: File,
    pub image: [u8; 32],
    pub blocks: u64,
    is_whole: bool,
}

impl SlotIndex {
    /// The index of what was installed last; none if there is none that can be used.
    pub fn open(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        let mut index = Self { file, image: [0; 32], blocks: 0, is_whole: head[WHOLE] == 1 };
        index.image.copy_from_slice(&head[8..40]);
        let mut blocks = [0; 8];
        blocks.copy_from_slice(&head[40..48]);
        index.blocks = u64::from_le_bytes(blocks);
        let size = index.file.metadata().ok()?.len();
        let fits = head.starts_with(MAGIC) && index.blocks <= MOST && size == place(index.blocks);
        fits.then_some(index)
    }

    /// The one of an image that is being written, or was when the power went.
    pub fn open_part(path: &Path, image: &[u8; 32], blocks: u64) -> Option<Self> {
        Self::open(&part(path)).filter(|index| index.image == *image && index.blocks == blocks)
    }

    /// Begins one for an image that will be written.
    pub fn begin_part(path: &Path, image: &[u8; 32], blocks: u64) -> Result<Self, FileError> {
        let path = part(path);
        let fault = |cause| FileError::Write { path: path.clone(), cause };
        file::remove(&path)?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|cause| FileError::Create { path: path.clone(), cause })?;
        }
        let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = made.map_err(|cause| FileError::Create { path: path.clone(), cause })?;
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..40].copy_from_slice(image);
        head[40..48].copy_from_slice(&blocks.to_le_bytes());
        file.write_all_at(&head, 0).and_then(|()| file.set_len(place(blocks))).map_err(fault)?;
        Ok(Self { file, image: *image, blocks, is_whole: false })
    }

    /// Whether each hash is known.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Says that each hash is known, durably.
    pub fn complete(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.file.write_all_at(&[1], WHOLE as u64)?;
        self.is_whole = true;
        self.file.sync_data()
    }

    /// Hashes from block `first` on. What is behind the last is not known.
    pub fn read(&self, first: u64, into: &mut [BlockHash]) -> io::Result<()> {
        let have = usize::try_from(self.blocks.saturating_sub(first)).unwrap_or(usize::MAX).min(into.len());
        let (known, rest) = into.split_at_mut(have);
        rest.fill([0; 32]);
        self.file.read_exact_at(known.as_flattened_mut(), place(first))
    }

    pub fn write(&self, first: u64, hashes: &[BlockHash]) -> io::Result<()> {
        self.file.write_all_at(hashes.as_flattened(), place(first))
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Makes the part the index of the slot, which now holds the image.
    pub fn keep(&self, path: &Path) -> Result<(), FileError> {
        let fault = |cause| FileError::Write { path: path.to_owned(), cause };
        self.file.sync_data().map_err(fault)?;
        file::swap(&part(path), path, file::Backup::Drop)?;
        file::sync_parent(path)
    }

    /// Forgets what is known of a slot.
    pub fn remove(path: &Path) -> Result<(), FileError> {
        file::remove(&part(path))?;
        file::remove(path)
    }
}

fn part(path: &Path) -> PathBuf {
    beside(path, "+")
}

fn place(block: u64) -> u64 {
    HEAD as u64 + block.min(MOST) * 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_kept_when_it_is_done_and_gone_on_with_when_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slot-b.index");
        assert!(SlotIndex::open(&path).is_none());
        let part = SlotIndex::begin_part(&path, &[7; 32], 3).unwrap();
        part.write(1, &[[1; 32], [2; 32]]).unwrap();
        assert!(SlotIndex::open(&path).is_none());
        assert!(SlotIndex::open_part(&path, &[8; 32], 3).is_none());
        assert!(SlotIndex::open_part(&path, &[7; 32], 4).is_none());
        let mut part = SlotIndex::open_part(&path, &[7; 32], 3).unwrap();
        assert!(!part.is_whole());
        part.complete().unwrap();
        part.keep(&path).unwrap();
        assert!(SlotIndex::open_part(&path, &[7; 32], 3).is_none());
        let kept = SlotIndex::open(&path).unwrap();
        let mut hashes = [[9; 32]; 4];
        kept.read(0, &mut hashes).unwrap();
        assert!(kept.is_whole() && hashes == [[0; 32], [1; 32], [2; 32], [0; 32]]);
        for damage in [&b"GGINDEX2"[..], b""] {
            std::fs::write(&path, damage).unwrap();
            assert!(SlotIndex::open(&path).is_none());
        }
        SlotIndex::remove(&path).unwrap();
    }
}
