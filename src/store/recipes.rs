//! The recipes of installed components, byte for byte as they came.

use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file::{self, Backup, FileError};
use super::paths::Paths;
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::recipe::{Format, Recipe, parse_recipe_file_name, recipe_file_name, recipe_file_prefix};

/// `packages/recipes`
#[derive(Clone, Debug)]
pub struct Recipes {
    directory: PathBuf,
}

impl Recipes {
    pub fn new(paths: &Paths) -> Self {
        Self { directory: paths.recipes() }
    }

    /// Keeps a recipe, durably, in place of one of the same version.
    pub fn save(
        &self,
        name: &ComponentName,
        version: &ComponentVersion,
        format: Format,
        bytes: &[u8],
    ) -> Result<(), FileError> {
        file::write(&self.directory.join(recipe_file_name(name, version, format)), 0o600, Backup::Drop, bytes)?;
        let other = if format == Format::Json { Format::Yaml } else { Format::Json };
        file::remove(&self.directory.join(recipe_file_name(name, version, other)))
    }

    /// The stored versions of a component, highest first.
    pub fn versions(&self, name: &ComponentName) -> Result<Vec<ComponentVersion>, FileError> {
        let mut versions: Vec<_> = self
            .names()?
            .iter()
            .filter_map(|file| parse_recipe_file_name(name, file))
            .map(|(version, _)| version)
            .collect();
        versions.sort_by_key(|version| Reverse(version.clone()));
        versions.dedup();
        Ok(versions)
    }

    /// The recipe of one version; `None` when it is not stored.
    pub fn load(
        &self,
        name: &ComponentName,
        version: &ComponentVersion,
    ) -> Result<Option<(Vec<u8>, Format)>, FileError> {
        // Both formats are there only if a save was interrupted: the later one is meant.
        let mut found: Vec<(SystemTime, PathBuf, Format)> = [Format::Json, Format::Yaml]
            .into_iter()
            .map(|format| (self.directory.join(recipe_file_name(name, version, format)), format))
            .filter_map(|(path, format)| Some((std::fs::metadata(&path).ok()?.modified().ok()?, path, format)))
            .collect();
        found.sort_by_key(|(modified, ..)| Reverse(*modified));
        let Some((_, path, format)) = found.into_iter().next() else { return Ok(None) };
        Ok(file::read(&path, Recipe::MAX_BYTES as u64)?.map(|bytes| (bytes, format)))
    }

    /// Forgets a version, with its metadata.
    pub fn remove(&self, name: &ComponentName, version: &ComponentVersion) -> Result<(), FileError> {
        for format in [Format::Json, Format::Yaml] {
            file::remove(&self.directory.join(recipe_file_name(name, version, format)))?;
        }
        file::remove(&self.directory.join(format!("{}@{version}.metadata.json", recipe_file_prefix(name))))
    }

    fn names(&self) -> Result<Vec<String>, FileError> {
        let fault = |cause| FileError::Read { path: self.directory.clone(), cause };
        names(&self.directory).map_err(fault)
    }
}

/// The names in a directory that are UTF-8: all that we write are.
pub(super) fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> ComponentVersion {
        ComponentVersion::parse(text).unwrap()
    }

    #[test]
    fn recipes_come_back_verbatim_and_sorted() {
        let scratch = tempfile::tempdir().unwrap();
        let recipes = Recipes::new(&Paths::new(scratch.path().to_owned()));
        let (name, other) = (ComponentName::parse("a.B").unwrap(), ComponentName::parse("a.b").unwrap());
        assert!(recipes.versions(&name).unwrap().is_empty());
        assert!(recipes.save(&name, &version("1.0.0"), Format::Json, b"x").is_err(), "the directory is missing");
        std::fs::create_dir_all(scratch.path().join("packages/recipes")).unwrap();
        for text in ["1.9.0", "1.10.0", "2.0.0-rc.1"] {
            recipes.save(&name, &version(text), Format::Json, b"old").unwrap();
            recipes.save(&name, &version(text), Format::Yaml, text.as_bytes()).unwrap();
        }
        recipes.save(&other, &version("9.0.0"), Format::Json, b"{}").unwrap();
        std::fs::write(scratch.path().join("packages/recipes/debris"), "").unwrap();
        let stored: Vec<String> = recipes.versions(&name).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(stored, ["2.0.0-rc.1", "1.10.0", "1.9.0"]);
        assert_eq!(recipes.load(&name, &version("1.9.0")).unwrap(), Some((b"1.9.0".to_vec(), Format::Yaml)));
        recipes.remove(&name, &version("1.9.0")).unwrap();
        assert_eq!(recipes.load(&name, &version("1.9.0")).unwrap(), None);
        assert_eq!(recipes.versions(&other).unwrap(), [version("9.0.0")]);
    }
}
