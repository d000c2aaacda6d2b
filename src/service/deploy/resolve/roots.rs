//! What groups and the running configuration already say, read from the configuration tree.

use std::collections::BTreeMap;

use super::Root;
use crate::store::tree::{KeyPath, Tree};
use crate::wire::deployment::LocalDeploymentRequest;
use crate::wire::name::{ComponentName, ComponentVersion, GroupName};

/// The roots of every group as they shall be: those recorded, and for the group of `request` its changes.
///
/// A recorded root of that group keeps the version it runs at; roots of other groups keep the one recorded.
pub fn roots(tree: &Tree, request: &LocalDeploymentRequest) -> Vec<Root> {
    let running = running_versions(tree);
    let mut groups: BTreeMap<GroupName, BTreeMap<ComponentName, ComponentVersion>> = group_roots(tree);
    let own = groups.entry(request.group.clone()).or_default();
    own.retain(|name, _| !request.remove.contains(name));
    for (name, version) in own.iter_mut() {
        if let Some(running) = running.get(name) {
            version.clone_from(running);
        }
    }
    own.extend(request.add.iter().map(|(name, version)| (name.clone(), version.clone())));
    let roots = groups.into_iter().flat_map(|(group, roots)| {
        roots.into_iter().map(move |(name, version)| Root { group: group.clone(), name, version })
    });
    roots.collect()
}

/// `GroupToRootComponents`; what does not parse is left out.
pub fn group_roots(tree: &Tree) -> BTreeMap<GroupName, BTreeMap<ComponentName, ComponentVersion>> {
    let at = KeyPath::service("DeploymentService").join("GroupToRootComponents");
    let mut groups = BTreeMap::new();
    for group in tree.children(&at) {
        let Ok(name) = GroupName::parse(&group) else { continue };
        let at = at.join(group);
        let roots = tree.children(&at).into_iter().filter_map(|component| {
            let version = tree.text(&at.join(component.clone()).join("version"))?;
            Some((ComponentName::parse(&component).ok()?, ComponentVersion::parse(&version).ok()?))
        });
        groups.insert(name, roots.collect());
    }
    groups
}

/// The version of every component the configuration has.
pub fn running_versions(tree: &Tree) -> BTreeMap<ComponentName, ComponentVersion> {
    let services = tree.children(&KeyPath::new(["services"])).into_iter();
    let versions = services.filter_map(|service| {
        let version = tree.text(&KeyPath::service(&service).join("version"))?;
        Some((ComponentName::parse(&service).ok()?, ComponentVersion::parse(&version).ok()?))
    });
    versions.collect()
}
