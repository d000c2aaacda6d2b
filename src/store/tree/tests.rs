use serde_json::json;

use super::*;

const EARLY: Timestamp = Timestamp(10);
const LATE: Timestamp = Timestamp(20);

fn path(pointer: &str) -> KeyPath {
    KeyPath::from_pointer(pointer).unwrap()
}

fn tree(value: Value, time: Timestamp) -> Tree {
    let mut tree = Tree::default();
    tree.apply(&Edit::Merge { at: KeyPath::root(), value, time });
    tree
}

fn value(tree: &Tree) -> Value {
    tree.value(&KeyPath::root()).unwrap()
}

fn merge(value: Value, time: Timestamp) -> Edit {
    Edit::Merge { at: KeyPath::root(), value, time }
}

/// A deterministic source of edits (xorshift), small enough a world that they meet.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn key(&mut self) -> &'static str {
        ["a", "A", "b", "c", "é", "É", "~1/", ""][usize::try_from(self.below(8)).unwrap()]
    }

    fn path(&mut self, least: u64) -> KeyPath {
        let length = least + self.below(3);
        KeyPath::new((0..length).map(|_| self.key()).collect::<Vec<_>>())
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(3)),
            3 => json!([self.below(2), {"x": null}]),
            4 => json!(-0.5),
            5 => json!("text\n\u{0}é"),
            _ => self.map(depth - 1),
        }
    }

    fn map(&mut self, depth: u64) -> Value {
        let pairs = (0..self.below(4)).map(|_| (self.key().to_owned(), self.value(depth)));
        Value::Object(pairs.collect())
    }

    pub(super) fn edit(&mut self) -> Edit {
        let time = Timestamp(self.below(12));
        match self.below(8) {
            0 | 1 => Edit::Write { at: self.path(1), value: self.value(0), time },
            2 | 3 => Edit::Merge { at: self.path(0), value: self.map(3), time },
            4 => Edit::Replace { at: self.path(0), value: self.map(3), time },
            5 => Edit::Default { at: self.path(0), value: self.map(3) },
            6 => Edit::Remove { at: self.path(1), time },
            _ => Edit::Reset { at: self.path(0), pointer: self.path(0).to_string().replace("//", ""), time },
        }
    }
}

#[test]
fn write_follows_the_newer_wins_rule() {
    let table = [
        (json!(1), LATE, json!(1), LATE, "written later"),
        (json!(1), EARLY, json!(1), EARLY, "same time is accepted"),
        (json!(1), Timestamp(9), json!(0), EARLY, "older is ignored"),
        (json!(0), LATE, json!(0), EARLY, "equal value changes nothing, not even the time"),
        (json!(null), LATE, json!(null), LATE, "null is a value"),
        (json!([1]), LATE, json!([1]), LATE, "a list is a value"),
        (json!({"c": 1}), LATE, json!({"c": 1}), LATE, "a leaf becomes an interior node"),
        (json!({"c": 1}), Timestamp(9), json!(0), EARLY, "unless it is newer"),
    ];
    for (value, time, then, modified, why) in table {
        let mut tree = tree(json!({"a": {"b": 0}}), EARLY);
        let entries = tree.apply(&Edit::Write { at: path("/a/b"), value, time });
        assert_eq!((tree.value(&path("/A/B")), tree.modified(&path("/a"))), (Some(then), Some(modified)), "{why}");
        assert_eq!(entries.is_empty(), modified == EARLY && time != EARLY, "{why}");
    }
}

#[test]
fn keys_ignore_case_and_keep_their_first_spelling() {
    let mut tree = tree(json!({"Services": {"Über": {"K": 1}}}), EARLY);
    let entries = tree.apply(&Edit::Write { at: path("/services/üBER/k"), value: json!(2), time: LATE });
    assert_eq!(entries[0].path, path("/Services/Über/K"));
    assert_eq!(value(&tree), json!({"Services": {"Über": {"K": 2}}}));
    tree.apply(&merge(json!({"x": 1, "X": 2}), LATE));
    assert_eq!(tree.children(&KeyPath::root()).len(), 2);
}

#[test]
fn merge_goes_key_by_key_and_moves_times() {
    let mut tree = tree(json!({"a": 1, "b": {"c": [1, 2], "d": 1}}), EARLY);
    let entries = tree.apply(&merge(json!({"a": 1, "b": {"c": [3], "e": null}, "f": {}}), LATE));
    assert_eq!(value(&tree), json!({"a": 1, "b": {"c": [3], "d": 1, "e": null}, "f": {}}));
    let whats: Vec<&What> = entries.iter().map(|entry| &entry.what).collect();
    let (list, null) = (What::Changed(json!([3])), What::Changed(Value::Null));
    assert_eq!(whats, [&What::TimestampUpdated, &list, &null, &What::InteriorAdded]);
    assert_eq!(tree.modified(&path("/a")), Some(LATE));
    assert_eq!(tree.modified(&path("/b/d")), Some(EARLY));
    assert!(tree.apply(&merge(json!({"a": 1}), EARLY)).is_empty());
}

#[test]
fn replace_removes_what_it_does_not_mention_but_not_what_lives_in_memory() {
    let mut tree = tree(json!({"a": 1, "b": {"c": 1, "d": {"e": 1}}, "_m": {"x": 1}}), EARLY);
    tree.apply(&Edit::Write { at: path("/b/c"), value: json!(7), time: Timestamp(30) });
    tree.apply(&Edit::Replace { at: KeyPath::root(), value: json!({"b": {"d": 2}}), time: LATE });
    assert_eq!(value(&tree), json!({"b": {"d": 2}}));
    assert_eq!(tree.value(&path("/_m/x")), Some(json!(1)));
    assert_eq!(tree.modified(&path("/b")), Some(LATE), "the newest child is gone");
}

#[test]
fn default_fills_holes_only() {
    let mut tree = tree(json!({"a": 1, "b": {"c": null}}), EARLY);
    let defaults = json!({"a": 2, "b": {"c": 2, "d": 2}, "e": {"f": 2}, "g": {}});
    tree.apply(&Edit::Default { at: KeyPath::root(), value: defaults });
    assert_eq!(value(&tree), json!({"a": 1, "b": {"c": null, "d": 2}, "e": {"f": 2}, "g": {}}));
    assert_eq!(tree.modified(&path("/b/d")), Some(Timestamp::DAWN));
    assert_eq!(tree.modified(&path("/b")), Some(EARLY));
    assert!(tree.apply(&Edit::Default { at: path("/e/f"), value: json!(3) }).is_empty(), "not even another default");
    assert!(tree.apply(&Edit::Default { at: path("/a/x"), value: json!(3) }).is_empty(), "a leaf is in the way");
    tree.apply(&Edit::Write { at: path("/e/f"), value: json!(4), time: Timestamp(2) });
    assert_eq!(tree.value(&path("/e/f")), Some(json!(4)));
}

#[test]
fn remove_needs_a_time_that_is_not_older() {
    let mut tree = tree(json!({"a": {"b": 1}}), EARLY);
    assert!(tree.apply(&Edit::Remove { at: path("/a"), time: Timestamp(9) }).is_empty());
    assert_eq!(tree.apply(&Edit::Remove { at: path("/a/b"), time: EARLY }).len(), 1);
    assert_eq!(value(&tree), json!({"a": {}}), "an interior node outlives its children");
    assert_eq!(tree.modified(&path("/a")), Some(EARLY));
    assert!(tree.apply(&Edit::Remove { at: path("/none"), time: LATE }).is_empty());
}

#[test]
fn reset_removes_what_the_pointer_spells_whatever_the_time() {
    let start = tree(json!({"c": {"Key": 1, "list": [1, 2], "a/b": {"~": 1}, "x": 1}}), LATE);
    let reset = |pointer: &str| {
        let mut tree = start.clone();
        tree.apply(&Edit::Reset { at: path("/c"), pointer: pointer.into(), time: EARLY });
        tree.value(&path("/c")).unwrap()
    };
    assert_eq!(reset("/Key"), json!({"list": [1, 2], "a/b": {"~": 1}, "x": 1}));
    assert_eq!(reset("/key"), reset("/none"), "pointers see the spelling");
    assert_eq!(reset("/list/0"), start.value(&path("/c")).unwrap(), "lists have no places");
    assert_eq!(reset("/a~1b/~0"), json!({"Key": 1, "list": [1, 2], "a/b": {}, "x": 1}));
    assert_eq!(reset(""), json!({}));
    assert_eq!(reset("x"), start.value(&path("/c")).unwrap());
    assert_eq!(start.point(&path("/C"), "/list/0"), PointerTarget::InsideList);
    assert_eq!(start.point(&path("/c"), "/Key"), PointerTarget::Node(path("/c/Key")));
    assert_eq!(start.point(&path("/c"), "key"), PointerTarget::NotAPointer);
    assert_eq!(start.point(&path("/c"), "/x/y"), PointerTarget::Missing);
}

#[test]
fn what_begins_with_an_underscore_is_seen_only_when_asked_for() {
    let mut tree = tree(json!({"services": {"x": {"k": 1}}}), EARLY);
    tree.apply(&Edit::Write { at: path("/services/x/_private/state"), value: json!("NEW"), time: LATE });
    assert_eq!(value(&tree), json!({"services": {"x": {"k": 1}}}));
    assert_eq!(tree.value(&path("/services/x/_private/state")), Some(json!("NEW")));
    assert_eq!(tree.children(&path("/services/x")).len(), 1);
    assert_eq!(tree.modified(&path("/services/x")), Some(EARLY));
}

#[test]
fn impossible_edits_change_nothing() {
    let mut tree = tree(json!({"a": 1}), EARLY);
    let before = tree.clone();
    let mut deep = json!(1);
    (0..KeyPath::MAX_DEPTH + 1).for_each(|_| deep = json!({ "k": deep.take() }));
    for edit in [
        Edit::Write { at: KeyPath::root(), value: json!(1), time: LATE },
        Edit::Replace { at: KeyPath::root(), value: json!(null), time: LATE },
        Edit::Remove { at: KeyPath::root(), time: LATE },
        merge(deep, LATE),
    ] {
        assert!(edit.check().is_err());
        assert!(tree.apply(&edit).is_empty());
    }
    assert_eq!(tree, before);
}

#[test]
fn copies_do_not_see_later_edits() {
    let mut tree = tree(json!({"a": {"b": 1}, "c": {"d": 1}}), EARLY);
    let copy = tree.clone();
    tree.apply(&Edit::Write { at: path("/a/b"), value: json!(2), time: LATE });
    assert_eq!(value(&copy), json!({"a": {"b": 1}, "c": {"d": 1}}));
}

#[test]
fn every_interior_node_has_the_time_of_its_newest_child() {
    fn check(node: &Interior) {
        if let Some(newest) = node.persistent().map(|child| child.node.modified()).max() {
            assert_eq!(node.modified, newest);
        }
        assert!(node.children().windows(2).all(|w| key::compare(&w[0].key, &w[1].key).is_lt()));
        for child in node.children() {
            if let Node::Interior(below) = &child.node {
                check(below);
            }
        }
    }
    for seed in 100..160 {
        let mut random = Random(seed);
        let mut tree = Tree::default();
        for _ in 0..40 {
            tree.apply(&random.edit());
            check(&tree.root);
        }
    }
}

#[test]
fn difference_leads_from_one_tree_to_the_other() {
    for seed in 200..260 {
        let mut random = Random(seed);
        let (mut old, mut new) = (Tree::default(), Tree::default());
        (0..15).for_each(|_| drop(old.apply(&random.edit())));
        (0..15).for_each(|_| drop(new.apply(&random.edit())));
        let restored = old.restored(&new);
        assert_eq!(restored, new, "nothing here lives in memory only");
        assert!(new.difference(&restored).is_empty());
        assert_eq!(old == new, old.difference(&new).is_empty());
    }
}
