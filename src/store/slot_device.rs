//! The slot that an update is written to: a block device, past the page cache, and nobody else's.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::sys;

/// What the installer needs of a slot. Offsets and lengths are multiples of [`ALIGNMENT`], and so are the buffers'
/// addresses.
///
/// [`ALIGNMENT`]: super::aligned::ALIGNMENT
pub trait SlotDevice: Sync {
    /// Bytes it has; none where it grows.
    fn capacity(&self) -> Option<u64>;
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()>;
    /// All that was written is on the medium when this returns.
    fn sync(&self) -> io::Result<()>;
}

/// A block device, or an ordinary file for a trial.
#[derive(Debug)]
pub struct Target {
    file: File,
    capacity: Option<u64>,
}

impl Target {
    /// Opens what is there and makes nothing new. A device that is mounted or otherwise in use is refused: `O_EXCL` of
    /// open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = |flags| OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        let file = match open(sys::fs::O_DIRECT | sys::fs::O_EXCL) {
            // A file system in memory has no direct I/O.
            Err(cause) if cause.kind() == io::ErrorKind::InvalidInput => open(sys::fs::O_EXCL)?,
            other => other?,
        };
        let kind = file.metadata()?.file_type();
        if !kind.is_block_device() && !kind.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let capacity = if kind.is_block_device() { Some((&file).seek(SeekFrom::End(0))?) } else { None };
        Ok(Self { file, capacity })
    }
}

/// A slot that is only read, also while it is mounted.
#[derive(Debug)]
pub struct Seed {
    file: File,
}

impl Seed {
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = |flags| OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = match open(sys::fs::O_DIRECT) {
            Err(cause) if cause.kind() == io::ErrorKind::InvalidInput => open(0)?,
            other => other?,
        };
        Ok(Self { file })
    }

    pub fn size(&self) -> io::Result<u64> {
        (&self.file).seek(SeekFrom::End(0))
    }

    /// As [`SlotDevice::read_at`].
    pub fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }
}

/// Which device it is, or which file, whatever the path: no two slots may be the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    Device(u64),
    File { device: u64, number: u64 },
}

/// Follows links, and opens nothing.
pub fn identity(path: &Path) -> io::Result<Identity> {
    let facts = std::fs::metadata(path)?;
    Ok(match facts.file_type().is_block_device() {
        true => Identity::Device(facts.rdev()),
        false => Identity::File { device: facts.dev(), number: facts.ino() },
    })
}

/// [`Target::open`] fails with it where somebody else has the device.
pub const EBUSY: i32 = sys::fs::EBUSY;

impl SlotDevice for Target {
    fn capacity(&self) -> Option<u64> {
        self.capacity
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
