//! The keeper of a step, seen from the daemon: what is said, and the process that listens.
//!
//! The keeper gets a [`Letter`] as its standard input and one end of a socket. It answers [`News::Started`] or
//! [`News::Failed`] at once and [`News::Ended`] when the script's process has; it takes [`Command`]s. When it ends its
//! process set is empty; when the daemon's end of the socket closes it ends its process set.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{JailError, StepId};
use crate::sys::process::Ended;

/// What a keeper shall run; environment and working directory are the keeper's own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Letter {
    pub shell: String,
    pub script: String,
    /// Whom the script becomes: user, group, supplementary groups.
    pub account: Option<(u32, u32, Vec<u32>)>,
    /// Soft limit of open files for the script.
    pub open_files: Option<u64>,
}

/// Daemon to keeper, one per line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// SIGTERM to every process, then SIGKILL after so many milliseconds.
    End { grace: u64 },
}

/// Keeper to daemon, one per line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum News {
    Started {
        pid: i32,
    },
    /// The shell cannot start: the number of the error.
    Failed {
        errno: Option<i32>,
    },
    Exited {
        code: i32,
    },
    Signalled {
        number: i32,
    },
}

impl News {
    pub fn ended(end: Ended) -> Self {
        match end {
            Ended::Code(code) => Self::Exited { code },
            Ended::Signal(number) => Self::Signalled { number },
        }
    }
}

/// A keeper that lives, or lived.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) id: StepId,
    pub(super) pid: i32,
    /// The writing side; the reading side is with the task that waits for news.
    control: Mutex<UnixStream>,
    /// Becomes true when it and its process set are gone.
    pub(super) gone: watch::Receiver<bool>,
}

impl Keeper {
    pub(super) fn new(id: StepId, pid: i32, control: UnixStream, gone: watch::Receiver<bool>) -> Self {
        Self { id, pid, control: Mutex::new(control), gone }
    }

    /// Asks it to end its process set. One that is gone already has done so.
    pub(super) fn end(&self, grace: Duration) {
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        // A component of the same user may have stopped its keeper.
        let _ = crate::sys::signal::send(self.pid, crate::sys::signal::Send::Continue);
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = control.write_all(line(&Command::End { grace }).as_bytes());
    }

    pub(super) async fn gone(&self) {
        // An error is the task's end, which is the keeper's.
        let _ = self.gone.clone().wait_for(|gone| *gone).await;
    }
}

/// One message as one line.
pub fn line<T: Serialize>(message: &T) -> String {
    // Plain enums of numbers always serialise.
    let mut text = serde_json::to_string(message).unwrap_or_default();
    text.push('\n');
    text
}

/// Waits for the keeper's first news, no longer than [`PATIENCE`]. Blocks, as starting a program does anyway.
pub(super) fn first_news(control: &mut UnixStream, keeper: i32) -> io::Result<News> {
    control.set_read_timeout(Some(NUDGE))?;
    let deadline = Instant::now() + PATIENCE;
    let mut text = Vec::new();
    let mut byte = [0];
    // Byte by byte: what follows the first line is for the task that waits for news.
    while text.len() < LONGEST_NEWS {
        match control.read(&mut byte) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if byte == *b"\n" => return serde_json::from_slice(&text).map_err(io::Error::other),
            Ok(_) => text.extend_from_slice(&byte),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                // A script of the same user may have stopped its keeper before the keeper could speak.
                let _ = crate::sys::signal::send(keeper, crate::sys::signal::Send::Continue);
            }
            Err(cause) => return Err(cause),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// The command line of a keeper: the numbers of its two inherited descriptors.
pub(super) fn arguments(first: &[OsString], control: &OwnedFd, lock: &OwnedFd) -> Vec<OsString> {
    let numbers = [control, lock].map(|fd| OsString::from(fd.as_raw_fd().to_string()));
    first.iter().cloned().chain(numbers).collect()
}

/// The file whose lock says that a keeper lives.
pub(super) fn lock_path(run: &Path) -> PathBuf {
    run.join("alive.lock")
}

pub(super) fn open_lock(run: &Path) -> Result<OwnedFd, JailError> {
    let path = lock_path(run);
    let open = || {
        DirBuilder::new().recursive(true).mode(0o700).create(run)?;
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)
    };
    open().map(Into::into).map_err(|cause| JailError::OpenLock { path: path.clone(), cause })
}

/// How long a keeper may take to start; it needs milliseconds unless the machine is in trouble.
const PATIENCE: Duration = Duration::from_secs(10);

/// A keeper silent for this long is told to go on.
const NUDGE: Duration = Duration::from_millis(50);

/// Longer is not news.
pub(super) const LONGEST_NEWS: usize = 256;
