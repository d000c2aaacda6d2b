//! What a stored recipe's file is called.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Format;
use crate::name::{ComponentName, ComponentVersion};

/// `<hash of the name>@<version>.recipe.<json|yaml>`; the hash lets any name be a file name of fixed length.
pub fn recipe_file_name(name: &ComponentName, version: &ComponentVersion, format: Format) -> String {
    format!("{}@{version}{INFIX}{}", recipe_file_prefix(name), format.extension())
}

/// The hash that begins every recipe file of a component.
pub fn recipe_file_prefix(name: &ComponentName) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(name.as_str()))
}

/// The version and format a file name tells, if it is the recipe of this component.
pub fn parse_recipe_file_name(name: &ComponentName, file_name: &str) -> Option<(ComponentVersion, Format)> {
    let rest = file_name.strip_prefix(&recipe_file_prefix(name))?.strip_prefix('@')?;
    let (version, extension) = rest.rsplit_once(INFIX)?;
    Some((ComponentVersion::parse(version).ok()?, Format::of_extension(extension)?))
}

const INFIX: &str = ".recipe.";
