//! The only opener of sockets to the world.

pub mod download;
pub mod http;
#[cfg(feature = "uplink")]
pub mod mqtt;
#[cfg(feature = "uplink")]
pub mod tls;
