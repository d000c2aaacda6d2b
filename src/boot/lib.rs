//! What `gg-init` and the daemon share about booting; no product word of the daemon's, no async, no thread.
//!
//! Decisions: settings, which slot, what to do with the data partition, where things lie, what the boot report says.
//! Acting is the caller's: nothing here mounts anything, and nothing but `state` writes.

#![forbid(unsafe_code)]

pub mod data;
pub mod kernel;
pub mod overlay;
pub mod places;
pub mod report;
pub mod settings;
pub mod slot;
pub mod state;
pub mod superblock;
