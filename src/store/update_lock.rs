//! One at a time changes the state of the slots: a lock that names who has it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::file::{self, FileError};
use crate::sys::{fs::O_NOFOLLOW, lock};

/// Whether to wait for the one who has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Busy {
    GiveUp,
    Wait,
}

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct UpdateLock(File);

impl UpdateLock {
    /// Takes the lock. `what` is told to those who come second: `install of update.raucb`.
    pub fn take(path: &Path, what: &str, busy: Busy) -> Result<Self, UpdateLockError> {
        let fault = |cause| UpdateLockError::Lock { path: path.to_owned(), cause };
        if let Some(parent) = path.parent() {
            file::make_directory(parent, 0o755)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(O_NOFOLLOW);
        let mut file = options.open(path).map_err(fault)?;
        match busy {
            Busy::Wait => file.lock().map_err(fault)?,
            Busy::GiveUp if !lock::try_exclusive(file.as_fd()).map_err(fault)? => {
                return Err(UpdateLockError::Held { by: holder(&mut file) });
            }
            Busy::GiveUp => {}
        }
        // Only for the message of those who come second: no need to be durable.
        file.set_len(0).map_err(fault)?;
        write!(file, "{what}, process {}", std::process::id()).map_err(fault)?;
        Ok(Self(file))
    }
}

impl Drop for UpdateLock {
    fn drop(&mut self) {
        // Closed, it would stay with a child that another thread has forked and that is no other program yet. What cannot be
        // given back is given back at the end of the process.
        let _ = self.0.unlock();
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(300).read_to_string(&mut text));
    match read {
        Ok(_) if !text.is_empty() => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        _ => "another process".to_owned(),
    }
}

#[derive(Debug, thiserror::Error)]
pub enum UpdateLockError {
    #[error("another update is at work: {by}")]
    Held { by: String },
    #[error("cannot lock {}", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Directory(#[from] FileError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_is_told_who_is_at_work_until_the_first_is_done() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("run/ota.lock");
        let first = UpdateLock::take(&path, "install of x", Busy::GiveUp).unwrap();
        let second = UpdateLock::take(&path, "status", Busy::GiveUp).unwrap_err().to_string();
        assert_eq!(second, format!("another update is at work: install of x, process {}", std::process::id()));
        let of_a_child = first.0.try_clone().unwrap();
        drop(first);
        UpdateLock::take(&path, "commit", Busy::GiveUp).unwrap();
        drop(of_a_child);
    }
}
