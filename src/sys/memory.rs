//! Memory in whole pages, also large ones.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

/// Bytes of a large page, and their alignment, on most machines.
pub const LARGE_PAGE: usize = 2 << 20;

/// Whether this kernel has large pages for those who ask for them: `admin-guide/mm/transhuge.rst` of Linux.
pub fn has_large_pages() -> bool {
    let switch = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    switch.is_ok_and(|switch| !switch.contains("[never]"))
}

/// Pages of zeros that are memory once they are touched: mmap(2). A common allocator may touch them all, and so get small
/// ones, before anybody can ask for large ones.
#[derive(Debug)]
pub struct Pages {
    start: NonNull<u8>,
    /// Bytes before the aligned ones, which are skipped.
    skip: usize,
    length: usize,
    mapped: usize,
}

// SAFETY: nobody else knows the address, as with a vector.
unsafe impl Send for Pages {}

impl Pages {
    /// So many bytes, at least at the alignment of a page. In large pages where there are some: `MADV_HUGEPAGE` of madvise(2).
    pub fn new(length: usize, is_large: bool) -> Self {
        let skipped = if is_large { LARGE_PAGE } else { 0 };
        let Some(mapped) = length.checked_add(skipped).filter(|mapped| isize::try_from(*mapped).is_ok()) else {
            handle_alloc_error(Layout::new::<u8>())
        };
        // Nothing cannot be mapped.
        let mapped = mapped.max(1);
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: this makes new memory and touches none.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), mapped, access, kind, -1, 0) };
        let start = NonNull::new(start.cast::<u8>()).filter(|start| start.as_ptr().cast() != libc::MAP_FAILED);
        let Some(start) = start else { handle_alloc_error(Layout::new::<u8>()) };
        let skip = if is_large { start.as_ptr().align_offset(LARGE_PAGE).min(skipped) } else { 0 };
        let mut pages = Self { start, skip, length, mapped };
        if is_large {
            let bytes = pages.bytes();
            // SAFETY: this advice changes neither what the bytes are nor where, and they are ours.
            unsafe {
                libc::madvise(bytes.as_mut_ptr().cast(), bytes.len(), libc::MADV_HUGEPAGE);
            }
        }
        pages
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: no more is skipped than was mapped for that.
        let start = unsafe { self.start.as_ptr().add(self.skip) };
        // SAFETY: so many bytes behind it were mapped, are initialized, and are lent as long as this is.
        unsafe { std::slice::from_raw_parts_mut(start, self.length) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: it was mapped like this, and nobody can have a reference any more.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.mapped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_zeros_aligned_and_keep_what_they_are_given() {
        for (length, is_large) in [(0, false), (1, false), (10_000, false), (0, true), (1, true), (5 << 20, true)] {
            let mut pages = Pages::new(length, is_large);
            let bytes = pages.bytes();
            assert_eq!(bytes.as_ptr().align_offset(if is_large { LARGE_PAGE } else { 4096 }), 0);
            assert!(bytes.len() == length && bytes.iter().all(|byte| *byte == 0));
            bytes.fill(7);
            assert!(std::thread::spawn(move || pages.bytes().iter().all(|byte| *byte == 7)).join().unwrap());
        }
    }
}
