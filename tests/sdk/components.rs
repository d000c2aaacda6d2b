//! Components look at, steer and report on components.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::stage::{Role, Stage};
use crate::support::eventually;

const CLI: &str = "aws.greengrass.Cli";
const LIFECYCLE: &str = "aws.greengrass.ipc.lifecycle";
const BROKEN: &str = "com.example.Broken";
const METRIC: &str = "aws.greengrass.ipc.componentmetric";

fn role(part: &str, name: &str, rest: &str) -> Role {
    Role::python(name, "components.py").arguments(&format!("{part} {name} {rest}"))
}

/// A component that counts, and one that fails once there is a file `fail`.
fn others(stage: &Stage) {
    let counts = "n=0; while :; do n=$((n+1)); echo $n > count; sleep 0.02; done";
    let configuration = json!({"ComponentConfiguration": {"DefaultConfiguration": {"some": {"thing": 1}}}});
    stage.device.recipe("com.example.Target", "1.2.3", &json!({"Run": counts}), &configuration);
    let fails = "while [ ! -e fail ]; do sleep 0.05; done; exit 1";
    stage.device.recipe(BROKEN, "1.0.0", &json!({"Run": fails}), &json!({}));
    stage.device.succeed(&["--merge", "com.example.Target=1.2.3", "--merge", &format!("{BROKEN}=1.0.0")]);
}

fn count(stage: &Stage) -> Option<u64> {
    fs::read_to_string(stage.device.work("com.example.Target").join("count")).ok()?.trim().parse().ok()
}

#[test]
fn component_steers_others_as_far_as_its_policies_go() {
    let Some(stage) = Stage::new() else { return };
    others(&stage);
    let freezer = stage.has_freezer();
    let name = "com.example.Operator";
    let operator = role("operator", name, if freezer { "freezer" } else { "none" });
    stage.deploy(&[
        operator.may(CLI, &["*"], &["*"]).may(LIFECYCLE, &["PauseComponent", "ResumeComponent"], &["*"]),
        role("stranger", "com.example.Stranger", "").may(METRIC, &["*"], &["*"]),
    ]);
    fs::write(stage.device.work(BROKEN).join("fail"), "").unwrap();
    eventually("it is BROKEN", || stage.device.state(BROKEN) == "BROKEN");
    stage.cue(name, "begin");
    if freezer {
        stage.wait_for(name, "paused");
        // One count may have been under way when the processes froze; from two equal looks on, none is.
        let mut last = count(&stage);
        eventually("the target is frozen", || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::mem::replace(&mut last, count(&stage)) == last
        });
        stage.cue(name, "is frozen");
        stage.wait_for(name, "resumed");
        eventually("the target goes on", || count(&stage) > last);
        stage.cue(name, "goes on");
    }
    stage.good_end(name);
    stage.good_end("com.example.Stranger");
    let password = fs::read_to_string(stage.device.work(name).join("password")).unwrap();
    for directory in ["config", "logs"] {
        let holder = holder_of(&stage.device.core.root().join(directory), &password);
        assert_eq!(holder, None, "the debug password is written down");
    }
}

/// A file below that holds the text.
fn holder_of(directory: &Path, text: &str) -> Option<String> {
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(text);
    files.find(|path| path.is_file() && holds(path)).map(|path| path.display().to_string())
}

#[test]
fn metrics_are_in_the_telemetry_file_wholly_or_not_at_all() {
    let Some(stage) = Stage::new() else { return };
    let name = "aws.example.Meter";
    stage.play(&[role("meter", name, "").may(METRIC, &["PutComponentMetric"], &["Frames", "B*"])]);
    let text = fs::read_to_string(stage.device.core.root().join(format!("telemetry/{name}.log"))).unwrap();
    let metrics: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|entry| serde_json::from_str(entry["message"].as_str().unwrap()).unwrap())
        .collect();
    let kept: Vec<_> = metrics.iter().map(|m| json!([m["NS"], m["N"], m["U"], m["A"], m["V"]])).collect();
    let expected = [
        json!([name, "Frames", "Count", "Sum", 3.0]),
        json!([name, "BytesIn", "BytesPerSecond", "Sum", 0.5]),
        json!([name, "B".repeat(32), "Seconds", "Sum", 0.0]),
    ];
    assert_eq!(kept, expected);
}

#[test]
fn component_that_reports_running_has_started_though_its_startup_goes_on() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Reporter";
    stage.deploy(&[role("reporter", name, "running").in_startup().may(CLI, &["GetComponentDetails"], &[name])]);
    stage.wait_for(name, "said");
    assert_eq!(stage.device.state(name), "RUNNING");
    stage.cue(name, "end");
    stage.good_end(name);
    // Its Startup has ended well, so it goes on running without a process.
    assert_eq!(stage.device.state(name), "RUNNING");
}

#[test]
fn component_that_reports_errored_is_started_again() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Failing";
    stage.play(&[role("reporter", name, "errored")]);
}

#[test]
fn component_restarts_itself() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Phoenix";
    stage.play(&[role("phoenix", name, "").may(CLI, &["RestartComponent"], &[name])]);
}

#[test]
fn client_of_the_command_line_steers_components_and_has_no_configuration() {
    let Some(stage) = Stage::new() else { return };
    others(&stage);
    stage.play_local_client("client", "commander.py");
}
