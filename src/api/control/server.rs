//! Binds the control socket, admits peers, and gives each connection a task.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::Services;
use super::connection::Connection;
use super::peer::{Guard, groups_of};
use crate::base::report::Report;
use crate::base::unix_path::UnixPath;
use crate::store::paths::Paths;
use crate::store::socket_file;
use crate::sys::account;
use crate::sys::peer::Peer;
use crate::wire::control::{Answer, Code, Fault};

/// The control door, bound and not yet open: call [`Server::run`].
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    guard: Guard,
    services: Arc<Services>,
}

impl Server {
    /// Connections served at once; the next is told to come back. One person with a few follows needs a handful.
    pub const CONNECTIONS: usize = 64;
    /// How long requests in hand may take to end when the door closes.
    const DRAIN: Duration = Duration::from_secs(2);
    /// Pause after an accept that failed, e.g. for want of file descriptors.
    const BREATH: Duration = Duration::from_millis(200);

    /// Binds the socket below the root directory. `owner_group` stands in for the group of that directory.
    ///
    /// The caller holds the lock of the root directory, so a socket found there is a dead one and replaced.
    /// Must be called within the runtime.
    pub fn bind(paths: &Paths, owner_group: Option<u32>, services: Services) -> Result<Self, BindError> {
        let path = paths.control_socket();
        let group = match owner_group {
            Some(group) => group,
            None => std::fs::metadata(paths.root())
                .map_err(|cause| BindError::ReadRoot { root: paths.root().into(), cause })?
                .gid(),
        };
        socket_file::clear(&path).map_err(|cause| BindError::Clear { path: path.clone(), cause })?;
        let listener = UnixPath::new(&path)
            .and_then(|path| UnixListener::bind(path.short()))
            .map_err(|cause| BindError::Bind { path: path.clone(), cause })?;
        socket_file::share(&path, group).map_err(|cause| BindError::Share { path: path.clone(), group, cause })?;
        let guard = Guard { owner: account::own().uid, group };
        Ok(Self { listener, path, guard, services: Arc::new(services) })
    }

    /// Serves until `stop` is ready, then lets the requests in hand end and removes the socket.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (close, closing) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() >= Self::CONNECTIONS => turn_away(&stream),
                    Ok((stream, _)) => {
                        let (guard, services, closing) = (self.guard, self.services.clone(), closing.clone());
                        connections.spawn(async move {
                            if let Some((stream, peer)) = admit(stream, guard).await {
                                Connection::new(stream, peer, closing).serve(&services).await;
                            }
                        });
                    }
                    Err(cause) => {
                        warn!(error = %cause, "A connection to the control socket was lost before it began.");
                        sleep(Self::BREATH).await;
                    }
                },
            }
        }
        // The name goes first: who comes now learns at once that nobody is here.
        if let Err(cause) = socket_file::remove(&self.path) {
            warn!(error = %cause, path = %self.path.display(), "Cannot remove the control socket.");
        }
        drop(self.listener);
        let _ = close.send(true);
        if timeout(Self::DRAIN, async { while connections.join_next().await.is_some() {} }).await.is_err() {
            connections.shutdown().await;
        }
    }
}

/// Gives the stream back if its peer may, and who that is; tells the peer if not.
async fn admit(stream: UnixStream, guard: Guard) -> Option<(UnixStream, Peer)> {
    let peer = match crate::sys::peer::peer(&stream) {
        Ok(peer) => peer,
        Err(cause) => {
            warn!(error = %Report(&cause), "Cannot ask who connected to the control socket.");
            return None;
        }
    };
    let admitted = guard.admits(peer, Vec::new) || {
        // The group database is a file: not a thing to read on the runtime's only thread.
        let groups = tokio::task::spawn_blocking(move || groups_of(peer.uid)).await.unwrap_or_default();
        guard.admits(peer, || groups)
    };
    if !admitted {
        info!(uid = peer.uid, pid = peer.pid, "A user who may not control the daemon was refused.");
        tell(&stream, Code::NotAllowed, guard.refusal(peer));
    }
    admitted.then_some((stream, peer))
}

fn turn_away(stream: &UnixStream) {
    tell(stream, Code::Busy, format!("{} clients are connected already: try again later", Server::CONNECTIONS));
}

/// Writes the one line that ends a connection. Never waits: a fresh socket has room for it.
fn tell(stream: &UnixStream, code: Code, message: String) {
    if let Ok(line) = Answer::Error(Fault { code, message }).encode() {
        let _ = stream.try_write(&line);
    }
}

/// Why the control door cannot open.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot read the root directory {}", root.display())]
    ReadRoot {
        root: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot clear {} for the control socket", path.display())]
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
    #[error("cannot give {} to group {group}", path.display())]
    Share {
        path: PathBuf,
        group: u32,
        #[source]
        cause: io::Error,
    },
}
