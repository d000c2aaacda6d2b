//! A disk in memory, and the checksum that nearly everything on one has.

use std::cell::RefCell;
use std::io;

use greengrass::boot::state::medium::Medium;

/// All of it.
pub struct Disk(RefCell<Vec<u8>>);

impl Disk {
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(RefCell::new(bytes))
    }
}

impl Medium for Disk {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = at.checked_add(into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(self.0.borrow().get(at..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = at.checked_add(sectors.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut bytes = self.0.borrow_mut();
        bytes.get_mut(at..end).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(sectors);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
