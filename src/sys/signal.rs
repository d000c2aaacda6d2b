//! Signals to processes: `kill(2)`; signals to us, as something to read: `signalfd(2)`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::signal::{self, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The signals we send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Send {
    Terminate,
    Kill,
    Stop,
    Continue,
}

impl Send {
    fn number(self) -> Signal {
        match self {
            Self::Terminate => Signal::SIGTERM,
            Self::Kill => Signal::SIGKILL,
            Self::Stop => Signal::SIGSTOP,
            Self::Continue => Signal::SIGCONT,
        }
    }
}

/// Sends to one process: `kill(2)`. `Ok(false)` if there is none (any more).
///
/// Zero and negative numbers mean groups of processes to the kernel and are refused, as is 1.
pub fn send(pid: i32, what: Send) -> io::Result<bool> {
    if pid <= 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the number of one ordinary process"));
    }
    match signal::kill(Pid::from_raw(pid), what.number()) {
        Ok(()) => Ok(true),
        Err(nix::Error::ESRCH) => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

/// Ends a process group, of which the leader was a child of ours: `killpg(3)`. `Ok(false)` if there is none (any more).
pub fn kill_group(leader: i32) -> io::Result<bool> {
    if leader <= 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the number of one ordinary group"));
    }
    match signal::killpg(Pid::from_raw(leader), Signal::SIGKILL) {
        Ok(()) => Ok(true),
        Err(nix::Error::ESRCH) => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

/// Signals as something to read: all of them blocked, those we care about readable: `signalfd(2)`.
#[derive(Debug)]
pub struct Inbox(SignalFd);

/// What an [`Inbox`] holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    ChildEnded,
    Terminate,
    Interrupt,
    User1,
    User2,
    PowerFailure,
}

impl Inbox {
    /// Blocks every signal of this thread, which should be the only one, and opens the inbox.
    pub fn open() -> io::Result<Self> {
        Self::of(&[Signal::SIGCHLD, Signal::SIGTERM])
    }

    /// The same, with all that PID 1 is asked with.
    pub fn open_of_init() -> io::Result<Self> {
        use Signal::{SIGCHLD, SIGINT, SIGPWR, SIGTERM, SIGUSR1, SIGUSR2};
        Self::of(&[SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPWR])
    }

    fn of(signals: &[Signal]) -> io::Result<Self> {
        SigSet::all().thread_block()?;
        let mut wanted = SigSet::empty();
        for signal in signals {
            wanted.add(*signal);
        }
        Ok(Self(SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal that waits, if any.
    pub fn take(&self) -> io::Result<Option<Received>> {
        Ok(self.0.read_signal()?.map(|signal| match i32::try_from(signal.ssi_signo) {
            Ok(libc::SIGTERM) => Received::Terminate,
            Ok(libc::SIGINT) => Received::Interrupt,
            Ok(libc::SIGUSR1) => Received::User1,
            Ok(libc::SIGUSR2) => Received::User2,
            Ok(libc::SIGPWR) => Received::PowerFailure,
            _ => Received::ChildEnded,
        }))
    }
}

impl Inbox {
    /// Sleeps until a signal waits, or the time is up: `poll(2)`.
    pub fn wait(&self, limit: Duration) -> io::Result<()> {
        let limit = Timespec::try_from(limit).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }
}

/// Sends to every process but this one and the kernel's own: `kill(2)` with -1. `Ok(false)` if there is none.
/// For PID 1 alone, when the machine ends; anybody else is refused.
pub fn send_to_all(what: Send) -> io::Result<bool> {
    if !rustix::process::getpid().is_init() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    match signal::kill(Pid::from_raw(-1), what.number()) {
        Ok(()) => Ok(true),
        Err(nix::Error::ESRCH) => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn send_refuses_groups_and_init() {
        for pid in [1, 0, -1, -77] {
            assert!(send(pid, Send::Kill).is_err(), "{pid}");
        }
    }
}
