//! Whose process somebody is: of which component, if any.
//!
//! In control groups the kernel keeps the account: what a process starts is in its group, below it, or was put elsewhere
//! by someone with the right to. Under keepers it is the line of parents: no process leaves its keeper.

use super::{Inner, Jail, JailError};
use crate::sys::peer::Peer;
use crate::sys::process;
use crate::wire::name::ComponentName;

/// Whose process a peer is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    Component(ComponentName),
    /// Of no component: a shell, a service of the machine, a container started by one.
    Nobody,
    /// It has ended; nothing can be said of it any more.
    Gone,
}

impl Jail {
    /// Whose process has connected. Reads a few files of `/proc`, which is memory.
    ///
    /// A process that has taken over the number of an ended peer is told from it if it runs as another user; one of
    /// the same user could have traced the peer, so it gains nothing by that.
    pub fn whose(&self, peer: Peer) -> Result<Whose, JailError> {
        let cannot = |cause| JailError::Whose { pid: peer.pid, cause };
        if peer.pid == 0 {
            // Outside of our pid namespace, where no process of ours can go.
            return Ok(Whose::Nobody);
        }
        let Some(before) = process::identity(peer.pid).map_err(cannot)?.filter(|found| found.uid == peer.uid) else {
            return Ok(Whose::Gone);
        };
        let whose = self.inner.owner_of(peer.pid)?;
        // Had it ended on the way, what we read may be another's.
        let after = process::identity(peer.pid).map_err(cannot)?;
        Ok(if after == Some(before) { whose } else { Whose::Gone })
    }

    /// The user the component's latest unprivileged step was started as.
    pub fn user_of(&self, name: &ComponentName) -> Option<u32> {
        self.inner.book().components.get(name)?.user
    }
}

impl Inner {
    fn owner_of(&self, pid: i32) -> Result<Whose, JailError> {
        match &self.groups {
            Some(groups) => groups.owner_of(pid),
            None => {
                let line = process::line_of(pid).map_err(|cause| JailError::Whose { pid, cause })?;
                Ok(line.map_or(Whose::Gone, |line| self.kept_by(&line)))
            }
        }
    }

    fn kept_by(&self, line: &[i32]) -> Whose {
        let book = self.book();
        let kept = |name: &&ComponentName| {
            let keepers = book.components.get(*name).map(|entry| entry.keepers.as_slice()).unwrap_or_default();
            keepers.iter().any(|keeper| line.contains(&keeper.pid))
        };
        book.components.keys().find(kept).cloned().map_or(Whose::Nobody, Whose::Component)
    }
}
