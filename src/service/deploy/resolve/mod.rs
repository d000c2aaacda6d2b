//! Which version of which component shall run: a pure answer from roots, requirements and what the store has.
//!
//! Breadth-first from the roots. Whoever requires a component is written down beside it, so that a requirement goes
//! when its component changes version or goes itself, and what nobody requires any more goes too.

mod builtin;
mod error;
mod graph;
mod roots;

use std::collections::BTreeMap;
use std::fmt;

use crate::wire::name::{ComponentName, ComponentVersion, GroupName};
use crate::wire::recipe::{ComponentType, Dependency};
use crate::wire::state::DependencyType;
use crate::wire::version::VersionRequirement;

pub use builtin::{NUCLEUS, builtin_version, is_builtin, own_version};
pub use error::ResolveError;
pub use graph::resolve;
pub use roots::{group_roots, roots, running_versions};

/// What can be had on this device. The store is one; tests have another.
pub trait Shelf {
    /// Every stored version of a component, in no order.
    fn versions(&mut self, name: &ComponentName) -> Vec<ComponentVersion>;
    /// What the recipe of a stored version says, as far as resolution asks.
    fn offer(&mut self, name: &ComponentName, version: &ComponentVersion) -> Result<Offer, ResolveError>;
}

/// A stored version of a component.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Offer {
    pub kind: ComponentType,
    pub dependencies: BTreeMap<ComponentName, Dependency>,
}

/// A component a group names directly, at an exact version.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Root {
    pub group: GroupName,
    pub name: ComponentName,
    pub version: ComponentVersion,
}

/// One component of the answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Resolved {
    pub version: ComponentVersion,
    pub provider: Provider,
    pub dependencies: BTreeMap<ComponentName, DependencyType>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provider {
    /// A recipe of the component store.
    Store,
    /// This daemon itself.
    Daemon,
}

/// Who requires something.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Requirer {
    Group(GroupName),
    Component(ComponentName),
}

/// What is required of a version.
#[derive(Clone, PartialEq, Debug)]
pub enum Demand {
    Exactly(ComponentVersion),
    Range(VersionRequirement),
}

impl Demand {
    pub fn accepts(&self, version: &ComponentVersion) -> bool {
        match self {
            Self::Exactly(exact) => exact == version,
            Self::Range(range) => range.matches(version),
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(version) => write!(f, "exactly {version}"),
            Self::Range(range) => write!(f, "{range}"),
        }
    }
}

#[cfg(test)]
mod tests;
