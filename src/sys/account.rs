//! Users and groups, by name or by number: `getpwnam(3)`, `getgrnam(3)`, `getgrouplist(3)`.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Group, Uid, User};

/// A user as a process becomes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, [`gid`](Self::gid) among them.
    pub groups: Vec<u32>,
    /// The login name; a number without an entry in the user database is its own name.
    pub name: String,
    pub home: PathBuf,
}

/// Finds the account of `user`, with `group` in place of its primary group if given.
pub fn resolve(user: &str, group: Option<&str>) -> Result<Account, AccountError> {
    let entry = user_entry(user)?;
    let gid = match (group, &entry) {
        (Some(group), _) => group_id(group)?,
        (None, Some(entry)) => entry.gid.as_raw(),
        (None, None) => return Err(AccountError::NoPrimaryGroup { user: user.into() }),
    };
    match entry {
        Some(entry) => {
            let groups = groups_of(&entry.name, gid)?;
            Ok(Account { uid: entry.uid.as_raw(), gid, groups, name: entry.name, home: entry.dir })
        }
        None => {
            let uid = user.parse().map_err(|_| AccountError::NoSuchUser { user: user.into() })?;
            Ok(Account { uid, gid, groups: vec![gid], name: user.into(), home: PathBuf::from("/") })
        }
    }
}

/// The account this process runs as: `geteuid(2)`.
pub fn own() -> Account {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    let entry = User::from_uid(uid).ok().flatten();
    let (name, home) = match entry {
        Some(entry) => (entry.name, entry.dir),
        None => (uid.to_string(), PathBuf::from("/")),
    };
    Account { uid: uid.as_raw(), gid: gid.as_raw(), groups: vec![gid.as_raw()], name, home }
}

/// Whether this process may become any user: `geteuid(2)`.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The number of a group named by name or number: `getgrnam(3)`.
pub fn group_id(group: &str) -> Result<u32, AccountError> {
    let entry = Group::from_name(group)
        .map_err(|cause| AccountError::ReadGroup { group: group.into(), cause: cause.into() })?;
    match (entry, group.parse()) {
        (Some(entry), _) => Ok(entry.gid.as_raw()),
        (None, Ok(number)) => Ok(number),
        (None, Err(_)) => Err(AccountError::NoSuchGroup { group: group.into() }),
    }
}

/// The name of a group, if the group database has one: `getgrgid(3)`.
pub fn group_name(gid: u32) -> Option<String> {
    Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name)
}

/// `None` is a number without an entry.
fn user_entry(user: &str) -> Result<Option<User>, AccountError> {
    let read = |cause: nix::Error| AccountError::ReadUser { user: user.into(), cause: cause.into() };
    if let Some(entry) = User::from_name(user).map_err(read)? {
        return Ok(Some(entry));
    }
    let number: u32 = user.parse().map_err(|_| AccountError::NoSuchUser { user: user.into() })?;
    User::from_uid(Uid::from_raw(number)).map_err(read)
}

fn groups_of(user: &str, gid: u32) -> Result<Vec<u32>, AccountError> {
    let name = CString::new(user).map_err(|_| AccountError::NoSuchUser { user: user.into() })?;
    let groups = nix::unistd::getgrouplist(&name, Gid::from_raw(gid))
        .map_err(|cause| AccountError::ReadUser { user: user.into(), cause: cause.into() })?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// A user or group that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("there is no user {user:?}")]
    NoSuchUser { user: String },
    #[error("there is no group {group:?}")]
    NoSuchGroup { group: String },
    #[error("user {user:?} has no entry and so no primary group: name a group as well")]
    NoPrimaryGroup { user: String },
    #[error("cannot look up user {user:?}")]
    ReadUser {
        user: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("cannot look up group {group:?}")]
    ReadGroup {
        group: String,
        #[source]
        cause: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolve_finds_root_by_name_and_by_number() {
        let by_name = resolve("root", None).unwrap();
        assert_eq!((by_name.uid, by_name.gid, by_name.name.as_str()), (0, 0, "root"));
        assert_eq!(resolve("0", None).unwrap(), by_name);
        assert_eq!(resolve("0", Some("12345")).unwrap().gid, 12345);
    }

    #[test]
    fn resolve_refuses_what_has_no_group() {
        assert!(matches!(resolve("4000000", None), Err(AccountError::NoPrimaryGroup { .. })));
        let account = resolve("4000000", Some("4000001")).unwrap();
        assert_eq!((account.uid, account.gid, account.groups), (4_000_000, 4_000_001, vec![4_000_001]));
        assert!(matches!(resolve("no-such-user", None), Err(AccountError::NoSuchUser { .. })));
        assert!(matches!(resolve("root", Some("no-such-group")), Err(AccountError::NoSuchGroup { .. })));
    }
}
