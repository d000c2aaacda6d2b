//! Advisory locks on whole files: of an open file, shared with children that inherit it, or of a process alone.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock, flock};

/// Waits until the lock on a file is ours alone, and makes the file where there is none: `flock(2)`.
/// It is given back when the file is dropped.
pub fn wait_exclusive(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Takes the lock alone if nobody else holds it: `flock(2)` with `LOCK_NB`.
pub fn try_exclusive(file: BorrowedFd<'_>) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

/// Takes the lock together with others; from holding it alone this never waits: `flock(2)`.
pub fn shared(file: BorrowedFd<'_>) -> io::Result<()> {
    Ok(flock(file, FlockOperation::LockShared)?)
}

/// Takes the lock for this process alone, if no other process has it: `F_SETLK` of `fcntl(2)`.
///
/// It is gone the moment the process is, even when a child of it still has the file open; and it is lost when this
/// process closes *any* descriptor of the file, so nothing else here may open it.
pub fn try_own(file: BorrowedFd<'_>) -> io::Result<bool> {
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}
