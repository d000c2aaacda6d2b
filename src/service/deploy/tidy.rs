//! After a deployment: removes what no component runs from and no rollback needs.

use std::collections::BTreeSet;

use super::resolve::running_versions;
use crate::base::report::Report;
use crate::store::artifacts;
use crate::store::file;
use crate::store::paths::Paths;
use crate::store::tree::{KeyPath, Tree};
use crate::wire::name::{ComponentName, ComponentVersion};

/// Versions other than a component's current and previous one go. Errors are only told: the next deployment tries
/// again. Blocks.
pub(super) fn tidy(paths: &Paths, tree: &Tree) {
    let mut wanted: BTreeSet<(ComponentName, ComponentVersion)> = BTreeSet::new();
    for (name, version) in running_versions(tree) {
        let previous = tree.text(&KeyPath::service(name.as_str()).join("previousVersion"));
        if let Some(previous) = previous.and_then(|text| ComponentVersion::parse(&text).ok()) {
            wanted.insert((name.clone(), previous));
        }
        wanted.insert((name, version));
    }
    let (removed, failures) = artifacts::clean_up(paths, &wanted);
    for (component, version) in removed {
        tracing::info!(%component, %version, "A version that is not used any more is removed from the store.");
    }
    for fault in failures {
        tracing::warn!(cause = %Report(&fault), "The store cannot be tidied.");
    }
}

/// Removes the plans of deployments that have ended. Blocks.
pub(super) fn forget_plans(paths: &Paths) {
    for entry in std::fs::read_dir(paths.deployments()).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir()
            && let Err(fault) = file::remove_directory(&path)
        {
            tracing::warn!(cause = %Report(&fault), "The plan of a deployment cannot be removed.");
        }
    }
}
