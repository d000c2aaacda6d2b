//! The nodes of the tree, kept small: a sorted vector of children, shared between copies until one of them changes.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::key::{self, is_transient};
use crate::base::clock::Timestamp;

/// A node with children.
///
/// With persistent children, `modified` is the latest of theirs; without, it is the time the node itself was made
/// or last had one.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Interior {
    pub(super) modified: Timestamp,
    /// In the order of [`key::compare`].
    children: Vec<Child>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Child {
    pub(super) key: Arc<str>,
    pub(super) node: Node,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Node {
    Leaf { value: Leaf, modified: Timestamp },
    Interior(Arc<Interior>),
}

/// What a leaf holds. Lists are opaque: no element has a path or a time of its own.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Leaf {
    Null,
    Bool(bool),
    Number(Number),
    Text(Arc<str>),
    List(Arc<[Value]>),
}

impl Interior {
    /// `children` in any order, each key once.
    pub(super) fn new(modified: Timestamp, mut children: Vec<Child>) -> Self {
        children.sort_by(|a, b| key::compare(&a.key, &b.key));
        Self { modified, children }
    }

    pub(super) fn children(&self) -> &[Child] {
        &self.children
    }

    /// What reads, dumps and modification times see: children whose key does not begin with `_`.
    pub(super) fn persistent(&self) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(|child| !is_transient(&child.key))
    }

    pub(super) fn child(&self, key: &str) -> Option<&Child> {
        self.position(key).ok().map(|at| &self.children[at])
    }

    pub(super) fn find(&self, path: &[Arc<str>]) -> Option<&Node> {
        let (first, rest) = path.split_first()?;
        match &self.child(first)?.node {
            node if rest.is_empty() => Some(node),
            Node::Interior(below) => below.find(rest),
            Node::Leaf { .. } => None,
        }
    }

    /// Puts a leaf at `path`, making the nodes above it. What is in the way is replaced, unless it is newer.
    pub(super) fn put_leaf(&mut self, path: &[Arc<str>], value: &Leaf, time: Timestamp) {
        self.change(path, time, &mut |slot| match slot {
            Some(Node::Leaf { value: old, .. }) if old == value => {}
            Some(node) if node.modified() > time => {}
            _ => *slot = Some(Node::Leaf { value: value.clone(), modified: time }),
        });
    }

    /// Makes sure there is an interior node at `path`.
    pub(super) fn put_interior(&mut self, path: &[Arc<str>], time: Timestamp) {
        self.change(path, time, &mut |slot| match slot {
            Some(Node::Interior(_)) => {}
            Some(Node::Leaf { modified, .. }) if *modified > time => {}
            _ => *slot = Some(Node::Interior(Arc::new(Self { modified: time, children: Vec::new() }))),
        });
    }

    /// Moves the time of a leaf forward.
    pub(super) fn touch(&mut self, path: &[Arc<str>], time: Timestamp) {
        if self.find(path).is_some() {
            self.change(path, time, &mut |slot| {
                if let Some(Node::Leaf { modified, .. }) = slot {
                    *modified = time.max(*modified);
                }
            });
        }
    }

    /// Removes whatever is at `path`.
    pub(super) fn remove(&mut self, path: &[Arc<str>]) {
        if self.find(path).is_some() {
            self.change(path, Timestamp::default(), &mut |slot| *slot = None);
        }
    }

    /// Lets `act` change the node at `path` and brings the modification times above it up to date.
    /// A leaf on the way down gives place to an interior node, unless it is newer than `time`.
    fn change(&mut self, path: &[Arc<str>], time: Timestamp, act: &mut dyn FnMut(&mut Option<Node>)) {
        let Some((first, rest)) = path.split_first() else { return };
        let found = self.position(first);
        let before = found.ok().map(|at| self.children[at].node.modified());
        match found {
            Ok(at) if rest.is_empty() => {
                let held = Node::Leaf { value: Leaf::Null, modified: Timestamp::default() };
                let mut slot = Some(std::mem::replace(&mut self.children[at].node, held));
                act(&mut slot);
                match slot {
                    Some(node) => self.children[at].node = node,
                    None => drop(self.children.remove(at)),
                }
            }
            Ok(at) => {
                let node = &mut self.children[at].node;
                match node {
                    Node::Interior(below) => Arc::make_mut(below).change(rest, time, act),
                    Node::Leaf { modified, .. } if *modified > time => return,
                    Node::Leaf { .. } => {
                        let mut below = Self::default();
                        below.change(rest, time, act);
                        *node = Node::Interior(Arc::new(below));
                    }
                }
            }
            Err(at) => {
                let node = if rest.is_empty() {
                    let mut slot = None;
                    act(&mut slot);
                    slot
                } else {
                    let mut below = Self::default();
                    below.change(rest, time, act);
                    Some(Node::Interior(Arc::new(below)))
                };
                if let Some(node) = node {
                    // Most nodes have few children and never get more: no room is kept for those that do not come.
                    if self.children.len() < Self::EXACT {
                        self.children.reserve_exact(1);
                    }
                    self.children.insert(at, Child { key: first.clone(), node });
                }
            }
        }
        self.settle(first, before);
    }

    /// Brings `modified` up to date after the child `key` changed, without looking at its siblings where that can be.
    fn settle(&mut self, key: &str, before: Option<Timestamp>) {
        if is_transient(key) {
            return;
        }
        let after = self.child(key).map(|child| child.node.modified());
        match (before, after) {
            (_, Some(after)) if after >= self.modified => self.modified = after,
            (Some(before), _) if before < self.modified => {}
            (None, None) => {}
            (None, Some(_)) if self.persistent().nth(1).is_some() => {}
            _ => {
                if let Some(latest) = self.persistent().map(|child| child.node.modified()).max() {
                    self.modified = latest;
                }
            }
        }
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        // Dumps and merges come in order: the place is mostly behind the last.
        match self.children.last() {
            Some(last) if key::compare(&last.key, key).is_lt() => Err(self.children.len()),
            _ => self.children.binary_search_by(|child| key::compare(&child.key, key)),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        let pairs = self.persistent().map(|child| (child.key.to_string(), child.node.to_value()));
        Value::Object(pairs.collect::<Map<_, _>>())
    }

    /// Below this many children the vector grows by one.
    const EXACT: usize = 16;
}

impl Node {
    pub(super) fn modified(&self) -> Timestamp {
        match self {
            Self::Leaf { modified, .. } => *modified,
            Self::Interior(interior) => interior.modified,
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Leaf { value, .. } => value.to_value(),
            Self::Interior(interior) => interior.to_value(),
        }
    }
}

impl Leaf {
    /// `None` for an object: that is an interior node.
    pub(super) fn new(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(value.clone()),
            Value::String(value) => Self::Text(value.as_str().into()),
            Value::Array(value) => Self::List(value.as_slice().into()),
            Value::Object(_) => return None,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(value) => Value::Number(value.clone()),
            Self::Text(value) => Value::String(value.as_ref().into()),
            Self::List(value) => Value::Array(value.to_vec()),
        }
    }
}
