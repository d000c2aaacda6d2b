//! The daemon's own settings, changed by a deployment.

use serde_json::{Value, json};

use crate::device::{Device, stay};
use crate::support::eventually;

const NUCLEUS: &str = "aws.greengrass.Nucleus";

fn update(change: &Value) -> String {
    json!({NUCLEUS: {"MERGE": change}}).to_string()
}

#[test]
fn logging_is_changed_by_a_deployment() {
    let mut device = Device::new();
    device.recipe("com.example.A", "1.0.0", &json!({"Run": stay("run")}), &json!({}));
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    let last = |device: &Device| device.core.log_of("greengrass").lines().last().unwrap_or_default().to_owned();
    assert!(serde_json::from_str::<Value>(&last(&device)).is_err());

    // With the nucleus named, as the reference wants it, and without.
    let json_lines = update(&json!({"logging": {"format": "JSON", "level": "DEBUG"}}));
    device.succeed(&["-m", "aws.greengrass.Nucleus=2.18.0", "-c", &json_lines]);
    assert_eq!(device.configuration(NUCLEUS)["logging"], json!({"format": "JSON", "level": "DEBUG"}));
    eventually("the log is JSON", || serde_json::from_str::<Value>(&last(&device)).is_ok());
    device.restart();
    eventually("the log is JSON still", || serde_json::from_str::<Value>(&last(&device)).is_ok());
    device.succeed(&["--remove", NUCLEUS]);
    assert_eq!(device.configuration(NUCLEUS)["logging"]["format"], "JSON");
    device.succeed(&["-c", &update(&json!({"logging": {"format": "TEXT"}}))]);
    eventually("the log is text", || serde_json::from_str::<Value>(&last(&device)).is_err());
    device.succeed(&["-c", &json!({NUCLEUS: {"RESET": ["/logging"]}}).to_string()]);
    assert_eq!(device.configuration(NUCLEUS).get("logging"), None);
    assert_eq!(device.state("com.example.A"), "RUNNING");
}

#[test]
fn settings_nobody_can_use_are_refused() {
    let device = Device::new();
    let before = device.configuration(NUCLEUS);
    let change = update(&json!({"runWithDefault": {"posixUser": "a:b:c"}}));
    let cause = device.fail("FAILED_NO_STATE_CHANGE", &["-c", &change]);
    assert!(cause.contains("a:b:c") && cause.contains(NUCLEUS), "{cause}");
    assert_eq!(device.configuration(NUCLEUS), before);

    // The reference nucleus takes any logging block, and keeps to the old one when it cannot use it.
    device.succeed(&["-c", &update(&json!({"logging": {"nonsense": 1, "format": "JSON"}}))]);
    eventually("the refusal is logged, as text", || {
        device.core.log_of("greengrass").lines().any(|line| line.contains("[ERROR]") && line.contains("nonsense"))
    });
}

#[test]
fn default_user_and_shell_are_changed_by_a_deployment() {
    let device = Device::new();
    device.recipe("com.example.A", "1.0.0", &json!({"Run": stay("$0")}), &json!({}));
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.diary_ends("com.example.A", &["sh"]);
    device.succeed(&["-c", &update(&json!({"runWithDefault": {"posixShell": "/bin/sh"}}))]);
    device.diary_ends("com.example.A", &["sh", "/bin/sh"]);
}
