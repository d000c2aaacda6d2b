//! The transaction log: what came of every edit, on the disk before anybody is told that it holds.
//!
//! `config.tlog` is the log, `config.tlog~` the one before the last rewriting, `config.tlog+` one being written.
//! Whenever the state of the file is in doubt (a write failed halfway, somebody deleted it), the next append writes
//! the whole tree instead: there is one way back, and it does not depend on what went wrong.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::line::{self, LineError};
use super::scan::{Scanned, scan};
use super::{Entry, KeyPath, ScanError, Tree};
use crate::store::file::{self, Backup, FileError};

/// The open log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// The open file, as long as its content is known to be the tree.
    file: Option<File>,
    length: u64,
    /// The last line was left without its end.
    open_ended: bool,
    /// Entries that a rewriting would save.
    surplus: u64,
    rewrite_at: u64,
    /// The length at which it is rewritten, however few the entries.
    rewrite_above: u64,
}

impl Log {
    /// Appended entries after which the log is rewritten.
    pub const REWRITE_AFTER: u64 = 15_000;
    /// Further entries after which a failed rewriting is tried again.
    pub const RETRY_AFTER: u64 = 7_500;
    /// Appended bytes after which it is: entries may be large, and the disk is not the configuration's alone.
    const REWRITE_BYTES: u64 = 16 << 20;
    /// Further bytes after which a failed rewriting is tried again.
    const RETRY_BYTES: u64 = 8 << 20;

    /// A log whose next append writes it anew.
    pub fn in_doubt(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            length: 0,
            open_ended: false,
            surplus: 0,
            rewrite_at: Self::REWRITE_AFTER,
            rewrite_above: Self::REWRITE_BYTES,
        }
    }

    /// Opens a log that was scanned, and cuts what was torn.
    pub(super) fn open(path: &Path, scanned: &Scanned) -> Result<Self, LogError> {
        let fault = |cause| LogError::Append { path: path.to_owned(), cause };
        let file = OpenOptions::new().write(true).open(path).map_err(fault)?;
        if scanned.torn.is_some() {
            file.set_len(scanned.good).and_then(|()| file.sync_all()).map_err(fault)?;
        }
        let mut nodes = 0;
        let Ok(()) = scanned.tree.dump(&mut |_| {
            nodes += 1;
            Ok::<(), std::convert::Infallible>(())
        });
        Ok(Self {
            file: Some(file),
            length: scanned.good,
            open_ended: scanned.open_ended,
            surplus: scanned.entries.saturating_sub(nodes),
            ..Self::in_doubt(path)
        })
    }

    /// Appends batches, each of which will be there wholly or not at all after any interruption, with one write and one
    /// fdatasync(2). `after` is the tree that they make. When this fails nothing of them is in the log.
    pub fn append<'a>(&mut self, batches: impl IntoIterator<Item = &'a [Entry]>, after: &Tree) -> Result<(), LogError> {
        let mut lines = Vec::new();
        if self.open_ended {
            lines.push(b'\n');
        }
        let start = lines.len();
        for batch in batches {
            line::encode_batch(batch, &mut lines)?;
        }
        if lines.len() == start {
            return Ok(());
        }
        let Some(file) = self.file.as_ref().filter(|file| file.metadata().is_ok_and(|found| found.nlink() > 0)) else {
            return self.rewrite(after);
        };
        if let Err(cause) = file.write_all_at(&lines, self.length).and_then(|()| file.sync_data()) {
            if file.set_len(self.length).and_then(|()| file.sync_data()).is_err() {
                self.file = None;
            }
            return Err(LogError::Append { path: self.path.clone(), cause });
        }
        self.length += lines.len() as u64;
        self.open_ended = false;
        self.surplus += lines[start..].iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(())
    }

    /// Replaces the log by a dump of `tree`. When this fails before the swap, the log is as it was.
    pub fn rewrite(&mut self, tree: &Tree) -> Result<(), LogError> {
        self.rewrite_at = self.surplus + Self::RETRY_AFTER;
        self.rewrite_above = self.length + Self::RETRY_BYTES;
        // Deleted with all that was in it: this tree is the last copy. A root that is gone does not come back.
        if let Some(directory) = self.path.parent().filter(|it| !it.exists() && it.parent().is_some_and(Path::exists)) {
            file::make_directory(directory, 0o700).map_err(|cause| LogError::Rewrite { cause })?;
        }
        let fresh = file::beside(&self.path, "+");
        let written = file::write_new(&fresh, 0o600, |file| tree.write_lines(file));
        let file = match written.and_then(|file| file::swap(&fresh, &self.path, Backup::Keep).map(|()| file)) {
            Ok(file) => file,
            Err(cause) => {
                let _ = std::fs::remove_file(&fresh);
                return Err(LogError::Rewrite { cause });
            }
        };
        // From here on the old file is the backup: whatever happens, nothing may be appended to it.
        self.file = None;
        file::sync_parent(&self.path).map_err(|cause| LogError::Rewrite { cause })?;
        let length = file.metadata().map_err(|cause| LogError::Append { path: self.path.clone(), cause })?.len();
        let rewrite_above = length + Self::REWRITE_BYTES;
        *self = Self { file: Some(file), length, rewrite_above, ..Self::in_doubt(&self.path) };
        Ok(())
    }

    /// Whether so much was appended that the log should be rewritten.
    pub fn is_long(&self) -> bool {
        self.surplus >= self.rewrite_at || self.length >= self.rewrite_above
    }
}

impl Tree {
    /// Writes the persistent nodes as a log, in one step.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        file::write_with(path, 0o600, Backup::Drop, |file| self.write_lines(file))
    }

    /// Reads a log written by [`Tree::save`].
    pub fn load(path: &Path) -> Result<Self, LogError> {
        let fault = |cause| LogError::Load { path: path.to_owned(), cause };
        let scanned = scan(path).map_err(fault)?;
        // A log that was written in one step cannot be torn.
        let scanned = scanned.ok_or(ScanError::Empty).map_err(fault)?;
        match scanned.torn {
            Some(_) => Err(fault(ScanError::Empty)),
            None => Ok(scanned.tree),
        }
    }

    fn write_lines(&self, to: &mut impl Write) -> io::Result<()> {
        let mut line = Vec::new();
        if self.children(&KeyPath::root()).is_empty() {
            // An empty log counts as damaged; this line has no effect.
            to.write_all(b"{\"TS\":1,\"TP\":[],\"W\":\"initialized\",\"V\":null}\n")?;
        }
        self.dump(&mut |entry| {
            line.clear();
            line::encode(&entry, false, None, &mut line).map_err(io::Error::other)?;
            to.write_all(&line)
        })
    }
}

/// What could not be done to the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("cannot append to {}", path.display())]
    Append {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the configuration cannot be rewritten")]
    Rewrite {
        #[source]
        cause: FileError,
    },
    #[error("the entry cannot be kept")]
    Entry {
        #[from]
        cause: LineError,
    },
    #[error("the daemon went down before it was written")]
    Interrupted,
    #[error("cannot load {}", path.display())]
    Load {
        path: PathBuf,
        #[source]
        cause: ScanError,
    },
}

#[cfg(test)]
mod tests;
