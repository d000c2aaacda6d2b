//! The proof with unmodified SDKs: real components on a real core speak through the packages of PyPI and npm.
//!
//! To add a scenario:
//! 1. Write `tests/sdk/<name>.py` (or `.js`): everything within `with scenario():`, each claim a
//!    `check(...)`, `equal(...)` or `refused(...)` of `verdict.py`; read that file first, it is short.
//! 2. Write a test here or in `tests/sdk/<name>.rs` that has components play it:
//!    `stage.play(&[Role::python("com.example.Mine", "mine.py").may_talk()])` deploys them together on the stage's
//!    daemon and asserts every verdict. `Role::may` adds policies, `Role::configuration` the default configuration.
//! 3. What must happen to a component from outside (another deployment, a kill) is done by the test in between:
//!    `stage.deploy(..)`, `stage.wait_for(component, check)`, the daemon through `stage.device`, `stage.cue(..)`
//!    against `wait_for_cue(..)` in the script, and `stage.good_end(component)` last.
//!
//! A daemon starts in milliseconds, an SDK in half a second: many checks in a script, some scripts in a test.
//! Run one with `cargo test --test sdk <name>`, after `make sdk` once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "sdk/components.rs"]
mod components;
#[path = "sdk/configuration.rs"]
mod configuration;
#[allow(dead_code, reason = "the tests of deployments use the rest")]
#[path = "deployments/device.rs"]
mod device;
#[path = "sdk/examples.rs"]
mod examples;
#[path = "sdk/outcomes.rs"]
mod outcomes;
#[path = "sdk/policies.rs"]
mod policies;
#[path = "sdk/stage.rs"]
mod stage;
mod support;
#[path = "sdk/updates.rs"]
mod updates;

use serde_json::json;

use stage::{Role, Stage};
use support::eventually;

#[test]
fn components_are_told_how_to_reach_the_core() {
    let Some(stage) = Stage::new() else { return };
    stage.play(&[
        Role::python("com.example.PythonEnvironment", "environment.py"),
        Role::node("com.example.NodeEnvironment", "environment.js"),
    ]);
}

#[test]
fn components_talk_to_each_other() {
    let Some(stage) = Stage::new() else { return };
    // Each may talk about its own topics, and `denied` is nobody's.
    let pubsub = |role: Role, topics: &[&str]| role.may("aws.greengrass.ipc.pubsub", &["*"], topics);
    let conversation = Role::python("com.example.Conversation", "conversation.py");
    let topics = ["t", "t/*", "f/*", "+/b/c", "partner/*", "to-partner/*"];
    stage.deploy(&[pubsub(Role::python("com.example.Partner", "partner.py"), &["partner/*", "to-partner/*"])]);
    stage.play(&[
        pubsub(conversation, &topics),
        pubsub(Role::python("com.example.Generated", "generated.py"), &["g/*"]).configuration(&json!({"k": 1})),
        pubsub(Role::node("com.example.NodeConversation", "conversation.js"), &["js/*"])
            .configuration(&json!({"k": 1})),
        Role::python("com.example.Strangers", "strangers.py"),
    ]);
}

#[test]
fn crowd_is_served() {
    let Some(stage) = Stage::new() else { return };
    let keys: serde_json::Map<_, _> = (0..10).map(|n| (format!("key{n}"), json!(n))).collect();
    stage.play(&[Role::python("com.example.Crowd", "crowd.py").may_talk().configuration(&keys.into())]);
}

#[test]
fn components_survive_their_daemon() {
    let Some(mut stage) = Stage::new() else { return };
    let [python, node] = ["com.example.Survivor", "com.example.NodeSurvivor"];
    stage.deploy(&[
        Role::python(python, "survivor.py").may_talk().configuration(&json!({"k": 1})),
        Role::node(node, "survivor.js").may_talk().configuration(&json!({"k": 1})),
    ]);
    for name in [python, node] {
        stage.wait_for(name, "ready to lose");
    }
    stage.device.core.kill();
    for name in [python, node] {
        stage.wait_for(name, "a call on the lost connection fails");
    }
    stage.device.core.start();
    for name in [python, node] {
        stage.wait_for(name, "talks again");
        stage.good_end(name);
    }
    // A new version comes in as well, with what it may do by then.
    let update = Role::python(python, "survivor.py").version("1.1.0").configuration(&json!({"k": 1})).may_talk();
    stage.deploy(&[update]);
    eventually("the new version has talked", || {
        stage.verdicts(python).iter().filter(|verdict| verdict["check"] == "ended").count() == 2
    });
    stage.good_end(python);
}

/// F13.
#[test]
fn every_operation_answers_as_its_model_says() {
    let Some(stage) = Stage::new() else { return };
    stage.deploy(&[Role::sleeper()]);
    let [python, node] = ["com.example.Operations", "com.example.NodeOperations"];
    // One after the other: both pause, restart and stop the same component.
    stage.deploy(&[
        Role::python(python, "operations.py").may_everything(),
        Role::python("com.example.Denied", "denied.py"),
    ]);
    println!("operations: {} of 35", stage.good_operations(python));
    stage.good_end(python);
    stage.good_end("com.example.Denied");
    stage.device.core.json(&["component", "restart", "--names", "com.example.Sleeper"]);
    stage.device.runs("com.example.Sleeper", "1.0.0");
    stage.deploy(&[Role::node(node, "operations.js").may_everything()]);
    println!("operations through Node.js, which lacks one: {} of 34", stage.good_operations(node));
    stage.good_end(node);
    assert_eq!([python, node].map(|name| stage.good_operations(name)), [35, 34]);
}
