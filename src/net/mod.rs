//! The only opener of sockets to the world.

pub mod download;
pub mod http;
