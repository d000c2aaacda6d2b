//! Advisory locks on whole files, shared with children that inherit the descriptor: `flock(2)`.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{FlockOperation, flock};

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
