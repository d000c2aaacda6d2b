//! The verdict on one file, as text and as JSON.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::wire::platform::PlatformAttributes;
use crate::wire::recipe::{Finding, Format, Parsed, Position, Recipe};

/// What a core makes of one file.
#[derive(Debug)]
pub(super) struct Verdict {
    file: PathBuf,
    accepted: Option<Accepted>,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

#[derive(Debug)]
struct Accepted {
    component: String,
    version: String,
    /// The manifest a device uses, if one was asked for.
    manifest: Option<Manifest>,
}

#[derive(Debug)]
enum Manifest {
    Chosen { index: usize, name: Option<String> },
    NoneFits,
}

/// The verdicts on a file, or on every recipe file that lies in a directory.
pub(super) fn of_path(path: &Path, device: Option<&PlatformAttributes>) -> Vec<Verdict> {
    if !path.is_dir() {
        return vec![of_file(path, device)];
    }
    match recipe_files(path) {
        Ok(files) if files.is_empty() => {
            vec![Verdict::unread(path, "holds no file that ends in .json, .yaml or .yml".into())]
        }
        Ok(files) => files.iter().map(|file| of_file(file, device)).collect(),
        Err(cause) => vec![Verdict::unread(path, format!("cannot be listed: {cause}"))],
    }
}

fn recipe_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in directory.read_dir()? {
        let path = entry?.path();
        if format_of_name(&path).is_some() && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn of_file(path: &Path, device: Option<&PlatformAttributes>) -> Verdict {
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(cause) => return Verdict::unread(path, format!("cannot be read: {cause}")),
    };
    let format = format_of_name(path).unwrap_or_else(|| format_of_content(&bytes));
    match Recipe::parse(&bytes, format) {
        Ok(Parsed { recipe, warnings }) => {
            let manifest = device.map(|device| match recipe.select(device) {
                Some(selected) => Manifest::Chosen { index: selected.manifest, name: selected.name },
                None => Manifest::NoneFits,
            });
            let accepted =
                Accepted { component: recipe.name.to_string(), version: recipe.version.to_string(), manifest };
            Verdict { file: path.into(), accepted: Some(accepted), errors: vec![], warnings }
        }
        Err(refused) => {
            Verdict { file: path.into(), accepted: None, errors: refused.findings().to_vec(), warnings: vec![] }
        }
    }
}

/// Never more than it takes to see that a file is too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(Recipe::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn format_of_name(path: &Path) -> Option<Format> {
    path.extension().and_then(|extension| extension.to_str()).and_then(Format::of_extension)
}

fn format_of_content(bytes: &[u8]) -> Format {
    match bytes.trim_ascii_start().first() {
        Some(b'{') => Format::Json,
        _ => Format::Yaml,
    }
}

impl Verdict {
    pub(super) fn is_accepted(&self) -> bool {
        self.accepted.is_some()
    }

    pub(super) fn to_json(&self) -> Value {
        let findings = |findings: &[Finding]| -> Value { findings.iter().map(finding).collect() };
        let mut out = json!({
            "file": self.file.to_string_lossy(),
            "verdict": if self.is_accepted() { "accepted" } else { "refused" },
            "component": self.accepted.as_ref().map(|accepted| &accepted.component),
            "version": self.accepted.as_ref().map(|accepted| &accepted.version),
            "errors": findings(&self.errors),
            "warnings": findings(&self.warnings),
        });
        if let Some(manifest) = self.accepted.as_ref().and_then(|accepted| accepted.manifest.as_ref()) {
            out["manifest"] = match manifest {
                Manifest::Chosen { index, name } => json!({ "index": index, "name": name }),
                Manifest::NoneFits => Value::Null,
            };
        }
        out
    }

    fn unread(path: &Path, reason: String) -> Self {
        let finding = Finding { field: String::new(), position: None, reason, hint: None };
        Self { file: path.into(), accepted: None, errors: vec![finding], warnings: vec![] }
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "field": finding.field,
        "line": finding.position.map(|position| position.line),
        "column": finding.position.map(|position| position.column),
        "reason": finding.reason,
        "hint": finding.hint,
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.accepted {
            None => writeln!(f, "refused   {file}")?,
            Some(Accepted { component, version, manifest }) => {
                write!(f, "accepted  {file}  {component} {version}")?;
                match manifest {
                    None => writeln!(f)?,
                    Some(Manifest::NoneFits) => writeln!(f, ", but no manifest fits this platform")?,
                    Some(Manifest::Chosen { index, name: None }) => writeln!(f, ", Manifests[{index}]")?,
                    Some(Manifest::Chosen { index, name: Some(name) }) => {
                        writeln!(f, ", Manifests[{index}] {name:?}")?;
                    }
                }
            }
        }
        let errors = self.errors.iter().map(|finding| ("", finding));
        let warnings = self.warnings.iter().map(|finding| ("warning: ", finding));
        for (kind, finding) in errors.chain(warnings) {
            write!(f, "  {file}")?;
            if let Some(Position { line, column }) = finding.position {
                write!(f, ":{line}:{column}")?;
            }
            let field = if finding.field.is_empty() { "the recipe" } else { &finding.field };
            writeln!(f, ": {kind}{field} {}", finding.reason)?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "    {hint}")?;
            }
        }
        Ok(())
    }
}
