//! What direct I/O takes: memory at an address that is a multiple of the block, and files opened for it.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use crate::sys;

/// What direct I/O wants on every medium.
pub const ALIGNMENT: usize = 4096;

/// The very same file, whatever its name means by now, to be read past the page cache. `None` where its file system has no
/// direct I/O.
pub fn past_cache(file: &File) -> Option<File> {
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().read(true).custom_flags(sys::fs::O_DIRECT).open(same).ok()
}

/// Bytes at an aligned address.
#[derive(Default)]
pub struct Aligned {
    bytes: Vec<u8>,
    skip: usize,
    length: usize,
}

impl std::fmt::Debug for Aligned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aligned").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Aligned {
    pub fn new(length: usize) -> Self {
        let bytes = vec![0; length + ALIGNMENT];
        let skip = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, skip, length }
    }

    pub fn length(&self) -> usize {
        self.length
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.skip..][..self.length]
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.skip..][..self.length]
    }
}
