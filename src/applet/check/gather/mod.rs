//! Looks at a machine: this one, or one whose files lie below a directory. Decides nothing.

mod groups;
mod kernel;
mod place;
mod probe;
mod system;

pub(super) use place::Place;

use super::facts::{Facts, INTERPRETERS};
use crate::boot::places;
use crate::sys::account;

/// Everything, the trial of the overlay last: it leaves this process with other mounts.
pub(super) fn facts(place: &Place) -> Facts {
    let data = place.data();
    Facts {
        is_root: account::is_root(),
        kernel: kernel::look(place),
        is_ours: place.exists(places::REPORT),
        groups: groups::look(place),
        hard_links: system::protection(place, "/proc/sys/fs/protected_hardlinks"),
        symbolic_links: system::protection(place, "/proc/sys/fs/protected_symlinks"),
        missing_streams: system::missing_streams(place),
        has_var_run: place.resolve("/var/run").is_some_and(|path| path.is_dir()),
        libc: system::libc(place),
        interpreters: INTERPRETERS.iter().map(|one| (*one, place.program(one.program))).collect(),
        certificates: system::certificates(place),
        memory: system::memory(place),
        disk: system::disk(place),
        now: system::now(),
        built: env!("GREENGRASS_BUILD_TIME").parse().unwrap_or_default(),
        watchdog: system::watchdog(place),
        has_user: system::has_entry(place, "/etc/passwd", "ggc_user"),
        has_group: system::has_entry(place, "/etc/group", "ggc_group"),
        init: system::init(place),
        overlay: system::overlay(place, data),
    }
}
