//! A process as a descriptor, readable once it has ended: `pidfd_open(2)`. Needs Linux 5.3.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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

/// Waits until a child has ended, at most so long; whether it has: `poll(2)`. It is still to be reaped.
pub fn ended_within(child: i32, limit: Duration) -> io::Result<bool> {
    let process = open(child)?;
    let start = Instant::now();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
}
