//! Signals to processes: `kill(2)`.

use std::io;

use nix::sys::signal::{self, Signal};
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
