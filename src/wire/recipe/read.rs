//! The tree of a text to a [`Recipe`].

use std::collections::BTreeMap;

use super::fields::{Fields, Reader};
use super::finding::{Fault, Finding, RecipeError, shown};
use super::node::{Kind, Mark, Node, entries_into_map};
use super::{
    Artifact, ArtifactScheme, ArtifactUri, ComponentType, Dependency, Digest, Format, Manifest, Parsed, Permission,
    PermissionType, Recipe, Unarchive, json, yaml,
};
use crate::lifecycle::Lifecycle;
use crate::name::{ComponentName, ComponentVersion};
use crate::platform::{PlatformRequirement, template_fault};
use crate::state::DependencyType;
use crate::version::VersionRequirement;

pub(super) fn recipe(bytes: &[u8], format: Format) -> Result<Parsed, RecipeError> {
    let text = decode(bytes).map_err(RecipeError::new)?;
    let whole_text = |fault: Fault| RecipeError::new(fault.locate(text));
    let (node, mut warnings) = match format {
        Format::Json => (json::read(text).map_err(whole_text)?, Vec::new()),
        Format::Yaml => yaml::read(text).map_err(whole_text)?,
    };
    let mut reader = Reader::default();
    let recipe = reader.recipe(node);
    warnings.append(&mut reader.warnings);
    let locate = |faults: Vec<Fault>| -> Vec<Finding> { faults.into_iter().map(|fault| fault.locate(text)).collect() };
    match recipe {
        Some(recipe) if reader.faults.is_empty() => Ok(Parsed { recipe, warnings: locate(warnings) }),
        _ => Err(RecipeError::of_all(locate(reader.faults))),
    }
}

/// Any text of one of our formats, without a meaning.
pub(super) fn document(bytes: &[u8], format: Format) -> Result<serde_json::Value, Finding> {
    let text = decode(bytes)?;
    let node = match format {
        Format::Json => json::read(text),
        Format::Yaml => yaml::read(text).map(|(node, _)| node),
    };
    node.map(Node::into_value).map_err(|fault| fault.locate(text))
}

/// The text, its byte order mark dropped.
fn decode(bytes: &[u8]) -> Result<&str, Finding> {
    let document =
        |reason: String, hint: &str| Finding { field: String::new(), position: None, reason, hint: Some(hint.into()) };
    if bytes.len() > Recipe::MAX_BYTES {
        let reason = format!("has {} bytes, more than the {} allowed", bytes.len(), Recipe::MAX_BYTES);
        return Err(document(reason, "move large content into an artifact"));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let before = std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default();
            let reason = format!("is not UTF-8: the byte 0x{:02X} does not belong", bytes[e.valid_up_to()]);
            let position = Some(Mark::Offset(before.len()).position(before));
            return Err(Finding { position, ..document(reason, "save the file as UTF-8") });
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(document("is empty".into(), "begin with RecipeFormatVersion: '2020-01-25'"));
    }
    Ok(text)
}

impl Reader {
    fn recipe(&mut self, node: Node) -> Option<Recipe> {
        let mark = node.mark;
        let mut fields = self.fields(node, &RECIPE)?;
        let format = self.required_word(&mut fields, "RecipeFormatVersion", &[(Recipe::FORMAT_VERSION, ())]);
        let name = self.required(&mut fields, "ComponentName", "write a name such as com.example.HelloWorld", |text| {
            ComponentName::parse(text).map_err(|e| format!("cannot be this: {e}"))
        });
        let version = self.required(&mut fields, "ComponentVersion", "write a version such as 1.0.0", |text| {
            ComponentVersion::parse(text.trim()).map_err(|e| format!("cannot be this: {e}"))
        });
        let kind = self.word(&mut fields, "ComponentType", &TYPES).unwrap_or_default();
        let description = self.optional_text(&mut fields, "ComponentDescription");
        let publisher = self.optional_text(&mut fields, "ComponentPublisher");
        let source = self.optional_text(&mut fields, "ComponentSource");
        let default_configuration = self.default_configuration(&mut fields);
        let dependencies = self.dependencies(&mut fields);
        let manifests = self.manifests(&mut fields, mark);
        let lifecycle = self.free_map(&mut fields, "Lifecycle");
        format?;
        Some(Recipe {
            name: name?,
            version: version?,
            kind,
            description,
            publisher,
            source,
            default_configuration,
            dependencies,
            manifests,
            lifecycle,
        })
    }

    fn default_configuration(&mut self, fields: &mut Fields) -> serde_json::Map<String, serde_json::Value> {
        let Some(node) = fields.take("ComponentConfiguration") else { return serde_json::Map::new() };
        self.under("ComponentConfiguration", |reader| match reader.fields(node, &["DefaultConfiguration"]) {
            Some(mut fields) => reader.free_map(&mut fields, "DefaultConfiguration"),
            None => serde_json::Map::new(),
        })
    }

    /// A map whose content is the component's own matter.
    fn free_map(&mut self, fields: &mut Fields, name: &str) -> serde_json::Map<String, serde_json::Value> {
        let entries = fields.take(name).and_then(|node| self.under(name, |reader| reader.map(node)));
        entries.map(entries_into_map).unwrap_or_default()
    }

    fn dependencies(&mut self, fields: &mut Fields) -> BTreeMap<ComponentName, Dependency> {
        let Some(node) = fields.take("ComponentDependencies") else { return BTreeMap::new() };
        self.under("ComponentDependencies", |reader| {
            let entries = reader.map(node).unwrap_or_default();
            entries.into_iter().filter_map(|(key, node)| reader.under(&key, |r| r.dependency(&key, node))).collect()
        })
    }

    fn dependency(&mut self, name: &str, node: Node) -> Option<(ComponentName, Dependency)> {
        let mark = node.mark;
        let name = match ComponentName::parse(name) {
            Ok(name) => Some(name),
            Err(e) => {
                self.refuse(
                    mark,
                    format!("is not a component: {e}"),
                    "the key is the name of the component depended on",
                );
                None
            }
        };
        let mut fields = self.fields(node, &["VersionRequirement", "DependencyType"])?;
        let hint = "write a requirement such as '^1.0.0' or '>=1.0.0 <2.0.0'";
        let requirement = self.required(&mut fields, "VersionRequirement", hint, |text| {
            VersionRequirement::parse(text).map_err(|e| format!("cannot be this: {e}"))
        });
        let words = [("HARD", DependencyType::Hard), ("SOFT", DependencyType::Soft)];
        let kind = self.word(&mut fields, "DependencyType", &words).unwrap_or_default();
        Some((name?, Dependency { requirement: requirement?, kind }))
    }

    fn manifests(&mut self, fields: &mut Fields, recipe: Mark) -> Vec<Manifest> {
        let node = fields.take("Manifests");
        self.under("Manifests", |reader| {
            let mark = node.as_ref().map_or(recipe, |node| node.mark);
            let Some(items) = node.map_or(Some(Vec::new()), |node| reader.list(node)) else { return Vec::new() };
            if items.is_empty() {
                reader.refuse(mark, "is missing or empty", "write one manifest; an empty one, {}, fits every device");
            }
            let items = items.into_iter().enumerate();
            items.filter_map(|(index, node)| reader.at(index, |reader| reader.manifest(node))).collect()
        })
    }

    fn manifest(&mut self, node: Node) -> Option<Manifest> {
        let mut fields = self.fields(node, &["Name", "Platform", "Lifecycle", "Selections", "Artifacts"])?;
        Some(Manifest {
            name: self.optional_text(&mut fields, "Name"),
            platform: self.platform(&mut fields),
            lifecycle: self.manifest_lifecycle(&mut fields),
            selections: self.selections(&mut fields),
            artifacts: self.artifacts(&mut fields),
        })
    }

    /// A manifest's own lifecycle is used as it stands, so a step that will not run can be told now.
    fn manifest_lifecycle(&mut self, fields: &mut Fields) -> serde_json::Map<String, serde_json::Value> {
        let mark = fields.mark_of("Lifecycle");
        let map = self.free_map(fields, "Lifecycle");
        for error in Lifecycle::from_value(&map).faults() {
            let reason = format!("has a step that fails when it is run: {}", error.fault);
            self.under("Lifecycle", |reader| {
                reader.under(error.step.as_str(), |reader| reader.warn(mark, reason, "mend it before you deploy"));
            });
        }
        map
    }

    fn platform(&mut self, fields: &mut Fields) -> PlatformRequirement {
        let Some(node) = fields.take("Platform") else { return PlatformRequirement::default() };
        PlatformRequirement::new(self.under("Platform", |reader| {
            let entries = reader.map(node).unwrap_or_default();
            entries
                .into_iter()
                .filter_map(|(key, node)| reader.under(&key, |r| r.template(key.clone(), node)))
                .collect()
        }))
    }

    /// Null asks for nothing.
    fn template(&mut self, key: String, node: Node) -> Option<(String, String)> {
        if node.kind == Kind::Null {
            return None;
        }
        let mark = node.mark;
        let template = self.text(node)?;
        if let Some(fault) = template_fault(&template) {
            self.warn(mark, fault, "this manifest is never chosen");
        }
        Some((key, template))
    }

    fn selections(&mut self, fields: &mut Fields) -> Vec<String> {
        let Some(node) = fields.take("Selections") else { return Vec::new() };
        self.under("Selections", |reader| {
            let items = reader.list(node).unwrap_or_default().into_iter().enumerate();
            let items = items.filter(|(_, node)| node.kind != Kind::Null);
            items.filter_map(|(index, node)| reader.at(index, |reader| reader.text(node))).collect()
        })
    }

    fn artifacts(&mut self, fields: &mut Fields) -> Vec<Artifact> {
        let Some(node) = fields.take("Artifacts") else { return Vec::new() };
        self.under("Artifacts", |reader| {
            let items = reader.list(node).unwrap_or_default().into_iter().enumerate();
            items.filter_map(|(index, node)| reader.at(index, |reader| reader.artifact(node))).collect()
        })
    }

    fn artifact(&mut self, node: Node) -> Option<Artifact> {
        let mark = node.mark;
        let mut fields = self.fields(node, &["Uri", "Unarchive", "Permission", "Digest", "Algorithm"])?;
        let hint = "write a URI such as s3://bucket/key, docker:image:tag or file:///path";
        let uri =
            self.required(&mut fields, "Uri", hint, |text| ArtifactUri::parse(text).map_err(|e| format!("is {e}")));
        if let Some(scheme @ (ArtifactScheme::None | ArtifactScheme::Unsupported)) =
            uri.as_ref().map(ArtifactUri::scheme)
        {
            let reason = match scheme {
                ArtifactScheme::None => "has no scheme: deploying it fails",
                _ => "has a scheme that cannot be fetched: deploying it fails",
            };
            self.under("Uri", |reader| reader.warn(mark, reason, "use s3, docker, greengrass, file, http or https"));
        }
        let unarchive = self.parsed(&mut fields, "Unarchive", "write NONE or ZIP", |text| match text {
            none if none.eq_ignore_ascii_case("NONE") => Ok(Unarchive::None),
            zip if zip.eq_ignore_ascii_case("ZIP") => Ok(Unarchive::Zip),
            other => Err(format!("cannot be {}", shown(other))),
        });
        let permission = self.permission(&mut fields);
        let digest = self.optional_text(&mut fields, "Digest");
        let algorithm = self.optional_text(&mut fields, "Algorithm");
        Some(Artifact {
            uri: uri?,
            unarchive: unarchive.unwrap_or_default(),
            permission,
            digest: digest.map(|value| Digest { value, algorithm }),
        })
    }

    fn permission(&mut self, fields: &mut Fields) -> Permission {
        let default = Permission::default();
        let Some(node) = fields.take("Permission") else { return default };
        self.under("Permission", |reader| match reader.fields(node, &["Read", "Execute"]) {
            Some(mut fields) => Permission {
                read: reader.word_not_null(&mut fields, "Read", &PERMISSIONS).unwrap_or(default.read),
                execute: reader.word_not_null(&mut fields, "Execute", &PERMISSIONS).unwrap_or(default.execute),
            },
            None => default,
        })
    }
}

const RECIPE: [&str; 11] = [
    "RecipeFormatVersion",
    "ComponentName",
    "ComponentVersion",
    "ComponentType",
    "ComponentDescription",
    "ComponentPublisher",
    "ComponentSource",
    "ComponentConfiguration",
    "ComponentDependencies",
    "Manifests",
    "Lifecycle",
];

/// In the order of their numbers in the reference nucleus.
const TYPES: [(&str, ComponentType); 4] = [
    (ComponentType::Generic.as_str(), ComponentType::Generic),
    (ComponentType::Lambda.as_str(), ComponentType::Lambda),
    (ComponentType::Plugin.as_str(), ComponentType::Plugin),
    (ComponentType::Nucleus.as_str(), ComponentType::Nucleus),
];

const PERMISSIONS: [(&str, PermissionType); 3] =
    [("NONE", PermissionType::None), ("OWNER", PermissionType::Owner), ("ALL", PermissionType::All)];
