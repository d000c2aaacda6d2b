//! The control groups of components: one per component and duty, and a leaf per step.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::{JailError, StepId, Whose};
use crate::base::report::Report;
use crate::sys::cgroup::{self, Freeze, Group, Made, Mounts, Spelling, Version};
use crate::wire::lifecycle::StepName;
use crate::wire::name::ComponentName;
use crate::wire::run_with::SystemResourceLimits;

/// The groups under which components get theirs.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    mounts: Mounts,
    parent: String,
    tree: Group,
    memory: Option<Group>,
    cpu: Option<Group>,
    /// How `/proc` writes the group all components share; found when it is first asked for.
    spelling: OnceLock<Spelling>,
}

/// A step's way in.
#[derive(Debug)]
pub(super) struct Cage {
    /// The leaf that holds the step's processes.
    pub(super) leaf: Group,
    /// What the child writes itself into before it runs anything.
    pub(super) doors: Vec<OwnedFd>,
}

impl Groups {
    pub(super) fn make(mounts: &Mounts, parent: &str) -> Result<Self, (PathBuf, io::Error)> {
        let make = |mount: &Group| {
            let group = mount.child(parent);
            group.make().map_err(|cause| (group.directory.clone(), cause))?;
            Ok(group)
        };
        let tree = make(&mounts.tree)?;
        if mounts.memory.iter().chain(&mounts.cpu).any(|mount| *mount == mounts.tree) {
            for group in [&mounts.tree, &tree] {
                // As the reference nucleus does. Without them limits fail later, one by one, with their reason.
                for controller in ["cpu", "io", "memory", "pids"] {
                    let _ = group.enable(&[controller]);
                }
            }
        }
        // A controller that is mounted but closed to us only costs its limit.
        let optional = |mount: &Option<Group>| mount.as_ref().and_then(|mount| make(mount).ok());
        let (memory, cpu) = (optional(&mounts.memory), optional(&mounts.cpu));
        Ok(Self { mounts: mounts.clone(), parent: parent.to_owned(), tree, memory, cpu, spelling: OnceLock::new() })
    }

    /// The group of a component, even if someone has removed the one all components share.
    fn make_component(&self, component: &Group) -> io::Result<Made> {
        match component.make() {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                Self::make(&self.mounts, &self.parent).map_err(|(_, cause)| cause)?;
                component.make()
            }
            other => other,
        }
    }

    pub(super) fn version(&self) -> Version {
        self.tree.version
    }

    /// Makes the groups of a step and opens their doors. Limits that cannot be set are logged, never fatal.
    pub(super) fn enter(
        &self,
        name: &ComponentName,
        step: StepName,
        id: StepId,
        limits: SystemResourceLimits,
    ) -> Result<Cage, JailError> {
        let component = self.tree.child(name.as_str());
        let leaf = component.child(&format!("{}.{}", step.as_str().to_ascii_lowercase(), id.0));
        let cannot =
            |group: &Group, cause| JailError::Enter { name: name.clone(), group: group.directory.clone(), cause };
        let mut found = self.make_component(&component).map_err(|cause| cannot(&component, cause))?;
        leaf.make().map_err(|cause| cannot(&leaf, cause))?;
        let mut doors = vec![leaf.door().map_err(|cause| cannot(&leaf, cause))?];
        for parent in self.memory.iter().chain(&self.cpu).filter(|parent| **parent != self.tree) {
            let group = parent.child(name.as_str());
            match group.make().and_then(|made| Ok((made, group.door()?))) {
                Ok((made, door)) => {
                    found = found.max(made);
                    doors.push(door);
                }
                Err(cause) => {
                    let error = cannot(&group, cause);
                    tracing::warn!(component = %name, cause = %Report(&error), "A resource limit has no effect.");
                }
            }
        }
        // The kernel walks all groups for each limit, and a new group has none to take back.
        if (found == Made::Before || limits != SystemResourceLimits::default())
            && let Err(error) = self.limit(name, limits)
        {
            tracing::warn!(component = %name, cause = %Report(&error), "A resource limit has no effect.");
        }
        Ok(Cage { leaf, doors })
    }

    pub(super) fn limit(&self, name: &ComponentName, limits: SystemResourceLimits) -> Result<(), JailError> {
        let cannot = |what| move |cause| JailError::Limit { name: name.clone(), what, cause };
        let absent = |what| cannot(what)(io::Error::new(io::ErrorKind::NotFound, "the controller is not mounted"));
        let bytes = limits.memory.filter(|kb| *kb > 0).map(|kb| kb.saturating_mul(1024).min(MOST_BYTES));
        let cpus = limits.cpus.filter(|cpus| *cpus > 0.0 && cpus.is_finite());
        let memory = self.memory.as_ref().map(|parent| parent.child(name.as_str()).limit_memory(bytes));
        let cpu = self.cpu.as_ref().map(|parent| parent.child(name.as_str()).limit_cpus(cpus));
        match (memory, bytes) {
            (Some(Err(cause)), Some(_)) => return Err(cannot("memory")(cause)),
            (None, Some(_)) => return Err(absent("memory")),
            // That there is no limit needs no controller.
            _ => {}
        }
        match (cpu, cpus) {
            (Some(Err(cause)), Some(_)) => Err(cannot("cpus")(cause)),
            (None, Some(_)) => Err(absent("cpus")),
            _ => Ok(()),
        }
    }

    pub(super) fn freeze(&self, name: &ComponentName, freeze: Freeze) -> Result<(), JailError> {
        self.tree(name).freeze(freeze).map_err(|cause| JailError::Freeze { name: name.clone(), cause })
    }

    /// The group that knows every process of the component.
    pub(super) fn tree(&self, name: &ComponentName) -> Group {
        self.tree.child(name.as_str())
    }

    /// How often the kernel has killed a process of the component for want of memory; 0 where it does not tell.
    pub(super) fn memory_kills(&self, name: &ComponentName) -> u64 {
        self.memory.as_ref().and_then(|parent| parent.child(name.as_str()).memory_kills().ok()).unwrap_or_default()
    }

    /// The component's limit in KB.
    pub(super) fn memory_limit(&self, name: &ComponentName) -> Option<u64> {
        let bytes = self.memory.as_ref()?.child(name.as_str()).memory_limit().ok()??;
        Some(bytes / 1024)
    }

    /// In which component's group, or below it, a process is.
    pub(super) fn owner_of(&self, pid: i32) -> Result<Whose, JailError> {
        let find = || {
            let spelling = match self.spelling.get() {
                Some(spelling) => spelling,
                None => {
                    let found = Spelling::of(&self.tree)?;
                    self.spelling.get_or_init(|| found)
                }
            };
            let path = cgroup::path_of(pid, self.tree.version)?;
            Ok(path.map_or(Whose::Gone, |path| {
                let name = spelling.child_in(&path).and_then(|name| ComponentName::parse(name).ok());
                name.map_or(Whose::Nobody, Whose::Component)
            }))
        };
        find().map_err(|cause| JailError::Whose { pid, cause })
    }

    /// The leaf of one step, if it is still there.
    pub(super) fn leaf(&self, name: &ComponentName, id: StepId) -> Option<Group> {
        let suffix = format!(".{}", id.0);
        let leaves = self.tree(name).children().ok()?;
        leaves.into_iter().find(|leaf| leaf.directory.to_string_lossy().ends_with(&suffix))
    }

    /// Every group of an earlier daemon, by the name of its component's directory.
    pub(super) fn left_behind(&self) -> Result<Vec<Group>, JailError> {
        let sweep = |cause| JailError::Sweep { path: self.tree.directory.clone(), cause };
        self.tree.children().map_err(sweep)
    }

    pub(super) fn remove(&self, name: &ComponentName) -> Result<(), JailError> {
        self.remove_all(name.as_str())
    }

    /// Removes the parents too. Only when no component is left.
    pub(super) fn leave(&self) {
        for parent in [Some(&self.tree), self.memory.as_ref(), self.cpu.as_ref()].into_iter().flatten() {
            if let Err(cause) = parent.remove() {
                tracing::warn!(group = %parent.directory.display(), %cause, "A control group stays behind.");
            }
        }
    }

    pub(super) fn remove_all(&self, directory: &str) -> Result<(), JailError> {
        let mut result = Ok(());
        for parent in [Some(&self.tree), self.memory.as_ref(), self.cpu.as_ref()].into_iter().flatten() {
            let group = parent.child(directory);
            if let Err(cause) = group.remove() {
                result = Err(JailError::Remove { group: group.directory, cause });
            }
        }
        result
    }

    /// Removes the directories of a controller's processes that are gone: version 1 keeps them apart from the tree.
    pub(super) fn limit_groups_left_behind(&self) -> Vec<String> {
        let parents = self.memory.iter().chain(&self.cpu).filter(|parent| **parent != self.tree);
        parents
            .filter_map(|parent| parent.children().ok())
            .flatten()
            .filter_map(|group| Some(group.directory.file_name()?.to_str()?.to_owned()))
            .collect()
    }
}

/// More than any machine has, and still a number the kernel takes.
const MOST_BYTES: u64 = 1 << 60;
