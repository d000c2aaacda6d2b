//! Which group a process is in: `/proc/<pid>/cgroup` of `cgroups(7)`, `/proc/self/mountinfo` of `proc(5)`.

use std::fs;
use std::io;
use std::path::Path;

use super::{Group, Version};

/// The path of the group a process is in, in the hierarchy with the freezer or in that of version 2.
/// `None` when the process is gone.
///
/// Spelled as the kernel does for us: it knows of no mount, and of nothing above our cgroup namespace.
pub fn path_of(pid: i32, version: Version) -> io::Result<Option<String>> {
    let text = match fs::read_to_string(format!("/proc/{pid}/cgroup")) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        // It ended between open and read.
        Err(cause) if cause.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
        Err(cause) => return Err(cause),
    };
    let path = path_in(&text, version);
    path.map(|path| Some(path.to_owned()))
        .ok_or_else(|| io::Error::other("the process is in no group of the hierarchy"))
}

/// Lines are `<number>:<controllers>:<path>`; version 2 has number 0 and no controllers.
fn path_in(text: &str, version: Version) -> Option<&str> {
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let ours = match version {
            Version::V1 => controllers.split(',').any(|controller| controller == "freezer"),
            Version::V2 => controllers.is_empty(),
        };
        ours.then_some(path)
    })
}

/// How the kernel spells the path of a group, and so of those below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spelling(String);

impl Spelling {
    /// A mount may show only a part of the hierarchy, as in a container.
    pub fn of(group: &Group) -> io::Result<Self> {
        let directory = fs::canonicalize(&group.directory)?;
        let mounts = procfs::process::Process::myself().and_then(|own| own.mountinfo()).map_err(io::Error::other)?;
        let mounts = mounts.0.iter().filter(|mount| mount.fs_type == "cgroup" || mount.fs_type == "cgroup2");
        // The longest is the nearest, and of several at one place the last is the one seen.
        let nearest = mounts
            .filter(|mount| directory.starts_with(&mount.mount_point))
            .max_by_key(|mount| mount.mount_point.as_os_str().len());
        nearest.and_then(|mount| spelled(&mount.root, &mount.mount_point, &directory)).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no hierarchy is mounted above {}", directory.display()))
        })
    }

    /// The name of the group directly below this one in which, or somewhere below which, `path` is.
    pub fn child_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = path.strip_prefix(&self.0)?.strip_prefix('/')?;
        below.split('/').next().filter(|name| !name.is_empty())
    }
}

fn spelled(root: &str, mount: &Path, directory: &Path) -> Option<Spelling> {
    let below = directory.strip_prefix(mount).ok()?.to_str()?;
    Some(Spelling(format!("{}/{below}", root.trim_end_matches('/')).trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_that_of_the_hierarchy_asked_for() {
        let hybrid = "9:name=systemd:/a\n6:freezer,devices:/gg/c/run.1\n0::/user.slice/x:y\n";
        assert_eq!(path_in(hybrid, Version::V1), Some("/gg/c/run.1"));
        assert_eq!(path_in(hybrid, Version::V2), Some("/user.slice/x:y"));
        assert_eq!(path_in("4:memory:/a\n", Version::V1), None);
        assert_eq!(path_in("0::/\n", Version::V2), Some("/"));
        assert_eq!(path_in("", Version::V2), None);
    }

    #[test]
    fn child_is_the_first_name_below() {
        let spelling = |root| spelled(root, Path::new("/sys/fs/cgroup"), Path::new("/sys/fs/cgroup/gg")).unwrap();
        let gg = spelling("/");
        assert_eq!(gg.child_in("/gg/com.example.A/run.1/docker/0123"), Some("com.example.A"));
        assert_eq!(gg.child_in("/gg/com.example.A/run.1 (deleted)"), Some("com.example.A"));
        for outside in ["/", "/gg", "/gg/", "/ggg/a", "/other/gg/a", "/../gg/a"] {
            assert_eq!(gg.child_in(outside), None, "{outside}");
        }
        assert_eq!(spelling("/docker/0123").child_in("/docker/0123/gg/a"), Some("a"));
        assert_eq!(spelling("/docker/0123").child_in("/gg/a"), None);
    }

    #[test]
    fn own_process_is_in_some_group_or_the_kernel_has_none() {
        let own = crate::process::own_pid();
        match fs::read_to_string("/proc/self/cgroup") {
            Ok(text) if text.lines().any(|line| line.starts_with("0::")) => {
                assert!(path_of(own, Version::V2).unwrap().unwrap().starts_with('/'));
            }
            _ => println!("skipped: this kernel has no control groups of version 2"),
        }
        assert_eq!(path_of(i32::MAX, Version::V2).unwrap(), None);
    }
}
