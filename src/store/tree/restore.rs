//! Going back to an earlier tree: its times are taken as they are, and what it does not have goes.

use std::cmp::Ordering;
use std::sync::Arc;

use super::key::{self, is_transient};
use super::node::{Child, Interior, Node};
use super::{Entry, KeyPath, Tree, What, dump};

impl Tree {
    /// The persistent nodes of `earlier` with the nodes of this tree that live in memory only.
    #[must_use]
    pub fn restored(&self, earlier: &Self) -> Self {
        Self { root: with_transient(&earlier.root, Some(&self.root)) }
    }

    /// What happens to persistent nodes when this tree becomes `later`.
    pub fn difference(&self, later: &Self) -> Vec<Entry> {
        let mut entries = Vec::new();
        compare(&self.root, &later.root, &KeyPath::root(), &mut entries);
        entries
    }
}

fn with_transient(earlier: &Arc<Interior>, now: Option<&Arc<Interior>>) -> Arc<Interior> {
    if now.is_some_and(|now| Arc::ptr_eq(earlier, now)) {
        return Arc::clone(earlier);
    }
    let mut children: Vec<Child> = earlier
        .persistent()
        .map(|child| match &child.node {
            Node::Leaf { .. } => child.clone(),
            Node::Interior(below) => {
                let now = match now.and_then(|now| now.child(&child.key)) {
                    Some(Child { node: Node::Interior(now), .. }) => Some(now),
                    _ => None,
                };
                Child { key: Arc::clone(&child.key), node: Node::Interior(with_transient(below, now)) }
            }
        })
        .collect();
    let transient = now.into_iter().flat_map(|now| now.children()).filter(|child| is_transient(&child.key));
    children.extend(transient.cloned());
    Arc::new(Interior::new(earlier.modified, children))
}

fn compare(old: &Interior, new: &Interior, at: &KeyPath, entries: &mut Vec<Entry>) {
    let (mut olds, mut news) = (old.persistent().peekable(), new.persistent().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => key::compare(&old.key, &new.key),
        };
        let old = if order.is_le() { olds.next() } else { None };
        let new = if order.is_ge() { news.next() } else { None };
        compare_child(old, new, at, entries);
    }
}

fn compare_child(old: Option<&Child>, new: Option<&Child>, at: &KeyPath, entries: &mut Vec<Entry>) {
    let Some(child) = new.or(old) else { return };
    let path = at.join(Arc::clone(&child.key));
    match (old.map(|old| &old.node), new.map(|new| &new.node)) {
        (Some(Node::Interior(old)), Some(Node::Interior(new))) => {
            if !Arc::ptr_eq(old, new) {
                compare(old, new, &path, entries);
            }
        }
        (Some(Node::Leaf { value: old, modified: then }), Some(Node::Leaf { value, modified })) => {
            if old != value {
                entries.push(Entry { path, time: *modified, what: What::Changed(value.to_value()) });
            } else if then != modified {
                entries.push(Entry { path, time: *modified, what: What::TimestampUpdated });
            }
        }
        (old, new) => {
            if let Some(old) = old {
                entries.push(Entry { path: path.clone(), time: old.modified(), what: What::Removed });
            }
            match new {
                Some(Node::Leaf { value, modified }) => {
                    entries.push(Entry { path, time: *modified, what: What::Changed(value.to_value()) });
                }
                Some(Node::Interior(new)) if new.persistent().next().is_none() => {
                    entries.push(Entry { path, time: new.modified, what: What::InteriorAdded });
                }
                Some(Node::Interior(new)) => {
                    let Ok(()) = dump(new, &path, &mut |entry| {
                        entries.push(entry);
                        Ok::<(), std::convert::Infallible>(())
                    });
                }
                None => {}
            }
        }
    }
}
