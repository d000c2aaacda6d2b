//! Deployments wait for each other, and can be withdrawn in time.

use std::fs;

use serde_json::{Value, json};

use crate::device::{Device, stay};
use crate::server::{Page, Server};
use crate::support::eventually;

/// `com.example.Gate` starts up when the test lets it; `com.example.A` has versions 1 to 3.
fn device() -> Device {
    let device = Device::new();
    device.recipe("com.example.Gate", "1.0.0", &json!({"Startup": "until [ -e go ]; do sleep 0.02; done"}), &json!({}));
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        device.recipe("com.example.A", version, &json!({"Run": stay(version)}), &json!({}));
    }
    device
}

fn open_gate(device: &Device) {
    fs::write(device.work("com.example.Gate").join("go"), "").unwrap();
}

/// Refused with exit code 2; what was said.
fn cancel_is_refused(device: &Device, id: &str) -> String {
    let output = device.core.cli(&["deployment", "cancel", "-i", id]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn deployments_are_carried_out_in_order() {
    let device = device();
    let ids = [
        device.submit(&["-m", "com.example.Gate=1.0.0"]),
        device.submit(&["-m", "com.example.A=2.0.0"]),
        device.submit(&["-m", "com.example.A=1.0.0"]),
        device.submit(&["-m", "com.example.A=3.0.0"]),
    ];
    eventually("the first is activated", || device.state("com.example.Gate") == "STARTING");
    let list = device.core.json(&["deployment", "list"]);
    let known: Vec<_> =
        list["deployments"].as_array().unwrap().iter().map(|d| (&d["deploymentId"], &d["status"])).collect();
    let expected: Vec<_> = ids.iter().rev().zip(["QUEUED", "QUEUED", "QUEUED", "IN_PROGRESS"]).collect();
    assert_eq!(json!(known), json!(expected));
    open_gate(&device);
    for id in &ids {
        assert_eq!(device.ended(id)["status"], "SUCCEEDED");
    }
    device.diary_ends("com.example.A", &["2.0.0", "1.0.0", "3.0.0"]);
}

#[test]
fn waiting_deployment_is_cancelled_and_an_activated_one_is_not() {
    let mut device = device();
    let first = device.submit(&["-m", "com.example.Gate=1.0.0"]);
    let second = device.submit(&["-m", "com.example.A=1.0.0"]);
    eventually("the first is activated", || device.state("com.example.Gate") == "STARTING");
    let refusal = cancel_is_refused(&device, &first);
    assert!(refusal.contains(&first), "{refusal}");
    device.core.json(&["deployment", "cancel", "-i", &second]);
    assert_eq!(device.record(&second)["status"], "CANCELED");
    // The daemon ends in the middle of the first one, and goes on with it.
    device.restart();
    assert_eq!(device.record(&second)["status"], "CANCELED");
    assert_eq!(device.record(&first)["status"], "IN_PROGRESS");
    eventually("it starts again", || device.state("com.example.Gate") == "STARTING");
    open_gate(&device);
    assert_eq!(device.ended(&first)["status"], "SUCCEEDED");
    assert_eq!(device.state("com.example.A"), "");
    cancel_is_refused(&device, &first);
    cancel_is_refused(&device, &second);
    cancel_is_refused(&device, "5e5a19ad-5b0b-4a34-9b0b-3c5a3c0c0c0c");
}

#[test]
fn deployment_that_fetches_is_cancelled_at_once() {
    let pages = [("/slow.bin", Page::Trickle), ("/silent.bin", Page::Silence)];
    let server = Server::new(pages.map(|(path, page)| (path.to_owned(), page)).into());
    for file in ["slow.bin", "silent.bin"] {
        let device = device();
        let uri = server.url(&format!("/{file}"));
        let manifests: Value = json!([{"Lifecycle": {"Run": "true"}, "Artifacts": [{"Uri": uri}]}]);
        device.recipe("com.example.Slow", "1.0.0", &json!({}), &json!({ "Manifests": manifests }));
        let slow = device.submit(&["-m", "com.example.Slow=1.0.0"]);
        let next = device.submit(&["-m", "com.example.A=1.0.0"]);
        eventually("it fetches", || {
            device.record(&slow)["progress"].as_str().is_some_and(|text| text.contains(&format!("fetching {file}")))
        });
        device.core.json(&["deployment", "cancel", "-i", &slow]);
        assert_eq!(device.record(&slow)["status"], "CANCELED");
        // The next one does not wait for the server.
        let begun = std::time::Instant::now();
        assert_eq!(device.ended(&next)["status"], "SUCCEEDED");
        println!("{file}: the next deployment ended {} ms after", begun.elapsed().as_millis());
        assert_eq!(
            (device.state("com.example.Slow"), device.state("com.example.A")),
            (String::new(), "RUNNING".into())
        );
        assert_eq!(device.config("services.com.example.Slow"), None);
    }
}
