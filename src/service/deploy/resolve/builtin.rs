//! Components that are this daemon itself: recipes depend on them, nothing has to be installed.

use std::collections::BTreeMap;

use crate::wire::name::{ComponentName, ComponentVersion};

/// The component every recipe for AWS may depend on.
pub const NUCLEUS: &str = "aws.greengrass.Nucleus";

/// Name and the version whose behaviour is re-implemented, in the order of the alphabet.
const BUILTINS: [(&str, &str); 2] = [("aws.greengrass.Cli", "2.18.0"), (NUCLEUS, "2.18.0")];

pub fn is_builtin(name: &ComponentName) -> bool {
    BUILTINS.iter().any(|(builtin, _)| *builtin == name.as_str())
}

pub fn builtin_version(name: &ComponentName) -> Option<ComponentVersion> {
    let (_, version) = BUILTINS.iter().find(|(builtin, _)| *builtin == name.as_str())?;
    ComponentVersion::parse(version).ok()
}

/// The version that this daemon is: of the component that brought it, else of the image.
pub fn own_version(
    name: &ComponentName,
    running: &BTreeMap<ComponentName, ComponentVersion>,
) -> Option<ComponentVersion> {
    let version = builtin_version(name)?;
    Some(running.get(name).filter(|_| name.as_str() == NUCLEUS).cloned().unwrap_or(version))
}

/// Nodes under `services` that are no components; a component of this name would overwrite one.
const OWN_NODES: [&str; 5] =
    ["main", "DeploymentService", "FleetStatusService", "TelemetryAgent", "UpdateSystemPolicyService"];

/// Whether the configuration tree has no place for a component of this name: its keys ignore case, and what begins
/// with `_` is not kept.
pub(super) fn is_reserved(name: &ComponentName) -> bool {
    name.as_str().starts_with('_') || OWN_NODES.iter().any(|own| own.eq_ignore_ascii_case(name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_has_a_name_and_a_version_that_parse() {
        for (name, _) in BUILTINS {
            assert!(builtin_version(&ComponentName::parse(name).unwrap()).is_some(), "{name}");
        }
    }
}
