//! `effectiveConfig.yaml`: the configuration for people to look at. Nothing ever reads it back.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::{KeyPath, Tree};
use crate::store::file::{self, Backup, FileError};

impl Tree {
    /// Writes `services` and `system` to `<directory>/effectiveConfig.yaml`.
    pub fn write_effective(&self, directory: &Path) -> Result<(), FileError> {
        let path = directory.join("effectiveConfig.yaml");
        file::write(&path, 0o600, Backup::Drop, self.effective().as_bytes())
    }

    fn effective(&self) -> String {
        let mut text = String::from("---\n");
        for key in ["services", "system"] {
            if let Some(value) = self.value(&KeyPath::new([key])) {
                pair(&mut text, 0, key, &value);
            }
        }
        text
    }
}

fn pair(text: &mut String, indent: usize, key: &str, value: &Value) {
    text.extend(std::iter::repeat_n(' ', indent));
    text.push_str(&plain_or_quoted(key));
    text.push(':');
    below(text, indent + 2, value);
}

/// What follows a `:` or a `-`.
fn below(text: &mut String, indent: usize, value: &Value) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            map.iter().for_each(|(key, value)| pair(text, indent, key, value));
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                text.extend(std::iter::repeat_n(' ', indent));
                text.push('-');
                below(text, indent + 2, item);
            }
        }
        scalar => {
            // Writing to a string cannot fail.
            let _ = writeln!(text, " {}", scalar_text(scalar));
        }
    }
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn plain_or_quoted(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].iter().any(|w| key.eq_ignore_ascii_case(w));
    if plain { key.into() } else { quoted(key) }
}

/// A double-quoted scalar. JSON's escapes are all YAML's, too, but YAML wants more characters escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
