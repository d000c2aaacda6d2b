//! After a deployment: removes what no component runs from and no rollback needs.

use std::collections::BTreeSet;
use std::path::Path;

use super::resolve::running_versions;
use crate::base::report::Report;
use crate::store::file::{self, FileError};
use crate::store::paths::Paths;
use crate::store::tree::{KeyPath, Tree};
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::recipe::{Format, recipe_file_name};

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
    for root in ["artifacts", "artifacts-unarchived"] {
        for (name, version) in versions_below(&paths.packages().join(root)) {
            if !wanted.contains(&(name.clone(), version.clone())) {
                tell(remove(paths, &name, &version));
            }
        }
    }
}

/// Removes the plans of deployments that have ended. Blocks.
pub(super) fn forget_plans(paths: &Paths) {
    for directory in entries(&paths.deployments()).filter(|path| path.is_dir()) {
        tell(file::remove_directory(&directory));
    }
}

fn remove(paths: &Paths, name: &ComponentName, version: &ComponentVersion) -> Result<(), FileError> {
    tracing::info!(component = %name, %version, "A version that is not used any more is removed from the store.");
    for format in [Format::Json, Format::Yaml] {
        file::remove(&paths.recipes().join(recipe_file_name(name, version, format)))?;
    }
    file::remove_directory(&paths.artifacts(name, version))?;
    file::remove_directory(&paths.unarchived(name, version))
}

/// `<component>/<version>` directories.
fn versions_below(root: &Path) -> Vec<(ComponentName, ComponentVersion)> {
    let components =
        entries(root).filter_map(|path| Some((ComponentName::parse(path.file_name()?.to_str()?).ok()?, path)));
    let versions = components.flat_map(|(name, path)| {
        let versions = entries(&path).filter_map(|path| ComponentVersion::parse(path.file_name()?.to_str()?).ok());
        versions.map(move |version| (name.clone(), version)).collect::<Vec<_>>()
    });
    versions.collect()
}

fn entries(directory: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn tell(done: Result<(), FileError>) {
    if let Err(fault) = done {
        tracing::warn!(cause = %Report(&fault), "The store cannot be tidied.");
    }
}
