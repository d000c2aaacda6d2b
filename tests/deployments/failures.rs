//! A component that fails, and what is left of its deployment.

use std::fs;

use serde_json::json;

use crate::device::{Device, say, stay};
use crate::support::eventually;

fn device() -> Device {
    let device = Device::new();
    let good = json!({"Install": say("install"), "Run": stay("{configuration:/mode}")});
    let defaults = json!({"ComponentConfiguration": {"DefaultConfiguration": {"mode": "good"}}});
    device.recipe("com.example.A", "1.0.0", &good, &defaults);
    device.recipe("com.example.A", "2.0.0", &json!({"Run": "echo no luck >&2; exit 7"}), &defaults);
    device.recipe("com.example.A", "3.0.0", &good, &defaults);
    device.recipe("com.example.New", "1.0.0", &json!({"Run": "exec sleep 100000"}), &json!({}));
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device
}

const UPDATE: [&str; 6] =
    ["-m", "com.example.A=2.0.0", "-m", "com.example.New=1.0.0", "-c", r#"{"com.example.A":{"MERGE":{"mode":"bad"}}}"#];

#[test]
fn failed_deployment_is_rolled_back() {
    let mut device = device();
    let mut options = UPDATE.to_vec();
    options.extend(["--failure-handling-policy", "ROLLBACK"]);
    let cause = device.fail("FAILED_ROLLBACK_COMPLETE", &options);
    assert!(cause.contains("com.example.A is BROKEN") && cause.contains('7'), "{cause}");
    for again in 1..=2 {
        device.runs("com.example.A", "1.0.0");
        assert_eq!(device.configuration("com.example.A"), json!({"mode": "good"}));
        assert_eq!((device.state("com.example.New"), device.config("services.com.example.New")), (String::new(), None));
        let roots = device.config("services.DeploymentService.GroupToRootComponents.LOCAL_DEPLOYMENT").unwrap();
        assert_eq!(roots.as_object().unwrap().keys().collect::<Vec<_>>(), ["com.example.A"]);
        device.diary_ends("com.example.A", &["install", "good", "install", "good"]);
        if again == 1 {
            device.restart();
        }
    }
    device.succeed(&["-m", "com.example.A=3.0.0"]);
}

#[test]
fn failed_deployment_is_left_as_it_is_when_asked() {
    let mut device = device();
    let cause = device.fail("FAILED_ROLLBACK_NOT_REQUESTED", &UPDATE);
    assert!(cause.contains("com.example.A is BROKEN"), "{cause}");
    for again in 1..=2 {
        eventually("the component is BROKEN", || device.state("com.example.A") == "BROKEN");
        let details = device.details("com.example.A");
        assert_eq!((&details["version"], &details["statusCode"]), (&json!("2.0.0"), &json!("RUN_ERROR")), "{details}");
        assert_eq!(details["configuration"], json!({"mode": "bad"}));
        eventually("the other runs", || device.state("com.example.New") == "RUNNING");
        let roots = device.config("services.DeploymentService.GroupToRootComponents.LOCAL_DEPLOYMENT").unwrap();
        assert_eq!(roots["com.example.A"]["version"], "2.0.0", "{roots}");
        assert_eq!(roots["com.example.New"]["version"], "1.0.0", "{roots}");
        if again == 1 {
            device.restart();
        }
    }
    device.succeed(&["-m", "com.example.A=3.0.0"]);
    assert_eq!(device.state("com.example.A"), "RUNNING");
}

#[test]
fn rollback_does_not_wait_for_what_was_broken_before() {
    let device = device();
    let needs = json!({"ComponentDependencies": {"com.example.A": {"VersionRequirement": ">=1.0.0"}}});
    device.recipe("com.example.Needs", "1.0.0", &json!({"Run": "exec sleep 100000"}), &needs);
    device.fail("FAILED_ROLLBACK_NOT_REQUESTED", &["-m", "com.example.A=2.0.0", "-m", "com.example.Needs=1.0.0"]);
    device.recipe("com.example.New", "2.0.0", &json!({"Install": "exit 3"}), &json!({}));
    let cause = device.fail("FAILED_ROLLBACK_COMPLETE", &["-m", "com.example.New=2.0.0", "-fp", "ROLLBACK"]);
    assert!(cause.contains("com.example.New is BROKEN") || cause.contains("com.example.A is BROKEN"), "{cause}");
    assert_eq!(device.state("com.example.New"), "");
}

#[test]
fn rollback_goes_on_after_the_daemon_was_killed_in_it() {
    let mut device = Device::new();
    let slow = json!({"Install": "true", "Startup": "until [ -e go ]; do sleep 0.02; done"});
    device.recipe("com.example.A", "1.0.0", &slow, &json!({}));
    device.recipe("com.example.A", "2.0.0", &json!({"Install": "rm -f go; exit 3"}), &json!({}));
    let go = device.work("com.example.A").join("go");
    let old_starts = |device: &Device| {
        eventually("the old version starts", || {
            let details = device.details("com.example.A");
            details["version"] == "1.0.0" && details["state"] == "STARTING"
        });
    };
    let first = device.submit(&["-m", "com.example.A=1.0.0"]);
    old_starts(&device);
    fs::write(&go, "").unwrap();
    assert_eq!(device.ended(&first)["status"], "SUCCEEDED");
    let second = device.submit(&["-m", "com.example.A=2.0.0", "-fp", "ROLLBACK"]);
    for _ in 0..2 {
        old_starts(&device);
        assert_eq!(device.record(&second)["status"], "IN_PROGRESS");
        device.core.kill();
        device.core.start();
    }
    old_starts(&device);
    fs::write(&go, "").unwrap();
    let record = device.ended(&second);
    assert_eq!(record["details"]["detailedStatus"], "FAILED_ROLLBACK_COMPLETE", "{record}");
    assert!(record["details"]["failureCause"].as_str().unwrap().contains("exited with code 3"), "{record}");
    device.runs("com.example.A", "1.0.0");
}
