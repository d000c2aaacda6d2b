//! Resource limits: `getrlimit(2)`, and the OOM killer's preference: `proc_pid_oom_score_adj(5)`.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one; returns what it was: `setrlimit(2)`.
pub fn raise_open_files() -> io::Result<Option<u64>> {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum })?;
    Ok(before.current)
}

/// The soft limit of open files; `None` is unlimited: `getrlimit(2)`.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Sets the soft limit of open files: `setrlimit(2)`. Allocates nothing.
pub fn set_open_files(soft: Option<u64>) -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: soft, maximum })?)
}

/// How much the OOM killer prefers this process (-1000 never, 1000 first): `proc_pid_oom_score_adj(5)`.
pub fn oom_score() -> io::Result<i16> {
    let text = std::fs::read_to_string("/proc/self/oom_score_adj")?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "oom_score_adj is not a number"))
}
