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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_name_tells_version_and_format_back() {
        let name = ComponentName::parse("com.example.HelloWorld").unwrap();
        let other = ComponentName::parse("com.example.Other").unwrap();
        for text in ["1.0.0", "1.0.0-beta.1+build.recipe"] {
            let version = ComponentVersion::parse(text).unwrap();
            for format in [Format::Json, Format::Yaml] {
                let file = recipe_file_name(&name, &version, format);
                assert_eq!(parse_recipe_file_name(&name, &file), Some((version.clone(), format)));
                assert_eq!(parse_recipe_file_name(&other, &file), None);
            }
        }
        let stem = recipe_file_prefix(&name);
        for file in ["", &stem, &format!("{stem}@1.0.recipe.json"), &format!("{stem}@1.0.0.recipe.txt")] {
            assert_eq!(parse_recipe_file_name(&name, file), None, "{file}");
        }
    }
}
