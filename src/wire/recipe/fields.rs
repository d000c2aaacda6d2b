//! The fields of one object of a recipe: found without case, read with the reference nucleus's leniency.

use super::finding::{Fault, FieldPath, shown};
use super::node::{Kind, Mark, Node};

/// Reads fields and gathers what is wrong with them.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) path: FieldPath,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

/// The known fields of one object.
pub(super) struct Fields {
    mark: Mark,
    found: Vec<(&'static str, Node)>,
}

impl Fields {
    /// The value of a field, once; null counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Node> {
        let index = self.found.iter().position(|(found, _)| *found == name)?;
        let (_, node) = self.found.swap_remove(index);
        (node.kind != Kind::Null).then_some(node)
    }

    /// Where a field's value begins, or else the object.
    pub(super) fn mark_of(&self, name: &str) -> Mark {
        self.found.iter().find(|(found, _)| *found == name).map_or(self.mark, |(_, node)| node.mark)
    }
}

impl Reader {
    pub(super) fn refuse(&mut self, mark: Mark, reason: impl Into<String>, hint: impl Into<String>) {
        if self.faults.len() < MAX_FINDINGS {
            self.faults.push(Fault::new(&self.path, mark, reason.into()).hint(hint));
        }
    }

    pub(super) fn warn(&mut self, mark: Mark, reason: impl Into<String>, hint: impl Into<String>) {
        if self.warnings.len() < MAX_FINDINGS {
            self.warnings.push(Fault::new(&self.path, mark, reason.into()).hint(hint));
        }
    }

    /// Runs `read` with the path one field further.
    pub(super) fn under<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut path = std::mem::take(&mut self.path);
        let result = path.under(key, |path| self.with_path(path, read));
        self.path = path;
        result
    }

    /// Runs `read` with the path one list entry further.
    pub(super) fn at<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut path = std::mem::take(&mut self.path);
        let result = path.at(index, |path| self.with_path(path, read));
        self.path = path;
        result
    }

    fn with_path<T>(&mut self, path: &mut FieldPath, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path = std::mem::take(path);
        let result = read(self);
        *path = std::mem::take(&mut self.path);
        result
    }

    /// The object's known fields. One spelled twice in different cases is refused, an unknown one only mentioned.
    pub(super) fn fields(&mut self, node: Node, known: &[&'static str]) -> Option<Fields> {
        let mark = node.mark;
        let entries = self.map(node)?;
        let mut found: Vec<(&'static str, Node)> = Vec::with_capacity(entries.len().min(known.len()));
        for (key, value) in entries {
            let Some(name) = known.iter().copied().find(|name| name.eq_ignore_ascii_case(&key)) else {
                let hint = match closest(&key, known) {
                    Some(name) => format!("did you mean {name}?"),
                    None => format!("known: {}", known.join(", ")),
                };
                self.under(&key, |reader| reader.warn(value.mark, "is not known and is ignored", hint));
                continue;
            };
            if found.iter().any(|(earlier, _)| *earlier == name) {
                let hint = "case does not tell fields apart: keep one";
                self.under(name, |reader| reader.refuse(value.mark, "is given twice", hint));
            } else {
                found.push((name, value));
            }
        }
        Some(Fields { mark, found })
    }

    pub(super) fn map(&mut self, node: Node) -> Option<Vec<(String, Node)>> {
        match node.kind {
            Kind::Map(entries) => Some(entries),
            _ => {
                self.refuse(node.mark, format!("is {} where a map belongs", node.what()), "write key: value pairs");
                None
            }
        }
    }

    pub(super) fn list(&mut self, node: Node) -> Option<Vec<Node>> {
        match node.kind {
            Kind::List(items) => Some(items),
            _ => {
                self.refuse(node.mark, format!("is {} where a list belongs", node.what()), "write a list");
                None
            }
        }
    }

    /// A text; numbers and booleans are taken as they are written.
    pub(super) fn text(&mut self, node: Node) -> Option<String> {
        match node.kind {
            Kind::Text(text) | Kind::Number(_, text) | Kind::Bool(_, text) => Some(text),
            _ => {
                self.refuse(node.mark, format!("is {} where a text belongs", node.what()), "write a text");
                None
            }
        }
    }

    /// The text of a field, parsed; `None` when it is absent or refused.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        fields: &mut Fields,
        name: &str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let node = fields.take(name)?;
        self.under(name, |reader| {
            let mark = node.mark;
            let text = reader.text(node)?;
            match parse(&text) {
                Ok(value) => Some(value),
                Err(e) => {
                    reader.refuse(mark, e.to_string(), hint);
                    None
                }
            }
        })
    }

    /// Like [`word`](Self::word), for a field that must be there.
    pub(super) fn required_word<T: Copy>(&mut self, fields: &mut Fields, name: &str, words: &[(&str, T)]) -> Option<T> {
        let hint = words.first().map(|(word, _)| format!("write '{word}'")).unwrap_or_default();
        if self.is_missing(fields, name, &hint) { None } else { self.word(fields, name, words) }
    }

    /// Whether a required field is absent or null; refuses it then.
    fn is_missing(&mut self, fields: &Fields, name: &str, hint: &str) -> bool {
        let is_there = fields.found.iter().any(|(found, node)| *found == name && node.kind != Kind::Null);
        if !is_there {
            let mark = fields.mark_of(name);
            self.under(name, |reader| reader.refuse(mark, "is missing", hint));
        }
        !is_there
    }

    /// Like [`word`](Self::word), for a field that may be absent but not null.
    pub(super) fn word_not_null<T: Copy>(&mut self, fields: &mut Fields, name: &str, words: &[(&str, T)]) -> Option<T> {
        if let Some((_, node)) = fields.found.iter().find(|(found, node)| *found == name && node.kind == Kind::Null) {
            let mark = node.mark;
            self.under(name, |reader| reader.refuse(mark, "is null", "leave the field out or write its value"));
            return None;
        }
        self.word(fields, name, words)
    }

    /// Like [`parsed`](Self::parsed), for a field that must be there.
    pub(super) fn required<T, E: std::fmt::Display>(
        &mut self,
        fields: &mut Fields,
        name: &str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.is_missing(fields, name, hint) {
            return None;
        }
        self.parsed(fields, name, hint, parse)
    }

    pub(super) fn optional_text(&mut self, fields: &mut Fields, name: &str) -> Option<String> {
        let node = fields.take(name)?;
        self.under(name, |reader| reader.text(node))
    }

    /// One of a few words, without case, blanks around it not counting. The reference nucleus also takes a word's number,
    /// from 0.
    pub(super) fn word<T: Copy>(&mut self, fields: &mut Fields, name: &str, words: &[(&str, T)]) -> Option<T> {
        let node = fields.take(name)?;
        let choice = match &node.kind {
            Kind::Text(text) => words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim())),
            Kind::Number(number, _) => {
                number.as_u64().and_then(|n| usize::try_from(n).ok()).and_then(|index| words.get(index))
            }
            _ => None,
        };
        if let Some((_, value)) = choice {
            return Some(*value);
        }
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let (last, rest) = list.split_last()?;
        let hint =
            if rest.is_empty() { format!("write {last}") } else { format!("write {} or {last}", rest.join(", ")) };
        let reason = match &node.kind {
            Kind::Text(text) | Kind::Number(_, text) => format!("cannot be {}", shown(text)),
            _ => format!("is {} where a word belongs", node.what()),
        };
        self.under(name, |reader| reader.refuse(node.mark, reason, hint));
        None
    }
}

/// The known name a mistyped key probably means: at most two letters away.
fn closest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    if key.len() > MAX_GUESSED {
        return None;
    }
    let key = key.to_ascii_lowercase();
    let distances = known.iter().map(|name| (distance(&key, &name.to_ascii_lowercase()), *name));
    distances.min().filter(|(distance, _)| *distance <= 2).map(|(_, name)| name)
}

/// Letters to add, drop or change.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Findings told of one recipe; a hostile one could have thousands.
const MAX_FINDINGS: usize = 32;

/// Longer keys are no slip of the finger.
const MAX_GUESSED: usize = 64;
