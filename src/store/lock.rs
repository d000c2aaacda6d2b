//! One daemon to a root directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::paths::Paths;
use crate::sys::lock;

/// Holds the root directory for this process, until dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct RootLock {
    /// The lock is the process's: a child caught between fork and exec when we are killed does not keep it.
    _file: File,
}

impl RootLock {
    /// Takes `<root>/run/daemon.lock`; the directory must exist.
    pub fn take(paths: &Paths) -> Result<Self, LockError> {
        let path = paths.run().join("daemon.lock");
        let fault = |cause| LockError::Open { path: path.clone(), cause };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(fault)?;
        if !lock::try_own(file.as_fd()).map_err(|cause| LockError::Lock { path: path.clone(), cause })? {
            return Err(LockError::Held { root: paths.root().to_owned(), pid: holder(&mut file) });
        }
        // Only for the message of those who come second: no need to be durable.
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(fault)?;
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(20).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => pid.to_string(),
        _ => "unknown".into(),
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another greengrass daemon (pid {pid}) runs on {}", root.display())]
    Held { root: PathBuf, pid: String },
    #[error("cannot open the lock {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot lock {}", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    // That a second daemon is refused, and a killed one does not count, takes processes: tests/faults.rs, tests/kill.rs.

    #[test]
    fn lock_holds_the_pid_for_the_message_of_those_who_come_second() {
        let scratch = tempfile::tempdir().unwrap();
        let paths = Paths::new(scratch.path().to_owned());
        assert!(matches!(RootLock::take(&paths), Err(LockError::Open { .. })));
        std::fs::create_dir(paths.run()).unwrap();
        let _held = RootLock::take(&paths).unwrap();
        let written = std::fs::read_to_string(paths.run().join("daemon.lock")).unwrap();
        assert_eq!(written, std::process::id().to_string());
    }
}
