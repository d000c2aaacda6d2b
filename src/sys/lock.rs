//! Advisory locks on whole files: of an open file, shared with children that inherit it, or of a process alone.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{FlockOperation, fcntl_lock, flock};

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
