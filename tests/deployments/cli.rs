//! Components through `greengrass-cli`, and its completion scripts.

use std::process::Command;

use serde_json::{Value, json};

use crate::device::{Device, say, stay};
use crate::support::{Core, GREENGRASS, eventually};

#[test]
fn components_are_listed_shown_restarted_and_stopped() {
    let device = Device::new();
    let defaults = json!({"ComponentConfiguration": {"DefaultConfiguration": {"word": "one"}}});
    let lifecycle = json!({"Run": stay("run"), "Shutdown": say("shutdown")});
    device.recipe("com.example.A", "1.0.0", &lifecycle, &defaults);
    device.recipe("com.example.Once", "1.2.3", &json!({"Install": "true"}), &json!({}));
    device.succeed(&["-m", "com.example.A=1.0.0", "-m", "com.example.Once=1.2.3"]);

    let list = device.core.json(&["component", "list"]);
    let list = list["components"].as_array().unwrap();
    let find = |name: &str| list.iter().find(|component| component["name"] == name).unwrap().clone();
    let (a, once) = (find("com.example.A"), find("com.example.Once"));
    assert_eq!(
        (&a["version"], &a["state"], &a["configuration"]),
        (&json!("1.0.0"), &json!("RUNNING"), &json!({"word": "one"}))
    );
    assert_eq!((&once["version"], &once["state"]), (&json!("1.2.3"), &json!("FINISHED")));
    assert_eq!(device.details("com.example.A"), a);

    let restarted = device.core.json(&["component", "restart", "-n", "com.example.A"]);
    assert_eq!(restarted, json!({"results": [{"name": "com.example.A", "ok": true}]}));
    device.diary_ends("com.example.A", &["run", "shutdown", "run"]);
    eventually("it runs again", || device.state("com.example.A") == "RUNNING");
    device.core.json(&["component", "stop", "-n", "com.example.A"]);
    eventually("it has stopped", || device.state("com.example.A") == "FINISHED");
    device.diary_ends("com.example.A", &["shutdown", "run", "shutdown"]);
    assert_eq!(device.details("com.example.A").get("pid"), None);
    // A deployment that does not change it lets it rest.
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    assert_eq!(device.state("com.example.A"), "FINISHED");
    device.core.json(&["component", "restart", "-n", "com.example.A"]);
    device.diary_ends("com.example.A", &["shutdown", "run"]);

    let output = device.core.cli(&["--output", "json", "component", "stop", "-n", "com.example.None,com.example.Once"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["results"][0]["ok"], &answer["results"][1]["ok"]), (&json!(false), &json!(true)));
    let output = device.core.cli(&["component", "details", "-n", "com.example.None"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("com.example.None"), "{output:?}");
}

#[test]
fn completion_scripts_parse() {
    let core = Core::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = Command::new(GREENGRASS).args(["completion", shell]).output().unwrap();
        assert!(script.status.success(), "{script:?}");
        let same = core.cli(&["completion", shell]);
        assert_eq!(String::from_utf8(same.stdout).unwrap(), String::from_utf8(script.stdout.clone()).unwrap());
        let file = core.directory("scripts").join(shell);
        std::fs::write(&file, script.stdout).unwrap();
        match Command::new(shell).arg("-n").arg(&file).output() {
            Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
            Err(error) => eprintln!("skipped: there is no {shell} here ({error})"),
        }
    }
}
