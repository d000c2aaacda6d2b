use std::path::Path;

use serde_json::json;

use super::*;
use crate::base::clock::Timestamp;
use crate::store::tree::{Edit, Given, KeyPath, open};

fn path(pointer: &str) -> KeyPath {
    KeyPath::from_pointer(pointer).unwrap()
}

fn write(pointer: &str, value: serde_json::Value, time: u64) -> Edit {
    Edit::Write { at: path(pointer), value, time: Timestamp(time) }
}

fn start(directory: &Path) -> (Handle, tokio::task::JoinHandle<()>) {
    spawn(open(directory, &Given::Nothing).unwrap(), directory.to_owned())
}

#[tokio::test]
async fn edit_is_seen_and_survives_a_restart() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, service) = start(scratch.path());
    let changed = config.edit(vec![write("/services/x/a", json!(1), 10), write("/services/x/b", json!(2), 10)]).await;
    assert_eq!(changed.unwrap(), [path("/services/x/a"), path("/services/x/b")]);
    assert_eq!(config.read(&path("/services/X")), Some(json!({"a": 1, "b": 2})));
    assert_eq!(config.edit(vec![write("/services/x/a", json!(0), 9)]).await.unwrap(), []);
    config.close().await.unwrap();
    service.await.unwrap();
    assert!(matches!(config.edit(vec![]).await, Err(ConfigError::GoingDown)));

    let (config, _service) = start(scratch.path());
    assert_eq!(config.read(&path("/services/x")), Some(json!({"a": 1, "b": 2})));
    let effective = std::fs::read_to_string(scratch.path().join("effectiveConfig.yaml")).unwrap();
    assert!(effective.contains("services:\n  x:\n    a: 1\n"), "{effective}");
}

#[tokio::test]
async fn edits_that_come_together_all_hold() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, _service) = start(scratch.path());
    let many = (0..500).map(|number| {
        let config = config.clone();
        tokio::spawn(async move { config.edit(vec![write(&format!("/n/{number}"), json!(number), 10)]).await.unwrap() })
    });
    for edit in many.collect::<Vec<_>>() {
        assert_eq!(edit.await.unwrap().len(), 1);
    }
    assert_eq!(open(scratch.path(), &Given::Nothing).unwrap().tree, config.snapshot());
}

#[tokio::test]
async fn refused_edit_leaves_memory_and_the_service_as_they_were() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    let directory = root.join("config");
    std::fs::create_dir_all(&directory).unwrap();
    let (config, _service) = start(&directory);
    config.edit(vec![write("/services/x", json!(1), 10)]).await.unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    let refused = config.edit(vec![write("/services/x", json!(2), 20)]).await.unwrap_err();
    let report = crate::base::report::Report(&refused).to_string();
    assert!(report.contains("config.tlog") && report.contains("No such file"), "{report}");
    assert_eq!(config.read(&path("/services/x")), Some(json!(1)));

    std::fs::create_dir_all(&directory).unwrap();
    config.edit(vec![write("/services/y", json!(3), 20)]).await.unwrap();
    assert_eq!(open(&directory, &Given::Nothing).unwrap().tree, config.snapshot());
    assert_eq!(config.read(&path("/services")), Some(json!({"x": 1, "y": 3})));
}

#[tokio::test]
async fn impossible_edit_is_refused_with_its_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, _service) = start(scratch.path());
    let refused = config.edit(vec![write("", json!(1), 1)]).await;
    assert!(matches!(refused, Err(ConfigError::Impossible(_))));
    let deep = KeyPath::new(vec!["k"; KeyPath::MAX_DEPTH + 1]);
    let refused = config.edit(vec![Edit::Write { at: deep, value: json!(1), time: Timestamp(1) }]).await;
    assert!(refused.unwrap_err().to_string().contains("deeper"));
}

#[tokio::test]
async fn restore_goes_back_whatever_the_times_and_keeps_what_lives_in_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, _service) = start(scratch.path());
    config.edit(vec![write("/services/x/a", json!(1), 10), write("/services/y", json!(1), 10)]).await.unwrap();
    let earlier = config.snapshot();
    let changes = vec![
        write("/services/x/a", json!(2), 20),
        write("/services/z/b", json!(1), 20),
        write("/services/x/_state", json!("RUNNING"), 20),
        Edit::Remove { at: path("/services/y"), time: Timestamp(20) },
    ];
    config.edit(changes).await.unwrap();
    let mut news = config.watch(path("/services/x/a")).await.unwrap();
    config.restore(earlier.clone()).await.unwrap();
    assert_eq!(config.read(&path("/services")), Some(json!({"x": {"a": 1}, "y": 1})));
    assert_eq!(config.read(&path("/services/x/_state")), Some(json!("RUNNING")));
    assert_eq!(news.next().await.unwrap().kind, ChangeKind::Initialized);
    assert_eq!(news.next().await.unwrap().kind, ChangeKind::Changed);
    assert_eq!(open(scratch.path(), &Given::Nothing).unwrap().tree, earlier);
    config.edit(vec![write("/services/x/a", json!(3), 11)]).await.unwrap();
    assert_eq!(config.read(&path("/services/x/a")), Some(json!(3)));
}

#[tokio::test]
async fn watch_tells_what_happened_where() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, _service) = start(scratch.path());
    let mut leaf = config.watch(path("/Services/x/a")).await.unwrap();
    let mut above = config.watch(path("/services")).await.unwrap();
    let mut root = config.watch(KeyPath::root()).await.unwrap();
    let edits = vec![
        write("/services/x/a", json!(1), 10),
        write("/services/x/ab", json!(1), 10),
        Edit::Merge { at: path("/services/x"), value: json!({"a": 1, "e": {}}), time: Timestamp(20) },
        Edit::Remove { at: path("/services/x"), time: Timestamp(30) },
    ];
    config.edit(edits).await.unwrap();
    use ChangeKind::{Changed, ChildChanged, ChildRemoved, Initialized, InteriorAdded, Removed, TimestampUpdated};
    for (watch, kinds) in [
        (&mut leaf, &[Initialized, Changed, TimestampUpdated, Removed][..]),
        (&mut above, &[Initialized, ChildChanged, ChildChanged, TimestampUpdated, InteriorAdded, ChildRemoved][..]),
        (&mut root, &[Initialized, ChildChanged, ChildChanged, TimestampUpdated, InteriorAdded, ChildRemoved][..]),
    ] {
        for kind in kinds {
            assert_eq!(watch.next().await.unwrap().kind, *kind);
        }
    }
    let many = (0..100).map(|number| write(&format!("/services/n{number}"), json!(1), 40)).collect();
    config.edit(many).await.unwrap();
    assert_eq!(above.next().await.unwrap(), Change { path: path("/services"), kind: Changed }, "told of what was lost");
}

fn update(value: serde_json::Value, time: u64) -> Update {
    let of = path("/services/x/configuration");
    Update { of, below: Vec::new(), value, time: Timestamp(time), now: Timestamp(time) }
}

#[tokio::test]
async fn of_updates_that_come_together_the_newest_wins_and_no_other_is_told_it_won_against_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, _service) = start(scratch.path());
    let times = (0..60_u64).map(|number| 10 + number * 37 % 60);
    let many: Vec<_> = times
        .map(|time| {
            let config = config.clone();
            tokio::spawn(async move { (time, config.update(update(json!({"k": time}), time)).await) })
        })
        .collect();
    let mut newest = 0;
    for asked in many {
        let (time, answer) = asked.await.unwrap();
        match answer {
            // Asked in this order: what was accepted is the newest so far, and so is every later one.
            Ok(_) => assert!(std::mem::replace(&mut newest, time) <= time),
            Err(ConfigError::Newer { .. }) => assert!(time < newest),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(config.read(&path("/services/x/configuration/k")), Some(json!(69)));
    assert_eq!(open(scratch.path(), &Given::Nothing).unwrap().tree, config.snapshot());
}

#[tokio::test]
async fn update_that_is_refused_or_not_stored_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    std::fs::create_dir_all(root.join("config")).unwrap();
    let (config, _service) = start(&root.join("config"));
    config.update(update(json!({"a": 1}), 10)).await.unwrap();
    let before = config.snapshot();
    assert!(matches!(config.update(update(json!({"b": 1}), 9)).await, Err(ConfigError::Newer { .. })));
    assert!(matches!(config.update(update(json!("text"), 11)).await, Err(ConfigError::NotAnObject { .. })));
    std::fs::remove_dir_all(&root).unwrap();
    assert!(matches!(config.update(update(json!({"a": 2}), 11)).await, Err(ConfigError::NotStored { .. })));
    assert_eq!(config.snapshot(), before);
}

#[tokio::test]
async fn watchers_of_one_path_are_all_told_and_those_that_left_cost_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, _service) = start(scratch.path());
    let mut one = config.watch(path("/services/x/a")).await.unwrap();
    let mut other = config.watch(path("/Services/X/A")).await.unwrap();
    for number in 0..1000 {
        drop(config.watch(path(&format!("/gone/{number}"))).await.unwrap());
    }
    config.edit(vec![write("/services/x/a", json!(1), 10)]).await.unwrap();
    let removal = Edit::Remove { at: path("/services"), time: Timestamp(20) };
    config.edit(vec![removal]).await.unwrap();
    for (watch, spelled) in [(&mut one, "/services/x/a"), (&mut other, "/Services/X/A")] {
        assert_eq!(watch.next().await.unwrap().kind, ChangeKind::Initialized);
        let change = Change { path: path("/services/x/a"), kind: ChangeKind::Changed };
        assert_eq!(watch.next().await.unwrap(), change, "as the tree spells it");
        let removed = Change { path: path(spelled), kind: ChangeKind::Removed };
        assert_eq!(watch.next().await.unwrap(), removed, "as the watcher does");
    }
}
