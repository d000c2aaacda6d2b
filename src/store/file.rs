//! Writing a file so that after any interruption it is either the old one or the new one.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Whether the file that is replaced stays beside the new one, as `<name>~`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backup {
    Keep,
    Drop,
}

/// Writes a file in one step, durably: when this returns the new content survives a power cut, and when it fails the
/// old content is still there.
pub fn write(path: &Path, mode: u32, backup: Backup, content: &[u8]) -> Result<(), FileError> {
    write_with(path, mode, backup, |file| file.write_all(content))
}

/// As [`write`], for the owner and a group that may read it: mode 0640. Nobody else ever could.
pub fn write_for_group(path: &Path, group: u32, content: &[u8]) -> Result<(), FileError> {
    write_with(path, 0o640, Backup::Drop, |file| {
        // Before there is anything to read.
        std::os::unix::fs::fchown(file.get_ref(), None, Some(group))?;
        file.write_all(content)
    })
}

/// As [`write`], with the content written piece by piece.
///
/// The new content is collected in `<name>+`. With a backup there is a moment without a file of this name; a reader
/// that finds none takes `<name>~`, which is then complete.
pub fn write_with(
    path: &Path,
    mode: u32,
    backup: Backup,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), FileError> {
    let fresh = beside(path, "+");
    let done = write_new(&fresh, mode, fill).and_then(|_| swap(&fresh, path, backup)).and_then(|()| sync_parent(path));
    if done.is_err() {
        // Half a file helps nobody, least of all a full disk. That it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&fresh);
    }
    done
}

/// Writes a new file to the end and onto the disk, without making its name durable. The file is open for writing.
pub(super) fn write_new(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<File, FileError> {
    let fault = |cause| FileError::Write { path: path.to_owned(), cause };
    let file = create(path, mode)?;
    let mut writer = BufWriter::new(&file);
    fill(&mut writer).and_then(|()| writer.flush()).map_err(fault)?;
    drop(writer);
    file.sync_all().map_err(fault)?;
    Ok(file)
}

/// Puts a completely written file in the place of another; [`sync_parent`] makes it last.
pub(super) fn swap(fresh: &Path, path: &Path, backup: Backup) -> Result<(), FileError> {
    let fault = |cause| FileError::Replace { path: path.to_owned(), cause };
    if backup == Backup::Keep {
        let old = beside(path, "~");
        match std::fs::rename(path, &old) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(fault(cause)),
        }
        if let Err(cause) = std::fs::rename(fresh, path) {
            // Readers would find the backup anyway.
            let _ = std::fs::rename(&old, path);
            return Err(fault(cause));
        }
        Ok(())
    } else {
        std::fs::rename(fresh, path).map_err(fault)
    }
}

/// Makes the name of a new, renamed or removed file durable.
pub fn sync_parent(path: &Path) -> Result<(), FileError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_directory(parent)
}

/// fsync(2) of a directory: its entries are durable.
pub fn sync_directory(path: &Path) -> Result<(), FileError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|cause| FileError::Write { path: path.to_owned(), cause })
}

/// Creates or empties a file with exactly this mode, whatever the umask. What stood there is not followed or kept:
/// a link or a pipe of this name gives way.
pub(super) fn create(path: &Path, mode: u32) -> Result<File, FileError> {
    let fault = |cause| FileError::Create { path: path.to_owned(), cause };
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(fault(cause)),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(fault)?;
    file.set_permissions(Permissions::from_mode(mode)).map_err(fault)?;
    Ok(file)
}

/// The content of a file; `None` when there is none. Files larger than `limit` bytes are refused.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let fault = |cause| FileError::Read { path: path.to_owned(), cause };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(fault(cause)),
    };
    let mut content = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(fault)?;
    if content.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(Some(content))
}

/// Opens a file that is there, for another program to append what it says.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    File::options().append(true).open(path)
}

/// Removes a file; that there is none is fine.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(FileError::Remove { path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

/// Removes a directory and everything in it, without following links; that there is none is fine.
pub fn remove_directory(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(FileError::Remove { path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

/// Removes every file of a directory but those named. Directories in it stay.
pub fn remove_others(directory: &Path, kept: &[String]) -> Result<(), FileError> {
    let fault = |cause| FileError::Read { path: directory.to_owned(), cause };
    for entry in std::fs::read_dir(directory).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let is_kept = kept.iter().any(|name| entry.file_name() == name.as_str());
        if !is_kept && !entry.file_type().map_err(fault)?.is_dir() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Makes sure a directory exists and has this mode. Missing parents are made with mode 0755.
pub fn make_directory(path: &Path, mode: u32) -> Result<(), FileError> {
    let fault = |cause| FileError::MakeDirectory { path: path.to_owned(), cause };
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() && found.permissions().mode() & 0o7777 == mode => return Ok(()),
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(fault(io::ErrorKind::NotADirectory.into())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
                make_directory(parent, 0o755)?;
            }
            DirBuilder::new().mode(mode).create(path).map_err(fault)?;
            sync_parent(path)?;
        }
        Err(cause) => return Err(fault(cause)),
    }
    // The umask may have taken bits away.
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(fault)
}

/// Gives a file this mode, unless it has it.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    let fault = |cause| FileError::Write { path: path.to_owned(), cause };
    if std::fs::metadata(path).map_err(fault)?.permissions().mode() & 0o7777 == mode {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(fault)
}

/// `<path><suffix>`
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What could not be done to which file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot create {}", path.display())]
    Create {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot replace {}", path.display())]
    Replace {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("cannot remove {}", path.display())]
    Remove {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot make the directory {}", path.display())]
    MakeDirectory {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

impl FileError {
    /// Whether the cause is a disk without room.
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::Create { cause, .. }
            | Self::Write { cause, .. }
            | Self::Replace { cause, .. }
            | Self::Read { cause, .. }
            | Self::Remove { cause, .. }
            | Self::MakeDirectory { cause, .. } => {
                matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::TooLarge { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_replaces_the_content_and_keeps_the_old_as_backup() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        write(&path, 0o600, Backup::Keep, b"one").unwrap();
        write(&path, 0o640, Backup::Keep, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read(beside(&path, "~")).unwrap(), b"one");
        assert!(!beside(&path, "+").exists());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn write_into_a_missing_directory_names_the_path() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("none/file");
        let error = write(&path, 0o600, Backup::Drop, b"x").unwrap_err();
        assert!(error.to_string().contains("none/file"), "{error}");
    }

    #[test]
    fn failing_writer_leaves_the_old_content_and_no_debris() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        write(&path, 0o600, Backup::Keep, b"old").unwrap();
        let refused = write_with(&path, 0o600, Backup::Keep, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(refused.unwrap_err().is_full_disk());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn write_does_not_follow_a_link_that_lies_in_wait() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, victim) = (scratch.path().join("file"), scratch.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, beside(&path, "+")).unwrap();
        write(&path, 0o600, Backup::Drop, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn make_directory_sets_the_mode_and_refuses_a_file_in_the_way() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a/b");
        make_directory(&path, 0o711).unwrap();
        make_directory(&path, 0o700).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let file = scratch.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(make_directory(&file, 0o700).unwrap_err().to_string().contains("file"));
    }

    #[test]
    fn read_refuses_more_than_the_limit() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        assert!(read(&path, 3).unwrap().is_none());
        std::fs::write(&path, "1234").unwrap();
        assert!(matches!(read(&path, 3), Err(FileError::TooLarge { limit: 3, .. })));
        assert_eq!(read(&path, 4).unwrap().unwrap(), b"1234");
    }
}
