//! What isolation this machine gives us.

use std::fmt;

use super::groups::Groups;
use super::{CgroupUse, JailSettings};
use crate::sys::account;
use crate::sys::cgroup::{self, Version};

/// Found once, at start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Means {
    pub run_as: RunAs,
    pub cgroups: Cgroups,
    /// What is missing, in words.
    pub lacks: Vec<String>,
}

/// Whose processes steps are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunAs {
    /// The user of `runWith`: we are root.
    Switch,
    /// Ours.
    SameUser,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cgroups {
    V1,
    V2,
    /// A keeper per step holds its processes together; no limits, no pause.
    None,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = match self.run_as {
            RunAs::Switch => "Components run as the users of runWith",
            RunAs::SameUser => "Components run as the daemon's own user, because it is not root",
        };
        let groups = match self.cgroups {
            Cgroups::V1 => "in control groups of version 1",
            Cgroups::V2 => "in control groups of version 2",
            Cgroups::None => "under keeper processes, without resource limits and pause",
        };
        write!(f, "{users}, {groups}")?;
        for lack in &self.lacks {
            write!(f, "; {lack}")?;
        }
        f.write_str(".")
    }
}

/// Looks, and makes the group of all components where there can be one.
pub(super) fn find(settings: &JailSettings) -> (Option<Groups>, Means) {
    let run_as = if account::is_root() { RunAs::Switch } else { RunAs::SameUser };
    let mut lacks = Vec::new();
    let groups = match (settings.cgroup_use, cgroup::mounts(&settings.cgroup_root)) {
        (CgroupUse::Never, _) => None,
        (CgroupUse::WherePossible, None) => {
            lacks.push(format!("no usable control groups are mounted at {}", settings.cgroup_root.display()));
            None
        }
        (CgroupUse::WherePossible, Some(mounts)) => {
            for (what, mount) in [("memory", &mounts.memory), ("cpu", &mounts.cpu)] {
                if mount.is_none() {
                    lacks.push(format!("the {what} controller is missing, so {what} limits have no effect"));
                }
            }
            Groups::make(&mounts, &settings.cgroup_parent)
                .map_err(|(path, cause)| {
                    lacks.push(format!("control group {} cannot be made: {cause}", path.display()));
                })
                .ok()
        }
    };
    let cgroups = match groups.as_ref().map(Groups::version) {
        Some(Version::V1) => Cgroups::V1,
        Some(Version::V2) => Cgroups::V2,
        None => Cgroups::None,
    };
    (groups, Means { run_as, cgroups, lacks })
}
