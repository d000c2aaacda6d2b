//! The directories a component finds: its own working directory, and artifacts it may read.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Inner, JailError, StepOrder};
use crate::sys::account::Account;
use crate::sys::owner;
use crate::wire::name::{ComponentName, ComponentVersion};

/// Prepared once per start of the daemon; another user or version is another ground.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Prepared {
    pub(super) name: ComponentName,
    version: ComponentVersion,
    user: (u32, u32),
}

/// Makes the working directory; gives it, and what lies in the artifact directories, to the component's user.
pub(super) fn prepare(inner: &Inner, order: &StepOrder, account: Option<&Account>) -> Result<PathBuf, JailError> {
    let work = inner.paths.work(&order.component);
    make(&work).map_err(|cause| JailError::Ground { path: work.clone(), cause })?;
    let Some(account) = account else { return Ok(work) };
    let ground =
        Prepared { name: order.component.clone(), version: order.version.clone(), user: (account.uid, account.gid) };
    if inner.book().grounds.contains(&ground) {
        return Ok(work);
    }
    for directory in [
        inner.paths.artifacts(&order.component, &order.version),
        inner.paths.unarchived(&order.component, &order.version),
    ] {
        give_contents(&directory, account)?;
    }
    give_work(&work, account)?;
    inner.book().grounds.insert(ground);
    Ok(work)
}

fn make(work: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(work) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // The parent is made with the root; should it have vanished, it comes back.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            work.parent().map_or(Ok(()), |parent| DirBuilder::new().recursive(true).mode(0o755).create(parent))?;
            DirBuilder::new().mode(0o700).create(work)
        }
        other => other,
    }
}

/// The directory itself changes hands last: who owns it owns all below, so the walk is done once.
fn give_work(work: &Path, account: &Account) -> Result<(), JailError> {
    let cannot = |cause| JailError::Ground { path: work.into(), cause };
    let status = fs::symlink_metadata(work).map_err(cannot)?;
    if (status.uid(), status.gid()) == (account.uid, account.gid) {
        return Ok(());
    }
    give_contents(work, account)?;
    std::os::unix::fs::lchown(work, Some(account.uid), Some(account.gid)).map_err(cannot)
}

fn give_contents(directory: &Path, account: &Account) -> Result<(), JailError> {
    owner::give_contents(directory, account.uid, account.gid)
        .map_err(|cause| JailError::Ground { path: directory.into(), cause })
}
