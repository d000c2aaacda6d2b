//! The artifacts of installed components: how they get into the store, what they take, how they leave it.

mod copy;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::file::{self, FileError};
use super::paths::Paths;
use super::recipes::{Recipes, names};
use crate::sys;
use crate::sys::directory::Directory;
use crate::wire::name::{ComponentName, ComponentVersion};

pub use copy::copy_tree;

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
///
/// The directory is held open: a component's user who may rearrange it meanwhile leads nothing astray.
#[derive(Debug)]
pub struct Incoming {
    place: Place,
    file: File,
    hasher: Sha256,
    length: u64,
    room: u64,
}

impl Incoming {
    /// Begins anew. More than `room` bytes are refused.
    pub fn begin(path: &Path, room: u64) -> Result<Self, ArtifactError> {
        Self::begin_at(Place::of(path)?, room)
    }

    fn begin_at(place: Place, room: u64) -> Result<Self, ArtifactError> {
        let fault = |cause| FileError::Create { path: place.path.clone(), cause };
        let part = place.part();
        match place.directory.remove(&part) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(fault(cause).into()),
            _ => {}
        }
        let file = place.directory.create(&part, 0o600).map_err(fault)?;
        Ok(Self { place, file, hasher: Sha256::new(), length: 0, room })
    }

    /// Goes on with what an interrupted attempt left; begins anew if there is nothing, or more than `expected` bytes.
    pub fn resume(path: &Path, room: u64, expected: Option<u64>) -> Result<Self, ArtifactError> {
        let place = Place::of(path)?;
        let Ok(mut file) = place.directory.modify(&place.part()) else {
            return Self::begin_at(place, room);
        };
        let fault = |cause| FileError::Read { path: place.path.clone(), cause };
        // Several names, or a pipe: not what an attempt of ours leaves.
        if !file.metadata().is_ok_and(|found| found.is_file() && found.nlink() == 1) {
            return Self::begin_at(place, room);
        }
        let mut hasher = Sha256::new();
        let length = hash(&mut file, &mut hasher).map_err(fault)?;
        if expected.is_some_and(|expected| length > expected) {
            return Self::begin_at(place, room);
        }
        Ok(Self { place, file, hasher, length, room })
    }

    /// Bytes there already.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Checks the digest (SHA-256, base64), sets the mode and puts the artifact in its place, durably.
    /// One with another digest is deleted.
    pub fn finish(self, digest: Option<&str>, mode: u32) -> Result<(), ArtifactError> {
        let found = self.hasher.clone().finalize();
        if let Some(expected) = digest.filter(|digest| !same_digest(&found, digest)) {
            let (path, expected) = (self.place.path.clone(), expected.into());
            self.discard()?;
            return Err(ArtifactError::Digest { path, expected, found: STANDARD.encode(found) });
        }
        let Self { place, file, .. } = self;
        let written = file.set_permissions(Permissions::from_mode(mode)).and_then(|()| file.sync_all());
        written.map_err(|cause| FileError::Write { path: place.path.clone(), cause })?;
        let placed = place.directory.rename(&place.part(), &place.name).and_then(|()| place.directory.sync());
        Ok(placed.map_err(|cause| FileError::Replace { path: place.path, cause })?)
    }

    /// Forgets what came so far.
    pub fn discard(self) -> Result<(), ArtifactError> {
        match self.place.directory.remove(&self.place.part()) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(FileError::Remove { path: self.place.path, cause }.into())
            }
            _ => Ok(()),
        }
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

/// Where a file is, or shall be.
#[derive(Clone, Debug)]
struct Place {
    directory: Directory,
    name: OsString,
    /// For messages.
    path: PathBuf,
}

impl Place {
    fn of(path: &Path) -> Result<Self, ArtifactError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ArtifactError::NotAFile { path: path.to_owned() });
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let directory = Directory::open(parent).map_err(|cause| FileError::Read { path: parent.to_owned(), cause })?;
        Ok(Self { directory, name: name.to_owned(), path: path.to_owned() })
    }

    fn part(&self) -> OsString {
        let mut part = OsString::from(".");
        part.push(&self.name);
        part.push(".part");
        part
    }
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
    #[error("{} nests too deep", path.display())]
    TooDeep { path: PathBuf },
    #[error("{} leads out of the artifact directory, to {}", path.display(), target.display())]
    LeadsOut { path: PathBuf, target: PathBuf },
}

#[cfg(test)]
mod tests;
