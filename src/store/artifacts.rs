//! The artifacts of installed components: how they get into the store, what they take, how they leave it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::file::{self, FileError};
use super::paths::Paths;
use super::recipes::{Recipes, names};
use crate::sys;
use crate::wire::name::{ComponentName, ComponentVersion};

/// Bytes that stay free on the file system whatever is downloaded or unpacked: logs and ledgers must go on.
pub const RESERVE: u64 = 20_000_000;

/// Bytes that may still be added to `packages/` when all of it may take `max`.
pub fn room(paths: &Paths, max: u64) -> Result<u64, ArtifactError> {
    let packages = paths.packages();
    let free = sys::fs::free_space(&packages).map_err(|cause| FileError::Read { path: packages.clone(), cause })?;
    Ok(free.saturating_sub(RESERVE).min(max.saturating_sub(size(&packages)?)))
}

/// Bytes in the files below `path`; links count nothing and lead nowhere.
pub fn size(path: &Path) -> Result<u64, ArtifactError> {
    let mut total = 0;
    let mut waiting = vec![path.to_owned()];
    while let Some(directory) = waiting.pop() {
        let fault = |cause| FileError::Read { path: directory.clone(), cause };
        let entries = match std::fs::read_dir(&directory) {
            // Removed meanwhile.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(fault)?,
        };
        for entry in entries {
            let entry = entry.map_err(fault)?;
            match entry.metadata() {
                Ok(found) if found.is_dir() => waiting.push(entry.path()),
                Ok(found) if found.is_file() => total += found.len(),
                _ => {}
            }
        }
    }
    Ok(total)
}

/// Whether the file at `path` has this digest (SHA-256, base64); false when there is none.
pub fn matches(path: &Path, digest: &str) -> Result<bool, ArtifactError> {
    let fault = |cause| FileError::Read { path: path.to_owned(), cause };
    let file = match File::open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(fault)?,
    };
    let mut hasher = Sha256::new();
    hash(file, &mut hasher).map_err(fault)?;
    Ok(same_digest(&hasher.finalize(), digest))
}

/// An artifact on its way into the store. It gets its name only when it is complete; until then it is `.<name>.part`,
/// which a later attempt goes on with.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    part: PathBuf,
    file: File,
    hasher: Sha256,
    length: u64,
    room: u64,
}

impl Incoming {
    /// Begins anew. More than `room` bytes are refused.
    pub fn begin(path: &Path, room: u64) -> Result<Self, ArtifactError> {
        let part = part_of(path)?;
        let file = file::create(&part, 0o600)?;
        Ok(Self { path: path.to_owned(), part, file, hasher: Sha256::new(), length: 0, room })
    }

    /// Goes on with what an interrupted attempt left; begins anew if there is nothing, or more than `expected` bytes.
    pub fn resume(path: &Path, room: u64, expected: Option<u64>) -> Result<Self, ArtifactError> {
        let part = part_of(path)?;
        let nofollow = sys::fs::O_NOFOLLOW;
        let Ok(mut file) = OpenOptions::new().read(true).write(true).custom_flags(nofollow).open(&part) else {
            return Self::begin(path, room);
        };
        let mut hasher = Sha256::new();
        let fault = |cause| FileError::Read { path: part.clone(), cause };
        let length = hash(&mut file, &mut hasher).map_err(fault)?;
        if expected.is_some_and(|expected| length > expected) {
            return Self::begin(path, room);
        }
        Ok(Self { path: path.to_owned(), part, file, hasher, length, room })
    }

    /// Bytes there already.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Checks the digest (SHA-256, base64), sets the mode and puts the artifact in its place, durably.
    /// One with another digest is deleted.
    pub fn finish(self, digest: Option<&str>, mode: u32) -> Result<(), ArtifactError> {
        let Self { path, part, file, hasher, .. } = self;
        let found = hasher.finalize();
        if let Some(expected) = digest.filter(|digest| !same_digest(&found, digest)) {
            file::remove(&part)?;
            return Err(ArtifactError::Digest { path, expected: expected.into(), found: STANDARD.encode(found) });
        }
        let fault = |cause| FileError::Write { path: part.clone(), cause };
        file.set_permissions(Permissions::from_mode(mode)).and_then(|()| file.sync_all()).map_err(fault)?;
        file::swap(&part, &path, file::Backup::Drop)?;
        Ok(file::sync_parent(&path)?)
    }

    /// Forgets what came so far.
    pub fn discard(self) -> Result<(), ArtifactError> {
        Ok(file::remove(&self.part)?)
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.room {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the component store has no room for it"));
        }
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        self.room -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies the files below `from` to below `to`, each in one step; `room` bytes at most. Returns the bytes copied.
///
/// A file whose content is there already is left alone. A link to a file inside `from` is copied as that file; a link
/// that leads out, or to a directory, and anything that is neither file nor directory, is refused.
pub fn copy_tree(from: &Path, to: &Path, mode: u32, room: u64) -> Result<u64, ArtifactError> {
    let fault = |cause| FileError::Read { path: from.to_owned(), cause };
    let root = from.canonicalize().map_err(fault)?;
    let mut copied = 0;
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let directory = root.join(&below);
        let fault = |cause| FileError::Read { path: directory.clone(), cause };
        file::make_directory(&to.join(&below), 0o755)?;
        for entry in std::fs::read_dir(&directory).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let below = below.join(entry.file_name());
            if entry.file_type().map_err(fault)?.is_dir() {
                waiting.push(below);
            } else {
                copied += copy_file_in(&root, &entry.path(), &to.join(below), mode, room - copied)?;
            }
        }
    }
    Ok(copied)
}

/// Copies one file into the store, in one step, unless its content is there already. Returns the bytes copied.
pub fn copy_file(from: &Path, to: &Path, mode: u32, room: u64) -> Result<u64, ArtifactError> {
    copy_file_in(Path::new("/"), from, to, mode, room)
}

fn copy_file_in(root: &Path, from: &Path, to: &Path, mode: u32, room: u64) -> Result<u64, ArtifactError> {
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
    if std::fs::symlink_metadata(to).is_ok_and(|there| there.is_file() && there.len() == found.len()) {
        let mut hasher = Sha256::new();
        hash(&mut source, &mut hasher).map_err(fault)?;
        if matches(to, &STANDARD.encode(hasher.finalize()))? {
            let same = std::fs::set_permissions(to, Permissions::from_mode(mode));
            same.map_err(|cause| FileError::Write { path: to.to_owned(), cause })?;
            return Ok(0);
        }
        io::Seek::rewind(&mut source).map_err(fault)?;
    }
    let mut incoming = Incoming::begin(to, room)?;
    let copied = io::copy(&mut source, &mut incoming);
    match copied {
        Ok(length) => incoming.finish(None, mode).map(|()| length),
        Err(cause) => {
            // A copy begins anew anyway, and the disk may be full.
            let _ = incoming.discard();
            Err(FileError::Write { path: to.to_owned(), cause }.into())
        }
    }
}

/// Removes every version that `keep` does not hold: artifacts, what was unpacked, recipe. Goes on after a failure and
/// returns what was removed and what could not be.
pub fn clean_up(
    paths: &Paths,
    keep: &BTreeSet<(ComponentName, ComponentVersion)>,
) -> (Vec<(ComponentName, ComponentVersion)>, Vec<ArtifactError>) {
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    let recipes = Recipes::new(paths);
    let packages = paths.packages();
    let mut stored = BTreeSet::new();
    for shelf in ["artifacts", "artifacts-unarchived"] {
        for name in names(&packages.join(shelf)).unwrap_or_default() {
            let Ok(component) = ComponentName::parse(&name) else { continue };
            let versions = names(&packages.join(shelf).join(&name)).unwrap_or_default();
            let versions = versions.iter().filter_map(|version| ComponentVersion::parse(version).ok());
            stored.extend(versions.map(|version| (component.clone(), version)));
            stored.extend(recipes.versions(&component).unwrap_or_default().into_iter().map(|v| (component.clone(), v)));
        }
    }
    for (name, version) in stored.difference(keep) {
        let gone = file::remove_directory(&paths.artifacts(name, version))
            .and_then(|()| file::remove_directory(&paths.unarchived(name, version)))
            .and_then(|()| recipes.remove(name, version));
        match gone {
            Ok(()) => removed.push((name.clone(), version.clone())),
            Err(cause) => failures.push(cause.into()),
        }
        for directory in [paths.artifacts(name, version), paths.unarchived(name, version)] {
            // Only if it was the last version.
            let _ = directory.parent().map(std::fs::remove_dir);
        }
    }
    (removed, failures)
}

fn part_of(path: &Path) -> Result<PathBuf, ArtifactError> {
    let name = path.file_name().ok_or_else(|| ArtifactError::NotAFile { path: path.to_owned() })?;
    let mut part = std::ffi::OsString::from(".");
    part.push(name);
    part.push(".part");
    Ok(path.with_file_name(part))
}

/// Reads to the end.
fn hash(mut from: impl Read, hasher: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
}

fn same_digest(found: &[u8], expected: &str) -> bool {
    STANDARD.decode(expected.trim()).is_ok_and(|expected| expected == found)
}

/// What went wrong with an artifact.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} has the SHA-256 digest {found} instead of {expected}", path.display())]
    Digest { path: PathBuf, expected: String, found: String },
    #[error("{} is not a plain file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} leads out of the artifact directory, to {}", path.display(), target.display())]
    LeadsOut { path: PathBuf, target: PathBuf },
}
