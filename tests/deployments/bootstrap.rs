//! Bootstrap steps: one that is done, two that ask for a restart, and one that fails.

use serde_json::json;

use crate::device::{Device, say, stay};

const A: &str = "com.example.A";

fn recipe(device: &Device, version: &str, code: u8) {
    let bootstrap = format!("{}; exit {code}", say(&format!("bootstrap {version}")));
    let lifecycle = json!({"Bootstrap": {"Script": bootstrap}, "Run": stay(&format!("run {version}"))});
    device.recipe(A, version, &lifecycle, &json!({}));
}

#[test]
fn bootstrap_runs_before_the_new_version_and_once() {
    let mut device = Device::new();
    recipe(&device, "1.0.0", 0);
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.diary_ends(A, &["bootstrap 1.0.0", "run 1.0.0"]);
    device.restart();
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.diary_ends(A, &["bootstrap 1.0.0", "run 1.0.0", "run 1.0.0"]);
}

#[test]
fn bootstrap_may_ask_for_a_restart_and_the_deployment_goes_on_after_it() {
    let mut device = Device::new();
    for (number, code) in [(1, 100), (2, 101)] {
        let version = format!("{number}.0.0");
        recipe(&device, &version, code);
        let id = device.submit(&["-m", &format!("{A}={version}")]);
        assert_eq!(device.core.wait(), Some(i32::from(code)), "{}", device.core.log());
        device.core.start();
        assert_eq!(device.ended(&id)["status"], "SUCCEEDED");
        assert_eq!(device.details(A)["version"], json!(version));
        device.diary_ends(A, &[&format!("bootstrap {version}"), &format!("run {version}")]);
    }
    assert_eq!(device.diary(A).iter().filter(|line| line.starts_with("bootstrap")).count(), 2);
}

#[test]
fn bootstrap_that_fails_changes_nothing() {
    let mut device = Device::new();
    recipe(&device, "1.0.0", 0);
    recipe(&device, "2.0.0", 5);
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    for (policy, detailed) in [("DO_NOTHING", "FAILED_NO_STATE_CHANGE"), ("ROLLBACK", "FAILED_ROLLBACK_COMPLETE")] {
        let cause = device.fail(detailed, &["-m", "com.example.A=2.0.0", "-fp", policy]);
        assert!(cause.contains(A) && cause.contains("exit code 5"), "{cause}");
        device.runs(A, "1.0.0");
    }
    device.restart();
    device.runs(A, "1.0.0");
}

#[test]
fn bootstrap_that_hangs_fails_the_deployment_by_its_time_out() {
    let device = Device::new();
    let lifecycle = json!({"Bootstrap": {"Script": "sleep 1000", "Timeout": 1}, "Run": "true"});
    device.recipe(A, "1.0.0", &lifecycle, &json!({}));
    let id = device.submit(&["-m", "com.example.A=1.0.0"]);
    let details = &device.ended(&id)["details"];
    assert!(details["errorStack"].to_string().contains("COMPONENT_BOOTSTRAP_TIMEOUT"), "{details}");
    assert!(details["failureCause"].to_string().contains("did not end within 1 s"), "{details}");
}

#[test]
fn bootstrap_that_fails_after_a_restart_leaves_the_old_components() {
    for (policy, detailed) in [("DO_NOTHING", "FAILED_NO_STATE_CHANGE"), ("ROLLBACK", "FAILED_ROLLBACK_COMPLETE")] {
        let mut device = Device::new();
        recipe(&device, "1.0.0", 0);
        recipe(&device, "2.0.0", 100);
        device.succeed(&["-m", "com.example.A=1.0.0"]);
        // Bootstrap steps run in order of dependency: the one that fails after the one that asks for a restart.
        let needs = json!({"ComponentDependencies": {A: {"VersionRequirement": "^2.0.0"}}});
        device.recipe("com.example.B", "1.0.0", &json!({"Bootstrap": "exit 5"}), &needs);
        let id = device.submit(&["-m", "com.example.A=2.0.0", "-m", "com.example.B=1.0.0", "-fp", policy]);
        assert_eq!(device.core.wait(), Some(100), "{}", device.core.log());
        device.core.start();
        let record = device.ended(&id);
        assert_eq!(record["details"]["detailedStatus"], detailed, "{record}");
        device.runs(A, "1.0.0");
        device.diary_ends(A, &["bootstrap 2.0.0", "run 1.0.0"]);
        assert_eq!(device.config("services.com.example.B"), None);
    }
}

#[test]
fn bootstrap_that_asks_for_a_reboot_runs_the_command_for_it_and_for_nothing_else() {
    let mut device = Device::stopped();
    let said = device.core.directory("init").join("said");
    let command = format!("echo reboot >> {}; exit 3", said.display());
    device.core.options.extend(["--reboot-command".into(), command]);
    device.core.start();
    for (version, code, expected) in [("1.0.0", 100, None), ("2.0.0", 101, Some("reboot\n"))] {
        recipe(&device, version, code);
        device.submit(&["-m", &format!("{A}={version}")]);
        // The code stays what it is, whatever the command's.
        assert_eq!(device.core.wait(), Some(i32::from(code)), "{}", device.core.log());
        assert_eq!(std::fs::read_to_string(&said).ok().as_deref(), expected);
        device.core.start();
    }
    assert!(device.core.log().contains("The device was not started again."), "{}", device.core.log());
}
