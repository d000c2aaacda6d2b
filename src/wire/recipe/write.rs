//! A [`Recipe`] back to its canonical JSON.

use serde_json::{Map, Value, json};

use super::{Artifact, Manifest, PermissionType, Recipe, Unarchive};
use crate::state::DependencyType;

impl Recipe {
    /// The recipe in UpperCamelCase, absent fields left out; parses back to the same recipe.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("RecipeFormatVersion".into(), Self::FORMAT_VERSION.into());
        out.insert("ComponentName".into(), self.name.as_str().into());
        out.insert("ComponentVersion".into(), self.version.to_string().into());
        out.insert("ComponentType".into(), self.kind.as_str().into());
        let texts = [
            ("ComponentDescription", &self.description),
            ("ComponentPublisher", &self.publisher),
            ("ComponentSource", &self.source),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                out.insert(name.into(), text.as_str().into());
            }
        }
        if !self.default_configuration.is_empty() {
            out.insert("ComponentConfiguration".into(), json!({ "DefaultConfiguration": self.default_configuration }));
        }
        if !self.dependencies.is_empty() {
            let entries = self.dependencies.iter().map(|(name, dependency)| {
                let kind = match dependency.kind {
                    DependencyType::Hard => "HARD",
                    DependencyType::Soft => "SOFT",
                };
                let value = json!({ "VersionRequirement": dependency.requirement.to_string(), "DependencyType": kind });
                (name.to_string(), value)
            });
            out.insert("ComponentDependencies".into(), Value::Object(entries.collect()));
        }
        out.insert("Manifests".into(), self.manifests.iter().map(manifest).collect());
        if !self.lifecycle.is_empty() {
            out.insert("Lifecycle".into(), Value::Object(self.lifecycle.clone()));
        }
        Value::Object(out)
    }
}

fn manifest(manifest: &Manifest) -> Value {
    let mut out = Map::new();
    if let Some(name) = &manifest.name {
        out.insert("Name".into(), name.as_str().into());
    }
    if !manifest.platform.is_empty() {
        let entries = manifest.platform.iter().map(|(name, template)| (name.to_owned(), template.into()));
        out.insert("Platform".into(), Value::Object(entries.collect()));
    }
    if !manifest.lifecycle.is_empty() {
        out.insert("Lifecycle".into(), Value::Object(manifest.lifecycle.clone()));
    }
    if !manifest.selections.is_empty() {
        out.insert("Selections".into(), manifest.selections.iter().map(String::as_str).collect());
    }
    if !manifest.artifacts.is_empty() {
        out.insert("Artifacts".into(), manifest.artifacts.iter().map(artifact).collect());
    }
    Value::Object(out)
}

fn artifact(artifact: &Artifact) -> Value {
    let unarchive = match artifact.unarchive {
        Unarchive::None => "NONE",
        Unarchive::Zip => "ZIP",
    };
    let permission = |kind| match kind {
        PermissionType::None => "NONE",
        PermissionType::Owner => "OWNER",
        PermissionType::All => "ALL",
    };
    let mut out = Map::new();
    out.insert("Uri".into(), artifact.uri.as_str().into());
    out.insert("Unarchive".into(), unarchive.into());
    let (read, execute) = (permission(artifact.permission.read), permission(artifact.permission.execute));
    out.insert("Permission".into(), json!({ "Read": read, "Execute": execute }));
    if let Some(digest) = &artifact.digest {
        out.insert("Digest".into(), digest.value.as_str().into());
        if let Some(algorithm) = &digest.algorithm {
            out.insert("Algorithm".into(), algorithm.as_str().into());
        }
    }
    Value::Object(out)
}
