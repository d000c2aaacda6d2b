//! The kernel interface: the only crate with `unsafe`, and it knows no product word.
//!
//! A function here is one system call or one well-known idiom, and names its man page.

pub mod account;
pub mod cgroup;
pub mod directory;
pub mod fs;
pub mod limit;
pub mod lock;
pub mod machine;
pub mod owner;
pub mod peer;
pub mod pidfd;
pub mod pipe;
pub mod process;
pub mod signal;
pub mod spawn;
pub mod watch;
