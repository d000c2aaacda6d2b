//! What somebody wants of the tree, weighed against what is there.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::key::{self, is_transient};
use super::node::{Interior, Leaf, Node};
use super::{Entry, KeyPath, Tree, What};
use crate::base::clock::Timestamp;

/// A wish to change the tree. Against a value modified later than `time` it loses, silently.
///
/// A value that is an object stands for the nodes below `at`; anything else, lists and null included, is a leaf.
#[derive(Clone, PartialEq, Debug)]
pub enum Edit {
    /// Writes one leaf. Writing the value it has changes nothing. An object is merged.
    Write { at: KeyPath, value: Value, time: Timestamp },
    /// Writes every leaf of `value`, keeps what `value` does not mention. Equal values get the newer time.
    Merge { at: KeyPath, value: Value, time: Timestamp },
    /// As `Merge`, but what `value` does not mention is removed, however new it is.
    Replace { at: KeyPath, value: Value, time: Timestamp },
    /// Fills holes, at the dawn of time: never replaces a value.
    Default { at: KeyPath, value: Value },
    /// Removes a node and all below it.
    Remove { at: KeyPath, time: Timestamp },
    /// Removes what the JSON pointer names below `at`, however new it is; `""` empties `at`.
    /// The pointer sees keys as spelled. See [`Tree::point`] for what it cannot name.
    Reset { at: KeyPath, pointer: String, time: Timestamp },
}

impl Edit {
    pub fn at(&self) -> &KeyPath {
        match self {
            Self::Write { at, .. }
            | Self::Merge { at, .. }
            | Self::Replace { at, .. }
            | Self::Default { at, .. }
            | Self::Remove { at, .. }
            | Self::Reset { at, .. } => at,
        }
    }

    /// Tells what makes this edit impossible on any tree; [`Tree::plan`] makes nothing of such an edit.
    pub fn check(&self) -> Result<(), EditError> {
        let (at, value) = match self {
            Self::Write { at, value, .. } | Self::Merge { at, value, .. } | Self::Replace { at, value, .. } => {
                (at, Some(value))
            }
            Self::Default { at, value } => (at, Some(value)),
            Self::Remove { at, .. } | Self::Reset { at, .. } => (at, None),
        };
        if at.parts().len() + value.map_or(0, depth) > KeyPath::MAX_DEPTH {
            return Err(EditError::TooDeep { key: at.parts().first().map(|part| part.chars().take(80).collect()) });
        }
        match (at.is_root(), self) {
            (true, Self::Remove { .. }) => Err(EditError::RemoveRoot),
            (true, _) if value.is_some_and(|value| !value.is_object()) => Err(EditError::LeafAtRoot),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EditError {
    #[error("the configuration below {key:?} nests deeper than {max} levels", max = KeyPath::MAX_DEPTH)]
    TooDeep { key: Option<String> },
    #[error("the whole configuration cannot be replaced by a single value")]
    LeafAtRoot,
    #[error("the whole configuration cannot be removed")]
    RemoveRoot,
}

/// What a JSON pointer names below a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PointerTarget {
    Node(KeyPath),
    /// A place inside a list: lists have no addressable elements.
    InsideList,
    Missing,
    /// The text is no JSON pointer.
    NotAPointer,
}

impl Tree {
    /// What `edit` would do; only reads.
    pub fn plan(&self, edit: &Edit) -> Vec<Entry> {
        let mut entries = Vec::new();
        if edit.check().is_err() {
            return entries;
        }
        let at = self.spelled(edit.at());
        let found = self.found(&at);
        let mut plan = |how, time, value: &Value| Plan { how, time, entries: &mut entries }.node(&at, found, value);
        match edit {
            Edit::Write { value, time, .. } => plan(How::Write, *time, value),
            Edit::Merge { value, time, .. } => plan(How::Merge, *time, value),
            Edit::Replace { value, time, .. } => plan(How::Replace, *time, value),
            Edit::Default { value, .. } => {
                if self.way_is_free(&at) {
                    plan(How::Default, Timestamp::DAWN, value);
                }
            }
            Edit::Remove { time, .. } => {
                if self.modified(&at).is_some_and(|modified| modified <= *time) {
                    entries.push(Entry { path: at, time: *time, what: What::Removed });
                }
            }
            Edit::Reset { pointer, time, .. } => {
                if let PointerTarget::Node(path) = self.point(&at, pointer) {
                    if pointer.is_empty() {
                        plan(How::Replace, *time, &Value::Object(Map::new()));
                    } else {
                        let time = self.modified(&path).map_or(*time, |modified| modified.max(*time));
                        entries.push(Entry { path, time, what: What::Removed });
                    }
                }
            }
        }
        entries
    }

    /// Finds what a JSON pointer names below `at`. Unlike every other look-up, case counts.
    pub fn point(&self, at: &KeyPath, pointer: &str) -> PointerTarget {
        let Ok(below) = KeyPath::from_pointer(pointer) else { return PointerTarget::NotAPointer };
        let Some(mut node) = self.found(at) else { return PointerTarget::Missing };
        let mut path = self.spelled(at);
        for part in below.parts() {
            let child = match node {
                Found::Interior(interior) => interior.child(part).filter(|child| child.key == *part),
                Found::Leaf(Leaf::List(_), _) => return PointerTarget::InsideList,
                Found::Leaf(..) => None,
            };
            let Some(child) = child else { return PointerTarget::Missing };
            path = path.join(Arc::clone(&child.key));
            node = Found::of(&child.node);
        }
        PointerTarget::Node(path)
    }

    fn found(&self, at: &KeyPath) -> Option<Found<'_>> {
        if at.is_root() { Some(Found::Interior(&self.root)) } else { self.root.find(at.parts()).map(Found::of) }
    }

    /// Whether a default may be put at `at`: no leaf stands above it.
    fn way_is_free(&self, at: &KeyPath) -> bool {
        let above = (1..at.parts().len()).map(|length| self.root.find(&at.parts()[..length]));
        !above.into_iter().any(|node| matches!(node, Some(Node::Leaf { .. })))
    }

    /// `path` as the tree spells it, as far as it exists.
    pub fn spelled(&self, path: &KeyPath) -> KeyPath {
        let mut node = Some(&*self.root);
        KeyPath::new(path.parts().iter().map(|part| {
            let child = node.and_then(|node| node.child(part));
            node = child.and_then(|child| match &child.node {
                Node::Interior(interior) => Some(&**interior),
                Node::Leaf { .. } => None,
            });
            Arc::clone(child.map_or(part, |child| &child.key))
        }))
    }
}

#[derive(Clone, Copy)]
enum Found<'a> {
    Leaf(&'a Leaf, Timestamp),
    Interior(&'a Interior),
}

impl<'a> Found<'a> {
    fn of(node: &'a Node) -> Self {
        match node {
            Node::Leaf { value, modified } => Self::Leaf(value, *modified),
            Node::Interior(interior) => Self::Interior(interior),
        }
    }

    fn modified(self) -> Timestamp {
        match self {
            Self::Leaf(_, modified) => modified,
            Self::Interior(interior) => interior.modified,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Write,
    Merge,
    Replace,
    Default,
}

struct Plan<'a> {
    how: How,
    time: Timestamp,
    entries: &'a mut Vec<Entry>,
}

impl Plan<'_> {
    fn node(&mut self, path: &KeyPath, found: Option<Found<'_>>, value: &Value) {
        match (value, found) {
            (Value::Object(map), Some(Found::Interior(interior))) => self.object(path, Some(interior), map),
            (_, Some(_)) if self.how == How::Default => {}
            (Value::Object(map), found) => {
                if self.clear(path, found) {
                    self.object(path, None, map);
                }
            }
            (value, Some(Found::Leaf(old, modified))) if Leaf::new(value).as_ref() == Some(old) => {
                if matches!(self.how, How::Merge | How::Replace) && self.time > modified {
                    self.push(path, What::TimestampUpdated);
                }
            }
            (value, Some(Found::Leaf(_, modified))) => {
                if self.time >= modified {
                    self.push(path, What::Changed(value.clone()));
                }
            }
            (value, found) => {
                if self.clear(path, found) {
                    self.push(path, What::Changed(value.clone()));
                }
            }
        }
    }

    fn object(&mut self, path: &KeyPath, old: Option<&Interior>, new: &Map<String, Value>) {
        // In the order of the tree, so that a large object is appended to it rather than inserted here and there.
        let mut new: Vec<(&str, &Value)> = new.iter().map(|(key, value)| (key.as_str(), value)).collect();
        new.sort_by(|(a, _), (b, _)| key::compare(a, b));
        if let (How::Replace, Some(old)) = (self.how, old) {
            for child in old.persistent() {
                if new.binary_search_by(|(key, _)| key::compare(key, &child.key)).is_err() {
                    let time = child.node.modified().max(self.time);
                    self.entries.push(Entry { path: path.join(Arc::clone(&child.key)), time, what: What::Removed });
                }
            }
        }
        if old.is_none() && !path.is_root() && new.iter().all(|(key, _)| is_transient(key)) {
            self.push(path, What::InteriorAdded);
        }
        for (key, value) in new {
            let child = old.and_then(|old| old.child(key));
            let path = path.join(child.map_or_else(|| key.into(), |child| Arc::clone(&child.key)));
            self.node(&path, child.map(|child| Found::of(&child.node)), value);
        }
    }

    /// Makes way for a node of another kind; false when what is there is newer and stays.
    fn clear(&mut self, path: &KeyPath, found: Option<Found<'_>>) -> bool {
        match found {
            None => true,
            Some(found) if found.modified() > self.time => false,
            Some(_) => {
                self.push(path, What::Removed);
                true
            }
        }
    }

    fn push(&mut self, path: &KeyPath, what: What) {
        self.entries.push(Entry { path: path.clone(), time: self.time, what });
    }
}

/// How many levels of nodes a value makes below its own place.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
