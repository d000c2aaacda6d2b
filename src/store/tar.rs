//! Unpacking a tar archive as the content of a file system: owners, modes, nodes and attributes as they are in it.
//!
//! Members come one after the other, and memory does not grow with the archive. Each step goes from an open directory to
//! the next and never through a symbolic link, so nothing is written but below the root, whatever the archive says.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;

use crate::sys::directory::{Directory, Node, set_attribute};
use crate::sys::fs;
use crate::wire::tar::{BLOCK, Extension, Header, Member, Next, TarError, What, padding};

/// Bytes that are read and written at once.
const BUFFER: usize = 128 << 10;
/// What is written is on the disk every so many bytes: else the page cache fills with it.
const FLUSH: u64 = 8 << 20;

/// Unpacks all members below `root`; returns how many there were. What is there already is replaced, but directories
/// are kept.
pub fn unpack(mut archive: impl Read, root: &Directory) -> Result<u64, UnpackError> {
    let mut job = Job { root, buffer: vec![0; BUFFER], unflushed: 0 };
    let mut members = 0;
    let mut extension = Extension::default();
    loop {
        let mut block = [0; BLOCK];
        archive.read_exact(&mut block).map_err(UnpackError::Read)?;
        match Header::decode(&block)? {
            Next::End => return Ok(members),
            Next::Extension(header) => {
                // The header has a limit for it.
                let mut bytes = vec![0; usize::try_from(header.size()).unwrap_or(0)];
                archive.read_exact(&mut bytes).map_err(UnpackError::Read)?;
                skip(&mut archive, padding(header.size()))?;
                extension.add(&header, &bytes)?;
            }
            Next::Member(header) => {
                let member = header.member(std::mem::take(&mut extension))?;
                let fault = |cause| UnpackError::Member { path: shown(&member.path), cause };
                job.member(&member, &mut archive).map_err(|cause| match cause {
                    Fault::Archive(cause) => UnpackError::Read(cause),
                    Fault::Place(cause) => fault(cause),
                })?;
                members += 1;
            }
        }
    }
}

struct Job<'a> {
    root: &'a Directory,
    buffer: Vec<u8>,
    unflushed: u64,
}

/// Where it failed.
enum Fault {
    Archive(io::Error),
    Place(io::Error),
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        Self::Place(cause)
    }
}

impl Job<'_> {
    fn member(&mut self, member: &Member, archive: &mut impl Read) -> Result<(), Fault> {
        let Some((name, parents)) = member.path.split_last() else {
            // The root itself.
            return Ok(settle(self.root, member)?);
        };
        let name = OsStr::from_bytes(name);
        let parent = self.directory(parents)?;
        if member.what == What::Directory {
            let directory = enter_or_make(&parent, name)?;
            return Ok(settle(&directory, member)?);
        }
        // What has the name goes first: a file would be written through a second name of it.
        match parent.remove(name) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause.into()),
            _ => {}
        }
        match &member.what {
            What::Directory => {}
            What::File { size } => return self.file(&parent, name, member, *size, archive),
            What::HardLink { to } => {
                let Some((old, parents)) = to.split_last() else { return Err(io::Error::from(INVALID).into()) };
                parent.link(&self.directory(parents)?, OsStr::from_bytes(old), name)?;
                // It has the owner and mode that it has under its first name.
                return Ok(());
            }
            What::SymbolicLink { to } => {
                parent.symlink(OsStr::from_bytes(to), name)?;
                parent.give(name, member.uid, member.gid)?;
                return Ok(parent.set_time_of(name, seconds(member))?);
            }
            What::CharacterDevice { major, minor } => parent.make_node(name, Node::Character(*major, *minor))?,
            What::BlockDevice { major, minor } => parent.make_node(name, Node::Block(*major, *minor))?,
            What::Pipe => parent.make_node(name, Node::Pipe)?,
        }
        parent.give(name, member.uid, member.gid)?;
        parent.set_mode_of(name, member.mode)?;
        Ok(parent.set_time_of(name, seconds(member))?)
    }

    fn file(
        &mut self,
        parent: &Directory,
        name: &OsStr,
        member: &Member,
        size: u64,
        archive: &mut impl Read,
    ) -> Result<(), Fault> {
        let mut file = parent.create(name, 0o600)?;
        let mut left = size;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
            let piece = &mut self.buffer[..length];
            archive.read_exact(piece).map_err(Fault::Archive)?;
            file.write_all(piece)?;
            left -= length as u64;
            self.unflushed += length as u64;
            if self.unflushed >= FLUSH {
                fs::sync_file_system(&file)?;
                self.unflushed = 0;
            }
        }
        skip(archive, padding(size)).map_err(|cause| match cause {
            UnpackError::Read(cause) => Fault::Archive(cause),
            _ => Fault::Archive(INVALID.into()),
        })?;
        parent.give(name, member.uid, member.gid)?;
        for (attribute, value) in &member.attributes {
            set_attribute(&file, OsStr::from_bytes(attribute), value)?;
        }
        // After the change of owner, which clears the bits for set-user-id.
        parent.set_mode_of(name, member.mode)?;
        Ok(parent.set_time_of(name, seconds(member))?)
    }

    /// The directory of a path, made where it is not there. Fails at anything that is none, a symbolic link as well.
    fn directory(&self, path: &[Vec<u8>]) -> io::Result<Directory> {
        path.iter().try_fold(self.root.clone(), |directory, name| enter_or_make(&directory, OsStr::from_bytes(name)))
    }
}

fn enter_or_make(parent: &Directory, name: &OsStr) -> io::Result<Directory> {
    match parent.enter(name) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            parent.make(name, 0o755)?;
            parent.enter(name)
        }
        entered => entered,
    }
}

/// Owner, attributes and mode of a directory. Its time would change with what comes into it.
fn settle(directory: &Directory, member: &Member) -> io::Result<()> {
    directory.give_itself(member.uid, member.gid)?;
    for (attribute, value) in &member.attributes {
        directory.set_attribute(OsStr::from_bytes(attribute), value)?;
    }
    directory.set_mode(member.mode)
}

const INVALID: io::ErrorKind = io::ErrorKind::InvalidData;

fn seconds(member: &Member) -> i64 {
    i64::try_from(member.mtime).unwrap_or(i64::MAX)
}

fn skip(archive: &mut impl Read, length: u64) -> Result<(), UnpackError> {
    let mut block = [0; BLOCK];
    // Less than a block.
    let length = usize::try_from(length).unwrap_or(0).min(BLOCK);
    archive.read_exact(&mut block[..length]).map_err(UnpackError::Read)
}

fn shown(path: &[Vec<u8>]) -> String {
    let path = path.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join("/");
    path.chars().take(200).collect()
}

/// Why an archive is not unpacked, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    #[error("the archive cannot be unpacked")]
    Archive(#[from] TarError),
    #[error("cannot unpack {path}")]
    Member {
        path: String,
        #[source]
        cause: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    /// An archive that GNU tar makes of a directory.
    fn archive(directory: &std::path::Path, words: &[&str]) -> Vec<u8> {
        let made = Command::new("tar").arg("-C").arg(directory).args(words).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        made.stdout
    }

    fn unpacked(archive: &[u8]) -> (tempfile::TempDir, Result<u64, UnpackError>) {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let done = unpack(archive, &Directory::open(&root).unwrap());
        (scratch, done)
    }

    #[test]
    fn archive_of_gnu_tar_becomes_what_it_was_made_of() {
        let from = tempfile::tempdir().unwrap();
        let deep = from.path().join("usr/share").join("long-".repeat(40));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("file"), vec![7; 300_000]).unwrap();
        std::fs::set_permissions(deep.join("file"), std::fs::Permissions::from_mode(0o4751)).unwrap();
        std::fs::hard_link(deep.join("file"), from.path().join("hard")).unwrap();
        symlink("/etc/../nowhere", from.path().join("soft")).unwrap();
        std::fs::write(from.path().join("empty"), "").unwrap();
        for format in ["--format=gnu", "--format=posix", "--format=pax"] {
            let (scratch, done) = unpacked(&archive(from.path(), &["-c", format, "."]));
            assert!(done.unwrap() >= 6, "{format}");
            let root = scratch.path().join("root");
            let file = root.join(deep.strip_prefix(from.path()).unwrap()).join("file");
            assert_eq!(std::fs::read(&file).unwrap(), vec![7; 300_000]);
            let (facts, hard) = (file.metadata().unwrap(), root.join("hard").metadata().unwrap());
            assert_eq!((facts.mode() & 0o7777, facts.ino()), (0o4751, hard.ino()), "{format}");
            assert_eq!(std::fs::read_link(root.join("soft")).unwrap().to_str(), Some("/etc/../nowhere"));
            let time = deep.join("file").metadata().unwrap().mtime();
            assert_eq!(facts.mtime(), time);
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let from = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("precious"), "precious").unwrap();
        symlink(outside.path(), from.path().join("link")).unwrap();
        let link = archive(from.path(), &["-c", "-b1", "link"]);
        std::fs::remove_file(from.path().join("link")).unwrap();
        std::fs::create_dir(from.path().join("link")).unwrap();
        std::fs::write(from.path().join("link/precious"), "gone").unwrap();
        // Without the end of the first archive, the second goes on where it was.
        let through = [&link[..BLOCK], &archive(from.path(), &["-c", "link/precious"])].concat();
        let (_scratch, done) = unpacked(&through);
        assert!(matches!(done, Err(UnpackError::Member { .. })), "{done:?}");
        assert_eq!(std::fs::read_to_string(outside.path().join("precious")).unwrap(), "precious");
    }

    #[test]
    fn archive_that_is_cut_or_damaged_is_an_error_and_no_panic() {
        let from = tempfile::tempdir().unwrap();
        std::fs::write(from.path().join("a"), vec![1; 1_000]).unwrap();
        std::fs::write(from.path().join("b"), vec![2; 1_000]).unwrap();
        let whole = archive(from.path(), &["-c", "--format=pax", "a", "b"]);
        assert_eq!(unpacked(&whole).1.unwrap(), 2);
        let used = whole.len() - whole.iter().rev().take_while(|byte| **byte == 0).count();
        for cut in (0..used).step_by(97) {
            assert!(unpacked(&whole[..cut]).1.is_err(), "cut at {cut}");
        }
        for at in (0..used).step_by(13) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let (scratch, _) = unpacked(&damaged);
            assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1, "nothing beside the root");
        }
    }
}
