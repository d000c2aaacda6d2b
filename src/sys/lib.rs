//! The kernel interface: the only crate with `unsafe`, and it knows no product word.
//!
//! A function here is one system call or one well-known idiom, and names its man page.

pub mod account;
pub mod alarm;
pub mod attribute;
pub mod block;
pub mod cgroup;
pub mod clock;
pub mod directory;
pub mod early;
#[cfg(feature = "init")]
pub mod first;
pub mod fs;
pub mod kmsg;
pub mod limit;
pub mod link;
pub mod lock;
pub mod machine;
pub mod memory;
pub mod module;
pub mod mount;
pub mod owner;
pub mod peer;
pub mod pidfd;
pub mod pipe;
pub mod power;
pub mod priority;
pub mod process;
pub mod root;
pub mod sector;
pub mod sha256;
pub mod signal;
pub mod spawn;
pub mod watch;
pub mod watchdog;
