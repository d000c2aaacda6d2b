//! PID 1: makes the root of the device, then hands over to another init or supervises the daemon itself.
//!
//! `boot.rs` is the straight line from the kernel to the next program; each other file is one step of it. A step that
//! fails is told in the report and on the kernel's log, and has a fallback that is named where it is taken; the last
//! one is `dead_end.rs`. There is no thread, and nothing here returns: when PID 1 ends, the kernel panics.

#![forbid(unsafe_code)]

mod boot;
mod cgroups;
mod data;
mod dead_end;
mod ground;
mod handover;
mod inherit;
mod journal;
mod kernel;
mod modules;
mod requests;
mod reset;
mod root;
mod shutdown;
mod slot;
mod state;
mod supervise;
mod tools;
mod unsettled;
mod watchdog;

use std::process::ExitCode;

fn main() -> ExitCode {
    gg_sys::first::streams();
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "--version") {
        println!("gg-init {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().nth(1).is_some_and(|argument| argument == watchdog::KEEPER) {
        return watchdog::keep();
    }
    if std::env::args_os().nth(1).is_some_and(|argument| argument == inherit::CHILD) {
        return inherit::child();
    }
    if gg_sys::process::own_pid() != 1 {
        eprintln!("gg-init: this is PID 1 of a device; the kernel starts it, as /init or by init=/sbin/gg-init");
        return ExitCode::from(BAD_USAGE);
    }
    if let Some(passed) = supervise::Passed::from_arguments() {
        supervise::resume(&passed);
    }
    boot::run()
}

const BAD_USAGE: u8 = 64;
