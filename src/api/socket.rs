//! The Unix socket that a door listens on: bound over what a dead daemon left, and removed at the end.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;
use tracing::warn;

use crate::base::unix_path::UnixPath;
use crate::store::socket_file;

/// Bound; its file is there until [`Listener::close`].
#[derive(Debug)]
pub(super) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

/// Whom the mode of the socket lets connect.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callers {
    Everybody,
    /// The daemon's own user, and this group.
    Group(u32),
}

impl Listener {
    /// Pause after an accept that failed, e.g. for want of file descriptors.
    const BREATH: Duration = Duration::from_millis(200);

    /// The caller holds the lock of the root directory, so a socket found there is a dead one and replaced.
    /// Must be called within the runtime.
    pub(super) fn bind(path: PathBuf, callers: Callers) -> Result<Self, SocketError> {
        socket_file::clear(&path).map_err(|cause| SocketError::Clear { path: path.clone(), cause })?;
        let listener = UnixPath::new(&path)
            .and_then(|path| UnixListener::bind(path.short()))
            .map_err(|cause| SocketError::Bind { path: path.clone(), cause })?;
        match callers {
            Callers::Everybody => {
                socket_file::open_to_all(&path).map_err(|cause| SocketError::Open { path: path.clone(), cause })?;
            }
            Callers::Group(group) => socket_file::share(&path, group).map_err(|cause| SocketError::Share {
                path: path.clone(),
                group,
                cause,
            })?,
        }
        Ok(Self { listener, path })
    }

    /// The next connection. One that is lost before it began is logged, and the next one waited for.
    pub(super) async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(cause) => {
                    warn!(error = %cause, path = %self.path.display(), "A connection was lost before it began.");
                    sleep(Self::BREATH).await;
                }
            }
        }
    }

    /// The name goes first: who comes now learns at once that nobody is here.
    pub(super) fn close(self) {
        if let Err(cause) = socket_file::remove(&self.path) {
            warn!(error = %cause, path = %self.path.display(), "Cannot remove the socket.");
        }
    }
}

/// Why a door has no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("cannot clear {} for a socket", path.display())]
    Clear {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot listen at {}", path.display())]
    Bind {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot open {} to every user", path.display())]
    Open {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot give {} to group {group}", path.display())]
    Share {
        path: PathBuf,
        group: u32,
        #[source]
        cause: io::Error,
    },
}
