//! One way to run a component, for the devices its platform names.

use serde_json::{Map, Value};

use super::artifact::Artifact;
use crate::platform::PlatformRequirement;

/// One entry of `Manifests`. An empty one fits every device.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Manifest {
    /// For people; defaults to none.
    pub name: Option<String>,
    pub platform: PlatformRequirement,
    /// Takes the place of the recipe's own lifecycle unless empty.
    pub lifecycle: Map<String, Value>,
    /// Keys into the recipe's lifecycle, the preferred one first.
    pub selections: Vec<String>,
    pub artifacts: Vec<Artifact>,
}
