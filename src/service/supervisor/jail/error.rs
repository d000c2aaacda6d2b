//! Why a jail could not do what it was asked.

use std::io;
use std::path::PathBuf;

use crate::sys::account::AccountError;
use crate::wire::name::ComponentName;

#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The status code `<STEP>_MISSING_DEFAULT_RUNWITH`.
    #[error("the daemon runs as root, and neither the component nor runWithDefault names a posixUser")]
    MissingDefaultRunWith,
    #[error("cannot run as posixUser {user}")]
    Account {
        user: String,
        #[source]
        cause: AccountError,
    },
    /// The script or its shell cannot start.
    #[error("cannot start the shell {shell}")]
    Start {
        shell: String,
        #[source]
        cause: io::Error,
    },
    #[error("cannot start the keeper of a step")]
    StartKeeper {
        #[source]
        cause: io::Error,
    },
    #[error("cannot make the channels of a step")]
    Channels {
        #[source]
        cause: io::Error,
    },
    #[error("cannot prepare {} for the component's user", path.display())]
    Ground {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot put {name} into control group {}", group.display())]
    Enter {
        name: ComponentName,
        group: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("this machine gives us no control groups")]
    NoControlGroups,
    #[error("cannot freeze or thaw {name}")]
    Freeze {
        name: ComponentName,
        #[source]
        cause: io::Error,
    },
    #[error("cannot limit the {what} of {name}")]
    Limit {
        name: ComponentName,
        what: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("cannot tell whose process {pid} is")]
    Whose {
        pid: i32,
        #[source]
        cause: io::Error,
    },
    #[error("cannot remove control group {}", group.display())]
    Remove {
        group: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot look for processes of an earlier daemon in {}", path.display())]
    Sweep {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("processes of an earlier daemon do not end: {} is still held", lock.display())]
    Leftovers { lock: PathBuf },
    #[error("cannot open the lock {}", path.display())]
    OpenLock {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}
