//! Which part of a recipe a device uses.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Artifact, Recipe};
use crate::platform::PlatformAttributes;

/// The manifest chosen for a device, its lifecycle already cut to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Selected {
    /// Place in the recipe's manifests.
    pub manifest: usize,
    pub name: Option<String>,
    pub lifecycle: Map<String, Value>,
    pub artifacts: Vec<Artifact>,
}

impl Recipe {
    /// The first manifest whose platform the device satisfies, not the best one. `None`: the component cannot run here.
    pub fn select(&self, device: &PlatformAttributes) -> Option<Selected> {
        let (index, manifest) = self.manifests.iter().enumerate().find(|(_, m)| m.platform.is_satisfied_by(device))?;
        let lifecycle = if manifest.lifecycle.is_empty() {
            let mut keys: HashSet<&str> =
                self.manifests.iter().flat_map(|m| &m.selections).map(String::as_str).collect();
            keys.insert(ALL);
            Selection { keys, preferred: &manifest.selections }.of_level(&self.lifecycle).unwrap_or_default()
        } else {
            manifest.lifecycle.clone()
        };
        Some(Selected {
            manifest: index,
            name: manifest.name.clone(),
            lifecycle,
            artifacts: manifest.artifacts.clone(),
        })
    }
}

/// The selection that every manifest has, after its own.
const ALL: &str = "all";

struct Selection<'a> {
    /// What counts as a selection in this recipe: every key any manifest names, and `all`.
    keys: HashSet<&'a str>,
    preferred: &'a [String],
}

impl Selection<'_> {
    /// A level with a selection key becomes what the first preferred key holds; other keys on it are dropped. A level
    /// without one is kept. `None`: nothing on the level is for this manifest.
    fn of_level(&self, level: &Map<String, Value>) -> Option<Map<String, Value>> {
        match self.of_map(level)? {
            Value::Object(map) => Some(map),
            // A script directly under a selection key is no lifecycle.
            _ => None,
        }
    }

    fn of_map(&self, level: &Map<String, Value>) -> Option<Value> {
        if level.keys().any(|key| self.keys.contains(key.as_str())) {
            let preferred = self.preferred.iter().map(String::as_str).chain([ALL]);
            let picked = preferred.filter_map(|key| level.get(key)).find(|value| !value.is_null())?;
            return self.of_value(picked);
        }
        let kept = level.iter().filter_map(|(key, value)| Some((key.clone(), self.of_value(value)?)));
        Some(Value::Object(kept.collect()))
    }

    fn of_value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(map) => self.of_map(map),
            Value::Null => None,
            leaf => Some(leaf.clone()),
        }
    }
}
