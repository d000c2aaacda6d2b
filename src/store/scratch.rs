//! Directories that may go again: a root for the desk, which carries our mark, and one for a moment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The mark: only a directory that holds it, or an empty one, is ever emptied.
const MARK: &str = ".greengrass-dev";

/// What [`prepare`] does with what the directory holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    Keep,
    Empty,
}

/// Makes the directory and its mark; empties it when asked and when the mark allows it.
pub fn prepare(directory: &Path, content: Content) -> Result<(), ScratchError> {
    let fault = |cause| ScratchError::Prepare { directory: directory.into(), cause };
    let mark = directory.join(MARK);
    if content == Content::Empty && directory.exists() {
        let empty = fs::read_dir(directory).map_err(fault)?.next().is_none();
        if !empty && !mark.exists() {
            return Err(ScratchError::NotOurs { directory: directory.into() });
        }
        fs::remove_dir_all(directory).map_err(fault)?;
    }
    fs::create_dir_all(directory).map_err(fault)?;
    // A directory that held something before we came stays without a mark: it is not ours to empty.
    let unmarked = fs::read_dir(directory).map_err(fault)?.next().is_none();
    if unmarked {
        fs::write(&mark, "This directory was made by greengrass dev and may be emptied by it.\n").map_err(fault)?;
    }
    Ok(())
}

/// A directory for the moment: it goes, with all it holds, when this is dropped.
#[derive(Debug)]
pub struct Momentary {
    path: PathBuf,
}

impl Momentary {
    /// Makes it below `parent`, with empty directories of these names.
    pub fn below(parent: &Path, names: &[&str]) -> io::Result<Self> {
        let path = parent.join(format!(".greengrass-{}", std::process::id()));
        match fs::remove_dir_all(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            // What a predecessor with our number left when it was killed.
            _ => fs::create_dir(&path)?,
        }
        let made = Self { path };
        for name in names {
            fs::create_dir(made.path.join(name))?;
        }
        Ok(made)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn write(&self, name: &str) -> io::Result<()> {
        fs::write(self.path.join(name), b"x")
    }

    pub fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}

impl Drop for Momentary {
    fn drop(&mut self) {
        // Nobody is left to tell; an empty directory does no harm.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error("{} holds files and no mark of ours", directory.display())]
    NotOurs { directory: PathBuf },
    #[error("cannot prepare {}", directory.display())]
    Prepare {
        directory: PathBuf,
        #[source]
        cause: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momentary_directory_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        {
            let moment = Momentary::below(scratch.path(), &["a", "b"]).unwrap();
            moment.write("a/file").unwrap();
            moment.write("b/file").unwrap();
            moment.remove("a/file").unwrap();
            assert!(moment.remove("a/file").is_err());
            assert!(moment.path().join("b/file").exists());
        }
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        assert!(Momentary::below(&scratch.path().join("absent"), &[]).is_err());
    }

    #[test]
    fn prepare_empties_only_what_it_made() {
        let scratch = tempfile::tempdir().unwrap();
        let ours = scratch.path().join("ours");
        prepare(&ours, Content::Empty).unwrap();
        fs::write(ours.join("file"), "x").unwrap();
        prepare(&ours, Content::Keep).unwrap();
        assert!(ours.join("file").exists());
        prepare(&ours, Content::Empty).unwrap();
        assert!(!ours.join("file").exists());

        let theirs = scratch.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("file"), "x").unwrap();
        prepare(&theirs, Content::Keep).unwrap();
        assert!(matches!(prepare(&theirs, Content::Empty), Err(ScratchError::NotOurs { .. })));
        assert!(theirs.join("file").exists());
    }
}
