//! The file a listening Unix socket leaves in a directory: cleared before, shared after, removed at the end.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// Removes a socket that a daemon which did not end in order left behind.
///
/// The caller holds the lock of the root directory: whoever listened there is gone. What is no socket is not ours
/// to remove and refused with [`io::ErrorKind::AlreadyExists`].
pub fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
    }
}

/// Lets the owner and `group` connect and nobody else: mode 0660.
///
/// The group comes first: had the mode come first, the group of our process could connect for a moment.
pub fn share(path: &Path, group: u32) -> io::Result<()> {
    if fs::metadata(path)?.gid() != group {
        chown(path, None, Some(group))?;
    }
    fs::set_permissions(path, Permissions::from_mode(0o660))
}

/// Removes the socket at the end; one that is gone already is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Lets every local user connect: mode 0666. Whoever listens there must ask who comes.
pub fn open_to_all(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o666))
}
