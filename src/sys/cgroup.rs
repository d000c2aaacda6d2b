//! Control groups, version 1 and 2, as directories below a mount: `cgroups(7)`.
//!
//! The mount is an argument everywhere, so that a plain directory can stand in for it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::signal::{self, Send};

/// Which of the two interfaces a hierarchy speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V1,
    V2,
}

/// One group: a directory of a hierarchy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    pub version: Version,
    pub directory: PathBuf,
}

impl Group {
    pub fn child(&self, name: &str) -> Self {
        Self { version: self.version, directory: self.directory.join(name) }
    }

    /// Makes the directory; one that is there already is right too.
    pub fn make(&self) -> io::Result<Made> {
        match fs::create_dir(&self.directory) {
            Ok(()) => Ok(Made::New),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(Made::Before),
            Err(cause) => Err(cause),
        }
    }

    /// Lets children of a version 2 group use these controllers; those the kernel lacks are left out.
    pub fn enable(&self, controllers: &[&str]) -> io::Result<()> {
        let there = fs::read_to_string(self.directory.join("cgroup.controllers"))?;
        for name in controllers.iter().filter(|name| there.split_whitespace().any(|word| word == **name)) {
            self.write("cgroup.subtree_control", &format!("+{name}"))?;
        }
        Ok(())
    }

    /// `cgroup.procs`, open for a child to put itself in.
    pub fn door(&self) -> io::Result<OwnedFd> {
        Ok(fs::OpenOptions::new().write(true).open(self.directory.join("cgroup.procs"))?.into())
    }

    /// Every process in this group and the groups below it; an absent group has none.
    pub fn processes(&self) -> io::Result<Vec<i32>> {
        let mut found = Vec::new();
        for group in self.with_descendants()? {
            match fs::read_to_string(group.join("cgroup.procs")) {
                // 0 is a process of another pid namespace, which we could not signal.
                Ok(text) => {
                    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
                }
                // The second is how the kernel says that the group went away while we read.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) if cause.raw_os_error() == Some(libc::ENODEV) => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(found)
    }

    /// Sends to every process found now; returns how many there were.
    pub fn signal(&self, what: Send) -> io::Result<usize> {
        let processes = self.processes()?;
        for pid in &processes {
            signal::send(*pid, what)?;
        }
        Ok(processes.len())
    }

    /// Asks the kernel to freeze or thaw the group and those below. Freezing is complete once [`frozen`](Self::frozen).
    pub fn freeze(&self, freeze: Freeze) -> io::Result<()> {
        match (self.version, freeze) {
            (Version::V1, Freeze::Frozen) => self.write("freezer.state", "FROZEN"),
            (Version::V1, Freeze::Thawed) => self.write("freezer.state", "THAWED"),
            (Version::V2, Freeze::Frozen) => self.write("cgroup.freeze", "1"),
            (Version::V2, Freeze::Thawed) => self.write("cgroup.freeze", "0"),
        }
    }

    /// Whether no process of the group can run.
    pub fn frozen(&self) -> io::Result<bool> {
        match self.version {
            Version::V1 => Ok(self.read("freezer.state")?.trim() == "FROZEN"),
            Version::V2 => Ok(self.read("cgroup.events")?.lines().any(|line| line == "frozen 1")),
        }
    }

    /// Kills everything in the group and below at once, also what is being forked: version 2, Linux 5.14.
    pub fn kill_at_once(&self) -> io::Result<()> {
        // Never create the file: in a stand-in directory, or on an old kernel, its absence is the answer.
        self.write("cgroup.kill", "1")
    }

    /// Bytes the group may use; `None` is no limit.
    pub fn limit_memory(&self, bytes: Option<u64>) -> io::Result<()> {
        match (self.version, bytes) {
            (Version::V1, Some(bytes)) => self.write("memory.limit_in_bytes", &bytes.to_string()),
            (Version::V1, None) => self.write("memory.limit_in_bytes", "-1"),
            (Version::V2, Some(bytes)) => self.write("memory.max", &bytes.to_string()),
            (Version::V2, None) => self.write("memory.max", "max"),
        }
    }

    /// How often the kernel has killed a process of the group for want of memory. Needs Linux 4.13.
    pub fn memory_kills(&self) -> io::Result<u64> {
        let text = match self.version {
            Version::V1 => self.read("memory.oom_control")?,
            Version::V2 => self.read("memory.events")?,
        };
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        count.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Bytes the group may use; `None` is no limit.
    pub fn memory_limit(&self) -> io::Result<Option<u64>> {
        let text = match self.version {
            Version::V1 => self.read("memory.limit_in_bytes")?,
            Version::V2 => self.read("memory.max")?,
        };
        // Version 1 has no word for it, but a number no machine reaches.
        Ok(text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT))
    }

    /// Share of one processor: 1.5 is one and a half. `None` is no limit.
    pub fn limit_cpus(&self, cpus: Option<f64>) -> io::Result<()> {
        match self.version {
            Version::V1 => {
                let period = self.read("cpu.cfs_period_us")?.trim().parse().unwrap_or(DEFAULT_PERIOD);
                let quota = cpus.map_or("-1".into(), |cpus| quota(cpus, period, 1_000).to_string());
                self.write("cpu.cfs_quota_us", &quota)
            }
            Version::V2 => {
                let now = self.read("cpu.max")?;
                let period = now.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(DEFAULT_PERIOD);
                let quota = cpus.map_or("max".into(), |cpus| quota(cpus, period, 1).to_string());
                self.write("cpu.max", &format!("{quota} {period}"))
            }
        }
    }

    /// Removes this group and those below it; fails while a process is in one.
    pub fn remove(&self) -> io::Result<()> {
        for directory in self.with_descendants()?.into_iter().rev() {
            match fs::remove_dir(&directory) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        Ok(())
    }

    /// The groups directly below.
    pub fn children(&self) -> io::Result<Vec<Self>> {
        Ok(subdirectories(&self.directory)?
            .into_iter()
            .map(|directory| Self { version: self.version, directory })
            .collect())
    }

    /// Parents before children.
    fn with_descendants(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![self.directory.clone()];
        let mut next = 0;
        while let Some(directory) = found.get(next) {
            let below = subdirectories(directory)?;
            found.extend(below);
            next += 1;
        }
        Ok(found)
    }

    fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.directory.join(file))
    }

    /// One write(2), because each write is one command to the kernel.
    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        use std::io::Write;
        fs::OpenOptions::new().write(true).open(self.directory.join(file))?.write_all(text.as_bytes())
    }
}

/// Whether [`Group::make`] made something: a new group has no limits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Made {
    New,
    Before,
}

/// What [`Group::freeze`] asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freeze {
    Frozen,
    Thawed,
}

/// Where each duty of a group lives on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mounts {
    /// Knows which processes belong together and can freeze them.
    pub tree: Group,
    pub memory: Option<Group>,
    pub cpu: Option<Group>,
}

/// Looks at what is mounted at `root`, which is `/sys/fs/cgroup` but for tests.
///
/// On hybrid machines the version 1 controllers are used; version 2 stands in for a missing freezer.
pub fn mounts(root: &Path) -> Option<Mounts> {
    let group = |version, name: &str| {
        let directory = root.join(name);
        directory.join("cgroup.procs").exists().then_some(Group { version, directory })
    };
    if root.join("cgroup.controllers").exists() {
        let all = Group { version: Version::V2, directory: root.to_path_buf() };
        let there = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        let having = |name: &str| there.split_whitespace().any(|word| word == name).then(|| all.clone());
        return Some(Mounts { memory: having("memory"), cpu: having("cpu"), tree: all });
    }
    let tree = group(Version::V1, "freezer").or_else(|| group(Version::V2, "unified"))?;
    let cpu = ["cpu,cpuacct", "cpu", "cpuacct,cpu"].into_iter().find_map(|name| group(Version::V1, name));
    Some(Mounts { tree, memory: group(Version::V1, "memory"), cpu })
}

/// An absent directory has none; plain files are passed over.
fn subdirectories(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cause),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Microseconds of processor time per period, at least what the kernel accepts.
fn quota(cpus: f64, period: u64, least: u64) -> u64 {
    ((cpus * period as f64) as u64).clamp(least, i64::MAX as u64 / 1_000_000)
}

/// The largest multiple of a page, in version 1, or near it.
const NO_LIMIT: u64 = 1 << 62;

/// What the kernel starts with, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

mod member;

pub use member::{Spelling, path_of};

#[cfg(test)]
mod tests;
