//! Memory that direct I/O takes: its address is a multiple of the block.

/// What direct I/O wants on every medium.
pub const ALIGNMENT: usize = 4096;

/// Bytes at an aligned address.
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

    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.skip..][..self.length]
    }
}
