//! Components read, change and watch configuration.

use std::fs;

use serde_json::json;

use crate::stage::{Role, Stage};

#[test]
fn component_reads_changes_and_watches_configuration() {
    let Some(stage) = Stage::new() else { return };
    let (name, neighbour) = ("com.example.Configured", "com.example.Neighbour");
    let values = json!({
        "text": "Grüße, 世界 🌍", "integer": 42, "negative": -1, "large": 9_007_199_254_740_992_u64, "float": 0.25,
        "yes": true, "no": false, "nothing": null, "list": [1, "two", {"three": [3.5, null]}], "empty": {},
        "node": {"a.b/c~d": 1},
    });
    let other = Role::python(neighbour, "configuration.py").arguments("neighbour");
    stage.deploy(&[
        other.configuration(&json!({"greeting": "hello"})),
        Role::python(name, "configuration.py")
            .arguments("all")
            .configuration(&json!({"leaf": "text", "values": values})),
    ]);
    stage.wait_for(name, "watches the neighbour");
    let update = json!({neighbour: {"MERGE": {"greeting": "good bye"}}}).to_string();
    stage.device.succeed(&["--merge", &format!("{neighbour}=1.0.0"), "--update-config", &update]);
    stage.good_end(name);
    stage.cue(neighbour, "end");
    stage.good_end(neighbour);
}

#[test]
fn acknowledged_update_survives_the_kill_of_the_daemon() {
    let Some(mut stage) = Stage::new() else { return };
    let name = "com.example.Survivor";
    stage.deploy(&[Role::python(name, "configuration.py").arguments("surviving")]);
    stage.wait_for(name, "acknowledged");
    stage.device.core.kill();
    stage.device.core.start();
    stage.good_end(name);
}

#[test]
fn update_that_cannot_be_stored_is_refused_and_changes_nothing() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Configured";
    stage.deploy(&[Role::python(name, "configuration.py").arguments("unstorable")]);
    stage.wait_for(name, "ready");
    let directory = stage.device.core.root().join("config");
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "a file is in the way").unwrap();
    stage.cue(name, "taken");
    stage.wait_for(name, "refused");
    fs::remove_file(&directory).unwrap();
    stage.cue(name, "given back");
    stage.good_end(name);
    assert_eq!(stage.device.configuration(name)["kept"], 3);
}
