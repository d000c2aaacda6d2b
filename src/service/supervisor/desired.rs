//! What shall run: the one form in which V1 groups and V2 deployments reach the supervisor.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::environment::Identity;
use crate::wire::lifecycle::Lifecycle;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::run_with::{PosixUser, SystemResourceLimits};
use crate::wire::state::DependencyType;

/// Everything the supervisor shall keep running, and nothing else.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DesiredSet {
    pub components: BTreeMap<ComponentName, Component>,
    /// The `setenv` tree: environment of every step of every component.
    pub environment: BTreeMap<String, String>,
    /// What components are told of the device: a running one learns of a change at its next start.
    pub identity: Identity,
    pub run_with_default: RunWithDefault,
}

/// One component to run, its lifecycle selected and interpolated.
#[derive(Clone, PartialEq, Debug)]
pub struct Component {
    pub version: ComponentVersion,
    pub dependencies: BTreeMap<ComponentName, DependencyType>,
    pub lifecycle: Arc<Lifecycle>,
    /// `services.<name>.setenv`
    pub environment: BTreeMap<String, String>,
    pub run_with: RunWith,
}

/// `runWith` of one component; what is absent comes from [`RunWithDefault`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RunWith {
    pub posix_user: Option<PosixUser>,
    pub limits: Option<SystemResourceLimits>,
}

/// `runWithDefault` of the nucleus.
#[derive(Clone, PartialEq, Debug)]
pub struct RunWithDefault {
    pub posix_user: Option<PosixUser>,
    pub posix_shell: String,
    pub limits: SystemResourceLimits,
}

impl Default for RunWithDefault {
    fn default() -> Self {
        Self { posix_user: None, posix_shell: "sh".into(), limits: SystemResourceLimits::default() }
    }
}
