//! The IPC socket against a client of our own, which says what no SDK would.
//!
//! Whatever a client sends, it gets the answer the protocol has for it or the end of its own connection; a witness on
//! a connection beside it is served on, after each case.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "ipc/client.rs"]
mod client;
#[path = "ipc/crowd.rs"]
mod crowd;
#[path = "ipc/frame.rs"]
mod frame;
#[path = "ipc/protocol.rs"]
mod protocol;
#[path = "ipc/replay.rs"]
mod replay;
#[path = "ipc/requests.rs"]
mod requests;
#[path = "ipc/size.rs"]
mod size;
mod support;

use client::Door;
use support::Core;

/// A daemon, and the way in.
fn core() -> (Core, Door) {
    let mut core = Core::new();
    core.start();
    let door = Door::of(&core);
    (core, door)
}

/// What `/proc/<pid>/status` says of the daemon: `VmRSS`, what it has in memory, and `VmHWM`, the most it had.
fn kilobytes(core: &Core, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", core.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.trim_end_matches(" kB").trim().parse().unwrap()
}
