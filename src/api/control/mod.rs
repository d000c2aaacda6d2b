//! The local control door: `greengrass-cli` talks to the daemon here, in the protocol of [`crate::wire::control`].
//!
//! One task per connection, at most [`Server::CONNECTIONS`] of them; each answers one request at a time and keeps
//! nothing between requests. A peer that reads or writes too slowly is hung up on and never holds up another.
//!
//! Who may: root, the daemon's own user, and the owner group (the group of the root directory, or the one settings
//! name). The mode of the socket keeps the others out; the credentials of the peer are asked all the same, because a
//! socket can be handed over or its mode changed.

mod answer;
mod client;
mod connection;
mod follow;
mod key_path;
mod peer;
mod server;
mod topics;

use std::time::Instant;

use tokio::sync::watch;

use crate::base::log::Logs;
use crate::service::{config, deploy, pubsub, supervisor};
use crate::wire::state::Link;

pub use client::{Client, ClientError};
pub use server::{BindError, Server};

/// What the door asks on behalf of its clients.
#[derive(Clone, Debug)]
pub struct Services {
    pub deploy: deploy::Handle,
    pub supervisor: supervisor::Handle,
    pub config: config::Handle,
    pub pubsub: pubsub::Handle,
    pub link: watch::Receiver<Link>,
    pub logs: Logs,
    pub about: About,
}

/// What `greengrass-cli status` tells of the daemon itself.
#[derive(Clone, Debug)]
pub struct About {
    pub started: Instant,
    pub root: std::path::PathBuf,
    /// How components are kept apart, one line.
    pub isolation: String,
}

#[cfg(test)]
pub(crate) mod tests;
