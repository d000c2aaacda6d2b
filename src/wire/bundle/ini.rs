//! The INI files of RAUC, which are key files of GLib: `[group]`, `key=value`, `#` for comments.
//!
//! A group or key that is there twice is refused: GLib takes the last one, others the first, and a signature that means
//! two things means nothing. Escapes are `\s \n \t \r \\`, and `\;` in lists.

use std::collections::BTreeMap;

/// Groups and keys a file may have.
const MAX_ENTRIES: usize = 1_024;

/// A file, group by group, in order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ini {
    pub groups: Vec<Group>,
}

/// One group.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Group {
    pub name: String,
    /// Values as they are in the file, with escapes.
    entries: BTreeMap<String, String>,
}

impl Ini {
    pub fn decode(bytes: &[u8]) -> Result<Self, IniError> {
        let text = std::str::from_utf8(bytes).map_err(|_| IniError::NotText)?;
        let mut ini = Self::default();
        let mut entries = 0;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_ascii();
            let at = || index + 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            entries += 1;
            if entries > MAX_ENTRIES || line.chars().any(|letter| letter.is_control() && letter != '\t') {
                return Err(IniError::Line { line: at() });
            }
            if let Some(name) = line.strip_prefix('[') {
                let name = name.strip_suffix(']').filter(|name| !name.is_empty() && !name.contains(['[', ']']));
                let name = name.ok_or_else(|| IniError::Line { line: at() })?;
                if ini.group(name).is_some() {
                    return Err(IniError::Twice { line: at(), name: name.to_owned() });
                }
                ini.groups.push(Group { name: name.to_owned(), entries: BTreeMap::new() });
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| IniError::Line { line: at() })?;
            let (key, value) = (key.trim_ascii(), value.trim_ascii());
            let group =
                ini.groups.last_mut().filter(|_| !key.is_empty()).ok_or_else(|| IniError::Line { line: at() })?;
            if group.entries.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(IniError::Twice { line: at(), name: key.to_owned() });
            }
        }
        Ok(ini)
    }

    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Takes a group out; an empty one if there is none.
    pub fn take(&mut self, name: &str) -> Group {
        match self.groups.iter().position(|group| group.name == name) {
            Some(index) => self.groups.remove(index),
            None => Group { name: name.to_owned(), entries: BTreeMap::new() },
        }
    }

    pub fn encode(&self) -> String {
        let mut text = String::new();
        for group in &self.groups {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("[{}]\n", group.name));
            for (key, value) in &group.entries {
                text.push_str(&format!("{key}={value}\n"));
            }
        }
        text
    }
}

impl Group {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), entries: BTreeMap::new() }
    }

    /// Takes a value out.
    pub fn take(&mut self, key: &str) -> Result<Option<String>, IniError> {
        self.entries.remove(key).map(|value| self.unescape(key, &value)).transpose()
    }

    /// Takes a value out that must be there and not be empty.
    pub fn require(&mut self, key: &str) -> Result<String, IniError> {
        self.take(key)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| IniError::Missing { group: self.name.clone(), key: key.to_owned() })
    }

    /// Takes a number out.
    pub fn number<N: std::str::FromStr>(&mut self, key: &str) -> Result<Option<N>, IniError> {
        let Some(value) = self.take(key)? else { return Ok(None) };
        // "+5" is a number to the standard library and to nobody else.
        let number = value.parse().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()));
        number.map(Some).ok_or_else(|| self.value_error(key, &value))
    }

    pub fn boolean(&mut self, key: &str) -> Result<Option<bool>, IniError> {
        match self.take(key)?.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(value) => Err(self.value_error(key, value)),
        }
    }

    /// Takes a list out: values with `;` between, and maybe one behind.
    pub fn list(&mut self, key: &str) -> Result<Vec<String>, IniError> {
        let Some(value) = self.entries.remove(key) else { return Ok(Vec::new()) };
        let value = value.strip_suffix(';').unwrap_or(&value);
        let mut parts = Vec::new();
        let mut part = String::new();
        let mut escaped = false;
        for letter in value.chars() {
            match letter {
                ';' if !escaped => parts.push(std::mem::take(&mut part)),
                _ => part.push(letter),
            }
            escaped = letter == '\\' && !escaped;
        }
        if !value.is_empty() {
            parts.push(part);
        }
        parts.iter().map(|part| self.unescape(key, &part.replace("\\;", ";"))).collect()
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.set_raw(key, &escape(value));
    }

    /// Sets a value as [`Group::rest`] gave it.
    pub fn set_raw(&mut self, key: &str, value: &str) {
        self.entries.insert(key.to_owned(), value.to_owned());
    }

    /// Sets a list; an empty one is not there.
    pub fn set_list(&mut self, key: &str, values: &[String]) {
        let value: String = values.iter().map(|value| escape(value).replace(';', "\\;") + ";").collect();
        if !values.is_empty() {
            self.set_raw(key, &value);
        }
    }

    /// Keys that are left, with their values as they are in the file.
    pub fn rest(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Nothing is left: a key that is not understood may mean anything.
    pub fn end(&self) -> Result<(), IniError> {
        match self.entries.keys().next() {
            None => Ok(()),
            Some(key) => Err(IniError::Unknown { group: self.name.clone(), key: key.clone() }),
        }
    }

    pub fn value_error(&self, key: &str, value: &str) -> IniError {
        let value = value.chars().take(80).collect();
        IniError::Value { group: self.name.clone(), key: key.to_owned(), value }
    }

    fn unescape(&self, key: &str, value: &str) -> Result<String, IniError> {
        let mut out = String::with_capacity(value.len());
        let mut letters = value.chars();
        while let Some(letter) = letters.next() {
            out.push(match letter {
                '\\' => match letters.next() {
                    Some('s') => ' ',
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('\\') => '\\',
                    _ => return Err(self.value_error(key, value)),
                },
                letter => letter,
            });
        }
        Ok(out)
    }
}

fn escape(value: &str) -> String {
    let mut escaped = String::new();
    for (index, letter) in value.char_indices() {
        match letter {
            // What is at the edges would be cut off.
            ' ' if index == 0 || index + 1 == value.len() => escaped.push_str("\\s"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\\' => escaped.push_str("\\\\"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A file that is no INI, or not with the keys expected.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IniError {
    #[error("it is not text in UTF-8")]
    NotText,
    #[error("line {line} is neither [group] nor key=value")]
    Line { line: usize },
    #[error("line {line}: {name:?} is there twice")]
    Twice { line: usize, name: String },
    #[error("[{group}] has no {key}")]
    Missing { group: String, key: String },
    #[error("[{group}] has the key {key}, which is not known here")]
    Unknown { group: String, key: String },
    #[error("[{group}] {key}: {value:?} cannot be")]
    Value { group: String, key: String, value: String },
}
