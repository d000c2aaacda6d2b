//! Where a bundle comes from: anything that can be read at any place.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::service::ota::fetch::Account;

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

/// A file.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// Opens a regular file or a block device.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let kind = file.metadata()?;
        let size = if kind.is_file() { kind.len() } else { io::Seek::seek(&mut &file, io::SeekFrom::End(0))? };
        Ok(Self { file, size })
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }

    fn is_done_until(&self, at: u64) {
        // Else the pages of a large bundle push out those of everybody else.
        crate::sys::fs::forget_cached(&self.file, at);
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
