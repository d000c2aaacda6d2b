//! What others may ask: which client shows this token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::token::Token;
use crate::sys::peer::Peer;
use crate::wire::principal::Principal;

/// Knows the tokens in force; cheap to clone, answers at once.
#[derive(Clone, Debug, Default)]
pub struct Handle(Arc<Mutex<Vec<Client>>>);

/// One file of `cli_ipc_info/`.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) readers: Readers,
    pub(super) token: Token,
}

/// Who may read the file, besides root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Readers {
    User(u32),
    Members { owner: u32, group: u32 },
}

impl Handle {
    /// The client with this token; `None` if it is no client's. `groups` is asked only where user and primary group
    /// do not decide.
    pub fn client_of(
        &self,
        shown: &Token,
        peer: Peer,
        groups: impl FnOnce() -> Vec<u32>,
    ) -> Option<Result<Principal, Outsider>> {
        // All are looked at, so that the time it takes says nothing about any.
        let found = self
            .clients()
            .iter()
            .fold(None, |found, client| if client.token.is(shown) { Some(client.readers) } else { found })?;
        Some(if found.include(peer, groups) {
            Ok(Principal::Client(found.principal().into()))
        } else {
            Err(Outsider { client: found.principal(), uid: peer.uid })
        })
    }

    /// Whether the token is a client's. Says nothing of who shows it.
    pub fn knows(&self, shown: &Token) -> bool {
        self.clients().iter().fold(false, |found, client| client.token.is(shown) | found)
    }

    /// From here on only these tokens are good.
    pub(super) fn replace(&self, clients: Vec<Client>) {
        *self.clients() = clients;
    }

    /// A panic aborts, so a poisoned lock is never seen.
    fn clients(&self) -> MutexGuard<'_, Vec<Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    /// The name of the file.
    pub(super) fn file_name(self) -> String {
        match self {
            Self::User(uid) => format!("user-{uid}"),
            Self::Members { group, .. } => format!("group-{group}"),
        }
    }

    fn principal(self) -> String {
        format!("greengrass-cli#{}", self.file_name())
    }

    fn include(self, peer: Peer, groups: impl FnOnce() -> Vec<u32>) -> bool {
        match self {
            Self::User(owner) => peer.uid == 0 || peer.uid == owner,
            Self::Members { owner, group } => {
                peer.uid == 0 || peer.uid == owner || peer.gid == group || groups().contains(&group)
            }
        }
    }
}

/// Someone shows a client's token who could not have read it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("user {uid} shows the token of {client}, which that user cannot read")]
pub struct Outsider {
    pub client: String,
    pub uid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(all: &[(Readers, &str)]) -> Handle {
        let handle = Handle::default();
        let client =
            |(readers, token): &(Readers, &str)| Client { readers: *readers, token: Token::shown((*token).into()) };
        handle.replace(all.iter().map(client).collect());
        handle
    }

    #[test]
    fn client_is_known_by_its_token_and_let_in_as_a_reader_of_its_file() {
        let members = Readers::Members { owner: 7, group: 50 };
        let handle = handle(&[(Readers::User(7), "user"), (members, "group")]);
        let ask = |token: &str, uid, gid, groups: &[u32]| {
            let peer = Peer { uid, gid, pid: 1 };
            handle.client_of(&Token::shown(token.into()), peer, || groups.to_vec())
        };
        let client = |name: &str| Some(Ok(Principal::Client(name.into())));
        let outsider = |name: &str, uid| Some(Err(Outsider { client: name.into(), uid }));
        for uid in [0, 7] {
            assert_eq!(ask("user", uid, 1, &[]), client("greengrass-cli#user-7"));
            assert_eq!(ask("group", uid, 1, &[]), client("greengrass-cli#group-50"));
        }
        assert_eq!(ask("user", 8, 50, &[50]), outsider("greengrass-cli#user-7", 8));
        assert_eq!(ask("group", 8, 50, &[]), client("greengrass-cli#group-50"));
        assert_eq!(ask("group", 8, 1, &[2, 50]), client("greengrass-cli#group-50"));
        assert_eq!(ask("group", 8, 1, &[2]), outsider("greengrass-cli#group-50", 8));
        assert_eq!(ask("", 0, 0, &[]), None);
        handle.replace(Vec::new());
        assert_eq!(ask("user", 0, 0, &[]), None);
    }
}
