//! Real processes in real jails.

use super::*;
use crate::wire::lifecycle::StepName;
use crate::wire::name::ComponentVersion;

/// A Run step of version 1.0.0.
pub(super) fn order(component: &str, script: &str) -> StepOrder {
    StepOrder {
        component: ComponentName::parse(component).unwrap(),
        version: ComponentVersion::parse("1.0.0").unwrap(),
        step: StepName::Run,
        script: script.into(),
        shell: "sh".into(),
        privileged: true,
        user: None,
        limits: SystemResourceLimits::default(),
        environment: BTreeMap::new(),
        state: ComponentState::Running,
    }
}
