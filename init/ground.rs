//! The ground to stand on: what the kernel shows of itself, and a place of our own to mount things in.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use gg_sys::mount::{self, Access, Trust};

use crate::journal::{Done, Failure};

/// What PID 1 stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// An initramfs: the slots are elsewhere.
    Initramfs,
    /// The slot itself, mounted by the kernel.
    Slot,
}

impl Standing {
    pub(crate) fn here() -> Self {
        match gg_sys::root::is_in_memory(Path::new("/")) {
            Ok(true) => Self::Initramfs,
            // A kernel that cannot say has a root that is no initramfs.
            Ok(false) | Err(_) => Self::Slot,
        }
    }
}

/// A file system of the kernel's, mounted where it belongs; fine if it is there already.
pub(crate) fn mount_kernel(kind: &'static str, target: &str, trust: Trust) -> Result<Done<()>, Failure> {
    let target = Path::new(target);
    let failure = |cause| Failure::new("mount", format_args!("{kind} at {}", target.display()), cause);
    make_directory(target).map_err(failure)?;
    match mount::mount(kind.as_ref(), target, kind, Access::ReadWrite, trust, OsStr::new("")) {
        // The kernel mounts devtmpfs itself where it is told to; who mounts over it again hides nothing.
        Err(cause) if cause.kind() == io::ErrorKind::ResourceBusy => Ok(Done::Well((), "there already".to_owned())),
        Err(cause) => Err(failure(cause)),
        Ok(()) => Ok(Done::Well((), String::new())),
    }
}

/// The names that programs expect in `/dev` and the kernel does not make.
pub(crate) fn link_standard_streams() {
    let links = [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    for (name, target) in links {
        // There already, or a /dev that cannot be written: then it is the image's.
        let _ = symlink(Path::new("/proc/self").join(target), Path::new("/dev").join(name));
    }
}

/// Where the parts of the new root are put together.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    base: PathBuf,
}

impl Stage {
    /// A file system in memory over the first of a few directories that every root has: the new root is made inside
    /// and leaves it, so it must be nothing that moves along.
    pub(crate) fn set_up() -> Result<Done<Self>, Failure> {
        let _ = fs::create_dir("/run");
        let base = ["/run", "/mnt", "/tmp"].into_iter().map(Path::new).find(|path| path.is_dir());
        let base = base.ok_or_else(|| Failure::because("find", "/run", "neither it nor /mnt nor /tmp is there"))?;
        let failure = |cause| Failure::new("mount", format_args!("tmpfs at {}", base.display()), cause);
        mount::mount("gg-stage".as_ref(), base, "tmpfs", Access::ReadWrite, Trust::Full, OsStr::new("mode=755"))
            .map_err(failure)?;
        let stage = Self { base: base.to_owned() };
        for part in [stage.slot(), stage.data(), stage.root()] {
            fs::create_dir(&part).map_err(|cause| Failure::new("make", part.display(), cause))?;
        }
        Ok(Done::Well(stage, base.display().to_string()))
    }

    pub(crate) fn slot(&self) -> PathBuf {
        self.base.join("slot")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// A fresh file system in memory, of so many percent of all there is.
    pub(crate) fn memory(&self, name: &str, percent: u64) -> Result<PathBuf, Failure> {
        let target = self.base.join(name);
        let failure = |cause| Failure::new("mount", format_args!("tmpfs at {}", target.display()), cause);
        make_directory(&target).map_err(failure)?;
        let options = format!("mode=755,size={percent}%");
        let trust = Trust::NoPrivileges;
        mount::mount("gg-memory".as_ref(), &target, "tmpfs", Access::ReadWrite, trust, options.as_ref())
            .map_err(failure)?;
        Ok(target)
    }

    /// One more directory to mount something at.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.base.join(name);
        make_directory(&path).map_err(|cause| Failure::new("make", path.display(), cause))?;
        Ok(path)
    }
}

/// Makes a directory unless it is there. On a read-only root nothing can be made, and what is there serves.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() { Ok(()) } else { fs::create_dir_all(path) }
}
