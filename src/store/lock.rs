//! One daemon to a root directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::paths::Paths;

/// Holds the root directory for this process, until dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct RootLock {
    /// flock(2) goes with the open file.
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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { root: paths.root().to_owned(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(cause)) => return Err(LockError::Lock { path, cause }),
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

    #[test]
    fn second_daemon_on_a_root_is_told_the_pid_of_the_first() {
        let scratch = tempfile::tempdir().unwrap();
        let paths = Paths::new(scratch.path().to_owned());
        assert!(matches!(RootLock::take(&paths), Err(LockError::Open { .. })));
        std::fs::create_dir(paths.run()).unwrap();
        let held = RootLock::take(&paths).unwrap();
        let refused = RootLock::take(&paths).unwrap_err().to_string();
        assert!(refused.contains(&format!("(pid {})", std::process::id())), "{refused}");
        assert!(refused.contains(&scratch.path().display().to_string()), "{refused}");
        drop(held);
        RootLock::take(&paths).unwrap();
    }
}
