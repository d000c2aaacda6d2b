//! Bytes read from and written to their very place on a disk, past the page cache: `open(2)` with `O_DIRECT` and
//! `O_DSYNC`, `pread(2)`, `pwrite(2)`, `fiemap` of `ioctl(2)`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// What a disk writes as one: the whole sector or nothing of it.
pub const SECTOR: usize = 512;

/// A block device, or a file whose blocks are already where they will stay. Nothing here makes it longer.
#[derive(Debug)]
pub struct Sectors(File);

/// The memory that the disk reads and writes: aligned as the strictest of them wants it.
#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; PAGE]);

const PAGE: usize = 4096;

/// What is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Read,
    ReadWrite,
}

impl Sectors {
    /// Opens it past the page cache. A file system that has no such way gives one through the cache, written at once.
    pub fn open(path: &Path, access: Access) -> io::Result<Self> {
        let direct = libc::O_DIRECT | libc::O_DSYNC | libc::O_CLOEXEC;
        let open =
            |flags| OpenOptions::new().read(true).write(access == Access::ReadWrite).custom_flags(flags).open(path);
        match open(direct) {
            Err(cause) if cause.raw_os_error() == Some(libc::EINVAL) => open(direct & !libc::O_DIRECT).map(Self),
            opened => opened.map(Self),
        }
    }

    /// Makes a file of zeros, and the directory it lies in; both are on the disk when this returns.
    ///
    /// Written, not only made longer: a hole would get its blocks at the first write, and the file system's journal
    /// would hold where.
    pub fn make(path: &Path, size: u64) -> io::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut file = File::create_new(path)?;
        file.write_all(&vec![0; size as usize])?;
        file.sync_all()?;
        File::open(directory)?.sync_all()
    }

    /// Reads all of `into`, wherever it lies.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let mut page = Box::new(Page([0; PAGE]));
        let (mut at, mut into) = (at, into);
        while !into.is_empty() {
            let (base, skip) = split(at);
            let length = self.read_page(base, &mut page)?;
            let there = length.checked_sub(skip).filter(|there| *there > 0).ok_or(io::ErrorKind::UnexpectedEof)?;
            let count = there.min(into.len());
            into[..count].copy_from_slice(&page.0[skip..skip + count]);
            into = &mut into[count..];
            at += count as u64;
        }
        Ok(())
    }

    /// Writes whole sectors in place; they are on the disk when this returns. Each is written as one; several are not.
    pub fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if !at.is_multiple_of(SECTOR as u64) || !bytes.len().is_multiple_of(SECTOR) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut page = Box::new(Page([0; PAGE]));
        let (mut at, mut bytes) = (at, bytes);
        while !bytes.is_empty() {
            let (base, skip) = split(at);
            let count = bytes.len().min(PAGE - skip);
            page.0[..count].copy_from_slice(&bytes[..count]);
            match self.0.write_at(&page.0[..count], at) {
                Ok(written) if written == count => {}
                Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
                // A disk whose sectors have 4096 bytes: the others in it are written again as they are.
                Err(cause) if cause.raw_os_error() == Some(libc::EINVAL) => {
                    let length = self.read_page(base, &mut page)?;
                    if length < skip + count {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    page.0[skip..skip + count].copy_from_slice(&bytes[..count]);
                    if self.0.write_at(&page.0[..length], base)? != length {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                }
                Err(cause) => return Err(cause),
            }
            bytes = &bytes[count..];
            at += count as u64;
        }
        Ok(())
    }

    /// Has the disk write what it may still hold itself: `fdatasync(2)`.
    pub fn flush(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// Whether a file can be overwritten in place for good: all of `size` bytes have blocks of their own, which a
    /// write does not move. Where the file system cannot say so, that it has so many blocks is all that is known.
    pub fn stays_in_place(&self, size: u64) -> io::Result<bool> {
        let status = self.0.metadata()?;
        if !status.is_file() {
            return Ok(true);
        }
        if status.len() < size || status.blocks() * 512 < size {
            return Ok(false);
        }
        match extent(&self.0, size) {
            Ok(Some(extent)) => Ok(extent.flags & MOVES == 0 && extent.length >= size),
            Ok(None) => Ok(false),
            // FAT has no such call, and never moves a block either.
            Err(cause) if matches!(cause.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOTTY)) => Ok(true),
            Err(cause) => Err(cause),
        }
    }

    fn read_page(&self, base: u64, page: &mut Page) -> io::Result<usize> {
        let mut length = 0;
        while length < PAGE {
            match self.0.read_at(&mut page.0[length..], base + length as u64) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                // Behind the end of a disk that ends within the page.
                Err(cause) if cause.raw_os_error() == Some(libc::EINVAL) && length > 0 => break,
                Err(cause) => return Err(cause),
            }
        }
        Ok(length)
    }
}

/// The page that holds a place, and where in it.
fn split(at: u64) -> (u64, usize) {
    let skip = at % PAGE as u64;
    (at - skip, skip as usize)
}

struct Extent {
    length: u64,
    flags: u32,
}

/// `struct fiemap` with room for one extent.
#[repr(C)]
#[derive(Default)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    room: u32,
    reserved: u32,
    logical: u64,
    physical: u64,
    extent_length: u64,
    reserved64: [u64; 2],
    extent_flags: u32,
    reserved32: [u32; 3],
}

/// Not on the disk yet, encoded, shared, in the inode, or written elsewhere the next time.
const MOVES: u32 = 0x2 | 0x4 | 0x8 | 0x80 | 0x200 | 0x400 | 0x800 | 0x2000;

fn extent(file: impl AsFd, size: u64) -> io::Result<Option<Extent>> {
    /// Of the header, which is what the number of the call holds.
    const HEADER: usize = 32;
    const FS_IOC_FIEMAP: Opcode = opcode::read_write::<[u8; HEADER]>(b'f', 11);
    const SYNC: u32 = 1;
    let mut map = Fiemap { length: size, flags: SYNC, room: 1, ..Fiemap::default() };
    // SAFETY: the call reads and writes a `struct fiemap` and at most `room` = 1 extents behind it, which is `Fiemap`.
    let request = unsafe { Updater::<FS_IOC_FIEMAP, Fiemap>::new(&mut map) };
    // SAFETY: as above; the memory outlives the call.
    unsafe { ioctl(file, request) }?;
    let length = map.logical.saturating_add(map.extent_length);
    Ok((map.mapped > 0 && map.logical == 0).then_some(Extent { length, flags: map.extent_flags }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_written_in_place_and_read_back() {
        let scratch = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        std::fs::write(scratch.path(), vec![7; 10_000]).unwrap();
        let sectors = Sectors::open(scratch.path(), Access::ReadWrite).unwrap();
        assert!(sectors.stays_in_place(10_000).unwrap());
        sectors.write_at(3584, &[9; 1024]).unwrap();
        let mut read = [0; 1026];
        sectors.read_at(3583, &mut read).unwrap();
        assert_eq!((read[0], read[1], read[1024], read[1025]), (7, 9, 9, 7));
        assert_eq!(std::fs::metadata(scratch.path()).unwrap().len(), 10_000);
        assert!(sectors.write_at(1, &[0; 512]).is_err());
        assert!(sectors.write_at(0, &[0; 3]).is_err());
        let mut beyond = [0; 2];
        assert_eq!(sectors.read_at(9_999, &mut beyond).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn file_without_blocks_does_not_stay_in_place() {
        let scratch = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        scratch.as_file().set_len(8192).unwrap();
        let sectors = Sectors::open(scratch.path(), Access::Read).unwrap();
        assert!(!sectors.stays_in_place(8192).unwrap());
        assert!(!sectors.stays_in_place(8193).unwrap());
    }
}
