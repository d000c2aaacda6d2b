//! Signals to processes: `kill(2)`; signals to us, as something to read: `signalfd(2)`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{self, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// The signals we send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Send {
    Terminate,
    Kill,
    Stop,
    Continue,
}

/// Sends to one process: `kill(2)`. `Ok(false)` if there is none (any more).
///
/// Zero and negative numbers mean groups of processes to the kernel and are refused, as is 1.
pub fn send(pid: i32, what: Send) -> io::Result<bool> {
    if pid <= 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the number of one ordinary process"));
    }
    let what = match what {
        Send::Terminate => Signal::SIGTERM,
        Send::Kill => Signal::SIGKILL,
        Send::Stop => Signal::SIGSTOP,
        Send::Continue => Signal::SIGCONT,
    };
    match signal::kill(Pid::from_raw(pid), what) {
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
}

impl Inbox {
    /// Blocks every signal of this thread, which should be the only one, and opens the inbox.
    pub fn open() -> io::Result<Self> {
        SigSet::all().thread_block()?;
        let mut wanted = SigSet::empty();
        wanted.add(Signal::SIGCHLD);
        wanted.add(Signal::SIGTERM);
        Ok(Self(SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal that waits, if any.
    pub fn take(&self) -> io::Result<Option<Received>> {
        Ok(self.0.read_signal()?.map(|signal| match i32::try_from(signal.ssi_signo) {
            Ok(libc::SIGTERM) => Received::Terminate,
            _ => Received::ChildEnded,
        }))
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
