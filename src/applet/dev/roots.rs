//! The components a folder of recipes offers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::DevError;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::recipe::{Format, Recipe};

/// The highest version of every component whose recipe lies in `folder`.
pub fn in_folder(folder: &Path) -> Result<BTreeMap<ComponentName, ComponentVersion>, DevError> {
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let entries = fs::read_dir(folder).map_err(|cause| DevError::Folder { path: shown(folder), cause })?;
    let mut roots: BTreeMap<ComponentName, ComponentVersion> = BTreeMap::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(format) = path.extension().and_then(|e| e.to_str()).and_then(Format::of_extension) else { continue };
        let bytes = fs::read(&path).map_err(|cause| DevError::ReadRecipe { path: shown(&path), cause })?;
        let parsed = Recipe::parse(&bytes, format).map_err(|cause| DevError::Recipe { path: shown(&path), cause })?;
        let recipe = parsed.recipe;
        let highest = roots.entry(recipe.name).or_insert_with(|| recipe.version.clone());
        if recipe.version > *highest {
            *highest = recipe.version;
        }
    }
    if roots.is_empty() {
        return Err(DevError::NoRecipe { path: shown(folder) });
    }
    Ok(roots)
}
