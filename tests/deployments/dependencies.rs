//! Components that need each other.

use std::fs;

use serde_json::{Value, json};

use crate::device::{Device, say, stay};
use crate::support::eventually;

fn depends(kind: &str) -> Value {
    json!({"ComponentDependencies": {"com.example.Base": {"VersionRequirement": "^1.0.0", "DependencyType": kind}}})
}

#[test]
fn restart_of_a_dependency_restarts_who_needs_it_hard() {
    let device = Device::new();
    device.recipe("com.example.Base", "1.0.0", &json!({"Run": stay("run"), "Shutdown": say("shutdown")}), &json!({}));
    device.recipe("com.example.Hard", "1.0.0", &json!({"Run": "exec sleep 100000"}), &depends("HARD"));
    device.recipe("com.example.Soft", "1.0.0", &json!({"Run": "exec sleep 100000"}), &depends("SOFT"));
    device.succeed(&["-m", "com.example.Hard=1.0.0", "-m", "com.example.Soft=1.0.0"]);
    let pids =
        || ["com.example.Base", "com.example.Hard", "com.example.Soft"].map(|name| device.details(name)["pid"].clone());
    let before = pids();
    device.core.json(&["component", "restart", "-n", "com.example.Base"]);
    eventually("base and its HARD dependent run anew", || {
        let now = pids();
        now[0] != before[0] && now[1] != before[1] && now.iter().all(Value::is_i64)
    });
    assert_eq!(pids()[2], before[2]);
    // Nobody named the dependency: it goes with the last who required it.
    device.succeed(&["--remove", "com.example.Hard"]);
    assert_eq!(device.state("com.example.Base"), "RUNNING");
    device.succeed(&["--remove", "com.example.Soft"]);
    assert_eq!(device.config("services.com.example.Base"), None);
}

#[test]
fn scripts_see_the_configuration_and_the_files_of_dependencies() {
    let device = Device::new();
    let defaults = json!({"ComponentConfiguration": {"DefaultConfiguration": {"word": "one"}}});
    device.recipe("com.example.Base", "1.0.0", &json!({"Run": "exec sleep 100000"}), &defaults);
    device.recipe("com.example.Other", "1.0.0", &json!({"Run": "exec sleep 100000"}), &defaults);
    let script = stay(
        "{com.example.Base:configuration:/word} {com.example.Base:artifacts:path} {com.example.Base:work:path} \
         {com.example.Other:configuration:/word} {kernel:rootPath} {work:path}",
    );
    device.recipe("com.example.Reader", "1.0.0", &json!({"Run": script}), &depends("HARD"));
    device.succeed(&[
        "-m",
        "com.example.Reader=1.0.0",
        "-m",
        "com.example.Base=1.0.0",
        "-m",
        "com.example.Other=1.0.0",
    ]);
    let root = device.core.root();
    let root = root.to_str().unwrap();
    let line = |word: &str| {
        format!(
            "{word} {root}/packages/artifacts/com.example.Base/1.0.0 {root}/work/com.example.Base \
             {{com.example.Other:configuration:/word}} {root} {root}/work/com.example.Reader"
        )
    };
    device.diary_ends("com.example.Reader", &[&line("one")]);
    let pid = device.pid("com.example.Reader");
    device.succeed(&["-c", &json!({"com.example.Base": {"MERGE": {"word": "two"}}}).to_string()]);
    assert_ne!(device.pid("com.example.Reader"), pid);
    device.diary_ends("com.example.Reader", &[&line("two")]);
}

#[test]
fn dependent_starts_after_its_dependency_is_ready() {
    let device = Device::new();
    let waits =
        json!({"Startup": "until [ -e go ]; do sleep 0.02; done; echo ready > ../com.example.Hard/base || true"});
    device.recipe("com.example.Base", "1.0.0", &waits, &json!({}));
    device.recipe(
        "com.example.Hard",
        "1.0.0",
        &json!({"Install": say("install"), "Run": stay("$(cat base)")}),
        &depends("HARD"),
    );
    let id = device.submit(&["-m", "com.example.Hard=1.0.0"]);
    device.diary_ends("com.example.Hard", &["install"]);
    eventually("both wait", || {
        device.state("com.example.Base") == "STARTING" && device.state("com.example.Hard") == "INSTALLED"
    });
    fs::write(device.work("com.example.Base").join("go"), "").unwrap();
    assert_eq!(device.ended(&id)["status"], "SUCCEEDED");
    device.diary_ends("com.example.Hard", &["install", "ready"]);
}
