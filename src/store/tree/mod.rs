//! The configuration tree: nodes with modification times, changed by edits of which the newer one wins.
//!
//! An [`Edit`] is what somebody wants. [`Tree::plan`] weighs it against the tree and says in [`Entry`]s what comes of
//! it; [`Tree::replay`] carries one out. The log keeps entries, so what is read back after a start is what was there
//! before: both went through `replay`.
//!
//! A copy of a tree is cheap: copies share their nodes until one of them changes.

mod edit;
mod effective;
mod entry;
mod key;
mod line;
mod load;
mod log;
mod node;
mod restore;
mod scan;
mod share;
#[cfg(test)]
mod tests;
mod weight;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::node::{Interior, Leaf, Node};
use crate::base::clock::Timestamp;

pub use self::edit::{Edit, EditError, PointerTarget};
pub use self::entry::{Entry, What};
pub use self::key::{KeyPath, PointerError};
pub use self::line::LineError;
pub use self::load::{Finding, Given, LoadError, Opened, open};
pub use self::log::{Log, LogError};
pub use self::scan::ScanError;
pub use self::weight::value_weight;

/// The tree, in memory.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tree {
    root: Arc<Interior>,
}

impl Tree {
    /// The value at `at`: a leaf's own, or an object of everything persistent below.
    pub fn value(&self, at: &KeyPath) -> Option<Value> {
        if at.is_root() { Some(self.root.to_value()) } else { self.root.find(at.parts()).map(Node::to_value) }
    }

    /// A leaf that is text.
    pub fn text(&self, at: &KeyPath) -> Option<Arc<str>> {
        match self.root.find(at.parts())? {
            Node::Leaf { value: Leaf::Text(text), .. } => Some(Arc::clone(text)),
            _ => None,
        }
    }

    /// When the node at `at` was last changed; for an interior node, the latest of its children.
    pub fn modified(&self, at: &KeyPath) -> Option<Timestamp> {
        if at.is_root() { Some(self.root.modified) } else { self.root.find(at.parts()).map(Node::modified) }
    }

    pub fn contains(&self, at: &KeyPath) -> bool {
        at.is_root() || self.root.find(at.parts()).is_some()
    }

    /// Whether there is a node at `at` that holds keys rather than a value.
    pub fn is_interior(&self, at: &KeyPath) -> bool {
        self.interior(at).is_some()
    }

    /// The keys of the persistent children of `at`, sorted without case; none for a leaf or a missing node.
    pub fn children(&self, at: &KeyPath) -> Vec<Arc<str>> {
        self.interior(at).map_or(Vec::new(), |node| node.persistent().map(|child| Arc::clone(&child.key)).collect())
    }

    /// Carries out `edit` and returns what came of it; an edit that loses against newer values changes nothing.
    pub fn apply(&mut self, edit: &Edit) -> Vec<Entry> {
        let entries = self.plan(edit);
        entries.iter().for_each(|entry| self.replay(entry));
        entries
    }

    /// Carries out one entry, under the rules of the log: an older value does not replace a newer one.
    pub fn replay(&mut self, entry: &Entry) {
        let parts = entry.path.parts();
        if parts.len() > KeyPath::MAX_DEPTH {
            return;
        }
        let root = Arc::make_mut(&mut self.root);
        match &entry.what {
            What::Changed(value) => match (Leaf::new(value), value) {
                (Some(leaf), _) => root.put_leaf(parts, &leaf, entry.time),
                // A log of ours never has an object here; one that does means the leaves below.
                (None, value) => {
                    let merge = Edit::Merge { at: entry.path.clone(), value: value.clone(), time: entry.time };
                    drop(self.apply(&merge));
                }
            },
            What::Removed => root.remove(parts),
            What::TimestampUpdated => root.touch(parts, entry.time),
            What::InteriorAdded => root.put_interior(parts, entry.time),
        }
    }

    /// Every entry that makes this tree out of an empty one: each leaf, and each interior node without children.
    pub fn dump<E>(&self, take: &mut impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
        dump(&self.root, &KeyPath::root(), take)
    }

    fn interior(&self, at: &KeyPath) -> Option<&Interior> {
        if at.is_root() {
            return Some(&self.root);
        }
        match self.root.find(at.parts())? {
            Node::Interior(interior) => Some(interior),
            Node::Leaf { .. } => None,
        }
    }
}

/// For the fuzzer: reads bytes as a log, and checks that what was read survives being written.
#[doc(hidden)]
pub fn fuzz_log(data: &[u8]) {
    let Ok(scanned) = scan::scan_from(data) else { return };
    let lines = |tree: &Tree| {
        let mut lines = Vec::new();
        tree.dump(&mut |entry| line::encode(&entry, false, None, &mut lines)).map(|()| lines)
    };
    let Ok(written) = lines(&scanned.tree) else { return };
    if !written.is_empty() {
        let again = scan::scan_from(written.as_slice()).ok().and_then(|again| lines(&again.tree).ok());
        assert_eq!(again, Some(written), "a log must survive being rewritten");
    }
}

/// A tree of the persistent nodes of `value`, all modified at one time.
impl From<(Map<String, Value>, Timestamp)> for Tree {
    fn from((value, time): (Map<String, Value>, Timestamp)) -> Self {
        let mut tree = Self::default();
        tree.apply(&Edit::Merge { at: KeyPath::root(), value: Value::Object(value), time });
        tree
    }
}

fn dump<E>(node: &Interior, at: &KeyPath, take: &mut impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
    for child in node.persistent() {
        let path = at.join(Arc::clone(&child.key));
        match &child.node {
            Node::Leaf { value, modified } => {
                take(Entry { path, time: *modified, what: What::Changed(value.to_value()) })?;
            }
            Node::Interior(below) if below.persistent().next().is_none() => {
                take(Entry { path, time: below.modified, what: What::InteriorAdded })?;
            }
            Node::Interior(below) => dump(below, &path, take)?,
        }
    }
    Ok(())
}
