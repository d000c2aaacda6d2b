//! Where to look: the paths of the machine that is judged, below its root.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::boot::places;

/// What the command line says about where to look.
#[derive(Clone, Debug)]
pub(in crate::applet::check) struct Place {
    /// The machine whose files lie below; `None` is this one.
    pub sysroot: Option<PathBuf>,
    pub root: PathBuf,
    pub data: Option<PathBuf>,
    pub kernel_config: Option<PathBuf>,
}

impl Place {
    /// Where a path of the machine lies on this one.
    pub(in crate::applet::check) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        match &self.sysroot {
            Some(sysroot) => sysroot.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    /// Text of a small file; what is longer is cut. Nothing where it cannot be read.
    pub(in crate::applet::check) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.resolve(path)?).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.resolve(path).is_some()
    }

    /// Where a path leads after its own links; an absolute link of the machine stays within the machine.
    pub(super) fn resolve(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let mut path = path.as_ref().to_owned();
        for _ in 0..MOST_LINKS {
            let here = self.path(&path);
            if !here.symlink_metadata().ok()?.is_symlink() || self.sysroot.is_none() {
                return here.exists().then_some(here);
            }
            let target = here.read_link().ok()?;
            path = path.parent().unwrap_or(Path::new("/")).join(target);
        }
        None
    }

    /// A program on the path: where it lies on the machine.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = match self.sysroot {
            None => std::env::var_os("PATH"),
            Some(_) => None,
        };
        let path = path.filter(|path| !path.is_empty()).unwrap_or_else(|| USUAL_PATH.into());
        std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(
            |program| {
                let metadata = self.resolve(program).and_then(|path| path.metadata().ok());
                metadata.is_some_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
            },
        )
    }

    /// Where the writable layer of an overlay would lie.
    pub(super) fn data(&self) -> PathBuf {
        match &self.data {
            Some(data) => data.clone(),
            None if self.path(places::DATA).is_dir() => places::DATA.into(),
            None => self.nearest(&self.root),
        }
    }

    /// The path, or what of it is there.
    pub(super) fn nearest(&self, path: &Path) -> PathBuf {
        let found = path.ancestors().find(|part| self.path(part).is_dir());
        found.filter(|part| !part.as_os_str().is_empty()).unwrap_or(Path::new("/")).to_owned()
    }
}

/// Nothing that is read as a whole is longer; a mount table of thousands of lines is not.
const MOST: u64 = 1 << 20;
/// As many as the kernel follows, and a few less.
const MOST_LINKS: usize = 32;
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
