//! The root of the file tree, and putting another in its place: `mount(2)`, `chroot(2)`, `switch_root(8)`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// The root as it was before [`switch`].
#[derive(Debug)]
pub struct OldRoot(OwnedFd);

/// Whether a directory lies on a file system in memory, as an initramfs does: `statfs(2)`.
pub fn is_in_memory(path: &Path) -> io::Result<bool> {
    let kind = u64::from_ne_bytes((rustix::fs::statfs(path)?.f_type as i64).to_ne_bytes()) & 0xffff_ffff;
    Ok(matches!(kind, RAMFS_MAGIC | TMPFS_MAGIC))
}

const RAMFS_MAGIC: u64 = 0x8584_58f6;
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Makes the mount at `new` the root of this process and of all that it starts: `switch_root(8)`.
///
/// Not `pivot_root(2)`: the first root of the kernel, an initramfs, cannot be pivoted away from.
pub fn switch(new: &Path) -> io::Result<OldRoot> {
    let old = rustix::fs::open("/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // From inside, because the path of `new` ends to lead anywhere with the next line.
    rustix::process::chdir(new)?;
    // Over the old root, which stays below out of sight.
    rustix::mount::mount_move(".", "/")?;
    // The new one is "." still, while "/" is the old one's directory: take what we stand in.
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")?;
    Ok(OldRoot(old))
}

impl OldRoot {
    /// Gives the memory of an initramfs back: removes all files, never those of another mount.
    /// What cannot be removed is left and counted. A root that is not in memory is left alone.
    pub fn empty(self) -> io::Result<usize> {
        let stat = rustix::fs::fstatfs(&self.0)?;
        let kind = u64::from_ne_bytes((stat.f_type as i64).to_ne_bytes()) & 0xffff_ffff;
        if !matches!(kind, RAMFS_MAGIC | TMPFS_MAGIC) {
            return Ok(0);
        }
        let device = rustix::fs::fstat(&self.0)?.st_dev;
        Ok(empty_directory(&self.0, device, 0))
    }
}

/// Deeper trees stay: each level holds a descriptor.
const MAX_DEPTH: usize = 64;

fn empty_directory(directory: &OwnedFd, device: u64, depth: usize) -> usize {
    let Ok(entries) = Dir::read_from(directory) else { return 1 };
    let mut left = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if stat.st_dev != device {
            continue;
        }
        let flag = if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(directory, name, flags, Mode::empty()) {
                Ok(below) if depth < MAX_DEPTH => left += empty_directory(&below, device, depth + 1),
                _ => left += 1,
            }
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        if rustix::fs::unlinkat(directory, name, flag).is_err() {
            left += 1;
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_directory_follows_no_link() {
        let scratch = tempfile::tempdir().unwrap();
        let (tree, outside) = (scratch.path().join("tree"), scratch.path().join("outside"));
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("a/link")).unwrap();
        let root = rustix::fs::open(&tree, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let device = rustix::fs::fstat(&root).unwrap().st_dev;
        assert_eq!(empty_directory(&root, device, 0), 0);
        assert_eq!(std::fs::read_dir(&tree).unwrap().count(), 0);
        assert!(outside.join("kept").exists());
        // Another device is another mount.
        std::fs::write(tree.join("foreign"), "x").unwrap();
        empty_directory(&root, device + 1, 0);
        assert!(tree.join("foreign").exists());
    }
}
