//! The configuration of the core and its components: one tree, durable before anybody is told that an edit holds.
//!
//! Readers never wait: they see the tree as of the last edit that holds. Edits that arrive together are written
//! together, with one fdatasync(2). An edit that cannot be written is refused with the cause, and nothing of it stays.

mod handle;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod update;

pub use handle::{Change, ChangeKind, Changes, ConfigError, Handle};
pub use task::spawn;
pub use update::Update;
