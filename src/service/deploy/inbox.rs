//! Takes the recipes and artifacts a local deployment brings into the component store.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::report::Report;
use crate::store::artifacts::{self, ArtifactError};
use crate::store::file::{self, FileError};
use crate::store::paths::Paths;
use crate::store::recipes::Recipes;
use crate::wire::deployment::LocalDeploymentRequest;
use crate::wire::deployment_error::{ErrorCode, ErrorStack};
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::recipe::{Format, Recipe, RecipeError};

/// Looks whether there are directories to take anything from, and which is not. Blocks.
pub(super) fn look(paths: &Paths, request: &LocalDeploymentRequest) -> Result<(), DirectoryError> {
    if let Some(directory) = request.recipe_directory.as_deref().map(Path::new) {
        is_directory(directory).map_err(|cause| DirectoryError::Recipes { directory: directory.to_owned(), cause })?;
    }
    if let Some(directory) = request.artifact_directory.as_deref().map(Path::new) {
        let directory = || directory.to_owned();
        is_directory(&directory()).map_err(|cause| DirectoryError::Artifacts { directory: directory(), cause })?;
        if is_or_has_store(paths, &directory()).unwrap_or(false) {
            return Err(DirectoryError::ArtifactsOfStore { directory: directory() });
        }
    }
    Ok(())
}

/// Checks every recipe below `directory`, then stores them all: a broken one keeps the others out, too. Blocks.
pub(super) fn take_recipes(paths: &Paths, directory: &Path) -> Result<(), InboxError> {
    let mut recipes: Vec<(Recipe, Format, Vec<u8>)> = Vec::new();
    let mut broken: Vec<(PathBuf, RecipeError)> = Vec::new();
    for path in files_below(directory)? {
        let Some(format) = path.extension().and_then(|e| Format::of_extension(e.to_str()?)) else { continue };
        let bytes = file::read(&path, Recipe::MAX_BYTES as u64)?.unwrap_or_default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            tracing::error!(file = %path.display(), "An empty recipe file is left out.");
            continue;
        }
        match Recipe::parse(&bytes, format) {
            Ok(parsed) => {
                for warning in parsed.warnings {
                    tracing::warn!(file = %path.display(), %warning, "A recipe is accepted with a warning.");
                }
                recipes.push((parsed.recipe, format, bytes));
            }
            Err(fault) => broken.push((path, fault)),
        }
    }
    if !broken.is_empty() {
        return Err(InboxError::Recipes { broken });
    }
    let store = Recipes::new(paths);
    for (Recipe { name, version, .. }, format, bytes) in &recipes {
        if store.load(name, version)?.is_none_or(|(there, as_format)| there != *bytes || as_format != *format) {
            store.save(name, version, *format, bytes)?;
        }
    }
    Ok(())
}

/// Copies `<component>/<version>/…` below `directory` over the stored artifacts, `room` bytes at most. Blocks.
pub(super) fn take_artifacts(paths: &Paths, directory: &Path, room: u64) -> Result<(), InboxError> {
    if is_or_has_store(paths, directory)? {
        return Err(InboxError::StoreItself { directory: directory.to_owned() });
    }
    let mut left = room;
    for (component, from) in directories(directory)? {
        let name = ComponentName::parse(&component);
        for (version, from) in directories(&from)? {
            match (&name, ComponentVersion::parse(&version)) {
                (Ok(name), Ok(version)) => {
                    let copied = artifacts::copy_tree(&from, &paths.artifacts(name, &version), MODE, left)?;
                    left = left.saturating_sub(copied);
                }
                _ => tracing::warn!(directory = %from.display(), "Not a <component>/<version> directory; left out."),
            }
        }
    }
    Ok(())
}

/// Copying such a directory over the store would have no end.
fn is_or_has_store(paths: &Paths, directory: &Path) -> Result<bool, InboxError> {
    let (directory, store) = (real(directory)?, real(&paths.packages().join("artifacts"))?);
    Ok(directory.starts_with(&store) || store.starts_with(&directory))
}

fn is_directory(directory: &Path) -> io::Result<()> {
    if !directory.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not absolute"));
    }
    // Opened, not only asked for: what cannot be read cannot be taken in.
    std::fs::read_dir(directory).map(drop)
}

/// Name and path of every directory in a directory.
fn directories(directory: &Path) -> Result<Vec<(String, PathBuf)>, InboxError> {
    let unread = |cause| InboxError::Read { path: directory.to_owned(), cause };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.is_dir()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            found.push((name.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

fn real(path: &Path) -> Result<PathBuf, InboxError> {
    path.canonicalize().map_err(|cause| InboxError::Read { path: path.to_owned(), cause })
}

/// Every file, links followed, in the order of names.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>, InboxError> {
    let mut files = Vec::new();
    let mut open = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = open.pop() {
        let unread = |cause| InboxError::Read { path: directory.clone(), cause };
        if depth > MAX_DEPTH {
            return Err(InboxError::TooDeep { path: directory });
        }
        for entry in std::fs::read_dir(&directory).map_err(unread)? {
            let path = entry.map_err(unread)?.path();
            if path.metadata().map_err(|cause| InboxError::Read { path: path.clone(), cause })?.is_dir() {
                open.push((path, depth + 1));
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Why a deployment that brings directories would come to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("the recipe directory {} cannot be read", directory.display())]
    Recipes {
        directory: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the artifact directory {} cannot be read", directory.display())]
    Artifacts {
        directory: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the artifact directory {} is, contains or lies in the daemon's own", directory.display())]
    ArtifactsOfStore { directory: PathBuf },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum InboxError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} nests too deep, perhaps by a link to a directory above it", path.display())]
    TooDeep { path: PathBuf },
    #[error("the artifact directory {} is or contains the daemon's own component store", directory.display())]
    StoreItself { directory: PathBuf },
    #[error("{}", listed(broken))]
    Recipes { broken: Vec<(PathBuf, RecipeError)> },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot take in the artifacts of the deployment")]
    Artifacts(#[from] ArtifactError),
}

impl InboxError {
    pub(super) fn stack(&self) -> ErrorStack {
        use ErrorCode as C;
        ErrorStack::failure(match self {
            Self::Read { .. } | Self::TooDeep { .. } => &[C::IoError, C::IoReadError],
            Self::StoreItself { .. } => &[C::DeploymentDocumentNotValid],
            Self::Recipes { .. } => &[C::IoError, C::IoWriteError, C::RecipeParseError],
            Self::File(error) if error.is_full_disk() => &[C::IoError, C::IoWriteError, C::DiskSpaceCritical],
            Self::File(_) => &[C::IoError, C::IoWriteError],
            Self::Artifacts(ArtifactError::File(error)) if error.is_full_disk() => {
                &[C::IoError, C::IoWriteError, C::DiskSpaceCritical]
            }
            Self::Artifacts(ArtifactError::File(_)) => &[C::IoError, C::IoWriteError],
            Self::Artifacts(_) => &[C::IoError, C::IoReadError],
        })
    }
}

fn listed(broken: &[(PathBuf, RecipeError)]) -> String {
    let each: Vec<String> = broken
        .iter()
        .map(|(path, fault)| format!("the recipe {} is refused: {}", path.display(), Report(fault)))
        .collect();
    each.join("; ")
}

/// Mode of an artifact its recipe says nothing about: read by its owner, as the default permission has it.
const MODE: u32 = 0o440;
/// Directories below the one given.
const MAX_DEPTH: usize = 32;
