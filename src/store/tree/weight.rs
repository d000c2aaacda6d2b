//! About how much memory a part of the tree takes: what one component may keep is bounded by it.

use serde_json::Value;

use super::node::{Interior, Leaf, Node};
use super::{KeyPath, Tree};

/// Bytes of a node or a value besides its key and its text, about.
const NODE: usize = 64;

impl Tree {
    /// The weight in bytes of `at` and everything below it, what lives in memory only included.
    pub fn weight(&self, at: &KeyPath) -> usize {
        if at.is_root() { interior(&self.root) } else { self.root.find(at.parts()).map_or(0, node) }
    }
}

fn interior(of: &Interior) -> usize {
    NODE + of.children().iter().map(|child| child.key.len() + node(&child.node)).sum::<usize>()
}

fn node(of: &Node) -> usize {
    match of {
        Node::Interior(below) => interior(below),
        Node::Leaf { value: Leaf::Text(text), .. } => NODE + text.len(),
        Node::Leaf { value: Leaf::List(items), .. } => NODE + items.iter().map(value_weight).sum::<usize>(),
        Node::Leaf { value: Leaf::Null | Leaf::Bool(_) | Leaf::Number(_), .. } => NODE,
    }
}

/// What a value weighs in a tree; it may weigh less there when keys of it differ in case only.
pub fn value_weight(value: &Value) -> usize {
    NODE + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_weight).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + value_weight(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::store::tree::Edit;

    #[test]
    fn tree_weighs_what_its_value_weighs() {
        let value =
            json!({"text": "abc", "list": [1, [true, "x"], {"k": null}], "node": {"_hidden": {"a": 1}, "b": {}}});
        let mut tree = Tree::default();
        tree.apply(&Edit::Merge { at: KeyPath::root(), value: value.clone(), time: Timestamp(1) });
        assert_eq!(tree.weight(&KeyPath::root()), value_weight(&value));
        assert_eq!(tree.weight(&KeyPath::new(["text"])), NODE + 3);
        assert_eq!(tree.weight(&KeyPath::new(["none"])), 0);
    }
}
