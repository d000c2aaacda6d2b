//! Scripts that are missing, hang, or will not go.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::device::{Device, KEPT};
use super::support::{eventually, processes_with};

const NAME: &str = "com.example.Bad";

#[test]
fn scripts_that_cannot_run_break_their_component_alone_and_are_named() {
    let mut device = Device::new();
    let plain = device.artifact(NAME, "1.0.2", "plain.sh", b"#!/bin/sh\nexit 0\n");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
    device.artifact(NAME, "1.0.3", "interpreter.sh", b"#!/does/not/exist\n");
    let executable = json!({"Read": "ALL", "Execute": "ALL"});
    let missing = "code 127 (a command is not found";
    let cases: [(&str, Value, Value, &str, &str); 4] = [
        ("1.0.0", json!({"Run": "exec /does/not/exist.sh"}), json!([]), missing, "/does/not/exist.sh"),
        ("1.0.1", json!({"Install": "no-such-command-at-all"}), json!([]), missing, "no-such-command-at-all"),
        (
            "1.0.2",
            json!({"Run": "exec {artifacts:path}/plain.sh"}),
            json!([{"Uri": "s3://b/plain.sh"}]),
            "code 126 (a command cannot be executed",
            "1.0.2/plain.sh",
        ),
        (
            "1.0.3",
            json!({"Startup": "{artifacts:path}/interpreter.sh"}),
            json!([{"Uri": "s3://b/interpreter.sh", "Permission": executable}]),
            // Shells differ in what a missing interpreter is to them.
            "the Startup step exited with code 12",
            "1.0.3/interpreter.sh",
        ),
    ];
    for (version, lifecycle, artifacts, reason, script) in cases {
        device.recipe(NAME, version, &json!({"Lifecycle": lifecycle, "Artifacts": artifacts}));
        let step = lifecycle.as_object().unwrap().keys().next().unwrap().clone();
        device.refused(&["--merge", &format!("{NAME}={version}")], &[NAME, "BROKEN", &step, reason]);
        let bad = device.core.json(&["component", "details", "--name", NAME]);
        assert!(bad["reason"].as_str().is_some_and(|told| told.contains(reason)), "{bad}");
        let log = device.core.log_of(NAME);
        assert!(log.contains(script), "{script} is missing in: {log}");
        device.check_next_beside(NAME);
    }
    device.end();
}

#[test]
fn update_that_breaks_a_component_is_rolled_back_to_the_version_before() {
    let mut device = Device::new();
    for lifecycle in [json!({"Run": "exit 3"}), json!({"Install": {"Script": device.stay("hangs"), "Timeout": 1}})] {
        device.recipe(KEPT, "2.0.0", &json!({"Lifecycle": lifecycle}));
        let output = device.try_deploy(&["--merge", "com.example.Kept=2.0.0", "-fp", "ROLLBACK"]);
        let said = super::device::said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("FAILED_ROLLBACK_COMPLETE") && said.contains(KEPT), "{said}");
        device.gone("hangs");
        device.came_back();
        device.check_next();
    }
    device.end();
}

#[test]
fn install_that_hangs_is_ended_when_its_time_is_over() {
    let mut device = Device::new();
    let script = format!("trap '' TERM; {}", device.stay("hangs"));
    device.recipe(NAME, "1.0.0", &json!({"Lifecycle": {"Install": {"Script": script, "Timeout": 1}}}));
    device.refused(&["--merge", &format!("{NAME}=1.0.0")], &[NAME, "BROKEN", "Install", "1 s"]);
    device.gone("hangs");
    device.check_next_beside(NAME);
    device.end();
}

#[test]
fn stop_is_over_in_time_whatever_components_do() {
    let mut device = Device::new();
    let mark = format!("export MARK={}", device.marker);
    let hangs = json!({"Lifecycle": {
        "Run": device.stay("run"),
        "Shutdown": {"Script": format!("trap '' TERM; {}", device.stay("shutdown")), "Timeout": 1},
    }});
    // Ignores SIGTERM, and has a child in a session of its own that does so too and whose parent is gone.
    let forks = format!(
        "{mark}forked; trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &); \
         while :; do sleep 1; done"
    );
    // Ends at once; only what it left behind still runs.
    let leaves = format!("{mark}left; (setsid sleep 100000 &); true");
    device.recipe("com.example.Hangs", "1.0.0", &hangs);
    device.recipe("com.example.Forks", "1.0.0", &json!({"Lifecycle": {"Run": forks}}));
    device.recipe("com.example.Leaves", "1.0.0", &json!({"Lifecycle": {"Startup": leaves}}));
    let all = ["com.example.Hangs=1.0.0", "com.example.Forks=1.0.0", "com.example.Leaves=1.0.0"];
    device.deploy(&["--merge", all[0], "--merge", all[1], "--merge", all[2]]);
    for word in ["run", "forked", "left"] {
        let there = || !processes_with(&format!("{}{word}", device.marker)).is_empty();
        eventually(&format!("{word} is there"), there);
    }
    // Removed, and nothing is left of it although it ignores and forks.
    device.deploy(&["--remove", "com.example.Forks"]);
    device.gone("forked");
    device.deploy(&["--merge", all[1]]);
    device.check_next();
    assert_eq!(device.core.stop(), Some(0), "{}", device.core.log());
    let left = processes_with(&device.marker);
    assert!(left.is_empty(), "left after the stop: {left:?}");
    device.core.start();
    device.came_back();
    device.end();
}
