//! What the kernel can do, by looks that cost nothing; `greengrass check` knows the whole list.

use std::fs;
use std::path::Path;

use crate::journal::{Done, Failure};

/// Names what is missing, with what will not work.
pub(crate) fn probe() -> Result<Done<()>, Failure> {
    let systems =
        fs::read_to_string("/proc/filesystems").map_err(|cause| Failure::new("read", "/proc/filesystems", cause))?;
    let has_system = |name: &str| systems.lines().any(|line| line.split_whitespace().last() == Some(name));
    let has = |path: &str| Path::new(path).exists();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let options = [
        (has_system("overlay"), "CONFIG_OVERLAY_FS (no writable root)"),
        (has_system("tmpfs"), "CONFIG_TMPFS (no /run)"),
        (has_system("cgroup2") || has_system("cgroup"), "CONFIG_CGROUPS (no limits of components)"),
        (has("/proc/self/ns/pid"), "CONFIG_PID_NS"),
        (has("/proc/self/ns/ipc"), "CONFIG_IPC_NS"),
        (has("/proc/self/ns/uts"), "CONFIG_UTS_NS"),
        (has("/proc/self/ns/user"), "CONFIG_USER_NS"),
        (has("/proc/sys/fs/inotify"), "CONFIG_INOTIFY_USER (changed configuration goes unseen)"),
        (status.contains("Seccomp:"), "CONFIG_SECCOMP"),
    ];
    let missing: Vec<&str> = options.iter().filter(|(there, _)| !there).map(|(_, option)| *option).collect();
    if missing.is_empty() {
        Ok(Done::Well((), gg_sys::machine::machine().release))
    } else {
        Ok(Done::Partly((), format!("the kernel lacks {}", missing.join(", ")), "what needs it does not work"))
    }
}

/// Has the kernel reboot some time after a panic, unless its own arguments say when: a device that stands still with
/// a message nobody reads is lost.
pub(crate) fn reboot_after_panic(seconds: u64) -> Result<Done<()>, Failure> {
    const SETTING: &str = "/proc/sys/kernel/panic";
    let now = fs::read_to_string(SETTING).map_err(|cause| Failure::new("read", SETTING, cause))?;
    if now.trim() != "0" || seconds == 0 {
        return Ok(Done::Well((), format!("as it was: {}", now.trim())));
    }
    fs::write(SETTING, seconds.to_string()).map_err(|cause| Failure::new("write", SETTING, cause))?;
    Ok(Done::Well((), format!("after {seconds} s")))
}
