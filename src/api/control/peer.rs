//! Decides who may control the daemon.

use crate::sys::account;
use crate::sys::peer::Peer;

/// Those who may, besides root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Guard {
    /// The daemon's own user.
    pub owner: u32,
    pub group: u32,
}

impl Guard {
    /// `groups` is asked only when user and primary group do not decide.
    pub(super) fn admits(self, peer: Peer, groups: impl FnOnce() -> Vec<u32>) -> bool {
        peer.uid == 0 || peer.uid == self.owner || peer.gid == self.group || groups().contains(&self.group)
    }

    pub(super) fn refusal(self, peer: Peer) -> String {
        format!(
            "user {} may not control this daemon: only root, user {} and members of group {} may",
            peer.uid, self.owner, self.group
        )
    }
}

/// The groups of a user in the group database; none for a user it does not know. Reads files.
pub(super) fn groups_of(uid: u32) -> Vec<u32> {
    account::resolve(&uid.to_string(), None).map(|account| account.groups).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_admits_root_owner_and_group_only() {
        let guard = Guard { owner: 1000, group: 50 };
        let peer = |uid, gid| Peer { uid, gid, pid: 1 };
        assert!(guard.admits(peer(0, 0), Vec::new));
        assert!(guard.admits(peer(1000, 7), Vec::new));
        assert!(guard.admits(peer(1001, 50), Vec::new));
        assert!(guard.admits(peer(1001, 7), || vec![7, 50]));
        assert!(!guard.admits(peer(1001, 7), || vec![7, 51]));
        assert!(guard.refusal(peer(1001, 7)).contains("user 1001"));
    }
}
