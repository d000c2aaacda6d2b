//! A file that arrives piece by piece and may go on after an interruption.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::file::{self, Backup, FileError};

/// `<target>.part`, until it is complete and takes the target's place. Blocks.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    target: PathBuf,
    file: File,
    length: u64,
}

impl Partial {
    /// Goes on with what an earlier attempt left, or begins. The directory is made when it is missing.
    pub fn open(target: &Path) -> Result<Self, FileError> {
        if let Some(parent) = target.parent() {
            file::make_directory(parent, 0o755)?;
        }
        let path = file::beside(target, ".part");
        let fault = |cause| FileError::Create { path: path.clone(), cause };
        // Nothing of ours is a link or a pipe.
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            file::remove_directory(&path).or_else(|_| file::remove(&path))?;
        }
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(fault)?;
        let length = file.seek(SeekFrom::End(0)).map_err(fault)?;
        Ok(Self { path, target: target.to_owned(), file, length })
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(|cause| self.fault(cause))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts the file to its first `length` bytes.
    pub fn cut(&mut self, length: u64) -> Result<(), FileError> {
        let length = length.min(self.length);
        let cut = self.file.set_len(length).and_then(|()| self.file.seek(SeekFrom::Start(length)));
        cut.map_err(|cause| self.fault(cause))?;
        self.length = length;
        Ok(())
    }

    /// Makes it durable, with this mode, and puts it in the target's place in one step.
    pub fn finish(self, mode: u32) -> Result<(), FileError> {
        let done = self.file.set_permissions(Permissions::from_mode(mode)).and_then(|()| self.file.sync_all());
        done.map_err(|cause| self.fault(cause))?;
        file::swap(&self.path, &self.target, Backup::Drop)?;
        file::sync_parent(&self.target)
    }

    pub fn remove(self) -> Result<(), FileError> {
        file::remove(&self.path)
    }

    fn fault(&self, cause: io::Error) -> FileError {
        FileError::Write { path: self.path.clone(), cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_goes_on_where_it_stopped() {
        let scratch = tempfile::tempdir().unwrap();
        let target = scratch.path().join("a/b/file");
        let mut first = Partial::open(&target).unwrap();
        first.append(b"0123456789").unwrap();
        drop(first);
        let mut second = Partial::open(&target).unwrap();
        assert_eq!(second.length(), 10);
        second.cut(4).unwrap();
        second.append(b"abc").unwrap();
        second.finish(0o640).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"0123abc");
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(Partial::open(&target).unwrap().length(), 0);
    }
}
