//! An update whose owner is told when it comes too late; then nothing of it happens.
//!
//! An [`Edit`] loses against newer values silently and in part: right for deployments, which bring what others decided,
//! wrong for a component that waits for the answer. An update is weighed against the tree it is carried out on, so no
//! other edit comes between.

use serde_json::Value;

use super::handle::ConfigError;
use crate::base::clock::Timestamp;
use crate::store::tree::{Edit, Entry, KeyPath, Tree, value_weight};

/// What a component wants of its own configuration.
///
/// | at `below` is | value is an object | another value |
/// |---|---|---|
/// | nothing | created, as of `now` | created, as of `now` |
/// | a leaf | replaced | replaced |
/// | a node with keys | merged | refused |
///
/// Refused, too: when what is there is newer than `time`, when the way leads through a leaf, and when the component
/// would have more configuration than [`Update::LARGEST`] afterwards, and more than before.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// The configuration of the component.
    pub of: KeyPath,
    /// Keys below it; none for all of it.
    pub below: Vec<String>,
    pub value: Value,
    /// As of when the value holds.
    pub time: Timestamp,
    /// When what is new comes to be.
    pub now: Timestamp,
}

impl Update {
    /// What a component may make of its own configuration, in bytes of [`Tree::weight`]: it lies in memory, and a
    /// component must not take all of that. Deployments may bring more.
    pub const LARGEST: usize = 4 << 20;

    /// Carries it out on `tree`, or leaves `tree` as it is.
    pub(super) fn apply(&self, tree: &mut Tree) -> Result<Vec<Entry>, ConfigError> {
        // Before anything is made of a value of any size.
        if value_weight(&self.value) > Self::LARGEST {
            return Err(ConfigError::TooLarge { of: self.of.clone() });
        }
        let mut after = tree.clone();
        let entries = after.apply(&self.weigh(tree)?);
        let weight = after.weight(&self.of);
        if weight > Self::LARGEST && weight > tree.weight(&self.of) {
            return Err(ConfigError::TooLarge { of: self.of.clone() });
        }
        *tree = after;
        Ok(entries)
    }

    fn at(&self) -> KeyPath {
        self.of.join_all(self.below.iter().map(String::as_str))
    }

    /// Says which edit of `tree` it amounts to; that edit does not lose against anything in `tree`.
    fn weigh(&self, tree: &Tree) -> Result<Edit, ConfigError> {
        let at = self.at();
        let time = match tree.modified(&at) {
            Some(modified) if modified > self.time => return Err(ConfigError::Newer { at }),
            Some(_) if tree.is_interior(&at) && !self.value.is_object() => return Err(ConfigError::NotAnObject { at }),
            Some(_) => self.time,
            None => {
                self.check_way(tree)?;
                if self.below.is_empty() { self.time } else { self.now }
            }
        };
        let edit = Edit::Merge { at, value: self.value.clone(), time };
        edit.check()?;
        Ok(edit)
    }

    fn check_way(&self, tree: &Tree) -> Result<(), ConfigError> {
        let mut at = self.of.clone();
        for key in &self.below {
            if tree.contains(&at) && !tree.is_interior(&at) {
                return Err(ConfigError::LeafInTheWay { at });
            }
            at = at.join(key.as_str());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree(configuration: Value, time: u64) -> Tree {
        let mut tree = Tree::default();
        tree.apply(&Edit::Merge { at: of(), value: configuration, time: Timestamp(time) });
        tree
    }

    fn of() -> KeyPath {
        KeyPath::service("C").join("configuration")
    }

    fn update(below: &[&str], value: Value, time: u64) -> Update {
        let below = below.iter().map(|key| (*key).to_owned()).collect();
        Update { of: of(), below, value, time: Timestamp(time), now: Timestamp(100) }
    }

    /// The configuration after the update.
    fn done(tree: &Tree, update: &Update) -> Result<Value, ConfigError> {
        let mut after = tree.clone();
        update.apply(&mut after)?;
        Ok(after.value(&of()).unwrap())
    }

    #[test]
    fn update_merges_replaces_or_creates() {
        let tree = tree(json!({"leaf": 1, "node": {"a": 1, "b": [1]}}), 10);
        for (below, value, expected) in [
            (vec![], json!({"leaf": 2, "NODE": {"A": 2}}), json!({"leaf": 2, "node": {"a": 2, "b": [1]}})),
            (vec!["node"], json!({"b": {"c": null}}), json!({"leaf": 1, "node": {"a": 1, "b": {"c": null}}})),
            (vec!["LEAF"], json!("text"), json!({"leaf": "text", "node": {"a": 1, "b": [1]}})),
            (vec!["leaf"], json!({"x": true}), json!({"leaf": {"x": true}, "node": {"a": 1, "b": [1]}})),
            (vec!["node", "new"], json!(1.5), json!({"leaf": 1, "node": {"a": 1, "b": [1], "new": 1.5}})),
        ] {
            assert_eq!(done(&tree, &update(&below, value, 10)).unwrap(), expected, "{below:?}");
        }
    }

    #[test]
    fn update_refuses_what_would_lose_or_destroy() {
        let tree = tree(json!({"leaf": 1, "node": {"a": 1}}), 10);
        let newer = done(&tree, &update(&[], json!({"other": 1}), 9)).unwrap_err();
        assert!(matches!(newer, ConfigError::Newer { at } if at == of()));
        assert!(matches!(done(&tree, &update(&["leaf"], json!(1), 9)), Err(ConfigError::Newer { .. })));
        for (below, value) in [(vec!["node"], json!(1)), (vec![], json!([]))] {
            assert!(matches!(done(&tree, &update(&below, value, 10)), Err(ConfigError::NotAnObject { .. })));
        }
        let through = done(&tree, &update(&["node", "A", "b", "c"], json!({}), 10)).unwrap_err();
        assert!(matches!(through, ConfigError::LeafInTheWay { at } if at == of().join_all(["node", "A"])));
        let deep = (0..KeyPath::MAX_DEPTH).map(|_| "k").collect::<Vec<_>>();
        assert!(matches!(done(&tree, &update(&deep, json!(1), 10)), Err(ConfigError::Impossible(_))));
    }

    #[test]
    fn update_may_fill_what_a_component_may_have_and_no_more() {
        let text = |size: usize| json!({"k": "x".repeat(size)});
        let mut tree = tree(json!({"a": "x".repeat(Update::LARGEST / 2)}), 10);
        update(&["b"], text(Update::LARGEST / 4), 10).apply(&mut tree).unwrap();
        let before = tree.clone();
        for (below, size) in [("c", Update::LARGEST / 4), ("_c", Update::LARGEST / 4), ("d", Update::LARGEST)] {
            let refused = update(&[below], text(size), 20).apply(&mut tree);
            assert!(matches!(refused, Err(ConfigError::TooLarge { .. })), "{below}");
            assert_eq!(tree, before, "nothing of it is done");
        }
        // More than that can only have been deployed; it may be made less.
        tree.apply(&Edit::Merge { at: of().join("a"), value: json!("x".repeat(Update::LARGEST)), time: Timestamp(20) });
        assert!(update(&["c"], json!(1), 20).apply(&mut tree).is_err());
        update(&["b"], text(1), 200).apply(&mut tree).unwrap();
    }

    #[test]
    fn update_creates_as_of_now_whatever_its_time() {
        let tree = tree(json!({"node": {}}), 10);
        for time in [5, 500] {
            let edit = update(&["new", "key"], json!({"a": 1}), time).weigh(&tree).unwrap();
            assert!(matches!(edit, Edit::Merge { time: Timestamp(100), .. }), "{edit:?}");
        }
        let first = update(&[], json!({"a": 1}), 5).weigh(&Tree::default()).unwrap();
        assert!(matches!(first, Edit::Merge { time: Timestamp(5), .. }), "a configuration that begins keeps the time");
    }
}
