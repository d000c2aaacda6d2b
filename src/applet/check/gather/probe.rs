//! What a kernel that shows no configuration gives away of its options.

use std::collections::BTreeMap;

use super::Place;

/// How an option shows.
enum Sign {
    /// The kernel has it if and only if this is there.
    Path(&'static str),
    /// A line of `/proc/filesystems`, or a module that could add it.
    FileSystem(&'static str),
    /// A line of `/proc/cgroups`.
    Controller(&'static str),
}

/// Only what a kernel shows when it has the option, and never otherwise.
const SIGNS: &[(&str, Sign)] = &[
    ("CONFIG_BLK_CGROUP", Sign::Controller("blkio")),
    ("CONFIG_BLOCK", Sign::Path("/sys/class/block")),
    ("CONFIG_CFS_BANDWIDTH", Sign::Path("/proc/sys/kernel/sched_cfs_bandwidth_slice_us")),
    ("CONFIG_CGROUPS", Sign::Path("/proc/cgroups")),
    ("CONFIG_CGROUP_CPUACCT", Sign::Controller("cpuacct")),
    ("CONFIG_CGROUP_DEVICE", Sign::Controller("devices")),
    ("CONFIG_CGROUP_FREEZER", Sign::Controller("freezer")),
    ("CONFIG_CGROUP_PIDS", Sign::Controller("pids")),
    ("CONFIG_CGROUP_SCHED", Sign::Controller("cpu")),
    ("CONFIG_DEVTMPFS", Sign::FileSystem("devtmpfs")),
    ("CONFIG_EPOLL", Sign::Path("/proc/sys/fs/epoll")),
    ("CONFIG_EXT4_FS", Sign::FileSystem("ext4")),
    ("CONFIG_FILE_LOCKING", Sign::Path("/proc/locks")),
    ("CONFIG_INET", Sign::Path("/proc/net/tcp")),
    ("CONFIG_INOTIFY_USER", Sign::Path("/proc/sys/fs/inotify")),
    ("CONFIG_IPC_NS", Sign::Path("/proc/self/ns/ipc")),
    ("CONFIG_IPV6", Sign::Path("/proc/net/if_inet6")),
    ("CONFIG_KEYS", Sign::Path("/proc/keys")),
    ("CONFIG_MEMCG", Sign::Controller("memory")),
    ("CONFIG_NET", Sign::Path("/proc/net/dev")),
    ("CONFIG_OVERLAY_FS", Sign::FileSystem("overlay")),
    ("CONFIG_PID_NS", Sign::Path("/proc/self/ns/pid")),
    ("CONFIG_POSIX_MQUEUE", Sign::Path("/proc/sys/fs/mqueue")),
    ("CONFIG_PROC_SYSCTL", Sign::Path("/proc/sys/kernel")),
    ("CONFIG_SQUASHFS", Sign::FileSystem("squashfs")),
    ("CONFIG_SYSFS", Sign::FileSystem("sysfs")),
    ("CONFIG_UNIX", Sign::Path("/proc/net/unix")),
    ("CONFIG_USER_NS", Sign::Path("/proc/self/ns/user")),
    ("CONFIG_UTS_NS", Sign::Path("/proc/self/ns/uts")),
    ("CONFIG_WATCHDOG", Sign::Path("/sys/class/watchdog")),
];

/// Option to whether the kernel has it; without `/proc` nothing can be found out.
pub(super) fn options(place: &Place, release: &str) -> BTreeMap<&'static str, bool> {
    let Some(file_systems) = place.text("/proc/filesystems") else { return BTreeMap::new() };
    let controllers = place.text("/proc/cgroups").unwrap_or_default();
    let modules = ["modules.dep", "modules.builtin"].map(|list| format!("/lib/modules/{release}/{list}"));
    let modules: String = modules.iter().filter_map(|list| place.text(list)).collect();
    let mut found = BTreeMap::new();
    for (option, sign) in SIGNS {
        let is_there = match sign {
            // Everything below comes from /sys, which may not be mounted.
            Sign::Path(path) if path.starts_with("/sys/") && !place.exists("/sys/kernel") => continue,
            Sign::Path(path) => place.exists(path),
            Sign::FileSystem(name) => {
                file_systems.lines().any(|line| line.split_whitespace().next_back() == Some(name))
                    || modules.contains(&format!("/{name}.ko"))
            }
            Sign::Controller(name) => controllers.lines().any(|line| line.split_whitespace().next() == Some(name)),
        };
        found.insert(*option, is_there);
    }
    // A process that runs tells of these.
    found.insert("CONFIG_PROC_FS", true);
    if place.text("/proc/self/status").is_some_and(|text| text.lines().any(|line| line.starts_with("Seccomp:"))) {
        found.insert("CONFIG_SECCOMP", true);
    }
    if place.exists("/proc/sys/kernel/seccomp/actions_avail") {
        found.extend([("CONFIG_SECCOMP_FILTER", true), ("CONFIG_HAVE_ARCH_SECCOMP_FILTER", true)]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::kernel::requirements;

    #[test]
    fn every_sign_is_of_an_option_we_ask_for() {
        for (option, _) in SIGNS {
            assert!(requirements().iter().any(|requirement| requirement.option == *option), "{option}");
        }
    }
}
