//! Where the processes of a component live: user, environment, working directory, limits, and an end for the whole tree.
//!
//! Every step of a component is one *process set*: the script and all it starts, however it forks away. A set lives
//! until the component is ended, because a Startup script that leaves a daemon behind is legal. What holds it together:
//!
//! | means | the set is | its end |
//! |---|---|---|
//! | control groups | a leaf `<parent>/<component>/<step>.<n>` of the freezer or of version 2 | freeze, kill, until the group is empty |
//! | none | all below a *keeper*: this binary once more, small, reaping what is orphaned | the keeper kills until it has no child |
//!
//! Either way the daemon learns of the script's end at once, and of the end of the set when it asks for it.
//! A keeper ends its set when the daemon is gone; groups left behind by a killed daemon are emptied by [`Jail::sweep`].
//!
//! Spawn from the main thread: a process is told when the *thread* that started it ends.

mod account;
mod end;
mod environment;
mod error;
mod ground;
mod groups;
mod keeper;
mod means;
mod order;
mod output;
mod reaper;
mod spawn;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::log::Logs;
use crate::store::paths::Paths;
use crate::wire::name::ComponentName;
use crate::wire::run_with::SystemResourceLimits;
use crate::wire::state::ComponentState;

pub use error::JailError;
pub use ground::Unprepared;
pub use keeper::{Command as KeeperCommand, Letter as KeeperLetter, News as KeeperNews, line as keeper_line};
pub use means::{Cgroups, Means, RunAs};
pub use order::{Exit, Running, StepId, StepOrder};
pub use whose::Whose;

use groups::Groups;
use keeper::Keeper;
use output::{Dam, StateCell};

/// How a jail is built; [`Default`] is what the daemon uses.
#[derive(Clone, Debug)]
pub struct JailSettings {
    /// Where control groups are mounted.
    pub cgroup_root: PathBuf,
    /// The group all components live under; two daemons on one machine must differ in it.
    pub cgroup_parent: String,
    pub cgroup_use: CgroupUse,
    /// The program that runs the `keeper` applet, and its first arguments.
    pub keeper: Vec<OsString>,
    pub children: Children,
}

/// Whether control groups are used where the machine has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CgroupUse {
    WherePossible,
    Never,
}

/// Whose the children of this process are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Children {
    /// All are the jail's: it adopts orphans, ends those whose keeper was killed, and reaps strangers.
    AllOurs,
    /// Others in this process start processes too (tests do): only our own are touched.
    Shared,
}

impl Default for JailSettings {
    fn default() -> Self {
        Self {
            cgroup_root: "/sys/fs/cgroup".into(),
            cgroup_parent: "greengrass".into(),
            cgroup_use: CgroupUse::WherePossible,
            keeper: vec!["/proc/self/exe".into(), "keeper".into()],
            children: Children::AllOurs,
        }
    }
}

/// Starts, freezes and ends the processes of components; cheap to clone.
#[derive(Clone, Debug)]
pub struct Jail {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    paths: Paths,
    settings: JailSettings,
    logs: Logs,
    means: Means,
    groups: Option<Groups>,
    /// Held shared by us and by every keeper: who gets it alone knows that no keeper lives.
    alive: OwnedFd,
    open_files_before: Option<u64>,
    dam: Dam,
    book: Mutex<Book>,
}

/// What is known of components and processes.
#[derive(Debug, Default)]
struct Book {
    components: BTreeMap<ComponentName, Entry>,
    /// Children of this process that someone waits for.
    known: BTreeSet<i32>,
    /// The grounds prepared since the start.
    grounds: BTreeSet<ground::Prepared>,
    last_step: u64,
}

#[derive(Debug, Default)]
struct Entry {
    state: StateCell,
    keepers: Vec<Arc<Keeper>>,
    /// The scripts in control groups that have not been reaped.
    scripts: BTreeMap<StepId, i32>,
    /// Whom the latest unprivileged step was started as.
    user: Option<u32>,
}

impl Jail {
    /// Looks at the machine and makes what all components share. Call [`sweep`](Self::sweep) before the first spawn.
    pub fn new(paths: &Paths, settings: JailSettings, logs: Logs) -> Result<Self, JailError> {
        let (groups, means) = means::find(&settings);
        if settings.children == Children::AllOurs {
            // Control groups and keepers hold what matters; only an emulated kernel lacks this.
            if let Err(cause) = crate::sys::process::become_subreaper() {
                tracing::warn!(%cause, "The kernel does not give this daemon the orphans of its components.");
            }
        }
        let inner = Inner {
            alive: keeper::open_lock(&paths.run())?,
            open_files_before: crate::sys::limit::raise_open_files().ok().flatten(),
            paths: paths.clone(),
            settings,
            logs,
            means,
            groups,
            dam: Dam::default(),
            book: Mutex::default(),
        };
        tracing::info!(event = "jail-ready", "{}", inner.means);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What isolation this machine gives.
    pub fn means(&self) -> Means {
        self.inner.means.clone()
    }

    /// Later lines of this component carry `state`.
    pub fn note_state(&self, name: &ComponentName, state: ComponentState) {
        self.inner.book().components.entry(name.clone()).or_default().state.set(state);
    }

    /// Stops every process of the component where it stands.
    pub fn freeze(&self, name: &ComponentName) -> Result<(), JailError> {
        self.inner.groups()?.freeze(name, crate::sys::cgroup::Freeze::Frozen)
    }

    pub fn thaw(&self, name: &ComponentName) -> Result<(), JailError> {
        self.inner.groups()?.freeze(name, crate::sys::cgroup::Freeze::Thawed)
    }

    /// Changes the limits of a component that runs. Without control groups only "no limits" can be had.
    pub fn set_limits(&self, name: &ComponentName, limits: SystemResourceLimits) -> Result<(), JailError> {
        match self.inner.groups() {
            Ok(groups) => groups.limit(name, limits),
            Err(_) if limits == SystemResourceLimits::default() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Forgets the component: its groups and what is remembered of it. Only after [`end_all`](Self::end_all).
    pub fn remove(&self, name: &ComponentName) -> Result<(), JailError> {
        let mut book = self.inner.book();
        book.components.remove(name);
        book.grounds.retain(|ground| ground.name != *name);
        drop(book);
        self.inner.groups.as_ref().map_or(Ok(()), |groups| groups.remove(name))
    }

    /// Leaves the machine as it was. Only when every component has been ended.
    pub fn leave(&self) {
        if let Some(groups) = &self.inner.groups {
            groups.leave();
        }
    }
}

impl Inner {
    /// A panic aborts, so a poisoned lock is never seen; taking it anyway is right all the same.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn groups(&self) -> Result<&Groups, JailError> {
        self.groups.as_ref().ok_or(JailError::NoControlGroups)
    }
}

#[cfg(test)]
mod tests;
