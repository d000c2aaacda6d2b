//! What is wrong with a recipe, and where.

use std::fmt;

use super::node::{Mark, Position};

/// A fault or a warning: the field, the place, the reason, and how to mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Path of the field, as `Manifests[0].Artifacts[1].Unarchive`; empty for the document itself.
    pub field: String,
    pub position: Option<Position>,
    pub reason: String,
    pub hint: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        let field = if self.field.is_empty() { "the recipe" } else { &self.field };
        write!(f, "{field} {}", self.reason)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// A recipe that is refused, with every reason found; there is at least one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct RecipeError {
    findings: Vec<Finding>,
}

impl RecipeError {
    pub(super) fn new(first: Finding) -> Self {
        Self { findings: vec![first] }
    }

    pub(super) fn of_all(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.as_slice() {
            [] => f.write_str("the recipe is refused"),
            [only] => only.fmt(f),
            [first, rest @ ..] => write!(f, "{first}; and {} more", rest.len()),
        }
    }
}

/// A finding before its place is counted out.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    field: String,
    mark: Option<Mark>,
    reason: String,
    hint: Option<String>,
}

impl Fault {
    pub(super) fn new(path: &FieldPath, mark: Mark, reason: String) -> Self {
        Self { field: path.to_string(), mark: Some(mark), reason, hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn locate(self, text: &str) -> Finding {
        let position = self.mark.map(|mark| mark.position(text));
        Finding { field: self.field, position, reason: self.reason, hint: self.hint }
    }
}

/// The way from the document to a field.
#[derive(Clone, Default, Debug)]
pub(super) struct FieldPath(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl FieldPath {
    /// Runs `read` one step further down.
    pub(super) fn under<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.0.push(Step::Key(key.into()));
        let result = read(self);
        self.0.pop();
        result
    }

    pub(super) fn at<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.0.push(Step::Index(index));
        let result = read(self);
        self.0.pop();
        result
    }

    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for FieldPath {
    /// Long keys are cut: a hostile one must not fill the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(number) => write!(f, "[{number}]")?,
                Step::Key(key) => {
                    let dot = if index == 0 { "" } else { "." };
                    let plain = |c: char| c.is_alphanumeric() || "-_$/".contains(c);
                    if !key.is_empty() && key.len() <= MAX_SHOWN && key.chars().all(plain) {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "[{}]", shown(key))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A value quoted for a message, cut if long.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(MAX_SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

const MAX_SHOWN: usize = 80;
