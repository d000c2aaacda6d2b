//! Binds the control socket, admits peers, and gives each connection a task.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use super::Services;
use super::connection::Connection;
use super::peer::{Guard, groups_of};
use crate::api::socket::{Callers, Listener, SocketError};
use crate::base::report::Report;
use crate::store::paths::Paths;
use crate::sys::account;
use crate::sys::peer::Peer;
use crate::wire::control::{Answer, Code, Fault};

/// The control door, bound and not yet open: call [`Server::run`].
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    guard: Guard,
    services: Arc<Services>,
}

impl Server {
    /// Connections served at once; the next is told to come back. One person with a few follows needs a handful.
    pub const CONNECTIONS: usize = 64;
    /// How long requests in hand may take to end when the door closes.
    const DRAIN: Duration = Duration::from_secs(2);

    /// Binds the socket below the root directory. `owner_group` stands in for the group of that directory.
    ///
    /// The caller holds the lock of the root directory, so a socket found there is a dead one and replaced.
    /// Must be called within the runtime.
    pub fn bind(paths: &Paths, owner_group: Option<u32>, services: Services) -> Result<Self, BindError> {
        let group = match owner_group {
            Some(group) => group,
            None => std::fs::metadata(paths.root())
                .map_err(|cause| BindError::ReadRoot { root: paths.root().into(), cause })?
                .gid(),
        };
        let listener = Listener::bind(paths.control_socket(), Callers::Group(group))?;
        let guard = Guard { owner: account::own().uid, group };
        Ok(Self { listener, guard, services: Arc::new(services) })
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
                stream = self.listener.accept() => {
                    if connections.len() >= Self::CONNECTIONS {
                        turn_away(&stream);
                        continue;
                    }
                    let (guard, services, closing) = (self.guard, self.services.clone(), closing.clone());
                    connections.spawn(async move {
                        if let Some((stream, peer)) = admit(stream, guard).await {
                            Connection::new(stream, peer, closing).serve(&services).await;
                        }
                    });
                }
            }
        }
        self.listener.close();
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
    #[error(transparent)]
    Socket(#[from] SocketError),
}
