//! Who a component runs as, and how much it may use. Needs root.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::device::{Device, say, stay};
use crate::support::is_root;

const A: &str = "com.example.A";

fn skipped(what: &str) {
    eprintln!("skipped: {what}");
}

#[test]
fn another_user_means_another_install() {
    if !is_root() {
        return skipped("only root can run components as other users");
    }
    let mut device = Device::new();
    device.recipe(A, "1.0.0", &json!({"Install": say("install $(id -un)"), "Run": stay("run $(id -un)")}), &json!({}));
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.diary_ends(A, &["install nobody", "run nobody"]);
    device.succeed(&["--runWith", "com.example.A:posixUser=daemon"]);
    device.diary_ends(A, &["install nobody", "run nobody", "install daemon", "run daemon"]);
    device.restart();
    device.diary_ends(A, &["install daemon", "run daemon", "install daemon", "run daemon"]);
    // It stays with what it has until another user is sent.
    let pid = device.pid(A);
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    assert_eq!(device.pid(A), pid);
    let cause = device
        .fail("FAILED_ROLLBACK_COMPLETE", &["--runWith", "com.example.A:posixUser=no-such-user", "-fp", "ROLLBACK"]);
    assert!(cause.contains("no-such-user"), "{cause}");
    device.diary_ends(A, &["install daemon", "run daemon"]);
}

#[test]
fn limits_are_set_on_the_living_component() {
    if !is_root() {
        return skipped("only root can limit components");
    }
    let device = Device::new();
    device.recipe(A, "1.0.0", &json!({"Run": "exec sleep 100000"}), &json!({}));
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    let pid = device.pid(A);
    let below = |controller: &str, file: &str| {
        let group = format!("{}/{A}/{file}", device.core.cgroup_parent());
        Path::new("/sys/fs/cgroup").join(controller).join(group)
    };
    let (memory, cpu) = match (below("", "memory.max"), below("memory", "memory.limit_in_bytes")) {
        (v2, _) if v2.exists() => (v2, below("", "cpu.max")),
        (_, v1) if v1.exists() => (v1, below("cpu", "cpu.cfs_quota_us")),
        _ => return skipped("this machine has no memory controller for components"),
    };
    let unlimited = fs::read_to_string(&memory).unwrap();
    for (limits, bytes, quota) in [
        (r#"{"com.example.A":{"memory":65536,"cpus":0.5}}"#, "67108864", "50000"),
        (r#"{"com.example.A":{"memory":131072,"cpus":1.25}}"#, "134217728", "125000"),
    ] {
        device.succeed(&["--systemLimits", limits]);
        assert_eq!(fs::read_to_string(&memory).unwrap().trim(), bytes);
        assert_eq!(fs::read_to_string(&cpu).unwrap().split_whitespace().next(), Some(quota));
        assert_eq!(device.pid(A), pid);
    }
    // Limits that are not sent with a runWith are gone; without any runWith they stay.
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    assert_eq!(fs::read_to_string(&memory).unwrap().trim(), "134217728");
    device.succeed(&["--runWith", "com.example.A:posixUser=nobody"]);
    assert_eq!(fs::read_to_string(&memory).unwrap(), unlimited);
}
