//! Defaults, merge, reset, and what of it a running component notices.

use serde_json::{Value, json};

use crate::device::{Device, stay};

const A: &str = "com.example.A";

fn device_with(defaults: &Value, run: &str) -> Device {
    let device = Device::new();
    let configuration = json!({"ComponentConfiguration": {"DefaultConfiguration": defaults}});
    device.recipe(A, "1.0.0", &json!({"Run": run}), &configuration);
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device
}

fn update(device: &Device, change: &Value) {
    let update = json!({A: change}).to_string();
    device.succeed(&["--update-config", &update]);
}

#[test]
fn configuration_is_merged_and_reset() {
    let defaults = json!({"text": "default", "number": 1, "list": [1, 2, 3], "nested": {"a": 1, "b": 2}});
    let mut device = device_with(&defaults, "exec sleep 100000");
    assert_eq!(device.configuration(A), defaults);

    let merge =
        json!({"list": [9], "number": {"now": "an object"}, "nested": {"b": null, "c": {"d": true}}, "new": "x"});
    update(&device, &json!({ "MERGE": merge }));
    let merged = json!({
        "text": "default", "number": {"now": "an object"}, "list": [9], "nested": {"a": 1, "b": null, "c": {"d": true}},
        "new": "x",
    });
    assert_eq!(device.configuration(A), merged);
    device.restart();
    assert_eq!(device.configuration(A), merged);

    // What has a default falls back to it, the rest is gone; an element of a list has no address.
    let reset = json!(["/number", "/nested/b", "/new", "/list/0", "/not/there"]);
    update(&device, &json!({ "RESET": reset, "MERGE": {"text": "merged"} }));
    let partly = json!({
        "text": "merged", "number": 1, "list": [9], "nested": {"a": 1, "b": 2, "c": {"d": true}},
    });
    assert_eq!(device.configuration(A), partly);

    // The reset comes first, in whatever order it is written.
    update(&device, &json!({"MERGE": {"nested": [1]}, "RESET": [""]}));
    assert_eq!(device.configuration(A), json!({"text": "default", "number": 1, "list": [1, 2, 3], "nested": [1]}));
    update(&device, &json!({"RESET": [""]}));
    assert_eq!(device.configuration(A), defaults);
    device.restart();
    assert_eq!(device.configuration(A), defaults);
}

#[test]
fn component_restarts_only_when_its_scripts_change() {
    let script = stay("{configuration:/word} {configuration:/deep/list} {configuration:/none}");
    let device = device_with(&json!({"word": "one", "deep": {"list": [1]}, "quiet": 1}), &script);
    device.diary_ends(A, &["one [1] {configuration:/none}"]);
    let pid = device.pid(A);
    update(&device, &json!({"MERGE": {"quiet": 2}}));
    assert_eq!((device.pid(A), device.configuration(A)["quiet"].clone()), (pid, json!(2)));
    update(&device, &json!({"MERGE": {"word": "two"}}));
    assert_ne!(device.pid(A), pid);
    device.diary_ends(A, &["one [1] {configuration:/none}", "two [1] {configuration:/none}"]);
}

#[test]
fn update_of_what_is_not_a_root_has_no_effect_and_is_told() {
    let device = device_with(&json!({"word": "one"}), "exec sleep 100000");
    device.succeed(&["-c", &json!({"com.example.Nobody": {"MERGE": {"word": "two"}}}).to_string()]);
    assert_eq!(device.config("services.com.example.Nobody"), None);
    let log = device.core.log_of("greengrass");
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains("com.example.Nobody")), "{log}");
}
