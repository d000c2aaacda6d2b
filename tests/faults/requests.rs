//! Deployment documents that are none, from the command line and from programs at the control socket.

use std::fs;

use serde_json::{Value, json};

use super::device::{Device, KEPT, create};
use super::door::Caller;

#[test]
fn bad_configuration_updates_are_named_with_their_fault() {
    let mut device = Device::new();
    let whole = json!({KEPT: {"MERGE": {"key": "x".repeat(100)}}}).to_string();
    let large = json!({KEPT: {"MERGE": {"key": "x".repeat(3 << 20)}}}).to_string();
    let deep = format!("{{\"{KEPT}\":{{\"MERGE\":{}", "{\"a\":".repeat(10_000));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("malformed", b"{\"a\": nonsense}".to_vec(), "line 1 column"),
        ("truncated", whole.as_bytes()[..whole.len() / 2].to_vec(), "EOF"),
        ("empty", Vec::new(), "EOF"),
        ("large", large.into_bytes(), "larger than 2097152 bytes"),
        ("deep", deep.into_bytes(), "recursion limit"),
        ("twice", format!("{{\"{KEPT}\":{{}},\"{KEPT}\":{{}}}}").into_bytes(), "\"com.example.Kept\" is given twice"),
        (
            "twice below",
            format!("{{\"{KEPT}\":{{\"MERGE\":{{\"k\":1,\"k\":2}}}}}}").into_bytes(),
            "\"k\" is given twice",
        ),
        ("bytes", b"{\"a\xff\": {}}".to_vec(), "UTF-8"),
        ("nul", vec![0; 100], "line 1"),
        ("unknown", format!("{{\"{KEPT}\":{{\"MERG\":{{}}}}}}").into_bytes(), "MERG"),
        ("list", b"[]".to_vec(), "JSON object"),
        ("name", b"{\"../../etc\":{}}".to_vec(), "../../etc"),
    ];
    for (name, content, fault) in cases {
        let path = device.path("documents").join(format!("{name}.json"));
        fs::write(&path, &content).unwrap();
        let output = device.core.cli(&create(&["--update-config", path.to_str().unwrap()]));
        device.check_refusal(&output, &["--update-config", fault]);
        if let (Ok(text), true) = (std::str::from_utf8(&content), content.len() < 1000 && !content.contains(&0)) {
            let output = device.core.cli(&create(&["--update-config", text]));
            device.check_refusal(&output, &["--update-config"]);
        }
    }
    for limits in ["{", "{\"com.example.Kept\":{\"memory\":-1}}", "{\"com.example.Kept\":{\"cpus\":\"x\"}}"] {
        let output = device.core.cli(&create(&["--systemLimits", limits]));
        device.check_refusal(&output, &["--systemLimits"]);
    }
    device.check_next();
    device.end();
}

#[test]
fn deployments_of_what_is_not_there_say_what_is_missing() {
    let mut device = Device::new();
    let run = json!({"Lifecycle": {"Run": "true"}});
    device.recipe("com.example.Other", "1.0.0", &run);
    device.refused(&["--merge", "com.example.Nobody=1.0.0"], &["com.example.Nobody"]);
    device.refused(&["--merge", "com.example.Other=9.9.9"], &["com.example.Other", "9.9.9"]);
    for (option, value) in [("--recipeDir", "/does/not/exist"), ("--artifactDir", "/dev/null")] {
        let output = device.core.cli(&create(&[option, value]));
        device.check_refusal(&output, &[option, value]);
    }
    device.check_next();
    device.end();
}

#[test]
fn bad_documents_at_the_control_socket_are_answered_and_change_nothing() {
    let mut device = Device::new();
    let deep = format!("{{\"createDeployment\":{{\"add\":{}", "{\"a\":".repeat(10_000));
    let large = format!("{{\"createDeployment\":{{\"group\":\"{}\"}}}}", "x".repeat(1_300_000));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"{\"createDeployment\":{\"add\":nonsense}}".to_vec(), "line 1 column"),
        (b"{\"createDeployment\":{\"add\":{".to_vec(), "EOF"),
        (deep.into_bytes(), "recursion limit"),
        (large.into_bytes(), "not a valid group name"),
        (
            b"{\"createDeployment\":{\"add\":{\"com.example.Kept\":\"1.0.0\",\"com.example.Kept\":\"2.0.0\"}}}"
                .to_vec(),
            "\"com.example.Kept\" is given twice",
        ),
        (b"{\"createDeployment\":{\"add\":{\"\xff\":\"1.0.0\"}}}".to_vec(), "unicode"),
        (b"{\"createDeployment\":{\"add\":{\"../x\":\"1.0.0\"}}}".to_vec(), "../x"),
        (b"{\"createDeployment\":{\"add\":{\"com.example.Kept\":\"../1\"}}}".to_vec(), "../1"),
        (b"{\"createDeployment\":{\"addition\":{}}}".to_vec(), "addition"),
        (b"{\"createDeployment\":{\"recipeDirectory\":\"recipes\"}}".to_vec(), "not an absolute path"),
        (b"{\"createDeployment\":{\"group\":\"a:b\"}}".to_vec(), "colon"),
        (b"{\"createDeployment\":{\"recipeDirectory\":\"/a\\u0000b\"}}".to_vec(), "/a"),
    ];
    for (line, fault) in cases {
        let mut caller = Caller::connect(&device.core);
        let answer = caller.ask(&line);
        let shown = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
        let told = match answer.get("submitted") {
            // What only the deployment itself can find out is in its record.
            Some(submitted) => ended(&device, submitted["id"].as_str().unwrap()),
            None => answer["error"]["message"].clone(),
        };
        let told = told.as_str().unwrap_or_else(|| panic!("{shown}: {answer}"));
        assert!(told.contains(fault), "{shown}: {told}");
        assert!(told.len() < 4000, "{shown}: an error is no dump");
        device.check_kept();
    }
    device.check_next();
    device.end();
}

/// The record of a deployment, once it failed.
fn ended(device: &Device, id: &str) -> Value {
    let mut record = Value::Null;
    super::support::eventually("the deployment has failed", || {
        record = device.core.json(&["deployment", "status", "--deploymentId", id]);
        record["status"] == "FAILED"
    });
    record["details"]["failureCause"].clone()
}
