//! What all installations of a device came to, for its metrics: `totals.json` beside the slots' own files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::file::{self, Backup, FileError};

/// Counts since the data partition was made. Nothing is decided by them, so a file that is lost begins at zero.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Totals {
    /// That came from servers.
    pub bytes_fetched: u64,
    /// That the device had already, in the slot or elsewhere.
    pub bytes_reused: u64,
    /// How long the last installation took, until the slot was read back.
    pub last_duration_milliseconds: u64,
}

impl Totals {
    pub fn load(directory: &Path) -> Self {
        let content = file::read(&path(directory), MAX_FILE).ok().flatten();
        content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default()
    }

    /// Adds one installation; durable when this returns. The caller holds the lock on the slots.
    pub fn add(directory: &Path, installation: Self) -> Result<(), FileError> {
        let before = Self::load(directory);
        let sum = Self {
            bytes_fetched: before.bytes_fetched.saturating_add(installation.bytes_fetched),
            bytes_reused: before.bytes_reused.saturating_add(installation.bytes_reused),
            ..installation
        };
        let content = serde_json::to_vec(&sum).unwrap_or_default();
        file::write(&path(directory), 0o644, Backup::Drop, &content)
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("totals.json")
}

/// Bytes such a file may have.
const MAX_FILE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installations_add_up_and_a_lost_file_begins_anew() {
        let scratch = tempfile::tempdir().unwrap();
        let one = Totals { bytes_fetched: 10, bytes_reused: 5, last_duration_milliseconds: 7 };
        Totals::add(scratch.path(), one).unwrap();
        Totals::add(scratch.path(), Totals { last_duration_milliseconds: 3, ..one }).unwrap();
        let sum = Totals { bytes_fetched: 20, bytes_reused: 10, last_duration_milliseconds: 3 };
        assert_eq!(Totals::load(scratch.path()), sum);
        std::fs::write(path(scratch.path()), "{").unwrap();
        assert_eq!(Totals::load(scratch.path()), Totals::default());
    }
}
