//! A recipe's text as a tree that remembers where each value stood.

use serde_json::{Map, Number, Value};

use super::finding::{Fault, FieldPath};

/// One value of the text.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) kind: Kind,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Kind {
    Null,
    /// The flag, and as it was written: where a text is wanted, `yes` is not `true`.
    Bool(bool, String),
    /// The number, and as it was written: where a text is wanted, `1.10` is not `1.1`.
    Number(Number, String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text; no key twice.
    Map(Vec<(String, Node)>),
}

/// Where a value begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// Byte offset in the text.
    Offset(usize),
    /// Line and column, from 1.
    Place { line: usize, column: usize },
}

/// Line and column, from 1; the column counts characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Mark {
    pub(super) fn position(self, text: &str) -> Position {
        match self {
            Self::Place { line, column } => Position { line, column },
            Self::Offset(offset) => {
                let before = text.get(..offset).unwrap_or(text);
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                Position {
                    line: before.bytes().filter(|b| *b == b'\n').count() + 1,
                    column: before[line_start..].chars().count() + 1,
                }
            }
        }
    }
}

impl Node {
    /// The value without its places.
    pub(super) fn into_value(self) -> Value {
        match self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag, _) => Value::Bool(flag),
            Kind::Number(number, _) => Value::Number(number),
            Kind::Text(text) => Value::String(text),
            Kind::List(items) => Value::Array(items.into_iter().map(Self::into_value).collect()),
            Kind::Map(entries) => Value::Object(entries_into_map(entries)),
        }
    }

    /// What the value is, for a message.
    pub(super) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(..) => "a boolean",
            Kind::Number(..) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

pub(super) fn entries_into_map(entries: Vec<(String, Node)>) -> Map<String, Value> {
    entries.into_iter().map(|(key, node)| (key, node.into_value())).collect()
}

/// Values may nest this deep; recipes need about ten.
pub(super) const MAX_DEPTH: usize = 100;

pub(super) fn too_deep(path: &FieldPath, mark: Mark) -> Fault {
    Fault::new(path, mark, format!("is nested deeper than {MAX_DEPTH} levels")).hint("flatten the value")
}

pub(super) fn duplicate_key(path: &FieldPath, mark: Mark) -> Fault {
    Fault::new(path, mark, "is given twice".into()).hint("keep one of the two")
}
