//! Copies artifacts that lie on the device into the store.
//!
//! What is below a version's directory in the store belongs to the component's user, who may plant links there at any
//! moment. So the copy goes from directory to directory by descriptor and follows none: a link in its way gives way.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::file::{self, FileError};
use super::{ArtifactError, Incoming, Place, hash};
use crate::sys;
use crate::sys::directory::Directory;

/// Copies the files below `from` to below `to`, each in one step; `room` bytes at most. Returns the bytes copied.
///
/// A file whose content is there already is left alone. A link to a file inside `from` is copied as that file; a link
/// that leads out, or to a directory, and anything that is neither file nor directory, is refused.
pub fn copy_tree(from: &Path, to: &Path, mode: u32, room: u64) -> Result<u64, ArtifactError> {
    let root = from.canonicalize().map_err(|cause| FileError::Read { path: from.to_owned(), cause })?;
    file::make_directory(to, DIRECTORY_MODE)?;
    let target = Directory::open(to).map_err(|cause| FileError::Read { path: to.to_owned(), cause })?;
    let mut left = room;
    // Entered only when it is its turn: what waits holds the descriptors of its parents, not one each.
    let mut waiting = vec![(PathBuf::new(), target, 0)];
    while let Some((below, parent, depth)) = waiting.pop() {
        let (source, path) = (root.join(&below), to.join(&below));
        if depth > DEEPEST {
            return Err(ArtifactError::TooDeep { path: source });
        }
        let target = match below.file_name() {
            Some(name) => {
                make_inside(&parent, name).map_err(|cause| FileError::MakeDirectory { path: path.clone(), cause })?
            }
            None => parent,
        };
        let fault = |cause| FileError::Read { path: source.clone(), cause };
        for entry in std::fs::read_dir(&source).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name();
            if entry.file_type().map_err(fault)?.is_dir() {
                waiting.push((below.join(name), target.clone(), depth + 1));
            } else {
                let place = Place { directory: target.clone(), path: path.join(&name), name };
                left -= copy_file(&root, &entry.path(), place, mode, left)?;
            }
        }
    }
    Ok(room - left)
}

/// A directory of this name in `parent`, instead of whatever else had the name.
fn make_inside(parent: &Directory, name: &OsStr) -> io::Result<Directory> {
    let made = match parent.enter(name) {
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            if cause.kind() == io::ErrorKind::NotADirectory {
                parent.remove(name)?;
            }
            parent.make(name, DIRECTORY_MODE)?;
            parent.sync()?;
            parent.enter(name)?
        }
        entered => entered?,
    };
    if made.mode()? != DIRECTORY_MODE {
        made.set_mode(DIRECTORY_MODE)?;
    }
    Ok(made)
}

fn copy_file(root: &Path, from: &Path, to: Place, mode: u32, room: u64) -> Result<u64, ArtifactError> {
    let fault = |cause| FileError::Read { path: from.to_owned(), cause };
    // Without O_NONBLOCK a pipe would keep us waiting for its writer.
    let mut source = OpenOptions::new().read(true).custom_flags(sys::fs::O_NONBLOCK).open(from).map_err(fault)?;
    let found = source.metadata().map_err(fault)?;
    if !found.is_file() {
        return Err(ArtifactError::NotAFile { path: from.to_owned() });
    }
    // Asked of the open file, not of the path: what was opened cannot be exchanged any more.
    let real = std::fs::read_link(format!("/proc/self/fd/{}", source.as_raw_fd())).map_err(fault)?;
    if !real.starts_with(root) {
        return Err(ArtifactError::LeadsOut { path: from.to_owned(), target: real });
    }
    if let Some(there) = same_length(&to, found.len()) {
        if digest(&source).map_err(fault)? == digest(&there).unwrap_or_default() {
            let same = there.set_permissions(Permissions::from_mode(mode));
            same.map_err(|cause| FileError::Write { path: to.path, cause })?;
            return Ok(0);
        }
        source.rewind().map_err(fault)?;
    }
    let path = to.path.clone();
    let mut incoming = Incoming::begin_at(to, room)?;
    match pour(&mut source, &mut incoming, from, &path) {
        Ok(length) => incoming.finish(None, mode).map(|()| length),
        Err(error) => {
            // A copy begins anew anyway, and the disk may be full.
            let _ = incoming.discard();
            Err(error.into())
        }
    }
}

/// The file that is there, if it may be the one to come. One with several names is not ours alone to change.
fn same_length(to: &Place, length: u64) -> Option<File> {
    let there = to.directory.read(&to.name).ok()?;
    let found = there.metadata().ok()?;
    (found.is_file() && found.nlink() == 1 && found.len() == length).then_some(there)
}

fn digest(file: &File) -> io::Result<Vec<u8>> {
    let mut hasher = Sha256::new();
    hash(file, &mut hasher)?;
    Ok(hasher.finalize().to_vec())
}

fn pour(source: &mut File, incoming: &mut Incoming, from: &Path, to: &Path) -> Result<u64, FileError> {
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(|cause| FileError::Read { path: from.to_owned(), cause })?,
        };
        let written = incoming.write_all(&buffer[..read]);
        written.map_err(|cause| FileError::Write { path: to.to_owned(), cause })?;
        length += read as u64;
    }
}

const DIRECTORY_MODE: u32 = 0o755;
/// Directories below each other: each level holds a descriptor.
const DEEPEST: usize = 64;
