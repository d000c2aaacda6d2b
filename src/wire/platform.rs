//! What the device is, and whether a manifest is meant for it.

use std::collections::BTreeMap;

use regex_lite::RegexBuilder;
use serde_json::{Map, Value};

/// Attributes of the device, such as `os` and `architecture`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlatformAttributes(BTreeMap<String, String>);

impl PlatformAttributes {
    pub const OS: &'static str = "os";
    pub const ARCHITECTURE: &'static str = "architecture";
    pub const ARCHITECTURE_DETAIL: &'static str = "architecture.detail";
    pub const RUNTIME: &'static str = "runtime";

    /// The `runtime` this core reports.
    ///
    /// The classic nucleus reports none, the lite one this value. Recipes that serve both put the manifest for a native
    /// runtime (no JVM) first and ask for this value or for `*` there, and that manifest is the right one for us; a
    /// manifest that does not name a runtime matches whatever we report. `platformOverride` can change it.
    pub const RUNTIME_VALUE: &'static str = "aws_nucleus_lite";

    /// The attributes of a device. `os` is the lower-case name the compiler or kernel gives the system (`linux`,
    /// `macos`, `windows`), `machine` what `uname -m` prints.
    pub fn detect(os: &str, machine: &str) -> Self {
        let machine = machine.trim().to_ascii_lowercase();
        let os = match os.trim().to_ascii_lowercase().as_str() {
            "linux" | "android" => "linux",
            "macos" | "darwin" | "mac os x" => "darwin",
            "windows" => "windows",
            _ => "unknown",
        };
        let architecture = match machine.as_str() {
            "x86_64" | "amd64" => "amd64",
            "i386" | "i486" | "i586" | "i686" | "x86" => "x86",
            // On a 64-bit kernel a 32-bit program may still see the 64-bit name.
            "aarch64" | "arm64" => "aarch64",
            arm if arm.contains("arm") => "arm",
            _ => "unknown",
        };
        let mut attributes = BTreeMap::from([
            (Self::OS.to_owned(), os.to_owned()),
            (Self::ARCHITECTURE.to_owned(), architecture.to_owned()),
            (Self::RUNTIME.to_owned(), Self::RUNTIME_VALUE.to_owned()),
        ]);
        if matches!(architecture, "arm" | "aarch64") && DETAILS.contains(&machine.as_str()) {
            attributes.insert(Self::ARCHITECTURE_DETAIL.to_owned(), machine);
        }
        Self(attributes)
    }

    /// Attributes from pairs, later ones winning.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// With the nucleus configuration `platformOverride` laid over; only its text values count.
    #[must_use]
    pub fn overridden(mut self, platform_override: &Map<String, Value>) -> Self {
        for (name, value) in platform_override {
            if let Value::String(text) = value {
                self.0.insert(name.clone(), text.clone());
            }
        }
        self
    }

    /// With one attribute set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of an attribute; an empty one counts as absent.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The `Platform` of a manifest: attribute to template; an empty one fits every device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlatformRequirement(BTreeMap<String, String>);

impl PlatformRequirement {
    pub fn new(templates: BTreeMap<String, String>) -> Self {
        Self(templates)
    }

    pub fn is_satisfied_by(&self, device: &PlatformAttributes) -> bool {
        self.0.iter().all(|(name, template)| is_satisfied(name, template, device.value(name)))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, template)| (name.as_str(), template.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a template can never be satisfied by anything, if that is so.
pub fn template_fault(template: &str) -> Option<String> {
    match regex_of(template) {
        Some(pattern) => compile(pattern).err().map(|e| format!("is a regular expression that cannot be used: {e}")),
        None if template == ANYTHING || template.starts_with(|c: char| c.is_ascii_alphanumeric()) => None,
        None => Some("matches no device: a template begins with a letter or digit, or is * or /regex/".into()),
    }
}

fn is_satisfied(name: &str, template: &str, value: Option<&str>) -> bool {
    if template == ANYTHING {
        return true;
    }
    let Some(value) = value else { return false };
    if let Some(pattern) = regex_of(template) {
        return compile(pattern).is_ok_and(|regex| regex.is_match(value));
    }
    let has_keywords = matches!(name, PlatformAttributes::OS | PlatformAttributes::ARCHITECTURE);
    if has_keywords && matches!(template, "all" | "any") {
        return true;
    }
    template.starts_with(|c: char| c.is_ascii_alphanumeric()) && template == value
}

fn regex_of(template: &str) -> Option<&str> {
    template.strip_prefix('/')?.strip_suffix('/')
}

/// The whole value must match. Matching takes time linear in the value; the bound keeps compiling cheap.
fn compile(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    // By itself first: an unbalanced parenthesis must not pair with ours.
    RegexBuilder::new(pattern).size_limit(MAX_REGEX_SIZE).build()?;
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(MAX_REGEX_SIZE).build()
}

/// Bytes a compiled template may take.
const MAX_REGEX_SIZE: usize = 1 << 20;

/// Matches every value and its absence.
const ANYTHING: &str = "*";

/// What `architecture.detail` may be.
const DETAILS: [&str; 6] = ["armv6l", "armv7l", "armv8l", "armv6b", "armv7b", "armv8b"];

#[cfg(test)]
mod tests;
