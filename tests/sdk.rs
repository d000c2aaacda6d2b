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

#[allow(dead_code, reason = "the tests of deployments use the rest")]
#[path = "deployments/device.rs"]
mod device;
#[path = "sdk/examples.rs"]
mod examples;
#[allow(dead_code, reason = "what the scenarios need, as they come")]
#[path = "sdk/stage.rs"]
mod stage;
mod support;
#[path = "sdk/updates.rs"]
mod updates;

use stage::{Role, Stage};

#[test]
fn components_are_told_how_to_reach_the_core() {
    let Some(stage) = Stage::new() else { return };
    stage.play(&[
        Role::python("com.example.PythonEnvironment", "environment.py"),
        Role::node("com.example.NodeEnvironment", "environment.js"),
    ]);
}
