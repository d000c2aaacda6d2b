//! A process as a descriptor, readable once it has ended: `pidfd_open(2)`. Needs Linux 5.3.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags};

/// Opens a process, close-on-exec: `pidfd_open(2)`.
///
/// Without a race only for a child that has not been reaped; for another pid the caller must expect a stranger.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK).or_else(|error| match error {
        // NONBLOCK came with Linux 5.10.
        rustix::io::Errno::INVAL => rustix::process::pidfd_open(pid, PidfdFlags::empty()),
        other => Err(other),
    })?)
}
