//! The doors: they translate, authorise, call, translate back; no state of their own.

pub mod control;
pub mod ipc;
mod socket;

pub use socket::SocketError;
