//! A control group with little memory, of either version; none where nobody may make one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug)]
pub struct MemoryGroup {
    path: PathBuf,
    limit: &'static str,
}

impl MemoryGroup {
    /// `None` where there is none to be had, and says so.
    pub fn new() -> Option<Self> {
        let name = format!("greengrass-test-memory-{}", std::process::id());
        for (parent, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let path = Path::new(parent).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self { path, limit };
            if group.path.join(limit).exists() {
                return Some(group);
            }
        }
        eprintln!("skipped: no control group of memory can be made (it takes root)");
        None
    }

    pub fn limit(&self, bytes: u64) {
        fs::write(self.path.join(self.limit), bytes.to_string()).unwrap();
    }

    /// Runs the words that come behind it in the group.
    pub fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.path);
        command
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}
