//! Starts a program as a process of its own: `fork(2)`, what must happen between, `execve(2)`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::io::FdFlags;
use rustix::process::Signal;
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::account::Account;

/// A program to start. It gets a session of its own, default signal actions, an empty signal mask, umask 022
/// and no descriptor but those named here.
#[derive(Debug)]
pub struct Spawn {
    /// Looked up in the `PATH` of [`environment`](Self::environment) unless it holds a slash.
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// All of it: nothing is inherited.
    pub environment: BTreeMap<OsString, OsString>,
    pub directory: PathBuf,
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// Kept open under their own numbers.
    pub inherit: Vec<OwnedFd>,
    /// Whom to become; `None` stays who we are.
    pub account: Option<Account>,
    /// Open `cgroup.procs` files: the child is inside before it runs a line of the program.
    pub cgroups: Vec<OwnedFd>,
    /// The signal it gets when the spawning *thread* ends.
    pub parent_death: Option<ParentDeath>,
    /// Soft limit of open files, where it must not be ours.
    pub open_files: Option<u64>,
    /// The OOM killer's preference, where it must not be ours.
    pub oom_score: Option<i16>,
}

/// `PR_SET_PDEATHSIG` of `prctl(2)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParentDeath {
    Terminate,
    Kill,
}

impl Spawn {
    /// Starts it; returns its pid once `execve(2)` has succeeded. The caller must reap it.
    pub fn start(self) -> io::Result<i32> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment).current_dir(&self.directory);
        command.stdin(self.stdin).stdout(self.stdout).stderr(self.stderr);
        let between = Between::prepare(
            self.cgroups,
            self.account,
            self.inherit,
            (self.parent_death, self.open_files, self.oom_score),
        );
        // SAFETY: `Between::run` does system calls only on what was prepared before the fork: it allocates nothing,
        // takes no lock and does not panic, so a lock held by another thread at the fork cannot block it.
        unsafe { command.pre_exec(move || between.run()) };
        let child = command.spawn()?;
        Ok(i32::try_from(child.id()).unwrap_or(i32::MAX))
    }
}

/// What happens in the child before `execve(2)`, with everything that needs memory made ready.
struct Between {
    cgroups: Vec<OwnedFd>,
    become_account: Option<(rustix::process::Gid, rustix::process::Uid, Vec<rustix::process::Gid>)>,
    inherit: Vec<OwnedFd>,
    parent: Option<(rustix::process::Pid, Signal)>,
    open_files: Option<u64>,
    oom_score: Option<String>,
}

impl Between {
    fn prepare(
        cgroups: Vec<OwnedFd>,
        account: Option<Account>,
        inherit: Vec<OwnedFd>,
        (parent_death, open_files, oom_score): (Option<ParentDeath>, Option<u64>, Option<i16>),
    ) -> Self {
        let gid = rustix::process::Gid::from_raw;
        let signal = |death| match death {
            ParentDeath::Terminate => Signal::TERM,
            ParentDeath::Kill => Signal::KILL,
        };
        Self {
            cgroups,
            become_account: account.map(|account| {
                let groups = account.groups.iter().copied().map(gid).collect();
                (gid(account.gid), rustix::process::Uid::from_raw(account.uid), groups)
            }),
            inherit,
            parent: parent_death.map(|death| (rustix::process::getpid(), signal(death))),
            open_files,
            oom_score: oom_score.map(|score| score.to_string()),
        }
    }

    /// A straight line; the order matters.
    fn run(&self) -> io::Result<()> {
        // First the cage: from here on whatever this child forks is inside as well.
        for group in &self.cgroups {
            rustix::io::write(group, b"0")?;
        }
        // Away from our terminal and our process group: what is sent to ours must not reach it.
        rustix::process::setsid()?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        default_signals();
        // The mask would stay as ours is, and a keeper blocks everything.
        nix::sys::signal::SigSet::empty().thread_set_mask()?;
        // While we may still raise limits.
        if let Some(soft) = self.open_files {
            crate::limit::set_open_files(Some(soft))?;
        }
        if let Some(score) = &self.oom_score {
            write_oom_score(score)?;
        }
        // Groups before user: afterwards we may not change them. The plain system calls, because the C library's
        // would signal threads that do not exist in this child.
        if let Some((gid, uid, groups)) = &self.become_account {
            set_thread_groups(groups)?;
            set_thread_gid(*gid)?;
            set_thread_uid(*uid)?;
        }
        // After the change of user, which clears it.
        if let Some((parent, signal)) = self.parent {
            rustix::process::set_parent_process_death_signal(Some(signal))?;
            // The parent may have ended before the line above; then nothing would ever be sent.
            if rustix::process::getppid() != Some(parent) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        // Last, because everything above still needs its descriptors: all but the standard three go at execve.
        close_on_exec_from(3)?;
        for fd in &self.inherit {
            rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    }
}

/// Gives every signal its default action: `signal(2)`. Ignored ones would stay ignored across `execve(2)`.
fn default_signals() {
    for number in 1..=64 {
        // SAFETY: SIG_DFL installs no function; for numbers that cannot be changed (SIGKILL, SIGSTOP, those the C
        // library keeps) the call fails and changes nothing.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// Marks every descriptor from `first` on: `close_range(2)` with `CLOSE_RANGE_CLOEXEC`.
///
/// Where the kernel lacks it (before 5.11), `fcntl(2)` one by one.
fn close_on_exec_from(first: u32) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: `close_range` with this flag only sets a mark on descriptors of this process; nothing is closed here.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) };
    if done == 0 {
        return Ok(());
    }
    let last = crate::limit::open_files().unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
    for number in first..u32::try_from(last).unwrap_or(u32::MAX) {
        let Ok(raw) = i32::try_from(number) else { break };
        // SAFETY: the number may name no open descriptor; the one call made with it then fails with EBADF.
        let fd = unsafe { BorrowedFd::borrow_raw(raw) };
        let _ = rustix::io::fcntl_setfd(fd.as_fd(), FdFlags::CLOEXEC);
    }
    Ok(())
}

fn write_oom_score(score: &str) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let file = rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, score.as_bytes())?;
    Ok(())
}

/// How far the descriptor walk of old kernels goes.
const MOST_DESCRIPTORS: u64 = 65_536;

/// Takes over a descriptor that the starter of this process left open for it, named by its number: `fcntl(2)`.
///
/// Once per number, early in `main`. From here on it is close-on-exec. The standard three are refused.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    if number < 3 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the borrow ends with this line; a number that is not open makes the call fail with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: the line above showed that it is open, and by the contract of this function nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
