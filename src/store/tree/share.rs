//! What two trees have in common, told by the nodes they share: cheap where little changed.

use std::cmp::Ordering;
use std::sync::Arc;

use super::key;
use super::node::{Child, Interior, Node};
use super::{KeyPath, Tree};

impl Tree {
    /// Whether this tree is a copy of `other` and neither has been changed since.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.root, &other.root)
    }

    /// The persistent children of `at` that the trees do not share, those only one of them has included.
    /// One that was changed and changed back is among them.
    pub fn unshared_children(&self, other: &Self, at: &KeyPath) -> Vec<Arc<str>> {
        let nothing = Interior::default();
        let (here, there) = (self.interior(at).unwrap_or(&nothing), other.interior(at).unwrap_or(&nothing));
        if std::ptr::eq(here, there) {
            return Vec::new();
        }
        let (mut heres, mut theres) = (here.persistent().peekable(), there.persistent().peekable());
        let mut keys = Vec::new();
        loop {
            let order = match (heres.peek(), theres.peek()) {
                (None, None) => return keys,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(here), Some(there)) => key::compare(&here.key, &there.key),
            };
            let here = if order.is_le() { heres.next() } else { None };
            let there = if order.is_ge() { theres.next() } else { None };
            if let Some(either) = here.or(there)
                && !here.zip(there).is_some_and(|(here, there)| is_shared(here, there))
            {
                keys.push(Arc::clone(&either.key));
            }
        }
    }
}

fn is_shared(here: &Child, there: &Child) -> bool {
    // The spelling of a key counts to those who are told of it.
    here.key == there.key
        && match (&here.node, &there.node) {
            (Node::Interior(here), Node::Interior(there)) => Arc::ptr_eq(here, there),
            (Node::Leaf { .. }, Node::Leaf { .. }) => here.node == there.node,
            _ => false,
        }
}
