//! File systems, where the standard library stops short.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};

/// Bytes an unprivileged writer may still take on the file system that holds `path`: statvfs(3).
pub fn free_space(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The room on a file system, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    pub total: u64,
    /// What an unprivileged writer may still take.
    pub free: u64,
    /// Files that can still be made; `None` where the file system does not count them.
    pub files: Option<u64>,
    pub read_only: bool,
}

/// How much room there is on the file system that holds `path`: statvfs(3).
pub fn space(path: &Path) -> io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(Space {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        files: (stat.f_files > 0).then_some(stat.f_favail),
        read_only: stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

/// For open(2): fail if the last part of the path is a symbolic link.
pub const O_NOFOLLOW: i32 = libc::O_NOFOLLOW;
/// For open(2): past the page cache.
pub const O_DIRECT: i32 = libc::O_DIRECT;
/// For open(2): of a block device, only if nobody has mounted it.
pub const O_EXCL: i32 = libc::O_EXCL;
/// From open(2) with [`O_EXCL`]: somebody has mounted it.
pub const EBUSY: i32 = libc::EBUSY;
/// For open(2): do not wait for the other end of a pipe.
pub const O_NONBLOCK: i32 = libc::O_NONBLOCK;

/// Makes everything on the file system that holds `file` durable: syncfs(2).
/// Cheaper than fsync(2) of each of many new files.
pub fn sync_file_system(file: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(file)?)
}

/// Lets go of what the page cache has of the first `until` bytes: `POSIX_FADV_DONTNEED` of posix_fadvise(2). Advice, so
/// nothing is lost when it is not followed.
pub fn forget_cached(file: &File, until: u64) {
    if let Some(length) = std::num::NonZeroU64::new(until) {
        let _ = rustix::fs::fadvise(file, 0, Some(length), rustix::fs::Advice::DontNeed);
    }
}

/// Marks a name as removed in the upper directory of an overlay: a character device 0, 0 of mknod(2).
pub fn make_whiteout(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::mknodat(rustix::fs::CWD, path, FileType::CharacterDevice, Mode::empty(), 0)?)
}

/// Gives `path` and everything below it to `uid:gid`, never through a symbolic link: fchownat(2).
///
/// Whoever may write below `path` may rearrange it meanwhile, so the walk goes from directory to directory by
/// descriptor. A file with several hard links is left as it is: its other name may be anybody's.
/// Fails with the path of the first thing that could not be given away.
pub fn chown_tree(path: &Path, uid: u32, gid: u32) -> Result<(), (PathBuf, io::Error)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|cause| (path.to_owned(), cause.into()))?;
    rustix::fs::fchown(&root, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
        .map_err(|cause| (path.to_owned(), cause.into()))?;
    chown_below(&root, path, uid, gid, 0)
}

/// Deeper trees are refused: each level holds a descriptor.
const MAX_DEPTH: usize = 256;

fn chown_below(directory: &OwnedFd, path: &Path, uid: u32, gid: u32, depth: usize) -> Result<(), (PathBuf, io::Error)> {
    let fault = |cause: rustix::io::Errno| (path.to_owned(), io::Error::from(cause));
    if depth > MAX_DEPTH {
        return Err(fault(rustix::io::Errno::NAMETOOLONG));
    }
    for entry in Dir::read_from(directory).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let below = path.join(OsStr::from_bytes(name.to_bytes()));
        chown_entry(directory, name, &below, uid, gid, depth)?;
    }
    Ok(())
}

fn chown_entry(
    directory: &OwnedFd,
    name: &std::ffi::CStr,
    path: &Path,
    uid: u32,
    gid: u32,
    depth: usize,
) -> Result<(), (PathBuf, io::Error)> {
    let fault = |cause: rustix::io::Errno| (path.to_owned(), io::Error::from(cause));
    let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        // Removed meanwhile.
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(cause) => return Err(fault(cause)),
    };
    let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if (stat.st_uid, stat.st_gid) != (uid, gid) && (is_directory || stat.st_nlink == 1) {
        let (owner, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(directory, name, owner, group, AtFlags::SYMLINK_NOFOLLOW).map_err(fault)?;
    }
    if is_directory {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let below = rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(fault)?;
        chown_below(&below, path, uid, gid, depth + 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn chown_tree_gives_away_everything_but_what_links_lead_to() {
        let scratch = tempfile::tempdir().unwrap();
        let (tree, outside) = (scratch.path().join("tree"), scratch.path().join("outside"));
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        std::fs::write(&outside, "x").unwrap();
        symlink(&outside, tree.join("link")).unwrap();
        std::fs::hard_link(&outside, tree.join("hard")).unwrap();
        let me = std::fs::metadata(&outside).unwrap();
        let uid = if me.uid() == 0 { 12_345 } else { me.uid() };
        if me.uid() != 0 {
            eprintln!("only root can give files away: checking that the walk succeeds");
        }
        chown_tree(&tree, uid, me.gid()).unwrap();
        for given in ["a", "a/b", "a/b/file", "link"] {
            assert_eq!(std::fs::symlink_metadata(tree.join(given)).unwrap().uid(), uid, "{given}");
        }
        assert_eq!(std::fs::metadata(&outside).unwrap().uid(), me.uid());
        assert!(chown_tree(&tree.join("link"), uid, me.gid()).is_err());
    }

    #[test]
    fn free_space_tells_of_missing_paths() {
        assert!(free_space(Path::new("/")).unwrap() > 0);
        assert!(free_space(Path::new("/does/not/exist")).is_err());
    }
}
