//! A component's recipe: what it is, what it needs, and how it runs on which device.
//!
//! | step | file |
//! | --- | --- |
//! | text to a tree with places | `json`, `yaml`, `scalar`, `node` |
//! | tree to a [`Recipe`], with every fault and its field | `read`, `fields`, `finding` |
//! | the part a device uses | `selection` |
//! | names of stored recipes | `file_name` |
//!
//! The verdict is the reference nucleus's: names of fields and words are matched without case, unknown fields are ignored,
//! a number or boolean may stand for a text. Stricter on purpose, because the reference would silently take one of two
//! meanings: a key given twice, an alias, text after the end of a JSON recipe, a version that is no semantic version.

mod artifact;
mod fields;
mod file_name;
mod finding;
mod json;
mod manifest;
mod node;
mod read;
mod scalar;
mod selection;
mod uri;
mod write;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use artifact::{Artifact, ArtifactScheme, ArtifactUri, Digest, Permission, PermissionType, Unarchive, UriError};
pub use file_name::{parse_recipe_file_name, recipe_file_name, recipe_file_prefix};
pub use finding::{Finding, RecipeError};
pub use manifest::Manifest;
pub use node::Position;
pub use selection::Selected;

use crate::name::{ComponentName, ComponentVersion};
use crate::state::DependencyType;
use crate::version::VersionRequirement;

/// A recipe, parsed and checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Recipe {
    pub name: ComponentName,
    pub version: ComponentVersion,
    pub kind: ComponentType,
    pub description: Option<String>,
    pub publisher: Option<String>,
    /// The ARN of the Lambda function the component was made from.
    pub source: Option<String>,
    pub default_configuration: Map<String, Value>,
    pub dependencies: BTreeMap<ComponentName, Dependency>,
    /// Never empty; the first that fits is used.
    pub manifests: Vec<Manifest>,
    /// For manifests without a lifecycle of their own; may hold selection keys at any level.
    pub lifecycle: Map<String, Value>,
}

/// What a component asks of another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dependency {
    pub requirement: VersionRequirement,
    pub kind: DependencyType,
}

/// Who runs a component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ComponentType {
    #[default]
    Generic,
    Lambda,
    Plugin,
    Nucleus,
}

impl ComponentType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "aws.greengrass.generic",
            Self::Lambda => "aws.greengrass.lambda",
            Self::Plugin => "aws.greengrass.plugin",
            Self::Nucleus => "aws.greengrass.nucleus",
        }
    }
}

/// How a recipe is written down.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    Json,
    Yaml,
}

impl Format {
    /// The format a file of this extension has.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    pub const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }
}

/// A recipe, and what its author should know.
#[derive(Clone, PartialEq, Debug)]
pub struct Parsed {
    pub recipe: Recipe,
    pub warnings: Vec<Finding>,
}

/// Reads a JSON or YAML text that is no recipe, under the same rules: a configuration file, say.
pub fn read_document(bytes: &[u8], format: Format) -> Result<Value, Finding> {
    read::document(bytes, format)
}

impl Recipe {
    /// The only format version there is.
    pub const FORMAT_VERSION: &'static str = "2020-01-25";

    /// The largest recipe, in bytes: 1 MiB of text and a quarter for what is around it. The cloud takes 16 KB.
    pub const MAX_BYTES: usize = (1 << 20) + (1 << 18);

    /// Reads a recipe; on refusal names every field at fault.
    pub fn parse(bytes: &[u8], format: Format) -> Result<Parsed, RecipeError> {
        read::recipe(bytes, format)
    }
}
