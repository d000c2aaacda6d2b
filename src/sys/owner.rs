//! Gives files to another user: `fchownat(2)`, walking by descriptor so that no link can lead astray.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};

/// Changes the owner of everything below `directory`, not of the directory itself. An absent directory is empty.
///
/// Symbolic links change hands themselves and are never followed. A file with several names keeps its owner: one of
/// its names may lie where the new owner has no business.
pub fn give_contents(directory: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(directory, flags, Mode::empty()) {
        Ok(open) => give_below(open.as_fd(), Uid::from_raw(uid), Gid::from_raw(gid), DEEPEST),
        Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(cause) => Err(cause.into()),
    }
}

fn give_below(directory: BorrowedFd<'_>, uid: Uid, gid: Gid, depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("directories are nested too deeply"));
    }
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let status = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(rustix::io::Errno::NOENT) => continue,
            other => other?,
        };
        let is_directory = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
        if is_directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let below = rustix::fs::openat(directory, name, flags, Mode::empty())?;
            give_below(below.as_fd(), uid, gid, depth - 1)?;
        } else if status.st_nlink > 1 {
            continue;
        }
        if (status.st_uid, status.st_gid) != (uid.as_raw(), gid.as_raw()) {
            rustix::fs::chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}

/// Each level holds a descriptor.
const DEEPEST: usize = 128;
