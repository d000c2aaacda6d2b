//! Takes the recipes and artifacts a local deployment brings into the component store.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::report::Report;
use crate::store::file::{self, Backup, FileError};
use crate::store::paths::Paths;
use crate::wire::deployment_error::{ErrorCode, ErrorStack};
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::recipe::{Format, Recipe, RecipeError, recipe_file_name};

/// Checks every recipe below `directory`, then stores them all: a broken one keeps the others out, too. Blocks.
pub(super) fn take_recipes(paths: &Paths, directory: &Path) -> Result<usize, InboxError> {
    let mut recipes: Vec<Recipe> = Vec::new();
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
                recipes.push(parsed.recipe);
            }
            Err(fault) => broken.push((path, fault)),
        }
    }
    if !broken.is_empty() {
        return Err(InboxError::Recipes { broken });
    }
    for recipe in &recipes {
        store_recipe(paths, recipe)?;
    }
    Ok(recipes.len())
}

fn store_recipe(paths: &Paths, recipe: &Recipe) -> Result<(), InboxError> {
    let name = |format| paths.recipes().join(recipe_file_name(&recipe.name, &recipe.version, format));
    let path = name(Format::Json);
    let text = recipe.to_json().to_string().into_bytes();
    if file::read(&path, Recipe::MAX_BYTES as u64 * 2).ok().flatten().as_deref() != Some(&text) {
        file::write(&path, 0o600, Backup::Drop, &text)?;
    }
    // A store taken over from the reference nucleus may hold an older one.
    Ok(file::remove(&name(Format::Yaml))?)
}

/// Copies `<component>/<version>/…` below `directory` over the stored artifacts. Blocks.
pub(super) fn take_artifacts(paths: &Paths, directory: &Path) -> Result<usize, InboxError> {
    let store = paths.packages().join("artifacts");
    let same =
        |a: &Path, b: &Path| a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| b.starts_with(a));
    if same(directory, &store) {
        return Err(InboxError::StoreItself { directory: directory.to_owned() });
    }
    let mut count = 0;
    for source in files_below(directory)? {
        let Ok(below) = source.strip_prefix(directory) else { continue };
        let mut parts = below.iter().filter_map(|part| part.to_str());
        let place = (|| {
            let name = ComponentName::parse(parts.next()?).ok()?;
            let version = ComponentVersion::parse(parts.next()?).ok()?;
            let rest: PathBuf = parts.collect();
            (!rest.as_os_str().is_empty()).then(|| paths.artifacts(&name, &version).join(rest))
        })();
        match place {
            Some(target) => copy(&source, &target)?,
            None => {
                tracing::warn!(file = %source.display(), "A file outside <component>/<version>/ is left out.");
                continue;
            }
        }
        count += 1;
    }
    Ok(count)
}

/// Copies one file in one step; one that is there already with the same content stays.
pub(super) fn copy(source: &Path, target: &Path) -> Result<(), InboxError> {
    let unread = |cause| InboxError::Read { path: source.to_owned(), cause };
    let mut reader = std::fs::File::open(source).map_err(unread)?;
    let found = reader.metadata().map_err(unread)?;
    if !found.is_file() {
        return Err(unread(io::Error::other("it is not a regular file")));
    }
    if is_same(source, found.len(), target) {
        return Ok(());
    }
    if let Some(parent) = target.parent() {
        file::make_directory(parent, 0o755)?;
    }
    let mode = found.permissions().mode() & 0o555 | 0o400;
    Ok(file::write_with(target, mode, Backup::Drop, |file| io::copy(&mut reader, file).map(drop))?)
}

fn is_same(source: &Path, length: u64, target: &Path) -> bool {
    use std::io::Read;
    let Ok(found) = target.symlink_metadata() else { return false };
    if !found.is_file() || found.len() != length {
        return false;
    }
    let open = |path| std::fs::File::open(path).map(io::BufReader::new);
    match (open(source), open(target)) {
        (Ok(a), Ok(b)) => a.bytes().zip(b.bytes()).all(|pair| matches!(pair, (Ok(a), Ok(b)) if a == b)),
        _ => false,
    }
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

/// Directories below the one given.
const MAX_DEPTH: usize = 32;
