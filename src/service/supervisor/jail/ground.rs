//! The directories a component finds: its own working directory, and artifacts it may read.
//!
//! A tree of artifacts changes hands file by file. [`Jail::unprepared`] is the way to have that done beside the loop.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Inner, Jail, JailError, StepOrder, account};
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

/// What is left to do before a step can start.
#[derive(Debug)]
pub struct Unprepared {
    inner: Arc<Inner>,
    ground: Prepared,
    account: Account,
}

impl Jail {
    /// What [`spawn`](Self::spawn) would do first, and block with, if it were not done ahead.
    pub fn unprepared(&self, order: &StepOrder) -> Option<Unprepared> {
        // Without an account nothing changes hands; that there is none to be had, `spawn` tells.
        let account = account::account_of(order, self.inner.means.run_as).ok().flatten()?;
        let ground = Prepared::of(order, &account);
        let is_prepared = self.inner.book().grounds.contains(&ground);
        (!is_prepared).then(|| Unprepared { inner: Arc::clone(&self.inner), ground, account })
    }
}

impl Unprepared {
    pub async fn prepare(self) -> Result<(), JailError> {
        let all = move || {
            make(&self.inner.paths.work(&self.ground.name))?;
            give(&self.inner, self.ground, &self.account)
        };
        // It is cancelled only when the runtime goes down, and then nothing starts.
        tokio::task::spawn_blocking(all).await.unwrap_or(Ok(()))
    }
}

impl Prepared {
    fn of(order: &StepOrder, account: &Account) -> Self {
        Self { name: order.component.clone(), version: order.version.clone(), user: (account.uid, account.gid) }
    }
}

/// Makes the working directory; gives it, and what lies in the artifact directories, to the component's user.
pub(super) fn prepare(inner: &Inner, order: &StepOrder, account: Option<&Account>) -> Result<PathBuf, JailError> {
    let work = inner.paths.work(&order.component);
    make(&work)?;
    let Some(account) = account else { return Ok(work) };
    let ground = Prepared::of(order, account);
    if inner.book().grounds.contains(&ground) {
        // It may have been removed meanwhile, and then it was made as ours.
        give_work(&work, account)?;
    } else {
        give(inner, ground, account)?;
    }
    Ok(work)
}

fn give(inner: &Inner, ground: Prepared, account: &Account) -> Result<(), JailError> {
    for directory in
        [inner.paths.artifacts(&ground.name, &ground.version), inner.paths.unarchived(&ground.name, &ground.version)]
    {
        give_contents(&directory, account)?;
    }
    give_work(&inner.paths.work(&ground.name), account)?;
    inner.book().grounds.insert(ground);
    Ok(())
}

fn make(work: &Path) -> Result<(), JailError> {
    let made = match DirBuilder::new().mode(0o700).create(work) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // The parent is made with the root; should it have vanished, it comes back.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => work
            .parent()
            .map_or(Ok(()), |parent| DirBuilder::new().recursive(true).mode(0o755).create(parent))
            .and_then(|()| DirBuilder::new().mode(0o700).create(work)),
        other => other,
    };
    made.map_err(|cause| JailError::Ground { path: work.into(), cause })
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
