//! How far the installation at work is, for who watches from another process: a line in a file beside the lock, gone
//! with the power like it.

use std::path::{Path, PathBuf};

use crate::store::file::{self, Backup};

/// Told by the one that holds the lock, as long as this lives.
#[derive(Debug)]
pub struct Headway {
    path: PathBuf,
    deployment: String,
}

impl Headway {
    /// `lock` is the lock on the slots.
    pub fn new(lock: &Path, deployment: &[u8; 36]) -> Self {
        Self { path: path(lock), deployment: word(deployment) }
    }

    /// `percent` is of everything. Nobody needs it but who watches: what cannot be written is not told.
    pub fn tell(&self, percent: u64) {
        let line = format!("{} {percent} {}\n", std::process::id(), self.deployment);
        let _ = file::write(&self.path, 0o644, Backup::Drop, line.as_bytes());
    }
}

impl Drop for Headway {
    fn drop(&mut self) {
        let _ = file::remove(&self.path);
    }
}

/// Percent of the installation at work, of this deployment or of any.
pub fn percent(lock: &Path, deployment: Option<&[u8; 36]>) -> Option<u64> {
    let line = String::from_utf8(file::read(&path(lock), 256).ok()??).ok()?;
    let (process, rest) = line.trim_end_matches('\n').split_once(' ')?;
    let (percent, of) = rest.split_once(' ')?;
    // A process that was killed leaves its line behind.
    let is_at_work = Path::new("/proc").join(process.parse::<u32>().ok()?.to_string()).exists();
    let is_asked_for = deployment.is_none_or(|deployment| word(deployment) == of);
    percent.parse().ok().filter(|_| is_at_work && is_asked_for)
}

fn path(lock: &Path) -> PathBuf {
    lock.with_extension("progress")
}

fn word(deployment: &[u8; 36]) -> String {
    String::from_utf8_lossy(deployment).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headway_is_told_while_its_process_is_at_work() {
        let scratch = tempfile::tempdir().unwrap();
        let lock = scratch.path().join("ota.lock");
        let [own, other] = [b'a', b'b'].map(|letter| [letter; 36]);
        assert_eq!(percent(&lock, None), None);
        let headway = Headway::new(&lock, &own);
        headway.tell(7);
        headway.tell(42);
        assert_eq!([None, Some(&own), Some(&other)].map(|of| percent(&lock, of)), [Some(42), Some(42), None]);
        drop(headway);
        assert_eq!(percent(&lock, None), None);
        Headway::new(&lock, &[0; 36]).tell(3);
        for line in ["", "1", "1 2", "x 2 ", "1 x ", "4294967295 2 "] {
            std::fs::write(path(&lock), line).unwrap();
            assert_eq!(percent(&lock, None), None, "{line:?}");
        }
    }
}
