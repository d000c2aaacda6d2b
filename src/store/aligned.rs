//! Memory that direct I/O takes: its address is a multiple of the block.

use crate::store::slot_device::ALIGNMENT;

/// Bytes at an aligned address.
pub(in crate::service::ota) struct Aligned {
    bytes: Vec<u8>,
    skip: usize,
    length: usize,
}

impl Aligned {
    pub(in crate::service::ota) fn new(length: usize) -> Self {
        let bytes = vec![0; length + ALIGNMENT];
        let skip = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, skip, length }
    }

    pub(in crate::service::ota) fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.skip..][..self.length]
    }
}
