//! The Greengrass IPC: components, and the SDKs they are written with, talk to the daemon here.
//!
//! The protocol is event-stream RPC ([`crate::wire::eventstream`]) over a Unix socket, the operations are those of
//! [`crate::wire::ipc`]. One task per connection; it keeps no buffer while nothing is said. A message goes
//!
//! ```text
//! socket -> Assembler -> Streams (is it allowed now?) -> dispatch -> one operation's file -> a service's handle
//! socket <- Outbox <- response, events, end of a stream
//! ```
//!
//! Requests of one connection begin in the order they came; one that has to wait goes on in the background, so answers
//! may overtake each other. What a client does not read is bounded by its [`account`], and never holds up another.

mod account;
mod admission;
mod call;
mod connection;
mod greeting;
mod lobby;
mod operations;
mod outbox;
mod server;
mod socket;
mod streams;

use crate::service::{access, clients, config, deploy, pubsub, supervisor, telemetry};

pub use server::Server;

/// What the door asks on behalf of its clients.
#[derive(Clone, Debug)]
pub struct Services {
    pub access: access::Handle,
    pub clients: clients::Handle,
    pub config: config::Handle,
    pub supervisor: supervisor::Handle,
    pub deploy: deploy::Handle,
    pub pubsub: pubsub::Handle,
    pub telemetry: telemetry::Handle,
}
