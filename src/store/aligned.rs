//! Memory that direct I/O takes: its address is a multiple of the block.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use crate::sys;
use crate::sys::memory::Pages;

/// What direct I/O wants on every medium.
pub const ALIGNMENT: usize = 4096;

/// Bytes at an aligned address, zeros at first.
#[derive(Debug)]
pub struct Aligned(Pages);

impl Aligned {
    pub fn new(length: usize) -> Self {
        Self(Pages::new(length, false))
    }

    /// In large pages, where the kernel has them: each request of a disk has only so many parts, and a part is what lies
    /// together, so small pages make small requests, at twice the cost.
    pub fn large(length: usize) -> Self {
        Self(Pages::new(length, true))
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        self.0.bytes()
    }
}

/// The very same file, whatever its name means by now, to be read past the page cache. None where its file system cannot.
pub fn open_direct(file: &File) -> Option<File> {
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().read(true).custom_flags(sys::fs::O_DIRECT).open(same).ok()
}
