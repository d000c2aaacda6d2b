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

#[test]
fn write_follows_the_newer_wins_rule() {
    let table = [
        (json!(1), LATE, json!(1), LATE, "written later"),
        (json!(1), EARLY, json!(1), EARLY, "same time is accepted"),
        (json!(1), Timestamp(9), json!(0), EARLY, "older is ignored"),
        (json!(0), LATE, json!(0), EARLY, "equal value changes nothing, not even the time"),
    ];
    for (value, time, then, modified, why) in table {
        let mut tree = tree(json!({"a": {"b": 0}}), EARLY);
        tree.apply(&Edit::Write { at: path("/a/b"), value, time });
        assert_eq!((tree.value(&path("/A/B")), tree.modified(&path("/a"))), (Some(then), Some(modified)), "{why}");
    }
}
