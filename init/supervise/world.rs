//! What an init owes its programs, where there is no other: terminals, shared memory, loopback, a name.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use gg_boot::report::Outcome;
use gg_sys::mount::{self, Access, Trust};
use gg_sys::{machine, power};

use crate::ground::make_directory;
use crate::journal::{Done, Failure, Instead, Journal};

/// Each is done without the others; what fails is told.
pub(crate) fn prepare(journal: &mut Journal) {
    let mounts = [
        ("devpts", "/dev/pts", "mode=620,ptmxmode=666", Trust::NoPrograms, "no terminals"),
        ("tmpfs", "/dev/shm", "mode=1777", Trust::NoPrivileges, "no shared memory"),
        ("tmpfs", "/tmp", "mode=1777", Trust::NoPrivileges, "/tmp wears the disk"),
    ];
    for (kind, target, options, trust, without) in mounts {
        journal.step("world", Instead(Outcome::Degraded, without), || mount_at(kind, target, options, trust));
    }
    journal.step("loopback", Instead(Outcome::Degraded, "no connections within the device"), || {
        gg_sys::link::raise("lo").map_err(|cause| Failure::new("raise", "lo", cause))?;
        Ok(Done::Well((), String::new()))
    });
    journal.step("hostname", Instead(Outcome::Degraded, "the kernel's name"), hostname);
    // A key press is an orderly reboot, not a reset. Where there is no keyboard this fails, and nothing is lost.
    let _ = power::take_ctrl_alt_del();
}

fn mount_at(kind: &str, target: &str, options: &str, trust: Trust) -> Result<Done<()>, Failure> {
    let target = Path::new(target);
    make_directory(target)
        .and_then(|()| mount::mount(OsStr::new(kind), target, kind, Access::ReadWrite, trust, OsStr::new(options)))
        .map_err(|cause| Failure::new("mount", format_args!("{kind} at {}", target.display()), cause))?;
    Ok(Done::Well((), target.display().to_string()))
}

fn hostname() -> Result<Done<()>, Failure> {
    let Ok(text) = fs::read_to_string("/etc/hostname") else { return Ok(Done::Well((), "none set".to_owned())) };
    let name = text.trim();
    machine::set_host(name).map_err(|cause| Failure::new("set", format_args!("the host name {name:?}"), cause))?;
    Ok(Done::Well((), name.to_owned()))
}
