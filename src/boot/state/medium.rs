//! Where state lies: a place of bytes that can be read, overwritten and flushed; a disk, or a test's that loses power.

use std::io;
use std::rc::Rc;

use gg_sys::sector::Sectors;

/// A few bytes of a disk. Writers hand in whole sectors of [`SECTOR`] bytes; one sector is written as a whole or not
/// at all, and what a call wrote is there for good only after the next [`Medium::flush`].
pub trait Medium {
    /// Fills `into` from `at` on, or fails.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()>;
    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()>;
    fn flush(&self) -> io::Result<()>;
}

pub use gg_sys::sector::SECTOR;

impl Medium for Sectors {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.read_at(at, into)
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        self.write_at(at, sectors)
    }

    fn flush(&self) -> io::Result<()> {
        Self::flush(self)
    }
}

impl<M: Medium + ?Sized> Medium for &M {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        (**self).read(at, into)
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        (**self).write(at, sectors)
    }

    fn flush(&self) -> io::Result<()> {
        (**self).flush()
    }
}

impl<M: Medium + ?Sized> Medium for Rc<M> {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        (**self).read(at, into)
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        (**self).write(at, sectors)
    }

    fn flush(&self) -> io::Result<()> {
        (**self).flush()
    }
}

/// Writes sectors for good and looks whether they are there: a card that lies is found out while the old state is
/// still somewhere.
pub(crate) fn write_through(medium: &impl Medium, at: u64, sectors: &[u8]) -> io::Result<()> {
    medium.write(at, sectors)?;
    medium.flush()?;
    let mut back = vec![0; sectors.len()];
    medium.read(at, &mut back)?;
    if back == sectors { Ok(()) } else { Err(io::Error::other("what was read back is not what was written")) }
}
