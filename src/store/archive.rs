//! Unpacking a zip archive that anybody may have made.
//!
//! Everything is unpacked into a directory beside the target, made durable, and renamed: the target is there wholly or
//! not at all. An interrupted attempt leaves that directory, the next one begins by removing it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::file::{self, FileError};
use crate::sys;

/// Members an archive may have.
pub const MAX_MEMBERS: usize = 65_536;
/// Bytes the table of contents may take: it is read into memory whole.
pub const MAX_CONTENTS: u64 = 16 << 20;
/// Bytes an archive may unpack to.
pub const MAX_TOTAL: u64 = 4 << 30;
/// Bytes an archive may unpack to for each of its own, beyond [`RATIO_FREE`].
pub const MAX_RATIO: u64 = 200;
/// Up to so many bytes the ratio does not matter: small files of zeros are no attack.
pub const RATIO_FREE: u64 = 64 << 20;

/// Files of larger archives are made durable with the whole file system instead of one by one.
const SYNC_EACH: usize = 64;

/// What to do when the target is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// It is complete, as it was renamed when it was: leave it.
    Keep,
    Replace,
}

/// The directory an archive of this name is unpacked into: the name without its extension.
pub fn directory_name(archive: &str) -> &str {
    match archive.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => archive,
    }
}

/// Unpacks `archive` into the directory `target`, with `mode` on every file and 0755 on every directory. Takes at most
/// `room` bytes. When this fails nothing is left behind. Returns the bytes written.
pub fn unpack(archive: &Path, target: &Path, mode: u32, room: u64, existing: Existing) -> Result<u64, ArchiveError> {
    if existing == Existing::Keep && std::fs::symlink_metadata(target).is_ok_and(|found| found.is_dir()) {
        return Ok(0);
    }
    let name = target.file_name().ok_or_else(|| ArchiveError::Target { path: target.to_owned() })?;
    let mut staging_name = std::ffi::OsString::from(".");
    staging_name.push(name);
    staging_name.push(".unpacking");
    let staging = target.with_file_name(staging_name);
    file::remove_directory(&staging)?;
    let written = unpack_into(archive, &staging, mode, room).and_then(|written| {
        if written.members > SYNC_EACH {
            let fault = |cause| FileError::Write { path: staging.clone(), cause };
            File::open(&staging).and_then(|directory| sys::fs::sync_file_system(&directory)).map_err(fault)?;
        }
        file::remove_directory(target)?;
        file::swap(&staging, target, file::Backup::Drop)?;
        file::sync_parent(target)?;
        Ok(written.bytes)
    });
    if written.is_err() {
        // The first failure is the one to tell.
        let _ = file::remove_directory(&staging);
    }
    written
}

fn unpack_into(path: &Path, target: &Path, mode: u32, room: u64) -> Result<Unpacked, ArchiveError> {
    let file = File::open(path).map_err(|cause| FileError::Read { path: path.to_owned(), cause })?;
    let size = file.metadata().map_err(|cause| FileError::Read { path: path.to_owned(), cause })?.len();
    file::make_directory(target, 0o755)?;
    let limit = room.min(MAX_TOTAL).min(RATIO_FREE.max(size.saturating_mul(MAX_RATIO)));
    unpack_from(file, path, target, mode, limit)
}

/// The part that looks at what is inside.
pub(super) fn unpack_from(
    from: impl Read + Seek,
    path: &Path,
    target: &Path,
    mode: u32,
    limit: u64,
) -> Result<Unpacked, ArchiveError> {
    let broken = |cause| ArchiveError::Broken { path: path.to_owned(), cause };
    let budget = Cell::new(MAX_CONTENTS);
    let mut archive = ZipArchive::new(Metered { from, budget: &budget }).map_err(broken)?;
    // From here on what is read is what is unpacked, and that has a limit of its own.
    budget.set(u64::MAX);
    if archive.len() > MAX_MEMBERS {
        return Err(ArchiveError::TooManyMembers { path: path.to_owned(), found: archive.len() });
    }
    let sync_each = archive.len() <= SYNC_EACH;
    let mut job = Job { path, target, mode, sync_each, left: limit, limit, seen: BTreeSet::new(), links: Vec::new() };
    if archive.has_duplicate_names() {
        return Err(job.refuse(b"", "two members have the same name"));
    }
    // The members of the smallest bombs all point at the same bytes.
    if archive.has_overlapping_files().map_err(broken)? {
        return Err(job.refuse(b"", "two members share their bytes"));
    }
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|cause| match cause {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => job.refuse(b"", "a member is encrypted"),
            cause => ArchiveError::Broken { path: path.to_owned(), cause },
        })?;
        job.member(&mut member)?;
    }
    job.make_links()?;
    Ok(Unpacked { bytes: limit - job.left, members: archive.len() })
}

/// What was unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    bytes: u64,
    members: usize,
}

struct Job<'a> {
    path: &'a Path,
    target: &'a Path,
    mode: u32,
    sync_each: bool,
    left: u64,
    limit: u64,
    seen: BTreeSet<PathBuf>,
    /// Made last, so that nothing is ever written through one: place and target.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Job<'_> {
    fn member<R: Read + Seek>(&mut self, member: &mut ZipFile<'_, R>) -> Result<(), ArchiveError> {
        let raw = member.name_raw().to_vec();
        let below = inside(&raw).map_err(|fault| self.refuse(&raw, fault))?;
        if member.encrypted() {
            return Err(self.refuse(&raw, "it is encrypted"));
        }
        let kind = member.unix_mode().unwrap_or(0) & S_IFMT;
        let is_directory = raw.ends_with(b"/");
        if below.as_os_str().is_empty() && is_directory {
            return Ok(());
        }
        if below.as_os_str().is_empty() || !self.seen.insert(below.clone()) {
            return Err(self.refuse(&raw, "its place is taken"));
        }
        match (kind, is_directory) {
            (0 | S_IFDIR, true) => self.make_directories(&below),
            (0 | S_IFREG, false) => self.write_file(&below, member),
            (S_IFLNK, false) => self.note_link(&raw, below, member),
            _ => Err(self.refuse(&raw, "it is neither a file, nor a directory, nor a link")),
        }
    }

    fn make_directories(&self, below: &Path) -> Result<(), ArchiveError> {
        let mut path = self.target.to_owned();
        for part in below {
            path.push(part);
            file::make_directory(&path, 0o755)?;
        }
        Ok(())
    }

    fn write_file(&mut self, below: &Path, member: &mut impl Read) -> Result<(), ArchiveError> {
        if let Some(parent) = below.parent() {
            self.make_directories(parent)?;
        }
        let path = self.target.join(below);
        let mut file = file::create(&path, 0o600)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match member.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => {
                    let member = below.to_owned();
                    return Err(ArchiveError::Member { path: self.path.to_owned(), member, cause });
                }
            };
            self.left = self
                .left
                .checked_sub(read as u64)
                .ok_or_else(|| ArchiveError::TooLarge { path: self.path.to_owned(), limit: self.limit })?;
            file.write_all(&buffer[..read]).map_err(|cause| FileError::Write { path: path.clone(), cause })?;
        }
        let mode = file.set_permissions(Permissions::from_mode(self.mode));
        let done = mode.and_then(|()| if self.sync_each { file.sync_all() } else { Ok(()) });
        Ok(done.map_err(|cause| FileError::Write { path, cause })?)
    }

    /// A link may lead up only in its first steps: those leave directories that we made. A later `..` could leave
    /// wherever another link leads.
    fn note_link(&mut self, raw: &[u8], below: PathBuf, member: &mut impl Read) -> Result<(), ArchiveError> {
        let mut text = Vec::new();
        let read = member.take(MAX_LINK).read_to_end(&mut text);
        read.map_err(|cause| ArchiveError::Member { path: self.path.to_owned(), member: below.clone(), cause })?;
        let target = match std::str::from_utf8(&text) {
            Ok(text) if !text.is_empty() && !text.contains('\0') => PathBuf::from(text),
            _ => return Err(self.refuse(raw, "it is a link to nowhere")),
        };
        let up = target.components().take_while(|part| *part == Component::ParentDir).count();
        let plain = target.components().skip(up).all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if up >= below.components().count() || !plain {
            return Err(self.refuse(raw, "it is a link that leads out"));
        }
        self.links.push((below, target));
        Ok(())
    }

    fn make_links(&self) -> Result<(), ArchiveError> {
        // All directories first: a link must not become a part of another one's path.
        for (below, _) in &self.links {
            self.make_directories(below.parent().unwrap_or(Path::new("")))?;
        }
        for (below, target) in &self.links {
            let path = self.target.join(below);
            symlink(target, &path).map_err(|cause| FileError::Create { path, cause })?;
        }
        Ok(())
    }

    fn refuse(&self, member: &[u8], fault: &'static str) -> ArchiveError {
        let member: String = String::from_utf8_lossy(member).chars().take(200).collect();
        ArchiveError::Refused { path: self.path.to_owned(), member, fault }
    }
}

/// The place a member's name names, below the target.
fn inside(raw: &[u8]) -> Result<PathBuf, &'static str> {
    let name = std::str::from_utf8(raw).map_err(|_| "its name is not UTF-8")?;
    if name.contains('\0') {
        return Err("its name holds a NUL");
    }
    if name.starts_with('/') {
        return Err("its name is an absolute path");
    }
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.map(|part| if part == ".." { Err("its name leads out") } else { Ok(part) }).collect()
}

/// The longest target of a link: PATH_MAX.
const MAX_LINK: u64 = 4096;

// The kinds of files, as a Unix archiver notes them: inode(7).
const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// Reads no more than the budget.
struct Metered<'a, R> {
    from: R,
    budget: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        match self.budget.get().checked_sub(read as u64) {
            Some(left) => self.budget.set(left),
            None => return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the table of contents is too large")),
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.from.seek(to)
    }
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is not a zip archive that can be read", path.display())]
    Broken {
        path: PathBuf,
        #[source]
        cause: ZipError,
    },
    #[error("cannot unpack {} of {}", member.display(), path.display())]
    Member {
        path: PathBuf,
        member: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is refused because of its member {member:?}: {fault}", path.display())]
    Refused { path: PathBuf, member: String, fault: &'static str },
    #[error("{} has {found} members, more than {MAX_MEMBERS}", path.display())]
    TooManyMembers { path: PathBuf, found: usize },
    #[error("{} unpacks to more than {limit} bytes", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{} names no directory", path.display())]
    Target { path: PathBuf },
}

#[cfg(test)]
mod tests;
