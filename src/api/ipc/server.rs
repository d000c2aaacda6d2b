//! Binds the IPC socket and gives each connection a task.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use super::Services;
use super::account::Accounts;
use super::connection::Connection;
use super::greeting::{Guest, acknowledgement, greet, protocol_error};
use super::lobby::Lobby;
use crate::api::socket::{Callers, Listener, SocketError};
use crate::store::paths::Paths;

/// The IPC door, bound and not yet open: call [`Server::run`].
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    /// Connections open at once; the next one is closed.
    clients: usize,
    services: Arc<Services>,
}

impl Server {
    /// More connections than this are never open. One principal gets a quarter of what there is.
    pub const CONNECTIONS: usize = 4096;
    /// How long a client that is turned away may take to read why: closing at once would hide it.
    const LINGER: Duration = Duration::from_secs(5);

    /// Binds the socket below the root directory; every local user may connect, the token decides. At most `clients`
    /// are connected at once.
    ///
    /// The caller holds the lock of the root directory, so a socket found there is a dead one and replaced.
    /// Must be called within the runtime.
    pub fn bind(paths: &Paths, clients: usize, services: Services) -> Result<Self, SocketError> {
        let listener = Listener::bind(paths.ipc_socket(), Callers::Everybody)?;
        Ok(Self { listener, clients: clients.min(Self::CONNECTIONS), services: Arc::new(services) })
    }

    /// Serves until `stop` is ready, then closes every connection and removes the socket.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (close, closing) = watch::channel(false);
        let (accounts, lobby) = (Accounts::new(self.clients), Lobby::default());
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                stream = self.listener.accept() => {
                    if connections.len() >= self.clients {
                        warn!("An IPC connection is turned away: {} are open.", self.clients);
                        continue;
                    }
                    let (services, accounts, closing) = (self.services.clone(), accounts.clone(), closing.clone());
                    connections.spawn(serve(stream, services, accounts, lobby.clone(), closing));
                }
            }
        }
        self.listener.close();
        let _ = close.send(true);
        connections.shutdown().await;
    }
}

/// One connection, from CONNECT to its end.
async fn serve(
    stream: UnixStream,
    services: Arc<Services>,
    accounts: Accounts,
    lobby: Lobby,
    closing: watch::Receiver<bool>,
) {
    // Boxed, each: a connection that waits for its first request shall not carry the room of a greeting.
    let (principal, ahead) = match Box::pin(greet(&stream, &services, &lobby)).await {
        Guest::Known { principal, ahead } => (principal, ahead),
        Guest::Refused => return Box::pin(turn_away(stream, &acknowledgement(false), &lobby)).await,
        Guest::Rude(rule) => return Box::pin(turn_away(stream, &protocol_error(&rule), &lobby)).await,
        Guest::Gone => return,
    };
    let Some(place) = accounts.open(&principal) else {
        warn!(client = %principal, "An IPC connection is turned away: {} are open.", accounts.each());
        return Box::pin(turn_away(stream, &acknowledgement(false), &lobby)).await;
    };
    let connection = match Connection::new(stream, services, principal, place) {
        Ok(connection) => connection,
        Err(cause) => return warn!(error = %cause, "An IPC connection was lost as it began."),
    };
    if let Some((stream, farewell)) = connection.serve(ahead, closing).await {
        Box::pin(turn_away(stream, &farewell, &lobby)).await;
    }
}

/// Says a last word and waits for the client to hang up.
async fn turn_away(stream: UnixStream, last: &[u8], lobby: &Lobby) {
    let farewell = async {
        let mut rest = last;
        while !rest.is_empty() {
            stream.writable().await?;
            match stream.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let mut unread = [0; 512];
        loop {
            stream.readable().await?;
            match stream.try_read(&mut unread) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    };
    // Whether it hung up, was lost or took too long: this is the end.
    let _: Option<Result<io::Result<()>, _>> = lobby.stay(timeout(Server::LINGER, farewell)).await;
}
