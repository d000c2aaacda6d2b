//! What a kernel that shows no configuration gives away of its options.

use std::collections::BTreeMap;

use super::Place;
use crate::boot::kernel::Release;

/// How an option shows.
enum Sign {
    /// The kernel has it if and only if this is there.
    Path(&'static str),
    /// A line of `/proc/filesystems`, or a module that could add it.
    FileSystem(&'static str),
    /// A controller of control groups, by its name in version 1.
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
    let controllers = Controllers::look(place, release);
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
            Sign::Controller(name) => match controllers.has(name) {
                Some(is_there) => is_there,
                None => continue,
            },
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

/// What is known of the controllers of control groups.
struct Controllers {
    /// `/proc/cgroups`.
    v1: String,
    /// `cgroup.controllers`, where version 2 alone is mounted.
    v2: Option<String>,
    /// Newer kernels leave those out of `/proc/cgroups` that version 1 cannot have.
    lists_all: bool,
}

impl Controllers {
    fn look(place: &Place, release: &str) -> Self {
        Self {
            v1: place.text("/proc/cgroups").unwrap_or_default(),
            v2: place.text("/sys/fs/cgroup/cgroup.controllers"),
            lists_all: Release::parse(release).is_some_and(|release| release < Release(6, 11)),
        }
    }

    /// By its name in version 1; `None` where nothing tells.
    fn has(&self, name: &str) -> Option<bool> {
        let in_v1 = self.v1.lines().any(|line| line.split_whitespace().next() == Some(name));
        let name_in_v2 = if name == "blkio" { "io" } else { name };
        let in_v2 = self.v2.as_ref().map(|text| text.split_whitespace().any(|word| word == name_in_v2));
        match (in_v1, in_v2) {
            (true, _) | (_, Some(true)) => Some(true),
            (false, Some(false)) if !["devices", "freezer", "cpuacct"].contains(&name) => Some(false),
            _ => self.lists_all.then_some(false),
        }
    }
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

    #[test]
    fn controller_is_absent_only_where_that_can_be_told() {
        let of =
            |v1: &str, v2: Option<&str>, lists_all| Controllers { v1: v1.into(), v2: v2.map(str::to_owned), lists_all };
        assert_eq!(of("memory\t0\t1\t1", None, false).has("memory"), Some(true));
        assert_eq!(of("", Some("cpu io"), false).has("blkio"), Some(true));
        assert_eq!(of("", Some("cpu io"), false).has("memory"), Some(false));
        assert_eq!(of("", Some("cpu io"), false).has("devices"), None);
        assert_eq!(of("", Some("cpu io"), true).has("devices"), Some(false));
        assert_eq!(of("", None, false).has("memory"), None);
    }
}
