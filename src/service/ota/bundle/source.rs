//! Where a bundle comes from: anything that can be read at any place.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::service::ota::fetch::Account;
use crate::store::aligned::{self, ALIGNMENT};
use crate::sys;

/// A bundle's bytes. Several threads read at once; none of what they get is trusted.
pub trait Source: Send + Sync + std::fmt::Debug {
    fn size(&self) -> u64;

    /// Fills the buffer from `at` on.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()>;

    /// What lies before `at` will not be read again: a hint.
    fn is_done_until(&self, _at: u64) {}

    /// Whether each byte costs time and money, so that what the device has already is better.
    fn is_remote(&self) -> bool {
        false
    }

    /// What will be read, in this order: a hint, which replaces the one before.
    fn expect(&self, _ranges: &[Range<u64>]) {}

    /// What will be read piece by piece beside that: a hint.
    fn expect_beside(&self, _range: Range<u64>) {}

    /// What it has cost to fetch, if it is fetched.
    fn account(&self) -> Option<Account> {
        None
    }
}

/// A file. Large parts are read past the page cache, which has better things to hold than what is read once; but through it
/// where memory has no large pages, because the kernel then makes better requests than we do.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    /// The same for direct I/O, where its file system has that.
    direct: Option<File>,
    size: u64,
    /// Pieces that are done with.
    done: AtomicU64,
}

/// Bytes that are worth a wait for the disk. Tree and tables come in smaller parts, which the kernel reads ahead.
const LARGE: usize = 64 << 10;
/// Pieces after which the pages of tree and tables are given back.
const FORGET: u64 = 16;

impl FileSource {
    /// Opens a regular file or a block device.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let kind = file.metadata()?;
        let size = if kind.is_file() { kind.len() } else { io::Seek::seek(&mut &file, io::SeekFrom::End(0))? };
        let direct = if sys::memory::has_large_pages() { aligned::open_direct(&file) } else { None };
        Ok(Self { file, direct, size, done: AtomicU64::new(0) })
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        if let Some(direct) = &self.direct
            && into.len() >= LARGE
            && at.is_multiple_of(ALIGNMENT as u64)
            && into.len().is_multiple_of(ALIGNMENT)
            && into.as_ptr().align_offset(ALIGNMENT) == 0
            && direct.read_exact_at(into, at).is_ok()
        {
            return Ok(());
        }
        self.file.read_exact_at(into, at)
    }

    fn is_done_until(&self, at: u64) {
        // Else the pages of a large bundle push out those of everybody else.
        if self.direct.is_none() {
            return sys::fs::forget_cached(&self.file, at);
        }
        if self.done.fetch_add(1, Ordering::Relaxed) % FORGET == FORGET - 1 {
            sys::fs::forget_cached(&self.file, self.size);
        }
    }
}

/// Bytes in memory.
impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)?.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::aligned::Aligned;

    #[test]
    fn file_is_the_same_past_the_cache_and_through_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        let bytes: Vec<u8> = (0..300_001_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let source = FileSource::open(&path).unwrap();
        assert_eq!(source.size(), 300_001);
        // Another file of this name is none of ours.
        std::fs::rename(&path, folder.path().join("other")).unwrap();
        std::fs::write(&path, b"another").unwrap();
        let mut buffer = Aligned::large(256 << 10);
        for (skip, length, at) in
            [(0, 64 << 10, 0), (0, 256 << 10, 4096), (1, 64 << 10, 4096), (0, 70_000, 4096), (0, 64 << 10, 4097)]
        {
            let into = &mut buffer.bytes()[skip..][..length];
            into.fill(0);
            source.read_at(into, at as u64).unwrap();
            assert!(*into == bytes[at..at + length], "{skip} {length} {at}");
            source.is_done_until(at as u64);
        }
        let end = 233_472;
        assert!(source.read_at(&mut buffer.bytes()[..128 << 10], end).is_err());
    }
}
