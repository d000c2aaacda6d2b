//! The recipes of the component store, read as resolution asks for them.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::resolve::{Offer, ResolveError, Shelf};
use crate::store::paths::Paths;
use crate::store::recipes::Recipes;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::platform::PlatformAttributes;
use crate::wire::recipe::{Recipe, Selected, parse_recipe_file_name, recipe_file_prefix};

/// One look at the store. Blocks.
pub(super) struct StoredRecipes<'a> {
    paths: &'a Paths,
    platform: &'a PlatformAttributes,
    /// By the hash of the component's name.
    files: HashMap<String, Vec<String>>,
    read: BTreeMap<(ComponentName, ComponentVersion), (Recipe, Selected)>,
}

impl<'a> StoredRecipes<'a> {
    pub(super) fn open(paths: &'a Paths, platform: &'a PlatformAttributes) -> io::Result<Self> {
        let mut files: HashMap<String, Vec<String>> = HashMap::new();
        for entry in std::fs::read_dir(paths.recipes())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some((hash, _)) = name.split_once('@') {
                files.entry(hash.to_owned()).or_default().push(name);
            }
        }
        Ok(Self { paths, platform, files, read: BTreeMap::new() })
    }

    /// A recipe that was part of the answer, with what it says for this device.
    pub(super) fn take(&mut self, name: &ComponentName, version: &ComponentVersion) -> Option<(Recipe, Selected)> {
        self.read.remove(&(name.clone(), version.clone()))
    }

    fn load(&self, name: &ComponentName, version: &ComponentVersion) -> Result<(Recipe, Selected), ResolveError> {
        let unread = |cause: Box<dyn std::error::Error + Send + Sync>| ResolveError::ReadRecipe {
            name: name.clone(),
            version: version.clone(),
            cause,
        };
        let invalid = |cause: Box<dyn std::error::Error + Send + Sync>| ResolveError::ParseRecipe {
            name: name.clone(),
            version: version.clone(),
            cause,
        };
        let missing = || unread(io::Error::from(io::ErrorKind::NotFound).into());
        let stored = Recipes::new(self.paths).load(name, version).map_err(|e| unread(e.into()))?;
        let (bytes, format) = stored.ok_or_else(missing)?;
        let recipe = Recipe::parse(&bytes, format).map_err(|e| invalid(e.into()))?.recipe;
        if recipe.name != *name || recipe.version != *version {
            let found = format!("it is the recipe of {} {}", recipe.name, recipe.version);
            return Err(invalid(found.into()));
        }
        let selected = recipe.select(self.platform).ok_or_else(|| {
            let attributes: Vec<String> = self.platform.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            ResolveError::NoManifest { name: name.clone(), version: version.clone(), platform: attributes.join(", ") }
        })?;
        Ok((recipe, selected))
    }
}

impl Shelf for StoredRecipes<'_> {
    fn versions(&mut self, name: &ComponentName) -> Vec<ComponentVersion> {
        let files = self.files.get(&recipe_file_prefix(name)).into_iter().flatten();
        let mut versions: Vec<_> = files.filter_map(|file| Some(parse_recipe_file_name(name, file)?.0)).collect();
        versions.sort();
        versions.dedup();
        versions
    }

    fn offer(&mut self, name: &ComponentName, version: &ComponentVersion) -> Result<Offer, ResolveError> {
        let key = (name.clone(), version.clone());
        if !self.read.contains_key(&key) {
            let loaded = self.load(name, version)?;
            self.read.insert(key.clone(), loaded);
        }
        Ok(self.read.get(&key).map_or_else(Offer::default, |(recipe, _)| Offer {
            kind: recipe.kind,
            dependencies: recipe.dependencies.clone(),
        }))
    }
}
