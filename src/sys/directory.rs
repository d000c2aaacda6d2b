//! A directory held open: what is done in it happens there, wherever its path leads meanwhile.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};

/// Names given to it are single names: with a slash in one, the promise of the module does not hold.
#[derive(Clone, Debug)]
pub struct Directory(Arc<OwnedFd>);

impl Directory {
    /// Fails for a symbolic link as for anything else that is no directory: open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(rustix::fs::open(path, DIRECTORY, Mode::empty())?)))
    }

    /// Opens a directory in this one; fails for a symbolic link: openat(2).
    pub fn enter(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(Arc::new(rustix::fs::openat(&*self.0, name, DIRECTORY, Mode::empty())?)))
    }

    /// Makes a directory; the umask takes its bits from `mode`: mkdirat(2).
    pub fn make(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&*self.0, name, Mode::from_raw_mode(mode))?)
    }

    /// Creates a file that is not there yet, to read and write: openat(2).
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&*self.0, name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Opens what is there, to read: openat(2). Fails for a symbolic link, and does not wait for a pipe's writer.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&*self.0, name, flags, Mode::empty())?.into())
    }

    /// As [`Self::read`], to read and write.
    pub fn modify(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&*self.0, name, flags, Mode::empty())?.into())
    }

    /// Renames within the directory, over a file of the new name if there is one: renameat(2).
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&*self.0, from, &*self.0, to)?)
    }

    /// Removes a name that is no directory; a link goes, not what it leads to: unlinkat(2).
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.0, name, AtFlags::empty())?)
    }

    /// The mode of the directory itself, exactly: fchmod(2).
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&*self.0, Mode::from_raw_mode(mode))?)
    }

    pub fn mode(&self) -> io::Result<u32> {
        Ok(rustix::fs::fstat(&*self.0)?.st_mode & 0o7777)
    }

    /// Its entries are durable: fsync(2).
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&*self.0)?)
    }

    /// Makes a symbolic link; what it says is looked at by nobody: symlinkat(2).
    pub fn symlink(&self, says: &OsStr, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(says, &*self.0, name)?)
    }

    /// Gives what `from` has of this name a second name here; a symbolic link is not followed: linkat(2).
    pub fn link(&self, from: &Self, old: &OsStr, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::linkat(&*from.0, old, &*self.0, name, AtFlags::empty())?)
    }

    /// Makes a device node or a pipe, readable by its owner alone: mknodat(2).
    pub fn make_node(&self, name: &OsStr, node: Node) -> io::Result<()> {
        let (kind, number) = match node {
            Node::Character(major, minor) => (FileType::CharacterDevice, rustix::fs::makedev(major, minor)),
            Node::Block(major, minor) => (FileType::BlockDevice, rustix::fs::makedev(major, minor)),
            Node::Pipe => (FileType::Fifo, 0),
        };
        Ok(rustix::fs::mknodat(&*self.0, name, kind, Mode::RUSR | Mode::WUSR, number)?)
    }

    /// Gives what has this name to somebody, a symbolic link itself: fchownat(2). It may clear bits of the mode.
    pub fn give(&self, name: &OsStr, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        Ok(rustix::fs::chownat(&*self.0, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The mode of what has this name, which is known to be no symbolic link: fchmodat(2).
    pub fn set_mode_of(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::chmodat(&*self.0, name, Mode::from_raw_mode(mode), AtFlags::empty())?)
    }

    /// When it was last changed, a symbolic link itself: utimensat(2).
    pub fn set_time_of(&self, name: &OsStr, seconds: i64) -> io::Result<()> {
        let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        Ok(rustix::fs::utimensat(&*self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// An extended attribute of the directory itself: fsetxattr(2).
    pub fn set_attribute(&self, name: &OsStr, value: &[u8]) -> io::Result<()> {
        set_attribute(&*self.0, name, value)
    }

    /// Gives the directory itself to somebody: fchown(2).
    pub fn give_itself(&self, uid: u32, gid: u32) -> io::Result<()> {
        Ok(rustix::fs::fchown(&*self.0, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?)
    }
}

/// Something in a directory that is neither file, directory nor link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    /// Major and minor number.
    Character(u32, u32),
    Block(u32, u32),
    Pipe,
}

/// Sets an extended attribute of an open file: fsetxattr(2).
pub fn set_attribute(of: impl std::os::fd::AsFd, name: &OsStr, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(of, name, value, rustix::fs::XattrFlags::empty())?)
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn directory_stays_itself_when_its_path_leads_elsewhere() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, outside) = (scratch.path().join("it"), scratch.path().join("outside"));
        std::fs::create_dir(&path).unwrap();
        std::fs::create_dir(&outside).unwrap();
        let held = Directory::open(&path).unwrap();
        std::fs::rename(&path, scratch.path().join("moved")).unwrap();
        symlink(&outside, &path).unwrap();
        held.create(OsStr::new("file"), 0o600).unwrap();
        assert!(scratch.path().join("moved/file").exists());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        assert!(Directory::open(&path).is_err(), "a link is no directory");
    }

    #[test]
    fn links_are_neither_entered_nor_read_nor_written() {
        let scratch = tempfile::tempdir().unwrap();
        let (inside, outside) = (scratch.path().join("inside"), scratch.path().join("outside"));
        std::fs::create_dir(&inside).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("file"), "precious").unwrap();
        symlink(&outside, inside.join("directory")).unwrap();
        symlink(outside.join("file"), inside.join("file")).unwrap();
        symlink(outside.join("new"), inside.join("new")).unwrap();
        let held = Directory::open(&inside).unwrap();
        assert!(held.enter(OsStr::new("directory")).is_err());
        assert!(held.read(OsStr::new("file")).is_err());
        assert!(held.modify(OsStr::new("file")).is_err());
        assert!(held.create(OsStr::new("new"), 0o600).is_err());
        held.remove(OsStr::new("file")).unwrap();
        assert_eq!(std::fs::read_to_string(outside.join("file")).unwrap(), "precious");
        assert!(!outside.join("new").exists());
    }
}
