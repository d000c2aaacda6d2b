//! What a running kernel gives away of its options without showing its configuration: pure; the caller looks.

use super::Release;

/// How an option shows.
enum Sign {
    /// The kernel has it if and only if this is there.
    Path(&'static str),
    /// A line of `/proc/filesystems`, or a module that could add it.
    FileSystem(&'static str),
    /// A controller of control groups, by its name in version 1.
    Controller(&'static str),
    /// A line of `/proc/self/status` that begins so.
    Status(&'static str),
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
    ("CONFIG_SECCOMP", Sign::Status("Seccomp:")),
    ("CONFIG_SQUASHFS", Sign::FileSystem("squashfs")),
    ("CONFIG_SYSFS", Sign::FileSystem("sysfs")),
    ("CONFIG_UNIX", Sign::Path("/proc/net/unix")),
    ("CONFIG_USER_NS", Sign::Path("/proc/self/ns/user")),
    ("CONFIG_UTS_NS", Sign::Path("/proc/self/ns/uts")),
    ("CONFIG_WATCHDOG", Sign::Path("/sys/class/watchdog")),
];

/// Who looks at the machine for us.
#[derive(Clone, Copy)]
pub struct Looks<'a> {
    pub exists: &'a dyn Fn(&str) -> bool,
    /// The text of a small file; empty where it cannot be read.
    pub text: &'a dyn Fn(&str) -> String,
}

impl std::fmt::Debug for Looks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Looks").finish_non_exhaustive()
    }
}

/// Each option that can be told by looks, and whether the kernel of that release (`uname -r`) has it. An option that
/// it has as a module counts where `modules` (the text of `modules.dep` and `modules.builtin`) says so.
pub fn shown(looks: Looks<'_>, release: &str, modules: &str) -> Vec<(&'static str, bool)> {
    let file_systems = (looks.text)("/proc/filesystems");
    if file_systems.is_empty() {
        // Without /proc nothing can be found out.
        return Vec::new();
    }
    // What comes from /sys cannot be told where it is not mounted.
    let has_sys = (looks.exists)("/sys/kernel");
    let controllers = Controllers::look(looks, release);
    let status = (looks.text)("/proc/self/status");
    let mut found: Vec<(&str, bool)> = SIGNS
        .iter()
        .filter_map(|(option, sign)| {
            let is_there = match sign {
                Sign::Path(path) if path.starts_with("/sys/") && !has_sys => return None,
                Sign::Path(path) => (looks.exists)(path),
                Sign::FileSystem(name) => {
                    file_systems.lines().any(|line| line.split_whitespace().next_back() == Some(name))
                        || !modules.is_empty() && modules.contains(&format!("/{name}.ko"))
                }
                Sign::Controller(name) => controllers.has(name)?,
                Sign::Status(_) if status.is_empty() => return None,
                Sign::Status(beginning) => status.lines().any(|line| line.starts_with(beginning)),
            };
            Some((*option, is_there))
        })
        .collect();
    // Where we have read.
    found.push(("CONFIG_PROC_FS", true));
    if (looks.exists)("/proc/sys/kernel/seccomp/actions_avail") {
        found.extend([("CONFIG_SECCOMP_FILTER", true), ("CONFIG_HAVE_ARCH_SECCOMP_FILTER", true)]);
    }
    found
}

/// What is known of the controllers of control groups.
struct Controllers {
    /// `/proc/cgroups`.
    v1: String,
    /// `cgroup.controllers`, where version 2 alone is mounted.
    v2: String,
    /// Newer kernels leave those out of `/proc/cgroups` that version 1 cannot have.
    lists_all: bool,
}

impl Controllers {
    fn look(looks: Looks<'_>, release: &str) -> Self {
        Self {
            v1: (looks.text)("/proc/cgroups"),
            v2: (looks.text)("/sys/fs/cgroup/cgroup.controllers"),
            lists_all: Release::parse(release).is_some_and(|release| release < Release(6, 11)),
        }
    }

    /// By its name in version 1; `None` where nothing tells.
    fn has(&self, name: &str) -> Option<bool> {
        let in_v1 = self.v1.lines().any(|line| line.split_whitespace().next() == Some(name));
        let name_in_v2 = if name == "blkio" { "io" } else { name };
        let in_v2 = self.v2.split_whitespace().any(|word| word == name_in_v2);
        if in_v1 || in_v2 {
            Some(true)
        } else if !self.v2.is_empty() && !["devices", "freezer", "cpuacct"].contains(&name) {
            Some(false)
        } else {
            self.lists_all.then_some(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::requirements;
    use super::*;

    #[test]
    fn every_sign_is_of_an_option_we_ask_for() {
        for (option, _) in SIGNS {
            assert!(requirements().iter().any(|requirement| requirement.option == *option), "{option}");
        }
    }

    #[test]
    fn controller_is_absent_only_where_that_can_be_told() {
        let of = |v1: &str, v2: &str, lists_all| Controllers { v1: v1.into(), v2: v2.into(), lists_all };
        assert_eq!(of("memory\t0\t1\t1", "", false).has("memory"), Some(true));
        assert_eq!(of("", "cpu io", false).has("blkio"), Some(true));
        assert_eq!(of("", "cpu io", false).has("memory"), Some(false));
        assert_eq!(of("", "cpu io", false).has("devices"), None);
        assert_eq!(of("", "cpu io", true).has("devices"), Some(false));
        assert_eq!(of("", "", false).has("memory"), None);
    }

    #[test]
    fn what_does_not_show_is_not_told() {
        let nothing = Looks { exists: &|_| false, text: &|_| String::new() };
        assert_eq!(shown(nothing, "6.1.0", ""), []);
        let texts = |path: &str| match path {
            "/proc/filesystems" => "nodev\ttmpfs\n\text4\n".to_owned(),
            "/proc/cgroups" => "memory\t0\t1\t1\n".to_owned(),
            _ => String::new(),
        };
        let without_sys = Looks { exists: &|path| path == "/proc/keys", text: &texts };
        let found = shown(without_sys, "6.12.1", "kernel/fs/squashfs/squashfs.ko.xz:");
        let of = |name: &str| found.iter().find(|(option, _)| *option == name).map(|(_, there)| *there);
        assert_eq!((of("CONFIG_EXT4_FS"), of("CONFIG_SQUASHFS")), (Some(true), Some(true)));
        assert_eq!(
            (of("CONFIG_OVERLAY_FS"), of("CONFIG_KEYS"), of("CONFIG_NET")),
            (Some(false), Some(true), Some(false))
        );
        assert_eq!((of("CONFIG_MEMCG"), of("CONFIG_CGROUP_PIDS")), (Some(true), None));
        assert_eq!((of("CONFIG_BLOCK"), of("CONFIG_SECCOMP"), of("CONFIG_SECCOMP_FILTER")), (None, None, None));
    }
}
