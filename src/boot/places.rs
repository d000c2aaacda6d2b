//! Where things lie while the device boots and afterwards: the one table of paths and labels.

/// GPT labels of the partitions.
pub mod label {
    pub const ESP: &str = "gg-esp";
    pub const STATE: &str = "gg-state";
    pub const SLOT_A: &str = "gg-a";
    pub const SLOT_B: &str = "gg-b";
    pub const RESCUE: &str = "gg-rescue";
    pub const DATA: &str = "gg-data";
}

/// Where the data partition is mounted once the device runs.
pub const DATA: &str = "/data";
/// The daemon's root directory on devices.
pub const DAEMON_ROOT: &str = "/data/greengrass/v2";
/// The chosen slot's own tree, read-only, below the overlay.
pub const SLOT: &str = "/run/greengrass/slot";
/// The boot report of this boot, and the sign that the root is already made.
pub const REPORT: &str = "/run/greengrass/boot";

/// Held by whoever changes the state of the slots: flock(2).
pub const OTA_LOCK: &str = "/run/greengrass/ota.lock";
/// Where a slot is mounted while something is done in it, seen by nobody else.
pub const OTA_MOUNT: &str = "/run/greengrass/slot-at-work";
/// What is known of updates and must last: `slot-a.json`, `slot-b.json`, indexes.
pub const OTA: &str = "/data/ota";

/// Below the data partition: the reports of this boot and of the one before.
pub const KEPT_REPORT: &str = "boot/report";
pub const FORMER_REPORT: &str = "boot/report.old";
/// Below the data partition: "boot this slot once"; holds `a`, `b` or `other`.
pub const REQUEST_SLOT: &str = "boot/slot";
/// Below the data partition: "erase"; holds `overlay` or `data`.
pub const REQUEST_RESET: &str = "boot/factory-reset";

/// Below the data partition: how many boots in a row ended before the device settled. The daemon, once it serves,
/// removes it.
pub const UNSETTLED: &str = "boot/unsettled";

/// The settings file, of the initramfs and then of the slot.
pub const SETTINGS: &str = "/etc/gg-init.conf";
/// In the slot: what of the former version's changes a new one inherits, a path a line.
pub const KEPT: &str = "/etc/greengrass/overlay.keep";
/// In the slot: programs that fit what was inherited to the new version, run in the order of their names.
pub const MIGRATIONS: &str = "/etc/greengrass/migrations.d";
/// Kernel modules to load, a path a line, in that order.
pub const MODULES: &str = "/etc/gg-modules";
