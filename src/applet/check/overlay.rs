//! Tries whether a file system can hold the writable layer of an overlay: mounts one, writes, and takes it away.

use std::io;
use std::path::{Path, PathBuf};

use super::facts::Trial;
use crate::base::report::Report;
use crate::boot::overlay::Layer;
use crate::store::scratch::Momentary;
use crate::sys::mount::{self, Access, Trust};

/// Tries it below `data`. Nothing is left: the mount is in a table of this thread's own, the files are for the moment.
pub(super) fn attempt(data: &Path) -> Trial {
    match try_it(data) {
        Ok(()) => Trial::Works,
        Err(error) => Trial::Fails(Report(&error).to_string()),
    }
}

fn try_it(data: &Path) -> Result<(), OverlayError> {
    let files = Momentary::below(data, &["lower", "merged", "upper", "work"]);
    let files = files.map_err(|cause| OverlayError::Make { data: data.into(), cause })?;
    files.write("lower/old").map_err(OverlayError::Write)?;
    mount::leave_shared_table().map_err(OverlayError::Leave)?;
    // With the path of `data` in the options, a comma in it would end an option.
    std::env::set_current_dir(files.path()).map_err(OverlayError::Write)?;
    let layer = Layer::below(Path::new("."));
    let options = layer.options(Path::new("lower"));
    let merged = Path::new("merged");
    mount::mount("overlay".as_ref(), merged, "overlay", Access::ReadWrite, Trust::NoPrivileges, &options)
        .map_err(OverlayError::Mount)?;
    // A new file needs a working upper; taking away a lower one needs device nodes or attributes for the mark.
    let written = files.write("merged/new").map_err(OverlayError::Write);
    let removed = files.remove("merged/old").map_err(OverlayError::Remove);
    // The directory must be free before it can go, whatever came before.
    let _ = mount::unmount(merged).or_else(|_| mount::detach(merged));
    let _ = std::env::set_current_dir("/");
    written.and(removed)
}

#[derive(Debug, thiserror::Error)]
enum OverlayError {
    #[error("cannot make directories in {}", data.display())]
    Make {
        data: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot have a mount table of its own")]
    Leave(#[source] io::Error),
    #[error("cannot mount an overlay")]
    Mount(#[source] io::Error),
    #[error("cannot write in the overlay")]
    Write(#[source] io::Error),
    #[error("cannot remove a file of the layer below")]
    Remove(#[source] io::Error),
}
