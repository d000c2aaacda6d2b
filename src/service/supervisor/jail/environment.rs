//! The environment of a step: the daemon's own, completed, and what the order says on top.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::StepOrder;
use crate::sys::account::Account;

/// `base` is the daemon's environment, `own` its account, `account` the one switched to.
pub(super) fn environment(
    base: impl IntoIterator<Item = (OsString, OsString)>,
    own: &Account,
    account: Option<&Account>,
    order: &StepOrder,
) -> BTreeMap<OsString, OsString> {
    let mut all: BTreeMap<OsString, OsString> =
        base.into_iter().filter(|(key, _)| !OURS_ALONE.iter().any(|ours| key == *ours)).collect();
    let path = completed(all.get(&OsString::from("PATH")));
    all.insert("PATH".into(), path);
    match account {
        Some(account) => {
            all.insert("HOME".into(), account.home.clone().into());
            all.insert("USER".into(), account.name.clone().into());
            all.insert("LOGNAME".into(), account.name.clone().into());
        }
        None => {
            all.entry("HOME".into()).or_insert_with(|| own.home.clone().into());
            all.entry("USER".into()).or_insert_with(|| own.name.clone().into());
        }
    }
    all.extend(order.environment.iter().map(|(key, value)| (key.into(), value.into())));
    all
}

/// What is there, then the standard directories that are not.
fn completed(path: Option<&OsString>) -> OsString {
    let mut bytes = path.map(|path| path.as_bytes().to_vec()).unwrap_or_default();
    for directory in STANDARD {
        if !bytes.split(|byte| *byte == b':').any(|entry| entry == directory.as_bytes()) {
            if !bytes.is_empty() {
                bytes.push(b':');
            }
            bytes.extend_from_slice(directory.as_bytes());
        }
    }
    OsString::from_vec(bytes)
}

/// Where programs are on any Unix.
const STANDARD: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Addressed to the daemon's own process by a service manager: a component must not speak in its name.
const OURS_ALONE: [&str; 7] =
    ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::supervisor::jail::tests::order;

    fn account(name: &str) -> Account {
        Account { uid: 1, gid: 1, groups: vec![], name: name.into(), home: format!("/home/{name}").into() }
    }

    #[test]
    fn order_wins_over_account_and_account_over_base() {
        let base = [
            ("HOME", "/root"),
            ("USER", "root"),
            ("KEPT", "yes"),
            ("NOTIFY_SOCKET", "/run/x"),
            ("PATH", "/opt/bin:/bin"),
        ]
        .map(|(key, value)| (OsString::from(key), OsString::from(value)));
        let mut order = order("c", "true");
        order.environment = [("USER".to_string(), "mine".to_string())].into();
        let all = environment(base, &account("root"), Some(&account("gg")), &order);
        let of = |key: &str| all.get(&OsString::from(key)).map(|value| value.to_str().unwrap());
        assert_eq!(of("HOME"), Some("/home/gg"));
        assert_eq!(of("USER"), Some("mine"));
        assert_eq!(of("KEPT"), Some("yes"));
        assert_eq!(of("NOTIFY_SOCKET"), None);
        assert_eq!(of("PATH"), Some("/opt/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin"));
    }

    #[test]
    fn same_user_keeps_its_home() {
        let base = [(OsString::from("HOME"), OsString::from("/somewhere"))];
        let all = environment(base, &account("me"), None, &order("c", "true"));
        assert_eq!(all[&OsString::from("HOME")], OsString::from("/somewhere"));
        assert_eq!(all[&OsString::from("USER")], OsString::from("me"));
    }
}
