//! What the jail is asked to run, and what it hands back.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::sys::process::Ended;
use crate::wire::lifecycle::StepName;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::run_with::{PosixUser, SystemResourceLimits};
use crate::wire::state::ComponentState;

/// One step to run.
#[derive(Clone, PartialEq, Debug)]
pub struct StepOrder {
    pub component: ComponentName,
    pub version: ComponentVersion,
    pub step: StepName,
    /// Handed to the shell as one `-c` argument.
    pub script: String,
    pub shell: String,
    /// Run as the daemon's own user.
    pub privileged: bool,
    /// The component's, else the default.
    pub user: Option<PosixUser>,
    pub limits: SystemResourceLimits,
    /// Wins over what the jail adds: the daemon's own environment, `PATH`, `HOME`, `USER`.
    pub environment: BTreeMap<String, String>,
    /// For the log lines; changes go through [`Jail::note_state`](super::Jail::note_state).
    pub state: ComponentState,
}

/// A step under way. Dropping it changes nothing: the process goes on and is reaped.
#[derive(Debug)]
pub struct Running {
    /// The script's own process.
    pub pid: i32,
    pub id: StepId,
    pub(super) exit: oneshot::Receiver<Exit>,
}

/// Tells the steps of all components apart, for [`Jail::end_step`](super::Jail::end_step).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StepId(pub(super) u64);

impl Running {
    /// Waits until the script's process has ended and all it wrote is in the log.
    /// What it started may live on.
    pub async fn wait(self) -> Exit {
        // The sender goes without a word only when the runtime goes down.
        self.exit.await.unwrap_or(Exit::Signal(9))
    }
}

/// How a script ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// The kernel killed it, or what it waited for, for want of memory. The limit of the component in KB, if it has one.
    OutOfMemory {
        limit: Option<u64>,
    },
}

impl Exit {
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::OutOfMemory { .. } => f.write_str("want of memory"),
        }
    }
}

impl From<Ended> for Exit {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Code(code) => Self::Code(code),
            Ended::Signal(number) => Self::Signal(number),
        }
    }
}
