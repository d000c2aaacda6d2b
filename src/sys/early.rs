//! Programs that PID 1 starts: `fork(2)`, `chroot(2)`, `setsid(2)`, `execve(2)`.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a program gets to talk to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Terminal {
    /// Our standard streams; no terminal sends it signals.
    None,
    /// Nothing to read, and what it writes goes nowhere.
    Silent,
    /// The console is its controlling terminal: a shell with Ctrl-C.
    Console,
}

/// Starts a program in a session of its own, with no signal blocked; returns its pid once `execve(2)` has succeeded.
/// The caller must reap it. With `root`, the path of the program is one below that root.
pub fn start<A: AsRef<OsStr>>(
    root: Option<&Path>,
    program: &Path,
    arguments: &[A],
    terminal: Terminal,
) -> io::Result<i32> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).env("HOME", "/").env("TERM", "linux");
    if terminal == Terminal::Silent {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    }
    let root: Option<PathBuf> = root.map(Path::to_owned);
    let between = move || {
        if let Some(root) = &root {
            rustix::process::chroot(root.as_path())?;
        }
        rustix::process::chdir("/")?;
        rustix::process::setsid()?;
        if terminal == Terminal::Console {
            // A console that is no terminal gives a shell without Ctrl-C, which is better than none.
            let _ = rustix::process::ioctl_tiocsctty(rustix::stdio::stdin());
        }
        Ok(nix::sys::signal::SigSet::empty().thread_set_mask()?)
    };
    // SAFETY: between fork and exec only system calls are made, on what was made ready before: nothing is allocated
    // (paths of this length are copied to the stack), no lock taken, and PID 1 has one thread anyway.
    unsafe { command.pre_exec(between) };
    Ok(i32::try_from(command.spawn()?.id()).unwrap_or(i32::MAX))
}

/// Becomes another program: `execve(2)`. Signals are unblocked first, because a mask would be inherited.
/// Returns only with an error.
pub fn become_program<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> io::Error {
    if let Err(cause) = nix::sys::signal::SigSet::empty().thread_set_mask() {
        return cause.into();
    }
    Command::new(program).args(arguments).exec()
}

/// Becomes this same program anew, with nothing of its memory but these words: `execv(3)` of `/proc/self/exe`, which
/// works for a file that is gone. Signals stay blocked, and those that wait do so for the new one.
/// Returns only with an error.
pub fn become_anew(words: &[CString]) -> io::Error {
    match nix::unistd::execv(c"/proc/self/exe", words) {
        Err(cause) => cause.into(),
    }
}

/// Where programs lie on every device.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
